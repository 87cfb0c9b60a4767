//! A range over one table in one state: a cursor with bounds, read in chunks. It holds its state
//! pinned until `deinit`, and with it the frames it reads.
//!
//! Invariant: rows come in order, each once, none outside the half-open interval of its bounds.

const std = @import("std");
const assert = std.debug.assert;
const Allocator = std.mem.Allocator;
const page_format = @import("../format/page.zig");
const Snapshot = @import("../store/Snapshot.zig");
const FrameSet = @import("../store/FrameSet.zig");
const Pages = @import("../store/Pages.zig");
const Cursor = @import("../tree/Cursor.zig");
const keys = @import("../tree/keys.zig");
const search = @import("../tree/search.zig");
const Env = @import("../txn/Env.zig");

const Range = @This();

pub const Error = Env.Error || error{TxnEnded};

/// Half-open bounds: from `start` (null: the first key) up to but without `end` (null: behind the
/// last).
pub const Bounds = struct { start: ?[]const u8 = null, end: ?[]const u8 = null };

allocator: Allocator,
env: *Env,
snapshot: Snapshot,
frames: *const FrameSet,
/// The write transaction whose frames are read; 0: a published state.
txnid: u64,
/// Savepoint count of that transaction at which its frames were frozen.
epoch: u64 = 0,
tree: page_format.Tree,
start: ?[]const u8,
finish: ?[]const u8,
reverse: bool,
keys_only: bool,
offset: u64,
left: u64,
cursor: Cursor = undefined,
is_started: bool = false,
is_done: bool = false,
/// The row that `next` came to did not fit its chunk and begins the following one.
is_held_back: bool = false,
/// The transaction it read was rolled back.
is_ended: bool = false,
/// The leaf that stood here when the one behind it was fetched.
fetched_from: ?[*]const u8 = null,
/// The session's number of its table, to name it where it is damaged.
table: u32 = 0,

pub const Options = struct {
    reverse: bool = false,
    keys_only: bool = false,
    offset: u64 = 0,
    limit: u64 = std.math.maxInt(u64),
};

/// A range over `tree`; the state of `snapshot`, and `txnid` if that is not 0, have been pinned for
/// it.
pub fn create(
    env: *Env,
    snapshot: Snapshot,
    frames: *const FrameSet,
    txnid: u64,
    tree: page_format.Tree,
    bounds: Bounds,
    options: Options,
) Error!*Range {
    const allocator = env.allocator;
    const self = try allocator.create(Range);
    errdefer allocator.destroy(self);
    const start = if (bounds.start) |bytes| try allocator.dupe(u8, bytes) else null;
    errdefer if (start) |bytes| allocator.free(bytes);
    const finish = if (bounds.end) |bytes| try allocator.dupe(u8, bytes) else null;
    self.* = .{
        .allocator = allocator,
        .env = env,
        .snapshot = snapshot,
        .frames = frames,
        .txnid = txnid,
        .tree = tree,
        .start = start,
        .finish = finish,
        .reverse = options.reverse,
        .keys_only = options.keys_only,
        .offset = options.offset,
        .left = options.limit,
    };
    self.cursor = .init(self.pages(), tree);
    return self;
}

/// A range that borrows `bounds`, and a published state that others hold pinned as long as it is
/// used; `keep` makes one that lasts. `place` comes next, when it lies where it stays.
pub fn borrow(
    env: *Env,
    snapshot: Snapshot,
    frames: *const FrameSet,
    tree: page_format.Tree,
    bounds: Bounds,
    options: Options,
) Range {
    return .{
        .allocator = env.allocator,
        .env = env,
        .snapshot = snapshot,
        .frames = frames,
        .txnid = 0,
        .tree = tree,
        .start = bounds.start,
        .finish = bounds.end,
        .reverse = options.reverse,
        .keys_only = options.keys_only,
        .offset = options.offset,
        .left = options.limit,
    };
}

/// Has a borrowed range read its own snapshot.
pub fn place(self: *Range) void {
    self.cursor = .init(self.pages(), self.tree);
}

/// A borrowed range as one that lasts until `deinit`, standing on the same row. Its state has been
/// pinned for it.
pub fn keep(self: *const Range) Error!*Range {
    const bounds: Bounds = .{ .start = self.start, .end = self.finish };
    const options: Options = .{ .reverse = self.reverse, .keys_only = self.keys_only };
    const kept = try create(self.env, self.snapshot, self.frames, 0, self.tree, bounds, options);
    kept.cursor = self.cursor;
    kept.cursor.pages = kept.pages();
    kept.left = self.left;
    kept.table = self.table;
    kept.is_started = self.is_started;
    kept.is_done = self.is_done;
    kept.is_held_back = self.is_held_back;
    return kept;
}

pub fn deinit(self: *Range) void {
    if (self.start) |bytes| self.allocator.free(bytes);
    if (self.finish) |bytes| self.allocator.free(bytes);
    if (self.txnid != 0) {
        self.env.unpin(self.txnid);
        self.env.unpin(self.txnid - 1);
    } else self.env.unpin(self.snapshot.txnid);
    self.allocator.destroy(self);
}

/// It shows nothing any more.
pub fn end(self: *Range) void {
    self.is_ended = true;
}

pub fn pages(self: *const Range) Pages {
    return .{ .snapshot = &self.snapshot, .frames = self.frames };
}

/// Moves to the next row. False: there is none.
pub fn next(self: *Range) Error!bool {
    if (self.is_ended) return error.TxnEnded;
    if (self.is_done or self.left == 0) return false;
    const found = if (!self.is_started)
        try self.begin()
    else if (self.reverse) try self.cursor.prev() else try self.cursor.next();
    if (!found or !try self.isInside()) {
        self.is_done = true;
        return false;
    }
    self.left -= 1;
    return true;
}

fn begin(self: *Range) Error!bool {
    self.is_started = true;
    if (self.tree.depth == 0) return false;
    const cursor = &self.cursor;
    if (self.reverse) {
        const found = if (self.finish) |bound| try cursor.seekBefore(bound) else try cursor.last();
        if (!found or self.offset == 0) return found;
        return cursor.skipBack(self.offset);
    }
    const found = if (self.start) |bound| try cursor.seek(bound) else try cursor.first();
    if (!found or self.offset == 0) return found;
    return cursor.skip(self.offset);
}

fn isInside(self: *const Range) Error!bool {
    if (self.reverse) {
        const start = self.start orelse return true;
        return try self.cursor.order(start) != .lt;
    }
    const finish = self.finish orelse return true;
    return try self.cursor.order(finish) == .lt;
}

/// Whether `next` may come to another row.
pub fn hasMore(self: *const Range) bool {
    return !self.is_done and self.left > 0;
}

/// How many rows lie in the leaf from this one on, which counts; at most `most`.
pub fn rowsHere(self: *const Range, most: u32) Error!u32 {
    const bytes = self.cursor.leafBytes();
    const index = self.cursor.leafIndex();
    const rest = if (self.reverse) index + 1 else page_format.count(bytes) - index;
    const wanted: u32 = @intCast(@min(rest, most, self.left +| 1));
    if (wanted <= 1) return wanted;
    const bound = (if (self.reverse) self.start else self.finish) orelse return wanted;
    const last = if (self.reverse) index + 1 - wanted else index + wanted - 1;
    const order = try keys.order(self.pages(), bytes, last, bound);
    if (if (self.reverse) order != .lt else order == .lt) return wanted;
    const found = try keys.find(self.pages(), bytes, .leaf, bound);
    return if (self.reverse) index + 1 - found.index else found.index - index;
}

/// Goes over rows of the leaf, of which `rowsHere` has told.
pub fn pass(self: *Range, rows: u32) void {
    assert(rows <= self.left);
    self.cursor.move(if (self.reverse) -@as(i32, @intCast(rows)) else @intCast(rows));
    self.left -= rows;
}

/// Begins to load the leaf behind the one in which the range stands, if it stands on the first of
/// its entries there since it was asked last, and so many rows to come reach over its end.
pub fn fetchAhead(self: *Range, rows: u64) void {
    const bytes = self.cursor.leafBytes();
    if (bytes.ptr == self.fetched_from) return;
    self.fetched_from = bytes.ptr;
    const index = self.cursor.leafIndex();
    const rest = if (self.reverse) index + 1 else page_format.count(bytes) - index;
    if (rows > rest and self.left >= rest) self.cursor.fetchLeaf(self.reverse);
}

pub fn keySize(self: *const Range) u32 {
    return self.cursor.keySize();
}

/// The key, put together in `buffer`, which has room for `keySize` bytes.
pub fn keyInto(self: *const Range, buffer: []u8) Error![]const u8 {
    return self.cursor.key(buffer);
}

pub fn value(self: *Range) Error![]const u8 {
    if (self.keys_only) return &.{};
    return search.valueBytes(self.pages(), self.cursor.value());
}

/// The value of any key in the state of the range; null if it has none.
pub fn find(self: *Range, key: []const u8) Error!?[]const u8 {
    if (self.tree.depth == 0) return null;
    const found = try search.get(self.pages(), self.tree, key) orelse return null;
    return try search.valueBytes(self.pages(), found);
}

/// Entries between the bounds, in O(log n).
pub fn count(from: Pages, tree: page_format.Tree, bounds: Bounds) Error!u64 {
    if (tree.depth == 0) return 0;
    const low = if (bounds.start) |start| try search.rank(from, tree, start) else 0;
    const high = if (bounds.end) |finish| try search.rank(from, tree, finish) else tree.entries;
    return high -| low;
}
