//! Trees against a sorted list: random histories with keys of all shapes at several page sizes,
//! every order of few keys, and pages with hostile contents. After the operations the whole tree is
//! walked, and after each commit the pages it uses are counted.

const std = @import("std");
const builtin = @import("builtin");
const testing = std.testing;
const assert = std.debug.assert;
const config = @import("../config.zig");
const page = @import("../format/page.zig");
const leaf = @import("../format/leaf.zig");
const branch = @import("../format/branch.zig");
const overflow = @import("../format/overflow.zig");
const entries = @import("../format/entries.zig");
const keys = @import("../tree/keys.zig");
const search = @import("../tree/search.zig");
const statistics = @import("../tree/statistics.zig");
const insert = @import("../tree/insert.zig");
const append = @import("../tree/append.zig");
const delete = @import("../tree/delete.zig");
const many = @import("../tree/many.zig");
const remove_range = @import("../tree/remove_range.zig");
const Cursor = @import("../tree/Cursor.zig");
const Pages = @import("../store/Pages.zig");
const TestStore = @import("TestStore.zig");
const counts = @import("counts.zig");
const seeds = @import("seeds.zig");

/// Walks a tree and proves its invariants.
const Walk = struct {
    pages: Pages,
    page_size: u32,
    entries: u64 = 0,
    page_count: u64 = 0,
    used_size: u64 = 0,
    leaf_count: u64 = 0,
    last_key: [config.key_size_max_any]u8 = undefined,
    last_size: ?usize = null,
    /// Not on the stack, where a safe build would fill it for each page.
    key_buffer: [config.key_size_max_any]u8 = undefined,

    const Bounds = struct { low: ?[]const u8, high: ?[]const u8 };

    fn run(self: *Walk, tree: page.Tree) !void {
        if (tree.depth == 0) {
            try testing.expectEqual(@as(u64, 0), tree.entries);
            return;
        }
        const root: branch.Child = .{
            .ref = tree.ref,
            .entries = tree.entries,
            .has_runs = tree.has_runs,
        };
        const bounds: Bounds = .{ .low = null, .high = null };
        if (tree.depth == 1) return self.leafPage(root, bounds);
        try self.branchPage(root, tree.depth, bounds);
    }

    fn branchPage(self: *Walk, child: branch.Child, height: u8, bounds: Bounds) anyerror!void {
        const bytes = try search.child(self.pages, child.ref, height);
        page.verify(bytes);
        self.page_count += 1;
        const count = page.count(bytes);
        try testing.expect(count >= 2);
        try testing.expectEqual(child.entries, branch.entriesIn(bytes, 0, count));
        if (branch.anyRuns(bytes)) try testing.expect(child.has_runs);
        var buffers: [2][]u8 = undefined;
        for (&buffers) |*buffer| {
            buffer.* = try allocator_of_models.alloc(u8, config.keySizeMax(self.page_size));
        }
        defer for (buffers) |buffer| allocator_of_models.free(buffer);
        var inner: Bounds = .{ .low = bounds.low, .high = null };
        for (0..count) |index| {
            const slot: u32 = @intCast(index);
            if (page.tail(bytes, slot)) |tail| self.addRun(tail.size);
            inner.high = bounds.high;
            if (slot + 1 < count) {
                inner.high = try keys.assemble(self.pages, bytes, slot + 1, buffers[index % 2]);
                try expectBelow(inner.low, inner.high);
            }
            const below = branch.child(bytes, slot);
            if (height == 2) {
                try self.leafPage(below, inner);
            } else {
                try self.branchPage(below, height - 1, inner);
            }
            inner.low = inner.high;
        }
    }

    fn leafPage(self: *Walk, child: branch.Child, bounds: Bounds) !void {
        const bytes = try search.child(self.pages, child.ref, 1);
        page.verify(bytes);
        self.page_count += 1;
        self.leaf_count += 1;
        self.used_size += page.usedSize(bytes);
        const count = page.count(bytes);
        try testing.expectEqual(child.entries, count);
        if (leaf.anyRuns(bytes)) try testing.expect(child.has_runs);
        self.entries += count;
        for (0..count) |index| {
            const key = try keys.assemble(self.pages, bytes, @intCast(index), &self.key_buffer);
            if (self.last_size) |size| try expectBelow(self.last_key[0..size], key);
            if (bounds.low) |low| try testing.expect(std.mem.order(u8, low, key) != .gt);
            if (bounds.high) |high| try testing.expect(std.mem.order(u8, key, high) == .lt);
            @memcpy(self.last_key[0..key.len], key);
            self.last_size = key.len;
            if (page.tail(bytes, @intCast(index))) |tail| self.addRun(tail.size);
            const value = leaf.value(bytes, @intCast(index));
            if (value.kind == .overflow) self.addRun(value.size);
        }
    }

    fn addRun(self: *Walk, size: u32) void {
        self.page_count += overflow.pageCount(size, self.page_size);
    }

    fn expectBelow(low: ?[]const u8, high: ?[]const u8) !void {
        if (low == null or high == null) return;
        try testing.expect(std.mem.order(u8, low.?, high.?) == .lt);
    }
};

fn checkTree(store: *TestStore, tree: page.Tree) !Walk {
    var walk: Walk = .{ .pages = store.pages(), .page_size = store.file.page_size };
    try walk.run(tree);
    try testing.expectEqual(tree.entries, walk.entries);
    return walk;
}

/// What a key of the model looks like.
const Shape = enum {
    /// 0 to 12 random bytes.
    short,
    /// A number behind a long text that all share.
    shared,
    /// Longer than a page keeps, different before the tail or in it.
    long,
    /// Any of these.
    mixed,
};

/// The one that finds leaks takes most of the time, so it is for debug builds.
const allocator_of_models = if (builtin.mode == .Debug)
    testing.allocator
else
    std.heap.smp_allocator;

const Model = struct {
    const Row = struct { id: u32, value_size: u32, value_seed: u8 };

    store: *TestStore,
    tree: page.Tree = .empty,
    shape: Shape,
    random: std.Random,
    /// Ids of all keys there can be, in key order, and what the tree should hold for each.
    all: []const []const u8,
    rows: []?Row,
    key_buffer: [config.key_size_max_any]u8 = undefined,
    /// Changes made to both, each removed range being one.
    operations: u64 = 0,

    fn create(store: *TestStore, random: std.Random, shape: Shape, count: u32) !Model {
        const allocator = allocator_of_models;
        const all = try allocator.alloc([]const u8, count);
        var filled: usize = 0;
        var set: std.StringHashMapUnmanaged(void) = .empty;
        defer set.deinit(allocator);
        var tries: usize = 0;
        while (filled < count and tries < 20 * count) : (tries += 1) {
            const key = try makeKey(random, shape, store.file.page_size);
            const entry = try set.getOrPut(allocator, key);
            if (entry.found_existing) {
                allocator.free(key);
                continue;
            }
            all[filled] = key;
            filled += 1;
        }
        const used = try allocator.realloc(all, filled);
        std.mem.sortUnstable([]const u8, used, {}, lowerKey);
        const rows = try allocator.alloc(?Row, filled);
        @memset(rows, null);
        return .{ .store = store, .shape = shape, .random = random, .all = used, .rows = rows };
    }

    fn destroy(self: *Model) void {
        for (self.all) |key| allocator_of_models.free(key);
        allocator_of_models.free(self.all);
        allocator_of_models.free(self.rows);
    }

    fn lowerKey(_: void, a: []const u8, b: []const u8) bool {
        return std.mem.order(u8, a, b) == .lt;
    }

    fn makeKey(random: std.Random, shape: Shape, page_size: u32) ![]const u8 {
        const local = config.localSizeMax(page_size);
        const room = config.keySizeMax(page_size) - local;
        const size: usize = switch (shape) {
            .short => random.uintAtMost(usize, 12),
            .shared => local / 2 + 6,
            .long => local + random.uintAtMost(usize, @min(room, 20)),
            .mixed => return makeKey(random, @enumFromInt(random.uintLessThan(u8, 3)), page_size),
        };
        const key = try allocator_of_models.alloc(u8, size);
        @memset(key, 'k');
        switch (shape) {
            .short => random.bytes(key),
            .shared => random.bytes(key[local / 2 ..][0..random.uintAtMost(usize, 3)]),
            .long => {
                if (random.boolean()) key[local - 1] = random.int(u8);
                for (key[local..]) |*byte| byte.* = random.uintLessThan(u8, 3);
                if (random.uintLessThan(u8, 8) == 0) key[random.uintLessThan(usize, local)] = 'm';
            },
            .mixed => unreachable,
        }
        return key;
    }

    fn makeValue(self: *Model, row: Row) ![]u8 {
        _ = self;
        const value = try allocator_of_models.alloc(u8, row.value_size);
        for (value, 0..) |*byte, index| byte.* = row.value_seed +% @as(u8, @truncate(index));
        return value;
    }

    fn randomRow(self: *Model, id: u32) Row {
        const page_size = self.store.file.page_size;
        const size = switch (self.random.uintLessThan(u8, 12)) {
            0 => 0,
            1 => self.random.uintAtMost(u32, 3 * page_size),
            2, 3 => self.random.uintAtMost(u32, page_size / 2),
            else => self.random.uintAtMost(u32, page_size / 16),
        };
        return .{ .id = id, .value_size = size, .value_seed = self.random.int(u8) };
    }

    fn put(self: *Model) !void {
        const id = self.random.uintLessThan(u32, @intCast(self.all.len));
        const mode = self.randomMode();
        var finger: insert.Finger = .init(&self.store.dirty, &self.tree, mode);
        try self.putWith(&finger, id);
    }

    fn randomMode(self: *Model) insert.Mode {
        return switch (self.random.uintLessThan(u8, 8)) {
            0 => .absent_only,
            1 => .append,
            else => .upsert,
        };
    }

    fn putWith(self: *Model, finger: *insert.Finger, id: u32) !void {
        self.operations += 1;
        const row = self.randomRow(id);
        const value = try self.makeValue(row);
        defer allocator_of_models.free(value);
        const expected = self.expectedOf(finger.mode, id);
        const outcome = try finger.put(self.all[id], value);
        try testing.expectEqual(expected, outcome);
        if (outcome == .inserted or outcome == .replaced) self.rows[id] = row;
    }

    /// What a put should answer.
    fn expectedOf(self: *Model, mode: insert.Mode, id: u32) insert.Outcome {
        const was = self.rows[id] != null;
        return switch (mode) {
            .upsert => if (was) .replaced else .inserted,
            .absent_only => if (was) .exists else .inserted,
            .append => if (self.neighbour(id, 0, true) == null) .inserted else .out_of_order,
        };
    }

    /// Puts of keys that never fall with one finger: some equal, some neighbours, some far apart,
    /// and now and then a new beginning further down.
    fn putAscending(self: *Model) !void {
        const count: u32 = @intCast(self.all.len);
        var finger: insert.Finger = .init(&self.store.dirty, &self.tree, self.randomMode());
        var id = self.random.uintLessThan(u32, count);
        const step_max = count / (@as(u32, 1) << self.random.uintAtMost(u5, 8));
        for (0..self.random.uintAtMost(usize, 60)) |_| {
            try self.putWith(&finger, id);
            id += self.random.uintAtMost(u32, step_max);
            if (id < count and self.random.uintLessThan(u8, 30) > 0) continue;
            finger.reset();
            id = self.random.uintLessThan(u32, count);
        }
    }

    /// Rows from behind the last key on, each put by itself unless it fills the leaf of the one
    /// before; now and then one that is in no order.
    fn appendMany(self: *Model) !void {
        const count: u32 = @intCast(self.all.len);
        var arena: std.heap.ArenaAllocator = .init(testing.allocator);
        defer arena.deinit();
        var rows: [120]append.Row = undefined;
        var made: [rows.len]Row = undefined;
        const last = self.neighbour(count - 1, 0, false);
        var id: u32 = if (last) |it| it + 1 else 0;
        const step_max = 1 + self.random.uintAtMost(u32, 3);
        var used: usize = 0;
        const wanted = 1 + self.random.uintLessThan(usize, rows.len);
        while (id < count and used < wanted) : (used += 1) {
            made[used] = self.randomRow(id);
            const value = try self.makeValue(made[used]);
            defer allocator_of_models.free(value);
            rows[used] = .{ .key = self.all[id], .value = try arena.allocator().dupe(u8, value) };
            id += 1 + self.random.uintLessThan(u32, step_max);
            if (self.random.uintLessThan(u8, 50) == 0) id = self.random.uintLessThan(u32, count);
        }
        const dirty = &self.store.dirty;
        const mode = if (self.random.boolean()) .append else self.randomMode();
        var finger: insert.Finger = .init(dirty, &self.tree, mode);
        var at: usize = 0;
        while (at < used) : (at += 1) {
            if (at > 0 and made[at].id < made[at - 1].id) finger.reset();
            const expected = self.expectedOf(mode, made[at].id);
            try testing.expectEqual(expected, try finger.put(rows[at].key, rows[at].value));
            if (expected == .exists or expected == .out_of_order) continue;
            self.rows[made[at].id] = made[at];
            self.operations += 1;
            if (finger.is_set) continue;
            const filled = try append.fill(&finger, rows[at..used]);
            for (made[at + 1 ..][0..filled]) |row| self.rows[row.id] = row;
            self.operations += filled;
            at += filled;
        }
    }

    fn remove(self: *Model) !void {
        self.operations += 1;
        const id = self.random.uintLessThan(u32, @intCast(self.all.len));
        const was = try delete.remove(&self.store.dirty, &self.tree, self.all[id]);
        try testing.expectEqual(self.rows[id] != null, was);
        self.rows[id] = null;
    }

    fn removeRange(self: *Model) !void {
        const count: u32 = @intCast(self.all.len);
        const a = self.random.uintAtMost(u32, count);
        const width = count / (@as(u32, 1) << self.random.uintAtMost(u5, 9));
        const b = @min(count, a + self.random.uintAtMost(u32, width + 1));
        if (a < count) try self.removeBetween(a, b);
    }

    /// Makes room for keys behind the last one.
    fn removeEnd(self: *Model) !void {
        const count: u32 = @intCast(self.all.len);
        try self.removeBetween(self.random.uintLessThan(u32, count), count);
    }

    fn removeBetween(self: *Model, a: u32, b: u32) !void {
        self.operations += 1;
        const count: u32 = @intCast(self.all.len);
        const start = if (a == 0 and self.random.boolean()) null else self.all[a];
        const end: ?[]const u8 = if (b == count) null else self.all[b];
        const removed =
            try remove_range.removeRange(&self.store.dirty, &self.tree, start, end);
        var expected: u64 = 0;
        for (self.rows[a..b]) |*row| {
            if (row.* != null) expected += 1;
            row.* = null;
        }
        try testing.expectEqual(expected, removed);
    }

    fn expectValue(self: *Model, row: Row, value: leaf.Value) !void {
        const expected = try self.makeValue(row);
        defer allocator_of_models.free(expected);
        try testing.expectEqual(row.value_size, value.size);
        const bytes = try search.valueBytes(self.store.pages(), value);
        try expectBytes(expected, bytes);
    }

    /// As `expectEqualSlices` does, which looks at one byte at a time.
    fn expectBytes(expected: []const u8, found: []const u8) !void {
        if (!std.mem.eql(u8, expected, found)) try testing.expectEqualSlices(u8, expected, found);
    }

    fn checkGets(self: *Model, count: usize) !void {
        const pages = self.store.pages();
        for (0..count) |_| {
            const id = self.random.uintLessThan(u32, @intCast(self.all.len));
            const found = try search.get(pages, self.tree, self.all[id]);
            try testing.expectEqual(self.rows[id] != null, found != null);
            if (found) |value| try self.expectValue(self.rows[id].?, value);
            var below: u64 = 0;
            for (self.rows[0..id]) |row| below += @intFromBool(row != null);
            try testing.expectEqual(below, try search.rank(pages, self.tree, self.all[id]));
        }
    }

    fn checkMany(self: *Model) !void {
        var wanted: [70][]const u8 = undefined;
        var ids: [70]u32 = undefined;
        var out: [70]?leaf.Value = undefined;
        for (&wanted, &ids) |*key, *id| {
            id.* = self.random.uintLessThan(u32, @intCast(self.all.len));
            key.* = self.all[id.*];
        }
        try many.get(self.store.pages(), self.tree, &wanted, &out);
        for (ids, out) |id, found| {
            try testing.expectEqual(self.rows[id] != null, found != null);
            if (found) |value| try self.expectValue(self.rows[id].?, value);
        }
    }

    /// The entry `steps` behind (or before) `id`, as the list knows it.
    fn neighbour(self: *Model, id: u32, steps: u64, is_forward: bool) ?u32 {
        var rest = steps;
        var at: i64 = id;
        while (at >= 0 and at < self.rows.len) : (at += if (is_forward) 1 else -1) {
            if (self.rows[@intCast(at)] == null) continue;
            if (rest == 0) return @intCast(at);
            rest -= 1;
        }
        return null;
    }

    fn checkCursor(self: *Model) !void {
        const id = self.random.uintLessThan(u32, @intCast(self.all.len));
        const is_forward = self.random.boolean();
        var cursor = Cursor.init(self.store.pages(), self.tree);
        var at: ?u32 = undefined;
        if (is_forward) {
            at = self.neighbour(id, 0, true);
            try testing.expectEqual(at != null, try cursor.seek(self.all[id]));
        } else {
            at = if (id == 0) null else self.neighbour(id - 1, 0, false);
            try testing.expectEqual(at != null, try cursor.seekBefore(self.all[id]));
        }
        for (0..20) |_| {
            if (at == null) return;
            try self.expectAt(&cursor, at.?);
            const steps = self.random.uintAtMost(u64, 40);
            const forward = if (self.random.uintLessThan(u8, 4) == 0) !is_forward else is_forward;
            at = self.neighbour(at.?, steps, forward);
            if (self.random.boolean()) {
                var is_there = true;
                for (0..steps) |_| {
                    is_there = if (forward) try cursor.next() else try cursor.prev();
                    if (!is_there) break;
                }
                try testing.expectEqual(at != null, is_there);
            } else {
                const is_there =
                    if (forward) try cursor.skip(steps) else try cursor.skipBack(steps);
                try testing.expectEqual(at != null, is_there);
            }
        }
    }

    fn expectAt(self: *Model, cursor: *const Cursor, id: u32) !void {
        try expectBytes(self.all[id], try cursor.key(&self.key_buffer));
        try testing.expectEqual(self.all[id].len, cursor.keySize());
        try self.expectValue(self.rows[id].?, cursor.value());
        var below: u64 = 0;
        for (self.rows[0..id]) |row| below += @intFromBool(row != null);
        try testing.expectEqual(below, try cursor.rank());
    }

    fn checkAll(self: *Model) !void {
        var cursor = Cursor.init(self.store.pages(), self.tree);
        for (self.rows, 0..) |row, id| {
            if (row == null) continue;
            try testing.expect(try cursor.next());
            try self.expectAt(&cursor, @intCast(id));
        }
        try testing.expect(!try cursor.next());
        var id = self.rows.len;
        while (id > 0) {
            id -= 1;
            if (self.rows[id] == null) continue;
            try testing.expect(try cursor.prev());
            try self.expectAt(&cursor, @intCast(id));
        }
        try testing.expect(!try cursor.prev());
    }

    fn commit(self: *Model) !void {
        try self.store.commit(&.{&self.tree});
        const walk = try checkTree(self.store, self.tree);
        try testing.expectEqual(walk.page_count, self.store.usedCount());
        const counted = try statistics.of(self.store.pages(), self.tree);
        const sum = counted.branch_pages + counted.leaf_pages + counted.overflow_pages;
        try testing.expectEqual(@as(u64, walk.page_count), sum);
    }
};

fn runModel(seed: u64, page_size: u32, shape: Shape, key_count: u32, rounds: usize) !void {
    var running: counts.Running = .{ .what = .operations, .every = 100_000 };
    for (0..seeds.scale()) |turn| {
        const offset = seeds.offset() + turn * seeds_of_turn;
        errdefer std.debug.print("seed {} page {} shape {t}: ZEOLITE_OFFSET={}\n", .{
            seed, page_size, shape, offset,
        });
        running.add(try runHistory(seed + offset, page_size, shape, key_count, rounds));
    }
    running.end();
}

/// Seeds of the tests below are lower than that.
const seeds_of_turn = 100;

/// Returns how many operations there were.
fn runHistory(
    seed: u64,
    page_size: u32,
    shape: Shape,
    key_count: u32,
    rounds: usize,
) !u64 {
    var prng = std.Random.DefaultPrng.init(seed);
    const random = prng.random();
    const store = try TestStore.create(allocator_of_models, page_size);
    defer store.destroy();
    var model = try Model.create(store, random, shape, key_count);
    defer model.destroy();
    for (0..rounds) |_| {
        // Phases in which the tree grows, and such in which it shrinks.
        const put_share: u8 = if (random.uintLessThan(u8, 3) == 0) 30 else 75;
        for (0..key_count / 2) |_| {
            if (random.uintLessThan(u8, 100) < put_share) try model.put() else try model.remove();
        }
        if (random.uintLessThan(u8, 3) == 0) try model.removeRange();
        for (0..4) |_| try model.putAscending();
        if (random.boolean()) try model.removeEnd();
        for (0..4) |_| try model.appendMany();
        _ = try checkTree(store, model.tree);
        try model.checkGets(10);
        try model.checkCursor();
        try model.checkMany();
        if (random.boolean()) try model.commit();
    }
    try model.checkAll();
    const removed = try remove_range.removeRange(&store.dirty, &model.tree, null, null);
    var expected: u64 = 0;
    for (model.rows) |row| expected += @intFromBool(row != null);
    try testing.expectEqual(expected, removed);
    try testing.expectEqual(@as(u8, 0), model.tree.depth);
    try store.commit(&.{&model.tree});
    try testing.expectEqual(@as(u32, 0), store.usedCount());
    return model.operations;
}

test "model: short keys" {
    for (0..6) |seed| try runModel(seed, 512, .short, 400, 8);
    try runModel(6, 1024, .short, 600, 6);
    try runModel(7, 4096, .short, 2000, 4);
}

test "model: keys with a long text in common" {
    for (10..16) |seed| try runModel(seed, 512, .shared, 400, 8);
    try runModel(16, 4096, .shared, 1000, 4);
}

test "model: keys longer than a page keeps" {
    for (20..26) |seed| try runModel(seed, 512, .long, 300, 8);
    try runModel(26, 1024, .long, 300, 6);
    try runModel(27, 4096, .long, 300, 4);
}

test "model: all shapes at all page sizes" {
    for (30..36) |seed| try runModel(seed, 512, .mixed, 400, 8);
    try runModel(36, 1024, .mixed, 500, 6);
    try runModel(37, 4096, .mixed, 800, 4);
    try runModel(38, 65536, .mixed, 1000, 2);
}

/// Everything that distinguishes one tree from another with the same entries.
fn fingerprint(pages: Pages, tree: page.Tree) !u64 {
    var hasher = std.hash.Wyhash.init(tree.depth);
    var refs: std.ArrayList(page.Ref) = .empty;
    defer refs.deinit(testing.allocator);
    if (tree.depth > 0) try refs.append(testing.allocator, tree.ref);
    var next: usize = 0;
    while (next < refs.items.len) : (next += 1) {
        const bytes = try pages.page(refs.items[next]);
        const shape = [_]u32{ page.count(bytes), page.usedSize(bytes), page.gapSize(bytes) };
        hasher.update(std.mem.asBytes(&shape));
        hasher.update(page.prefix(bytes));
        for (0..page.count(bytes)) |index| {
            hasher.update(page.local(bytes, @intCast(index)));
            hasher.update(try keys.tailOf(pages, bytes, @intCast(index)));
            if (page.kind(bytes) == .leaf) continue;
            try refs.append(testing.allocator, branch.child(bytes, @intCast(index)).ref);
        }
    }
    return hasher.final();
}

/// The next order of `items`, or false after the last.
fn nextOrder(items: []u8) bool {
    if (items.len < 2) return false;
    var at = items.len - 1;
    while (at > 0 and items[at - 1] >= items[at]) at -= 1;
    if (at == 0) return false;
    var other = items.len - 1;
    while (items[other] <= items[at - 1]) other -= 1;
    std.mem.swap(u8, &items[at - 1], &items[other]);
    std.mem.reverse(u8, items[at..]);
    return true;
}

const orders_key_count = 6;

/// Inserts in every order; from each tree that comes of it removes in every order.
fn runOrders(count: usize, key_of: *const fn (buffer: []u8, id: u8) []u8, value: []const u8) !void {
    const store = try TestStore.create(testing.allocator, 512);
    defer store.destroy();
    var seen: std.AutoHashMapUnmanaged(u64, void) = .empty;
    defer seen.deinit(testing.allocator);
    const first: [orders_key_count]u8 = .{ 0, 1, 2, 3, 4, 5 };
    var order = first;
    var buffer: [256]u8 = undefined;
    while (true) {
        const level = try store.dirty.savepoint();
        var tree = page.Tree.empty;
        for (order[0..count]) |id| {
            const key = key_of(&buffer, id);
            const outcome = try insert.put(&store.dirty, &tree, key, value, .absent_only);
            try testing.expectEqual(insert.Outcome.inserted, outcome);
        }
        _ = try checkTree(store, tree);
        const found = try seen.getOrPut(testing.allocator, try fingerprint(store.pages(), tree));
        if (!found.found_existing) try removeInAllOrders(store, tree, count, key_of);
        store.dirty.rollback(level);
        if (!nextOrder(order[0..count])) break;
    }
}

fn removeInAllOrders(
    store: *TestStore,
    full: page.Tree,
    count: usize,
    key_of: *const fn (buffer: []u8, id: u8) []u8,
) !void {
    var order: [orders_key_count]u8 = .{ 0, 1, 2, 3, 4, 5 };
    var buffer: [256]u8 = undefined;
    while (true) {
        const level = try store.dirty.savepoint();
        var tree = full;
        for (order[0..count], 1..) |id, removed| {
            const key = key_of(&buffer, id);
            try testing.expect(try delete.remove(&store.dirty, &tree, key));
            try testing.expect(!try search.has(store.pages(), tree, key));
            try testing.expectEqual(count - removed, tree.entries);
            _ = try checkTree(store, tree);
        }
        try testing.expectEqual(@as(u8, 0), tree.depth);
        store.dirty.rollback(level);
        if (!nextOrder(order[0..count])) break;
    }
}

fn shortKey(buffer: []u8, id: u8) []u8 {
    buffer[0] = 'a' + id;
    return buffer[0..1];
}

/// Half of the page, and different only in the tail.
fn tailKey(buffer: []u8, id: u8) []u8 {
    @memset(buffer[0..200], 'k');
    buffer[199] = id;
    return buffer[0..200];
}

/// Different at the end of what a page keeps, so that separators are as long as can be.
fn localKey(buffer: []u8, id: u8) []u8 {
    @memset(buffer[0..95], 'k');
    buffer[94] = id;
    buffer[id % 3] = 'a' + id;
    return buffer[0..95];
}

test "all orders of up to six keys" {
    for (1..orders_key_count + 1) |count| {
        try runOrders(count, shortKey, "v" ** 200);
        try runOrders(count, tailKey, "v" ** 30);
        try runOrders(count, localKey, "v" ** 120);
    }
}

test "fill: a random load leaves pages 78 % full and more, one in key order 95 %" {
    for ([_]insert.Mode{ .upsert, .append }, [_]u64{ 78, 95 }) |mode, least| {
        const store = try TestStore.create(testing.allocator, 4096);
        defer store.destroy();
        var prng = std.Random.DefaultPrng.init(12);
        var tree = page.Tree.empty;
        for (0..12_000) |index| {
            var key: [16]u8 = @splat(0);
            const number = if (mode == .append) index else prng.random().int(u64);
            std.mem.writeInt(u64, key[0..8], number, .big);
            _ = try insert.put(&store.dirty, &tree, &key, "v" ** 100, mode);
        }
        const walk = try checkTree(store, tree);
        const fill = walk.used_size * 100 / (walk.leaf_count * 4096);
        try testing.expect(fill >= least);
    }
}

test "fill: rows that are appended together leave pages as full as single puts do" {
    for ([_]u32{ 512, 4096 }) |page_size| {
        var page_counts: [2]u64 = undefined;
        for (&page_counts, [_]bool{ false, true }) |*page_count, are_together| {
            const store = try TestStore.create(testing.allocator, page_size);
            defer store.destroy();
            var tree = page.Tree.empty;
            var rows: [1000]append.Row = undefined;
            var keys_made: [rows.len][10]u8 = undefined;
            for (&rows, &keys_made, 0..) |*row, *key, index| {
                _ = try std.fmt.bufPrint(key, "key{d:0>7}", .{index * index});
                row.* = .{ .key = key, .value = ("v" ** 40)[0 .. index % 40] };
            }
            var finger: insert.Finger = .init(&store.dirty, &tree, .append);
            var at: usize = 0;
            while (at < rows.len) : (at += 1) {
                try testing.expectEqual(.inserted, try finger.put(rows[at].key, rows[at].value));
                if (are_together and !finger.is_set) at += try append.fill(&finger, rows[at..]);
            }
            try testing.expectEqual(@as(u64, rows.len), tree.entries);
            page_count.* = (try checkTree(store, tree)).page_count;
        }
        try testing.expect(page_counts[1] <= page_counts[0]);
    }
}

test "savepoints: a rolled back tree is the tree it was" {
    const store = try TestStore.create(testing.allocator, 512);
    defer store.destroy();
    var prng = std.Random.DefaultPrng.init(77);
    var model = try Model.create(store, prng.random(), .mixed, 300);
    defer model.destroy();
    for (0..200) |_| try model.put();
    const rows = try testing.allocator.dupe(?Model.Row, model.rows);
    defer testing.allocator.free(rows);
    for (0..30) |round| {
        if (round % 7 == 0) try model.commit();
        const tree = model.tree;
        @memcpy(rows, model.rows);
        const level = try store.dirty.savepoint();
        for (0..50) |_| if (prng.random().boolean()) try model.put() else try model.remove();
        try model.removeRange();
        try model.putAscending();
        _ = try checkTree(store, model.tree);
        if (prng.random().boolean()) {
            store.dirty.rollback(level);
            model.tree = tree;
            @memcpy(model.rows, rows);
        } else {
            store.dirty.releaseSavepoint(level);
        }
        _ = try checkTree(store, model.tree);
        try model.checkGets(20);
    }
    try model.checkAll();
}

/// A tree and its rows at one moment.
const Moment = struct {
    tree: page.Tree,
    rows: []const ?Model.Row,
    /// Behind the savepoint or the freeze.
    epoch: u64,

    fn of(arena: std.mem.Allocator, model: *const Model) !Moment {
        return .{
            .tree = model.tree,
            .rows = try arena.dupe(?Model.Row, model.rows),
            .epoch = model.store.dirty.epoch,
        };
    }

    /// A walk over that tree finds those rows now.
    fn check(self: *const Moment, model: *Model) !void {
        var cursor: Cursor = .init(model.store.pages(), self.tree);
        var buffer: [config.key_size_max_any]u8 = undefined;
        for (self.rows, model.all) |row, key| {
            if (row == null) continue;
            try testing.expect(try cursor.next());
            try testing.expectEqualSlices(u8, key, try cursor.key(&buffer));
            try model.expectValue(row.?, cursor.value());
        }
        try testing.expect(!try cursor.next());
    }
};

test "savepoints and ranges at once: each keeps its moment, whatever is rolled back" {
    const store = try TestStore.create(testing.allocator, 512);
    defer store.destroy();
    var prng = std.Random.DefaultPrng.init(78);
    const random = prng.random();
    var model = try Model.create(store, random, .mixed, 200);
    defer model.destroy();
    for (0..20) |_| {
        var arena: std.heap.ArenaAllocator = .init(testing.allocator);
        defer arena.deinit();
        var savepoints: std.ArrayList(Moment) = .empty;
        var ranges: std.ArrayList(Moment) = .empty;
        for (0..30) |_| {
            for (0..10) |_| if (random.boolean()) try model.put() else try model.remove();
            switch (random.uintLessThan(u8, 6)) {
                0, 1 => {
                    try testing.expectEqual(savepoints.items.len, try store.dirty.savepoint());
                    try savepoints.append(arena.allocator(), try .of(arena.allocator(), &model));
                },
                2 => if (savepoints.items.len > 0) {
                    const at = random.uintLessThan(usize, savepoints.items.len);
                    const before = savepoints.items[at];
                    store.dirty.rollback(@intCast(at));
                    model.tree = before.tree;
                    @memcpy(model.rows, before.rows);
                    savepoints.shrinkRetainingCapacity(at);
                    // Ranges over what is taken back end with it.
                    while (ranges.getLastOrNull()) |range| {
                        if (range.epoch < before.epoch) break;
                        _ = ranges.pop();
                    }
                },
                3 => if (savepoints.items.len > 0) {
                    const at = random.uintLessThan(usize, savepoints.items.len);
                    store.dirty.releaseSavepoint(@intCast(at));
                    savepoints.shrinkRetainingCapacity(at);
                },
                4 => if (ranges.items.len < 4) {
                    store.dirty.freeze();
                    try ranges.append(arena.allocator(), try .of(arena.allocator(), &model));
                },
                else => try model.removeRange(),
            }
            _ = try checkTree(store, model.tree);
            for (ranges.items) |*moment| try moment.check(&model);
        }
        if (savepoints.items.len > 0) store.dirty.releaseSavepoint(0);
        try model.commit();
    }
    try model.checkAll();
}

test "a tree without entries answers everything with nothing" {
    const store = try TestStore.create(testing.allocator, 512);
    defer store.destroy();
    var tree: page.Tree = .empty;
    const pages = store.pages();
    try testing.expectEqual(null, try search.get(pages, tree, "a key"));
    try testing.expect(!try search.has(pages, tree, "a key"));
    try testing.expectEqual(0, try search.rank(pages, tree, "a key"));
    const wanted = [_][]const u8{ "a key", "b" };
    var found: [2]?leaf.Value = undefined;
    try many.get(pages, tree, &wanted, &found);
    for (found) |value| try testing.expect(value == null);
    const counted = try statistics.of(pages, tree);
    try testing.expectEqual(statistics.Statistics{}, counted);
    var cursor: Cursor = .init(pages, tree);
    try testing.expect(!try cursor.first());
    try testing.expect(!try cursor.last());
    try testing.expect(!try cursor.seek("a key"));
    try testing.expect(!try cursor.seekBefore("a key"));
    try testing.expectEqual(0, try remove_range.removeRange(&store.dirty, &tree, "a", "b"));
    // With one entry its key has an order towards others.
    for ([_][]const u8{ "b", "a" }) |key| {
        _ = try insert.put(&store.dirty, &tree, key, "1", .upsert);
    }
    cursor = .init(store.pages(), tree);
    try testing.expect(try cursor.seek("b"));
    try testing.expectEqual(.gt, try cursor.order("a"));
    try testing.expectEqual(.eq, try cursor.order("b"));
    try testing.expectEqual(.lt, try cursor.order("b and more"));
    // A key that is only the beginning of what the keys of a page share.
    for (0..40) |number| {
        const key = "a long beginning" ++ [_]u8{@intCast('a' + number)};
        _ = try insert.put(&store.dirty, &tree, key, "1" ** 30, .upsert);
    }
    cursor = .init(store.pages(), tree);
    try testing.expect(try cursor.seek("a long beginningz"));
    try testing.expectEqual(.gt, try cursor.order("a long"));
}

test "no memory for a frame: the operation fails, and what was before can be had back" {
    const store = try TestStore.create(testing.allocator, 512);
    defer store.destroy();
    var prng = std.Random.DefaultPrng.init(78);
    var model = try Model.create(store, prng.random(), .mixed, 300);
    defer model.destroy();
    for (0..300) |_| try model.put();
    const rows = try testing.allocator.dupe(?Model.Row, model.rows);
    defer testing.allocator.free(rows);
    const plain = store.dirty.set.allocator;
    for (0..60) |round| {
        const tree = model.tree;
        @memcpy(rows, model.rows);
        const level = try store.dirty.savepoint();
        var failing = std.testing.FailingAllocator.init(plain, .{ .fail_index = round % 4 });
        store.dirty.set.allocator = failing.allocator();
        const result = for (0..200) |_| {
            const step = switch (prng.random().uintLessThan(u8, 5)) {
                0 => model.putAscending(),
                1, 2 => model.put(),
                else => model.remove(),
            };
            step catch |err| break err;
        } else {};
        store.dirty.set.allocator = plain;
        if (result) |_| {
            store.dirty.releaseSavepoint(level);
        } else |err| {
            try testing.expectEqual(error.OutOfMemory, err);
            store.dirty.rollback(level);
            model.tree = tree;
            @memcpy(model.rows, rows);
        }
        _ = try checkTree(store, model.tree);
        try model.checkGets(5);
        if (round % 20 == 19) try model.commit();
    }
    try model.checkAll();
}

/// A tree in the file whose pages are damaged one at a time, all checksums put right.
const Damage = struct {
    store: *TestStore,
    tree: page.Tree,
    random: std.Random,
    page_size: u32,

    /// Damages one page, and its ancestors as far as they hold checksums. Returns the tree.
    fn strike(self: *Damage, kept: *[config.depth_max]Kept, kept_count: *usize) !page.Tree {
        const pages = self.store.pages();
        var refs: [config.depth_max]page.Ref = undefined;
        var slots: [config.depth_max]u32 = undefined;
        refs[0] = self.tree.ref;
        const depth = self.random.uintLessThan(usize, self.tree.depth);
        for (0..depth) |level| {
            const bytes = try pages.page(refs[level]);
            slots[level] = self.random.uintLessThan(u32, page.count(bytes));
            refs[level + 1] = branch.child(bytes, slots[level]).ref;
        }
        var level = depth + 1;
        while (level > 0) {
            level -= 1;
            const copy: []align(8) u8 = @alignCast(kept[level].new[0..self.page_size]);
            @memcpy(copy, try pages.page(refs[level]));
            @memcpy(kept[level].old[0..self.page_size], copy);
            kept[level].pgno = refs[level].pgno;
            if (level == depth) {
                self.hurt(copy);
            } else {
                branch.setRef(copy, slots[level], refs[level + 1]);
            }
            refs[level].checksum = page.checksum(copy, refs[level].pgno);
        }
        kept_count.* = depth + 1;
        for (kept[0 .. depth + 1]) |*one| {
            try self.store.file.write(one.pgno, one.new[0..self.page_size]);
        }
        var tree = self.tree;
        tree.ref = refs[0];
        return tree;
    }

    const Kept = struct {
        pgno: u32,
        old: [4096]u8 align(8),
        new: [4096]u8 align(8),
    };

    /// A few bytes, more often where structure lies than in keys and values.
    fn hurt(self: *Damage, bytes: []align(8) u8) void {
        const count = page.count(bytes);
        const heads = page.headsOffset(bytes);
        var entry_offsets: [4]u32 = undefined;
        for (&entry_offsets) |*offset| {
            offset.* = page.slots(bytes)[self.random.uintLessThan(u32, count)];
        }
        for (entry_offsets[0 .. self.random.uintLessThan(usize, 4) + 1]) |offset| {
            const at: usize = switch (self.random.uintLessThan(u8, 4)) {
                0 => self.random.uintLessThan(usize, 24),
                1 => heads + self.random.uintLessThan(usize, 6 * count),
                2 => @min(bytes.len - 1, offset + self.random.uintLessThan(usize, 56)),
                else => self.random.uintLessThan(usize, bytes.len),
            };
            // Number and commit of the page stay: what follows is about its structure.
            if (at >= 4 and at < 16) continue;
            bytes[at] = switch (self.random.uintLessThan(u8, 3)) {
                0 => self.random.int(u8),
                1 => bytes[at] +% 1,
                else => bytes[at] ^ (@as(u8, 1) << self.random.int(u3)),
            };
        }
    }

    fn restore(self: *Damage, kept: []const Kept) !void {
        for (kept) |*one| try self.store.file.write(one.pgno, one.old[0..self.page_size]);
    }
};

/// What damaged trees may answer; anything else is a failure of the test.
fn allow(result: anytype) anyerror!bool {
    if (result) |_| return true else |err| {
        const other: anyerror = err;
        return if (other == error.Corrupt) false else other;
    }
}

fn readDamaged(model: *Model, tree: page.Tree) !bool {
    const pages = model.store.pages();
    var is_sound = true;
    for (0..5) |_| {
        const key = model.all[model.random.uintLessThan(usize, model.all.len)];
        is_sound = try allow(search.get(pages, tree, key)) and is_sound;
        is_sound = try allow(search.rank(pages, tree, key)) and is_sound;
    }
    var cursor = Cursor.init(pages, tree);
    var buffer: [config.key_size_max_any]u8 = undefined;
    const is_forward = model.random.boolean();
    if (!is_forward) cursor.state = .behind_last;
    // A walk visits each leaf once at most, whatever the tree says.
    for (0..model.all.len * 8) |_| {
        const moved = (if (is_forward) cursor.next() else cursor.prev()) catch return false;
        if (!moved) break;
        is_sound = try allow(cursor.key(&buffer)) and is_sound;
        is_sound = try allow(search.valueBytes(pages, cursor.value())) and is_sound;
    } else return error.EndlessWalk;
    return is_sound;
}

fn writeDamaged(model: *Model, damaged: page.Tree) !void {
    const dirty = &model.store.dirty;
    var tree = damaged;
    for (0..6) |_| {
        const key = model.all[model.random.uintLessThan(usize, model.all.len)];
        const other = model.all[model.random.uintLessThan(usize, model.all.len)];
        const is_done = switch (model.random.uintLessThan(u8, 5)) {
            0 => try allow(insert.put(dirty, &tree, key, "v" ** 60, .upsert)),
            1 => try allow(insert.put(dirty, &tree, key, "v" ** 300, .upsert)),
            2 => try allow(delete.remove(dirty, &tree, key)),
            3 => try allow(putAscendingDamaged(model, &tree)),
            else => try allow(remove_range.removeRange(dirty, &tree, key, other)),
        };
        // After an error the transaction is rolled back.
        if (!is_done) return;
    }
}

fn putAscendingDamaged(model: *Model, tree: *page.Tree) !void {
    var finger: insert.Finger = .init(&model.store.dirty, tree, .upsert);
    var id = model.random.uintLessThan(usize, model.all.len);
    while (id < model.all.len) : (id += model.random.uintLessThan(usize, 30)) {
        _ = try finger.put(model.all[id], "v" ** 50);
    }
}

fn runDamage(seed: u64, page_size: u32, shape: Shape, rounds: usize) !void {
    errdefer std.debug.print("seed {} page {} shape {t}: ZEOLITE_OFFSET={}\n", .{
        seed, page_size, shape, seeds.offset(),
    });
    var prng = std.Random.DefaultPrng.init(seed + seeds.offset());
    const store = try TestStore.create(testing.allocator, page_size);
    defer store.destroy();
    var model = try Model.create(store, prng.random(), shape, 400);
    defer model.destroy();
    for (0..600) |_| try model.put();
    try model.commit();
    var damage: Damage = .{
        .store = store,
        .tree = model.tree,
        .random = prng.random(),
        .page_size = page_size,
    };
    const kept = try testing.allocator.create([config.depth_max]Damage.Kept);
    defer testing.allocator.destroy(kept);
    var kept_count: usize = 0;
    for (0..rounds) |_| {
        const tree = try damage.strike(kept, &kept_count);
        _ = try readDamaged(&model, tree);
        const level = try store.dirty.savepoint();
        try writeDamaged(&model, tree);
        store.dirty.rollback(level);
        try damage.restore(kept[0..kept_count]);
    }
    _ = try checkTree(store, model.tree);
    try model.checkAll();
    counts.print(.@"damage cases", rounds);
}

test "damage: pages with hostile contents and right checksums" {
    for (0..4) |seed| try runDamage(seed, 512, @enumFromInt(seed), 1500);
    try runDamage(4, 4096, .mixed, 500);
}

test "damage: what validate lets pass can be walked and put together again" {
    var prng = std.Random.DefaultPrng.init(9);
    const store = try TestStore.create(testing.allocator, 512);
    defer store.destroy();
    var model = try Model.create(store, prng.random(), .mixed, 300);
    defer model.destroy();
    for (0..500) |_| try model.put();
    try model.commit();
    var damage: Damage = .{
        .store = store,
        .tree = model.tree,
        .random = prng.random(),
        .page_size = 512,
    };
    var passed: usize = 0;
    const case_count = 20_000;
    for (0..case_count) |_| {
        var pgno: u32 = 2 + prng.random().uintLessThan(u32, store.space.page_count - 2);
        const source = store.file.bytes(pgno, 1);
        page.validate(source, pgno) catch continue;
        var copy: [512]u8 align(8) = undefined;
        @memcpy(&copy, source);
        damage.hurt(&copy);
        pgno = page.header(&copy).pgno;
        page.validate(&copy, pgno) catch continue;
        passed += 1;
        page.verify(&copy);
        for (0..page.count(&copy)) |index| {
            const item = entries.itemOf(&copy, @intCast(index));
            std.mem.doNotOptimizeAway(item.size());
            const key = item.key.local[0..@min(item.key.local.len, 90)];
            _ = switch (page.kind(&copy)) {
                .leaf => page.find(&copy, .leaf, key),
                else => page.find(&copy, .branch, key),
            };
        }
        var sequence: entries.Sequence = .{ .kind = page.kind(&copy) };
        sequence.addRange(&copy, 0, page.count(&copy));
        try sequence.check();
        var other: [512]u8 align(8) = undefined;
        const group = sequence.measure(0, sequence.count, 0, 512);
        try sequence.build(group, &other);
        page.removeEntries(&other, 0, page.count(&other));
    }
    try testing.expect(passed > 100);
    counts.print(.@"damage cases", case_count);
}
