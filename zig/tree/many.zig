//! Many point reads at once: the lookups of a group go down level by level together, and what one
//! will need next is fetched while the others are looked at. A single lookup waits for memory three
//! or four times a level; a group waits about once a level for all. Reads only.
//!
//! ```text
//! one by one   a: root wait child wait leaf wait   b: root wait child wait leaf wait ...
//! group        root a b c d | prefetch | child a b c d | prefetch | leaf a b c d
//! ```

const std = @import("std");
const assert = std.debug.assert;
const page = @import("../format/page.zig");
const leaf = @import("../format/leaf.zig");
const branch = @import("../format/branch.zig");
const Pages = @import("../store/Pages.zig");
const keys = @import("keys.zig");

pub const Error = keys.Error;

/// Lookups in flight. More than the machine can have misses outstanding.
pub const group_size = 32;

/// Bytes of a page that a search reads before it knows where to look: header, heads, slots.
const eager_size = 256;
const cache_line = 64;

/// Looks up each of `wanted`; `out`, of the same length, gets the values, null where there is none.
/// The keys may come in any order; neighbours in the list that are neighbours in the tree are
/// cheaper.
pub fn get(
    pages: Pages,
    tree: page.Tree,
    wanted: []const []const u8,
    out: []?leaf.Value,
) Error!void {
    assert(wanted.len == out.len);
    if (tree.depth == 0) {
        @memset(out, null);
        return;
    }
    var index: usize = 0;
    while (index < wanted.len) : (index += group_size) {
        const end = @min(index + group_size, wanted.len);
        try getGroup(pages, tree, wanted[index..end], out[index..end]);
    }
}

fn getGroup(
    pages: Pages,
    tree: page.Tree,
    wanted: []const []const u8,
    out: []?leaf.Value,
) Error!void {
    assert(wanted.len <= group_size);
    var bytes: [group_size][]align(8) const u8 = undefined;
    var refs: [group_size]page.Ref = @splat(tree.ref);
    var slots: [group_size]u32 = undefined;
    var level = tree.depth;
    while (level > 1) : (level -= 1) {
        try enter(pages, refs[0..wanted.len], bytes[0..wanted.len]);
        for (wanted, bytes[0..wanted.len], slots[0..wanted.len]) |key, of, *slot| {
            if (page.kind(of) != .branch) return error.Corrupt;
            slot.* = try keys.findChild(pages, of, key);
            @prefetch(page.branchEntry(of, slot.*), .{});
        }
        for (refs[0..wanted.len], bytes[0..wanted.len], slots[0..wanted.len]) |*ref, of, slot| {
            ref.* = branch.child(of, slot).ref;
        }
    }
    try enter(pages, refs[0..wanted.len], bytes[0..wanted.len]);
    for (wanted, bytes[0..wanted.len]) |key, of| try prefetchEntry(of, key);
    for (wanted, bytes[0..wanted.len], out) |key, of, *value| {
        const place = try keys.find(pages, of, .leaf, key);
        value.* = if (place.found) leaf.value(of, place.index) else null;
    }
}

/// The pages of the next level, on their way into the cache.
fn enter(pages: Pages, refs: []const page.Ref, bytes: [][]align(8) const u8) Error!void {
    assert(refs.len == bytes.len);
    for (refs, bytes) |ref, *of| {
        of.* = try pages.page(ref);
        var offset: usize = 0;
        while (offset < eager_size) : (offset += cache_line) {
            @prefetch(of.ptr + offset, .{});
        }
    }
}

/// Fetches the entry of a leaf that `key` will be compared with, most likely.
fn prefetchEntry(bytes: []align(8) const u8, key: []const u8) Error!void {
    if (page.kind(bytes) != .leaf) return error.Corrupt;
    const index = keys.locate(bytes, .leaf, key).index;
    if (index < page.count(bytes)) @prefetch(page.leafEntry(bytes, index), .{});
}
