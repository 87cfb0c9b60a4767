//! Samples the thread that asks for it: where its processor time goes, without `perf` and without
//! any right. A timer of that thread's own time interrupts it; the handler notes the address that
//! is running and those that it will return to, which it finds by frame pointers. What the kernel
//! does for the thread counts for the call that asked for it.
//!
//! ```
//! start(interval_us)    0; -1 if the system refuses, -2 while one is running
//! stop()                samples that were taken
//! dropped()             samples for which there was no room
//! frames(sample)        addresses of a sample, the innermost first
//! address(sample, n)    one of them, as a number
//! free()
//! ```
//! The handler takes no lock, calls nothing and allocates nothing. It reads only between the stack
//! pointer and the end of the thread's stack, so that a frame pointer that is none ends the walk.

const std = @import("std");
const builtin = @import("builtin");
const linux = std.os.linux;

/// Frames of one sample, at most.
const depth_max = 64;
/// Samples: a minute of them at a thousand a second.
const sample_count_max = 1 << 16;
/// The signal that profilers use; neither runtime does unless its own profiler runs.
const signal = linux.SIG.PROF;
const page_allocator = std.heap.page_allocator;

const Sample = struct {
    depth: u32 = 0,
    addresses: [depth_max]usize = undefined,
};

/// What the C library knows of a thread's stack.
extern fn pthread_self() callconv(.c) usize;
extern fn pthread_getattr_np(thread: usize, attributes: *Attributes) callconv(.c) c_int;
extern fn pthread_attr_getstack(
    attributes: *const Attributes,
    address: *usize,
    size: *usize,
) callconv(.c) c_int;
extern fn pthread_attr_destroy(attributes: *Attributes) callconv(.c) c_int;
const Attributes = extern struct { bytes: [64]u8 align(16) = undefined };

var samples: []Sample = &.{};
var taken: usize = 0;
var missed: usize = 0;
var stack_end: usize = 0;
var is_running = false;
var timer: usize = 0;
var before: std.posix.Sigaction = undefined;

/// The end of the calling thread's stack, or 0.
fn stackEnd() usize {
    var attributes: Attributes = .{};
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return 0;
    defer _ = pthread_attr_destroy(&attributes);
    var address: usize = 0;
    var size: usize = 0;
    if (pthread_attr_getstack(&attributes, &address, &size) != 0) return 0;
    return address + size;
}

const Registers = struct { running: usize, frame: usize, stack: usize };

/// The registers of what was interrupted, where the kernel put them.
fn registersOf(context: *anyopaque) Registers {
    const bytes: [*]const u8 = @ptrCast(context);
    const word = struct {
        fn at(from: [*]const u8, offset: usize) usize {
            return std.mem.readInt(usize, from[offset..][0..8], builtin.cpu.arch.endian());
        }
    }.at;
    // `ucontext_t`: flags, link and the signal stack take 40 bytes; then come the registers.
    return switch (builtin.cpu.arch) {
        // Eight registers from r8, then rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip.
        .x86_64 => .{
            .running = word(bytes, 40 + 16 * 8),
            .frame = word(bytes, 40 + 10 * 8),
            .stack = word(bytes, 40 + 15 * 8),
        },
        // The signal mask fills it up to 168; then come the fault address, x0 to x30, sp, pc.
        .aarch64 => .{
            .running = word(bytes, 176 + 8 + 32 * 8),
            .frame = word(bytes, 176 + 8 + 29 * 8),
            .stack = word(bytes, 176 + 8 + 31 * 8),
        },
        else => @compileError("whose registers?"),
    };
}

fn onSignal(_: linux.SIG, _: *const linux.siginfo_t, context: ?*anyopaque) callconv(.c) void {
    if (taken == samples.len) {
        missed += 1;
        return;
    }
    const registers = registersOf(context orelse return);
    const sample = &samples[taken];
    sample.addresses[0] = registers.running;
    var depth: u32 = 1;
    var frame = registers.frame;
    var lowest = registers.stack;
    while (depth < depth_max) : (depth += 1) {
        if (frame < lowest or frame + 16 > stack_end or frame % 8 != 0) break;
        const words: *const [2]usize = @ptrFromInt(frame);
        if (words[1] == 0) break;
        sample.addresses[depth] = words[1];
        // Frames lie above each other, so that the walk ends.
        lowest = frame + 16;
        frame = words[0];
    }
    sample.depth = depth;
    taken += 1;
}

const Timespec = linux.timespec;
const TimerSpec = extern struct { interval: Timespec, value: Timespec };
const Event = extern struct {
    value: usize = 0,
    signal: i32,
    notify: i32,
    thread: i32,
    rest: [44]u8 = @splat(0),
};
const notify_thread = 4;
const clock_thread_cputime = 3;

fn startTimer(interval_us: u32) bool {
    var event: Event = .{
        .signal = @intCast(@intFromEnum(signal)),
        .notify = notify_thread,
        .thread = linux.gettid(),
    };
    var made: i32 = 0;
    const created = linux.syscall3(
        .timer_create,
        clock_thread_cputime,
        @intFromPtr(&event),
        @intFromPtr(&made),
    );
    if (linux.errno(created) != .SUCCESS) return false;
    timer = @intCast(made);
    const interval: Timespec = .{
        .sec = interval_us / std.time.us_per_s,
        .nsec = (interval_us % std.time.us_per_s) * std.time.ns_per_us,
    };
    const spec: TimerSpec = .{ .interval = interval, .value = interval };
    const set = linux.syscall4(.timer_settime, timer, 0, @intFromPtr(&spec), 0);
    if (linux.errno(set) == .SUCCESS) return true;
    _ = linux.syscall1(.timer_delete, timer);
    return false;
}

export fn zeolite_sampler_start(interval_us: u32) i32 {
    if (is_running) return -2;
    if (interval_us == 0) return -1;
    zeolite_sampler_free();
    stack_end = stackEnd();
    samples = page_allocator.alloc(Sample, sample_count_max) catch return -1;
    const action: std.posix.Sigaction = .{
        .handler = .{ .sigaction = @ptrCast(&onSignal) },
        .mask = std.posix.sigemptyset(),
        .flags = std.posix.SA.SIGINFO | std.posix.SA.RESTART | std.posix.SA.ONSTACK,
    };
    std.posix.sigaction(@enumFromInt(@intFromEnum(signal)), &action, &before);
    if (!startTimer(interval_us)) {
        std.posix.sigaction(@enumFromInt(@intFromEnum(signal)), &before, null);
        zeolite_sampler_free();
        return -1;
    }
    is_running = true;
    return 0;
}

export fn zeolite_sampler_stop() u32 {
    if (is_running) {
        _ = linux.syscall1(.timer_delete, timer);
        // A signal that is on its way is for a handler that is still there.
        const none: std.posix.Sigaction = .{
            .handler = .{ .handler = linux.SIG.IGN },
            .mask = std.posix.sigemptyset(),
            .flags = 0,
        };
        std.posix.sigaction(@enumFromInt(@intFromEnum(signal)), &none, null);
        is_running = false;
    }
    return @intCast(taken);
}

export fn zeolite_sampler_dropped() u32 {
    return @intCast(missed);
}

export fn zeolite_sampler_frames(sample: u32) u32 {
    return if (sample < taken) samples[sample].depth else 0;
}

/// Addresses of programs are below 2^53.
export fn zeolite_sampler_address(sample: u32, index: u32) f64 {
    if (sample >= taken or index >= samples[sample].depth) return 0;
    return @floatFromInt(samples[sample].addresses[index]);
}

export fn zeolite_sampler_free() void {
    if (is_running) return;
    if (samples.len > 0) page_allocator.free(samples);
    samples = &.{};
    taken = 0;
    missed = 0;
}
