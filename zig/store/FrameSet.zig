//! Page-sized pieces of private memory, numbered: where a write transaction keeps its dirty pages.
//! A set outlives its transaction while a range still reads it (`retain`/`release`). It never
//! touches a file. One thread at a time.
//!
//! Invariant: the bytes of a frame stay at one address from `take` to `give`.

const std = @import("std");
const assert = std.debug.assert;
const Allocator = std.mem.Allocator;

const FrameSet = @This();

/// Epoch of a frame that is not in use.
const free_epoch = std.math.maxInt(u32);
/// Frames of one piece of memory.
const chunk_frame_count = 32;

pub const Frame = struct {
    bytes: [*]align(64) u8,
    /// Savepoint or freeze count at which the frame was made: newer ones must not change it.
    epoch: u32,
};

allocator: Allocator,
page_size: u32,
frames: std.ArrayList(Frame) = .empty,
free: std.ArrayList(u32) = .empty,
chunks: std.ArrayList([]align(64) u8) = .empty,
reference_count: u32 = 1,

pub fn create(allocator: Allocator, page_size: u32) error{OutOfMemory}!*FrameSet {
    const self = try allocator.create(FrameSet);
    self.* = .{ .allocator = allocator, .page_size = page_size };
    return self;
}

pub fn retain(self: *FrameSet) *FrameSet {
    self.reference_count += 1;
    return self;
}

/// Frees the memory with the last reference.
pub fn release(self: *FrameSet) void {
    assert(self.reference_count > 0);
    self.reference_count -= 1;
    if (self.reference_count > 0) return;
    for (self.chunks.items) |chunk| self.allocator.free(chunk);
    self.chunks.deinit(self.allocator);
    self.frames.deinit(self.allocator);
    self.free.deinit(self.allocator);
    self.allocator.destroy(self);
}

pub fn bytes(self: *const FrameSet, index: u32) []align(8) u8 {
    return self.frames.items[index].bytes[0..self.page_size];
}

pub fn epoch(self: *const FrameSet, index: u32) u32 {
    return self.frames.items[index].epoch;
}

/// A frame with undefined contents.
pub fn take(self: *FrameSet, at_epoch: u32) error{OutOfMemory}!u32 {
    if (self.free.items.len == 0) try self.grow();
    const index = self.free.pop().?;
    self.frames.items[index].epoch = at_epoch;
    return index;
}

pub fn give(self: *FrameSet, index: u32) void {
    assert(self.frames.items[index].epoch != free_epoch);
    self.frames.items[index].epoch = free_epoch;
    // Room for every frame was reserved when it was made.
    self.free.appendAssumeCapacity(index);
}

/// Gives back every frame made at `at_epoch` or later.
pub fn giveNewer(self: *FrameSet, at_epoch: u32) void {
    for (self.frames.items, 0..) |frame, index| {
        if (frame.epoch != free_epoch and frame.epoch >= at_epoch) self.give(@intCast(index));
    }
}

/// Frames in use.
pub fn count(self: *const FrameSet) usize {
    return self.frames.items.len - self.free.items.len;
}

/// Every frame is free again. Memory beyond `keep_size` bytes is given back.
pub fn reset(self: *FrameSet, keep_size: usize) void {
    const chunk_size = @as(usize, chunk_frame_count) * self.page_size;
    const keep = @min(self.chunks.items.len, keep_size / chunk_size);
    while (self.chunks.items.len > keep) self.allocator.free(self.chunks.pop().?);
    self.frames.shrinkRetainingCapacity(keep * chunk_frame_count);
    self.free.clearRetainingCapacity();
    var index: u32 = @intCast(self.frames.items.len);
    while (index > 0) {
        index -= 1;
        self.frames.items[index].epoch = free_epoch;
        self.free.appendAssumeCapacity(index);
    }
}

fn grow(self: *FrameSet) error{OutOfMemory}!void {
    const first: u32 = @intCast(self.frames.items.len);
    try self.frames.ensureUnusedCapacity(self.allocator, chunk_frame_count);
    try self.free.ensureTotalCapacity(self.allocator, first + chunk_frame_count);
    try self.chunks.ensureUnusedCapacity(self.allocator, 1);
    const size = @as(usize, chunk_frame_count) * self.page_size;
    const chunk = try self.allocator.alignedAlloc(u8, .@"64", size);
    self.chunks.appendAssumeCapacity(chunk);
    for (0..chunk_frame_count) |i| {
        const start: [*]align(64) u8 = @alignCast(chunk.ptr + i * self.page_size);
        self.frames.appendAssumeCapacity(.{ .bytes = start, .epoch = free_epoch });
    }
    var index: u32 = first + chunk_frame_count;
    while (index > first) {
        index -= 1;
        self.free.appendAssumeCapacity(index);
    }
}

test "FrameSet keeps addresses and takes frames back" {
    const set = try FrameSet.create(std.testing.allocator, 512);
    defer set.release();
    const a = try set.take(0);
    const address = set.bytes(a).ptr;
    for (0..100) |_| _ = try set.take(1);
    try std.testing.expectEqual(address, set.bytes(a).ptr);
    try std.testing.expectEqual(@as(usize, 101), set.count());
    set.give(a);
    try std.testing.expectEqual(a, try set.take(2));
    set.reset(0);
    try std.testing.expectEqual(@as(usize, 0), set.count());
}
