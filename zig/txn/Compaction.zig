//! Writes what one state holds into a new file as small as it can be: every table, entry by entry,
//! through a builder that leaves pages full; then the catalogue, with the new roots. The source is
//! walked and proved as `check` does it. Memory is one page a level of two trees.
//!
//! Invariant: pages of the new file are written in the order of their numbers, children and runs
//! before what refers to them.

const std = @import("std");
const assert = std.debug.assert;
const config = @import("../config.zig");
const page = @import("../format/page.zig");
const leaf = @import("../format/leaf.zig");
const meta_format = @import("../format/meta.zig");
const os_types = @import("../os/types.zig");
const Appender = @import("../store/Appender.zig");
const Lock = @import("../store/Lock.zig");
const Builder = @import("../tree/Builder.zig");
const tables = @import("tables.zig");
const Audit = @import("Audit.zig");
const TreeWalk = @import("TreeWalk.zig");

const Compaction = @This();

pub const Error = Builder.Error;

const Phase = enum { begin, main, catalogue, table, finished };

const Leaf = struct { bytes: []align(8) const u8, next: u32 = 0 };

/// A run on its way: read from `from`, hashed anew under its number in the new file.
const Moving = struct { from: Audit.Run, pgno: u32, hash: std.hash.XxHash3 };

audit: *Audit,
state: Lock.State,
phase: Phase = .begin,
output: *Appender,
table: TreeWalk,
catalogue: TreeWalk,
table_leaf: ?Leaf = null,
catalogue_leaf: ?Leaf = null,
moving: ?Moving = null,
builder: Builder,
catalogue_builder: Builder,
record: tables.Record = undefined,
/// Key of the entry at hand, and of the record whose table is walked.
key: *[2][config.key_size_max_any]u8,
record_key_size: usize = 0,
main: page.Tree = .empty,
root: page.Tree = .empty,

pub fn init(audit: *Audit, state: Lock.State, fd: os_types.Fd) Error!Compaction {
    const allocator = audit.allocator;
    const key = try allocator.create([2][config.key_size_max_any]u8);
    errdefer allocator.destroy(key);
    const output = try allocator.create(Appender);
    errdefer allocator.destroy(output);
    output.* = try Appender.init(allocator, audit.os, fd, audit.page_size);
    errdefer output.deinit();
    var table = try TreeWalk.init(audit);
    errdefer table.deinit();
    var catalogue = try TreeWalk.init(audit);
    errdefer catalogue.deinit();
    var builder = try Builder.init(allocator, output, state.txnid);
    errdefer builder.deinit();
    return .{
        .audit = audit,
        .state = state,
        .output = output,
        .table = table,
        .catalogue = catalogue,
        .builder = builder,
        .catalogue_builder = try Builder.init(allocator, output, state.txnid),
        .key = key,
    };
}

pub fn deinit(self: *Compaction) void {
    const allocator = self.audit.allocator;
    self.catalogue_builder.deinit();
    self.builder.deinit();
    self.catalogue.deinit();
    self.table.deinit();
    self.output.deinit();
    allocator.destroy(self.output);
    allocator.destroy(self.key);
    self.* = undefined;
}

/// Goes on, over about `page_budget` pages of the source. True: that was the end. With a finding
/// of the audit it stops.
pub fn step(self: *Compaction, page_budget: u64) Error!bool {
    const target = self.audit.read_count +| page_budget;
    // Each round reads something, or moves on to the next entry, page or tree.
    while (self.phase != .finished and self.audit.read_count < target) {
        try self.advance();
        if (self.audit.finding_count > 0) return false;
    }
    return self.phase == .finished;
}

fn advance(self: *Compaction) Error!void {
    if (self.moving) |*moving| return self.move(moving);
    if (self.table_leaf) |*at| return self.addEntries(at);
    switch (self.phase) {
        .begin => {
            self.phase = .main;
            self.table.begin(try self.state.main.tree());
        },
        .main, .table => {
            const visit = try self.table.next() orelse return self.endTable();
            if (visit.is_leaf) self.table_leaf = .{ .bytes = visit.bytes };
        },
        .catalogue => {
            if (self.catalogue_leaf) |*at| return self.nextTable(at);
            const visit = try self.catalogue.next() orelse {
                self.root = try self.catalogue_builder.finish();
                self.phase = .finished;
                return;
            };
            if (visit.is_leaf) self.catalogue_leaf = .{ .bytes = visit.bytes };
        },
        .finished => {},
    }
}

/// The entries of a leaf, up to one whose value lies in a run.
fn addEntries(self: *Compaction, at: *Leaf) Error!void {
    while (at.next < page.count(at.bytes)) {
        const value = leaf.value(at.bytes, at.next);
        if (value.kind != .@"inline") return self.beginMove(value);
        const key = try self.table.keyOf(at.next, &self.key[0]) orelse return error.Corrupt;
        try self.builder.add(key, .{ .bytes = value.bytes });
        at.next += 1;
    }
    self.table_leaf = null;
}

fn beginMove(self: *Compaction, value: leaf.Value) Error!void {
    if (value.kind != .overflow) return error.Corrupt;
    const run = try self.audit.beginRun(value.run(), value.size) orelse return;
    const pgno = try self.output.next();
    self.moving = .{ .from = run, .pgno = pgno, .hash = .init(pgno) };
}

/// The next piece of a value, and with its last the entry.
fn move(self: *Compaction, moving: *Moving) Error!void {
    if (try self.audit.nextPiece(&moving.from)) |piece| {
        moving.hash.update(piece);
        return self.output.append(piece);
    }
    if (self.audit.finding_count > 0) return;
    try self.output.pad();
    const at = &self.table_leaf.?;
    const key = try self.table.keyOf(at.next, &self.key[0]) orelse return error.Corrupt;
    try self.builder.add(key, .{ .run = .{
        .ref = .{
            .pgno = moving.pgno,
            .checksum = moving.hash.final(),
            .txnid = self.state.txnid,
        },
        .size = moving.from.size,
    } });
    at.next += 1;
    self.moving = null;
}

/// The table at hand is built; a named one gets its record.
fn endTable(self: *Compaction) Error!void {
    const tree = try self.builder.finish();
    self.builder.reset();
    self.audit.table = null;
    if (self.phase == .main) {
        self.main = tree;
        self.catalogue.begin(try self.state.catalogue.tree());
    } else {
        self.record.tree = tree;
        var buffer: [tables.record_size_max]u8 = undefined;
        const key = self.key[1][0..self.record_key_size];
        try self.catalogue_builder.add(key, .{ .bytes = self.record.encode(&buffer) });
    }
    self.phase = .catalogue;
}

/// The table of the next record of a catalogue's leaf.
fn nextTable(self: *Compaction, at: *Leaf) Error!void {
    if (at.next == page.count(at.bytes)) {
        self.catalogue_leaf = null;
        return;
    }
    const value = leaf.value(at.bytes, at.next);
    var buffer: [tables.record_size_max]u8 = undefined;
    const bytes = if (value.kind == .@"inline")
        value.bytes
    else
        try self.audit.readRun(value.run(), value.size, &buffer) orelse return;
    const key = try self.catalogue.keyOf(at.next, &self.key[1]) orelse return error.Corrupt;
    if (key.len == 0) return error.Corrupt;
    self.record = try tables.Record.decode(bytes);
    self.record_key_size = key.len;
    self.audit.table = key[1..];
    self.table.begin(self.record.tree);
    at.next += 1;
    self.phase = .table;
}

/// Hands the last pages to the system. Returns the pages of the file, and what the meta says.
pub fn finish(self: *Compaction, meta: *meta_format.Meta) Error!u32 {
    assert(self.phase == .finished);
    const page_count = try self.output.next();
    try self.output.write();
    meta.main = .of(self.main);
    meta.catalogue = .of(self.root);
    return page_count;
}
