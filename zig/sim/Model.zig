//! What a store must hold, exactly: tables of keys and values, and a digest of them all that can
//! be compared with that of an open store. It knows nothing of pages, files or logs.
//!
//! The digest is a sum over tables and entries, so that a change costs no walk and the order of
//! changes does not count; `readDigest` makes the same sum of a store by walking it.

const std = @import("std");
const Allocator = std.mem.Allocator;
const Env = @import("../txn/Env.zig");
const catalogue = @import("../txn/tables.zig");
const page = @import("../format/page.zig");
const Cursor = @import("../tree/Cursor.zig");
const Pages = @import("../store/Pages.zig");
const config = @import("../config.zig");

const Model = @This();

pub const Digest = u128;

/// Tables of the model; 0 is the unnamed one.
pub const names = [_]?[]const u8{ null, "one", "two", "a longer name of a table" };

const Entries = std.StringHashMapUnmanaged([]const u8);

const Table = struct { exists: bool, entries: Entries = .empty };

/// Keys and values live here until the end of the test.
arena: Allocator,
tables: [names.len]Table,
digest: Digest = 0,

pub fn init(arena: Allocator) Model {
    var self: Model = .{ .arena = arena, .tables = @splat(.{ .exists = false }) };
    self.tables[0].exists = true;
    return self;
}

pub fn clone(self: *const Model) !Model {
    var result = self.*;
    for (&result.tables) |*table| table.entries = try table.entries.clone(self.arena);
    return result;
}

/// Returns whether the key is new.
pub fn put(self: *Model, index: usize, key: []const u8, value: []const u8) !bool {
    const table = &self.tables[index];
    std.debug.assert(table.exists);
    const place = try table.entries.getOrPut(self.arena, key);
    if (place.found_existing) {
        self.digest -%= entryDigest(names[index], key, place.value_ptr.*);
    } else {
        place.key_ptr.* = try self.arena.dupe(u8, key);
    }
    place.value_ptr.* = try self.arena.dupe(u8, value);
    self.digest +%= entryDigest(names[index], key, value);
    return !place.found_existing;
}

pub fn get(self: *const Model, index: usize, key: []const u8) ?[]const u8 {
    return self.tables[index].entries.get(key);
}

/// Returns whether the key was there.
pub fn remove(self: *Model, index: usize, key: []const u8) bool {
    const entry = self.tables[index].entries.fetchRemove(key) orelse return false;
    self.digest -%= entryDigest(names[index], key, entry.value);
    return true;
}

/// Removes the keys from `start` up to but without `end`; returns how many.
pub fn removeRange(self: *Model, index: usize, start: ?[]const u8, end: ?[]const u8) !u64 {
    var found: std.ArrayList([]const u8) = .empty;
    var keys = self.tables[index].entries.keyIterator();
    while (keys.next()) |key| {
        if (start) |bound| if (std.mem.order(u8, key.*, bound) == .lt) continue;
        if (end) |bound| if (std.mem.order(u8, key.*, bound) != .lt) continue;
        try found.append(self.arena, key.*);
    }
    for (found.items) |key| _ = self.remove(index, key);
    return found.items.len;
}

/// The table exists from now on, if it did not.
pub fn create(self: *Model, index: usize) void {
    if (self.tables[index].exists) return;
    self.tables[index].exists = true;
    self.digest +%= tableDigest(names[index].?);
}

pub fn drop(self: *Model, index: usize) !bool {
    if (!self.tables[index].exists) return false;
    _ = try self.removeRange(index, null, null);
    self.tables[index].exists = false;
    self.digest -%= tableDigest(names[index].?);
    return true;
}

fn hash(seed: u64, parts: []const []const u8) u64 {
    var state: std.hash.Wyhash = .init(seed);
    for (parts) |part| {
        const size: u64 = part.len;
        state.update(std.mem.asBytes(&size));
        state.update(part);
    }
    return state.final();
}

fn wide(parts: []const []const u8) Digest {
    return @as(Digest, hash(1, parts)) << 64 | hash(2, parts);
}

pub fn entryDigest(name: ?[]const u8, key: []const u8, value: []const u8) Digest {
    return wide(&.{ name orelse "", if (name == null) "unnamed" else "named", key, value });
}

pub fn tableDigest(name: []const u8) Digest {
    return wide(&.{ "table", name });
}

/// The digest of a state of an open store, every page of its tables being read.
pub fn readDigest(view: *const Env.View) !Digest {
    const pages = view.pages();
    var digest = try treeDigest(pages, view.main, null);
    var iterator: catalogue.Iterator = .init(pages, view.catalogue);
    while (try iterator.next()) |entry| {
        digest +%= tableDigest(entry.name);
        digest +%= try treeDigest(pages, entry.record.tree, entry.name);
    }
    return digest;
}

/// Where keys are put together: not on the stack, where a safe build would fill it for each tree.
threadlocal var key_buffers: [2][config.key_size_max_any]u8 = undefined;

fn treeDigest(pages: Pages, tree: page.Tree, name: ?[]const u8) !Digest {
    var digest: Digest = 0;
    var count: u64 = 0;
    var cursor: Cursor = .init(pages, tree);
    var before: ?[]const u8 = null;
    var has_entry = try cursor.first();
    while (has_entry) : (has_entry = try cursor.next()) {
        const key = try cursor.key(&key_buffers[count % 2]);
        if (before) |lower| if (std.mem.order(u8, lower, key) != .lt) return error.Corrupt;
        before = key;
        digest +%= entryDigest(name, key, try catalogue.valueBytes(pages, cursor.value()));
        count += 1;
    }
    return if (count == tree.entries) digest else error.Corrupt;
}

test "digest: the order of changes does not count, contents do" {
    var arena: std.heap.ArenaAllocator = .init(std.testing.allocator);
    defer arena.deinit();
    var first: Model = .init(arena.allocator());
    _ = try first.put(0, "a", "1");
    first.create(1);
    _ = try first.put(1, "b", "2");
    var second = try first.clone();
    try std.testing.expect(!try second.put(0, "a", "changed"));
    try std.testing.expect(second.digest != first.digest);
    _ = try second.put(0, "a", "1");
    try std.testing.expectEqual(first.digest, second.digest);
    try std.testing.expectEqual(1, try second.removeRange(1, "b", "c"));
    try std.testing.expectEqual(0, try second.removeRange(1, "b", null));
    try std.testing.expect(second.remove(0, "a"));
    try std.testing.expect(!second.remove(0, "a"));
    try std.testing.expect(try second.drop(1));
    try std.testing.expectEqual(0, second.digest);
    try std.testing.expectEqualStrings("2", first.get(1, "b").?);
}
