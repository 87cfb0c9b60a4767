//! Kills a forked copy of this process at its n-th store into a range of memory: the range cannot
//! be written, each store faults, is counted, and is let through by a single step. So a test can
//! kill between two stores into `X-lock` with no system call between them.
//!
//! For x86-64 Linux only; elsewhere `is_supported` is false. One trap at a time.

const std = @import("std");
const builtin = @import("builtin");
const linux = std.os.linux;
const assert = std.debug.assert;

pub const is_supported = builtin.cpu.arch == .x86_64 and builtin.os.tag == .linux;

const Range = []align(4096) u8;

/// Where the flags register lies in the context of a signal, and the flag of the single step.
const flags_offset = 176;
const single_step: u64 = 1 << 8;

var range: Range = undefined;
var stores_left: u64 = 0;

pub const Outcome = enum { finished, killed, failed };

/// Runs `action` in a forked child that dies at its store number `at`, counted from one, into
/// `memory`. Only what the child writes into shared maps remains of it.
pub fn run(
    memory: Range,
    at: u64,
    argument: anytype,
    comptime action: fn (@TypeOf(argument)) anyerror!void,
) error{Unexpected}!Outcome {
    assert(is_supported);
    assert(at > 0);
    const child = linux.fork();
    if (linux.errno(child) != .SUCCESS) return error.Unexpected;
    if (child == 0) {
        range = memory;
        stores_left = at;
        install();
        action(argument) catch linux.exit_group(1);
        linux.exit_group(0);
    }
    var status: u32 = 0;
    while (linux.errno(linux.waitpid(@intCast(child), &status, 0)) == .INTR) {}
    if (linux.W.IFSIGNALED(status)) {
        return if (linux.W.TERMSIG(status) == .KILL) .killed else .failed;
    }
    return if (linux.W.EXITSTATUS(status) == 0) .finished else .failed;
}

fn install() void {
    const faults: linux.Sigaction = .{
        .handler = .{ .sigaction = onFault },
        .mask = linux.sigemptyset(),
        .flags = linux.SA.SIGINFO,
    };
    const steps: linux.Sigaction = .{
        .handler = .{ .sigaction = onStep },
        .mask = linux.sigemptyset(),
        .flags = linux.SA.SIGINFO,
    };
    assert(linux.errno(linux.sigaction(.SEGV, &faults, null)) == .SUCCESS);
    assert(linux.errno(linux.sigaction(.TRAP, &steps, null)) == .SUCCESS);
    protect(true);
}

fn protect(is_protected: bool) void {
    const access: linux.PROT = .{ .READ = true, .WRITE = !is_protected };
    assert(linux.errno(linux.mprotect(range.ptr, range.len, access)) == .SUCCESS);
}

fn flagsOf(context: ?*anyopaque) *u64 {
    const bytes: [*]u8 = @ptrCast(context.?);
    return @ptrCast(@alignCast(bytes + flags_offset));
}

fn onFault(_: linux.SIG, facts: *const linux.siginfo_t, context: ?*anyopaque) callconv(.c) void {
    const address = @intFromPtr(facts.fields.sigfault.addr);
    const start = @intFromPtr(range.ptr);
    if (address < start or address >= start + range.len) linux.exit_group(2);
    stores_left -= 1;
    if (stores_left == 0) _ = linux.kill(linux.getpid(), .KILL);
    protect(false);
    flagsOf(context).* |= single_step;
}

fn onStep(_: linux.SIG, _: *const linux.siginfo_t, context: ?*anyopaque) callconv(.c) void {
    protect(true);
    flagsOf(context).* &= ~single_step;
}

const TestWords = [3]std.atomic.Value(u64);

fn writeWords(words: *TestWords) anyerror!void {
    for (words, 1..) |*word, number| _ = word.fetchAdd(number, .seq_cst);
}

test "run: each store before the fatal one is done, none after it" {
    if (!is_supported) return error.SkipZigTest;
    const access: linux.PROT = .{ .READ = true, .WRITE = true };
    const flags: linux.MAP = .{ .TYPE = .SHARED, .ANONYMOUS = true };
    const mapped = linux.mmap(null, 4096, access, flags, -1, 0);
    try std.testing.expect(linux.errno(mapped) == .SUCCESS);
    const memory: [*]align(4096) u8 = @ptrFromInt(mapped);
    defer _ = linux.munmap(memory, 4096);
    const words: *TestWords = @ptrCast(memory);
    try std.testing.expectEqual(.killed, try run(memory[0..4096], 3, words, writeWords));
    for (words, [_]u64{ 1, 2, 0 }) |*word, expected| {
        try std.testing.expectEqual(expected, word.load(.seq_cst));
    }
    try std.testing.expectEqual(.finished, try run(memory[0..4096], 4, words, writeWords));
    try std.testing.expectEqual(3, words[2].load(.seq_cst));
}
