//! Removing all entries between two keys. Subtrees that lie inside as a whole are cut off: their
//! branch pages are read to name the pages below, their leaves only where a slot says that overflow
//! runs may lie there. What is left on both sides goes to `balance.zig`, one cut at a time.
//!
//! ```text
//! remove 15 <= key < 75
//!        [ .    30    60 ]                    [ .   75 ]
//!        /       |      \                      /      \
//!  [5 10 20]  (cut whole)  [60 70 80]     [5 10]      [80]
//! ```
//!
//! Invariant: a round takes at least one entry; the ways to both ends are looked up anew after it,
//! since pages may have been merged.

const std = @import("std");
const assert = std.debug.assert;
const config = @import("../config.zig");
const bytes_format = @import("../format/bytes.zig");
const page = @import("../format/page.zig");
const branch = @import("../format/branch.zig");
const entries = @import("../format/entries.zig");
const Pages = @import("../store/Pages.zig");
const DirtyPages = @import("../store/DirtyPages.zig");
const search = @import("search.zig");
const Path = @import("Path.zig");
const balance = @import("balance.zig");
const delete = @import("delete.zig");

pub const Error = DirtyPages.WriteError;

/// Removes the entries with `start` <= key < `end`; null means no bound. Returns how many there
/// were. O(depth) pages, and the branch pages of what is cut.
pub fn removeRange(
    dirty: *DirtyPages,
    tree: *page.Tree,
    start: ?[]const u8,
    end: ?[]const u8,
) Error!u64 {
    if (tree.depth == 0) return 0;
    if (start != null and end != null and bytes_format.order(start.?, end.?) != .lt) return 0;
    var left: Path = undefined;
    var right: Path = undefined;
    var removed: u64 = 0;
    var scissors: Scissors = .{ .dirty = dirty, .budget = pageLimit(dirty) };
    while (tree.depth > 0) {
        const pages = dirty.pages();
        try descendTo(&left, pages, tree.*, start, false);
        try descendTo(&right, pages, tree.*, end, true);
        const cut = findCut(&left, &right) orelse break;
        const count = try scissors.discard(&cut);
        const change: balance.Change = .{ .at = cut.from, .removed = cut.to - cut.from };
        const effect: balance.Effect = .{ .delta = -@as(i64, @intCast(count)) };
        try balance.apply(dirty, tree, cut.path, cut.level, change, effect);
        removed += count;
    }
    return removed;
}

/// No honest tree has more pages than this.
fn pageLimit(dirty: *const DirtyPages) u64 {
    return @as(u64, dirty.snapshot.page_count) + dirty.set.count();
}

fn descendTo(
    path: *Path,
    pages: Pages,
    tree: page.Tree,
    key: ?[]const u8,
    is_end: bool,
) Error!void {
    if (key) |bound| return path.descend(pages, tree, bound);
    if (is_end) return path.descendLast(pages, tree);
    return path.descendFirst(pages, tree);
}

/// Entries of one page that go, all that is below them included.
const Cut = struct { path: *Path, level: usize, from: u32, to: u32 };

/// The next cut: the highest one between the two ways, or null when nothing is left between them.
fn findCut(left: *Path, right: *Path) ?Cut {
    assert(left.depth == right.depth);
    const ground: usize = left.depth - 1;
    var fork: usize = 0;
    while (fork < ground and left.steps[fork].index == right.steps[fork].index) fork += 1;
    const from = left.steps[fork].index;
    const to = right.steps[fork].index;
    // Of a damaged tree.
    if (from > to) return null;
    if (fork == ground) {
        if (from == to) return null;
        return .{ .path = left, .level = ground, .from = from, .to = to };
    }
    if (from + 1 < to) return .{ .path = left, .level = fork, .from = from + 1, .to = to };
    for (fork + 1..left.depth) |level| {
        const step = left.steps[level];
        const first = if (level == ground) step.index else step.index + 1;
        const count = page.count(step.bytes);
        if (first < count) return .{ .path = left, .level = level, .from = first, .to = count };
    }
    for (fork + 1..right.depth) |level| {
        const index = right.steps[level].index;
        if (index > 0) return .{ .path = right, .level = level, .from = 0, .to = index };
    }
    return null;
}

/// Gives back what a cut takes out of the tree.
const Scissors = struct {
    dirty: *DirtyPages,
    /// Pages that may still be cut: a damaged tree may name a page many times.
    budget: u64,

    /// Returns the number of entries.
    fn discard(self: *Scissors, cut: *const Cut) Error!u64 {
        assert(cut.from < cut.to);
        const bytes = cut.path.steps[cut.level].bytes;
        const height = cut.path.depth - @as(u8, @intCast(cut.level));
        if (height == 1) {
            try delete.discardRuns(self.dirty, bytes, cut.from, cut.to);
            return cut.to - cut.from;
        }
        // The separators of the cut slots are dropped with the slots, by the change.
        for (cut.from..cut.to) |slot| {
            try self.discardSubtree(bytes, @intCast(slot), height - 1);
        }
        return branch.entriesIn(bytes, cut.from, cut.to);
    }

    const Step = struct { ref: page.Ref, bytes: []align(8) const u8, next: u32 };

    /// The subtree at `slot` of `parent`, whose root stands at `height`, 1 being a leaf.
    fn discardSubtree(
        self: *Scissors,
        parent: []align(8) const u8,
        slot: u32,
        height: u8,
    ) Error!void {
        var steps: [config.depth_max]Step = undefined;
        var top: usize = 0;
        if (height == 1) return self.discardLeaf(branch.child(parent, slot));
        steps[0] = try self.enter(parent, slot, height);
        // One round a slot of a branch, and each branch page is charged to the budget.
        while (true) {
            const step = &steps[top];
            const child_height = height - @as(u8, @intCast(top)) - 1;
            if (step.next == page.count(step.bytes)) {
                try self.discardSeparators(step.bytes);
                try self.dirty.discard(step.ref);
                if (top == 0) return;
                top -= 1;
                continue;
            }
            step.next += 1;
            if (child_height == 1) {
                try self.discardLeaf(branch.child(step.bytes, step.next - 1));
            } else {
                top += 1;
                steps[top] = try self.enter(step.bytes, step.next - 1, child_height);
            }
        }
    }

    fn charge(self: *Scissors) Error!void {
        if (self.budget == 0) return error.Corrupt;
        self.budget -= 1;
    }

    /// The branch page at `slot`, if its keys are inside those of its slot.
    fn enter(self: *Scissors, parent: []align(8) const u8, slot: u32, height: u8) Error!Step {
        assert(height > 1);
        try self.charge();
        const ref = branch.child(parent, slot).ref;
        const bytes = try search.child(self.dirty.pages(), ref, height);
        if (slot > 0) {
            const below = entries.itemOf(parent, slot).key;
            if (!below.isBelow(entries.itemOf(bytes, 1).key)) return error.Corrupt;
        }
        if (slot + 1 < page.count(parent)) {
            const above = entries.itemOf(parent, slot + 1).key;
            const last = entries.itemOf(bytes, page.count(bytes) - 1).key;
            if (!last.isBelow(above)) return error.Corrupt;
        }
        return .{ .ref = ref, .bytes = bytes, .next = 0 };
    }

    fn discardLeaf(self: *Scissors, child: branch.Child) Error!void {
        try self.charge();
        if (!child.has_runs) return self.dirty.discardUnread(child.ref);
        const bytes = try search.child(self.dirty.pages(), child.ref, 1);
        try delete.discardRuns(self.dirty, bytes, 0, page.count(bytes));
        try self.dirty.discard(child.ref);
    }

    fn discardSeparators(self: *Scissors, bytes: []align(8) const u8) Error!void {
        for (1..page.count(bytes)) |slot| {
            const tail = page.tail(bytes, @intCast(slot)) orelse continue;
            try self.dirty.discardRun(tail.run.ref(), tail.size);
        }
    }
};
