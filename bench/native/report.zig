//! What a run prints: a line for each column of each row, and JSON. Ratios say how many times as
//! fast as a column the first one is: made of two figures of one round, then the one in the middle
//! of all rounds, with the quarter points in brackets.

const std = @import("std");
const Bench = @import("Bench.zig");

const Writer = std.Io.Writer;

/// The one in the middle, and a quarter of the way from each end.
pub const Spread = struct { low: f64, middle: f64, high: f64 };

pub fn spread(allocator: std.mem.Allocator, figures: []const f64) !Spread {
    const sorted = try allocator.dupe(f64, figures);
    defer allocator.free(sorted);
    std.mem.sortUnstable(f64, sorted, {}, std.sort.asc(f64));
    return .{
        .low = at(sorted, 0.25),
        .middle = at(sorted, 0.5),
        .high = at(sorted, 0.75),
    };
}

fn at(sorted: []const f64, share: f64) f64 {
    const place = share * @as(f64, @floatFromInt(sorted.len - 1));
    const below: usize = @intFromFloat(place);
    const above = @min(below + 1, sorted.len - 1);
    const rest = place - @as(f64, @floatFromInt(below));
    return sorted[below] * (1 - rest) + sorted[above] * rest;
}

/// The figures of `over`, each divided by that of `under` in the same round.
pub fn ratio(allocator: std.mem.Allocator, over: []const f64, under: []const f64) !Spread {
    const ratios = try allocator.alloc(f64, over.len);
    defer allocator.free(ratios);
    for (ratios, over, under) |*it, a, b| it.* = a / b;
    return spread(allocator, ratios);
}

/// The figure of a column as people read it.
fn printFigure(out: *Writer, unit: Bench.Unit, figure: f64) !void {
    var buffer: [32]u8 = undefined;
    const text = try switch (unit) {
        .ns => if (figure < 10_000)
            std.fmt.bufPrint(&buffer, "{d:.1} ns", .{figure})
        else
            std.fmt.bufPrint(&buffer, "{d:.1} us", .{figure / 1e3}),
        .bytes_per_s => std.fmt.bufPrint(&buffer, "{d:.2} GB/s", .{figure / 1e9}),
        .bytes => std.fmt.bufPrint(&buffer, "{d:.1} MiB", .{figure / (1 << 20)}),
        .ratio => std.fmt.bufPrint(&buffer, "{d:.2}", .{figure}),
    };
    try out.print("{s: >12}", .{text});
    if (unit == .ns) {
        const rate = 1e9 / figure;
        const rate_text = if (rate >= 1e6)
            try std.fmt.bufPrint(&buffer, "{d:.2} M/s", .{rate / 1e6})
        else
            try std.fmt.bufPrint(&buffer, "{d:.1} K/s", .{rate / 1e3});
        try out.print("{s: >13}", .{rate_text});
    } else try out.writeAll(" " ** 13);
}

pub fn printRow(out: *Writer, allocator: std.mem.Allocator, row: Bench.Row) !void {
    try out.print("{s} - {s}\n", .{ row.id, row.title });
    for (row.columns, 0..) |column, index| {
        const own = try spread(allocator, column.figures);
        try out.print("  {s: <30}", .{column.name});
        try printFigure(out, row.unit, own.middle);
        if (index > 0) {
            const times = try ratio(allocator, column.figures, row.columns[0].figures);
            try out.print("   {d: >7.2}  [{d:.2} - {d:.2}]", .{
                times.middle, times.low, times.high,
            });
        }
        try out.writeAll("\n");
    }
    try out.flush();
}

/// Every figure of every round.
pub fn writeJson(bench: *const Bench, out: *Writer) !void {
    try std.json.Stringify.value(.{
        .seed = bench.seed,
        .rounds = bench.sizes.rounds,
        .entries = bench.sizes.entries,
        .divisor = bench.sizes.divisor,
        .rows = bench.rows.items,
    }, .{ .whitespace = .indent_2 }, out);
    try out.writeAll("\n");
    try out.flush();
}
