//! Cuts a history that fails to a short one that fails as well: delta debugging over its steps, by
//! halves first and single steps at last (Zeller). It knows nothing of what a step is.
//!
//! A history can be replayed in part if each step draws its chances from where its generator stood
//! when the whole history ran; who runs one keeps these states. `ZEOLITE_STEPS`, as `print` writes
//! it, names the steps of a replay.

const std = @import("std");
const Allocator = std.mem.Allocator;

/// Runs that a history is given to become shorter.
const run_count_max = 2000;

/// Whether a history of these steps alone fails.
pub const Fails = *const fn (context: *anyopaque, steps: []const u32) anyerror!bool;

/// The steps that are left of `count`, in order; all of them fail together, by what `fails` says.
pub fn shrink(allocator: Allocator, count: u32, context: *anyopaque, fails: Fails) ![]u32 {
    var kept: std.ArrayList(u32) = .empty;
    errdefer kept.deinit(allocator);
    for (0..count) |step| try kept.append(allocator, @intCast(step));
    var without: std.ArrayList(u32) = .empty;
    defer without.deinit(allocator);
    var run_count: u32 = 0;
    var size = std.math.divCeil(usize, count, 2) catch unreachable;
    while (size > 0 and run_count < run_count_max) {
        var is_shorter = false;
        // From the end: what comes after the fault is no part of it.
        var end = kept.items.len;
        while (end > 0 and run_count < run_count_max) : (run_count += 1) {
            const start = end -| size;
            without.clearRetainingCapacity();
            try without.appendSlice(allocator, kept.items[0..start]);
            try without.appendSlice(allocator, kept.items[end..]);
            if (try fails(context, without.items)) {
                std.mem.swap(std.ArrayList(u32), &kept, &without);
                is_shorter = true;
            }
            end = start;
        }
        if (size == 1 and !is_shorter) break;
        size = @max(1, @min(size / 2, kept.items.len));
        if (kept.items.len == 0) break;
    }
    return kept.toOwnedSlice(allocator);
}

/// Steps as `ZEOLITE_STEPS` takes them: `0-3,7`.
pub fn print(steps: []const u32) void {
    var index: usize = 0;
    while (index < steps.len) {
        var last = index;
        while (last + 1 < steps.len and steps[last + 1] == steps[last] + 1) last += 1;
        const comma = if (index == 0) "" else ",";
        if (last == index) {
            std.debug.print("{s}{d}", .{ comma, steps[index] });
        } else std.debug.print("{s}{d}-{d}", .{ comma, steps[index], steps[last] });
        index = last + 1;
    }
}

/// The steps that a replay is to run; null: all.
pub fn wanted(allocator: Allocator) !?[]u32 {
    const text = std.c.getenv("ZEOLITE_STEPS") orelse return null;
    return try parse(allocator, std.mem.span(text));
}

fn parse(allocator: Allocator, text: []const u8) ![]u32 {
    var steps: std.ArrayList(u32) = .empty;
    errdefer steps.deinit(allocator);
    var parts = std.mem.splitScalar(u8, text, ',');
    while (parts.next()) |part| {
        var ends = std.mem.splitScalar(u8, part, '-');
        const first = try std.fmt.parseInt(u32, ends.first(), 10);
        const last = if (ends.next()) |end| try std.fmt.parseInt(u32, end, 10) else first;
        for (first..@as(usize, last) + 1) |step| try steps.append(allocator, @intCast(step));
    }
    return steps.toOwnedSlice(allocator);
}

const Example = struct {
    needed: []const u32,
    run_count: u32 = 0,

    fn fails(context: *anyopaque, steps: []const u32) anyerror!bool {
        const self: *Example = @ptrCast(@alignCast(context));
        self.run_count += 1;
        for (self.needed) |step| {
            if (std.mem.indexOfScalar(u32, steps, step) == null) return false;
        }
        return true;
    }
};

test "shrink leaves the steps that are needed, in few runs" {
    const allocator = std.testing.allocator;
    for ([_][]const u32{ &.{}, &.{0}, &.{999}, &.{ 3, 500 }, &.{ 1, 2, 3, 700, 998 } }) |needed| {
        var example: Example = .{ .needed = needed };
        const found = try shrink(allocator, 1000, &example, Example.fails);
        defer allocator.free(found);
        try std.testing.expectEqualSlices(u32, needed, found);
        try std.testing.expect(example.run_count < 200);
    }
}

test "steps are read as they are printed" {
    const allocator = std.testing.allocator;
    const steps = try parse(allocator, "0-3,7,9-10");
    defer allocator.free(steps);
    try std.testing.expectEqualSlices(u32, &.{ 0, 1, 2, 3, 7, 9, 10 }, steps);
    try std.testing.expectError(error.InvalidCharacter, parse(allocator, "x"));
}
