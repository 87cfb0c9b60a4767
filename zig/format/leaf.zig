//! Entries of leaf pages: a key and its value, or where the value lies. Edits of one entry in a
//! page that has room; a page without goes through `entries.zig`.
//!
//! ```text
//! u16 local_size | u8 value_kind | u8 flags | u32 value_size
//! [local_size bytes: the key behind the page's prefix]
//! [tail 24, if flags says so: the rest of a long key is in a run]
//! value_size bytes, or the 20 bytes of a run that holds them
//! ```

const std = @import("std");
const assert = std.debug.assert;
const page = @import("page.zig");

/// A value, or where it is. `bytes` lie in the page; they are valid as long as it is.
pub const Value = struct {
    kind: page.ValueKind,
    size: u32,
    /// The value, or the reference to the run that holds it.
    bytes: []const u8,

    /// The run that holds the value; it is not in the page.
    pub fn run(self: Value) page.RunRef {
        assert(self.kind != .@"inline");
        return std.mem.bytesToValue(page.RunBytes, self.bytes[0..@sizeOf(page.RunBytes)]).ref();
    }
};

/// What an entry holds behind its key: the eight bytes of its header and its value.
pub inline fn value(bytes: []align(8) const u8, index: u32) Value {
    const slot = page.leafEntry(bytes, index);
    return .{
        .kind = @enumFromInt(slot.value_kind),
        .size = slot.value_size,
        .bytes = restOf(bytes, index),
    };
}

/// The bytes of entry `index` behind key and tail.
inline fn restOf(bytes: []align(8) const u8, index: u32) []const u8 {
    const slot = page.leafEntry(bytes, index);
    const tail_size: u32 = if (slot.flags & page.flag_tail != 0) @sizeOf(page.TailBytes) else 0;
    const is_inline = slot.value_kind == @intFromEnum(page.ValueKind.@"inline");
    const size: u32 = if (is_inline) slot.value_size else @sizeOf(page.RunBytes);
    const start = @as(u32, page.slots(bytes)[index]) + @sizeOf(page.LeafEntry);
    return bytes[start + slot.local_size + tail_size ..][0..size];
}

/// Whether key or value of the entry continue in a run.
pub fn hasRuns(bytes: []align(8) const u8, index: u32) bool {
    const slot = page.leafEntry(bytes, index);
    if (slot.flags & page.flag_tail != 0) return true;
    return slot.value_kind != @intFromEnum(page.ValueKind.@"inline");
}

/// Whether any entry of the page has a run.
pub fn anyRuns(bytes: []align(8) const u8) bool {
    assert(page.kind(bytes) == .leaf);
    for (0..page.count(bytes)) |index| {
        if (hasRuns(bytes, @intCast(index))) return true;
    }
    return false;
}

/// Overwrites the inline value of entry `index` by one of the same size.
pub fn overwrite(bytes: []align(8) u8, index: u32, new: []const u8) void {
    const slot = page.leafEntry(bytes, index);
    assert(slot.value_kind == @intFromEnum(page.ValueKind.@"inline"));
    assert(slot.value_size == new.len);
    const old = restOf(bytes, index);
    const offset = @intFromPtr(old.ptr) - @intFromPtr(bytes.ptr);
    @memcpy(bytes[offset..][0..new.len], new);
    page.verify(bytes);
}

test "value: inline and in a run; overwrite" {
    var bytes: [512]u8 align(8) = @splat(0);
    page.headerOf(&bytes).kind = @intFromEnum(page.Kind.leaf);
    const run: page.RunRef = .{ .pgno = 12, .checksum = 34, .txnid = 56 };
    const run_bytes: [@sizeOf(page.RunBytes)]u8 = @bitCast(page.RunBytes.of(run));
    const headers = [_]page.LeafEntry{
        .{ .local_size = 1, .value_kind = 0, .flags = 0, .value_size = 3 },
        .{ .local_size = 1, .value_kind = 1, .flags = 0, .value_size = 5000 },
    };
    for (&headers, [_][]const u8{ "aone", "b" ++ run_bytes }, 0..) |*header, rest, index| {
        const at: u32 = @intCast(index);
        const out = page.insertEntry(&bytes, at, @intCast(@sizeOf(page.LeafEntry) + rest.len));
        @memcpy(out[0..@sizeOf(page.LeafEntry)], std.mem.asBytes(header));
        @memcpy(out[@sizeOf(page.LeafEntry)..], rest);
        page.setHead(&bytes, at, rest[0..1]);
    }
    page.verify(&bytes);
    try std.testing.expectEqualStrings("one", value(&bytes, 0).bytes);
    try std.testing.expectEqual(run, value(&bytes, 1).run());
    try std.testing.expectEqual(@as(u32, 5000), value(&bytes, 1).size);
    try std.testing.expect(!hasRuns(&bytes, 0));
    try std.testing.expect(hasRuns(&bytes, 1));
    try std.testing.expect(anyRuns(&bytes));
    overwrite(&bytes, 0, "two");
    try std.testing.expectEqualStrings("two", value(&bytes, 0).bytes);
}
