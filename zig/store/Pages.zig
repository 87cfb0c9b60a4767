//! The one page source of tree code: a page is a frame, or a page of the snapshot; there is no
//! third place. Copied by value; it owns nothing.

const page_format = @import("../format/page.zig");
const Snapshot = @import("Snapshot.zig");
const FrameSet = @import("FrameSet.zig");

const Pages = @This();

snapshot: *const Snapshot,
/// Null: the state has no frames.
frames: ?*const FrameSet = null,

pub inline fn page(self: Pages, ref: page_format.Ref) error{Corrupt}![]align(8) const u8 {
    if (ref.dirty) return (self.frames orelse return error.Corrupt).page(ref);
    return self.snapshot.page(ref);
}

pub fn run(self: Pages, ref: page_format.RunRef, size: u32) error{Corrupt}![]const u8 {
    return self.snapshot.run(ref, size);
}

/// Begins to load what a search of the page `ref` reads first. The ref need not be a good one.
pub inline fn fetch(self: Pages, ref: page_format.Ref) void {
    if (!ref.dirty) return self.snapshot.fetch(ref);
    if (self.frames) |frames| frames.fetch(ref.pgno);
}

/// Begins to load a page that will be used, most of its entries. The ref need not be a good one.
pub fn fetchPage(self: Pages, ref: page_format.Ref) void {
    if (!ref.dirty) return self.snapshot.fetchPage(ref);
    if (self.frames) |frames| frames.fetch(ref.pgno);
}
