//! Unsigned LEB128 numbers (DWARF 5, section 7.6), as freelist pages and log records hold them.
//! Reading never goes behind the bytes given, and refuses numbers above 64 bits.

const std = @import("std");

/// The most bytes that one number takes.
pub const size_max = 10;

/// Bytes that `value` takes.
pub fn sizeOf(value: u64) usize {
    const bits: usize = 64 - @clz(value | 1);
    return (bits + 6) / 7;
}

/// Writes `value` at the start of `buffer`. Returns the bytes it took.
pub fn write(buffer: []u8, value: u64) usize {
    var rest = value;
    var length: usize = 0;
    while (rest >= 0x80) : (length += 1) {
        buffer[length] = @as(u8, @truncate(rest)) | 0x80;
        rest >>= 7;
    }
    buffer[length] = @intCast(rest);
    return length + 1;
}

/// Takes one number off the front of `bytes`.
pub fn read(bytes: *[]const u8) error{Corrupt}!u64 {
    var value: u64 = 0;
    for (bytes.*[0..@min(bytes.len, size_max)], 0..) |byte, index| {
        const part: u64 = byte & 0x7f;
        if (index == size_max - 1 and byte > 1) return error.Corrupt;
        value |= part << @intCast(7 * index);
        if (byte & 0x80 != 0) continue;
        bytes.* = bytes.*[index + 1 ..];
        return value;
    }
    return error.Corrupt;
}

test "varint keeps numbers of every width" {
    for (0..64) |shift| {
        for ([_]u64{ 0, 1 }) |less| {
            const value = (@as(u64, 1) << @intCast(shift)) - less;
            var buffer: [size_max]u8 = undefined;
            const length = write(&buffer, value);
            try std.testing.expectEqual(length, sizeOf(value));
            var bytes: []const u8 = buffer[0..length];
            try std.testing.expectEqual(value, try read(&bytes));
            try std.testing.expectEqual(@as(usize, 0), bytes.len);
            bytes = buffer[0 .. length - 1];
            try std.testing.expectError(error.Corrupt, read(&bytes));
        }
    }
    var endless: []const u8 = &@as([11]u8, @splat(0xff));
    try std.testing.expectError(error.Corrupt, read(&endless));
}
