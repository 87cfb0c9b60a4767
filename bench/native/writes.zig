//! The rows that write: loads of an empty store, and puts of keys that are there already in a store
//! that stays. Nothing waits for a flush, but in the rows that are about flushes.

const std = @import("std");
const Bench = @import("Bench.zig");
const clock = @import("clock.zig");
const data = @import("data.zig");
const floors = @import("floors.zig");

/// Loads an empty store in each turn.
const Load = struct {
    bench: *Bench,
    contenders: []const Bench.Contender,
    keys: []const data.Key,
    batch: u32,
    is_ordered: bool,

    pub fn turn(self: *Load, index: usize, _: usize) !f64 {
        const store = try self.bench.create(self.contenders[index]);
        const begin = clock.now();
        try store.put(.{
            .keys = self.keys,
            .values = self.bench.values,
            .batch = self.batch,
            .append = self.is_ordered,
        });
        const figure = clock.perOperation(begin, self.keys.len);
        try self.bench.settle(store);
        try self.bench.remove(store);
        return figure;
    }
};

pub fn load(bench: *Bench, id: []const u8, title: []const u8, is_ordered: bool) !void {
    const entries = bench.sizes.entries;
    const keys = if (is_ordered)
        try data.orderedKeys(bench.allocator, entries)
    else
        try data.shuffledKeys(bench.allocator, entries);
    defer bench.allocator.free(keys);
    var work: Load = .{
        .bench = bench,
        .contenders = bench.contenders,
        .keys = keys,
        .batch = 1000,
        .is_ordered = is_ordered,
    };
    try bench.measureSlow(id, title, .ns, try bench.namesOf(bench.contenders), &work);
}

/// Overwrites random entries.
const Overwrite = struct {
    bench: *Bench,
    stores: []const *Bench.Store,
    entries: u32,
    keys: []data.Key,
    batch: u32,
    is_ordered: bool,
    round: usize = std.math.maxInt(usize),

    pub fn turn(self: *Overwrite, index: usize, round: usize) !f64 {
        if (self.round != round) self.choose(round);
        const begin = clock.now();
        try self.stores[index].put(.{
            .keys = self.keys,
            .values = self.bench.values,
            .first = round,
            .batch = self.batch,
        });
        return clock.perOperation(begin, self.keys.len / self.batch);
    }

    fn choose(self: *Overwrite, round: usize) void {
        self.round = round;
        var random: std.Random.Xoshiro256 = .init(self.bench.roundSeed(round));
        if (!self.is_ordered) {
            return data.randomKeys(self.keys, self.entries, random.random());
        }
        const first = random.random().uintLessThan(u32, self.entries);
        for (self.keys, 0..) |*key, index| {
            key.* = data.keyAt(self.entries, @intCast((first + index) % self.entries));
        }
    }
};

pub const Options = struct {
    id: []const u8,
    title: []const u8,
    entries: u32,
    /// Puts of a transaction.
    batch: u32,
    /// Puts of a turn.
    count: u32,
    /// Each transaction's keys follow one another.
    is_ordered: bool = false,
};

/// A row whose figure is the time of one transaction.
pub fn overwrites(bench: *Bench, options: Options) !void {
    const stores = try bench.allocator.alloc(*Bench.Store, bench.contenders.len);
    for (stores, bench.contenders) |*store, contender| {
        store.* = try bench.filled(contender, options.entries);
    }
    const txn_count = @max(1, bench.sizes.part(options.count) / options.batch);
    var work: Overwrite = .{
        .bench = bench,
        .stores = stores,
        .entries = options.entries,
        .keys = try bench.allocator.alloc(data.Key, txn_count * options.batch),
        .batch = options.batch,
        .is_ordered = options.is_ordered,
    };
    defer bench.allocator.free(work.keys);
    try bench.measure(
        options.id,
        options.title,
        .ns,
        try bench.namesOf(bench.contenders),
        &work,
    );
    for (stores) |store| try bench.settle(store);
}

/// Overwrites random entries, each commit flushed before the next. The last column is the floor.
const Flushed = struct {
    overwrite: Overwrite,
    file: *floors.File,

    pub fn turn(self: *Flushed, index: usize, round: usize) !f64 {
        const overwrite = &self.overwrite;
        if (index < overwrite.stores.len) return overwrite.turn(index, round);
        return floors.flushed(self.file, overwrite.keys.len / overwrite.batch);
    }
};

/// A row whose figure is the time of one transaction that is on stable storage at its end.
pub fn flushed(bench: *Bench, options: Options) !void {
    var contenders: std.ArrayList(Bench.Contender) = .empty;
    for (bench.contenders) |contender| {
        if (contender.durable()) |it| try contenders.append(bench.allocator, it);
    }
    const names = try bench.allocator.alloc([]const u8, contenders.items.len + 1);
    const stores = try bench.allocator.alloc(*Bench.Store, contenders.items.len);
    for (contenders.items, stores, names[0..stores.len]) |contender, *store, *name| {
        store.* = try bench.filled(contender, options.entries);
        name.* = contender.name;
    }
    names[stores.len] = "4 KiB and fdatasync";
    var file: floors.File = try .create(bench);
    defer file.close();
    const txn_count = @max(1, bench.sizes.part(options.count) / options.batch);
    var work: Flushed = .{ .file = &file, .overwrite = .{
        .bench = bench,
        .stores = stores,
        .entries = options.entries,
        .keys = try bench.allocator.alloc(data.Key, txn_count * options.batch),
        .batch = options.batch,
        .is_ordered = options.is_ordered,
    } };
    defer bench.allocator.free(work.overwrite.keys);
    try bench.measure(options.id, options.title, .ns, names, &work);
}

/// Bytes that a turn of a row about large values puts.
const volume = 32 << 20;

pub const ValueOptions = struct {
    id: []const u8,
    title: []const u8,
    /// Bytes of a value.
    size: u32,
    /// Puts of a transaction.
    batch: u32 = 1,
    is_flushed: bool = false,
};

/// Puts values of one size into an empty store, then once more over the first ones.
const Large = struct {
    bench: *Bench,
    contenders: []const Bench.Contender,
    keys: []const data.Key,
    values: *const data.Values,
    batch: u32,

    pub fn turn(self: *Large, index: usize, _: usize) !f64 {
        const store = try self.bench.create(self.contenders[index]);
        const begin = clock.now();
        for (0..2) |pass| try store.put(.{
            .keys = self.keys,
            .values = self.values,
            .first = pass,
            .batch = self.batch,
        });
        const figure = clock.perOperation(begin, 2 * self.keys.len / self.batch);
        try self.bench.settle(store);
        try self.bench.remove(store);
        return figure;
    }
};

/// A row whose figure is the time of one transaction.
pub fn large(bench: *Bench, options: ValueOptions) !void {
    const whole: u32 = if (options.is_flushed) volume / 4 else volume;
    const put_count = @max(2, bench.sizes.part(whole) / options.size);
    const count = @max(1, put_count / options.batch) * options.batch;
    var contenders: std.ArrayList(Bench.Contender) = .empty;
    for (bench.contenders) |contender| {
        const chosen = if (options.is_flushed) contender.durable() orelse continue else contender;
        try contenders.append(bench.allocator, chosen);
    }
    const values = try data.Values.create(bench.allocator, options.size, @min(count, 64));
    defer values.destroy(bench.allocator);
    const keys = try data.shuffledKeys(bench.allocator, count);
    defer bench.allocator.free(keys);
    var work: Large = .{
        .bench = bench,
        .contenders = contenders.items,
        .keys = keys,
        .values = values,
        .batch = options.batch,
    };
    const names = try bench.namesOf(contenders.items);
    try bench.measureSlow(options.id, options.title, .ns, names, &work);
}
