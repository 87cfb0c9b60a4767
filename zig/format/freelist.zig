//! Freelist pages: the free pages of a checkpoint as runs, in a chain of pages of which each
//! vouches for the next. Functions over bytes; it touches no file and frees nothing.
//!
//! ```
//!  0 page header, 24 bytes: kind 3, count = 0, prefix_size = 0, heap_size = bytes of runs
//! 24 checksum of the next page u64   32 number of the next page u32 (0: last)   36 zero u32
//! 40 runs: per run two LEB128 numbers, pages between the end of the run before (or page 2)
//!    and this run, then pages in it
//! ```
//! Each page starts anew from page 2, so that it can be read alone.

const std = @import("std");
const assert = std.debug.assert;
const page = @import("page.zig");
const varint = @import("varint.zig");

pub const header_size = 40;
const first_pgno: u32 = 2;

/// Fills one page with runs. `seal` it when full, from the last page of the chain to the first.
pub const Writer = struct {
    bytes: []align(8) u8,
    used: usize = header_size,
    next_pgno: u32 = first_pgno,

    pub fn init(bytes: []align(8) u8) Writer {
        @memset(bytes, 0);
        return .{ .bytes = bytes };
    }

    /// False: the page is full, the run belongs in the next.
    pub fn add(self: *Writer, pgno: u32, count: u32) bool {
        assert(pgno >= self.next_pgno);
        assert(count > 0);
        var buffer: [2 * varint.size_max]u8 = undefined;
        var length = varint.write(&buffer, pgno - self.next_pgno);
        length += varint.write(buffer[length..], count);
        if (self.used + length > self.bytes.len) return false;
        @memcpy(self.bytes[self.used..][0..length], buffer[0..length]);
        self.used += length;
        self.next_pgno = pgno + count;
        return true;
    }
};

/// Puts the header on a filled page and links it to the next one. Returns its checksum.
pub fn seal(
    bytes: []align(8) u8,
    used: usize,
    pgno: u32,
    txnid: u64,
    next: u32,
    next_checksum: u64,
) u64 {
    assert(used >= header_size);
    bytes[0] = @intFromEnum(page.Kind.freelist);
    std.mem.writeInt(u16, bytes[18..20], @intCast(used - header_size), .little);
    std.mem.writeInt(u64, bytes[24..32], next_checksum, .little);
    std.mem.writeInt(u32, bytes[32..36], next, .little);
    page.setNumber(bytes, pgno, txnid);
    return page.checksum(bytes, pgno);
}

pub const Next = struct { pgno: u32, checksum: u64 };

/// Reads the runs of one page whose checksum has been verified.
pub const Reader = struct {
    runs: []const u8,
    next_pgno: u64 = first_pgno,
    page_count: u32,
    next: Next,

    pub fn init(bytes: []align(8) const u8, pgno: u32, page_count: u32) error{Corrupt}!Reader {
        if (bytes[0] != @intFromEnum(page.Kind.freelist)) return error.Corrupt;
        if (page.header(bytes).pgno != pgno) return error.Corrupt;
        const size = std.mem.readInt(u16, bytes[18..20], .little);
        if (header_size + @as(usize, size) > bytes.len) return error.Corrupt;
        return .{
            .runs = bytes[header_size..][0..size],
            .page_count = page_count,
            .next = .{
                .checksum = std.mem.readInt(u64, bytes[24..32], .little),
                .pgno = std.mem.readInt(u32, bytes[32..36], .little),
            },
        };
    }

    pub fn nextRun(self: *Reader) error{Corrupt}!?struct { pgno: u32, count: u32 } {
        if (self.runs.len == 0) return null;
        const gap = try varint.read(&self.runs);
        const count = try varint.read(&self.runs);
        if (gap > self.page_count or count == 0 or count > self.page_count) return error.Corrupt;
        const pgno = self.next_pgno + gap;
        if (pgno + count > self.page_count) return error.Corrupt;
        self.next_pgno = pgno + count;
        return .{ .pgno = @intCast(pgno), .count = @intCast(count) };
    }
};

test "freelist pages keep runs and refuse damage" {
    var bytes: [512]u8 align(8) = undefined;
    var writer: Writer = .init(&bytes);
    try std.testing.expect(writer.add(2, 1));
    try std.testing.expect(writer.add(300, 7));
    try std.testing.expect(writer.add(307, 1));
    _ = seal(&bytes, writer.used, 9, 4, 17, 99);
    var reader: Reader = try .init(&bytes, 9, 400);
    try std.testing.expectEqual(@as(u32, 17), reader.next.pgno);
    try std.testing.expectEqual(@as(u32, 2), (try reader.nextRun()).?.pgno);
    const second = (try reader.nextRun()).?;
    try std.testing.expectEqual(@as(u32, 300), second.pgno);
    try std.testing.expectEqual(@as(u32, 7), second.count);
    try std.testing.expectEqual(@as(u32, 307), (try reader.nextRun()).?.pgno);
    try std.testing.expectEqual(null, try reader.nextRun());
    var short: Reader = try .init(&bytes, 9, 301);
    _ = try short.nextRun();
    try std.testing.expectError(error.Corrupt, short.nextRun());
    try std.testing.expectError(error.Corrupt, Reader.init(&bytes, 8, 400));
}

test "freelist page says when it is full" {
    var bytes: [512]u8 align(8) = undefined;
    var writer: Writer = .init(&bytes);
    var pgno: u32 = 2;
    while (writer.add(pgno, 1)) pgno += 2;
    try std.testing.expect(writer.used > 500);
}
