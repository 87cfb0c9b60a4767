//! The layers of the engine, one operation each, for the micro-benchmarks in `bench/micro`: a tree
//! in pages that nobody else sees, and free space alone. No log, no locks, no JavaScript between two
//! operations: JavaScript asks for a turn, which times itself, so that what has to be made ready for
//! it is not in the figure.
//!
//! ```
//! prepare(operation, page_size, count, width)   0, or below 0: -1 failed, -2 cannot be done
//! turn()                                        nanoseconds of one operation, or below 0
//! pages()                                       pages that the last turn made (insert) or gave back
//! finish()
//! width_best()                                  the widest set of vectors that runs here
//! ```
//! One thing at a time, by one thread.

const std = @import("std");
const layers = @import("layers");
const clock = @import("clock.zig");
const data = @import("data.zig");

const FreeSpace = layers.FreeSpace;
const TestStore = layers.TestStore;
const Tree = layers.page.Tree;

const allocator = std.heap.c_allocator;

/// In the order of `bench/micro/layers.ts`.
const Operation = enum(u32) {
    /// A key in a tree of one page.
    search,
    /// A key in a tree of `count` entries.
    get,
    /// The next entry.
    cursor,
    /// A new key into a leaf that has room.
    insert_fit,
    /// A new key into a leaf that has none.
    insert_split,
    /// Every key of a tree in no order, until it is empty: leaves merge.
    delete,
    /// A page of the transaction, made and given back.
    page_create,
    /// One free page, of pages that lie anywhere.
    allocate,
    /// 64 pages at once.
    allocate_group,
    /// 16 pages in a row.
    allocate_run,
    /// One page back, and its part of the commit and of the next beginning.
    release,
    /// 16 pages in a row back, likewise.
    release_run,
};

/// Operations of a turn that has as many as one likes.
const turn_count = 4096;
/// Leaves of the trees that are written to.
const leaf_count = 256;
const group_size = 64;
const run_size = 16;

const Fixture = struct {
    operation: Operation,
    page_size: u32,
    count: u32,
    values: *data.Values,
    store: *TestStore,
    tree: Tree = .empty,
    keys: []data.Key,
    random: std.Random.Xoshiro256 = .init(7),
    space: FreeSpace = .{ .allocator = allocator },
    pages_changed: f64 = 0,

    fn deinit(self: *Fixture) void {
        self.store.destroy();
        self.space.deinit();
        allocator.free(self.keys);
        self.values.destroy(allocator);
        allocator.destroy(self);
    }

    /// Entries that fill so many leaves nearly; a leaf takes 122 bytes an entry and its head.
    fn perLeaf(self: *const Fixture) u32 {
        return @max(2, (self.page_size - 32) / (data.key_size + data.value_size + 14));
    }

    fn key(self: *const Fixture, index: usize) data.Key {
        return data.keyAt(@intCast(self.keys.len), @intCast(index));
    }

    fn renew(self: *Fixture) !void {
        self.store.destroy();
        self.tree = .empty;
        self.store = try .create(allocator, self.page_size);
    }

    fn put(self: *Fixture, of: data.Key, index: usize, mode: layers.insert.Mode) !void {
        const value = self.values.at(index);
        _ = try layers.insert.put(&self.store.dirty, &self.tree, &of, value, mode);
    }

    /// Puts keys at a distance from each other, in order, so that the leaves are full, and makes
    /// the pages clean, as they are for a reader.
    fn fillOrdered(self: *Fixture, step: usize) !void {
        var index: usize = 0;
        while (index < self.keys.len) : (index += step) {
            try self.put(self.key(index), index, .append);
        }
    }

    fn fillShuffled(self: *Fixture) !void {
        self.shuffleKeys();
        for (self.keys, 0..) |it, index| try self.put(it, index, .upsert);
    }

    fn shuffleKeys(self: *Fixture) void {
        for (self.keys, 0..) |*slot, index| slot.* = self.key(index);
        self.random.random().shuffle(data.Key, self.keys);
    }

    /// Free space in which every second run of 32 pages is free.
    fn scatter(self: *Fixture) !void {
        try self.space.reset(self.count);
        try self.space.begin(1, &.{});
        var pgno: u32 = 64;
        while (pgno + 32 < self.count) : (pgno += 64) try self.space.release(pgno, 32, 0);
        try self.nextTxn(1);
    }

    fn nextTxn(self: *Fixture, txnid: u64) !void {
        try self.space.reserveCommit();
        self.space.commit();
        try self.space.begin(txnid + 1, &.{});
    }

    fn commit(self: *Fixture) !void {
        try self.store.commit(&.{&self.tree});
    }
};

var fixture: ?*Fixture = null;

fn make(operation: Operation, page_size: u32, count: u32) !*Fixture {
    const self = try allocator.create(Fixture);
    self.* = .{
        .operation = operation,
        .page_size = page_size,
        .count = count,
        .values = try .create(allocator, data.value_size, data.value_count),
        .store = try .create(allocator, page_size),
        .keys = &.{},
    };
    const entries: usize = switch (operation) {
        .search, .get, .cursor => count,
        .insert_fit, .insert_split => 2 * @as(usize, leaf_count) * self.perLeaf(),
        .delete => leaf_count * @as(usize, self.perLeaf()),
        else => 0,
    };
    self.keys = try allocator.alloc(data.Key, entries);
    switch (operation) {
        .search => {
            try self.fillOrdered(1);
            if (self.tree.depth != 1) return error.TooMany;
            self.shuffleKeys();
            try self.commit();
        },
        .get, .cursor => {
            try self.fillShuffled();
            try self.commit();
        },
        .allocate, .allocate_group, .allocate_run => try self.scatter(),
        .release, .release_run => try self.scatter(),
        else => {},
    }
    return self;
}

fn lookups(self: *Fixture) !f64 {
    const pages = self.store.pages();
    var found: usize = 0;
    const start = self.random.random().uintLessThan(usize, self.keys.len);
    const begin = clock.now();
    for (0..turn_count) |turn_index| {
        const key = &self.keys[(start + turn_index * 7919) % self.keys.len];
        const value = try layers.search.get(pages, self.tree, key) orelse return error.Missing;
        found += value.bytes[0];
    }
    const figure = clock.perOperation(begin, turn_count);
    std.mem.doNotOptimizeAway(found);
    return figure;
}

fn steps(self: *Fixture) !f64 {
    var cursor: layers.Cursor = .init(self.store.pages(), self.tree);
    var read: usize = 0;
    const begin = clock.now();
    for (0..turn_count) |_| {
        if (!try cursor.next()) _ = try cursor.first();
        read += cursor.value().bytes[0];
    }
    const figure = clock.perOperation(begin, turn_count);
    std.mem.doNotOptimizeAway(read);
    return figure;
}

/// A key between two that are there, once in every leaf: every odd index is free.
fn inserts(self: *Fixture) !f64 {
    try self.renew();
    try self.fillOrdered(2);
    const per_leaf = self.keys.len / 2 / leaf_count;
    if (self.operation == .insert_fit) {
        // Room in each leaf: half of its entries go.
        for (0..self.keys.len / 2) |index| {
            if (index % 2 == 0) continue;
            _ = try layers.delete.remove(&self.store.dirty, &self.tree, &self.key(2 * index));
        }
    }
    const before = self.store.dirty.liveCount();
    const stride = 2 * per_leaf;
    // A full leaf beside one that was just split evens out with it.
    const distance: usize = if (self.operation == .insert_split) 3 else 1;
    const begin = clock.now();
    for (0..leaf_count / distance) |place| {
        const index = place * distance * stride + stride / 2 | 1;
        try self.put(self.key(index), index, .upsert);
    }
    const figure = clock.perOperation(begin, leaf_count / distance);
    self.pages_changed = floatOf(self.store.dirty.liveCount()) - floatOf(before);
    return figure;
}

fn deletes(self: *Fixture) !f64 {
    try self.renew();
    try self.fillShuffled();
    self.random.random().shuffle(data.Key, self.keys);
    const before = self.store.dirty.liveCount();
    const begin = clock.now();
    for (self.keys) |*key| {
        if (!try layers.delete.remove(&self.store.dirty, &self.tree, key)) return error.Missing;
    }
    const figure = clock.perOperation(begin, self.keys.len);
    self.pages_changed = floatOf(before) - floatOf(self.store.dirty.liveCount());
    return figure;
}

fn creations(self: *Fixture) !f64 {
    var made: [256]layers.page.Ref = undefined;
    const begin = clock.now();
    for (&made) |*ref| ref.* = (try self.store.dirty.create()).ref;
    for (&made) |ref| try self.store.dirty.discard(ref);
    return clock.perOperation(begin, made.len);
}

/// Takes pages, then, outside the time, gives them back and ends the transaction.
fn allocations(self: *Fixture, comptime size: u32) !f64 {
    const space = &self.space;
    var taken: [256][size]u32 = undefined;
    const begin = clock.now();
    for (&taken) |*pages| {
        if (self.operation == .allocate_group) {
            try space.allocateGroup(pages, 4, true);
        } else pages[0] = try space.allocate(size);
    }
    const figure = clock.perOperation(begin, taken.len);
    const txnid = space.txnid;
    try self.nextTxn(txnid);
    for (&taken) |*pages| {
        if (self.operation == .allocate_group) {
            for (pages) |pgno| try space.release(pgno, 1, txnid);
        } else try space.release(pages[0], size, txnid);
    }
    try self.nextTxn(txnid + 1);
    return figure;
}

fn releases(self: *Fixture, comptime size: u32) !f64 {
    const space = &self.space;
    var taken: [256]u32 = undefined;
    for (&taken) |*pgno| pgno.* = try space.allocate(size);
    const txnid = space.txnid;
    try self.nextTxn(txnid);
    const begin = clock.now();
    for (&taken) |pgno| try space.release(pgno, size, txnid);
    try self.nextTxn(txnid + 1);
    return clock.perOperation(begin, taken.len);
}

fn floatOf(number: usize) f64 {
    return @floatFromInt(number);
}

fn turnOf(self: *Fixture) !f64 {
    return switch (self.operation) {
        .search, .get => lookups(self),
        .cursor => steps(self),
        .insert_fit, .insert_split => inserts(self),
        .delete => deletes(self),
        .page_create => creations(self),
        .allocate => allocations(self, 1),
        .allocate_group => allocations(self, group_size),
        .allocate_run => allocations(self, run_size),
        .release => releases(self, 1),
        .release_run => releases(self, run_size),
    };
}

export fn zeolite_layers_prepare(operation: u32, page_size: u32, count: u32, width: u32) i32 {
    zeolite_layers_finish();
    if (operation >= @typeInfo(Operation).@"enum".fields.len) return -2;
    if (width > @intFromEnum(layers.kernels.best())) return -2;
    _ = layers.kernels.use(@enumFromInt(width));
    fixture = make(@enumFromInt(operation), page_size, count) catch |err| {
        if (err == error.TooMany) return -2;
        std.debug.print("layers: {t}\n", .{err});
        return -1;
    };
    return 0;
}

export fn zeolite_layers_turn() f64 {
    return turnOf(fixture orelse return -1) catch |err| {
        std.debug.print("layers: {t}\n", .{err});
        return -1;
    };
}

export fn zeolite_layers_pages() f64 {
    return if (fixture) |it| it.pages_changed else 0;
}

export fn zeolite_layers_finish() void {
    if (fixture) |it| it.deinit();
    fixture = null;
}

export fn zeolite_layers_width_best() i32 {
    return @intFromEnum(layers.kernels.best());
}
