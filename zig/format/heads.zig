//! Search in the key heads of a page: the first four bytes of each key behind the page's prefix, as
//! integers that compare as the bytes do. The array is contiguous, so a search of a page touches a
//! few cache lines of integers and then, mostly, one key. After LeanStore's heads (V. Leis et al.,
//! "B-Trees Are Back", SIGMOD 2025), with vector compares in place of hints.
//!
//! A key's place among others cannot be predicted, and a branch on it costs more than the compare:
//! ranges are halved and windows counted without one. Never reads outside the page, but behind the
//! array; the page has passed `page.validate`, or is one of ours.

const std = @import("std");
const assert = std.debug.assert;
const bytes_format = @import("bytes.zig");

/// What a page begins with; `page.zig` draws it.
pub const Header = extern struct {
    kind: u8,
    flags: u8,
    count: u16,
    pgno: u32,
    txnid: u64,
    prefix_size: u16,
    heap_size: u16,
    dead_size: u16,
    reserved: u16,
};

/// What the heads of a page say about where a key stands: entries below it, or below those that
/// have its head if there are some.
pub const Located = packed struct(u32) { index: u31, is_tied: bool };

/// Heads that are compared at once: enough for most leaves, and for what is left of a branch that
/// was halved once or twice.
pub const window = 32;
const Vector = @Vector(window, u32);

/// Looks for `key`, of which only the local part is given, in the heads of a page from entry
/// `first` on: 0 in a leaf, 1 in a branch, whose slot 0 has no key.
pub inline fn locate(page: [*]align(8) const u8, first: u32, key: []const u8) Located {
    const header: *const Header = @ptrCast(page);
    const count: u32 = header.count;
    assert(first <= count);
    switch (prefixOrder(page, key)) {
        .lt => return .{ .index = @intCast(first), .is_tied = false },
        .gt => return .{ .index = @intCast(count), .is_tied = false },
        .eq => {},
    }
    const wanted = bytes_format.head(key[header.prefix_size..]);
    const offset = @sizeOf(Header) + bytes_format.padded(header.prefix_size);
    const heads: [*]const u32 = @ptrCast(@alignCast(page + offset));
    const index = first + lower(heads + first, count - first, wanted);
    // Behind the last head stands something else, that can be read.
    const is_tied = heads[index] == wanted and index < count;
    return .{ .index = @intCast(index), .is_tied = is_tied };
}

/// Where a key stands towards all that begin with the prefix of the page: `.eq` when it does too.
inline fn prefixOrder(page: [*]align(8) const u8, key: []const u8) std.math.Order {
    const header: *const Header = @ptrCast(page);
    const prefix = page[@sizeOf(Header)..];
    const size: u32 = header.prefix_size;
    if (key.len < 8 or size > 8) {
        // A key that the prefix begins with is shorter, and stands before all.
        return bytes_format.order(key[0..@min(key.len, size)], prefix[0..size]);
    }
    if (size == 0) return .eq;
    const a = std.mem.readInt(u64, key[0..8], .big);
    const b = std.mem.readInt(u64, prefix[0..8], .big);
    if ((a ^ b) >> @intCast(64 - 8 * size) == 0) return .eq;
    return if (a < b) .lt else .gt;
}

/// How many of `count` heads, which ascend, are below `wanted`. A whole window is loaded, however
/// few are left; `page.zig` says why it lies in the page.
pub inline fn lower(heads: [*]const u32, count: usize, wanted: u32) u32 {
    var base: usize = 0;
    var size = count;
    while (size > window) {
        const half = size / 2;
        base += half & unpredicted(heads[base + half - 1] < wanted);
        size -= half;
    }
    return @intCast(base + countBelow(heads + base, size, wanted));
}

/// All ones for true. The compiler must not see what it is: it would make a branch of it.
inline fn unpredicted(condition: bool) usize {
    const mask = -%@as(usize, @intFromBool(condition));
    return asm (""
        : [out] "=r" (-> usize),
        : [in] "0" (mask),
    );
}

/// The first that is not below has as many before it as are. Where there is none, the bit behind
/// the last one ends the count.
inline fn countBelow(heads: [*]const u32, size: usize, wanted: u32) u32 {
    const part: Vector = heads[0..window].*;
    const below: std.meta.Int(.unsigned, window) = @bitCast(part < @as(Vector, @splat(wanted)));
    return @ctz(~@as(u64, below) | @as(u64, 1) << @intCast(size));
}

test "lower agrees with a plain count at every size" {
    var prng = std.Random.DefaultPrng.init(2);
    const random = prng.random();
    var heads: [300 + window]u32 = undefined;
    for (0..300) |size| {
        for (heads[0..size]) |*head| head.* = random.uintLessThan(u32, 500) *% 0x00ff_0101;
        std.mem.sort(u32, heads[0..size], {}, std.sort.asc(u32));
        for (heads[size..]) |*head| head.* = random.int(u32);
        for (0..20) |_| {
            const wanted = random.uintLessThan(u32, 502) *% 0x00ff_0101;
            var expected: u32 = 0;
            for (heads[0..size]) |head| expected += @intFromBool(head < wanted);
            try std.testing.expectEqual(expected, lower(&heads, size, wanted));
        }
    }
}

test "prefixOrder agrees with a plain compare" {
    var prng = std.Random.DefaultPrng.init(5);
    const random = prng.random();
    var page: [64]u8 align(8) = undefined;
    var key: [24]u8 = undefined;
    for (0..20000) |_| {
        for (&page) |*byte| byte.* = random.uintLessThan(u8, 2);
        const header: *Header = @ptrCast(&page);
        header.prefix_size = random.uintAtMost(u16, 16);
        const prefix = page[@sizeOf(Header)..][0..header.prefix_size];
        @memcpy(&key, page[@sizeOf(Header)..][0..key.len]);
        if (random.boolean()) key[random.uintLessThan(usize, 16)] = random.int(u8);
        const given = key[0..random.uintAtMost(usize, key.len)];
        const begins = std.mem.startsWith(u8, given, prefix);
        const expected = if (begins) .eq else std.mem.order(u8, given, prefix);
        try std.testing.expectEqual(expected, prefixOrder(&page, given));
    }
}
