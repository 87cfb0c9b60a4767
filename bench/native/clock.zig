//! The clock that everything here is timed with, and the failures that end a run.

const std = @import("std");

/// Nanoseconds of the monotonic clock.
pub fn now() u64 {
    var time: std.c.timespec = undefined;
    _ = std.c.clock_gettime(.MONOTONIC, &time);
    return @as(u64, @intCast(time.sec)) * std.time.ns_per_s + @as(u64, @intCast(time.nsec));
}

/// Nanoseconds of one of `count` operations begun at `begin`.
pub fn perOperation(begin: u64, count: usize) f64 {
    return @as(f64, @floatFromInt(now() - begin)) / @as(f64, @floatFromInt(count));
}

/// Ends the run: what an engine did is not what it was asked for.
pub fn fail(comptime text: []const u8, values: anytype) error{Failed} {
    std.debug.print("bench-native: " ++ text ++ "\n", values);
    return error.Failed;
}
