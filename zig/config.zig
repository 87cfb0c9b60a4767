//! Limits of the engine, in one place. Every limit that a page obeys follows from the page size, so
//! that a store of 512-byte pages reaches with a few hundred keys what one of 64 KiB pages reaches
//! with millions. Nothing here is a setting: a value that changed would change the file format.

const std = @import("std");
const builtin = @import("builtin");
const root = @import("root");

/// Turns on the checks that cost more than the work they check (a walk of each edited page): always
/// in tests, and in programs whose root file declares `pub const zeolite_verify = true`.
pub const verify: bool = builtin.is_test or
    (@hasDecl(root, "zeolite_verify") and root.zeolite_verify);

pub const page_size_min: u32 = 512;
pub const page_size_max: u32 = 65536;
pub const page_size_default: u32 = 4096;

/// Bytes before the prefix of a page of the tree (`format/page.zig`).
pub const page_header_size: u32 = 24;

/// What an entry costs beside its bytes in the heap: a head of 4 and a slot of 2.
pub const slot_cost: u32 = 6;

/// No tree is deeper. Bounds each walk down a path, whatever the bytes of a file say.
pub const depth_max: u8 = 32;

/// Pages 0 and 1 are the metas, so no tree and no run begins below 2.
pub const pgno_first: u32 = 2;

/// txnids travel to JavaScript as doubles, so each one is below 2^53.
pub const txnid_max: u64 = (1 << 53) - 1;

/// A value's size is a u32 wherever it is kept.
pub const value_size_max: u32 = std.math.maxInt(u32);

/// The greatest results of the functions below, for buffers that must serve every page size.
pub const key_size_max_any: u32 = keySizeMax(page_size_max);
pub const local_size_max_any: u32 = localSizeMax(page_size_max);

/// Whether `page_size` is one that a store may have: a power of two within the limits.
pub fn isPageSize(page_size: u64) bool {
    if (page_size < page_size_min) return false;
    if (page_size > page_size_max) return false;
    return std.math.isPowerOfTwo(page_size);
}

/// The longest key of a store: half a page.
pub fn keySizeMax(page_size: u32) u32 {
    std.debug.assert(isPageSize(page_size));
    return page_size / 2;
}

/// The bytes of a key that lie in the page. A longer key keeps the rest, its tail, in a run of
/// overflow pages.
pub fn localSizeMax(page_size: u32) u32 {
    std.debug.assert(isPageSize(page_size));
    return page_size / 4 - 32;
}

/// The most that one entry may take, with its head, its slot and its whole local key; a value that
/// would break this lies in an overflow run. Two such entries fill a page but for the padding of
/// the prefix, so that a page with one entry too many can always be cut in two that fit.
pub fn entrySizeMax(page_size: u32) u32 {
    std.debug.assert(isPageSize(page_size));
    return (page_size - page_header_size) / 2 - 4;
}

comptime {
    // A separator or key with a tail, and a key with tail and value both in runs, fit as entries.
    for ([_]u32{ 512, 1024, 4096, 65536 }) |page_size| {
        const branch_entry_max = 24 + localSizeMax(page_size) + 24 + slot_cost;
        const leaf_entry_max = 8 + localSizeMax(page_size) + 24 + 20 + slot_cost;
        std.debug.assert(leaf_entry_max <= entrySizeMax(page_size));
        std.debug.assert(branch_entry_max * 3 <= page_size - page_header_size);
        std.debug.assert(localSizeMax(page_size) < keySizeMax(page_size));
    }
}

test "page sizes are powers of two within the limits" {
    try std.testing.expect(isPageSize(512));
    try std.testing.expect(isPageSize(65536));
    try std.testing.expect(!isPageSize(256));
    try std.testing.expect(!isPageSize(4095));
    try std.testing.expect(!isPageSize(131072));
    try std.testing.expectEqual(@as(u32, 2048), keySizeMax(4096));
    try std.testing.expectEqual(@as(u32, 992), localSizeMax(4096));
}
