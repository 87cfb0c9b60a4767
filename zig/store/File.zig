//! The data file `X`: written by `pwrite`, read through one read-only map that grows in place
//! inside a range of addresses reserved at open. It never moves or unmaps a byte while the store
//! is open, never writes through the map, and never hands out a byte behind the end of the file.
//!
//! Invariants: blocks are reserved before a page is written (a full disk is an error, never
//! SIGBUS); `mapped` only grows and is at most the size of the file; addresses of the range that
//! no file lies behind read as zeros.

const std = @import("std");
const assert = std.debug.assert;
const os_types = @import("../os/types.zig");
const Os = @import("../os/os.zig").Os;
const Mutex = @import("Mutex.zig");
const build_options = @import("build_options");

const File = @This();

pub const Error = os_types.Error || error{ Corrupt, Full };

/// Addresses reserved for a small store, bytes.
pub const range_size_default: u64 = if (build_options.os == .simulated) 64 << 20 else 64 << 30;
/// The file grows by an eighth of its size, between these bounds, bytes.
const growth_min: u64 = 64 << 10;
const growth_max: u64 = 64 << 20;
/// Bytes of the map's granularity; `mapFile` takes multiples of it only.
const map_unit: u64 = 4096;

os: Os,
fd: os_types.Fd,
page_size: u32,
/// Bytes the file may reach.
size_max: u64,
range: []align(4096) u8,
mapped: std.atomic.Value(u64) = .init(0),
/// Size of the file as this process last saw or made it, bytes.
size: u64,
/// Bytes from here on are memory of this process alone: a reader without write access replays the
/// log into them. Null: all of the range is the file's.
private_from: ?u64 = null,
/// A u32 per page of the range: the low half of the checksum the page was last verified against.
verified: []u32,
mutex: Mutex = .{},

pub const Options = struct { page_size: u32, size_max: u64, random: bool = false };

pub fn init(os: Os, fd: os_types.Fd, options: Options) Error!File {
    const page_size = options.page_size;
    const size = (try os.stat(fd)).size;
    const wanted = @max(range_size_default, size *| 4);
    const size_max = @min(options.size_max, (@as(u64, 1) << 32) * page_size);
    const range_size = std.mem.alignForward(u64, @min(wanted, @max(size_max, size)), map_unit);
    const range = try os.reserve(range_size);
    errdefer os.unmap(range);
    if (options.random) os.advise(range, .random);
    const count = range_size / page_size;
    const verified = std.heap.page_allocator.rawAlloc(count * 4, .@"4", @returnAddress()) orelse
        return error.OutOfMemory;
    return .{
        .os = os,
        .fd = fd,
        .page_size = page_size,
        .size_max = std.mem.alignBackward(
            u64,
            @min(size_max, range_size),
            @max(map_unit, page_size),
        ),
        .range = range,
        .size = size,
        .verified = @as([*]u32, @ptrCast(@alignCast(verified)))[0..count],
    };
}

/// Unmaps; the descriptor, and with it the locks on it, is the caller's to close.
pub fn deinitKeepFile(self: *File) void {
    std.heap.page_allocator.rawFree(std.mem.sliceAsBytes(self.verified), .@"4", @returnAddress());
    self.os.unmap(self.range);
}

/// Maps the file as far as `page_count` pages. Any thread may call it.
pub fn map(self: *File, page_count: u32) Error!void {
    const needed = @as(u64, page_count) * self.page_size;
    if (needed <= self.mapped.load(.acquire)) return;
    if (needed > self.range.len) return error.Full;
    self.mutex.lock(self.os);
    defer self.mutex.unlock(self.os);
    const mapped = self.mapped.load(.acquire);
    if (needed <= mapped) return;
    const size = (try self.os.stat(self.fd)).size;
    if (size < needed) return error.Corrupt;
    const end = @min(std.mem.alignBackward(u64, size, map_unit), self.range.len);
    if (end < needed) return error.Corrupt;
    const part: []align(4096) u8 = @alignCast(self.range[mapped..end]);
    try self.os.mapFile(part, self.fd, mapped);
    self.mapped.store(end, .release);
}

/// The bytes of `count` pages from `pgno`, which must be mapped.
pub inline fn bytes(self: *const File, pgno: u32, count: u32) []align(8) const u8 {
    const start = @as(usize, pgno) * self.page_size;
    const end = start + @as(usize, count) * self.page_size;
    assert(end <= self.mapped.load(.monotonic));
    return @alignCast(self.range[start..end]);
}

/// Makes the file large enough for `page_count` pages, its blocks reserved. The writer only.
pub fn reserve(self: *File, page_count: u32) Error!void {
    const needed = @as(u64, page_count) * self.page_size;
    if (needed <= self.size) return;
    if (self.private_from != null) return self.reservePrivate(needed);
    if (needed > self.size_max) return error.Full;
    // Another process may have grown it since.
    self.size = (try self.os.stat(self.fd)).size;
    if (needed <= self.size) return;
    const unit = @max(map_unit, self.page_size);
    const step = std.math.clamp(self.size / 8, growth_min, growth_max);
    const roomy = @min(std.mem.alignForward(u64, needed + step, unit), self.size_max);
    const tight = std.mem.alignForward(u64, needed, unit);
    self.os.allocate(self.fd, self.size, roomy - self.size) catch |err| {
        if (err != error.NoSpace or roomy == tight) return err;
        try self.os.allocate(self.fd, self.size, tight - self.size);
        self.size = tight;
        return;
    };
    self.size = roomy;
}

/// From page `page_count` on, or a little behind, what is written stays in memory. Returns the
/// first
/// such page.
pub fn makePrivate(self: *File, page_count: u32) u32 {
    const unit = @max(map_unit, self.page_size);
    const from = std.mem.alignForward(u64, @as(u64, page_count) * self.page_size, unit);
    self.private_from = from;
    self.size = from;
    return @intCast(from / self.page_size);
}

fn reservePrivate(self: *File, needed: u64) Error!void {
    const unit = @max(map_unit, self.page_size);
    const roomy = std.mem.alignForward(u64, needed + growth_max / 16, unit);
    const end = @min(roomy, self.range.len);
    if (needed > end) return error.Full;
    try self.os.mapMemory(@alignCast(self.range[self.size..end]));
    self.size = end;
    self.mapped.store(end, .release);
}

/// Writes whole pages, or the beginning of one, where nobody can be looking.
pub fn write(self: *File, pgno: u32, data: []const u8) Error!void {
    const offset = @as(u64, pgno) * self.page_size;
    assert(offset + data.len <= self.size);
    if (self.private_from) |from| {
        assert(offset >= from);
        return @memcpy(self.range[offset..][0..data.len], data);
    }
    try self.os.pwrite(self.fd, data, offset);
}

/// Writes pages that lie one behind the other in the file, each a piece, from `pgno` on.
pub fn writePieces(self: *File, pgno: u32, pieces: []const []const u8) Error!void {
    if (pieces.len == 1) return self.write(pgno, pieces[0]);
    if (self.private_from != null) {
        for (pieces, 0..) |piece, index| try self.write(pgno + @as(u32, @intCast(index)), piece);
        return;
    }
    const offset = @as(u64, pgno) * self.page_size;
    assert(offset + pieces.len * self.page_size <= self.size);
    try self.os.pwritev(self.fd, pieces, offset);
}

/// Reads without the map: for metas, and before anything is mapped. Short at the end of the file.
pub fn read(self: *const File, buffer: []u8, offset: u64) Error!usize {
    return self.os.pread(self.fd, buffer, offset);
}

pub fn flush(self: *File) Error!void {
    return self.os.flush(self.fd);
}

/// Cuts off what was reserved behind the last page. Nobody else is attached.
pub fn shrink(self: *File, page_count: u32) Error!void {
    const end = std.mem.alignForward(u64, @as(u64, page_count) * self.page_size, map_unit);
    if (self.size <= end) return;
    try self.os.truncate(self.fd, end);
    self.size = end;
}

/// Gives the blocks of a run back to the file system; it then reads as zeros.
pub fn punch(self: *File, pgno: u32, count: u32) Error!void {
    return self.os.punch(
        self.fd,
        @as(u64, pgno) * self.page_size,
        @as(u64, count) * self.page_size,
    );
}

/// What `verified` holds for a page checked against `checksum`; never 0, which means unchecked.
pub inline fn verifiedMark(checksum: u64) u32 {
    const low: u32 = @truncate(checksum);
    return if (low == 0) 1 else low;
}

pub inline fn isVerified(self: *const File, pgno: u32, checksum: u64) bool {
    return @atomicLoad(u32, &self.verified[pgno], .monotonic) == verifiedMark(checksum);
}

/// Begins to load what `isVerified` will ask for.
pub inline fn fetchVerified(self: *const File, pgno: u32) void {
    @prefetch(&self.verified[pgno], .{});
}

pub fn setVerified(self: *File, pgno: u32, checksum: u64) void {
    @atomicStore(u32, &self.verified[pgno], verifiedMark(checksum), .monotonic);
}
