//! What the machine itself takes: loads of memory that no cache holds, copies, writes to the
//! kernel, flushes. Nobody's engine is here.

const std = @import("std");
const Bench = @import("Bench.zig");
const clock = @import("clock.zig");

const line_size = 64;
const flush_page_size = 4096;
/// Bytes of the file that is overwritten, there already and flushed.
const file_size = 16 << 20;

extern "c" fn memcpy(to: *anyopaque, from: *const anyopaque, size: usize) *anyopaque;

/// A line of memory, which says which one to look at next.
const Line = extern struct { next: u64, rest: [line_size - 8]u8 };

/// Loads of random lines of 1 GiB: each one's address from the one before, or from a number.
const Loads = struct {
    lines: []Line,
    count: u32,

    pub fn turn(self: *Loads, index: usize, round: usize) !f64 {
        const begin = clock.now();
        var sum: u64 = 0;
        if (index == 0) {
            var at: u64 = round * 0x9e3779b9 % self.lines.len;
            for (0..self.count) |_| at = self.lines[at].next;
            sum = at;
        } else {
            var bits: u64 = round;
            for (0..self.count) |_| {
                bits = bits *% 6364136223846793005 +% 1442695040888963407;
                sum +%= self.lines[(bits >> 32) % self.lines.len].next;
            }
        }
        std.mem.doNotOptimizeAway(sum);
        return clock.perOperation(begin, self.count);
    }
};

pub fn loads(bench: *Bench, id: []const u8) !void {
    const line_count = (@as(usize, 1) << 30) / line_size / bench.sizes.divisor;
    const lines = try bench.allocator.alloc(Line, line_count);
    defer bench.allocator.free(lines);
    // One ring through all lines, in an order that looks like none.
    for (lines, 0..) |*line, index| line.next = index;
    var random: std.Random.Xoshiro256 = .init(bench.seed);
    var end = lines.len;
    while (end > 1) {
        end -= 1;
        const other = random.random().uintLessThan(usize, end);
        std.mem.swap(u64, &lines[end].next, &lines[other].next);
    }
    var work: Loads = .{ .lines = lines, .count = bench.sizes.part(1_000_000) };
    const title = "one load of a random cache line of 1 GiB";
    try bench.measure(id, title, .ns, &.{ "dependent", "independent" }, &work);
}

const Copy = struct {
    from: []u8,
    to: []u8,

    pub fn turn(self: *Copy, _: usize, _: usize) !f64 {
        const begin = clock.now();
        _ = memcpy(self.to.ptr, self.from.ptr, self.to.len);
        std.mem.doNotOptimizeAway(self.to.ptr);
        return 1e9 / clock.perOperation(begin, self.to.len);
    }
};

pub fn copy(bench: *Bench, id: []const u8) !void {
    const size = 256 << 20;
    var work: Copy = .{
        .from = try bench.allocator.alloc(u8, size),
        .to = try bench.allocator.alloc(u8, size),
    };
    defer bench.allocator.free(work.from);
    defer bench.allocator.free(work.to);
    @memset(work.from, 1);
    try bench.measure(id, "memcpy of 256 MiB", .bytes_per_s, &.{"memcpy"}, &work);
}

/// A file that is overwritten in sequence, from the beginning again at its end.
pub const File = struct {
    fd: c_int,
    offset: usize = 0,

    pub fn create(bench: *Bench) !File {
        const path = try std.fmt.allocPrintSentinel(
            bench.allocator,
            "{s}/floor",
            .{bench.folder},
            0,
        );
        const fd = std.c.open(path.ptr, .{ .ACCMODE = .RDWR, .CREAT = true }, @as(c_uint, 0o600));
        const zeros: [flush_page_size]u8 = @splat(0);
        var offset: usize = 0;
        while (offset < file_size) : (offset += zeros.len) try writeAt(fd, &zeros, offset);
        if (std.c.fdatasync(fd) != 0) return clock.fail("the floor's file is not flushed", .{});
        return .{ .fd = fd };
    }

    pub fn close(self: File) void {
        _ = std.c.close(self.fd);
    }

    pub fn write(self: *File, bytes: []const u8) !void {
        if (self.offset + bytes.len > file_size) self.offset = 0;
        try writeAt(self.fd, bytes, self.offset);
        self.offset += bytes.len;
    }

    pub fn flush(self: *File) !void {
        if (std.c.fdatasync(self.fd) != 0) return clock.fail("fdatasync fails", .{});
    }

    fn writeAt(fd: c_int, bytes: []const u8, offset: usize) !void {
        const written = std.c.pwrite(fd, bytes.ptr, bytes.len, @intCast(offset));
        if (written != bytes.len) return clock.fail("a file cannot be written", .{});
    }
};

const Writes = struct {
    file: *File,
    size: usize,
    count: u32,

    pub fn turn(self: *Writes, _: usize, _: usize) !f64 {
        const bytes: [flush_page_size]u8 = @splat(1);
        const begin = clock.now();
        for (0..self.count) |_| try self.file.write(bytes[0..self.size]);
        const figure = clock.perOperation(begin, self.count);
        try self.file.flush();
        return figure;
    }
};

pub fn writes(bench: *Bench, id: []const u8) !void {
    var file: File = try .create(bench);
    defer file.close();
    var work: Writes = .{ .file = &file, .size = 200, .count = bench.sizes.part(50_000) };
    const title = "200 bytes to the kernel, in a file that is there already";
    try bench.measure(id, title, .ns, &.{"pwrite"}, &work);
}

/// The time that one overwrite of 4 KiB and its flush take.
pub fn flushed(file: *File, count: usize) !f64 {
    const page: [flush_page_size]u8 = @splat(1);
    const begin = clock.now();
    for (0..count) |_| {
        try file.write(&page);
        try file.flush();
    }
    return clock.perOperation(begin, count);
}
