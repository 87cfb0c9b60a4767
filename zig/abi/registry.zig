//! What the whole process shares: the environments by (device, inode), the sessions by number, and
//! what happens when a thread ends without closing them. It knows no operation.
//!
//! Invariants: one environment per file in this copy of the library; a session is used by the
//! thread that opened it alone; scratch memory is never given back to the system, so that a stale
//! ArrayBuffer over it reads and writes harmless bytes.

const std = @import("std");
const builtin = @import("builtin");
const assert = std.debug.assert;
const explain = @import("../explain.zig");
const Os = @import("../os/os.zig").Os;
const Mutex = @import("../store/Mutex.zig");
const Env = @import("../txn/Env.zig");
const attach = @import("../txn/attach.zig");
const codes = @import("codes.zig");
const advice = @import("advice.zig");
const handles = @import("handles.zig");
const limits = @import("sizes.zig");
const Session = @import("Session.zig");

const allocator = std.heap.c_allocator;
const session_count_max = 4096;

pub const os: Os = if (@sizeOf(Os) == 0) .{} else undefined;

const Place = struct {
    generation: u16 = 0,
    session: ?*Session = null,
    thread: usize = undefined,
};

const Shared = struct { env: *Env, device: u64, inode: u64, count: u32 };

var mutex: Mutex = .{};
var places: [session_count_max]Place = @splat(.{});
var environments: std.ArrayList(Shared) = .empty;
var scratches: std.ArrayList([]align(4096) u8) = .empty;
var exit_key: ?std.c.pthread_key_t = null;

/// Its address tells threads apart where the processor does not.
threadlocal var thread_mark: u8 = 0;

/// A number that no other living thread has. Where the system keeps the address of what is a
/// thread's own is one instruction away; that of a variable there takes a call, in each call.
inline fn threadMark() usize {
    if (builtin.os.tag != .linux) return @intFromPtr(&thread_mark);
    return switch (builtin.cpu.arch) {
        .x86_64 => asm ("movq %%fs:0, %[out]"
            : [out] "=r" (-> usize),
        ),
        .aarch64 => asm ("mrs %[out], tpidr_el0"
            : [out] "=r" (-> usize),
        ),
        else => @intFromPtr(&thread_mark),
    };
}

extern "c" fn pthread_key_create(
    key: *std.c.pthread_key_t,
    destructor: ?*const fn (?*anyopaque) callconv(.c) void,
) c_int;
extern "c" fn pthread_setspecific(key: std.c.pthread_key_t, value: ?*const anyopaque) c_int;

/// The last failure of this thread that a call returned.
threadlocal var last_failure: ?codes.Code = null;

/// Remembers `err` for `lastText` and returns its code.
pub fn fail(err: anyerror) i32 {
    @branchHint(.unlikely);
    const code = codes.fromError(err);
    last_failure = code;
    return code.result();
}

/// What this thread's last failure found, or what to do about it; forgotten by reading it.
pub fn lastText() []const u8 {
    const code = last_failure orelse return "";
    last_failure = null;
    const text = explain.get();
    defer explain.clear();
    return if (text.len > 0) text else advice.of(code);
}

/// The session of that number, if it is this thread's.
pub fn find(handle: u32) ?*Session {
    const index = handles.indexOf(handle) orelse return null;
    if (index >= places.len) return null;
    const place = &places[index];
    if (place.generation != handles.generationOf(handle)) return null;
    if (place.thread != threadMark()) return null;
    return place.session;
}

/// The session of this thread over the store at `path`, opened or counted once more.
pub fn open(path: [:0]const u8, options: attach.Options) Session.Error!u32 {
    mutex.lock(os);
    defer mutex.unlock(os);
    try watchThread();
    const env = try environmentOf(path, options);
    errdefer letGo(env) catch {}; // the error that brought us here is the one to tell
    for (&places, 0..) |*place, index| {
        const session = place.session orelse continue;
        if (session.env != env or place.thread != threadMark()) continue;
        session.open_count += 1;
        letGo(env) catch unreachable; // the session holds it as well
        return handles.number(index, place.generation);
    }
    for (&places, 0..) |*place, index| {
        if (place.session != null) continue;
        const scratch = try takeScratch();
        errdefer scratches.appendAssumeCapacity(scratch);
        place.session = try Session.init(allocator, env, scratch);
        place.thread = threadMark();
        return handles.number(index, place.generation);
    }
    explain.set("this process has {d} stores open", .{session_count_max});
    return error.Full;
}

/// The environment of the file at `path`, counted once more. The mutex is held.
fn environmentOf(path: [:0]const u8, options: attach.Options) Session.Error!*Env {
    if (os.statPath(path)) |stat| {
        for (environments.items) |*shared| {
            if (shared.device != stat.device or shared.inode != stat.inode) continue;
            try checkSame(shared.env, options);
            shared.count += 1;
            return shared.env;
        }
    } else |err| if (err != error.NotFound) {
        explain.set("{s}: {t}", .{ path, err });
        return err;
    }
    try environments.ensureUnusedCapacity(allocator, 1);
    const env = attach.open(allocator, os, path, options) catch |err| switch (err) {
        // The caller's own permission is what read-only access is about.
        error.PermissionDenied, error.ReadOnlyFileSystem => if (options.read_only)
            try attach.openReadOnly(allocator, os, path, options)
        else
            return err,
        else => return err,
    };
    errdefer attach.close(env) catch {}; // the error that brought us here is the one to tell
    const stat = try os.stat(env.file.fd);
    environments.appendAssumeCapacity(.{
        .env = env,
        .device = stat.device,
        .inode = stat.inode,
        .count = 1,
    });
    return env;
}

/// Options that belong to the environment must be those in force.
fn checkSame(env: *Env, options: attach.Options) Session.Error!void {
    const wanted = options.settings;
    const kept = env.settings;
    const defaults: Env.Settings = .{};
    if (options.page_size != 0 and options.page_size != env.file.page_size) {
        return differs("pageSize", env.file.page_size);
    }
    if (options.exclusive != kept.exclusive) {
        return differs("exclusive", @intFromBool(kept.exclusive));
    }
    if (wanted.size_max != defaults.size_max and wanted.size_max != kept.size_max) {
        return differs("maxSize", kept.size_max);
    }
    if (wanted.verify != .once and wanted.verify != kept.verify) {
        return differs("verify", @intFromEnum(kept.verify));
    }
    if (wanted.checkpoint_size != defaults.checkpoint_size and
        wanted.checkpoint_size != kept.checkpoint_size)
    {
        return differs("checkpointBytes", kept.checkpoint_size);
    }
    if (!options.attributes.agrees(&env.main_attributes)) {
        return options.attributes.contradict(&env.main_attributes, env.path);
    }
}

fn differs(name: []const u8, kept: u64) error{Options} {
    explain.set("this process has the store open with {s} {d}: leave {s} out", .{
        name, kept, name,
    });
    return error.Options;
}

/// Counts the environment once less, and closes it with the last. The mutex is held.
fn letGo(env: *Env) Session.Error!void {
    for (environments.items, 0..) |*shared, index| {
        if (shared.env != env) continue;
        shared.count -= 1;
        if (shared.count > 0) return;
        _ = environments.swapRemove(index);
        return attach.close(env);
    }
}

/// Closes the session once; everything of it ends with the last time.
pub fn close(handle: u32) Session.Error!void {
    const session = find(handle) orelse return error.Closed;
    mutex.lock(os);
    defer mutex.unlock(os);
    session.open_count -= 1;
    if (session.open_count > 0) return;
    return end(&places[handles.indexOf(handle).?]);
}

fn end(place: *Place) Session.Error!void {
    const session = place.session.?;
    const env = session.env;
    place.session = null;
    place.generation = (place.generation + 1) & 0x7fff;
    // Room for it was made when it was taken.
    scratches.appendAssumeCapacity(session.scratch);
    session.deinit();
    return letGo(env);
}

fn takeScratch() Session.Error![]align(4096) u8 {
    if (scratches.pop()) |scratch| return scratch;
    try scratches.ensureTotalCapacity(allocator, session_count_max);
    const scratch = try allocator.alignedAlloc(u8, .fromByteUnits(4096), limits.scratch_size);
    @memset(scratch, 0);
    return scratch;
}

/// Has `threadEnds` called when this thread does. The mutex is held.
fn watchThread() error{OutOfMemory}!void {
    if (exit_key == null) {
        var key: std.c.pthread_key_t = undefined;
        if (pthread_key_create(&key, threadEnds) != 0) return error.OutOfMemory;
        exit_key = key;
    }
    const mark: *const anyopaque = @ptrFromInt(threadMark());
    if (pthread_setspecific(exit_key.?, mark) != 0) return error.OutOfMemory;
}

/// A Worker was terminated, or a thread ended with stores open: what it left is taken back, so that
/// the next writer need not wait.
fn threadEnds(mark: ?*anyopaque) callconv(.c) void {
    mutex.lock(os);
    defer mutex.unlock(os);
    for (&places) |*place| {
        if (place.session == null) continue;
        if (place.thread != @intFromPtr(mark)) continue;
        end(place) catch {}; // nobody is left to tell; the next open recovers
    }
}
