//! Power cuts: whatever subset of the unflushed sectors survives, torn at 512 bytes, the store
//! opens to a state between the last one known to be durable and the last published, and goes on.
//!
//! `ZEOLITE_SEED` runs one seed of a test, `ZEOLITE_SCALE` multiplies the number of seeds.

const std = @import("std");
const builtin = @import("builtin");
/// The testing allocator would take most of the time; the fault tests look for leaks.
const allocator = std.heap.smp_allocator;
const testing = std.testing;
const simulated = @import("../os/simulated.zig");
const Workload = @import("Workload.zig");
const PowerCuts = @import("PowerCuts.zig");

/// A debug build runs a tenth of the seeds.
fn seedCount(count: u64) u64 {
    const scale = if (readNumber("ZEOLITE_SCALE")) |number| number else 1;
    const wanted = count * scale;
    return if (builtin.mode == .Debug) wanted / 10 + 1 else wanted;
}

fn readNumber(name: [:0]const u8) ?u64 {
    const text = std.c.getenv(name.ptr) orelse return null;
    return std.fmt.parseInt(u64, std.mem.span(text), 10) catch null;
}

const Totals = struct { images: u64 = 0, deep: u64 = 0, points: u64 = 0 };

/// A workload under power cuts. It is not moved: the hook points into it.
const Run = struct {
    arena: std.heap.ArenaAllocator,
    world: *simulated.World,
    work: Workload,
    cuts: PowerCuts,

    fn init(self: *Run, options: Workload.Options, cuts_options: PowerCuts.Options) !void {
        self.arena = .init(allocator);
        errdefer self.arena.deinit();
        self.world = try .create(allocator, .{ .seed = options.seed });
        errdefer self.world.destroy();
        self.work = try .init(self.arena.allocator(), try self.world.startProcess(), options);
        self.cuts = try .init(allocator, &self.work, cuts_options);
        self.world.before_call = self.cuts.hook();
    }

    fn deinit(self: *Run) void {
        self.cuts.deinit();
        self.world.destroy();
        self.arena.deinit();
    }

    /// Opens the store, works, and closes it.
    fn steps(self: *Run, count: u32) !void {
        errdefer std.debug.print("seed {d}, page size {d}, commit {d}\n", .{
            self.work.options.seed, self.work.options.page_size, self.work.published.items.len,
        });
        try self.work.open();
        for (0..count) |_| {
            try self.work.step();
            if (self.cuts.failure != null) break;
        }
        try self.work.close();
        self.cuts.examine(self.world, .flush);
    }

    fn addTo(self: *const Run, totals: *Totals) void {
        totals.images += self.cuts.image_count;
        totals.deep += self.cuts.deep_count;
        totals.points += self.cuts.point;
    }
};

fn runSeed(
    options: Workload.Options,
    cuts_options: PowerCuts.Options,
    step_count: u32,
    test_name: []const u8,
    totals: *Totals,
) !void {
    var run: Run = undefined;
    try run.init(options, cuts_options);
    defer run.deinit();
    try run.steps(step_count);
    run.addTo(totals);
    try run.cuts.report(test_name);
}

fn runSeeds(
    count: u64,
    base: Workload.Options,
    cuts_options: PowerCuts.Options,
    step_count: u32,
    test_name: []const u8,
) !void {
    var totals: Totals = .{};
    if (readNumber("ZEOLITE_SEED")) |seed| {
        var options = base;
        options.seed = seed;
        return runSeed(options, cuts_options, step_count, test_name, &totals);
    }
    for (0..seedCount(count)) |number| {
        var options = base;
        options.seed = base.seed + number;
        try runSeed(options, cuts_options, step_count, test_name, &totals);
    }
    std.debug.print("{s}: {d} images of {d} moments, {d} cut a second time\n", .{
        test_name, totals.images, totals.points, totals.deep,
    });
}

test "power cut: small histories, every image of few changes" {
    const name = "power cut: small histories";
    const base: Workload.Options = .{ .seed = 1, .operation_count_max = 2, .key_count = 12 };
    try runSeeds(20, base, .{ .image_count = 200 }, 5, name);
}

test "power cut: long histories" {
    const name = "power cut: long histories";
    const base: Workload.Options = .{ .seed = 1000 };
    try runSeeds(20, base, .{ .image_count = 5 }, 60, name);
}

test "power cut: a second one during recovery" {
    const name = "power cut: a second one";
    const base: Workload.Options = .{ .seed = 2000, .page_size = 1024 };
    try runSeeds(10, base, .{ .image_count = 2, .deep_every = 10 }, 30, name);
}

test "power cut: a second one after each image of creation" {
    const name = "power cut: a second one after each image";
    const base: Workload.Options = .{ .seed = 4000, .operation_count_max = 1, .key_count = 3 };
    try runSeeds(10, base, .{ .image_count = 30, .deep_every = 1 }, 2, name);
}

test "power cut: a flush that does nothing is caught, whichever it is" {
    for ([_][]const u8{ "/disk/x", "/disk/x-new", "/disk/x-wal", "/disk" }) |lying_path| {
        var caught: u32 = 0;
        for (0..10) |seed| {
            const options: Workload.Options = .{ .seed = 3000 + seed };
            var totals: Totals = .{};
            caught += @intFromBool(try isCaught(options, lying_path, &totals));
            if (caught > 0) break;
        }
        if (caught == 0) std.debug.print("a lying flush of {s} is not caught\n", .{lying_path});
        try testing.expect(caught > 0);
    }
}

fn isCaught(options: Workload.Options, lying_path: []const u8, totals: *Totals) !bool {
    const cuts_options: PowerCuts.Options = .{ .image_count = 8 };
    var run: Run = undefined;
    try run.init(options, cuts_options);
    defer run.deinit();
    run.world.lying_path = lying_path;
    try run.steps(60);
    run.addTo(totals);
    return run.cuts.failure != null;
}

test "workload without any fault" {
    for (0..seedCount(40)) |seed| {
        var arena: std.heap.ArenaAllocator = .init(allocator);
        defer arena.deinit();
        const world = try simulated.World.create(allocator, .{ .seed = seed });
        defer world.destroy();
        const os = try world.startProcess();
        var work: Workload = try .init(arena.allocator(), os, .{ .seed = seed });
        errdefer std.debug.print("seed {d} commit {d}\n", .{ seed, work.published.items.len });
        try work.open();
        for (0..200) |_| try work.step();
        try work.close();
    }
}
