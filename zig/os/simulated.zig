//! The simulated machine of the tests: a disk, processes that share it, a clock, and what can go
//! wrong. Everything happens in the calling thread and is decided by a seed: the same calls give
//! the same bytes, locks, random numbers and failures.
//!
//! `World` is the machine, `Os` one process on it. Before each system call that can change
//! something a hook of the test may run: another process may go on there, or the test may look
//! at the images a power cut would leave. A killed process gets `Killed` from every call and
//! changes nothing more: its shared memory becomes private, its locks are gone.

const std = @import("std");
const types = @import("types.zig");
pub const Disk = @import("disk.zig");
pub const image = @import("image.zig");
const linux = std.os.linux;
const assert = std.debug.assert;
const Allocator = std.mem.Allocator;
pub const Error = types.Error;
const Fd = types.Fd;
const Range = types.Range;
const Stat = types.Stat;

comptime {
    types.checkInterface(Os);
}

/// The system calls that are counted, may fail, and are where a process may be killed.
pub const Call = enum {
    open,
    open_directory,
    close,
    stat,
    stat_path,
    real_path,
    pread,
    pwrite,
    pwritev,
    allocate,
    punch,
    truncate,
    flush,
    flush_directory,
    rename,
    rename_no_replace,
    unlink,
    lock,
    unlock,
    is_locked,
    reserve,
    map_file,
    map_shared,
    wait,
    wake,
    fork_guard,

    /// Whether the call can change what a power cut leaves.
    pub fn changesDisk(self: Call) bool {
        return disk_calls.contains(self);
    }
};

pub const Calls = std.EnumSet(Call);

const disk_calls = Calls.initMany(&.{
    .open,  .pwrite,          .pwritev, .allocate,          .punch,  .truncate,
    .flush, .flush_directory, .rename,  .rename_no_replace, .unlink,
});

/// Calls that a full disk makes fail.
pub const space_calls = Calls.initMany(&.{
    .open, .pwrite, .pwritev, .allocate, .flush, .flush_directory, .rename, .rename_no_replace,
});

/// Calls that a bad disk makes fail.
pub const disk_fault_calls = Calls.initMany(&.{
    .open,     .stat,  .stat_path,       .pread,  .pwrite,            .pwritev, .allocate, .punch,
    .truncate, .flush, .flush_directory, .rename, .rename_no_replace, .unlink,
});

/// Calls that fail for want of memory or descriptors.
pub const memory_calls = Calls.initMany(&.{ .reserve, .map_file, .map_shared, .fork_guard });

/// Makes one call fail, or all from one on.
pub const Fault = struct {
    calls: Calls,
    /// Which of these calls fails first, counted from one.
    at: u64,
    failure: Error,
    is_permanent: bool,
    /// Whether a failing write leaves some of its sectors behind.
    is_partial: bool = false,
    /// Share of the pending writes that a failing flush makes durable all the same.
    survives: f32 = 0,
    seen: u64 = 0,
    hits: u64 = 0,
    /// The kinds of calls that failed.
    struck: Calls = .empty,

    fn strikes(self: *Fault, call: Call) bool {
        if (!self.calls.contains(call)) return false;
        self.seen += 1;
        const is_hit = if (self.is_permanent) self.seen >= self.at else self.seen == self.at;
        self.hits += @intFromBool(is_hit);
        if (is_hit) self.struck.insert(call);
        return is_hit;
    }
};

/// Something a test does in the middle of a process's work.
pub const Hook = struct {
    argument: *anyopaque,
    run: *const fn (argument: *anyopaque, world: *World, process: u32, call: Call) void,
};

const Description = struct {
    inode: u32,
    process: u32,
    is_open: bool,
    is_writable: bool,
    is_directory: bool,
    path: Disk.Path,
};

const LockEntry = struct { inode: u32, offset: u64, description: u32, mode: types.LockMode };

const Mapping = struct { range: Range, inode: ?u32 };

const Process = struct {
    is_alive: bool = true,
    /// Counted system calls so far.
    call_count: u64 = 0,
    /// The process dies before its call of this number, counted from one.
    kill_at: ?u64 = null,
    /// Whether the write it dies in leaves its first sectors behind.
    is_torn: bool = false,
    thread: u32,
    threads: std.ArrayList(u32) = .empty,
    mappings: std.ArrayList(Mapping) = .empty,
    fork_word: u32 = 1,
    waits_in_vain: u32 = 0,
};

pub const World = struct {
    allocator: Allocator,
    disk: Disk,
    processes: std.ArrayList(*Process) = .empty,
    descriptions: std.ArrayList(Description) = .empty,
    locks: std.ArrayList(LockEntry) = .empty,
    random: std.Random.Xoshiro256,
    clock_ns: u64 = 1,
    device: u64 = 1,
    is_read_only: bool = false,
    can_rename_no_replace: bool = true,
    fault: ?Fault = null,
    /// Flushes of this file or directory succeed and do nothing: a mistake that tests must catch.
    lying_path: ?[]const u8 = null,
    before_call: ?Hook = null,
    on_wait: ?Hook = null,
    is_in_hook: bool = false,

    pub const Options = struct {
        seed: u64 = 0,
        /// False: neither images nor failing flushes will be asked for, see `Disk.has_cuts`.
        has_cuts: bool = true,
    };

    /// A machine with the empty directories `/` and `/disk`.
    pub fn create(allocator: Allocator, options: Options) Error!*World {
        const self = try allocator.create(World);
        self.* = .{
            .allocator = allocator,
            .disk = .init(allocator),
            .random = .init(options.seed),
        };
        errdefer self.destroy();
        try self.reset(options);
        return self;
    }

    pub fn destroy(self: *World) void {
        self.endProcesses();
        self.processes.deinit(self.allocator);
        self.descriptions.deinit(self.allocator);
        self.locks.deinit(self.allocator);
        self.disk.deinit();
        self.allocator.destroy(self);
    }

    fn endProcesses(self: *World) void {
        for (self.processes.items) |process| {
            for (process.mappings.items) |mapping| hostUnmap(mapping.range);
            process.mappings.deinit(self.allocator);
            process.threads.deinit(self.allocator);
            self.allocator.destroy(process);
        }
        self.processes.clearRetainingCapacity();
        self.descriptions.clearRetainingCapacity();
        self.locks.clearRetainingCapacity();
    }

    /// Makes this the machine that a power cut leaves of `source`: its disk as `plan` says, no
    /// process, no lock, no fault. Pointers of earlier processes are gone.
    pub fn boot(self: *World, source: *const World, plan: *const image.Plan) Error!void {
        try self.reset(.{ .seed = plan.seed });
        self.device = source.device;
        try image.load(&self.disk, &source.disk, plan);
    }

    /// Makes this a new machine, as `create` does, with the memory of the old one.
    pub fn reset(self: *World, options: Options) Error!void {
        self.endProcesses();
        self.disk.clear();
        self.* = .{
            .allocator = self.allocator,
            .disk = self.disk,
            .processes = self.processes,
            .descriptions = self.descriptions,
            .locks = self.locks,
            .random = .init(options.seed),
        };
        self.disk.has_cuts = options.has_cuts;
        try self.disk.makeDirectory("/");
        try self.disk.makeDirectory("/disk");
    }

    pub fn startProcess(self: *World) Error!Os {
        const index: u32 = @intCast(self.processes.items.len);
        const process = try self.allocator.create(Process);
        errdefer self.allocator.destroy(process);
        process.* = .{ .thread = 100 * (index + 1) };
        try process.threads.append(self.allocator, process.thread);
        errdefer process.threads.deinit(self.allocator);
        try self.processes.append(self.allocator, process);
        return .{ .world = self, .process = index };
    }

    /// The process is killed before its `at`-th counted call from now on.
    pub fn killAt(self: *World, os: Os, at: u64, is_torn: bool) void {
        assert(at > 0);
        const process = self.processes.items[os.process];
        process.kill_at = process.call_count + at;
        process.is_torn = is_torn;
    }

    /// Ends a process at once: locks and descriptors are gone, memory it shared stays as it is.
    pub fn kill(self: *World, os: Os) void {
        const process = self.processes.items[os.process];
        if (!process.is_alive) return;
        process.is_alive = false;
        for (process.mappings.items) |mapping| if (mapping.inode) |inode| {
            self.makePrivate(mapping.range, inode);
        };
        for (self.descriptions.items, 0..) |*description, number| {
            if (description.process != os.process) continue;
            description.is_open = false;
            self.dropLocks(@intCast(number));
        }
    }

    /// What the process still writes into its shared memory reaches nobody.
    fn makePrivate(self: *World, range: Range, inode: u32) void {
        const access: linux.PROT = .{ .READ = true, .WRITE = true };
        const flags: linux.MAP = .{ .TYPE = .PRIVATE, .FIXED = true };
        const descriptor = self.disk.inodes.items[inode].descriptor;
        const result = linux.mmap(range.ptr, range.len, access, flags, descriptor, 0);
        assert(linux.errno(result) == .SUCCESS);
    }

    fn dropLocks(self: *World, description: u32) void {
        var kept: usize = 0;
        for (self.locks.items) |entry| {
            if (entry.description == description) continue;
            self.locks.items[kept] = entry;
            kept += 1;
        }
        self.locks.items.len = kept;
    }

    /// From now on the process runs in this thread, which lives.
    pub fn enterThread(self: *World, os: Os, thread: u32) Error!void {
        const process = self.processes.items[os.process];
        process.thread = thread;
        if (std.mem.indexOfScalar(u32, process.threads.items, thread) != null) return;
        try process.threads.append(self.allocator, thread);
    }

    /// The thread no longer lives.
    pub fn endThread(self: *World, os: Os, thread: u32) void {
        const threads = &self.processes.items[os.process].threads;
        const index = std.mem.indexOfScalar(u32, threads.items, thread) orelse return;
        _ = threads.swapRemove(index);
    }

    pub fn callCount(self: *const World, os: Os) u64 {
        return self.processes.items[os.process].call_count;
    }

    pub fn isAlive(self: *const World, os: Os) bool {
        return self.processes.items[os.process].is_alive;
    }

    /// Images a power cut may leave at this moment; see `image.Images`.
    pub fn images(self: *const World, seed: u64, limit: usize) Error!image.Images {
        assert(self.disk.has_cuts);
        return .init(self.allocator, &self.disk, seed, limit);
    }

    fn runHook(self: *World, hook: ?Hook, process: u32, call: Call) void {
        const chosen = hook orelse return;
        if (self.is_in_hook) return;
        self.is_in_hook = true;
        defer self.is_in_hook = false;
        chosen.run(chosen.argument, self, process, call);
    }
};

fn hostUnmap(range: Range) void {
    const result = linux.munmap(range.ptr, range.len);
    assert(linux.errno(result) == .SUCCESS);
}

/// One process of a simulated machine.
pub const Os = struct {
    world: *World,
    process: u32,

    fn own(self: Os) *Process {
        return self.world.processes.items[self.process];
    }

    /// Counts the call; ends it if the process is dead or dies now, or if the fault strikes.
    fn enter(self: Os, call: Call) Error!void {
        try self.begin(call);
        if (self.world.fault) |*fault| if (fault.strikes(call)) return fault.failure;
    }

    /// Counts the call and runs the hook; fails if the process is dead or dies now.
    fn begin(self: Os, call: Call) error{Killed}!void {
        const process = self.own();
        if (!process.is_alive) return error.Killed;
        process.call_count += 1;
        self.world.runHook(self.world.before_call, self.process, call);
        if (!process.is_alive) return error.Killed;
        const kill_at = process.kill_at orelse return;
        if (process.call_count < kill_at) return;
        self.world.kill(self);
        return error.Killed;
    }

    fn descriptionOf(self: Os, fd: Fd) *Description {
        const description = &self.world.descriptions.items[@intCast(fd)];
        assert(description.process == self.process);
        assert(description.is_open);
        return description;
    }

    fn inodeOf(self: Os, fd: Fd) *Disk.Inode {
        return self.world.disk.inodes.items[self.descriptionOf(fd).inode];
    }

    pub fn open(self: Os, path: [:0]const u8, flags: types.OpenFlags) Error!Fd {
        assert(!flags.exclusive or flags.create);
        assert(!flags.create or flags.write);
        try self.enter(.open);
        const world = self.world;
        if (world.is_read_only and flags.write) return error.ReadOnlyFileSystem;
        const normal = try normalize(path);
        if (world.disk.isDirectory(normal.slice())) return error.IsDirectory;
        var inode = world.disk.find(normal.slice());
        if (inode == null and flags.create) {
            inode = try world.disk.create(normal.slice());
        } else if (flags.exclusive) return error.Exists;
        const found = inode orelse return error.NotFound;
        const mode = world.disk.inodes.items[found].mode;
        const needed: u16 = if (flags.write) 0o600 else 0o400;
        if (mode & needed != needed) return error.PermissionDenied;
        return self.addDescription(.{
            .inode = found,
            .process = self.process,
            .is_open = true,
            .is_writable = flags.write,
            .is_directory = false,
            .path = normal,
        });
    }

    fn addDescription(self: Os, description: Description) Error!Fd {
        const descriptions = &self.world.descriptions;
        try descriptions.append(self.world.allocator, description);
        return @intCast(descriptions.items.len - 1);
    }

    pub fn openDirectory(self: Os, path: [:0]const u8) Error!Fd {
        try self.enter(.open_directory);
        const normal = try normalize(path);
        if (!self.world.disk.isDirectory(normal.slice())) {
            const is_file = self.world.disk.find(normal.slice()) != null;
            return if (is_file) error.NotDirectory else error.NotFound;
        }
        return self.addDescription(.{
            .inode = 0,
            .process = self.process,
            .is_open = true,
            .is_writable = false,
            .is_directory = true,
            .path = normal,
        });
    }

    pub fn close(self: Os, fd: Fd) void {
        self.begin(.close) catch return;
        const description = self.descriptionOf(fd);
        description.is_open = false;
        self.world.dropLocks(@intCast(fd));
    }

    pub fn stat(self: Os, fd: Fd) Error!Stat {
        try self.enter(.stat);
        const description = self.descriptionOf(fd);
        if (description.is_directory) return self.directoryFacts();
        return self.facts(description.inode);
    }

    pub fn statPath(self: Os, path: [:0]const u8) Error!Stat {
        try self.enter(.stat_path);
        const normal = try normalize(path);
        if (self.world.disk.isDirectory(normal.slice())) return self.directoryFacts();
        return self.facts(self.world.disk.find(normal.slice()) orelse return error.NotFound);
    }

    fn facts(self: Os, inode: u32) Stat {
        const disk = &self.world.disk;
        return .{
            .device = self.world.device,
            .inode = inode + 10,
            .size = disk.inodes.items[inode].size,
            .allocated = disk.allocatedSize(inode),
            .links = disk.linkCount(inode),
            .mode = disk.inodes.items[inode].mode,
            .kind = .file,
        };
    }

    fn directoryFacts(self: Os) Stat {
        return .{
            .device = self.world.device,
            .inode = 2,
            .size = 0,
            .allocated = 0,
            .links = 2,
            .mode = 0o755,
            .kind = .directory,
        };
    }

    /// There are no links on this disk; the parent must exist.
    pub fn realPath(
        self: Os,
        path: [:0]const u8,
        buffer: *[types.path_size_max]u8,
    ) Error![:0]const u8 {
        try self.enter(.real_path);
        return types.resolvePath(Links{ .disk = &self.world.disk }, path, buffer);
    }

    pub fn pread(self: Os, fd: Fd, buffer: []u8, offset: u64) Error!usize {
        try self.enter(.pread);
        const description = self.descriptionOf(fd);
        if (description.is_directory) return error.IsDirectory;
        return self.world.disk.read(description.inode, buffer, offset);
    }

    pub fn pwrite(self: Os, fd: Fd, bytes: []const u8, offset: u64) Error!void {
        self.enter(.pwrite) catch |failure| return self.endWrite(fd, bytes, offset, failure);
        return self.writeNow(fd, bytes, offset);
    }

    fn writeNow(self: Os, fd: Fd, bytes: []const u8, offset: u64) Error!void {
        const description = self.descriptionOf(fd);
        if (!description.is_writable) return error.PermissionDenied;
        return self.world.disk.write(description.inode, bytes, offset);
    }

    /// The write failed or its process died: some sectors may have been written before.
    fn endWrite(self: Os, fd: Fd, bytes: []const u8, offset: u64, failure: Error) Error {
        const is_torn = if (failure == error.Killed)
            self.own().is_torn
        else
            self.world.fault.?.is_partial;
        self.own().is_torn = false;
        if (!is_torn) return failure;
        // The space up to the first border of sectors, then whole ones.
        const border = std.mem.alignForward(u64, offset + 1, Disk.sector_size);
        const first = @min(border - offset, bytes.len);
        const rest = (bytes.len - first) / Disk.sector_size;
        const more = self.world.random.random().uintAtMost(usize, rest) * Disk.sector_size;
        const size = if (bytes.len > first) first + more else 0;
        const inode = self.world.descriptions.items[@intCast(fd)].inode;
        self.world.disk.write(inode, bytes[0..size], offset) catch {};
        return failure;
    }

    pub fn pwritev(self: Os, fd: Fd, pieces: []const []const u8, offset: u64) Error!void {
        const bytes = try std.mem.concat(self.world.allocator, u8, pieces);
        defer self.world.allocator.free(bytes);
        self.enter(.pwritev) catch |failure| return self.endWrite(fd, bytes, offset, failure);
        return self.writeNow(fd, bytes, offset);
    }

    pub fn allocate(self: Os, fd: Fd, offset: u64, size: u64) Error!void {
        assert(size > 0);
        try self.enter(.allocate);
        return self.world.disk.allocate(self.descriptionOf(fd).inode, offset, size);
    }

    pub fn punch(self: Os, fd: Fd, offset: u64, size: u64) Error!void {
        try self.enter(.punch);
        return self.world.disk.punch(self.descriptionOf(fd).inode, offset, size);
    }

    pub fn truncate(self: Os, fd: Fd, size: u64) Error!void {
        try self.enter(.truncate);
        return self.world.disk.setSize(self.descriptionOf(fd).inode, size);
    }

    pub fn flush(self: Os, fd: Fd) Error!void {
        self.enter(.flush) catch |failure| {
            if (failure != error.Killed) try self.loseUnflushed(fd);
            return failure;
        };
        const description = self.descriptionOf(fd);
        if (self.isLying(description.path.slice())) return;
        if (description.is_directory) {
            return self.world.disk.flushDirectory(description.path.slice());
        }
        return self.world.disk.flush(description.inode);
    }

    fn isLying(self: Os, path: []const u8) bool {
        const lying_path = self.world.lying_path orelse return false;
        return std.mem.eql(u8, lying_path, path);
    }

    fn loseUnflushed(self: Os, fd: Fd) Error!void {
        const description = self.descriptionOf(fd);
        if (description.is_directory) return;
        const chance = self.world.random.random();
        const survives = self.world.fault.?.survives;
        return self.world.disk.loseUnflushed(description.inode, chance, survives);
    }

    /// As two calls, that it may end between; the second makes these bytes durable and nothing else
    /// of the content.
    pub fn pwriteFlushed(self: Os, fd: Fd, bytes: []const u8, offset: u64) Error!void {
        try self.pwrite(fd, bytes, offset);
        self.enter(.flush) catch |failure| {
            if (failure != error.Killed) try self.loseUnflushed(fd);
            return failure;
        };
        const description = self.descriptionOf(fd);
        if (self.isLying(description.path.slice())) return;
        return self.world.disk.flushPart(description.inode, offset, offset + bytes.len);
    }

    /// A power cut may keep what it pleases already.
    pub fn beginFlush(_: Os, _: Fd, _: u64, _: u64) void {}

    pub fn flushDirectory(self: Os, path: [:0]const u8) Error!void {
        try self.enter(.flush_directory);
        const normal = try normalize(path);
        if (!self.world.disk.isDirectory(normal.slice())) return error.NotFound;
        if (self.isLying(normal.slice())) return;
        return self.world.disk.flushDirectory(normal.slice());
    }

    pub fn rename(self: Os, from: [:0]const u8, to: [:0]const u8) Error!void {
        try self.enter(.rename);
        const paths: [2]Disk.Path = .{ try normalize(from), try normalize(to) };
        return self.world.disk.rename(paths[0].slice(), paths[1].slice());
    }

    pub fn renameNoReplace(self: Os, from: [:0]const u8, to: [:0]const u8) Error!void {
        try self.enter(.rename_no_replace);
        if (!self.world.can_rename_no_replace) return error.NotSupported;
        const paths: [2]Disk.Path = .{ try normalize(from), try normalize(to) };
        if (self.world.disk.find(paths[1].slice()) != null) return error.Exists;
        return self.world.disk.rename(paths[0].slice(), paths[1].slice());
    }

    pub fn unlink(self: Os, path: [:0]const u8) Error!void {
        try self.enter(.unlink);
        const normal = try normalize(path);
        return self.world.disk.unlink(normal.slice());
    }

    pub fn lock(self: Os, fd: Fd, offset: u64, mode: types.LockMode) Error!bool {
        try self.enter(.lock);
        const description = self.descriptionOf(fd);
        if (mode == .exclusive and !description.is_writable) return error.PermissionDenied;
        const number: u32 = @intCast(fd);
        var held: ?*LockEntry = null;
        for (self.world.locks.items) |*entry| {
            if (entry.inode != description.inode or entry.offset != offset) continue;
            if (entry.description == number) {
                held = entry;
            } else if (mode == .exclusive or entry.mode == .exclusive) return false;
        }
        if (held) |entry| {
            entry.mode = mode;
        } else try self.world.locks.append(self.world.allocator, .{
            .inode = description.inode,
            .offset = offset,
            .description = number,
            .mode = mode,
        });
        return true;
    }

    pub fn unlock(self: Os, fd: Fd, offset: u64) void {
        self.begin(.unlock) catch return;
        const inode = self.descriptionOf(fd).inode;
        const number: u32 = @intCast(fd);
        for (self.world.locks.items, 0..) |*entry, index| {
            if (entry.inode != inode or entry.offset != offset) continue;
            if (entry.description != number) continue;
            _ = self.world.locks.swapRemove(index);
            return;
        }
    }

    pub fn isLocked(self: Os, fd: Fd, offset: u64, against: types.LockMode) Error!bool {
        try self.enter(.is_locked);
        const inode = self.descriptionOf(fd).inode;
        const number: u32 = @intCast(fd);
        for (self.world.locks.items) |*entry| {
            if (entry.inode != inode or entry.offset != offset) continue;
            if (entry.description == number) continue;
            if (against == .exclusive or entry.mode == .exclusive) return true;
        }
        return false;
    }

    pub fn reserve(self: Os, size: usize) Error!Range {
        assert(size > 0);
        try self.enter(.reserve);
        const flags: linux.MAP = .{ .TYPE = .PRIVATE, .ANONYMOUS = true, .NORESERVE = true };
        const result = linux.mmap(null, size, .{ .READ = true }, flags, -1, 0);
        return self.addMapping(result, size, null);
    }

    fn addMapping(self: Os, result: usize, size: usize, inode: ?u32) Error!Range {
        if (linux.errno(result) != .SUCCESS) return error.OutOfMemory;
        const memory: [*]align(types.map_alignment) u8 = @ptrFromInt(result);
        const range = memory[0..size];
        errdefer hostUnmap(range);
        const mapping: Mapping = .{ .range = range, .inode = inode };
        try self.own().mappings.append(self.world.allocator, mapping);
        return range;
    }

    pub fn mapFile(self: Os, range: Range, fd: Fd, offset: u64) Error!void {
        assert(offset % types.map_alignment == 0);
        assert(self.hasMapping(range));
        try self.enter(.map_file);
        try self.world.disk.prepareMap(self.descriptionOf(fd).inode, false);
        const flags: linux.MAP = .{ .TYPE = .SHARED, .FIXED = true };
        const descriptor = self.inodeOf(fd).descriptor;
        const position: i64 = @intCast(offset);
        const access: linux.PROT = .{ .READ = true };
        const result = linux.mmap(range.ptr, range.len, access, flags, descriptor, position);
        if (linux.errno(result) != .SUCCESS) return error.OutOfMemory;
    }

    /// Whether the range lies in one that this process reserved.
    fn hasMapping(self: Os, range: Range) bool {
        const start = @intFromPtr(range.ptr);
        for (self.own().mappings.items) |mapping| {
            const first = @intFromPtr(mapping.range.ptr);
            const end = first + mapping.range.len;
            if (start >= first and start + range.len <= end) return mapping.inode == null;
        }
        return false;
    }

    /// Puts zeroed memory of this process alone, readable and writable, over a part of a reserved
    /// range.
    pub fn mapMemory(self: Os, range: Range) Error!void {
        try self.enter(.reserve);
        const flags: linux.MAP =
            .{ .TYPE = .PRIVATE, .ANONYMOUS = true, .NORESERVE = true, .FIXED = true };
        const access: linux.PROT = .{ .READ = true, .WRITE = true };
        const result = linux.mmap(range.ptr, range.len, access, flags, -1, 0);
        if (linux.errno(result) != .SUCCESS) return error.OutOfMemory;
    }

    pub fn mapShared(self: Os, fd: Fd, size: usize) Error!Range {
        try self.enter(.map_shared);
        const description = self.descriptionOf(fd);
        if (!description.is_writable) return error.PermissionDenied;
        try self.world.disk.prepareMap(description.inode, true);
        const inode = self.inodeOf(fd);
        const access: linux.PROT = .{ .READ = true, .WRITE = true };
        const result = linux.mmap(null, size, access, .{ .TYPE = .SHARED }, inode.descriptor, 0);
        return self.addMapping(result, size, description.inode);
    }

    pub fn unmap(self: Os, range: Range) void {
        const process = self.own();
        if (!process.is_alive) return;
        for (process.mappings.items, 0..) |mapping, index| {
            if (mapping.range.ptr != range.ptr) continue;
            assert(mapping.range.len == range.len);
            hostUnmap(range);
            _ = process.mappings.swapRemove(index);
            return;
        }
        unreachable;
    }

    pub fn advise(_: Os, _: Range, _: types.Advice) void {}

    /// Each look at the clock takes a microsecond.
    pub fn now(self: Os) u64 {
        self.world.clock_ns += std.time.ns_per_us;
        return self.world.clock_ns;
    }

    pub fn wallClock(self: Os) u64 {
        const start_ms = 1_700_000_000_000;
        return start_ms + self.now() / std.time.ns_per_ms;
    }

    pub fn random(self: Os, buffer: []u8) void {
        self.world.random.random().bytes(buffer);
    }

    pub fn pid(self: Os) u32 {
        return 1000 + self.process;
    }

    pub fn threadId(self: Os) u32 {
        return self.own().thread;
    }

    pub fn isThreadAlive(self: Os, id: u32) bool {
        return std.mem.indexOfScalar(u32, self.own().threads.items, id) != null;
    }

    /// Lets the hook of the test go on, or else the time pass.
    pub fn wait(self: Os, word: *const std.atomic.Value(u32), expected: u32, timeout: u64) void {
        const process = self.own();
        process.waits_in_vain += 1;
        if (process.waits_in_vain > 1_000_000) @panic("a process of the simulation waits for ever");
        self.begin(.wait) catch {
            self.world.clock_ns += timeout;
            return;
        };
        if (word.load(.acquire) != expected) return;
        self.world.runHook(self.world.on_wait, self.process, .wait);
        if (word.load(.acquire) != expected) return;
        self.world.clock_ns +|= timeout;
    }

    pub fn wake(self: Os, _: *const std.atomic.Value(u32)) void {
        self.begin(.wake) catch {};
    }

    pub fn memorySize(_: Os) u64 {
        return 1 << 30;
    }

    pub fn isReadOnlyMount(self: Os, _: Fd) bool {
        return self.world.is_read_only;
    }

    pub fn forkGuard(self: Os) Error!*const u32 {
        try self.enter(.fork_guard);
        return &self.own().fork_word;
    }
};

/// What `types.resolvePath` needs: a disk without links.
const Links = struct {
    disk: *const Disk,

    pub fn workingDirectory(_: Links, buffer: *[types.path_size_max]u8) Error![]const u8 {
        const directory = "/disk";
        @memcpy(buffer[0..directory.len], directory);
        return buffer[0..directory.len];
    }

    pub fn readLink(
        self: Links,
        path: [:0]const u8,
        _: *[types.path_size_max]u8,
    ) Error!?[]const u8 {
        if (self.disk.isDirectory(path) or self.disk.find(path) != null) return null;
        return error.NotFound;
    }
};

/// The path as the disk names it: absolute, without a slash at its end.
fn normalize(path: []const u8) Error!Disk.Path {
    if (path.len == 0) return error.NotFound;
    const trimmed = if (path.len > 1) std.mem.trimEnd(u8, path, "/") else path;
    if (path[0] == '/') return Disk.Path.from(trimmed);
    var buffer: [types.path_size_max]u8 = undefined;
    const absolute = std.fmt.bufPrint(&buffer, "/disk/{s}", .{trimmed}) catch
        return error.NameTooLong;
    return Disk.Path.from(absolute);
}

const testing = std.testing;

fn writeFile(os: Os, path: [:0]const u8, bytes: []const u8) !void {
    const fd = try os.open(path, .{ .write = true, .create = true });
    defer os.close(fd);
    try os.pwrite(fd, bytes, 0);
}

test "files: written, read, extended, cut, punched" {
    const world = try World.create(testing.allocator, .{});
    defer world.destroy();
    const os = try world.startProcess();
    try testing.expectError(error.NotFound, os.open("/disk/a", .{}));
    try testing.expectError(error.NotFound, os.open("/none/a", .{ .write = true, .create = true }));
    const fd = try os.open("/disk/a", .{ .write = true, .create = true });
    try os.pwritev(fd, &.{ "ab", "", "cdef" }, 1000);
    var buffer: [8]u8 = undefined;
    try testing.expectEqual(6, try os.pread(fd, &buffer, 1000));
    try testing.expectEqualStrings("abcdef", buffer[0..6]);
    try testing.expectEqual(1006, (try os.stat(fd)).size);
    try os.allocate(fd, 0, 10000);
    try testing.expectEqual(12288, (try os.stat(fd)).allocated);
    try os.punch(fd, 0, 4096);
    try testing.expectEqual(8192, (try os.stat(fd)).allocated);
    try testing.expectEqual(8, try os.pread(fd, &buffer, 1000));
    try testing.expectEqualSlices(u8, &(.{0} ** 8), &buffer);
    try os.pwrite(fd, "tail", 9000);
    try os.truncate(fd, 9001);
    try os.truncate(fd, 9100);
    _ = try os.pread(fd, &buffer, 8998);
    try testing.expectEqualSlices(u8, "\x00\x00t\x00\x00\x00\x00\x00", &buffer);
    os.close(fd);
}

test "a full disk: what is reserved can be written, nothing else" {
    const world = try World.create(testing.allocator, .{});
    defer world.destroy();
    const os = try world.startProcess();
    const fd = try os.open("/disk/a", .{ .write = true, .create = true });
    try os.allocate(fd, 0, 8192);
    world.disk.blocks_free = 0;
    try os.pwrite(fd, "kept", 8000);
    try testing.expectError(error.NoSpace, os.pwrite(fd, "lost", 8190));
    try testing.expectEqual(8192, (try os.stat(fd)).size);
    try testing.expectError(error.NoSpace, os.allocate(fd, 0, 8193));
    try os.punch(fd, 0, 4096);
    try os.pwrite(fd, "more", 8192);
}

test "maps: later writes show, a fixed map lies in its reserve, a shared one is one memory" {
    const world = try World.create(testing.allocator, .{});
    defer world.destroy();
    const one = try world.startProcess();
    const two = try world.startProcess();
    const fd = try one.open("/disk/a", .{ .write = true, .create = true });
    try one.allocate(fd, 0, 8192);
    const range = try two.reserve(1 << 30);
    const reader = try two.open("/disk/a", .{ .write = true });
    try two.mapFile(range[4096..8192], reader, 4096);
    try one.pwrite(fd, "seen", 4100);
    try testing.expectEqualStrings("seen", range[4100..4104]);
    const shared = try two.mapShared(reader, 4096);
    const other = try one.mapShared(fd, 4096);
    shared[7] = 7;
    try testing.expectEqual(7, other[7]);
    world.kill(two);
    shared[7] = 8;
    try testing.expectEqual(7, other[7]);
    one.unmap(other);
}

test "locks: one byte of one description, gone with its process" {
    const world = try World.create(testing.allocator, .{});
    defer world.destroy();
    const one = try world.startProcess();
    const two = try world.startProcess();
    const first = try one.open("/disk/a", .{ .write = true, .create = true });
    const second = try two.open("/disk/a", .{ .write = true });
    const reader = try two.open("/disk/a", .{});
    try testing.expect(try one.lock(first, 0, .exclusive));
    try testing.expect(!try two.lock(second, 0, .shared));
    try testing.expect(try two.isLocked(second, 0, .exclusive));
    try testing.expect(!try one.isLocked(first, 0, .exclusive));
    try testing.expect(try one.lock(first, 0, .shared));
    try testing.expect(try two.lock(second, 0, .shared));
    try testing.expect(!try one.lock(first, 0, .exclusive));
    try testing.expectError(error.PermissionDenied, two.lock(reader, 0, .exclusive));
    two.unlock(second, 0);
    try testing.expect(try one.lock(first, 0, .exclusive));
    world.kill(one);
    try testing.expect(try two.lock(second, 0, .exclusive));
    try testing.expectError(error.Killed, one.stat(first));
}

test "killAt: no call after it has an effect, a torn write leaves whole sectors" {
    const world = try World.create(testing.allocator, .{});
    defer world.destroy();
    const os = try world.startProcess();
    const fd = try os.open("/disk/a", .{ .write = true, .create = true });
    const bytes: [8 * Disk.sector_size]u8 = @splat('x');
    world.killAt(os, 2, true);
    try os.pwrite(fd, "y", 0);
    try testing.expectError(error.Killed, os.pwrite(fd, &bytes, 100));
    try testing.expectError(error.Killed, os.pwrite(fd, &bytes, 0));
    try testing.expect(!world.isAlive(os));
    const next = try world.startProcess();
    const size = (try next.statPath("/disk/a")).size;
    try testing.expect(size >= Disk.sector_size and size < 100 + bytes.len);
    try testing.expectEqual(0, size % Disk.sector_size);
}

test "Fault: once, for good, a partial write, a flush that loses its pages" {
    const world = try World.create(testing.allocator, .{});
    defer world.destroy();
    const os = try world.startProcess();
    const fd = try os.open("/disk/a", .{ .write = true, .create = true });
    try os.pwrite(fd, "durable", 0);
    try os.flush(fd);
    try os.flushDirectory("/disk");
    const writes = Calls.initMany(&.{.pwrite});
    world.fault = .{ .calls = writes, .at = 2, .failure = error.Io, .is_permanent = false };
    try os.pwrite(fd, "DURABLE", 0);
    try testing.expectError(error.Io, os.pwrite(fd, "1", 0));
    try os.pwrite(fd, "2", 600);
    const flushes = Calls.initMany(&.{.flush});
    world.fault = .{ .calls = flushes, .at = 1, .failure = error.Io, .is_permanent = true };
    try testing.expectError(error.Io, os.flush(fd));
    try testing.expectError(error.Io, os.flush(fd));
    world.fault = null;
    try os.flush(fd);
    var listed = try world.images(1, 10);
    defer listed.deinit();
    const plan = (try listed.next()).?;
    try testing.expectEqual(null, try listed.next());
    const after = try World.create(testing.allocator, .{});
    defer after.destroy();
    try after.boot(world, &plan);
    const reader = try after.startProcess();
    var buffer: [700]u8 = undefined;
    const found = try reader.open("/disk/a", .{});
    // The size outlives the flush that failed, as a journal keeps it; what was written does not.
    try testing.expectEqual(601, try reader.pread(found, &buffer, 0));
    try testing.expectEqualStrings("durable", buffer[0..7]);
    try testing.expectEqual(0, buffer[600]);
}

test "pwriteFlushed: these bytes are durable, older ones never return, others stay pending" {
    const world = try World.create(testing.allocator, .{});
    defer world.destroy();
    const os = try world.startProcess();
    const fd = try os.open("/disk/a", .{ .write = true, .create = true });
    const old: [4 * Disk.sector_size]u8 = @splat('o');
    try os.pwrite(fd, &old, 0);
    try os.flush(fd);
    try os.flushDirectory("/disk");
    const pending: [4 * Disk.sector_size]u8 = @splat('p');
    try os.pwrite(fd, &pending, 0);
    const flushed: [Disk.sector_size]u8 = @splat('f');
    try os.pwriteFlushed(fd, &flushed, Disk.sector_size);
    const after = try World.create(testing.allocator, .{});
    defer after.destroy();
    var listed = try world.images(1, 100);
    defer listed.deinit();
    var old_count: u32 = 0;
    var pending_count: u32 = 0;
    while (try listed.next()) |plan| {
        try after.boot(world, &plan);
        const reader = try after.startProcess();
        var buffer: [pending.len]u8 = undefined;
        const found = try reader.open("/disk/a", .{});
        try testing.expectEqual(buffer.len, try reader.pread(found, &buffer, 0));
        try testing.expectEqualStrings(&flushed, buffer[flushed.len..][0..flushed.len]);
        old_count += @intFromBool(buffer[0] == 'o');
        pending_count += @intFromBool(buffer[0] == 'p');
    }
    try testing.expect(old_count > 0);
    try testing.expect(pending_count > 0);
}

test "pwriteFlushed: behind the end of the file, its new size is durable with it" {
    const world = try World.create(testing.allocator, .{});
    defer world.destroy();
    const os = try world.startProcess();
    const fd = try os.open("/disk/a", .{ .write = true, .create = true });
    try os.flush(fd);
    try os.flushDirectory("/disk");
    try os.pwriteFlushed(fd, "tail", 1000);
    const after = try World.create(testing.allocator, .{});
    defer after.destroy();
    var listed = try world.images(1, 100);
    defer listed.deinit();
    while (try listed.next()) |plan| {
        try after.boot(world, &plan);
        const reader = try after.startProcess();
        var buffer: [8]u8 = undefined;
        const found = try reader.open("/disk/a", .{});
        try testing.expectEqual(4, try reader.pread(found, &buffer, 1000));
        try testing.expectEqualStrings("tail", buffer[0..4]);
    }
}

test "hooks: another process goes on in the middle of a call, and while one waits" {
    const world = try World.create(testing.allocator, .{});
    defer world.destroy();
    const os = try world.startProcess();
    var word: std.atomic.Value(u32) = .init(0);
    const Other = struct {
        fn run(argument: *anyopaque, machine: *World, process: u32, call: Call) void {
            const shared: *std.atomic.Value(u32) = @ptrCast(@alignCast(argument));
            assert(process == 0);
            if (call == .wait) shared.store(1, .release);
            const other = machine.startProcess() catch unreachable;
            writeFile(other, "/disk/b", "other") catch unreachable;
        }
    };
    world.on_wait = .{ .argument = &word, .run = Other.run };
    const before = world.clock_ns;
    os.wait(&word, 0, 1000);
    try testing.expectEqual(1, word.load(.acquire));
    try testing.expectEqual(before, world.clock_ns);
    os.wait(&word, 1, 1000);
    try testing.expectEqual(before + 1000, world.clock_ns);
    try os.unlink("/disk/b");
    world.before_call = .{ .argument = &word, .run = Other.run };
    try testing.expectEqual(5, (try os.statPath("/disk/b")).size);
}

/// A store of one counter in two files, right or with one of its flushes missing.
const Toy = struct {
    const Mistake = enum { none, no_data_flush, no_directory_flush, no_rename_flush };

    /// Creates the store with the counter at zero, flushed.
    fn create(os: Os, mistake: Mistake) !void {
        const fd = try os.open("/disk/new", .{ .write = true, .create = true });
        defer os.close(fd);
        try os.pwrite(fd, &(.{0} ** 1024), 0);
        if (mistake != .no_rename_flush) try os.flush(fd);
        try os.renameNoReplace("/disk/new", "/disk/toy");
        if (mistake != .no_directory_flush) try os.flushDirectory("/disk");
    }

    /// Writes the record of the number, then the head that names it.
    fn commit(os: Os, number: u8, mistake: Mistake) !void {
        const fd = try os.open("/disk/toy", .{ .write = true });
        defer os.close(fd);
        const record: [600]u8 = @splat(number);
        try os.pwrite(fd, &record, @as(u64, number) * 1024);
        if (mistake != .no_data_flush) try os.flush(fd);
        try os.pwrite(fd, &.{number}, 0);
        try os.flush(fd);
    }

    /// The number that the head names, its record being whole.
    fn read(os: Os) !u8 {
        const fd = try os.open("/disk/toy", .{});
        defer os.close(fd);
        var head: [1024]u8 = undefined;
        if (try os.pread(fd, &head, 0) != head.len) return error.Corrupt;
        var record: [600]u8 = undefined;
        if (head[0] == 0) return 0;
        const size = try os.pread(fd, &record, @as(u64, head[0]) * 1024);
        for (record[0..size]) |byte| if (byte != head[0]) return error.Corrupt;
        return if (size == record.len) head[0] else error.Corrupt;
    }
};

/// Runs the toy store and looks at the images before every system call.
const ToyTest = struct {
    after: *World,
    acknowledged: ?u8 = null,
    image_count: u32 = 0,
    failure_count: u32 = 0,

    fn run(mistake: Toy.Mistake) !ToyTest {
        const world = try World.create(testing.allocator, .{});
        defer world.destroy();
        var self: ToyTest = .{ .after = try World.create(testing.allocator, .{}) };
        defer self.after.destroy();
        world.before_call = .{ .argument = &self, .run = examine };
        const os = try world.startProcess();
        try Toy.create(os, mistake);
        self.acknowledged = 0;
        for (1..4) |number| {
            try Toy.commit(os, @intCast(number), mistake);
            self.acknowledged = @intCast(number);
        }
        examine(&self, world, 0, .flush);
        return self;
    }

    fn examine(argument: *anyopaque, world: *World, _: u32, call: Call) void {
        const self: *ToyTest = @ptrCast(@alignCast(argument));
        if (!call.changesDisk()) return;
        var images = world.images(self.image_count, 100) catch unreachable;
        defer images.deinit();
        while (images.next() catch unreachable) |plan| {
            self.after.boot(world, &plan) catch unreachable;
            self.image_count += 1;
            if (!self.isAllowed()) self.failure_count += 1;
        }
    }

    fn isAllowed(self: *ToyTest) bool {
        const os = self.after.startProcess() catch unreachable;
        const number = Toy.read(os) catch |failure| {
            return failure == error.NotFound and self.acknowledged == null;
        };
        const acknowledged = self.acknowledged orelse 0;
        return number == acknowledged or number == acknowledged + 1;
    }
};

test "power cuts: a right toy store passes, each missing flush is caught" {
    const right = try ToyTest.run(.none);
    try testing.expectEqual(0, right.failure_count);
    try testing.expect(right.image_count > 50);
    for ([_]Toy.Mistake{ .no_data_flush, .no_directory_flush, .no_rename_flush }) |mistake| {
        const wrong = try ToyTest.run(mistake);
        try testing.expect(wrong.failure_count > 0);
    }
}

test "images: every subset of few changes, none twice, renames as a whole" {
    const world = try World.create(testing.allocator, .{});
    defer world.destroy();
    const after = try World.create(testing.allocator, .{});
    defer after.destroy();
    const os = try world.startProcess();
    try writeFile(os, "/disk/a", "1");
    try os.rename("/disk/a", "/disk/b");
    var seen: std.StaticBitSet(16) = .initEmpty();
    var images = try world.images(1, 100);
    defer images.deinit();
    var count: u32 = 0;
    while (try images.next()) |plan| : (count += 1) {
        try after.boot(world, &plan);
        const reader = try after.startProcess();
        var state: u4 = 0;
        for ([_][:0]const u8{ "/disk/a", "/disk/b" }, 0..) |path, index| {
            const fd = reader.open(path, .{}) catch continue;
            var byte: [1]u8 = undefined;
            const size = try reader.pread(fd, &byte, 0);
            const kind: u4 = if (size == 0) 1 else if (byte[0] == 0) 2 else 3;
            state |= kind << @intCast(2 * index);
        }
        seen.set(state);
    }
    // Create, size, content and rename: four changes. The file is missing, or has one name, and
    // is empty, zero or whole.
    try testing.expectEqual(16, count);
    try testing.expectEqual(7, seen.count());
}

test "images: sectors of one write part, sizes survive in order" {
    const world = try World.create(testing.allocator, .{});
    defer world.destroy();
    const after = try World.create(testing.allocator, .{});
    defer after.destroy();
    const os = try world.startProcess();
    const fd = try os.open("/disk/a", .{ .write = true, .create = true });
    const old: [4096]u8 = @splat('o');
    const new: [4096]u8 = @splat('n');
    try os.pwrite(fd, &old, 0);
    try os.flush(fd);
    try os.flushDirectory("/disk");
    try os.pwrite(fd, &new, 0);
    try os.truncate(fd, 1024);
    try os.truncate(fd, 4096);
    var images = try world.images(1, 2000);
    defer images.deinit();
    var torn: u32 = 0;
    while (try images.next()) |plan| {
        try after.boot(world, &plan);
        var bytes: [4096]u8 = undefined;
        const reader = try after.startProcess();
        const size = try reader.pread(try reader.open("/disk/a", .{}), &bytes, 0);
        try testing.expect(size == 4096 or size == 1024);
        const count = std.mem.count(u8, bytes[0..1024], "n");
        try testing.expectEqual(0, count % Disk.sector_size);
        torn += @intFromBool(count == Disk.sector_size);
        // Cutting the file and extending it again leaves nothing of the old bytes.
        const is_cut = plan.units.isSet(9) and size == 4096;
        if (is_cut) try testing.expectEqual(3072, std.mem.count(u8, bytes[1024..], "\x00"));
    }
    try testing.expect(torn > 10);
}

test "images: memory mapped for writing may be lost, kept or garbage" {
    const world = try World.create(testing.allocator, .{});
    defer world.destroy();
    const after = try World.create(testing.allocator, .{});
    defer after.destroy();
    const os = try world.startProcess();
    const fd = try os.open("/disk/a", .{ .write = true, .create = true });
    try os.allocate(fd, 0, 4096);
    try os.flush(fd);
    try os.flushDirectory("/disk");
    const shared = try os.mapShared(fd, 4096);
    @memset(shared, 's');
    var seen: [3]u32 = @splat(0);
    var images = try world.images(1, 2000);
    defer images.deinit();
    while (try images.next()) |plan| {
        try after.boot(world, &plan);
        var bytes: [4096]u8 = undefined;
        const reader = try after.startProcess();
        try testing.expectEqual(4096, try reader.pread(try reader.open("/disk/a", .{}), &bytes, 0));
        const kept = std.mem.count(u8, &bytes, "s");
        seen[if (kept == 0) 0 else if (kept == 4096) 1 else 2] += 1;
    }
    for (seen) |count| try testing.expect(count > 0);
}
