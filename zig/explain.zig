//! What a failure found and what to do about it, in words, for the thread that failed. An error
//! code says which failure; this says which file, which number. It never decides anything.

const std = @import("std");

threadlocal var buffer: [480]u8 = undefined;
threadlocal var length: usize = 0;
threadlocal var damage: ?Damage = null;

/// Where a read came upon bytes that cannot be right.
pub const Damage = struct { pgno: u32, in_catalogue: bool = false };

/// Forgets the last explanation: call at the start of every operation that may fail.
pub fn clear() void {
    length = 0;
    damage = null;
}

/// Notes the page that a read refuses. The newest one counts: its error is on its way up. Whoever
/// knows path and table makes a sentence of it.
pub noinline fn damaged(pgno: u32) error{Corrupt} {
    @branchHint(.cold);
    damage = .{ .pgno = pgno };
    return error.Corrupt;
}

/// What was read is the list of tables, not one of them.
pub fn damagedCatalogue(err: anytype) @TypeOf(err) {
    if (damage) |*it| it.in_catalogue = true;
    return err;
}

/// The page noted since `clear`, and forgets it.
pub fn takeDamage() ?Damage {
    defer damage = null;
    return damage;
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

test "damaged keeps the newest page until it is taken" {
    try std.testing.expectEqual(error.Corrupt, damaged(3));
    try std.testing.expectEqual(error.Corrupt, damagedCatalogue(damaged(4)));
    try std.testing.expectEqual(Damage{ .pgno = 4, .in_catalogue = true }, takeDamage().?);
    try std.testing.expectEqual(null, takeDamage());
    std.mem.doNotOptimizeAway(damaged(5));
    clear();
    try std.testing.expectEqual(null, takeDamage());
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
