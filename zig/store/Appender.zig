//! Writes the pages of a new file from the first to the last, each behind the one before, gathered
//! into large pieces. It never goes back, except that the caller writes the metas at the end.
//!
//! Invariant: `next` is the number of the page that the next byte belongs to, unless a run has been
//! begun and not yet been padded.

const std = @import("std");
const assert = std.debug.assert;
const Allocator = std.mem.Allocator;
const config = @import("../config.zig");
const os_types = @import("../os/types.zig");
const Os = @import("../os/os.zig").Os;

const Appender = @This();

pub const Error = os_types.Error || error{Full};

const piece_size: u32 = 256 << 10;

allocator: Allocator,
os: Os,
fd: os_types.Fd,
page_size: u32,
piece: []u8,
/// Bytes of the piece that are filled.
used: usize = 0,
/// Where the piece begins in the file.
offset: u64,

/// The file behind its two metas, which it does not have yet.
pub fn init(allocator: Allocator, os: Os, fd: os_types.Fd, page_size: u32) Error!Appender {
    assert(config.isPageSize(page_size));
    return .{
        .allocator = allocator,
        .os = os,
        .fd = fd,
        .page_size = page_size,
        .piece = try allocator.alloc(u8, piece_size),
        .offset = @as(u64, config.pgno_first) * page_size,
    };
}

pub fn deinit(self: *Appender) void {
    self.allocator.free(self.piece);
    self.* = undefined;
}

/// The number of the page that is appended next.
pub fn next(self: *const Appender) Error!u32 {
    const position = self.offset + self.used;
    assert(position % self.page_size == 0);
    const pgno = std.math.cast(u32, position / self.page_size) orelse return error.Full;
    return if (pgno == std.math.maxInt(u32)) error.Full else pgno;
}

/// Appends bytes of any size: a page, or a part of a run.
pub fn append(self: *Appender, bytes: []const u8) Error!void {
    var rest = bytes;
    while (rest.len > 0) {
        const size = @min(rest.len, self.piece.len - self.used);
        @memcpy(self.piece[self.used..][0..size], rest[0..size]);
        self.used += size;
        rest = rest[size..];
        if (self.used == self.piece.len) try self.write();
    }
}

/// Ends a run: zeros up to the end of its last page.
pub fn pad(self: *Appender) Error!void {
    const zeros: [4096]u8 = @splat(0);
    const position = self.offset + self.used;
    var missing = std.mem.alignForward(u64, position, self.page_size) - position;
    while (missing > 0) {
        const size = @min(missing, zeros.len);
        try self.append(zeros[0..size]);
        missing -= size;
    }
}

/// Hands everything to the system.
pub fn write(self: *Appender) Error!void {
    if (self.used == 0) return;
    try self.os.pwrite(self.fd, self.piece[0..self.used], self.offset);
    self.offset += self.used;
    self.used = 0;
}

const testing = std.testing;
const TestDisk = @import("../os/os.zig").TestDisk;

test "Appender writes pages and padded runs in order" {
    var disk = try TestDisk.init();
    defer disk.deinit();
    var buffer: [os_types.path_size_max]u8 = undefined;
    const fd = try disk.os.open(try disk.path(&buffer, "x"), .{ .write = true, .create = true });
    defer disk.os.close(fd);
    var appender = try Appender.init(testing.allocator, disk.os, fd, 512);
    defer appender.deinit();
    const page: [512]u8 = @splat('p');
    const run: [700]u8 = @splat('r');
    for (0..400) |round| {
        try testing.expectEqual(@as(u32, @intCast(2 + 3 * round)), try appender.next());
        try appender.append(&page);
        try appender.append(&run);
        try appender.pad();
    }
    try appender.write();
    var found: [512 * 3]u8 = undefined;
    for ([_]u64{ 0, 399 }) |round| {
        try testing.expectEqual(found.len, try disk.os.pread(fd, &found, 1024 + round * found.len));
        try testing.expectEqualSlices(u8, &(page ++ run), found[0 .. 512 + 700]);
        try testing.expect(std.mem.allEqual(u8, found[512 + 700 ..], 0));
    }
}
