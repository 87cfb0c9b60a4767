//! Overflow runs: bytes too large for an entry, in contiguous pages of their own, without any
//! header, so that a value can be handed out as it lies in the map. Size and checksum stand in the
//! entry that refers to the run; a run is never changed and never shared by two entries.
//!
//! ```text
//! page n            page n+1          page n+2
//! [bytes .......... ................. .....][zeros]      size bytes from the start of page n
//! ```

const std = @import("std");
const assert = std.debug.assert;
const config = @import("../config.zig");
const kernels = @import("kernels.zig");

/// Pages of a run of `size` bytes.
pub fn pageCount(size: u32, page_size: u32) u32 {
    assert(config.isPageSize(page_size));
    return @intCast((@as(u64, size) + page_size - 1) / page_size);
}

/// What the entry keeps beside the number of the run's first page. Seeded with that number, so
/// that bytes found at another place are no match.
pub fn checksum(bytes: []const u8, pgno: u32) u64 {
    assert(pgno >= config.pgno_first);
    return kernels.checksum(pgno, bytes);
}

test "pageCount rounds up" {
    try std.testing.expectEqual(@as(u32, 0), pageCount(0, 512));
    try std.testing.expectEqual(@as(u32, 1), pageCount(1, 512));
    try std.testing.expectEqual(@as(u32, 1), pageCount(512, 512));
    try std.testing.expectEqual(@as(u32, 2), pageCount(513, 512));
    try std.testing.expectEqual(@as(u32, 65536), pageCount(0xffff_ffff, 65536));
}

test "checksum depends on the place" {
    try std.testing.expect(checksum("abc", 2) != checksum("abc", 3));
    try std.testing.expect(checksum("abc", 2) != checksum("abd", 2));
}
