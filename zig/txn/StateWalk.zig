//! Walks every page that one state uses, in pieces: the unnamed table's tree, then the catalogue's
//! and, at each of its records, the tree of that table, values in overflow runs with them. What is
//! wrong becomes a finding of the audit. It never writes to the store.
//!
//! Invariant: between two pieces nothing points into memory of anybody else; the state must stay
//! pinned until the walk has ended.

const std = @import("std");
const config = @import("../config.zig");
const page = @import("../format/page.zig");
const leaf = @import("../format/leaf.zig");
const Lock = @import("../store/Lock.zig");
const tables = @import("tables.zig");
const Audit = @import("Audit.zig");
const TreeWalk = @import("TreeWalk.zig");

const StateWalk = @This();

pub const Error = Audit.Error;

const Phase = enum { begin, main, catalogue, table, finished };

/// A leaf whose entries are looked at one by one.
const Leaf = struct { bytes: []align(8) const u8, next: u32 = 0, pgno: u32 };

audit: *Audit,
state: Lock.State,
phase: Phase = .begin,
/// Of the unnamed table or of the named one that is walked.
table: TreeWalk,
catalogue: TreeWalk,
table_leaf: ?Leaf = null,
catalogue_leaf: ?Leaf = null,
run: ?Audit.Run = null,
/// The catalogue's key of the table that is walked.
key: *[config.key_size_max_any]u8,
ids: std.AutoHashMapUnmanaged(u32, void) = .empty,
/// Entries of all tables.
entry_count: u64 = 0,
table_count: u32 = 0,

pub fn init(audit: *Audit, state: Lock.State) Error!StateWalk {
    const key = try audit.allocator.create([config.key_size_max_any]u8);
    errdefer audit.allocator.destroy(key);
    var table = try TreeWalk.init(audit);
    errdefer table.deinit();
    return .{
        .audit = audit,
        .state = state,
        .table = table,
        .catalogue = try TreeWalk.init(audit),
        .key = key,
    };
}

pub fn deinit(self: *StateWalk) void {
    self.table.deinit();
    self.catalogue.deinit();
    self.ids.deinit(self.audit.allocator);
    self.audit.allocator.destroy(self.key);
    self.* = undefined;
}

/// Walks on, over about `page_budget` pages. True: that was the end.
pub fn step(self: *StateWalk, page_budget: u64) Error!bool {
    const target = self.audit.read_count +| page_budget;
    // Each round reads something, or moves on to the next entry, page or tree.
    while (self.phase != .finished and self.audit.read_count < target) try self.advance();
    return self.phase == .finished;
}

fn advance(self: *StateWalk) Error!void {
    if (self.run) |*run| {
        if (try self.audit.nextPiece(run) == null) self.run = null;
        return;
    }
    if (self.table_leaf) |*at| return self.nextValue(at);
    switch (self.phase) {
        .begin => {
            self.phase = .main;
            if (try self.treeOf(self.state.main)) |tree| self.table.begin(tree);
        },
        .main, .table => {
            if (try self.table.next()) |visit| return self.visitTable(visit);
            self.audit.table = null;
            if (self.phase == .main) {
                if (try self.treeOf(self.state.catalogue)) |tree| self.catalogue.begin(tree);
            }
            self.phase = .catalogue;
        },
        .catalogue => {
            if (self.catalogue_leaf) |*at| return self.nextTable(at);
            const visit = try self.catalogue.next() orelse return self.finish();
            if (!visit.is_leaf) return;
            self.catalogue_leaf = .{ .bytes = visit.bytes, .pgno = visit.pgno };
        },
        .finished => {},
    }
}

fn treeOf(self: *StateWalk, root: anytype) Error!?page.Tree {
    return root.tree() catch {
        try self.audit.report(root.pgno, "is named as a root in a way no root is", .{});
        self.audit.is_partial = true;
        return null;
    };
}

fn visitTable(self: *StateWalk, visit: TreeWalk.Visit) void {
    if (!visit.is_leaf) return;
    self.entry_count += page.count(visit.bytes);
    if (!leaf.anyRuns(visit.bytes)) return;
    self.table_leaf = .{ .bytes = visit.bytes, .pgno = visit.pgno };
}

/// The value of the next entry of a leaf, if it lies in a run.
fn nextValue(self: *StateWalk, at: *Leaf) Error!void {
    if (at.next == page.count(at.bytes)) {
        self.table_leaf = null;
        return;
    }
    at.next += 1;
    const value = leaf.value(at.bytes, at.next - 1);
    if (value.kind == .@"inline") return;
    if (value.run().txnid > page.txnid(at.bytes)) {
        try self.audit.report(at.pgno, "refers to a run of commit {d}, newer than itself", .{
            value.run().txnid,
        });
    }
    self.run = try self.audit.beginRun(value.run(), value.size);
}

/// The table of the next record of a catalogue's leaf.
fn nextTable(self: *StateWalk, at: *Leaf) Error!void {
    if (at.next == page.count(at.bytes)) {
        self.catalogue_leaf = null;
        return;
    }
    at.next += 1;
    const record = try self.readRecord(at, at.next - 1) orelse {
        self.audit.is_partial = true;
        return;
    };
    self.table_count += 1;
    const known = try self.ids.getOrPut(self.audit.allocator, record.id);
    if (known.found_existing or record.id >= self.state.table_id_next) {
        try self.audit.report(at.pgno, "holds a table of id {d}, which is not its own", .{
            record.id,
        });
    }
    if (record.created > self.state.txnid) {
        try self.audit.report(at.pgno, "holds a table of a commit to come, {d}", .{record.created});
    }
    self.table.begin(record.tree);
    self.phase = .table;
}

/// The record at `index`, its name put into the audit. Null, with a finding: it is damaged.
fn readRecord(self: *StateWalk, at: *const Leaf, index: u32) Error!?tables.Record {
    var buffer: [tables.record_size_max]u8 = undefined;
    const value = leaf.value(at.bytes, index);
    const bytes = if (value.kind == .@"inline")
        value.bytes
    else
        try self.audit.readRun(value.run(), value.size, &buffer) orelse return null;
    const key = try self.catalogue.keyOf(index, self.key) orelse return null;
    if (key.len < 2 or key[0] != 1) {
        try self.audit.report(at.pgno, "holds a record that is not a table's", .{});
        return null;
    }
    self.audit.table = key[1..];
    return tables.Record.decode(bytes) catch {
        try self.audit.report(at.pgno, "holds a damaged table record", .{});
        self.audit.table = null;
        return null;
    };
}

fn finish(self: *StateWalk) Error!void {
    self.phase = .finished;
    if (self.audit.is_partial or self.table_count == self.state.table_count) return;
    try self.audit.report(0, "{d} tables are in the catalogue, the state counts {d}", .{
        self.table_count, self.state.table_count,
    });
}
