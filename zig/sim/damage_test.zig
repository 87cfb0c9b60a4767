//! Damage of every kind to the files of a store: bits, zeros, pages swapped, misdirected and stale,
//! files cut and missing, and contents that are hostile under checksums that are right. The answer
//! is the right data or an error, never other data, a crash or a walk without end. A debug build
//! tries a tenth of it; counts are printed.

const std = @import("std");
const builtin = @import("builtin");
const testing = std.testing;
const config = @import("../config.zig");
const simulated = @import("../os/simulated.zig");
const branch = @import("../format/branch.zig");
const page = @import("../format/page.zig");
const record = @import("../format/record.zig");
const Lock = @import("../store/Lock.zig");
const Log = @import("../store/Log.zig");
const Cursor = @import("../tree/Cursor.zig");
const attach = @import("../txn/attach.zig");
const check = @import("../txn/check.zig");
const checkpoint = @import("../txn/checkpoint.zig");
const Env = @import("../txn/Env.zig");
const Txn = @import("../txn/Txn.zig");
const Model = @import("Model.zig");
const Workload = @import("Workload.zig");
const totals = @import("counts.zig");
const seeds = @import("seeds.zig");
const DamagedStore = @import("DamagedStore.zig");

const allocator = std.heap.smp_allocator;
const path = DamagedStore.path;

/// Every how many-th case is tried.
fn stride() usize {
    return if (builtin.mode == .Debug) 11 * seeds.part() else seeds.part();
}

const Counts = struct {
    cases: u64 = 0,
    refused: u64 = 0,

    fn print(self: *const Counts, name: []const u8) void {
        std.debug.print("{s}: {d} cases, {d} refused, {d} harmless\n", .{
            name, self.cases, self.refused, self.cases - self.refused,
        });
        totals.print(.@"damage cases", self.cases);
    }
};

/// The errors that say that a file is damaged.
fn isRefusal(err: anyerror) bool {
    return err == error.Corrupt or err == error.NotAStore or err == error.Version;
}

/// The open store answers as it must, or says that it is damaged.
fn expectRightOrRefused(store: *DamagedStore, counts: *Counts) !void {
    const env = store.env.?;
    DamagedStore.forget(env);
    counts.cases += 1;
    if (Workload.digestOf(env)) |found| {
        if (found != store.digest()) return error.SilentlyWrong;
    } else |err| {
        if (err != error.Corrupt) return err;
        counts.refused += 1;
    }
}

fn runBits(page_size: u32, counts: *Counts) !void {
    var store: DamagedStore = try .init(allocator, page_size, .open);
    defer store.deinit();
    const bytes = store.live(path);
    const end = @as(usize, store.env.?.lock.published().page_count) * page_size;
    var bit: usize = 8 * 2 * page_size;
    while (bit < 8 * end) : (bit += stride()) {
        errdefer std.debug.print("page {d}, byte {d}, bit {d}\n", .{
            bit / 8 / page_size, bit / 8 % page_size, bit % 8,
        });
        const mask = @as(u8, 1) << @intCast(bit % 8);
        bytes[bit / 8] ^= mask;
        try expectRightOrRefused(&store, counts);
        bytes[bit / 8] ^= mask;
    }
    DamagedStore.forget(store.env.?);
    try testing.expectEqual(store.digest(), try Workload.digestOf(store.env.?));
}

test "damaged store: every bit of every page in use" {
    var counts: Counts = .{};
    try runBits(512, &counts);
    if (builtin.mode != .Debug) try runBits(1024, &counts);
    counts.print("damaged store, every bit");
    try testing.expect(counts.refused > counts.cases / 4);
}

test "damaged store: pages zeroed, filled, cut, swapped and misdirected" {
    var store: DamagedStore = try .init(allocator, 1024, .open);
    defer store.deinit();
    var counts: Counts = .{};
    const page_count = store.env.?.lock.published().page_count;
    var kept: [2][1024]u8 = undefined;
    for (2..page_count) |first| {
        const a = store.pageOf(@intCast(first));
        @memcpy(&kept[0], a);
        for ([_]u8{ 0, 0xff, 0x55 }) |fill| for ([_][2]usize{
            .{ 0, 1024 }, .{ 0, 512 }, .{ 512, 1024 }, .{ 0, 24 }, .{ 24, 1024 },
        }) |part| {
            @memset(a[part[0]..part[1]], fill);
            try expectRightOrRefused(&store, &counts);
            @memcpy(a, &kept[0]);
        };
        for (2..page_count) |second| {
            const b = store.pageOf(@intCast(second));
            @memcpy(&kept[1], b);
            // Written to another place, whole or torn; then both in each other's.
            @memcpy(b, &kept[0]);
            try expectRightOrRefused(&store, &counts);
            @memcpy(b[512..], kept[1][512..]);
            try expectRightOrRefused(&store, &counts);
            @memcpy(b, &kept[0]);
            @memcpy(a, &kept[1]);
            try expectRightOrRefused(&store, &counts);
            @memcpy(a, &kept[0]);
            @memcpy(b, &kept[1]);
        }
    }
    counts.print("damaged store, pages");
    try testing.expect(counts.refused > counts.cases / 3);
}

test "damaged store: stale pages, as of a write that was lost" {
    var store: DamagedStore = try .init(allocator, 512, .open);
    defer store.deinit();
    var counts: Counts = .{};
    const before = try allocator.dupe(u8, store.live(path));
    defer allocator.free(before);
    const env = store.env.?;
    for (0..40) |round| {
        var txn = try Txn.begin(env, 0);
        const key = [_]u8{@intCast(round % 9)} ** 20;
        _ = try txn.put(0, &key, &([_]u8{@intCast(round)} ** 90), .upsert);
        _ = try txn.commit();
        if (round % 4 == 3) try checkpoint.runAll(env);
    }
    store.digests[DamagedStore.commit_count] = try Workload.digestOf(env);
    const bytes = store.live(path);
    for (2..before.len / 512) |pgno| {
        const now = bytes[pgno * 512 ..][0..512];
        const old = before[pgno * 512 ..][0..512];
        if (std.mem.eql(u8, now, old)) continue;
        const kept = now.*;
        @memcpy(now, old);
        try expectRightOrRefused(&store, &counts);
        now.* = kept;
    }
    counts.print("damaged store, stale pages");
    try testing.expect(counts.refused > 0);
}

test "damaged store: a page that another process has put where a proved one was" {
    var store: DamagedStore = try .init(allocator, 512, .open);
    defer store.deinit();
    const reader = store.env.?;
    _ = try Workload.digestOf(reader);
    const other = try attach.open(allocator, try store.world.startProcess(), path, .{});
    defer attach.close(other) catch {}; // the damage may show there as well
    var caught: u32 = 0;
    for (0..60) |round| {
        var txn = try Txn.begin(other, 0);
        const key = [_]u8{@intCast(round % 9)} ** 20;
        _ = try txn.put(0, &key, &([_]u8{@intCast(round)} ** 90), .upsert);
        _ = try txn.commit();
        if (round % 4 == 3) try checkpoint.runAll(other);
        const root = other.lock.published().main;
        // Proved by the reader in an earlier life of its number, and not since.
        const was_proved = reader.file.verified[root.pgno] != 0;
        if (!was_proved or reader.file.isVerified(root.pgno, root.checksum)) continue;
        const bytes = store.pageOf(root.pgno);
        bytes[511] ^= 1;
        try testing.expectError(error.Corrupt, Workload.digestOf(reader));
        bytes[511] ^= 1;
        _ = try Workload.digestOf(reader);
        caught += 1;
    }
    try testing.expect(caught > 0);
}

test "damaged store: hostile pages under checksums that are right, every bit" {
    var store: DamagedStore = try .init(allocator, 512, .open);
    defer store.deinit();
    const env = store.env.?;
    var counts: Counts = .{};
    var all: std.ArrayList(DamagedStore.Node) = .empty;
    defer all.deinit(allocator);
    try store.nodes(&all);
    const kept = try allocator.dupe(u8, store.live(path));
    defer allocator.free(kept);
    const state = env.lock.published();
    for (all.items, 0..) |node, index| {
        var bit: usize = index % stride();
        while (bit < 8 * 512) : (bit += 3 * stride()) {
            errdefer std.debug.print("page {d}, bit {d}\n", .{ node.ref.pgno, bit });
            const bytes = store.pageOf(node.ref.pgno);
            bytes[bit / 8] ^= @as(u8, 1) << @intCast(bit % 8);
            store.forge(all.items, index);
            DamagedStore.forget(env);
            counts.cases += 1;
            try store.readAnyhow(env);
            if (bit % 5 == 0) try writeAnyhow(env);
            if (Workload.digestOf(env)) |_| {} else |err| {
                if (err != error.Corrupt) return err;
                counts.refused += 1;
            }
            @memcpy(store.live(path), kept);
            env.lock.publish(state);
        }
    }
    DamagedStore.forget(env);
    try testing.expectEqual(store.digest(), try Workload.digestOf(env));
    counts.print("hostile pages");
    try testing.expect(counts.refused > 0);
}

test "damaged store: one page below two slots, which a walk could visit for ever" {
    var store: DamagedStore = try .init(allocator, 512, .open);
    defer store.deinit();
    const env = store.env.?;
    var all: std.ArrayList(DamagedStore.Node) = .empty;
    defer all.deinit(allocator);
    try store.nodes(&all);
    const kept = try allocator.dupe(u8, store.live(path));
    defer allocator.free(kept);
    const state = env.lock.published();
    var cases: u32 = 0;
    for (all.items, 0..) |node, index| {
        if (node.kind != .branch or !node.is_main) continue;
        const bytes = store.pageOf(node.ref.pgno);
        branch.setRef(bytes, 1, branch.child(bytes, 0).ref);
        store.forge(all.items, index);
        DamagedStore.forget(env);
        for ([_]bool{ true, false }) |is_forward| {
            const view = try env.viewOf(env.lock.published());
            var cursor: Cursor = .init(view.pages(), view.main);
            if (!is_forward) cursor.state = .behind_last;
            const end = while (true) {
                const moved = if (is_forward) cursor.next() else cursor.prev();
                if (!(moved catch |err| break err)) break error.WalkedThrough;
            };
            try testing.expectEqual(error.Corrupt, end);
            cases += 1;
        }
        @memcpy(store.live(path), kept);
        env.lock.publish(state);
    }
    try testing.expect(cases > 2);
}

/// A transaction over whatever is there, taken back at the end.
fn writeAnyhow(env: *Env) !void {
    var txn = Txn.begin(env, 0) catch |err| return if (isRefusal(err)) {} else err;
    defer txn.abort();
    const long: [256]u8 = @splat('k');
    for (0..4) |number| {
        const key = [_]u8{ 0, 0, 0, @intCast(number * 17) } ++ long[4..];
        const put = txn.put(0, key, long[0 .. number * 80], .upsert);
        _ = put catch |err| return if (isRefusal(err)) {} else err;
        const removed = txn.remove(0, long[0..20]);
        _ = removed catch |err| return if (isRefusal(err)) {} else err;
    }
    const cut = txn.removeRange(0, &.{ 0, 0, 0, 9 }, &.{ 0, 0, 0, 40 });
    _ = cut catch |err| return if (isRefusal(err)) {} else err;
}

/// Opens what is left of a damaged store; the right data, or a refusal. `older` states, counted
/// from the newest, are allowed.
fn expectOpens(store: *DamagedStore, older: usize, counts: *Counts) !void {
    counts.cases += 1;
    const env = attach.open(allocator, try store.boot(), path, .{}) catch |err| {
        if (!isRefusal(err)) return err;
        counts.refused += 1;
        return;
    };
    defer attach.close(env) catch {}; // the damage may show there as well
    if (try useOpened(store, env, older)) return;
    counts.refused += 1;
}

/// False: the damage was found by reading or writing.
fn useOpened(store: *DamagedStore, env: *Env, older: usize) !bool {
    const found = Workload.digestOf(env) catch |err| return if (isRefusal(err)) false else err;
    const newest = DamagedStore.commit_count;
    const allowed = store.digests[newest - @min(older, newest) ..];
    if (std.mem.indexOfScalar(Model.Digest, allowed, found) == null) return error.SilentlyWrong;
    const mark: Workload.Mark = .of(7);
    mark.commit(env) catch |err| return if (isRefusal(err)) false else err;
    const marked = try Workload.digestOf(env);
    if (marked != found +% mark.digest()) return error.SilentlyWrong;
    Workload.check(env) catch |err| return if (isRefusal(err)) false else err;
    return true;
}

test "damaged store: metas, every bit" {
    var counts: Counts = .{};
    for ([_]DamagedStore.End{ .closed, .killed }) |end| {
        var store: DamagedStore = try .init(allocator, 512, end);
        defer store.deinit();
        try store.settle();
        const bytes = store.durable(path);
        var bit: usize = 0;
        while (bit < 8 * 1024) : (bit += stride()) {
            errdefer std.debug.print("{t}, byte {d}, bit {d}\n", .{ end, bit / 8, bit % 8 });
            // Behind its 256 bytes a page of a meta means nothing.
            if (bit / 8 % 512 >= 264) continue;
            bytes[bit / 8] ^= @as(u8, 1) << @intCast(bit % 8);
            try expectOpens(&store, 0, &counts);
            bytes[bit / 8] ^= @as(u8, 1) << @intCast(bit % 8);
        }
    }
    counts.print("damaged metas");
}

test "damaged store: a newer meta is damaged, and the log says so" {
    var store: DamagedStore = try .init(allocator, 512, .killed);
    defer store.deinit();
    try store.settle();
    const bytes = store.durable(path);
    const first = std.mem.readInt(u64, bytes[48..56], .little);
    const second = std.mem.readInt(u64, bytes[512 + 48 ..][0..8], .little);
    const newer: usize = if (first > second) 0 else 512;
    bytes[newer + 60] ^= 1;
    const os = try store.boot();
    try testing.expectError(error.Corrupt, attach.open(allocator, os, path, .{}));
}

test "damaged store: freelist pages, every bit" {
    var store: DamagedStore = try .init(allocator, 512, .closed);
    defer store.deinit();
    try store.settle();
    const bytes = store.durable(path);
    var counts: Counts = .{};
    var freelists: u32 = 0;
    for (2..bytes.len / 512) |pgno| {
        if (bytes[pgno * 512] != @intFromEnum(page.Kind.freelist)) continue;
        freelists += 1;
        var bit: usize = 0;
        while (bit < 8 * 512) : (bit += 2 * stride()) {
            const at = pgno * 512 + bit / 8;
            bytes[at] ^= @as(u8, 1) << @intCast(bit % 8);
            try expectOpens(&store, 0, &counts);
            bytes[at] ^= @as(u8, 1) << @intCast(bit % 8);
        }
    }
    counts.print("damaged freelists");
    try testing.expect(freelists > 0);
    try testing.expect(counts.refused > 0);
}

test "damaged store: files cut at every 512 bytes" {
    var counts: Counts = .{};
    for ([_]DamagedStore.End{ .closed, .killed }) |end| {
        var store: DamagedStore = try .init(allocator, 512, end);
        defer store.deinit();
        try store.settle();
        for ([_][]const u8{ path, path ++ "-wal" }) |name| {
            const whole = store.durable(name).len;
            // A closed store needs no log.
            var size: usize = 0;
            while (size < whole) : (size += 512 * stride()) {
                errdefer std.debug.print("{t}, {s}, {d} bytes\n", .{ end, name, size });
                store.cut(name, size);
                try expectOpens(&store, 0, &counts);
            }
            store.cut(name, whole);
        }
    }
    counts.print("files cut");
    try testing.expect(counts.refused > 0);
}

test "damaged store: a log that is missing while commits may be in it" {
    var store: DamagedStore = try .init(allocator, 512, .killed);
    defer store.deinit();
    try store.settle();
    for (0..2) |round| {
        const os = try store.boot();
        // As the first time, or killed again as soon as a transaction had begun.
        if (round == 1) {
            const env = try attach.open(allocator, os, path, .{});
            try attach.close(env);
            const again = try attach.open(allocator, os, path, .{});
            const mark: Workload.Mark = .of(3);
            try mark.commit(again);
            try again.flushLog();
            store.after.kill(os);
            try testing.expectError(error.Killed, attach.close(again));
        }
        const next = try store.after.startProcess();
        try next.unlink(path ++ "-wal");
        try testing.expectError(error.Corrupt, attach.open(allocator, next, path, .{}));
    }
}

/// Where a half of a log that never grew begins.
fn physical(state: anytype) usize {
    return state.log_half * Log.chunk_size + state.log_offset;
}

/// The states that damage of the log from byte `from` up to `to` may leave: those before the first
/// record that it touches, if nothing behind it says that it had been durable.
fn allowedAfter(store: *const DamagedStore, from: usize, to: usize) usize {
    const newest = DamagedStore.commit_count;
    // A record that lies behind the damage as a whole was written after a flush.
    if (to <= physical(store.states[newest - 1])) return 0;
    var older: usize = 0;
    while (older < newest and physical(store.states[newest - older]) > from) older += 1;
    return older;
}

test "damaged log: every bit of records and headers" {
    var store: DamagedStore = try .init(allocator, 512, .killed);
    defer store.deinit();
    try store.settle();
    const bytes = store.durable(path ++ "-wal");
    const first = physical(store.states[0]);
    const end = physical(store.states[DamagedStore.commit_count]);
    var counts: Counts = .{};
    const half_end = Log.chunk_size + 640;
    const parts = [_][2]usize{ .{ 0, 640 }, .{ Log.chunk_size, half_end }, .{ first, end } };
    for (parts) |part| {
        var bit = 8 * part[0];
        while (bit < 8 * part[1]) : (bit += stride()) {
            const at = bit / 8;
            errdefer std.debug.print("byte {d} of {d}, bit {d}\n", .{ at, end, bit % 8 });
            bytes[at] ^= @as(u8, 1) << @intCast(bit % 8);
            try expectOpens(&store, allowedAfter(&store, at, at + 1), &counts);
            bytes[at] ^= @as(u8, 1) << @intCast(bit % 8);
        }
    }
    counts.print("damaged log, every bit");
    try testing.expect(counts.refused > counts.cases / 4);
}

test "damaged log: sectors zeroed, swapped and of earlier" {
    var store: DamagedStore = try .init(allocator, 512, .killed);
    defer store.deinit();
    try store.settle();
    const bytes = store.durable(path ++ "-wal");
    const first = physical(store.states[0]) & ~@as(usize, 511);
    const end = std.mem.alignForward(usize, physical(store.states[DamagedStore.commit_count]), 512);
    var counts: Counts = .{};
    var a = first;
    while (a < end) : (a += 512) {
        const kept = bytes[a..][0..512].*;
        @memset(bytes[a..][0..512], 0);
        try expectOpens(&store, allowedAfter(&store, a, a + 512), &counts);
        var b: usize = 0;
        while (b < end) : (b += 512) {
            if (b >= 2048 and b < Log.chunk_size) b = Log.chunk_size;
            const other = bytes[b..][0..512].*;
            @memcpy(bytes[a..][0..512], &other);
            try expectOpens(&store, allowedAfter(&store, a, a + 512), &counts);
        }
        bytes[a..][0..512].* = kept;
    }
    counts.print("damaged log, sectors");
    try testing.expect(counts.refused > 0);
}

test "damaged log: of another store" {
    var store: DamagedStore = try .init(allocator, 512, .killed);
    defer store.deinit();
    try store.settle();
    var other: DamagedStore = try .init(allocator, 512, .killed);
    defer other.deinit();
    try other.settle();
    const bytes = store.durable(path ++ "-wal");
    for ([_]usize{ 0, Log.chunk_size }) |half| {
        var header = record.HalfHeader.decode(bytes[half..][0..512], @intFromBool(half > 0)).?;
        header.store_id[3] ^= 1;
        bytes[half..][0..512].* = header.encode();
    }
    const os = try store.boot();
    try testing.expectError(error.Corrupt, attach.open(allocator, os, path, .{}));
}

/// The last record, changed, under a checksum that is right.
fn reseal(store: *DamagedStore, change: fn (*record.Header) void) void {
    const newest = DamagedStore.commit_count;
    const from = physical(store.states[newest - 1]);
    const to = physical(store.states[newest]);
    const bytes = store.durable(path ++ "-wal")[from..to];
    var header: record.Header = @bitCast(bytes[0..record.header_size].*);
    change(&header);
    _ = record.seal(bytes, header, store.states[newest].log_salt);
}

const Forgery = struct {
    fn number(header: *record.Header) void {
        header.txnid += 5;
    }
    fn chain(header: *record.Header) void {
        header.previous +%= 1;
    }
    fn kind(header: *record.Header) void {
        header.kind = .bulk;
    }
};

test "damaged log: a record that does not follow the one before" {
    inline for (.{ Forgery.number, Forgery.chain, Forgery.kind }) |change| {
        var store: DamagedStore = try .init(allocator, 512, .killed);
        defer store.deinit();
        try store.settle();
        reseal(&store, change);
        const env = try attach.open(allocator, try store.boot(), path, .{});
        defer attach.close(env) catch {}; // its tests are elsewhere
        const expected = store.digests[DamagedStore.commit_count - 1];
        try testing.expectEqual(expected, try Workload.digestOf(env));
    }
}

test "damaged log: hostile operations under a checksum that is right" {
    var store: DamagedStore = try .init(allocator, 512, .killed);
    defer store.deinit();
    try store.settle();
    const newest = DamagedStore.commit_count;
    const from = physical(store.states[newest - 1]);
    const to = physical(store.states[newest]);
    const bytes = store.durable(path ++ "-wal")[from..to];
    const kept = try allocator.dupe(u8, bytes);
    defer allocator.free(kept);
    var counts: Counts = .{};
    var bit: usize = 8 * 32;
    // Few enough for all of them.
    while (bit < 8 * bytes.len) : (bit += stride() / seeds.part()) {
        errdefer std.debug.print("byte {d} of a record, bit {d}\n", .{ bit / 8, bit % 8 });
        bytes[bit / 8] ^= @as(u8, 1) << @intCast(bit % 8);
        const checksum = std.hash.XxHash3.hash(store.states[newest].log_salt, bytes[8..]);
        std.mem.writeInt(u64, bytes[0..8], checksum, .little);
        counts.cases += 1;
        if (attach.open(allocator, try store.boot(), path, .{})) |env| {
            defer attach.close(env) catch {}; // the damage may show there as well
            var report = try check.checkAll(env);
            defer report.deinit();
            try testing.expectEqualStrings("", report.first);
        } else |err| {
            if (!isRefusal(err) and err != error.KeySize) return err;
            counts.refused += 1;
        }
        @memcpy(bytes, kept);
    }
    counts.print("hostile log");
    try testing.expect(counts.refused > 0);
}

/// Writes garbage over the lock file that a killed process left, or removes it.
fn spoilLock(os: simulated.Os, kind: usize) !void {
    const name = path ++ "-lock";
    if (kind == 0) return os.unlink(name);
    const fd = try os.open(name, .{ .write = true });
    defer os.close(fd);
    if (kind == 1) return os.truncate(fd, 100);
    const size = (try os.stat(fd)).size;
    const bytes = try allocator.alloc(u8, size);
    defer allocator.free(bytes);
    var random: std.Random.Xoshiro256 = .init(kind);
    if (kind == 2) @memset(bytes, 0xff) else random.random().bytes(bytes);
    // Of this store, so that it is not taken for that of another one.
    if (kind > 3) _ = try os.pread(fd, bytes[0..24], 0);
    try os.pwrite(fd, bytes, 0);
}

test "damaged lock file: what nobody uses means nothing" {
    var store: DamagedStore = try .init(allocator, 512, .killed);
    defer store.deinit();
    try store.settle();
    for (0..12) |kind| {
        const os = try store.boot();
        try spoilLock(os, kind);
        const env = try attach.open(allocator, os, path, .{});
        defer attach.close(env) catch {}; // its tests are elsewhere
        try testing.expect(try useOpened(&store, env, 0));
    }
}

/// Goes on over shared memory that is damaged; errors are expected, a crash or a hang is not.
fn goOnAnyhow(store: *DamagedStore, env: *Env) void {
    const mark: Workload.Mark = .of(4);
    _ = Workload.digestOf(env) catch {}; // anything but a crash
    mark.commit(env) catch {};
    checkpoint.runAll(env) catch {};
    env.flushLog() catch {};
    const os = store.after.startProcess() catch return;
    const other = attach.open(allocator, os, path, .{
        .settings = .{ .lock_timeout_ns = std.time.ns_per_ms },
    }) catch return;
    _ = Workload.digestOf(other) catch {};
    const second: Workload.Mark = .of(6);
    second.commit(other) catch {};
    attach.close(other) catch {};
}

test "damaged lock file: bits of shared memory in use" {
    var store: DamagedStore = try .init(allocator, 512, .killed);
    defer store.deinit();
    try store.settle();
    const end = @offsetOf(Lock.Shared, "readers") + 3 * @sizeOf(Lock.ReaderSlot);
    var counts: Counts = .{};
    var bit: usize = 0;
    while (bit < 8 * end) : (bit += stride()) {
        errdefer std.debug.print("byte {d}, bit {d}\n", .{ bit / 8, bit % 8 });
        const env = try attach.open(allocator, try store.boot(), path, .{
            .settings = .{ .lock_timeout_ns = std.time.ns_per_ms },
        });
        env.lock.memory[bit / 8] ^= @as(u8, 1) << @intCast(bit % 8);
        goOnAnyhow(&store, env);
        attach.close(env) catch {}; // what it left is nobody's
        counts.cases += 1;
    }
    counts.print("damaged lock file");
}
