//! The engine against an ordered map: random transactions by two processes in turn, savepoints
//! rolled back, ranges removed, snapshots held over many commits, checkpoints, reopenings; every
//! snapshot is compared with the map of its own moment, and `check` walks the store after each
//! reopening. A failure prints its seed; `Options.seed` replays it.

const std = @import("std");
const builtin = @import("builtin");
const testing = std.testing;
const Allocator = std.mem.Allocator;
const config = @import("../config.zig");
const explain = @import("../explain.zig");
const simulated = @import("../os/simulated.zig");
const Pages = @import("../store/Pages.zig");
const Readers = @import("../store/Readers.zig");
const Cursor = @import("../tree/Cursor.zig");
const search = @import("../tree/search.zig");
const attach = @import("../txn/attach.zig");
const check = @import("../txn/check.zig");
const checkpoint = @import("../txn/checkpoint.zig");
const single = @import("../txn/single.zig");
const Env = @import("../txn/Env.zig");
const Txn = @import("../txn/Txn.zig");
const page_format = @import("../format/page.zig");
const counts = @import("counts.zig");
const runs = @import("seeds.zig");
const shrink = @import("shrink.zig");
const Model = @import("Model.zig");
const Workload = @import("Workload.zig");

const path = "/disk/x";
const key_count = 1200;
const table_count = 2;
const process_count_max = 2;
const names = [table_count]?[]const u8{ null, "named" };

/// What each key of each table holds: 0 nothing, else the seed of its value.
const State = [table_count][key_count]u32;

const Options = struct {
    seed: u64,
    page_size: u32,
    operations: u64,
    /// One process that has the store to itself, and keeps pages in memory.
    exclusive: bool = false,
    /// Most steps of a transaction.
    step_count_max: u64 = 30,
    /// Pages that a transaction of several processes keeps in memory; it writes more of them early.
    frame_count: u64 = 12,
    /// Of the test, for the command that repeats a failure.
    name: []const u8 = "store equals an ordered map",
};

/// A part of a history that can be done again: where its chances begin, and whether the store is
/// opened anew behind it.
const Turn = struct { random: std.Random.DefaultPrng, reopens: bool };

const Held = struct { env_index: usize, view: Env.View, state: *State };

const Test = struct {
    allocator: Allocator,
    options: Options,
    random: std.Random.DefaultPrng,
    world: *simulated.World,
    env_list: [process_count_max]*Env = undefined,
    keys: [key_count][]const u8 = undefined,
    state: State = std.mem.zeroes(State),
    held: std.ArrayList(Held) = .empty,
    value_buffer: []u8,
    /// Not on the stack, where a safe build would fill it for each comparison.
    key_buffer: [config.key_size_max_any]u8 = undefined,
    operations: u64 = 0,
    single_count: u64 = 0,
    /// Keeps the turns of the history, if it is there.
    turns: ?*std.ArrayList(Turn) = null,
    batch_count: u64 = 0,

    fn envs(self: *Test) []*Env {
        return self.env_list[0..if (self.options.exclusive) 1 else process_count_max];
    }

    fn below(self: *Test, limit: u64) u64 {
        return self.random.random().uintLessThan(u64, limit);
    }

    fn openAll(self: *Test) !void {
        const page_size = self.options.page_size;
        for (self.envs()) |*env| {
            env.* = try attach.open(self.allocator, try self.world.startProcess(), path, .{
                .page_size = page_size,
                .exclusive = self.options.exclusive,
                .settings = .{
                    .checkpoint_size = 200_000,
                    // So few frames that some commits write their pages early.
                    .frames_size_max = if (self.options.exclusive)
                        @max(100_000, 100 * page_size)
                    else
                        self.options.frame_count * page_size,
                },
            });
        }
    }

    fn closeAll(self: *Test) !void {
        while (self.held.items.len > 0) self.letGo(0);
        for (self.envs()) |env| try attach.close(env);
    }

    /// Keys in ascending order: short, long, with shared beginnings and with tails.
    fn makeKeys(self: *Test) !void {
        const limit = self.options.page_size / 2;
        for (&self.keys, 0..) |*key, index| {
            const size = switch (index % 7) {
                0 => 6 + index % 5,
                1 => @min(limit, 200),
                2 => limit,
                else => 12 + index % 20,
            };
            const bytes = try self.allocator.alloc(u8, size);
            @memset(bytes, if (index % 3 == 0) 0 else 'k');
            const group: u32 = @intCast(index / 40);
            std.mem.writeInt(u16, bytes[0..2], @intCast(group), .big);
            const at = if (index % 7 == 2) size - 4 else 2;
            const scattered: u32 = @truncate(std.hash.int(@as(u64, index)));
            std.mem.writeInt(u32, bytes[at..][0..4], scattered, .big);
            key.* = bytes;
        }
        std.mem.sort([]const u8, &self.keys, {}, lower);
    }

    fn lower(_: void, a: []const u8, b: []const u8) bool {
        return std.mem.order(u8, a, b) == .lt;
    }

    fn valueOf(self: *Test, seed: u32) []const u8 {
        const size = switch (seed % 50) {
            0 => seed % (3 * self.options.page_size),
            1 => self.options.page_size,
            2 => 0,
            else => seed % 120,
        };
        const bytes = self.value_buffer[0..size];
        for (bytes, 0..) |*byte, index| byte.* = @truncate(seed +% index *% 31);
        return bytes;
    }

    fn transaction(self: *Test) !void {
        const env = self.envs()[self.below(self.envs().len)];
        var txn = try Txn.begin(env, 0);
        var is_open = true;
        errdefer if (is_open) txn.abort();
        const index = try txn.open(names[1]);
        try txn.prepare(index, .{});
        var next = self.state;
        for (0..1 + self.below(self.options.step_count_max)) |_| {
            if (self.below(40) == 0) {
                try self.savepoint(&txn, &next);
            } else try self.operation(&txn, &next);
        }
        if (self.below(20) == 0) {
            is_open = false;
            return txn.abort();
        }
        for (0..table_count) |table| {
            if (self.below(50) == 0) {
                try txn.settle();
                try self.compare(txn.pages(), txn.tables.items[table].tree, &next[table]);
            }
        }
        is_open = false;
        _ = try txn.commit();
        self.state = next;
    }

    /// Puts that are commits of their own, each where it can be.
    fn putSingles(self: *Test) !void {
        for (0..1 + self.below(30)) |_| {
            self.operations += 1;
            const table = self.below(table_count);
            const index = self.below(key_count);
            const seed = self.random.random().int(u32) | 1;
            const target: single.Target = .{ .name = names[table] };
            const value = self.valueOf(seed);
            const before = self.envs()[0].lock.published();
            const found = try single.put(self.envs()[0], 0, target, self.keys[index], value);
            const txnid = found orelse continue;
            try testing.expectEqual(before.txnid + 1, txnid);
            self.single_count += 1;
            self.state[table][index] = seed;
        }
    }

    /// Transactions of puts into one table, which change frames in place where they can; now and
    /// then something is done in between that must find the puts there.
    fn putBatch(self: *Test) !void {
        const env = self.envs()[0];
        const table: u32 = @intCast(self.below(table_count));
        var txn = try Txn.begin(env, 0);
        var is_open = true;
        errdefer if (is_open) txn.abort();
        const index = try txn.open(names[table]);
        if (index > 0) try txn.prepare(index, .{});
        var next = self.state;
        const near = self.below(key_count);
        const reach: u64 = if (self.below(3) == 0) 20 else key_count;
        for (0..1 + self.below(12)) |_| {
            self.operations += 1;
            const at = (near + self.below(reach)) % key_count;
            const seed = self.random.random().int(u32) | 1;
            // Mostly short ones: values in runs do not wait.
            const value = self.valueOf(seed);
            const is_short = value.len <= 120 and self.keys[at].len <= 60;
            if (!is_short and self.below(20) != 0) continue;
            try testing.expect(try txn.put(index, self.keys[at], value, .upsert));
            next[table][at] = seed;
            if (self.below(100) == 0) {
                try txn.settle();
                try self.compare(txn.pages(), txn.tables.items[index].tree, &next[table]);
            }
            if (self.below(60) == 0) {
                const gone = (at + self.below(3)) % key_count;
                const is_there = next[table][gone] != 0;
                try testing.expectEqual(is_there, try txn.remove(index, self.keys[gone]));
                next[table][gone] = 0;
            }
        }
        if (self.below(20) == 0) {
            const level = try txn.savepoint();
            _ = try txn.put(index, self.keys[near], "rolled back", .upsert);
            txn.rollback(level);
        }
        if (self.below(20) == 0) {
            is_open = false;
            return txn.abort();
        }
        is_open = false;
        const before = env.in_place_count;
        _ = try txn.commit();
        self.batch_count += env.in_place_count - before;
        self.state = next;
    }

    fn savepoint(self: *Test, txn: *Txn, next: *State) !void {
        const level = try txn.savepoint();
        const before = next.*;
        for (0..1 + self.below(10)) |_| try self.operation(txn, next);
        if (self.below(2) == 0) return txn.release(level);
        txn.rollback(level);
        next.* = before;
    }

    fn operation(self: *Test, txn: *Txn, next: *State) !void {
        self.operations += 1;
        const table: u32 = @intCast(self.below(table_count));
        const cells = &next[table];
        const index = self.below(key_count);
        const key = self.keys[index];
        switch (self.below(1000)) {
            0...591 => {
                const seed = self.random.random().int(u32) | 1;
                const stored = try txn.put(table, key, self.valueOf(seed), .upsert);
                try testing.expect(stored);
                cells[index] = seed;
            },
            592...599 => try self.putMany(txn, table, cells, index),
            600...649 => {
                const seed = self.random.random().int(u32) | 1;
                const stored = try txn.put(table, key, self.valueOf(seed), .absent_only);
                try testing.expectEqual(cells[index] == 0, stored);
                if (stored) cells[index] = seed;
            },
            650...989 => {
                try testing.expectEqual(cells[index] != 0, try txn.remove(table, key));
                cells[index] = 0;
            },
            990...997 => {
                const end = @min(key_count - 1, index + self.below(30));
                var expected: u64 = 0;
                for (cells[index..end]) |*cell| {
                    expected += @intFromBool(cell.* != 0);
                    cell.* = 0;
                }
                const count = try txn.removeRange(table, key, self.keys[end]);
                try testing.expectEqual(expected, count);
            },
            else => if (self.below(20) == 0) {
                _ = try txn.clear(table);
                @memset(cells, 0);
            },
        }
    }

    /// Rows in no order, or in that of the keys, some of them twice.
    fn putMany(
        self: *Test,
        txn: *Txn,
        table: u32,
        cells: *[key_count]u32,
        near: u64,
    ) !void {
        var rows: [40]Txn.Row = undefined;
        var seeds: [rows.len]u32 = undefined;
        var indexes: [rows.len]usize = undefined;
        const count = self.below(rows.len + 1);
        const modes = [_]Txn.PutMode{ .upsert, .absent_only, .append };
        const mode = modes[self.below(modes.len)];
        const reach: u64 = if (self.below(2) == 0) 60 else key_count;
        for (indexes[0..count]) |*index| index.* = (near + self.below(reach)) % key_count;
        if (self.below(3) == 0) std.mem.sort(usize, indexes[0..count], {}, std.sort.asc(usize));
        var arena: std.heap.ArenaAllocator = .init(self.allocator);
        defer arena.deinit();
        for (rows[0..count], seeds[0..count], indexes[0..count]) |*row, *seed, index| {
            seed.* = self.random.random().int(u32) | 1;
            const value = try arena.allocator().dupe(u8, self.valueOf(seed.*));
            row.* = .{ .key = self.keys[index], .value = value };
        }
        const refused = if (self.below(4) == 0 and count > 0) self.below(count) else count;
        const long = try arena.allocator().alloc(u8, self.options.page_size);
        if (refused < count) rows[refused].key = long;
        var expected: u32 = 0;
        const failure: ?anyerror = for (seeds[0..count], indexes[0..count], 0..) |seed, index, at| {
            if (at == refused) break error.KeySize;
            if (mode == .absent_only and cells[index] != 0) continue;
            if (mode == .append and !std.mem.allEqual(u32, cells[index..], 0)) break error.KeyOrder;
            cells[index] = seed;
            expected += 1;
        } else null;
        if (failure) |err| {
            try testing.expectError(err, txn.putMany(table, rows[0..count], mode));
        } else {
            try testing.expectEqual(expected, try txn.putMany(table, rows[0..count], mode));
        }
    }

    fn compare(
        self: *Test,
        pages: Pages,
        tree: page_format.Tree,
        cells: *const [key_count]u32,
    ) !void {
        var cursor: Cursor = .init(pages, tree);
        var found = try cursor.first();
        var entries: u64 = 0;
        for (cells, 0..) |seed, index| {
            if (seed == 0) continue;
            try testing.expect(found);
            try expectBytes(self.keys[index], try cursor.key(&self.key_buffer));
            const bytes = try search.valueBytes(pages, cursor.value());
            try expectBytes(self.valueOf(seed), bytes);
            if (index % 16 == 0) {
                const rank = try search.rank(pages, tree, self.keys[index]);
                try testing.expectEqual(entries, rank);
            }
            entries += 1;
            found = try cursor.next();
        }
        try testing.expect(!found);
        try testing.expectEqual(entries, tree.entries);
    }

    /// As `expectEqualSlices` does, which looks at one byte at a time.
    fn expectBytes(expected: []const u8, found: []const u8) !void {
        if (!std.mem.eql(u8, expected, found)) try testing.expectEqualSlices(u8, expected, found);
    }

    fn hold(self: *Test) !void {
        const env_index = self.below(self.envs().len);
        const env = self.envs()[env_index];
        const slot = try Readers.take(&env.lock);
        const found = Readers.pin(&env.lock, slot);
        try env.pin(found.state.txnid);
        Readers.give(&env.lock, slot);
        const state = try self.allocator.create(State);
        state.* = self.state;
        try self.held.append(self.allocator, .{
            .env_index = env_index,
            .view = try env.viewOf(found.state),
            .state = state,
        });
    }

    fn letGo(self: *Test, index: usize) void {
        const held = self.held.swapRemove(index);
        self.envs()[held.env_index].unpin(held.view.snapshot.txnid);
        self.allocator.destroy(held.state);
    }

    fn compareHeld(self: *Test, index: usize) !void {
        const held = &self.held.items[index];
        try self.compare(held.view.pages(), held.view.main, &held.state[0]);
    }

    fn reopen(self: *Test) !void {
        for (0..self.held.items.len) |index| try self.compareHeld(index);
        if (self.below(2) == 0) {
            try self.closeAll();
        } else {
            // Both processes die: what was published must come back from the log.
            while (self.held.items.len > 0) self.letGo(0);
            for (self.envs()) |env| {
                self.world.kill(env.os);
                attach.close(env) catch {}; // a dead process closes nothing; only its memory goes
            }
        }
        try self.openAll();
        try self.checkStore();
    }

    fn checkStore(self: *Test) !void {
        const env = self.envs()[0];
        var report = try check.checkAll(env);
        defer report.deinit();
        if (!report.isOk()) std.debug.print("check: {s}\n", .{report.first});
        try testing.expect(report.is_exact);
        try testing.expect(report.isOk());
        const view = try env.viewOf(env.lock.published());
        try self.compare(view.pages(), view.main, &self.state[0]);
    }

    fn turn(self: *Test) !void {
        try self.transaction();
        if (self.options.exclusive) {
            try self.putSingles();
            for (0..self.below(4)) |_| try self.putBatch();
        }
        if (self.below(20) == 0 and self.held.items.len < 6) try self.hold();
        if (self.held.items.len > 0 and self.below(60) == 0) {
            const index = self.below(self.held.items.len);
            try self.compareHeld(index);
            self.letGo(index);
        }
        const env = self.envs()[self.below(self.envs().len)];
        const is_wanted = checkpoint.isWanted(env, env.lock.published());
        if (is_wanted or self.below(200) == 0) try checkpoint.runAll(env);
    }

    fn run(self: *Test) !void {
        try self.makeKeys();
        defer for (self.keys) |key| self.allocator.free(key);
        try self.openAll();
        var next_reopen: u64 = 5000;
        var running: counts.Running = .{ .what = .operations, .every = 500_000 };
        while (self.operations < self.options.operations) {
            if (self.turns) |turns| {
                try turns.append(self.allocator, .{ .random = self.random, .reopens = false });
            }
            const before = self.operations;
            try self.turn();
            if (self.turns == null) running.add(self.operations - before);
            if (self.operations < next_reopen) continue;
            if (self.turns) |turns| turns.items[turns.items.len - 1].reopens = true;
            next_reopen = self.operations + 5000 + self.below(20000);
            try self.reopen();
        }
        try self.closeAll();
        running.end();
        if (self.options.exclusive) {
            try testing.expect(self.single_count > self.operations / 20);
            try testing.expect(self.batch_count > self.operations / 500);
        }
        self.held.deinit(self.allocator);
    }

    /// Some turns of a history, and a look at everything.
    fn replay(self: *Test, turns: []const Turn, chosen: []const u32) !void {
        try self.makeKeys();
        defer for (self.keys) |key| self.allocator.free(key);
        try self.openAll();
        for (chosen) |number| {
            if (number >= turns.len) continue;
            self.random = turns[number].random;
            try self.turn();
            if (!turns[number].reopens) continue;
            _ = self.below(20000);
            try self.reopen();
        }
        try self.reopen();
        try self.closeAll();
        self.held.deinit(self.allocator);
    }
};

const allocator_of_models = std.heap.c_allocator;

fn createTest(options: Options) !*Test {
    const self = try allocator_of_models.create(Test);
    errdefer allocator_of_models.destroy(self);
    self.* = .{
        .allocator = allocator_of_models,
        .options = options,
        .random = .init(options.seed),
        .world = try simulated.World.create(allocator_of_models, .{
            .seed = options.seed,
            .has_cuts = false,
        }),
        .value_buffer = try allocator_of_models.alloc(u8, 3 * options.page_size),
    };
    return self;
}

fn destroyTest(self: *Test) void {
    self.world.destroy();
    allocator_of_models.free(self.value_buffer);
    allocator_of_models.destroy(self);
}

/// A history that failed, to be run in parts.
const Failed = struct {
    options: Options,
    failure: anyerror,
    turns: std.ArrayList(Turn) = .empty,

    /// Runs the whole once more and keeps its turns.
    fn record(self: *Failed) !void {
        const it = try createTest(self.options);
        defer destroyTest(it);
        it.turns = &self.turns;
        it.run() catch {}; // the last turn kept is the one that fails
    }

    fn fails(context: *anyopaque, chosen: []const u32) anyerror!bool {
        const self: *const Failed = @ptrCast(@alignCast(context));
        const it = try createTest(self.options);
        defer destroyTest(it);
        return if (it.replay(self.turns.items, chosen)) |_| false else |err| err == self.failure;
    }

    fn printShortest(self: *Failed) !void {
        try self.record();
        const count: u32 = @intCast(self.turns.items.len);
        const chosen = try shrink.shrink(allocator_of_models, count, self, fails);
        std.debug.print("{d} of {d} turns fail in this way: ZEOLITE_OFFSET={d} ZEOLITE_STEPS=", .{
            chosen.len, count, runs.offset(),
        });
        shrink.print(chosen);
        std.debug.print(" zig build --build-file zig/build.zig test -Dtest-filter=\"{s}\"\n", .{
            self.options.name,
        });
    }
};

fn runModel(base: Options) !void {
    var options = base;
    options.seed += runs.offset();
    options.operations = options.operations * runs.scale() / runs.part();
    if (try shrink.wanted(allocator_of_models)) |chosen| {
        var failed: Failed = .{ .options = options, .failure = error.Unexpected };
        try failed.record();
        const again = try createTest(options);
        return again.replay(failed.turns.items, chosen);
    }
    const self = try createTest(options);
    defer destroyTest(self);
    errdefer |err| {
        var failed: Failed = .{ .options = options, .failure = err };
        failed.printShortest() catch |it| std.debug.print("not shortened: {t}\n", .{it});
    }
    errdefer |err| std.debug.print("model: {t} ({s}), page size {d}, operation {d}: " ++
        "ZEOLITE_OFFSET={d}\n", .{
        err, explain.get(), options.page_size, self.operations, runs.offset(),
    });
    try self.run();
    std.debug.print("model, pages of {d} bytes: {d} operations\n", .{
        options.page_size, self.operations,
    });
}

/// Of each page size but the largest, where an operation takes twenty times as long: together five
/// million, in Debug a fortieth of them.
const operations_each: u64 = if (builtin.mode == .Debug) 25_000 else 1_200_000;
const operations_large: u64 = if (builtin.mode == .Debug) 25_000 else 200_000;

test "store equals an ordered map: 512-byte pages" {
    try runModel(.{ .seed = 1, .page_size = 512, .operations = operations_each });
}

test "store equals an ordered map: 1 KiB pages" {
    try runModel(.{ .seed = 2, .page_size = 1024, .operations = operations_each });
}

test "store equals an ordered map: 4 KiB pages" {
    try runModel(.{ .seed = 3, .page_size = 4096, .operations = operations_each });
}

test "store equals an ordered map: 64 KiB pages" {
    try runModel(.{ .seed = 4, .page_size = 65536, .operations = operations_large });
}

test "store equals an ordered map: one process, pages kept in memory" {
    for ([_]u32{ 512, 4096 }) |page_size| try runModel(.{
        .seed = 5,
        .page_size = page_size,
        .operations = operations_each / 2,
        .exclusive = true,
    });
}

test "store equals an ordered map: long transactions" {
    try runModel(.{
        .seed = 8,
        .page_size = 1024,
        .operations = operations_each / 4,
        .step_count_max = 1500,
        .frame_count = 300,
    });
}

/// Commits one put of each key, the last with a long value, to a leaf of three entries, and reads
/// them all.
fn putBehindLeaf(keys: []const []const u8) !void {
    const world = try simulated.World.create(testing.allocator, .{});
    defer world.destroy();
    const env = try attach.open(testing.allocator, try world.startProcess(), path, .{
        .page_size = 512,
        .exclusive = true,
    });
    errdefer attach.close(env) catch {}; // the error that brought us here is the one to tell
    const value: [200]u8 = @splat('v');
    for ([_][]const []const u8{ &.{ "a1", "a2", "a3" }, keys }, 0..) |batch, number| {
        var txn = try Txn.begin(env, 0);
        {
            errdefer txn.abort();
            for (batch, 1..) |key, count| {
                const is_long = number == 1 and count == batch.len;
                const size: usize = if (is_long) 200 else if (number == 0) 90 else 10;
                _ = try txn.put(0, key, value[0..size], .upsert);
            }
        }
        _ = try txn.commit();
    }
    const view = try env.viewOf(env.lock.published());
    for (keys) |key| try testing.expect(try search.get(view.pages(), view.main, key) != null);
    var report = try check.checkAll(env);
    defer report.deinit();
    try testing.expectEqualStrings("", report.first);
    try attach.close(env);
}

test "a put that waits for the leaf behind which another begins a new one" {
    try putBehindLeaf(&.{ "a8", "b7", "b9" });
    try putBehindLeaf(&.{ "a2", "b7", "b9" });
    try putBehindLeaf(&.{ "b7", "b9" });
}

/// Whether these turns hold the one that is taken for the fault.
fn holdsFault(context: *anyopaque, chosen: []const u32) anyerror!bool {
    const failed: *Failed = @ptrCast(@alignCast(context));
    if (std.mem.indexOfScalar(u32, chosen, 40) == null) return false;
    // A part of a history is one itself: nothing else fails in it.
    const it = try createTest(failed.options);
    defer destroyTest(it);
    try it.replay(failed.turns.items, chosen);
    return true;
}

test "store equals an ordered map: parts of a history are histories" {
    const options: Options = .{ .seed = 6, .page_size = 512, .operations = 6000 };
    var failed: Failed = .{ .options = options, .failure = error.TestExpectedEqual };
    defer failed.turns.deinit(allocator_of_models);
    try failed.record();
    const count: u32 = @intCast(failed.turns.items.len);
    const chosen = try shrink.shrink(allocator_of_models, count, &failed, holdsFault);
    defer allocator_of_models.free(chosen);
    try testing.expectEqualSlices(u32, &.{40}, chosen);
}

test "a reader without write access replays the log of a killed process into its own memory" {
    const allocator = std.heap.c_allocator;
    const world = try simulated.World.create(allocator, .{});
    defer world.destroy();
    const writer = try world.startProcess();
    const env = try attach.open(allocator, writer, path, .{});
    const commit_count = 1000;
    for (0..commit_count) |index| {
        var txn = try Txn.begin(env, 0);
        var key: [8]u8 = undefined;
        std.mem.writeInt(u64, &key, index, .big);
        try testing.expect(try txn.put(0, &key, "value", .upsert));
        _ = try txn.commit();
    }
    world.kill(writer);
    try testing.expectError(error.Killed, attach.close(env));
    const reader = try attach.openReadOnly(allocator, try world.startProcess(), path, .{});
    const view = try reader.viewOf(try reader.publishedState());
    try testing.expectEqual(commit_count, view.main.entries);
    try testing.expectEqual(commit_count, reader.lock.shared.recovered);
    var cursor: Cursor = .init(view.pages(), view.main);
    var found = try cursor.first();
    while (found) : (found = try cursor.next()) {
        const bytes = try search.valueBytes(view.pages(), cursor.value());
        try testing.expectEqualStrings("value", bytes);
    }
    const follower_os = try world.startProcess();
    // Somebody attaches: what is committed from now on the reader could not see.
    const other = try attach.open(allocator, try world.startProcess(), path, .{});
    try testing.expectError(error.Busy, reader.publishedState());
    try testing.expectEqual(commit_count, other.lock.shared.recovered);
    // One that finds a process attached follows it to its end, and not beyond.
    const follower = try attach.openReadOnly(allocator, follower_os, path, .{});
    const before = (try follower.publishedState()).txnid;
    var txn = try Txn.begin(other, 0);
    try testing.expect(try txn.put(0, "more", "value", .upsert));
    _ = try txn.commit();
    try testing.expectEqual(before + 1, (try follower.publishedState()).txnid);
    try attach.close(other);
    try testing.expectEqual(before + 1, (try follower.publishedState()).txnid);
    const next = try attach.open(allocator, try world.startProcess(), path, .{});
    try testing.expectError(error.Busy, follower.publishedState());
    try attach.close(follower);
    try attach.close(next);
    try attach.close(reader);
}

/// Puts the keys of a store in no order, in commits of a few, while snapshots are held: the file
/// grows to several times what is in use.
fn overwriteAll(env: *Env) !void {
    var random: std.Random.DefaultPrng = .init(7);
    var slots: [4]u32 = undefined;
    for (&slots) |*slot| slot.* = try Readers.take(&env.lock);
    defer for (slots) |slot| Readers.give(&env.lock, slot);
    for (slots, 0..) |slot, round| {
        _ = Readers.pin(&env.lock, slot);
        for (0..60) |_| {
            var txn = try Txn.begin(env, 0);
            errdefer txn.abort();
            const index = try txn.open(names[1]);
            try txn.prepare(index, .{});
            for (0..20) |_| {
                var key: [8]u8 = undefined;
                const number = random.random().uintLessThan(u32, 1500);
                _ = try std.fmt.bufPrint(&key, "{d:0>8}", .{number});
                const value: [64]u8 = @splat(@intCast(round));
                for ([_]u32{ 0, index }) |table| _ = try txn.put(table, &key, &value, .upsert);
            }
            _ = try txn.commit();
        }
        try checkpoint.runAll(env);
    }
}

/// What one opening finds, and the size of the file once it is closed.
const Opening = struct { page_count: u32, used: u32, entries: u64, size: u64 };

fn openTrimmed(world: *simulated.World, exclusive: bool, is_filled: bool) !Opening {
    const os = try world.startProcess();
    const env = try attach.open(testing.allocator, os, path, .{
        .page_size = 512,
        .exclusive = exclusive,
    });
    var found: Opening = undefined;
    {
        errdefer attach.close(env) catch {}; // the error that brought us here is the one to tell
        if (!is_filled) try overwriteAll(env);
        const state = env.lock.published();
        found.page_count = state.page_count;
        found.used = state.page_count - env.completedMeta().?.free_page_count;
        found.entries = state.main.entries;
        var report = try check.checkAll(env);
        defer report.deinit();
        try testing.expectEqualStrings("", report.first);
    }
    try attach.close(env);
    const fd = try os.open(path, .{});
    defer os.close(fd);
    found.size = (try os.stat(fd)).size;
    return found;
}

fn expectTrimmed(exclusive: bool) !void {
    const world = try simulated.World.create(testing.allocator, .{});
    defer world.destroy();
    const first = try openTrimmed(world, exclusive, false);
    try testing.expect(first.page_count > 2 * first.used + 128);
    const second = try openTrimmed(world, exclusive, true);
    try testing.expectEqual(first.entries, second.entries);
    try testing.expect(second.page_count <= 2 * second.used);
    try testing.expect(first.size <= std.mem.alignForward(u64, second.page_count * 512, 4096));
    try testing.expectEqual(first.size, second.size);
}

test "the last process to leave a file of many free pages moves what lies at its end, and cuts it" {
    try expectTrimmed(false);
    try expectTrimmed(true);
}

/// Looks at what a power cut may leave before each call of a process that leaves.
const Leaving = struct {
    after: *simulated.World,
    expected: Model.Digest,
    version: u64 = 0,
    moments: u64 = 0,
    failure: ?anyerror = null,

    fn look(argument: *anyopaque, world: *simulated.World, _: u32, call: simulated.Call) void {
        const self: *Leaving = @ptrCast(@alignCast(argument));
        if (self.failure != null or !call.changesDisk()) return;
        if (world.disk.version == self.version) return;
        self.version = world.disk.version;
        self.moments += 1;
        self.examine(world) catch |err| {
            std.debug.print("before a {t}, moment {d}: {t}\n", .{ call, self.moments, err });
            self.failure = err;
        };
    }

    fn examine(self: *Leaving, world: *const simulated.World) !void {
        var images = try world.images(self.moments, 4);
        defer images.deinit();
        while (try images.next()) |plan| {
            try self.after.boot(world, &plan);
            try expectState(self.after, self.expected);
        }
    }
};

/// The store opens to that state, is sound, can be written to, and closes.
fn expectState(world: *simulated.World, expected: Model.Digest) !void {
    const env = try attach.open(testing.allocator, try world.startProcess(), path, .{});
    {
        errdefer attach.close(env) catch {}; // the error that brought us here is the one to tell
        try testing.expectEqual(expected, try Workload.digestOf(env));
        try Workload.check(env);
        const mark: Workload.Mark = .of(1);
        try mark.commit(env);
        try testing.expectEqual(expected +% mark.digest(), try Workload.digestOf(env));
    }
    try attach.close(env);
}

/// A store whose file is long, open in a process of `world`, with what it holds.
fn openLong(world: *simulated.World, exclusive: bool) !struct { *Env, Model.Digest } {
    const os = try world.startProcess();
    const env = try attach.open(testing.allocator, os, path, .{
        .page_size = 512,
        .exclusive = exclusive,
    });
    errdefer attach.close(env) catch {}; // the error that brought us here is the one to tell
    try overwriteAll(env);
    return .{ env, try Workload.digestOf(env) };
}

fn cutWhileLeaving(exclusive: bool) !void {
    const world = try simulated.World.create(testing.allocator, .{});
    defer world.destroy();
    const env, const expected = try openLong(world, exclusive);
    const before = (try env.os.stat(env.file.fd)).size;
    var leaving: Leaving = .{
        .after = try simulated.World.create(testing.allocator, .{}),
        .expected = expected,
    };
    defer leaving.after.destroy();
    try env.flushLog();
    world.before_call = .{ .argument = &leaving, .run = Leaving.look };
    try attach.close(env);
    world.before_call = null;
    if (leaving.failure) |failure| return failure;
    try testing.expect(leaving.moments > 15);
    const os = try world.startProcess();
    const fd = try os.open(path, .{});
    defer os.close(fd);
    try testing.expect((try os.stat(fd)).size < before / 2);
    try leaving.examine(world);
    try expectState(world, expected);
}

test "the power is cut while the last process to leave moves pages and cuts the file" {
    for ([_]bool{ false, true }) |exclusive| try cutWhileLeaving(exclusive);
}

test "the last process to leave is killed while it moves pages and cuts the file" {
    for ([_]bool{ false, true }) |exclusive| {
        var at: u64 = 1;
        var was_killed = true;
        while (was_killed) : (at += 1 + at / 8) {
            const world = try simulated.World.create(testing.allocator, .{ .has_cuts = false });
            defer world.destroy();
            const env, const expected = try openLong(world, exclusive);
            const os = env.os;
            world.killAt(os, at, at % 2 == 1);
            was_killed = if (attach.close(env)) |_| false else |err| err == error.Killed;
            try expectState(world, expected);
        }
        try testing.expect(at > 15);
    }
}
