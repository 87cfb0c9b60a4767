//! `X-wal`: the redo log's file. Two halves lie in it as interleaved chunks (chunk 2i + h is the
//! i-th of half h), so that both can grow at its end. It knows offsets within a half; which
//! record is the newest is the published state's to say. It never decides what is durable.
//!
//! Invariants: bytes read zero, from storage of the file, before a record lies in them; where
//! commits are flushed, zeros were written there, so that only the first flush after a growth has
//! to touch the file's metadata; the first 512 bytes of a half are its header.

const std = @import("std");
const assert = std.debug.assert;
const record = @import("../format/record.zig");
const os_types = @import("../os/types.zig");
const Os = @import("../os/os.zig").Os;

const Log = @This();

pub const chunk_size: u64 = 256 << 10;
/// Offset of a half's first record.
pub const first_offset: u64 = record.half_header_size;
/// The file grows by half of its size, at most by this many bytes: the commit that needs the room
/// writes the zeros, if any, and its flush makes them durable.
const growth_max: u64 = 1 << 20;

pub const Error = os_types.Error;

os: Os,
fd: os_types.Fd,
/// Bytes of the file that read zero or hold records, as this process knows it.
size: u64,

/// What new bytes of the file are. `written`: zeros, so that flushes of records that come to lie
/// there need not touch metadata. `reserved`: storage that was never written, which costs nothing
/// now and a change of metadata with the flush behind; for records that are not flushed one by one.
pub const Growth = enum { written, reserved };

pub fn init(os: Os, fd: os_types.Fd) Error!Log {
    const size = (try os.stat(fd)).size;
    return .{ .os = os, .fd = fd, .size = size - size % chunk_size };
}

pub fn deinit(self: *Log) void {
    self.os.close(self.fd);
}

fn physical(half: u32, offset: u64) u64 {
    assert(half < 2);
    return (2 * (offset / chunk_size) + half) * chunk_size + offset % chunk_size;
}

/// Makes room for the bytes of `half` up to `end`, which read zero. The next flush makes it
/// durable, together with what was written to it.
pub fn reserve(self: *Log, half: u32, end: u64, growth: Growth) Error!void {
    assert(end > 0);
    const needed = physical(half, end - 1) / chunk_size * chunk_size + chunk_size;
    if (needed <= self.size) return;
    // Another process may have grown it since; what it made is whole only up to its last chunk.
    const found = (try self.os.stat(self.fd)).size;
    self.size = @max(self.size, found - found % chunk_size);
    if (needed <= self.size) return;
    const step = @min(self.size / 2, growth_max);
    const roomy = std.mem.alignForward(u64, needed + step, 2 * chunk_size);
    self.grow(roomy, growth) catch |err| {
        if (err != error.NoSpace) return err;
        try self.grow(needed, growth);
    };
}

fn grow(self: *Log, end: u64, growth: Growth) Error!void {
    try self.os.allocate(self.fd, self.size, end - self.size);
    if (growth == .written) try self.writeZeros(self.size, end);
    self.size = end;
}

fn writeZeros(self: *Log, start: u64, end: u64) Error!void {
    const zeros: [64 << 10]u8 = @splat(0);
    comptime assert(chunk_size % zeros.len == 0);
    var offset = start;
    while (offset < end) : (offset += zeros.len) try self.os.pwrite(self.fd, &zeros, offset);
}

/// Writes `bytes` at `offset` of `half`; room was reserved.
pub fn write(self: *Log, half: u32, offset: u64, bytes: []const u8) Error!void {
    var rest = bytes;
    var at = offset;
    while (rest.len > 0) {
        const length = @min(rest.len, chunk_size - at % chunk_size);
        assert(physical(half, at) + length <= self.size);
        try self.os.pwrite(self.fd, rest[0..length], physical(half, at));
        rest = rest[length..];
        at += length;
    }
}

/// Has the system begin to write what lies from `offset` of `half` up to `end`, and does not wait:
/// what is done meanwhile the flush need not wait for. It makes nothing durable.
pub fn beginFlush(self: *const Log, half: u32, offset: u64, end: u64) void {
    var at = offset;
    while (at < end) {
        const length = @min(end - at, chunk_size - at % chunk_size);
        self.os.beginFlush(self.fd, physical(half, at), length);
        at += length;
    }
}

/// Fills `buffer` from `offset` of `half`; short at the end of the half.
pub fn read(self: *const Log, half: u32, offset: u64, buffer: []u8) Error!usize {
    var done: usize = 0;
    while (done < buffer.len) {
        const at = offset + done;
        const length = @min(buffer.len - done, chunk_size - at % chunk_size);
        const got = try self.os.pread(self.fd, buffer[done..][0..length], physical(half, at));
        done += got;
        if (got < length) break;
    }
    return done;
}

pub fn readHeader(self: *const Log, half: u32) Error!?record.HalfHeader {
    var bytes: [record.half_header_size]u8 = undefined;
    if (try self.read(half, 0, &bytes) < bytes.len) return null;
    return record.HalfHeader.decode(&bytes, half);
}

pub fn writeHeader(self: *Log, header: record.HalfHeader) Error!void {
    try self.reserve(header.half, first_offset, .written);
    const bytes = header.encode();
    try self.write(header.half, 0, &bytes);
}

/// Makes a header that was written durable, and need not take along the records behind it.
pub fn flushHeader(self: *Log, header: record.HalfHeader) Error!void {
    const bytes = header.encode();
    try self.os.pwriteFlushed(self.fd, &bytes, physical(header.half, 0));
}

pub fn flush(self: *Log) Error!void {
    return self.os.flush(self.fd);
}

/// Bytes of `half` within the file.
pub fn halfSize(self: *const Log, half: u32) u64 {
    const chunks = self.size / chunk_size;
    return (chunks + 1 - half) / 2 * chunk_size;
}

/// Gives back what a long burst made the file grow by. Nobody else is attached.
pub fn shrink(self: *Log) Error!void {
    if (self.size <= 2 * chunk_size) return;
    try self.os.truncate(self.fd, 2 * chunk_size);
    self.size = 2 * chunk_size;
}

pub const Found = struct { header: record.Header, bytes: []u8 };

/// The whole record at `offset` of `half` under `salt`, in `buffer`; null if none is there.
pub fn readRecord(
    self: *const Log,
    allocator: std.mem.Allocator,
    buffer: *std.ArrayList(u8),
    half: u32,
    offset: u64,
    salt: u64,
) (Error || error{OutOfMemory})!?Found {
    var head: [record.header_size]u8 = undefined;
    if (try self.read(half, offset, &head) < head.len) return null;
    const header = record.peek(&head) orelse return null;
    if (header.size > self.halfSize(half) -| offset) return null;
    buffer.clearRetainingCapacity();
    try buffer.ensureTotalCapacity(allocator, header.size);
    buffer.items.len = header.size;
    if (try self.read(half, offset, buffer.items) < header.size) return null;
    if (!record.isWhole(buffer.items, salt)) return null;
    return .{ .header = header, .bytes = buffer.items };
}
