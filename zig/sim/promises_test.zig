//! Promises that no random history comes to by itself, one rule a test: a pin that races with a
//! writer, slots of killed readers, readers without a slot, ranges over changed pages, orderly
//! closes, the bound of unflushed commits.

const std = @import("std");
const testing = std.testing;
const simulated = @import("../os/simulated.zig");
const Lock = @import("../store/Lock.zig");
const Readers = @import("../store/Readers.zig");
const Cursor = @import("../tree/Cursor.zig");
const attach = @import("../txn/attach.zig");
const checkpoint = @import("../txn/checkpoint.zig");
const Env = @import("../txn/Env.zig");
const Txn = @import("../txn/Txn.zig");
const Model = @import("Model.zig");
const Workload = @import("Workload.zig");

const allocator = std.heap.smp_allocator;
const path = "/disk/x";

/// Overwrites one of twenty rows, and now and then checkpoints.
fn overwrite(env: *Env, round: usize) !void {
    var txn = try Txn.begin(env, env.settings.lock_timeout_ns);
    errdefer txn.abort();
    const key = [_]u8{@intCast(round % 20)} ** 16;
    const value: [300]u8 = @splat(@truncate(round));
    _ = try txn.put(0, &key, &value, .upsert);
    _ = try txn.commit();
    if (round % 25 == 24) try checkpoint.runAll(env);
}

const Reader = struct { env: *Env, slot: u32, state: Lock.State, digest: Model.Digest };

/// Pages of a store in which readers of many states came while it was written to, and what became
/// of them.
fn pageCountAfter(fate: enum { left, killed, stayed }) !u32 {
    const world = try simulated.World.create(allocator, .{});
    defer world.destroy();
    const env = try attach.open(allocator, try world.startProcess(), path, .{ .page_size = 512 });
    defer attach.close(env) catch {}; // its tests are elsewhere
    var readers: [20]Reader = undefined;
    for (&readers, 0..) |*reader, number| {
        for (0..40) |round| {
            world.clock_ns += std.time.ns_per_ms;
            try overwrite(env, 40 * number + round);
        }
        const os = try world.startProcess();
        reader.env = try attach.open(allocator, os, path, .{});
        reader.slot = try Readers.take(&reader.env.lock);
        reader.state = Readers.pin(&reader.env.lock, reader.slot).state;
        reader.digest = try Workload.digestOf(reader.env);
        if (fate == .left) Readers.give(&reader.env.lock, reader.slot);
        if (fate == .killed) world.kill(os);
        if (fate != .stayed) attach.close(reader.env) catch |err| {
            try testing.expectEqual(error.Killed, err);
        };
    }
    if (fate == .stayed) {
        // What they cost is to be seen.
        try testing.expect(env.freePages().retained > readers.len);
        for (&readers) |*reader| {
            @memset(reader.env.file.verified[0..reader.state.page_count], 0);
            const view = try reader.env.viewOf(reader.state);
            try testing.expectEqual(reader.digest, try Model.readDigest(&view));
            Readers.give(&reader.env.lock, reader.slot);
            try attach.close(reader.env);
        }
    }
    return env.lock.published().page_count;
}

test "killed readers leave no growth, live ones keep what they see" {
    const alone = try pageCountAfter(.left);
    const beside_killed = try pageCountAfter(.killed);
    const beside_live = try pageCountAfter(.stayed);
    std.debug.print("pages after 800 commits: {d}; 20 killed readers: {d}; 20 live ones: {d}\n", .{
        alone, beside_killed, beside_live,
    });
    // 1.2 times at most.
    try testing.expect(5 * beside_killed <= 6 * alone);
    try testing.expect(beside_live > 2 * alone);
}

test "a reader without a slot keeps whatever was free when it came" {
    const world = try simulated.World.create(allocator, .{});
    defer world.destroy();
    const env = try attach.open(allocator, try world.startProcess(), path, .{ .page_size = 512 });
    defer attach.close(env) catch {}; // its tests are elsewhere
    for (0..60) |round| try overwrite(env, round);
    const reader = try attach.openReadOnly(allocator, try world.startProcess(), path, .{});
    const state = try reader.publishedState();
    const before = try Model.readDigest(&try reader.viewOf(state));
    for (60..200) |round| {
        try overwrite(env, round);
        @memset(reader.file.verified[0..state.page_count], 0);
        try testing.expectEqual(before, try Model.readDigest(&try reader.viewOf(state)));
    }
    try attach.close(reader);
    const grown = env.lock.published().page_count;
    for (0..400) |round| try overwrite(env, round);
    try testing.expectEqual(grown, env.lock.published().page_count);
}

test "frozen frames: a walk sees its moment while its transaction goes on" {
    const world = try simulated.World.create(allocator, .{});
    defer world.destroy();
    const env = try attach.open(allocator, try world.startProcess(), path, .{ .page_size = 512 });
    defer attach.close(env) catch {}; // its tests are elsewhere
    var txn = try Txn.begin(env, 0);
    defer txn.abort();
    for (0..100) |number| {
        _ = try txn.put(0, &[_]u8{ @intCast(2 * number), 'k' }, &([_]u8{'a'} ** 30), .upsert);
    }
    var cursor: Cursor = .init(txn.pages(), txn.tables.items[0].tree);
    env.dirty.freeze();
    var buffer: [256]u8 = undefined;
    for (0..100) |number| {
        try testing.expect(try cursor.next());
        const key = try cursor.key(&buffer);
        try testing.expectEqualSlices(u8, &.{ @intCast(2 * number), 'k' }, key);
        try testing.expectEqualSlices(u8, &([_]u8{'a'} ** 30), cursor.value().bytes);
        const next: u8 = @intCast((2 * number + 2) % 200);
        _ = try txn.put(0, &.{ next, 'k' }, &([_]u8{'b'} ** 30), .upsert);
        _ = try txn.put(0, &.{ next + 1, 'k' }, &([_]u8{'c'} ** 200), .upsert);
        _ = try txn.remove(0, &.{ @intCast((2 * number + 4) % 200), 'k' });
    }
    try testing.expect(!try cursor.next());
}

test "an orderly close leaves nothing to replay, whoever is the last" {
    const world = try simulated.World.create(allocator, .{});
    defer world.destroy();
    for (0..6) |round| {
        const first = try attach.open(allocator, try world.startProcess(), path, .{});
        const second = try attach.open(allocator, try world.startProcess(), path, .{});
        try testing.expectEqual(0, first.lock.shared.recovered);
        try testing.expectEqual(1, first.lock.shared.closed.load(.acquire));
        // What was only opened is not written.
        if (round % 3 > 0) try overwrite(first, 3 * round);
        if (round % 3 > 1) try overwrite(second, 3 * round + 1);
        try attach.close(if (round % 2 == 0) first else second);
        try attach.close(if (round % 2 == 0) second else first);
    }
}

test "at most 2^20 commits are published and not durable" {
    const world = try simulated.World.create(allocator, .{});
    defer world.destroy();
    const env = try attach.open(allocator, try world.startProcess(), path, .{});
    defer attach.close(env) catch {}; // its numbers were made up
    try overwrite(env, 0);
    try testing.expectEqual(0, env.lock.shared.flushed.load(.acquire));
    var state = env.lock.published();
    state.txnid = Env.unflushed_max - 2;
    env.lock.publish(state);
    try overwrite(env, 1);
    try testing.expectEqual(0, env.lock.shared.flushed.load(.acquire));
    try overwrite(env, 2);
    try testing.expectEqual(Env.unflushed_max - 1, env.lock.shared.flushed.load(.acquire));
}

/// A writer that publishes one state after the other and frees the one before if nobody pins it.
const Race = struct {
    lock: Lock,
    slot: u32,
    is_freed: []std.atomic.Value(u8),
    is_done: std.atomic.Value(bool) = .init(false),

    fn write(self: *Race) void {
        defer self.is_done.store(true, .release);
        var state = self.lock.published();
        for (1..self.is_freed.len) |number| {
            state.txnid = number;
            self.lock.publish(state);
            const pinned = Readers.used(&self.lock)[self.slot].txnid.load(.seq_cst);
            if (pinned != number - 1) self.is_freed[number - 1].store(1, .seq_cst);
        }
    }

    /// Returns how often it pinned a state that had been freed or was freed under it.
    fn read(self: *Race) u64 {
        var wrong: u64 = 0;
        while (!self.is_done.load(.acquire)) {
            const state = Readers.pin(&self.lock, self.slot).state;
            for (0..8) |_| wrong += self.is_freed[state.txnid].load(.seq_cst);
            Readers.unpin(&self.lock, self.slot);
        }
        return wrong;
    }
};

test "pin: no state that a writer could free at the same time" {
    const world = try simulated.World.create(allocator, .{});
    defer world.destroy();
    const state_count = 2_000_000;
    var race: Race = .{
        .lock = try .private(try world.startProcess()),
        .slot = undefined,
        .is_freed = try allocator.alloc(std.atomic.Value(u8), state_count),
    };
    defer race.lock.deinit();
    defer allocator.free(race.is_freed);
    @memset(race.is_freed, .init(0));
    race.lock.process = 1;
    race.slot = try Readers.take(&race.lock);
    const writer = try std.Thread.spawn(.{}, Race.write, .{&race});
    const wrong = race.read();
    writer.join();
    try testing.expectEqual(0, wrong);
}
