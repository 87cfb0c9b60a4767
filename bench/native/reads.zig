//! The rows that read: gets that copy, views that do not, many keys at once, walks; by one thread
//! and by two. Every contender answers the same keys in a round, and must answer alike.

const std = @import("std");
const Bench = @import("Bench.zig");
const clock = @import("clock.zig");
const data = @import("data.zig");

pub const Call = enum { get, view, getMany, getMissing, scan };

/// One call by a number of threads in the stores of the contenders.
const Lookups = struct {
    bench: *Bench,
    /// A store and a number of threads for each column.
    stores: []const *Bench.Store,
    threads: []const u32,
    call: Call,
    entries: u32,
    /// Asked of each thread.
    keys: []data.Key,
    is_ordered: bool = false,
    round: usize = std.math.maxInt(usize),
    sum: u64 = 0,

    pub fn turn(self: *Lookups, index: usize, round: usize) !f64 {
        const is_first = self.round != round;
        if (is_first) self.choose(round);
        const count: u64 = if (self.call == .scan) self.entries else self.keys.len;
        const threads = self.threads[index];
        const result = try self.run(self.stores[index], threads);
        if (!is_first and result.sum * self.threads[0] != self.sum * threads) {
            return clock.fail("{t}: contenders answer differently", .{self.call});
        }
        if (is_first) self.sum = result.sum / threads * self.threads[0];
        return result.ns / @as(f64, @floatFromInt(count * threads));
    }

    fn choose(self: *Lookups, round: usize) void {
        self.round = round;
        if (self.is_ordered) return;
        var random: std.Random.Xoshiro256 = .init(self.bench.roundSeed(round));
        if (self.call != .getMissing) {
            return data.randomKeys(self.keys, self.entries, random.random());
        }
        for (self.keys) |*key| {
            const index = random.random().uintLessThan(u32, self.entries);
            key.* = data.missingAt(self.entries, index);
        }
    }

    const Result = struct { ns: f64, sum: u64 };

    fn run(self: *Lookups, store: *Bench.Store, threads: u32) !Result {
        if (threads > 1) return self.runThreads(store, threads);
        const begin = clock.now();
        const sum = switch (store.*) {
            inline else => |*it| try self.answer(it.session),
        };
        return .{ .ns = @floatFromInt(clock.now() - begin), .sum = sum };
    }

    fn answer(self: *const Lookups, session: anytype) !u64 {
        return switch (self.call) {
            .scan => session.scan(),
            inline else => |call| @field(@TypeOf(session), @tagName(call))(session, self.keys),
        };
    }

    const Worker = struct {
        thread: std.Thread = undefined,
        is_ready: std.atomic.Value(bool) = .init(false),
        end: u64 = 0,
        sum: ?u64 = null,
    };

    fn runThreads(self: *Lookups, store: *Bench.Store, threads: u32) !Result {
        var workers: [8]Worker = @splat(.{});
        var start: std.atomic.Value(bool) = .init(false);
        for (workers[0..threads]) |*worker| {
            worker.thread = try .spawn(.{}, work, .{ self, store, worker, &start });
        }
        for (workers[0..threads]) |*worker| {
            while (!worker.is_ready.load(.acquire)) std.Thread.yield() catch {}; // looks again
        }
        const begin = clock.now();
        start.store(true, .release);
        var end = begin;
        var sum: u64 = 0;
        for (workers[0..threads]) |*worker| {
            worker.thread.join();
            sum += worker.sum orelse return clock.fail("a reading thread failed", .{});
            end = @max(end, worker.end);
        }
        return .{ .ns = @floatFromInt(end - begin), .sum = sum };
    }

    fn work(
        self: *Lookups,
        store: *Bench.Store,
        worker: *Worker,
        start: *std.atomic.Value(bool),
    ) void {
        switch (store.*) {
            inline else => |*it| {
                const session = it.openReader() catch return worker.is_ready.store(true, .release);
                defer @TypeOf(it.*).closeReader(session) catch {
                    worker.sum = null; // told as a failure
                };
                worker.is_ready.store(true, .release);
                while (!start.load(.acquire)) std.atomic.spinLoopHint();
                const sum = self.answer(session) catch return;
                worker.end = clock.now();
                worker.sum = sum;
            },
        }
    }
};

pub const Options = struct {
    id: []const u8,
    title: []const u8,
    call: Call,
    entries: u32,
    /// Lookups of a turn, by each thread.
    count: u32,
    /// Columns for each contender.
    threads: []const u32 = &.{1},
    is_ordered: bool = false,
    /// Also measures the floor of a lookup in a small store.
    has_floor: bool = false,
};

/// A row with a column for each reader and number of threads.
pub fn lookups(bench: *Bench, options: Options) !void {
    var contenders: std.ArrayList(Bench.Contender) = .empty;
    try contenders.appendSlice(bench.allocator, try bench.readers());
    if (options.has_floor) {
        try contenders.append(bench.allocator, .{ .name = "binary search", .kind = .sorted });
    }
    const column_count = contenders.items.len * options.threads.len;
    const stores = try bench.allocator.alloc(*Bench.Store, column_count);
    const threads = try bench.allocator.alloc(u32, column_count);
    const names = try bench.allocator.alloc([]const u8, column_count);
    var column: usize = 0;
    for (options.threads) |thread_count| {
        for (contenders.items) |contender| {
            stores[column] = try bench.filled(contender, options.entries);
            threads[column] = thread_count;
            names[column] = try nameOf(bench, contender.name, thread_count);
            column += 1;
        }
    }
    try lookupsIn(bench, options, stores, threads, names);
}

fn nameOf(bench: *Bench, name: []const u8, thread_count: u32) ![]const u8 {
    if (thread_count == 1) return name;
    return std.fmt.allocPrint(bench.allocator, "{s}, {d} threads", .{ name, thread_count });
}

/// A row with a column for each of these stores.
pub fn lookupsIn(
    bench: *Bench,
    options: Options,
    stores: []const *Bench.Store,
    threads: []const u32,
    names: []const []const u8,
) !void {
    var work: Lookups = .{
        .bench = bench,
        .stores = stores,
        .threads = threads,
        .call = options.call,
        .entries = options.entries,
        .keys = try bench.allocator.alloc(data.Key, bench.sizes.part(options.count)),
        .is_ordered = options.is_ordered,
    };
    defer bench.allocator.free(work.keys);
    if (options.is_ordered) {
        for (work.keys, 0..) |*key, index| {
            key.* = data.keyAt(options.entries, @intCast(index % options.entries));
        }
    }
    try bench.measure(options.id, options.title, .ns, names, &work);
}
