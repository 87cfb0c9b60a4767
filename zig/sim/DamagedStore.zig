//! A small store with pages of every kind, and ways to hurt its files: bytes of a store that is
//! open, seen by its map at once, or of the files that a closed or killed one leaves, of which
//! `boot` makes a machine again and again. It knows what the store must answer.

const std = @import("std");
const assert = std.debug.assert;
const Allocator = std.mem.Allocator;
const config = @import("../config.zig");
const simulated = @import("../os/simulated.zig");
const branch = @import("../format/branch.zig");
const page = @import("../format/page.zig");
const Lock = @import("../store/Lock.zig");
const Pages = @import("../store/Pages.zig");
const Cursor = @import("../tree/Cursor.zig");
const search = @import("../tree/search.zig");
const tables = @import("../txn/tables.zig");
const attach = @import("../txn/attach.zig");
const checkpoint = @import("../txn/checkpoint.zig");
const Env = @import("../txn/Env.zig");
const Txn = @import("../txn/Txn.zig");
const Model = @import("Model.zig");
const Workload = @import("Workload.zig");

const DamagedStore = @This();

pub const path = "/disk/x";

/// Commits after the last checkpoint; each is flushed.
pub const commit_count = 6;

/// How the process that made the store ended.
pub const End = enum { open, closed, killed };

allocator: Allocator,
world: *simulated.World,
/// A machine that is used for each damage in turn.
after: *simulated.World,
page_size: u32,
/// Null: the process has ended.
env: ?*Env,
/// What the store held after each of the last commits, and where the log ended.
digests: [commit_count + 1]Model.Digest = undefined,
states: [commit_count + 1]Lock.State = undefined,

pub fn init(allocator: Allocator, page_size: u32, end: End) !DamagedStore {
    const world = try simulated.World.create(allocator, .{ .seed = page_size });
    errdefer world.destroy();
    const after = try simulated.World.create(allocator, .{});
    errdefer after.destroy();
    const os = try world.startProcess();
    const env = try attach.open(allocator, os, path, .{ .page_size = page_size });
    var self: DamagedStore = .{
        .allocator = allocator,
        .world = world,
        .after = after,
        .page_size = page_size,
        .env = env,
    };
    for (0..3) |round| try self.fill(round);
    try checkpoint.runAll(env);
    try self.remember(0);
    for (0..commit_count) |number| {
        try self.commit(number);
        try env.flushLog();
        try self.remember(number + 1);
    }
    switch (end) {
        .open => {},
        .closed => {
            self.env = null;
            try attach.close(env);
        },
        .killed => self.kill(),
    }
    return self;
}

fn remember(self: *DamagedStore, index: usize) !void {
    self.digests[index] = try Workload.digestOf(self.env.?);
    self.states[index] = self.env.?.lock.published();
}

pub fn kill(self: *DamagedStore) void {
    const env = self.env.?;
    self.env = null;
    self.world.kill(env.os);
    attach.close(env) catch {}; // a killed process closes nothing
}

pub fn deinit(self: *DamagedStore) void {
    if (self.env != null) self.kill();
    self.after.destroy();
    self.world.destroy();
}

/// Three levels, values and long keys in overflow runs, named tables.
fn fill(self: *DamagedStore, round: usize) !void {
    var txn = try Txn.begin(self.env.?, 0);
    errdefer txn.abort();
    const unit = self.page_size;
    const value: [3 * 4096]u8 = @splat(@intCast('a' + round));
    for (0..60) |number| {
        var key: [2048]u8 = @splat('k');
        std.mem.writeInt(u32, key[0..4], @intCast(number * 7 % 60), .big);
        const key_size = if (number % 20 == 0) unit / 2 else unit / 6;
        const value_size = if (number % 19 == round) 2 * unit + 100 else 20;
        _ = try txn.put(0, key[0..key_size], value[0..value_size], .upsert);
    }
    for (Model.names[1..3]) |name| {
        const table = try txn.open(name.?);
        try txn.prepare(table, .{});
        for (0..8) |number| {
            const key = [_]u8{@intCast(number)} ** 12;
            _ = try txn.put(table, &key, value[0 .. 10 + round], .upsert);
        }
    }
    _ = try txn.commit();
}

fn commit(self: *DamagedStore, number: usize) !void {
    var txn = try Txn.begin(self.env.?, 0);
    errdefer txn.abort();
    const value: [64]u8 = @splat(@intCast('0' + number));
    const key = [_]u8{@intCast(number)} ** 20;
    _ = try txn.put(0, &key, &value, .upsert);
    if (number % 2 == 1) _ = try txn.remove(try txn.open("one"), &([_]u8{3} ** 12));
    _ = try txn.commit();
}

/// What the store holds.
pub fn digest(self: *const DamagedStore) Model.Digest {
    return self.digests[commit_count];
}

fn inodeOf(world: *const simulated.World, name: []const u8) *simulated.Disk.Inode {
    return world.disk.inodes.items[world.disk.find(name).?];
}

/// The bytes of a file of the open store; its map shows a change at once.
pub fn live(self: *const DamagedStore, name: []const u8) []u8 {
    const inode = inodeOf(self.world, name);
    inode.useAll();
    return inode.live[0..inode.size];
}

/// The bytes of a file that `boot` puts on the disk. The process has ended.
pub fn durable(self: *const DamagedStore, name: []const u8) []u8 {
    assert(self.env == null);
    const inode = inodeOf(self.world, name);
    inode.useAll();
    return inode.durable.items;
}

/// Cuts a file that `boot` puts on the disk; the bytes stay in memory behind its end.
pub fn cut(self: *const DamagedStore, name: []const u8, size: usize) void {
    inodeOf(self.world, name).durable.items.len = size;
}

/// Makes everything that was written durable, so that `boot` has it.
pub fn settle(self: *DamagedStore) !void {
    const disk = &self.world.disk;
    for (0..disk.inode_count) |index| try disk.flush(@intCast(index));
    try disk.flushDirectory("/disk");
}

/// A new machine with the files as they are now.
pub fn boot(self: *DamagedStore) !simulated.Os {
    var images = try self.world.images(1, 1);
    defer images.deinit();
    const plan = try images.next();
    try self.after.boot(self.world, &plan.?);
    return self.after.startProcess();
}

/// Nothing that was read counts as proved any more.
pub fn forget(env: *Env) void {
    @memset(env.file.verified[0..env.lock.published().page_count], 0);
}

/// A page of a tree, and how it is reached.
pub const Node = struct { ref: page.Ref, kind: page.Kind, parent: ?u32, slot: u32, is_main: bool };

/// The pages of the unnamed table and of the catalogue, parents first.
pub fn nodes(self: *DamagedStore, out: *std.ArrayList(Node)) !void {
    const state = self.env.?.lock.published();
    const view = try self.env.?.viewOf(state);
    const pages = view.pages();
    for ([_]page.Tree{ view.main, view.catalogue }, 0..) |tree, index| {
        if (tree.depth == 0) continue;
        var next = out.items.len;
        const kind = page.kind(try pages.page(tree.ref));
        const is_main = index == 0;
        try out.append(self.allocator, .{
            .ref = tree.ref,
            .kind = kind,
            .parent = null,
            .slot = 0,
            .is_main = is_main,
        });
        while (next < out.items.len) : (next += 1) {
            const bytes = try pages.page(out.items[next].ref);
            if (page.kind(bytes) != .branch) continue;
            for (0..page.count(bytes)) |slot| {
                const child = branch.child(bytes, @intCast(slot));
                try out.append(self.allocator, .{
                    .ref = child.ref,
                    .kind = page.kind(try pages.page(child.ref)),
                    .parent = @intCast(next),
                    .slot = @intCast(slot),
                    .is_main = is_main,
                });
            }
        }
    }
}

/// The bytes of a page of the open store.
pub fn pageOf(self: *const DamagedStore, pgno: u32) []align(8) u8 {
    const start = @as(usize, pgno) * self.page_size;
    return @alignCast(self.live(path)[start..][0..self.page_size]);
}

/// Puts right every checksum above node `index`, whose page was changed, and publishes the root.
pub fn forge(self: *DamagedStore, all: []const Node, index: usize) void {
    var state = self.env.?.lock.published();
    var at = index;
    while (true) {
        const node = all[at];
        const checksum = page.checksum(self.pageOf(node.ref.pgno), node.ref.pgno);
        const parent = node.parent orelse {
            const root = if (node.is_main) &state.main else &state.catalogue;
            root.checksum = checksum;
            break;
        };
        const ref: page.Ref = .{ .pgno = node.ref.pgno, .checksum = checksum, .dirty = false };
        branch.setRef(self.pageOf(all[parent].ref.pgno), node.slot, ref);
        at = parent;
    }
    self.env.?.lock.publish(state);
}

/// Reads all that a state holds, both ways, by key and by rank. Error: anything but `Corrupt`, or a
/// walk that comes to more entries than a file of that size can have.
pub fn readAnyhow(self: *DamagedStore, env: *Env) !void {
    const view = env.viewOf(env.lock.published()) catch |err| return onlyCorrupt(err);
    walk(self, &view, view.main) catch |err| try onlyCorrupt(err);
    walk(self, &view, view.catalogue) catch |err| try onlyCorrupt(err);
    var iterator: tables.Iterator = .init(view.pages(), view.catalogue);
    var count: usize = 0;
    while (iterator.next() catch |err| return onlyCorrupt(err)) |entry| : (count += 1) {
        if (count > limit(self)) return error.EndlessWalk;
        walk(self, &view, entry.record.tree) catch |err| try onlyCorrupt(err);
    }
}

fn limit(self: *const DamagedStore) usize {
    return self.live(path).len / 8;
}

fn onlyCorrupt(err: anyerror) !void {
    if (err != error.Corrupt) return err;
}

fn walk(self: *DamagedStore, view: *const Env.View, tree: page.Tree) !void {
    const pages: Pages = view.pages();
    var buffer: [config.key_size_max_any]u8 = undefined;
    for ([_]bool{ true, false }) |is_forward| {
        var cursor: Cursor = .init(pages, tree);
        if (!is_forward) cursor.state = .behind_last;
        var count: usize = 0;
        while (try if (is_forward) cursor.next() else cursor.prev()) : (count += 1) {
            if (count > self.limit()) return error.EndlessWalk;
            const key = try cursor.key(&buffer);
            _ = search.get(pages, tree, key) catch |err| try onlyCorruptValue(err);
            _ = try tables.valueBytes(pages, cursor.value());
            if (count % 16 == 0) _ = try search.rank(pages, tree, key);
        }
    }
    if (tree.entries > 2 and tree.depth > 0) {
        var cursor: Cursor = .init(pages, tree);
        try cursor.seekRank(tree.entries / 2);
        _ = try cursor.skip(1);
    }
}

fn onlyCorruptValue(err: anyerror) !?search.Value {
    try onlyCorrupt(err);
    return null;
}
