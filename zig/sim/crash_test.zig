//! Power cuts: whatever subset of the unflushed sectors survives, torn at 512 bytes, the store
//! opens to a state between the last one known to be durable and the last published, and goes on.
//! Seeds are chosen as `seeds.zig` says.

const std = @import("std");
/// The testing allocator would take most of the time; the fault tests look for leaks.
const allocator = std.heap.smp_allocator;
const testing = std.testing;
const simulated = @import("../os/simulated.zig");
const History = @import("History.zig");
const Workload = @import("Workload.zig");
const PowerCuts = @import("PowerCuts.zig");
const counts = @import("counts.zig");
const seeds = @import("seeds.zig");
const shrink = @import("shrink.zig");

const Machines = PowerCuts.Machines;

const Totals = struct { images: u64 = 0, deep: u64 = 0, points: u64 = 0 };

/// A workload under power cuts. It is not moved: the hook points into it.
const Run = struct {
    arena: std.heap.ArenaAllocator,
    world: *simulated.World,
    history: History,
    work: Workload,
    cuts: PowerCuts,

    fn init(
        self: *Run,
        machines: *const Machines,
        options: Workload.Options,
        cuts_options: PowerCuts.Options,
    ) !void {
        self.arena = .init(allocator);
        errdefer self.arena.deinit();
        self.world = machines.first;
        try self.world.reset(.{ .seed = options.seed });
        self.world.can_rename_no_replace = options.seed % 4 != 3;
        const arena = self.arena.allocator();
        self.history = try .init(arena);
        self.work = .init(arena, try self.world.startProcess(), &self.history, options);
        self.cuts = .init(machines, &self.work, cuts_options);
        self.world.before_call = self.cuts.hook();
    }

    fn deinit(self: *Run) void {
        self.cuts.deinit();
        self.arena.deinit();
    }

    /// Opens the store, works, and closes it.
    fn steps(self: *Run, count: u32) !void {
        errdefer std.debug.print("seed {d}, page size {d}, commit {d}\n", .{
            self.work.options.seed, self.work.options.page_size, self.history.newest(),
        });
        try self.work.open();
        for (0..count) |_| {
            try self.work.step();
            if (self.cuts.failure != null) break;
        }
        try self.end();
    }

    /// The same with some steps of a history that was run before.
    fn replay(self: *Run, chances: []const Chances, chosen: []const u32) !void {
        try self.work.open();
        for (chosen) |step| {
            if (step >= chances.len) continue;
            self.work.random = chances[step];
            try self.work.step();
            if (self.cuts.failure != null) break;
        }
        try self.end();
    }

    fn end(self: *Run) !void {
        try self.work.close();
        self.cuts.examine(self.world, .flush);
    }

    fn addTo(self: *const Run, totals: *Totals) void {
        totals.images += self.cuts.image_count;
        totals.deep += self.cuts.deep_count;
        totals.points += self.cuts.point;
    }
};

/// Where the generator of a workload stands when a step begins.
const Chances = std.Random.Xoshiro256;

/// A history that can be run again, whole or in part.
const Plan = struct {
    machines: *const Machines,
    options: Workload.Options,
    cuts: PowerCuts.Options,
    step_count: u32,
    /// See `World.lying_path`.
    lying_path: ?[]const u8 = null,
    chances: []const Chances = &.{},
    /// How the whole history fails.
    failure: ?anyerror = null,

    fn init(self: *const Plan, run: *Run) !void {
        try run.init(self.machines, self.options, self.cuts);
        run.world.lying_path = self.lying_path;
    }

    /// Runs it without any cut, to see where the chances of each step begin.
    fn record(self: *Plan) !void {
        var run: Run = undefined;
        try self.init(&run);
        defer run.deinit();
        run.world.before_call = null;
        var chances: std.ArrayList(Chances) = .empty;
        errdefer chances.deinit(allocator);
        try run.work.open();
        for (0..self.step_count) |_| {
            try chances.append(allocator, run.work.random);
            run.work.step() catch break;
        }
        run.work.abandon();
        self.chances = try chances.toOwnedSlice(allocator);
    }

    fn deinit(self: *Plan) void {
        allocator.free(self.chances);
    }

    /// Whether these steps alone fail in the same way.
    fn fails(context: *anyopaque, chosen: []const u32) anyerror!bool {
        const self: *const Plan = @ptrCast(@alignCast(context));
        var run: Run = undefined;
        try self.init(&run);
        defer run.deinit();
        const found = if (run.replay(self.chances, chosen)) |_|
            if (run.cuts.failure) |failure| failure.what else return false
        else |err|
            err;
        run.work.abandon();
        return found == self.failure orelse found;
    }

    fn shortest(self: *Plan) ![]u32 {
        return shrink.shrink(allocator, @intCast(self.chances.len), self, fails);
    }

    /// Says which few steps fail as the whole history does.
    fn printShortest(self: *Plan, test_name: []const u8) !void {
        try self.record();
        defer self.deinit();
        const chosen = try self.shortest();
        defer allocator.free(chosen);
        std.debug.print("{d} of {d} steps fail in this way: ZEOLITE_SEED={d} ZEOLITE_STEPS=", .{
            chosen.len, self.chances.len, self.options.seed,
        });
        shrink.print(chosen);
        std.debug.print(" zig build --build-file zig/build.zig test -Dtest-filter=\"{s}\"\n", .{
            test_name,
        });
    }
};

fn runSeed(plan: *Plan, test_name: []const u8, totals: *Totals) !void {
    var run: Run = undefined;
    if (try shrink.wanted(allocator)) |chosen| {
        defer allocator.free(chosen);
        try plan.record();
        defer plan.deinit();
        try plan.init(&run);
        defer run.deinit();
        try run.replay(plan.chances, chosen);
        return run.cuts.report(test_name);
    }
    try plan.init(&run);
    defer run.deinit();
    const outcome = run.steps(plan.step_count);
    run.addTo(totals);
    run.cuts.report(test_name) catch {}; // what it tells is printed; the failure comes below
    if (outcome) |_| {
        const failure = run.cuts.failure orelse return;
        plan.failure = failure.what;
    } else |err| plan.failure = err;
    plan.printShortest(test_name) catch |err| std.debug.print("not shortened: {t}\n", .{err});
    return plan.failure.?;
}

fn runSeeds(
    count: u64,
    base: Workload.Options,
    cuts_options: PowerCuts.Options,
    step_count: u32,
    test_name: []const u8,
) !void {
    var machines: Machines = try .init(allocator);
    defer machines.deinit();
    var totals: Totals = .{};
    var chosen = cuts_options;
    chosen.every = seeds.part();
    var images: counts.Running = .{ .what = .images, .every = 5000 };
    var deep: counts.Running = .{ .what = .@"second crashes", .every = 5000 };
    var list: seeds.List = .init(base.seed, count);
    while (list.next()) |seed| {
        var options = base;
        options.seed = seed;
        // Half of them with pages that stay in memory from one checkpoint to the next.
        options.exclusive = seed % 2 == 1;
        // Some seeds on larger pages: other shapes of trees, other sizes that end in a run.
        if (seed % 3 == 2) options.page_size *= 4;
        var plan: Plan = .{
            .machines = &machines,
            .options = options,
            .cuts = chosen,
            .step_count = step_count,
        };
        const before = totals;
        try runSeed(&plan, test_name, &totals);
        images.add(totals.images - before.images);
        deep.add(totals.deep - before.deep);
    }
    images.end();
    deep.end();
    std.debug.print("{s}: {d} images of {d} moments, {d} cut a second time\n", .{
        test_name, totals.images, totals.points, totals.deep,
    });
}

test "power cut: small histories, every image of few changes" {
    const name = "power cut: small histories";
    const base: Workload.Options = .{ .seed = 1, .operation_count_max = 2, .key_count = 12 };
    try runSeeds(6, base, .{ .image_count = 200 }, 5, name);
}

test "power cut: long histories" {
    const name = "power cut: long histories";
    const base: Workload.Options = .{ .seed = 1000 };
    try runSeeds(9, base, .{ .image_count = 5 }, 60, name);
}

test "power cut: transactions too large for the log, pages written before the commit" {
    const name = "power cut: transactions too large";
    const base: Workload.Options = .{
        .seed = 5000,
        .operations_size_max = 1500,
        .frames_size_max = 8 << 10,
    };
    try runSeeds(2, base, .{ .image_count = 5, .deep_every = 50 }, 60, name);
}

test "power cut: frames kept between commits, and written when they are too many" {
    const name = "power cut: frames kept";
    const base: Workload.Options = .{ .seed = 7001, .frames_size_max = 16 << 10 };
    try runSeeds(3, base, .{ .image_count = 5, .deep_every = 100 }, 60, name);
}

test "power cut: values in runs that the log names" {
    const name = "power cut: values in runs";
    const base: Workload.Options = .{
        .seed = 16_000,
        .key_count = 6,
        .large_share = 60,
        .named_run_size_min = 250,
    };
    try runSeeds(6, base, .{ .image_count = 5, .deep_every = 40 }, 60, name);
}

test "power cut: small histories of values in runs, every image of few changes" {
    const name = "power cut: small histories of values";
    const base: Workload.Options = .{
        .seed = 17_000,
        .key_count = 4,
        .operation_count_max = 3,
        .value_size_max = 1500,
        .large_share = 60,
        .named_run_size_min = 250,
    };
    try runSeeds(4, base, .{ .image_count = 100, .deep_every = 300 }, 8, name);
}

test "power cut: a log that grows" {
    const name = "power cut: a log that grows";
    const base: Workload.Options = .{ .seed = 6000, .page_size = 4096, .value_size_max = 200_000 };
    try runSeeds(2, base, .{ .image_count = 2 }, 60, name);
}

test "power cut: a file that is cut at closing" {
    const name = "power cut: a file that is cut";
    const base: Workload.Options = .{
        .seed = 8000,
        .page_size = 4096,
        .value_size_max = 1000,
        .key_count = 600,
        .operation_count_max = 60,
    };
    try runSeeds(2, base, .{ .image_count = 3, .deep_every = 100 }, 80, name);
}

test "power cut: a second one during recovery" {
    const name = "power cut: a second one";
    const base: Workload.Options = .{ .seed = 2000, .page_size = 1024 };
    try runSeeds(2, base, .{ .image_count = 2, .deep_every = 10 }, 30, name);
}

test "power cut: a second one after each image of creation" {
    const name = "power cut: a second one after each image";
    const base: Workload.Options = .{ .seed = 4000, .operation_count_max = 1, .key_count = 3 };
    try runSeeds(1, base, .{ .image_count = 5, .deep_every = 1 }, 2, name);
}

test "power cut: a flush that does nothing is caught, whichever it is" {
    var machines: Machines = try .init(allocator);
    defer machines.deinit();
    for ([_][]const u8{ "/disk/x", "/disk/x-new", "/disk/x-wal", "/disk" }) |lying_path| {
        var caught: u32 = 0;
        for (0..10) |seed| {
            const options: Workload.Options = .{ .seed = 3000 + seed };
            caught += @intFromBool(try isCaught(&machines, options, lying_path));
            if (caught > 0) break;
        }
        if (caught == 0) std.debug.print("a lying flush of {s} is not caught\n", .{lying_path});
        try testing.expect(caught > 0);
    }
}

fn isCaught(machines: *const Machines, options: Workload.Options, lying_path: []const u8) !bool {
    const cuts_options: PowerCuts.Options = .{ .image_count = 8 };
    var run: Run = undefined;
    try run.init(machines, options, cuts_options);
    defer run.deinit();
    run.world.lying_path = lying_path;
    try run.steps(60);
    return run.cuts.failure != null;
}

test "power cut: a history that fails is cut to the few steps that do" {
    var machines: Machines = try .init(allocator);
    defer machines.deinit();
    for (3000..3010) |seed| {
        const options: Workload.Options = .{ .seed = seed };
        if (!try isCaught(&machines, options, "/disk/x-wal")) continue;
        var plan: Plan = .{
            .machines = &machines,
            .options = options,
            .cuts = .{ .image_count = 8 },
            .step_count = 60,
            .lying_path = "/disk/x-wal",
        };
        try plan.record();
        defer plan.deinit();
        const chosen = try plan.shortest();
        defer allocator.free(chosen);
        try testing.expect(chosen.len <= 6);
        return testing.expect(try Plan.fails(&plan, chosen));
    }
    return error.NothingCaught;
}

test "workload without any fault" {
    var machines: Machines = try .init(allocator);
    defer machines.deinit();
    var list: seeds.List = .init(0, 10);
    while (list.next()) |seed| {
        var run: Run = undefined;
        const options: Workload.Options = .{ .seed = seed, .exclusive = seed % 2 == 1 };
        try run.init(&machines, options, .{ .image_count = 0 });
        defer run.deinit();
        run.world.before_call = null;
        try run.steps(200);
        // In frames there is no page to be ahead of.
        if (!options.exclusive) try testing.expect(run.work.ahead_count > 0);
    }
}
