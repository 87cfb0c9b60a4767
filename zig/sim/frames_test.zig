//! A store whose pages stay in frames, under everything that a transaction can do at once: several
//! tables, some of them dropped and made again, few frames, so that they are sealed in the middle,
//! long separators and tails, savepoints inside each other, ranges over the open transaction,
//! snapshots held across, checkpoints by steps, memory and disk that run out, kills and power cuts.
//! Everything read is compared with arrays. A failure prints its seed.

const std = @import("std");
const testing = std.testing;
const config = @import("../config.zig");
const explain = @import("../explain.zig");
const page_format = @import("../format/page.zig");
const leaf = @import("../format/leaf.zig");
const simulated = @import("../os/simulated.zig");
const Snapshot = @import("../store/Snapshot.zig");
const Pages = @import("../store/Pages.zig");
const Readers = @import("../store/Readers.zig");
const Cursor = @import("../tree/Cursor.zig");
const search = @import("../tree/search.zig");
const many = @import("../tree/many.zig");
const attach = @import("../txn/attach.zig");
const tables = @import("../txn/tables.zig");
const checkpoint = @import("../txn/checkpoint.zig");
const single = @import("../txn/single.zig");
const Env = @import("../txn/Env.zig");
const Txn = @import("../txn/Txn.zig");
const Model = @import("Model.zig");
const Workload = @import("Workload.zig");
const counts = @import("counts.zig");
const seeds = @import("seeds.zig");

const allocator = std.heap.smp_allocator;
const path = "/disk/x";
const key_count = 120;
const savepoint_max = 3;
const held_max = 3;
/// The last one is so long that its key in the catalogue has a tail.
const names = [_]?[]const u8{ null, "one", "two", "three", "n" ** 200 };
const table_count = names.len;

const Cells = [key_count]u32;

/// What each key of each table holds: 0 nothing, else the seed of its value.
const State = struct {
    exists: [table_count]bool = [_]bool{true} ++ @as([table_count - 1]bool, @splat(false)),
    cells: [table_count]Cells = @splat(@splat(0)),
};

/// A state that is read while others are written: a snapshot, or a range over a transaction.
const Held = struct {
    /// Of a range: the transaction whose frames it reads.
    txnid: u64 = 0,
    epoch: u64 = 0,
    snapshot: Snapshot,
    trees: [table_count]page_format.Tree,
    state: State,
};

const Shape = enum { tails, long, short, mixed };

const Options = struct {
    seed: u64,
    page_size: u32,
    shape: Shape,
    exclusive: bool,
    frame_count: u32,
    checkpoint_size: u64,
    operations_size_max: u64,
    has_faults: bool,

    fn of(seed: u64) Options {
        var prng: std.Random.DefaultPrng = .init(seed);
        const random = prng.random();
        const page_sizes = [_]u32{ 512, 512, 512, 1024, 4096 };
        const frame_counts = [_]u32{ 24, 60, 200, 100_000 };
        return .{
            .seed = seed,
            .page_size = page_sizes[random.uintLessThan(usize, page_sizes.len)],
            .shape = random.enumValue(Shape),
            .exclusive = random.uintLessThan(u32, 6) != 0,
            .frame_count = frame_counts[random.uintLessThan(usize, frame_counts.len)],
            .checkpoint_size = if (random.boolean()) 0 else 20_000,
            .operations_size_max = if (random.uintLessThan(u32, 4) == 0) 3000 else 32 << 20,
            .has_faults = random.uintLessThan(u32, 3) == 0,
        };
    }
};

const Test = struct {
    options: Options,
    prng: std.Random.DefaultPrng,
    arena: std.heap.ArenaAllocator,
    world: *simulated.World,
    after: *simulated.World,
    memory: std.testing.FailingAllocator,
    env: *Env = undefined,
    keys: [key_count][]const u8 = undefined,
    state: State = .{},
    held: std.ArrayList(Held) = .empty,
    /// Digests of the states published since the last one known to be durable, that one first.
    digests: std.ArrayList(Model.Digest) = .empty,
    /// A record that failed to be written may lie behind the published ones.
    is_unsure: bool = false,
    /// Values are small for now, so that puts may wait.
    is_plain: bool = false,
    operations: u64 = 0,
    in_place: u64 = 0,
    singles: u64 = 0,
    images: u64 = 0,
    kills: u64 = 0,
    value_buffer: [16 << 10]u8 = undefined,
    key_buffer: [config.key_size_max_any]u8 = undefined,

    fn below(self: *Test, limit: u64) u64 {
        return self.prng.random().uintLessThan(u64, limit);
    }

    fn open(self: *Test) !void {
        self.env = try attach.open(self.memory.allocator(), try self.world.startProcess(), path, .{
            .page_size = self.options.page_size,
            .exclusive = self.options.exclusive,
            .settings = .{
                .checkpoint_size = self.options.checkpoint_size,
                .operations_size_max = self.options.operations_size_max,
                .frames_size_max = self.options.frame_count * self.options.page_size,
                .named_run_size_min = 1000,
                .whole_size_max = 4000,
            },
        });
    }

    fn makeKeys(self: *Test) !void {
        var known: std.StringHashMapUnmanaged(void) = .empty;
        const gpa = self.arena.allocator();
        for (&self.keys) |*key| {
            while (true) {
                key.* = try self.makeKey(gpa);
                if (!(try known.getOrPut(gpa, key.*)).found_existing) break;
            }
        }
        std.mem.sort([]const u8, &self.keys, {}, lower);
    }

    fn lower(_: void, a: []const u8, b: []const u8) bool {
        return std.mem.order(u8, a, b) == .lt;
    }

    fn makeKey(self: *Test, gpa: std.mem.Allocator) ![]const u8 {
        const page_size = self.options.page_size;
        const local: usize = config.localSizeMax(page_size);
        const limit: usize = config.keySizeMax(page_size);
        const alphabet = [_]u8{ 0, 1, 'a', 'b', 255 };
        const shape = if (self.options.shape == .mixed)
            @as(Shape, @enumFromInt(self.below(3)))
        else
            self.options.shape;
        const shared: usize = switch (shape) {
            .tails => local - @min(local, self.below(3)),
            .long => local * 3 / 4 + self.below(2) * 4,
            else => 0,
        };
        const rest: usize = switch (shape) {
            .tails => self.below(@min(40, limit - shared)) + 1,
            .long => self.below(local / 4) + 2,
            else => self.below(6),
        };
        const key = try gpa.alloc(u8, @min(limit, shared + rest));
        @memset(key, 'k');
        for (key[@min(key.len, shared)..]) |*byte| byte.* = alphabet[self.below(alphabet.len)];
        return key;
    }

    fn valueOf(self: *Test, seed: u32) []const u8 {
        const page_size = self.options.page_size;
        const size: usize = switch (seed >> 8 & 63) {
            0 => seed % (2 * page_size),
            1 => 1000 + seed % 3000,
            2...9 => seed % (page_size / 3),
            else => seed % 40,
        };
        const bytes = self.value_buffer[0..size];
        for (bytes, 0..) |*byte, index| byte.* = @truncate(seed +% index *% 31);
        return bytes;
    }

    fn newSeed(self: *Test) u32 {
        const seed = self.prng.random().int(u32) | 1;
        return if (self.is_plain) seed | 32 << 8 else seed;
    }

    fn digestOf(self: *Test, state: *const State) Model.Digest {
        var digest: Model.Digest = 0;
        for (names, 0..) |name, table| {
            if (!state.exists[table]) continue;
            if (name) |bytes| digest +%= Model.tableDigest(bytes);
            for (state.cells[table], 0..) |seed, index| {
                if (seed == 0) continue;
                digest +%= Model.entryDigest(name, self.keys[index], self.valueOf(seed));
            }
        }
        return digest;
    }

    /// The state is published now.
    fn published(self: *Test, next: *const State) !void {
        self.state = next.*;
        try self.digests.append(allocator, self.digestOf(next));
    }

    fn flushed(self: *Test) void {
        const newest = self.digests.items[self.digests.items.len - 1];
        self.digests.clearRetainingCapacity();
        self.digests.appendAssumeCapacity(newest);
        self.is_unsure = false;
    }

    fn compare(self: *Test, pages: Pages, tree: page_format.Tree, cells: *const Cells) !void {
        var cursor: Cursor = .init(pages, tree);
        var found = try cursor.first();
        var entries: u64 = 0;
        for (cells, 0..) |seed, index| {
            if (seed == 0) continue;
            try testing.expect(found);
            const key = try cursor.key(&self.key_buffer);
            try testing.expect(std.mem.eql(u8, self.keys[index], key));
            const bytes = try search.valueBytes(pages, cursor.value());
            try testing.expect(std.mem.eql(u8, self.valueOf(seed), bytes));
            const rank = try search.rank(pages, tree, self.keys[index]);
            try testing.expectEqual(entries, rank);
            entries += 1;
            found = try cursor.next();
        }
        try testing.expect(!found);
        try testing.expectEqual(entries, tree.entries);
        var values: [key_count]?leaf.Value = undefined;
        try many.get(pages, tree, &self.keys, &values);
        for (cells, values) |seed, value| {
            try testing.expectEqual(seed != 0, value != null);
            if (value == null) continue;
            const bytes = try search.valueBytes(pages, value.?);
            try testing.expect(std.mem.eql(u8, self.valueOf(seed), bytes));
        }
    }

    fn compareHeld(self: *Test, held: *const Held) !void {
        const pages: Pages = .{ .snapshot = &held.snapshot, .frames = self.env.dirty.set };
        for (held.trees, 0..) |tree, table| {
            try self.compare(pages, tree, &held.state.cells[table]);
        }
    }

    fn letGo(self: *Test, index: usize) void {
        const held = self.held.swapRemove(index);
        if (held.txnid != 0) {
            self.env.unpin(held.txnid);
            self.env.unpin(held.txnid - 1);
        } else self.env.unpin(held.snapshot.txnid);
    }

    /// A snapshot of the newest state, as a session takes it.
    fn hold(self: *Test) !void {
        const env = self.env;
        const slot = try Readers.take(&env.lock);
        defer Readers.give(&env.lock, slot);
        const view = try env.viewOf(Readers.pin(&env.lock, slot).state);
        var held: Held = .{ .snapshot = view.snapshot, .trees = undefined, .state = self.state };
        for (names, &held.trees) |name, *tree| tree.* = if (name) |it| blk: {
            const found = try tables.find(view.pages(), view.catalogue, it);
            break :blk if (found) |record| record.tree else .empty;
        } else view.main;
        try self.held.ensureUnusedCapacity(allocator, 1);
        try env.pin(view.snapshot.txnid);
        self.held.appendAssumeCapacity(held);
    }

    /// What the transaction shows now, kept by a range over it, as a session makes one.
    fn freeze(self: *Test, txn: *Txn, state: *const State) !void {
        const env = self.env;
        const slot = try Readers.take(&env.lock);
        defer Readers.give(&env.lock, slot);
        _ = Readers.pin(&env.lock, slot);
        try txn.settle();
        var held: Held = .{
            .txnid = txn.txnid,
            .snapshot = undefined,
            .trees = undefined,
            .state = state.*,
        };
        for (names, &held.trees) |name, *tree| {
            const open_table = &txn.tables.items[try txn.open(name)];
            tree.* = if (open_table.exists) open_table.tree else .empty;
        }
        try self.held.ensureUnusedCapacity(allocator, 1);
        try env.pin(txn.txnid - 1);
        errdefer env.unpin(txn.txnid - 1);
        try env.pin(txn.txnid);
        env.dirty.freeze();
        held.snapshot = env.dirty.snapshot;
        held.epoch = env.dirty.epoch;
        self.held.appendAssumeCapacity(held);
    }

    /// Ranges over what was taken back show nothing any more.
    fn endRanges(self: *Test, txnid: u64, since: u64) void {
        var index: usize = 0;
        while (index < self.held.items.len) {
            const held = &self.held.items[index];
            if (held.txnid == txnid and held.epoch > since) self.letGo(index) else index += 1;
        }
    }

    fn arm(self: *Test) void {
        if (!self.options.has_faults or self.below(4) != 0) return;
        if (self.below(2) == 0) {
            self.memory.fail_index = self.memory.alloc_index + self.below(12);
        } else self.world.fault = .{
            .calls = .initMany(&.{ .pwrite, .pwritev, .allocate }),
            .at = 1 + self.below(6),
            .failure = error.NoSpace,
            .is_permanent = self.below(2) == 0,
            .is_partial = true,
        };
    }

    /// Whether the error is that of what was armed, which is over.
    fn isArmed(self: *Test, err: anyerror) bool {
        defer self.disarm();
        if (err == error.OutOfMemory) return self.memory.has_induced_failure;
        return err == error.NoSpace and self.world.fault != null and self.world.fault.?.hits > 0;
    }

    fn disarm(self: *Test) void {
        self.memory.fail_index = std.math.maxInt(usize);
        self.memory.has_induced_failure = false;
        self.world.fault = null;
    }

    fn transaction(self: *Test) !void {
        const before = self.env.lock.published();
        var next = self.state;
        self.arm();
        const is_durable = self.attempt(&next) catch |err| {
            if (!self.isArmed(err)) return err;
            self.endRanges(before.txnid + 1, 0);
            self.is_unsure = true;
            // Nothing has changed for anybody; a bulk commit whose meta may exist poisons.
            const is_same = std.meta.eql(before, self.env.lock.published());
            if (self.env.lock.isPoisoned()) return self.reopenPoisoned(&next);
            try testing.expect(is_same or self.options.operations_size_max == 3000);
            return self.compareAll();
        };
        self.disarm();
        if (is_durable) |it| {
            try self.published(&next);
            if (it) self.flushed();
        } else self.endRanges(before.txnid + 1, 0);
    }

    /// Returns whether what was published is durable, null: it was aborted.
    fn attempt(self: *Test, next: *State) !?bool {
        const env = self.env;
        var txn = try Txn.begin(env, 0);
        var is_open = true;
        errdefer if (is_open) txn.abort();
        const lengths = [_]u64{ 3, 30, 30, 300 };
        const length = 1 + self.below(lengths[self.below(lengths.len)]);
        if (self.below(2) == 0) {
            try self.putOnly(&txn, next, length);
        } else try self.operate(&txn, next, length);
        if (self.below(12) == 0) {
            is_open = false;
            txn.abort();
            return null;
        }
        if (!txn.isChanged()) {
            is_open = false;
            _ = try txn.commit();
            return false;
        }
        var is_durable = false;
        if (self.below(2) == 0) {
            const is_ahead = try txn.writeAhead(.another);
            if (is_ahead and self.below(2) == 0) {
                try env.log.flush();
                is_durable = true;
            }
        }
        is_open = false;
        const in_place = env.in_place_count;
        const txnid = try txn.commit();
        if (is_durable) env.lock.raiseFlushed(txnid);
        self.in_place += env.in_place_count - in_place;
        return is_durable;
    }

    /// Puts into one table, that may wait, near each other or not; now and then their effects are
    /// asked for.
    fn putOnly(self: *Test, txn: *Txn, next: *State, length: u64) !void {
        const table = if (self.below(2) == 0) 0 else self.below(table_count);
        const index = try self.prepared(txn, next, table);
        const near = self.below(key_count);
        const reach: u64 = if (self.below(2) == 0) 12 else key_count;
        self.is_plain = self.below(3) != 0;
        defer self.is_plain = false;
        for (0..length) |_| {
            const at = (near + self.below(reach)) % key_count;
            if (!self.is_plain and self.below(8) == 0) {
                try self.putMany(txn, index, &next.cells[table], at);
            } else try self.put(txn, index, &next.cells[table], at);
            if (self.below(200) == 0) try self.look(txn, index, &next.cells[table]);
        }
        if (self.below(20) == 0) try self.operate(txn, next, 2);
    }

    fn prepared(self: *Test, txn: *Txn, next: *State, table: usize) !u32 {
        const index = try txn.open(names[table]);
        if (table > 0) try txn.prepare(index, .{});
        next.exists[table] = true;
        _ = self;
        return index;
    }

    fn put(self: *Test, txn: *Txn, index: u32, cells: *Cells, at: usize) !void {
        self.operations += 1;
        const seed = self.newSeed();
        try testing.expect(try txn.put(index, self.keys[at], self.valueOf(seed), .upsert));
        cells[at] = seed;
    }

    fn look(self: *Test, txn: *Txn, index: u32, cells: *const Cells) !void {
        try txn.settle();
        try self.compare(txn.pages(), txn.tables.items[index].tree, cells);
    }

    /// Operations of all kinds, with savepoints inside each other.
    fn operate(self: *Test, txn: *Txn, next: *State, length: u64) !void {
        const base = txn.savepoints.items.len;
        var before: [savepoint_max]State = undefined;
        for (0..length) |_| {
            const level = txn.savepoints.items.len;
            switch (self.below(40)) {
                0 => if (level < savepoint_max) {
                    try testing.expectEqual(level, try txn.savepoint());
                    before[level] = next.*;
                },
                1 => if (level > base) {
                    const to: u32 = @intCast(base + self.below(level - base));
                    self.endRanges(txn.txnid, self.env.dirty.savepoints.items[to].epoch);
                    txn.rollback(to);
                    next.* = before[to];
                },
                2 => if (level > base) txn.release(@intCast(base + self.below(level - base))),
                3 => if (self.held.items.len < held_max and self.below(8) == 0) {
                    try self.freeze(txn, next);
                },
                4 => if (self.held.items.len > 0) {
                    const at = self.below(self.held.items.len);
                    try self.compareHeld(&self.held.items[at]);
                    if (self.below(2) == 0) self.letGo(at);
                },
                else => try self.operation(txn, next),
            }
        }
        if (txn.savepoints.items.len > base) txn.release(@intCast(base));
    }

    fn operation(self: *Test, txn: *Txn, next: *State) !void {
        self.operations += 1;
        const table = self.below(table_count);
        const index = try txn.open(names[table]);
        const cells = &next.cells[table];
        const at = self.below(key_count);
        const key = self.keys[at];
        switch (self.below(100)) {
            0...44 => try self.put(txn, try self.prepared(txn, next, table), cells, at),
            45...54 => try self.putMany(txn, try self.prepared(txn, next, table), cells, at),
            55...79 => {
                try testing.expectEqual(cells[at] != 0, try txn.remove(index, key));
                cells[at] = 0;
            },
            80...91 => {
                const reach: u64 = if (self.below(4) == 0) key_count else 10;
                const end = at + self.below(reach);
                const last = if (end < key_count) self.keys[end] else null;
                const first = if (at == 0) null else key;
                var expected: u64 = 0;
                for (cells[at..@min(end, key_count)]) |*cell| {
                    expected += @intFromBool(cell.* != 0);
                    cell.* = 0;
                }
                try testing.expectEqual(expected, try txn.removeRange(index, first, last));
            },
            92, 93 => {
                _ = try txn.clear(index);
                @memset(cells, 0);
            },
            94, 95 => if (table > 0) {
                try testing.expectEqual(next.exists[table], try txn.drop(index));
                next.exists[table] = false;
                @memset(cells, 0);
            },
            else => if (next.exists[table]) try self.look(txn, index, cells),
        }
    }

    fn putMany(self: *Test, txn: *Txn, index: u32, cells: *Cells, near: u64) !void {
        var rows: [30]Txn.Row = undefined;
        var row_seeds: [rows.len]u32 = undefined;
        var indexes: [rows.len]usize = undefined;
        const count = 1 + self.below(rows.len);
        self.operations += count;
        const modes = [_]Txn.PutMode{ .upsert, .upsert, .absent_only, .append };
        const mode = modes[self.below(modes.len)];
        const reach: u64 = if (self.below(2) == 0) 30 else key_count;
        for (indexes[0..count]) |*at| at.* = (near + self.below(reach)) % key_count;
        if (self.below(2) == 0) std.mem.sort(usize, indexes[0..count], {}, std.sort.asc(usize));
        var arena: std.heap.ArenaAllocator = .init(allocator);
        defer arena.deinit();
        for (rows[0..count], row_seeds[0..count], indexes[0..count]) |*row, *seed, at| {
            seed.* = self.newSeed();
            const value = try arena.allocator().dupe(u8, self.valueOf(seed.*));
            row.* = .{ .key = self.keys[at], .value = value };
        }
        var expected: u32 = 0;
        const failure: ?anyerror = for (row_seeds[0..count], indexes[0..count]) |seed, at| {
            if (mode == .absent_only and cells[at] != 0) continue;
            if (mode == .append and !std.mem.allEqual(u32, cells[at..], 0)) break error.KeyOrder;
            cells[at] = seed;
            expected += 1;
        } else null;
        const outcome = txn.putMany(index, rows[0..count], mode);
        if (failure) |err| {
            if (outcome) |_| return error.TestUnexpectedResult else |found| {
                if (found != err) return found;
            }
        } else try testing.expectEqual(expected, try outcome);
    }

    fn putSingles(self: *Test) !void {
        for (0..1 + self.below(20)) |_| {
            const table = self.below(table_count);
            const at = self.below(key_count);
            const seed = self.newSeed();
            var next = self.state;
            next.cells[table][at] = seed;
            self.arm();
            const found = single.put(
                self.env,
                0,
                .{ .name = names[table] },
                self.keys[at],
                self.valueOf(seed),
            ) catch |err| {
                if (!self.isArmed(err)) return err;
                self.is_unsure = true;
                continue;
            };
            self.disarm();
            if (found == null) continue;
            self.operations += 1;
            self.singles += 1;
            try testing.expect(self.state.exists[table]);
            try self.published(&next);
        }
    }

    fn step(self: *Test) !void {
        const env = self.env;
        const taken = try checkpoint.step(env, self.below(2) == 0);
        switch (taken.need) {
            .nothing, .busy => return,
            .flush_file => try env.flushFile(),
            .flush_log => try env.log.flush(),
        }
        try checkpoint.confirm(env, taken.ticket, true);
    }

    fn work(self: *Test) !void {
        if (self.below(8) == 0 and self.held.items.len < held_max) try self.hold();
        if (self.held.items.len > 0 and self.below(8) == 0) {
            const at = self.below(self.held.items.len);
            try self.compareHeld(&self.held.items[at]);
            self.letGo(at);
        }
        if (self.below(6) == 0) {
            try self.env.flushLog();
            self.flushed();
        }
        if (self.below(4) == 0) try self.step();
        if (self.below(30) == 0) {
            try checkpoint.runAll(self.env);
            self.flushed();
        }
        if (self.below(20) == 0) try Workload.check(self.env);
        if (self.below(20) == 0) try self.compareAll();
        if (self.below(20) == 0 and !self.is_unsure) try self.cutPower();
        if (self.below(40) == 0) try self.reopen(self.below(2) == 0 and !self.is_unsure);
    }

    fn compareAll(self: *Test) !void {
        const newest = self.digests.items[self.digests.items.len - 1];
        try testing.expectEqual(newest, try Workload.digestOf(self.env));
    }

    fn cutPower(self: *Test) !void {
        var images = try self.world.images(self.prng.random().int(u64), 6);
        defer images.deinit();
        while (try images.next()) |plan| {
            try self.after.boot(self.world, &plan);
            const env = try attach.open(allocator, try self.after.startProcess(), path, .{});
            const found = try Workload.digestOf(env);
            const is_known = std.mem.indexOfScalar(Model.Digest, self.digests.items, found) != null;
            try testing.expect(is_known);
            try Workload.check(env);
            try attach.close(env);
            self.images += 1;
        }
    }

    /// The next open decides whether what failed is there.
    fn reopenPoisoned(self: *Test, next: *const State) !void {
        while (self.held.items.len > 0) self.letGo(0);
        attach.close(self.env) catch {}; // it is poisoned
        try self.open();
        if (try Workload.digestOf(self.env) == self.digestOf(next)) try self.published(next);
        self.flushed();
        try self.compareAll();
        try Workload.check(self.env);
    }

    fn reopen(self: *Test, is_killed: bool) !void {
        while (self.held.items.len > 0) self.letGo(0);
        if (is_killed) {
            self.world.kill(self.env.os);
            attach.close(self.env) catch {}; // a dead process closes nothing; only its memory goes
            self.kills += 1;
        } else try attach.close(self.env);
        try self.open();
        self.flushed();
        try self.compareAll();
        try Workload.check(self.env);
    }

    fn run(self: *Test, turn_count: u64) !void {
        try self.makeKeys();
        try self.open();
        try self.published(&self.state);
        self.flushed();
        for (0..turn_count) |_| {
            try self.transaction();
            if (self.options.exclusive and self.below(3) == 0) try self.putSingles();
            try self.work();
        }
        try self.reopen(false);
        while (self.held.items.len > 0) self.letGo(0);
        try attach.close(self.env);
    }
};

fn runSeed(seed: u64, turn_count: u64, totals: *[5]u64) !void {
    const options: Options = .of(seed);
    const self = try allocator.create(Test);
    defer allocator.destroy(self);
    self.* = .{
        .options = options,
        .prng = .init(seed +% 77),
        .arena = .init(allocator),
        .world = try simulated.World.create(allocator, .{ .seed = seed }),
        .after = try simulated.World.create(allocator, .{ .seed = seed }),
        .memory = .init(allocator, .{}),
    };
    defer {
        self.world.destroy();
        self.after.destroy();
        self.arena.deinit();
        self.held.deinit(allocator);
        self.digests.deinit(allocator);
    }
    errdefer |err| std.debug.print("{t} ({s}): ZEOLITE_SEED={d} {any}\n", .{
        err, explain.get(), seed, options,
    });
    try self.run(turn_count);
    const found = [_]u64{ self.operations, self.in_place, self.singles, self.images, self.kills };
    for (totals, found) |*total, number| total.* += number;
}

test "frames: tables, savepoints, ranges, sealing, faults and cuts at once" {
    var list: seeds.List = .init(40_000, 60);
    var totals: [5]u64 = @splat(0);
    var operations: counts.Running = .{ .what = .operations, .every = 500_000 };
    var images: counts.Running = .{ .what = .images, .every = 5000 };
    var kills: counts.Running = .{ .what = .@"simulated kills", .every = 500 };
    while (list.next()) |seed| {
        const before = totals;
        try runSeed(seed, 60, &totals);
        operations.add(totals[0] - before[0]);
        images.add(totals[3] - before[3]);
        kills.add(totals[4] - before[4]);
    }
    operations.end();
    images.end();
    kills.end();
    std.debug.print("frames: {d} commits in place, {d} single puts\n", .{ totals[1], totals[2] });
}

/// A range over a transaction shows what that removes behind it, also when it is committed and
/// others have written since. `row_count` rows of `value_size` bytes each.
fn readRemoved(settings: Env.Settings, row_count: usize, value_size: usize) !void {
    const world = try simulated.World.create(testing.allocator, .{ .has_cuts = false });
    defer world.destroy();
    const env = try attach.open(testing.allocator, try world.startProcess(), path, .{
        .page_size = 512,
        .exclusive = settings.exclusive,
        .settings = settings,
    });
    defer attach.close(env) catch {}; // what failed before is told
    const value: [1000]u8 = @splat('v');
    var txn = try Txn.begin(env, 0);
    for (0..row_count) |row| {
        _ = try txn.put(0, &.{@intCast(row)}, value[0..value_size], .upsert);
        // Without this the puts would wait for the commit.
        _ = try txn.remove(0, "none");
    }
    const slot = try Readers.take(&env.lock);
    defer Readers.give(&env.lock, slot);
    _ = Readers.pin(&env.lock, slot);
    const txnid = txn.txnid;
    try env.pin(txnid - 1);
    defer env.unpin(txnid - 1);
    try env.pin(txnid);
    defer env.unpin(txnid);
    Readers.unpin(&env.lock, slot);
    env.dirty.freeze();
    const snapshot = env.dirty.snapshot;
    const tree = txn.tables.items[0].tree;
    _ = try txn.clear(0);
    // Nothing of it is durable or in a checkpoint: only the range needs it.
    try testing.expectEqual(txnid, try txn.commit());
    const other: [1000]u8 = @splat('o');
    for (0..20) |round| {
        var next = try Txn.begin(env, 0);
        for (0..row_count) |row| {
            const key = [_]u8{ @intCast(round), @intCast(row) };
            _ = try next.put(0, &key, other[0..value_size], .upsert);
        }
        _ = try next.commit();
    }
    const pages: Pages = .{ .snapshot = &snapshot, .frames = env.dirty.set };
    var cursor: Cursor = .init(pages, tree);
    var has_row = try cursor.first();
    var rows: usize = 0;
    while (has_row) : (has_row = try cursor.next()) {
        const found = try search.valueBytes(pages, cursor.value());
        try testing.expectEqualStrings(value[0..value_size], found);
        rows += 1;
    }
    try testing.expectEqual(row_count, rows);
}

test "a range over a transaction shows values in runs that it removes behind it" {
    for ([_]bool{ false, true }) |exclusive| {
        try readRemoved(.{ .exclusive = exclusive }, 3, 1000);
    }
}

test "a range over a transaction shows pages written early that it removes behind it" {
    const frames_size_max = 12 * 512;
    for ([_]bool{ false, true }) |exclusive| {
        try readRemoved(.{ .exclusive = exclusive, .frames_size_max = frames_size_max }, 60, 200);
    }
}
