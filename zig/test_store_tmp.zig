const std = @import("std");
const Os = @import("os/os.zig").Os;
const attach = @import("txn/attach.zig");
const Env = @import("txn/Env.zig");
const Txn = @import("txn/Txn.zig");
const checkpoint = @import("txn/checkpoint.zig");
const search = @import("tree/search.zig");
const explain = @import("explain.zig");

fn clean(path: []const u8) void {
    inline for (.{ "", "-wal", "-lock" }) |suffix| {
        var buffer: [200]u8 = undefined;
        const p = std.fmt.bufPrintZ(&buffer, "{s}{s}", .{ path, suffix }) catch unreachable;
        _ = std.os.linux.unlink(p);
    }
}

test "store smoke" {
    const os: Os = .{};
    const path: [:0]const u8 = "/tmp/zeo-smoke";
    clean(path);
    const allocator = std.testing.allocator;
    errdefer std.debug.print("explain: {s}\n", .{explain.get()});
    var env = try attach.open(allocator, os, path, .{});
    const count: u32 = 20000;
    var i: u32 = 0;
    while (i < count) {
        var txn = try Txn.begin(env, 0);
        for (0..100) |_| {
            var key: [8]u8 = undefined;
            std.mem.writeInt(u64, &key, std.hash.int(@as(u64, i)), .big);
            _ = try txn.put(0, &key, "value of some length that is stored", .upsert);
            i += 1;
        }
        _ = try txn.commit();
        if (i % 5000 == 0) try checkpoint.runAll(env);
    }
    const view = try env.viewOf(env.lock.published());
    try std.testing.expectEqual(@as(u64, count), view.main.entries);
    std.debug.print("pages {d} depth {d} free {d}\n", .{ view.snapshot.page_count, view.main.depth, env.space.freeCount() });
    for (0..count) |j| {
        var key: [8]u8 = undefined;
        std.mem.writeInt(u64, &key, std.hash.int(@as(u64, j)), .big);
        try std.testing.expect((try search.get(view.pages(), view.main, &key)) != null);
    }
    try attach.close(env);
    env = try attach.open(allocator, os, path, .{});
    {
        var txn = try Txn.begin(env, 0);
        const t = try txn.open("named");
        try txn.prepare(t, .{ .key_encoding = 2 });
        _ = try txn.put(t, "a", "b", .upsert);
        _ = try txn.commit();
    }
    const v2 = try env.viewOf(env.lock.published());
    try std.testing.expectEqual(@as(u64, count), v2.main.entries);
    // leave uncleanly: drop locks without closing
    try env.flushLog();
    os.unlock(env.file.fd, 1);
    os.close(env.log.fd);
    os.close(env.lock.fd);
    os.close(env.file.fd);
    env = try attach.open(allocator, os, path, .{});
    std.debug.print("recovered {d} txnid {d}\n", .{ env.lock.shared.recovered, env.lock.published().txnid });
    const v3 = try env.viewOf(env.lock.published());
    try std.testing.expectEqual(@as(u64, count), v3.main.entries);
    try attach.close(env);
}
