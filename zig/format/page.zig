//! A page of a tree: what leaf and branch pages share. Header, the prefix that all keys of the page
//! begin with, heads, slots, and a heap of entries. Never allocates, never follows a reference.
//!
//! ```text
//!  0  u8 kind | u8 flags=0 | u16 count | u32 pgno | u64 txnid of the commit that wrote it
//! 16  u16 prefix_size | u16 heap_size | u16 dead_size | u16 reserved=0
//! 24  prefix, padded to 4
//!     u32 heads[count]   first 4 bytes of each key behind the prefix, as a big-endian number
//!     u16 slots[count]   where each entry begins
//!     free gap
//!     heap               heap_size bytes up to the end of the page, dead_size of them unused
//! leaf entry    u16 local_size | u8 value_kind | u8 flags | u32 value_size
//!               [local bytes] [tail 24] [value | run 20]
//! branch entry  u16 local_size | u8 flags | u8 0 | u32 pgno | u64 checksum | u64 entries below
//!               [local bytes] [tail 24]
//! tail          u32 size | run          run  u32 pgno | u64 checksum | u64 txnid
//! ```
//!
//! Invariants: keys ascend; entries of the heap do not overlap; the prefix is a common prefix of
//! the local keys, not always the longest, and says nothing about keys that are not there (one that
//! does not begin with it stands before or behind all); slot 0 of a branch has no key, it stands
//! for minus infinity. The checksum of a page lies in its parent. `validate` proves once per page
//! version what all other functions here rely on. Prefix: Bayer & Unterauer, "Prefix B-Trees",
//! 1977; heads: "B-Trees Are Back", SIGMOD 2025.

const std = @import("std");
const assert = std.debug.assert;
const config = @import("../config.zig");
const bytes_format = @import("bytes.zig");
const heads_format = @import("heads.zig");
const kernels = @import("kernels.zig");

pub const Kind = enum(u8) { leaf = 1, branch = 2, freelist = 3, _ };

/// A tree page as its parent knows it. When `dirty`, `pgno` is the number of a frame of a write
/// transaction and the checksum is not known yet.
pub const Ref = struct { pgno: u32, checksum: u64, dirty: bool };

/// An overflow run. Its size stands beside it.
pub const RunRef = struct { pgno: u32, checksum: u64, txnid: u64 };

/// The root of a table. `depth` 0 is the empty tree, 1 a single leaf.
pub const Tree = struct {
    ref: Ref,
    depth: u8,
    entries: u64,
    has_runs: bool,

    pub const empty: Tree = .{
        .ref = .{ .pgno = 0, .checksum = 0, .dirty = false },
        .depth = 0,
        .entries = 0,
        .has_runs = false,
    };
};

pub const Header = heads_format.Header;
pub const Located = heads_format.Located;

pub const ValueKind = enum(u8) {
    @"inline" = 0,
    overflow = 1,
    compressed = 2,
    compressed_overflow = 3,
    inline_set = 4,
    subtree = 5,
    _,
};

pub const LeafEntry = extern struct {
    local_size: u16 align(1),
    value_kind: u8,
    flags: u8,
    value_size: u32 align(1),
};

pub const BranchEntry = extern struct {
    local_size: u16 align(1),
    flags: u8,
    zero: u8 = 0,
    pgno: u32 align(1),
    checksum: u64 align(1),
    entries: u64 align(1),
};

/// A run as it lies in an entry.
pub const RunBytes = extern struct {
    pgno: u32 align(1),
    checksum: u64 align(1),
    txnid: u64 align(1),

    pub fn ref(self: RunBytes) RunRef {
        return .{ .pgno = self.pgno, .checksum = self.checksum, .txnid = self.txnid };
    }

    pub fn of(run: RunRef) RunBytes {
        return .{ .pgno = run.pgno, .checksum = run.checksum, .txnid = run.txnid };
    }
};

/// The rest of a key that is longer than the page keeps.
pub const TailBytes = extern struct {
    size: u32 align(1),
    run: RunBytes align(1),
};

pub const flag_tail: u8 = 1;
/// Of a branch entry: overflow runs or subtrees may lie below.
pub const flag_runs: u8 = 2;
/// Of a branch entry, in private memory only: pgno is the number of a frame.
pub const flag_dirty: u8 = 4;

/// No honest slot counts more: 2^32 pages of less than 2^13 entries.
pub const entries_max: u64 = 1 << 48;

comptime {
    assert(@sizeOf(Header) == config.page_header_size);
    assert(@sizeOf(LeafEntry) == 8);
    assert(@sizeOf(BranchEntry) == 24);
    assert(@sizeOf(RunBytes) == 20);
    assert(@sizeOf(TailBytes) == 24);
    assert(@offsetOf(Header, "txnid") == 8);
    // What is loaded behind the heads lies in the page: so many entries have more bytes there, and
    // fewer stand near the beginning.
    const overread_size = 4 * (heads_format.window - 1);
    const enough = 13;
    assert(enough * (2 + @sizeOf(LeafEntry)) >= overread_size);
    const P = config.page_size_min;
    assert(24 + config.localSizeMax(P) + 3 + 4 * enough + overread_size < P);
}

pub inline fn header(bytes: []align(8) const u8) *const Header {
    return @ptrCast(bytes.ptr);
}

pub inline fn headerOf(bytes: []align(8) u8) *Header {
    return @ptrCast(bytes.ptr);
}

pub inline fn kind(bytes: []align(8) const u8) Kind {
    return @enumFromInt(bytes[0]);
}

pub inline fn count(bytes: []align(8) const u8) u32 {
    return header(bytes).count;
}

pub inline fn txnid(bytes: []align(8) const u8) u64 {
    return header(bytes).txnid;
}

pub inline fn prefix(bytes: []align(8) const u8) []const u8 {
    return bytes[config.page_header_size..][0..header(bytes).prefix_size];
}

/// Names the page: its place in the file and the commit that writes it there.
pub fn setNumber(bytes: []align(8) u8, pgno: u32, written_by: u64) void {
    assert(pgno >= config.pgno_first);
    assert(written_by <= config.txnid_max);
    headerOf(bytes).pgno = pgno;
    headerOf(bytes).txnid = written_by;
}

/// What the parent keeps beside the page's number. Seeded with it, so that a page found at another
/// place is no match.
pub fn checksum(bytes: []align(8) const u8, pgno: u32) u64 {
    assert(config.isPageSize(bytes.len));
    return kernels.checksum(pgno, bytes);
}

pub inline fn headsOffset(bytes: []align(8) const u8) u32 {
    return config.page_header_size + bytes_format.padded(header(bytes).prefix_size);
}

pub inline fn heads(bytes: []align(8) const u8) []const u32 {
    const start: [*]const u32 = @ptrCast(@alignCast(bytes.ptr + headsOffset(bytes)));
    return start[0..header(bytes).count];
}

pub inline fn slots(bytes: []align(8) const u8) []const u16 {
    const offset = headsOffset(bytes) + 4 * count(bytes);
    const start: [*]const u16 = @ptrCast(@alignCast(bytes.ptr + offset));
    return start[0..header(bytes).count];
}

/// Bytes that the prefix, the heads, the slots and the living entries take.
pub inline fn usedSize(bytes: []align(8) const u8) u32 {
    const h = header(bytes);
    return headsOffset(bytes) + config.slot_cost * count(bytes) + h.heap_size - h.dead_size;
}

/// Bytes that new entries may take, after the heap is put together.
pub inline fn freeSize(bytes: []align(8) const u8) u32 {
    assert(usedSize(bytes) <= bytes.len);
    return @as(u32, @intCast(bytes.len)) - usedSize(bytes);
}

/// Bytes between slots and heap.
pub inline fn gapSize(bytes: []align(8) const u8) u32 {
    const taken = headsOffset(bytes) + config.slot_cost * count(bytes) + header(bytes).heap_size;
    assert(taken <= bytes.len);
    return @as(u32, @intCast(bytes.len)) - taken;
}

pub inline fn entryHeaderSize(of: Kind) u32 {
    return if (of == .leaf) @sizeOf(LeafEntry) else @sizeOf(BranchEntry);
}

pub inline fn leafEntry(bytes: []align(8) const u8, index: u32) *const LeafEntry {
    assert(kind(bytes) == .leaf);
    return @ptrCast(bytes.ptr + slots(bytes)[index]);
}

pub inline fn branchEntry(bytes: []align(8) const u8, index: u32) *const BranchEntry {
    assert(kind(bytes) == .branch);
    return @ptrCast(bytes.ptr + slots(bytes)[index]);
}

/// The bytes of key `index` in the page, behind the prefix.
pub inline fn local(bytes: []align(8) const u8, index: u32) []const u8 {
    const offset = slots(bytes)[index];
    const size = std.mem.readInt(u16, bytes[offset..][0..2], .little);
    return bytes[offset + entryHeaderSize(kind(bytes)) ..][0..size];
}

/// Whether key `index` continues in a run.
pub inline fn hasTail(bytes: []align(8) const u8, index: u32) bool {
    const offset = slots(bytes)[index];
    const flags = bytes[offset + @as(u32, if (kind(bytes) == .leaf) 3 else 2)];
    return flags & flag_tail != 0;
}

/// The tail of key `index`, as 24 bytes, or no bytes.
pub fn tailBytes(bytes: []align(8) const u8, index: u32) []const u8 {
    if (!hasTail(bytes, index)) return bytes[0..0];
    const key = local(bytes, index);
    return (key.ptr + key.len)[0..@sizeOf(TailBytes)];
}

/// The tail of key `index`, if it has one.
pub fn tail(bytes: []align(8) const u8, index: u32) ?TailBytes {
    const found = tailBytes(bytes, index);
    if (found.len == 0) return null;
    return std.mem.bytesToValue(TailBytes, found[0..@sizeOf(TailBytes)]);
}

/// All bytes of entry `index`.
pub fn entry(bytes: []align(8) const u8, index: u32) []const u8 {
    const offset = slots(bytes)[index];
    const size = entrySize(bytes, index);
    assert(offset + size <= bytes.len);
    return bytes[offset..][0..size];
}

fn entrySize(bytes: []align(8) const u8, index: u32) u32 {
    if (kind(bytes) == .leaf) return leafEntrySize(leafEntry(bytes, index));
    const slot = branchEntry(bytes, index);
    const tail_size: u32 = if (slot.flags & flag_tail != 0) @sizeOf(TailBytes) else 0;
    return @sizeOf(BranchEntry) + @as(u32, slot.local_size) + tail_size;
}

fn leafEntrySize(slot: *const LeafEntry) u32 {
    const tail_size: u32 = if (slot.flags & flag_tail != 0) @sizeOf(TailBytes) else 0;
    const is_inline = slot.value_kind == @intFromEnum(ValueKind.@"inline");
    const value_size: u32 = if (is_inline) slot.value_size else @sizeOf(RunBytes);
    return @sizeOf(LeafEntry) + @as(u32, slot.local_size) + tail_size +| value_size;
}

/// Where a key stands among the local keys of a page: entries below it, and entries whose local key
/// equals its own (more than one only where keys continue in runs).
pub const Place = struct { index: u32, equal: u32 };

/// Looks for `key`, of which only the local part is given, in the heads of the page.
pub inline fn locate(bytes: []align(8) const u8, comptime of: Kind, key: []const u8) Located {
    assert(kind(bytes) == of);
    assert(key.len <= config.localSizeMax(@intCast(bytes.len)));
    return kernels.locate(bytes.ptr, if (of == .leaf) .leaf else .branch, key);
}

/// Finds `key`, of which only the local part is given.
pub inline fn find(bytes: []align(8) const u8, comptime of: Kind, key: []const u8) Place {
    return placeAt(bytes, of, key, locate(bytes, of, key));
}

/// Finds `key`, of which only the local part is given, where `locate` has found it to be.
pub inline fn placeAt(
    bytes: []align(8) const u8,
    comptime of: Kind,
    key: []const u8,
    at: Located,
) Place {
    assert(kind(bytes) == of);
    if (!at.is_tied) return .{ .index = at.index, .equal = 0 };
    const all = heads(bytes);
    const index: u32 = at.index;
    const suffix = key[header(bytes).prefix_size..];
    const is_alone = index + 1 == all.len or all[index + 1] != all[index];
    if (!is_alone or key.len >= config.localSizeMax(@intCast(bytes.len))) {
        return findTied(bytes, index, all[index], suffix);
    }
    const slot = bytes[slots(bytes)[index]..];
    const local_size = std.mem.readInt(u16, slot[0..2], .little);
    return switch (bytes_format.order(slot[entryHeaderSize(of)..][0..local_size], suffix)) {
        .lt => .{ .index = index + 1, .equal = 0 },
        .gt => .{ .index = index, .equal = 0 },
        .eq => .{ .index = index, .equal = 1 },
    };
}

/// Among the keys from `start` on that have head `wanted`.
noinline fn findTied(
    bytes: []align(8) const u8,
    start: u32,
    wanted: u32,
    suffix: []const u8,
) Place {
    const all = heads(bytes);
    assert(all[start] == wanted);
    var low = start;
    var high = start + 1;
    if (high < all.len and all[high] == wanted) {
        high = @intCast(all.len);
        if (wanted < std.math.maxInt(u32)) {
            high = start + heads_format.lower(all.ptr + start, all.len - start, wanted + 1);
        }
    }
    var is_equal = false;
    while (low < high) {
        const middle = low + (high - low) / 2;
        switch (bytes_format.order(local(bytes, middle), suffix)) {
            .lt => low = middle + 1,
            .gt => high = middle,
            .eq => {
                high = middle;
                is_equal = true;
            },
        }
    }
    if (!is_equal) return .{ .index = low, .equal = 0 };
    return .{ .index = low, .equal = countEqual(bytes, low, suffix) };
}

/// Only local keys of the greatest size can be equal: they differ in their tails.
fn countEqual(bytes: []align(8) const u8, index: u32, suffix: []const u8) u32 {
    assert(index < count(bytes));
    const size = header(bytes).prefix_size + suffix.len;
    if (size < config.localSizeMax(@intCast(bytes.len))) return 1;
    var end = index + 1;
    while (end < count(bytes) and std.mem.eql(u8, local(bytes, end), suffix)) end += 1;
    return end - index;
}

/// Proves that a page which came from the file as `pgno` is a tree page in which nothing leads
/// outside: O(count). Hostile contents with a valid checksum end here.
pub fn validate(bytes: []align(8) const u8, pgno: u32) error{Corrupt}!void {
    assert(config.isPageSize(bytes.len));
    const h = header(bytes);
    if (h.pgno != pgno) return error.Corrupt;
    if (h.flags != 0 or h.reserved != 0) return error.Corrupt;
    if (h.txnid > config.txnid_max) return error.Corrupt;
    try walk(bytes, false);
}

/// Walks a page that was edited, when `config.verify` is on: an edit that breaks its page is our
/// own fault.
pub fn verify(bytes: []align(8) const u8) void {
    if (!config.verify) return;
    const is_sound = if (walk(bytes, true)) |_| true else |_| false;
    assert(is_sound);
}

/// Checks all bounds, the sum of the heap and the order of the keys. Frames may refer to frames.
fn walk(bytes: []align(8) const u8, is_frame: bool) error{Corrupt}!void {
    const page_size: u32 = @intCast(bytes.len);
    const h = header(bytes);
    const is_leaf = h.kind == @intFromEnum(Kind.leaf);
    if (!is_leaf and h.kind != @intFromEnum(Kind.branch)) return error.Corrupt;
    // A branch of one child would let a chain of pages stand for nothing.
    if (h.count < @as(u16, if (is_leaf) 1 else 2)) return error.Corrupt;
    if (h.prefix_size > config.localSizeMax(page_size)) return error.Corrupt;
    const slots_end = headsOffset(bytes) + config.slot_cost * h.count;
    if (slots_end + h.heap_size > page_size) return error.Corrupt;
    if (h.dead_size > h.heap_size) return error.Corrupt;
    const heap_start = page_size - h.heap_size;
    const entry_size_max = config.entrySizeMax(page_size) - config.slot_cost - h.prefix_size;
    var living: u64 = 0;
    for (0..h.count) |index| {
        const offset = slots(bytes)[index];
        if (offset < heap_start) return error.Corrupt;
        if (offset + entryHeaderSize(kind(bytes)) > page_size) return error.Corrupt;
        const size = entrySize(bytes, @intCast(index));
        if (size > page_size - offset or size > entry_size_max) return error.Corrupt;
        if (is_leaf) {
            try walkLeafEntry(bytes, @intCast(index));
        } else {
            try walkBranchEntry(bytes, @intCast(index), is_frame);
        }
        try walkKey(bytes, @intCast(index));
        living += size;
    }
    if (living + h.dead_size != h.heap_size) return error.Corrupt;
}

fn walkLeafEntry(bytes: []align(8) const u8, index: u32) error{Corrupt}!void {
    const slot = leafEntry(bytes, index);
    if (slot.flags & ~flag_tail != 0) return error.Corrupt;
    // The other kinds come with a feature bit of the store.
    switch (@as(ValueKind, @enumFromInt(slot.value_kind))) {
        .@"inline" => {},
        .overflow => if (slot.value_size == 0) return error.Corrupt,
        else => return error.Corrupt,
    }
}

fn walkBranchEntry(bytes: []align(8) const u8, index: u32, is_frame: bool) error{Corrupt}!void {
    const slot = branchEntry(bytes, index);
    const allowed = flag_tail | flag_runs | @as(u8, if (is_frame) flag_dirty else 0);
    if (slot.flags & ~allowed != 0 or slot.zero != 0) return error.Corrupt;
    if (slot.entries == 0 or slot.entries > entries_max) return error.Corrupt;
    if (index > 0) return;
    if (slot.local_size != 0 or slot.flags & flag_tail != 0) return error.Corrupt;
}

/// Size, tail, head and order of key `index`; that of its left neighbour is known to be good.
fn walkKey(bytes: []align(8) const u8, index: u32) error{Corrupt}!void {
    const page_size: u32 = @intCast(bytes.len);
    const local_size_max = config.localSizeMax(page_size);
    const key = local(bytes, index);
    const first: u32 = if (kind(bytes) == .leaf) 0 else 1;
    if (index < first) return if (heads(bytes)[index] != 0) error.Corrupt else {};
    const size = header(bytes).prefix_size + key.len;
    if (size > local_size_max) return error.Corrupt;
    if (heads(bytes)[index] != bytes_format.head(key)) return error.Corrupt;
    if (tail(bytes, index)) |found| {
        if (size != local_size_max or found.size == 0) return error.Corrupt;
        if (found.size > config.keySizeMax(page_size) - local_size_max) return error.Corrupt;
    }
    if (index == first) return;
    // Of equal local keys only the first may lack a tail.
    switch (bytes_format.order(local(bytes, index - 1), key)) {
        .lt => {},
        .gt => return error.Corrupt,
        .eq => if (!hasTail(bytes, index)) return error.Corrupt,
    }
}

/// Makes room for an entry of `size` bytes before entry `index`. Returns the room, to be filled at
/// once, and the head set. The gap must suffice.
pub fn insertEntry(bytes: []align(8) u8, index: u32, size: u32) []u8 {
    assert(index <= count(bytes));
    assert(size + config.slot_cost <= gapSize(bytes));
    const h = headerOf(bytes);
    const old_count = count(bytes);
    const heads_start = headsOffset(bytes);
    const old_slots = heads_start + 4 * old_count;
    const new_slots = old_slots + 4;
    const after = old_count - index;
    move(bytes, new_slots + 2 * (index + 1), old_slots + 2 * index, 2 * after);
    move(bytes, new_slots, old_slots, 2 * index);
    move(bytes, heads_start + 4 * (index + 1), heads_start + 4 * index, 4 * after);
    h.heap_size += @intCast(size);
    h.count += 1;
    const offset = @as(u32, @intCast(bytes.len)) - h.heap_size;
    std.mem.writeInt(u16, bytes[new_slots + 2 * index ..][0..2], @intCast(offset), .little);
    return bytes[offset..][0..size];
}

/// Sets the head of entry `index`: `key` is its key behind the prefix.
pub inline fn setHead(bytes: []align(8) u8, index: u32, key: []const u8) void {
    assert(index < count(bytes));
    const offset = headsOffset(bytes) + 4 * index;
    std.mem.writeInt(u32, bytes[offset..][0..4], bytes_format.head(key), .little);
}

/// Takes entries `from` up to `to` out. Their bytes in the heap become dead, or gap when nothing
/// lies below them.
pub fn removeEntries(bytes: []align(8) u8, from: u32, to: u32) void {
    assert(from <= to);
    assert(to <= count(bytes));
    const h = headerOf(bytes);
    for (from..to) |index| {
        const size = entrySize(bytes, @intCast(index));
        if (slots(bytes)[index] == bytes.len - h.heap_size) {
            h.heap_size -= @intCast(size);
        } else {
            h.dead_size += @intCast(size);
        }
    }
    const old_count = count(bytes);
    const removed = to - from;
    const heads_start = headsOffset(bytes);
    const old_slots = heads_start + 4 * old_count;
    const new_slots = old_slots - 4 * removed;
    const after = old_count - to;
    move(bytes, heads_start + 4 * from, heads_start + 4 * to, 4 * after);
    move(bytes, new_slots, old_slots, 2 * from);
    move(bytes, new_slots + 2 * from, old_slots + 2 * to, 2 * after);
    h.count -= @intCast(removed);
    if (h.count == 0) {
        h.heap_size = 0;
        h.dead_size = 0;
    }
}

inline fn move(bytes: []align(8) u8, to: u32, from: u32, size: u32) void {
    @memmove(bytes[to..][0..size], bytes[from..][0..size]);
}

const testing = std.testing;

/// A leaf made by hand, one entry at a time; values are one byte.
const TestLeaf = struct {
    bytes: [512]u8 align(8) = @splat(0),

    fn init(self: *TestLeaf, shared: []const u8) void {
        const h = headerOf(&self.bytes);
        h.kind = @intFromEnum(Kind.leaf);
        h.pgno = 7;
        h.prefix_size = @intCast(shared.len);
        @memcpy(self.bytes[config.page_header_size..][0..shared.len], shared);
    }

    fn insert(self: *TestLeaf, index: u32, suffix: []const u8, value: u8) void {
        const size: u32 = @intCast(@sizeOf(LeafEntry) + suffix.len + 1);
        const out = insertEntry(&self.bytes, index, size);
        const fixed: LeafEntry = .{
            .local_size = @intCast(suffix.len),
            .value_kind = 0,
            .flags = 0,
            .value_size = 1,
        };
        @memcpy(out[0..@sizeOf(LeafEntry)], std.mem.asBytes(&fixed));
        @memcpy(out[@sizeOf(LeafEntry)..][0..suffix.len], suffix);
        out[out.len - 1] = value;
        setHead(&self.bytes, index, suffix);
    }
};

test "find: heads, ties behind equal heads, keys that do not begin with the prefix" {
    var leaf: TestLeaf = .{};
    leaf.init("pre");
    const suffixes = [_][]const u8{ "", "a", "abcd", "abcde", "abcdf", "abce", "\xff\xff\xff\xff" };
    for (suffixes, 0..) |suffix, index| leaf.insert(@intCast(index), suffix, 0);
    try validate(&leaf.bytes, 7);
    for (suffixes, 0..) |suffix, index| {
        var key: [16]u8 = undefined;
        const size = 3 + suffix.len;
        @memcpy(key[0..3], "pre");
        @memcpy(key[3..size], suffix);
        const expected: Place = .{ .index = @intCast(index), .equal = 1 };
        try testing.expectEqual(expected, find(&leaf.bytes, .leaf, key[0..size]));
        key[size] = 0;
        const behind: Place = .{ .index = @intCast(index + 1), .equal = 0 };
        try testing.expectEqual(behind, find(&leaf.bytes, .leaf, key[0 .. size + 1]));
    }
    try testing.expectEqual(Place{ .index = 0, .equal = 0 }, find(&leaf.bytes, .leaf, "pr"));
    try testing.expectEqual(Place{ .index = 0, .equal = 0 }, find(&leaf.bytes, .leaf, "a"));
    try testing.expectEqual(Place{ .index = 7, .equal = 0 }, find(&leaf.bytes, .leaf, "prf"));
    try testing.expectEqual(Place{ .index = 7, .equal = 0 }, find(&leaf.bytes, .leaf, "z"));
}

test "insertEntry and removeEntries keep order and sizes" {
    var prng = std.Random.DefaultPrng.init(3);
    const random = prng.random();
    var leaf: TestLeaf = .{};
    leaf.init("");
    var present: [64]bool = @splat(false);
    for (0..4000) |_| {
        const id = random.uintLessThan(u8, 64);
        const place = find(&leaf.bytes, .leaf, &.{ id, id });
        try testing.expectEqual(present[id], place.equal == 1);
        if (present[id]) {
            removeEntries(&leaf.bytes, place.index, place.index + 1);
        } else if (gapSize(&leaf.bytes) >= @sizeOf(LeafEntry) + 3 + config.slot_cost) {
            leaf.insert(place.index, &.{ id, id }, id);
        } else if (count(&leaf.bytes) > 0) {
            const used = usedSize(&leaf.bytes);
            const end = count(&leaf.bytes);
            const from = random.uintLessThan(u32, end);
            for (from..end) |index| present[local(&leaf.bytes, @intCast(index))[0]] = false;
            removeEntries(&leaf.bytes, from, end);
            try testing.expectEqual(used - (end - from) * 17, usedSize(&leaf.bytes));
            continue;
        }
        present[id] = find(&leaf.bytes, .leaf, &.{ id, id }).equal == 1;
        if (count(&leaf.bytes) > 0) try validate(&leaf.bytes, 7);
    }
}

test "validate refuses what leads outside of the page or is out of order" {
    var sound: TestLeaf = .{};
    sound.init("pre");
    for ([_][]const u8{ "a", "b", "c" }, 0..) |suffix, index| {
        sound.insert(@intCast(index), suffix, 'v');
    }
    try validate(&sound.bytes, 7);
    try testing.expectError(error.Corrupt, validate(&sound.bytes, 8));
    const slot_at = headsOffset(&sound.bytes) + 3 * 4;
    const entry_at = slots(&sound.bytes)[1];
    const Hit = struct { at: u32, value: u16 };
    const hits = [_]Hit{
        .{ .at = 0, .value = 3 }, // kind
        .{ .at = 0, .value = 0x0101 }, // flags
        .{ .at = 2, .value = 0 }, // count
        .{ .at = 2, .value = 4 },
        .{ .at = 2, .value = 0xffff },
        .{ .at = 16, .value = 97 }, // prefix_size
        .{ .at = 16, .value = 0xffff },
        .{ .at = 18, .value = 0 }, // heap_size
        .{ .at = 18, .value = 0xffff },
        .{ .at = 20, .value = 1 }, // dead_size
        .{ .at = 22, .value = 1 }, // reserved
        .{ .at = slot_at, .value = 0 },
        .{ .at = slot_at, .value = 511 },
        .{ .at = slot_at, .value = entry_at },
        .{ .at = slot_at - 2, .value = 0 }, // a head
        .{ .at = entry_at, .value = 0 }, // local_size
        .{ .at = entry_at, .value = 600 },
        .{ .at = entry_at + 2, .value = 2 }, // value kind
        .{ .at = entry_at + 2, .value = 0x0200 }, // flags
        .{ .at = entry_at + 2, .value = 0x0100 }, // a tail that is not there
        .{ .at = entry_at + 4, .value = 0xffff }, // value_size
        .{ .at = entry_at + 6, .value = 0xffff },
        .{ .at = entry_at + 8, .value = 'v' << 8 | 'd' }, // key
    };
    for (hits) |hit| {
        var broken = sound;
        std.mem.writeInt(u16, broken.bytes[hit.at..][0..2], hit.value, .little);
        try testing.expectError(error.Corrupt, validate(&broken.bytes, 7));
    }
    // Heads are right, the keys behind them are not in order.
    for ([_][2][]const u8{ .{ "headb", "heada" }, .{ "head", "head" } }) |pair| {
        var unordered: TestLeaf = .{};
        unordered.init("pre");
        for (pair, 0..) |suffix, index| unordered.insert(@intCast(index), suffix, 'v');
        try testing.expectError(error.Corrupt, validate(&unordered.bytes, 7));
    }
}
