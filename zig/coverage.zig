//! Which targets of branches a test program has reached. A build with `-ffuzz` has a byte for each
//! of them that counts how often it was reached; here they are read while the tests run, for a byte
//! is zero again after 256 times, and at the end each is told with its place in the sources.
//!
//! It is no part of the library, and changes nothing that it looks at.

const std = @import("std");
const builtin = @import("builtin");
const Coverage = std.debug.Coverage;

const Target = struct { pc: u64, is_reached: bool };

const allocator = std.heap.page_allocator;
/// How many times eight bytes of a target's code are searched for a line.
const steps = 16;
const pause: std.c.timespec = .{ .sec = 0, .nsec = 2 * std.time.ns_per_ms };

var reached: []u8 = &.{};
var is_over: std.atomic.Value(bool) = .init(false);
var watcher: std.Thread = undefined;

fn counters() []u8 {
    @disableInstrumentation();
    const start = @extern([*]u8, .{ .name = "__start___sancov_cntrs" });
    const stop = @extern([*]u8, .{ .name = "__stop___sancov_cntrs" });
    return start[0 .. stop - start];
}

fn addresses() []const usize {
    @disableInstrumentation();
    const start = @extern([*]const usize, .{ .name = "__start___sancov_pcs1" });
    const stop = @extern([*]const usize, .{ .name = "__stop___sancov_pcs1" });
    return start[0 .. stop - start];
}

/// To be called before the first test.
pub fn begin() !void {
    @disableInstrumentation();
    reached = try allocator.alloc(u8, counters().len);
    @memset(reached, 0);
    watcher = try std.Thread.spawn(.{}, watch, .{});
}

fn watch() void {
    @disableInstrumentation();
    while (!is_over.load(.acquire)) {
        look();
        _ = std.c.nanosleep(&pause, null);
    }
}

fn look() void {
    @disableInstrumentation();
    for (reached, counters()) |*was, count| was.* |= count;
}

/// Prints each target: `branch 1 /…/zig/format/page.zig:12:5 from 11:9`, 1 if it was reached. The
/// first place is that of what is done there, the second that of the code that lies in front of it.
pub fn finish(io: std.Io) !void {
    @disableInstrumentation();
    is_over.store(true, .release);
    watcher.join();
    look();
    const pcs = addresses();
    const targets = try allocator.alloc(Target, pcs.len);
    for (targets, pcs, reached) |*target, pc, count| {
        // Where a block has been removed its address is 1.
        const address = if (pc == 1) 0 else std.Build.abi.fuzz.fuzzer_unslide_address(pc);
        target.* = .{ .pc = address, .is_reached = count > 0 };
    }
    std.mem.sort(Target, targets, {}, isLower);
    const before = try allocator.alloc(Coverage.SourceLocation, targets.len);
    const places = try allocator.alloc(Coverage.SourceLocation, targets.len);
    var coverage: Coverage = .init;
    const own: std.Build.Cache.Path = .{
        .root_dir = .cwd(),
        .sub_path = "/proc/self/exe",
    };
    var info: std.debug.Info =
        try .load(allocator, io, own, &coverage, builtin.object_format, builtin.cpu.arch);
    const sorted = try allocator.alloc(u64, targets.len);
    for (sorted, targets) |*pc, target| pc.* = target.pc;
    try info.resolveAddresses(allocator, io, sorted, before);
    @memset(places, .invalid);
    const found = try allocator.alloc(Coverage.SourceLocation, targets.len);
    for (0..steps) |step| {
        for (sorted, targets, 1..) |*pc, target, next| {
            const end = if (next < targets.len) targets[next].pc else std.math.maxInt(u64);
            pc.* = @max(target.pc, @min(behindCounter(target.pc) + 8 * step, end -| 1));
        }
        try info.resolveAddresses(allocator, io, sorted, found);
        // The compiler's own code has no line.
        for (places, found) |*place, it| if (place.line == 0) {
            place.* = it;
        };
    }
    for (targets, places, before) |target, behind, from| {
        const place = if (behind.line > 0) behind else from;
        if (place.file == .invalid) continue;
        const file = coverage.fileAt(place.file);
        const folder = coverage.stringAt(coverage.directories.keys()[file.directory_index]);
        std.debug.print("branch {d} {s}/{s}:{d}:{d} from {d}:{d}\n", .{
            @intFromBool(target.is_reached), folder,       coverage.stringAt(file.basename),
            place.line,                      place.column, from.line,
            from.column,
        });
    }
}

/// The address of what is done behind the addition to the counter, which has no place of its own:
/// by its address it is the end of the code in front of it.
fn behindCounter(pc: u64) u64 {
    @disableInstrumentation();
    if (builtin.cpu.arch != .x86_64 or pc == 0) return pc;
    const addition = [_]u8{ 0xf0, 0x80, 0x05 }; // lock add byte [rip + distance], 1
    const code: *const [addition.len]u8 = @ptrFromInt(pc);
    return if (std.mem.eql(u8, code, &addition)) pc + 8 else pc;
}

fn isLower(_: void, a: Target, b: Target) bool {
    @disableInstrumentation();
    return a.pc < b.pc;
}

/// What the fuzzer's own part of such a build asks of its runner; it is never started.
pub const unused = struct {
    fn number(_: u32) callconv(.c) void {}
    fn name(_: u32) callconv(.c) std.Build.abi.fuzz.Slice {
        return .fromSlice("");
    }
    fn input(_: u32, _: std.Build.abi.fuzz.Slice) callconv(.c) void {}
    fn nothing() callconv(.c) void {}
    fn wait(_: *const u32, _: u32) callconv(.c) bool {
        return true;
    }
    fn wake(_: *const u32, _: u32) callconv(.c) void {}

    comptime {
        if (builtin.fuzz) {
            @export(&number, .{ .name = "runner_test_run" });
            @export(&name, .{ .name = "runner_test_name" });
            @export(&input, .{ .name = "runner_broadcast_input" });
            @export(&nothing, .{ .name = "runner_start_input_poller" });
            @export(&nothing, .{ .name = "runner_stop_input_poller" });
            @export(&wait, .{ .name = "runner_futex_wait" });
            @export(&wake, .{ .name = "runner_futex_wake" });
        }
    }
};
