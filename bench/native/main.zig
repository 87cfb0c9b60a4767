//! Measures the shared library beside liblmdb, without JavaScript: the same work by each, in one
//! run, in turns. Usage: see `usage` below.

const std = @import("std");
const Bench = @import("Bench.zig");
const data = @import("data.zig");
const lmdb = @import("lmdb.zig");
const report = @import("report.zig");
const rows = @import("rows.zig");
const targets = @import("targets.zig");
const zeolite = @import("zeolite.zig");

const usage =
    \\usage: bench-native [options]
    \\  --only A,B*    the row named A, and all whose name begins with B
    \\  --list         names the rows
    \\  --quick        a tenth of everything: shows that it works
    \\  --rounds N     how often everything is done (9)
    \\  --seed N       of the order of turns and of the keys (printed)
    \\  --dir PATH     where the stores lie (.cache/bench-native)
    \\  --json FILE    every figure
    \\  --lib FILE     the library measured (zig-out/lib/libzeolite.so)
    \\  --base FILE    another build of it, measured beside
    \\
;

extern "c" fn getloadavg(loads: [*]f64, count: c_int) c_int;

const Arguments = struct {
    only: []const u8 = "",
    list: bool = false,
    quick: bool = false,
    rounds: u32 = 9,
    seed: ?u64 = null,
    dir: []const u8 = ".cache/bench-native",
    json: ?[]const u8 = null,
    lib: []const u8 = "zig-out/lib/libzeolite.so",
    base: ?[]const u8 = null,
};

/// What the command line says, or null if it says nothing sensible.
fn parse(arguments: []const [:0]const u8) ?Arguments {
    var result: Arguments = .{};
    var at: usize = 1;
    while (at < arguments.len) : (at += 1) {
        const name = arguments[at];
        const is_known = inline for (@typeInfo(Arguments).@"struct".fields) |field| {
            if (std.mem.eql(u8, name, "--" ++ field.name)) {
                if (field.type == bool) {
                    @field(result, field.name) = true;
                    break true;
                }
                at += 1;
                if (at == arguments.len) return null;
                @field(result, field.name) = valueOf(field.type, arguments[at]) orelse return null;
                break true;
            }
        } else false;
        if (!is_known) return null;
    }
    return result;
}

fn valueOf(comptime T: type, text: []const u8) ?T {
    return switch (T) {
        u32 => std.fmt.parseInt(u32, text, 10) catch null,
        ?u64 => std.fmt.parseInt(u64, text, 10) catch null,
        else => text,
    };
}

fn isWanted(only: []const u8, id: []const u8) bool {
    if (only.len == 0) return true;
    var names = std.mem.splitScalar(u8, only, ',');
    while (names.next()) |name| {
        if (std.mem.eql(u8, id, name)) return true;
        if (!std.mem.endsWith(u8, name, "*")) continue;
        if (std.mem.startsWith(u8, id, name[0 .. name.len - 1])) return true;
    }
    return false;
}

/// Who takes part: Zeolite first, for all ratios are made with it.
fn findContenders(
    allocator: std.mem.Allocator,
    arguments: Arguments,
    out: *std.Io.Writer,
) ![]const Bench.Contender {
    var list: std.ArrayList(Bench.Contender) = .empty;
    const library = try allocator.create(zeolite.Library);
    library.* = try .load(arguments.lib);
    try addZeolite(allocator, &list, library, &.{ "zeolite", "zeolite exclusive" });
    if (arguments.base) |path| {
        const base = try allocator.create(zeolite.Library);
        base.* = try .load(path);
        try addZeolite(allocator, &list, base, &.{ "base", "base exclusive" });
    }
    const rival = try allocator.create(lmdb.Library);
    if (try lmdb.Library.load()) |found| {
        rival.* = found;
        try list.append(allocator, .{
            .name = "lmdb",
            .kind = .{ .lmdb = .{ .library = rival } },
        });
        try list.append(allocator, .{
            .name = "lmdb writemap",
            .kind = .{ .lmdb = .{ .library = rival, .options = .{ .writemap = true } } },
            .is_writer = true,
        });
        try out.print("{s}\n", .{rival.calls.version(null, null, null)});
    } else try out.writeAll("lmdb is absent: install the package liblmdb0\n");
    return list.items;
}

fn addZeolite(
    allocator: std.mem.Allocator,
    list: *std.ArrayList(Bench.Contender),
    library: *const zeolite.Library,
    names: *const [2][]const u8,
) !void {
    try list.append(allocator, .{
        .name = names[0],
        .kind = .{ .zeolite = .{ .library = library } },
    });
    try list.append(allocator, .{
        .name = names[1],
        .kind = .{ .zeolite = .{ .library = library, .options = .{ .exclusive = true } } },
        .is_writer = true,
    });
}

pub fn main(init: std.process.Init) !void {
    const arena = init.arena.allocator();
    var buffer: [4096]u8 = undefined;
    var writer = std.Io.File.stdout().writerStreaming(init.io, &buffer);
    const out = &writer.interface;
    const arguments = parse(try init.minimal.args.toSlice(arena)) orelse {
        std.debug.print("{s}", .{usage});
        std.process.exit(2);
    };
    if (arguments.list) {
        for (&rows.all) |row| try out.print("{s: <18}{s}\n", .{ row.id, row.title });
        return out.flush();
    }
    run(init, arguments, out) catch |err| switch (err) {
        error.Failed => std.process.exit(1),
        else => return err,
    };
}

fn run(init: std.process.Init, arguments: Arguments, out: *std.Io.Writer) !void {
    const allocator = std.heap.c_allocator;
    const seed = arguments.seed orelse @import("clock.zig").now();
    const folder = try std.fmt.allocPrint(allocator, "{s}/{d}", .{ arguments.dir, seed });
    const cwd = std.Io.Dir.cwd();
    try cwd.createDirPath(init.io, folder);
    defer cwd.deleteTree(init.io, folder) catch |err| {
        std.debug.print("bench-native: {s} is left behind: {t}\n", .{ folder, err });
    };
    var sizes: Bench.Sizes = .{ .rounds = @max(1, arguments.rounds) };
    if (arguments.quick) sizes = .{ .rounds = 3, .entries = 100_000, .divisor = 10 };
    var bench: Bench = .{
        .allocator = allocator,
        .io = init.io,
        .folder = try cwd.realPathFileAlloc(init.io, folder, allocator),
        .seed = seed,
        .random = .init(seed),
        .sizes = sizes,
        .contenders = try findContenders(allocator, arguments, out),
        .values = try .create(allocator, data.value_size, data.value_count),
        .out = out,
    };
    var loads: [3]f64 = undefined;
    _ = getloadavg(&loads, loads.len);
    try out.print("{d} processors, busy with {d:.1} programs in the last minute\n", .{
        try std.Thread.getCpuCount(), loads[0],
    });
    try out.print("seed {d}, {d} rounds, {d} entries; ratios: how many times as fast the first " ++
        "line of a row is\n", .{ seed, sizes.rounds, sizes.entries });
    try out.flush();
    for (&rows.all) |row| {
        if (!isWanted(arguments.only, row.id)) continue;
        try rows.run(&bench, row);
    }
    try targets.print(&bench, out);
    try bench.deinit();
    if (arguments.json) |path| try writeJson(&bench, path);
}

fn writeJson(bench: *const Bench, path: []const u8) !void {
    const file = try std.Io.Dir.cwd().createFile(bench.io, path, .{});
    defer file.close(bench.io);
    var buffer: [4096]u8 = undefined;
    var writer = file.writer(bench.io, &buffer);
    try report.writeJson(bench, &writer.interface);
}
