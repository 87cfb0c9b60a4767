//! Search in the array of key heads of a page: the first four bytes of each key after the page's
//! prefix, as integers that compare as the bytes do. The array is contiguous, so a search of a page
//! touches a few cache lines of integers and then, mostly, one key. After LeanStore's heads (V.
//! Leis et al., "B-Trees Are Back", SIGMOD 2025), with vector compares in place of hints.
//!
//! Never reads outside the page that holds the array, but up to `overread_size` bytes behind it.

const std = @import("std");
const assert = std.debug.assert;

const lanes = 8;
const Vector = @Vector(lanes, u32);

/// Above this many heads the range is halved first, without branches.
const narrow_count = 32;

/// Bytes behind the array that may be loaded, and are not used.
pub const overread_size = (lanes - 1) * @sizeOf(u32);

/// How many of `heads`, which ascend, are below `wanted`. `overread_size` bytes behind the array
/// must be readable.
pub inline fn lower(heads: []const u32, wanted: u32) u32 {
    var base: [*]const u32 = heads.ptr;
    var size = heads.len;
    while (size > narrow_count) {
        const half = size / 2;
        base = if (base[half - 1] < wanted) base + half else base;
        size -= half;
    }
    const before = (@intFromPtr(base) - @intFromPtr(heads.ptr)) / @sizeOf(u32);
    return @intCast(before + countBelow(base, size, wanted));
}

inline fn countBelow(heads: [*]const u32, size: usize, wanted: u32) usize {
    const limit: Vector = @splat(wanted);
    const ones: Vector = @splat(1);
    const zeros: Vector = @splat(0);
    var sum: Vector = zeros;
    var index: usize = 0;
    while (index + lanes <= size) : (index += lanes) {
        const part: Vector = heads[index..][0..lanes].*;
        sum += @select(u32, part < limit, ones, zeros);
    }
    if (index < size) {
        const part: Vector = heads[index..][0..lanes].*;
        const rest: Vector = @splat(@intCast(size - index));
        const inside = @select(u32, std.simd.iota(u32, lanes) < rest, ones, zeros);
        sum += @select(u32, part < limit, inside, zeros);
    }
    return @reduce(.Add, sum);
}

test "lower agrees with a plain count at every size" {
    var prng = std.Random.DefaultPrng.init(2);
    const random = prng.random();
    var heads: [300 + lanes]u32 = undefined;
    for (0..300) |size| {
        for (heads[0..size]) |*head| head.* = random.uintLessThan(u32, 500) *% 0x00ff_0101;
        std.mem.sort(u32, heads[0..size], {}, std.sort.asc(u32));
        for (heads[size..]) |*head| head.* = 0;
        for (0..20) |_| {
            const wanted = random.uintLessThan(u32, 502) *% 0x00ff_0101;
            var expected: u32 = 0;
            for (heads[0..size]) |head| expected += @intFromBool(head < wanted);
            try std.testing.expectEqual(expected, lower(heads[0..size], wanted));
        }
    }
}
