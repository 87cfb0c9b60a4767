//! Processes killed between any two stores into the memory they share, beside another process that
//! goes on: what was published stays published, half-done work is finished or forgotten, nobody
//! is held up. What the process would do is done by a forked copy of this one, so nothing but the
//! bytes of the files and of the shared memory remains of it.

const std = @import("std");
const simulated = @import("../os/simulated.zig");
const Readers = @import("../store/Readers.zig");
const attach = @import("../txn/attach.zig");
const checkpoint = @import("../txn/checkpoint.zig");
const Env = @import("../txn/Env.zig");
const Model = @import("Model.zig");
const History = @import("History.zig");
const Workload = @import("Workload.zig");
const StoreTrap = @import("StoreTrap.zig");
const counts = @import("counts.zig");
const seeds = @import("seeds.zig");

const allocator = std.heap.smp_allocator;
const Mark = Workload.Mark;

/// What the process is killed in.
const Action = enum {
    commit,
    commit_large,
    flush,
    checkpoint,
    checkpoint_step,
    pin,
    close,

    fn publishes(self: Action) bool {
        return self == .commit or self == .commit_large;
    }
};

const Victim = struct { env: *Env, action: Action };

/// Runs in the forked copy.
fn act(victim: *const Victim) anyerror!void {
    const env = victim.env;
    const mark: Mark = .of(1);
    switch (victim.action) {
        .commit => try mark.commit(env),
        .commit_large => {
            env.settings.operations_size_max = 0;
            try mark.commit(env);
        },
        .flush => try env.flushLog(),
        .checkpoint => try checkpoint.runAll(env),
        .checkpoint_step => {
            const taken = try checkpoint.step(env, true);
            try checkpoint.confirm(env, taken.ticket, true);
        },
        .pin => {
            const slot = try Readers.take(&env.lock);
            _ = Readers.pin(&env.lock, slot);
            Readers.unpin(&env.lock, slot);
            Readers.give(&env.lock, slot);
        },
        .close => try attach.close(env),
    }
}

/// Kills the first process at its store number `at`. False: the action ended before that.
fn runKill(world: *simulated.World, seed: u64, action: Action, at: u64) !bool {
    var arena: std.heap.ArenaAllocator = .init(allocator);
    defer arena.deinit();
    try world.reset(.{ .seed = seed });
    var history: History = try .init(arena.allocator());
    const options: Workload.Options = .{ .seed = seed, .has_company = true };
    var first: Workload = .init(arena.allocator(), try world.startProcess(), &history, options);
    var second: Workload = .init(arena.allocator(), try world.startProcess(), &history, options);
    errdefer std.debug.print("{t} killed at store {d}: ZEOLITE_SEED={d}\n", .{ action, at, seed });
    try first.open();
    defer first.abandon();
    try second.open();
    defer second.abandon();
    // An even seed leaves the store as it was opened: the first commit has more to do.
    if (seed % 2 == 1) for (0..6) |_| {
        try first.commit();
        try second.commit();
    };
    // A checkpoint of the other process may be under way, in any phase.
    for (0..seed % 8) |_| try second.checkpointStep();
    const victim: Victim = .{ .env = first.env.?, .action = action };
    const memory = victim.env.lock.memory;
    const outcome = try StoreTrap.run(memory, at, &victim, act);
    if (outcome == .finished) return false;
    if (outcome == .failed) return error.ActionFailed;
    world.disk.adoptMemory();
    world.kill(first.os);
    if (action.publishes()) {
        const mark: Mark = .of(1);
        var candidate = try history.model.clone();
        _ = try candidate.put(0, &mark.key, mark.value[0..mark.size]);
        history.candidate = candidate;
    }
    try examine(&second, &history, at % 2 == 0);
    return true;
}

/// The other process reads, writes, checkpoints, and is the last to leave. `briefly`: it only
/// reads, so that nothing it writes covers what the dead one left.
fn examine(second: *Workload, history: *History, briefly: bool) !void {
    try second.read();
    try second.takeOver();
    if (!briefly) {
        for (0..6) |_| try second.step();
        try second.checkpointAll();
    }
    try second.read();
    try Workload.check(second.env.?);
    try second.close();
    try second.open();
    if (try Workload.digestOf(second.env.?) != history.model.digest) return error.ModelDiffers;
    try Workload.check(second.env.?);
}

test "killed between any two stores into shared memory, beside another process that goes on" {
    if (!StoreTrap.is_supported) return error.SkipZigTest;
    const world: *simulated.World = try .create(allocator, .{});
    defer world.destroy();
    var kill_count: u64 = 0;
    var list: seeds.List = .init(13_000, 8);
    while (list.next()) |seed| {
        for (std.enums.values(Action)) |action| {
            var at: u64 = 1;
            while (try runKill(world, seed, action, at)) : (at += seeds.part()) kill_count += 1;
        }
    }
    std.debug.print("killed between stores: {d} kills\n", .{kill_count});
    counts.print(.@"simulated kills", kill_count);
}
