//! Disks that fail: each input or output of a history in turn, once or for good, with a bad disk, a
//! full one, writes that stop half-way and flushes that lose what they should have kept; and
//! memory that cannot be had. The failure is reported by its own error or does no harm; what was
//! published stays; after a failed flush every process refuses to write until the last has closed.

const std = @import("std");
const testing = std.testing;
const simulated = @import("../os/simulated.zig");
const attach = @import("../txn/attach.zig");
const Txn = @import("../txn/Txn.zig");
const History = @import("History.zig");
const Workload = @import("Workload.zig");
const PowerCuts = @import("PowerCuts.zig");
const totals = @import("counts.zig");
const seeds = @import("seeds.zig");

const Machines = PowerCuts.Machines;
const allocator = std.heap.smp_allocator;
const step_count = 14;

/// One history on a failing disk. It is not moved: the workloads point into it.
const Trial = struct {
    arena: std.heap.ArenaAllocator,
    world: *simulated.World,
    history: History,
    work: Workload,
    beside: Workload,
    cuts: PowerCuts,
    /// Errors of calls, the fault's own and those that follow from it.
    error_count: u32 = 0,

    fn init(self: *Trial, machines: *const Machines, options: Workload.Options) !void {
        self.arena = .init(allocator);
        errdefer self.arena.deinit();
        self.world = machines.first;
        try self.world.reset(.{ .seed = options.seed });
        const arena = self.arena.allocator();
        self.history = try .init(arena);
        var shared = options;
        shared.has_company = true;
        self.work = .init(arena, try self.world.startProcess(), &self.history, shared);
        self.beside = .init(arena, try self.world.startProcess(), &self.history, shared);
        self.cuts = .init(machines, &self.work, .{ .image_count = 2 });
        self.error_count = 0;
    }

    fn deinit(self: *Trial) void {
        self.work.abandon();
        self.beside.abandon();
        self.cuts.deinit();
        self.arena.deinit();
    }

    /// Works on in spite of errors, as long as they are those of a failing disk.
    fn run(self: *Trial, failure: simulated.Error) !void {
        for (0..step_count) |_| {
            const flushes = self.failedFlushes();
            const outcome = if (self.work.env == null) self.work.open() else self.work.step();
            outcome catch |found| {
                if (!isExplained(found, failure)) return found;
                self.error_count += 1;
                const env = self.work.env orelse continue;
                const is_flush = self.failedFlushes() > flushes;
                if (is_flush and !env.lock.isPoisoned()) return error.FailedFlushForgotten;
            };
            if (self.beside.env == null) self.beside.open() catch |found| {
                if (!isExplained(found, failure)) return found;
            };
        }
    }

    fn failedFlushes(self: *const Trial) u64 {
        const fault = self.world.fault orelse return 0;
        return if (fault.struck.contains(.flush)) fault.hits else 0;
    }

    fn isPoisoned(self: *const Trial) bool {
        for ([_]*const Workload{ &self.work, &self.beside }) |work| {
            if (work.env) |env| if (env.lock.isPoisoned()) return true;
        }
        return false;
    }

    fn isExplained(found: anyerror, failure: simulated.Error) bool {
        return found == failure or found == error.Poisoned or found == error.Busy;
    }

    /// The disk works again. Who is still attached can read, and write unless a flush had failed.
    fn examineAttached(self: *Trial, is_poisoned: bool) !void {
        for ([_]*Workload{ &self.work, &self.beside }) |work| {
            if (work.env == null) continue;
            try work.read();
            if (!is_poisoned) {
                try work.commit();
                try work.flush();
                try Workload.check(work.env.?);
                continue;
            }
            if (Txn.begin(work.env.?, 0)) |begun| {
                var txn = begun;
                txn.abort();
                return error.WritesAfterFailedFlush;
            } else |found| if (found != error.Poisoned) return found;
        }
    }

    /// Everybody leaves; the power is cut, or another process comes.
    fn examineLeft(self: *Trial) !void {
        self.cuts.examine(self.world, .flush);
        self.beside.abandon();
        self.work.abandon();
        self.cuts.version = 0;
        self.cuts.examine(self.world, .close);
        const next = &self.beside;
        next.os = try self.world.startProcess();
        try next.open();
        const found = try Workload.digestOf(next.env.?);
        if (!self.history.isAllowedAfterReopen(found)) return error.ModelDiffers;
        try Workload.check(next.env.?);
        try self.cuts.examineOpened(self.world, found);
        const mark: Workload.Mark = .of(1);
        try mark.commit(next.env.?);
        const env = next.env.?;
        next.env = null;
        try attach.close(env);
        try next.open();
        if (try Workload.digestOf(next.env.?) != found +% mark.digest()) return error.ModelDiffers;
    }
};

const Kind = struct { failure: simulated.Error, calls: simulated.Calls, is_partial: bool };

const kinds = [_]Kind{
    .{ .failure = error.Io, .calls = simulated.disk_fault_calls, .is_partial = false },
    .{ .failure = error.Io, .calls = .initMany(&.{ .pwrite, .pwritev }), .is_partial = true },
    .{ .failure = error.Io, .calls = .initMany(&.{.flush}), .is_partial = false },
    .{ .failure = error.NoSpace, .calls = simulated.space_calls, .is_partial = true },
    .{ .failure = error.OutOfMemory, .calls = simulated.memory_calls, .is_partial = false },
};

const Counts = struct {
    faults: u64 = 0,
    flushes: u64 = 0,
    errors: u64 = 0,
    images: u64 = 0,
    recoveries: u64 = 0,

    fn add(self: *Counts, trial: *const Trial, flushes: u64) void {
        self.faults += 1;
        self.flushes += flushes;
        self.errors += trial.error_count;
        self.images += trial.cuts.image_count;
        self.recoveries += trial.cuts.recovery_count;
    }

    fn print(self: *const Counts) void {
        totals.print(.faults, self.faults);
        totals.print(.@"failed flushes", self.flushes);
        totals.print(.images, self.images);
        totals.print(.@"second crashes", self.recoveries);
    }
};

/// False: the history ended before the fault.
fn runFault(
    machines: *const Machines,
    options: Workload.Options,
    fault: simulated.Fault,
    counts: *Counts,
) !bool {
    var trial: Trial = undefined;
    try trial.init(machines, options);
    defer trial.deinit();
    errdefer std.debug.print("fault {t} {s} at {d}{s}: ZEOLITE_SEED={d}, commit {d}\n", .{
        fault.failure, if (fault.is_permanent) "for good" else "once",
        fault.at,      if (fault.is_partial) ", half-way" else "",
        options.seed,  trial.history.newest(),
    });
    trial.world.fault = fault;
    trial.run(fault.failure) catch |failure| {
        printStruck(trial.world.fault.?);
        return failure;
    };
    const seen = trial.world.fault.?;
    errdefer printStruck(seen);
    trial.world.fault = null;
    if (seen.hits == 0) return false;
    const flushes = @intFromBool(seen.struck.contains(.flush));
    try trial.examineAttached(trial.isPoisoned());
    try trial.examineLeft();
    counts.add(&trial, flushes);
    try trial.cuts.report("fault");
    return true;
}

fn printStruck(fault: simulated.Fault) void {
    var struck = fault.struck;
    var calls = struck.iterator();
    while (calls.next()) |call| std.debug.print("a failed {t}\n", .{call});
}

fn runFaults(base: Workload.Options, seed_count: u64, name: []const u8) !void {
    var machines: Machines = try .init(allocator);
    defer machines.deinit();
    var counts: Counts = .{};
    var list: seeds.List = .init(base.seed, seed_count);
    while (list.next()) |seed| {
        for (kinds) |kind| for ([_]bool{ false, true }) |is_permanent| {
            var options = base;
            options.seed = seed;
            var fault: simulated.Fault = .{
                .calls = kind.calls,
                .at = 1,
                .failure = kind.failure,
                .is_permanent = is_permanent,
                .is_partial = kind.is_partial,
                .survives = @as(f32, @floatFromInt(seed % 3)) / 2,
            };
            while (try runFault(&machines, options, fault, &counts)) fault.at += seeds.part();
        };
    }
    std.debug.print("{s}: {d} faults, {d} errors reported, {d} images of power cuts\n", .{
        name, counts.faults, counts.errors, counts.images,
    });
    counts.print();
}

test "faults of the disk, each call of a history in turn" {
    try runFaults(.{ .seed = 10_000 }, 1, "faults");
}

test "faults of the disk in a store whose pages stay in memory" {
    try runFaults(.{
        .seed = 13_000,
        .exclusive = true,
        .frames_size_max = 16 << 10,
    }, 1, "faults in exclusive mode");
}

test "faults of the disk where values stand in runs that the log names" {
    try runFaults(.{
        .seed = 15_000,
        .key_count = 8,
        .large_share = 50,
        .named_run_size_min = 100,
    }, 2, "faults in named runs");
}

test "faults of the disk in commits too large for the log" {
    try runFaults(.{ .seed = 11_000, .operations_size_max = 800 }, 1, "faults in large commits");
}

/// A history on a disk of `block_count` blocks. False: they were enough.
fn runFullDisk(
    machines: *const Machines,
    options: Workload.Options,
    block_count: u64,
    counts: *Counts,
) !bool {
    var trial: Trial = undefined;
    try trial.init(machines, options);
    defer trial.deinit();
    errdefer std.debug.print("disk of {d} blocks: ZEOLITE_SEED={d}, commit {d}\n", .{
        block_count, options.seed, trial.history.newest(),
    });
    trial.world.disk.blocks_free = block_count;
    try trial.run(error.NoSpace);
    trial.world.disk.blocks_free = std.math.maxInt(u64);
    try trial.examineAttached(trial.isPoisoned());
    try trial.examineLeft();
    counts.add(&trial, 0);
    try trial.cuts.report("full disk");
    return trial.error_count > 0;
}

test "a full disk: what was reserved can be written, the rest is refused and nothing lost" {
    var machines: Machines = try .init(allocator);
    defer machines.deinit();
    var counts: Counts = .{};
    var list: seeds.List = .init(14_000, 4);
    while (list.next()) |seed| {
        const options: Workload.Options = .{ .seed = seed, .value_size_max = 20_000 };
        var block_count: u64 = 0;
        while (try runFullDisk(&machines, options, block_count, &counts)) {
            block_count += 5 * seeds.part();
        }
    }
    std.debug.print("full disk: {d} sizes, {d} errors reported, {d} images of power cuts\n", .{
        counts.faults, counts.errors, counts.images,
    });
    counts.print();
}

/// Fails one allocation, or all from one on.
const FaultyAllocator = struct {
    backing: std.mem.Allocator,
    at: u64,
    is_permanent: bool,
    seen: u64 = 0,
    hits: u64 = 0,

    fn interface(self: *FaultyAllocator) std.mem.Allocator {
        return .{ .ptr = self, .vtable = &.{
            .alloc = alloc,
            .resize = resize,
            .remap = remap,
            .free = free,
        } };
    }

    fn of(pointer: *anyopaque) *FaultyAllocator {
        return @ptrCast(@alignCast(pointer));
    }

    fn alloc(pointer: *anyopaque, size: usize, alignment: std.mem.Alignment, at: usize) ?[*]u8 {
        const self = of(pointer);
        self.seen += 1;
        if (self.seen == self.at or (self.is_permanent and self.seen > self.at)) {
            self.hits += 1;
            return null;
        }
        return self.backing.rawAlloc(size, alignment, at);
    }

    fn resize(
        pointer: *anyopaque,
        memory: []u8,
        alignment: std.mem.Alignment,
        size: usize,
        at: usize,
    ) bool {
        return of(pointer).backing.rawResize(memory, alignment, size, at);
    }

    /// Always by a new allocation, which may fail.
    fn remap(_: *anyopaque, _: []u8, _: std.mem.Alignment, _: usize, _: usize) ?[*]u8 {
        return null;
    }

    fn free(pointer: *anyopaque, memory: []u8, alignment: std.mem.Alignment, at: usize) void {
        of(pointer).backing.rawFree(memory, alignment, at);
    }
};

/// False: the history ended before the fault.
fn runMemoryFault(
    machines: *const Machines,
    options: Workload.Options,
    at: u64,
    is_permanent: bool,
    counts: *Counts,
) !bool {
    var faulty: FaultyAllocator = .{
        .backing = testing.allocator,
        .at = at,
        .is_permanent = is_permanent,
    };
    var trial: Trial = undefined;
    try trial.init(machines, options);
    defer trial.deinit();
    errdefer std.debug.print("no memory {s} at {d}: ZEOLITE_SEED={d}, commit {d}\n", .{
        if (is_permanent) "for good" else "once", at, options.seed, trial.history.newest(),
    });
    trial.work.allocator = faulty.interface();
    trial.beside.allocator = testing.allocator;
    try trial.run(error.OutOfMemory);
    if (faulty.hits == 0) return false;
    faulty.at = std.math.maxInt(u64);
    faulty.is_permanent = false;
    try trial.examineAttached(trial.isPoisoned());
    try trial.examineLeft();
    counts.add(&trial, 0);
    try trial.cuts.report("no memory");
    return true;
}

test "memory that cannot be had, each allocation of a history in turn" {
    var machines: Machines = try .init(allocator);
    defer machines.deinit();
    var counts: Counts = .{};
    var list: seeds.List = .init(12_000, 2);
    while (list.next()) |seed| {
        const options: Workload.Options = .{ .seed = seed, .exclusive = seed % 2 == 1 };
        for ([_]bool{ false, true }) |is_permanent| {
            var at: u64 = 1;
            while (try runMemoryFault(&machines, options, at, is_permanent, &counts)) {
                at += seeds.part();
            }
        }
    }
    std.debug.print("no memory: {d} faults, {d} errors reported, {d} images of power cuts\n", .{
        counts.faults, counts.errors, counts.images,
    });
    counts.print();
}
