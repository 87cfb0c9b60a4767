//! Values that stand in overflow runs which the log names: what is flushed for them, what becomes
//! of one that is damaged, and who copies them. Where their pages go, and what a crash leaves, the
//! tests with power cuts, kills and faults try at random.

const std = @import("std");
const testing = std.testing;
const meta_format = @import("../format/meta.zig");
const simulated = @import("../os/simulated.zig");
const search = @import("../tree/search.zig");
const attach = @import("../txn/attach.zig");
const checkpoint = @import("../txn/checkpoint.zig");
const Env = @import("../txn/Env.zig");
const Txn = @import("../txn/Txn.zig");

const path = "/disk/x";
const allocator = testing.allocator;
const value_size = 100_000;

fn putOne(env: *Env, key: []const u8, value: []const u8) !void {
    var txn = try Txn.begin(env, 0);
    errdefer txn.abort();
    try testing.expect(try txn.put(0, key, value, .upsert));
    _ = try txn.commit();
}

fn valueOf(env: *Env, key: []const u8) !?[]const u8 {
    const view = try env.viewOf(try env.publishedState());
    const value = try search.get(view.pages(), view.main, key) orelse return null;
    return try search.valueBytes(view.pages(), value);
}

fn firstPage(env: *Env, key: []const u8) !u32 {
    const view = try env.viewOf(try env.publishedState());
    const value = (try search.get(view.pages(), view.main, key)).?;
    return value.run().pgno;
}

fn unflushedOf(env: *Env) @FieldType(Env.Unflushed, "files") {
    return env.unflushed().files;
}

fn metaOf(world: *simulated.World, slot: u32) !meta_format.Meta {
    const os = try world.startProcess();
    const fd = try os.open(path, .{});
    defer os.close(fd);
    var bytes: [meta_format.size]u8 = undefined;
    _ = try os.pread(fd, &bytes, @as(u64, slot) * 4096);
    return meta_format.decode(&bytes, slot);
}

test "named runs: the data file is flushed first while one is not durable, and only then" {
    const world = try simulated.World.create(allocator, .{});
    defer world.destroy();
    const env = try attach.open(allocator, try world.startProcess(), path, .{});
    const value: [value_size]u8 = @splat('v');
    // Nothing before it waits for a flush: it is in the log.
    try putOne(env, "whole", &value);
    const size = env.lock.published().log_offset;
    try testing.expect(size > value_size);
    try testing.expectEqual(.log, unflushedOf(env));
    try putOne(env, "named", &value);
    try testing.expect(env.lock.published().log_offset < size + 1000);
    try testing.expectEqual(value_size, env.lock.published().run_size);
    try testing.expectEqual(.data_then_log, unflushedOf(env));
    try putOne(env, "small", "value");
    try testing.expectEqual(.data_then_log, unflushedOf(env));
    try env.flushLog();
    try testing.expectEqual(.none, unflushedOf(env));
    try putOne(env, "small", "other");
    try testing.expectEqual(.log, unflushedOf(env));
    // A checkpoint under way has flushed nothing yet.
    try putOne(env, "named", &value);
    const taken = try checkpoint.step(env, true);
    try testing.expectEqual(.flush_file, taken.need);
    try testing.expectEqual(.data_then_log, unflushedOf(env));
    try env.flushLog();
    try testing.expectEqual(.none, unflushedOf(env));
    try checkpoint.runAll(env);
    try testing.expectEqual(0, env.lock.published().run_size);
    try testing.expectEqualStrings(&value, (try valueOf(env, "named")).?);
    try attach.close(env);
}

test "named runs: metas say that there may be some until the store is closed" {
    const world = try simulated.World.create(allocator, .{});
    defer world.destroy();
    const env = try attach.open(allocator, try world.startProcess(), path, .{});
    for (0..2) |slot| {
        try testing.expectEqual(0, (try metaOf(world, @intCast(slot))).features_required);
    }
    try putOne(env, "key", "value");
    const bit = meta_format.feature_named_runs;
    try testing.expectEqual(bit, env.completedMeta().?.features_required);
    try checkpoint.runAll(env);
    try testing.expectEqual(bit, env.completedMeta().?.features_required);
    const sequence = env.completedMeta().?.sequence;
    try attach.close(env);
    const closed = try metaOf(world, @intCast((sequence + 1) % 2));
    try testing.expectEqual(1, closed.closed);
    try testing.expectEqual(0, closed.features_required);
}

const Damaged = struct {
    world: *simulated.World,

    /// A store with two named runs, of a process that was killed; a byte of the first is another.
    fn init(is_acknowledged: bool) !Damaged {
        const world = try simulated.World.create(allocator, .{});
        errdefer world.destroy();
        const os = try world.startProcess();
        const env = try attach.open(allocator, os, path, .{});
        const value: [value_size]u8 = @splat('v');
        try putOne(env, "first", "value");
        try putOne(env, "named", &value);
        const pgno = try firstPage(env, "named");
        try putOne(env, "named too", &value);
        if (is_acknowledged) {
            try env.flushLog();
            try putOne(env, "last", "value");
        }
        world.kill(os);
        attach.close(env) catch {}; // a killed process closes nothing
        const other = try world.startProcess();
        const fd = try other.open(path, .{ .write = true });
        defer other.close(fd);
        try other.pwrite(fd, "x", @as(u64, pgno) * 4096 + value_size - 1);
        return .{ .world = world };
    }
};

test "named runs: damage is a torn tail if nobody was told, else it is told" {
    for ([_]bool{ false, true }) |is_acknowledged| {
        const damaged: Damaged = try .init(is_acknowledged);
        defer damaged.world.destroy();
        const os = try damaged.world.startProcess();
        if (is_acknowledged) {
            try testing.expectError(error.Corrupt, attach.open(allocator, os, path, .{}));
            continue;
        }
        const env = try attach.open(allocator, os, path, .{});
        try testing.expectEqualStrings("value", (try valueOf(env, "first")).?);
        try testing.expectEqual(null, try valueOf(env, "named"));
        try testing.expectEqual(null, try valueOf(env, "named too"));
        try attach.close(env);
    }
}

test "named runs: recovery leaves them where they are, a reader that may not write copies them" {
    const world = try simulated.World.create(allocator, .{});
    defer world.destroy();
    const os = try world.startProcess();
    const env = try attach.open(allocator, os, path, .{});
    var value: [value_size]u8 = undefined;
    world.random.random().bytes(&value);
    try putOne(env, "first", "value");
    // One that is replaced again, and one that stays.
    for (0..2) |_| try putOne(env, "named", &value);
    const pgno = try firstPage(env, "named");
    world.kill(os);
    attach.close(env) catch {}; // a killed process closes nothing
    {
        const reader = try attach.openReadOnly(allocator, try world.startProcess(), path, .{});
        defer attach.close(reader) catch {};
        try testing.expectEqualStrings(&value, (try valueOf(reader, "named")).?);
        try testing.expect(try firstPage(reader, "named") != pgno);
    }
    const next = try attach.open(allocator, try world.startProcess(), path, .{});
    try testing.expectEqualStrings(&value, (try valueOf(next, "named")).?);
    try testing.expectEqual(pgno, try firstPage(next, "named"));
    try attach.close(next);
}
