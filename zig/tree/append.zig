//! Filling the last leaf of a tree with rows whose keys follow one another. The put of the first
//! one has made the leaf, which holds nothing else yet; what goes into it together with that row is
//! then measured and written at once, with the prefix that all of these keys share, where a put of
//! each would look for its place and move heads and slots.
//!
//! ```text
//! rows 40 50 60 70    put of 40: [10 20 30] [40]    fill: [10 20 30] [40 50 60]    70 is put next
//! ```
//! Neither keys nor values may lie in pages of the transaction's frames.

const std = @import("std");
const config = @import("../config.zig");
const bytes_format = @import("../format/bytes.zig");
const page = @import("../format/page.zig");
const branch = @import("../format/branch.zig");
const entries = @import("../format/entries.zig");
const DirtyPages = @import("../store/DirtyPages.zig");
const keys = @import("keys.zig");
const insert = @import("insert.zig");
const rows_module = @import("rows.zig");

pub const Error = DirtyPages.WriteError;
pub const Row = rows_module.Row;

/// Fewer keys that do not fill the page say little about the keys to come: no prefix is made of
/// them. That of a page which grows by single puts is looked at from as many on.
const prefix_count_min = 8;

/// The finger has put `rows[0]`. If that is the last key of the tree, in a leaf of its own, the
/// rows behind it go into this leaf as well: as many as fit, stand in order and need no run.
/// Returns how many. The finger goes on behind the last of them, or else has no way.
pub fn fill(finger: *insert.Finger, rows: []const Row) Error!u32 {
    if (rows.len == 1) return 0;
    const dirty = finger.dirty;
    const tree = finger.tree;
    const path = &finger.path;
    const pages = dirty.pages();
    finger.reset();
    try path.descendLast(pages, tree.*);
    const level = path.depth - 1;
    const bytes = path.leaf().bytes;
    if (page.count(bytes) != 1) return 0;
    if (try keys.order(pages, bytes, 0, rows[0].key) != .eq) return 0;
    const plan = planOf(rows, @intCast(bytes.len));
    if (plan.count <= 1) return 0;
    const added = plan.count - 1;
    try path.touch(dirty, tree, level);
    try path.addEntries(level, added, false);
    tree.entries = try branch.entriesAfter(tree.entries, added);
    var writer: entries.LeafWriter = .init(plan.group, rows[0].key, path.writable(level));
    for (rows[0..plan.count]) |*row| writer.put(row.key, row.value);
    writer.finish();
    finger.resumeAt(plan.count - 1);
    return added;
}

/// Rows that make up a leaf, from the first on.
const Plan = struct { count: u32, group: entries.Group };

fn planOf(rows: []const Row, page_size: u32) Plan {
    var plan: Plan = .{ .count = 0, .group = undefined };
    var sum: u32 = 0;
    var common: u32 = 0;
    for (rows, 0..) |*row, index| {
        if (!insert.Entry.isInlineRow(page_size, row.key, row.value)) break;
        if (index == 0) {
            common = @intCast(row.key.len);
        } else {
            const before = rows[index - 1].key;
            if (bytes_format.order(before, row.key) != .lt) break;
            // Keys in order share with the first what each shares with the one before.
            common = @min(common, @as(u32, @intCast(bytes_format.commonPrefix(before, row.key))));
        }
        sum += entries.leafSize(row.key.len, row.value.len);
        const count: u32 = @intCast(index + 1);
        const prefix_size = entries.bestPrefix(common, count);
        const size = entries.pageSize(sum, prefix_size, count);
        if (size > page_size) break;
        plan.count = count;
        plan.group = .{ .from = 0, .to = count, .prefix_size = prefix_size, .size = size };
    }
    const is_full = plan.count < rows.len;
    const size_plain = entries.pageSize(sum, 0, plan.count);
    if (!is_full and plan.count < prefix_count_min and size_plain <= page_size) {
        plan.group.prefix_size = 0;
        plan.group.size = size_plain;
    }
    return plan;
}
