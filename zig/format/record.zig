//! Records of the redo log, and the headers of its file and halves. Functions over bytes; it
//! touches no file. Nothing read is trusted: lengths are checked before use, checksums first.
//!
//! A record, a multiple of 8 bytes:
//! ```
//!  0 checksum u64: XXH3-64 of the bytes from 8 to the end, seed = salt of the half
//!  8 checksum of the record before u64 (for a half's first record: the salt of the half)
//! 16 txnid u64       24 flushed txnid u64: newest commit known durable when this was written
//! 32 size u32        36 kind u8 (1 commit, 2 switch, 3 bulk), 3 zero
//! 40 operations size u32   44 space size u32
//! 48 operations, then the change of free space, then zeros to a multiple of 8
//! ```
//! An operation: tag u8, table id, then numbers (LEB128) and byte strings (LEB128 size, bytes):
//! put 1 (key, value) · remove 2 (key) · remove range 3 (bounds u8, start?, end?) · clear 4 ·
//! create table 5 (name, record) · drop table 6 · atomic 7 (index within the commit) ·
//! put run 8 (key, first page, size, checksum u64): a value that stands in its overflow run alone.
//! The operations of a switch are the salt of the other half, u64.
//! The change of free space: pages of the file, runs taken (count, then pgno and count each), runs
//! freed (count, then pgno, count and txnid − birth each). Replay ignores it; a live process
//! follows another's commits by it. A bulk record has neither part.
//!
//! A half begins with a header of 512 bytes:
//! ```
//!  0 magic "ZEOLOGH1"  8 store id, 16 bytes  24 salt u64  32 half u32  36 zero
//! 40 checkpoint u64: txnid of the one that allowed its reuse  48 meta sequence of it u64
//! 56 … zero … 504 checksum u64
//! ```

const std = @import("std");
const assert = std.debug.assert;
const kernels = @import("kernels.zig");
const varint = @import("varint.zig");
const config = @import("../config.zig");

pub const header_size = 48;
pub const half_header_size = 512;
/// A record of more bytes cannot be written nor read.
pub const size_max: u32 = 1 << 30;

pub const Kind = enum(u8) { commit = 1, @"switch" = 2, bulk = 3, _ };

pub const Header = extern struct {
    checksum: u64 = 0,
    previous: u64,
    txnid: u64,
    flushed_txnid: u64,
    size: u32,
    kind: Kind,
    zero: [3]u8 = @splat(0),
    operations_size: u32,
    space_size: u32,
};

comptime {
    assert(@sizeOf(Header) == header_size);
    assert(@sizeOf(HalfHeader) == half_header_size);
}

/// Bytes of a record with these parts.
pub fn sizeOf(operations_size: usize, space_size: usize) u64 {
    return std.mem.alignForward(u64, header_size + operations_size + space_size, 8);
}

/// Puts header and checksum on `bytes`, whose parts lie behind the header already. Returns the
/// checksum.
pub fn seal(bytes: []u8, header: Header, salt: u64) u64 {
    assert(bytes.len == header.size);
    assert(bytes.len == sizeOf(header.operations_size, header.space_size));
    bytes[0..header_size].* = @bitCast(header);
    @memset(bytes[header_size + header.operations_size + header.space_size ..], 0);
    const checksum = kernels.checksum(salt, bytes[8..]);
    std.mem.writeInt(u64, bytes[0..8], checksum, .little);
    return checksum;
}

/// The header at the start of `bytes` if its numbers can be true; says nothing of its checksum.
pub fn peek(bytes: *const [header_size]u8) ?Header {
    switch (@as(Kind, @enumFromInt(bytes[36]))) {
        .commit, .@"switch", .bulk => {},
        _ => return null,
    }
    const header: Header = @bitCast(bytes.*);
    if (header.size > size_max or header.txnid > config.txnid_max) return null;
    if (header.flushed_txnid > header.txnid) return null;
    const parts = @as(u64, header.operations_size) + header.space_size;
    if (std.mem.alignForward(u64, header_size + parts, 8) != header.size) return null;
    return header;
}

/// True if `bytes` is a whole record under `salt`.
pub fn isWhole(bytes: []const u8, salt: u64) bool {
    assert(bytes.len >= header_size);
    const checksum = std.mem.readInt(u64, bytes[0..8], .little);
    return kernels.checksum(salt, bytes[8..]) == checksum;
}

pub const half_magic: [8]u8 = "ZEOLOGH1".*;

pub const HalfHeader = extern struct {
    magic: [8]u8 = half_magic,
    store_id: [16]u8,
    salt: u64,
    half: u32,
    zero: u32 = 0,
    checkpoint: u64,
    sequence: u64,
    reserved: [448]u8 = @splat(0),
    checksum: u64 = 0,

    pub fn encode(self: HalfHeader) [half_header_size]u8 {
        var sealed = self;
        const bytes: [half_header_size]u8 = @bitCast(sealed);
        sealed.checksum = std.hash.XxHash3.hash(self.half, bytes[0..504]);
        return @bitCast(sealed);
    }

    /// Null: no header that was ever written whole.
    pub fn decode(bytes: *const [half_header_size]u8, half: u32) ?HalfHeader {
        const header: HalfHeader = @bitCast(bytes.*);
        if (!std.mem.eql(u8, &header.magic, &half_magic)) return null;
        if (std.hash.XxHash3.hash(half, bytes[0..504]) != header.checksum) return null;
        if (header.half != half) return null;
        return header;
    }
};

pub const Tag = enum(u8) {
    put = 1,
    remove = 2,
    remove_range = 3,
    clear = 4,
    create_table = 5,
    drop_table = 6,
    atomic = 7,
    put_run = 8,
    _,
};

pub const Operation = union(enum) {
    put: struct { table: u32, key: []const u8, value: []const u8 },
    put_run: struct { table: u32, key: []const u8, run: NamedRun },
    remove: struct { table: u32, key: []const u8 },
    /// Keys from `start` (null: the first) up to but without `end` (null: behind the last).
    remove_range: struct { table: u32, start: ?[]const u8, end: ?[]const u8 },
    clear: struct { table: u32 },
    create_table: struct { table: u32, name: []const u8, record: []const u8 },
    drop_table: struct { table: u32 },
    atomic: struct { index: u32 },
};

/// A run that a record names instead of holding its bytes: with the record it is the commit.
pub const NamedRun = struct { pgno: u32, size: u32, checksum: u64 };

/// The most bytes an operation takes beside its keys and values.
pub const operation_overhead = 1 + 5 * varint.size_max;

/// Appends operations and space changes to a buffer that has `reserve`d room.
pub const Writer = struct {
    bytes: *std.ArrayList(u8),

    pub fn number(self: Writer, value: u64) void {
        var buffer: [varint.size_max]u8 = undefined;
        self.bytes.appendSliceAssumeCapacity(buffer[0..varint.write(&buffer, value)]);
    }

    pub fn string(self: Writer, value: []const u8) void {
        self.number(value.len);
        self.bytes.appendSliceAssumeCapacity(value);
    }

    pub fn tag(self: Writer, value: Tag, table: u32) void {
        self.bytes.appendAssumeCapacity(@intFromEnum(value));
        self.number(table);
    }

    /// The operation that there is most of, in one piece.
    pub fn put(self: Writer, table: u32, key: []const u8, value: []const u8) void {
        const room = self.bytes.unusedCapacitySlice();
        assert(room.len >= operation_overhead + key.len + value.len);
        room[0] = @intFromEnum(Tag.put);
        var used: usize = 1;
        used += varint.write(room[used..], table);
        used += varint.write(room[used..], key.len);
        @memcpy(room[used..][0..key.len], key);
        used += key.len;
        used += varint.write(room[used..], value.len);
        @memcpy(room[used..][0..value.len], value);
        self.bytes.items.len += used + value.len;
    }

    pub fn operation(self: Writer, value: Operation) void {
        switch (value) {
            .put => |it| self.put(it.table, it.key, it.value),
            .put_run => |it| {
                self.tag(.put_run, it.table);
                self.string(it.key);
                self.number(it.run.pgno);
                self.number(it.run.size);
                self.bytes.appendSliceAssumeCapacity(std.mem.asBytes(&it.run.checksum));
            },
            .remove => |remove| {
                self.tag(.remove, remove.table);
                self.string(remove.key);
            },
            .remove_range => |range| {
                self.tag(.remove_range, range.table);
                const start: u8 = @intFromBool(range.start != null);
                const end: u8 = @intFromBool(range.end != null);
                self.bytes.appendAssumeCapacity(start | end << 1);
                if (range.start) |key| self.string(key);
                if (range.end) |key| self.string(key);
            },
            .clear => |clear| self.tag(.clear, clear.table),
            .create_table => |create| {
                self.tag(.create_table, create.table);
                self.string(create.name);
                self.string(create.record);
            },
            .drop_table => |drop| self.tag(.drop_table, drop.table),
            .atomic => |atomic| self.tag(.atomic, atomic.index),
        }
    }
};

/// Reads operations one by one; slices point into the record.
pub const Reader = struct {
    bytes: []const u8,

    pub fn next(self: *Reader) error{Corrupt}!?Operation {
        if (self.bytes.len == 0) return null;
        const tag: Tag = @enumFromInt(self.bytes[0]);
        self.bytes = self.bytes[1..];
        const table = try self.small();
        return switch (tag) {
            .put => .{ .put = .{
                .table = table,
                .key = try self.string(),
                .value = try self.string(),
            } },
            .put_run => .{ .put_run = .{
                .table = table,
                .key = try self.string(),
                .run = try self.namedRun(),
            } },
            .remove => .{ .remove = .{ .table = table, .key = try self.string() } },
            .remove_range => try self.range(table),
            .clear => .{ .clear = .{ .table = table } },
            .create_table => .{ .create_table = .{
                .table = table,
                .name = try self.string(),
                .record = try self.string(),
            } },
            .drop_table => .{ .drop_table = .{ .table = table } },
            .atomic => .{ .atomic = .{ .index = table } },
            _ => error.Corrupt,
        };
    }

    fn range(self: *Reader, table: u32) error{Corrupt}!Operation {
        if (self.bytes.len == 0) return error.Corrupt;
        const bounds = self.bytes[0];
        if (bounds > 3) return error.Corrupt;
        self.bytes = self.bytes[1..];
        return .{ .remove_range = .{
            .table = table,
            .start = if (bounds & 1 != 0) try self.string() else null,
            .end = if (bounds & 2 != 0) try self.string() else null,
        } };
    }

    fn namedRun(self: *Reader) error{Corrupt}!NamedRun {
        const pgno = try self.small();
        const size = try self.small();
        if (pgno < config.pgno_first or size == 0) return error.Corrupt;
        if (self.bytes.len < 8) return error.Corrupt;
        defer self.bytes = self.bytes[8..];
        const checksum = std.mem.readInt(u64, self.bytes[0..8], .little);
        return .{ .pgno = pgno, .size = size, .checksum = checksum };
    }

    pub fn small(self: *Reader) error{Corrupt}!u32 {
        const value = try varint.read(&self.bytes);
        return std.math.cast(u32, value) orelse error.Corrupt;
    }

    pub fn string(self: *Reader) error{Corrupt}![]const u8 {
        const length = try varint.read(&self.bytes);
        if (length > self.bytes.len) return error.Corrupt;
        defer self.bytes = self.bytes[@intCast(length)..];
        return self.bytes[0..@intCast(length)];
    }
};

const testing = std.testing;

test "record operations survive their bytes, and every cut is noticed" {
    const operations = [_]Operation{
        .{ .put = .{ .table = 0, .key = "key", .value = "value" } },
        .{ .put_run = .{
            .table = 7,
            .key = "key",
            .run = .{ .pgno = 2, .size = 70_000, .checksum = 0x0123_4567_89ab_cdef },
        } },
        .{ .remove = .{ .table = 300, .key = "" } },
        .{ .remove_range = .{ .table = 1, .start = null, .end = "z" } },
        .{ .clear = .{ .table = 2 } },
        .{ .create_table = .{ .table = 3, .name = "name", .record = "record" } },
        .{ .drop_table = .{ .table = 3 } },
    };
    var bytes: std.ArrayList(u8) = .empty;
    defer bytes.deinit(testing.allocator);
    try bytes.ensureTotalCapacity(testing.allocator, 1000);
    const writer: Writer = .{ .bytes = &bytes };
    for (operations) |operation| writer.operation(operation);
    var reader: Reader = .{ .bytes = bytes.items };
    for (operations) |operation| try testing.expectEqualDeep(operation, (try reader.next()).?);
    try testing.expectEqual(null, try reader.next());
    for (1..bytes.items.len) |cut| {
        var short: Reader = .{ .bytes = bytes.items[0..cut] };
        while (short.next() catch null) |_| {}
    }
}

test "record is whole only under its own salt and with every bit right" {
    var bytes: [64]u8 = @splat(0);
    const header: Header = .{
        .previous = 5,
        .txnid = 7,
        .flushed_txnid = 6,
        .size = 64,
        .kind = .commit,
        .operations_size = 10,
        .space_size = 2,
    };
    _ = seal(&bytes, header, 42);
    try testing.expect(isWhole(&bytes, 42));
    try testing.expect(!isWhole(&bytes, 43));
    try testing.expectEqual(@as(u64, 7), peek(bytes[0..48]).?.txnid);
    for (0..64 * 8) |bit| {
        var damaged = bytes;
        damaged[bit / 8] ^= @as(u8, 1) << @intCast(bit % 8);
        try testing.expect(!isWhole(&damaged, 42));
    }
}

test "half header survives its bytes" {
    const header: HalfHeader = .{
        .store_id = @splat(3),
        .salt = 9,
        .half = 1,
        .checkpoint = 4,
        .sequence = 2,
    };
    var bytes = header.encode();
    try testing.expectEqual(@as(u64, 9), HalfHeader.decode(&bytes, 1).?.salt);
    try testing.expectEqual(null, HalfHeader.decode(&bytes, 0));
    bytes[100] = 1;
    try testing.expectEqual(null, HalfHeader.decode(&bytes, 1));
}
