//! A place in a tree that moves both ways, by keys or by counts. Reads only: it looks at the state
//! that it was made for, and ends with the first write to that tree unless its frames are frozen.
//!
//! ```text
//! steps[0]  [ .  30^ 60 ]      next, at the last entry of a leaf: up to the first level with a
//! steps[1]  [30  40  50^]      slot to the right, then down along first slots
//! ```
//!
//! Invariants: on an entry, each step's index is a slot of its page; keys ascend strictly from leaf
//! to leaf, or the file is damaged: no contents of a file can make a walk come back to a leaf.

const std = @import("std");
const assert = std.debug.assert;
const config = @import("../config.zig");
const bytes_format = @import("../format/bytes.zig");
const page = @import("../format/page.zig");
const leaf = @import("../format/leaf.zig");
const branch = @import("../format/branch.zig");
const entries = @import("../format/entries.zig");
const Pages = @import("../store/Pages.zig");
const keys = @import("keys.zig");
const search = @import("search.zig");

const Cursor = @This();

pub const Error = keys.Error;

const Step = struct { bytes: []align(8) const u8, index: u32 };

pages: Pages,
tree: page.Tree,
steps: [config.depth_max]Step = undefined,
state: State = .before_first,

const State = enum { before_first, on_entry, behind_last };

/// A cursor before the first entry.
pub fn init(pages: Pages, tree: page.Tree) Cursor {
    return .{ .pages = pages, .tree = tree };
}

/// Whether the cursor stands on an entry; `key` and `value` may be called then.
pub fn isOnEntry(self: *const Cursor) bool {
    return self.state == .on_entry;
}

/// Moves to the first entry. False when there is none.
pub fn first(self: *Cursor) Error!bool {
    if (self.tree.depth == 0) return self.leave(.behind_last);
    try self.descendFirst(self.tree.ref, 0);
    self.state = .on_entry;
    return true;
}

/// Moves to the last entry. False when there is none.
pub fn last(self: *Cursor) Error!bool {
    if (self.tree.depth == 0) return self.leave(.before_first);
    try self.descendLast(self.tree.ref, 0);
    self.state = .on_entry;
    return true;
}

/// Moves to the first entry whose key is not below `target`. False when there is none.
pub fn seek(self: *Cursor, target: []const u8) Error!bool {
    if (self.tree.depth == 0) return self.leave(.behind_last);
    const found = try self.descend(target);
    self.state = .on_entry;
    const step = &self.steps[self.tree.depth - 1];
    if (found or step.index < page.count(step.bytes)) return true;
    step.index -= 1;
    return self.next();
}

/// Moves to the last entry whose key is below `target`. False when there is none.
pub fn seekBefore(self: *Cursor, target: []const u8) Error!bool {
    if (self.tree.depth == 0) return self.leave(.before_first);
    _ = try self.descend(target);
    self.state = .on_entry;
    const step = &self.steps[self.tree.depth - 1];
    if (step.index > 0) {
        step.index -= 1;
        return true;
    }
    return self.prev();
}

/// Moves to the following entry. False, and behind the last, when there is none.
pub fn next(self: *Cursor) Error!bool {
    switch (self.state) {
        .before_first => return self.first(),
        .behind_last => return false,
        .on_entry => {},
    }
    const step = &self.steps[self.tree.depth - 1];
    if (step.index + 1 < page.count(step.bytes)) {
        step.index += 1;
        return true;
    }
    return self.nextLeaf();
}

/// Moves to the preceding entry. False, and before the first, when there is none.
pub fn prev(self: *Cursor) Error!bool {
    switch (self.state) {
        .before_first => return false,
        .behind_last => return self.last(),
        .on_entry => {},
    }
    const step = &self.steps[self.tree.depth - 1];
    if (step.index > 0) {
        step.index -= 1;
        return true;
    }
    return self.prevLeaf();
}

/// Begins to load the leaf that `next`, or `prev`, will come to behind this one, all of it: it is
/// loaded while entries of this one are used.
pub fn fetchLeaf(self: *const Cursor, is_back: bool) void {
    if (self.state != .on_entry or self.tree.depth < 2) return;
    const above = &self.steps[self.tree.depth - 2];
    if (if (is_back) above.index == 0 else above.index + 1 >= page.count(above.bytes)) return;
    const slot = if (is_back) above.index - 1 else above.index + 1;
    self.pages.fetchPage(branch.child(above.bytes, slot).ref);
}

/// The leaf on whose entry the cursor stands.
pub fn leafBytes(self: *const Cursor) []align(8) const u8 {
    return self.entry().bytes;
}

/// The entry's number in it.
pub fn leafIndex(self: *const Cursor) u32 {
    return self.entry().index;
}

/// Moves over entries of the leaf, back if there are less than none.
pub fn move(self: *Cursor, by: i32) void {
    assert(self.state == .on_entry);
    const step = &self.steps[self.tree.depth - 1];
    step.index = @intCast(@as(i64, step.index) + by);
    assert(step.index < page.count(step.bytes));
}

/// Moves `count` entries forward: O(depth) pages. False, and behind the last, when there are fewer.
pub fn skip(self: *Cursor, count: u64) Error!bool {
    assert(self.state == .on_entry);
    const step = &self.steps[self.tree.depth - 1];
    if (count < page.count(step.bytes) - step.index) {
        step.index += @intCast(count);
        return true;
    }
    const target = try self.rank() +| count;
    if (target >= self.tree.entries) return self.leave(.behind_last);
    try self.seekRank(target);
    return true;
}

/// Moves `count` entries back: O(depth) pages. False, and before the first, when there are fewer.
pub fn skipBack(self: *Cursor, count: u64) Error!bool {
    assert(self.state == .on_entry);
    const step = &self.steps[self.tree.depth - 1];
    if (count <= step.index) {
        step.index -= @intCast(count);
        return true;
    }
    const here = try self.rank();
    if (count > here) return self.leave(.before_first);
    try self.seekRank(here - count);
    return true;
}

/// How many entries stand before the cursor's.
pub fn rank(self: *const Cursor) Error!u64 {
    assert(self.state == .on_entry);
    var before: u64 = 0;
    for (self.steps[0 .. self.tree.depth - 1]) |step| {
        before += branch.entriesIn(step.bytes, 0, step.index);
    }
    before += self.steps[self.tree.depth - 1].index;
    if (before >= self.tree.entries) return error.Corrupt;
    return before;
}

/// Moves to the entry before which `target` entries stand; there must be one.
pub fn seekRank(self: *Cursor, target: u64) Error!void {
    assert(target < self.tree.entries);
    var ref = self.tree.ref;
    var rest = target;
    for (0..try self.depth() - 1) |level| {
        const bytes = try self.child(ref, level);
        const slot = slotOfRank(bytes, &rest) orelse return error.Corrupt;
        self.steps[level] = .{ .bytes = bytes, .index = slot };
        ref = branch.child(bytes, slot).ref;
    }
    const bytes = try self.child(ref, self.tree.depth - 1);
    if (rest >= page.count(bytes)) return error.Corrupt;
    self.steps[self.tree.depth - 1] = .{ .bytes = bytes, .index = @intCast(rest) };
    self.state = .on_entry;
}

/// The slot below which entry `rest` of a branch stands; `rest` becomes its number there.
fn slotOfRank(bytes: []align(8) const u8, rest: *u64) ?u32 {
    for (0..page.count(bytes)) |slot| {
        const below = page.branchEntry(bytes, @intCast(slot)).entries;
        if (rest.* < below) return @intCast(slot);
        rest.* -= below;
    }
    return null;
}

/// The key, put together in `buffer`, which holds the longest key of the store.
pub fn key(self: *const Cursor, buffer: []u8) Error![]u8 {
    const step = self.entry();
    return keys.assemble(self.pages, step.bytes, step.index, buffer);
}

/// The size of the key, bytes.
pub fn keySize(self: *const Cursor) u32 {
    const step = self.entry();
    return keys.size(step.bytes, step.index);
}

/// The order of the cursor's key towards `other`.
pub fn order(self: *const Cursor, other: []const u8) Error!std.math.Order {
    const step = self.entry();
    return keys.order(self.pages, step.bytes, step.index, other);
}

/// The value, or where it is. `search.valueBytes` fetches it.
pub fn value(self: *const Cursor) leaf.Value {
    const step = self.entry();
    return leaf.value(step.bytes, step.index);
}

fn entry(self: *const Cursor) *const Step {
    assert(self.state == .on_entry);
    const step = &self.steps[self.tree.depth - 1];
    assert(step.index < page.count(step.bytes));
    return step;
}

fn leave(self: *Cursor, state: State) bool {
    assert(state != .on_entry);
    self.state = state;
    return false;
}

fn depth(self: *const Cursor) Error!u8 {
    assert(self.tree.depth > 0);
    if (self.tree.depth > config.depth_max) return error.Corrupt;
    return self.tree.depth;
}

/// The page `ref` as one of `level`, 0 being the root.
fn child(self: *const Cursor, ref: page.Ref, level: usize) Error![]align(8) const u8 {
    assert(level < self.tree.depth);
    return search.child(self.pages, ref, self.tree.depth - @as(u8, @intCast(level)));
}

/// Down to the place of `target`. True when it is an entry.
fn descend(self: *Cursor, target: []const u8) Error!bool {
    var ref = self.tree.ref;
    for (0..try self.depth() - 1) |level| {
        const bytes = try self.child(ref, level);
        const slot = try keys.findChild(self.pages, bytes, target);
        self.steps[level] = .{ .bytes = bytes, .index = slot };
        ref = branch.child(bytes, slot).ref;
        self.pages.fetch(ref);
    }
    const bytes = try self.child(ref, self.tree.depth - 1);
    const place = try keys.find(self.pages, bytes, .leaf, target);
    self.steps[self.tree.depth - 1] = .{ .bytes = bytes, .index = place.index };
    return place.found;
}

fn descendFirst(self: *Cursor, start: page.Ref, from: usize) Error!void {
    var ref = start;
    for (from..try self.depth()) |level| {
        const bytes = try self.child(ref, level);
        self.steps[level] = .{ .bytes = bytes, .index = 0 };
        if (level + 1 < self.tree.depth) ref = branch.child(bytes, 0).ref;
    }
}

fn descendLast(self: *Cursor, start: page.Ref, from: usize) Error!void {
    var ref = start;
    for (from..try self.depth()) |level| {
        const bytes = try self.child(ref, level);
        const slot = page.count(bytes) - 1;
        self.steps[level] = .{ .bytes = bytes, .index = slot };
        if (level + 1 < self.tree.depth) ref = branch.child(bytes, slot).ref;
    }
}

fn nextLeaf(self: *Cursor) Error!bool {
    const left = self.steps[self.tree.depth - 1];
    var level: usize = self.tree.depth - 1;
    while (level > 0) {
        level -= 1;
        const step = &self.steps[level];
        if (step.index + 1 >= page.count(step.bytes)) continue;
        step.index += 1;
        try self.descendFirst(branch.child(step.bytes, step.index).ref, level + 1);
        try self.checkOrder(left, self.steps[self.tree.depth - 1]);
        return true;
    }
    return self.leave(.behind_last);
}

fn prevLeaf(self: *Cursor) Error!bool {
    const right = self.steps[self.tree.depth - 1];
    var level: usize = self.tree.depth - 1;
    while (level > 0) {
        level -= 1;
        const step = &self.steps[level];
        if (step.index == 0) continue;
        step.index -= 1;
        try self.descendLast(branch.child(step.bytes, step.index).ref, level + 1);
        try self.checkOrder(self.steps[self.tree.depth - 1], right);
        return true;
    }
    return self.leave(.before_first);
}

fn checkOrder(self: *const Cursor, left: Step, right: Step) Error!void {
    const a = entries.itemOf(left.bytes, left.index).key;
    const b = entries.itemOf(right.bytes, right.index).key;
    switch (entries.Key.order(a, b)) {
        .lt => return,
        .gt => return error.Corrupt,
        .eq => {},
    }
    const a_tail = try keys.tailOf(self.pages, left.bytes, left.index);
    const b_tail = try keys.tailOf(self.pages, right.bytes, right.index);
    if (bytes_format.order(a_tail, b_tail) != .lt) return error.Corrupt;
}
