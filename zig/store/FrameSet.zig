//! Page-sized pieces of private memory, numbered: where changed pages live before they have a place
//! in the file. The writer takes and gives frames; any thread may read one that a state it has
//! pinned refers to. It never touches a file.
//!
//! Invariants: the bytes of a frame stay at one address from `take` to `give`; a frame that left
//! the tree is given only when no pinned state sees it: one made by commit b and gone with commit f
//! is seen by exactly the states s with b <= s < f. One writer at a time.

const std = @import("std");
const assert = std.debug.assert;
const Allocator = std.mem.Allocator;
const bytes_format = @import("../format/bytes.zig");
const page_format = @import("../format/page.zig");
const Os = @import("../os/os.zig").Os;
const Snapshot = @import("Snapshot.zig");

const FrameSet = @This();

/// Epoch of a frame that is not in use.
const free_epoch = std.math.maxInt(u64);
/// Frames of the first two pieces of memory; each later one is as large as all before it.
const piece_frame_count = 32;
const piece_count = 28;
/// Pieces of at least this many bytes are aligned to it and mapped in pages of that size where the
/// system can: a frame of them costs no fault of its own, and the processor finds it sooner.
const huge_size = 2 << 20;

const Frame = struct {
    /// Count of savepoints and freezes at which it was made: newer ones must not change it.
    epoch: u64,
    /// The commit that made it.
    txnid: u64,
};

/// A frame that left the tree: made by commit `birth`, not seen from commit `freed` on.
const Retired = struct { index: u32, birth: u64, freed: u64 };

/// Retired frames that the pinned state `by` sees.
const Held = struct { by: u64, frames: std.ArrayList(Retired) };

allocator: Allocator,
/// Told how large pieces are used; null: nobody is.
os: ?Os,
page_size: u32,
/// What refs to frames carry in place of a checksum: bytes of a file cannot know it, so they cannot
/// name a frame.
tag: u64,
/// Memory of the frames; once a piece is there readers may use it.
pieces: [piece_count]std.atomic.Value(?[*]align(64) u8) = @splat(.init(null)),
frames: std.ArrayList(Frame) = .empty,
free: std.ArrayList(u32) = .empty,
/// Retired and not looked at yet. There is always room for every frame.
fresh: std.ArrayList(Retired) = .empty,
held: std.ArrayList(Held) = .empty,
retired_count: usize = 0,

pub fn create(
    allocator: Allocator,
    os: ?Os,
    page_size: u32,
    tag: u64,
) error{OutOfMemory}!*FrameSet {
    const self = try allocator.create(FrameSet);
    self.* = .{ .allocator = allocator, .os = os, .page_size = page_size, .tag = tag };
    return self;
}

pub fn destroy(self: *FrameSet) void {
    self.freePieces(0);
    self.frames.deinit(self.allocator);
    self.free.deinit(self.allocator);
    self.fresh.deinit(self.allocator);
    for (self.held.items) |*group| group.frames.deinit(self.allocator);
    self.held.deinit(self.allocator);
    self.allocator.destroy(self);
}

/// The piece that holds frame `index`.
fn pieceOf(index: u32) u32 {
    return 32 - @clz(index / piece_frame_count);
}

/// The first frame of piece `piece`.
fn firstOf(piece: u32) u32 {
    if (piece == 0) return 0;
    return @as(u32, piece_frame_count) << @intCast(piece - 1);
}

fn sizeOf(self: *const FrameSet, piece: u32) usize {
    return @as(usize, @max(firstOf(piece), piece_frame_count)) * self.page_size;
}

pub fn bytes(self: *const FrameSet, index: u32) []align(8) u8 {
    const piece = pieceOf(index);
    const memory = self.pieces[piece].load(.acquire).?;
    const offset = @as(usize, index - firstOf(piece)) * self.page_size;
    return @alignCast(memory[offset..][0..self.page_size]);
}

/// A ref to frame `index`, for parents.
pub fn refOf(self: *const FrameSet, index: u32) page_format.Ref {
    return .{ .pgno = index, .checksum = self.tag, .dirty = true };
}

/// The frame that `ref` names. Error `Corrupt`: it was not made by `refOf`.
pub fn page(self: *const FrameSet, ref: page_format.Ref) error{Corrupt}![]align(8) const u8 {
    if (ref.checksum != self.tag) return error.Corrupt;
    return self.bytes(ref.pgno);
}

pub fn epoch(self: *const FrameSet, index: u32) u64 {
    return self.frames.items[index].epoch;
}

pub fn txnid(self: *const FrameSet, index: u32) u64 {
    return self.frames.items[index].txnid;
}

pub fn isInUse(self: *const FrameSet, index: u32) bool {
    return self.frames.items[index].epoch != free_epoch;
}

/// A frame with undefined contents.
pub fn take(self: *FrameSet, at_epoch: u64, by: u64) error{OutOfMemory}!u32 {
    if (self.free.items.len == 0) try self.grow();
    return self.takeReserved(at_epoch, by);
}

/// The same, after `reserve`.
pub fn takeReserved(self: *FrameSet, at_epoch: u64, by: u64) u32 {
    const index = self.free.pop().?;
    self.frames.items[index] = .{ .epoch = at_epoch, .txnid = by };
    return index;
}

/// So many frames can be taken without memory being asked for.
pub fn reserve(self: *FrameSet, frame_count: u32) error{OutOfMemory}!void {
    while (self.free.items.len < frame_count) try self.grow();
}

/// Begins to load what a search of the frame reads first. There need not be such a frame.
pub inline fn fetch(self: *const FrameSet, index: u32) void {
    const piece = pieceOf(index);
    if (piece >= piece_count) return;
    const memory = self.pieces[piece].load(.acquire) orelse return;
    const offset = @as(usize, index - firstOf(piece)) * self.page_size;
    bytes_format.fetch(memory[offset..][0..Snapshot.eager_size]);
}

/// Begins to load what the writer knows of a frame.
pub inline fn fetchFrame(self: *const FrameSet, index: u32) void {
    if (index < self.frames.items.len) @prefetch(&self.frames.items[index], .{});
}

pub fn give(self: *FrameSet, index: u32) void {
    assert(self.isInUse(index));
    self.frames.items[index].epoch = free_epoch;
    // Room for every frame was reserved when it was made.
    self.free.appendAssumeCapacity(index);
}

/// Frame `index` no longer counts as made by the running transaction.
pub fn disown(self: *FrameSet, index: u32) void {
    self.frames.items[index].epoch = 0;
}

/// The tree no longer holds frame `index`: it is given as soon as none of the states from `birth`
/// up to but without `freed` is pinned.
pub fn retire(self: *FrameSet, index: u32, birth: u64, freed: u64) void {
    assert(self.isInUse(index));
    self.fresh.appendAssumeCapacity(.{ .index = index, .birth = birth, .freed = freed });
    self.retired_count += 1;
}

/// Gives what none of the states `pinned` sees any more.
pub fn collect(self: *FrameSet, pinned: []const u64) error{OutOfMemory}!void {
    var place: usize = 0;
    while (place < self.held.items.len) {
        if (std.mem.indexOfScalar(u64, pinned, self.held.items[place].by) != null) {
            place += 1;
            continue;
        }
        var group = self.held.swapRemove(place);
        self.fresh.appendSliceAssumeCapacity(group.frames.items);
        group.frames.deinit(self.allocator);
    }
    while (self.fresh.items.len > 0) {
        const retired = self.fresh.items[self.fresh.items.len - 1];
        if (seenBy(retired, pinned)) |by| try self.hold(by, retired) else {
            self.give(retired.index);
            self.retired_count -= 1;
        }
        self.fresh.items.len -= 1;
    }
}

fn seenBy(retired: Retired, pinned: []const u64) ?u64 {
    for (pinned) |state| {
        if (retired.birth <= state and state < retired.freed) return state;
    }
    return null;
}

fn hold(self: *FrameSet, by: u64, retired: Retired) error{OutOfMemory}!void {
    for (self.held.items) |*group| {
        if (group.by == by) return group.frames.append(self.allocator, retired);
    }
    try self.held.ensureUnusedCapacity(self.allocator, 1);
    var group: Held = .{ .by = by, .frames = .empty };
    try group.frames.append(self.allocator, retired);
    self.held.appendAssumeCapacity(group);
}

/// Frames in use, those retired included.
pub fn count(self: *const FrameSet) usize {
    return self.frames.items.len - self.free.items.len;
}

/// No frame is in use: gives memory beyond `keep_size` bytes back.
pub fn trim(self: *FrameSet, keep_size: usize) void {
    assert(self.count() == 0);
    if (self.frames.items.len * self.page_size <= keep_size) return;
    var piece: u32 = 0;
    while (firstOf(piece + 1) * self.page_size <= keep_size) piece += 1;
    self.freePieces(piece);
    const kept: u32 = firstOf(piece);
    self.frames.shrinkRetainingCapacity(kept);
    self.free.clearRetainingCapacity();
    self.offer(0, kept);
}

fn freePieces(self: *FrameSet, from: u32) void {
    for (self.pieces[from..], from..) |*slot, piece| {
        const memory = slot.load(.monotonic) orelse break;
        const size = self.sizeOf(@intCast(piece));
        if (size < huge_size) self.allocator.free(memory[0..size]) else {
            const aligned: [*]align(huge_size) u8 = @alignCast(memory);
            self.allocator.free(aligned[0..size]);
        }
        slot.store(null, .monotonic);
    }
}

fn allocatePiece(self: *FrameSet, size: usize) error{OutOfMemory}![*]align(64) u8 {
    if (size < huge_size) return (try self.allocator.alignedAlloc(u8, .@"64", size)).ptr;
    const memory = try self.allocator.alignedAlloc(u8, .fromByteUnits(huge_size), size);
    if (self.os) |os| os.advise(memory, .huge);
    return memory.ptr;
}

fn grow(self: *FrameSet) error{OutOfMemory}!void {
    const first: u32 = @intCast(self.frames.items.len);
    const piece = pieceOf(first);
    if (piece >= piece_count) return error.OutOfMemory;
    assert(firstOf(piece) == first);
    const added: u32 = @intCast(self.sizeOf(piece) / self.page_size);
    try self.frames.ensureTotalCapacity(self.allocator, first + added);
    try self.free.ensureTotalCapacity(self.allocator, first + added);
    try self.fresh.ensureTotalCapacity(self.allocator, first + added);
    const memory = try self.allocatePiece(self.sizeOf(piece));
    self.pieces[piece].store(memory, .release);
    self.frames.appendNTimesAssumeCapacity(.{ .epoch = free_epoch, .txnid = 0 }, added);
    self.offer(first, added);
}

/// Frames from `first` on can be taken, the lowest first.
fn offer(self: *FrameSet, first: u32, added: u32) void {
    var index: u32 = first + added;
    while (index > first) {
        index -= 1;
        self.free.appendAssumeCapacity(index);
    }
}

const testing = std.testing;

test "FrameSet keeps addresses and takes frames back" {
    const set = try FrameSet.create(testing.allocator, null, 512, 7);
    defer set.destroy();
    const a = try set.take(0, 1);
    const address = set.bytes(a).ptr;
    var taken: [1000]u32 = undefined;
    for (&taken, 0..) |*index, number| {
        index.* = try set.take(1, 1);
        @memset(set.bytes(index.*), @truncate(number));
    }
    for (taken, 0..) |index, number| {
        const expected: u8 = @truncate(number);
        try testing.expect(std.mem.allEqual(u8, set.bytes(index), expected));
    }
    try testing.expectEqual(address, set.bytes(a).ptr);
    try testing.expectEqual(@as(usize, 1001), set.count());
    set.give(a);
    try testing.expectEqual(a, try set.take(2, 1));
    set.give(a);
    for (taken) |index| set.give(index);
    set.trim(64 * 512);
    try testing.expectEqual(@as(usize, 64), set.frames.items.len);
    for (0..100) |_| _ = try set.take(3, 1);
    try testing.expectEqual(@as(usize, 100), set.count());
}

test "FrameSet holds a retired frame exactly as long as a pinned state sees it" {
    const set = try FrameSet.create(testing.allocator, null, 512, 7);
    defer set.destroy();
    const old = try set.take(0, 3);
    const young = try set.take(0, 6);
    set.retire(old, 3, 7);
    set.retire(young, 6, 8);
    try set.collect(&.{ 5, 9 });
    try testing.expect(set.isInUse(old));
    try testing.expect(!set.isInUse(young));
    try set.collect(&.{5});
    try testing.expect(set.isInUse(old));
    try set.collect(&.{ 2, 7 });
    try testing.expect(!set.isInUse(old));
    try testing.expectEqual(@as(usize, 0), set.retired_count);
}

test "a ref that the set did not make names no frame" {
    const set = try FrameSet.create(testing.allocator, null, 512, 7);
    defer set.destroy();
    const index = try set.take(0, 1);
    _ = try set.page(set.refOf(index));
    const forged: page_format.Ref = .{ .pgno = 1 << 30, .checksum = 8, .dirty = true };
    try testing.expectError(error.Corrupt, set.page(forged));
}
