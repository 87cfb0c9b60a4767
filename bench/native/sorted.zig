//! The floor of a lookup in a small store: entries of a key and a value in the order in which they
//! were put, an array of their offsets by rising key, a binary search that calls memcmp. It knows
//! no pages, no transactions, no checksums.

const std = @import("std");
const clock = @import("clock.zig");
const data = @import("data.zig");

const Key = data.Key;
const entry_size = data.key_size + data.value_size;

extern "c" fn memcmp(a: *const anyopaque, b: *const anyopaque, size: usize) c_int;

pub const Session = struct {
    slots: []u32 = &.{},
    entries: []u8 = &.{},

    fn find(self: *const Session, key: *const Key) ?[]const u8 {
        var low: usize = 0;
        var high = self.slots.len;
        while (low < high) {
            const middle = (low + high) / 2;
            const entry = self.entries[self.slots[middle]..][0..entry_size];
            const order = memcmp(entry, key, data.key_size);
            if (order == 0) return entry[data.key_size..];
            if (order < 0) low = middle + 1 else high = middle;
        }
        return null;
    }

    pub fn get(self: Session, keys: []const Key) !u64 {
        var copy: [data.value_size]u8 = undefined;
        var sum: u64 = 0;
        for (keys) |*key| {
            const found = self.find(key) orelse return clock.fail("sorted: no such key", .{});
            @memcpy(&copy, found[0..data.value_size]);
            std.mem.doNotOptimizeAway(&copy);
            sum += copy[0];
        }
        return sum;
    }

    pub fn view(self: Session, keys: []const Key) !u64 {
        var sum: u64 = 0;
        for (keys) |*key| {
            const found = self.find(key) orelse return clock.fail("sorted: no such key", .{});
            sum += found[0];
        }
        return sum;
    }

    pub const getMany = get;

    pub fn getMissing(self: Session, keys: []const Key) !u64 {
        var found: u64 = 0;
        for (keys) |*key| found += @intFromBool(self.find(key) != null);
        return found;
    }

    pub fn scan(self: Session) !u64 {
        var sum: u64 = 0;
        for (self.slots) |slot| sum += self.entries[slot + data.key_size];
        return sum;
    }
};

pub const Store = struct {
    allocator: std.mem.Allocator,
    path: []const u8,
    session: Session = .{},

    pub fn close(self: *Store) !void {
        self.allocator.free(self.session.slots);
        self.allocator.free(self.session.entries);
    }

    pub fn openReader(self: *const Store) !Session {
        return self.session;
    }

    pub fn closeReader(_: Session) !void {}

    /// Takes all its entries at once.
    pub fn put(self: *Store, puts: data.Puts) !void {
        const slots = try self.allocator.alloc(u32, puts.keys.len);
        const entries = try self.allocator.alloc(u8, puts.keys.len * entry_size);
        for (slots, puts.keys, 0..) |*slot, *key, index| {
            slot.* = @intCast(index * entry_size);
            entries[slot.*..][0..data.key_size].* = key.*;
            @memcpy(
                entries[slot.* + data.key_size ..][0..data.value_size],
                puts.values.at(puts.first + index),
            );
        }
        std.mem.sortUnstable(u32, slots, entries, isBelow);
        self.session = .{ .slots = slots, .entries = entries };
    }

    fn isBelow(entries: []u8, a: u32, b: u32) bool {
        return memcmp(entries[a..].ptr, entries[b..].ptr, data.key_size) < 0;
    }
};
