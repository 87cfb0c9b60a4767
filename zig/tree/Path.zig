//! The pages from the root of a tree to one place in it, and the slot taken in each: what a write
//! needs to know before it changes anything. Lives on the stack for one operation.
//!
//! Invariant: `steps[0]` is the root; the page of step i + 1 is the child at `index` of step i. In
//! the last step `index` is an entry, or the place between two. After `touch` the pages up to that
//! level are writable and name each other by their dirty refs.
//!
//! ```text
//! advance from 12 to 25:   [ .  20  40 ]   25 is not below 20, but below 40:
//!                          /    |    \     from this page down again
//!                   [10 12]  [20 30]  ..
//! ```

const std = @import("std");
const assert = std.debug.assert;
const config = @import("../config.zig");
const page = @import("../format/page.zig");
const branch = @import("../format/branch.zig");
const Pages = @import("../store/Pages.zig");
const DirtyPages = @import("../store/DirtyPages.zig");
const keys = @import("keys.zig");
const search = @import("search.zig");

const Path = @This();

pub const Step = struct { ref: page.Ref, bytes: []align(8) const u8, index: u32 };

steps: [config.depth_max]Step,
depth: u8,
/// Whether the last step's entry has the key that was looked for.
found: bool,

/// The way to `key`.
pub fn descend(self: *Path, pages: Pages, tree: page.Tree, key: []const u8) keys.Error!void {
    try self.start(tree);
    try self.descendFrom(pages, tree, 0, tree.ref, key);
}

/// The way to `key` from the page `ref` of `level` on; the steps above it stay.
fn descendFrom(
    self: *Path,
    pages: Pages,
    tree: page.Tree,
    level: usize,
    ref: page.Ref,
    key: []const u8,
) keys.Error!void {
    var next = ref;
    for (self.steps[level .. tree.depth - 1], level..) |*step, at| {
        const bytes = try search.child(pages, next, tree.depth - @as(u8, @intCast(at)));
        step.* = .{ .ref = next, .bytes = bytes, .index = try keys.findChild(pages, bytes, key) };
        next = branch.child(bytes, step.index).ref;
        pages.fetch(next);
    }
    const bytes = try search.child(pages, next, 1);
    self.steps[tree.depth - 1] = .{ .ref = next, .bytes = bytes, .index = 0 };
    try self.findInLeaf(pages, key);
    try self.checkCount(tree);
}

fn findInLeaf(self: *Path, pages: Pages, key: []const u8) keys.Error!void {
    const step = &self.steps[self.depth - 1];
    const place = try keys.find(pages, step.bytes, .leaf, key);
    step.index = place.index;
    self.found = place.found;
}

/// Goes on to `key`, which is not below the one that the path leads to. Since it was made, pages
/// were changed through it only, and none came or went. Returns whether it led to that leaf before.
pub fn advance(self: *Path, pages: Pages, tree: page.Tree, key: []const u8) keys.Error!bool {
    assert(self.depth == tree.depth);
    const leaf_level = self.depth - 1;
    // The lowest page to which the key belongs: those below have no separator behind their child
    // that is above the key.
    var level: usize = leaf_level;
    var above = level;
    while (above > 0) {
        above -= 1;
        const step = &self.steps[above];
        if (step.index + 1 == page.count(step.bytes)) continue;
        if (try keys.order(pages, step.bytes, step.index + 1, key) == .gt) break;
        level = above;
    }
    if (level == leaf_level) {
        try self.findInLeaf(pages, key);
        return true;
    }
    try self.descendFrom(pages, tree, level, self.steps[level].ref, key);
    return false;
}

/// The way to the first entry.
pub fn descendFirst(self: *Path, pages: Pages, tree: page.Tree) keys.Error!void {
    try self.start(tree);
    var ref = tree.ref;
    for (self.steps[0..tree.depth], 0..) |*step, level| {
        const bytes = try search.child(pages, ref, tree.depth - @as(u8, @intCast(level)));
        step.* = .{ .ref = ref, .bytes = bytes, .index = 0 };
        if (level + 1 < tree.depth) ref = branch.child(bytes, 0).ref;
    }
    try self.checkCount(tree);
}

/// The way to the place behind the last entry.
pub fn descendLast(self: *Path, pages: Pages, tree: page.Tree) keys.Error!void {
    try self.start(tree);
    var ref = tree.ref;
    for (self.steps[0..tree.depth], 0..) |*step, level| {
        const bytes = try search.child(pages, ref, tree.depth - @as(u8, @intCast(level)));
        step.* = .{ .ref = ref, .bytes = bytes, .index = page.count(bytes) };
        if (level + 1 == tree.depth) break;
        step.index -= 1;
        ref = branch.child(bytes, step.index).ref;
    }
    try self.checkCount(tree);
}

/// Nothing is changed on the word of a wrong count.
fn checkCount(self: *const Path, tree: page.Tree) keys.Error!void {
    const count = page.count(self.leaf().bytes);
    const expected = if (self.depth == 1) tree.entries else blk: {
        const parent = &self.steps[self.depth - 2];
        break :blk branch.child(parent.bytes, parent.index).entries;
    };
    if (count != expected) return error.Corrupt;
}

fn start(self: *Path, tree: page.Tree) keys.Error!void {
    assert(tree.depth > 0);
    if (tree.depth > config.depth_max) return error.Corrupt;
    self.depth = tree.depth;
    self.found = false;
}

/// The last step.
pub fn leaf(self: *const Path) *const Step {
    return &self.steps[self.depth - 1];
}

/// Makes the pages from the root to `level` writable, and tells each parent. The bytes of those
/// steps are then of frames of this transaction.
pub fn touch(
    self: *Path,
    dirty: *DirtyPages,
    tree: *page.Tree,
    level: usize,
) DirtyPages.WriteError!void {
    assert(level < self.depth);
    for (self.steps[0 .. level + 1], 0..) |*step, index| {
        self.set(tree, index, try dirty.touch(step.ref));
    }
}

/// Makes all pages writable outside of a transaction, as `DirtyPages.change` does.
pub fn change(
    self: *Path,
    dirty: *DirtyPages,
    tree: *page.Tree,
    txnid: u64,
    newest_pin: u64,
) void {
    for (self.steps[0..self.depth], 0..) |*step, index| {
        self.set(tree, index, dirty.change(step.ref, step.bytes, txnid, newest_pin));
    }
}

/// The page of step `index` is `touched` now; the one above it, which is writable, is told.
fn set(self: *Path, tree: *page.Tree, index: usize, touched: DirtyPages.Touched) void {
    const step = &self.steps[index];
    assert(touched.ref.dirty);
    const is_same = step.ref.dirty and step.ref.pgno == touched.ref.pgno;
    step.bytes = touched.bytes;
    if (is_same) return;
    step.ref = touched.ref;
    if (index == 0) {
        tree.ref = touched.ref;
    } else {
        branch.setRef(self.writable(index - 1), self.steps[index - 1].index, touched.ref);
    }
}

/// Whether any of the pages lies in the file.
pub fn hasClean(self: *const Path) bool {
    for (self.steps[0..self.depth]) |*step| {
        if (!step.ref.dirty) return true;
    }
    return false;
}

/// The bytes of a step that was touched.
pub fn writable(self: *const Path, level: usize) []align(8) u8 {
    assert(level < self.depth);
    assert(self.steps[level].ref.dirty);
    return @constCast(self.steps[level].bytes);
}

/// `delta` entries came in below the page of `level`: counts of the touched pages above it.
pub fn addEntries(self: *Path, level: usize, delta: i64, has_runs: bool) keys.Error!void {
    for (self.steps[0..level], 0..) |*step, index| {
        try branch.addEntries(self.writable(index), step.index, delta, has_runs);
    }
}

/// Whether the page of `level` is the last of its level.
pub fn isLast(self: *const Path, level: usize) bool {
    for (self.steps[0..level]) |step| {
        if (step.index + 1 < page.count(step.bytes)) return false;
    }
    return true;
}
