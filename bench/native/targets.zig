//! What the engine is to reach beside liblmdb, judged by the rows of the run that are there.

const std = @import("std");
const Bench = @import("Bench.zig");
const report = @import("report.zig");

const Test = union(enum) {
    /// At least so many times as fast as the column `beside`, in the same round.
    times: f64,
    /// At most so many times the time of the column `beside`, in the same round.
    at_most_times: f64,
    /// At least so many operations a second; the row's figure is the time of one.
    rate: f64,
    /// At most so much.
    at_most: f64,
};

const Target = struct {
    text: []const u8,
    row: []const u8,
    /// What is judged: `zeolite` or one of its forms.
    column: []const u8,
    /// What it is judged by.
    beside: []const u8 = "",
    wanted: Test,
    /// Operations that one figure of the row stands for.
    per_figure: f64 = 1,
    /// Means nothing for another number of entries.
    is_of_a_million: bool = false,
};

const z = "zeolite";
const ze = "zeolite exclusive";
const l = "lmdb";
const lw = "lmdb writemap";

const targets = [_]Target{
    .{
        .text = "get hot >= 3 x lmdb",
        .row = "get-hot",
        .column = z,
        .beside = l,
        .wanted = .{ .times = 3 },
    },
    .{
        .text = "get hot, no copy >= 3 x lmdb",
        .row = "view-hot",
        .column = z,
        .beside = l,
        .wanted = .{ .times = 3 },
    },
    .{
        .text = "get random >= 1.6 x lmdb",
        .row = "get-random",
        .column = z,
        .beside = l,
        .wanted = .{ .times = 1.6 },
    },
    .{
        .text = "get random, no copy >= 1.6 x lmdb",
        .row = "view-random",
        .column = z,
        .beside = l,
        .wanted = .{ .times = 1.6 },
    },
    .{
        .text = "getMany >= 4.5 x lmdb (aim 8 x)",
        .row = "getmany",
        .column = z,
        .beside = l,
        .wanted = .{ .times = 4.5 },
    },
    .{
        .text = "getMany, 1,000 entries >= 14.4 M keys/s",
        .row = "getmany-small",
        .column = z,
        .wanted = .{ .rate = 14.4e6 },
    },
    .{
        .text = "getMany, 1,000 entries, two threads: aim 50 M keys/s",
        .row = "getmany-small",
        .column = "zeolite, 2 threads",
        .wanted = .{ .rate = 50e6 },
    },
    .{
        .text = "100 random entries a transaction <= 0.5 x the time of lmdb",
        .row = "txn-100",
        .column = z,
        .beside = l,
        .wanted = .{ .at_most_times = 0.5 },
    },
    .{
        .text = "100 entries in order a transaction <= 0.5 x the time of lmdb",
        .row = "txn-100-ordered",
        .column = z,
        .beside = l,
        .wanted = .{ .at_most_times = 0.5 },
    },
    .{
        .text = "random load >= 2 x lmdb writemap",
        .row = "load-random",
        .column = z,
        .beside = lw,
        .wanted = .{ .times = 2 },
    },
    .{
        .text = "one put a transaction, shared >= 2.5 x lmdb",
        .row = "put",
        .column = z,
        .beside = l,
        .wanted = .{ .times = 2.5 },
    },
    .{
        .text = "one put a transaction, shared >= 0.65 x lmdb writemap (aim 1 x)",
        .row = "put",
        .column = z,
        .beside = lw,
        .wanted = .{ .times = 0.65 },
    },
    .{
        .text = "one put a transaction, exclusive >= 356 K/s",
        .row = "put",
        .column = ze,
        .wanted = .{ .rate = 356e3 },
    },
    .{
        .text = "batches of 1,000 random puts >= 1 M puts/s",
        .row = "batch",
        .column = z,
        .wanted = .{ .rate = 1e6 },
        .per_figure = 1000,
    },
    .{
        .text = "get, 1,000 entries <= 50 ns",
        .row = "get-small",
        .column = z,
        .wanted = .{ .at_most = 50 },
    },
    .{
        .text = "get, 1,000 entries <= 0.6 x binary search",
        .row = "get-small",
        .column = z,
        .beside = "binary search",
        .wanted = .{ .at_most_times = 0.6 },
    },
    .{
        .text = "get, no copy, 1,000 entries <= 0.6 x binary search",
        .row = "view-small",
        .column = z,
        .beside = "binary search",
        .wanted = .{ .at_most_times = 0.6 },
    },
    .{
        .text = "100 random entries a transaction, durable <= 0.6 x the time of lmdb",
        .row = "flush-100",
        .column = z,
        .beside = l,
        .wanted = .{ .at_most_times = 0.6 },
    },
    .{
        .text = "one durable put <= 1.25 x 4 KiB and fdatasync",
        .row = "flush-1",
        .column = z,
        .beside = "4 KiB and fdatasync",
        .wanted = .{ .at_most_times = 1.25 },
    },
    .{
        .text = "pages in use after a random load of 110.6 MiB <= 165 MiB",
        .row = "size-used",
        .column = z,
        .wanted = .{ .at_most = 165 << 20 },
        .is_of_a_million = true,
    },
    .{
        .text = "a compact copy of that <= 150 MiB",
        .row = "size-copy",
        .column = z,
        .wanted = .{ .at_most = 150 << 20 },
        .is_of_a_million = true,
    },
    .{
        .text = "length of X and X-wal once closed <= 2 x the pages in use",
        .row = "size-ratio",
        .column = z,
        .wanted = .{ .at_most = 2 },
    },
    .{
        .text = "get random, two threads >= 1.8 x one",
        .row = "readers",
        .column = "zeolite, 2 threads",
        .beside = z,
        .wanted = .{ .times = 1.8 },
    },
};

const Verdict = struct { target: *const Target, measured: report.Spread, is_reached: bool };

/// Prints a line for each target that the run says something about, those that are missed first.
pub fn print(bench: *Bench, out: *std.Io.Writer) !void {
    var verdicts: std.ArrayList(Verdict) = .empty;
    for (&targets) |*target| {
        if (try judge(bench, target)) |it| try verdicts.append(bench.allocator, it);
    }
    if (verdicts.items.len == 0) return;
    try out.writeAll("\ntargets, the missed ones first\n");
    for ([_]bool{ false, true }) |is_reached| {
        for (verdicts.items) |it| {
            if (it.is_reached == is_reached) try printVerdict(out, it);
        }
    }
    try out.flush();
}

fn printVerdict(out: *std.Io.Writer, it: Verdict) !void {
    try out.print("  {s}  {s: <66}", .{ if (it.is_reached) "pass" else "LOSE", it.target.text });
    switch (it.target.wanted) {
        .times, .at_most_times => try out.print("{d: >9.2} x  [{d:.2} - {d:.2}]", .{
            it.measured.middle, it.measured.low, it.measured.high,
        }),
        .rate => try out.print("{d: >9.2} M/s", .{it.measured.middle / 1e6}),
        .at_most => |most| if (most > 1 << 20)
            try out.print("{d: >9.1} MiB", .{it.measured.middle / (1 << 20)})
        else
            try out.print("{d: >9.2}", .{it.measured.middle}),
    }
    try out.writeAll("\n");
}

fn judge(bench: *Bench, target: *const Target) !?Verdict {
    if (target.is_of_a_million and bench.sizes.entries != 1_000_000) return null;
    const row = for (bench.rows.items) |it| {
        if (std.mem.eql(u8, it.id, target.row)) break it;
    } else return null;
    const own = columnOf(row, target.column) orelse return null;
    const measured, const is_reached = switch (target.wanted) {
        .times => |wanted| times: {
            const other = columnOf(row, target.beside) orelse return null;
            const it = try report.ratio(bench.allocator, other.figures, own.figures);
            break :times .{ it, it.middle >= wanted };
        },
        .at_most_times => |wanted| times: {
            const other = columnOf(row, target.beside) orelse return null;
            const it = try report.ratio(bench.allocator, own.figures, other.figures);
            break :times .{ it, it.middle <= wanted };
        },
        .rate => |wanted| rate: {
            const it = try rateOf(bench, own.figures, target.per_figure);
            break :rate .{ it, it.middle >= wanted };
        },
        .at_most => |wanted| most: {
            const it = try report.spread(bench.allocator, own.figures);
            break :most .{ it, it.middle <= wanted };
        },
    };
    return .{ .target = target, .measured = measured, .is_reached = is_reached };
}

fn rateOf(bench: *Bench, figures: []const f64, per_figure: f64) !report.Spread {
    const it = try report.spread(bench.allocator, figures);
    return .{
        .low = per_figure * 1e9 / it.high,
        .middle = per_figure * 1e9 / it.middle,
        .high = per_figure * 1e9 / it.low,
    };
}

fn columnOf(row: Bench.Row, name: []const u8) ?Bench.Column {
    for (row.columns) |column| {
        if (std.mem.eql(u8, column.name, name)) return column;
    }
    return null;
}
