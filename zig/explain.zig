//! What a failure found and what to do about it, in words, for the thread that failed. An error
//! code says which failure; this says which file, which number. It never decides anything.

const std = @import("std");

threadlocal var buffer: [480]u8 = undefined;
threadlocal var length: usize = 0;

/// Forgets the last explanation: call at the start of every operation that may fail.
pub fn clear() void {
    length = 0;
}

/// Keeps a sentence, unless a deeper call has kept one already: that one is closer to the cause.
pub fn set(comptime format: []const u8, arguments: anytype) void {
    if (length > 0) return;
    const text = std.fmt.bufPrint(&buffer, format, arguments) catch |err| switch (err) {
        error.NoSpaceLeft => &buffer,
    };
    length = text.len;
}

/// The sentence kept since `clear`; empty if none.
pub fn get() []const u8 {
    return buffer[0..length];
}

test "explain keeps the first sentence, cut to its buffer" {
    clear();
    set("{s} {d}", .{ "page", 7 });
    set("outer", .{});
    try std.testing.expectEqualStrings("page 7", get());
    clear();
    const long: [600]u8 = @splat('x');
    set("{s}", .{&long});
    try std.testing.expectEqual(@as(usize, 480), get().len);
}
