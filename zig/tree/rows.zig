//! Entries to be put together, and the order in which that is cheapest: by key, so that those of
//! one leaf follow one another. Rows of equal keys keep the order they came in. Reads only.

const std = @import("std");
const assert = std.debug.assert;
const bytes_format = @import("../format/bytes.zig");
const page = @import("../format/page.zig");
const branch = @import("../format/branch.zig");
const Pages = @import("../store/Pages.zig");
const keys = @import("keys.zig");

pub const Row = struct { key: []const u8, value: []const u8 };

/// Rows that are put in order at once.
pub const count_max = 1024;

/// Where the rows stand when they are sorted.
pub const Order = struct {
    /// The places, and room for them on their way.
    places: [2][count_max]Place,
    front: u1,
    count: u32,

    /// The first bytes behind what all keys share say most of what there is to say.
    const Place = struct { first: u64, index: u32 };

    /// With fewer rows comparing them is cheaper than counting bytes.
    const radix_count_min = 48;

    pub fn sort(self: *Order, rows: []const Row) void {
        assert(rows.len <= count_max);
        self.count = @intCast(rows.len);
        self.front = 0;
        const skip = sharedSize(rows);
        for (self.places[0][0..rows.len], rows, 0..) |*place, *row, index| {
            place.* = .{ .first = firstBytes(row.key[skip..]), .index = @intCast(index) };
        }
        if (rows.len < radix_count_min) return self.compare(rows, 0, rows.len);
        self.sortByFirst();
        self.sortEqual(rows);
    }

    /// The index of the row that stands at `place`.
    pub fn at(self: *const Order, place: usize) u32 {
        assert(place < self.count);
        return self.places[self.front][place].index;
    }

    /// By the numbers `first`, a byte at a time from the last; rows of equal ones stay in order.
    fn sortByFirst(self: *Order) void {
        var differing: u64 = 0;
        const all = self.places[0][0..self.count];
        for (all) |place| differing |= place.first ^ all[0].first;
        for (0..@sizeOf(u64)) |byte| {
            const shift: u6 = @intCast(8 * byte);
            if (@as(u8, @truncate(differing >> shift)) != 0) self.distribute(shift);
        }
    }

    fn distribute(self: *Order, shift: u6) void {
        const from = self.places[self.front][0..self.count];
        const to = &self.places[self.front ^ 1];
        var next: [256]u16 = @splat(0);
        for (from) |place| next[@as(u8, @truncate(place.first >> shift))] += 1;
        var start: u16 = 0;
        for (&next) |*slot| {
            const size = slot.*;
            slot.* = start;
            start += size;
        }
        for (from) |place| {
            const slot = &next[@as(u8, @truncate(place.first >> shift))];
            to[slot.*] = place;
            slot.* += 1;
        }
        self.front ^= 1;
    }

    /// What the first bytes do not tell apart, by whole keys.
    fn sortEqual(self: *Order, rows: []const Row) void {
        const all = self.places[self.front][0..self.count];
        var from: usize = 0;
        while (from < all.len) {
            var to = from + 1;
            while (to < all.len and all[to].first == all[from].first) to += 1;
            if (to - from > 1) self.compare(rows, from, to);
            from = to;
        }
    }

    fn compare(self: *Order, rows: []const Row, from: usize, to: usize) void {
        std.sort.pdq(Place, self.places[self.front][from..to], rows, isBelow);
    }

    fn isBelow(rows: []const Row, a: Place, b: Place) bool {
        if (a.first != b.first) return a.first < b.first;
        return switch (bytes_format.order(rows[a.index].key, rows[b.index].key)) {
            .lt => true,
            .gt => false,
            .eq => a.index < b.index,
        };
    }
};

/// Rows whose leaves are fetched together.
pub const group_size = 16;

/// Bytes of a page that a search reads before it knows where to look: header, heads, slots.
const eager_size = 256;
/// More of a large page is not worth its room in the cache.
const leaf_size = 4096;

/// Fetches the leaves to which some keys belong, whole, and what is read on the ways there, level
/// by level. A hint: nothing that is wrong with a page is told before it is that page's turn.
pub fn fetch(pages: Pages, tree: page.Tree, wanted: []const []const u8) void {
    var refs: [group_size]page.Ref = undefined;
    fetchLeaves(pages, tree, wanted, &refs, leaf_size);
}

/// Fetches what is read of the leaves to which some keys belong, and written if they are frames
/// that are changed themselves: not the whole of them.
pub fn fetchEntries(pages: Pages, tree: page.Tree, wanted: []const []const u8) void {
    var refs: [group_size]page.Ref = undefined;
    fetchLeaves(pages, tree, wanted, &refs, eager_size);
    for (wanted, refs[0..wanted.len]) |key, ref| {
        const bytes = pages.page(ref) catch return;
        if (page.kind(bytes) != .leaf) return;
        if (!ref.dirty) {
            bytes_format.fetch(bytes[0..@min(bytes.len, leaf_size)]);
            continue;
        }
        if (pages.frames) |frames| frames.fetchFrame(ref.pgno);
        const at = keys.locate(bytes, .leaf, key);
        const heap_size = page.header(bytes).heap_size;
        const usual = @min(heap_size / page.count(bytes), entry_fetch_max);
        // Its entry, or the place of one to come: at the low end of the heap.
        const offset = if (at.is_tied) page.slots(bytes)[at.index] else bytes.len -
            @min(bytes.len, heap_size + usual);
        bytes_format.fetch(bytes[offset..@min(offset + usual + 1, bytes.len)]);
    }
}

/// A longer entry is left to the processor.
const entry_fetch_max = 512;

/// Finds the leaves to which some keys belong, `size` bytes of each being fetched.
fn fetchLeaves(
    pages: Pages,
    tree: page.Tree,
    wanted: []const []const u8,
    refs: *[group_size]page.Ref,
    size: usize,
) void {
    assert(wanted.len <= group_size);
    refs.* = @splat(tree.ref);
    var level = tree.depth;
    while (level > 1) : (level -= 1) {
        for (wanted, refs[0..wanted.len]) |key, *ref| {
            const bytes = pages.page(ref.*) catch return;
            if (page.kind(bytes) != .branch) return;
            const slot = keys.findChild(pages, bytes, key) catch return;
            ref.* = branch.child(bytes, slot).ref;
        }
        for (refs[0..wanted.len], 0..) |ref, index| {
            if (index > 0 and ref.pgno == refs[index - 1].pgno) continue;
            const bytes = pages.page(ref) catch return;
            const wanted_size: usize = if (level == 2) size else eager_size;
            bytes_format.fetch(bytes[0..@min(bytes.len, wanted_size)]);
        }
    }
}

/// Whether the keys never fall.
pub fn areOrdered(rows: []const Row) bool {
    if (rows.len < 2) return true;
    for (rows[0 .. rows.len - 1], rows[1..]) |*row, *next| {
        if (bytes_format.order(row.key, next.key) == .gt) return false;
    }
    return true;
}

/// How many first bytes all keys share.
fn sharedSize(rows: []const Row) usize {
    if (rows.len == 0) return 0;
    const first = rows[0].key;
    var size = first.len;
    for (rows[1..]) |*row| size = bytes_format.commonPrefix(first[0..size], row.key);
    return size;
}

/// The first eight bytes as a number that compares as they do, zero padded.
fn firstBytes(key: []const u8) u64 {
    if (key.len >= 8) return std.mem.readInt(u64, key[0..8], .big);
    var result: u64 = 0;
    for (key, 0..) |byte, index| result |= @as(u64, byte) << @intCast(56 - 8 * index);
    return result;
}

const testing = std.testing;

test "sort agrees with a plain stable sort; areOrdered tells when there is none to do" {
    var prng = std.Random.DefaultPrng.init(5);
    const random = prng.random();
    var memory: [200][24]u8 = undefined;
    var rows: [200]Row = undefined;
    var expected: [200]u32 = undefined;
    var order: Order = undefined;
    for (0..400) |round| {
        const count = random.uintAtMost(usize, 200);
        const shared = random.uintAtMost(usize, 10);
        for (memory[0..count], rows[0..count], expected[0..count], 0..) |*bytes, *row, *id, index| {
            @memset(bytes[0..shared], 'k');
            for (bytes[shared..]) |*byte| byte.* = random.uintLessThan(u8, 3);
            // Few bytes for many keys that are equal, many for such that differ late.
            const size = shared + random.uintAtMost(usize, if (round % 2 == 0) 3 else 14);
            row.* = .{ .key = bytes[0..size], .value = "" };
            id.* = @intCast(index);
        }
        std.sort.insertion(u32, expected[0..count], @as([]const Row, rows[0..count]), isLower);
        order.sort(rows[0..count]);
        for (expected[0..count], 0..) |id, place| try testing.expectEqual(id, order.at(place));
        var is_ordered = true;
        for (expected[0..count], 0..) |id, place| is_ordered = is_ordered and id == place;
        try testing.expectEqual(is_ordered, areOrdered(rows[0..count]));
    }
}

fn isLower(all: []const Row, a: u32, b: u32) bool {
    return std.mem.order(u8, all[a].key, all[b].key) == .lt;
}
