//! Removing one entry: its runs are given back, and the change of the leaf goes to `balance.zig`,
//! which merges pages that run low.
//!
//! ```text
//! remove 30:     [ .  20  40 ]              [ .  40 ]
//!                /    |     \               /      \
//!             [10] [20 30] [40 50]     [10 20]   [40 50]
//! ```

const std = @import("std");
const assert = std.debug.assert;
const page = @import("../format/page.zig");
const DirtyPages = @import("../store/DirtyPages.zig");
const Path = @import("Path.zig");
const balance = @import("balance.zig");
const insert = @import("insert.zig");

pub const Error = DirtyPages.WriteError;

/// Removes the entry of `key`. False when there is none: nothing is touched then.
pub fn remove(dirty: *DirtyPages, tree: *page.Tree, key: []const u8) Error!bool {
    if (tree.depth == 0) return false;
    var path: Path = undefined;
    try path.descend(dirty.pages(), tree.*, key);
    if (!path.found) return false;
    const at = path.leaf().index;
    try discardRuns(dirty, path.leaf().bytes, at, at + 1);
    const change: balance.Change = .{ .at = at, .removed = 1 };
    try balance.apply(dirty, tree, &path, path.depth - 1, change, .{ .delta = -1 });
    return true;
}

/// The runs of entries `from` up to `to` of a leaf are no longer needed.
pub fn discardRuns(dirty: *DirtyPages, bytes: []align(8) const u8, from: u32, to: u32) Error!void {
    assert(from <= to);
    assert(to <= page.count(bytes));
    var index = from;
    while (index < to) : (index += 1) {
        try insert.discardValue(dirty, bytes, index);
        const tail = page.tail(bytes, index) orelse continue;
        try dirty.discardRun(tail.run.ref(), tail.size);
    }
}
