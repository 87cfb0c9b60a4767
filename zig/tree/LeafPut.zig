//! A put that changes one leaf, and counts above it: no page comes or goes, no run is written or
//! given back. It is planned over pages as they are. Once the pages of its path are writable
//! nothing can fail any more, so that they may be pages that others read a moment later.
//!
//! Neither key nor value may lie in the pages that it changes.

const std = @import("std");
const assert = std.debug.assert;
const config = @import("../config.zig");
const page = @import("../format/page.zig");
const leaf = @import("../format/leaf.zig");
const branch = @import("../format/branch.zig");
const entries = @import("../format/entries.zig");
const Pages = @import("../store/Pages.zig");
const keys = @import("keys.zig");
const Path = @import("Path.zig");
const balance = @import("balance.zig");
const insert = @import("insert.zig");

const LeafPut = @This();

const Kind = enum {
    /// The entry gets another inline value of the same size.
    overwrite,
    /// Of another size.
    replace,
    insert,
};

path: Path,
kind: Kind,
value: []const u8,
entry: insert.Entry,
item: [1]entries.Item,

/// Finds out what a put of `value` under `key` does. False: more than that, or the tree is empty.
/// It must not be moved afterwards.
pub fn plan(
    self: *LeafPut,
    pages: Pages,
    tree: page.Tree,
    key: []const u8,
    value: []const u8,
) keys.Error!bool {
    if (tree.depth == 0) return false;
    try self.path.descend(pages, tree, key);
    const step = self.path.leaf();
    self.value = value;
    if (self.path.found) {
        const old = leaf.value(step.bytes, step.index);
        if (old.kind != .@"inline") return false;
        self.kind = if (old.size == value.len) .overwrite else .replace;
        if (self.kind == .overwrite) return true;
    } else {
        self.kind = .insert;
        if (!try self.canCount(tree)) return false;
    }
    if (!self.entry.initInline(step.bytes.len, key, value)) return false;
    self.item = .{self.entry.item()};
    return balance.isEdit(&self.path, self.path.depth - 1, self.change());
}

/// Whether one more entry can be counted in the tree and in each page above the leaf.
fn canCount(self: *const LeafPut, tree: page.Tree) keys.Error!bool {
    _ = try branch.entriesAfter(tree.entries, 1);
    for (self.path.steps[0 .. self.path.depth - 1]) |*step| {
        _ = try branch.entriesAfter(branch.child(step.bytes, step.index).entries, 1);
    }
    return true;
}

fn change(self: *const LeafPut) balance.Change {
    return .{
        .at = self.path.leaf().index,
        .removed = @intFromBool(self.kind == .replace),
        .added = &self.item,
    };
}

/// Whether the tree has one entry more afterwards.
pub fn isInsert(self: *const LeafPut) bool {
    return self.kind == .insert;
}

/// Does it. Every page of the path is writable, and like those it was planned over.
pub fn apply(self: *LeafPut, tree: *page.Tree) void {
    const level = self.path.depth - 1;
    const bytes = self.path.writable(level);
    if (self.kind == .overwrite) {
        return leaf.overwrite(bytes, self.path.leaf().index, self.value);
    }
    // Neither can fail: `plan` has asked for all they depend on.
    balance.edit(bytes, self.change()) catch unreachable;
    if (self.kind == .replace) return;
    self.path.addEntries(level, 1, false) catch unreachable;
    tree.entries += 1;
    assert(tree.entries <= page.entries_max);
}
