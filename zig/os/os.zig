//! Chooses the operating system the engine runs on, at compile time: the machine's own, or the
//! simulated one of the tests. It never mixes them: a shipped library holds no simulator.
//!
//! `Os` is passed by value: it has no size on a real system, and is a pointer to a simulated
//! machine with the number of a process on the other.

const std = @import("std");
const builtin = @import("builtin");
const build_options = @import("build_options");
const types = @import("types.zig");

pub const Error = types.Error;
pub const Fd = types.Fd;
pub const Range = types.Range;
pub const Stat = types.Stat;
pub const OpenFlags = types.OpenFlags;
pub const LockMode = types.LockMode;
pub const Advice = types.Advice;
pub const map_alignment = types.map_alignment;
pub const path_size_max = types.path_size_max;

pub const is_simulated = build_options.os == .simulated;

/// The system of the machine this is compiled for.
pub const Native = switch (builtin.os.tag) {
    .linux => @import("linux.zig").Os,
    .macos => @import("macos.zig").Os,
    else => @compileError("Zeolite runs on Linux and macOS"),
};

const simulated = if (is_simulated) @import("simulated.zig") else struct {
    pub const Os = Native;
};

pub const Os = simulated.Os;

comptime {
    types.checkInterface(Os);
}

/// An Os with an empty directory, for tests: files of a temporary directory, or of a simulated
/// machine of its own.
pub const TestDisk = struct {
    os: Os,
    place: if (is_simulated) *simulated.World else std.testing.TmpDir,

    pub fn init() !TestDisk {
        if (!is_simulated) return .{ .os = .{}, .place = std.testing.tmpDir(.{}) };
        const world = try simulated.World.create(std.testing.allocator, .{});
        return .{ .os = try world.startProcess(), .place = world };
    }

    pub fn deinit(self: *TestDisk) void {
        if (is_simulated) self.place.destroy() else self.place.cleanup();
        self.* = undefined;
    }

    /// The path of a file of this disk; `buffer` keeps it.
    pub fn path(
        self: *const TestDisk,
        buffer: *[path_size_max]u8,
        name: []const u8,
    ) ![:0]const u8 {
        if (is_simulated) return std.fmt.bufPrintZ(buffer, "/disk/{s}", .{name});
        return std.fmt.bufPrintZ(buffer, ".zig-cache/tmp/{s}/{s}", .{ self.place.sub_path, name });
    }
};

test "TestDisk: a file written is read back" {
    var disk = try TestDisk.init();
    defer disk.deinit();
    var buffer: [path_size_max]u8 = undefined;
    const path = try disk.path(&buffer, "a");
    const fd = try disk.os.open(path, .{ .write = true, .create = true });
    defer disk.os.close(fd);
    try disk.os.pwrite(fd, "bytes", 0);
    var bytes: [5]u8 = undefined;
    try std.testing.expectEqual(5, try disk.os.pread(fd, &bytes, 0));
    try std.testing.expectEqualStrings("bytes", &bytes);
}
