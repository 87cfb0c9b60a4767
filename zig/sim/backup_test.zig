//! Backups of random stores: the copy opens, holds exactly what the source holds, passes an exact
//! check, and can be written. Damage of the source ends a backup; nothing that fails or is killed
//! leaves a file under the target's name.

const std = @import("std");
const testing = std.testing;
const explain = @import("../explain.zig");
const simulated = @import("../os/simulated.zig");
const os_types = @import("../os/types.zig");
const search = @import("../tree/search.zig");
const attach = @import("../txn/attach.zig");
const check = @import("../txn/check.zig");
const Backup = @import("../txn/backup.zig").Backup;
const Env = @import("../txn/Env.zig");
const Txn = @import("../txn/Txn.zig");
const History = @import("History.zig");
const Workload = @import("Workload.zig");
const counts = @import("counts.zig");

const target = "/disk/copy";

const Machine = struct {
    arena: std.heap.ArenaAllocator,
    world: *simulated.World,
    history: History,
    work: Workload,

    fn init(self: *Machine, options: Workload.Options) !void {
        self.arena = .init(testing.allocator);
        errdefer self.arena.deinit();
        self.world = try simulated.World.create(testing.allocator, .{ .seed = options.seed });
        errdefer self.world.destroy();
        const os = try self.world.startProcess();
        self.history = try .init(self.arena.allocator());
        self.work = .init(self.arena.allocator(), os, &self.history, options);
        try self.work.open();
    }

    fn deinit(self: *Machine) void {
        self.work.close() catch {}; // its tests are elsewhere
        self.world.destroy();
        self.arena.deinit();
    }

    fn env(self: *Machine) *Env {
        return self.work.env.?;
    }

    fn exists(self: *Machine, path: [:0]const u8) !bool {
        _ = self.env().os.statPath(path) catch |err| switch (err) {
            error.NotFound => return false,
            else => return err,
        };
        return true;
    }
};

fn copy(env: *Env, compact: bool, page_budget: u32) !void {
    const backup = try Backup.create(env, target, compact);
    defer backup.deinit();
    while (!try backup.step(page_budget)) {
        const progress = backup.progress();
        try testing.expect(progress.done <= progress.total);
    }
    try testing.expectEqual(backup.progress().total, backup.progress().done);
}

fn expectGood(env: *Env) !void {
    var report = try check.checkAll(env);
    defer report.deinit();
    try testing.expectEqualStrings("", report.first);
    try testing.expect(report.is_exact);
}

/// Commits that make and free pages of every kind.
fn commitMarks(env: *Env) !void {
    var value: [3000]u8 = undefined;
    for (0..20) |number| {
        var txn = try Txn.begin(env, env.settings.lock_timeout_ns);
        errdefer txn.abort();
        var key: [150]u8 = @splat('m');
        key[100] = @intCast(number % 7);
        @memset(&value, @intCast(number));
        _ = try txn.put(0, &key, value[0 .. number * 150], .upsert);
        _ = try txn.commit();
    }
}

/// The copy opens, holds `digest`, is sound, takes commits, and goes away.
fn examine(machine: *Machine, digest: u128) !void {
    const os = machine.env().os;
    const options = Workload.attachOptions(machine.work.options);
    for (0..2) |round| {
        const env = try attach.open(testing.allocator, os, target, options);
        errdefer attach.close(env) catch {}; // the error that brought us here is the one to tell
        if (round == 0) try testing.expectEqual(digest, try Workload.digestOf(env));
        try testing.expect(!std.mem.eql(u8, &env.store_id, &machine.env().store_id));
        try expectGood(env);
        if (round == 0) try commitMarks(env);
        try expectGood(env);
        try attach.close(env);
    }
    for ([_][:0]const u8{ target, target ++ "-wal", target ++ "-lock" }) |path| try os.unlink(path);
}

fn runSeed(seed: u64, options: Workload.Options) !void {
    errdefer std.debug.print("seed {d} page size {d}\n", .{ seed, options.page_size });
    var machine: Machine = undefined;
    try machine.init(options);
    defer machine.deinit();
    for (0..4) |_| {
        for (0..40) |_| try machine.work.step();
        const digest = try Workload.digestOf(machine.env());
        for ([_]bool{ false, true }) |compact| {
            try copy(machine.env(), compact, 1 + @as(u32, @intCast(seed % 5)));
            try examine(&machine, digest);
            try expectGood(machine.env());
        }
    }
}

test "backup: copies of random stores are whole, sound and writable" {
    for (0..12) |seed| try runSeed(seed, .{
        .seed = seed,
        .page_size = ([_]u32{ 512, 1024, 4096 })[seed % 3],
        .key_count = 40 + 60 * @as(u32, @intCast(seed % 4)),
        .operation_count_max = 60,
        .checkpoint_size = 1 << 14,
    });
}

test "backup holds the state it began with while writers go on" {
    for ([_]bool{ false, true }) |compact| {
        var machine: Machine = undefined;
        try machine.init(.{ .seed = 5, .key_count = 200, .operation_count_max = 40 });
        defer machine.deinit();
        for (0..60) |_| try machine.work.commit();
        const digest = try Workload.digestOf(machine.env());
        const backup = try Backup.create(machine.env(), target, compact);
        // Not `step`: that may close the store which the backup reads.
        while (!try backup.step(1)) {
            try machine.work.commit();
            try machine.work.checkpointStep();
        }
        backup.deinit();
        try testing.expect(try Workload.digestOf(machine.env()) != digest);
        try examine(&machine, digest);
    }
}

test "backup by a reader without write access, of a log that only it has replayed" {
    for ([_]bool{ false, true }) |compact| {
        var machine: Machine = undefined;
        try machine.init(.{ .seed = 4, .key_count = 60, .operation_count_max = 30 });
        defer machine.deinit();
        for (0..10) |_| try machine.work.commit();
        const digest = try Workload.digestOf(machine.env());
        machine.world.kill(machine.env().os);
        machine.work.abandon();
        const os = try machine.world.startProcess();
        const env = try attach.openReadOnly(testing.allocator, os, Workload.path, .{});
        var report = try check.checkAll(env);
        defer report.deinit();
        try testing.expectEqualStrings("", report.first);
        try testing.expect(!report.is_exact);
        try copy(env, compact, 10);
        try attach.close(env);
        const options = Workload.attachOptions(machine.work.options);
        const copied = try attach.open(testing.allocator, os, target, options);
        defer attach.close(copied) catch {}; // nothing was written
        try testing.expectEqual(digest, try Workload.digestOf(copied));
        try expectGood(copied);
    }
}

test "backup replaces nothing, and two to one target do not meet" {
    var machine: Machine = undefined;
    try machine.init(.{ .seed = 1 });
    defer machine.deinit();
    for (0..10) |_| try machine.work.commit();
    const first = try Backup.create(machine.env(), target, false);
    try testing.expectError(error.Busy, Backup.create(machine.env(), target, true));
    first.deinit();
    try testing.expect(!try machine.exists(target ++ "-backup"));
    try copy(machine.env(), true, 100);
    try testing.expectError(error.Exists, Backup.create(machine.env(), target, true));
    try testing.expectError(error.Exists, Backup.create(machine.env(), Workload.path, true));
    const os = machine.env().os;
    try os.rename(target, "/disk/other");
    const late = try Backup.create(machine.env(), target, false);
    try os.rename("/disk/other", target);
    while (late.step(100)) |done| {
        if (done) return error.TestUnexpectedResult;
    } else |err| try testing.expectEqual(error.Exists, err);
    late.deinit();
    try testing.expect(!try machine.exists(target ++ "-backup"));
}

test "backup killed at any call leaves no target, or a whole one" {
    for ([_]bool{ false, true }) |compact| {
        var at: u64 = 1;
        while (at < 2000) : (at += 7) {
            var machine: Machine = undefined;
            try machine.init(.{ .seed = 3, .key_count = 60, .operation_count_max = 30 });
            defer machine.deinit();
            for (0..10) |_| try machine.work.commit();
            const other = try machine.world.startProcess();
            const options = Workload.attachOptions(machine.work.options);
            const env = try attach.open(testing.allocator, other, Workload.path, options);
            const digest = try Workload.digestOf(env);
            machine.world.killAt(other, at, true);
            const outcome = copy(env, compact, 3);
            const is_alive = machine.world.isAlive(other);
            attach.close(env) catch {}; // a killed process closes nothing
            if (is_alive) {
                try outcome;
                break;
            }
            if (!try machine.exists(target)) continue;
            try examine(&machine, digest);
        }
        try testing.expect(at < 2000);
    }
}

/// Looks at what power cuts leave of a backup under way: no target, or the whole of it.
const Cuts = struct {
    machine: *Machine,
    after: *simulated.World,
    digest: u128,
    version: u64 = 0,
    image_count: u64 = 0,
    target_count: u64 = 0,
    failure: ?anyerror = null,

    fn hook(argument: *anyopaque, world: *simulated.World, _: u32, call: simulated.Call) void {
        const self: *Cuts = @ptrCast(@alignCast(argument));
        if (!call.changesDisk() or self.failure != null) return;
        if (world.disk.version == self.version) return;
        self.version = world.disk.version;
        self.look(world) catch |failure| {
            self.failure = failure;
        };
    }

    fn look(self: *Cuts, world: *simulated.World) !void {
        var images = try world.images(self.version, 6);
        defer images.deinit();
        while (try images.next()) |plan| {
            try self.after.boot(world, &plan);
            self.image_count += 1;
            const os = try self.after.startProcess();
            _ = os.statPath(target) catch continue;
            self.target_count += 1;
            const options = Workload.attachOptions(self.machine.work.options);
            const env = try attach.open(testing.allocator, os, target, options);
            defer attach.close(env) catch {}; // its tests are elsewhere
            if (try Workload.digestOf(env) != self.digest) return error.BackupDiffers;
            try expectGood(env);
        }
    }
};

test "power cut: a backup under way leaves no target, or a whole one" {
    const after = try simulated.World.create(testing.allocator, .{});
    defer after.destroy();
    var image_count: u64 = 0;
    for (0..4) |seed| {
        errdefer std.debug.print("seed {d}\n", .{seed});
        var machine: Machine = undefined;
        try machine.init(.{ .seed = seed });
        defer machine.deinit();
        for (0..60) |_| try machine.work.step();
        const digest = try Workload.digestOf(machine.env());
        var cuts: Cuts = .{ .machine = &machine, .after = after, .digest = digest };
        machine.world.before_call = .{ .argument = &cuts, .run = Cuts.hook };
        try copy(machine.env(), seed % 2 == 1, 2);
        try cuts.look(machine.world);
        machine.world.before_call = null;
        if (cuts.failure) |failure| return failure;
        try testing.expect(cuts.target_count > 0);
        image_count += cuts.image_count;
    }
    std.debug.print("power cut: a backup: {d} images\n", .{image_count});
    counts.print(.images, image_count);
}

test "backup of a damaged store fails and leaves nothing" {
    for ([_]bool{ false, true }) |compact| {
        for (2..40) |pgno| {
            var machine: Machine = undefined;
            try machine.init(.{ .seed = 9, .key_count = 80, .operation_count_max = 60 });
            defer machine.deinit();
            for (0..8) |_| try machine.work.commit();
            const env = machine.env();
            if (pgno >= (try env.publishedState()).page_count) break;
            const is_free = env.space.isFree(@intCast(pgno));
            var bytes: [1]u8 = undefined;
            const offset = pgno * env.file.page_size + 7 * pgno % 24;
            _ = try env.os.pread(env.file.fd, &bytes, offset);
            bytes[0] ^= 16;
            try env.os.pwrite(env.file.fd, &bytes, offset);
            if (copy(env, compact, 10)) |_| {
                try testing.expect(is_free);
            } else |err| {
                try testing.expectEqual(error.Corrupt, err);
                try testing.expect(!try machine.exists(target));
                try testing.expect(!try machine.exists(target ++ "-backup"));
            }
            bytes[0] ^= 16;
            try env.os.pwrite(env.file.fd, &bytes, offset);
        }
    }
}

test "backup of a store with one damaged value fails and names its page" {
    for ([_]bool{ false, true }) |compact| {
        var machine: Machine = undefined;
        try machine.init(.{ .seed = 5, .page_size = 512 });
        defer machine.deinit();
        const env = machine.env();
        const value: [300_000]u8 = @splat('v');
        var txn = try Txn.begin(env, 0);
        _ = try txn.put(0, "large", &value, .upsert);
        _ = try txn.commit();
        const state = try env.publishedState();
        const view = try env.viewOf(state);
        const found = (try search.get(view.pages(), view.main, "large")).?;
        const offset = @as(u64, found.run().pgno) * 512 + 250_000;
        try env.os.pwrite(env.file.fd, "x", offset);
        explain.clear();
        try testing.expectError(error.Corrupt, copy(env, compact, 10));
        var buffer: [20]u8 = undefined;
        const place = try std.fmt.bufPrint(&buffer, "page {d} ", .{found.run().pgno});
        try testing.expect(std.mem.indexOf(u8, explain.get(), place) != null);
        try testing.expect(!try machine.exists(target));
        try env.os.pwrite(env.file.fd, "v", offset);
        try copy(env, compact, 10);
    }
}

test "backup: compact leaves pages full" {
    var machine: Machine = undefined;
    try machine.init(.{ .seed = 2, .page_size = 4096 });
    defer machine.deinit();
    const count = 20_000;
    var prng = std.Random.DefaultPrng.init(1);
    for (0..4) |_| {
        var txn = try Txn.begin(machine.env(), 0);
        errdefer txn.abort();
        for (0..count / 4) |_| {
            var key: [16]u8 = undefined;
            prng.random().bytes(&key);
            const value: [100]u8 = @splat(key[0]);
            _ = try txn.put(0, &key, &value, .upsert);
        }
        _ = try txn.commit();
    }
    try copy(machine.env(), true, 1000);
    const size = (try machine.env().os.statPath(target)).size;
    try testing.expect(size * 100 < count * 116 * 125);
    const state = try machine.env().publishedState();
    try testing.expectEqual(@as(u64, count), state.main.entries);
    const env = try attach.open(testing.allocator, machine.env().os, target, .{});
    defer attach.close(env) catch {}; // nothing was written
    try expectGood(env);
    try testing.expectEqual(@as(u64, count), (try env.publishedState()).main.entries);
}
