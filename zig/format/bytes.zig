//! Byte strings as keys: order, common prefix, head. Keys are compared as unsigned bytes, a key
//! that is the beginning of another stands before it. Nothing here knows of pages.

const std = @import("std");
const assert = std.debug.assert;
const builtin = @import("builtin");

/// Bytes that the processor loads at once.
const cache_line = 64;

comptime {
    // Integers of pages are read in place.
    assert(builtin.cpu.arch.endian() == .little);
}

/// Begins to load all of `memory`, which will be read soon.
pub inline fn fetch(memory: []const u8) void {
    var at: usize = 0;
    while (at < memory.len) : (at += cache_line) @prefetch(memory.ptr + at, .{});
}

/// The bytes without zeros at their end, but for some dozens of these.
pub fn trimZeros(memory: []const u8) []const u8 {
    const Wide = @Vector(64, u8);
    var size = memory.len;
    while (size >= @sizeOf(Wide)) : (size -= @sizeOf(Wide)) {
        const wide: Wide = memory[size - @sizeOf(Wide) ..][0..@sizeOf(Wide)].*;
        if (@reduce(.Or, wide) != 0) return memory[0..size];
    }
    return if (std.mem.allEqual(u8, memory[0..size], 0)) memory[0..0] else memory[0..size];
}

/// The first four bytes of `suffix` as a number that compares as they do, zero padded.
pub inline fn head(suffix: []const u8) u32 {
    if (suffix.len >= 4) return std.mem.readInt(u32, suffix[0..4], .big);
    var result: u32 = 0;
    for (suffix, 0..) |byte, index| result |= @as(u32, byte) << @intCast(24 - 8 * index);
    return result;
}

/// The order of two keys, eight bytes at a time. What is left at the end is compared as the last
/// eight, or four, of both: some of them are equal, as is known by then, and no loop has to guess
/// how many are not.
pub inline fn order(a: []const u8, b: []const u8) std.math.Order {
    const shared = @min(a.len, b.len);
    if (shared >= 8) {
        var index: usize = 0;
        while (index + 8 < shared) : (index += 8) {
            const result = orderAt(u64, a, b, index);
            if (result != .eq) return result;
        }
        const result = orderAt(u64, a, b, shared - 8);
        if (result != .eq) return result;
    } else if (shared >= 4) {
        const first = orderAt(u32, a, b, 0);
        if (first != .eq) return first;
        const result = orderAt(u32, a, b, shared - 4);
        if (result != .eq) return result;
    } else for (a[0..shared], b[0..shared]) |x, y| {
        if (x != y) return if (x < y) .lt else .gt;
    }
    return std.math.order(a.len, b.len);
}

inline fn orderAt(T: type, a: []const u8, b: []const u8, index: usize) std.math.Order {
    const x = std.mem.readInt(T, a[index..][0..@sizeOf(T)], .big);
    const y = std.mem.readInt(T, b[index..][0..@sizeOf(T)], .big);
    return std.math.order(x, y);
}

/// How many first bytes `a` and `b` share.
pub fn commonPrefix(a: []const u8, b: []const u8) usize {
    const shared = @min(a.len, b.len);
    var index: usize = 0;
    while (index + 8 <= shared) : (index += 8) {
        const x = std.mem.readInt(u64, a[index..][0..8], .little);
        const y = std.mem.readInt(u64, b[index..][0..8], .little);
        if (x != y) return index + @ctz(x ^ y) / 8;
    }
    while (index < shared and a[index] == b[index]) index += 1;
    return index;
}

/// Copies `from` to the beginning of `to`, without a call while it is short, as keys are.
pub inline fn copyShort(to: []u8, from: []const u8) void {
    const size = from.len;
    assert(to.len >= size);
    if (size > 2 * @sizeOf(Block)) return @memcpy(to[0..size], from);
    if (size >= @sizeOf(Block)) return copyEnds(Block, to, from);
    if (size >= @sizeOf(u64)) return copyEnds(u64, to, from);
    if (size >= @sizeOf(u32)) return copyEnds(u32, to, from);
    for (to[0..size], from) |*byte, copied| byte.* = copied;
}

const Block = @Vector(16, u8);

/// The first bytes and the last, which may be some of the same.
inline fn copyEnds(T: type, to: []u8, from: []const u8) void {
    const last = from.len - @sizeOf(T);
    const a = std.mem.bytesToValue(T, from[0..@sizeOf(T)]);
    const b = std.mem.bytesToValue(T, from[last..][0..@sizeOf(T)]);
    to[0..@sizeOf(T)].* = @bitCast(a);
    to[last..][0..@sizeOf(T)].* = @bitCast(b);
}

/// Whether all bytes are ASCII.
pub inline fn areAscii(bytes: []const u8) bool {
    const high: u64 = 0x8080_8080_8080_8080;
    var seen: u64 = 0;
    if (bytes.len < @sizeOf(u64)) {
        for (bytes) |byte| seen |= byte;
        return seen & high == 0;
    }
    const last = bytes.len - @sizeOf(u64);
    var at: usize = 0;
    while (at < last) : (at += @sizeOf(u64)) {
        seen |= std.mem.readInt(u64, bytes[at..][0..@sizeOf(u64)], .little);
    }
    seen |= std.mem.readInt(u64, bytes[last..][0..@sizeOf(u64)], .little);
    return seen & high == 0;
}

/// `size` rounded up to a multiple of four.
pub inline fn padded(size: u32) u32 {
    return (size + 3) & ~@as(u32, 3);
}

test "head compares as its bytes do" {
    try std.testing.expectEqual(@as(u32, 0), head(""));
    try std.testing.expectEqual(@as(u32, 0x61000000), head("a"));
    try std.testing.expectEqual(@as(u32, 0x61626364), head("abcdef"));
    try std.testing.expect(head("ab") < head("b"));
}

test "trimZeros sees one byte at any place of any length" {
    var memory: [200]u8 = @splat(0);
    for (0..memory.len) |start| {
        for (start..memory.len) |end| {
            try std.testing.expectEqual(0, trimZeros(memory[start..end]).len);
        }
    }
    for (0..memory.len) |at| {
        memory[at] = 1;
        defer memory[at] = 0;
        for (0..memory.len) |start| {
            const found = trimZeros(memory[start..]).len;
            if (at < start) try std.testing.expectEqual(0, found);
            if (at < start) continue;
            try std.testing.expect(found > at - start and found <= at - start + 64);
        }
    }
}

test "order and commonPrefix agree with the plain definitions" {
    var prng = std.Random.DefaultPrng.init(1);
    const random = prng.random();
    var a: [24]u8 = undefined;
    var b: [24]u8 = undefined;
    for (0..20000) |_| {
        for (&a) |*byte| byte.* = random.uintLessThan(u8, 2);
        b = a;
        if (random.boolean()) b[random.uintLessThan(usize, 24)] = random.int(u8);
        const x = a[0..random.uintAtMost(usize, 24)];
        const y = b[0..random.uintAtMost(usize, 24)];
        try std.testing.expectEqual(std.mem.order(u8, x, y), order(x, y));
        const common = commonPrefix(x, y);
        try std.testing.expectEqualSlices(u8, x[0..common], y[0..common]);
        if (common < @min(x.len, y.len)) try std.testing.expect(x[common] != y[common]);
    }
}

test "copyShort and areAscii agree with the plain definitions" {
    var prng = std.Random.DefaultPrng.init(2);
    const random = prng.random();
    var from: [80]u8 = undefined;
    for (0..20000) |_| {
        const size = random.uintAtMost(usize, from.len);
        for (from[0..size]) |*byte| byte.* = random.uintLessThan(u8, 0x80);
        if (random.boolean() and size > 0) from[random.uintLessThan(usize, size)] = 0x80;
        var to: [82]u8 = @splat(0xee);
        copyShort(to[0..size], from[0..size]);
        try std.testing.expectEqualSlices(u8, from[0..size], to[0..size]);
        for (to[size..]) |byte| try std.testing.expectEqual(0xee, byte);
        const high = std.mem.indexOfScalar(u8, from[0..size], 0x80);
        try std.testing.expectEqual(high == null, areAscii(from[0..size]));
    }
}
