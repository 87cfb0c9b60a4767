//! Many point reads at once: the lookups of a batch go down level by level together, and what one
//! will need next is on its way into the cache while others are looked at. A single lookup waits
//! for memory two or three times a level; a batch keeps as many loads in flight as the machine can.
//! Reads only.
//!
//! ```text
//! one by one   a: root wait child wait leaf wait   b: root wait child wait leaf wait ...
//! batch        ... load page of d | search page of c, load entry | read entry of b ...
//! ```

const std = @import("std");
const assert = std.debug.assert;
const bytes_format = @import("../format/bytes.zig");
const page = @import("../format/page.zig");
const leaf = @import("../format/leaf.zig");
const branch = @import("../format/branch.zig");
const Pages = @import("../store/Pages.zig");
const keys = @import("keys.zig");
const search = @import("search.zig");

pub const Error = keys.Error;

/// Keys that go down together.
const batch_size = 1024;
/// How many lookups lie between one that is loading something and the one that needs it.
const distance = 6;
const ring_size = 64;

/// A longer entry is left to the processor, which sees by then where it leads.
const entry_fetch_max = 512;

/// A lookup between its search of a page and its look at the entry.
const Step = struct { bytes: []align(8) const u8, at: page.Located };
const Ring = [ring_size]Step;

/// Looks up each of `wanted`; `out`, of the same length, gets the values, null where there is none.
/// The keys may come in any order.
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
    var refs: [batch_size]page.Ref = undefined;
    var index: usize = 0;
    while (index < wanted.len) : (index += batch_size) {
        const end = @min(index + batch_size, wanted.len);
        const part = refs[0 .. end - index];
        @memset(part, tree.ref);
        var level = tree.depth;
        while (level > 1) : (level -= 1) try descend(pages, level, wanted[index..end], part);
        try answer(pages, wanted[index..end], part, out[index..end]);
    }
}

/// Replaces each page by its child.
fn descend(
    pages: Pages,
    level: u8,
    wanted: []const []const u8,
    refs: []page.Ref,
) Error!void {
    var ring: Ring = undefined;
    for (0..refs.len + 2 * distance) |turn| {
        if (turn < refs.len) pages.fetch(refs[turn]);
        if (turn >= distance and turn < refs.len + distance) {
            const index = turn - distance;
            const step = &ring[index % ring_size];
            step.bytes = try search.child(pages, refs[index], level);
            step.at.index = @intCast(try keys.findChild(pages, step.bytes, wanted[index]));
            @prefetch(page.branchEntry(step.bytes, step.at.index), .{});
        }
        if (turn >= 2 * distance) {
            const index = turn - 2 * distance;
            const step = &ring[index % ring_size];
            refs[index] = branch.child(step.bytes, step.at.index).ref;
        }
    }
}

/// Looks for each key in its leaf.
fn answer(
    pages: Pages,
    wanted: []const []const u8,
    refs: []const page.Ref,
    out: []?leaf.Value,
) Error!void {
    var ring: Ring = undefined;
    for (0..refs.len + 2 * distance) |turn| {
        if (turn < refs.len) pages.fetch(refs[turn]);
        if (turn >= distance and turn < refs.len + distance) {
            const index = turn - distance;
            const step = &ring[index % ring_size];
            step.bytes = try search.child(pages, refs[index], 1);
            step.at = keys.locate(step.bytes, .leaf, wanted[index]);
            if (step.at.is_tied) fetchEntry(step.bytes, step.at.index);
        }
        if (turn >= 2 * distance) {
            const index = turn - 2 * distance;
            const step = &ring[index % ring_size];
            const place = try keys.findAt(pages, step.bytes, .leaf, wanted[index], step.at);
            out[index] = if (place.found) leaf.value(step.bytes, place.index) else null;
        }
    }
}

/// Begins to load an entry as long as most of its leaf.
inline fn fetchEntry(bytes: []align(8) const u8, index: u32) void {
    const offset: u32 = page.slots(bytes)[index];
    const usual = @min(page.header(bytes).heap_size / page.count(bytes), entry_fetch_max);
    const end = @min(offset + usual, bytes.len - 1);
    bytes_format.fetch(bytes[offset..end]);
    @prefetch(bytes.ptr + end, .{});
}
