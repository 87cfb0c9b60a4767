//! Every history of one, two and three operations over a small alphabet, with the power cut at each
//! system call of its last one (those of the others belong to shorter histories): small histories
//! find nearly all faults that large ones do (CrashMonkey, OSDI 2018). Of up to ten pending changes
//! every subset is an image when `ZEOLITE_SCALE` is 16 or more; a seed is the number of a history.

const std = @import("std");
const testing = std.testing;
const simulated = @import("../os/simulated.zig");
const Txn = @import("../txn/Txn.zig");
const History = @import("History.zig");
const Model = @import("Model.zig");
const PowerCuts = @import("PowerCuts.zig");
const Workload = @import("Workload.zig");
const counts = @import("counts.zig");
const seeds = @import("seeds.zig");

const allocator = std.heap.smp_allocator;

/// What a history is made of.
const Operation = enum {
    put,
    put_large,
    remove,
    remove_range,
    put_named,
    drop_named,
    rollback,
    flush,
    checkpoint,
    checkpoint_step,
    reopen,
};

const operation_count = std.enums.values(Operation).len;
const length_max = 3;

/// Histories of up to three operations, each shared and exclusive, the shorter ones first.
const history_count = 2 * (operation_count + operation_count * operation_count +
    operation_count * operation_count * operation_count);

fn historyOf(number: u64, buffer: *[length_max]Operation) []const Operation {
    var rest = number / 2;
    var count: u64 = operation_count;
    var length: usize = 1;
    while (rest >= count) : (length += 1) {
        rest -= count;
        count *= operation_count;
    }
    // Neighbours are far apart, so that a part of them is a sample of all.
    rest = rest * 577 % count;
    for (buffer[0..length]) |*operation| {
        operation.* = @enumFromInt(rest % operation_count);
        rest /= operation_count;
    }
    return buffer[0..length];
}

/// A store with a little in it and nothing pending.
const Run = struct {
    arena: std.heap.ArenaAllocator,
    world: *simulated.World,
    history: History,
    work: Workload,
    cuts: PowerCuts,

    fn init(self: *Run, machines: *const PowerCuts.Machines, seed: u64, limit: usize) !void {
        self.arena = .init(allocator);
        errdefer self.arena.deinit();
        self.world = machines.first;
        try self.world.reset(.{ .seed = seed });
        const arena = self.arena.allocator();
        self.history = try .init(arena);
        const options: Workload.Options = .{ .seed = seed, .exclusive = seed % 2 == 1 };
        self.work = .init(arena, try self.world.startProcess(), &self.history, options);
        self.cuts = .init(machines, &self.work, .{ .image_count = limit });
        try self.work.open();
        for ([_]Operation{ .put, .put_large, .put_named }) |operation| try self.perform(operation);
        try self.work.flush();
    }

    fn deinit(self: *Run) void {
        self.work.abandon();
        self.cuts.deinit();
        self.arena.deinit();
    }

    fn perform(self: *Run, operation: Operation) !void {
        switch (operation) {
            .flush => try self.work.flush(),
            .checkpoint => try self.work.checkpointAll(),
            .checkpoint_step => try self.work.checkpointStep(),
            .reopen => {
                try self.work.close();
                try self.work.open();
            },
            else => try self.commit(operation),
        }
    }

    fn commit(self: *Run, operation: Operation) !void {
        const history = &self.history;
        var txn = try Txn.begin(self.work.env.?, 0);
        var next = try history.model.clone();
        {
            errdefer txn.abort();
            try self.change(operation, &txn, &next);
        }
        const is_changed = txn.isChanged();
        if (is_changed) history.candidate = next;
        const txnid = try txn.commit();
        if (is_changed) try history.publish(next, txnid);
    }

    fn change(self: *Run, operation: Operation, txn: *Txn, next: *Model) !void {
        // Another value each time.
        const number = self.history.newest();
        const value: [1300]u8 = @splat(@intCast('a' + number % 26));
        switch (operation) {
            .put => try put(txn, next, 0, "a key", value[0 .. 20 + number]),
            .put_large => try put(txn, next, 0, "b" ** 150, value[0 .. 1100 + 30 * (number % 6)]),
            .remove => {
                const removed = try txn.remove(0, "a key");
                try testing.expectEqual(next.remove(0, "a key"), removed);
            },
            .remove_range => {
                const removed = try txn.removeRange(0, "a", "c");
                try testing.expectEqual(try next.removeRange(0, "a", "c"), removed);
            },
            .put_named => try put(txn, next, 1, "named", value[0..200]),
            .drop_named => {
                const dropped = try txn.drop(try txn.open(Model.names[1]));
                try testing.expectEqual(try next.drop(1), dropped);
            },
            .rollback => {
                const level = try txn.savepoint();
                _ = try txn.put(0, "b" ** 150, &value, .upsert);
                _ = try txn.remove(0, "a key");
                txn.rollback(level);
                try put(txn, next, 0, "c", value[0..10]);
            },
            .flush, .checkpoint, .checkpoint_step, .reopen => unreachable, // no commits
        }
    }

    fn put(txn: *Txn, next: *Model, table: usize, key: []const u8, value: []const u8) !void {
        const index = try txn.open(Model.names[table]);
        if (table > 0) {
            try txn.prepare(index, .{});
            next.create(table);
        }
        try testing.expect(try txn.put(index, key, value, .upsert));
        _ = try next.put(table, key, value);
    }
};

test "power cut: every history of up to three operations" {
    const name = "power cut: every history of up to three operations";
    var machines: PowerCuts.Machines = try .init(allocator);
    defer machines.deinit();
    const limit = @min(64 * seeds.scale(), 1026);
    var histories: u64 = 0;
    var images: u64 = 0;
    var running: counts.Running = .{ .what = .images, .every = 20_000 };
    var list: seeds.List = .init(0, 400);
    while (list.next()) |seed| {
        const number = seed % history_count;
        var buffer: [length_max]Operation = undefined;
        const operations = historyOf(number, &buffer);
        errdefer std.debug.print("history {d}: {any}\n", .{ number, operations });
        var run: Run = undefined;
        try run.init(&machines, seed, limit);
        defer run.deinit();
        for (operations[0 .. operations.len - 1]) |operation| try run.perform(operation);
        run.world.before_call = run.cuts.hook();
        try run.perform(operations[operations.len - 1]);
        run.cuts.examine(run.world, .flush);
        run.world.before_call = null;
        try run.cuts.report(name);
        histories += 1;
        images += run.cuts.image_count;
        running.add(run.cuts.image_count);
    }
    std.debug.print("{s}: {d} of {d} histories, {d} images\n", .{
        name, histories, history_count, images,
    });
    running.end();
}
