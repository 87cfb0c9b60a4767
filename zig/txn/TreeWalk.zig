//! Walks one tree from its root to its last leaf and proves all that the format promises about it:
//! checksums, the shape of each page, its kind at that depth, the order of keys inside and across
//! pages, keys within the separators above them, entry counts, flags for runs, txnids. What is
//! wrong becomes a finding of the audit, and the walk goes on beside it.
//!
//! ```text
//! steps[0]  [ .   30   60 ]     a page is visited on the way down, its count compared on the way
//! steps[1]       [40 | 50]      up; its keys must lie between the separators of the nearest steps
//! ```
//!
//! Invariants: the audit takes each page once, so the walk ends; it holds one page a level, copied
//! out of the file; no recursion. Runs of values are the caller's to read, those of keys are read
//! here.

const std = @import("std");
const assert = std.debug.assert;
const Allocator = std.mem.Allocator;
const config = @import("../config.zig");
const bytes_format = @import("../format/bytes.zig");
const page = @import("../format/page.zig");
const leaf = @import("../format/leaf.zig");
const branch = @import("../format/branch.zig");
const entries = @import("../format/entries.zig");
const Audit = @import("Audit.zig");

const TreeWalk = @This();

pub const Error = Audit.Error;

/// A page that was found to be good; `bytes` are valid until the next call.
pub const Visit = struct { pgno: u32, bytes: []align(8) const u8, is_leaf: bool };

const Step = struct {
    pgno: u32,
    bytes: []align(8) const u8,
    /// The slot that is visited next.
    next: u32 = 0,
    /// What the page above says of this one.
    said: branch.Child,
    /// What was found below so far.
    count: u64 = 0,
    has_runs: bool = false,
    /// False: something below could not be entered, so that counts say nothing.
    is_whole: bool = true,
};

/// Where a key stands, for a second look.
const Place = struct { bytes: []align(8) const u8, index: u32 };

audit: *Audit,
tree: page.Tree,
/// One page a level, made when a tree first reaches it.
frames: [config.depth_max]?[]align(64) u8 = @splat(null),
steps: [config.depth_max]Step = undefined,
depth: u8 = 0,
has_begun: bool = false,
/// Room for the tails of two keys that are compared, and one that is read.
tails: []u8,

pub fn init(audit: *Audit) Error!TreeWalk {
    return .{
        .audit = audit,
        .tree = .empty,
        .tails = try audit.allocator.alloc(u8, 3 * tailSizeMax(audit.page_size)),
    };
}

pub fn deinit(self: *TreeWalk) void {
    for (self.frames) |held| if (held) |bytes| self.audit.allocator.free(bytes);
    self.audit.allocator.free(self.tails);
    self.* = undefined;
}

fn tailSizeMax(page_size: u32) u32 {
    return config.keySizeMax(page_size) - config.localSizeMax(page_size);
}

/// Begins with another tree.
pub fn begin(self: *TreeWalk, tree: page.Tree) void {
    assert(!tree.ref.dirty);
    self.tree = tree;
    self.depth = 0;
    self.has_begun = false;
}

/// The next page, parents before children, in the order of keys. Null: that was the last.
pub fn next(self: *TreeWalk) Error!?Visit {
    if (!self.has_begun) {
        self.has_begun = true;
        if (self.tree.depth == 0) return null;
        if (try self.enter(.{
            .ref = self.tree.ref,
            .entries = self.tree.entries,
            .has_runs = self.tree.has_runs,
        })) |visit| return visit;
        return null;
    }
    // Each round takes a slot of a page on the path, or leaves a page.
    while (self.depth > 0) {
        const step = &self.steps[self.depth - 1];
        if (self.isLeaf() or step.next == page.count(step.bytes)) {
            try self.leave();
            continue;
        }
        step.next += 1;
        if (try self.enter(branch.child(step.bytes, step.next - 1))) |visit| return visit;
        step.is_whole = false;
    }
    return null;
}

fn isLeaf(self: *const TreeWalk) bool {
    return self.depth == self.tree.depth;
}

/// Down to the child that the last step names. Null, with a finding: it is not fit to be looked at.
fn enter(self: *TreeWalk, said: branch.Child) Error!?Visit {
    assert(self.depth < self.tree.depth);
    const pgno = said.ref.pgno;
    if (!try self.audit.take(pgno, 1)) return null;
    const bytes = try self.frame(self.depth);
    if (!try self.audit.readPage(pgno, said.ref.checksum, bytes)) return null;
    if (!try self.checkShape(pgno, bytes)) {
        self.audit.is_partial = true;
        return null;
    }
    try self.audit.copyPage(pgno, bytes);
    self.steps[self.depth] = .{ .pgno = pgno, .bytes = bytes, .said = said };
    self.depth += 1;
    try self.checkKeys();
    if (self.isLeaf()) {
        const step = &self.steps[self.depth - 1];
        step.count = page.count(bytes);
        step.has_runs = leaf.anyRuns(bytes);
    }
    return .{ .pgno = pgno, .bytes = bytes, .is_leaf = self.isLeaf() };
}

fn frame(self: *TreeWalk, level: usize) Error![]align(64) u8 {
    if (self.frames[level]) |bytes| return bytes;
    const bytes = try self.audit.allocator.alignedAlloc(u8, .@"64", self.audit.page_size);
    self.frames[level] = bytes;
    return bytes;
}

/// Whether the page can be looked into, being one of its level.
fn checkShape(self: *TreeWalk, pgno: u32, bytes: []align(8) const u8) Error!bool {
    page.validate(bytes, pgno) catch {
        try self.audit.report(pgno, "is not a well-formed page of a tree", .{});
        return false;
    };
    const wants_leaf = self.depth + 1 == self.tree.depth;
    if ((page.kind(bytes) == .leaf) != wants_leaf) {
        try self.audit.report(pgno, "is a {t}, {d} levels above the ground", .{
            page.kind(bytes), self.tree.depth - self.depth - 1,
        });
        return false;
    }
    const limit = if (self.depth == 0)
        self.audit.txnid
    else
        page.txnid(self.steps[self.depth - 1].bytes);
    if (page.txnid(bytes) > limit) {
        try self.audit.report(pgno, "was written by commit {d}, after its parent of commit {d}", .{
            page.txnid(bytes), limit,
        });
    }
    return true;
}

/// Up again: the page is compared with what its parent says of it.
fn leave(self: *TreeWalk) Error!void {
    self.depth -= 1;
    const step = &self.steps[self.depth];
    if (step.is_whole and step.count != step.said.entries) {
        try self.audit.report(step.pgno, "has {d} entries below, its parent counts {d}", .{
            step.count, step.said.entries,
        });
    }
    if (step.has_runs and !step.said.has_runs) {
        try self.audit.report(step.pgno, "has overflow runs below, its parent says none", .{});
    }
    if (self.depth == 0) return;
    const parent = &self.steps[self.depth - 1];
    parent.count +|= step.count;
    parent.has_runs = parent.has_runs or step.has_runs;
    parent.is_whole = parent.is_whole and step.is_whole;
}

/// The keys of the last step's page: tails whole, order, and the separators above it.
fn checkKeys(self: *TreeWalk) Error!void {
    const step = &self.steps[self.depth - 1];
    const bytes = step.bytes;
    const count = page.count(bytes);
    const first: u32 = if (self.isLeaf()) 0 else 1;
    for (first..count) |number| {
        const index: u32 = @intCast(number);
        if (page.hasTail(bytes, index)) {
            if (!self.isLeaf()) step.has_runs = true;
            try self.checkTail(step.pgno, bytes, index);
        }
        if (index == first) continue;
        // Pages were found to be in order but for equal local keys, which differ in their tails.
        const is_tie = std.mem.eql(u8, page.local(bytes, index - 1), page.local(bytes, index));
        if (!is_tie) continue;
        const left: Place = .{ .bytes = bytes, .index = index - 1 };
        if (try self.order(left, .{ .bytes = bytes, .index = index }) != .lt) {
            try self.audit.report(step.pgno, "has keys {d} and {d} out of order", .{
                index - 1, index,
            });
        }
    }
    try self.checkFences(first, count);
}

fn checkTail(self: *TreeWalk, pgno: u32, bytes: []align(8) const u8, index: u32) Error!void {
    const tail = page.tail(bytes, index).?;
    const run = tail.run.ref();
    if (run.txnid > page.txnid(bytes)) {
        try self.audit.report(pgno, "refers to a run of commit {d}, newer than itself", .{
            run.txnid,
        });
    }
    const room = self.tails[2 * tailSizeMax(self.audit.page_size) ..];
    _ = try self.audit.readRun(run, tail.size, room);
}

/// A page of a branch's slot n holds keys from separator n on, below separator n + 1.
fn checkFences(self: *TreeWalk, first: u32, count: u32) Error!void {
    const step = &self.steps[self.depth - 1];
    if (first == count) return;
    if (self.fence(false)) |lower| {
        const place: Place = .{ .bytes = step.bytes, .index = first };
        const found = try self.order(lower, place);
        // A separator of a branch stands above the keys of the child before it, and it has one.
        if (found == .gt or (found == .eq and !self.isLeaf())) {
            try self.audit.report(step.pgno, "has a key below the separator of its page", .{});
        }
    }
    if (self.fence(true)) |upper| {
        const place: Place = .{ .bytes = step.bytes, .index = count - 1 };
        if (try self.order(place, upper) != .lt) {
            try self.audit.report(step.pgno, "has a key that belongs to the page behind it", .{});
        }
    }
}

/// The nearest separator above the last step, on its left or right side.
fn fence(self: *const TreeWalk, is_right: bool) ?Place {
    var level = self.depth - 1;
    while (level > 0) {
        level -= 1;
        const step = &self.steps[level];
        // `next` stands behind the slot that was taken.
        if (is_right and step.next < page.count(step.bytes)) {
            return .{ .bytes = step.bytes, .index = step.next };
        }
        if (!is_right and step.next > 1) {
            return .{ .bytes = step.bytes, .index = step.next - 1 };
        }
    }
    return null;
}

/// The order of two keys. Tails that cannot be read compare as equal, having their own finding.
fn order(self: *TreeWalk, a: Place, b: Place) Error!std.math.Order {
    const x = entries.itemOf(a.bytes, a.index).key;
    const y = entries.itemOf(b.bytes, b.index).key;
    const by_local = entries.Key.order(x, y);
    if (by_local != .eq) return by_local;
    const size = tailSizeMax(self.audit.page_size);
    const x_tail = try self.tailOf(a, self.tails[0..size]) orelse return .lt;
    const y_tail = try self.tailOf(b, self.tails[size..][0..size]) orelse return .lt;
    return bytes_format.order(x_tail, y_tail);
}

fn tailOf(self: *TreeWalk, place: Place, buffer: []u8) Error!?[]const u8 {
    const tail = page.tail(place.bytes, place.index) orelse return "";
    return self.audit.readRunAgain(tail.run.ref(), tail.size, buffer);
}

/// Key `index` of the page last visited, put together in `buffer`, which holds the longest key of
/// the store. Null: a part of it is damaged, which was found before.
pub fn keyOf(self: *TreeWalk, index: u32, buffer: []u8) Error!?[]const u8 {
    const bytes = self.steps[self.depth - 1].bytes;
    const key = entries.itemOf(bytes, index).key;
    assert(buffer.len >= config.keySizeMax(self.audit.page_size));
    const local = buffer[0..key.size()];
    key.copyTo(local, 0);
    const tail = try self.tailOf(.{ .bytes = bytes, .index = index }, buffer[local.len..]) orelse
        return null;
    return buffer[0 .. local.len + tail.len];
}
