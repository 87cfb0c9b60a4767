//! A data file with one writer, for tests of trees: pages, frames and free space as the engine has
//! them, without log, readers or tables. Each commit seals the given trees.

const std = @import("std");
const os_module = @import("../os/os.zig");
const page = @import("../format/page.zig");
const File = @import("../store/File.zig");
const FreeSpace = @import("../store/FreeSpace.zig");
const FrameSet = @import("../store/FrameSet.zig");
const DirtyPages = @import("../store/DirtyPages.zig");
const Pages = @import("../store/Pages.zig");
const Snapshot = @import("../store/Snapshot.zig");

const TestStore = @This();
const simulated = if (os_module.is_simulated) @import("../os/simulated.zig") else struct {};

allocator: std.mem.Allocator,
world: if (os_module.is_simulated) *simulated.World else void,
file: File,
space: FreeSpace,
dirty: DirtyPages,
txnid: u64,

pub fn create(allocator: std.mem.Allocator, page_size: u32) !*TestStore {
    const self = try allocator.create(TestStore);
    errdefer allocator.destroy(self);
    self.allocator = allocator;
    var os: os_module.Os = undefined;
    var path: [:0]const u8 = "/disk/x";
    var buffer: [64]u8 = undefined;
    if (os_module.is_simulated) {
        self.world = try simulated.World.create(allocator, .{ .has_cuts = false });
        os = try self.world.startProcess();
    } else {
        os = .{};
        path = try std.fmt.bufPrintZ(&buffer, "/tmp/zeolite-test-{}-{x}", .{
            os.pid(),
            @intFromPtr(self),
        });
    }
    const fd = try os.open(path, .{ .write = true, .create = true, .exclusive = true });
    try os.unlink(path);
    self.file = try File.init(os, fd, .{ .page_size = page_size, .size_max = 1 << 40 });
    self.space = .{ .allocator = allocator };
    try self.space.reset(2);
    self.dirty = .{
        .allocator = allocator,
        .file = &self.file,
        .space = &self.space,
        .set = try FrameSet.create(allocator, null, page_size, 0x7a65_6f6c_6974_6521),
    };
    self.txnid = 0;
    try self.begin();
    return self;
}

pub fn destroy(self: *TestStore) void {
    self.dirty.deinit();
    self.space.deinit();
    const file_os = self.file.os;
    const fd = self.file.fd;
    self.file.deinitKeepFile();
    file_os.close(fd);
    if (os_module.is_simulated) self.world.destroy();
    self.allocator.destroy(self);
}

fn begin(self: *TestStore) !void {
    try self.space.begin(self.txnid + 1, &.{});
    try self.dirty.begin(self.snapshot(), self.txnid + 1, .{}, &.{});
}

/// The newest committed state.
pub fn snapshot(self: *TestStore) Snapshot {
    return .{ .file = &self.file, .txnid = self.txnid, .page_count = self.space.page_count };
}

/// Makes the trees clean and goes on with the next transaction.
pub fn commit(self: *TestStore, trees: []const *page.Tree) !void {
    for (trees) |tree| try self.dirty.seal(tree);
    try self.space.reserveCommit();
    self.space.commit();
    self.dirty.end(.published);
    self.txnid += 1;
    try self.begin();
}

/// The state inside the running transaction.
pub fn pages(self: *TestStore) Pages {
    return self.dirty.pages();
}

/// Pages of the file in use by the newest committed state.
pub fn usedCount(self: *const TestStore) u32 {
    return self.space.page_count - 2 - self.space.freeCount();
}
