//! Threads of one process that has a store to itself, on this machine: one puts, single puts and
//! transactions of some, which change published frames where nobody reads them, others pin states
//! and walk them, one writes checkpoints. Every state must be exactly that of its moment, before
//! and after others.

const std = @import("std");
const builtin = @import("builtin");
const testing = std.testing;
const os_module = @import("../os/os.zig");
const page_format = @import("../format/page.zig");
const Cursor = @import("../tree/Cursor.zig");
const search = @import("../tree/search.zig");
const attach = @import("../txn/attach.zig");
const checkpoint = @import("../txn/checkpoint.zig");
const single = @import("../txn/single.zig");
const tables = @import("../txn/tables.zig");
const Readers = @import("../store/Readers.zig");
const Env = @import("../txn/Env.zig");
const Txn = @import("../txn/Txn.zig");

const allocator = std.heap.smp_allocator;
const key_count = 400;
/// Put n goes to the key n * stride, so that n of each key follows from the newest n of all.
const stride = 7;
const put_count: u64 = if (builtin.mode == .Debug) 30_000 else 200_000;
const reader_count = 2;
/// So many puts are commits of their own, as many more are one, and so on.
const batch_count = 20;

fn keyOf(number: u64) [8]u8 {
    var key: [8]u8 = undefined;
    std.mem.writeInt(u64, &key, number * stride % key_count, .big);
    return key;
}

/// Value n: n itself, and bytes that follow from it, of one of two sizes.
fn valueOf(number: u64, buffer: *[48]u8) []const u8 {
    const size: usize = if (number % 5 == 0) 48 else 32;
    for (0..size / 8) |place| {
        const word = if (place == 0) number else std.hash.int(number + place);
        std.mem.writeInt(u64, buffer[place * 8 ..][0..8], word, .little);
    }
    return buffer[0..size];
}

/// Whether put `number` is part of a transaction.
fn isBatch(number: u64) bool {
    return number >= key_count and number / batch_count % 2 == 1;
}

const Shared = struct {
    env: *Env,
    name: ?[]const u8,
    is_done: std.atomic.Value(bool) = .init(false),
    /// Put last.
    newest: std.atomic.Value(u64) = .init(key_count - 1),
    walk_count: std.atomic.Value(u64) = .init(0),
    /// Nobody wakes who waits here.
    pause: std.atomic.Value(u32) = .init(0),
    failure: ?anyerror = null,

    fn fail(self: *Shared, err: anyerror) void {
        self.failure = err;
        self.is_done.store(true, .release);
    }

    /// Walks the state of `view`; the newest put in it.
    fn walk(self: *const Shared, view: *const Env.View) !u64 {
        const tree = try self.treeOf(view);
        var numbers: [key_count]u64 = @splat(0);
        var newest: u64 = 0;
        var cursor: Cursor = .init(view.pages(), tree);
        var found = try cursor.first();
        var entries: u64 = 0;
        while (found) : (found = try cursor.next()) {
            const value = try search.valueBytes(view.pages(), cursor.value());
            const number = std.mem.readInt(u64, value[0..8], .little);
            var buffer: [48]u8 = undefined;
            try testing.expectEqualSlices(u8, valueOf(number, &buffer), value);
            var key_buffer: [256]u8 = undefined;
            try testing.expectEqualSlices(u8, &keyOf(number), try cursor.key(&key_buffer));
            numbers[number % key_count] = number;
            newest = @max(newest, number);
            entries += 1;
        }
        if (isBatch(newest)) try testing.expectEqual(batch_count - 1, newest % batch_count);
        try testing.expectEqual(key_count, entries);
        try testing.expectEqual(entries, tree.entries);
        for (0..key_count) |age| {
            try testing.expectEqual(newest - age, numbers[(newest - age) % key_count]);
        }
        return newest;
    }

    fn treeOf(self: *const Shared, view: *const Env.View) !page_format.Tree {
        const name = self.name orelse return view.main;
        const record = try tables.find(view.pages(), view.catalogue, name);
        return record.?.tree;
    }

    /// Pins for a moment, and reads the entry that is likely to be put in that moment, many times.
    fn glance(self: *Shared, slot: u32) !void {
        const env = self.env;
        const view = try env.viewOf(Readers.pin(&env.lock, slot).state);
        defer Readers.unpin(&env.lock, slot);
        const tree = try self.treeOf(&view);
        const number = self.newest.load(.monotonic) + 1;
        var first: ?u64 = null;
        for (0..10) |_| {
            const value = (try search.get(view.pages(), tree, &keyOf(number))).?;
            const found = std.mem.readInt(u64, value.bytes[0..8], .little);
            try testing.expectEqual(first orelse found, found);
            first = found;
        }
    }

    fn readAll(self: *Shared) !void {
        const env = self.env;
        const slot = try Readers.take(&env.lock);
        defer Readers.give(&env.lock, slot);
        var last: u64 = 0;
        while (!self.is_done.load(.acquire)) {
            for (0..200) |_| try self.glance(slot);
            const view = try env.viewOf(Readers.pin(&env.lock, slot).state);
            defer Readers.unpin(&env.lock, slot);
            const newest = try self.walk(&view);
            try testing.expect(newest >= last);
            last = newest;
            // Pinned, it stays what it is.
            if (newest % 3 == 0) try testing.expectEqual(newest, try self.walk(&view));
            _ = self.walk_count.fetchAdd(1, .monotonic);
            // Without pins, too, there must be time for puts.
            if (newest % 2 == 0) env.os.wait(&self.pause, 0, 100 * std.time.ns_per_us);
        }
    }

    fn read(self: *Shared) void {
        self.readAll() catch |err| self.fail(err);
    }

    fn keep(self: *Shared) void {
        while (!self.is_done.load(.acquire)) {
            checkpoint.runAll(self.env) catch |err| return self.fail(err);
            self.env.os.wait(&self.pause, 0, 3 * std.time.ns_per_ms);
        }
    }
};

/// Returns whether the put was a commit of its own.
fn put(env: *Env, name: ?[]const u8, number: u64) !bool {
    var buffer: [48]u8 = undefined;
    const key = keyOf(number);
    const value = valueOf(number, &buffer);
    const timeout = env.settings.lock_timeout_ns;
    if (try single.put(env, timeout, .{ .name = name }, &key, value)) |_| return true;
    var txn = try Txn.begin(env, timeout);
    errdefer txn.abort();
    const index = try txn.open(name);
    if (index > 0) try txn.prepare(index, .{});
    _ = try txn.put(index, &key, value, .upsert);
    _ = try txn.commit();
    return false;
}

/// The puts from `first` on, as one transaction. Returns whether it changed frames in place.
fn putBatch(env: *Env, name: ?[]const u8, first: u64) !bool {
    var txn = try Txn.begin(env, env.settings.lock_timeout_ns);
    errdefer txn.abort();
    const index = try txn.open(name);
    for (first..first + batch_count) |number| {
        var buffer: [48]u8 = undefined;
        _ = try txn.put(index, &keyOf(number), valueOf(number, &buffer), .upsert);
    }
    const before = env.in_place_count;
    _ = try txn.commit();
    return env.in_place_count > before;
}

fn run(name: ?[]const u8) !void {
    var disk: os_module.TestDisk = try .init();
    defer disk.deinit();
    var buffers: [2][4096]u8 = undefined;
    const path = try attach.resolve(disk.os, try disk.path(&buffers[0], "x"), &buffers[1]);
    const env = try attach.open(allocator, disk.os, path, .{ .page_size = 512, .exclusive = true });
    for (0..key_count) |number| _ = try put(env, name, number);
    var shared: Shared = .{ .env = env, .name = name };
    var threads: [reader_count + 1]std.Thread = undefined;
    for (threads[1..]) |*thread| thread.* = try .spawn(.{}, Shared.read, .{&shared});
    threads[0] = try .spawn(.{}, Shared.keep, .{&shared});
    var single_count: u64 = 0;
    var in_place_count: u64 = 0;
    var number: u64 = key_count;
    while (number < key_count + put_count) {
        if (shared.is_done.load(.acquire)) break;
        if (isBatch(number)) {
            in_place_count += @intFromBool(try putBatch(env, name, number));
            number += batch_count;
        } else {
            single_count += @intFromBool(try put(env, name, number));
            number += 1;
        }
        shared.newest.store(number - 1, .monotonic);
    }
    shared.is_done.store(true, .release);
    for (threads) |thread| thread.join();
    if (shared.failure) |err| return err;
    // How many depends on when the others pin, and so on the machine.
    try testing.expect(single_count > put_count / 20);
    try testing.expect(in_place_count > put_count / batch_count / 20);
    try testing.expect(shared.walk_count.load(.monotonic) > 10);
    const view = try env.viewOf(env.lock.published());
    try testing.expectEqual(key_count + put_count - 1, try shared.walk(&view));
    try attach.close(env);
}

test "threads read states while one changes pages in place" {
    try run(null);
}

test "threads read states while one changes pages of a named table in place" {
    try run("named");
}

/// One thread hands the pins of state after state from one slot to another, as a range or a
/// snapshot takes its state over from its session; another looks who has pinned what.
const Handover = struct {
    env: *Env,
    /// Pinned from the time it stands here until it stands in `ended`.
    begun: std.atomic.Value(u64) = .init(0),
    ended: std.atomic.Value(u64) = .init(0),
    look_count: std.atomic.Value(u64) = .init(0),
    is_done: std.atomic.Value(bool) = .init(false),
    failure: ?anyerror = null,

    /// Slots between the two: who looks takes some time from the one to the other.
    const slot_count = 2000;
    const state_count = if (builtin.mode == .Debug) 20_000 else 100_000;

    fn run(self: *Handover) void {
        self.pinAll() catch |err| {
            self.failure = err;
        };
        self.is_done.store(true, .release);
    }

    fn pinAll(self: *Handover) !void {
        const env = self.env;
        var slots: [slot_count]u32 = undefined;
        for (&slots) |*slot| slot.* = try Readers.take(&env.lock);
        defer for (slots[1..]) |slot| Readers.give(&env.lock, slot);
        const session = slots[slot_count - 1];
        Readers.give(&env.lock, slots[0]);
        for (0..state_count) |number| {
            _ = try put(env, null, number);
            const txnid = Readers.pin(&env.lock, session).state.txnid;
            self.begun.store(txnid, .seq_cst);
            try env.pin(txnid);
            Readers.unpin(&env.lock, session);
            // Who was looking meanwhile has to come to the end of that.
            const looked = self.look_count.load(.seq_cst);
            while (!self.is_done.load(.seq_cst) and self.look_count.load(.seq_cst) == looked) {
                std.atomic.spinLoopHint();
            }
            self.ended.store(txnid, .seq_cst);
            env.unpin(txnid);
        }
    }

    fn look(self: *Handover) !void {
        // The other thread does not wait for one that has failed.
        errdefer self.is_done.store(true, .seq_cst);
        const lock = &self.env.lock;
        var found: std.ArrayList(u64) = .empty;
        defer found.deinit(allocator);
        while (!self.is_done.load(.acquire)) {
            for ([_]bool{ false, true }) |is_list| {
                const begun = self.begun.load(.seq_cst);
                found.clearRetainingCapacity();
                const newest = if (is_list) 0 else Readers.newestPin(lock);
                if (is_list) try Readers.pinned(lock, allocator, &found);
                const is_over = begun == 0 or self.ended.load(.seq_cst) >= begun;
                _ = self.look_count.fetchAdd(1, .seq_cst);
                if (is_over) continue;
                if (!is_list) try testing.expect(newest >= begun);
                if (is_list) {
                    try testing.expect(std.mem.indexOfScalar(u64, found.items, begun) != null);
                }
            }
        }
    }
};

test "a pin is seen while it goes from one slot to another" {
    var disk: os_module.TestDisk = try .init();
    defer disk.deinit();
    var buffers: [2][4096]u8 = undefined;
    const path = try attach.resolve(disk.os, try disk.path(&buffers[0], "x"), &buffers[1]);
    const env = try attach.open(allocator, disk.os, path, .{ .page_size = 512, .exclusive = true });
    var shared: Handover = .{ .env = env };
    const thread: std.Thread = try .spawn(.{}, Handover.run, .{&shared});
    const outcome = shared.look();
    thread.join();
    try outcome;
    if (shared.failure) |err| return err;
    try attach.close(env);
}
