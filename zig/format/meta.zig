//! The meta page: root of one checkpoint. Pages 0 and 1 are metas, written in turn, so that the
//! one before is whole whatever happens to the newer. Functions over bytes; it touches no file.
//!
//! ```
//!   0 magic "ZEOLITE1"   8 version u32   12 page size u32
//!  16 features that a reader must understand u64   24 features a read-only reader may ignore u64
//!  32 store id, 16 bytes            48 sequence u64 (rises with every meta written)
//!  56 txnid u64                     64 page count u32   68 next table id u32
//!  72 closed u32                    76 half of the log that goes on after it u32
//!  80 salt of that half u64         88 tree of the unnamed table, 24 bytes
//! 112 tree of the catalogue, 24     136 freelist: checksum u64, first page u32, pages u32
//! 152 free pages u32   156 tables u32   160 last recovery's jump: from u64, to u64
//! 176 key encoding u8, value encoding u8, flags u8, codec name size u8 of the unnamed table
//! 180 its codec name, 64 bytes     244 zero u32
//! 248 checksum u64: XXH3-64 of bytes 0 to 247, seed = page number
//! ```
//! All integers are little-endian.

const std = @import("std");
const assert = std.debug.assert;
const builtin = @import("builtin");
const page = @import("page.zig");
const config = @import("../config.zig");

pub const size = 256;
pub const magic: [8]u8 = "ZEOLITE1".*;
pub const version: u32 = 1;

/// Feature that a reader must know: records of the log may name overflow runs. In every meta that
/// is not marked closed; a closed store has no such record.
pub const feature_named_runs: u64 = 1;
const features_known = feature_named_runs;

/// A tree's root as metas, table records and published states keep it.
pub const Root = extern struct {
    checksum: u64 = 0,
    entries: u64 = 0,
    pgno: u32 = 0,
    depth: u8 = 0,
    has_runs: u8 = 0,
    /// 1: the root is a frame of the process that has the store to itself. Never in a file.
    is_frame: u16 = 0,

    pub fn of(from: page.Tree) Root {
        if (from.depth == 0) return .{};
        return .{
            .checksum = from.ref.checksum,
            .entries = from.entries,
            .pgno = from.ref.pgno,
            .depth = from.depth,
            .has_runs = @intFromBool(from.has_runs),
            .is_frame = @intFromBool(from.ref.dirty),
        };
    }

    /// The tree below a root that may be a frame; a frame is proved where it is read.
    pub fn tree(self: Root) error{Corrupt}!page.Tree {
        if (self.depth > config.depth_max or self.has_runs > 1) return error.Corrupt;
        if (self.depth == 0 and (self.pgno != 0 or self.entries != 0)) return error.Corrupt;
        if (self.is_frame > @intFromBool(self.depth > 0)) return error.Corrupt;
        if (self.depth > 0 and self.pgno < 2 and self.is_frame == 0) return error.Corrupt;
        return .{
            .ref = .{ .pgno = self.pgno, .checksum = self.checksum, .dirty = self.is_frame == 1 },
            .depth = self.depth,
            .entries = self.entries,
            .has_runs = self.has_runs == 1,
        };
    }
};

/// The chain of freelist pages of a checkpoint; `pgno` 0: nothing is free.
pub const Freelist = extern struct { checksum: u64 = 0, pgno: u32 = 0, page_count: u32 = 0 };

pub const Meta = extern struct {
    magic: [8]u8 = magic,
    version: u32 = version,
    page_size: u32,
    features_required: u64 = 0,
    features_read_only_safe: u64 = 0,
    store_id: [16]u8,
    sequence: u64,
    txnid: u64,
    page_count: u32,
    table_id_next: u32 = 1,
    closed: u32 = 0,
    log_half: u32 = 0,
    log_salt: u64,
    main: Root = .{},
    catalogue: Root = .{},
    freelist: Freelist = .{},
    free_page_count: u32 = 0,
    table_count: u32 = 0,
    jump_from: u64 = 0,
    jump_to: u64 = 0,
    key_encoding: u8 = 0,
    encoding: u8 = 0,
    flags: u8 = 0,
    codec_name_size: u8 = 0,
    codec_name: [64]u8 = @splat(0),
    reserved: [4]u8 = @splat(0),
    checksum: u64 = 0,

    /// Marks the meta closed, or takes the mark away.
    pub fn setClosed(self: *Meta, is_closed: bool) void {
        self.closed = @intFromBool(is_closed);
        self.features_required &= ~feature_named_runs;
        if (!is_closed) self.features_required |= feature_named_runs;
    }
};

comptime {
    assert(@sizeOf(Root) == 24);
    assert(@sizeOf(Freelist) == 16);
    assert(@sizeOf(Meta) == size);
    assert(@offsetOf(Meta, "sequence") == 48);
    assert(@offsetOf(Meta, "main") == 88);
    assert(@offsetOf(Meta, "freelist") == 136);
    assert(@offsetOf(Meta, "checksum") == 248);
    assert(builtin.target.cpu.arch.endian() == .little);
}

fn checksumOf(bytes: *const [size]u8, slot: u32) u64 {
    return std.hash.XxHash3.hash(slot, bytes[0 .. size - 8]);
}

/// The bytes of `meta` for page `slot`, its checksum filled in.
pub fn encode(meta: Meta, slot: u32) [size]u8 {
    assert(slot < 2);
    assert(meta.txnid <= config.txnid_max);
    var sealed = meta;
    sealed.checksum = 0;
    var bytes: [size]u8 = @bitCast(sealed);
    sealed.checksum = checksumOf(&bytes, slot);
    bytes = @bitCast(sealed);
    return bytes;
}

pub const DecodeError = error{
    /// The magic is another's: this is no store, or its first bytes are gone.
    NotAStore,
    /// Written by a version of the format this library does not know.
    Version,
    Corrupt,
};

/// The meta in page `slot`. Never reads behind `bytes`.
pub fn decode(bytes: *const [size]u8, slot: u32) DecodeError!Meta {
    assert(slot < 2);
    const meta: Meta = @bitCast(bytes.*);
    if (!std.mem.eql(u8, &meta.magic, &magic)) return error.NotAStore;
    if (checksumOf(bytes, slot) != meta.checksum) return error.Corrupt;
    if (meta.version != version) return error.Version;
    if (meta.features_required & ~features_known != 0) return error.Version;
    if (!config.isPageSize(meta.page_size)) return error.Corrupt;
    if (meta.txnid > config.txnid_max or meta.page_count < 2) return error.Corrupt;
    if (meta.closed > 1 or meta.log_half > 1 or meta.codec_name_size > 64) return error.Corrupt;
    _ = try meta.main.tree();
    _ = try meta.catalogue.tree();
    return meta;
}

const testing = std.testing;

fn example() Meta {
    return .{
        .page_size = 4096,
        .store_id = @splat(7),
        .sequence = 3,
        .txnid = 9,
        .page_count = 12,
        .log_salt = 0x1234,
    };
}

test "meta survives its bytes, and every flipped bit is noticed" {
    const bytes = encode(example(), 1);
    try testing.expectEqual(@as(u64, 9), (try decode(&bytes, 1)).txnid);
    try testing.expectError(error.Corrupt, decode(&bytes, 0));
    for (0..size * 8) |bit| {
        var damaged = bytes;
        damaged[bit / 8] ^= @as(u8, 1) << @intCast(bit % 8);
        if (decode(&damaged, 1)) |_| return error.TestUnexpectedResult else |_| {}
    }
}

test "meta of another version is named as such" {
    var meta = example();
    meta.version = 2;
    try testing.expectError(error.Version, decode(&encode(meta, 0), 0));
    meta = example();
    meta.features_required = feature_named_runs;
    _ = try decode(&encode(meta, 0), 0);
    meta.features_required = 2;
    try testing.expectError(error.Version, decode(&encode(meta, 0), 0));
}
