//! A process that forks while it has a store open, on this machine. The child has its parent's
//! locks, which it must not use: all that would write or walk is refused, also in a transaction
//! that was open, and what the child closes stays the parent's.

const std = @import("std");
const testing = std.testing;
const linux = std.os.linux;
const os_module = @import("../os/os.zig");
const search = @import("../tree/search.zig");
const attach = @import("../txn/attach.zig");
const check = @import("../txn/check.zig");
const checkpoint = @import("../txn/checkpoint.zig");
const single = @import("../txn/single.zig");
const Env = @import("../txn/Env.zig");
const Txn = @import("../txn/Txn.zig");

const allocator = std.heap.smp_allocator;
const timeout: u64 = std.time.ns_per_s;

fn isRefused(result: anytype) bool {
    if (result) |_| return false else |err| return err == error.PermissionDenied;
}

/// Tries everything in the child; the number of the first that was not refused, 0 if all were.
fn tryAll(env: *Env, txn: *Txn) u8 {
    if (!isRefused(txn.commit())) return 1;
    if (!isRefused(Txn.begin(env, timeout))) return 2;
    // Null leaves the put to a transaction, as it does in every shared store.
    const alone = single.put(env, timeout, .{ .name = null }, "child", "1");
    if (!isRefused(alone) and (alone catch null) != null) return 3;
    if (!isRefused(checkpoint.step(env, true))) return 4;
    if (!isRefused(check.checkAll(env))) return 5;
    attach.close(env) catch return 6;
    return 0;
}

fn put(env: *Env, key: []const u8) !void {
    var txn = try Txn.begin(env, timeout);
    errdefer txn.abort();
    _ = try txn.put(try txn.open(null), key, "1", .upsert);
    _ = try txn.commit();
}

fn expectFound(env: *Env, key: []const u8, expected: bool) !void {
    const view = try env.viewOf(env.lock.published());
    const found = try search.get(view.pages(), view.main, key);
    try testing.expectEqual(expected, found != null);
}

fn expectRefusedInChild(exclusive: bool) !void {
    var disk: os_module.TestDisk = try .init();
    defer disk.deinit();
    var buffers: [2][4096]u8 = undefined;
    const path = try attach.resolve(disk.os, try disk.path(&buffers[0], "x"), &buffers[1]);
    const env = try attach.open(allocator, disk.os, path, .{ .exclusive = exclusive });
    try put(env, "before");
    var txn = try Txn.begin(env, timeout);
    _ = try txn.put(try txn.open(null), "open", "1", .upsert);

    const child = linux.fork();
    try testing.expect(linux.errno(child) == .SUCCESS);
    if (child == 0) linux.exit_group(tryAll(env, &txn));
    var status: u32 = undefined;
    while (linux.errno(linux.waitpid(@intCast(child), &status, 0)) == .INTR) {}
    try testing.expectEqual(0, status);

    // The lock that the child had a copy of is still the parent's, and so is its transaction.
    _ = try txn.commit();
    try put(env, "after");
    for ([_][]const u8{ "before", "open", "after" }) |key| try expectFound(env, key, true);
    try expectFound(env, "child", false);
    var report = try check.checkAll(env);
    defer report.deinit();
    try testing.expect(report.isOk());
    try attach.close(env);
}

test "fork: a child is refused, and the parent goes on" {
    for ([_]bool{ false, true }) |exclusive| try expectRefusedInChild(exclusive);
}
