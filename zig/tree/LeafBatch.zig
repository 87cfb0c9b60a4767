//! Many puts into one tree whose leaves are frames of the published state. A put that changes one
//! leaf only, which nobody has pinned, is planned and done later, in that frame itself, together
//! with all the others; any other is done at once, in copies that nobody sees. When all is resolved
//! what is left to do cannot fail.
//!
//! ```text
//! plan     rows by key:  a b c | d e | f g    the leaf of d e overflows: copied, evened out with
//!                        edits   now   edits  the one beside it, whose edits are done now as well
//! resolve  the pages from the root to the leaves of the edits, each once
//! apply    each of these: itself, or a copy where somebody has pinned it by now
//! ```
//! Invariants: `plan` and `resolve` change no frame of the published state; the leaf of a group is
//! one of these as long as the group is there; `apply` reads no page that `resolve` has not read,
//! asks for no memory and makes no system call.
//!
//! Neither keys nor values may lie in frames.

const std = @import("std");
const assert = std.debug.assert;
const config = @import("../config.zig");
const page = @import("../format/page.zig");
const leaf = @import("../format/leaf.zig");
const branch = @import("../format/branch.zig");
const DirtyPages = @import("../store/DirtyPages.zig");
const Path = @import("Path.zig");
const balance = @import("balance.zig");
const insert = @import("insert.zig");
const rows_module = @import("rows.zig");

const LeafBatch = @This();

pub const Error = DirtyPages.WriteError;
pub const Row = rows_module.Row;

/// A row whose put changes its leaf only. `index` is its place in the leaf before all edits.
const Edit = struct { row: u32, index: u32, kind: Kind };

const Kind = enum {
    /// The entry gets another inline value of the same size.
    overwrite,
    /// Of another size.
    replace,
    insert,
};

/// The edits of one leaf, up to those of the next group.
const Group = struct { frame: u32, first: u32, added: u32 };

/// A page on the way to leaves of groups. Its parent comes before it.
const Node = struct {
    /// The commit that made its frame.
    birth: u64,
    frame: u32,
    parent: u32,
    slot: u32,
    /// Entries that come in below it.
    added: u32 = 0,
    /// Of a leaf.
    group: u32 = none,
    bytes: []align(8) u8 = undefined,
};

const none = std.math.maxInt(u32);

dirty: *DirtyPages,
tree: *page.Tree,
rows: []Row,
/// Frames that are older may be pinned.
newest_pin: u64,
order: rows_module.Order,
edits: [rows_module.count_max]Edit,
edit_count: u32,
groups: [rows_module.count_max]Group,
group_count: u32,
/// What the edits of the last group do to its leaf, null: there are no more to come.
pending: ?balance.Pending,
path: Path,
/// The path leads to the row planned last, through pages that are still those of the tree.
is_set: bool,
finger: insert.Finger,
/// Of the groups so far, unless pages have come or gone since.
nodes: std.ArrayList(Node),
/// The nodes of the last group, from the root down.
way: [config.depth_max]u32,
are_nodes_stale: bool,

/// `rows` must not be moved before `apply`, what they refer to may: see `rebase`.
pub fn init(
    self: *LeafBatch,
    dirty: *DirtyPages,
    tree: *page.Tree,
    rows: []Row,
    newest_pin: u64,
) void {
    assert(rows.len <= rows_module.count_max);
    self.dirty = dirty;
    self.tree = tree;
    self.rows = rows;
    self.newest_pin = newest_pin;
    self.edit_count = 0;
    self.group_count = 0;
    self.pending = null;
    self.is_set = false;
    self.finger = .init(dirty, tree, .upsert);
    self.nodes = .empty;
    self.are_nodes_stale = false;
}

pub fn deinit(self: *LeafBatch) void {
    self.nodes.deinit(self.dirty.allocator);
}

/// Plans or does the put of each row. Of rows with equal keys the last one counts.
pub fn plan(self: *LeafBatch) Error!void {
    self.order.sort(self.rows);
    var from: usize = 0;
    while (from < self.rows.len) : (from += rows_module.group_size) {
        const to = @min(from + rows_module.group_size, self.rows.len);
        self.fetch(from, to);
        for (from..to) |place| {
            if (!self.isFollowedByEqual(place)) try self.take(self.order.at(place));
        }
    }
    if (self.group_count > 0 and !self.are_nodes_stale) self.countLastGroup();
}

fn fetch(self: *const LeafBatch, from: usize, to: usize) void {
    var wanted: [rows_module.group_size][]const u8 = undefined;
    for (from..to) |place| wanted[place - from] = self.rows[self.order.at(place)].key;
    rows_module.fetchEntries(self.dirty.pages(), self.tree.*, wanted[0 .. to - from]);
}

fn isFollowedByEqual(self: *const LeafBatch, place: usize) bool {
    if (place + 1 == self.rows.len) return false;
    const key = self.rows[self.order.at(place)].key;
    return std.mem.eql(u8, key, self.rows[self.order.at(place + 1)].key);
}

fn take(self: *LeafBatch, at: u32) Error!void {
    const pages = self.dirty.pages();
    const key = self.rows[at].key;
    if (self.is_set) {
        _ = try self.path.advance(pages, self.tree.*, key);
    } else {
        try self.path.descend(pages, self.tree.*, key);
    }
    self.is_set = true;
    if (!try self.addEdit(at)) try self.putNow(at);
}

/// False: the put needs more than one leaf, or a leaf that must not be changed itself.
fn addEdit(self: *LeafBatch, at: u32) Error!bool {
    const step = self.path.leaf();
    if (!self.isChangeable(step.ref)) return false;
    const is_new = self.group_count == 0 or
        self.groups[self.group_count - 1].frame != step.ref.pgno;
    const before: balance.Pending = if (is_new) .{} else self.pending orelse return false;
    const kind = self.kindOf(at) orelse return false;
    var after = before;
    if (kind != .overwrite) {
        var entry: insert.Entry = undefined;
        const row = &self.rows[at];
        if (!entry.initInline(step.bytes.len, row.key, row.value)) return false;
        after = balance.pendingAfter(&self.path, self.path.depth - 1, .{
            .at = step.index,
            .removed = @intFromBool(kind == .replace),
            .added = &.{entry.item()},
        }, before) orelse return false;
    }
    self.pending = after;
    if (is_new) {
        if (!self.are_nodes_stale) {
            if (self.group_count > 0) self.countLastGroup();
            try self.addNodes(self.group_count);
        }
        self.groups[self.group_count] =
            .{ .frame = step.ref.pgno, .first = self.edit_count, .added = 0 };
        self.group_count += 1;
    }
    self.groups[self.group_count - 1].added += @intFromBool(kind == .insert);
    self.edits[self.edit_count] = .{ .row = at, .index = step.index, .kind = kind };
    self.edit_count += 1;
    return true;
}

/// A frame of the published state that is younger than what is pinned.
fn isChangeable(self: *const LeafBatch, ref: page.Ref) bool {
    if (!ref.dirty or self.dirty.isOwn(ref.pgno)) return false;
    return self.dirty.set.txnid(ref.pgno) > self.newest_pin;
}

/// Null: the old value lies in a run.
fn kindOf(self: *const LeafBatch, at: u32) ?Kind {
    if (!self.path.found) return .insert;
    const step = self.path.leaf();
    const old = leaf.value(step.bytes, step.index);
    if (old.kind != .@"inline") return null;
    return if (old.size == self.rows[at].value.len) .overwrite else .replace;
}

/// Puts the row in copies. If it is of the leaf of the last group, that group's rows are put before
/// it, for a new leaf may come to lie behind theirs, under a separator that knows the leaf as it
/// is. A leaf that is copied for it may be beside it, too: then the rows of that one's group are
/// put as well, and so on to the left. What lies to the right of it has not been planned.
fn putNow(self: *LeafBatch, at: u32) Error!void {
    const superseded = &self.dirty.superseded;
    const count_before = superseded.items.len;
    if (self.isOfLastGroup(self.path.leaf().ref)) try self.putLastGroup();
    _ = try self.finger.put(self.rows[at].key, self.rows[at].value);
    self.is_set = false;
    self.pending = null;
    self.are_nodes_stale = true;
    while (self.group_count > 0) {
        const group = self.groups[self.group_count - 1];
        const copied = superseded.items[count_before..];
        if (std.mem.indexOfScalar(u32, copied, group.frame) == null) return;
        try self.putLastGroup();
    }
}

fn isOfLastGroup(self: *const LeafBatch, ref: page.Ref) bool {
    if (self.group_count == 0 or !ref.dirty) return false;
    return self.groups[self.group_count - 1].frame == ref.pgno;
}

fn putLastGroup(self: *LeafBatch) Error!void {
    self.group_count -= 1;
    const first = self.groups[self.group_count].first;
    self.finger.reset();
    for (self.edits[first..self.edit_count]) |edit| {
        const row = &self.rows[edit.row];
        _ = try self.finger.put(row.key, row.value);
    }
    self.finger.reset();
    self.edit_count = first;
}

/// Finds the way to each leaf that will be changed. The entries of the tree are counted from here
/// on; nothing may change the tree before `apply`.
pub fn resolve(self: *LeafBatch) Error!void {
    if (self.are_nodes_stale) try self.findAgain();
    var added: u32 = 0;
    for (self.groups[0..self.group_count]) |*group| added += group.added;
    for (self.nodes.items) |*node| {
        if (node.parent == none) continue;
        const parent = self.dirty.set.bytes(self.nodes.items[node.parent].frame);
        _ = try branch.entriesAfter(branch.child(parent, node.slot).entries, node.added);
    }
    self.tree.entries = try branch.entriesAfter(self.tree.entries, added);
}

/// Pages have come and gone: the ways to the leaves are others.
fn findAgain(self: *LeafBatch) Error!void {
    const pages = self.dirty.pages();
    self.nodes.clearRetainingCapacity();
    for (self.groups[0..self.group_count], 0..) |*group, index| {
        const key = self.rows[self.edits[group.first].row].key;
        if (index == 0) {
            try self.path.descend(pages, self.tree.*, key);
        } else {
            _ = try self.path.advance(pages, self.tree.*, key);
        }
        if (!self.isOf(group)) return error.Corrupt;
        try self.addNodes(@intCast(index));
        self.countGroup(group);
        // The leaf is where all of the group's keys belong, not the first alone.
        const last = self.edits[self.endOf(index) - 1].row;
        _ = try self.path.advance(pages, self.tree.*, self.rows[last].key);
        if (!self.isOf(group)) return error.Corrupt;
    }
}

fn isOf(self: *const LeafBatch, group: *const Group) bool {
    const ref = self.path.leaf().ref;
    return ref.dirty and ref.pgno == group.frame;
}

/// Behind the last edit of a group.
fn endOf(self: *const LeafBatch, index: usize) u32 {
    return if (index + 1 == self.group_count) self.edit_count else self.groups[index + 1].first;
}

/// The pages of the path, which leads to the leaf of group `index`, and that are not there yet.
fn addNodes(self: *LeafBatch, index: u32) Error!void {
    const set = self.dirty.set;
    for (self.path.steps[0..self.path.depth], 0..) |*step, level| {
        // A leaf that is a frame lies below frames.
        if (!step.ref.dirty) return error.Corrupt;
        const frame = step.ref.pgno;
        if (index > 0 and self.nodes.items[self.way[level]].frame == frame) continue;
        self.way[level] = @intCast(self.nodes.items.len);
        try self.nodes.append(self.dirty.allocator, .{
            .birth = set.txnid(frame),
            .frame = frame,
            .parent = if (level == 0) none else self.way[level - 1],
            .slot = if (level == 0) 0 else self.path.steps[level - 1].index,
        });
    }
    self.nodes.items[self.way[self.path.depth - 1]].group = index;
}

fn countLastGroup(self: *LeafBatch) void {
    self.countGroup(&self.groups[self.group_count - 1]);
}

/// Entries that the last group brings in, below each page of its way.
fn countGroup(self: *LeafBatch, group: *const Group) void {
    if (group.added == 0) return;
    for (self.way[0..self.path.depth]) |node| self.nodes.items[node].added += group.added;
}

/// The frames that `apply` may need. Nothing may take one in between.
pub fn reserve(self: *LeafBatch) error{OutOfMemory}!void {
    try self.dirty.set.reserve(@intCast(self.nodes.items.len));
}

/// What keys and values refer to has moved from `from` to `to`.
pub fn rebase(self: *LeafBatch, from: [*]const u8, to: [*]const u8) void {
    if (from == to) return;
    for (self.rows) |*row| {
        row.key = to[@intFromPtr(row.key.ptr) - @intFromPtr(from) ..][0..row.key.len];
        row.value = to[@intFromPtr(row.value.ptr) - @intFromPtr(from) ..][0..row.value.len];
    }
}

/// Does what was planned, while nobody can pin a state.
pub fn apply(self: *LeafBatch, txnid: u64, newest_pin: u64) void {
    const set = self.dirty.set;
    for (self.nodes.items) |*node| {
        node.bytes = set.bytes(node.frame);
        if (node.birth <= newest_pin) {
            const ref = set.refOf(node.frame);
            const touched = self.dirty.change(ref, node.bytes, txnid, newest_pin);
            assert(touched.ref.pgno != node.frame);
            node.bytes = touched.bytes;
            if (node.parent == none) self.tree.ref = touched.ref else {
                branch.setRef(self.nodes.items[node.parent].bytes, node.slot, touched.ref);
            }
        }
        if (node.added > 0 and node.parent != none) {
            const parent = self.nodes.items[node.parent].bytes;
            // `resolve` has counted.
            branch.addEntries(parent, node.slot, node.added, false) catch unreachable;
        }
        if (node.group != none) self.applyGroup(node.group, node.bytes);
    }
}

fn applyGroup(self: *LeafBatch, index: u32, bytes: []align(8) u8) void {
    var added: u32 = 0;
    for (self.edits[self.groups[index].first..self.endOf(index)]) |edit| {
        const row = &self.rows[edit.row];
        const at = edit.index + added;
        if (edit.kind == .overwrite) {
            leaf.overwrite(bytes, at, row.value);
            continue;
        }
        var entry: insert.Entry = undefined;
        const is_inline = entry.initInline(bytes.len, row.key, row.value);
        assert(is_inline);
        // `addEdit` has asked for all it depends on.
        balance.edit(bytes, .{
            .at = at,
            .removed = @intFromBool(edit.kind == .replace),
            .added = &.{entry.item()},
        }) catch unreachable;
        added += @intFromBool(edit.kind == .insert);
    }
    assert(added == self.groups[index].added);
}
