//! Entries of branch pages: a child with what is known about it, and the separator, the least key
//! that may lie below it. Slot 0 has no separator.
//!
//! ```text
//! u16 local_size | u8 flags | u8 0 | u32 pgno | u64 checksum | u64 entries below
//! [local_size bytes: the separator behind the page's prefix]
//! [tail 24, if flags says so]
//!
//!              sep 1      sep 2
//! | child 0   | child 1  | child 2 ...      keys of child i:  sep i <= key < sep i+1
//! ```
//!
//! Invariant: entries and the flag for runs are true of the whole subtree, in every published state
//! and after every operation; the flag may stay set when the last run has gone.

const std = @import("std");
const assert = std.debug.assert;
const page = @import("page.zig");

/// What a branch knows about a child.
pub const Child = struct { ref: page.Ref, entries: u64, has_runs: bool };

/// The child at `slot`.
pub inline fn child(bytes: []align(8) const u8, slot: u32) Child {
    const at = page.branchEntry(bytes, slot);
    return .{
        .ref = .{
            .pgno = at.pgno,
            .checksum = at.checksum,
            .dirty = at.flags & page.flag_dirty != 0,
        },
        .entries = at.entries,
        .has_runs = at.flags & page.flag_runs != 0,
    };
}

fn entryOf(bytes: []align(8) u8, slot: u32) *page.BranchEntry {
    assert(page.kind(bytes) == .branch);
    assert(slot < page.count(bytes));
    return @ptrCast(bytes.ptr + page.slots(bytes)[slot]);
}

/// The child at `slot` is now `ref`; what is below stays as counted.
pub fn setRef(bytes: []align(8) u8, slot: u32, ref: page.Ref) void {
    const at = entryOf(bytes, slot);
    at.pgno = ref.pgno;
    at.checksum = ref.checksum;
    at.flags = (at.flags & ~page.flag_dirty) | if (ref.dirty) page.flag_dirty else 0;
}

/// Replaces all that is known of the child at `slot`, but not its separator.
pub fn setChild(bytes: []align(8) u8, slot: u32, to: Child) void {
    assert(to.entries > 0);
    const at = entryOf(bytes, slot);
    at.entries = to.entries;
    at.flags = (at.flags & ~page.flag_runs) | if (to.has_runs) page.flag_runs else 0;
    setRef(bytes, slot, to.ref);
}

/// `delta` entries came into the subtree at `slot`; `has_runs` if one of them has a run.
pub fn addEntries(
    bytes: []align(8) u8,
    slot: u32,
    delta: i64,
    has_runs: bool,
) error{Corrupt}!void {
    const at = entryOf(bytes, slot);
    const entries = try entriesAfter(at.entries, delta);
    // What is left without entries is taken out of the page, not counted down to nothing.
    if (entries == 0) return error.Corrupt;
    at.entries = entries;
    if (has_runs) at.flags |= page.flag_runs;
}

/// A count of a file that may be damaged, changed by `delta`.
pub fn entriesAfter(entries: u64, delta: i64) error{Corrupt}!u64 {
    if (entries > page.entries_max) return error.Corrupt;
    const after = @as(i64, @intCast(entries)) +| delta;
    if (after < 0 or after > page.entries_max) return error.Corrupt;
    return @intCast(after);
}

/// The bytes of an entry without its separator.
pub fn entryBytes(of: Child) [@sizeOf(page.BranchEntry)]u8 {
    assert(of.entries > 0);
    const dirty: u8 = if (of.ref.dirty) page.flag_dirty else 0;
    const runs: u8 = if (of.has_runs) page.flag_runs else 0;
    return @bitCast(page.BranchEntry{
        .local_size = 0,
        .flags = dirty | runs,
        .pgno = of.ref.pgno,
        .checksum = of.ref.checksum,
        .entries = of.entries,
    });
}

/// Entries below the slots from `from` up to `to`.
pub fn entriesIn(bytes: []align(8) const u8, from: u32, to: u32) u64 {
    assert(from <= to);
    assert(to <= page.count(bytes));
    var sum: u64 = 0;
    for (from..to) |slot| sum += page.branchEntry(bytes, @intCast(slot)).entries;
    return sum;
}

/// Whether runs may lie below any slot of the page, or belong to its separators.
pub fn anyRuns(bytes: []align(8) const u8) bool {
    for (0..page.count(bytes)) |slot| {
        const flags = page.branchEntry(bytes, @intCast(slot)).flags;
        if (flags & (page.flag_runs | page.flag_tail) != 0) return true;
    }
    return false;
}

/// Slot 0 loses the separator that it had as another slot.
pub fn dropFirstKey(bytes: []align(8) u8) void {
    const at = entryOf(bytes, 0);
    const before = page.entry(bytes, 0).len;
    at.local_size = 0;
    at.flags &= ~page.flag_tail;
    const after = page.entry(bytes, 0).len;
    assert(after == @sizeOf(page.BranchEntry));
    page.headerOf(bytes).dead_size += @intCast(before - after);
    std.mem.writeInt(u32, bytes[page.headsOffset(bytes)..][0..4], 0, .little);
}

test "child: what is set is read; the first separator can be dropped" {
    const testing = std.testing;
    const first: Child = .{
        .ref = .{ .pgno = 5, .checksum = 6, .dirty = false },
        .entries = 7,
        .has_runs = false,
    };
    var bytes: [512]u8 align(8) = @splat(0);
    page.headerOf(&bytes).kind = @intFromEnum(page.Kind.branch);
    for ([_][]const u8{ "", "m", "t" }, 0..) |key, index| {
        const at: u32 = @intCast(index);
        const out = page.insertEntry(&bytes, at, @intCast(@sizeOf(page.BranchEntry) + key.len));
        @memcpy(out[0..@sizeOf(page.BranchEntry)], &entryBytes(first));
        @memcpy(out[@sizeOf(page.BranchEntry)..], key);
        out[0] = @intCast(key.len);
        page.setHead(&bytes, at, key);
    }
    page.verify(&bytes);
    for (0..3) |slot| try testing.expectEqual(first, child(&bytes, @intCast(slot)));
    try testing.expectEqual(@as(u64, 14), entriesIn(&bytes, 1, 3));

    var other = first;
    other.ref = .{ .pgno = 1, .checksum = 0, .dirty = true };
    other.has_runs = true;
    setChild(&bytes, 1, other);
    try testing.expectEqual(other, child(&bytes, 1));
    try testing.expect(anyRuns(&bytes));
    try addEntries(&bytes, 2, -6, false);
    try testing.expectEqual(@as(u64, 1), child(&bytes, 2).entries);
    try testing.expectError(error.Corrupt, addEntries(&bytes, 2, -1, false));
    try testing.expectError(error.Corrupt, addEntries(&bytes, 2, -2, false));

    page.removeEntries(&bytes, 0, 1);
    dropFirstKey(&bytes);
    page.verify(&bytes);
    try testing.expectEqual(other, child(&bytes, 0));
    try testing.expectEqual(@as(usize, 0), page.local(&bytes, 0).len);
}
