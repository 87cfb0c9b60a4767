//! Entries on their way from pages to pages: how a page is put together again, split, merged with
//! its neighbour or evened out with it. A `Sequence` names entries in order, from one page or two
//! and from outside; a `Group` is a part of it that is to be one page; `build` writes that page.
//! The sources are never changed, and the new page is never one of them.
//!
//! ```text
//! page A [a b c d]   change: c -> x y    page B [e f]        one sequence: a b x y d e f
//!                                                            groups:      [a b x] [y d e f]
//! ```
//!
//! Invariant: the first key of a group of branch entries is not in the page; it goes up as the
//! separator of the page. The prefix of a page is that of its keys (see page.zig), so a page made
//! of few keys takes only what `hint` allows: they say little about the keys to come.

const std = @import("std");
const assert = std.debug.assert;
const config = @import("../config.zig");
const bytes_format = @import("bytes.zig");
const page = @import("page.zig");

/// A local key in two pieces, as a page keeps it, and its tail.
pub const Key = struct {
    prefix: []const u8 = "",
    local: []const u8 = "",
    tail: []const u8 = "",

    pub const none: Key = .{};

    pub fn size(self: Key) u32 {
        return @intCast(self.prefix.len + self.local.len);
    }

    /// The bytes from `index` on that lie together.
    fn from(self: Key, index: usize) []const u8 {
        if (index < self.prefix.len) return self.prefix[index..];
        return self.local[index - self.prefix.len ..];
    }

    pub fn copyTo(self: Key, out: []u8, skip: usize) void {
        assert(out.len == self.size() - skip);
        const head_size = self.prefix.len -| skip;
        @memcpy(out[0..head_size], self.prefix[self.prefix.len - head_size ..]);
        const local_skip = skip -| self.prefix.len;
        @memcpy(out[head_size..], self.local[local_skip..]);
    }

    /// The first bytes of the key.
    pub fn copyFirst(self: Key, out: []u8) void {
        assert(out.len <= self.size());
        const head_size = @min(out.len, self.prefix.len);
        @memcpy(out[0..head_size], self.prefix[0..head_size]);
        @memcpy(out[head_size..], self.local[0 .. out.len - head_size]);
    }

    pub fn commonPrefix(a: Key, b: Key) u32 {
        var index: usize = 0;
        // Each round reaches the end of a piece: two pieces each.
        for (0..4) |_| {
            const x = a.from(index);
            const y = b.from(index);
            const shared = @min(x.len, y.len);
            const common = bytes_format.commonPrefix(x[0..shared], y[0..shared]);
            index += common;
            if (common < shared or shared == 0) break;
        }
        return @intCast(index);
    }

    /// Order of the local keys.
    pub fn order(a: Key, b: Key) std.math.Order {
        const index = commonPrefix(a, b);
        const x = a.from(index);
        const y = b.from(index);
        if (x.len == 0 or y.len == 0) return std.math.order(a.size(), b.size());
        return std.math.order(x[0], y[0]);
    }

    pub fn isBelow(a: Key, b: Key) bool {
        return switch (order(a, b)) {
            .lt => true,
            .gt => false,
            .eq => b.tail.len > 0,
        };
    }
};

/// An entry of a page or to be.
pub const Item = struct {
    key: Key,
    /// The fixed part: 8 bytes in a leaf, 24 in a branch. Size and tail flag in it do not count.
    header: []const u8,
    /// Value or run of a leaf entry.
    rest: []const u8 = "",

    /// What it takes in a page without prefix, with head and slot.
    pub fn size(self: Item) u32 {
        const fixed = self.header.len + self.key.tail.len + self.rest.len;
        return @as(u32, @intCast(fixed)) + self.key.size() + config.slot_cost;
    }
};

/// Entry `index` of a page.
pub fn itemOf(bytes: []align(8) const u8, index: u32) Item {
    const all = page.entry(bytes, index);
    const header_size = page.entryHeaderSize(page.kind(bytes));
    const local = page.local(bytes, index);
    const tail = page.tailBytes(bytes, index);
    return .{
        .key = .{ .prefix = page.prefix(bytes), .local = local, .tail = tail },
        .header = all[0..header_size],
        .rest = all[header_size + local.len + tail.len ..],
    };
}

/// Writes an entry that leaves out the first `skip` bytes of its key. Returns the key's rest.
pub fn writeItem(kind: page.Kind, out: []u8, item: Item, skip: u32) []const u8 {
    assert(out.len == item.size() - config.slot_cost - skip);
    const header_size = item.header.len;
    @memcpy(out[0..header_size], item.header);
    const local_size = item.key.size() - skip;
    std.mem.writeInt(u16, out[0..2], @intCast(local_size), .little);
    const flags = &out[if (kind == .leaf) 3 else 2];
    flags.* = (flags.* & ~page.flag_tail) | if (item.key.tail.len > 0) page.flag_tail else 0;
    const local = out[header_size..][0..local_size];
    item.key.copyTo(local, skip);
    @memcpy(out[header_size + local_size ..][0..item.key.tail.len], item.key.tail);
    @memcpy(out[out.len - item.rest.len ..], item.rest);
    return local;
}

/// What a leaf entry takes in a page without prefix, its value in it and its key without tail.
pub fn leafSize(key_size: usize, value_size: usize) u32 {
    return @intCast(@sizeOf(page.LeafEntry) + key_size + value_size + config.slot_cost);
}

/// A page of entries that take `sum` without prefix, all but `key_count` of them without key.
pub fn pageSize(sum: u32, prefix_size: u32, key_count: u32) u32 {
    const fixed = config.page_header_size + bytes_format.padded(prefix_size);
    return fixed + sum - prefix_size * key_count;
}

/// The prefix that makes a page smallest, of keys that share `common` bytes: padding may cost more
/// than its last bytes save.
pub fn bestPrefix(common: u32, key_count: u32) u32 {
    const whole_words = common & ~@as(u32, 3);
    const saved = (common - whole_words) * key_count;
    return if (saved > bytes_format.padded(common) - whole_words) common else whole_words;
}

/// A part of a sequence that is to be one page.
pub const Group = struct { from: u32, to: u32, prefix_size: u32, size: u32 };

const Part = union(enum) {
    range: struct { bytes: []align(8) const u8, from: u32, to: u32 },
    item: Item,
};

pub const Sequence = struct {
    /// Two pages, one of them cut in two by up to two new entries.
    const part_count_max = 5;
    /// Entries of two pages at the most, and the new ones.
    const count_max = 2 * ((config.page_size_max - config.page_header_size) /
        (@sizeOf(page.LeafEntry) + config.slot_cost)) + 2;
    const no_join = std.math.maxInt(u32);
    /// With fewer keys than this the prefix follows the hint.
    const few_keys_max = 4;

    kind: page.Kind,
    parts: [part_count_max]Part = undefined,
    part_count: u32 = 0,
    count: u32 = 0,
    /// Index of the branch entry whose key is `join_key`, its separator from the parent.
    join: u32 = no_join,
    join_key: Key = Key.none,
    /// What each entry takes in a page without prefix.
    sizes: [count_max]u16 = undefined,

    pub fn addRange(self: *Sequence, bytes: []align(8) const u8, from: u32, to: u32) void {
        assert(page.kind(bytes) == self.kind);
        assert(to <= page.count(bytes));
        if (from >= to) return;
        const extra = config.slot_cost + page.header(bytes).prefix_size;
        for (self.sizes[self.count..][0 .. to - from], from..) |*size, index| {
            size.* = @intCast(page.entry(bytes, @intCast(index)).len + extra);
        }
        self.addPart(.{ .range = .{ .bytes = bytes, .from = from, .to = to } }, to - from);
    }

    pub fn addItem(self: *Sequence, item: Item) void {
        assert(item.header.len == page.entryHeaderSize(self.kind));
        self.sizes[self.count] = @intCast(item.size());
        self.addPart(.{ .item = item }, 1);
    }

    fn addPart(self: *Sequence, part: Part, count: u32) void {
        assert(self.part_count < part_count_max);
        const start = self.count;
        self.parts[self.part_count] = part;
        self.part_count += 1;
        self.count += count;
        // The key of the first entry of a branch, or of a joined one, is not the one it had.
        if (self.kind == .branch and (start == 0 or start == self.join)) {
            self.sizes[start] = @intCast(self.at(start).size());
        }
    }

    /// What comes next is of another page, whose separator in the parent is `key`.
    pub fn joinAt(self: *Sequence, key: Key) void {
        assert(self.join == no_join);
        if (self.kind == .leaf) return;
        self.join = self.count;
        self.join_key = key;
    }

    /// Entry `index`. The first one of a branch has no key.
    pub fn at(self: *const Sequence, index: u32) Item {
        assert(index < self.count);
        var item = self.raw(index);
        if (self.kind == .leaf) return item;
        if (index == 0) item.key = Key.none;
        if (index == self.join) item.key = self.join_key;
        return item;
    }

    fn raw(self: *const Sequence, index: u32) Item {
        assert(index < self.count);
        var rest = index;
        var place: usize = 0;
        while (rest >= sizeOf(&self.parts[place])) : (place += 1) {
            rest -= sizeOf(&self.parts[place]);
        }
        return switch (self.parts[place]) {
            .range => |*range| itemOf(range.bytes, range.from + rest),
            .item => |*item| item.*,
        };
    }

    /// Whether keys ascend where parts meet. Inside a page they do (`page.validate`), but pages
    /// of a damaged file need not agree with each other.
    pub fn check(self: *const Sequence) error{Corrupt}!void {
        var index: u32 = 0;
        for (self.parts[0..self.part_count]) |*part| {
            index += sizeOf(part);
            try self.checkPair(index);
            // The key of the first entry of a joined page is new to its page.
            if (index == self.join) try self.checkPair(index + 1);
        }
    }

    fn sizeOf(part: *const Part) u32 {
        return switch (part.*) {
            .range => |*range| range.to - range.from,
            .item => 1,
        };
    }

    fn checkPair(self: *const Sequence, index: u32) error{Corrupt}!void {
        if (index <= self.firstKey(0) or index >= self.count) return;
        if (!Key.isBelow(self.at(index - 1).key, self.at(index).key)) return error.Corrupt;
    }

    /// The first entry of a page from `from` on that keeps its key.
    fn firstKey(self: *const Sequence, from: u32) u32 {
        return if (self.kind == .leaf) from else from + 1;
    }

    /// The bytes that all keys share.
    pub fn commonPrefix(self: *const Sequence) u32 {
        if (self.firstKey(0) >= self.count) return 0;
        return Key.commonPrefix(self.at(self.firstKey(0)).key, self.at(self.count - 1).key);
    }

    /// The entries `from` up to `to` as one page: its prefix and its size. It fits when the size
    /// is not above `limit`, the size of a page.
    pub fn measure(self: *const Sequence, from: u32, to: u32, hint: u32, limit: u32) Group {
        assert(from < to);
        assert(to <= self.count);
        const first_key = self.firstKey(from);
        var sum: u32 = config.page_header_size;
        for (self.sizes[first_key..to]) |size| sum += size;
        if (first_key > from) sum += @sizeOf(page.BranchEntry) + config.slot_cost;
        const key_count = to - first_key;
        var group: Group = .{ .from = from, .to = to, .prefix_size = 0, .size = sum };
        if (key_count == 0) return group;
        const common = Key.commonPrefix(self.at(first_key).key, self.at(to - 1).key);
        const hinted = if (key_count < few_keys_max) @min(common, hint) else common;
        // Of few keys the padding of the prefix may take more than the prefix saves.
        for ([_]u32{ hinted, common, common & ~@as(u32, 3) }) |size| {
            group.prefix_size = size;
            group.size = sum + bytes_format.padded(size) - size * key_count;
            if (group.size <= limit) break;
        }
        return group;
    }

    /// Writes the page of `group` to `bytes`, entries in ascending order, no gap between them.
    pub fn build(self: *const Sequence, group: Group, bytes: []align(8) u8) error{Corrupt}!void {
        if (group.size > bytes.len) return error.Corrupt;
        var writer = Writer.init(self.kind, group, bytes);
        const first_key = self.firstKey(group.from);
        if (group.prefix_size > 0) self.at(first_key).key.copyFirst(writer.prefix());
        if (first_key > group.from) {
            var item = self.at(group.from);
            item.key = Key.none;
            writer.put(item, 0);
        }
        var start: u32 = 0;
        for (self.parts[0..self.part_count]) |*part| {
            var from = @max(first_key, start);
            const end = start + sizeOf(part);
            const to = @min(group.to, end);
            if (from < to and (from == self.join or part.* == .item)) {
                try writer.putChecked(self.at(from));
                from += 1;
            }
            if (from < to) {
                const range = part.range;
                const sizes = self.sizes[from..to];
                try writer.putRange(range.bytes, range.from + from - start, sizes);
            }
            start = end;
        }
        writer.finish();
    }
};

/// Fills one page with entries in order.
const Writer = struct {
    kind: page.Kind,
    bytes: []align(8) u8,
    prefix_size: u32,
    heads_start: u32,
    slots_start: u32,
    end_slot: u32,
    slot: u32 = 0,
    offset: u32,

    fn init(kind: page.Kind, group: Group, bytes: []align(8) u8) Writer {
        const count = group.to - group.from;
        const heads_start = config.page_header_size + bytes_format.padded(group.prefix_size);
        const slots_start = heads_start + 4 * count;
        const heap_size = group.size - slots_start - 2 * count;
        const heap_start = @as(u32, @intCast(bytes.len)) - heap_size;
        page.headerOf(bytes).* = .{
            .kind = @intFromEnum(kind),
            .flags = 0,
            .count = @intCast(count),
            .pgno = 0,
            .txnid = 0,
            .prefix_size = @intCast(group.prefix_size),
            .heap_size = @intCast(heap_size),
            .dead_size = 0,
            .reserved = 0,
        };
        @memset(bytes[config.page_header_size..heads_start], 0);
        @memset(bytes[slots_start + 2 * count .. heap_start], 0);
        return .{
            .kind = kind,
            .bytes = bytes,
            .prefix_size = group.prefix_size,
            .heads_start = heads_start,
            .slots_start = slots_start,
            .end_slot = count,
            .offset = heap_start,
        };
    }

    fn prefix(self: *const Writer) []u8 {
        return self.bytes[config.page_header_size..][0..self.prefix_size];
    }

    /// An item without the first `skip` bytes of its key.
    fn put(self: *Writer, item: Item, skip: u32) void {
        const size = item.size() - config.slot_cost - skip;
        assert(self.offset + size <= self.bytes.len);
        const local = writeItem(self.kind, self.bytes[self.offset..][0..size], item, skip);
        self.setSlot(bytes_format.head(local), size);
    }

    /// An item whose key begins with the prefix, or else the file is damaged.
    fn putChecked(self: *Writer, item: Item) error{Corrupt}!void {
        const common = Key.commonPrefix(item.key, .{ .local = self.prefix() });
        if (common < self.prefix_size) return error.Corrupt;
        self.put(item, self.prefix_size);
    }

    inline fn setSlot(self: *Writer, head: u32, size: u32) void {
        assert(self.slot < self.end_slot);
        const head_at = self.heads_start + 4 * self.slot;
        std.mem.writeInt(u32, self.bytes[head_at..][0..4], head, .little);
        const slot_at = self.slots_start + 2 * self.slot;
        std.mem.writeInt(u16, self.bytes[slot_at..][0..2], @intCast(self.offset), .little);
        self.slot += 1;
        self.offset += size;
    }

    /// The entries of a page from `from` on that have `sizes` in a sequence.
    fn putRange(
        self: *Writer,
        source: []align(8) const u8,
        from: u32,
        sizes: []const u16,
    ) error{Corrupt}!void {
        if (!std.mem.eql(u8, page.prefix(source), self.prefix())) {
            return self.putRangeAnew(source, from, @intCast(sizes.len));
        }
        // The same prefix: entries stay as they are, and those that lie together move together.
        const extra = config.slot_cost + self.prefix_size;
        const slots = page.slots(source)[from..][0..sizes.len];
        const heads = page.heads(source)[from..][0..sizes.len];
        var start: usize = 0;
        while (start < sizes.len) {
            const run_offset = self.offset;
            const first = slots[start];
            var size: u32 = 0;
            while (start < sizes.len and slots[start] == first + size) : (start += 1) {
                const entry_size = sizes[start] - extra;
                self.setSlot(heads[start], entry_size);
                size += entry_size;
            }
            assert(self.offset <= self.bytes.len);
            @memcpy(self.bytes[run_offset..][0..size], source[first..][0..size]);
        }
    }

    /// The same from a page with another prefix: each key gets the bytes that its page kept for
    /// all, or loses those that this one keeps.
    fn putRangeAnew(
        self: *Writer,
        source: []align(8) const u8,
        from: u32,
        count: u32,
    ) error{Corrupt}!void {
        const old = page.prefix(source);
        const new = self.prefix();
        const shared = @min(old.len, new.len);
        if (!std.mem.eql(u8, old[0..shared], new[0..shared])) return error.Corrupt;
        const gained = old[shared..];
        const lost = new[shared..];
        const header_size = page.entryHeaderSize(self.kind);
        for (from..from + count) |index| {
            const local = page.local(source, @intCast(index));
            if (!std.mem.startsWith(u8, local, lost)) return error.Corrupt;
            const entry = page.entry(source, @intCast(index));
            const size = entry.len + gained.len - lost.len;
            assert(self.offset + size <= self.bytes.len);
            const out = self.bytes[self.offset..][0..size];
            @memcpy(out[0..header_size], entry[0..header_size]);
            const local_size = local.len + gained.len - lost.len;
            std.mem.writeInt(u16, out[0..2], @intCast(local_size), .little);
            @memcpy(out[header_size..][0..gained.len], gained);
            @memcpy(out[header_size + gained.len ..], entry[header_size + lost.len ..]);
            const key = out[header_size..][0..local_size];
            self.setSlot(bytes_format.head(key), @intCast(size));
        }
    }

    fn finish(self: *const Writer) void {
        assert(self.slot == self.end_slot);
        assert(self.offset == self.bytes.len);
        page.verify(self.bytes);
    }
};

/// Fills a leaf with entries that need no run, in order.
pub const LeafWriter = struct {
    writer: Writer,

    /// `first` is a key of `group`, and so begins with its prefix.
    pub fn init(group: Group, first: []const u8, bytes: []align(8) u8) LeafWriter {
        assert(group.size <= bytes.len);
        var writer: Writer = .init(.leaf, group, bytes);
        @memcpy(writer.prefix(), first[0..group.prefix_size]);
        return .{ .writer = writer };
    }

    pub fn put(self: *LeafWriter, key: []const u8, value: []const u8) void {
        const writer = &self.writer;
        const local = key[writer.prefix_size..];
        const header: page.LeafEntry = .{
            .local_size = @intCast(local.len),
            .value_kind = @intFromEnum(page.ValueKind.@"inline"),
            .flags = 0,
            .value_size = @intCast(value.len),
        };
        const size: u32 = @intCast(@sizeOf(page.LeafEntry) + local.len + value.len);
        assert(writer.offset + size <= writer.bytes.len);
        const out = writer.bytes[writer.offset..][0..size];
        out[0..@sizeOf(page.LeafEntry)].* = @bitCast(header);
        @memcpy(out[@sizeOf(page.LeafEntry)..][0..local.len], local);
        @memcpy(out[size - value.len ..], value);
        writer.setSlot(bytes_format.head(local), size);
    }

    pub fn finish(self: *const LeafWriter) void {
        self.writer.finish();
    }
};

const testing = std.testing;

/// A page of the keys given, values empty, in 512 bytes.
fn buildTestLeaf(bytes: []align(8) u8, keys: []const []const u8) !void {
    const header: [@sizeOf(page.LeafEntry)]u8 = @splat(0);
    var sequence: Sequence = .{ .kind = .leaf };
    for (keys) |key| sequence.addItem(.{ .key = .{ .local = key }, .header = &header });
    try sequence.check();
    const group = sequence.measure(0, sequence.count, 0, @intCast(bytes.len));
    try sequence.build(group, bytes);
}

fn expectKeys(bytes: []align(8) const u8, prefix: []const u8, keys: []const []const u8) !void {
    try testing.expectEqualStrings(prefix, page.prefix(bytes));
    try testing.expectEqual(keys.len, page.count(bytes));
    for (keys, 0..) |key, index| {
        var buffer: [64]u8 = undefined;
        const found = itemOf(bytes, @intCast(index)).key;
        found.copyTo(buffer[0..found.size()], 0);
        try testing.expectEqualStrings(key, buffer[0..found.size()]);
    }
}

test "Key: pieces compare as the whole" {
    var prng = std.Random.DefaultPrng.init(4);
    const random = prng.random();
    var texts: [2][12]u8 = undefined;
    for (0..20000) |_| {
        var sizes: [2]usize = undefined;
        var keys: [2]Key = undefined;
        for (&texts, &sizes, &keys) |*text, *size, *key| {
            for (text) |*byte| byte.* = random.uintLessThan(u8, 2);
            size.* = random.uintAtMost(usize, 12);
            const cut = random.uintAtMost(usize, size.*);
            key.* = .{ .prefix = text[0..cut], .local = text[cut..size.*] };
        }
        const a = texts[0][0..sizes[0]];
        const b = texts[1][0..sizes[1]];
        try testing.expectEqual(std.mem.order(u8, a, b), Key.order(keys[0], keys[1]));
        const common = bytes_format.commonPrefix(a, b);
        try testing.expectEqual(common, Key.commonPrefix(keys[0], keys[1]));
        const skip = random.uintAtMost(usize, a.len);
        var out: [12]u8 = undefined;
        keys[0].copyTo(out[0 .. a.len - skip], skip);
        try testing.expectEqualStrings(a[skip..], out[0 .. a.len - skip]);
        keys[0].copyFirst(out[0..skip]);
        try testing.expectEqualStrings(a[0..skip], out[0..skip]);
    }
}

test "Sequence: a page split and merged again is what it was" {
    const keys = [_][]const u8{ "k10", "k11", "k12", "k13", "k2", "k3", "k4", "k5" };
    var halves: [2][512]u8 align(8) = undefined;
    try buildTestLeaf(&halves[0], keys[0..4]);
    try buildTestLeaf(&halves[1], keys[4..8]);
    try expectKeys(&halves[0], "k1", keys[0..4]);
    try expectKeys(&halves[1], "k", keys[4..8]);

    var whole: [512]u8 align(8) = undefined;
    var merge: Sequence = .{ .kind = .leaf };
    merge.addRange(&halves[0], 0, 4);
    merge.addRange(&halves[1], 0, 4);
    try merge.check();
    try merge.build(merge.measure(0, 8, 0, 512), &whole);
    try expectKeys(&whole, "k", &keys);

    var split: Sequence = .{ .kind = .leaf };
    split.addRange(&whole, 0, 8);
    for (&halves, 0..) |*half, index| {
        const from: u32 = @intCast(4 * index);
        var again: [512]u8 align(8) = undefined;
        try split.build(split.measure(from, from + 4, 0, 512), &again);
        try testing.expectEqualSlices(u8, half, &again);
    }
}

test "Sequence: few keys take what the hint allows, unless only more fits" {
    const header: [@sizeOf(page.LeafEntry)]u8 = @splat(0);
    var sequence: Sequence = .{ .kind = .leaf };
    for ([_][]const u8{ "common1", "common2" }) |key| {
        sequence.addItem(.{ .key = .{ .local = key }, .header = &header });
    }
    try testing.expectEqual(@as(u32, 2), sequence.measure(0, 2, 2, 512).prefix_size);
    try testing.expectEqual(@as(u32, 6), sequence.measure(0, 2, 100, 512).prefix_size);
    const roomy = sequence.measure(0, 2, 0, 512).size;
    const tight = sequence.measure(0, 2, 0, roomy - 1);
    try testing.expect(tight.size < roomy);
}

test "Sequence: branches join at the separator of the parent" {
    var header: [@sizeOf(page.BranchEntry)]u8 = undefined;
    header = @bitCast(page.BranchEntry{
        .local_size = 0,
        .flags = 0,
        .pgno = 9,
        .checksum = 0,
        .entries = 1,
    });
    var pages: [2][512]u8 align(8) = undefined;
    for (&pages, [_][2][]const u8{ .{ "", "b" }, .{ "ignored", "f" } }) |*bytes, keys| {
        var sequence: Sequence = .{ .kind = .branch };
        for (keys) |key| sequence.addItem(.{ .key = .{ .local = key }, .header = &header });
        try sequence.build(sequence.measure(0, 2, 0, 512), bytes);
    }
    var sequence: Sequence = .{ .kind = .branch };
    sequence.addRange(&pages[0], 0, 2);
    sequence.joinAt(.{ .local = "d" });
    sequence.addRange(&pages[1], 0, 2);
    try sequence.check();
    var merged: [512]u8 align(8) = undefined;
    try sequence.build(sequence.measure(0, 4, 0, 512), &merged);
    try expectKeys(&merged, "", &.{ "", "b", "d", "f" });

    var wrong: Sequence = .{ .kind = .branch };
    wrong.addRange(&pages[0], 0, 2);
    wrong.joinAt(.{ .local = "a" });
    wrong.addRange(&pages[1], 0, 2);
    try testing.expectError(error.Corrupt, wrong.check());
}
