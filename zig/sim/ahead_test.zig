//! Commits whose log record is written ahead of their pages: what each moment between the two
//! leaves behind, and where a record is not written so.

const std = @import("std");
const testing = std.testing;
const simulated = @import("../os/simulated.zig");
const attach = @import("../txn/attach.zig");
const checkpoint = @import("../txn/checkpoint.zig");
const Env = @import("../txn/Env.zig");
const Txn = @import("../txn/Txn.zig");
const Model = @import("Model.zig");
const Workload = @import("Workload.zig");

const allocator = std.heap.smp_allocator;
const path = "/disk/x";

/// A transaction that changes every table, and makes the named ones the first time.
fn begun(env: *Env, round: u8) !Txn {
    var txn = try Txn.begin(env, env.settings.lock_timeout_ns);
    errdefer txn.abort();
    for (Model.names) |name| {
        const index = try txn.open(name);
        try txn.prepare(index, .{});
        for (0..40) |number| {
            const key = [_]u8{@intCast(number)} ** 12;
            const value = [_]u8{round} ** 60;
            _ = try txn.put(index, &key, &value, .upsert);
        }
    }
    return txn;
}

/// A power cut now leaves the state of that digest, whatever of the unflushed writes arrives.
fn expectAfterCut(world: *simulated.World, expected: Model.Digest) !void {
    return expectOneOf(world, &.{expected});
}

/// A power cut now leaves one of the states, whatever of the unflushed writes arrives.
fn expectOneOf(world: *simulated.World, expected: []const Model.Digest) !void {
    var images = try world.images(1, 40);
    defer images.deinit();
    const after = try simulated.World.create(allocator, .{});
    defer after.destroy();
    var count: u32 = 0;
    while (try images.next()) |plan| {
        try after.boot(world, &plan);
        const env = try attach.open(allocator, try after.startProcess(), path, .{});
        const found = try Workload.digestOf(env);
        try testing.expect(std.mem.indexOfScalar(Model.Digest, expected, found) != null);
        try Workload.check(env);
        try attach.close(env);
        count += 1;
    }
    try testing.expect(count > 0);
}

const Store = struct {
    world: *simulated.World,
    env: *Env,

    fn init(options: attach.Options) !Store {
        const world = try simulated.World.create(allocator, .{});
        errdefer world.destroy();
        const env = try attach.open(allocator, try world.startProcess(), path, options);
        var txn = try begun(env, 0);
        _ = try txn.commit();
        try env.flushLog();
        return .{ .world = world, .env = env };
    }

    fn deinit(self: *Store) void {
        attach.close(self.env) catch {}; // some of its processes have died
        self.world.destroy();
    }
};

test "ahead: published with its named tables, and durable by a flush that ended before its pages" {
    for ([_]u32{ 512, 4096 }) |page_size| {
        var store: Store = try .init(.{ .page_size = page_size });
        defer store.deinit();
        var txn = try begun(store.env, 1);
        const before = try Workload.digestOf(store.env);
        try testing.expect(try txn.writeAhead(.another));
        try testing.expectEqual(before, try Workload.digestOf(store.env));
        try store.env.log.flush();
        const txnid = try txn.commit();
        try testing.expectEqual(txnid, store.env.lock.published().txnid);
        const committed = try Workload.digestOf(store.env);
        try testing.expect(committed != before);
        try Workload.check(store.env);
        try expectAfterCut(store.world, committed);
    }
}

test "ahead: taken back, its record does not return, though it had been flushed" {
    var store: Store = try .init(.{ .page_size = 512 });
    defer store.deinit();
    const before = try Workload.digestOf(store.env);
    var txn = try begun(store.env, 1);
    try testing.expect(try txn.writeAhead(.another));
    try store.env.log.flush();
    txn.abort();
    try testing.expectEqual(before, try Workload.digestOf(store.env));
    try expectAfterCut(store.world, before);
    // Its number is used again.
    var next = try begun(store.env, 2);
    _ = try next.commit();
    try store.env.flushLog();
    try expectAfterCut(store.world, try Workload.digestOf(store.env));
}

test "ahead: pages that cannot be written take the record back, or poison" {
    for ([_]bool{ false, true }) |is_permanent| {
        var store: Store = try .init(.{ .page_size = 512 });
        defer store.deinit();
        const before = try Workload.digestOf(store.env);
        var txn = try begun(store.env, 1);
        try testing.expect(try txn.writeAhead(.another));
        try store.env.log.flush();
        store.world.fault = .{
            .calls = .initMany(&.{ .pwrite, .pwritev }),
            .at = 3,
            .failure = error.Io,
            .is_permanent = is_permanent,
        };
        try testing.expectError(error.Io, txn.commit());
        store.world.fault = null;
        try testing.expectEqual(is_permanent, store.env.lock.isPoisoned());
        try testing.expectEqual(before, try Workload.digestOf(store.env));
        if (!is_permanent) try expectAfterCut(store.world, before);
    }
}

test "ahead: killed in between, the next writer's commit takes its place" {
    var store: Store = try .init(.{ .page_size = 512 });
    defer store.deinit();
    const before = try Workload.digestOf(store.env);
    const other_os = try store.world.startProcess();
    const other = try attach.open(allocator, other_os, path, .{});
    defer attach.close(other) catch {}; // it has died
    var txn = try begun(other, 1);
    try testing.expect(try txn.writeAhead(.another));
    try other.log.flush();
    store.world.kill(other_os);
    try testing.expectEqual(before, try Workload.digestOf(store.env));
    var next = try begun(store.env, 2);
    _ = try next.commit();
    try store.env.flushLog();
    const committed = try Workload.digestOf(store.env);
    try testing.expect(committed != before);
    try Workload.check(store.env);
    try expectAfterCut(store.world, committed);
}

test "ahead: whoever erased it was killed too, and the last to leave wrote nothing" {
    // A call later each time: after the erasing, before its flush, is among them.
    for (1..40) |at| {
        var store: Store = try .init(.{ .page_size = 512 });
        defer store.deinit();
        const dead_os = try store.world.startProcess();
        const dead = try attach.open(allocator, dead_os, path, .{});
        defer attach.close(dead) catch {}; // it has died
        const eraser_os = try store.world.startProcess();
        const eraser = try attach.open(allocator, eraser_os, path, .{});
        defer attach.close(eraser) catch {}; // it may have died
        // Everything is in a checkpoint, so that who leaves has nothing to write.
        try checkpoint.runAll(store.env);
        const before = try Workload.digestOf(store.env);
        var txn = try begun(dead, 1);
        try testing.expect(try txn.writeAhead(.another));
        try dead.log.flush();
        store.world.kill(dead_os);
        store.world.killAt(eraser_os, at, false);
        if (Txn.begin(eraser, 0)) |taken| {
            var over = taken;
            over.abort();
            store.world.kill(eraser_os);
        } else |err| try testing.expectEqual(error.Killed, err);
        // Beside it who leaves does not trim, and so never takes the dead one's lock over.
        const reader_os = try store.world.startProcess();
        const reader = try attach.openReadOnly(allocator, reader_os, path, .{});
        try attach.close(store.env);
        try attach.close(reader);
        store.env = try attach.open(allocator, try store.world.startProcess(), path, .{});
        var next = try begun(store.env, 2);
        _ = try next.commit();
        try expectOneOf(store.world, &.{ before, try Workload.digestOf(store.env) });
    }
}

test "ahead: not while tables of earlier commits are in frames that this one has to write" {
    const page_size = 512;
    const settings: Env.Settings = .{ .frames_size_max = 100 * page_size };
    var store: Store = try .init(.{
        .page_size = page_size,
        .exclusive = true,
        .settings = settings,
    });
    defer store.deinit();
    const env = store.env;
    try testing.expect(env.lock.published().catalogue.is_frame != 0);
    // A range over the transaction keeps its pages in frames, more of one table than may be there.
    var txn = try Txn.begin(env, 0);
    _ = try txn.remove(0, &[_]u8{0} ** 12);
    env.dirty.freeze();
    for (0..1000) |number| {
        const key = [_]u8{ @intCast(number / 250), @intCast(number % 250) };
        _ = try txn.put(0, &key, &([_]u8{'v'} ** 60), .upsert);
        // Without this the puts would wait for the commit.
        _ = try txn.remove(0, &[_]u8{255});
    }
    try testing.expect(env.dirty.liveCount() > 100);
    try testing.expect(!try txn.writeAhead(.another));
    _ = try txn.commit();
    try testing.expectEqual(0, env.lock.published().catalogue.is_frame);
    try Workload.check(env);
    try env.flushLog();
    try expectAfterCut(store.world, try Workload.digestOf(env));
    var next = try begun(env, 1);
    try testing.expect(!try next.writeAhead(.another));
    _ = try next.commit();
    try Workload.check(env);
}

test "ahead: not where a flush of the log alone makes nothing durable" {
    const settings: Env.Settings = .{ .named_run_size_min = 1000 };
    var store: Store = try .init(.{ .page_size = 512, .settings = settings });
    defer store.deinit();
    const env = store.env;
    const large: [3000]u8 = @splat('v');
    var first = try Txn.begin(env, 0);
    _ = try first.put(0, "small", "not durable when the next one begins", .upsert);
    _ = try first.commit();
    var naming = try Txn.begin(env, 0);
    _ = try naming.put(0, "large", &large, .upsert);
    try testing.expect(!try naming.writeAhead(.another));
    _ = try naming.commit();
    // The run is not durable yet, and a record behind its own would be flushed without it.
    var behind = try begun(env, 1);
    try testing.expect(!try behind.writeAhead(.another));
    _ = try behind.commit();
    try env.flushLog();
    var later = try begun(env, 2);
    try testing.expect(try later.writeAhead(.another));
    _ = try later.commit();
    var nothing = try Txn.begin(env, 0);
    try testing.expect(!try nothing.writeAhead(.this_thread));
    _ = try nothing.commit();
}
