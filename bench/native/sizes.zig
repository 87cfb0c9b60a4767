//! The rows about space: what a store takes after a load in random order, what a compact copy of it
//! takes, what its files take once it is closed. And the time that opening takes.

const std = @import("std");
const linux = std.os.linux;
const Bench = @import("Bench.zig");
const clock = @import("clock.zig");
const data = @import("data.zig");

/// What a file takes: its length, and what the disk gives for it.
const Extent = struct { size: f64 = 0, allocated: f64 = 0 };

fn extentOf(bench: *Bench, path: []const u8, suffix: []const u8) !Extent {
    const full = try std.mem.concatWithSentinel(bench.allocator, u8, &.{ path, suffix }, 0);
    defer bench.allocator.free(full);
    var facts: linux.Statx = undefined;
    const result = linux.statx(linux.AT.FDCWD, full.ptr, 0, linux.STATX.BASIC_STATS, &facts);
    if (linux.errno(result) != .SUCCESS) return .{};
    return .{
        .size = @floatFromInt(facts.size),
        .allocated = @floatFromInt(facts.blocks * 512),
    };
}

const Facts = struct { used: f64, copied: f64, closed: Extent, log_size: f64 };

/// Loads a store, measures it, and leaves nothing behind.
fn factsOf(bench: *Bench, contender: Bench.Contender) !Facts {
    const store = try bench.create(contender);
    try bench.fill(store, bench.sizes.entries);
    const path = try bench.allocator.dupeZ(u8, store.path());
    const copy_path = try std.mem.concatWithSentinel(
        bench.allocator,
        u8,
        &.{ path, "-copy" },
        0,
    );
    const used = switch (store.*) {
        .sorted => unreachable,
        .zeolite => |*it| try it.pagesInUse() * try it.pageSize(),
        .lmdb => |*it| lmdb: {
            const stat = try it.stat();
            const pages = stat.branch_pages + stat.leaf_pages + stat.overflow_pages;
            break :lmdb @as(f64, @floatFromInt((2 + pages) * stat.page_size));
        },
    };
    switch (store.*) {
        .sorted => unreachable,
        inline else => |*it| try it.copyCompact(copy_path),
    }
    const copied = try extentOf(bench, copy_path, "");
    try std.Io.Dir.cwd().deleteFile(bench.io, copy_path);
    try store.close();
    const file = try extentOf(bench, path, "");
    const log = try extentOf(bench, path, "-wal");
    try bench.deleteFiles(path);
    return .{ .used = used, .copied = copied.size, .log_size = log.size, .closed = .{
        .size = file.size + log.size,
        .allocated = file.allocated + log.allocated,
    } };
}

pub fn sizes(bench: *Bench, _: []const u8) !void {
    const contenders = try bench.readers();
    const names = try bench.namesOf(contenders);
    const facts = try bench.allocator.alloc(Facts, contenders.len);
    for (facts, contenders) |*it, contender| it.* = try factsOf(bench, contender);
    const figures = try bench.allocator.alloc(f64, facts.len);
    for (figures, facts) |*figure, it| figure.* = it.used;
    try bench.add("size-used", "pages in use, after a random load", .bytes, names, figures);
    for (figures, facts) |*figure, it| figure.* = it.copied;
    try bench.add("size-copy", "a compact copy of that", .bytes, names, figures);
    for (figures, facts) |*figure, it| figure.* = it.closed.size;
    try bench.add("size-closed", "its files once closed, their lengths", .bytes, names, figures);
    for (figures, facts) |*figure, it| figure.* = it.log_size;
    try bench.add("size-log", "the log alone", .bytes, names, figures);
    for (figures, facts) |*figure, it| figure.* = it.closed.allocated;
    try bench.add("size-disk", "its files once closed, on the disk", .bytes, names, figures);
    for (figures, facts) |*figure, it| figure.* = it.closed.size / it.used;
    try bench.add("size-ratio", "length of the files per pages in use", .ratio, names, figures);
}

/// Opens a store that was closed, and gets one value.
const Opening = struct {
    bench: *Bench,
    contenders: []const Bench.Contender,
    paths: []const [:0]const u8,

    pub fn turn(self: *Opening, index: usize, round: usize) !f64 {
        const entries = self.bench.sizes.entries;
        const key = data.keyAt(entries, @intCast(round * 7919 % entries));
        const begin = clock.now();
        const store = try self.bench.open(self.contenders[index], self.paths[index], 0);
        switch (store.*) {
            inline else => |*it| _ = try it.session.get(&.{key}),
        }
        const figure = clock.perOperation(begin, 1);
        try store.close();
        self.bench.allocator.destroy(store);
        return figure;
    }
};

pub fn opening(bench: *Bench, id: []const u8) !void {
    const contenders = try bench.readers();
    const paths = try bench.allocator.alloc([:0]const u8, contenders.len);
    for (paths, contenders) |*path, contender| {
        const store = try bench.create(contender);
        try bench.fill(store, bench.sizes.entries);
        path.* = try bench.allocator.dupeZ(u8, store.path());
        try store.close();
    }
    var work: Opening = .{ .bench = bench, .contenders = contenders, .paths = paths };
    const title = "opening a store that was closed, and its first get";
    try bench.measure(id, title, .ns, try bench.namesOf(contenders), &work);
    for (paths) |path| try bench.deleteFiles(path);
}
