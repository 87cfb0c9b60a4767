//! Point reads: from the root to one leaf, one page a level. Reads only; the results lie in pages
//! and are valid as long as those are.
//!
//! Invariant: a walk takes exactly `depth` pages, whose kinds must fit their level, so that no
//! contents of a file can make it longer.

const std = @import("std");
const assert = std.debug.assert;
const config = @import("../config.zig");
const page = @import("../format/page.zig");
const leaf = @import("../format/leaf.zig");
const branch = @import("../format/branch.zig");
const Pages = @import("../store/Pages.zig");
const keys = @import("keys.zig");

pub const Error = keys.Error;
pub const Value = leaf.Value;

/// The value of `key`, or null. An inline value lies in its page, another in the run it names.
pub fn get(pages: Pages, tree: page.Tree, key: []const u8) Error!?Value {
    if (tree.depth == 0) return null;
    const bytes = try findLeaf(pages, tree, key);
    const place = try keys.find(pages, bytes, .leaf, key);
    if (!place.found) return null;
    return leaf.value(bytes, place.index);
}

/// Whether `key` has an entry.
pub fn has(pages: Pages, tree: page.Tree, key: []const u8) Error!bool {
    if (tree.depth == 0) return false;
    const bytes = try findLeaf(pages, tree, key);
    const place = try keys.find(pages, bytes, .leaf, key);
    return place.found;
}

/// All bytes of a value, valid as long as the state is pinned.
pub inline fn valueBytes(pages: Pages, value: Value) Error![]const u8 {
    return switch (value.kind) {
        .@"inline" => value.bytes,
        .overflow => pages.run(value.run(), value.size),
        else => error.Corrupt,
    };
}

/// The leaf to which `key` belongs.
fn findLeaf(pages: Pages, tree: page.Tree, key: []const u8) Error![]align(8) const u8 {
    assert(tree.depth > 0);
    var ref = tree.ref;
    var level = tree.depth;
    while (level > 1) : (level -= 1) {
        const bytes = try child(pages, ref, level);
        const slot = try keys.findChild(pages, bytes, key);
        ref = branch.child(bytes, slot).ref;
        pages.fetch(ref);
    }
    return child(pages, ref, 1);
}

/// Page `ref`, which stands `level` above the ground: 1 is a leaf.
pub inline fn child(pages: Pages, ref: page.Ref, level: u8) Error![]align(8) const u8 {
    const bytes = try pages.page(ref);
    const kind: page.Kind = if (level == 1) .leaf else .branch;
    if (page.kind(bytes) != kind) return error.Corrupt;
    return bytes;
}

/// How many entries of the tree have keys below `key`: O(depth) pages.
pub fn rank(pages: Pages, tree: page.Tree, key: []const u8) Error!u64 {
    if (tree.depth == 0) return 0;
    var before: u64 = 0;
    var ref = tree.ref;
    var level = tree.depth;
    while (level > 1) : (level -= 1) {
        const bytes = try child(pages, ref, level);
        const slot = try keys.findChild(pages, bytes, key);
        before += branch.entriesIn(bytes, 0, slot);
        ref = branch.child(bytes, slot).ref;
    }
    const bytes = try child(pages, ref, 1);
    const place = try keys.find(pages, bytes, .leaf, key);
    before += place.index;
    if (before > tree.entries) return error.Corrupt;
    return before;
}
