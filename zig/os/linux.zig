//! The operating system, on Linux: raw system calls, no C library, no state of its own.
//! It never retries a flush and never waits for a file lock. A call interrupted by a signal is
//! restarted, but for a flush, where the interruption counts as a failure: after it nobody knows
//! which pages are on the disk.
//!
//! File locks belong to the open file description (OFD), one byte each: closing another
//! descriptor of the same file does not let them go, and a killed process loses them at once.

const std = @import("std");
const cgroup = @import("cgroup.zig");
const types = @import("types.zig");
const linux = std.os.linux;
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

/// `struct flock` of 64-bit Linux.
const Flock = extern struct {
    type: i16,
    whence: i16 = 0,
    start: i64,
    size: i64 = 1,
    pid: i32 = 0,
};

/// `struct statfs` of 64-bit Linux, on the machines this library is built for.
const FileSystem = extern struct {
    before: [10]u64,
    flags: u64,
    after: [4]u64,
};

comptime {
    assert(@sizeOf(Flock) == 32);
    assert(@sizeOf(FileSystem) == 120);
}

const file_system_read_only = 1;

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
        // Linux frees the descriptor even when the call is interrupted: never repeated.
        _ = linux.close(fd);
    }

    pub fn stat(_: Os, fd: Fd) Error!Stat {
        return statRaw(fd, "", linux.AT.EMPTY_PATH);
    }

    /// Facts about what the path leads to, links followed.
    pub fn statPath(_: Os, path: [:0]const u8) Error!Stat {
        return statRaw(linux.AT.FDCWD, path, 0);
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
            const size = try retry(linux.pread, .{ fd, rest.ptr, rest.len, signed(offset + done) });
            if (size == 0) break;
            done += size;
        }
        return done;
    }

    pub fn pwrite(_: Os, fd: Fd, bytes: []const u8, offset: u64) Error!void {
        var done: usize = 0;
        while (done < bytes.len) {
            const rest = bytes[done..];
            const size = try retry(linux.pwrite, .{
                fd, rest.ptr, rest.len, signed(offset + done),
            });
            if (size == 0) return error.Io;
            done += size;
        }
    }

    /// Writes the pieces one behind the other from `offset` on.
    pub fn pwritev(self: Os, fd: Fd, pieces: []const []const u8, offset: u64) Error!void {
        var vectors: [types.piece_count_max]std.posix.iovec_const = undefined;
        var position = offset;
        var start: usize = 0;
        while (start < pieces.len) {
            const batch = pieces[start..@min(start + types.piece_count_max, pieces.len)];
            for (batch, vectors[0..batch.len]) |piece, *vector| {
                vector.* = .{ .base = piece.ptr, .len = piece.len };
            }
            const size = try retry(linux.pwritev, .{ fd, &vectors, batch.len, signed(position) });
            position = try self.finishBatch(fd, batch, position, size);
            start += batch.len;
        }
    }

    /// Writes what a gathered write left over; returns the position behind the batch.
    fn finishBatch(
        self: Os,
        fd: Fd,
        batch: []const []const u8,
        offset: u64,
        written: usize,
    ) Error!u64 {
        var skip = written;
        var position = offset;
        for (batch) |piece| {
            const done = @min(skip, piece.len);
            skip -= done;
            if (done < piece.len) try self.pwrite(fd, piece[done..], position + done);
            position += piece.len;
        }
        assert(skip == 0);
        return position;
    }

    /// Reserves storage for the part and extends the file to hold it; bytes there stay as they
    /// are, new ones read zero. Where the file system cannot reserve, zeros are written behind
    /// the end of the file.
    pub fn allocate(self: Os, fd: Fd, offset: u64, size: u64) Error!void {
        assert(size > 0);
        _ = retry(linux.fallocate, .{ fd, 0, signed(offset), signed(size) }) catch |failure| {
            if (failure != error.NotSupported) return failure;
            const present = (try self.stat(fd)).size;
            return self.writeZeros(fd, @max(offset, present), offset + size);
        };
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
        const mode = linux.FALLOC.FL_PUNCH_HOLE | linux.FALLOC.FL_KEEP_SIZE;
        _ = try retry(linux.fallocate, .{ fd, mode, signed(offset), signed(size) });
    }

    pub fn truncate(_: Os, fd: Fd, size: u64) Error!void {
        _ = try retry(linux.ftruncate, .{ fd, signed(size) });
    }

    /// Makes content and size durable. Never repeated by anybody: after a failure the system may
    /// have dropped the pages and marked them clean.
    pub fn flush(_: Os, fd: Fd) Error!void {
        return switch (linux.errno(linux.fdatasync(fd))) {
            .SUCCESS => {},
            .INTR => error.Io,
            else => |number| fromErrno(number),
        };
    }

    /// Writes the bytes and makes them durable, with what is needed to read them back, as if by
    /// `flush`, but nothing else of the file. Where the system cannot do that it flushes all of it.
    /// A failure is one of a flush.
    pub fn pwriteFlushed(self: Os, fd: Fd, bytes: []const u8, offset: u64) Error!void {
        const vector: [1]std.posix.iovec_const = .{.{ .base = bytes.ptr, .len = bytes.len }};
        const result = linux.pwritev2(fd, &vector, 1, signed(offset), linux.RWF.DSYNC);
        switch (linux.errno(result)) {
            .SUCCESS => if (result == bytes.len) return,
            // Kernels before 4.7, and file systems, that do not know the flag have written nothing.
            .OPNOTSUPP, .NOSYS, .INVAL => {},
            .INTR => return error.Io,
            else => |number| return fromErrno(number),
        }
        try self.pwrite(fd, bytes, offset);
        return self.flush(fd);
    }

    /// Has the system begin to write the part to the disk, and does not wait. Makes nothing
    /// durable; what fails in it the next flush reports.
    pub fn beginFlush(_: Os, fd: Fd, offset: u64, size: u64) void {
        const sync_file_range_write = 2;
        _ = linux.syscall4(
            .sync_file_range,
            @as(usize, @bitCast(@as(isize, fd))),
            offset,
            size,
            sync_file_range_write,
        );
    }

    /// Makes the names in a directory durable. File systems that cannot flush a directory do
    /// not need it.
    pub fn flushDirectory(self: Os, path: [:0]const u8) Error!void {
        const fd = try self.openDirectory(path);
        defer self.close(fd);
        return switch (linux.errno(linux.fsync(fd))) {
            .SUCCESS, .INVAL => {},
            .INTR => error.Io,
            else => |number| fromErrno(number),
        };
    }

    pub fn rename(_: Os, from: [:0]const u8, to: [:0]const u8) Error!void {
        _ = try retry(linux.rename, .{ from.ptr, to.ptr });
    }

    /// Renames only if the new name is free: `Exists` otherwise, `NotSupported` where the file
    /// system cannot do this in one step.
    pub fn renameNoReplace(_: Os, from: [:0]const u8, to: [:0]const u8) Error!void {
        const here = linux.AT.FDCWD;
        const result = linux.renameat2(here, from.ptr, here, to.ptr, .{ .NOREPLACE = true });
        return switch (linux.errno(result)) {
            .SUCCESS => {},
            .INVAL => error.NotSupported,
            else => |number| fromErrno(number),
        };
    }

    pub fn unlink(_: Os, path: [:0]const u8) Error!void {
        _ = try retry(linux.unlink, .{path.ptr});
    }

    fn typeOf(mode: types.LockMode) i16 {
        return switch (mode) {
            .shared => linux.F.RDLCK,
            .exclusive => linux.F.WRLCK,
        };
    }

    /// Locks one byte for this open file description, never waiting: false when another has it.
    /// A held lock changes its mode; a refused change leaves it as it was.
    pub fn lock(_: Os, fd: Fd, offset: u64, mode: types.LockMode) Error!bool {
        const flock: Flock = .{ .type = typeOf(mode), .start = signed(offset) };
        while (true) {
            switch (linux.errno(linux.fcntl(fd, linux.F.OFD_SETLK, @intFromPtr(&flock)))) {
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
        const flock: Flock = .{ .type = linux.F.UNLCK, .start = signed(offset) };
        while (true) {
            switch (linux.errno(linux.fcntl(fd, linux.F.OFD_SETLK, @intFromPtr(&flock)))) {
                .INTR => {},
                else => return,
            }
        }
    }

    /// Whether another open file description's lock on the byte stands against one of that mode.
    pub fn isLocked(_: Os, fd: Fd, offset: u64, against: types.LockMode) Error!bool {
        var flock: Flock = .{ .type = typeOf(against), .start = signed(offset) };
        _ = try retry(linux.fcntl, .{ fd, linux.F.OFD_GETLK, @intFromPtr(&flock) });
        return flock.type != linux.F.UNLCK;
    }

    /// Addresses without memory behind them: they read zeros until a file is mapped over them.
    pub fn reserve(_: Os, size: usize) Error!Range {
        const flags: linux.MAP = .{ .TYPE = .PRIVATE, .ANONYMOUS = true, .NORESERVE = true };
        return map(null, size, .{ .READ = true }, flags, -1, 0);
    }

    /// Puts a read-only, shared map of the file over a part of a reserved range.
    pub fn mapFile(_: Os, range: Range, fd: Fd, offset: u64) Error!void {
        assert(offset % types.map_alignment == 0);
        const flags: linux.MAP = .{ .TYPE = .SHARED, .FIXED = true };
        const mapped = try map(range.ptr, range.len, .{ .READ = true }, flags, fd, offset);
        assert(mapped.ptr == range.ptr);
    }

    /// Puts zeroed memory of this process alone, readable and writable, over a part of a reserved
    /// range.
    pub fn mapMemory(_: Os, range: Range) Error!void {
        const flags: linux.MAP =
            .{ .TYPE = .PRIVATE, .ANONYMOUS = true, .NORESERVE = true, .FIXED = true };
        const access: linux.PROT = .{ .READ = true, .WRITE = true };
        const mapped = try map(range.ptr, range.len, access, flags, -1, 0);
        assert(mapped.ptr == range.ptr);
    }

    /// Maps the start of the file for reading and writing, shared with every process.
    pub fn mapShared(_: Os, fd: Fd, size: usize) Error!Range {
        const access: linux.PROT = .{ .READ = true, .WRITE = true };
        return map(null, size, access, .{ .TYPE = .SHARED }, fd, 0);
    }

    pub fn unmap(_: Os, range: Range) void {
        const result = linux.munmap(range.ptr, range.len);
        assert(linux.errno(result) == .SUCCESS);
    }

    pub fn advise(_: Os, range: Range, advice: types.Advice) void {
        const number: u32 = switch (advice) {
            .normal => linux.MADV.NORMAL,
            .random => linux.MADV.RANDOM,
            .huge => linux.MADV.HUGEPAGE,
            .unneeded => linux.MADV.FREE,
        };
        _ = linux.madvise(range.ptr, range.len, number);
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
        var done: usize = 0;
        while (done < buffer.len) {
            const rest = buffer[done..];
            // Fails only on kernels older than file locks of this kind.
            done += retry(linux.getrandom, .{ rest.ptr, rest.len, 0 }) catch unreachable;
        }
    }

    pub fn pid(_: Os) u32 {
        return @intCast(linux.getpid());
    }

    /// Unique among the threads that live now, in all processes of this container.
    pub fn threadId(_: Os) u32 {
        if (own_thread != 0) {
            if (fork_word.load(.acquire)) |word| {
                if (@as(*const volatile u32, word).* == 1) return own_thread;
            }
        }
        own_thread = @intCast(linux.gettid());
        return own_thread;
    }

    /// Whether a thread of this process with this id lives.
    pub fn isThreadAlive(self: Os, id: u32) bool {
        const result = linux.syscall3(.tgkill, self.pid(), id, 0);
        return linux.errno(result) == .SUCCESS;
    }

    /// Sleeps while the word holds `expected`, at most `timeout_ns`; may return early for no
    /// reason. The word may lie in memory shared between processes.
    pub fn wait(_: Os, word: *const std.atomic.Value(u32), expected: u32, timeout_ns: u64) void {
        const timeout: linux.timespec = .{
            .sec = @intCast(timeout_ns / std.time.ns_per_s),
            .nsec = @intCast(timeout_ns % std.time.ns_per_s),
        };
        _ = linux.futex_4arg(word, .{ .cmd = .WAIT, .private = false }, expected, &timeout);
    }

    /// Wakes everybody who waits on the word.
    pub fn wake(_: Os, word: *const std.atomic.Value(u32)) void {
        const everybody = std.math.maxInt(i32);
        _ = linux.futex_3arg(word, .{ .cmd = .WAKE, .private = false }, everybody);
    }

    /// Bytes of memory that the machine has, or that this process may use of them if that is less;
    /// 0 if it cannot be told.
    pub fn memorySize(self: Os) u64 {
        var facts: linux.Sysinfo = undefined;
        if (linux.errno(linux.sysinfo(&facts)) != .SUCCESS) return 0;
        const size = @as(u64, facts.totalram) *| facts.mem_unit;
        return @min(size, cgroup.memoryMax(Texts{ .os = self }) orelse size);
    }

    pub fn isReadOnlyMount(_: Os, fd: Fd) bool {
        var system: FileSystem = undefined;
        const number: usize = @intCast(fd);
        const result = linux.syscall2(.fstatfs, number, @intFromPtr(&system));
        if (linux.errno(result) != .SUCCESS) return false;
        return system.flags & file_system_read_only != 0;
    }

    /// A word that reads 1 in this process and 0 in a forked child. It is never freed.
    pub fn forkGuard(_: Os) Error!*const u32 {
        const access: linux.PROT = .{ .READ = true, .WRITE = true };
        const flags: linux.MAP = .{ .TYPE = .PRIVATE, .ANONYMOUS = true };
        const page = try map(null, types.map_alignment, access, flags, -1, 0);
        const result = linux.madvise(page.ptr, page.len, linux.MADV.WIPEONFORK);
        if (linux.errno(result) != .SUCCESS) {
            _ = linux.munmap(page.ptr, page.len);
            return error.NotSupported;
        }
        const word: *u32 = @ptrCast(page.ptr);
        word.* = 1;
        _ = fork_word.cmpxchgStrong(null, word, .release, .monotonic);
        return word;
    }
};

/// What `cgroup.memoryMax` needs of the system.
const Texts = struct {
    os: Os,

    pub fn read(self: Texts, path: [:0]const u8, buffer: []u8) ?[]const u8 {
        const fd = self.os.open(path, .{}) catch return null;
        defer self.os.close(fd);
        return buffer[0 .. self.os.pread(fd, buffer, 0) catch return null];
    }
};

/// What `types.resolvePath` needs of the system.
const Links = struct {
    pub fn workingDirectory(_: Links, buffer: *[path_size_max]u8) Error![]const u8 {
        const size = try retry(linux.getcwd, .{ buffer, buffer.len });
        assert(size > 1);
        // A directory outside of this root is reported without a slash in front.
        if (buffer[0] != '/') return error.NotFound;
        return buffer[0 .. size - 1];
    }

    pub fn readLink(_: Links, path: [:0]const u8, buffer: *[path_size_max]u8) Error!?[]const u8 {
        const result = linux.readlink(path.ptr, buffer, buffer.len);
        return switch (linux.errno(result)) {
            .SUCCESS => if (result == buffer.len) error.NameTooLong else buffer[0..result],
            .INVAL => null,
            else => |number| fromErrno(number),
        };
    }
};

fn openRaw(path: [:0]const u8, flags: linux.O) Error!Fd {
    const mode_owner_only = 0o600;
    const here: i32 = linux.AT.FDCWD;
    return @intCast(try retry(linux.openat, .{ here, path.ptr, flags, mode_owner_only }));
}

fn statRaw(fd: Fd, path: [:0]const u8, flags: u32) Error!Stat {
    var facts: linux.Statx = undefined;
    _ = try retry(linux.statx, .{ fd, path.ptr, flags, linux.STATX.BASIC_STATS, &facts });
    const block_size = 512;
    return .{
        .device = @as(u64, facts.dev_major) << 32 | facts.dev_minor,
        .inode = facts.ino,
        .size = facts.size,
        .allocated = facts.blocks * block_size,
        .links = facts.nlink,
        .mode = facts.mode & 0o7777,
        .kind = switch (facts.mode & linux.S.IFMT) {
            linux.S.IFREG => .file,
            linux.S.IFDIR => .directory,
            else => .other,
        },
    };
}

fn map(
    address: ?[*]u8,
    size: usize,
    access: linux.PROT,
    flags: linux.MAP,
    fd: Fd,
    offset: u64,
) Error!Range {
    assert(size > 0);
    const result = linux.mmap(address, size, access, flags, fd, signed(offset));
    switch (linux.errno(result)) {
        .SUCCESS => {},
        .AGAIN => return error.OutOfMemory,
        .NODEV => return error.NotSupported,
        else => |number| return fromErrno(number),
    }
    const memory: [*]align(types.map_alignment) u8 = @ptrFromInt(result);
    return memory[0..size];
}

/// Kept, as every commit names its thread twice; but a forked child has its parent's, and would
/// name a thread that it does not have as owner of a lock. So it counts only while the first guard
/// reads one, which it never does in a child.
threadlocal var own_thread: u32 = 0;
var fork_word: std.atomic.Value(?*const u32) = .init(null);

fn clock(id: linux.clockid_t) linux.timespec {
    var time: linux.timespec = undefined;
    const result = linux.clock_gettime(id, &time);
    assert(linux.errno(result) == .SUCCESS);
    return time;
}

fn signed(number: u64) i64 {
    return @intCast(number);
}

/// Makes the call again while a signal interrupts it.
fn retry(comptime call: anytype, arguments: anytype) Error!usize {
    while (true) {
        const result = @call(.auto, call, arguments);
        switch (linux.errno(result)) {
            .SUCCESS => return result,
            .INTR => {},
            else => |number| return fromErrno(number),
        }
    }
}

fn fromErrno(number: linux.E) Error {
    assert(number != .SUCCESS);
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

const testing = std.testing;

/// A temporary directory and paths in it.
const Place = struct {
    directory: testing.TmpDir,
    buffers: [4][path_size_max]u8 = undefined,

    fn init() Place {
        return .{ .directory = testing.tmpDir(.{}) };
    }

    fn path(self: *Place, index: usize, name: []const u8) ![:0]const u8 {
        return std.fmt.bufPrintZ(&self.buffers[index], ".zig-cache/tmp/{s}/{s}", .{
            self.directory.sub_path, name,
        });
    }
};

const os: Os = .{};

test "open: creates files of mode 0600, reports what is missing or in the way" {
    var place: Place = .init();
    defer place.directory.cleanup();
    const path = try place.path(0, "a");
    try testing.expectError(error.NotFound, os.open(path, .{}));
    const fd = try os.open(path, .{ .write = true, .create = true });
    defer os.close(fd);
    const again = os.open(path, .{ .write = true, .create = true, .exclusive = true });
    try testing.expectError(error.Exists, again);
    const facts = try os.stat(fd);
    try testing.expectEqual(0o600, facts.mode);
    try testing.expectEqual(.file, facts.kind);
    try testing.expectEqual(1, facts.links);
    try testing.expectEqual(facts.inode, (try os.statPath(path)).inode);
    const directory = try place.path(1, "");
    try testing.expectEqual(.directory, (try os.statPath(directory)).kind);
    try testing.expectError(error.IsDirectory, os.open(directory, .{ .write = true }));
    try testing.expectError(error.NotDirectory, os.openDirectory(path));
    try testing.expect(!os.isReadOnlyMount(fd));
}

test "pwritev, pread: gathered pieces are found again, short only at the end" {
    var place: Place = .init();
    defer place.directory.cleanup();
    const fd = try os.open(try place.path(0, "a"), .{ .write = true, .create = true });
    defer os.close(fd);
    const piece = "0123456789";
    const pieces: [types.piece_count_max + 7][]const u8 = @splat(piece);
    try os.pwritev(fd, &pieces, 5);
    try os.pwritev(fd, &.{}, 5);
    const expected: [pieces.len][piece.len]u8 = @splat(piece.*);
    var buffer: [pieces.len * piece.len + 100]u8 = undefined;
    const size = try os.pread(fd, &buffer, 5);
    try testing.expectEqualStrings(std.mem.sliceAsBytes(&expected), buffer[0..size]);
    try testing.expectEqual(0, try os.pread(fd, &buffer, 1 << 20));
    try os.flush(fd);
}

test "pwriteFlushed, beginFlush: what is written is read back" {
    var place: Place = .init();
    defer place.directory.cleanup();
    const fd = try os.open(try place.path(0, "a"), .{ .write = true, .create = true });
    defer os.close(fd);
    try os.pwriteFlushed(fd, "0123456789", 4090);
    os.beginFlush(fd, 0, 4096);
    var buffer: [16]u8 = undefined;
    try testing.expectEqual(10, try os.pread(fd, &buffer, 4090));
    try testing.expectEqualStrings("0123456789", buffer[0..10]);
    const reader = try os.open(try place.path(0, "a"), .{});
    defer os.close(reader);
    if (os.pwriteFlushed(reader, "x", 0)) return error.TestUnexpectedResult else |_| {}
}

test "finishBatch: a short gathered write is completed" {
    var place: Place = .init();
    defer place.directory.cleanup();
    const fd = try os.open(try place.path(0, "a"), .{ .write = true, .create = true });
    defer os.close(fd);
    try testing.expectEqual(10, try os.finishBatch(fd, &.{ "abc", "", "defghij" }, 0, 5));
    var buffer: [16]u8 = undefined;
    try testing.expectEqual(10, try os.pread(fd, &buffer, 0));
    try testing.expectEqualSlices(u8, "\x00\x00\x00\x00\x00fghij", buffer[0..10]);
}

test "allocate, punch, truncate: size and storage of a file" {
    var place: Place = .init();
    defer place.directory.cleanup();
    const fd = try os.open(try place.path(0, "a"), .{ .write = true, .create = true });
    defer os.close(fd);
    try os.pwrite(fd, "kept", 0);
    try os.allocate(fd, 0, 1 << 20);
    try testing.expectEqual(1 << 20, (try os.stat(fd)).size);
    try testing.expect((try os.stat(fd)).allocated >= 1 << 20);
    try os.writeZeros(fd, 1 << 20, (1 << 20) + 20000);
    try testing.expectEqual((1 << 20) + 20000, (try os.stat(fd)).size);
    var buffer: [4]u8 = undefined;
    _ = try os.pread(fd, &buffer, 0);
    try testing.expectEqualStrings("kept", &buffer);
    try os.punch(fd, 0, 1 << 19);
    _ = try os.pread(fd, &buffer, 0);
    try testing.expectEqualSlices(u8, &(.{0} ** 4), &buffer);
    try os.truncate(fd, 100);
    try testing.expectEqual(100, (try os.stat(fd)).size);
}

test "rename, unlink, flushDirectory, realPath" {
    var place: Place = .init();
    defer place.directory.cleanup();
    const a = try place.path(0, "a");
    const b = try place.path(1, "b");
    os.close(try os.open(a, .{ .write = true, .create = true }));
    try os.renameNoReplace(a, b);
    os.close(try os.open(a, .{ .write = true, .create = true }));
    try testing.expectError(error.Exists, os.renameNoReplace(a, b));
    try os.rename(a, b);
    try testing.expectError(error.NotFound, os.unlink(a));
    try os.flushDirectory(try place.path(2, ""));
    try testing.expectEqual(.SUCCESS, linux.errno(linux.symlink("b", a.ptr)));
    var from_link: [path_size_max]u8 = undefined;
    var from_file: [path_size_max]u8 = undefined;
    const resolved = try os.realPath(a, &from_link);
    try testing.expectEqualStrings(try os.realPath(b, &from_file), resolved);
    try testing.expect(std.mem.endsWith(u8, resolved, "/b"));
    try os.unlink(b);
    try testing.expectEqualStrings(resolved, try os.realPath(a, &from_file));
}

test "lock: belongs to the description, one byte, never waits" {
    var place: Place = .init();
    defer place.directory.cleanup();
    const path = try place.path(0, "a");
    const first = try os.open(path, .{ .write = true, .create = true });
    defer os.close(first);
    const second = try os.open(path, .{ .write = true });
    try testing.expect(try os.lock(first, 0, .exclusive));
    try testing.expect(try os.lock(first, 0, .exclusive));
    try testing.expect(!try os.lock(second, 0, .shared));
    try testing.expect(try os.isLocked(second, 0, .exclusive));
    try testing.expect(!try os.isLocked(first, 0, .exclusive));
    try testing.expect(try os.lock(second, 1 << 40, .exclusive));
    try testing.expect(try os.lock(first, 0, .shared));
    try testing.expect(try os.lock(second, 0, .shared));
    try testing.expect(!try os.lock(second, 0, .exclusive));
    os.unlock(first, 0);
    try testing.expect(try os.lock(second, 0, .exclusive));
    try testing.expect(try os.isLocked(first, 0, .exclusive));
    os.close(second);
    try testing.expect(!try os.isLocked(first, 0, .exclusive));
    const reader = try os.open(path, .{});
    defer os.close(reader);
    try testing.expect(try os.lock(reader, 0, .shared));
    try testing.expectError(error.PermissionDenied, os.lock(reader, 0, .exclusive));
}

test "mapFile: later writes are seen, a reserve reads zeros" {
    var place: Place = .init();
    defer place.directory.cleanup();
    const fd = try os.open(try place.path(0, "a"), .{ .write = true, .create = true });
    defer os.close(fd);
    try os.allocate(fd, 0, 8192);
    const range = try os.reserve(1 << 30);
    defer os.unmap(range);
    try testing.expectEqual(0, range[range.len - 1]);
    try os.mapFile(range[4096..8192], fd, 4096);
    os.advise(range, .random);
    try os.pwrite(fd, "later", 4100);
    try testing.expectEqualStrings("later", range[4100..4105]);
    try testing.expectEqual(0, range[4]);
    const shared = try os.mapShared(fd, 8192);
    defer os.unmap(shared);
    shared[4096] = 'X';
    try testing.expectEqual('X', range[4096]);
}

test "clocks, random, identity" {
    const before = os.now();
    try testing.expect(os.now() >= before);
    try testing.expect(os.wallClock() > 1_700_000_000_000);
    var first: [32]u8 = @splat(0);
    var second: [32]u8 = @splat(0);
    os.random(&first);
    os.random(&second);
    try testing.expect(!std.mem.eql(u8, &first, &second));
    try testing.expect(os.isThreadAlive(os.threadId()));
    try testing.expect(!os.isThreadAlive(std.math.maxInt(i32)));
}

test "wait: ends at once for another value, by the clock, by a wake" {
    var word: std.atomic.Value(u32) = .init(1);
    os.wait(&word, 0, std.time.ns_per_s * 100);
    const before = os.now();
    os.wait(&word, 1, std.time.ns_per_ms * 5);
    try testing.expect(os.now() - before >= std.time.ns_per_ms * 4);
    const thread = try std.Thread.spawn(.{}, struct {
        fn run(shared: *std.atomic.Value(u32)) void {
            shared.store(2, .release);
            os.wake(shared);
        }
    }.run, .{&word});
    while (word.load(.acquire) == 1) os.wait(&word, 1, std.time.ns_per_s);
    thread.join();
}

test "threadId: a forked child that makes a guard of its own has its own" {
    _ = try os.forkGuard();
    try testing.expectEqual(@as(u32, @intCast(linux.gettid())), os.threadId());
    const child = linux.fork();
    try testing.expect(linux.errno(child) == .SUCCESS);
    if (child == 0) {
        _ = os.forkGuard() catch linux.exit_group(2);
        linux.exit_group(@intFromBool(os.threadId() != linux.gettid()));
    }
    var status: u32 = undefined;
    while (linux.errno(linux.waitpid(@intCast(child), &status, 0)) == .INTR) {}
    try testing.expectEqual(0, status);
}

test "forkGuard: reads one here and zero in a child" {
    const guard = try os.forkGuard();
    try testing.expectEqual(1, guard.*);
    const child = linux.fork();
    try testing.expect(linux.errno(child) == .SUCCESS);
    if (child == 0) linux.exit_group(@intCast(@as(*const volatile u32, guard).*));
    var status: u32 = undefined;
    while (linux.errno(linux.waitpid(@intCast(child), &status, 0)) == .INTR) {}
    try testing.expectEqual(0, status);
    try testing.expectEqual(1, guard.*);
}
