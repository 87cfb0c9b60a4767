//! One published state as a reader sees it: pages of the map, each verified against the checksum
//! that its parent holds before anybody looks inside (once per page version per process, unless
//! asked otherwise). It never writes, and never trusts a page number or a size it was given.
//!
//! Invariant: what `page` returns has passed `page.validate`, so that search needs no bounds check.

const std = @import("std");
const explain = @import("../explain.zig");
const bytes_format = @import("../format/bytes.zig");
const page_format = @import("../format/page.zig");
const overflow = @import("../format/overflow.zig");
const File = @import("File.zig");

const Snapshot = @This();

pub const Verify = enum(u8) { once = 0, always = 1, never = 2 };

/// Bytes of a page that a search reads in any case, nearly.
pub const eager_size = 256;
/// More of a large page is not worth its room in the cache.
const page_fetch_max = 4096;

file: *File,
txnid: u64,
page_count: u32,
verify: Verify = .once,

/// The bytes of the tree page `ref`, valid as long as the state is pinned.
pub inline fn page(
    self: *const Snapshot,
    ref: page_format.Ref,
) error{Corrupt}![]align(8) const u8 {
    if (ref.pgno < 2 or ref.pgno >= self.page_count or ref.dirty) return explain.damaged(ref.pgno);
    const bytes = self.file.bytes(ref.pgno, 1);
    if (self.verify == .once and self.file.isVerified(ref.pgno, ref.checksum)) return bytes;
    try self.check(ref, bytes);
    return bytes;
}

/// Begins to load what a search of the page `ref` reads first: header, prefix, heads and slots of a
/// leaf, most heads of a branch. They would else be waited for one after the other.
pub inline fn fetch(self: *const Snapshot, ref: page_format.Ref) void {
    if (ref.pgno >= self.page_count) return;
    bytes_format.fetch(self.file.bytes(ref.pgno, 1)[0..eager_size]);
}

/// Begins to load a page, most of whose entries will be used, and what is known of its checksum.
pub fn fetchPage(self: *const Snapshot, ref: page_format.Ref) void {
    if (ref.pgno >= self.page_count) return;
    self.file.fetchVerified(ref.pgno);
    const bytes = self.file.bytes(ref.pgno, 1);
    bytes_format.fetch(bytes[0..@min(bytes.len, page_fetch_max)]);
}

noinline fn check(
    self: *const Snapshot,
    ref: page_format.Ref,
    bytes: []align(8) const u8,
) error{Corrupt}!void {
    @branchHint(.unlikely);
    if (self.verify != .never and page_format.checksum(bytes, ref.pgno) != ref.checksum) {
        return explain.damaged(ref.pgno);
    }
    // Without checksums the structure is still validated, once per version.
    if (self.verify == .never and self.file.isVerified(ref.pgno, ref.checksum)) return;
    page_format.validate(bytes, ref.pgno) catch return explain.damaged(ref.pgno);
    if (page_format.txnid(bytes) > self.txnid) return explain.damaged(ref.pgno);
    self.file.setVerified(ref.pgno, ref.checksum);
}

/// The `size` bytes of the overflow run `ref`, valid as long as the state is pinned.
pub fn run(self: *const Snapshot, ref: page_format.RunRef, size: u32) error{Corrupt}![]const u8 {
    const count = overflow.pageCount(size, self.file.page_size);
    const end = @as(u64, ref.pgno) + count;
    if (ref.pgno < 2 or end > self.page_count) return explain.damaged(ref.pgno);
    const bytes = self.file.bytes(ref.pgno, count)[0..size];
    if (self.verify == .never) return bytes;
    if (self.verify == .once and self.file.isVerified(ref.pgno, ref.checksum)) return bytes;
    if (overflow.checksum(bytes, ref.pgno) != ref.checksum) return explain.damaged(ref.pgno);
    self.file.setVerified(ref.pgno, ref.checksum);
    return bytes;
}
