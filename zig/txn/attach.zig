//! Attaching to a store and leaving it: identity of the three files, creation, who is first and who
//! is last. Locks are bytes of `X`: 0 while somebody attaches or leaves, 1 held shared by every
//! attached process, 2 by readers without write access.
//!
//! Invariants: a companion file that is foreign or missing is an error, never ignored; a new store
//! appears whole, by a rename; the first process recovers before anybody else attaches; the last
//! one checkpoints and leaves a meta marked closed.

const std = @import("std");
const assert = std.debug.assert;
const Allocator = std.mem.Allocator;
const config = @import("../config.zig");
const explain = @import("../explain.zig");
const meta_format = @import("../format/meta.zig");
const record = @import("../format/record.zig");
const os_types = @import("../os/types.zig");
const Os = @import("../os/os.zig").Os;
const File = @import("../store/File.zig");
const FrameSet = @import("../store/FrameSet.zig");
const Lock = @import("../store/Lock.zig");
const Log = @import("../store/Log.zig");
const Snapshot = @import("../store/Snapshot.zig");
const tables = @import("tables.zig");
const Env = @import("Env.zig");
const checkpoint = @import("checkpoint.zig");
const recover = @import("recover.zig");
const trim = @import("trim.zig");

pub const Error = recover.Error;

pub const attach_byte: u64 = 0;
pub const alive_byte: u64 = Env.alive_byte;
pub const slotless_byte: u64 = Env.slotless_byte;
/// Byte of `X-wal` that a creator holds.
const creation_byte: u64 = 0;
const poll_ns: u64 = 500 * std.time.ns_per_us;
/// Longest suffix that a companion's path has.
const suffix_size_max = 16;

pub const Options = struct {
    read_only: bool = false,
    exclusive: bool = false,
    create: bool = true,
    /// 0: that of the file, or the default for a new one.
    page_size: u32 = 0,
    settings: Env.Settings = .{},
    /// Of the unnamed table.
    attributes: tables.Attributes = .{},
};

const StoreId = @FieldType(meta_format.Meta, "store_id");
const PathBuffer = [os_types.path_size_max + suffix_size_max]u8;

fn companion(path: []const u8, suffix: []const u8, buffer: *PathBuffer) [:0]const u8 {
    assert(path.len + suffix.len < buffer.len);
    @memcpy(buffer[0..path.len], path);
    @memcpy(buffer[path.len..][0..suffix.len], suffix);
    buffer[path.len + suffix.len] = 0;
    return buffer[0 .. path.len + suffix.len :0];
}

/// The path with every link resolved, in `buffer`; the file itself may be missing.
pub fn resolve(os: Os, path: [:0]const u8, buffer: *[os_types.path_size_max]u8) Error![:0]const u8 {
    if (path.len == 0 or path.len + suffix_size_max >= os_types.path_size_max) {
        explain.set("a path of {d} bytes", .{path.len});
        return error.NameTooLong;
    }
    return os.realPath(path, buffer);
}

/// Opens, creating it if it is missing and `options.create`, the store at the resolved `path`.
pub fn open(allocator: Allocator, os: Os, path: [:0]const u8, options: Options) Error!*Env {
    if (options.page_size != 0 and !config.isPageSize(options.page_size)) return error.Options;
    const end = os.now() +| options.settings.lock_timeout_ns;
    var created: ?StoreId = null;
    while (true) {
        const fd = os.open(path, .{ .write = true }) catch |err| switch (err) {
            error.NotFound => {
                if (!options.create or options.read_only) return err;
                created = try create(os, allocator, path, options, end);
                continue;
            },
            else => return explainOpen(err, path),
        };
        errdefer os.close(fd);
        try checkFile(os, fd, path);
        try waitLock(os, fd, attach_byte, .exclusive, path, end);
        const here = os.statPath(path) catch |err| if (err == error.NotFound) null else return err;
        if (here == null or here.?.inode != (try os.stat(fd)).inode) {
            os.close(fd);
            continue; // replaced while we waited
        }
        return attach(allocator, os, fd, path, options, created);
    }
}

/// Opens the store at the resolved `path` without write access to it: a reader that has no slot,
/// whom writers see by a shared lock on a byte of the data file.
pub fn openReadOnly(allocator: Allocator, os: Os, path: [:0]const u8, options: Options) Error!*Env {
    const fd = os.open(path, .{}) catch |err| return explainOpen(err, path);
    errdefer os.close(fd);
    try checkFile(os, fd, path);
    const end = os.now() +| options.settings.lock_timeout_ns;
    try waitLock(os, fd, attach_byte, .shared, path, end);
    if (!try os.lock(fd, slotless_byte, .shared)) return error.Busy;
    // Its newest pages are in the memory of the process that has it.
    if (try os.isLocked(fd, alive_byte, .shared)) {
        explain.set("{s} is open with exclusive: true elsewhere", .{path});
        return error.Busy;
    }
    const meta = try recover.readMeta(os, fd, path);
    try checkOptions(meta, options, path);
    var buffer: PathBuffer = undefined;
    const log_fd = os.open(companion(path, "-wal", &buffer), .{}) catch |err| switch (err) {
        // Closed: nothing can be in it.
        error.NotFound => if (meta.closed == 1) try os.open(path, .{}) else return err,
        else => return explainOpen(err, path),
    };
    const env = try init(allocator, os, fd, path, meta, try Log.init(os, log_fd), options);
    errdefer deinitKeepFile(env);
    const is_attached = try os.isLocked(fd, alive_byte, .exclusive);
    env.slotless = if (is_attached) .following else .alone;
    env.lock = if (is_attached)
        try Lock.follow(os, companion(path, "-lock", &buffer), try identityOf(os, fd, meta))
    else
        try Lock.private(os);
    errdefer env.lock.deinit();
    if (!is_attached) try recover.readAlone(env, meta);
    _ = try env.viewOf(try env.publishedState());
    os.unlock(fd, attach_byte);
    return env;
}

fn identityOf(os: Os, fd: os_types.Fd, meta: meta_format.Meta) Error!Lock.Identity {
    const stat = try os.stat(fd);
    return .{
        .device = stat.device,
        .inode = stat.inode,
        .store_id = meta.store_id,
        .page_size = meta.page_size,
    };
}

fn explainOpen(err: os_types.Error, path: []const u8) Error {
    switch (err) {
        error.IsDirectory => {
            explain.set("{s} is a folder", .{path});
            return error.NotAStore;
        },
        error.PermissionDenied => explain.set(
            "no permission to read and write {s}; open it with readOnly",
            .{path},
        ),
        error.ReadOnlyFileSystem => explain.set(
            "{s} lies on a read-only file system; open it with readOnly",
            .{path},
        ),
        else => explain.set("{s}: {t}", .{ path, err }),
    }
    return err;
}

fn checkFile(os: Os, fd: os_types.Fd, path: []const u8) Error!void {
    const stat = try os.stat(fd);
    if (stat.kind != .file) {
        explain.set("{s} is not a regular file", .{path});
        return error.NotAStore;
    }
    if (stat.links > 1) {
        explain.set("{s} has {d} hard links: by another name it would be another store over " ++
            "the same pages; remove the others", .{ path, stat.links });
        return error.PermissionDenied;
    }
}

/// Locks byte `at` of `fd`, looking again and again until `end`.
fn waitLock(
    os: Os,
    fd: os_types.Fd,
    at: u64,
    kind: os_types.LockMode,
    path: []const u8,
    end: u64,
) Error!void {
    var never: std.atomic.Value(u32) = .init(0);
    while (!try os.lock(fd, at, kind)) {
        if (os.now() >= end) {
            explain.set("another process is opening or closing {s}", .{path});
            return error.Busy;
        }
        os.wait(&never, 0, poll_ns);
    }
}

/// The attach byte of `fd` is held, and let go at the end; `fd` is the environment's. `created` is
/// the id of a store whose names this process has just made durable.
fn attach(
    allocator: Allocator,
    os: Os,
    fd: os_types.Fd,
    path: [:0]const u8,
    options: Options,
    created: ?StoreId,
) Error!*Env {
    const is_first = try os.lock(fd, alive_byte, .exclusive);
    if (options.exclusive and is_first and try os.isLocked(fd, slotless_byte, .exclusive)) {
        explain.set("{s} is being read by a process without write access to it", .{path});
        return error.Busy;
    }
    if (!is_first and (options.exclusive or !try os.lock(fd, alive_byte, .shared))) {
        explain.set("{s} is open {s}", .{
            path, if (options.exclusive) "elsewhere" else "with exclusive: true elsewhere",
        });
        return error.Busy;
    }
    const meta = try recover.readMeta(os, fd, path);
    try checkOptions(meta, options, path);
    var buffer: PathBuffer = undefined;
    const log = try openLog(os, companion(path, "-wal", &buffer), meta, is_first);
    const env = try init(allocator, os, fd, path, meta, log, options);
    errdefer deinitKeepFile(env);
    // A log that somebody removed meanwhile was made anew, and is empty.
    const is_log_kept = log.size > 0;
    const is_created = if (created) |id| std.mem.eql(u8, &id, &meta.store_id) else false;
    env.names_flushed = is_created and is_log_kept;
    env.lock = try openLock(os, path, try identityOf(os, fd, meta), is_first);
    errdefer env.lock.deinit();
    shareSettings(env, is_first);
    if (is_first) {
        try recover.run(env, meta);
        if (!options.exclusive) _ = try os.lock(fd, alive_byte, .shared);
    }
    _ = try env.viewOf(env.lock.published());
    os.unlock(fd, attach_byte);
    return env;
}

/// What all attached processes must agree on is as the first one has it.
fn shareSettings(env: *Env, is_first: bool) void {
    const size_min = &env.lock.shared.named_run_size_min;
    if (is_first) size_min.* = env.settings.named_run_size_min;
    env.settings.named_run_size_min = size_min.*;
    env.dirty.named_run_size_min = size_min.*;
}

fn checkOptions(meta: meta_format.Meta, options: Options, path: []const u8) Error!void {
    if (options.page_size != 0 and options.page_size != meta.page_size) {
        explain.set("{s} has pages of {d} bytes, the options say {d}: leave pageSize out", .{
            path, meta.page_size, options.page_size,
        });
        return error.Options;
    }
    const kept = attributesOf(meta);
    if (options.attributes.agrees(&kept)) return;
    return options.attributes.contradict(&kept, path);
}

fn attributesOf(meta: meta_format.Meta) tables.Attributes {
    var attributes: tables.Attributes = .{
        .key_encoding = meta.key_encoding,
        .encoding = meta.encoding,
    };
    attributes.setCodecName(meta.codec_name[0..meta.codec_name_size]);
    return attributes;
}

fn openLog(os: Os, path: [:0]const u8, meta: meta_format.Meta, is_first: bool) Error!Log {
    const create_log = is_first and meta.closed == 1;
    const fd = os.open(path, .{ .write = true, .create = create_log }) catch |err| {
        if (err != error.NotFound) return explainOpen(err, path);
        explain.set("{s} is missing, and the store was not closed: commits may be in it; " ++
            "put it back beside the store", .{path});
        return error.Corrupt;
    };
    errdefer os.close(fd);
    return Log.init(os, fd);
}

fn openLock(os: Os, path: []const u8, identity: Lock.Identity, is_first: bool) Error!Lock {
    var buffer: PathBuffer = undefined;
    const lock_path = companion(path, "-lock", &buffer);
    if (!is_first) {
        return Lock.open(os, lock_path, identity) catch |err| switch (err) {
            error.Corrupt, error.NotFound => {
                explain.set("{s} is not the lock file of this store, which is open elsewhere: " ++
                    "close it there first", .{lock_path});
                return error.Corrupt;
            },
            else => return explainLock(err, lock_path),
        };
    }
    const is_foreign = Lock.isForeignInUse(
        os,
        lock_path,
        identity.device,
        identity.inode,
    ) catch |err| return explainLock(err, lock_path);
    if (is_foreign) {
        explain.set("{s} was moved over a store that is still open; close that one first", .{path});
        return error.Busy;
    }
    var temporary: PathBuffer = undefined;
    const new_path = companion(path, "-lock-new", &temporary);
    return Lock.create(os, lock_path, new_path, identity) catch |err| explainLock(err, lock_path);
}

fn explainLock(err: Lock.Error, path: []const u8) Error {
    if (err == error.PermissionDenied or err == error.ReadOnlyFileSystem) {
        explain.set("no permission to make or write {s}; open the store with readOnly", .{path});
    }
    return err;
}

fn init(
    allocator: Allocator,
    os: Os,
    fd: os_types.Fd,
    path: [:0]const u8,
    meta: meta_format.Meta,
    log: Log,
    options: Options,
) Error!*Env {
    errdefer os.close(log.fd);
    const env = try allocator.create(Env);
    errdefer allocator.destroy(env);
    const own_path = try allocator.dupeZ(u8, path);
    errdefer allocator.free(own_path);
    const lock_path = try std.fmt.allocPrintSentinel(allocator, "{s}-lock", .{path}, 0);
    errdefer allocator.free(lock_path);
    var settings = options.settings;
    settings.exclusive = options.exclusive;
    if (settings.frames_size_max == 0) {
        settings.frames_size_max = Env.framesSizeOf(os, options.exclusive);
    }
    const set = try FrameSet.create(allocator, os, meta.page_size, frameTag(os));
    errdefer set.destroy();
    env.* = .{
        .allocator = allocator,
        .os = os,
        .path = own_path,
        .lock_path = lock_path,
        .settings = settings,
        .store_id = meta.store_id,
        .main_attributes = attributesOf(meta),
        .file = try .init(os, fd, .{
            .page_size = meta.page_size,
            .size_max = options.settings.size_max,
            .random = options.settings.random,
        }),
        .log = log,
        .lock = undefined,
        .fork_guard = try os.forkGuard(),
        .space = .{ .allocator = allocator },
        .dirty = .{ .allocator = allocator, .file = undefined, .space = undefined, .set = set },
    };
    env.dirty.file = &env.file;
    env.dirty.space = &env.space;
    env.dirty.keeps_frames = options.exclusive;
    return env;
}

/// What tells a frame of this environment from anything that a file may hold.
fn frameTag(os: Os) u64 {
    var tag: u64 = undefined;
    os.random(std.mem.asBytes(&tag));
    return tag;
}

/// Frees everything but `lock` and the data file's descriptor, which the caller closes.
fn deinitKeepFile(env: *Env) void {
    const allocator = env.allocator;
    env.dirty.deinit();
    env.space.deinit();
    env.buffer.deinit(allocator);
    env.protected.deinit(allocator);
    env.pinned.deinit(allocator);
    env.pins.deinit(allocator);
    env.log.deinit();
    env.file.deinitKeepFile();
    allocator.free(env.path);
    allocator.free(env.lock_path);
    allocator.destroy(env);
}

/// Leaves the store. The last process checkpoints it and marks it closed; what keeps it from that
/// is returned after everything was let go, and the next open recovers.
pub fn close(env: *Env) Error!void {
    const os = env.os;
    const fd = env.file.fd;
    assert(env.pins.items.len == 0);
    const outcome = leave(env);
    env.lock.deinit();
    deinitKeepFile(env);
    os.close(fd);
    return outcome;
}

/// What a running checkpoint or a commit waits for is flushed once more through descriptors that
/// were open when it was written: they report an error that a descriptor opened later would not.
fn flushRunning(env: *Env) Error!void {
    if (env.lock.isPoisoned()) return;
    const shared = env.lock.shared;
    const idle = @intFromEnum(Lock.Phase.idle);
    if (shared.checkpoint.phase.load(.seq_cst) != idle) try env.flushFile();
    try env.flushLog();
}

fn leave(env: *Env) Error!void {
    if (env.slotless != null) return;
    if (env.isForked()) return; // the parent's locks stay
    try flushRunning(env);
    const fd = env.file.fd;
    const end = env.os.now() +| env.settings.lock_timeout_ns;
    try waitLock(env.os, fd, attach_byte, .exclusive, env.path, end);
    if (!try env.os.lock(fd, alive_byte, .exclusive)) return;
    if (env.lock.isPoisoned()) return;
    if (env.lock.shared.closed.load(.acquire) != 0) return;
    env.is_leaving = !try env.os.isLocked(fd, slotless_byte, .exclusive);
    try checkpoint.runAll(env);
    // A file that stays as long as it was is no reason not to close it.
    if (env.is_leaving) trim.run(env) catch |err| if (err == error.Killed) return err;
    try checkpoint.runAll(env);
    try env.retractRecord();
    var meta = env.completedMeta() orelse return error.Corrupt;
    meta.setClosed(true);
    try checkpoint.replaceMeta(env, meta);
    try env.log.shrink();
    // Where a reader without a slot is, it may be reading behind the last page we know.
    if (env.is_leaving) try env.file.shrink(meta.page_count);
}

/// Creates the store: log first, then the data file under another name, then the rename that makes
/// it exist. Finds out again what is there once it holds the lock. Returns the id of the store,
/// whose names are durable now; null: somebody else made one.
fn create(
    os: Os,
    allocator: Allocator,
    path: [:0]const u8,
    options: Options,
    end: u64,
) Error!?StoreId {
    var buffer: PathBuffer = undefined;
    const log_path = companion(path, "-wal", &buffer);
    const fd = os.open(log_path, .{ .write = true, .create = true }) catch |err|
        return explainOpen(err, log_path);
    var log = Log.init(os, fd) catch |err| {
        os.close(fd);
        return err;
    };
    defer log.deinit();
    try waitLock(os, fd, creation_byte, .exclusive, log_path, end);
    const here = os.statPath(log_path) catch |err| if (err == error.NotFound) null else return err;
    if (here == null or here.?.inode != (try os.stat(fd)).inode) return null;
    if (os.statPath(path)) |_| return null else |err| if (err != error.NotFound) return err;
    try checkLeftover(allocator, &log, log_path);
    var meta = newMeta(os, options);
    try log.reserve(1, 1, .written);
    for ([_]u32{ 0, 1 }) |half| {
        var salt = meta.log_salt;
        if (half == 1) os.random(std.mem.asBytes(&salt));
        try log.writeHeader(.{
            .store_id = meta.store_id,
            .salt = salt,
            .half = half,
            .checkpoint = 0,
            .sequence = 0,
        });
    }
    try log.flush();
    return if (try createData(os, path, &meta)) meta.store_id else null;
}

fn newMeta(os: Os, options: Options) meta_format.Meta {
    const attributes = options.attributes.resolved();
    var meta: meta_format.Meta = .{
        .page_size = if (options.page_size == 0) config.page_size_default else options.page_size,
        .store_id = undefined,
        .sequence = 0,
        .txnid = 0,
        .page_count = 2,
        .closed = 1,
        .log_salt = undefined,
        .key_encoding = attributes.key_encoding,
        .encoding = attributes.encoding,
        .codec_name_size = attributes.codec_name_size,
        .codec_name = attributes.codec_name_buffer,
    };
    os.random(&meta.store_id);
    os.random(std.mem.asBytes(&meta.log_salt));
    return meta;
}

/// A log without a store is what an interrupted creation leaves, or all that is left of a store.
fn checkLeftover(allocator: Allocator, log: *Log, path: []const u8) Error!void {
    var bytes: std.ArrayList(u8) = .empty;
    defer bytes.deinit(allocator);
    for ([_]u32{ 0, 1 }) |half| {
        var head: [record.half_header_size]u8 = @splat(0);
        _ = try log.read(half, 0, &head);
        if (std.mem.allEqual(u8, &head, 0)) continue;
        const header = record.HalfHeader.decode(&head, half) orelse {
            explain.set("{s} exists and is not a log: move it away", .{path});
            return error.Corrupt;
        };
        const first = try log.readRecord(allocator, &bytes, half, Log.first_offset, header.salt);
        if (first == null and header.checkpoint == 0) continue;
        explain.set("{s} has commits, and its store is gone: put the store back, " ++
            "or move the log away", .{path});
        return error.Corrupt;
    }
}

/// False: somebody else made one.
fn createData(os: Os, path: [:0]const u8, meta: *meta_format.Meta) Error!bool {
    var buffer: PathBuffer = undefined;
    const temporary = companion(path, "-new", &buffer);
    os.unlink(temporary) catch |err| if (err != error.NotFound) return err;
    const fd = os.open(temporary, .{ .write = true, .create = true, .exclusive = true }) catch |err|
        return explainOpen(err, temporary);
    defer os.close(fd);
    errdefer os.unlink(temporary) catch {}; // the error that brought us here is the one to tell
    const size = std.mem.alignForward(u64, 2 * @as(u64, meta.page_size), 4096);
    try os.allocate(fd, 0, size);
    for ([_]u32{ 0, 1 }) |slot| {
        meta.sequence = slot;
        const bytes = meta_format.encode(meta.*, slot);
        try os.pwrite(fd, &bytes, @as(u64, slot) * meta.page_size);
    }
    try os.flush(fd);
    os.renameNoReplace(temporary, path) catch |err| switch (err) {
        error.NotSupported => try os.rename(temporary, path),
        error.Exists => {
            try os.unlink(temporary);
            return false;
        },
        else => return err,
    };
    try os.flushDirectory(directoryOf(path, &buffer));
    return true;
}

fn directoryOf(path: []const u8, buffer: *PathBuffer) [:0]const u8 {
    const parent = std.fs.path.dirnamePosix(path) orelse "/";
    return companion(parent, "", buffer);
}
