//! One thread's use of one environment: its scratch, its reader slot, its write transaction, its
//! snapshots and ranges. The functions of `c_abi.zig` are thin over it. It trusts no number that
//! JavaScript passes, and keeps no pointer to JavaScript's memory behind a call.
//!
//! Invariants: the pin of gets and views follows the newest state and is let go by `unpin`; at most
//! one write transaction; a range that reads its frames pins both the state below and its own.

const std = @import("std");
const assert = std.debug.assert;
const Allocator = std.mem.Allocator;
const config = @import("../config.zig");
const explain = @import("../explain.zig");
const page_format = @import("../format/page.zig");
const Lock = @import("../store/Lock.zig");
const Readers = @import("../store/Readers.zig");
const Pages = @import("../store/Pages.zig");
const search = @import("../tree/search.zig");
const tables = @import("../txn/tables.zig");
const Env = @import("../txn/Env.zig");
const Txn = @import("../txn/Txn.zig");
const checkpoint = @import("../txn/checkpoint.zig");
const Check = @import("../txn/check.zig").Check;
const Backup = @import("../txn/backup.zig").Backup;
const handles = @import("handles.zig");
const Range = @import("Range.zig");
const limits = @import("sizes.zig");

const Session = @This();

pub const Error = Txn.Error || error{
    TxnEnded,
    Closed,
    NotFound,
    Large,
    NotAStore,
    Version,
};

/// A table by name, as this session knows it; place 0 is the unnamed one.
pub const Named = struct {
    name: ?[]const u8,
    /// What the caller said; checked at each use.
    wanted: tables.Attributes = .{},
    /// Its tree in the newest state, as of `sequence`; null: it does not exist there.
    sequence: u64 = 0,
    tree: ?page_format.Tree = null,
    /// Its place in the running write transaction.
    txn_index: ?u32 = null,
};

/// A check under way, and how many of its findings have been told.
pub const Checking = struct { check: *Check, told: usize = 0 };

pub const Held = struct { view: Env.View };

/// What a scope handle stands for.
pub const Scope = union(enum) { snapshot: *Held, txn };

/// A tree and where to read its pages.
pub const Source = struct { pages: Pages, tree: page_format.Tree };

allocator: Allocator,
env: *Env,
/// How often this thread opened it.
open_count: u32 = 1,
scratch: []align(4096) u8,
slot: ?u32 = null,
pinned: bool = false,
sequence: u64 = 0,
view: Env.View = undefined,
named: std.ArrayList(Named) = .empty,
scopes: handles.Table(Scope) = .{},
ranges: handles.Table(*Range) = .{},
checks: handles.Table(*Checking) = .{},
backups: handles.Table(*Backup) = .{},
txn: ?Txn = null,
txn_handle: u32 = 0,
txn_is_batch: bool = false,
/// The error that left the transaction half changed: it can only be aborted.
txn_failure: ?Error = null,
/// What the last get, or the last row, left for `value_copy`.
pending: []const u8 = &.{},
/// State that the checkpoint driven by this session has to cover.
checkpoint_target: ?u64 = null,
checkpoint_ticket: checkpoint.Ticket = .{},

pub fn init(allocator: Allocator, env: *Env, scratch: []align(4096) u8) Error!*Session {
    const self = try allocator.create(Session);
    errdefer allocator.destroy(self);
    self.* = .{ .allocator = allocator, .env = env, .scratch = scratch };
    try self.named.append(allocator, .{ .name = null });
    errdefer self.named.deinit(allocator);
    if (env.slotless == null) self.slot = try Readers.take(&env.lock);
    return self;
}

/// Ends everything that is open, without an error to anybody.
pub fn deinit(self: *Session) void {
    if (self.txn != null) self.abortTxn();
    for (self.ranges.places.items) |place| if (place.item) |range| range.deinit();
    self.ranges.deinit(self.allocator);
    for (self.scopes.places.items) |place| if (place.item) |scope| self.endScope(scope);
    self.scopes.deinit(self.allocator);
    for (self.checks.places.items) |place| if (place.item) |item| self.endCheck(item);
    self.checks.deinit(self.allocator);
    for (self.backups.places.items) |place| if (place.item) |item| item.deinit();
    self.backups.deinit(self.allocator);
    for (self.named.items) |named| if (named.name) |name| self.allocator.free(name);
    self.named.deinit(self.allocator);
    self.unpin();
    if (self.slot) |slot| Readers.give(&self.env.lock, slot);
    self.allocator.destroy(self);
}

fn endScope(self: *Session, scope: Scope) void {
    switch (scope) {
        .txn => {},
        .snapshot => |held| {
            self.env.unpin(held.view.snapshot.txnid);
            self.allocator.destroy(held);
        },
    }
}

pub fn endCheck(self: *Session, checking: *Checking) void {
    checking.check.deinit();
    self.allocator.destroy(checking);
}

pub fn words(self: *Session) *[limits.word_count]f64 {
    return @ptrCast(self.scratch.ptr);
}

pub fn setWord(self: *Session, index: usize, value: anytype) void {
    self.words()[index] = @floatFromInt(value);
}

/// Word `index` as a whole number from 0 to `max`.
pub fn wordIn(self: *Session, index: usize, max: u64) Error!u64 {
    const value = self.words()[index];
    if (!(value >= 0) or value > @as(f64, @floatFromInt(max))) return error.Options;
    return @intFromFloat(value);
}

pub fn data(self: *Session) []u8 {
    return self.scratch[limits.data_offset..][0..limits.data_size];
}

pub fn keyA(self: *Session, size: u32) Error![]const u8 {
    if (size > limits.key_area_size) return error.KeySize;
    return self.scratch[limits.key_a_offset..][0..size];
}

pub fn keyB(self: *Session, size: u32) Error![]const u8 {
    if (size > limits.key_area_size) return error.KeySize;
    return self.scratch[limits.key_b_offset..][0..size];
}

/// The newest published state, pinned until `unpin` or the next newer one.
pub inline fn latest(self: *Session) Error!*const Env.View {
    const sequence = self.env.lock.shared.sequence.load(.acquire);
    if (self.pinned and sequence == self.sequence) return &self.view;
    return self.repin();
}

noinline fn repin(self: *Session) Error!*const Env.View {
    @branchHint(.unlikely);
    const env = self.env;
    try env.checkFork();
    const slot = self.slot orelse {
        self.view = try env.viewOf(try env.publishedState());
        return &self.view;
    };
    const found = Readers.pin(&env.lock, slot);
    self.pinned = true;
    self.sequence = found.sequence;
    // Until it can be read nothing is remembered as read.
    errdefer self.unpin();
    self.view = try env.viewOf(found.state);
    return &self.view;
}

/// The turn of the event loop ends: what gets and views held may be reused.
pub fn unpin(self: *Session) void {
    if (!self.pinned) return;
    self.pinned = false;
    Readers.unpin(&self.env.lock, self.slot.?);
}

/// The place of the table `name`.
pub fn openTable(self: *Session, name: []const u8) Error!u32 {
    if (name.len == 0) return error.Options;
    if (name.len > tables.nameSizeMax(self.env.file.page_size)) return error.KeySize;
    for (self.named.items[1..], 1..) |named, index| {
        if (std.mem.eql(u8, named.name.?, name)) return @intCast(index);
    }
    try self.named.ensureUnusedCapacity(self.allocator, 1);
    const copy = try self.allocator.dupe(u8, name);
    self.named.appendAssumeCapacity(.{ .name = copy });
    return @intCast(self.named.items.len - 1);
}

pub fn namedAt(self: *Session, table: u32) Error!*Named {
    if (table >= self.named.items.len) return error.Options;
    return &self.named.items[table];
}

/// True if `scope` is this thread's own write transaction.
pub inline fn isTxnScope(self: *const Session, scope: u32) bool {
    if (self.txn == null) return false;
    return if (scope == 0) self.txn_is_batch else scope == self.txn_handle;
}

/// The tree of `table` in `scope`; null: the table does not exist there.
pub inline fn source(self: *Session, scope: u32, table: u32) Error!?Source {
    if (scope == 0 and table == 0 and !self.isTxnScope(0)) {
        const view = try self.latest();
        return .{ .pages = view.pages(), .tree = view.main };
    }
    return self.otherSource(scope, table);
}

fn otherSource(self: *Session, scope: u32, table: u32) Error!?Source {
    if (self.isTxnScope(scope)) return self.txnSource(table);
    return self.sourceIn(try self.committedView(scope), scope, table);
}

/// The same in a view that `committedView` gave for `scope`, which may be older than the newest.
fn sourceIn(self: *Session, view: *const Env.View, scope: u32, table: u32) Error!?Source {
    if (table == 0) return .{ .pages = view.pages(), .tree = view.main };
    if (scope == 0) return self.latestNamed(view, table);
    const named = try self.namedAt(table);
    const tree = try self.resolve(view, named) orelse return null;
    return .{ .pages = view.pages(), .tree = tree };
}

fn latestNamed(self: *Session, view: *const Env.View, table: u32) Error!?Source {
    const named = try self.namedAt(table);
    if (named.sequence != self.sequence or self.slot == null) {
        named.tree = try self.resolve(view, named);
        named.sequence = self.sequence;
    }
    const tree = named.tree orelse return null;
    return .{ .pages = view.pages(), .tree = tree };
}

fn resolve(self: *Session, view: *const Env.View, named: *Named) Error!?page_format.Tree {
    _ = self;
    const record = try tables.find(view.pages(), view.catalogue, named.name.?) orelse return null;
    if (named.wanted.agrees(&record.attributes)) return record.tree;
    return named.wanted.contradict(&record.attributes, named.name.?);
}

fn txnSource(self: *Session, table: u32) Error!?Source {
    // Its clean pages are those of the newest state, which a view may show until the turn ends.
    _ = try self.latest();
    const index = try self.txnTable(table);
    self.txn.?.settle() catch |err| return self.noteFailure(err);
    const open = &self.txn.?.tables.items[index];
    if (!open.exists) return null;
    return .{ .pages = self.txn.?.pages(), .tree = open.tree };
}

/// The place of `table` in the running transaction.
pub fn txnTable(self: *Session, table: u32) Error!u32 {
    if (table == 0) return 0;
    const named = try self.namedAt(table);
    if (named.txn_index) |index| return index;
    const txn = &self.txn.?;
    const index = try txn.open(named.name);
    const open = &txn.tables.items[index];
    if (open.exists and !named.wanted.agrees(&open.attributes)) {
        return named.wanted.contradict(&open.attributes, named.name.?);
    }
    named.txn_index = index;
    return index;
}

/// Begins the write transaction of this thread.
pub fn beginTxn(self: *Session, is_batch: bool, timeout_ns: u64) Error!u32 {
    if (self.txn != null) {
        explain.set("this thread has a write transaction open: end it first", .{});
        return error.Busy;
    }
    const handle = try self.scopes.add(self.allocator, .txn);
    errdefer _ = self.scopes.remove(handle);
    self.txn = try Txn.begin(self.env, timeout_ns);
    self.txn_handle = handle;
    self.txn_is_batch = is_batch;
    self.txn_failure = null;
    self.setWord(0, self.txn.?.txnid);
    return handle;
}

/// The running transaction, if `handle` is its and it can go on.
pub fn txnOf(self: *Session, handle: u32) Error!*Txn {
    if (self.txn == null or handle != self.txn_handle) return error.TxnEnded;
    if (self.txn_failure) |failure| return failure;
    if (self.txn.?.is_ending) return error.TxnEnded;
    return &self.txn.?;
}

/// Remembers an error after which the transaction's pages may be half changed.
pub fn noteFailure(self: *Session, err: Error) Error {
    switch (err) {
        error.KeySize, error.ValueSize, error.KeyOrder, error.Options, error.NotFound => {},
        error.TxnEnded, error.Closed, error.Large, error.Busy, error.ReadOnly => {},
        else => if (self.txn != null and self.txn_failure == null) {
            self.txn_failure = err;
        },
    }
    return err;
}

fn forgetTxn(self: *Session) void {
    _ = self.scopes.remove(self.txn_handle);
    for (self.named.items) |*named| named.txn_index = null;
    self.txn = null;
    self.txn_handle = 0;
    self.txn_failure = null;
    self.pending = &.{};
}

/// Publishes the running transaction. It has ended, whatever comes out.
pub fn commitTxn(self: *Session) Error!u64 {
    const failure = self.txn_failure;
    if (failure) |err| {
        self.abortTxn();
        return err;
    }
    const outcome = self.txn.?.commit();
    self.forgetTxn();
    return outcome catch |err| {
        self.endFrozenRanges();
        return err;
    };
}

pub fn abortTxn(self: *Session) void {
    self.txn.?.abort();
    self.forgetTxn();
    self.endFrozenRanges();
}

/// Ranges over a transaction that was rolled back: its pages may be reused, they show nothing any
/// more.
pub fn endFrozenRanges(self: *Session) void {
    for (self.ranges.places.items) |place| {
        const range = place.item orelse continue;
        if (range.txnid > self.env.lock.published().txnid) range.end();
    }
}

/// Takes back what the running transaction did since savepoint `level`. Ranges opened since then
/// show nothing any more.
pub fn rollback(self: *Session, level: u32) void {
    const txn = &self.txn.?;
    const since = self.env.dirty.savepoints.items[level].epoch;
    for (self.ranges.places.items) |place| {
        const range = place.item orelse continue;
        if (range.txnid != txn.txnid) continue;
        if (range.epoch > since) range.end();
    }
    txn.rollback(level);
    // What it failed at has been taken back, pages and all.
    self.txn_failure = null;
}

/// Pins the newest state for as long as the returned scope lives.
pub fn beginSnapshot(self: *Session) Error!u32 {
    const view = try self.latest();
    const held = try self.allocator.create(Held);
    errdefer self.allocator.destroy(held);
    held.* = .{ .view = view.* };
    try self.env.pin(view.snapshot.txnid);
    errdefer self.env.unpin(view.snapshot.txnid);
    const handle = try self.scopes.add(self.allocator, .{ .snapshot = held });
    self.setWord(0, view.snapshot.txnid);
    return handle;
}

pub fn endSnapshot(self: *Session, handle: u32) Error!void {
    const scope = self.scopes.get(handle) orelse return error.TxnEnded;
    if (scope == .txn) return error.TxnEnded;
    _ = self.scopes.remove(handle);
    self.endScope(scope);
}

/// What a scope other than the write transaction shows.
pub fn committedView(self: *Session, scope: u32) Error!*const Env.View {
    if (scope == 0) return self.latest();
    const held = self.scopes.get(scope) orelse return error.TxnEnded;
    return switch (held) {
        .snapshot => |snapshot| &snapshot.view,
        .txn => error.TxnEnded,
    };
}

/// Attributes and id of `table` in `scope`, and whether it exists there.
pub fn attributesOf(
    self: *Session,
    scope: u32,
    table: u32,
) Error!struct { tables.Attributes, u32, bool } {
    if (table == 0) return .{ self.env.main_attributes, 0, true };
    const named = try self.namedAt(table);
    if (self.isTxnScope(scope)) {
        const txn = &self.txn.?;
        const open = &txn.tables.items[try txn.open(named.name)];
        return .{ open.attributes, open.id, open.exists };
    }
    const view = try self.committedView(scope);
    const record = try tables.find(view.pages(), view.catalogue, named.name.?) orelse
        return .{ .{}, 0, false };
    return .{ record.attributes, record.id, true };
}

/// A range over `table` in `scope`, which it keeps pinned: also the frames of the open batch, as
/// they are now.
pub fn createRange(
    self: *Session,
    scope: u32,
    table: u32,
    bounds: Range.Bounds,
    options: Range.Options,
) Error!*Range {
    const env = self.env;
    if (!self.isTxnScope(scope)) {
        // One look at the newest state for both: a commit may be published between two.
        const view = try self.committedView(scope);
        const found = try self.sourceIn(view, scope, table);
        const tree = if (found) |it| it.tree else page_format.Tree.empty;
        const snapshot = view.snapshot;
        try env.pin(snapshot.txnid);
        errdefer env.unpin(snapshot.txnid);
        return Range.create(env, snapshot, env.dirty.set, 0, tree, bounds, options);
    }
    // Its pages are about to be written: none may be kept from that.
    if (self.txn.?.is_ending) return error.TxnEnded;
    const from = try self.source(scope, table);
    const tree = if (from) |it| it.tree else page_format.Tree.empty;
    const txnid = self.txn.?.txnid;
    try env.pin(txnid - 1);
    errdefer env.unpin(txnid - 1);
    // Not published yet: what it wrote must outlive it as well.
    try env.pin(txnid);
    errdefer env.unpin(txnid);
    env.dirty.freeze();
    const below = env.dirty.snapshot;
    const range = try Range.create(env, below, env.dirty.set, txnid, tree, bounds, options);
    range.epoch = env.dirty.epoch;
    return range;
}

/// A range over `table` in `scope`, which is no write transaction, for the time of one call: the
/// state is pinned by the scope, or by this session until `unpin`.
pub fn borrowRange(
    self: *Session,
    scope: u32,
    table: u32,
    limit: Range.Bounds,
    options: Range.Options,
) Error!Range {
    const view = try self.committedView(scope);
    const found = try self.sourceIn(view, scope, table);
    const tree = if (found) |it| it.tree else page_format.Tree.empty;
    return .borrow(self.env, view.snapshot, self.env.dirty.set, tree, limit, options);
}

/// The same range as one that outlives the call, its state pinned for it.
pub fn keepRange(self: *Session, range: *const Range) Error!u32 {
    try self.env.pin(range.snapshot.txnid);
    const kept = range.keep() catch |err| {
        self.env.unpin(range.snapshot.txnid);
        return err;
    };
    errdefer kept.deinit();
    return self.ranges.add(self.allocator, kept);
}

/// The bytes of `value`, left pending for `value_copy`.
pub inline fn valueBytes(self: *Session, pages: Pages, value: search.Value) Error![]const u8 {
    self.pending = try search.valueBytes(pages, value);
    return self.pending;
}

/// The value under `key`; null if there is none.
pub inline fn find(self: *Session, scope: u32, table: u32, key: []const u8) Error!?[]const u8 {
    self.pending = &.{};
    const from = try self.source(scope, table) orelse return null;
    const value = try search.get(from.pages, from.tree, key) orelse return null;
    return try self.valueBytes(from.pages, value);
}
