//! Numbers for things that JavaScript holds: 16 bits of place, 15 bits of generation, so that a
//! number outlives its thing without reaching another's. Not shared between threads.

const std = @import("std");
const assert = std.debug.assert;

const place_bits = 16;
const place_count_max = (1 << place_bits) - 1;

/// The number of place `index` in its `generation`; above 0 and below 2^31.
pub fn number(index: usize, generation: u16) u32 {
    assert(index < place_count_max);
    return @as(u32, generation & 0x7fff) << place_bits | @as(u32, @intCast(index + 1));
}

pub fn indexOf(handle: u32) ?usize {
    const place = handle & 0xffff;
    return if (place == 0) null else place - 1;
}

pub fn generationOf(handle: u32) u16 {
    return @intCast(handle >> place_bits & 0x7fff);
}

/// Things of type `T` by number.
pub fn Table(comptime T: type) type {
    return struct {
        const Self = @This();
        const Place = struct { generation: u16 = 0, item: ?T = null };

        places: std.ArrayList(Place) = .empty,

        pub fn deinit(self: *Self, allocator: std.mem.Allocator) void {
            self.places.deinit(allocator);
        }

        pub fn add(
            self: *Self,
            allocator: std.mem.Allocator,
            item: T,
        ) error{ OutOfMemory, Full }!u32 {
            for (self.places.items, 0..) |*place, index| {
                if (place.item != null) continue;
                place.item = item;
                return number(index, place.generation);
            }
            if (self.places.items.len + 1 >= place_count_max) return error.Full;
            try self.places.append(allocator, .{ .item = item });
            return number(self.places.items.len - 1, 0);
        }

        pub fn get(self: *const Self, handle: u32) ?T {
            const index = indexOf(handle) orelse return null;
            if (index >= self.places.items.len) return null;
            const place = &self.places.items[index];
            if (place.generation != generationOf(handle)) return null;
            return place.item;
        }

        /// Takes the thing out; its number is dead from now on.
        pub fn remove(self: *Self, handle: u32) ?T {
            const item = self.get(handle) orelse return null;
            const place = &self.places.items[indexOf(handle).?];
            place.item = null;
            place.generation = (place.generation + 1) & 0x7fff;
            return item;
        }
    };
}

test "handles of things that are gone reach nothing" {
    var table: Table(u8) = .{};
    defer table.deinit(std.testing.allocator);
    const a = try table.add(std.testing.allocator, 'a');
    const b = try table.add(std.testing.allocator, 'b');
    try std.testing.expectEqual('a', table.remove(a).?);
    try std.testing.expectEqual(null, table.get(a));
    const c = try table.add(std.testing.allocator, 'c');
    try std.testing.expect(c != a);
    try std.testing.expectEqual('c', table.get(c).?);
    try std.testing.expectEqual('b', table.get(b).?);
    try std.testing.expectEqual(null, table.get(0));
    try std.testing.expectEqual(null, table.get(0x7fffffff));
}
