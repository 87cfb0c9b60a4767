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
const branch = @import("../format/branch.zig");
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

/// Bytes to be stored, or the run that holds them already.
const Value = union(enum) { bytes: []const u8, run: struct { ref: page.RunRef, size: u32 } };

/// Stores `value` under `key`. The caller has checked both sizes.
pub fn put(
    dirty: *DirtyPages,
    tree: *page.Tree,
    key: []const u8,
    value: []const u8,
    mode: Mode,
) Error!Outcome {
    var finger: Finger = .init(dirty, tree, mode);
    return finger.put(key, value);
}

/// Puts entries whose keys never fall, and keeps the way to the last one in between: the next is
/// looked for from there. Only for puts that follow one another with nothing between them that
/// changes the tree, makes a savepoint or seals pages; else `reset`.
pub const Finger = struct {
    dirty: *DirtyPages,
    tree: *page.Tree,
    mode: Mode,
    path: Path,
    /// The path leads to the last key put, through pages that are still those of the tree.
    is_set: bool,
    /// These pages are writable.
    is_touched: bool,
    /// How often a put led to another leaf than the one before.
    move_count: u32,
    /// The run that the last put wrote for its value; null: the value lies in the leaf.
    run: ?page.RunRef,

    pub fn init(dirty: *DirtyPages, tree: *page.Tree, mode: Mode) Finger {
        return .{
            .dirty = dirty,
            .tree = tree,
            .mode = mode,
            .path = undefined,
            .is_set = false,
            .is_touched = false,
            .move_count = 0,
            .run = null,
        };
    }

    /// Forgets the way: the next put begins at the root, wherever its key lies.
    pub fn reset(self: *Finger) void {
        self.is_set = false;
    }

    /// The path leads through writable pages to the leaf of the key put last, which is entry
    /// `index`.
    pub fn resumeAt(self: *Finger, index: u32) void {
        self.path.steps[self.path.depth - 1].index = index;
        self.is_set = true;
        self.is_touched = true;
    }

    /// Stores `value` under `key`, which is not below the key put last. The caller has checked both
    /// sizes.
    pub fn put(self: *Finger, key: []const u8, value: []const u8) Error!Outcome {
        assert(value.len <= config.value_size_max);
        return self.putValue(key, .{ .bytes = value });
    }

    /// The same with a value whose run is this transaction's already.
    pub fn putRun(self: *Finger, key: []const u8, ref: page.RunRef, size: u32) Error!Outcome {
        return self.putValue(key, .{ .run = .{ .ref = ref, .size = size } });
    }

    fn putValue(self: *Finger, key: []const u8, value: Value) Error!Outcome {
        self.run = null;
        if (self.tree.depth == 0) return self.plant(key, value);
        const is_in_order = try self.seek(key);
        // Until it is known that pages stayed where they are.
        self.is_set = false;
        if (!is_in_order) return .out_of_order;
        if (!self.path.found) {
            try self.insert(key, value);
            return .inserted;
        }
        if (self.mode == .absent_only) {
            self.is_set = true;
            return .exists;
        }
        try self.replace(key, value);
        return .replaced;
    }

    /// False: the key is not above the last one of the tree, where `append` demands that.
    fn seek(self: *Finger, key: []const u8) Error!bool {
        if (self.mode == .append) return self.seekEnd(key);
        const pages = self.dirty.pages();
        if (self.is_set) {
            if (try self.path.advance(pages, self.tree.*, key)) return true;
        } else {
            try self.path.descend(pages, self.tree.*, key);
        }
        self.is_touched = false;
        self.move_count += 1;
        return true;
    }

    fn seekEnd(self: *Finger, key: []const u8) Error!bool {
        const pages = self.dirty.pages();
        if (!self.is_set) {
            self.is_touched = false;
            try self.path.descendLast(pages, self.tree.*);
        }
        const bytes = self.path.leaf().bytes;
        const count = page.count(bytes);
        self.path.steps[self.path.depth - 1].index = count;
        return try keys.order(pages, bytes, count - 1, key) == .lt;
    }

    fn touch(self: *Finger) Error!void {
        if (self.is_touched) return;
        try self.path.touch(self.dirty, self.tree, self.path.depth - 1);
        self.is_touched = true;
    }

    /// A new entry where the path ends.
    fn insert(self: *Finger, key: []const u8, value: Value) Error!void {
        const step = self.path.leaf();
        const level = self.path.depth - 1;
        var entry: Entry = undefined;
        try entry.init(self.dirty, step.bytes.len, key, value, "");
        self.run = entry.valueRun();
        const has_runs = entry.hasRuns();
        if (!entry.fits(step.bytes)) {
            return balance.apply(self.dirty, self.tree, &self.path, level, .{
                .at = step.index,
                .added = &.{entry.item()},
            }, .{ .delta = 1, .has_runs = has_runs });
        }
        try self.touch();
        try self.path.addEntries(level, 1, has_runs);
        const bytes = self.path.writable(level);
        entry.insert(bytes, step.index);
        try balance.refreshPrefix(bytes);
        self.tree.entries = try branch.entriesAfter(self.tree.entries, 1);
        self.tree.has_runs = self.tree.has_runs or has_runs;
        self.is_set = true;
    }

    /// The first entry of a tree.
    fn plant(self: *Finger, key: []const u8, value: Value) Error!Outcome {
        const tree = self.tree;
        if (tree.entries > 0) return error.Corrupt;
        const root = try self.dirty.create();
        var entry: Entry = undefined;
        try entry.init(self.dirty, root.bytes.len, key, value, "");
        self.run = entry.valueRun();
        var sequence: entries.Sequence = .{ .kind = .leaf };
        sequence.addItem(entry.item());
        const group = sequence.measure(0, 1, 0, @intCast(root.bytes.len));
        try sequence.build(group, root.bytes);
        tree.* = .{ .ref = root.ref, .depth = 1, .entries = 1, .has_runs = entry.hasRuns() };
        return .inserted;
    }

    /// The entry at the end of the path gets another value; its key stays, tail and all.
    fn replace(self: *Finger, key: []const u8, value: Value) Error!void {
        assert(self.path.found);
        const step = self.path.leaf();
        const level = self.path.depth - 1;
        const old = leaf.value(step.bytes, step.index);
        if (value == .bytes and old.kind == .@"inline" and old.size == value.bytes.len) {
            try self.touch();
            leaf.overwrite(self.path.writable(level), step.index, value.bytes);
            self.is_set = true;
            return;
        }
        const tail = page.tailBytes(step.bytes, step.index);
        var entry: Entry = undefined;
        try entry.init(self.dirty, step.bytes.len, key, value, tail);
        self.run = entry.valueRun();
        try discardValue(self.dirty, step.bytes, step.index);
        try balance.apply(self.dirty, self.tree, &self.path, level, .{
            .at = step.index,
            .removed = 1,
            .added = &.{entry.item()},
        }, .{ .delta = 0, .has_runs = entry.hasRuns() });
    }
};

/// The run that holds the value of an entry, if one does, is no longer needed.
pub fn discardValue(dirty: *DirtyPages, bytes: []align(8) const u8, index: u32) Error!void {
    const value = leaf.value(bytes, index);
    switch (value.kind) {
        .@"inline" => {},
        .overflow => try dirty.discardRun(value.run(), value.size),
        else => return error.Corrupt,
    }
}

/// A leaf entry to be, with its own copy of all but key and value.
pub const Entry = struct {
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
        value: Value,
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
        switch (value) {
            .run => |run| {
                self.run = @bitCast(page.RunBytes.of(run.ref));
                self.setValue(null, run.size);
            },
            .bytes => |bytes| {
                const is_inline = self.isInline(page_size, bytes);
                if (!is_inline) self.run = @bitCast(page.RunBytes.of(try dirty.writeRun(bytes)));
                self.setValue(if (is_inline) bytes else null, @intCast(bytes.len));
            },
        }
    }

    /// The same for an entry that needs no run. False: it needs one.
    pub fn initInline(self: *Entry, page_size: usize, key: []const u8, value: []const u8) bool {
        self.key = keys.localOf(key, page_size);
        self.tail_size = 0;
        if (key.len > self.key.len or !self.isInline(page_size, value)) return false;
        self.setValue(value, @intCast(value.len));
        return true;
    }

    /// Whether an entry of `key` and `value` needs no run.
    pub fn isInlineRow(page_size: u32, key: []const u8, value: []const u8) bool {
        if (key.len > config.localSizeMax(page_size)) return false;
        const size = @sizeOf(page.LeafEntry) + key.len + value.len + config.slot_cost;
        return size <= config.entrySizeMax(page_size);
    }

    fn isInline(self: *const Entry, page_size: usize, value: []const u8) bool {
        const fixed = @sizeOf(page.LeafEntry) + self.key.len + self.tail_size + config.slot_cost;
        return fixed + value.len <= config.entrySizeMax(@intCast(page_size));
    }

    /// `value` stands in the leaf, or, if it is null, in `run`.
    fn setValue(self: *Entry, value: ?[]const u8, size: u32) void {
        self.value = value;
        const kind: page.ValueKind = if (value != null) .@"inline" else .overflow;
        self.header = @bitCast(page.LeafEntry{
            .local_size = 0,
            .value_kind = @intFromEnum(kind),
            .flags = 0,
            .value_size = size,
        });
    }

    fn tailOf(dirty: *DirtyPages, bytes: []const u8) Error![@sizeOf(page.TailBytes)]u8 {
        assert(bytes.len > 0);
        const run = try dirty.writeRun(bytes);
        const tail: page.TailBytes = .{ .size = @intCast(bytes.len), .run = page.RunBytes.of(run) };
        return @bitCast(tail);
    }

    pub fn item(self: *const Entry) entries.Item {
        return .{
            .key = .{ .local = self.key, .tail = self.tail[0..self.tail_size] },
            .header = &self.header,
            .rest = self.value orelse &self.run,
        };
    }

    /// Whether a leaf has room for the entry as it is: its prefix begins the key.
    fn fits(self: *const Entry, bytes: []align(8) const u8) bool {
        const shared = page.prefix(bytes);
        if (!std.mem.startsWith(u8, self.key, shared)) return false;
        return self.sizeBehind(shared.len) + config.slot_cost <= page.gapSize(bytes);
    }

    /// Bytes in the heap of a page whose prefix has `skip` bytes.
    fn sizeBehind(self: *const Entry, skip: usize) u32 {
        const rest = self.value orelse &self.run;
        return @intCast(self.header.len + self.key.len - skip + self.tail_size + rest.len);
    }

    /// Puts the entry before entry `index` of a leaf, which has room.
    fn insert(self: *const Entry, bytes: []align(8) u8, index: u32) void {
        const local = self.key[page.header(bytes).prefix_size..];
        const out = page.insertEntry(bytes, index, self.sizeBehind(self.key.len - local.len));
        var header: page.LeafEntry = @bitCast(self.header);
        header.local_size = @intCast(local.len);
        header.flags = if (self.tail_size > 0) page.flag_tail else 0;
        out[0..self.header.len].* = @bitCast(header);
        @memcpy(out[self.header.len..][0..local.len], local);
        const tail = self.tail[0..self.tail_size];
        @memcpy(out[self.header.len + local.len ..][0..tail.len], tail);
        const rest = self.value orelse &self.run;
        @memcpy(out[out.len - rest.len ..], rest);
        page.setHead(bytes, index, local);
        page.verify(bytes);
    }

    /// Where the value lies if it is not in the entry.
    fn valueRun(self: *const Entry) ?page.RunRef {
        if (self.value != null) return null;
        return @as(page.RunBytes, @bitCast(self.run)).ref();
    }

    fn hasRuns(self: *const Entry) bool {
        return self.tail_size > 0 or self.value == null;
    }
};
