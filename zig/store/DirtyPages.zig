//! The pages that a write transaction has copied or made, in private memory (`FrameSet`), and
//! their way into the file. A branch refers to a dirty child by frame number; page numbers and
//! checksums come with `seal`, children before parents. Nothing in the file that anybody could see
//! is ever changed. A store that one process has to itself publishes states whose newest pages are
//! still frames (`keeps_frames`); else every commit seals.
//!
//! Invariants: a frame that a published state, a savepoint or a freeze may show is never changed,
//! it is copied; an overflow run is written when it is made, to pages nobody can see; after an
//! error the transaction must be rolled back or aborted.

const std = @import("std");
const assert = std.debug.assert;
const Allocator = std.mem.Allocator;
const config = @import("../config.zig");
const bytes_format = @import("../format/bytes.zig");
const page_format = @import("../format/page.zig");
const branch = @import("../format/branch.zig");
const overflow = @import("../format/overflow.zig");
const File = @import("File.zig");
const FreeSpace = @import("FreeSpace.zig");
const FrameSet = @import("FrameSet.zig");
const Pages = @import("Pages.zig");
const Snapshot = @import("Snapshot.zig");

const DirtyPages = @This();

pub const WriteError = File.Error || FreeSpace.Error;

/// Sealed pages that lie together are written in pieces of at most this many bytes (or one page).
/// The kernel caches what one call writes in one piece, and where that is large (ext4 on Linux 6.16
/// and later, up to 2 MiB) every later write of a page in it walks through all of its blocks: with
/// pieces of 1 MiB a commit of one put took 1.5 times as long.
const piece_size = 16 << 10;
/// Pages of a piece at most.
const run_page_count_max = piece_size / config.page_size_min;
/// How many pages ahead the next one to be sealed is fetched, and how much of it.
const fetch_distance = 1;
const fetch_size_max = 4096;
/// The same for runs, which are written and freed as a whole.
const run_piece_size = 32 << 10;
/// Memory kept for the next transaction, bytes.
const frames_keep_size = 8 << 20;

pub const Touched = struct { ref: page_format.Ref, bytes: []align(8) u8 };

pub const Outcome = enum { published, aborted };

/// Records name runs of commits up to `newest`; those behind the checkpoint `checkpointed`, which
/// was the last complete one when the transaction began, may be replayed.
pub const Naming = struct { newest: u64 = 0, checkpointed: u64 = 0 };

const Savepoint = struct {
    epoch: u64,
    floor_before: u64,
    superseded: usize,
    taken: usize,
    space: FreeSpace.Mark,
};

allocator: Allocator,
file: *File,
space: *FreeSpace,
set: *FrameSet,
/// Frames of the published trees live on; what is written of them, and when, `seal` decides.
keeps_frames: bool = false,
/// Value runs of so many bytes and more may be named by log records.
named_run_size_min: u64 = std.math.maxInt(u64),
/// Which runs a record behind the last completed checkpoint may name.
naming: Naming = .{},
/// The published state below, with the page count of this transaction.
snapshot: Snapshot = undefined,
txnid: u64 = 0,
/// Frames made from now on carry it. It never returns to an earlier value.
epoch: u64 = 0,
/// Frames of this transaction carry at least this.
first_epoch: u64 = 0,
/// Frames with a smaller epoch must not be changed.
floor: u64 = 0,
/// Ranges that read this transaction's frames.
freeze_count: u32 = 0,
savepoints: std.ArrayList(Savepoint) = .empty,
/// Frames this transaction took, perhaps given back and taken again since.
taken: std.ArrayList(u32) = .empty,
/// Frames no longer in the tree that a savepoint, a range or a published state may need.
superseded: std.ArrayList(u32) = .empty,
/// What `seal` works with, kept from one commit to the next; `stage` holds a piece.
sealed: std.ArrayList(Sealed) = .empty,
/// `sealed` has the pages of `plan`, numbered and not yet written.
is_planned: bool = false,
numbers: std.ArrayList(u32) = .empty,
stage: std.ArrayListAligned(u8, .@"64") = .empty,

pub fn deinit(self: *DirtyPages) void {
    self.savepoints.deinit(self.allocator);
    self.taken.deinit(self.allocator);
    self.superseded.deinit(self.allocator);
    self.sealed.deinit(self.allocator);
    self.numbers.deinit(self.allocator);
    self.stage.deinit(self.allocator);
    self.set.destroy();
}

/// Begins commit `txnid` over `snapshot`. Readers pin the states `pinned`; `FreeSpace.begin` has
/// been called.
pub fn begin(
    self: *DirtyPages,
    snapshot: Snapshot,
    txnid: u64,
    naming: Naming,
    pinned: []const u64,
) error{OutOfMemory}!void {
    assert(self.taken.items.len == 0);
    assert(self.superseded.items.len == 0);
    assert(self.savepoints.items.len == 0);
    self.is_planned = false;
    try self.set.collect(pinned);
    self.snapshot = snapshot;
    // Pages that the transaction writes before its end carry its own number.
    self.snapshot.txnid = txnid;
    self.txnid = txnid;
    self.naming = naming;
    self.epoch += 1;
    self.first_epoch = self.epoch;
    self.floor = self.epoch;
    self.freeze_count = 0;
}

/// Ends the transaction. Frames that somebody may still be reading wait until nobody does.
pub fn end(self: *DirtyPages, outcome: Outcome) void {
    if (outcome == .published) {
        for (self.superseded.items) |index| {
            if (self.isOwn(index)) self.drop(index) else {
                self.set.retire(index, self.set.txnid(index), self.txnid);
            }
        }
    }
    if (outcome == .aborted or !self.keeps_frames) self.dropTaken();
    self.savepoints.clearRetainingCapacity();
    self.taken.clearRetainingCapacity();
    self.superseded.clearRetainingCapacity();
    if (!self.keeps_frames and self.set.count() == 0) self.set.trim(frames_keep_size);
}

fn dropTaken(self: *DirtyPages) void {
    for (self.taken.items) |index| {
        if (self.isOwn(index)) self.drop(index);
    }
}

/// True if this transaction made the frame, and it is in use.
pub fn isOwn(self: *const DirtyPages, index: u32) bool {
    return self.set.isInUse(index) and self.set.epoch(index) >= self.first_epoch;
}

/// A frame of this transaction is not needed any more, except by a range, which has pinned the
/// transaction's own number.
fn drop(self: *DirtyPages, index: u32) void {
    if (self.freeze_count == 0) return self.set.give(index);
    // No longer this transaction's: it may stand in its lists more than once.
    self.set.disown(index);
    self.set.retire(index, self.txnid, self.txnid + 1);
}

/// Frames of the transaction's trees, those of earlier commits included.
pub fn liveCount(self: *const DirtyPages) usize {
    return self.set.count() -| self.set.retired_count -| self.superseded.items.len;
}

pub fn pages(self: *const DirtyPages) Pages {
    return .{ .snapshot = &self.snapshot, .frames = self.set };
}

/// The page `ref`, writable: itself if this transaction made it since the last savepoint, else a
/// copy. Its parent must be told the returned ref.
pub fn touch(self: *DirtyPages, ref: page_format.Ref) WriteError!Touched {
    if (ref.dirty and self.set.epoch(ref.pgno) >= self.floor) {
        return .{ .ref = ref, .bytes = self.set.bytes(ref.pgno) };
    }
    const source = try self.pages().page(ref);
    const copy = try self.create();
    @memcpy(copy.bytes, source);
    try self.discard(ref);
    return copy;
}

/// Outside of a transaction: the page `ref`, which reads `bytes`, for commit `by` to change while
/// nobody can pin a state. A frame that is younger than `newest_pin` is seen by nobody and changed
/// itself; anything else is copied, into a frame that was reserved. The caller has released a page
/// of the file.
pub fn change(
    self: *DirtyPages,
    ref: page_format.Ref,
    bytes: []align(8) const u8,
    by: u64,
    newest_pin: u64,
) Touched {
    const set = self.set;
    if (ref.dirty and set.txnid(ref.pgno) > newest_pin) {
        return .{ .ref = ref, .bytes = set.bytes(ref.pgno) };
    }
    // The next transaction's epoch is greater: to it this frame is one of the published state.
    const index = set.takeReserved(self.epoch, by);
    @memcpy(set.bytes(index), bytes);
    if (ref.dirty) set.retire(ref.pgno, set.txnid(ref.pgno), by);
    return .{ .ref = set.refOf(index), .bytes = set.bytes(index) };
}

/// A new page with undefined contents.
pub fn create(self: *DirtyPages) WriteError!Touched {
    try self.taken.ensureUnusedCapacity(self.allocator, 1);
    const index = try self.set.take(self.epoch, self.txnid);
    self.taken.appendAssumeCapacity(index);
    return .{ .ref = self.set.refOf(index), .bytes = self.set.bytes(index) };
}

/// The tree no longer holds `ref`.
pub fn discard(self: *DirtyPages, ref: page_format.Ref) WriteError!void {
    if (!ref.dirty) {
        const bytes = try self.snapshot.page(ref);
        return self.space.release(ref.pgno, 1, page_format.txnid(bytes));
    }
    if (self.set.epoch(ref.pgno) >= self.floor) return self.set.give(ref.pgno);
    try self.superseded.append(self.allocator, ref.pgno);
}

/// The tree no longer holds the clean page `ref`, which nobody has read: it need not be valid.
/// Its birth is unknown, so it waits for the next checkpoint and every reader.
pub fn discardUnread(self: *DirtyPages, ref: page_format.Ref) WriteError!void {
    if (ref.dirty) return self.discard(ref);
    return self.space.release(ref.pgno, 1, 0);
}

/// Writes `bytes` to contiguous pages of their own.
pub fn writeRun(self: *DirtyPages, bytes: []const u8) WriteError!page_format.RunRef {
    const count = overflow.pageCount(@intCast(bytes.len), self.file.page_size);
    const pgno = try self.space.allocate(count);
    try self.file.reserve(self.space.page_count);
    try self.writePieces(pgno, bytes);
    try self.file.map(self.space.page_count);
    self.snapshot.page_count = @max(self.snapshot.page_count, self.space.page_count);
    const checksum = overflow.checksum(bytes, pgno);
    self.file.setVerified(pgno, checksum);
    return .{ .pgno = pgno, .checksum = checksum, .txnid = self.txnid };
}

/// Writes a run in pieces that end where the kernel would end one of theirs: it takes memory for
/// each in one piece, and large ones are dear where they are not in its cache yet (1 MiB: 1.6 ms of
/// the processor in one call, 0.4 in these).
fn writePieces(self: *DirtyPages, pgno: u32, bytes: []const u8) WriteError!void {
    const page_size = self.file.page_size;
    const piece_page_count = @max(1, run_piece_size / page_size);
    var at = pgno;
    var rest = bytes;
    while (rest.len > 0) {
        const count = piece_page_count - at % piece_page_count;
        const size = @min(rest.len, @as(usize, count) * page_size);
        try self.file.write(at, rest[0..size]);
        rest = rest[size..];
        at += count;
    }
}

/// Makes the run that a log record names, and that was found whole, one of this transaction: no
/// page of it may be taken for anything else. Call it before anything is allocated.
pub fn claimRun(self: *DirtyPages, pgno: u32, size: u32) WriteError!void {
    try self.space.claim(pgno, overflow.pageCount(size, self.file.page_size));
    try self.file.reserve(self.space.page_count);
    try self.file.map(self.space.page_count);
    self.snapshot.page_count = @max(self.snapshot.page_count, self.space.page_count);
}

/// The record of this transaction names a run.
pub fn nameRun(self: *DirtyPages) void {
    self.naming.newest = self.txnid;
}

/// The tree no longer holds the run `ref` of `size` bytes. A record behind the last checkpoint may
/// name it, even that of this transaction, and is worth nothing without it: then it stays as it is
/// until a later checkpoint is complete, as if the last one had it.
pub fn discardRun(self: *DirtyPages, ref: page_format.RunRef, size: u32) WriteError!void {
    const is_named = size >= self.named_run_size_min and ref.txnid <= self.naming.newest;
    const birth = if (is_named) @min(ref.txnid, self.naming.checkpointed) else ref.txnid;
    try self.space.release(ref.pgno, overflow.pageCount(size, self.file.page_size), birth);
}

/// From now on `rollback` can return to this moment. Returns its level, from 0.
pub fn savepoint(self: *DirtyPages) WriteError!u32 {
    try self.savepoints.ensureUnusedCapacity(self.allocator, 1);
    self.epoch += 1;
    self.savepoints.appendAssumeCapacity(.{
        .epoch = self.epoch,
        .floor_before = self.floor,
        .superseded = self.superseded.items.len,
        .taken = self.taken.items.len,
        .space = self.space.mark(),
    });
    self.floor = self.epoch;
    self.space.pinned += 1;
    return @intCast(self.savepoints.items.len - 1);
}

/// Takes back everything since savepoint `level`, which ends, as do those inside it. The caller
/// puts its trees back to what they were.
pub fn rollback(self: *DirtyPages, level: u32) void {
    assert(level < self.savepoints.items.len);
    const to = self.savepoints.items[level];
    self.space.rollback(to.space);
    self.superseded.shrinkRetainingCapacity(to.superseded);
    for (self.taken.items[to.taken..]) |index| {
        if (self.isOwn(index) and self.set.epoch(index) >= to.epoch) self.drop(index);
    }
    self.taken.shrinkRetainingCapacity(to.taken);
    self.dropSavepoints(level);
}

/// Savepoint `level` and those inside it end; what was done stays.
pub fn releaseSavepoint(self: *DirtyPages, level: u32) void {
    assert(level < self.savepoints.items.len);
    self.dropSavepoints(level);
    if (level == 0 and self.freeze_count == 0) {
        var kept: usize = 0;
        for (self.superseded.items) |index| {
            if (self.isOwn(index)) {
                self.set.give(index);
                continue;
            }
            self.superseded.items[kept] = index;
            kept += 1;
        }
        self.superseded.shrinkRetainingCapacity(kept);
    }
}

fn dropSavepoints(self: *DirtyPages, level: u32) void {
    const dropped = self.savepoints.items.len - level;
    if (self.freeze_count == 0) self.floor = self.savepoints.items[level].floor_before;
    self.space.pinned -= @intCast(dropped);
    self.savepoints.shrinkRetainingCapacity(level);
}

/// From now on every frame and run of this moment stays as it is until the transaction ends, and
/// for as long as its number is pinned after that: a range reads them.
pub fn freeze(self: *DirtyPages) void {
    self.epoch += 1;
    self.floor = self.epoch;
    // Until the end of the transaction: neither given back nor reused inside it.
    if (self.freeze_count == 0) self.space.pinned += 1;
    self.space.is_read = true;
    self.freeze_count += 1;
}

/// A page on its way into the file: its place in its parent, and its dirty children in the list.
const Sealed = struct {
    frame: u32,
    slot: u32,
    first_child: u32 = 0,
    child_count: u32 = 0,
    /// Of a root: where the pages of its tree end in the list.
    tree_end: u32 = 0,
    ref: page_format.Ref = undefined,
};

/// Gives the dirty pages of `trees` their numbers and writes nothing: what the commit takes is
/// known from here on. These trees alone are sealed then, once each, and no page is added to them
/// before.
pub fn plan(self: *DirtyPages, trees: []const *page_format.Tree) WriteError!void {
    assert(!self.is_planned);
    const list = &self.sealed;
    list.clearRetainingCapacity();
    for (trees) |tree| {
        if (tree.depth > 0 and tree.ref.dirty) try self.collect(list, tree);
    }
    if (list.items.len == 0) return;
    try self.assignNumbers(list.items);
    try self.file.reserve(self.space.page_count);
    self.is_planned = true;
}

/// Pages that have numbers and are yet to be written.
pub fn plannedCount(self: *const DirtyPages) usize {
    return if (self.is_planned) self.sealed.items.len else 0;
}

/// Writes the dirty pages of `tree` to pages nobody can see, children first, and makes its root
/// clean: they are read from the map from now on. Without savepoints that may be rolled back.
pub fn seal(self: *DirtyPages, tree: *page_format.Tree) WriteError!void {
    if (tree.depth == 0 or !tree.ref.dirty) return;
    const is_planned = self.is_planned;
    if (!is_planned) try self.plan(&.{tree});
    defer self.is_planned = is_planned;
    const list = self.sealed.items;
    var root: usize = 0;
    while (list[root].frame != tree.ref.pgno) root = list[root].tree_end;
    const end_index = list[root].tree_end;
    try self.superseded.ensureUnusedCapacity(self.allocator, end_index - root);
    try self.writeSealed(list, root, end_index);
    try self.file.map(self.space.page_count);
    self.snapshot.page_count = @max(self.snapshot.page_count, self.space.page_count);
    tree.ref = list[root].ref;
    for (list[root..end_index]) |item| {
        if (self.isPrivate(item.frame)) {
            self.set.give(item.frame);
        } else self.superseded.appendAssumeCapacity(item.frame);
    }
}

/// Appends the dirty pages of one tree, level by level, siblings side by side. Leaves are not
/// looked at: it is not yet their turn to be in the cache.
fn collect(
    self: *DirtyPages,
    list: *std.ArrayList(Sealed),
    tree: *const page_format.Tree,
) WriteError!void {
    const root = list.items.len;
    var next = root;
    try list.append(self.allocator, .{ .frame = tree.ref.pgno, .slot = 0 });
    for (1..tree.depth) |_| {
        const level_end = list.items.len;
        while (next < level_end) : (next += 1) {
            const bytes = self.set.bytes(list.items[next].frame);
            assert(page_format.kind(bytes) == .branch);
            list.items[next].first_child = @intCast(list.items.len);
            for (0..page_format.count(bytes)) |slot| {
                const ref = branch.child(bytes, @intCast(slot)).ref;
                if (!ref.dirty) continue;
                const child: Sealed = .{ .frame = ref.pgno, .slot = @intCast(slot) };
                try list.append(self.allocator, child);
            }
            list.items[next].child_count =
                @intCast(list.items.len - list.items[next].first_child);
        }
    }
    list.items[root].tree_end = @intCast(list.items.len);
}

/// Page numbers for all, ascending in the order of writing (the reverse of the list).
fn assignNumbers(self: *DirtyPages, list: []Sealed) WriteError!void {
    try self.numbers.resize(self.allocator, list.len);
    const numbers = self.numbers.items;
    const size = (@as(u64, self.space.page_count) + list.len) * self.file.page_size;
    const can_grow = size <= self.file.size_max;
    try self.space.allocateGroup(numbers, self.piecePageCount(), can_grow);
    for (list, 0..) |*item, index| {
        item.ref = .{ .pgno = numbers[list.len - 1 - index], .checksum = 0, .dirty = false };
    }
}

fn piecePageCount(self: *const DirtyPages) u32 {
    return @max(1, piece_size / self.file.page_size);
}

/// Writes the pages of `list` from `to` down to `from`.
fn writeSealed(self: *DirtyPages, list: []Sealed, from: usize, to: usize) WriteError!void {
    const piece_page_count = self.piecePageCount();
    comptime assert(run_page_count_max * config.page_size_min >= piece_size);
    var end_index = to;
    while (end_index > from) {
        // The run of pages that lie together, as much of it as is gathered at once. It ends where
        // the kernel would end a piece of its own.
        var begin_index = end_index - 1;
        while (begin_index > from and
            list[begin_index - 1].ref.pgno % piece_page_count != 0 and
            list[begin_index - 1].ref.pgno == list[begin_index].ref.pgno + 1) begin_index -= 1;
        try self.writeRunOf(list, begin_index, end_index);
        end_index = begin_index;
    }
}

/// Writes the pages of `list` from `end_index` down to `begin_index`, which lie together.
fn writeRunOf(
    self: *DirtyPages,
    list: []Sealed,
    begin_index: usize,
    end_index: usize,
) WriteError!void {
    const page_size = self.file.page_size;
    var pieces: [run_page_count_max][]const u8 = undefined;
    const count = end_index - begin_index;
    // Frames that others may be reading become what is written in a copy.
    const is_copied = for (list[begin_index..end_index]) |item| {
        if (!self.isPrivate(item.frame)) break true;
    } else false;
    if (is_copied) try self.stage.resize(self.allocator, count * page_size);
    for (pieces[0..count], 0..) |*piece, place| {
        const index = end_index - 1 - place;
        self.fetchNext(list, index);
        var out = self.set.bytes(list[index].frame);
        if (is_copied) {
            const copy: []align(8) u8 = @alignCast(self.stage.items[place * page_size ..]);
            @memcpy(copy[0..page_size], out);
            out = copy[0..page_size];
        }
        self.sealPage(list, index, out);
        piece.* = out;
    }
    try self.file.writePieces(list[end_index - 1].ref.pgno, pieces[0..count]);
}

/// The page that is sealed after `index` is on its way into the cache meanwhile.
fn fetchNext(self: *const DirtyPages, list: []const Sealed, index: usize) void {
    if (index < fetch_distance) return;
    const bytes = self.set.bytes(list[index - fetch_distance].frame);
    bytes_format.fetch(bytes[0..@min(bytes.len, fetch_size_max)]);
}

/// True if nobody but this transaction can see the frame, so that it may become what is written.
fn isPrivate(self: *const DirtyPages, index: u32) bool {
    return self.isOwn(index) and self.freeze_count == 0;
}

/// Makes `out`, a copy of the frame or itself, the page that stands in the file.
fn sealPage(self: *DirtyPages, list: []Sealed, index: usize, out: []align(8) u8) void {
    const item = &list[index];
    for (list[item.first_child..][0..item.child_count]) |child| {
        assert(branch.child(out, child.slot).ref.dirty);
        branch.setRef(out, child.slot, child.ref);
    }
    page_format.setNumber(out, item.ref.pgno, self.txnid);
    item.ref.checksum = page_format.checksum(out, item.ref.pgno);
    self.file.setVerified(item.ref.pgno, item.ref.checksum);
}
