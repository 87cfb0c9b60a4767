//! What a change of one page does to the pages above and beside it. Insertion, removal and the
//! cutting of ranges all end in `apply`: a page with room is changed in place; one that overflows
//! is put together anew, evened out with a neighbour, or split; one that runs low is merged with a
//! neighbour or evened out. Each of these is in turn a change of the parent.
//!
//! ```text
//! split                               even out                        merge
//!      [ .  30 ]                      [ .  30 ]                       [ .  30  60 ]
//!      /      \                       /      \                        /    |     \
//! [10 20]  [30 40 50]+45      [10 20]  [30 40 50]+45            [10]   [30 40]   [60 70]
//!      [ .  30  45 ]                  [ .  40 ]                       [ .  60 ]
//!      /    |    \                    /      \                        /      \
//! [10 20] [30 40] [45 50]     [10 20 30]  [40 45 50]            [10 30 40]   [60 70]
//! ```
//!
//! Pages that change places are built in new frames from the old bytes, and the old ones given back
//! last. Separators are the shortest between two leaves and move up or down between branches (Bayer
//! & Unterauer 1977). No recursion: one round a level.
//!
//! Invariants at the end: no page is empty; a branch has two children or more; entry counts are
//! exact. A page may stay low when its neighbour's longer keys do not fit without their prefix. An
//! error leaves the tree half changed: the caller rolls back.

const std = @import("std");
const assert = std.debug.assert;
const config = @import("../config.zig");
const bytes_format = @import("../format/bytes.zig");
const page = @import("../format/page.zig");
const leaf = @import("../format/leaf.zig");
const branch = @import("../format/branch.zig");
const entries = @import("../format/entries.zig");
const Pages = @import("../store/Pages.zig");
const DirtyPages = @import("../store/DirtyPages.zig");
const Path = @import("Path.zig");

const Item = entries.Item;
const Key = entries.Key;
const Group = entries.Group;
const Sequence = entries.Sequence;
pub const Error = DirtyPages.WriteError;

/// Entries of a page are replaced by others. In a branch the first new entry takes the separator of
/// the first old one.
pub const Change = struct {
    at: u32,
    removed: u32 = 0,
    added: []const Item = &.{},
    /// Separators of removed slots live on in a child, tails and all.
    keys_moved: bool = false,
};

/// What a change does to the entry counts.
pub const Effect = struct { delta: i64, has_runs: bool = false };

/// Applies `change` to the page of `path` at `level`. Nothing above has been told yet.
pub fn apply(
    dirty: *DirtyPages,
    tree: *page.Tree,
    path: *Path,
    level: usize,
    change: Change,
    effect: Effect,
) Error!void {
    assert(level < path.depth);
    assert(change.added.len <= 2);
    const size = sizeAfter(path.steps[level].bytes, change);
    if (size > path.steps[level].bytes.len or isLow(path, level, change, size)) {
        try reshapeUp(dirty, tree, path, level, change, effect);
    } else {
        try dropKeys(dirty, path.steps[level].bytes, change);
        try changeInPlace(dirty, tree, path, level, change, effect);
    }
    tree.entries = try branch.entriesAfter(tree.entries, effect.delta);
    tree.has_runs = tree.has_runs or effect.has_runs;
    // Of a file whose counts do not agree.
    if ((tree.depth == 0) != (tree.entries == 0)) return error.Corrupt;
}

/// What changes that are still to come do to a page.
pub const Pending = struct {
    /// Bytes of its gap that they take at most.
    gap_size: u32 = 0,
    /// Bytes in use that they add.
    size: i64 = 0,
    /// Entries that they add.
    count: u32 = 0,
};

/// Whether the change needs `edit` and nothing else, which then cannot fail.
pub fn isEdit(path: *const Path, level: usize, change: Change) bool {
    return pendingAfter(path, level, change, .{}) != null;
}

/// What is still to come with `change` behind `before`, changes that leave the places of entries to
/// be counted. Null: this one needs more than `edit`, which cannot fail as long as the leaf neither
/// overflows nor runs low, and is not put together anew.
pub fn pendingAfter(
    path: *const Path,
    level: usize,
    change: Change,
    before: Pending,
) ?Pending {
    const bytes = path.steps[level].bytes;
    assert(page.kind(bytes) == .leaf);
    assert(change.removed <= change.added.len);
    const alone = sizeAfter(bytes, change);
    if (alone > bytes.len) return null;
    const size = before.size + alone;
    if (size > bytes.len or isLow(path, level, change, @intCast(size))) return null;
    const prefix_size = page.header(bytes).prefix_size;
    var gap_size = before.gap_size;
    for (change.added) |item| gap_size += item.size() - prefix_size;
    if (gap_size > page.gapSize(bytes)) return null;
    const count = before.count + @as(u32, @intCast(change.added.len)) - change.removed;
    // Entries that come in leave first and last head as far apart as they are, or farther.
    if (isRefreshed(page.count(bytes) + count) and !headsDiffer(bytes)) return null;
    return .{ .gap_size = gap_size, .size = size - page.usedSize(bytes), .count = count };
}

/// Used bytes of the page after the change, with the prefix it has; above every page size when a
/// new key does not begin with that.
fn sizeAfter(bytes: []align(8) const u8, change: Change) u32 {
    assert(change.at + change.removed <= page.count(bytes));
    const is_branch = page.kind(bytes) == .branch;
    const prefix = page.prefix(bytes);
    var size = page.usedSize(bytes);
    for (change.at..change.at + change.removed) |index| {
        size -= @as(u32, @intCast(page.entry(bytes, @intCast(index)).len)) + config.slot_cost;
    }
    for (change.added, 0..) |item, index| {
        if (is_branch and index == 0) {
            size += @as(u32, @intCast(page.entry(bytes, change.at).len)) + config.slot_cost;
            continue;
        }
        const shared = Key.commonPrefix(item.key, .{ .local = prefix });
        if (shared < prefix.len) return std.math.maxInt(u32);
        size += item.size() - @as(u32, @intCast(prefix.len));
    }
    return size;
}

/// Whether the page at `level` should be merged. The root may hold as little as it likes.
fn isLow(path: *const Path, level: usize, change: Change, size: u32) bool {
    const bytes = path.steps[level].bytes;
    const count = page.count(bytes) - change.removed + change.added.len;
    if (count == 0) return true;
    if (level == 0) return false;
    if (count < 2 and page.kind(bytes) == .branch) return true;
    // A page that grows is not low by this change.
    if (change.removed < change.added.len) return false;
    return size - page.headsOffset(bytes) < bytes.len / 4;
}

/// The runs of separators that the change ends: those of removed slots, and that of a slot which
/// becomes the first.
fn dropKeys(dirty: *DirtyPages, bytes: []align(8) const u8, change: Change) Error!void {
    if (page.kind(bytes) == .leaf) return;
    var from = change.at;
    var to = change.at + change.removed;
    if (change.added.len > 0) from += 1;
    if (change.keys_moved) from = to;
    if (change.at == 0 and change.added.len == 0 and to < page.count(bytes)) to += 1;
    for (from..@max(from, to)) |slot| {
        const tail = page.tail(bytes, @intCast(slot)) orelse continue;
        try dirty.discardRun(tail.run.ref(), tail.size);
    }
}

fn changeInPlace(
    dirty: *DirtyPages,
    tree: *page.Tree,
    path: *Path,
    level: usize,
    change: Change,
    effect: Effect,
) Error!void {
    try path.touch(dirty, tree, level);
    try path.addEntries(level, effect.delta, effect.has_runs);
    try edit(path.writable(level), change);
    if (level == 0) try collapse(dirty, tree);
}

/// Changes a page that has room for it.
pub fn edit(bytes: []align(8) u8, change: Change) error{Corrupt}!void {
    const is_branch = page.kind(bytes) == .branch;
    const prefix_size = page.header(bytes).prefix_size;
    var size: u32 = 0;
    for (change.added, 0..) |item, index| {
        if (!is_branch or index > 0) size += item.size() - prefix_size;
    }
    if (size > page.gapSize(bytes)) return rebuild(bytes, change);
    var at = change.at;
    var removed = change.removed;
    var added = change.added;
    if (is_branch and added.len > 0) {
        assert(removed > 0);
        branch.setChild(bytes, at, childOf(added[0]));
        at += 1;
        removed -= 1;
        added = added[1..];
    }
    page.removeEntries(bytes, at, at + removed);
    for (added) |item| {
        try checkOrder(bytes, at, item.key);
        insertItem(bytes, at, item);
        at += 1;
    }
    if (is_branch and change.at == 0 and change.added.len == 0) branch.dropFirstKey(bytes);
    if (page.count(bytes) > 1) page.verify(bytes);
    if (added.len > 0) try refreshPrefix(bytes);
}

/// Puts an item into the gap.
fn insertItem(bytes: []align(8) u8, index: u32, item: Item) void {
    const prefix_size = page.header(bytes).prefix_size;
    const size = item.size() - config.slot_cost - prefix_size;
    const kind = page.kind(bytes);
    const out = page.insertEntry(bytes, index, size);
    const local = entries.writeItem(kind, out, item, prefix_size);
    page.setHead(bytes, index, local);
}

/// A separator that comes from a damaged child need not fit between its neighbours.
fn checkOrder(bytes: []align(8) const u8, index: u32, key: Key) error{Corrupt}!void {
    if (page.kind(bytes) == .leaf) return;
    if (index > 1 and !Key.isBelow(entries.itemOf(bytes, index - 1).key, key)) return error.Corrupt;
    if (index == page.count(bytes)) return;
    if (!Key.isBelow(key, entries.itemOf(bytes, index).key)) return error.Corrupt;
}

/// Puts the page together anew, changed, with the prefix that its keys now have.
fn rebuild(bytes: []align(8) u8, change: Change) error{Corrupt}!void {
    @branchHint(.unlikely);
    var copy_buffer: [config.page_size_max]u8 align(8) = undefined;
    const copy = copy_buffer[0..bytes.len];
    @memcpy(copy, bytes);
    var sequence: Sequence = .{ .kind = page.kind(copy) };
    addChanged(&sequence, copy, change);
    try sequence.check();
    const hint = page.header(copy).prefix_size;
    const group = sequence.measure(0, sequence.count, hint, @intCast(bytes.len));
    try sequence.build(group, bytes);
}

/// Gives a page that grew from few keys the longest prefix they have now, if its heads say nothing
/// any more. Looked at each time its count has doubled, so that the cost of an insert stays the
/// same; a page that overflows gets the best prefix anyway.
pub fn refreshPrefix(bytes: []align(8) u8) error{Corrupt}!void {
    const count = page.count(bytes);
    if (!isRefreshed(count)) return;
    if (headsDiffer(bytes)) return;
    const first: u32 = if (page.kind(bytes) == .leaf) 0 else 1;
    const first_key = entries.itemOf(bytes, first).key;
    const common = Key.commonPrefix(first_key, entries.itemOf(bytes, count - 1).key);
    if (common <= page.header(bytes).prefix_size) return;
    try rebuild(bytes, .{ .at = 0 });
}

/// Whether the heads of the page tell its keys apart.
fn headsDiffer(bytes: []align(8) const u8) bool {
    const first: u32 = if (page.kind(bytes) == .leaf) 0 else 1;
    const heads = page.heads(bytes);
    return heads[first] != heads[page.count(bytes) - 1];
}

const refresh_count_min = 8;

fn isRefreshed(count: u32) bool {
    return count >= refresh_count_min and std.math.isPowerOfTwo(count);
}

/// A root with one child gives way to it.
fn collapse(dirty: *DirtyPages, tree: *page.Tree) Error!void {
    for (0..config.depth_max) |_| {
        const bytes = try dirty.pages().page(tree.ref);
        if (page.kind(bytes) != .branch or page.count(bytes) > 1) return;
        const only = branch.child(bytes, 0);
        try dirty.discard(tree.ref);
        tree.ref = only.ref;
        tree.depth -= 1;
    }
}

fn childOf(item: Item) branch.Child {
    const slot: page.BranchEntry = @bitCast(item.header[0..@sizeOf(page.BranchEntry)].*);
    return .{
        .ref = .{
            .pgno = slot.pgno,
            .checksum = slot.checksum,
            .dirty = slot.flags & page.flag_dirty != 0,
        },
        .entries = slot.entries,
        .has_runs = slot.flags & page.flag_runs != 0,
    };
}

fn addChanged(sequence: *Sequence, bytes: []align(8) const u8, change: Change) void {
    const count = page.count(bytes);
    sequence.addRange(bytes, 0, change.at);
    for (change.added, 0..) |item, index| {
        var new = item;
        if (index == 0 and sequence.kind == .branch) {
            new.key = entries.itemOf(bytes, change.at).key;
        }
        sequence.addItem(new);
    }
    sequence.addRange(bytes, change.at + change.removed, count);
}

/// New pages on their way into their parent. Lives until the parent has taken them in.
const Stage = struct {
    items: [2]Item,
    headers: [2][@sizeOf(page.BranchEntry)]u8,
    separator: [config.local_size_max_any]u8,
    tail: [@sizeOf(page.TailBytes)]u8,

    fn set(self: *Stage, index: u32, child: branch.Child, key: Key) void {
        self.headers[index] = branch.entryBytes(child);
        self.items[index] = .{ .key = key, .header = &self.headers[index] };
    }

    /// A copy of `key` that outlives its page.
    fn keep(self: *Stage, key: Key, size: u32) Key {
        assert(size <= key.size());
        key.copyFirst(self.separator[0..size]);
        const tail = self.tail[0..key.tail.len];
        @memcpy(tail, key.tail);
        return .{ .local = self.separator[0..size], .tail = tail };
    }
};

/// Applies the change where pages must come and go, up to the level where a page has room.
fn reshapeUp(
    dirty: *DirtyPages,
    tree: *page.Tree,
    path: *Path,
    level: usize,
    change: Change,
    effect: Effect,
) Error!void {
    @branchHint(.unlikely);
    var stages: [2]Stage = undefined;
    var current = change;
    var at_level = level;
    while (true) {
        const bytes = path.steps[at_level].bytes;
        const stage = &stages[at_level % 2];
        try dropKeys(dirty, bytes, current);
        const size = sizeAfter(bytes, current);
        const is_low = isLow(path, at_level, current, size);
        const next = if (is_low)
            try refill(dirty, path, at_level, current, stage)
        else if (size > bytes.len)
            try relieve(dirty, path, at_level, current, stage)
        else
            null;
        current = next orelse {
            return changeInPlace(dirty, tree, path, at_level, current, effect);
        };
        if (at_level == 0) return plant(dirty, tree, current.added);
        at_level -= 1;
    }
}

/// What is left of the old root becomes the tree.
fn plant(dirty: *DirtyPages, tree: *page.Tree, items: []const Item) Error!void {
    if (items.len == 0) {
        tree.ref = page.Tree.empty.ref;
        tree.depth = 0;
        tree.has_runs = false;
        return;
    }
    if (items.len == 1) {
        tree.ref = childOf(items[0]).ref;
        return;
    }
    if (tree.depth == config.depth_max) return error.Corrupt;
    var sequence: Sequence = .{ .kind = .branch };
    for (items) |item| sequence.addItem(item);
    const root = try dirty.create();
    const group = sequence.measure(0, 2, 0, @intCast(root.bytes.len));
    try sequence.build(group, root.bytes);
    tree.ref = root.ref;
    tree.depth += 1;
}

const Neighbour = struct { ref: page.Ref, bytes: []align(8) const u8, is_left: bool };

/// The emptier of the pages beside the page at `level`, below the same parent.
fn neighbourOf(pages: Pages, path: *const Path, level: usize) Error!?Neighbour {
    if (level == 0) return null;
    const parent = path.steps[level - 1];
    var best: ?Neighbour = null;
    for ([_]bool{ true, false }) |is_left| {
        if (is_left and parent.index == 0) continue;
        if (!is_left and parent.index + 1 >= page.count(parent.bytes)) continue;
        const slot = if (is_left) parent.index - 1 else parent.index + 1;
        const child = branch.child(parent.bytes, slot);
        const bytes = try pages.page(child.ref);
        if (page.kind(bytes) != page.kind(path.steps[level].bytes)) return error.Corrupt;
        if (page.kind(bytes) == .leaf and page.count(bytes) != child.entries) return error.Corrupt;
        if (best) |other| if (page.freeSize(other.bytes) >= page.freeSize(bytes)) continue;
        best = .{ .ref = child.ref, .bytes = bytes, .is_left = is_left };
    }
    return best;
}

/// The page at `level`, changed, and its neighbour as one sequence.
fn addPair(
    sequence: *Sequence,
    path: *const Path,
    level: usize,
    change: Change,
    other: Neighbour,
) error{Corrupt}!void {
    assert(level > 0);
    assert(sequence.count == 0);
    const bytes = path.steps[level].bytes;
    const parent = path.steps[level - 1];
    const separator_slot = if (other.is_left) parent.index else parent.index + 1;
    const separator = entries.itemOf(parent.bytes, separator_slot).key;
    if (other.is_left) {
        sequence.addRange(other.bytes, 0, page.count(other.bytes));
        sequence.joinAt(separator);
        addChanged(sequence, bytes, change);
    } else {
        addChanged(sequence, bytes, change);
        sequence.joinAt(separator);
        sequence.addRange(other.bytes, 0, page.count(other.bytes));
    }
    try sequence.check();
}

/// The page at `level` runs low: takes it away when it is empty, merges it with a neighbour, or
/// fetches entries from there. Null when it had better stay as it is, changed in place.
fn refill(
    dirty: *DirtyPages,
    path: *Path,
    level: usize,
    change: Change,
    stage: *Stage,
) Error!?Change {
    const bytes = path.steps[level].bytes;
    if (page.count(bytes) == change.removed and change.added.len == 0) {
        try dirty.discard(path.steps[level].ref);
        if (level == 0) return .{ .at = 0, .removed = 0 };
        return .{ .at = path.steps[level - 1].index, .removed = 1 };
    }
    const other = try neighbourOf(dirty.pages(), path, level) orelse return error.Corrupt;
    var sequence: Sequence = .{ .kind = page.kind(bytes) };
    try addPair(&sequence, path, level, change, other);
    const limit: u32 = @intCast(bytes.len);
    const hint = @min(page.header(bytes).prefix_size, page.header(other.bytes).prefix_size);
    const whole = sequence.measure(0, sequence.count, hint, limit);
    if (whole.size <= limit) {
        return try replace(dirty, path, level, &sequence, &.{whole}, other, stage);
    }
    const groups = splitAnyhow(&sequence, hint, limit) orelse return null;
    return try replace(dirty, path, level, &sequence, &groups, other, stage);
}

/// The page at `level` overflows: shortens its entries by a better prefix, gives some to a
/// neighbour, or splits it.
fn relieve(
    dirty: *DirtyPages,
    path: *Path,
    level: usize,
    change: Change,
    stage: *Stage,
) Error!Change {
    const bytes = path.steps[level].bytes;
    const limit: u32 = @intCast(bytes.len);
    const hint = page.header(bytes).prefix_size;
    const is_append = isAppend(path, level, change);
    const is_full = page.kind(bytes) == .leaf and sizeAtLeast(bytes, change) > limit;
    if (is_full and is_append) return appendLeaf(dirty, path, level, change.added[0], stage);
    var sequence: Sequence = .{ .kind = page.kind(bytes) };
    if (!is_full) {
        addChanged(&sequence, bytes, change);
        try sequence.check();
        const whole = sequence.measure(0, sequence.count, hint, limit);
        if (whole.size <= limit) {
            return try replace(dirty, path, level, &sequence, &.{whole}, null, stage);
        }
    }
    if (!is_append) {
        if (try evenOut(dirty, path, level, change, stage)) |next| return next;
    }
    if (is_full) {
        addChanged(&sequence, bytes, change);
        try sequence.check();
    }
    if (is_append) {
        if (splitAt(&sequence, sequence.count - groupCountMin(&sequence), hint, limit)) |groups| {
            return try replace(dirty, path, level, &sequence, &groups, null, stage);
        }
    }
    const groups = splitAnyhow(&sequence, hint, limit) orelse return error.Corrupt;
    return try replace(dirty, path, level, &sequence, &groups, null, stage);
}

/// Shares the entries of the page at `level`, changed, with a neighbour that has room. Null when
/// none has.
fn evenOut(
    dirty: *DirtyPages,
    path: *Path,
    level: usize,
    change: Change,
    stage: *Stage,
) Error!?Change {
    const bytes = path.steps[level].bytes;
    const limit: u32 = @intCast(bytes.len);
    const other = try neighbourOf(dirty.pages(), path, level) orelse return null;
    if (page.freeSize(other.bytes) < limit / even_out_divisor) return null;
    var pair: Sequence = .{ .kind = page.kind(bytes) };
    try addPair(&pair, path, level, change, other);
    const hint = page.header(bytes).prefix_size;
    const groups = splitEvenly(&pair, hint, limit) orelse return null;
    return try replace(dirty, path, level, &pair, &groups, other, stage);
}

/// The least that a leaf takes after a change that adds to it: with the longest prefix its keys
/// share, and that without padding.
fn sizeAtLeast(bytes: []align(8) const u8, change: Change) u32 {
    assert(page.kind(bytes) == .leaf);
    assert(change.added.len == 1);
    const prefix_size = page.header(bytes).prefix_size;
    const old_count = page.count(bytes);
    const end = change.at + change.removed;
    const added = change.added[0];
    const first = if (change.at == 0) added.key else entries.itemOf(bytes, 0).key;
    const last = if (end == old_count) added.key else entries.itemOf(bytes, old_count - 1).key;
    var size = page.usedSize(bytes) - bytes_format.padded(prefix_size) + prefix_size * old_count;
    for (change.at..end) |index| {
        size -= @intCast(page.entry(bytes, @intCast(index)).len + config.slot_cost + prefix_size);
    }
    const count = old_count - change.removed + 1;
    return size + added.size() - Key.commonPrefix(first, last) * (count - 1);
}

/// A neighbour with less room than this part of a page is not worth two writes.
const even_out_divisor = 6;

/// Whether the change puts something behind the last entry of the tree's last page of this level.
fn isAppend(path: *const Path, level: usize, change: Change) bool {
    const bytes = path.steps[level].bytes;
    if (change.added.len != change.removed + 1) return false;
    if (change.at + change.removed != page.count(bytes)) return false;
    return path.isLast(level);
}

/// A new last leaf for an entry behind the full one at `level`, which stays as it is.
fn appendLeaf(
    dirty: *DirtyPages,
    path: *const Path,
    level: usize,
    item: Item,
    stage: *Stage,
) Error!Change {
    const step = path.steps[level];
    const limit: u32 = @intCast(step.bytes.len);
    const count = page.count(step.bytes);
    const hint = Key.commonPrefix(entries.itemOf(step.bytes, 0).key, item.key);
    const last = entries.itemOf(step.bytes, count - 1).key;
    if (!Key.isBelow(last, item.key)) return error.Corrupt;
    var sequence: Sequence = .{ .kind = .leaf };
    sequence.addItem(item);
    const new = try dirty.create();
    try sequence.build(sequence.measure(0, 1, hint, limit), new.bytes);
    const has_runs = leaf.anyRuns(step.bytes);
    stage.set(0, .{ .ref = step.ref, .entries = count, .has_runs = has_runs }, Key.none);
    stage.set(1, summaryOf(new), try separatorBetween(dirty, last, item.key, stage));
    return .{
        .at = if (level == 0) 0 else path.steps[level - 1].index,
        .removed = 1,
        .added = stage.items[0..2],
    };
}

/// Entries that a page keeps at least.
fn groupCountMin(sequence: *const Sequence) u32 {
    return if (sequence.kind == .leaf) 1 else 2;
}

/// Cuts the sequence into two pages of about the same size: near the middle, where a short
/// separator stands. Null when these do not fit.
fn splitEvenly(sequence: *const Sequence, hint: u32, limit: u32) ?[2]Group {
    if (sequence.count < 2 * groupCountMin(sequence)) return null;
    const middle = balanced(sequence);
    const near = shortestNear(sequence, middle);
    return splitAt(sequence, near, hint, limit) orelse splitAt(sequence, middle, hint, limit);
}

/// Cuts the sequence into two pages that fit, if need be so that one holds the least it may: keys
/// that share much may fill a page that they would overflow without their prefix.
fn splitAnyhow(sequence: *const Sequence, hint: u32, limit: u32) ?[2]Group {
    const least = groupCountMin(sequence);
    if (splitEvenly(sequence, hint, limit)) |groups| return groups;
    if (splitAt(sequence, least, hint, limit)) |groups| return groups;
    return splitAt(sequence, sequence.count -| least, hint, limit);
}

fn splitAt(sequence: *const Sequence, at: u32, hint: u32, limit: u32) ?[2]Group {
    const least = groupCountMin(sequence);
    if (at < least or at + least > sequence.count) return null;
    const left = sequence.measure(0, at, hint, limit);
    if (left.size > limit) return null;
    // Keys to come will share with the new page what they shared with the old.
    const right_hint = @max(hint, left.prefix_size);
    const right = sequence.measure(at, sequence.count, right_hint, limit);
    if (right.size > limit) return null;
    return .{ left, right };
}

/// The cut that leaves the larger side as small as can be. Sizes without the prefix that all share.
fn balanced(sequence: *const Sequence) u32 {
    const least = groupCountMin(sequence);
    assert(sequence.count >= 2 * least);
    const shared = sequence.commonPrefix();
    // The first entry of a branch has no key; a few bytes too many do no harm.
    var total: u32 = 0;
    for (sequence.sizes[0..sequence.count]) |size| total += size -| shared;
    var before: u32 = 0;
    var index: u32 = 0;
    while (index < sequence.count - least) : (index += 1) {
        const size = sequence.sizes[index] -| shared;
        // Half of the entry or more would be beyond the middle.
        if (index >= least and 2 * before + size > total) break;
        before += size;
    }
    return index;
}

/// A cut close to `middle` with the shortest separator.
fn shortestNear(sequence: *const Sequence, middle: u32) u32 {
    const least = groupCountMin(sequence);
    const reach = sequence.count / 24;
    const from = @max(least, middle -| reach);
    const to = @min(sequence.count - least, middle + reach);
    var best = middle;
    var best_size = separatorSize(sequence, middle);
    var index = from;
    while (index <= to) : (index += 1) {
        const size = separatorSize(sequence, index);
        if (size >= best_size) continue;
        best = index;
        best_size = size;
    }
    return best;
}

fn separatorSize(sequence: *const Sequence, at: u32) u32 {
    const key = sequence.at(at).key;
    if (sequence.kind == .branch) return key.size() + @as(u32, @intCast(key.tail.len));
    return Key.commonPrefix(sequence.at(at - 1).key, key) + 1;
}

/// Builds the pages of `groups` in place of the page at `level` and its neighbour `other`. Returns
/// what that is to their parent.
fn replace(
    dirty: *DirtyPages,
    path: *Path,
    level: usize,
    sequence: *const Sequence,
    groups: []const Group,
    other: ?Neighbour,
    stage: *Stage,
) Error!Change {
    assert(groups.len > 0);
    assert(groups[groups.len - 1].to == sequence.count);
    for (groups, 0..) |group, index| {
        const new = try dirty.create();
        try sequence.build(group, new.bytes);
        var key = Key.none;
        if (index > 0) key = try separatorAt(dirty, sequence, group.from, stage);
        stage.set(@intCast(index), summaryOf(new), key);
    }
    try dirty.discard(path.steps[level].ref);
    if (other) |neighbour| try dirty.discard(neighbour.ref);
    const slot = if (level == 0) 0 else path.steps[level - 1].index;
    const is_left = if (other) |neighbour| neighbour.is_left else false;
    return .{
        .at = if (is_left) slot - 1 else slot,
        .removed = if (other == null) 1 else 2,
        .added = stage.items[0..groups.len],
        .keys_moved = other != null and sequence.kind == .branch,
    };
}

/// What a parent keeps of a page.
pub fn summaryOf(new: DirtyPages.Touched) branch.Child {
    const count = page.count(new.bytes);
    const is_leaf = page.kind(new.bytes) == .leaf;
    return .{
        .ref = new.ref,
        .entries = if (is_leaf) count else branch.entriesIn(new.bytes, 0, count),
        .has_runs = if (is_leaf) leaf.anyRuns(new.bytes) else branch.anyRuns(new.bytes),
    };
}

/// The separator between entries `at` - 1 and `at`: of branches the key that moves up.
fn separatorAt(dirty: *DirtyPages, sequence: *const Sequence, at: u32, stage: *Stage) Error!Key {
    const right = sequence.at(at).key;
    if (sequence.kind == .branch) return stage.keep(right, right.size());
    return separatorBetween(dirty, sequence.at(at - 1).key, right, stage);
}

/// The shortest key that is above `left` and not above `right`, two neighbours in leaves.
fn separatorBetween(dirty: *DirtyPages, left: Key, right: Key, stage: *Stage) Error!Key {
    const common = Key.commonPrefix(left, right);
    if (common < right.size()) {
        return stage.keep(.{ .prefix = right.prefix, .local = right.local }, common + 1);
    }
    return separatorWithTail(dirty, left, right, stage);
}

/// Two long keys that differ in their tails only: the separator gets a tail of its own.
fn separatorWithTail(dirty: *DirtyPages, left: Key, right: Key, stage: *Stage) Error!Key {
    const left_tail = try tailOf(dirty.pages(), left);
    const right_tail = try tailOf(dirty.pages(), right);
    const common = Key.commonPrefix(.{ .local = left_tail }, .{ .local = right_tail });
    if (common >= right_tail.len) return error.Corrupt;
    const run = try dirty.writeRun(right_tail[0 .. common + 1]);
    const tail: page.TailBytes = .{ .size = common + 1, .run = page.RunBytes.of(run) };
    const tail_bytes: [@sizeOf(page.TailBytes)]u8 = @bitCast(tail);
    const local: Key = .{ .prefix = right.prefix, .local = right.local, .tail = &tail_bytes };
    return stage.keep(local, local.size());
}

fn tailOf(pages: Pages, key: Key) Error![]const u8 {
    if (key.tail.len == 0) return "";
    const tail: page.TailBytes = @bitCast(key.tail[0..@sizeOf(page.TailBytes)].*);
    return pages.run(tail.run.ref(), tail.size);
}
