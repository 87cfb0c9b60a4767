//! Processes that are killed at each of their system calls, alone or beside another, and processes
//! that go on in the middle of each other's calls. A killed process loses nothing that it
//! published; whoever finds its locks and its half-done work goes on, and a power cut after that
//! leaves a state that both allow.

const std = @import("std");
const testing = std.testing;
const simulated = @import("../os/simulated.zig");
const checkpoint = @import("../txn/checkpoint.zig");
const Txn = @import("../txn/Txn.zig");
const History = @import("History.zig");
const Workload = @import("Workload.zig");
const PowerCuts = @import("PowerCuts.zig");
const totals = @import("counts.zig");
const seeds = @import("seeds.zig");

const allocator = std.heap.smp_allocator;

/// Two processes over one store and what it may hold. It is not moved: hooks point into it.
const Pair = struct {
    arena: std.heap.ArenaAllocator,
    world: *simulated.World,
    history: History,
    first: Workload,
    second: Workload,
    cuts: PowerCuts,
    random: std.Random.Xoshiro256,
    failure: ?anyerror = null,
    recovery_image_count: usize = 4,

    fn init(
        self: *Pair,
        machines: *const Machines,
        options: Workload.Options,
        cuts_options: PowerCuts.Options,
    ) !void {
        self.arena = .init(allocator);
        errdefer self.arena.deinit();
        self.world = machines.first;
        try self.world.reset(.{ .seed = options.seed });
        const arena = self.arena.allocator();
        self.history = try .init(arena);
        self.first = .init(arena, try self.world.startProcess(), &self.history, options);
        var other = options;
        other.seed +%= 1 << 32;
        self.second = .init(arena, try self.world.startProcess(), &self.history, other);
        self.cuts = .init(machines, &self.first, cuts_options);
        self.random = .init(options.seed +% 2 << 32);
        self.failure = null;
        self.recovery_image_count = 4;
    }

    fn deinit(self: *Pair) void {
        self.cuts.deinit();
        self.arena.deinit();
    }

    /// The first process works until it is killed. False: it ended before that.
    fn workUntilKilled(self: *Pair, step_count: u32) !bool {
        const outcome = self.workFirst(step_count);
        if (self.world.isAlive(self.first.os)) {
            try outcome;
            return false;
        }
        self.first.abandon();
        return true;
    }

    fn workFirst(self: *Pair, step_count: u32) !void {
        if (self.first.env == null) try self.first.open();
        for (0..step_count) |_| try self.first.step();
        try self.first.close();
    }

    /// The second process goes on, under power cuts, and leaves as the last one.
    fn goOn(self: *Pair, step_count: u32) !void {
        const second = &self.second;
        self.cuts.work = second;
        // The recovery of what a killed process left is cut in more ways than what comes later: its
        // meta may be in the kernel's cache and nowhere else.
        const image_count = self.cuts.options.image_count;
        self.cuts.options.image_count = self.recovery_image_count;
        self.world.before_call = self.cuts.hook();
        const before = self.cuts.image_count;
        if (second.env == null) try second.open();
        self.cuts.recovery_count += self.cuts.image_count - before;
        self.cuts.options.image_count = image_count;
        self.world.before_call = null;
        try second.read();
        try second.takeOver();
        second.options.has_company = false;
        self.world.before_call = self.cuts.hook();
        for (0..step_count) |_| {
            try second.step();
            if (self.cuts.failure != null) break;
        }
        try Workload.check(second.env.?);
        try second.close();
        self.cuts.examine(self.world, .flush);
        self.world.before_call = null;
        const digest = self.history.model.digest;
        try second.open();
        if (try Workload.digestOf(second.env.?) != digest) return error.ModelDiffers;
        try Workload.check(second.env.?);
        try second.close();
    }

    /// Lets the second process do something in the middle of a call of the first, and looks at
    /// what a power cut would leave there.
    fn interleave(
        argument: *anyopaque,
        world: *simulated.World,
        process: u32,
        call: simulated.Call,
    ) void {
        const self: *Pair = @ptrCast(@alignCast(argument));
        if (process != self.first.os.process or self.failure != null) return;
        if (self.random.random().uintLessThan(u32, 4) == 0) self.stepSecond() catch |failure| {
            self.failure = failure;
        };
        if (call.changesDisk()) self.cuts.examine(world, call);
    }

    /// What the first process holds now may be refused, nothing else.
    fn stepSecond(self: *Pair) !void {
        const second = &self.second;
        const outcome = if (second.env == null) second.open() else second.step();
        outcome catch |failure| if (failure != error.Busy) return failure;
    }
};

const Machines = PowerCuts.Machines;

const Counts = struct {
    runs: u64 = 0,
    images: u64 = 0,
    recoveries: u64 = 0,

    fn add(self: *Counts, cuts: *const PowerCuts) void {
        self.runs += 1;
        self.images += cuts.image_count;
        self.recoveries += cuts.recovery_count;
    }

    fn print(self: *const Counts, has_kills: bool) void {
        totals.print(.images, self.images);
        totals.print(.@"second crashes", self.recoveries);
        if (has_kills) totals.print(.@"simulated kills", self.runs);
    }
};

/// Kills the first process before its call number `at`. False: it did not live that long.
fn runKill(
    machines: *const Machines,
    options: Workload.Options,
    at: u64,
    is_beside: bool,
    counts: *Counts,
) !bool {
    var pair: Pair = undefined;
    try pair.init(machines, options, .{ .image_count = 1, .every = seeds.part() });
    defer pair.deinit();
    errdefer std.debug.print("killed at call {d}, {s}: ZEOLITE_SEED={d}, commit {d}\n", .{
        at, if (is_beside) "beside another" else "alone", options.seed, pair.history.newest(),
    });
    if (is_beside) {
        pair.first.options.has_company = true;
        try pair.first.open();
        try pair.second.open();
    }
    pair.world.killAt(pair.first.os, at, at % 2 == 0);
    if (!try pair.workUntilKilled(10)) return false;
    try pair.goOn(4);
    counts.add(&pair.cuts);
    try pair.cuts.report("killed");
    return true;
}

fn runKills(base: Workload.Options, seed_count: u64, is_beside: bool, name: []const u8) !void {
    var machines: Machines = try .init(allocator);
    defer machines.deinit();
    var counts: Counts = .{};
    var list: seeds.List = .init(base.seed, seed_count);
    while (list.next()) |seed| {
        var options = base;
        options.seed = seed;
        var at: u64 = 1;
        while (try runKill(&machines, options, at, is_beside, &counts)) at += seeds.part();
    }
    std.debug.print("{s}: {d} kills, then {d} images of power cuts\n", .{
        name, counts.runs, counts.images,
    });
    counts.print(true);
}

test "killed at each system call, alone: another process opens the store and goes on" {
    try runKills(.{ .seed = 7000 }, 2, false, "killed alone");
}

test "killed at each system call with pages that were in memory only" {
    const base: Workload.Options = .{
        .seed = 7500,
        .exclusive = true,
        .frames_size_max = 16 << 10,
    };
    try runKills(base, 2, false, "killed in exclusive mode");
}

test "killed at each system call, beside another process that goes on" {
    try runKills(.{ .seed = 8000 }, 2, true, "killed beside another");
}

test "killed at each system call in commits too large for the log" {
    const base: Workload.Options = .{ .seed = 8500, .operations_size_max = 1000 };
    try runKills(base, 2, true, "killed in large commits");
}

test "killed with a meta that only the kernel's cache has, and the power cut in its recovery" {
    var machines: Machines = try .init(allocator);
    defer machines.deinit();
    var counts: Counts = .{};
    var list: seeds.List = .init(8800, 10);
    while (list.next()) |seed| {
        var pair: Pair = undefined;
        // No flush of the log may bring one of the data file along: that would keep the meta.
        const options: Workload.Options = .{
            .seed = seed,
            .key_count = 12,
            .named_run_size_min = std.math.maxInt(u64),
        };
        try pair.init(&machines, options, .{ .image_count = 1, .every = seeds.part() });
        defer pair.deinit();
        errdefer std.debug.print("a meta in the cache: ZEOLITE_SEED={d}\n", .{seed});
        pair.recovery_image_count = 150;
        const first = &pair.first;
        try first.open();
        for (0..6) |_| try first.commit();
        try first.checkpointAll();
        // What the completed checkpoint holds is free in the next one.
        for (0..6) |_| try first.commit();
        const env = first.env.?;
        const begun = try checkpoint.step(env, true);
        try env.flushFile();
        try checkpoint.confirm(env, begun.ticket, true);
        const written = try checkpoint.step(env, true);
        try testing.expectEqual(.meta_written, written.ticket.phase);
        for (0..3) |_| try first.commit();
        try first.flush();
        pair.world.kill(first.os);
        first.abandon();
        try pair.goOn(2);
        counts.add(&pair.cuts);
        try pair.cuts.report("killed with a meta");
    }
    std.debug.print("a meta in the cache: {d} kills, then {d} images of power cuts\n", .{
        counts.runs, counts.images,
    });
    counts.print(true);
}

test "killed at each system call where values stand in runs that the log names" {
    const base: Workload.Options = .{
        .seed = 8700,
        .key_count = 8,
        .large_share = 50,
        .named_run_size_min = 100,
    };
    try runKills(base, 1, true, "killed in named runs");
    try runKills(base, 1, false, "killed in named runs, alone");
}

test "two processes in the middle of each other's calls" {
    var machines: Machines = try .init(allocator);
    defer machines.deinit();
    var counts: Counts = .{};
    var list: seeds.List = .init(9000, 10);
    while (list.next()) |seed| {
        const options: Workload.Options = .{
            .seed = seed,
            .has_company = true,
            .lock_timeout_ns = std.time.ns_per_ms,
        };
        var pair: Pair = undefined;
        try pair.init(&machines, options, .{ .image_count = 1, .every = seeds.part() });
        defer pair.deinit();
        errdefer std.debug.print("two processes: ZEOLITE_SEED={d}, commit {d}\n", .{
            seed, pair.history.newest(),
        });
        pair.world.before_call = .{ .argument = &pair, .run = Pair.interleave };
        try pair.workFirst(60);
        if (pair.failure) |failure| return failure;
        try pair.cuts.report("two processes");
        try pair.goOn(4);
        counts.add(&pair.cuts);
        try pair.cuts.report("two processes");
    }
    std.debug.print("two processes: {d} runs, {d} images of power cuts\n", .{
        counts.runs, counts.images,
    });
    counts.print(false);
}

test "a thread that dies in a transaction: the next one goes on as if it had never been" {
    var machines: Machines = try .init(allocator);
    defer machines.deinit();
    var list: seeds.List = .init(9500, 20);
    while (list.next()) |seed| {
        var pair: Pair = undefined;
        const options: Workload.Options = .{ .seed = seed, .has_company = true };
        try pair.init(&machines, options, .{ .image_count = 1, .every = seeds.part() });
        defer pair.deinit();
        errdefer std.debug.print("a dead thread: ZEOLITE_SEED={d}\n", .{seed});
        const first = &pair.first;
        try first.open();
        try pair.second.open();
        for (0..5) |_| try first.step();
        const own = first.os.threadId();
        try pair.world.enterThread(first.os, own + 1);
        var lost = try Txn.begin(first.env.?, 0);
        const mark: Workload.Mark = .of(9);
        _ = try lost.put(0, &mark.key, mark.value[0..mark.size], .upsert);
        if (seed % 2 == 1) _ = try lost.savepoint();
        try pair.world.enterThread(first.os, own);
        // While it lives, its lock is its own.
        try testing.expectError(error.Busy, Txn.begin(first.env.?, 0));
        try testing.expectError(error.Busy, Txn.begin(pair.second.env.?, 0));
        pair.world.endThread(first.os, own + 1);
        try first.read();
        for (0..8) |_| try first.step();
        try pair.second.read();
        try first.close();
        try pair.goOn(4);
        try pair.cuts.report("a dead thread");
    }
}
