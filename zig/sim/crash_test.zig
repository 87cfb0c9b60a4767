//! Power cuts: whatever subset of the unflushed sectors survives, torn at 512 bytes, the store
//! opens to a state between the last one known to be durable and the last published, and goes on.
//!
//! `ZEOLITE_SEED` runs one seed of a test, `ZEOLITE_SCALE` multiplies the number of seeds.

const std = @import("std");
const builtin = @import("builtin");
/// The testing allocator would take most of the time; the fault tests look for leaks.
const allocator = std.heap.smp_allocator;
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

/// Runs the workload of one seed under power cuts.
fn runSeed(
    options: Workload.Options,
    cuts_options: PowerCuts.Options,
    step_count: u32,
    test_name: []const u8,
    totals: *Totals,
) !void {
    var arena: std.heap.ArenaAllocator = .init(allocator);
    defer arena.deinit();
    const world = try simulated.World.create(allocator, .{ .seed = options.seed });
    defer world.destroy();
    var work: Workload = try .init(arena.allocator(), try world.startProcess(), options);
    var cuts: PowerCuts = try .init(allocator, &work, cuts_options);
    defer cuts.deinit();
    world.before_call = cuts.hook();
    errdefer std.debug.print("seed {d} page size {d} commit {d}\n", .{
        options.seed, options.page_size, work.published.items.len,
    });
    try work.open();
    for (0..step_count) |_| {
        try work.step();
        if (cuts.failure != null) break;
    }
    try work.close();
    cuts.examine(world, .flush);
    totals.images += cuts.image_count;
    totals.deep += cuts.deep_count;
    totals.points += cuts.point;
    try cuts.report(test_name);
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
