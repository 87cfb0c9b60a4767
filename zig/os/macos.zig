//! The operating system, on macOS, through its C library. UNTESTED: it compiles for both kinds of
//! Mac, and nothing here has run on one yet.
//! It never retries a flush and never waits for a file lock. A flush is F_FULLFSYNC, the only
//! call here that reaches the medium.
//!
//! Maps must lie on 16 KiB boundaries on Apple silicon; a smaller boundary fails there. Locks of
//! open file descriptions need a recent system; an older one answers `NotSupported`.

const std = @import("std");
const types = @import("types.zig");
const c = std.c;
const assert = std.debug.assert;
const Error = types.Error;
const Fd = types.Fd;
const Range = types.Range;
const Stat = types.Stat;
const path_size_max = types.path_size_max;

comptime {
    assert(@sizeOf(usize) == 8);
    types.checkInterface(Os);
}

const command_preallocate = 42;
const command_full_flush = 51;
const command_lock_set = 90;
const command_lock_get = 92;
const command_punch = 99;

const lock_shared = 1;
const lock_none = 2;
const lock_exclusive = 3;

/// `struct flock`.
const Flock = extern struct {
    start: i64,
    size: i64 = 1,
    pid: i32 = 0,
    type: i16,
    whence: i16 = 0,
};

/// `fstore_t`: what F_PREALLOCATE takes.
const Preallocation = extern struct {
    flags: u32,
    mode: i32,
    offset: i64,
    size: i64,
    allocated: i64 = 0,
};

/// `fpunchhole_t`.
const Hole = extern struct { flags: u32 = 0, reserved: u32 = 0, offset: i64, size: i64 };

/// `struct statvfs`.
const FileSystem = extern struct { sizes: [2]u64, counts: [6]u32, id: u64, flags: u64, max: u64 };

/// `struct proc_threadinfo`.
const ThreadFacts = extern struct { times: [2]u64, numbers: [8]i32, name: [64]u8 };

comptime {
    assert(@sizeOf(Flock) == 24);
    assert(@sizeOf(Preallocation) == 32);
    assert(@sizeOf(FileSystem) == 64);
    assert(@sizeOf(ThreadFacts) == 112);
}

const file_system_read_only = 1;
const map_shared = 0x1;
const map_private = 0x2;
const map_fixed = 0x10;
const map_no_reserve = 0x40;
const map_anonymous = 0x1000;
const access_read = 1;
const access_write = 2;

extern "c" fn mmap(?*anyopaque, usize, c_int, c_int, c_int, i64) usize;
extern "c" fn munmap(*anyopaque, usize) c_int;
extern "c" fn madvise(*anyopaque, usize, c_int) c_int;
extern "c" fn renamex_np([*:0]const u8, [*:0]const u8, c_uint) c_int;
extern "c" fn fstatvfs(c_int, *FileSystem) c_int;
extern "c" fn proc_pidinfo(c_int, c_int, u64, *ThreadFacts, c_int) c_int;
extern "c" fn pthread_atfork(?ForkHandler, ?ForkHandler, ?ForkHandler) c_int;

const ForkHandler = *const fn () callconv(.c) void;

pub const Os = struct {
    pub fn open(_: Os, path: [:0]const u8, flags: types.OpenFlags) Error!Fd {
        assert(!flags.exclusive or flags.create);
        assert(!flags.create or flags.write);
        // Without NONBLOCK a named pipe at this path would stop the caller for ever.
        return openRaw(path, .{
            .ACCMODE = if (flags.write) .RDWR else .RDONLY,
            .CREAT = flags.create,
            .EXCL = flags.exclusive,
            .NOCTTY = true,
            .NONBLOCK = true,
            .CLOEXEC = true,
        });
    }

    pub fn openDirectory(_: Os, path: [:0]const u8) Error!Fd {
        return openRaw(path, .{ .ACCMODE = .RDONLY, .DIRECTORY = true, .CLOEXEC = true });
    }

    pub fn close(_: Os, fd: Fd) void {
        assert(fd >= 0);
        _ = c.close(fd);
    }

    pub fn stat(_: Os, fd: Fd) Error!Stat {
        var facts: c.Stat = undefined;
        _ = try retry(c.fstat, .{ fd, &facts });
        return fromFacts(&facts);
    }

    /// Facts about what the path leads to, links followed.
    pub fn statPath(_: Os, path: [:0]const u8) Error!Stat {
        var facts: c.Stat = undefined;
        _ = try retry(c.fstatat, .{ c.AT.FDCWD, path.ptr, &facts, 0 });
        return fromFacts(&facts);
    }

    /// See `types.resolvePath`.
    pub fn realPath(
        _: Os,
        path: [:0]const u8,
        buffer: *[path_size_max]u8,
    ) Error![:0]const u8 {
        return types.resolvePath(Links{}, path, buffer);
    }

    /// Fills the buffer; the result is smaller only at the end of the file.
    pub fn pread(_: Os, fd: Fd, buffer: []u8, offset: u64) Error!usize {
        var done: usize = 0;
        while (done < buffer.len) {
            const rest = buffer[done..];
            const size = try retry(c.pread, .{ fd, rest.ptr, rest.len, signed(offset + done) });
            if (size == 0) break;
            done += @intCast(size);
        }
        return done;
    }

    pub fn pwrite(_: Os, fd: Fd, bytes: []const u8, offset: u64) Error!void {
        var done: usize = 0;
        while (done < bytes.len) {
            const rest = bytes[done..];
            const size = try retry(c.pwrite, .{ fd, rest.ptr, rest.len, signed(offset + done) });
            if (size == 0) return error.Io;
            done += @intCast(size);
        }
    }

    /// Writes the pieces one behind the other from `offset` on, one call each: the gathered call
    /// of this system is younger than the oldest release supported.
    pub fn pwritev(self: Os, fd: Fd, pieces: []const []const u8, offset: u64) Error!void {
        var position = offset;
        for (pieces) |piece| {
            try self.pwrite(fd, piece, position);
            position += piece.len;
        }
    }

    /// Reserves storage behind the end of the file and extends it to hold the part. A hole
    /// inside the file cannot be reserved on this system.
    pub fn allocate(self: Os, fd: Fd, offset: u64, size: u64) Error!void {
        assert(size > 0);
        const facts = try self.stat(fd);
        const end = offset + size;
        if (end > facts.allocated) {
            const all_or_nothing = 4;
            const from_physical_end = 3;
            var wanted: Preallocation = .{
                .flags = all_or_nothing,
                .mode = from_physical_end,
                .offset = 0,
                .size = signed(end - facts.allocated),
            };
            _ = retry(c.fcntl, .{ fd, command_preallocate, &wanted }) catch |failure| {
                if (failure != error.NotSupported) return failure;
                return self.writeZeros(fd, @max(offset, facts.size), end);
            };
        }
        if (end > facts.size) try self.truncate(fd, end);
    }

    fn writeZeros(self: Os, fd: Fd, start: u64, end: u64) Error!void {
        const zeros: [16384]u8 = @splat(0);
        var position = start;
        while (position < end) {
            const size = @min(zeros.len, end - position);
            try self.pwrite(fd, zeros[0..size], position);
            position += size;
        }
    }

    /// Gives the storage of the part back; it reads zeros from now on, the size stays.
    pub fn punch(_: Os, fd: Fd, offset: u64, size: u64) Error!void {
        const hole: Hole = .{ .offset = signed(offset), .size = signed(size) };
        _ = try retry(c.fcntl, .{ fd, command_punch, &hole });
    }

    pub fn truncate(_: Os, fd: Fd, size: u64) Error!void {
        _ = try retry(c.ftruncate, .{ fd, signed(size) });
    }

    /// Makes content and size durable. Never repeated by anybody: after a failure the system may
    /// have dropped the pages and marked them clean.
    pub fn flush(_: Os, fd: Fd) Error!void {
        return switch (c.errno(c.fcntl(fd, command_full_flush, @as(c_int, 0)))) {
            .SUCCESS => {},
            .INTR => error.Io,
            else => |number| fromErrno(number),
        };
    }

    /// Writes the bytes and makes them durable: here by a flush of the file. A failure is one of a
    /// flush.
    pub fn pwriteFlushed(self: Os, fd: Fd, bytes: []const u8, offset: u64) Error!void {
        try self.pwrite(fd, bytes, offset);
        return self.flush(fd);
    }

    /// The system has no such call; nothing depends on it.
    pub fn beginFlush(_: Os, _: Fd, _: u64, _: u64) void {}

    /// Makes the names in a directory durable.
    pub fn flushDirectory(self: Os, path: [:0]const u8) Error!void {
        const fd = try self.openDirectory(path);
        defer self.close(fd);
        self.flush(fd) catch |failure| switch (failure) {
            error.NotSupported, error.Unexpected => return,
            else => return failure,
        };
    }

    pub fn rename(_: Os, from: [:0]const u8, to: [:0]const u8) Error!void {
        _ = try retry(c.rename, .{ from.ptr, to.ptr });
    }

    /// Renames only if the new name is free: `Exists` otherwise, `NotSupported` where the file
    /// system cannot do this in one step.
    pub fn renameNoReplace(_: Os, from: [:0]const u8, to: [:0]const u8) Error!void {
        const exclusive = 4;
        return switch (c.errno(renamex_np(from.ptr, to.ptr, exclusive))) {
            .SUCCESS => {},
            .INVAL => error.NotSupported,
            else => |number| fromErrno(number),
        };
    }

    pub fn unlink(_: Os, path: [:0]const u8) Error!void {
        _ = try retry(c.unlink, .{path.ptr});
    }

    fn typeOf(mode: types.LockMode) i16 {
        return switch (mode) {
            .shared => lock_shared,
            .exclusive => lock_exclusive,
        };
    }

    /// Locks one byte for this open file description, never waiting: false when another has it.
    /// A held lock changes its mode; a refused change leaves it as it was.
    pub fn lock(_: Os, fd: Fd, offset: u64, mode: types.LockMode) Error!bool {
        const flock: Flock = .{ .type = typeOf(mode), .start = signed(offset) };
        while (true) {
            switch (c.errno(c.fcntl(fd, command_lock_set, &flock))) {
                .SUCCESS => return true,
                .AGAIN, .ACCES => return false,
                .INTR => {},
                // The descriptor was not opened for what the mode needs.
                .BADF => return error.PermissionDenied,
                .INVAL, .NOLCK, .OPNOTSUPP, .NOSYS => return error.NotSupported,
                else => |number| return fromErrno(number),
            }
        }
    }

    pub fn unlock(_: Os, fd: Fd, offset: u64) void {
        const flock: Flock = .{ .type = lock_none, .start = signed(offset) };
        while (true) {
            switch (c.errno(c.fcntl(fd, command_lock_set, &flock))) {
                .INTR => {},
                else => return,
            }
        }
    }

    /// Whether another open file description's lock on the byte stands against one of that mode.
    pub fn isLocked(_: Os, fd: Fd, offset: u64, against: types.LockMode) Error!bool {
        var flock: Flock = .{ .type = typeOf(against), .start = signed(offset) };
        _ = try retry(c.fcntl, .{ fd, command_lock_get, &flock });
        return flock.type != lock_none;
    }

    /// Addresses without memory behind them: they read zeros until a file is mapped over them.
    pub fn reserve(_: Os, size: usize) Error!Range {
        const flags = map_private | map_anonymous | map_no_reserve;
        return map(null, size, access_read, flags, -1, 0);
    }

    /// Puts a read-only, shared map of the file over a part of a reserved range.
    pub fn mapFile(_: Os, range: Range, fd: Fd, offset: u64) Error!void {
        const flags = map_shared | map_fixed;
        const mapped = try map(range.ptr, range.len, access_read, flags, fd, offset);
        assert(mapped.ptr == range.ptr);
    }

    /// Puts zeroed memory of this process alone, readable and writable, over a part of a reserved
    /// range.
    pub fn mapMemory(_: Os, range: Range) Error!void {
        const flags = map_private | map_anonymous | map_no_reserve | map_fixed;
        const mapped = try map(range.ptr, range.len, access_read | access_write, flags, -1, 0);
        assert(mapped.ptr == range.ptr);
    }

    /// Maps the start of the file for reading and writing, shared with every process.
    pub fn mapShared(_: Os, fd: Fd, size: usize) Error!Range {
        return map(null, size, access_read | access_write, map_shared, fd, 0);
    }

    pub fn unmap(_: Os, range: Range) void {
        const result = munmap(range.ptr, range.len);
        assert(result == 0);
    }

    pub fn advise(_: Os, range: Range, advice: types.Advice) void {
        const number: c_int = switch (advice) {
            .normal => 0,
            .random => 1,
            // The system chooses by itself.
            .huge => return,
            .unneeded => 5,
        };
        _ = madvise(range.ptr, range.len, number);
    }

    /// Nanoseconds of a clock that never goes back and means nothing outside this boot.
    pub fn now(_: Os) u64 {
        const time = clock(.MONOTONIC);
        return @as(u64, @intCast(time.sec)) * std.time.ns_per_s + @as(u64, @intCast(time.nsec));
    }

    /// Milliseconds since 1970; may jump.
    pub fn wallClock(_: Os) u64 {
        const time = clock(.REALTIME);
        const seconds: u64 = @intCast(@max(time.sec, 0));
        return seconds * std.time.ms_per_s + @as(u64, @intCast(time.nsec)) / std.time.ns_per_ms;
    }

    pub fn random(_: Os, buffer: []u8) void {
        c.arc4random_buf(buffer.ptr, buffer.len);
    }

    pub fn pid(_: Os) u32 {
        return @intCast(c.getpid());
    }

    /// Unique among the threads that live now.
    pub fn threadId(_: Os) u32 {
        var id: u64 = 0;
        _ = c.pthread_threadid_np(null, &id);
        return @truncate(id);
    }

    /// Whether a thread of this process with this id lives.
    pub fn isThreadAlive(_: Os, id: u32) bool {
        const facts_of_thread = 15;
        var facts: ThreadFacts = undefined;
        const size = proc_pidinfo(c.getpid(), facts_of_thread, id, &facts, @sizeOf(ThreadFacts));
        return size == @sizeOf(ThreadFacts);
    }

    /// Sleeps while the word holds `expected`, at most `timeout_ns`; may return early for no
    /// reason. The word may lie in memory shared between processes.
    pub fn wait(_: Os, word: *const std.atomic.Value(u32), expected: u32, timeout_ns: u64) void {
        const operation: c.UL = .{ .op = .COMPARE_AND_WAIT_SHARED, .NO_ERRNO = true };
        // Zero would mean for ever.
        const microseconds = @max(timeout_ns / std.time.ns_per_us, 1);
        const timeout: u32 = @intCast(@min(microseconds, std.math.maxInt(u32)));
        _ = c.__ulock_wait(operation, word, expected, timeout);
    }

    /// Wakes everybody who waits on the word.
    pub fn wake(_: Os, word: *const std.atomic.Value(u32)) void {
        const operation: c.UL = .{
            .op = .COMPARE_AND_WAIT_SHARED,
            .WAKE_ALL = true,
            .NO_ERRNO = true,
        };
        _ = c.__ulock_wake(operation, word, 0);
    }

    /// Bytes of memory that the machine has; 0 if it cannot be told.
    pub fn memorySize(_: Os) u64 {
        var found: u64 = 0;
        var size: usize = @sizeOf(u64);
        const result = c.sysctlbyname("hw.memsize", &found, &size, null, 0);
        return if (result == 0) found else 0;
    }

    pub fn isReadOnlyMount(_: Os, fd: Fd) bool {
        var system: FileSystem = undefined;
        if (fstatvfs(fd, &system) != 0) return false;
        return system.flags & file_system_read_only != 0;
    }

    /// A word that reads 1 in this process and 0 in a forked child. It is never freed.
    pub fn forkGuard(_: Os) Error!*const u32 {
        if (@atomicRmw(u32, &fork_word, .Xchg, 1, .acq_rel) == 0) {
            if (pthread_atfork(null, null, clearForkWord) != 0) return error.OutOfMemory;
        }
        return &fork_word;
    }
};

var fork_word: u32 = 0;

fn clearForkWord() callconv(.c) void {
    fork_word = 0;
}

/// What `types.resolvePath` needs of the system.
const Links = struct {
    pub fn workingDirectory(_: Links, buffer: *[path_size_max]u8) Error![]const u8 {
        if (c.getcwd(buffer, buffer.len) == null) return fromErrno(lastErrno());
        return std.mem.sliceTo(buffer, 0);
    }

    pub fn readLink(_: Links, path: [:0]const u8, buffer: *[path_size_max]u8) Error!?[]const u8 {
        const result = c.readlink(path.ptr, buffer, buffer.len);
        switch (c.errno(result)) {
            .SUCCESS => {},
            .INVAL => return null,
            else => |number| return fromErrno(number),
        }
        if (result == buffer.len) return error.NameTooLong;
        return buffer[0..@intCast(result)];
    }
};

fn openRaw(path: [:0]const u8, flags: c.O) Error!Fd {
    const mode_owner_only: c_int = 0o600;
    return @intCast(try retry(c.open, .{ path.ptr, flags, mode_owner_only }));
}

fn fromFacts(facts: *const c.Stat) Stat {
    const block_size = 512;
    return .{
        .device = @as(u32, @bitCast(facts.dev)),
        .inode = facts.ino,
        .size = @intCast(facts.size),
        .allocated = @as(u64, @intCast(facts.blocks)) * block_size,
        .links = facts.nlink,
        .mode = facts.mode & 0o7777,
        .kind = switch (facts.mode & c.S.IFMT) {
            c.S.IFREG => .file,
            c.S.IFDIR => .directory,
            else => .other,
        },
    };
}

fn map(
    address: ?*anyopaque,
    size: usize,
    access: c_int,
    flags: c_int,
    fd: Fd,
    offset: u64,
) Error!Range {
    assert(size > 0);
    const failed = std.math.maxInt(usize);
    const result = mmap(address, size, access, flags, fd, signed(offset));
    if (result == failed) {
        return switch (lastErrno()) {
            .AGAIN => error.OutOfMemory,
            .NODEV => error.NotSupported,
            else => |number| fromErrno(number),
        };
    }
    const memory: [*]align(types.map_alignment) u8 = @ptrFromInt(result);
    return memory[0..size];
}

fn clock(id: c.clockid_t) c.timespec {
    var time: c.timespec = undefined;
    const result = c.clock_gettime(id, &time);
    assert(result == 0);
    return time;
}

fn signed(number: u64) i64 {
    return @intCast(number);
}

fn lastErrno() c.E {
    return c.errno(@as(c_int, -1));
}

/// Makes the call again while a signal interrupts it.
fn retry(comptime call: anytype, arguments: anytype) Error!isize {
    while (true) {
        const result = @call(.auto, call, arguments);
        switch (c.errno(result)) {
            .SUCCESS => return result,
            .INTR => {},
            else => |number| return fromErrno(number),
        }
    }
}

fn fromErrno(number: c.E) Error {
    return switch (number) {
        .NOENT => error.NotFound,
        .EXIST, .NOTEMPTY => error.Exists,
        .ACCES, .PERM, .TXTBSY => error.PermissionDenied,
        .ROFS => error.ReadOnlyFileSystem,
        .ISDIR => error.IsDirectory,
        .NOTDIR => error.NotDirectory,
        .NAMETOOLONG => error.NameTooLong,
        .LOOP => error.SymbolicLinkLoop,
        .NOSPC, .DQUOT => error.NoSpace,
        .FBIG, .OVERFLOW => error.FileTooBig,
        .IO, .NXIO, .STALE => error.Io,
        .MFILE, .NFILE => error.TooManyFiles,
        .NOMEM, .NOBUFS => error.OutOfMemory,
        .OPNOTSUPP, .NOSYS, .XDEV => error.NotSupported,
        .AGAIN => error.WouldBlock,
        else => error.Unexpected,
    };
}

test {
    std.testing.refAllDecls(Os);
}
