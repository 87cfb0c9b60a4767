//! Storing one entry. Decides what the entry looks like, where it belongs, and hands the change of
//! the leaf to `balance.zig`. A value that makes the entry too large goes to an overflow run of its
//! own, and so does the tail of a long key; a run is never changed, only replaced.
//!
//! ```text
//! put 35 in a full leaf at the end of the tree    elsewhere, both neighbours full
//!      [ .  20 ]          [ .  20  35 ]                [ .  20  40 ]     [ .  20  30  40 ]
//!      /      \           /    |    \                  /    |    \        /   |    |   \
//!   [10]  [20 30]      [10] [20 30] [35]            ..  [20 30 35] ..   ..  [20] [30 35] ..
//! ```
//!
//! Neither key nor value may lie in pages of the transaction's frames.

const std = @import("std");
const assert = std.debug.assert;
const config = @import("../config.zig");
const page = @import("../format/page.zig");
const leaf = @import("../format/leaf.zig");
const entries = @import("../format/entries.zig");
const DirtyPages = @import("../store/DirtyPages.zig");
const keys = @import("keys.zig");
const Path = @import("Path.zig");
const balance = @import("balance.zig");

pub const Error = DirtyPages.WriteError;

pub const Mode = enum {
    /// Stores the value whatever was there.
    upsert,
    /// Leaves an entry that is there as it is.
    absent_only,
    /// Only behind the last key of the tree; pages are left full.
    append,
};

pub const Outcome = enum {
    inserted,
    replaced,
    /// There was an entry, and `absent_only` was asked for.
    exists,
    /// `append` was asked for a key that is not above the last one.
    out_of_order,
};

/// Stores `value` under `key`. The caller has checked both sizes.
pub fn put(
    dirty: *DirtyPages,
    tree: *page.Tree,
    key: []const u8,
    value: []const u8,
    mode: Mode,
) Error!Outcome {
    assert(value.len <= config.value_size_max);
    if (tree.depth == 0) return plant(dirty, tree, key, value);
    var path: Path = undefined;
    if (mode == .append) {
        try path.descendLast(dirty.pages(), tree.*);
        const last = path.leaf();
        const order = try keys.order(dirty.pages(), last.bytes, last.index - 1, key);
        if (order != .lt) return .out_of_order;
    } else {
        try path.descend(dirty.pages(), tree.*, key);
        if (path.found and mode == .absent_only) return .exists;
    }
    if (path.found) {
        try replace(dirty, tree, &path, key, value);
        return .replaced;
    }
    var entry: Entry = undefined;
    try entry.init(dirty, path.leaf().bytes.len, key, value, "");
    try balance.apply(dirty, tree, &path, path.depth - 1, .{
        .at = path.leaf().index,
        .added = &.{entry.item()},
    }, .{ .delta = 1, .has_runs = entry.hasRuns() });
    return .inserted;
}

/// The first entry of a tree.
fn plant(dirty: *DirtyPages, tree: *page.Tree, key: []const u8, value: []const u8) Error!Outcome {
    if (tree.entries > 0) return error.Corrupt;
    const root = try dirty.create();
    var entry: Entry = undefined;
    try entry.init(dirty, root.bytes.len, key, value, "");
    var sequence: entries.Sequence = .{ .kind = .leaf };
    sequence.addItem(entry.item());
    const group = sequence.measure(0, 1, 0, @intCast(root.bytes.len));
    try sequence.build(group, root.bytes);
    tree.* = .{ .ref = root.ref, .depth = 1, .entries = 1, .has_runs = entry.hasRuns() };
    return .inserted;
}

/// The entry at the end of the path gets another value; its key stays, tail and all.
fn replace(
    dirty: *DirtyPages,
    tree: *page.Tree,
    path: *Path,
    key: []const u8,
    value: []const u8,
) Error!void {
    assert(path.found);
    const at = path.leaf().index;
    const old = leaf.value(path.leaf().bytes, at);
    if (old.kind == .@"inline" and old.size == value.len) {
        try path.touch(dirty, tree, path.depth - 1);
        leaf.overwrite(path.writable(path.depth - 1), at, value);
        return;
    }
    const tail = page.tailBytes(path.leaf().bytes, at);
    var entry: Entry = undefined;
    try entry.init(dirty, path.leaf().bytes.len, key, value, tail);
    try discardValue(dirty, path.leaf().bytes, at);
    try balance.apply(dirty, tree, path, path.depth - 1, .{
        .at = at,
        .removed = 1,
        .added = &.{entry.item()},
    }, .{ .delta = 0, .has_runs = entry.hasRuns() });
}

/// The run that holds the value of an entry, if one does, is no longer needed.
pub fn discardValue(dirty: *DirtyPages, bytes: []align(8) const u8, index: u32) Error!void {
    const value = leaf.value(bytes, index);
    switch (value.kind) {
        .@"inline" => {},
        .overflow => try dirty.discardRun(value.run, value.size),
        else => return error.Corrupt,
    }
}

/// A leaf entry to be, with its own copy of all but key and value.
const Entry = struct {
    key: []const u8,
    header: [@sizeOf(page.LeafEntry)]u8,
    tail: [@sizeOf(page.TailBytes)]u8,
    tail_size: usize,
    run: [@sizeOf(page.RunBytes)]u8,
    /// The value if it is inline, or null: then `run` holds it.
    value: ?[]const u8,

    /// Writes the runs that the entry needs; `tail` is that of the key if there is one already.
    fn init(
        self: *Entry,
        dirty: *DirtyPages,
        page_size: usize,
        key: []const u8,
        value: []const u8,
        tail: []const u8,
    ) Error!void {
        assert(key.len <= config.keySizeMax(@intCast(page_size)));
        self.key = keys.localOf(key, page_size);
        self.tail_size = 0;
        if (key.len > self.key.len) {
            self.tail_size = self.tail.len;
            self.tail = if (tail.len > 0)
                tail[0..@sizeOf(page.TailBytes)].*
            else
                try tailOf(dirty, key[self.key.len..]);
        }
        const fixed = @sizeOf(page.LeafEntry) + self.key.len + self.tail_size + config.slot_cost;
        const is_inline = fixed + value.len <= config.entrySizeMax(@intCast(page_size));
        self.value = if (is_inline) value else null;
        if (!is_inline) self.run = @bitCast(page.RunBytes.of(try dirty.writeRun(value)));
        const kind: page.ValueKind = if (is_inline) .@"inline" else .overflow;
        self.header = @bitCast(page.LeafEntry{
            .local_size = 0,
            .value_kind = @intFromEnum(kind),
            .flags = 0,
            .value_size = @intCast(value.len),
        });
    }

    fn tailOf(dirty: *DirtyPages, bytes: []const u8) Error![@sizeOf(page.TailBytes)]u8 {
        assert(bytes.len > 0);
        const run = try dirty.writeRun(bytes);
        const tail: page.TailBytes = .{ .size = @intCast(bytes.len), .run = page.RunBytes.of(run) };
        return @bitCast(tail);
    }

    fn item(self: *const Entry) entries.Item {
        return .{
            .key = .{ .local = self.key, .tail = self.tail[0..self.tail_size] },
            .header = &self.header,
            .rest = self.value orelse &self.run,
        };
    }

    fn hasRuns(self: *const Entry) bool {
        return self.tail_size > 0 or self.value == null;
    }
};
