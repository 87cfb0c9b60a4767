//! What an open refuses, and what it says then: one rule a test. No random history comes to these,
//! for it opens what it has made itself.

const std = @import("std");
const testing = std.testing;
const explain = @import("../explain.zig");
const simulated = @import("../os/simulated.zig");
const os_types = @import("../os/types.zig");
const meta_format = @import("../format/meta.zig");
const attach = @import("../txn/attach.zig");
const checkpoint = @import("../txn/checkpoint.zig");
const tables = @import("../txn/tables.zig");
const Txn = @import("../txn/Txn.zig");

const path = "/disk/x";
const page_size = 512;

fn write(os: simulated.Os, name: [:0]const u8, bytes: []const u8) !void {
    const fd = try os.open(name, .{ .write = true, .create = true });
    defer os.close(fd);
    try os.truncate(fd, 0);
    if (bytes.len > 0) try os.pwrite(fd, bytes, 0);
}

fn expectRefused(
    os: simulated.Os,
    options: attach.Options,
    expected: anyerror,
    text: []const u8,
) !void {
    for ([_]bool{ false, true }) |read_only| {
        explain.clear();
        const opened = if (read_only)
            attach.openReadOnly(testing.allocator, os, path, options)
        else
            attach.open(testing.allocator, os, path, options);
        try testing.expectError(expected, opened);
        errdefer std.debug.print("it says: {s}\n", .{explain.get()});
        try testing.expect(std.mem.indexOf(u8, explain.get(), text) != null);
    }
}

/// A store of one row, closed.
fn makeStore(os: simulated.Os, options: attach.Options) !void {
    const env = try attach.open(testing.allocator, os, path, options);
    defer attach.close(env) catch {}; // its tests are elsewhere
    var txn = try Txn.begin(env, 0);
    errdefer txn.abort();
    _ = try txn.put(0, "a key", "a value", .upsert);
    _ = try txn.commit();
}

test "open refuses what is no store, and says what it is" {
    const world = try simulated.World.create(testing.allocator, .{});
    defer world.destroy();
    const os = try world.startProcess();
    try expectRefused(os, .{ .create = false }, error.NotFound, "");
    try write(os, path, "");
    try expectRefused(os, .{}, error.NotAStore, "is empty");
    try write(os, path, &@as([3000]u8, @splat(0)));
    try expectRefused(os, .{}, error.NotAStore, "begins with zeros");
    try write(os, path, "a letter to a friend, " ** 200);
    try expectRefused(os, .{}, error.NotAStore, "begins with other bytes");
    try os.unlink(path);
    try testing.expectError(
        error.NotAStore,
        attach.open(testing.allocator, os, "/disk", .{}),
    );
    var buffer: [os_types.path_size_max]u8 = undefined;
    try testing.expectError(error.NameTooLong, attach.resolve(os, "", &buffer));
    const long = "/disk/" ++ "x" ** os_types.path_size_max;
    try testing.expectError(error.NameTooLong, attach.resolve(os, long, &buffer));
    try testing.expectEqualStrings(path, try attach.resolve(os, path, &buffer));
}

test "open refuses to make a store beside a file that is no log" {
    const world = try simulated.World.create(testing.allocator, .{});
    defer world.destroy();
    const os = try world.startProcess();
    try write(os, path ++ "-wal", "a letter to a friend, " ** 200);
    explain.clear();
    const opened = attach.open(testing.allocator, os, path, .{});
    try testing.expectError(error.Corrupt, opened);
    try testing.expect(std.mem.indexOf(u8, explain.get(), "is not a log") != null);
}

test "open refuses a file of two names" {
    const world = try simulated.World.create(testing.allocator, .{});
    defer world.destroy();
    const os = try world.startProcess();
    try makeStore(os, .{ .page_size = page_size });
    try world.disk.link(path, "/disk/y");
    try expectRefused(os, .{}, error.PermissionDenied, "2 hard links");
    try os.unlink("/disk/y");
    try makeStore(os, .{});
}

test "open says what the system refused, whichever call it was" {
    const world = try simulated.World.create(testing.allocator, .{});
    defer world.destroy();
    const os = try world.startProcess();
    for ([_]bool{ false, true }) |is_there| {
        for ([_]simulated.Error{
            error.PermissionDenied, error.ReadOnlyFileSystem, error.TooManyFiles,
        }) |failure| {
            for ([_]bool{ false, true }) |read_only| {
                var at: u64 = 1;
                while (true) : (at += 1) {
                    if (is_there) try makeStore(os, .{ .page_size = page_size });
                    world.fault = .{
                        .calls = .initMany(&.{.open}),
                        .at = at,
                        .failure = failure,
                        .is_permanent = false,
                    };
                    explain.clear();
                    const opened = if (read_only)
                        attach.openReadOnly(testing.allocator, os, path, .{})
                    else
                        attach.open(testing.allocator, os, path, .{});
                    const hits = world.fault.?.hits;
                    world.fault = null;
                    if (opened) |env| {
                        try attach.close(env);
                        if (!is_there) try removeAll(os);
                        if (hits == 0) break;
                    } else |err| {
                        if (hits == 0) {
                            try testing.expectEqual(error.NotFound, err);
                            break;
                        }
                        try testing.expectEqual(failure, err);
                    }
                }
            }
        }
        try removeAll(os);
    }
}

fn removeAll(os: simulated.Os) !void {
    for ([_][:0]const u8{ path, path ++ "-wal", path ++ "-lock", path ++ "-new" }) |name| {
        os.unlink(name) catch |err| if (err != error.NotFound) return err;
    }
}

test "open refuses another version of the format, in either meta" {
    const world = try simulated.World.create(testing.allocator, .{});
    defer world.destroy();
    const os = try world.startProcess();
    try makeStore(os, .{ .page_size = page_size });
    for ([_]u32{ 0, 1 }) |slot| {
        const fd = try os.open(path, .{ .write = true });
        defer os.close(fd);
        var kept: [meta_format.size]u8 = undefined;
        _ = try os.pread(fd, &kept, slot * page_size);
        var meta = try meta_format.decode(&kept, slot);
        meta.version += 1;
        try os.pwrite(fd, &meta_format.encode(meta, slot), slot * page_size);
        try expectRefused(os, .{}, error.Version, "another version");
        try os.pwrite(fd, &kept, slot * page_size);
    }
    // The first is damaged, and of the second nothing is left either.
    const fd = try os.open(path, .{ .write = true });
    defer os.close(fd);
    for ([_]u32{ 0, 1 }) |slot| try os.pwrite(fd, "?", slot * page_size + 60);
    try expectRefused(os, .{}, error.Corrupt, "both metas");
}

test "open refuses options that are not those of the store" {
    const world = try simulated.World.create(testing.allocator, .{});
    defer world.destroy();
    const os = try world.startProcess();
    try makeStore(os, .{ .page_size = page_size, .attributes = .{ .key_encoding = 1 } });
    try expectRefused(os, .{ .page_size = 1024 }, error.Options, "pages of 512 bytes");
    const odd: attach.Options = .{ .page_size = 1000 };
    const opened = attach.open(testing.allocator, os, path, odd);
    try testing.expectError(error.Options, opened);
    const other_key: tables.Attributes = .{ .key_encoding = 2 };
    try expectRefused(os, .{ .attributes = other_key }, error.Options, "key encoding string");
    const unknown: tables.Attributes = .{ .encoding = 77 };
    try expectRefused(os, .{ .attributes = unknown }, error.Options, "an unknown one");
    var codec: tables.Attributes = .{ .encoding = 4 };
    codec.setCodecName("own");
    try expectRefused(os, .{ .attributes = codec }, error.Options, "codec own");
    try makeStore(os, .{ .attributes = .{ .key_encoding = 1, .encoding = 0 } });
}

test "open refuses a store that is cut, and one whose log has lost its header" {
    const world = try simulated.World.create(testing.allocator, .{});
    defer world.destroy();
    const os = try world.startProcess();
    try makeStore(os, .{ .page_size = page_size });
    const fd = try os.open(path, .{ .write = true });
    defer os.close(fd);
    const size = (try os.stat(fd)).size;
    var bytes: [1 << 16]u8 = undefined;
    const whole = bytes[0..try os.pread(fd, &bytes, 0)];
    try testing.expectEqual(size, whole.len);
    try os.truncate(fd, 2 * page_size);
    try expectRefused(os, .{}, error.Corrupt, "it was cut short");
    try os.pwrite(fd, whole, 0);
    try makeStore(os, .{});
}

test "a table is what it was created as; dropped, it is anew" {
    const world = try simulated.World.create(testing.allocator, .{});
    defer world.destroy();
    const os = try world.startProcess();
    const env = try attach.open(testing.allocator, os, path, .{ .page_size = page_size });
    defer attach.close(env) catch {}; // its tests are elsewhere
    for (0..2) |round| {
        var txn = try Txn.begin(env, 0);
        errdefer txn.abort();
        const index = try txn.open("names");
        try testing.expectEqual(round == 1, try txn.drop(index));
        try testing.expect(!try txn.drop(index));
        try testing.expect(txn.isDropped("names"));
        try testing.expect(!txn.isDropped("others"));
        try txn.prepare(index, .{ .encoding = 2 });
        try txn.prepare(index, .{});
        try testing.expect(!txn.isDropped("names"));
        const other = txn.prepare(index, .{ .encoding = 3 });
        try testing.expectError(error.Options, other);
        _ = try txn.put(index, "a key", "a value", .upsert);
        _ = try txn.commit();
    }
    const long: [page_size]u8 = @splat('n');
    var txn = try Txn.begin(env, 0);
    defer txn.abort();
    try testing.expectError(error.KeySize, txn.open(&long));
}

test "who may not write is told so by every call that would" {
    const world = try simulated.World.create(testing.allocator, .{});
    defer world.destroy();
    const os = try world.startProcess();
    try makeStore(os, .{ .page_size = page_size });
    const reader = try attach.openReadOnly(testing.allocator, os, path, .{});
    try testing.expectError(error.ReadOnly, Txn.begin(reader, 0));
    try testing.expectError(error.ReadOnly, checkpoint.step(reader, true));
    try attach.close(reader);
    const settings: @FieldType(attach.Options, "settings") = .{ .read_only = true };
    const env = try attach.open(testing.allocator, os, path, .{ .settings = settings });
    try testing.expectError(error.ReadOnly, Txn.begin(env, 0));
    try testing.expectError(error.ReadOnly, checkpoint.step(env, true));
    attach.close(env) catch |err| try testing.expectEqual(error.ReadOnly, err);
}
