//! Freelist pages: the free pages of a checkpoint as runs, in a chain of pages of which each
//! vouches for the next. Functions over bytes; it touches no file and frees nothing.
//!
//! ```
//!  0 page header, 24 bytes: kind 3, count = 0, prefix_size = 0, heap_size = bytes of runs
//! 24 checksum of the next page u64   32 number of the next page u32 (0: last)   36 zero u32
//! 40 runs, each of LEB128 numbers: pages between the end of the run before (or page 2) and this
//!    run; twice its pages, plus 1 if some reader's state may still need it, and then: the
//!    checkpoint's txnid less the commit that freed it, and that less the commit that wrote it
//! ```
//! Each page starts anew from page 2, so that it can be read alone. Recovery, which knows no
//! readers, takes every run for free; a process that joins others does not.

const std = @import("std");
const assert = std.debug.assert;
const page = @import("page.zig");
const varint = @import("varint.zig");

pub const header_size = 40;
const first_pgno: u32 = 2;

/// Pages that are free. `freed` 0: nobody needs them; else states from `birth` up to before `freed`
/// may still be read.
pub const Run = struct { pgno: u32, count: u32, birth: u64 = 0, freed: u64 = 0 };

/// The most bytes that a run takes.
pub const run_size_max = 4 * varint.size_max;

/// Bytes of `run` behind one that ends before page `from`, in the list of checkpoint `at_txnid`.
pub fn sizeOf(run: Run, from: u32, at_txnid: u64) usize {
    var buffer: [run_size_max]u8 = undefined;
    return encode(run, from, at_txnid, &buffer);
}

fn encode(run: Run, from: u32, at_txnid: u64, buffer: *[run_size_max]u8) usize {
    const is_retained = run.freed != 0;
    var length = varint.write(buffer, run.pgno - from);
    length += varint.write(buffer[length..], 2 * @as(u64, run.count) + @intFromBool(is_retained));
    if (!is_retained) return length;
    length += varint.write(buffer[length..], at_txnid - run.freed);
    return length + varint.write(buffer[length..], run.freed - run.birth);
}

/// Fills one page with runs. `seal` it when full, from the last page of the chain to the first.
pub const Writer = struct {
    bytes: []align(8) u8,
    used: usize = header_size,
    next_pgno: u32 = first_pgno,
    /// Of the checkpoint.
    txnid: u64,

    pub fn init(bytes: []align(8) u8, at_txnid: u64) Writer {
        @memset(bytes, 0);
        return .{ .bytes = bytes, .txnid = at_txnid };
    }

    /// False: the page is full, the run belongs in the next.
    pub fn add(self: *Writer, run: Run) bool {
        assert(run.pgno >= self.next_pgno);
        assert(run.count > 0);
        var buffer: [run_size_max]u8 = undefined;
        const length = encode(run, self.next_pgno, self.txnid, &buffer);
        if (self.used + length > self.bytes.len) return false;
        @memcpy(self.bytes[self.used..][0..length], buffer[0..length]);
        self.used += length;
        self.next_pgno = run.pgno + run.count;
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
    /// Of the checkpoint.
    txnid: u64,
    next: Next,

    pub fn init(bytes: []align(8) const u8, pgno: u32, page_count: u32) error{Corrupt}!Reader {
        if (bytes[0] != @intFromEnum(page.Kind.freelist)) return error.Corrupt;
        if (page.header(bytes).pgno != pgno) return error.Corrupt;
        const size = std.mem.readInt(u16, bytes[18..20], .little);
        if (header_size + @as(usize, size) > bytes.len) return error.Corrupt;
        return .{
            .runs = bytes[header_size..][0..size],
            .page_count = page_count,
            .txnid = page.txnid(bytes),
            .next = .{
                .checksum = std.mem.readInt(u64, bytes[24..32], .little),
                .pgno = std.mem.readInt(u32, bytes[32..36], .little),
            },
        };
    }

    pub fn nextRun(self: *Reader) error{Corrupt}!?Run {
        if (self.runs.len == 0) return null;
        const gap = try varint.read(&self.runs);
        const doubled = try varint.read(&self.runs);
        const count = doubled / 2;
        if (gap > self.page_count or count == 0 or count > self.page_count) return error.Corrupt;
        const pgno = self.next_pgno + gap;
        if (pgno + count > self.page_count) return error.Corrupt;
        self.next_pgno = pgno + count;
        var run: Run = .{ .pgno = @intCast(pgno), .count = @intCast(count) };
        if (doubled % 2 == 0) return run;
        const since = try varint.read(&self.runs);
        const age = try varint.read(&self.runs);
        if (since >= self.txnid or age > self.txnid - since) return error.Corrupt;
        run.freed = self.txnid - since;
        run.birth = run.freed - age;
        return run;
    }
};

test "freelist pages keep runs and refuse damage" {
    var bytes: [512]u8 align(8) = undefined;
    var writer: Writer = .init(&bytes, 4);
    try std.testing.expect(writer.add(.{ .pgno = 2, .count = 1 }));
    try std.testing.expect(writer.add(.{ .pgno = 300, .count = 7, .birth = 2, .freed = 3 }));
    try std.testing.expect(writer.add(.{ .pgno = 307, .count = 1 }));
    _ = seal(&bytes, writer.used, 9, 4, 17, 99);
    var reader: Reader = try .init(&bytes, 9, 400);
    try std.testing.expectEqual(@as(u32, 17), reader.next.pgno);
    try std.testing.expectEqual(Run{ .pgno = 2, .count = 1 }, (try reader.nextRun()).?);
    try std.testing.expectEqual(
        Run{ .pgno = 300, .count = 7, .birth = 2, .freed = 3 },
        (try reader.nextRun()).?,
    );
    try std.testing.expectEqual(Run{ .pgno = 307, .count = 1 }, (try reader.nextRun()).?);
    try std.testing.expectEqual(null, try reader.nextRun());
    var short: Reader = try .init(&bytes, 9, 301);
    _ = try short.nextRun();
    try std.testing.expectError(error.Corrupt, short.nextRun());
    try std.testing.expectError(error.Corrupt, Reader.init(&bytes, 8, 400));
}

test "freelist page says when it is full" {
    var bytes: [512]u8 align(8) = undefined;
    var writer: Writer = .init(&bytes, 1);
    var pgno: u32 = 2;
    while (writer.add(.{ .pgno = pgno, .count = 1 })) pgno += 2;
    try std.testing.expect(writer.used > 500);
}
