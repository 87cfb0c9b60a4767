//! What `check` finds: nothing after any step of a random history; every flipped bit of a page in
//! use; and what no checksum shows, for pages are forged here under checksums that are right up to
//! the root: wrong counts, wrong order, keys of other pages, pages used twice, free pages in use.

const std = @import("std");
const testing = std.testing;
const config = @import("../config.zig");
const simulated = @import("../os/simulated.zig");
const branch = @import("../format/branch.zig");
const meta_format = @import("../format/meta.zig");
const page = @import("../format/page.zig");
const attach = @import("../txn/attach.zig");
const check = @import("../txn/check.zig");
const checkpoint = @import("../txn/checkpoint.zig");
const Env = @import("../txn/Env.zig");
const Txn = @import("../txn/Txn.zig");
const History = @import("History.zig");
const Workload = @import("Workload.zig");

fn expectSound(env: *Env) !void {
    var report = try check.checkAll(env);
    defer report.deinit();
    try testing.expectEqualStrings("", report.first);
    try testing.expect(report.is_exact);
    try testing.expectEqual(report.progress.total, report.progress.done);
}

test "check finds nothing after any step of random histories" {
    for (0..8) |seed| {
        var arena: std.heap.ArenaAllocator = .init(testing.allocator);
        defer arena.deinit();
        const world = try simulated.World.create(testing.allocator, .{ .seed = seed });
        defer world.destroy();
        errdefer std.debug.print("seed {d}\n", .{seed});
        var history: History = try .init(arena.allocator());
        const os = try world.startProcess();
        var work: Workload = .init(arena.allocator(), os, &history, .{
            .seed = seed,
            .page_size = if (seed % 3 == 0) 4096 else 512,
            .key_count = 40 + 50 * @as(u32, @intCast(seed)),
            .operation_count_max = 30,
            .checkpoint_size = 1 << 14,
        });
        try work.open();
        for (0..60) |_| {
            try work.step();
            try expectSound(work.env.?);
        }
        try work.close();
    }
}

/// A store with a tree of three levels, runs of values and of keys, and a named table.
const Store = struct {
    world: *simulated.World,
    env: *Env,

    fn open() !Store {
        const world = try simulated.World.create(testing.allocator, .{});
        errdefer world.destroy();
        const os = try world.startProcess();
        const env = try attach.open(testing.allocator, os, "/disk/x", .{ .page_size = 512 });
        errdefer attach.close(env) catch {}; // the error that brought us here is the one to tell
        for (0..3) |round| try fill(env, round);
        return .{ .world = world, .env = env };
    }

    fn fill(env: *Env, round: usize) !void {
        var txn = try Txn.begin(env, 0);
        errdefer txn.abort();
        const named = try txn.open("a table");
        try txn.prepare(named, .{});
        const value: [1500]u8 = @splat('v');
        for (0..100) |number| {
            var key: [200]u8 = @splat('k');
            std.mem.writeInt(u32, key[0..4], @intCast(number * 7 % 100), .big);
            const key_size: usize = if (number % 9 == 0) 200 else 30;
            const value_size: usize = if (number % 11 == round) 1500 else 40;
            _ = try txn.put(0, key[0..key_size], value[0..value_size], .upsert);
            _ = try txn.put(named, key[0..10], value[0..20], .upsert);
        }
        _ = try txn.commit();
    }

    /// The process ends; what lies in the file does not matter any more.
    fn close(self: *Store) void {
        self.world.kill(self.env.os);
        attach.close(self.env) catch {}; // a killed process closes nothing
        self.world.destroy();
    }

    fn read(self: *Store, pgno: u32, bytes: []u8) !void {
        _ = try self.env.os.pread(self.env.file.fd, bytes, @as(u64, pgno) * 512);
    }

    fn write(self: *Store, pgno: u32, bytes: []const u8) !void {
        try self.env.os.pwrite(self.env.file.fd, bytes, @as(u64, pgno) * 512);
    }

    fn expectFinding(self: *Store, text: []const u8) !void {
        const all = try check.Check.create(self.env, .{});
        defer all.deinit();
        while (!try all.step(1)) {}
        try testing.expect(all.isExact());
        for (all.findings()) |finding| {
            if (std.mem.indexOf(u8, finding.message, text) != null) return;
        }
        std.debug.print("wanted: {s}; {d} findings\n", .{ text, all.findings().len });
        for (all.findings()) |finding| {
            std.debug.print("page {d}: {s}\n", .{ finding.pgno, finding.message });
        }
        return error.TestUnexpectedResult;
    }
};

test "check finds a flipped bit in every page in use, and goes on behind it" {
    var store = try Store.open();
    defer store.close();
    const env = store.env;
    try expectSound(env);
    const state = try env.publishedState();
    var found_count: u32 = 0;
    for (2..state.page_count) |number| {
        const pgno: u32 = @intCast(number);
        if (env.space.isFree(pgno)) continue;
        for (0..40) |round| {
            var byte: [1]u8 = undefined;
            const offset = @as(u64, pgno) * 512 + round * 13 % 512;
            _ = try env.os.pread(env.file.fd, &byte, offset);
            const flipped = [_]u8{byte[0] ^ @as(u8, 1) << @intCast(round % 8)};
            try env.os.pwrite(env.file.fd, &flipped, offset);
            var report = try check.checkAll(env);
            defer report.deinit();
            found_count += @intFromBool(!report.isOk());
            // The last page of a run has bytes that belong to nobody; the shortest is of a key.
            if (report.isOk()) try testing.expect(round * 13 % 512 >= 200 - 96);
            try env.os.pwrite(env.file.fd, &byte, offset);
        }
    }
    try testing.expect(found_count > 1000);
    try expectSound(env);
}

test "check finds damaged metas, log headers and freelists" {
    var store = try Store.open();
    defer store.close();
    const env = store.env;
    try checkpoint.runAll(env);
    try expectSound(env);
    for ([_]u32{ 0, 1 }) |slot| {
        var bytes: [512]u8 = undefined;
        try store.read(slot, &bytes);
        bytes[60] ^= 1;
        try store.write(slot, &bytes);
        try store.expectFinding("is not the meta that it should be");
        bytes[60] ^= 1;
        try store.write(slot, &bytes);
    }
    try env.os.pwrite(env.log.fd, "x", 40);
    try store.expectFinding("the header of half 0");
    const root = env.completedMeta().?.freelist.pgno;
    var bytes: [512]u8 = undefined;
    try store.read(root, &bytes);
    bytes[41] ^= 1;
    try store.write(root, &bytes);
    try store.expectFinding("does not have the checksum");
}

test "check tells a leak and a free page in use" {
    var store = try Store.open();
    defer store.close();
    const env = store.env;
    const run = env.space.nextFreeRun(0).?;
    const stamp = env.space.stamps.items[run.pgno];
    env.space.stamps.items[run.pgno] = 0;
    const word = &env.space.bits.items[run.pgno / 64];
    const before = word.*;
    word.* &= ~(@as(u64, 1) << @intCast(run.pgno % 64));
    try store.expectFinding("is neither used nor free");
    word.* = before;
    env.space.stamps.items[run.pgno] = stamp;
    const root = (try env.publishedState()).main.pgno;
    env.space.bits.items[root / 64] |= @as(u64, 1) << @intCast(root % 64);
    try store.expectFinding("is used and free at once");
}

/// Changes one page on the way to the leaf at `slots` of the unnamed table, and then makes every
/// checksum above it right again.
const Forger = struct {
    store: *Store,
    pages: [config.depth_max][512]u8 align(8) = undefined,
    pgnos: [config.depth_max]u32 = undefined,
    slots: []const u32,

    fn forge(store: *Store, slots: []const u32, change: *const fn ([]align(8) u8) void) !void {
        var self: Forger = .{ .store = store, .slots = slots };
        var state = try store.env.publishedState();
        self.pgnos[0] = state.main.pgno;
        try store.read(self.pgnos[0], &self.pages[0]);
        for (slots, 0..) |slot, level| {
            self.pgnos[level + 1] = branch.child(&self.pages[level], slot).ref.pgno;
            try store.read(self.pgnos[level + 1], &self.pages[level + 1]);
        }
        change(&self.pages[slots.len]);
        var level = slots.len;
        while (true) : (level -= 1) {
            const checksum = page.checksum(&self.pages[level], self.pgnos[level]);
            try store.write(self.pgnos[level], &self.pages[level]);
            if (level == 0) {
                state.main.checksum = checksum;
                break;
            }
            const ref: page.Ref = .{
                .pgno = self.pgnos[level],
                .checksum = checksum,
                .dirty = false,
            };
            branch.setRef(&self.pages[level - 1], slots[level - 1], ref);
        }
        store.env.lock.publish(state);
    }
};

fn entryOf(bytes: []align(8) u8, slot: u32) *page.BranchEntry {
    return @ptrCast(bytes.ptr + page.slots(bytes)[slot]);
}

const Change = struct {
    fn count(bytes: []align(8) u8) void {
        entryOf(bytes, 1).entries += 1;
    }
    fn sameChild(bytes: []align(8) u8) void {
        const child = branch.child(bytes, 0);
        branch.setRef(bytes, 1, child.ref);
    }
    fn farChild(bytes: []align(8) u8) void {
        entryOf(bytes, 1).pgno = 1 << 30;
    }
    fn runsFlag(bytes: []align(8) u8) void {
        for (0..page.count(bytes)) |slot| entryOf(bytes, @intCast(slot)).flags &= ~page.flag_runs;
    }
    /// Two children change places: each is whole, and holds keys of the other.
    fn swap(bytes: []align(8) u8) void {
        const a = branch.child(bytes, 0);
        const b = branch.child(bytes, 1);
        branch.setChild(bytes, 0, b);
        branch.setChild(bytes, 1, a);
    }
    fn future(bytes: []align(8) u8) void {
        page.headerOf(bytes).txnid += 100;
    }
    fn kind(bytes: []align(8) u8) void {
        bytes[0] = 2;
    }
    fn head(bytes: []align(8) u8) void {
        bytes[page.headsOffset(bytes)] ^= 1;
    }
    fn heap(bytes: []align(8) u8) void {
        page.headerOf(bytes).heap_size += 4;
    }
};

test "check finds what is wrong under checksums that are right" {
    const inner = [_]u32{0};
    const ground = [_]u32{ 0, 0 };
    const Forgery = struct {
        slots: []const u32,
        change: *const fn ([]align(8) u8) void,
        message: []const u8,
    };
    for ([_]Forgery{
        .{ .slots = &inner, .change = Change.count, .message = "its parent counts" },
        .{ .slots = &.{}, .change = Change.count, .message = "its parent counts" },
        .{ .slots = &inner, .change = Change.sameChild, .message = "is used more than once" },
        .{ .slots = &inner, .change = Change.farChild, .message = "behind the last page" },
        .{ .slots = &.{}, .change = Change.runsFlag, .message = "its parent says none" },
        .{ .slots = &inner, .change = Change.swap, .message = "separator of its page" },
        .{ .slots = &inner, .change = Change.swap, .message = "belongs to the page behind it" },
        .{ .slots = &ground, .change = Change.future, .message = "after its parent" },
        .{ .slots = &ground, .change = Change.kind, .message = "not a well-formed page" },
        .{ .slots = &ground, .change = Change.head, .message = "not a well-formed page" },
        .{ .slots = &ground, .change = Change.heap, .message = "not a well-formed page" },
    }) |forgery| {
        var store = try Store.open();
        defer store.close();
        try testing.expect((try store.env.publishedState()).main.depth >= 3);
        try Forger.forge(&store, forgery.slots, forgery.change);
        try store.expectFinding(forgery.message);
    }
}

test "check is inexact while a transaction holds the writer lock, and finds no leaks then" {
    var store = try Store.open();
    defer store.close();
    var txn = try Txn.begin(store.env, 0);
    defer txn.abort();
    _ = try txn.put(0, "key", "value", .upsert);
    var report = try check.checkAll(store.env);
    defer report.deinit();
    try testing.expect(!report.is_exact);
    try testing.expectEqualStrings("", report.first);
    try testing.expectEqual(@as(u64, 200), report.progress.entries);
}
