//! Every state that was published in a store, in order, and which of them it may be in now. It is
//! the whole contract of durability: the processes of a test write it, whoever opens the store
//! after a crash is compared with it.
//!
//! Between two commits the last state is the published one. During a commit `candidate` is the
//! state it may publish: then both are allowed, since no caller has been told yet.

const std = @import("std");
const Allocator = std.mem.Allocator;
const Model = @import("Model.zig");

const History = @This();

arena: Allocator,
/// The published state.
model: Model,
/// Digests of the published states, the first being the empty store.
published: std.ArrayList(Model.Digest) = .empty,
/// Place in `published` of the newest one known to be durable.
flushed: usize = 0,
/// The state that a commit under way may publish.
candidate: ?Model = null,
/// States of commits that failed since the last one that was published. Their records may lie in
/// the log, and the next open may find them whole.
failed: std.ArrayList(Model.Digest) = .empty,
/// The highest txnid that was published.
txnid: u64 = 0,

pub fn init(arena: Allocator) !History {
    var self: History = .{ .arena = arena, .model = .init(arena) };
    try self.published.append(arena, 0);
    return self;
}

/// Whether a power cut at this moment may leave the state: not older than what is known to be
/// durable, and whole.
pub fn isAllowedAfterPowerCut(self: *const History, digest: Model.Digest) bool {
    if (self.isUncertain(digest)) return true;
    const allowed = self.published.items[self.flushed..];
    return std.mem.indexOfScalar(Model.Digest, allowed, digest) != null;
}

fn isUncertain(self: *const History, digest: Model.Digest) bool {
    if (self.candidate) |candidate| if (candidate.digest == digest) return true;
    return std.mem.indexOfScalar(Model.Digest, self.failed.items, digest) != null;
}

/// Whether an open without a power cut may find the state: the published one, or that of a
/// commit that is under way or failed.
pub fn isAllowedAfterReopen(self: *const History, digest: Model.Digest) bool {
    return self.model.digest == digest or self.isUncertain(digest);
}

/// Whether the state is the published one, or that of a commit under way.
pub fn isPublished(self: *const History, digest: Model.Digest) bool {
    if (self.candidate) |candidate| if (candidate.digest == digest) return true;
    return self.model.digest == digest;
}

/// Place of the newest state; a flush that begins now makes it durable.
pub fn newest(self: *const History) usize {
    return self.published.items.len - 1;
}

/// All states up to that place are durable.
pub fn setFlushed(self: *History, place: usize) void {
    self.flushed = @max(self.flushed, place);
}

/// The commit under way is published. A txnid is never given to two states.
pub fn publish(self: *History, next: Model, txnid: u64) !void {
    if (txnid <= self.txnid) return error.ModelDiffers;
    self.model = next;
    self.txnid = txnid;
    self.candidate = null;
    self.failed.clearRetainingCapacity();
    try self.published.append(self.arena, next.digest);
}

/// The commit under way has failed, or was found not to be published.
pub fn fail(self: *History) !void {
    const candidate = self.candidate orelse return;
    try self.failed.append(self.arena, candidate.digest);
    self.candidate = null;
}

/// The process of the commit under way is dead, and the store was found in that state.
pub fn settle(self: *History, digest: Model.Digest, txnid: u64) !void {
    if (self.model.digest == digest) return self.fail();
    const next = self.candidate orelse return error.ModelDiffers;
    if (next.digest != digest) return error.ModelDiffers;
    try self.publish(next, txnid);
}
