//! The catalogue: a tree of its own that keeps, under each table's name, its record: identity,
//! fixed attributes, root. The unnamed table's root lies in the meta and the published state
//! instead, so that a store without named tables never touches the catalogue.
//!
//! Key: 0x01 and the name's bytes. Record, little-endian:
//! ```
//!  0 id u32   4 flags u32 (bit 0 dupSort, reserved)   8 key encoding u8   9 value encoding u8
//! 10 compression u8 (0)   11 codec name size u8   12 index of table u32 (0)
//! 16 dictionary page u32 (0)   20 zero u32   24 created by txnid u64   32 root, 24 bytes
//! 56 codec name
//! ```

const std = @import("std");
const assert = std.debug.assert;
const config = @import("../config.zig");
const explain = @import("../explain.zig");
const meta = @import("../format/meta.zig");
const page = @import("../format/page.zig");
const Pages = @import("../store/Pages.zig");
const Cursor = @import("../tree/Cursor.zig");
const search = @import("../tree/search.zig");

pub const codec_name_size_max = 64;
/// An attribute that an opener leaves to what is kept.
pub const adopt: u8 = 255;

const key_encoding_names = [_][]const u8{ "ordered", "string", "binary", "u32", "u64" };
const encoding_names = [_][]const u8{ "msgpack", "json", "string", "binary", "codec " };

fn nameOf(names: []const []const u8, number: u8) []const u8 {
    if (number == adopt) return "what is kept";
    return if (number < names.len) names[number] else "an unknown one";
}

/// What is fixed when a table is created.
pub const Attributes = struct {
    key_encoding: u8 = adopt,
    encoding: u8 = adopt,
    codec_name_size: u8 = 0,
    codec_name_buffer: [codec_name_size_max]u8 = @splat(0),

    pub fn codecName(self: *const Attributes) []const u8 {
        return self.codec_name_buffer[0..self.codec_name_size];
    }

    pub fn setCodecName(self: *Attributes, name: []const u8) void {
        assert(name.len <= codec_name_size_max);
        self.codec_name_size = @intCast(name.len);
        @memcpy(self.codec_name_buffer[0..name.len], name);
    }

    /// True if an opener that wants `self` can use a table that has `kept`.
    pub fn agrees(self: *const Attributes, kept: *const Attributes) bool {
        if (self.key_encoding != adopt and self.key_encoding != kept.key_encoding) return false;
        if (self.encoding == adopt) return true;
        if (self.encoding != kept.encoding) return false;
        return std.mem.eql(u8, self.codecName(), kept.codecName());
    }

    /// Explains why an opener that wants `self` cannot use the table `name` that has `kept`.
    pub fn contradict(
        self: *const Attributes,
        kept: *const Attributes,
        name: []const u8,
    ) error{Options} {
        explain.set("{s} was created with key encoding {s} and encoding {s}{s}, the options say " ++
            "{s} and {s}{s}: leave them out", .{
            name,
            nameOf(&key_encoding_names, kept.key_encoding),
            nameOf(&encoding_names, kept.encoding),
            kept.codecName(),
            nameOf(&key_encoding_names, self.key_encoding),
            nameOf(&encoding_names, self.encoding),
            self.codecName(),
        });
        return error.Options;
    }

    /// What a table created for this opener gets: 0 (the defaults) for what it left open.
    pub fn resolved(self: Attributes) Attributes {
        var result = self;
        if (result.key_encoding == adopt) result.key_encoding = 0;
        if (result.encoding == adopt) result.encoding = 0;
        return result;
    }
};

const Fixed = extern struct {
    id: u32,
    flags: u32 = 0,
    key_encoding: u8,
    encoding: u8,
    compression: u8 = 0,
    codec_name_size: u8,
    index_of: u32 = 0,
    dictionary_page: u32 = 0,
    zero: u32 = 0,
    created: u64,
    root: meta.Root,
};

pub const record_size_max = @sizeOf(Fixed) + codec_name_size_max;

comptime {
    assert(@sizeOf(Fixed) == 56);
}

pub const Record = struct {
    id: u32,
    created: u64,
    attributes: Attributes,
    tree: page.Tree,

    pub fn encode(self: *const Record, buffer: *[record_size_max]u8) []const u8 {
        const fixed: Fixed = .{
            .id = self.id,
            .key_encoding = self.attributes.key_encoding,
            .encoding = self.attributes.encoding,
            .codec_name_size = self.attributes.codec_name_size,
            .created = self.created,
            .root = .of(self.tree),
        };
        buffer[0..@sizeOf(Fixed)].* = @bitCast(fixed);
        const name = self.attributes.codecName();
        @memcpy(buffer[@sizeOf(Fixed)..][0..name.len], name);
        return buffer[0 .. @sizeOf(Fixed) + name.len];
    }

    pub fn decode(bytes: []const u8) error{Corrupt}!Record {
        if (bytes.len < @sizeOf(Fixed)) return error.Corrupt;
        const fixed: Fixed = @bitCast(bytes[0..@sizeOf(Fixed)].*);
        if (fixed.codec_name_size > codec_name_size_max) return error.Corrupt;
        if (bytes.len != @sizeOf(Fixed) + @as(usize, fixed.codec_name_size)) return error.Corrupt;
        if (fixed.flags != 0 or fixed.compression != 0 or fixed.id == 0) return error.Corrupt;
        var attributes: Attributes = .{
            .key_encoding = fixed.key_encoding,
            .encoding = fixed.encoding,
        };
        attributes.setCodecName(bytes[@sizeOf(Fixed)..]);
        return .{
            .id = fixed.id,
            .created = fixed.created,
            .attributes = attributes,
            .tree = try fixed.root.tree(),
        };
    }
};

pub const KeyBuffer = [config.key_size_max_any]u8;

/// The longest name of a table: with its first byte it is a key.
pub fn nameSizeMax(page_size: u32) usize {
    return config.keySizeMax(page_size) - 1;
}

pub fn keyOf(name: []const u8, buffer: *KeyBuffer) []const u8 {
    assert(name.len + 1 <= buffer.len);
    buffer[0] = 1;
    @memcpy(buffer[1..][0..name.len], name);
    return buffer[0 .. name.len + 1];
}

/// The bytes of an inline or overflow value.
pub fn valueBytes(pages: Pages, value: search.Value) error{Corrupt}![]const u8 {
    return switch (value.kind) {
        .@"inline" => value.bytes,
        .overflow => pages.run(value.run(), value.size),
        else => error.Corrupt,
    };
}

/// The record of the table `name`; null if there is none.
pub fn find(pages: Pages, catalogue: page.Tree, name: []const u8) error{Corrupt}!?Record {
    return findRecord(pages, catalogue, name) catch |err| return explain.damagedCatalogue(err);
}

fn findRecord(pages: Pages, catalogue: page.Tree, name: []const u8) error{Corrupt}!?Record {
    var buffer: KeyBuffer = undefined;
    const value = try search.get(pages, catalogue, keyOf(name, &buffer)) orelse return null;
    return try Record.decode(try valueBytes(pages, value));
}

/// Walks the catalogue in the order of names.
pub const Iterator = struct {
    cursor: Cursor,
    started: bool = false,
    pages: Pages,
    buffer: KeyBuffer = undefined,

    pub fn init(pages: Pages, catalogue: page.Tree) Iterator {
        return .{ .cursor = .init(pages, catalogue), .pages = pages };
    }

    pub const Entry = struct { name: []const u8, record: Record };

    /// `name` is valid until the next call.
    pub fn next(self: *Iterator) error{Corrupt}!?Entry {
        const found = if (self.started) try self.cursor.next() else try self.cursor.first();
        self.started = true;
        if (!found) return null;
        const key = try self.cursor.key(&self.buffer);
        if (key.len == 0 or key[0] != 1) return error.Corrupt;
        const value = self.cursor.value();
        return .{
            .name = key[1..],
            .record = try Record.decode(try valueBytes(self.pages, value)),
        };
    }
};

test "table record survives its bytes, and a cut or odd one is refused" {
    var record: Record = .{
        .id = 3,
        .created = 9,
        .attributes = .{ .key_encoding = 2, .encoding = 4 },
        .tree = .{
            .ref = .{ .pgno = 8, .checksum = 77, .dirty = false },
            .depth = 2,
            .entries = 100,
            .has_runs = true,
        },
    };
    record.attributes.setCodecName("protobuf");
    var buffer: [record_size_max]u8 = undefined;
    const bytes = record.encode(&buffer);
    try std.testing.expectEqualDeep(record, try Record.decode(bytes));
    for (0..bytes.len) |cut| {
        try std.testing.expectError(error.Corrupt, Record.decode(bytes[0..cut]));
    }
    var wanted: Attributes = .{};
    try std.testing.expect(wanted.agrees(&record.attributes));
    wanted.encoding = 1;
    try std.testing.expect(!wanted.agrees(&record.attributes));
}
