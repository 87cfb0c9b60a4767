//! Builds a tree from entries that come in the order of their keys, leaves first and full, branches
//! above them, in one pass. Every page goes to the end of a new file as soon as nothing more fits
//! into it; memory is one page a level.
//!
//! ```text
//! level 2                   [ .   60 ...
//! level 1       [ .  20  40 ]    [ .   80 ...        a page is sealed when its next entry does
//! level 0  [10] [20 30] [40 50]  [60 70] [80 ...     not fit; its parent then takes it in
//! ```
//!
//! Invariants: a page waits as keys relative to its first one, since its prefix is known only with
//! its last; a branch keeps its last child back when it is sealed, so that none ever has one child
//! alone; no recursion.

const std = @import("std");
const assert = std.debug.assert;
const Allocator = std.mem.Allocator;
const config = @import("../config.zig");
const bytes_format = @import("../format/bytes.zig");
const page = @import("../format/page.zig");
const branch = @import("../format/branch.zig");
const entries = @import("../format/entries.zig");
const overflow = @import("../format/overflow.zig");
const Appender = @import("../store/Appender.zig");
const keys = @import("keys.zig");

const Builder = @This();

pub const Error = Appender.Error || error{Corrupt};

/// What a key gets: bytes to be placed, or a run of the new file that holds them.
pub const Value = union(enum) { bytes: []const u8, run: Run };
pub const Run = struct { ref: page.RunRef, size: u32 };

/// With fewer keys than this a page gets no prefix: they say little about the keys to come.
const few_keys_max = 4;

/// An entry that waits: header, the key behind what it shares with the first one, tail, rest.
const Waiting = struct {
    offset: u32,
    shared: u32,
    local_size: u32,
    tail_size: u32,
    rest_size: u32,
};

const tail_size = @sizeOf(page.TailBytes);

const Level = struct {
    kind: page.Kind,
    items: std.ArrayList(Waiting) = .empty,
    bytes: std.ArrayList(u8) = .empty,
    /// Local key of the first entry that has one.
    first: std.ArrayList(u8) = .empty,
    /// Separator in front of the page, and its tail; that of a sealed page until it is passed on.
    up: std.ArrayList(u8) = .empty,
    up_tail_size: u32 = 0,
    sealed_up: std.ArrayList(u8) = .empty,
    sealed_tail_size: u32 = 0,
    /// Bytes of all entries without any prefix, their heads and slots with them.
    sum: u32 = 0,
    /// What the keys share with each other.
    common: u32 = 0,
    entries: u64 = 0,
    has_runs: bool = false,

    fn deinit(self: *Level, allocator: Allocator) void {
        inline for (.{ "items", "bytes", "first", "up", "sealed_up" }) |name| {
            @field(self, name).deinit(allocator);
        }
    }

    fn keyCount(self: *const Level) u32 {
        const count: u32 = @intCast(self.items.items.len);
        return if (self.kind == .leaf) count else count -| 1;
    }

    fn sizeWith(self: *const Level, prefix_size: u32) u32 {
        return entries.pageSize(self.sum, prefix_size, self.keyCount());
    }

    /// Size of the page with one more entry.
    fn sizeAfter(self: *const Level, item: entries.Item) u32 {
        const key_count = self.keyCount();
        const common: u32 = if (key_count == 0) item.key.size() else self.commonWith(item.key);
        const sum = self.sum + item.size();
        return entries.pageSize(sum, entries.bestPrefix(common, key_count + 1), key_count + 1);
    }

    fn commonWith(self: *const Level, key: entries.Key) u32 {
        return @min(self.common, entries.Key.commonPrefix(.{ .local = self.first.items }, key));
    }

    fn prefixSize(self: *const Level, page_size: u32) u32 {
        const key_count = self.keyCount();
        if (key_count < few_keys_max and self.sizeWith(0) <= page_size) return 0;
        return entries.bestPrefix(self.common, key_count);
    }

    /// Entry `index`, valid until the next change.
    fn at(self: *const Level, index: usize) entries.Item {
        const item = self.items.items[index];
        const header_size = page.entryHeaderSize(self.kind);
        const all = self.bytes.items[item.offset..];
        const tail_start = header_size + item.local_size;
        return .{
            .header = all[0..header_size],
            .key = .{
                .prefix = self.first.items[0..item.shared],
                .local = all[header_size..tail_start],
                .tail = all[tail_start..][0..item.tail_size],
            },
            .rest = all[tail_start + item.tail_size ..][0..item.rest_size],
        };
    }

    fn add(self: *Level, allocator: Allocator, item: entries.Item) error{OutOfMemory}!void {
        const is_keyless = self.kind == .branch and self.items.items.len == 0;
        if (!is_keyless and self.keyCount() == 0) {
            try self.first.resize(allocator, item.key.size());
            item.key.copyTo(self.first.items, 0);
            self.common = item.key.size();
        }
        const first: entries.Key = .{ .local = self.first.items };
        const shared = if (is_keyless) 0 else entries.Key.commonPrefix(first, item.key);
        const waiting: Waiting = .{
            .offset = @intCast(self.bytes.items.len),
            .shared = shared,
            .local_size = item.key.size() - shared,
            .tail_size = @intCast(item.key.tail.len),
            .rest_size = @intCast(item.rest.len),
        };
        const size = item.header.len + waiting.local_size + item.key.tail.len + item.rest.len;
        try self.items.ensureUnusedCapacity(allocator, 1);
        try self.bytes.ensureUnusedCapacity(allocator, size);
        self.bytes.appendSliceAssumeCapacity(item.header);
        item.key.copyTo(self.bytes.addManyAsSliceAssumeCapacity(waiting.local_size), shared);
        self.bytes.appendSliceAssumeCapacity(item.key.tail);
        self.bytes.appendSliceAssumeCapacity(item.rest);
        self.items.appendAssumeCapacity(waiting);
        if (!is_keyless) self.common = @min(self.common, shared);
        self.sum += item.size();
    }

    fn setUp(self: *Level, allocator: Allocator, key: entries.Key) error{OutOfMemory}!void {
        try self.up.resize(allocator, key.size() + key.tail.len);
        key.copyTo(self.up.items[0..key.size()], 0);
        @memcpy(self.up.items[key.size()..], key.tail);
        self.up_tail_size = @intCast(key.tail.len);
    }

    /// The separator in front of the page that was sealed last.
    fn sealedKey(self: *const Level) entries.Key {
        const size = self.sealed_up.items.len - self.sealed_tail_size;
        return .{ .local = self.sealed_up.items[0..size], .tail = self.sealed_up.items[size..] };
    }

    fn clear(self: *Level) void {
        std.mem.swap(std.ArrayList(u8), &self.up, &self.sealed_up);
        self.sealed_tail_size = self.up_tail_size;
        self.up_tail_size = 0;
        inline for (.{ "items", "bytes", "first", "up" }) |name| {
            @field(self, name).clearRetainingCapacity();
        }
        self.sum = 0;
        self.common = 0;
        self.entries = 0;
        self.has_runs = false;
    }
};

allocator: Allocator,
output: *Appender,
/// Commit that the pages name as their own.
txnid: u64,
levels: [config.depth_max]Level,
/// Where the page that is sealed is put together.
frame: []align(64) u8,
/// The last key added, whole.
last: std.ArrayList(u8) = .empty,
count: u64 = 0,

pub fn init(allocator: Allocator, output: *Appender, txnid: u64) error{OutOfMemory}!Builder {
    var self: Builder = .{
        .allocator = allocator,
        .output = output,
        .txnid = txnid,
        .levels = @splat(.{ .kind = .branch }),
        .frame = try allocator.alignedAlloc(u8, .@"64", output.page_size),
    };
    self.levels[0].kind = .leaf;
    return self;
}

pub fn deinit(self: *Builder) void {
    for (&self.levels) |*level| level.deinit(self.allocator);
    self.last.deinit(self.allocator);
    self.allocator.free(self.frame);
    self.* = undefined;
}

/// Appends an entry; `key` stands behind all that came before.
pub fn add(self: *Builder, key: []const u8, value: Value) Error!void {
    if (self.count > 0 and bytes_format.order(self.last.items, key) != .lt) return error.Corrupt;
    if (key.len > config.keySizeMax(self.output.page_size)) return error.Corrupt;
    const local = keys.localOf(key, self.output.page_size);
    var tail_buffer: [tail_size]u8 = undefined;
    const tail = try self.tailOf(key[local.len..], &tail_buffer);
    var run_buffer: [@sizeOf(page.RunBytes)]u8 = undefined;
    const is_inline = self.isInline(local.len + tail.len, value);
    const size: u32 = switch (value) {
        .bytes => |bytes| std.math.cast(u32, bytes.len) orelse return error.Corrupt,
        .run => |run| run.size,
    };
    const header: [@sizeOf(page.LeafEntry)]u8 = @bitCast(page.LeafEntry{
        .local_size = 0,
        .value_kind = @intFromEnum(if (is_inline) page.ValueKind.@"inline" else .overflow),
        .flags = 0,
        .value_size = size,
    });
    const item: entries.Item = .{
        .key = .{ .local = local, .tail = tail },
        .header = &header,
        .rest = if (is_inline) value.bytes else try self.runOf(value, &run_buffer),
    };
    const ground = &self.levels[0];
    if (ground.items.items.len > 0 and ground.sizeAfter(item) > self.output.page_size) {
        try self.passUp(0);
        try self.separate(key);
    }
    try ground.add(self.allocator, item);
    ground.entries += 1;
    ground.has_runs = ground.has_runs or tail.len > 0 or !is_inline;
    self.count += 1;
    self.last.clearRetainingCapacity();
    try self.last.appendSlice(self.allocator, key);
}

/// The tail of a long key, in a run of its own.
fn tailOf(self: *Builder, bytes: []const u8, buffer: *[tail_size]u8) Error![]const u8 {
    if (bytes.len == 0) return "";
    const run = try self.writeRun(bytes);
    const tail: page.TailBytes = .{ .size = @intCast(bytes.len), .run = .of(run) };
    buffer.* = @bitCast(tail);
    return buffer;
}

/// Whether the entry with a key of `key_size` bytes in the page holds its value as well.
fn isInline(self: *const Builder, key_size: usize, value: Value) bool {
    if (value == .run) return false;
    const size = @sizeOf(page.LeafEntry) + config.slot_cost + key_size + value.bytes.len;
    return size <= config.entrySizeMax(self.output.page_size);
}

/// The run that holds a value, as it lies in an entry.
fn runOf(
    self: *Builder,
    value: Value,
    buffer: *[@sizeOf(page.RunBytes)]u8,
) Error![]const u8 {
    const ref = switch (value) {
        .run => |run| run.ref,
        .bytes => |bytes| try self.writeRun(bytes),
    };
    buffer.* = @bitCast(page.RunBytes.of(ref));
    return buffer;
}

fn writeRun(self: *Builder, bytes: []const u8) Error!page.RunRef {
    const pgno = try self.output.next();
    try self.output.append(bytes);
    try self.output.pad();
    return .{ .pgno = pgno, .checksum = overflow.checksum(bytes, pgno), .txnid = self.txnid };
}

/// The leaf that `key` begins gets the shortest separator that is above the last key.
fn separate(self: *Builder, key: []const u8) Error!void {
    const common = bytes_format.commonPrefix(self.last.items, key);
    const size = common + 1;
    const local = keys.localOf(key[0..size], self.output.page_size);
    var buffer: [tail_size]u8 = undefined;
    const tail = try self.tailOf(key[local.len..size], &buffer);
    try self.levels[0].setUp(self.allocator, .{ .local = local, .tail = tail });
}

/// Seals the page of `level`, and hands it to the one above; as far up as pages are full.
fn passUp(self: *Builder, level: usize) Error!void {
    var child = try self.seal(level);
    for (level + 1..config.depth_max) |at| {
        const key = self.levels[at - 1].sealedKey();
        const header = branch.entryBytes(child);
        const item: entries.Item = .{ .key = key, .header = &header };
        const parent = &self.levels[at];
        const is_full = parent.items.items.len > 0 and
            parent.sizeAfter(item) > self.output.page_size;
        const above = if (is_full) try self.seal(at) else null;
        try self.adopt(parent, item, child);
        child = above orelse return;
    }
    return error.Corrupt;
}

/// Puts a child into the page of its parent.
fn adopt(self: *Builder, parent: *Level, item: entries.Item, child: branch.Child) Error!void {
    if (parent.items.items.len == 0) {
        try parent.setUp(self.allocator, item.key);
        try parent.add(self.allocator, .{ .key = .none, .header = item.header });
    } else {
        try parent.add(self.allocator, item);
        parent.has_runs = parent.has_runs or item.key.tail.len > 0;
    }
    parent.entries += child.entries;
    parent.has_runs = parent.has_runs or child.has_runs;
}

/// Writes the page of `level` and begins the next one. A branch that goes on keeps its last child
/// for that.
fn seal(self: *Builder, at: usize) Error!branch.Child {
    const level = &self.levels[at];
    if (level.kind == .leaf) return self.sealAll(level);
    const count = level.items.items.len;
    if (count < 3) return error.Corrupt;
    const last = level.at(count - 1);
    var header: [@sizeOf(page.BranchEntry)]u8 = last.header[0..@sizeOf(page.BranchEntry)].*;
    var key: [config.local_size_max_any + tail_size]u8 = undefined;
    const local = key[0..last.key.size()];
    last.key.copyTo(local, 0);
    const tail = key[local.len..][0..last.key.tail.len];
    @memcpy(tail, last.key.tail);
    const kept = childOf(&header);
    level.sum -= last.size();
    level.items.items.len -= 1;
    level.entries -= kept.entries;
    // Keys ascend, so the last one left shares least with the first.
    level.common = level.items.items[count - 2].shared;
    const sealed = try self.sealAll(level);
    const item: entries.Item = .{ .key = .{ .local = local, .tail = tail }, .header = &header };
    try self.adopt(level, item, kept);
    return sealed;
}

fn childOf(header: *const [@sizeOf(page.BranchEntry)]u8) branch.Child {
    const slot: page.BranchEntry = @bitCast(header.*);
    return .{
        .ref = .{ .pgno = slot.pgno, .checksum = slot.checksum, .dirty = false },
        .entries = slot.entries,
        .has_runs = slot.flags & page.flag_runs != 0,
    };
}

/// Writes what waits at a level as one page.
fn sealAll(self: *Builder, level: *Level) Error!branch.Child {
    const pgno = try self.output.next();
    self.fill(level);
    page.setNumber(self.frame, pgno, self.txnid);
    page.verify(self.frame);
    const checksum = page.checksum(self.frame, pgno);
    try self.output.append(self.frame);
    const child: branch.Child = .{
        .ref = .{ .pgno = pgno, .checksum = checksum, .dirty = false },
        .entries = level.entries,
        .has_runs = level.has_runs,
    };
    level.clear();
    return child;
}

/// Puts the page together, entries in ascending order, no gap between them.
fn fill(self: *Builder, level: *const Level) void {
    const bytes = self.frame;
    const page_size: u32 = @intCast(bytes.len);
    const count: u32 = @intCast(level.items.items.len);
    const prefix_size = level.prefixSize(page_size);
    const size = level.sizeWith(prefix_size);
    assert(size <= page_size);
    const heads_start = config.page_header_size + bytes_format.padded(prefix_size);
    const slots_start = heads_start + 4 * count;
    const heap_size = size - heads_start - config.slot_cost * count;
    @memset(bytes[0 .. page_size - heap_size], 0);
    page.headerOf(bytes).kind = @intFromEnum(level.kind);
    page.headerOf(bytes).count = @intCast(count);
    page.headerOf(bytes).prefix_size = @intCast(prefix_size);
    page.headerOf(bytes).heap_size = @intCast(heap_size);
    @memcpy(bytes[config.page_header_size..][0..prefix_size], level.first.items[0..prefix_size]);
    var offset = page_size - heap_size;
    for (0..count) |index| {
        const item = level.at(index);
        const skip = if (level.kind == .branch and index == 0) 0 else prefix_size;
        const entry_size = item.size() - config.slot_cost - skip;
        const local = entries.writeItem(level.kind, bytes[offset..][0..entry_size], item, skip);
        const head_at = heads_start + 4 * index;
        std.mem.writeInt(u32, bytes[head_at..][0..4], bytes_format.head(local), .little);
        std.mem.writeInt(u16, bytes[slots_start + 2 * index ..][0..2], @intCast(offset), .little);
        offset += entry_size;
    }
    assert(offset == page_size);
}

/// Forgets everything, to build another tree.
pub fn reset(self: *Builder) void {
    for (&self.levels) |*level| level.clear();
    self.last.clearRetainingCapacity();
    self.count = 0;
}

/// The tree of all that was added. `reset` comes before anything more is added.
pub fn finish(self: *Builder) Error!page.Tree {
    if (self.count == 0) return .empty;
    for (0..config.depth_max) |at| {
        const child = try self.sealAll(&self.levels[at]);
        const is_root = at + 1 == config.depth_max or self.levels[at + 1].items.items.len == 0;
        if (is_root) return .{
            .ref = child.ref,
            .depth = @intCast(at + 1),
            .entries = child.entries,
            .has_runs = child.has_runs,
        };
        try self.finishParent(at + 1, child);
    }
    return error.Corrupt;
}

/// Hands the last page of a level to the page above it.
fn finishParent(self: *Builder, at: usize, child: branch.Child) Error!void {
    const header = branch.entryBytes(child);
    const item: entries.Item = .{ .key = self.levels[at - 1].sealedKey(), .header = &header };
    const parent = &self.levels[at];
    if (parent.sizeAfter(item) > self.output.page_size) {
        try self.passUp(at);
    }
    try self.adopt(parent, item, child);
}

const testing = std.testing;
const TestDisk = @import("../os/os.zig").TestDisk;
const os_types = @import("../os/types.zig");
const File = @import("../store/File.zig");
const Pages = @import("../store/Pages.zig");
const Snapshot = @import("../store/Snapshot.zig");
const Cursor = @import("Cursor.zig");
const search = @import("search.zig");

/// Key and value `number` of a test; keys ascend with it.
const TestEntry = struct {
    key: [300]u8 = @splat('k'),
    key_size: usize,
    value: [1000]u8,
    value_size: usize,

    fn of(number: u32, page_size: u32, shape: u32) TestEntry {
        var prng = std.Random.DefaultPrng.init(number + 1000 * shape);
        const random = prng.random();
        var self: TestEntry = .{
            .key_size = 12 + random.uintLessThan(u32, 30),
            .value = @splat(@truncate(number)),
            .value_size = if (number % 7 == 0) 1000 else random.uintLessThan(u32, 100),
        };
        if (shape == 0) {
            std.mem.writeInt(u32, self.key[4..8], number, .big);
            return self;
        }
        // Long keys, of which ten each differ in their tails only, where the page is small.
        std.mem.writeInt(u32, self.key[0..4], number / 10, .big);
        std.mem.writeInt(u32, self.key[250..254], number, .big);
        self.key_size = @min(config.keySizeMax(page_size), 254);
        return self;
    }
};

fn expectBuilt(count: u32, page_size: u32, shape: u32) !void {
    errdefer std.debug.print("{d} entries, page size {d}, shape {d}\n", .{
        count, page_size, shape,
    });
    var disk = try TestDisk.init();
    defer disk.deinit();
    var path: [os_types.path_size_max]u8 = undefined;
    const fd = try disk.os.open(try disk.path(&path, "x"), .{ .write = true, .create = true });
    defer disk.os.close(fd);
    var output = try Appender.init(testing.allocator, disk.os, fd, page_size);
    defer output.deinit();
    var builder = try Builder.init(testing.allocator, &output, 7);
    defer builder.deinit();
    for (0..count) |number| {
        const entry: TestEntry = .of(@intCast(number), page_size, shape);
        const value: Value = .{ .bytes = entry.value[0..entry.value_size] };
        try builder.add(entry.key[0..entry.key_size], value);
    }
    const tree = try builder.finish();
    const page_count = try output.next();
    try output.write();
    try disk.os.truncate(fd, std.mem.alignForward(u64, @as(u64, page_count) * page_size, 4096));
    var file = try File.init(disk.os, fd, .{ .page_size = page_size, .size_max = 1 << 30 });
    defer file.deinitKeepFile();
    try file.map(page_count);
    const snapshot: Snapshot = .{ .file = &file, .txnid = 7, .page_count = page_count };
    try expectEntries(.{ .snapshot = &snapshot }, tree, count, shape);
}

fn expectEntries(pages: Pages, tree: page.Tree, count: u32, shape: u32) !void {
    try testing.expectEqual(@as(u64, count), tree.entries);
    var cursor: Cursor = .init(pages, tree);
    var buffer: [config.key_size_max_any]u8 = undefined;
    for (0..count) |number| {
        const entry: TestEntry = .of(@intCast(number), pages.snapshot.file.page_size, shape);
        try testing.expect(if (number == 0) try cursor.first() else try cursor.next());
        try testing.expectEqualSlices(u8, entry.key[0..entry.key_size], try cursor.key(&buffer));
        const value = try search.valueBytes(pages, cursor.value());
        try testing.expectEqualSlices(u8, entry.value[0..entry.value_size], value);
        try testing.expectEqual(@as(u64, number), try cursor.rank());
    }
    try testing.expect(!try cursor.next());
}

test "Builder: every count of entries makes a sound tree" {
    for ([_]u32{ 512, 1024, 4096 }) |page_size| {
        for ([_]u32{ 0, 1 }) |shape| {
            for (0..60) |count| try expectBuilt(@intCast(count), page_size, shape);
            try expectBuilt(2500, page_size, shape);
        }
    }
}

test "Builder refuses keys that do not ascend" {
    var disk = try TestDisk.init();
    defer disk.deinit();
    var path: [os_types.path_size_max]u8 = undefined;
    const fd = try disk.os.open(try disk.path(&path, "x"), .{ .write = true, .create = true });
    defer disk.os.close(fd);
    var output = try Appender.init(testing.allocator, disk.os, fd, 512);
    defer output.deinit();
    var builder = try Builder.init(testing.allocator, &output, 7);
    defer builder.deinit();
    try builder.add("b", .{ .bytes = "1" });
    try testing.expectError(error.Corrupt, builder.add("b", .{ .bytes = "1" }));
    try testing.expectError(error.Corrupt, builder.add("a", .{ .bytes = "1" }));
    builder.reset();
    try builder.add("a", .{ .bytes = "1" });
    try testing.expectEqual(@as(u64, 1), (try builder.finish()).entries);
}
