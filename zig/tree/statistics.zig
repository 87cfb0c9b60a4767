//! Counts the pages of a tree by kind. It reads every branch page, and a leaf page only where the
//! branch says that overflow runs lie in it; the separators of a branch may have such as well. It
//! never writes.

const std = @import("std");
const config = @import("../config.zig");
const page = @import("../format/page.zig");
const branch = @import("../format/branch.zig");
const leaf = @import("../format/leaf.zig");
const overflow = @import("../format/overflow.zig");
const Pages = @import("../store/Pages.zig");
const keys = @import("keys.zig");

pub const Statistics = struct {
    branch_pages: u64 = 0,
    leaf_pages: u64 = 0,
    overflow_pages: u64 = 0,
};

const Level = struct { bytes: []align(8) const u8, next: u32 };

pub fn of(pages: Pages, tree: page.Tree) keys.Error!Statistics {
    var result: Statistics = .{};
    if (tree.depth == 0) return result;
    if (tree.depth > config.depth_max) return error.Corrupt;
    var levels: [config.depth_max]Level = undefined;
    var depth: usize = 0;
    var ref = tree.ref;
    var has_runs = tree.has_runs;
    while (true) {
        if (depth + 1 == tree.depth) {
            result.leaf_pages += 1;
            if (has_runs) result.overflow_pages += try runPages(pages, ref);
        } else {
            const bytes = try pages.page(ref);
            if (page.kind(bytes) != .branch) return error.Corrupt;
            result.branch_pages += 1;
            if (branch.anyRuns(bytes)) result.overflow_pages += tailPages(bytes);
            levels[depth] = .{ .bytes = bytes, .next = 0 };
            depth += 1;
        }
        while (depth > 0 and levels[depth - 1].next == page.count(levels[depth - 1].bytes)) {
            depth -= 1;
        }
        if (depth == 0) return result;
        const level = &levels[depth - 1];
        const child = branch.child(level.bytes, level.next);
        level.next += 1;
        ref = child.ref;
        has_runs = child.has_runs;
    }
}

/// Pages of the runs that one leaf's entries refer to.
fn runPages(pages: Pages, ref: page.Ref) keys.Error!u64 {
    const bytes = try pages.page(ref);
    if (page.kind(bytes) != .leaf) return error.Corrupt;
    const page_size: u32 = @intCast(bytes.len);
    var count = tailPages(bytes);
    for (0..page.count(bytes)) |slot| {
        const value = leaf.value(bytes, @intCast(slot));
        if (value.kind == .overflow) count += overflow.pageCount(value.size, page_size);
    }
    return count;
}

/// Pages of the runs that hold the tails of a page's long keys.
fn tailPages(bytes: []align(8) const u8) u64 {
    const page_size: u32 = @intCast(bytes.len);
    var count: u64 = 0;
    for (0..page.count(bytes)) |slot| {
        const tail = page.tail(bytes, @intCast(slot)) orelse continue;
        count += overflow.pageCount(tail.size, page_size);
    }
    return count;
}
