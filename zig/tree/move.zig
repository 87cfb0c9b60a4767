//! Moves the pages of a tree that lie at the end of the file: they are copied into frames, and get
//! numbers anew when those are sealed. It reads every branch page, and of the leaves those that
//! move. Values in overflow runs stay where they are.
//!
//! ```text
//! limit 90:   [ 20 | 95 | 31 ]  page 12        [ 20 | * | 31 ]  page 12 copied for its child
//!              |     |    |           becomes    |    |    |
//!              20    95   31                     20   *    31   page 95 copied: a frame
//! ```

const std = @import("std");
const assert = std.debug.assert;
const config = @import("../config.zig");
const page = @import("../format/page.zig");
const branch = @import("../format/branch.zig");
const DirtyPages = @import("../store/DirtyPages.zig");

const Level = struct { ref: page.Ref, bytes: []align(8) const u8, next: u32 };

/// Copies the pages of `tree` from page `limit` on, and those above them, into frames of the
/// running transaction.
pub fn moveFrom(
    dirty: *DirtyPages,
    tree: *page.Tree,
    limit: u32,
) DirtyPages.WriteError!void {
    if (tree.depth == 0) return;
    if (tree.depth > config.depth_max) return error.Corrupt;
    if (isBehind(tree.ref, limit)) tree.ref = (try dirty.touch(tree.ref)).ref;
    if (tree.depth == 1) return;
    var levels: [config.depth_max]Level = undefined;
    levels[0] = try open(dirty, tree.ref);
    var depth: usize = 1;
    while (depth > 0) {
        const level = &levels[depth - 1];
        if (level.next == page.count(level.bytes)) {
            depth -= 1;
            continue;
        }
        const slot = level.next;
        level.next += 1;
        var ref = branch.child(level.bytes, slot).ref;
        if (isBehind(ref, limit)) {
            const touched = try dirty.touch(ref);
            try touch(dirty, tree, levels[0..depth]);
            branch.setRef(@constCast(level.bytes), slot, touched.ref);
            ref = touched.ref;
        }
        if (depth + 1 == tree.depth) continue;
        levels[depth] = try open(dirty, ref);
        depth += 1;
    }
}

fn isBehind(ref: page.Ref, limit: u32) bool {
    return !ref.dirty and ref.pgno >= limit;
}

fn open(dirty: *DirtyPages, ref: page.Ref) DirtyPages.WriteError!Level {
    const bytes = try dirty.pages().page(ref);
    if (page.kind(bytes) != .branch) return error.Corrupt;
    return .{ .ref = ref, .bytes = bytes, .next = 0 };
}

/// Makes the pages on the way writable, from the root down.
fn touch(dirty: *DirtyPages, tree: *page.Tree, levels: []Level) DirtyPages.WriteError!void {
    for (levels, 0..) |*level, index| {
        const touched = try dirty.touch(level.ref);
        level.* = .{ .ref = touched.ref, .bytes = touched.bytes, .next = level.next };
        if (index == 0) {
            tree.ref = touched.ref;
            continue;
        }
        const above = &levels[index - 1];
        branch.setRef(@constCast(above.bytes), above.next - 1, touched.ref);
    }
}
