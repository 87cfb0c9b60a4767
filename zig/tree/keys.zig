//! Keys that may be longer than a page keeps: the local part is compared in the page, and only
//! where local parts of the greatest size are equal are the tails fetched from their runs. Reads
//! only.

const std = @import("std");
const assert = std.debug.assert;
const config = @import("../config.zig");
const bytes_format = @import("../format/bytes.zig");
const page = @import("../format/page.zig");
const Pages = @import("../store/Pages.zig");

pub const Error = error{Corrupt};

/// Where a key stands in a page: entries below it, and whether the next one is equal.
pub const Place = struct { index: u32, found: bool };

/// The part of `key` that lies in a page.
pub inline fn localOf(key: []const u8, page_size: usize) []const u8 {
    return key[0..@min(key.len, config.localSizeMax(@intCast(page_size)))];
}

/// What the heads of a page say about where `key` stands.
pub inline fn locate(
    bytes: []align(8) const u8,
    comptime of: page.Kind,
    key: []const u8,
) page.Located {
    return page.locate(bytes, of, localOf(key, bytes.len));
}

/// Finds `key` among the entries of a page.
pub inline fn find(
    pages: Pages,
    bytes: []align(8) const u8,
    comptime of: page.Kind,
    key: []const u8,
) Error!Place {
    return findAt(pages, bytes, of, key, locate(bytes, of, key));
}

/// Finds `key` where `locate` has found it to be.
pub inline fn findAt(
    pages: Pages,
    bytes: []align(8) const u8,
    comptime of: page.Kind,
    key: []const u8,
    at: page.Located,
) Error!Place {
    const place = page.placeAt(bytes, of, localOf(key, bytes.len), at);
    if (place.equal == 0) return .{ .index = place.index, .found = false };
    const local_size_max = config.localSizeMax(@intCast(bytes.len));
    if (key.len < local_size_max) return .{ .index = place.index, .found = true };
    return findTail(pages, bytes, place, key[local_size_max..]);
}

/// The child of a branch below which `key` belongs.
pub inline fn findChild(pages: Pages, bytes: []align(8) const u8, key: []const u8) Error!u32 {
    const place = try find(pages, bytes, .branch, key);
    return if (place.found) place.index else place.index - 1;
}

/// Among entries with equal local keys, by their tails.
fn findTail(
    pages: Pages,
    bytes: []align(8) const u8,
    place: page.Place,
    key_tail: []const u8,
) Error!Place {
    @branchHint(.cold);
    var low = place.index;
    var high = place.index + place.equal;
    assert(high <= page.count(bytes));
    while (low < high) {
        const middle = low + (high - low) / 2;
        switch (bytes_format.order(try tailOf(pages, bytes, middle), key_tail)) {
            .lt => low = middle + 1,
            .gt => high = middle,
            .eq => return .{ .index = middle, .found = true },
        }
    }
    return .{ .index = low, .found = false };
}

/// The part of key `index` that is not in the page.
pub fn tailOf(pages: Pages, bytes: []align(8) const u8, index: u32) Error![]const u8 {
    const tail = page.tail(bytes, index) orelse return "";
    return pages.run(tail.run.ref(), tail.size);
}

/// The order of key `index` of a page towards `key`.
pub fn order(
    pages: Pages,
    bytes: []align(8) const u8,
    index: u32,
    key: []const u8,
) Error!std.math.Order {
    assert(index < page.count(bytes));
    const shared = page.prefix(bytes);
    const local_key = localOf(key, bytes.len);
    const head_size = @min(shared.len, local_key.len);
    const head_order = bytes_format.order(shared[0..head_size], local_key[0..head_size]);
    if (head_order != .eq) return head_order;
    if (local_key.len < shared.len) return .gt;
    const local_order = bytes_format.order(page.local(bytes, index), local_key[shared.len..]);
    if (local_order != .eq) return local_order;
    return bytes_format.order(try tailOf(pages, bytes, index), key[local_key.len..]);
}

/// Size of key `index` of a page.
pub fn size(bytes: []align(8) const u8, index: u32) u32 {
    const tail_size = if (page.tail(bytes, index)) |tail| tail.size else 0;
    return @intCast(page.prefix(bytes).len + page.local(bytes, index).len + tail_size);
}

/// Key `index` of a page, put together in `buffer`, which holds the longest key of the store.
pub fn assemble(pages: Pages, bytes: []align(8) const u8, index: u32, buffer: []u8) Error![]u8 {
    const shared = page.prefix(bytes);
    const local = page.local(bytes, index);
    assert(buffer.len >= shared.len + local.len);
    bytes_format.copyShort(buffer, shared);
    bytes_format.copyShort(buffer[shared.len..], local);
    const local_end = shared.len + local.len;
    if (!page.hasTail(bytes, index)) return buffer[0..local_end];
    const tail = try tailOf(pages, bytes, index);
    if (tail.len > buffer.len - local_end) return error.Corrupt;
    @memcpy(buffer[local_end..][0..tail.len], tail);
    return buffer[0 .. local_end + tail.len];
}
