//! What a walk over a whole state knows beside the trees: which pages it has seen, how many, and
//! what is wrong with them. It reads every page and run from the file itself, past the map and its
//! verified marks, and trusts nothing of what it reads. A backup lets it copy what it has read.
//!
//! Invariants: no page is entered twice, so a walk ends whatever the file says; memory is one bit a
//! page, one piece of a run, and a bounded list of findings. It never changes the store.

const std = @import("std");
const assert = std.debug.assert;
const Allocator = std.mem.Allocator;
const config = @import("../config.zig");
const page = @import("../format/page.zig");
const overflow = @import("../format/overflow.zig");
const os_types = @import("../os/types.zig");
const Os = @import("../os/os.zig").Os;
const File = @import("../store/File.zig");

const Audit = @This();

pub const Error = os_types.Error;

/// Findings that are kept; the others are only counted.
pub const finding_count_max = 100;
/// Bytes kept of a table's name.
const name_size_max = 1024;
const message_size_max = 200;
/// Most bytes of a run that are read at once.
pub const piece_size: u32 = 256 << 10;

/// Something wrong. Page 0 and 1 are the metas; a finding about the log names page 0.
pub const Finding = struct { pgno: u32, table: ?[]const u8, message: []const u8 };

/// Where verified pages are copied to, at the same numbers.
pub const Copy = struct { fd: os_types.Fd };

allocator: Allocator,
os: Os,
file: *const File,
page_size: u32,
page_count: u32,
/// The state that is walked; no page of it is newer.
txnid: u64,
/// One bit a page: seen.
used: []u64,
piece: []u8,
texts: std.heap.ArenaAllocator,
findings: std.ArrayList(Finding) = .empty,
finding_count: u64 = 0,
/// The table that is walked, for findings; null: the unnamed one, or none.
table: ?[]const u8 = null,
/// Pages seen so far.
used_count: u32 = 0,
/// Pages read so far, those of values counted as they come in.
read_count: u64 = 0,
/// Something could not be entered: pages that nobody has seen may lie below it.
is_partial: bool = false,
copy: ?Copy = null,

pub fn init(allocator: Allocator, file: *const File, page_count: u32, txnid: u64) Error!Audit {
    const used = try allocator.alloc(u64, wordCount(page_count));
    errdefer allocator.free(used);
    @memset(used, 0);
    // No run is longer than the state.
    const piece_size_wanted = @min(piece_size, @as(u64, page_count) * file.page_size);
    return .{
        .allocator = allocator,
        .os = file.os,
        .file = file,
        .page_size = file.page_size,
        .page_count = page_count,
        .txnid = txnid,
        .used = used,
        .piece = try allocator.alloc(u8, piece_size_wanted),
        .texts = .init(allocator),
    };
}

pub fn deinit(self: *Audit) void {
    self.findings.deinit(self.allocator);
    self.texts.deinit();
    self.allocator.free(self.piece);
    self.allocator.free(self.used);
    self.* = undefined;
}

/// Words of a bitmap of one bit a page.
pub fn wordCount(page_count: u32) usize {
    return (@as(usize, page_count) + 63) / 64;
}

pub fn isUsed(self: *const Audit, pgno: u32) bool {
    assert(pgno < self.page_count);
    return self.used[pgno / 64] >> @intCast(pgno % 64) & 1 != 0;
}

/// The last page that was seen; 1 when none was.
pub fn lastUsed(self: *const Audit) u32 {
    var index = self.used.len;
    while (index > 0) {
        index -= 1;
        const word = self.used[index];
        if (word != 0) return @intCast(index * 64 + 63 - @clz(word));
    }
    return 1;
}

/// Adds a finding.
pub fn report(
    self: *Audit,
    pgno: u32,
    comptime format: []const u8,
    arguments: anytype,
) error{OutOfMemory}!void {
    self.finding_count += 1;
    if (self.findings.items.len == finding_count_max) return;
    try self.findings.ensureUnusedCapacity(self.allocator, 1);
    var buffer: [message_size_max]u8 = undefined;
    const text = std.fmt.bufPrint(&buffer, format, arguments) catch |err| switch (err) {
        error.NoSpaceLeft => &buffer,
    };
    const texts = self.texts.allocator();
    const message = try texts.dupe(u8, text);
    const name = self.table orelse return self.findings.appendAssumeCapacity(.{
        .pgno = pgno,
        .table = null,
        .message = message,
    });
    self.findings.appendAssumeCapacity(.{
        .pgno = pgno,
        .table = try texts.dupe(u8, name[0..@min(name.len, name_size_max)]),
        .message = message,
    });
}

/// Marks pages as seen. False, with a finding: they are not pages of the state, or were seen.
pub fn take(self: *Audit, pgno: u32, count: u32) error{OutOfMemory}!bool {
    if (pgno < config.pgno_first or @as(u64, pgno) + count > self.page_count) {
        try self.report(pgno, "lies behind the last page of the state, {d}", .{
            self.page_count - 1,
        });
        self.is_partial = true;
        return false;
    }
    for (pgno..pgno + count) |number| {
        if (!self.isUsed(@intCast(number))) continue;
        try self.report(@intCast(number), "is used more than once", .{});
        self.is_partial = true;
        return false;
    }
    for (pgno..pgno + count) |number| {
        self.used[number / 64] |= @as(u64, 1) << @intCast(number % 64);
    }
    self.used_count += count;
    return true;
}

/// Reads page `pgno` and proves its checksum. False, with a finding: it is damaged.
pub fn readPage(self: *Audit, pgno: u32, checksum: u64, bytes: []align(8) u8) Error!bool {
    assert(bytes.len == self.page_size);
    assert(self.isUsed(pgno));
    self.read_count += 1;
    if (!try self.read(pgno, bytes, 0)) return false;
    if (page.checksum(bytes, pgno) != checksum) {
        try self.report(pgno, "does not have the checksum that its parent keeps", .{});
        self.is_partial = true;
        return false;
    }
    return true;
}

/// Reads bytes of the file from `skip` bytes behind the start of page `pgno` on. A bad medium is a
/// finding, not the end of the walk.
fn read(self: *Audit, pgno: u32, bytes: []u8, skip: u64) Error!bool {
    const offset = @as(u64, pgno) * self.page_size + skip;
    const size = self.readAt(bytes, offset) catch |err| {
        if (err != error.Io) return err;
        try self.report(pgno, "cannot be read from the disk", .{});
        self.is_partial = true;
        return false;
    };
    if (size == bytes.len) return true;
    try self.report(pgno, "lies behind the end of the file", .{});
    self.is_partial = true;
    return false;
}

/// Reads past the map, but for what a reader without write access holds in memory alone.
fn readAt(self: *Audit, bytes: []u8, offset: u64) Error!usize {
    const private_from = self.file.private_from orelse std.math.maxInt(u64);
    if (offset < private_from) return self.os.pread(self.file.fd, bytes, offset);
    const end = self.file.mapped.load(.acquire);
    const size: usize = @intCast(@min(bytes.len, end -| offset));
    @memcpy(bytes[0..size], self.file.range[offset..][0..size]);
    return size;
}

/// Writes what was read of page `pgno` to the copy, if there is one.
pub fn copyPage(self: *Audit, pgno: u32, bytes: []const u8) Error!void {
    const copy = self.copy orelse return;
    try self.os.pwrite(copy.fd, bytes, @as(u64, pgno) * self.page_size);
}

/// A run on its way through the memory of the audit, a piece at a time.
pub const Run = struct {
    pgno: u32,
    size: u32,
    checksum: u64,
    done: u32 = 0,
    hash: std.hash.XxHash3,
};

/// Begins to read a run of `size` bytes. Null, with a finding: it cannot be one of the state.
pub fn beginRun(self: *Audit, ref: page.RunRef, size: u32) error{OutOfMemory}!?Run {
    if (!try self.take(ref.pgno, overflow.pageCount(size, self.page_size))) return null;
    return .{
        .pgno = ref.pgno,
        .size = size,
        .checksum = ref.checksum,
        .hash = .init(ref.pgno),
    };
}

/// The next piece of a run, valid until the next call of the audit. Null: it is finished, and was
/// whole unless there is a finding more.
pub fn nextPiece(self: *Audit, run: *Run) Error!?[]const u8 {
    if (run.done == run.size) {
        if (run.hash.final() != run.checksum) {
            try self.report(run.pgno, "is an overflow run with another checksum than its " ++
                "entry keeps", .{});
        }
        return null;
    }
    const bytes = self.piece[0..@min(self.piece.len, run.size - run.done)];
    if (!try self.read(run.pgno, bytes, run.done)) return null;
    self.read_count += overflow.pageCount(@intCast(bytes.len), self.page_size);
    run.hash.update(bytes);
    if (self.copy) |copy| {
        const offset = @as(u64, run.pgno) * self.page_size + run.done;
        try self.os.pwrite(copy.fd, bytes, offset);
    }
    run.done += @intCast(bytes.len);
    return bytes;
}

/// Reads a short run at once into `buffer`. Null, with a finding: it is damaged, or longer.
pub fn readRun(self: *Audit, ref: page.RunRef, size: u32, buffer: []u8) Error!?[]const u8 {
    if (size > buffer.len) {
        try self.report(ref.pgno, "is an overflow run of {d} bytes, too many for it", .{size});
        self.is_partial = true;
        return null;
    }
    const before = self.finding_count;
    var run = try self.beginRun(ref, size) orelse return null;
    while (try self.nextPiece(&run)) |piece| {
        @memcpy(buffer[run.done - piece.len ..][0..piece.len], piece);
    }
    return if (self.finding_count == before) buffer[0..size] else null;
}

/// Reads once more a run that `readRun` has found to be whole.
pub fn readRunAgain(self: *Audit, ref: page.RunRef, size: u32, buffer: []u8) Error!?[]const u8 {
    if (size > buffer.len) return null;
    if (!try self.read(ref.pgno, buffer[0..size], 0)) return null;
    if (overflow.checksum(buffer[0..size], ref.pgno) != ref.checksum) return null;
    return buffer[0..size];
}

const testing = std.testing;
const TestDisk = @import("../os/os.zig").TestDisk;

fn openTestFile(disk: *TestDisk, bytes: []const u8) !File {
    var buffer: [os_types.path_size_max]u8 = undefined;
    const fd = try disk.os.open(try disk.path(&buffer, "x"), .{ .write = true, .create = true });
    errdefer disk.os.close(fd);
    try disk.os.pwrite(fd, bytes, 0);
    return File.init(disk.os, fd, .{ .page_size = 512, .size_max = 1 << 30 });
}

fn closeTestFile(file: *File) void {
    file.deinitKeepFile();
    file.os.close(file.fd);
}

test "Audit sees each page once, and names what it refuses" {
    var disk = try TestDisk.init();
    defer disk.deinit();
    var file = try openTestFile(&disk, "");
    defer closeTestFile(&file);
    var audit = try Audit.init(testing.allocator, &file, 100, 1);
    defer audit.deinit();
    try testing.expect(try audit.take(2, 3));
    try testing.expect(try audit.take(99, 1));
    try testing.expectEqual(@as(u32, 99), audit.lastUsed());
    try testing.expect(!try audit.take(4, 1));
    try testing.expect(!try audit.take(98, 3));
    try testing.expect(!try audit.take(1, 1));
    try testing.expectEqual(@as(u64, 3), audit.finding_count);
    try testing.expectEqual(@as(u32, 4), audit.findings.items[0].pgno);
    try testing.expectEqual(@as(u32, 4), audit.used_count);
    for (0..200) |_| try audit.report(7, "again", .{});
    try testing.expectEqual(@as(u64, 203), audit.finding_count);
    try testing.expectEqual(@as(usize, finding_count_max), audit.findings.items.len);
}

test "Audit reads runs in pieces and notices a flipped bit" {
    var disk = try TestDisk.init();
    defer disk.deinit();
    const size: u32 = piece_size + 1000;
    const bytes = try testing.allocator.alloc(u8, 1024 + size);
    defer testing.allocator.free(bytes);
    for (bytes, 0..) |*byte, index| byte.* = @truncate(index *% 31);
    var file = try openTestFile(&disk, bytes);
    defer closeTestFile(&file);
    const ref: page.RunRef = .{
        .pgno = 2,
        .checksum = overflow.checksum(bytes[1024..], 2),
        .txnid = 1,
    };
    for ([_]bool{ false, true }) |is_damaged| {
        if (is_damaged) try disk.os.pwrite(file.fd, &.{bytes[5000] ^ 4}, 5000);
        const page_count = 2 + overflow.pageCount(size, 512);
        var audit = try Audit.init(testing.allocator, &file, page_count, 1);
        defer audit.deinit();
        var run = (try audit.beginRun(ref, size)).?;
        var sum: u32 = 0;
        while (try audit.nextPiece(&run)) |piece| sum += @intCast(piece.len);
        try testing.expectEqual(size, sum);
        try testing.expectEqual(@as(u64, @intFromBool(is_damaged)), audit.finding_count);
    }
}
