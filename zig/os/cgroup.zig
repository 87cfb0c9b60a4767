//! The limit of memory that the control groups of this process set: a container has less than its
//! machine, and a process that takes more is killed. Both hierarchies are read, as the kernel's
//! `admin-guide/cgroup-v2.rst` and `cgroup-v1/memory.rst` describe them, where systems mount them.
//!
//! What cannot be read sets no limit; nothing here fails.

const std = @import("std");

const root_v2 = "/sys/fs/cgroup";
const root_v1 = "/sys/fs/cgroup/memory";

/// Bytes that this process and its group may use, null if nothing says so. `files` has
/// `read(path, buffer) ?[]const u8`: how a file begins, null if it cannot be read.
pub fn memoryMax(files: anytype) ?u64 {
    var buffer: [4096]u8 = undefined;
    const groups = files.read("/proc/self/cgroup", &buffer) orelse return null;
    var least: ?u64 = null;
    var lines = std.mem.splitScalar(u8, groups, '\n');
    while (lines.next()) |line| {
        // hierarchy:controllers:path; version 2 has the number 0 and names no controller.
        var parts = std.mem.splitScalar(u8, line, ':');
        const number = parts.next() orelse continue;
        const controllers = parts.next() orelse continue;
        const path = parts.rest();
        if (std.mem.eql(u8, number, "0") and controllers.len == 0) {
            least = lower(least, leastAbove(files, root_v2, path, "memory.max"));
        } else if (hasMemory(controllers)) {
            least = lower(least, leastAbove(files, root_v1, path, "memory.limit_in_bytes"));
        }
    }
    return least;
}

fn hasMemory(controllers: []const u8) bool {
    var names = std.mem.splitScalar(u8, controllers, ',');
    while (names.next()) |name| if (std.mem.eql(u8, name, "memory")) return true;
    return false;
}

/// The least limit of a group and of those above it. Inside a container the path may be one of the
/// host, which is not there; the container's own group is the root then.
fn leastAbove(files: anytype, root: []const u8, path: []const u8, name: []const u8) ?u64 {
    var least: ?u64 = null;
    var group = std.mem.trimEnd(u8, path, "/");
    while (true) {
        least = lower(least, limitOf(files, root, group, name));
        if (group.len == 0) return least;
        group = group[0 .. std.mem.lastIndexOfScalar(u8, group, '/') orelse 0];
    }
}

fn limitOf(files: anytype, root: []const u8, group: []const u8, name: []const u8) ?u64 {
    var path_buffer: [4096]u8 = undefined;
    const parts = .{ root, group, name };
    const path = std.fmt.bufPrintZ(&path_buffer, "{s}{s}/{s}", parts) catch return null;
    var buffer: [32]u8 = undefined;
    const text = files.read(path, &buffer) orelse return null;
    // "max", where there is none, is no number.
    return std.fmt.parseInt(u64, std.mem.trim(u8, text, " \n"), 10) catch null;
}

fn lower(a: ?u64, b: ?u64) ?u64 {
    return @min(a orelse return b, b orelse return a);
}

const testing = std.testing;

/// Files of a system that is none.
const Fake = struct {
    files: []const [2][]const u8,

    pub fn read(self: Fake, path: [:0]const u8, buffer: []u8) ?[]const u8 {
        for (self.files) |file| {
            if (!std.mem.eql(u8, file[0], path)) continue;
            const size = @min(buffer.len, file[1].len);
            @memcpy(buffer[0..size], file[1][0..size]);
            return buffer[0..size];
        }
        return null;
    }
};

fn expectMax(expected: ?u64, files: []const [2][]const u8) !void {
    try testing.expectEqual(expected, memoryMax(Fake{ .files = files }));
}

test "cgroup: the least limit of a group and of those above it" {
    const own = .{ "/proc/self/cgroup", "0::/a.slice/b\n" };
    try expectMax(null, &.{own});
    try expectMax(300, &.{
        own,
        .{ "/sys/fs/cgroup/a.slice/b/memory.max", "max\n" },
        .{ "/sys/fs/cgroup/a.slice/memory.max", "300\n" },
        .{ "/sys/fs/cgroup/memory.max", "400\n" },
    });
    try expectMax(500, &.{
        .{ "/proc/self/cgroup", "4:cpu,memory:/x\n3:cpuset:/\n0::/\n" },
        .{ "/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "500\n" },
        .{ "/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n" },
    });
}

test "cgroup: in a container the path of the host leads nowhere, the root is its own group" {
    try expectMax(64 << 20, &.{
        .{ "/proc/self/cgroup", "0::/../../docker/0123\n" },
        .{ "/sys/fs/cgroup/memory.max", "67108864\n" },
    });
}

test "cgroup: what is not understood sets no limit" {
    try expectMax(null, &.{});
    const long = "0::/" ++ "x" ** 4000 ++ "\n";
    for ([_][]const u8{ "", "\n\n", "0", "0:", ":::", "9:memory", long, "1:memoryx:/" }) |text| {
        try expectMax(null, &.{.{ "/proc/self/cgroup", text }});
    }
    for ([_][]const u8{ "", "max", "-1", "1e9", "9" ** 31 }) |text| {
        try expectMax(null, &.{
            .{ "/proc/self/cgroup", "0::/" }, .{ "/sys/fs/cgroup/memory.max", text },
        });
    }
}
