//! A `memset` for the tests, where the compiler fills every variable, buffer and allocation that is
//! undefined: with the one that it brings along half of a model's time went there, byte by byte.
//! It takes the place of that one in test programs only, and does nothing else.

const builtin = @import("builtin");

comptime {
    const is_wanted = builtin.cpu.arch == .x86_64 and builtin.os.tag == .linux;
    if (builtin.is_test and is_wanted) @export(&fill, .{ .name = "memset", .linkage = .strong });
}

const Wide = @Vector(16, u8);

/// Below it stores beat the string instruction, which takes some dozen cycles to begin.
const string_size_min = 256;

fn fill(destination: [*]u8, value: c_int, size: usize) callconv(.c) [*]u8 {
    @setRuntimeSafety(false);
    const byte: u8 = @truncate(@as(c_uint, @bitCast(value)));
    if (size >= string_size_min) {
        asm volatile ("rep stosb"
            :
            : [destination] "{rdi}" (destination),
              [byte] "{al}" (byte),
              [size] "{rcx}" (size),
            : .{ .rdi = true, .rcx = true, .memory = true });
    } else if (size >= @sizeOf(Wide)) {
        fillWide(destination, @splat(byte), size);
    } else {
        // Volatile: else the compiler makes a call of this function of it.
        const bytes: [*]volatile u8 = destination;
        for (0..size) |index| bytes[index] = byte;
    }
    return destination;
}

/// The last store may cover a part of the one before it.
fn fillWide(destination: [*]u8, wide: Wide, size: usize) void {
    @setRuntimeSafety(false);
    var offset: usize = 0;
    while (offset + @sizeOf(Wide) < size) : (offset += @sizeOf(Wide)) {
        const target: *align(1) volatile Wide = @ptrCast(destination + offset);
        target.* = wide;
    }
    const last: *align(1) volatile Wide = @ptrCast(destination + size - @sizeOf(Wide));
    last.* = wide;
}

test "memset: every size at every place of a line, and nothing beside it" {
    const std = @import("std");
    var bytes: [1024]u8 = undefined;
    const sizes = [_]usize{ 0, 1, 7, 15, 16, 17, 31, 32, 33, 255, 256, 257, 700 };
    for (0..16) |start| for (sizes) |size| {
        for (&bytes) |*byte| byte.* = 1;
        const end = start + size;
        _ = fill(bytes[start..].ptr, 0x1aa, size);
        try std.testing.expect(std.mem.allEqual(u8, bytes[0..start], 1));
        try std.testing.expect(std.mem.allEqual(u8, bytes[start..end], 0xaa));
        try std.testing.expect(std.mem.allEqual(u8, bytes[end..], 1));
    };
}
