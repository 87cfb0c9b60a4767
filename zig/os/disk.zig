//! The disk of the simulated machine: files with their live bytes (what any process reads now)
//! and their durable ones (what a power cut is certain to leave), and between them the pending
//! changes in the order they were made. It knows no processes and injects no faults of its own.
//!
//! What a power cut may leave, and nothing else:
//! * Of the pending changes of a file any sectors of any writes, in any mixture across files; a
//!   sector holds what it held after its last surviving write. Sizes survive in order: with one
//!   all earlier ones of that file. Holes are written zeros.
//! * Of the pending names any creations, renames (each as a whole) and removals.
//! * A file mapped for writing holds, sector by sector, old bytes, live bytes or garbage.
//!
//! The bytes of a file lie in a memory file of the host, so that real maps of it behave as real
//! maps do: a later write shows, and a touch behind the end of the file is a fault.

const std = @import("std");
const builtin = @import("builtin");
const types = @import("types.zig");
const linux = std.os.linux;
const assert = std.debug.assert;
const Allocator = std.mem.Allocator;
const Error = types.Error;

pub const sector_size = 512;
/// Storage is given out in blocks.
pub const block_size = 4096;
/// The largest file; addresses only, no memory.
pub const file_size_max = 256 << 20;
pub const block_count_max = file_size_max / block_size;

/// Blocks of a file. Files end long before the largest one does and images of them are made by the
/// million, so nothing here looks behind the last word that has been in use.
pub const Blocks = struct {
    words: [block_count_max / 64]u64 = @splat(0),
    /// All words from here on are zero.
    word_count: usize = 0,

    pub fn isSet(self: *const Blocks, block: u64) bool {
        return self.words[block / 64] >> @intCast(block % 64) & 1 != 0;
    }

    pub fn clear(self: *Blocks) void {
        @memset(self.words[0..self.word_count], 0);
        self.word_count = 0;
    }

    pub fn copy(self: *Blocks, from: *const Blocks) void {
        if (self.word_count > from.word_count) {
            @memset(self.words[from.word_count..self.word_count], 0);
        }
        @memcpy(self.words[0..from.word_count], from.words[0..from.word_count]);
        self.word_count = from.word_count;
    }

    /// Blocks from `first` up to but without `end`.
    pub fn set(self: *Blocks, first: u64, end: u64) void {
        if (first >= end) return;
        self.word_count = @max(self.word_count, (end - 1) / 64 + 1);
        var at = first;
        while (at < end) : (at = nextWord(at)) self.words[at / 64] |= maskOf(at, end);
    }

    pub fn unset(self: *Blocks, first: u64, end: u64) void {
        const stop = @min(end, self.word_count * 64);
        var at = first;
        while (at < stop) : (at = nextWord(at)) self.words[at / 64] &= ~maskOf(at, stop);
    }

    /// How many of these blocks are set.
    pub fn countIn(self: *const Blocks, first: u64, end: u64) u64 {
        const stop = @min(end, self.word_count * 64);
        var sum: u64 = 0;
        var at = first;
        while (at < stop) : (at = nextWord(at)) {
            sum += @popCount(self.words[at / 64] & maskOf(at, stop));
        }
        return sum;
    }

    pub fn count(self: *const Blocks) u64 {
        return self.countIn(0, block_count_max);
    }

    fn nextWord(at: u64) u64 {
        return (at / 64 + 1) * 64;
    }

    /// The bits of the word of `at` from that one on, as far as they lie before `end`.
    fn maskOf(at: u64, end: u64) u64 {
        const from = ~@as(u64, 0) << @intCast(at % 64);
        if (end >= nextWord(at)) return from;
        return from & ~(~@as(u64, 0) << @intCast(end % 64));
    }
};

const Disk = @This();

/// An absolute path, kept by value.
pub const Path = struct {
    buffer: [120]u8,
    size: u8,

    pub fn from(path: []const u8) Error!Path {
        if (path.len == 0 or path[0] != '/') return error.NotFound;
        var result: Path = .{ .buffer = undefined, .size = 0 };
        if (path.len > result.buffer.len) return error.NameTooLong;
        @memcpy(result.buffer[0..path.len], path);
        result.size = @intCast(path.len);
        return result;
    }

    pub fn slice(self: *const Path) []const u8 {
        return self.buffer[0..self.size];
    }

    fn is(self: *const Path, other: []const u8) bool {
        return std.mem.eql(u8, self.slice(), other);
    }
};

pub fn parentOf(path: []const u8) []const u8 {
    return std.fs.path.dirnamePosix(path) orelse "/";
}

/// A name and the file it leads to, by its place in `inodes`.
const Entry = struct { path: Path, inode: u32 };

const Names = std.ArrayList(Entry);

pub const Inode = struct {
    descriptor: i32,
    /// Addresses of `file_size_max`; the first `size` bytes are the live ones.
    live: types.Range,
    size: u64 = 0,
    /// Bytes of the memory file, at least `size`; all that follow the live ones are zero.
    memory_size: u64 = 0,
    durable: std.ArrayList(u8) = .empty,
    /// Blocks of the live and of the durable bytes; all that lies in others is zero. What is
    /// written to a map is not seen here: see `findUsed`.
    live_used: Blocks = .{},
    durable_used: Blocks = .{},
    /// Blocks that have storage, and how many have.
    blocks: Blocks = .{},
    block_count: u64 = 0,
    mode: u16 = 0o600,
    is_mapped: bool = false,
    is_mapped_for_writing: bool = false,
    /// A failed flush has forgotten changes that are still to be read.
    has_lost: bool = false,

    /// To be called by whoever writes to the bytes past the disk.
    pub fn useAll(self: *Inode) void {
        mark(&self.live_used, 0, self.size);
        mark(&self.durable_used, 0, self.durable.items.len);
    }

    /// Learns which live blocks are zero where a map of the file may have been written to.
    pub fn findUsed(self: *Inode) void {
        if (!self.is_mapped_for_writing) return;
        self.live_used.clear();
        var start: u64 = 0;
        while (start < self.size) : (start += block_size) {
            // The memory file has whole blocks, zero behind the end of the file.
            const words: *const [block_size / 8]u64 = @ptrCast(@alignCast(self.live[start..]));
            if (std.mem.allEqual(u64, words, 0)) continue;
            mark(&self.live_used, start, start + block_size);
        }
    }

    /// Whether the block of that byte is known to hold nothing but zeros.
    fn isEmptyAt(self: *const Inode, offset: u64) bool {
        return !self.is_mapped_for_writing and !self.live_used.isSet(offset / block_size);
    }
};

pub fn mark(used: *Blocks, start: u64, end: u64) void {
    if (start >= end) return;
    used.set(start / block_size, std.math.divCeil(u64, end, block_size) catch unreachable);
}

/// A change that no flush has covered yet.
pub const Event = struct {
    inode: u32,
    change: Change,

    /// Sectors that may survive one without the other.
    pub fn unitCount(self: *const Event) u64 {
        return switch (self.change) {
            .write => |*part| part.bytes.len / sector_size,
            else => 1,
        };
    }

    pub fn isOfName(self: *const Event) bool {
        return switch (self.change) {
            .write, .size => false,
            .create, .rename, .unlink => true,
        };
    }
};

pub const Change = union(enum) {
    /// Whole sectors as they were after the write; the bytes belong to the event.
    write: struct { offset: u64, bytes: []u8 },
    size: u64,
    create: Path,
    rename: struct { from: Path, to: Path },
    unlink: Path,
};

allocator: Allocator,
/// Those in use, then spares of earlier lives.
inodes: std.ArrayList(*Inode) = .empty,
inode_count: u32 = 0,
names: Names = .empty,
durable_names: Names = .empty,
directories: std.ArrayList(Path) = .empty,
events: std.ArrayList(Event) = .empty,
/// Blocks that may still be given out.
blocks_free: u64 = std.math.maxInt(u64),
/// Changes when a new image may differ from those of before.
version: u64 = 0,
/// Whether power cuts will be simulated. If not, pending changes are not kept: models that only
/// kill processes would spend a fifth of their time on them.
has_cuts: bool = true,

pub fn init(allocator: Allocator) Disk {
    return .{ .allocator = allocator };
}

pub fn deinit(self: *Disk) void {
    self.clear();
    for (self.inodes.items) |inode| {
        _ = linux.munmap(inode.live.ptr, inode.live.len);
        _ = linux.close(inode.descriptor);
        inode.durable.deinit(self.allocator);
        self.allocator.destroy(inode);
    }
    self.inodes.deinit(self.allocator);
    self.names.deinit(self.allocator);
    self.durable_names.deinit(self.allocator);
    self.directories.deinit(self.allocator);
    self.events.deinit(self.allocator);
}

/// Forgets everything but keeps memory for the next life.
pub fn clear(self: *Disk) void {
    for (self.events.items) |event| self.freeEvent(event);
    self.events.clearRetainingCapacity();
    self.names.clearRetainingCapacity();
    self.durable_names.clearRetainingCapacity();
    self.directories.clearRetainingCapacity();
    self.inode_count = 0;
    self.blocks_free = std.math.maxInt(u64);
    self.version += 1;
}

fn freeEvent(self: *Disk, event: Event) void {
    if (event.change == .write) self.allocator.free(event.change.write.bytes);
}

pub fn find(self: *const Disk, path: []const u8) ?u32 {
    for (self.names.items) |*entry| if (entry.path.is(path)) return entry.inode;
    return null;
}

pub fn isDirectory(self: *const Disk, path: []const u8) bool {
    for (self.directories.items) |*directory| if (directory.is(path)) return true;
    return false;
}

/// Directories are made durable at once: the engine never makes one.
pub fn makeDirectory(self: *Disk, path: []const u8) Error!void {
    try self.directories.append(self.allocator, try Path.from(path));
}

pub fn linkCount(self: *const Disk, inode: u32) u64 {
    var count: u64 = 0;
    for (self.names.items) |*entry| count += @intFromBool(entry.inode == inode);
    return count;
}

fn setName(self: *Disk, names: *Names, path: Path, inode: u32) Error!void {
    for (names.items) |*entry| {
        if (!entry.path.is(path.slice())) continue;
        entry.inode = inode;
        return;
    }
    try names.append(self.allocator, .{ .path = path, .inode = inode });
}

fn removeName(names: *Names, path: []const u8) void {
    for (names.items, 0..) |*entry, index| {
        if (!entry.path.is(path)) continue;
        _ = names.orderedRemove(index);
        return;
    }
}

/// Takes a spare inode or makes one. Its content, which may be that of an earlier file, is the
/// caller's to set.
pub fn takeInode(self: *Disk) Error!u32 {
    const index = self.inode_count;
    if (index == self.inodes.items.len) {
        const inode = try self.allocator.create(Inode);
        errdefer self.allocator.destroy(inode);
        try openMemoryFile(inode);
        errdefer _ = linux.close(inode.descriptor);
        try self.inodes.append(self.allocator, inode);
    }
    const inode = self.inodes.items[index];
    inode.blocks.clear();
    inode.block_count = 0;
    inode.mode = 0o600;
    // Who writes to a map marks nothing.
    if (inode.is_mapped_for_writing) try discardMemory(inode);
    inode.is_mapped = false;
    inode.is_mapped_for_writing = false;
    inode.has_lost = false;
    self.inode_count += 1;
    return index;
}

fn discardMemory(inode: *Inode) Error!void {
    inode.size = 0;
    inode.live_used.clear();
    try trim(inode);
}

/// A file of no bytes.
pub fn empty(inode: *Inode) Error!void {
    // Not by its own function, which would overwrite what it forgets.
    inode.durable.items.len = 0;
    inode.durable_used.clear();
    try resize(inode, 0);
    inode.live_used.clear();
}

/// Makes the durable bytes those of another file.
pub fn copyDurable(allocator: Allocator, to: *Inode, from: *const Inode) Error!void {
    const size = from.durable.items.len;
    const known_size = @min(to.durable.items.len, size);
    try to.durable.ensureTotalCapacity(allocator, size);
    to.durable.items.len = size;
    var start: u64 = 0;
    while (start < size) : (start += block_size) {
        const end = @min(start + block_size, size);
        const block = start / block_size;
        const bytes = to.durable.items[start..end];
        if (from.durable_used.isSet(block)) {
            @memcpy(bytes, from.durable.items[start..end]);
        } else if (end > known_size or to.durable_used.isSet(block)) @memset(bytes, 0);
    }
    to.durable_used.copy(&from.durable_used);
}

/// Makes the live bytes the durable ones.
pub fn showDurable(inode: *Inode) Error!void {
    const size = inode.durable.items.len;
    try resize(inode, size);
    var start: u64 = 0;
    while (start < size) : (start += block_size) {
        const end = @min(start + block_size, size);
        const block = start / block_size;
        if (inode.durable_used.isSet(block)) {
            @memcpy(inode.live[start..end], inode.durable.items[start..end]);
        } else if (inode.live_used.isSet(block)) @memset(inode.live[start..end], 0);
    }
    inode.live_used.copy(&inode.durable_used);
    if (builtin.mode == .Debug) {
        assert(std.mem.eql(u8, inode.live[0..size], inode.durable.items));
    }
}

fn openMemoryFile(inode: *Inode) Error!void {
    const created = linux.memfd_create("zeolite", linux.MFD.CLOEXEC);
    if (linux.errno(created) != .SUCCESS) return error.TooManyFiles;
    const descriptor: i32 = @intCast(created);
    errdefer _ = linux.close(descriptor);
    const access: linux.PROT = .{ .READ = true, .WRITE = true };
    const flags: linux.MAP = .{ .TYPE = .SHARED, .NORESERVE = true };
    const mapped = linux.mmap(null, file_size_max, access, flags, descriptor, 0);
    if (linux.errno(mapped) != .SUCCESS) return error.OutOfMemory;
    const live: [*]align(types.map_alignment) u8 = @ptrFromInt(mapped);
    inode.* = .{ .descriptor = descriptor, .live = live[0..file_size_max] };
}

/// Changes the live size; new bytes read zero.
pub fn resize(inode: *Inode, size: u64) Error!void {
    if (size > file_size_max) return error.FileTooBig;
    if (size < inode.size) clearLive(inode, size, inode.size);
    inode.size = size;
    const end = std.mem.alignForward(u64, size, block_size);
    if (end > inode.memory_size or inode.is_mapped) try trim(inode);
}

fn clearLive(inode: *Inode, start: u64, end: u64) void {
    var at = start;
    while (at < end) {
        const stop = @min(std.mem.alignForward(u64, at + 1, block_size), end);
        if (!inode.isEmptyAt(at)) @memset(inode.live[at..stop], 0);
        at = stop;
    }
}

/// Makes the memory file end with the block the file ends in. Must be so while it is mapped, for
/// only then a touch behind the end of the file is a fault.
fn trim(inode: *Inode) Error!void {
    const end = std.mem.alignForward(u64, inode.size, block_size);
    if (end == inode.memory_size) return;
    const result = linux.ftruncate(inode.descriptor, @intCast(end));
    if (linux.errno(result) != .SUCCESS) return error.OutOfMemory;
    inode.memory_size = end;
}

/// The file is about to be mapped.
pub fn prepareMap(self: *Disk, index: u32, is_for_writing: bool) Error!void {
    const inode = self.inodes.items[index];
    inode.is_mapped = true;
    try trim(inode);
    if (!is_for_writing) return;
    inode.is_mapped_for_writing = true;
    self.version += 1;
}

/// Learns the sizes of files that a forked copy of this process has made longer, and that it may
/// have written anywhere. What it wrote is there already, but no power cut can be simulated any
/// more: its changes were never recorded.
pub fn adoptMemory(self: *Disk) void {
    for (self.inodes.items[0..self.inode_count]) |inode| {
        var facts: linux.Statx = undefined;
        const mask: linux.STATX = .{ .SIZE = true };
        const result = linux.statx(inode.descriptor, "", linux.AT.EMPTY_PATH, mask, &facts);
        assert(linux.errno(result) == .SUCCESS);
        // Which blocks it wrote to is known to it alone.
        mark(&inode.live_used, 0, facts.size);
        if (facts.size == inode.memory_size) continue;
        inode.memory_size = facts.size;
        inode.size = facts.size;
        inode.blocks.set(0, facts.size / block_size);
        inode.block_count = inode.blocks.count();
    }
}

fn addEvent(self: *Disk, event: Event) Error!void {
    assert(self.has_cuts or event.change != .write);
    if (!self.has_cuts) return;
    try self.events.append(self.allocator, event);
    self.version += 1;
}

pub fn create(self: *Disk, path: []const u8) Error!u32 {
    assert(self.find(path) == null);
    const name = try Path.from(path);
    if (!self.isDirectory(parentOf(path))) return error.NotFound;
    const index = try self.takeInode();
    try empty(self.inodes.items[index]);
    try self.setName(&self.names, name, index);
    try self.addEvent(.{ .inode = index, .change = .{ .create = name } });
    return index;
}

/// A second name for a file, durable at once.
pub fn link(self: *Disk, from: []const u8, to: []const u8) Error!void {
    const inode = self.find(from) orelse return error.NotFound;
    try self.setName(&self.names, try Path.from(to), inode);
    try self.setName(&self.durable_names, try Path.from(to), inode);
}

pub fn rename(self: *Disk, from: []const u8, to: []const u8) Error!void {
    const inode = self.find(from) orelse return error.NotFound;
    const paths: [2]Path = .{ try Path.from(from), try Path.from(to) };
    if (!self.isDirectory(parentOf(to))) return error.NotFound;
    removeName(&self.names, from);
    try self.setName(&self.names, paths[1], inode);
    const change: Change = .{ .rename = .{ .from = paths[0], .to = paths[1] } };
    try self.addEvent(.{ .inode = inode, .change = change });
}

pub fn unlink(self: *Disk, path: []const u8) Error!void {
    const inode = self.find(path) orelse return error.NotFound;
    const name = try Path.from(path);
    removeName(&self.names, path);
    try self.addEvent(.{ .inode = inode, .change = .{ .unlink = name } });
}

pub fn read(self: *const Disk, index: u32, buffer: []u8, offset: u64) usize {
    const inode = self.inodes.items[index];
    if (offset >= inode.size) return 0;
    const size = @min(buffer.len, inode.size - offset);
    var at = offset;
    while (at < offset + size) {
        var stop = @min(std.mem.alignForward(u64, at + 1, block_size), offset + size);
        const is_empty = inode.isEmptyAt(at);
        while (stop < offset + size and inode.isEmptyAt(stop) == is_empty) {
            stop = @min(stop + block_size, offset + size);
        }
        const part = buffer[at - offset .. stop - offset];
        if (is_empty) @memset(part, 0) else @memcpy(part, inode.live[at..stop]);
        at = stop;
    }
    return size;
}

pub fn write(self: *Disk, index: u32, bytes: []const u8, offset: u64) Error!void {
    if (bytes.len == 0) return;
    const inode = self.inodes.items[index];
    const end = offset + bytes.len;
    if (end > file_size_max) return error.FileTooBig;
    try self.giveBlocks(inode, offset, end);
    if (end > inode.size) try self.setSize(index, end);
    // Bytes that are there already leave nothing new behind, unless a flush has lost them.
    if (!inode.has_lost and std.mem.eql(u8, inode.live[offset..end], bytes)) return;
    @memcpy(inode.live[offset..end], bytes);
    mark(&inode.live_used, offset, end);
    try self.addWrite(index, offset, end);
}

/// Records the sectors of a part as they are now.
fn addWrite(self: *Disk, index: u32, offset: u64, end: u64) Error!void {
    if (!self.has_cuts) return;
    const inode = self.inodes.items[index];
    const start = std.mem.alignBackward(u64, offset, sector_size);
    const stop = std.mem.alignForward(u64, end, sector_size);
    const bytes = try self.allocator.dupe(u8, inode.live[start..stop]);
    errdefer self.allocator.free(bytes);
    const change: Change = .{ .write = .{ .offset = start, .bytes = bytes } };
    try self.addEvent(.{ .inode = index, .change = change });
}

pub fn setSize(self: *Disk, index: u32, size: u64) Error!void {
    const inode = self.inodes.items[index];
    const old_end = std.mem.alignForward(u64, inode.size, block_size);
    try resize(inode, size);
    const end = std.mem.alignForward(u64, size, block_size);
    if (end < old_end) self.takeBlocks(inode, end, old_end);
    try self.addEvent(.{ .inode = index, .change = .{ .size = size } });
}

/// Gives storage to the part and extends the file to hold it.
pub fn allocate(self: *Disk, index: u32, offset: u64, size: u64) Error!void {
    const inode = self.inodes.items[index];
    const end = offset + size;
    if (end > file_size_max) return error.FileTooBig;
    try self.giveBlocks(inode, offset, end);
    if (end > inode.size) try self.setSize(index, end);
}

pub fn punch(self: *Disk, index: u32, offset: u64, size: u64) Error!void {
    const inode = self.inodes.items[index];
    const end = @min(offset + size, inode.size);
    if (offset >= end) return;
    @memset(inode.live[offset..end], 0);
    const start = std.mem.alignForward(u64, offset, block_size);
    const stop = std.mem.alignBackward(u64, offset + size, block_size);
    if (start < stop) self.takeBlocks(inode, start, stop);
    try self.addWrite(index, offset, end);
}

fn giveBlocks(self: *Disk, inode: *Inode, start: u64, end: u64) Error!void {
    const first = start / block_size;
    const last = std.math.divCeil(u64, end, block_size) catch unreachable;
    const wanted = last - first - inode.blocks.countIn(first, last);
    if (wanted > self.blocks_free) return error.NoSpace;
    self.blocks_free -= wanted;
    inode.block_count += wanted;
    inode.blocks.set(first, last);
}

fn takeBlocks(self: *Disk, inode: *Inode, start: u64, end: u64) void {
    const given = inode.blocks.countIn(start / block_size, end / block_size);
    self.blocks_free +|= given;
    inode.block_count -= given;
    inode.blocks.unset(start / block_size, end / block_size);
}

pub fn allocatedSize(self: *const Disk, index: u32) u64 {
    return self.inodes.items[index].block_count * block_size;
}

/// Makes content and size of the file durable.
pub fn flush(self: *Disk, index: u32) Error!void {
    if (!self.has_cuts) return;
    const inode = self.inodes.items[index];
    var size: u64 = inode.durable.items.len;
    for (self.events.items) |*event| {
        if (event.inode != index) continue;
        try applyToContent(self.allocator, inode, &size, event, .all);
    }
    try cut(self.allocator, &inode.durable, size);
    if (inode.is_mapped_for_writing) try self.flushMapped(inode);
    self.dropEvents(index);
}

/// Makes the sectors of the part durable as they are now, and the sizes of the file where the part
/// cannot be read back without them. All else stays pending.
pub fn flushPart(self: *Disk, index: u32, offset: u64, end: u64) Error!void {
    const inode = self.inodes.items[index];
    assert(!inode.is_mapped_for_writing);
    assert(offset < end and end <= inode.size);
    if (!self.has_cuts) return;
    if (self.canEndBefore(index, end)) try self.flushSizes(index);
    const start = std.mem.alignBackward(u64, offset, sector_size);
    const stop = @min(std.mem.alignForward(u64, end, sector_size), inode.durable.items.len);
    @memcpy(inode.durable.items[start..stop], inode.live[start..stop]);
    mark(&inode.durable_used, start, stop);
    // No write from before may come out on top of what is durable now.
    for (self.events.items) |*event| {
        if (event.inode != index or event.change != .write) continue;
        const change = &event.change.write;
        const from = @max(start, change.offset);
        const to = @min(stop, change.offset + change.bytes.len);
        if (from >= to) continue;
        @memcpy(change.bytes[from - change.offset ..][0 .. to - from], inode.live[from..to]);
    }
    self.version += 1;
}

/// Whether a power cut may leave a file that is shorter than that.
fn canEndBefore(self: *const Disk, index: u32, end: u64) bool {
    if (self.inodes.items[index].durable.items.len < end) return true;
    for (self.events.items) |*event| {
        if (event.inode == index and event.change == .size and event.change.size < end) return true;
    }
    return false;
}

fn flushSizes(self: *Disk, index: u32) Error!void {
    const inode = self.inodes.items[index];
    var size: u64 = inode.durable.items.len;
    var kept: usize = 0;
    for (self.events.items) |event| {
        if (event.inode == index and event.change == .size) {
            try applyToContent(self.allocator, inode, &size, &event, .all);
            continue;
        }
        self.events.items[kept] = event;
        kept += 1;
    }
    self.events.items.len = kept;
    try cut(self.allocator, &inode.durable, size);
}

fn flushMapped(self: *Disk, inode: *Inode) Error!void {
    try cut(self.allocator, &inode.durable, inode.size);
    @memcpy(inode.durable.items, inode.live[0..inode.size]);
    mark(&inode.durable_used, 0, inode.size);
}

/// A flush that failed: the pending writes stay visible and are forgotten as pending, so that no
/// later flush of them means anything. Each of them has reached the disk with the chance
/// `survives`. Sizes stay pending: a journal that fails stops its file system.
pub fn loseUnflushed(self: *Disk, index: u32, random: std.Random, survives: f32) Error!void {
    assert(self.has_cuts);
    const inode = self.inodes.items[index];
    inode.has_lost = true;
    var size: u64 = inode.durable.items.len;
    var kept: usize = 0;
    for (self.events.items) |event| {
        if (event.inode != index or event.change != .write) {
            self.events.items[kept] = event;
            kept += 1;
            continue;
        }
        defer self.freeEvent(event);
        if (random.float(f32) >= survives) continue;
        try applyToContent(self.allocator, inode, &size, &event, .all);
    }
    self.events.items.len = kept;
    self.version += 1;
    try cut(self.allocator, &inode.durable, size);
}

fn dropEvents(self: *Disk, index: u32) void {
    var kept: usize = 0;
    for (self.events.items) |event| {
        if (event.inode == index and !event.isOfName()) {
            self.freeEvent(event);
        } else {
            self.events.items[kept] = event;
            kept += 1;
        }
    }
    self.events.items.len = kept;
    self.version += 1;
}

/// Makes the names in a directory durable.
pub fn flushDirectory(self: *Disk, path: []const u8) Error!void {
    var kept: usize = 0;
    for (self.events.items) |event| {
        if (touchesDirectory(&event, path)) {
            try self.applyToNames(&self.durable_names, &event);
        } else {
            self.events.items[kept] = event;
            kept += 1;
        }
    }
    self.events.items.len = kept;
    self.version += 1;
}

fn touchesDirectory(event: *const Event, path: []const u8) bool {
    return switch (event.change) {
        .write, .size => false,
        .create, .unlink => |*name| std.mem.eql(u8, parentOf(name.slice()), path),
        .rename => |*names| std.mem.eql(u8, parentOf(names.from.slice()), path) or
            std.mem.eql(u8, parentOf(names.to.slice()), path),
    };
}

pub fn applyToNames(self: *Disk, names: *Names, event: *const Event) Error!void {
    switch (event.change) {
        .write, .size => unreachable,
        .create => |name| try self.setName(names, name, event.inode),
        .unlink => |*name| removeName(names, name.slice()),
        .rename => |*both| {
            removeName(names, both.from.slice());
            try self.setName(names, both.to, event.inode);
        },
    }
}

/// Which sectors of a change survive: all of them, or those whose bit is set, the first sector
/// of the change at `first`.
pub const Survival = union(enum) {
    all,
    some: struct { units: *const std.DynamicBitSetUnmanaged, first: usize },

    fn has(self: Survival, index: usize) bool {
        return switch (self) {
            .all => true,
            .some => |some| some.units.isSet(some.first + index),
        };
    }
};

/// Applies a change to the durable bytes of a file. Bytes behind `size` are kept until `cut`,
/// since a sector may survive where the size that shows it comes later.
pub fn applyToContent(
    allocator: Allocator,
    inode: *Inode,
    size: *u64,
    event: *const Event,
    survival: Survival,
) Error!void {
    const content = &inode.durable;
    switch (event.change) {
        .create, .rename, .unlink => {},
        .size => |new_size| {
            if (new_size < content.items.len) @memset(content.items[new_size..], 0);
            size.* = new_size;
        },
        .write => |*change| {
            const end = change.offset + change.bytes.len;
            if (end > content.items.len) try cut(allocator, content, end);
            mark(&inode.durable_used, change.offset, end);
            for (0..change.bytes.len / sector_size) |index| {
                if (!survival.has(index)) continue;
                const start = index * sector_size;
                const target = content.items[change.offset + start ..][0..sector_size];
                @memcpy(target, change.bytes[start..][0..sector_size]);
            }
        },
    }
}

/// Shortens the bytes, or extends them by zeros.
pub fn cut(allocator: Allocator, content: *std.ArrayList(u8), size: u64) Error!void {
    const old = content.items.len;
    try content.resize(allocator, size);
    if (size > old) @memset(content.items[old..], 0);
}

test "Blocks: ranges across words, counted, copied over longer ones" {
    const testing = std.testing;
    var random: std.Random.DefaultPrng = .init(1);
    var blocks: Blocks = .{};
    var expected: [400]bool = @splat(false);
    for (0..300) |_| {
        const first = random.random().uintAtMost(u64, expected.len);
        const end = first + random.random().uintAtMost(u64, expected.len - first);
        const is_set = random.random().boolean();
        @memset(expected[first..end], is_set);
        if (is_set) blocks.set(first, end) else blocks.unset(first, end);
        for (expected, 0..) |value, block| try testing.expectEqual(value, blocks.isSet(block));
        const counted = std.mem.count(bool, expected[first..end], &.{true});
        try testing.expectEqual(counted, blocks.countIn(first, end));
    }
    var other: Blocks = .{};
    other.set(0, block_count_max);
    try testing.expectEqual(block_count_max, other.count());
    other.copy(&blocks);
    try testing.expectEqualSlices(u64, &blocks.words, &other.words);
    other.clear();
    try testing.expectEqual(0, other.count());
    try testing.expect(std.mem.allEqual(u64, &other.words, 0));
}
