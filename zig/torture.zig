//! The test runner of long runs: `torture NAME…` runs the tests whose names contain one of the
//! arguments, one after the other in this process, and says how long each took. So one program
//! serves every division of time, where `zig build test` would build anew for each filter.
//!
//! Which seeds a test tries is chosen by the environment, as `sim/seeds.zig` says. The exit code is
//! 1 if a test failed or if none was meant.

const std = @import("std");
const builtin = @import("builtin");
const testing = std.testing;
const coverage = @import("coverage.zig");
const Smith = testing.Smith;

comptime {
    if (builtin.fuzz) _ = coverage.unused;
}

var environ: std.process.Environ = undefined;
var arguments: std.process.Args = undefined;

pub fn main(init: std.process.Init.Minimal) !void {
    var arena: std.heap.ArenaAllocator = .init(std.heap.page_allocator);
    defer arena.deinit();
    const names = (try init.args.toSlice(arena.allocator()))[1..];
    environ = init.environ;
    arguments = init.args;
    if (builtin.fuzz) try coverage.begin();
    var passed: u64 = 0;
    var failed: u64 = 0;
    for (builtin.test_functions) |entry| {
        if (!isMeant(entry.name, names)) continue;
        if (run(entry)) passed += 1 else failed += 1;
    }
    if (builtin.fuzz) try coverage.finish(std.Io.Threaded.global_single_threaded.io());
    std.debug.print("{d} passed, {d} failed\n", .{ passed, failed });
    if (failed > 0 or passed == 0) std.process.exit(1);
}

fn isMeant(test_name: []const u8, names: []const [:0]const u8) bool {
    if (names.len == 0) return true;
    for (names) |name| if (std.mem.indexOf(u8, test_name, name) != null) return true;
    return false;
}

/// Whether the test passes and leaves nothing behind; one that skips itself does.
fn run(entry: std.builtin.TestFn) bool {
    testing.allocator_instance = .{};
    testing.environ = environ;
    testing.io_instance = .init(testing.allocator, .{
        .argv0 = .init(arguments),
        .environ = environ,
    });
    const begin = nanoseconds();
    const is_right = if (entry.func()) |_| true else |err| err == error.SkipZigTest or told: {
        if (@errorReturnTrace()) |trace| std.debug.dumpErrorReturnTrace(trace);
        std.debug.print("{s}: {t}\n", .{ entry.name, err });
        break :told false;
    };
    testing.io_instance.deinit();
    const is_clean = testing.allocator_instance.deinit() == .ok;
    const seconds = @as(f64, @floatFromInt(nanoseconds() - begin)) / std.time.ns_per_s;
    const outcome = if (!is_right) "FAILED" else if (!is_clean) "LEAKED" else "ok";
    std.debug.print("{s}: {s}, {d:.1} s\n", .{ entry.name, outcome, seconds });
    return is_right and is_clean;
}

fn nanoseconds() u64 {
    var now: std.c.timespec = undefined;
    if (std.c.clock_gettime(.MONOTONIC, &now) != 0) return 0;
    return @as(u64, @intCast(now.sec)) * std.time.ns_per_s + @as(u64, @intCast(now.nsec));
}

/// What `std.testing.fuzz` calls: here an input of no bytes; the fuzzer has a runner of its own.
pub fn fuzz(
    context: anytype,
    comptime testOne: fn (context: @TypeOf(context), smith: *Smith) anyerror!void,
    options: testing.FuzzInputOptions,
) anyerror!void {
    for (options.corpus) |input| {
        var smith: Smith = .{ .in = input };
        try testOne(context, &smith);
    }
    var smith: Smith = .{ .in = "" };
    try testOne(context, &smith);
}
