//! A write transaction: changes tables in private pages, keeps the logical operations for the log,
//! and publishes both at once. It holds the writer lock from `begin` to `commit` or `abort`. It
//! never flushes, except where a commit is too large for the log.
//!
//! ```
//! put … -> tree/ over DirtyPages, operation into Env.buffer
//! commit: seal the tables' pages -> their records into the catalogue -> seal the catalogue
//!         -> pwrite them where nobody can be looking -> append the log record -> publish
//! durable: give the pages their numbers -> append the log record -> its flush begins meanwhile
//!         -> seal and pwrite the pages -> publish
//! ```
//! Where the process has the store to itself the pages stay in frames, and a commit is its record.
//! Puts wait for the commit there, as operations that are kept and nothing else, until something
//! asks for what they do: so that the commit can change frames of the published state themselves.
//!
//! Invariants: only what changed something becomes an operation; after an error other than of
//! arguments the transaction can only be rolled back to a savepoint or aborted; a txnid that was
//! not published is used again, one that was never is.

const std = @import("std");
const assert = std.debug.assert;
const Allocator = std.mem.Allocator;
const config = @import("../config.zig");
const explain = @import("../explain.zig");
const meta_format = @import("../format/meta.zig");
const page_format = @import("../format/page.zig");
const record = @import("../format/record.zig");
const Lock = @import("../store/Lock.zig");
const Readers = @import("../store/Readers.zig");
const Pages = @import("../store/Pages.zig");
const DirtyPages = @import("../store/DirtyPages.zig");
const search = @import("../tree/search.zig");
const rows_module = @import("../tree/rows.zig");
const insert = @import("../tree/insert.zig");
const append = @import("../tree/append.zig");
const LeafBatch = @import("../tree/LeafBatch.zig");
const delete = @import("../tree/delete.zig");
const remove_range = @import("../tree/remove_range.zig");
const catalogue_format = @import("tables.zig");
const Env = @import("Env.zig");
const seal = @import("seal.zig");
const checkpoint = @import("checkpoint.zig");

const Txn = @This();

pub const Error = Env.Error || error{ KeySize, ValueSize, KeyOrder, Options };

pub const OpenTable = struct {
    /// Null: the unnamed one.
    name: ?[]const u8,
    id: u32,
    created: u64,
    attributes: catalogue_format.Attributes,
    tree: page_format.Tree,
    exists: bool,
    /// The catalogue holds a record of it, perhaps an older one.
    catalogued: bool,
    changed: bool,
};

/// Puts into one table that are kept for the log and not yet in the tree.
const Waiting = struct {
    table: u32 = 0,
    count: u32 = 0,
};

/// What a savepoint puts back. `tables` are copies of all that were open.
const Savepoint = struct {
    level: u32,
    tables: []OpenTable,
    catalogue: page_format.Tree,
    buffer_size: usize,
    run_size: u64,
    bulk: bool,
    table_id_next: u32,
    table_count: u32,
};

env: *Env,
base: Lock.State,
txnid: u64,
catalogue: page_format.Tree,
/// Index 0 is the unnamed table.
tables: std.ArrayList(OpenTable) = .empty,
savepoints: std.ArrayList(Savepoint) = .empty,
names: std.heap.ArenaAllocator,
table_id_next: u32,
table_count: u32,
/// Commits are not flushed one by one: the one before is not durable yet. Then large values are
/// written once; else one flush, of the log, is worth more than that.
names_runs: bool,
/// Bytes of its large values so far.
large_size: u64 = 0,
/// Bytes of the runs that its operations name.
run_size: u64 = 0,
/// The operations are too large for the log.
bulk: bool = false,
/// Its pages go to the file even where frames would do.
is_sealed: bool = false,
/// The only operations so far, if there are any.
waiting: Waiting = .{},
/// Recovery replays: operations are not kept, and the caller ends the transaction.
replay: bool = false,
/// The log's end behind the record that was written ahead of the pages.
ahead: ?Lock.State = null,
/// Its pages have their numbers: what is left to be done is to commit or to abort.
is_ending: bool = false,

/// Begins the next commit; waits at most `timeout_ns` for the writer lock.
pub fn begin(env: *Env, timeout_ns: u64) Error!Txn {
    const state = try checkpoint.beginWrite(env, timeout_ns);
    errdefer env.endWrite();
    return beginAt(env, state, state.txnid + 1);
}

/// Begins commit `txnid` over `state`; the writer lock is held.
pub fn beginAt(env: *Env, state: Lock.State, txnid: u64) Error!Txn {
    const view = try env.viewOf(state);
    try env.beginSmallSpace(txnid);
    errdefer env.space.abort();
    try env.clearBuffer();
    var self: Txn = .{
        .env = env,
        .base = state,
        .txnid = txnid,
        .catalogue = view.catalogue,
        .names = .init(env.allocator),
        .table_id_next = state.table_id_next,
        .table_count = state.table_count,
        .names_runs = env.lock.shared.flushed.load(.acquire) < state.txnid,
    };
    errdefer self.tables.deinit(env.allocator);
    try self.tables.append(env.allocator, .{
        .name = null,
        .id = 0,
        .created = 0,
        .attributes = env.main_attributes,
        .tree = view.main,
        .exists = true,
        .catalogued = true,
        .changed = false,
    });
    try env.dirty.begin(view.snapshot, txnid, env.namingOf(state), env.pinned.items);
    return self;
}

fn deinit(self: *Txn, outcome: DirtyPages.Outcome) void {
    for (self.savepoints.items) |ended| self.env.allocator.free(ended.tables);
    self.savepoints.deinit(self.env.allocator);
    self.tables.deinit(self.env.allocator);
    self.names.deinit();
    self.env.dirty.end(outcome);
    self.env.endWrite();
    self.* = undefined;
}

/// Ends the transaction as if it had never been.
pub fn abort(self: *Txn) void {
    // Should this fail, no process writes any more before the next open has decided. In a forked
    // child the record is the parent's.
    if (self.ahead != null and !self.env.isForked()) self.env.retractRecord() catch {};
    self.env.space.abort();
    self.deinit(.aborted);
}

/// What trees of this transaction are read through, after `settle`.
pub fn pages(self: *const Txn) Pages {
    return self.env.dirty.pages();
}

/// The index of the table `name`, which need not exist; it is created by the first put.
pub fn open(self: *Txn, name: ?[]const u8) Error!u32 {
    const wanted = name orelse return 0;
    if (wanted.len > catalogue_format.nameSizeMax(self.env.file.page_size)) return error.KeySize;
    for (self.tables.items[1..], 1..) |table, index| {
        if (std.mem.eql(u8, table.name.?, wanted)) return @intCast(index);
    }
    const kept = try catalogue_format.find(self.pages(), self.catalogue, wanted);
    try self.tables.append(self.env.allocator, .{
        .name = try self.names.allocator().dupe(u8, wanted),
        .id = if (kept) |found| found.id else 0,
        .created = if (kept) |found| found.created else 0,
        .attributes = if (kept) |found| found.attributes else .{},
        .tree = if (kept) |found| found.tree else .empty,
        .exists = kept != null,
        .catalogued = kept != null,
        .changed = false,
    });
    return @intCast(self.tables.items.len - 1);
}

/// Creates the table if it does not exist; refuses one whose attributes are not those wanted.
pub fn prepare(self: *Txn, index: u32, wanted: catalogue_format.Attributes) Error!void {
    const table = &self.tables.items[index];
    if (table.exists) {
        if (wanted.agrees(&table.attributes)) return;
        return wanted.contradict(&table.attributes, table.name orelse "the unnamed table");
    }
    try self.settle();
    try self.create(index, self.table_id_next, wanted.resolved());
}

fn create(self: *Txn, index: u32, id: u32, attributes: catalogue_format.Attributes) Error!void {
    const table = &self.tables.items[index];
    assert(!table.exists);
    if (id == std.math.maxInt(u32)) return error.Full;
    table.id = id;
    table.created = self.txnid;
    table.attributes = attributes;
    table.tree = .empty;
    var buffer: [catalogue_format.record_size_max]u8 = undefined;
    const bytes = recordOf(table).encode(&buffer);
    try self.keep(table.name.?.len + bytes.len, .{ .create_table = .{
        .table = id,
        .name = table.name.?,
        .record = bytes,
    } });
    table.exists = true;
    table.changed = true;
    self.table_id_next = @max(self.table_id_next, id + 1);
    self.table_count += 1;
}

fn recordOf(table: *const OpenTable) catalogue_format.Record {
    return .{
        .id = table.id,
        .created = table.created,
        .attributes = table.attributes,
        .tree = table.tree,
    };
}

/// Appends an operation whose keys and values take `size` bytes, unless the commit is bulk.
fn keep(self: *Txn, size: usize, operation: record.Operation) Error!void {
    if (self.bulk or self.replay) return;
    const buffer = &self.env.buffer;
    if (buffer.items.len + size + record.operation_overhead >
        self.env.settings.operations_size_max)
    {
        self.bulk = true;
        // A savepoint may still return to what was kept: it stays until the end.
        if (self.savepoints.items.len == 0) buffer.shrinkAndFree(self.env.allocator, 0);
        return;
    }
    try buffer.ensureUnusedCapacity(self.env.allocator, size + record.operation_overhead);
    const writer: record.Writer = .{ .bytes = buffer };
    writer.operation(operation);
}

pub const PutMode = insert.Mode;

/// Stores `value` under `key`. False: `absent_only` and the key is there. Error `KeyOrder`: an
/// appended key is not above the last.
pub fn put(self: *Txn, index: u32, key: []const u8, value: []const u8, mode: PutMode) Error!bool {
    const row: Row = .{ .key = key, .value = value };
    try self.checkRow(&row);
    if (try self.keepWaiting(index, &.{row}, mode)) return true;
    try self.settle();
    var finger = self.fingerOf(index, mode);
    if (!try self.putRow(&finger, index, &row)) return false;
    try self.keepPut(index, &row, self.namedRun(&finger, &row));
    return true;
}

pub const Row = rows_module.Row;
/// Rows that `putMany` takes at once.
pub const rows_max = rows_module.count_max;

/// Stores the rows as a `put` of each in turn would. Returns how many were stored. At an error of
/// arguments the rows before that one are stored.
pub fn putMany(self: *Txn, index: u32, rows: []const Row, mode: PutMode) Error!u32 {
    assert(rows.len <= rows_max);
    for (rows, 0..) |*row, at| {
        self.checkRow(row) catch |err| {
            _ = try self.putChecked(index, rows[0..at], mode);
            return err;
        };
    }
    return self.putChecked(index, rows, mode);
}

fn putChecked(self: *Txn, index: u32, rows: []const Row, mode: PutMode) Error!u32 {
    if (try self.keepWaiting(index, rows, mode)) return @intCast(rows.len);
    try self.settle();
    if (mode != .append and !rows_module.areOrdered(rows)) {
        return self.putSorted(index, rows, mode);
    }
    var finger = self.fingerOf(index, mode);
    var stored: u32 = 0;
    var at: usize = 0;
    while (at < rows.len) : (at += 1) {
        const row = &rows[at];
        if (!try self.putRow(&finger, index, row)) continue;
        try self.keepPut(index, row, self.namedRun(&finger, row));
        stored += 1;
        if (finger.is_set) continue;
        // The row may be alone in a new last leaf, which those behind it then fill.
        const filled = try append.fill(&finger, rows[at..]);
        for (rows[at + 1 ..][0..filled]) |*other| try self.keepPut(index, other, null);
        stored += filled;
        at += filled;
    }
    return stored;
}

/// Keeps the puts for the commit. False: they cannot wait.
fn keepWaiting(self: *Txn, index: u32, rows: []const Row, mode: PutMode) Error!bool {
    if (!self.env.settings.exclusive or mode != .upsert or !self.canWait(index, rows)) return false;
    for (rows) |*row| {
        try self.keepPut(index, row, null);
        assert(!self.bulk);
        self.waiting.count += 1;
    }
    self.waiting.table = index;
    self.tables.items[index].changed = true;
    return true;
}

/// Puts wait that are the transaction's only operations, as many as can be put in order at once,
/// and need no run.
fn canWait(self: *const Txn, index: u32, rows: []const Row) bool {
    const env = self.env;
    if (self.replay or self.bulk or self.savepoints.items.len > 0) return false;
    if (self.waiting.count == 0) {
        if (env.buffer.items.len > record.header_size or self.isChanged()) return false;
        if (self.tables.items[index].tree.depth == 0) return false;
    } else if (self.waiting.table != index) return false;
    if (rows.len == 0 or self.waiting.count + rows.len > rows_max) return false;
    var size = env.buffer.items.len;
    for (rows) |*row| {
        if (!insert.Entry.isInlineRow(env.file.page_size, row.key, row.value)) return false;
        size += row.key.len + row.value.len + record.operation_overhead;
    }
    return size <= env.settings.operations_size_max;
}

/// Does what waits for the commit, before anything that asks for its effects.
pub fn settle(self: *Txn) Error!void {
    if (self.waiting.count == 0) return;
    var buffer: [rows_max]Row = undefined;
    const waiting_rows = try self.takeWaiting(&buffer);
    var order: rows_module.Order = undefined;
    order.sort(waiting_rows);
    _ = try self.putOrdered(self.waiting.table, waiting_rows, &order, .upsert, null);
}

/// The puts that wait, which do so no longer. They lie in the operations.
fn takeWaiting(self: *Txn, buffer: *[rows_max]Row) Error![]Row {
    const waiting_rows = buffer[0..self.waiting.count];
    self.waiting.count = 0;
    var reader: record.Reader = .{ .bytes = self.env.buffer.items[record.header_size..] };
    for (waiting_rows) |*row| {
        const operation = (try reader.next()) orelse return error.Corrupt;
        row.* = .{ .key = operation.put.key, .value = operation.put.value };
    }
    return waiting_rows;
}

/// Rows go into the tree in the order of their keys, into the log in the order given.
fn putSorted(self: *Txn, index: u32, rows: []const Row, mode: PutMode) Error!u32 {
    assert(mode != .append);
    var order: rows_module.Order = undefined;
    order.sort(rows);
    // Set where a value is large.
    var runs: [rows_max]?record.NamedRun = undefined;
    const is_stored = try self.putOrdered(index, rows, &order, mode, &runs);
    for (rows, 0..) |*row, at| {
        if (!is_stored.isSet(at)) continue;
        try self.keepPut(index, row, if (self.isLarge(row)) runs[at] else null);
    }
    return @intCast(is_stored.count());
}

/// Returns which rows were stored. Rows for which `runs` is null are not large.
fn putOrdered(
    self: *Txn,
    index: u32,
    rows: []const Row,
    order: *const rows_module.Order,
    mode: PutMode,
    runs: ?*[rows_max]?record.NamedRun,
) Error!std.StaticBitSet(rows_max) {
    var is_stored: std.StaticBitSet(rows_max) = .initEmpty();
    // Rows far apart: each waits for a leaf of its own.
    var is_sparse = true;
    var finger = self.fingerOf(index, mode);
    var from: usize = 0;
    while (from < rows.len) : (from += rows_module.group_size) {
        const to = @min(from + rows_module.group_size, rows.len);
        const moves_before = finger.move_count;
        if (is_sparse) self.fetch(index, rows, order, from, to);
        for (from..to) |place| {
            const at = order.at(place);
            if (!try self.putRow(&finger, index, &rows[at])) continue;
            is_stored.set(at);
            if (!self.isLarge(&rows[at])) continue;
            if (runs) |out| out[at] = self.namedRun(&finger, &rows[at]);
        }
        is_sparse = finger.move_count - moves_before > (to - from) / 4;
    }
    return is_stored;
}

/// Fetches what the rows that stand at `from` up to `to` will need.
fn fetch(
    self: *const Txn,
    index: u32,
    rows: []const Row,
    order: *const rows_module.Order,
    from: usize,
    to: usize,
) void {
    var wanted: [rows_module.group_size][]const u8 = undefined;
    for (from..to) |place| wanted[place - from] = rows[order.at(place)].key;
    rows_module.fetch(self.pages(), self.tables.items[index].tree, wanted[0 .. to - from]);
}

fn fingerOf(self: *Txn, index: u32, mode: PutMode) insert.Finger {
    const table = &self.tables.items[index];
    assert(table.exists);
    return .init(&self.env.dirty, &table.tree, mode);
}

fn checkRow(self: *const Txn, row: *const Row) Error!void {
    try self.checkKey(row.key);
    if (row.value.len > config.value_size_max) return error.ValueSize;
}

/// Stores one row in the tree. False: `absent_only` and the key is there.
fn putRow(self: *Txn, finger: *insert.Finger, index: u32, row: *const Row) Error!bool {
    switch (try finger.put(row.key, row.value)) {
        .exists => return false,
        .out_of_order => return error.KeyOrder,
        .inserted, .replaced => {},
    }
    self.tables.items[index].changed = true;
    if (try self.spill()) finger.reset();
    return true;
}

fn isLarge(self: *const Txn, row: *const Row) bool {
    return row.value.len >= self.env.settings.named_run_size_min;
}

/// The run that the log names in place of the value that `finger` put last; null: it holds it.
fn namedRun(self: *Txn, finger: *const insert.Finger, row: *const Row) ?record.NamedRun {
    if (!self.isLarge(row)) return null;
    const ref = finger.run orelse return null;
    self.large_size += row.value.len;
    if (!self.names_runs and self.large_size <= self.env.settings.whole_size_max) return null;
    self.env.dirty.nameRun();
    const size: u32 = @intCast(row.value.len);
    return .{ .pgno = ref.pgno, .size = size, .checksum = ref.checksum };
}

fn keepPut(self: *Txn, index: u32, row: *const Row, named: ?record.NamedRun) Error!void {
    if (named) |run| {
        self.run_size += run.size;
        const table = self.tables.items[index].id;
        return self.keep(row.key.len, .{ .put_run = .{
            .table = table,
            .key = row.key,
            .run = run,
        } });
    }
    return self.keep(row.key.len + row.value.len, .{ .put = .{
        .table = self.tables.items[index].id,
        .key = row.key,
        .value = row.value,
    } });
}

fn checkKey(self: *const Txn, key: []const u8) Error!void {
    const limit = config.keySizeMax(self.env.file.page_size);
    if (key.len <= limit) return;
    explain.set("the key has {d} bytes, keys of this store at most {d}", .{ key.len, limit });
    return error.KeySize;
}

/// Removes `key`. False: it was not there.
pub fn remove(self: *Txn, index: u32, key: []const u8) Error!bool {
    try self.checkKey(key);
    const table = &self.tables.items[index];
    if (!table.exists) return false;
    try self.settle();
    if (!try delete.remove(&self.env.dirty, &table.tree, key)) return false;
    table.changed = true;
    try self.keep(key.len, .{ .remove = .{ .table = table.id, .key = key } });
    return true;
}

/// Removes the keys from `start` up to but without `end`. Returns how many.
pub fn removeRange(self: *Txn, index: u32, start: ?[]const u8, end: ?[]const u8) Error!u64 {
    const table = &self.tables.items[index];
    if (!table.exists) return 0;
    try self.settle();
    const count = try remove_range.removeRange(&self.env.dirty, &table.tree, start, end);
    if (count == 0) return 0;
    table.changed = true;
    const size = (if (start) |key| key.len else 0) + (if (end) |key| key.len else 0);
    try self.keep(size, .{ .remove_range = .{ .table = table.id, .start = start, .end = end } });
    return count;
}

/// Removes every entry; the table stays. Returns how many.
pub fn clear(self: *Txn, index: u32) Error!u64 {
    const table = &self.tables.items[index];
    if (!table.exists) return 0;
    try self.settle();
    const count = try remove_range.removeRange(&self.env.dirty, &table.tree, null, null);
    if (count == 0) return 0;
    table.changed = true;
    try self.keep(0, .{ .clear = .{ .table = table.id } });
    return count;
}

/// Removes a named table and its entries. False: there was none.
pub fn drop(self: *Txn, index: u32) Error!bool {
    const table = &self.tables.items[index];
    assert(index > 0);
    if (!table.exists) return false;
    try self.settle();
    _ = try remove_range.removeRange(&self.env.dirty, &table.tree, null, null);
    try self.keep(0, .{ .drop_table = .{ .table = table.id } });
    table.exists = false;
    table.changed = true;
    table.attributes = .{};
    self.table_count -= 1;
    return true;
}

/// True if this transaction dropped the catalogued table `name` and did not create it again.
pub fn isDropped(self: *const Txn, name: []const u8) bool {
    for (self.tables.items[1..]) |table| {
        if (std.mem.eql(u8, table.name.?, name)) return !table.exists;
    }
    return false;
}

/// From now on `rollback` can return to this moment. Returns its level, from 0.
pub fn savepoint(self: *Txn) Error!u32 {
    try self.settle();
    const allocator = self.env.allocator;
    try self.savepoints.ensureUnusedCapacity(allocator, 1);
    const copy = try allocator.dupe(OpenTable, self.tables.items);
    errdefer allocator.free(copy);
    const level = try self.env.dirty.savepoint();
    self.savepoints.appendAssumeCapacity(.{
        .level = level,
        .tables = copy,
        .catalogue = self.catalogue,
        .buffer_size = self.env.buffer.items.len,
        .run_size = self.run_size,
        .bulk = self.bulk,
        .table_id_next = self.table_id_next,
        .table_count = self.table_count,
    });
    assert(level + 1 == self.savepoints.items.len);
    return level;
}

/// Takes back everything since savepoint `level`, which ends. Tables opened since stay open, as
/// the state at the savepoint holds them: not at all, or unchanged.
pub fn rollback(self: *Txn, level: u32) void {
    const to = self.savepoints.items[level];
    self.env.dirty.rollback(to.level);
    for (self.tables.items[to.tables.len..]) |*table| table.* = self.reopened(table);
    @memcpy(self.tables.items[0..to.tables.len], to.tables);
    self.catalogue = to.catalogue;
    self.bulk = to.bulk;
    self.run_size = to.run_size;
    if (!to.bulk) self.env.buffer.shrinkRetainingCapacity(to.buffer_size);
    self.table_id_next = to.table_id_next;
    self.table_count = to.table_count;
    self.dropSavepoints(level);
}

/// A table opened after the savepoint, as the catalogue has it. What cannot be read any more reads
/// as damaged when it is used.
fn reopened(self: *Txn, table: *const OpenTable) OpenTable {
    var result = table.*;
    result.changed = false;
    const kept = catalogue_format.find(self.pages(), self.catalogue, table.name.?) catch null;
    result.exists = kept != null;
    result.catalogued = kept != null;
    result.id = if (kept) |found| found.id else 0;
    result.created = if (kept) |found| found.created else 0;
    result.tree = if (kept) |found| found.tree else .empty;
    result.attributes = if (kept) |found| found.attributes else .{};
    return result;
}

/// Savepoint `level` and those inside it end; what was done stays.
pub fn release(self: *Txn, level: u32) void {
    self.env.dirty.releaseSavepoint(self.savepoints.items[level].level);
    self.dropSavepoints(level);
}

fn dropSavepoints(self: *Txn, level: u32) void {
    for (self.savepoints.items[level..]) |ended| self.env.allocator.free(ended.tables);
    self.savepoints.shrinkRetainingCapacity(level);
}

/// Writes the dirty pages to places of their own when they are many, to be read back if needed.
/// Returns whether it did.
fn spill(self: *Txn) Error!bool {
    const dirty = &self.env.dirty;
    if (dirty.liveCount() < self.frameCountMax()) return false;
    if (self.savepoints.items.len > 0 or dirty.freeze_count > 0) return false;
    try self.sealTables();
    // Sealed, the catalogue must not name frames.
    if (self.env.settings.exclusive) try self.catalogueTables();
    try seal.catalogue(self.env, &self.catalogue);
    return true;
}

fn frameCountMax(self: *const Txn) usize {
    return self.env.settings.frames_size_max / self.env.file.page_size;
}

fn sealTables(self: *Txn) Error!void {
    for (self.tables.items) |*table| {
        if (table.tree.depth == 0 or !table.tree.ref.dirty) continue;
        try self.env.dirty.seal(&table.tree);
        // Its root is another one now, even if this transaction put nothing in it.
        table.changed = true;
    }
}

/// The records of changed tables go into the catalogue, their roots being sealed.
fn catalogueTables(self: *Txn) Error!void {
    var key_buffer: catalogue_format.KeyBuffer = undefined;
    var buffer: [catalogue_format.record_size_max]u8 = undefined;
    for (self.tables.items[1..]) |*table| {
        if (!table.changed) continue;
        const key = catalogue_format.keyOf(table.name.?, &key_buffer);
        if (table.exists) {
            const bytes = recordOf(table).encode(&buffer);
            _ = try insert.put(&self.env.dirty, &self.catalogue, key, bytes, .upsert);
        } else if (table.catalogued) {
            _ = try delete.remove(&self.env.dirty, &self.catalogue, key);
        }
        table.catalogued = table.exists;
    }
}

pub fn isChanged(self: *const Txn) bool {
    for (self.tables.items) |table| {
        if (table.changed) return true;
    }
    return false;
}

/// Publishes the transaction; flushing is the caller's. Returns the txnid: the base's if nothing
/// changed. After an error nothing is stored, except that after `Io` the next open may find it
/// whole.
pub fn commit(self: *Txn) Error!u64 {
    assert(!self.replay);
    const txnid = self.txnid;
    if (!self.isChanged()) {
        const unchanged = self.base.txnid;
        self.abort();
        return unchanged;
    }
    self.publish() catch |err| {
        self.abort();
        return err;
    };
    self.deinit(.published);
    return txnid;
}

/// The commit publishes a state even if no entry changed, with every page of it in the file.
pub fn publishSealed(self: *Txn) void {
    self.is_sealed = true;
    self.tables.items[0].changed = true;
}

pub const Flusher = enum { this_thread, another };

/// Pages of a commit that are written in less time than another thread takes to begin a flush.
const planned_count_short = 16;

/// Writes the log record ahead of the pages, so that a flush of the log that begins now makes the
/// commit durable once it is published, and takes place while its pages are sealed and written.
/// False: the pages come first. After this the transaction can only be committed or aborted.
pub fn writeAhead(self: *Txn, flusher: Flusher) Error!bool {
    if (!self.canWriteAhead()) return false;
    const env = self.env;
    if (env.lock.isPoisoned()) return error.Poisoned;
    self.is_ending = true;
    // The catalogue gets the pages that it needs; its roots are put right when they are known.
    try self.catalogueTables();
    try self.planTrees();
    try env.space.reserveCommit();
    const operations_size = env.buffer.items.len - record.header_size;
    try env.writeSpace();
    if (env.buffer.items.len > 2 * env.settings.operations_size_max) {
        env.buffer.shrinkRetainingCapacity(record.header_size + operations_size);
        return false;
    }
    var state = self.base;
    state.txnid = self.txnid;
    const offset = state.log_offset;
    self.ahead = state;
    try env.appendRecord(&state, .commit, operations_size);
    self.ahead = state;
    // Few pages are written before another thread has as much as begun to flush; while it does
    // that for many, to have the system begin costs this one more than it gains.
    if (flusher == .this_thread or env.dirty.plannedCount() <= planned_count_short) {
        env.log.beginFlush(state.log_half, offset, state.log_offset);
    }
    return true;
}

/// A flush of the log alone must make it durable. What is put into the catalogue twice must stay in
/// its place: values of one size do, if they lie in the leaf.
fn canWriteAhead(self: *const Txn) bool {
    if (self.is_ending or self.replay or self.bulk or self.is_sealed) return false;
    // What waits becomes pages, or edits of frames, with the commit.
    if (self.waiting.count > 0) return false;
    if (self.keepsFrames() or !self.isChanged() or self.savepoints.items.len > 0) return false;
    // Records in frames may name frames of tables that this transaction has not opened: they are
    // sealed with it, and only its own can be planned.
    if (self.base.catalogue.is_frame != 0) return false;
    const page_size = self.env.file.page_size;
    for (self.tables.items[1..]) |*table| {
        if (!table.changed or !table.exists) continue;
        var key_buffer: catalogue_format.KeyBuffer = undefined;
        var buffer: [catalogue_format.record_size_max]u8 = undefined;
        var entry: insert.Entry = undefined;
        const key = catalogue_format.keyOf(table.name.?, &key_buffer);
        if (!entry.initInline(page_size, key, recordOf(table).encode(&buffer))) return false;
    }
    const flushed = self.env.lock.shared.flushed.load(.acquire);
    return self.run_size == 0 and self.base.run_txnid <= flushed;
}

/// Numbers for all pages that the commit writes.
fn planTrees(self: *Txn) Error!void {
    const tables = self.tables.items;
    const trees = try self.names.allocator().alloc(*page_format.Tree, tables.len + 1);
    for (tables, trees[0..tables.len]) |*table, *tree| tree.* = &table.tree;
    trees[tables.len] = &self.catalogue;
    try self.env.dirty.plan(trees);
}

fn publish(self: *Txn) Error!void {
    const env = self.env;
    try env.checkFork();
    if (env.lock.isPoisoned()) return error.Poisoned;
    if (self.ahead) |ahead| {
        var state = try self.sealAll();
        state.log_offset = ahead.log_offset;
        state.log_chain = ahead.log_chain;
        return self.show(state);
    }
    if (self.waiting.count > 0 and try self.publishInPlace()) return;
    var state = if (self.keepsFrames()) try self.keepAll() else try self.sealAll();
    if (self.bulk) return checkpoint.commitBulk(env, &state);
    try env.space.reserveCommit();
    const operations_size = env.buffer.items.len - record.header_size;
    try env.writeSpace();
    // A cut of very many pages is a long list.
    if (env.buffer.items.len > 2 * env.settings.operations_size_max) {
        if (!seal.isSealed(state)) state = try self.sealAll();
        return checkpoint.commitBulk(env, &state);
    }
    try env.appendRecord(&state, .commit, operations_size);
    self.show(state);
}

fn show(self: *Txn, state: Lock.State) void {
    self.env.lock.publish(state);
    self.env.space.commit();
    self.env.setFollowed(state);
}

/// Frames that are expected of a put at most.
const frames_per_put = 4;

/// Does what waits, and publishes it, the leaves of the published state being changed themselves
/// behind the record where nobody has pinned them. False: it is done, but not published.
fn publishInPlace(self: *Txn) Error!bool {
    const env = self.env;
    const newest_pin = Readers.newestPin(&env.lock);
    const frame_count = env.dirty.liveCount() + frames_per_put * @as(usize, self.waiting.count);
    // Where nothing may stay in frames, or a range of this thread has pinned what is to come.
    if (self.is_sealed or frame_count > self.frameCountMax() or newest_pin >= self.txnid) {
        try self.settle();
        return false;
    }
    var buffer: [rows_max]Row = undefined;
    const index = self.waiting.table;
    const table = &self.tables.items[index];
    // The record of a named table tells its root before the leaves are changed: it gets a new one.
    if (index > 0) table.tree.ref = (try env.dirty.touch(table.tree.ref)).ref;
    var batch: LeafBatch = undefined;
    batch.init(&env.dirty, &table.tree, try self.takeWaiting(&buffer), newest_pin);
    defer batch.deinit();
    try batch.plan();
    if (batch.group_count == 0) return false;
    try batch.resolve();
    var state = try self.keepAll();
    try batch.reserve();
    try env.space.reserveCommit();
    const operations_size = env.buffer.items.len - record.header_size;
    const bytes = env.buffer.items.ptr;
    try env.writeSpace();
    try env.appendRecord(&state, .commit, operations_size);
    batch.rebase(bytes, env.buffer.items.ptr);
    // Nothing can fail any more.
    env.lock.holdPins();
    batch.apply(self.txnid, Readers.newestPin(&env.lock));
    if (index == 0) state.main = .of(table.tree);
    env.lock.publish(state);
    env.lock.allowPins();
    env.space.commit();
    env.setFollowed(state);
    env.in_place_count += 1;
    return true;
}

/// True if this commit need not write its pages: nobody but this process can read the store, a
/// killed one is recovered from the log, and there is memory left for frames.
fn keepsFrames(self: *const Txn) bool {
    if (!self.env.settings.exclusive or self.bulk or self.is_sealed) return false;
    return self.env.dirty.liveCount() <= self.frameCountMax();
}

/// The transaction's pages stay where they are, in frames; the state that they make.
fn keepAll(self: *Txn) Error!Lock.State {
    try self.catalogueTables();
    return self.stateNow();
}

/// Every page of the transaction in its place in the file; the state that they make.
pub fn sealAll(self: *Txn) Error!Lock.State {
    try self.sealTables();
    try self.catalogueTables();
    try seal.catalogue(self.env, &self.catalogue);
    return self.stateNow();
}

fn stateNow(self: *const Txn) Lock.State {
    var state = self.base;
    state.txnid = self.txnid;
    state.main = .of(self.tables.items[0].tree);
    state.catalogue = .of(self.catalogue);
    state.page_count = self.env.space.page_count;
    state.table_id_next = self.table_id_next;
    state.table_count = self.table_count;
    if (self.run_size > 0) state.run_txnid = self.txnid;
    state.run_size +|= self.run_size;
    return state;
}

/// Ends a replay whose pages have been sealed and accounted for.
pub fn endReplay(self: *Txn) void {
    assert(self.replay);
    self.deinit(.published);
}

/// Applies puts of a log record that follow each other. Nothing in them is trusted.
pub fn applyPuts(self: *Txn, table: u32, rows: []const Row) Error!void {
    assert(self.replay);
    _ = try self.putMany(try self.byId(table), rows, .upsert);
}

/// Applies any other operation of a log record, but for `put_run`. Nothing in it is trusted either.
pub fn apply(self: *Txn, operation: record.Operation) Error!void {
    assert(self.replay);
    switch (operation) {
        .put => |it| try self.applyPuts(it.table, &.{.{ .key = it.key, .value = it.value }}),
        .remove => |it| _ = try self.remove(try self.byId(it.table), it.key),
        .remove_range => |it| {
            const index = try self.byId(it.table);
            _ = try self.removeRange(index, it.start, it.end);
        },
        .clear => |it| _ = try self.clear(try self.byId(it.table)),
        .create_table => |it| {
            const kept = try catalogue_format.Record.decode(it.record);
            if (kept.id != it.table or it.table < self.table_id_next) return error.Corrupt;
            const index = try self.open(it.name);
            if (index == 0 or self.tables.items[index].exists) return error.Corrupt;
            try self.create(index, it.table, kept.attributes);
        },
        .drop_table => |it| {
            const index = try self.byId(it.table);
            if (index == 0) return error.Corrupt;
            _ = try self.drop(index);
        },
        .atomic => {},
        .put_run => unreachable, // the replay knows where its bytes are
    }
}

/// Puts a run that the replay has claimed as the value of `key` into the table of that id.
pub fn applyRun(
    self: *Txn,
    table: u32,
    key: []const u8,
    ref: page_format.RunRef,
    size: u32,
) Error!void {
    assert(self.replay);
    try self.checkKey(key);
    const index = try self.byId(table);
    var finger = self.fingerOf(index, .upsert);
    _ = try finger.putRun(key, ref, size);
    self.tables.items[index].changed = true;
    _ = try self.spill();
}

fn byId(self: *Txn, id: u32) Error!u32 {
    for (self.tables.items, 0..) |table, index| {
        if (table.exists and table.id == id) return @intCast(index);
    }
    var iterator: catalogue_format.Iterator = .init(self.pages(), self.catalogue);
    while (try iterator.next()) |entry| {
        if (entry.record.id != id) continue;
        const index = try self.open(entry.name);
        // Dropped in this transaction: its id is not used again.
        if (!self.tables.items[index].exists) break;
        if (self.tables.items[index].id != id) break;
        return index;
    }
    explain.set("a log record names table {d}, which does not exist", .{id});
    return error.Corrupt;
}
