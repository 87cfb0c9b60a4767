//! What a power cut may leave of a simulated disk: `Images` lists legal images of one state, and
//! `load` makes a disk of one. The rules of what is legal are those of `disk.zig`.
//!
//! Every subset of up to `event_count_full` pending changes is listed if the limit allows it;
//! else none, all, prefixes, all but one, single ones, and random mixtures torn at sectors. The
//! same seed lists the same images, none twice.

const std = @import("std");
const Disk = @import("disk.zig");
const types = @import("types.zig");
const assert = std.debug.assert;
const Allocator = std.mem.Allocator;
const Error = types.Error;
const sector_size = Disk.sector_size;

/// Up to so many pending changes, every subset of them is an image.
pub const event_count_full = 10;

/// What is left of a file that was mapped for writing, which no flush covers.
pub const Memory = enum { durable, live, mixed, garbage };

/// One image: which pending sectors survive.
pub const Plan = struct {
    units: std.DynamicBitSetUnmanaged,
    memory: Memory,
    seed: u64,
};

pub const Images = struct {
    allocator: Allocator,
    disk: *const Disk,
    random: std.Random.Xoshiro256,
    /// The first unit of each event, and at the end their number.
    starts: []usize,
    units: std.DynamicBitSetUnmanaged,
    seen: std.AutoHashMapUnmanaged(u64, void) = .empty,
    index: usize = 0,
    limit: usize,

    /// The disk must not change while its images are listed.
    pub fn init(allocator: Allocator, disk: *const Disk, seed: u64, limit: usize) Error!Images {
        for (disk.inodes.items[0..disk.inode_count]) |inode| inode.findUsed();
        const events = disk.events.items;
        const starts = try allocator.alloc(usize, events.len + 1);
        errdefer allocator.free(starts);
        starts[0] = 0;
        for (events, 0..) |*event, index| starts[index + 1] = starts[index] + event.unitCount();
        return .{
            .allocator = allocator,
            .disk = disk,
            .random = .init(seed),
            .starts = starts,
            .units = try .initEmpty(allocator, starts[events.len]),
            .limit = limit,
        };
    }

    pub fn deinit(self: *Images) void {
        self.allocator.free(self.starts);
        self.units.deinit(self.allocator);
        self.seen.deinit(self.allocator);
        self.* = undefined;
    }

    /// The next image, valid until the following call.
    pub fn next(self: *Images) Error!?Plan {
        // Of few sectors the images run out before the limit is reached.
        while (self.seen.count() < self.limit and self.index < 2 * self.limit + 2) {
            self.choose(self.index);
            self.index += 1;
            const memory = self.random.random().enumValue(Memory);
            const plan: Plan = .{
                .units = self.units,
                .memory = if (self.hasMapped()) memory else .durable,
                .seed = self.random.random().int(u64),
            };
            const place = try self.seen.getOrPut(self.allocator, self.fingerprint(plan.memory));
            if (!place.found_existing) return plan;
        }
        return null;
    }

    fn fingerprint(self: *const Images, memory: Memory) u64 {
        var hash: std.hash.Wyhash = .init(@intFromEnum(memory));
        var position = self.units.iterator(.{});
        while (position.next()) |unit| hash.update(std.mem.asBytes(&unit));
        return hash.final();
    }

    fn hasMapped(self: *const Images) bool {
        for (self.disk.inodes.items[0..self.disk.inode_count]) |inode| {
            if (inode.is_mapped_for_writing) return true;
        }
        return false;
    }

    fn eventCount(self: *const Images) usize {
        return self.starts.len - 1;
    }

    /// Images that are listed without chance.
    fn plainCount(self: *const Images) usize {
        const count = self.eventCount();
        const free_choices = if (self.starts[count] <= event_count_full)
            self.starts[count]
        else if (count <= event_count_full)
            count
        else
            return 3 * count;
        return @as(usize, 1) << @intCast(free_choices);
    }

    fn choose(self: *Images, index: usize) void {
        self.units.unsetAll();
        if (index == 0) return;
        if (index == 1) return self.setAll();
        const plain = self.plainCount();
        if (plain <= self.limit) {
            if (index < plain + 2) return self.choosePlain(index - 2);
        } else if (self.random.random().boolean()) {
            return self.choosePlain(self.random.random().uintLessThan(usize, plain));
        }
        self.chooseTorn();
    }

    fn choosePlain(self: *Images, number: usize) void {
        const count = self.eventCount();
        const unit_count = self.starts[count];
        if (unit_count <= event_count_full) {
            for (0..unit_count) |unit| self.units.setValue(unit, isChosen(number, unit));
            return;
        }
        if (count <= event_count_full) {
            for (0..count) |event| self.setEvent(event, isChosen(number, event));
            return;
        }
        const event = number % count;
        switch (number / count) {
            0 => for (0..event) |earlier| self.setEvent(earlier, true),
            1 => {
                self.setAll();
                self.setEvent(event, false);
            },
            else => self.setEvent(event, true),
        }
    }

    /// `units.setAll` would also set bits behind the last unit.
    fn setAll(self: *Images) void {
        const range: std.bit_set.Range = .{ .start = 0, .end = self.units.capacity() };
        self.units.setRangeValue(range, true);
    }

    fn isChosen(number: usize, choice: usize) bool {
        return number >> @intCast(choice) & 1 == 1;
    }

    fn setEvent(self: *Images, event: usize, survives: bool) void {
        const range: std.bit_set.Range = .{
            .start = self.starts[event],
            .end = self.starts[event + 1],
        };
        self.units.setRangeValue(range, survives);
    }

    /// Each change survives, vanishes, or is torn: cut at a sector, or sectors at random.
    fn chooseTorn(self: *Images) void {
        const random = self.random.random();
        const densities = [_]f32{ 0.1, 0.5, 0.9, 0.97 };
        const density = densities[random.uintLessThan(usize, densities.len)];
        for (0..self.eventCount()) |event| {
            const start = self.starts[event];
            const end = self.starts[event + 1];
            self.setEvent(event, random.float(f32) < density);
            if (end - start == 1 or random.boolean()) continue;
            if (random.boolean()) {
                const middle = start + random.uintLessThan(usize, end - start);
                self.units.setRangeValue(.{ .start = middle, .end = end }, random.boolean());
            } else for (start..end) |unit| {
                self.units.setValue(unit, random.float(f32) < density);
            }
        }
    }
};

/// Makes `target` the disk that `plan` leaves of `source`. Files keep their inodes.
pub fn load(target: *Disk, source: *const Disk, plan: *const Plan) Error!void {
    target.clear();
    try target.directories.appendSlice(target.allocator, source.directories.items);
    try target.durable_names.appendSlice(target.allocator, source.durable_names.items);
    var first: usize = 0;
    for (source.events.items) |*event| {
        if (event.isOfName() and plan.units.isSet(first)) {
            try target.applyToNames(&target.durable_names, event);
        }
        first += event.unitCount();
    }
    try target.names.appendSlice(target.allocator, target.durable_names.items);
    var random: std.Random.Xoshiro256 = .init(plan.seed);
    for (0..source.inode_count) |index| {
        const number = try target.takeInode();
        assert(number == index);
        try loadInode(target, source, number, plan, random.random());
    }
}

fn loadInode(
    target: *Disk,
    source: *const Disk,
    index: u32,
    plan: *const Plan,
    random: std.Random,
) Error!void {
    const from = source.inodes.items[index];
    const to = target.inodes.items[index];
    if (target.linkCount(index) == 0) return Disk.empty(to);
    try Disk.copyDurable(target.allocator, to, from);
    var size: u64 = to.durable.items.len;
    const sizes_end = lastSize(source, index, plan);
    var first: usize = 0;
    for (source.events.items, 0..) |*event, position| {
        defer first += event.unitCount();
        if (event.inode != index or event.isOfName()) continue;
        if (event.change == .size and position >= sizes_end) continue;
        const survival: Disk.Survival = .{ .some = .{ .units = &plan.units, .first = first } };
        try Disk.applyToContent(target.allocator, to, &size, event, survival);
    }
    try Disk.cut(target.allocator, &to.durable, size);
    if (from.is_mapped_for_writing) {
        mixMemory(to, from, plan.memory, random);
    }
    try Disk.showDurable(to);
    to.mode = from.mode;
    const end = std.math.divCeil(u64, size, Disk.block_size) catch unreachable;
    to.blocks.copy(&from.blocks);
    to.blocks.unset(end, Disk.block_count_max);
    to.block_count = to.blocks.count();
}

/// The position behind the last change of size that survives.
fn lastSize(source: *const Disk, index: u32, plan: *const Plan) usize {
    var result: usize = 0;
    var first: usize = 0;
    for (source.events.items, 0..) |*event, position| {
        const survives = event.change == .size and plan.units.isSet(first);
        if (event.inode == index and survives) result = position + 1;
        first += event.unitCount();
    }
    return result;
}

fn mixMemory(to: *Disk.Inode, from: *const Disk.Inode, memory: Memory, random: std.Random) void {
    const content = to.durable.items;
    const live = from.live[0..from.size];
    var start: usize = 0;
    while (start < content.len) : (start += sector_size) {
        const end = @min(start + sector_size, content.len);
        const choice: Memory = switch (memory) {
            .durable, .live => memory,
            .mixed => if (random.boolean()) .live else .durable,
            .garbage => random.enumValue(Memory),
        };
        const block = start / Disk.block_size;
        switch (choice) {
            .durable => continue,
            .live, .mixed => {
                // Zeros over zeros.
                if (!from.live_used.isSet(block) and !to.durable_used.isSet(block)) continue;
                if (end <= live.len) @memcpy(content[start..end], live[start..end]);
            },
            .garbage => random.bytes(content[start..end]),
        }
        Disk.mark(&to.durable_used, start, end);
    }
}
