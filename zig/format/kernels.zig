//! The functions over bytes that gain from wide vectors: the search in the heads of a page and the
//! checksum. On x86-64 they are compiled once for the baseline and again, as objects of their own
//! (`wide.zig`), for newer processors; the first call sees what processor it is and chooses. On
//! others, and in a library compiled for a new processor, there is one, and it is inlined.
//!
//! Invariant: every set gives the same answers.

const std = @import("std");
const builtin = @import("builtin");
const heads = @import("heads.zig");

/// What a set is compiled for. The names are those of the levels of x86-64; `baseline` is whatever
/// the library is compiled for.
pub const Width = enum(u8) { baseline = 0, v3 = 1, v4 = 2 };

pub const Locate = fn (page: [*]align(8) const u8, key: [*]const u8, size: usize) callconv(.c) u32;
pub const Checksum = fn (seed: u64, bytes: [*]const u8, size: usize) callconv(.c) u64;

/// One set of them.
pub const Set = struct {
    locate_leaf: *const Locate,
    locate_branch: *const Locate,
    checksum: *const Checksum,
};

/// Whether this compilation has sets to choose from.
pub const is_chosen = builtin.cpu.arch == .x86_64 and !builtin.cpu.has(.x86, .avx512vbmi2);

/// What the objects are compiled for, and the name that `build.zig` gives to each.
pub const symbol_prefix = "zeolite_wide_";

pub fn locateLeaf(page: [*]align(8) const u8, key: [*]const u8, size: usize) callconv(.c) u32 {
    return @bitCast(heads.locate(page, 0, key[0..size]));
}

pub fn locateBranch(page: [*]align(8) const u8, key: [*]const u8, size: usize) callconv(.c) u32 {
    return @bitCast(heads.locate(page, 1, key[0..size]));
}

pub fn checksumOf(seed: u64, bytes: [*]const u8, size: usize) callconv(.c) u64 {
    return std.hash.XxHash3.hash(seed, bytes[0..size]);
}

/// `heads.locate` in a leaf or, from slot 1 on, in a branch.
pub inline fn locate(
    page: [*]align(8) const u8,
    comptime kind: enum { leaf, branch },
    key: []const u8,
) heads.Located {
    if (!is_chosen) return heads.locate(page, @intFromEnum(kind), key);
    const set = @atomicLoad(*const Set, &current, .monotonic);
    const function = if (kind == .leaf) set.locate_leaf else set.locate_branch;
    return @bitCast(function(page, key.ptr, key.len));
}

/// XXH3-64 of `bytes`.
pub inline fn checksum(seed: u64, bytes: []const u8) u64 {
    if (!is_chosen) return checksumOf(seed, bytes.ptr, bytes.len);
    return @atomicLoad(*const Set, &current, .monotonic).checksum(seed, bytes.ptr, bytes.len);
}

/// The set in use: one that chooses, until it has.
var current: *const Set = &choosing;

const choosing: Set = .{
    .locate_leaf = &First.locateLeaf,
    .locate_branch = &First.locateBranch,
    .checksum = &First.checksum,
};

/// Chooses, and does what was asked for.
const First = struct {
    fn locateLeaf(page: [*]align(8) const u8, key: [*]const u8, size: usize) callconv(.c) u32 {
        return use(best()).locate_leaf(page, key, size);
    }

    fn locateBranch(page: [*]align(8) const u8, key: [*]const u8, size: usize) callconv(.c) u32 {
        return use(best()).locate_branch(page, key, size);
    }

    fn checksum(seed: u64, bytes: [*]const u8, size: usize) callconv(.c) u64 {
        return use(best()).checksum(seed, bytes, size);
    }
};

/// From now on the process calls the set of `width`, which must not be wider than `best`.
pub fn use(width: Width) *const Set {
    const set = setOf(width);
    @atomicStore(*const Set, &current, set, .monotonic);
    return set;
}

fn setOf(width: Width) *const Set {
    if (!is_chosen) return &baseline;
    return switch (width) {
        .baseline => &baseline,
        .v3 => &Wide(.v3).set,
        .v4 => &Wide(.v4).set,
    };
}

const baseline: Set = .{
    .locate_leaf = &locateLeaf,
    .locate_branch = &locateBranch,
    .checksum = &checksumOf,
};

/// The set of an object.
fn Wide(comptime width: Width) type {
    const prefix = symbol_prefix ++ @tagName(width) ++ "_";
    return struct {
        const set: Set = .{
            .locate_leaf = external(Locate, prefix ++ "locate_leaf"),
            .locate_branch = external(Locate, prefix ++ "locate_branch"),
            .checksum = external(Checksum, prefix ++ "checksum"),
        };
    };
}

fn external(comptime Function: type, comptime name: []const u8) *const Function {
    return @extern(*const Function, .{ .name = name, .visibility = .hidden });
}

/// The widest set that this processor runs well.
pub fn best() Width {
    if (!is_chosen) return .baseline;
    return widthOf(.read());
}

/// What the processor says of itself, and which registers the system saves.
const Processor = struct {
    /// Leaf 1, register c.
    basic: u32 = 0,
    /// Leaf 7, registers b and c.
    extended: [2]u32 = @splat(0),
    /// Leaf 0x8000_0001, register c.
    amd: u32 = 0,
    saved: u32 = 0,

    fn read() Processor {
        const leaf_max = cpuid(0, 0)[0];
        const amd_leaf_max = cpuid(0x8000_0000, 0)[0];
        var result: Processor = .{ .basic = cpuid(1, 0)[2] };
        if (leaf_max >= 7) result.extended = cpuid(7, 0)[1..3].*;
        if (amd_leaf_max >= 0x8000_0001) result.amd = cpuid(0x8000_0001, 0)[2];
        if (result.basic & basic_osxsave != 0) result.saved = savedRegisters();
        return result;
    }
};

const basic_osxsave: u32 = 1 << 27;
/// FMA, MOVBE, OSXSAVE, AVX, F16C.
const basic_v3: u32 = 1 << 12 | 1 << 22 | basic_osxsave | 1 << 28 | 1 << 29;
/// BMI1, AVX2, BMI2.
const extended_v3: u32 = 1 << 3 | 1 << 5 | 1 << 8;
/// LZCNT.
const amd_v3: u32 = 1 << 5;
/// AVX512F, DQ, CD, BW, VL.
const extended_v4: u32 = 1 << 16 | 1 << 17 | 1 << 28 | 1 << 30 | 1 << 31;
/// VBMI2 came when wide vectors had ceased to slow the clock of all else.
const extended_c_v4: u32 = 1 << 6;
const saved_v3: u32 = 0x06;
const saved_v4: u32 = 0xe6;

fn widthOf(processor: Processor) Width {
    if (!hasAll(processor.basic, basic_v3) or !hasAll(processor.amd, amd_v3)) return .baseline;
    if (!hasAll(processor.extended[0], extended_v3)) return .baseline;
    if (!hasAll(processor.saved, saved_v3)) return .baseline;
    if (!hasAll(processor.extended[0], extended_v4)) return .v3;
    if (!hasAll(processor.extended[1], extended_c_v4)) return .v3;
    return if (hasAll(processor.saved, saved_v4)) .v4 else .v3;
}

fn hasAll(word: u32, bits: u32) bool {
    return word & bits == bits;
}

/// Registers a, b, c, d.
fn cpuid(leaf: u32, subleaf: u32) [4]u32 {
    var a: u32 = undefined;
    var b: u32 = undefined;
    var c: u32 = undefined;
    var d: u32 = undefined;
    asm volatile ("cpuid"
        : [a] "={eax}" (a),
          [b] "={ebx}" (b),
          [c] "={ecx}" (c),
          [d] "={edx}" (d),
        : [leaf] "{eax}" (leaf),
          [subleaf] "{ecx}" (subleaf),
    );
    return .{ a, b, c, d };
}

fn savedRegisters() u32 {
    return asm volatile (
        \\ xor %%ecx, %%ecx
        \\ xgetbv
        : [out] "={eax}" (-> u32),
        :
        : .{ .ecx = true, .edx = true });
}

const testing = std.testing;

test "widthOf: no wider than the processor and the system both allow" {
    const v3: Processor = .{
        .basic = basic_v3,
        .extended = .{ extended_v3, 0 },
        .amd = amd_v3,
        .saved = saved_v3,
    };
    try testing.expectEqual(Width.baseline, widthOf(.{}));
    try testing.expectEqual(Width.v3, widthOf(v3));
    var v4 = v3;
    v4.extended = .{ extended_v3 | extended_v4, extended_c_v4 };
    try testing.expectEqual(Width.v3, widthOf(v4));
    v4.saved = saved_v4;
    try testing.expectEqual(Width.v4, widthOf(v4));
    var early = v4;
    early.extended[1] = 0;
    try testing.expectEqual(Width.v3, widthOf(early));
    var unsaved = v4;
    unsaved.saved = 0;
    try testing.expectEqual(Width.baseline, widthOf(unsaved));
    var old = v4;
    old.amd = 0;
    try testing.expectEqual(Width.baseline, widthOf(old));
}

test "every set that this processor runs gives the same answers" {
    var prng = std.Random.DefaultPrng.init(6);
    const random = prng.random();
    var page: [4096]u8 align(8) = undefined;
    for (0..4000) |_| {
        random.bytes(&page);
        const header: *heads.Header = @ptrCast(&page);
        header.count = random.intRangeAtMost(u16, 2, if (random.boolean()) 40 else 400);
        header.prefix_size = random.uintAtMost(u16, 12);
        const offset = @sizeOf(heads.Header) + std.mem.alignForward(u32, header.prefix_size, 4);
        const all = std.mem.bytesAsSlice(u32, page[offset..][0 .. 4 * @as(usize, header.count)]);
        const spread = random.int(u32);
        for (all) |*head| head.* &= spread;
        std.mem.sort(u32, @alignCast(all), {}, std.sort.asc(u32));
        var key: [20]u8 = undefined;
        @memcpy(&key, page[@sizeOf(heads.Header)..][0..key.len]);
        const some = all[random.uintLessThan(usize, all.len)] +% random.uintLessThan(u32, 3) -% 1;
        std.mem.writeInt(u32, key[header.prefix_size..][0..4], some, .big);
        const size = random.uintAtMost(usize, key.len);
        var width: u8 = 0;
        while (width <= @intFromEnum(best())) : (width += 1) {
            const set = setOf(@enumFromInt(width));
            const expected: u32 = @bitCast(heads.locate(&page, 0, key[0..size]));
            try testing.expectEqual(expected, set.locate_leaf(&page, &key, size));
            const behind: u32 = @bitCast(heads.locate(&page, 1, key[0..size]));
            try testing.expectEqual(behind, set.locate_branch(&page, &key, size));
            const part = page[0..random.uintAtMost(usize, page.len)];
            const sum = std.hash.XxHash3.hash(spread, part);
            try testing.expectEqual(sum, set.checksum(spread, part.ptr, part.len));
        }
    }
}

test "use: what is called afterwards is the set that was named" {
    defer _ = use(best());
    var page: [512]u8 align(8) = @splat(0);
    const header: *heads.Header = @ptrCast(&page);
    header.count = 2;
    @memset(page[@sizeOf(heads.Header)..][0..8], 7);
    var width: u8 = 0;
    while (width <= @intFromEnum(best())) : (width += 1) {
        const set = use(@enumFromInt(width));
        try testing.expectEqual(set, setOf(@enumFromInt(width)));
        if (is_chosen) try testing.expectEqual(set, current);
        const expected: heads.Located = .{ .index = 0, .is_tied = true };
        try testing.expectEqual(expected, locate(&page, .leaf, "\x07\x07\x07\x07"));
        try testing.expectEqual(std.hash.XxHash3.hash(3, &page), checksum(3, &page));
    }
}
