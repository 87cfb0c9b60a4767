//! The words that every operating-system file of this folder shares: errors, file facts, flags.
//! Nothing here makes a system call; `resolvePath` reaches the system through its caller.
//!
//! An Os is a value with the methods listed in `interface`. The same names exist for Linux,
//! macOS and the simulated machine, and `checkInterface` refuses one that lacks any of them.

const std = @import("std");
const assert = std.debug.assert;

/// What a system call can end with. `Killed` comes from the simulated machine only: the calling
/// process no longer exists, so nothing it does may have an effect.
pub const Error = error{
    NotFound,
    Exists,
    PermissionDenied,
    ReadOnlyFileSystem,
    IsDirectory,
    NotDirectory,
    NameTooLong,
    SymbolicLinkLoop,
    NoSpace,
    FileTooBig,
    Io,
    TooManyFiles,
    OutOfMemory,
    NotSupported,
    WouldBlock,
    Killed,
    Unexpected,
};

pub const Fd = i32;

/// The unit of memory maps: every range given to or returned by a map is aligned to it.
pub const map_alignment = 4096;

/// Memory that was reserved or mapped.
pub const Range = []align(map_alignment) u8;

/// The longest path, with its closing zero byte.
pub const path_size_max = 4096;

/// Most pieces that one gathered write hands to the system at once.
pub const piece_count_max = 1024;

/// Links followed in one path before it is called a loop.
const link_count_max = 40;

pub const Kind = enum { file, directory, other };

pub const Stat = struct {
    device: u64,
    inode: u64,
    size: u64,
    /// Bytes of storage behind the file; less than `size` where it has holes.
    allocated: u64,
    links: u64,
    /// Permission bits only.
    mode: u16,
    kind: Kind,
};

/// Files are always opened close-on-exec and never as a controlling terminal; a created one has
/// mode 0600.
pub const OpenFlags = struct {
    write: bool = false,
    create: bool = false,
    exclusive: bool = false,
};

pub const LockMode = enum { shared, exclusive };

/// How a range is used: `huge` memory is better mapped in pieces of megabytes; of `unneeded` memory
/// the system may take what it likes, until it is written again: there are zeros or what was there.
pub const Advice = enum { normal, random, huge, unneeded };

/// Every method an Os must have.
const interface = [_][]const u8{
    "open",            "openDirectory",  "close",      "stat",          "statPath",
    "realPath",        "pread",          "pwrite",     "pwritev",       "allocate",
    "punch",           "truncate",       "flush",      "rename",        "renameNoReplace",
    "unlink",          "flushDirectory", "lock",       "unlock",        "isLocked",
    "reserve",         "mapFile",        "mapMemory",  "mapShared",     "unmap",
    "advise",          "now",            "wallClock",  "random",        "pid",
    "threadId",        "wait",           "wake",       "isThreadAlive", "forkGuard",
    "isReadOnlyMount", "memorySize",     "beginFlush", "pwriteFlushed",
};

/// Stops the compilation when `Os` lacks a method that the others have.
pub fn checkInterface(comptime Os: type) void {
    for (interface) |name| {
        if (!@hasDecl(Os, name)) @compileError("this Os has no method " ++ name);
    }
}

/// A path under construction: no link is in the part already resolved.
const Resolution = struct {
    resolved: *[path_size_max]u8,
    resolved_size: usize,
    rest: [path_size_max]u8,
    rest_size: usize,
    links: u32,

    fn push(self: *Resolution, name: []const u8) Error!void {
        if (self.resolved_size + 1 + name.len + 1 > path_size_max) return error.NameTooLong;
        self.resolved[self.resolved_size] = '/';
        @memcpy(self.resolved[self.resolved_size + 1 ..][0..name.len], name);
        self.resolved_size += 1 + name.len;
        self.resolved[self.resolved_size] = 0;
    }

    fn pop(self: *Resolution) void {
        const parent = std.mem.lastIndexOfScalar(u8, self.resolved[0..self.resolved_size], '/');
        self.resolved_size = parent orelse 0;
        self.resolved[self.resolved_size] = 0;
    }

    /// Takes the next name off the rest; null when nothing is left.
    fn next(self: *Resolution, buffer: *[path_size_max]u8) ?[]const u8 {
        const rest = std.mem.trimStart(u8, self.rest[0..self.rest_size], "/");
        if (rest.len == 0) return null;
        const size = std.mem.indexOfScalar(u8, rest, '/') orelse rest.len;
        @memcpy(buffer[0..size], rest[0..size]);
        self.rest_size = rest.len - size;
        std.mem.copyForwards(u8, self.rest[0..self.rest_size], rest[size..]);
        return buffer[0..size];
    }

    /// Puts the target of a link, met as the last resolved name, in front of the rest.
    fn follow(self: *Resolution, target: []const u8) Error!void {
        self.links += 1;
        if (self.links > link_count_max) return error.SymbolicLinkLoop;
        if (target.len == 0) return error.NotFound;
        const size = target.len + 1 + self.rest_size;
        if (size > path_size_max) return error.NameTooLong;
        if (target[0] == '/') self.resolved_size = 0 else self.pop();
        const rest = self.rest[0..self.rest_size];
        std.mem.copyBackwards(u8, self.rest[target.len + 1 ..][0..rest.len], rest);
        @memcpy(self.rest[0..target.len], target);
        self.rest[target.len] = '/';
        self.rest_size = size;
    }

    fn hasMore(self: *const Resolution) bool {
        return std.mem.trimStart(u8, self.rest[0..self.rest_size], "/").len > 0;
    }
};

/// Writes the path with all its links resolved, that of the last name included, into `buffer`.
/// The last name may be missing: then its parent is resolved and it is added as it is.
/// `system` has `workingDirectory(*[4096]u8) Error![]const u8` and
/// `readLink([:0]const u8, *[4096]u8) Error!?[]const u8`, null for what exists and is no link.
pub fn resolvePath(
    system: anytype,
    path: []const u8,
    buffer: *[path_size_max]u8,
) Error![:0]const u8 {
    if (path.len == 0) return error.NotFound;
    if (path.len >= path_size_max) return error.NameTooLong;
    var resolution: Resolution = .{
        .resolved = buffer,
        .resolved_size = 0,
        .rest = undefined,
        .rest_size = path.len,
        .links = 0,
    };
    @memcpy(resolution.rest[0..path.len], path);
    if (path[0] != '/') {
        const directory = try system.workingDirectory(buffer);
        resolution.resolved_size = if (directory.len == 1) 0 else directory.len;
    }
    var name_buffer: [path_size_max]u8 = undefined;
    var link_buffer: [path_size_max]u8 = undefined;
    while (resolution.next(&name_buffer)) |name| {
        if (std.mem.eql(u8, name, ".")) continue;
        if (std.mem.eql(u8, name, "..")) {
            resolution.pop();
            continue;
        }
        try resolution.push(name);
        const prefix = buffer[0..resolution.resolved_size :0];
        const target = system.readLink(prefix, &link_buffer) catch |failure| switch (failure) {
            error.NotFound => if (resolution.hasMore()) return failure else null,
            else => return failure,
        };
        if (target) |found| try resolution.follow(found);
    }
    if (resolution.resolved_size == 0) try resolution.push("");
    assert(resolution.resolved_size < path_size_max);
    assert(buffer[0] == '/');
    return buffer[0..resolution.resolved_size :0];
}

/// A file system of links for the tests of `resolvePath`.
const Links = struct {
    fn workingDirectory(_: Links, buffer: *[path_size_max]u8) Error![]const u8 {
        @memcpy(buffer[0..5], "/home");
        return buffer[0..5];
    }

    fn readLink(_: Links, path: [:0]const u8, buffer: *[path_size_max]u8) Error!?[]const u8 {
        const links = [_][2][]const u8{
            .{ "/home/store", "/data/real" },
            .{ "/home/near", "store" },
            .{ "/home/loop", "loop" },
            .{ "/home/up", "../data/./missing" },
            .{ "/folder", "/data" },
        };
        for (links) |link| {
            if (!std.mem.eql(u8, path, link[0])) continue;
            @memcpy(buffer[0..link[1].len], link[1]);
            return buffer[0..link[1].len];
        }
        const existing = [_][]const u8{ "/home", "/data", "/data/real" };
        for (existing) |name| if (std.mem.eql(u8, path, name)) return null;
        return error.NotFound;
    }
};

fn expectResolved(path: []const u8, expected: []const u8) !void {
    var buffer: [path_size_max]u8 = undefined;
    try std.testing.expectEqualStrings(expected, try resolvePath(Links{}, path, &buffer));
}

test "resolvePath follows links of the parent and of the last name" {
    try expectResolved("/home/store", "/data/real");
    try expectResolved("near", "/data/real");
    try expectResolved("./near", "/data/real");
    try expectResolved("/folder/real", "/data/real");
    try expectResolved("/", "/");
    try expectResolved("/home/../..", "/");
}

test "resolvePath accepts a missing last name and a dangling last link" {
    try expectResolved("new", "/home/new");
    try expectResolved("up", "/data/missing");
    try expectResolved("/folder//new", "/data/new");
    var buffer: [path_size_max]u8 = undefined;
    try std.testing.expectError(error.NotFound, resolvePath(Links{}, "/none/new", &buffer));
    try std.testing.expectError(error.NotFound, resolvePath(Links{}, "", &buffer));
}

test "resolvePath refuses loops and long paths" {
    var buffer: [path_size_max]u8 = undefined;
    try std.testing.expectError(error.SymbolicLinkLoop, resolvePath(Links{}, "loop", &buffer));
    const long: [path_size_max - 1]u8 = @splat('a');
    try std.testing.expectError(error.NameTooLong, resolvePath(Links{}, &long, &buffer));
}
