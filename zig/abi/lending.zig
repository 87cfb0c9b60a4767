//! Memory lent to callers for values that they keep as long as they like: pieces of a few large
//! mappings, which go from one value to the next without going back to the system, so that nobody
//! waits for fresh pages and their zeros. What was in a piece before is still there.
//! Any thread may borrow, and any may give back: a runtime's collector does so where it runs.
//!
//! Invariant: a piece is free or lent, never both; a mapping, or its pages, go back to the system
//! only when all of it is free.

const std = @import("std");
const Mutex = @import("../store/Mutex.zig");
const registry = @import("registry.zig");

/// Bytes of the smallest piece; every piece is a multiple of it.
pub const unit_size = 64 << 10;
/// Bytes of the largest piece.
pub const size_max = unit_size * unit_count;
/// Units of one mapping, which is as large as the large pages of most processors.
const unit_count = 32;
/// Most mappings; who wants more memory than they have gets none.
const mapping_count_max = 256;
/// Mappings that are kept though all of them is free: a collector gives back many at once, and as
/// many are wanted again until it runs next.
const idle_count_max = 64;
/// Of more than so many of those the system may take the pages when it lacks memory.
const idle_count_held = 16;

const Mapping = struct {
    memory: []align(size_max) u8,
    /// One bit for each free unit.
    free: u32,
    /// Units of the piece that begins at a unit.
    units: [unit_count]u8 = undefined,
};

var mutex: Mutex = .{};
var mappings: [mapping_count_max]Mapping = undefined;
var mapping_count: usize = 0;
var idle_count: usize = 0;

const all_free: u32 = std.math.maxInt(u32);

/// A piece of at least `size` bytes; null if none is to be had.
pub fn borrow(size: usize) ?[*]u8 {
    if (size == 0 or size > size_max) return null;
    const units = std.math.divCeil(usize, size, unit_size) catch unreachable;
    mutex.lock(registry.os);
    defer mutex.unlock(registry.os);
    for (mappings[0..mapping_count]) |*mapping| {
        if (take(mapping, units)) |piece| return piece;
    }
    return take(addMapping() orelse return null, units);
}

/// A run of free units of a mapping, the lowest.
fn take(mapping: *Mapping, units: usize) ?[*]u8 {
    var begins = mapping.free;
    for (1..units) |_| begins &= begins >> 1;
    // Bits behind the end are shifted in as zeros, so that no run reaches over it.
    if (begins == 0) return null;
    if (mapping.free == all_free) idle_count -= 1;
    const unit: usize = @ctz(begins);
    mapping.free &= ~maskOf(unit, units);
    mapping.units[unit] = @intCast(units);
    return mapping.memory.ptr + unit * unit_size;
}

fn maskOf(unit: usize, units: usize) u32 {
    const ones = (@as(u64, 1) << @intCast(units)) - 1;
    return @intCast(ones << @intCast(unit));
}

fn addMapping() ?*Mapping {
    if (mapping_count == mapping_count_max) return null;
    const alignment: std.mem.Alignment = comptime .fromByteUnits(size_max);
    const memory = std.heap.page_allocator.alignedAlloc(u8, alignment, size_max) catch return null;
    registry.os.advise(memory, .huge);
    mappings[mapping_count] = .{ .memory = memory, .free = all_free };
    mapping_count += 1;
    idle_count += 1;
    return &mappings[mapping_count - 1];
}

/// Takes a piece back; as collectors call it, with an argument that they were told to hand over.
pub fn giveBack(piece: ?*anyopaque, _: ?*anyopaque) callconv(.c) void {
    mutex.lock(registry.os);
    defer mutex.unlock(registry.os);
    const address = @intFromPtr(piece orelse return);
    for (mappings[0..mapping_count], 0..) |*mapping, index| {
        const offset = address -% @intFromPtr(mapping.memory.ptr);
        if (offset >= size_max) continue;
        const unit = offset / unit_size;
        mapping.free |= maskOf(unit, mapping.units[unit]);
        if (mapping.free == all_free) settle(index);
        return;
    }
}

/// Keeps a mapping that became free, or gives it back to the system if enough are.
fn settle(index: usize) void {
    if (idle_count < idle_count_max) {
        idle_count += 1;
        if (idle_count > idle_count_held) registry.os.advise(mappings[index].memory, .unneeded);
        return;
    }
    std.heap.page_allocator.free(mappings[index].memory);
    mapping_count -= 1;
    mappings[index] = mappings[mapping_count];
}

test "pieces do not overlap, and are lent again" {
    var pieces: [3 * unit_count]?[*]u8 = undefined;
    for (&pieces, 0..) |*piece, index| {
        const size = (index % 5 + 1) * unit_size - index;
        piece.* = borrow(size).?;
        @memset(piece.*.?[0..size], @intCast(index));
    }
    for (pieces, 0..) |piece, index| {
        const size = (index % 5 + 1) * unit_size - index;
        for (piece.?[0..size]) |byte| try std.testing.expectEqual(index, byte);
    }
    const count = mapping_count;
    for (0..pieces.len / 2) |index| giveBack(pieces[index * 2].?, null);
    for (0..pieces.len / 2) |index| pieces[index * 2] = borrow(unit_size).?;
    try std.testing.expectEqual(count, mapping_count);
    for (pieces) |piece| giveBack(piece, null);
    try std.testing.expectEqual(mapping_count, idle_count);
}

test "a mapping is lent whole, and many of them go back" {
    try std.testing.expectEqual(null, borrow(0));
    try std.testing.expectEqual(null, borrow(size_max + 1));
    var pieces: [mapping_count_max]?[*]u8 = undefined;
    for (&pieces) |*piece| piece.* = borrow(size_max).?;
    try std.testing.expectEqual(null, borrow(1));
    for (pieces) |piece| giveBack(piece, null);
    try std.testing.expectEqual(idle_count_max, mapping_count);
    try std.testing.expectEqual(idle_count_max, idle_count);
}
