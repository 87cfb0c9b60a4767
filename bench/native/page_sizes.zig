//! The page size as a parameter: the same work in stores of every page size, in turns. The first
//! column is that of the default.

const std = @import("std");
const Bench = @import("Bench.zig");
const clock = @import("clock.zig");
const data = @import("data.zig");
const reads = @import("reads.zig");

const page_sizes = [_]u32{ 4096, 512, 1024, 2048, 8192, 16384, 32768, 65536 };
const names = [_][]const u8{
    "4 KiB", "512 B", "1 KiB", "2 KiB", "8 KiB", "16 KiB", "32 KiB", "64 KiB",
};

/// Loads a store of each page size in each round. Those of the last round stay.
const Load = struct {
    bench: *Bench,
    keys: []const data.Key,
    batch: u32,
    stores: [page_sizes.len]?*Bench.Store = @splat(null),

    pub fn turn(self: *Load, index: usize, _: usize) !f64 {
        const bench = self.bench;
        if (self.stores[index]) |store| try bench.remove(store);
        const store = try bench.createWith(bench.contenders[0], page_sizes[index]);
        self.stores[index] = store;
        const begin = clock.now();
        try store.put(.{ .keys = self.keys, .values = bench.values, .batch = self.batch });
        const figure = clock.perOperation(begin, self.keys.len);
        try bench.settle(store);
        return figure;
    }

    fn removeAll(self: *Load) !void {
        for (self.stores) |store| try self.bench.remove(store.?);
    }
};

/// One put a transaction, of keys that are there.
const Overwrite = struct {
    load: *Load,
    keys: []data.Key,

    pub fn turn(self: *Overwrite, index: usize, round: usize) !f64 {
        const bench = self.load.bench;
        var random: std.Random.Xoshiro256 = .init(bench.roundSeed(round));
        data.randomKeys(self.keys, @intCast(self.load.keys.len), random.random());
        const begin = clock.now();
        try self.load.stores[index].?.put(.{
            .keys = self.keys,
            .values = bench.values,
            .batch = 1,
        });
        return clock.perOperation(begin, self.keys.len);
    }
};

fn lookups(load: *Load, id: []const u8, title: []const u8, call: reads.Call) !void {
    var stores: [page_sizes.len]*Bench.Store = undefined;
    for (&stores, load.stores) |*store, it| store.* = it.?;
    const threads: [page_sizes.len]u32 = @splat(1);
    try reads.lookupsIn(load.bench, .{
        .id = id,
        .title = title,
        .call = call,
        .entries = @intCast(load.keys.len),
        .count = 200_000,
    }, &stores, &threads, &names);
}

pub fn run(bench: *Bench, _: []const u8) !void {
    var small: Load = .{
        .bench = bench,
        .keys = try data.shuffledKeys(bench.allocator, 10_000),
        .batch = 1000,
    };
    try bench.measure("page-load-hot", "a load of 10,000 in no order", .ns, &names, &small);
    try lookups(&small, "page-hot", "get, copied, 10,000 entries", .get);
    try small.removeAll();

    var load: Load = .{
        .bench = bench,
        .keys = try data.shuffledKeys(bench.allocator, bench.sizes.entries),
        .batch = 1000,
    };
    const title = "a load in no order, 1,000 a transaction";
    try bench.measureSlow("page-load", title, .ns, &names, &load);
    try lookups(&load, "page-random", "get, copied, random", .get);
    try lookups(&load, "page-getmany", "1,000 random keys in one call", .getMany);
    try lookups(&load, "page-scan", "all rows", .scan);
    var overwrite: Overwrite = .{
        .load = &load,
        .keys = try bench.allocator.alloc(data.Key, bench.sizes.part(5000)),
    };
    try bench.measure("page-put", "one random put a transaction", .ns, &names, &overwrite);
    var figures: [page_sizes.len]f64 = undefined;
    for (&figures, load.stores) |*figure, store| {
        const it = &store.?.zeolite;
        figure.* = try it.pagesInUse() * try it.pageSize();
    }
    try bench.add("page-space", "pages in use", .bytes, &names, &figures);
    try load.removeAll();
}
