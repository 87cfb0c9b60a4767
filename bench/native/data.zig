//! The keys and values of every workload: those of `bench/data.ts`. Keys have 16 bytes and rise
//! with their index; values have 100 bytes that do not compress. Which keys a turn asks for comes
//! from a seed, so that every engine is asked for the same ones.

const std = @import("std");

pub const key_size = 16;
pub const value_size = 100;
/// Different values; entry i has value i modulo this.
pub const value_count = 4096;

/// Lookups of one turn: the state they read from is let go behind them.
pub const turn_size = 1000;

pub const Key = [key_size]u8;

/// Mixes the bits of a number.
fn mix(seed: u32) u32 {
    var bits = seed;
    bits = (bits ^ (bits >> 16)) *% 0x21f0aaad;
    bits = (bits ^ (bits >> 15)) *% 0x735a2d97;
    return bits ^ (bits >> 15);
}

fn writeHex(out: *[8]u8, bits: u32) void {
    for (out, 0..) |*digit, index| {
        const shift: u5 = @intCast(28 - 4 * index);
        digit.* = "0123456789abcdef"[bits >> shift & 15];
    }
}

/// The key at an index of a store with `count` entries: 8 digits that rise with the index, 8 of no
/// order.
pub fn keyAt(count: u32, index: u32) Key {
    const stride: u32 = @intCast((@as(u64, 1) << 32) / count);
    const bits = mix(index);
    var key: Key = undefined;
    writeHex(key[0..8], index *% stride +% bits % stride);
    writeHex(key[8..16], bits *% 0x9e3779b1);
    return key;
}

/// A key that no store has, beside the one at that index.
pub fn missingAt(count: u32, index: u32) Key {
    var key = keyAt(count, index);
    key[15] = 'x';
    return key;
}

pub const Values = struct {
    bytes: []u8,
    /// Bytes of each.
    size: u32,
    count: u32,

    pub fn create(allocator: std.mem.Allocator, size: u32, count: u32) !*Values {
        const values = try allocator.create(Values);
        values.* = .{
            .bytes = try allocator.alloc(u8, @as(usize, size) * count),
            .size = size,
            .count = count,
        };
        var random: std.Random.Xoshiro256 = .init(2);
        random.fill(values.bytes);
        return values;
    }

    pub fn destroy(self: *Values, allocator: std.mem.Allocator) void {
        allocator.free(self.bytes);
        allocator.destroy(self);
    }

    pub fn at(self: *const Values, index: usize) []const u8 {
        return self.bytes[index % self.count * self.size ..][0..self.size];
    }
};

/// All keys of a store, by rising key.
pub fn orderedKeys(allocator: std.mem.Allocator, count: u32) ![]Key {
    const keys = try allocator.alloc(Key, count);
    for (keys, 0..) |*key, index| key.* = keyAt(count, @intCast(index));
    return keys;
}

/// All keys of a store, each once, in an order that looks like none.
pub fn shuffledKeys(allocator: std.mem.Allocator, count: u32) ![]Key {
    const keys = try orderedKeys(allocator, count);
    var random: std.Random.Xoshiro256 = .init(1);
    random.random().shuffle(Key, keys);
    return keys;
}

/// Random keys of a store with `entries` entries, in the order in which they are asked for: what
/// is measured reads them in sequence.
pub fn randomKeys(keys: []Key, entries: u32, random: std.Random) void {
    for (keys) |*key| key.* = keyAt(entries, random.uintLessThan(u32, entries));
}

/// What is put where: keys in the order of their puts, and the value of the first.
pub const Puts = struct {
    keys: []const Key,
    values: *const Values,
    first: usize = 0,
    /// Entries of one transaction.
    batch: usize,
    /// All keys rise, above every key of the store.
    append: bool = false,
};
