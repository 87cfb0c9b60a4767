//! A process that works on a store at random, and writes a history of what every published state
//! must hold. The seed decides everything. It is what the crash, fault and process tests run and
//! stop. Several processes may share a history; each looks after its own pinned snapshots.

const std = @import("std");
const assert = std.debug.assert;
const Allocator = std.mem.Allocator;
const simulated = @import("../os/simulated.zig");
const attach = @import("../txn/attach.zig");
const checker = @import("../txn/check.zig");
const checkpoint = @import("../txn/checkpoint.zig");
const single = @import("../txn/single.zig");
const Readers = @import("../store/Readers.zig");
const Env = @import("../txn/Env.zig");
const Txn = @import("../txn/Txn.zig");
const Model = @import("Model.zig");
const History = @import("History.zig");

const Workload = @This();

pub const path = "/disk/x";
pub const Error = attach.Error || Txn.Error || error{ModelDiffers};

pub const Options = struct {
    seed: u64,
    page_size: u32 = 512,
    checkpoint_size: u64 = 0,
    /// Keys of a table.
    key_count: u32 = 40,
    /// Most operations of a transaction.
    operation_count_max: u32 = 6,
    /// Longest value, bytes, and of how many in a hundred it is the limit.
    value_size_max: u32 = 4000,
    large_share: u32 = 10,
    /// Larger transactions are not logged; see `Env.Settings`.
    operations_size_max: u64 = 32 << 20,
    frames_size_max: u64 = 64 << 20,
    /// Values of so many bytes and more are in the log by name only.
    named_run_size_min: u64 = 1000,
    /// More bytes of such values are named even in a commit that is flushed at once.
    whole_size_max: u64 = 4000,
    lock_timeout_ns: u64 = 5 * std.time.ns_per_s,
    /// The process has the store to itself: its commits' pages stay in frames.
    exclusive: bool = false,
    /// Another process stays attached: a close is not the last one.
    has_company: bool = false,
};

arena: Allocator,
/// What the store allocates from.
allocator: Allocator,
options: Options,
random: std.Random.Xoshiro256,
os: simulated.Os,
history: *History,
env: ?*Env = null,
/// Puts that were commits of their own.
single_count: u64 = 0,
/// Commits that were flushed before their pages were written.
ahead_count: u64 = 0,
/// Snapshots that are held while others write.
held: [held_max]?Held = @splat(null),

pub const held_max = 2;

const Held = struct { slot: u32, view: Env.View, digest: Model.Digest };

pub fn init(arena: Allocator, os: simulated.Os, history: *History, options: Options) Workload {
    return .{
        .arena = arena,
        .allocator = os.world.allocator,
        .options = options,
        .random = .init(options.seed),
        .os = os,
        .history = history,
    };
}

pub fn attachOptions(options: Options) attach.Options {
    return .{
        .page_size = options.page_size,
        .exclusive = options.exclusive,
        .settings = .{
            .checkpoint_size = options.checkpoint_size,
            .operations_size_max = options.operations_size_max,
            .frames_size_max = options.frames_size_max,
            .named_run_size_min = options.named_run_size_min,
            .whole_size_max = options.whole_size_max,
            .lock_timeout_ns = options.lock_timeout_ns,
        },
    };
}

pub fn open(self: *Workload) Error!void {
    assert(self.env == null);
    self.env = try attach.open(self.allocator, self.os, path, attachOptions(self.options));
}

pub fn close(self: *Workload) Error!void {
    const env = self.env orelse return;
    self.dropHeld();
    self.env = null;
    const newest = self.history.newest();
    const is_poisoned = env.lock.isPoisoned();
    try attach.close(env);
    if (!self.options.has_company and !is_poisoned) self.history.setFlushed(newest);
}

/// Lets everything go after the process was killed or a call has failed; what it still tries to
/// do does not matter.
pub fn abandon(self: *Workload) void {
    const env = self.env orelse return;
    self.dropHeld();
    self.env = null;
    attach.close(env) catch {};
}

/// One action, chosen at random.
pub fn step(self: *Workload) Error!void {
    const random = self.random.random();
    switch (random.uintLessThan(u32, 100)) {
        0...49 => try self.commit(),
        50...69 => try self.flush(),
        70...75 => try self.checkpointAll(),
        76...83 => try self.checkpointStep(),
        84...86 => {
            try self.close();
            try self.open();
        },
        87...90 => try self.abort(),
        91...94 => try self.hold(),
        else => try self.read(),
    }
}

pub fn flush(self: *Workload) Error!void {
    const newest = self.history.newest();
    if (self.random.random().boolean()) {
        try self.env.?.flushLog();
    } else try self.flushAsHost();
    self.history.setFlushed(newest);
}

/// As the host does it: it is told what to flush, and others commit meanwhile.
fn flushAsHost(self: *Workload) Error!void {
    const env = self.env.?;
    if (env.lock.isPoisoned()) return error.Poisoned;
    const wanted = env.unflushed();
    if (wanted.files == .none) return;
    if (wanted.files == .data_then_log) try env.flushFile();
    if (self.random.random().boolean()) try self.commit();
    env.log.flush() catch |failure| return env.poisoned(failure);
    env.lock.raiseFlushed(wanted.txnid);
}

pub fn checkpointAll(self: *Workload) Error!void {
    const newest = self.history.newest();
    try checkpoint.runAll(self.env.?);
    self.history.setFlushed(newest);
}

/// One step, as the host drives them: it flushes and confirms, unless others are faster.
pub fn checkpointStep(self: *Workload) Error!void {
    const env = self.env.?;
    const taken = try checkpoint.step(env, self.random.random().boolean());
    if (self.random.random().uintLessThan(u32, 4) == 0) return;
    switch (taken.need) {
        .nothing, .busy => return,
        .flush_file => try env.flushFile(),
        .flush_log => env.log.flush() catch |failure| return env.poisoned(failure),
    }
    try checkpoint.confirm(env, taken.ticket, true);
}

/// A transaction of some operations, committed.
pub fn commit(self: *Workload) Error!void {
    if (self.options.exclusive and self.random.random().boolean()) {
        for (0..4) |_| if (!try self.putSingle()) break;
    }
    // Most commits look for free pages at once: what is freed too early is used soon.
    if (self.random.random().uintLessThan(u32, 4) != 0) self.env.?.renewSpace();
    const history = self.history;
    var txn = try Txn.begin(self.env.?, self.env.?.settings.lock_timeout_ns);
    const next = self.change(&txn) catch |failure| {
        txn.abort();
        return failure;
    };
    const is_changed = txn.isChanged();
    if (is_changed) history.candidate = next;
    const is_ahead = self.commitAhead(&txn) catch |failure| {
        txn.abort();
        if (failure != error.Killed) try history.fail();
        return failure;
    };
    const txnid = txn.commit() catch |failure| {
        // Of a dead process somebody else finds out what became of it.
        if (failure != error.Killed) try history.fail();
        return failure;
    };
    if (!is_changed and next.digest != history.model.digest) return error.ModelDiffers;
    // Another process may have found it published before we were told.
    if (is_changed and txnid != history.txnid) try history.publish(next, txnid);
    if (!is_ahead) return;
    self.ahead_count += 1;
    const env = self.env.?;
    env.lock.raiseFlushed(txnid);
    // Another process may have published more since.
    if (history.txnid == txnid) history.setFlushed(history.newest());
}

/// Half of the commits write their record ahead of their pages, half of these are flushed before
/// the first page is written. True: the commit is durable as soon as it is published.
fn commitAhead(self: *Workload, txn: *Txn) Error!bool {
    const random = self.random.random();
    if (random.boolean()) return false;
    const is_aside = random.boolean();
    if (!try txn.writeAhead(if (is_aside) .another else .this_thread) or !is_aside) return false;
    const env = self.env.?;
    env.log.flush() catch |failure| return env.poisoned(failure);
    return true;
}

/// A put that is a commit of its own, by a process that has the store to itself. False: it was more
/// than that, and nothing was done.
fn putSingle(self: *Workload) Error!bool {
    const history = self.history;
    const env = self.env.?;
    try self.settle();
    const random = self.random.random();
    const table = if (random.boolean()) 0 else random.uintLessThan(usize, Model.names.len);
    var buffer: [512]u8 = undefined;
    const key = self.randomKey(&buffer);
    const value = try self.randomValue();
    var next = try history.model.clone();
    if (next.tables[table].exists) {
        _ = try next.put(table, key, value);
        history.candidate = next;
    }
    const target: single.Target = .{ .name = Model.names[table] };
    const result = single.put(env, env.settings.lock_timeout_ns, target, key, value);
    const txnid = result catch |failure| {
        if (failure != error.Killed) try history.fail();
        return failure;
    } orelse {
        history.candidate = null;
        return false;
    };
    if (!next.tables[table].exists) return error.ModelDiffers;
    self.single_count += 1;
    try history.publish(next, txnid);
    return true;
}

/// Some operations over the published state; returns the state they make.
fn change(self: *Workload, txn: *Txn) Error!Model {
    try self.settle();
    var next = try self.history.model.clone();
    if (self.options.exclusive and self.random.random().boolean()) {
        try self.putBatch(txn, &next);
    } else try self.operate(txn, &next);
    return next;
}

/// Ends the commit of a process that has died: what may lie in the file already is published by
/// the next one that writes.
pub fn takeOver(self: *Workload) Error!void {
    var txn = try Txn.begin(self.env.?, self.env.?.settings.lock_timeout_ns);
    defer txn.abort();
    try self.settle();
}

/// Decides, from what the store holds, about a commit whose process has died or has not been told
/// yet. The writer lock is held.
fn settle(self: *Workload) Error!void {
    if (self.history.candidate == null) return;
    const txnid = self.env.?.lock.published().txnid;
    try self.history.settle(try digestOf(self.env.?), txnid);
}

/// A transaction that leaves no trace.
fn abort(self: *Workload) Error!void {
    var txn = try Txn.begin(self.env.?, self.env.?.settings.lock_timeout_ns);
    defer txn.abort();
    _ = try self.change(&txn);
}

/// Pins the published state for a while, or compares one pinned earlier and lets it go.
fn hold(self: *Workload) Error!void {
    const place = &self.held[self.random.random().uintLessThan(usize, held_max)];
    const lock = &self.env.?.lock;
    if (place.*) |*held| {
        const found = try Model.readDigest(&held.view);
        Readers.give(lock, held.slot);
        const expected = held.digest;
        place.* = null;
        if (found != expected) return error.ModelDiffers;
        return;
    }
    const slot = try Readers.take(lock);
    errdefer Readers.give(lock, slot);
    const view = try self.env.?.viewOf(Readers.pin(lock, slot).state);
    place.* = .{ .slot = slot, .view = view, .digest = try Model.readDigest(&view) };
}

fn dropHeld(self: *Workload) void {
    for (&self.held) |*place| {
        if (place.*) |held| Readers.give(&self.env.?.lock, held.slot);
        place.* = null;
    }
}

fn operate(self: *Workload, txn: *Txn, model: *Model) Error!void {
    const random = self.random.random();
    const count = 1 + random.uintLessThan(u32, self.options.operation_count_max);
    for (0..count) |_| {
        if (random.uintLessThan(u32, 10) == 0) {
            const level = try txn.savepoint();
            var inner = try model.clone();
            try self.operation(txn, &inner);
            try self.operation(txn, &inner);
            if (random.boolean()) {
                txn.release(level);
                model.* = inner;
            } else txn.rollback(level);
        } else try self.operation(txn, model);
    }
}

/// Puts into one table and nothing else: their commit may change frames in place.
fn putBatch(self: *Workload, txn: *Txn, model: *Model) Error!void {
    const random = self.random.random();
    const table = if (random.boolean()) 0 else random.uintLessThan(usize, Model.names.len);
    const index = try txn.open(Model.names[table]);
    try create(txn, index, model, table);
    for (0..1 + random.uintLessThan(u32, self.options.operation_count_max)) |_| {
        var buffer: [512]u8 = undefined;
        const key = self.randomKey(&buffer);
        const value = try self.randomValue();
        if (!try txn.put(index, key, value, .upsert)) return error.ModelDiffers;
        _ = try model.put(table, key, value);
    }
    if (random.uintLessThan(u32, 4) == 0) try self.putMany(txn, index, model, table);
}

/// One change, made to the store and to the model, which must agree on its effect.
fn operation(self: *Workload, txn: *Txn, model: *Model) Error!void {
    const random = self.random.random();
    const table = if (random.boolean()) 0 else random.uintLessThan(usize, Model.names.len);
    const index = try txn.open(Model.names[table]);
    var buffers: [2][512]u8 = undefined;
    const key = self.randomKey(&buffers[0]);
    switch (random.uintLessThan(u32, 100)) {
        0...59 => {
            const value = try self.randomValue();
            try create(txn, index, model, table);
            if (!try txn.put(index, key, value, .upsert)) return error.ModelDiffers;
            _ = try model.put(table, key, value);
        },
        60...64 => {
            try create(txn, index, model, table);
            try self.putMany(txn, index, model, table);
        },
        65...84 => try agree(bool, try txn.remove(index, key), model.remove(table, key)),
        85...93 => {
            const other = self.randomKey(&buffers[1]);
            const is_ordered = std.mem.order(u8, key, other) != .gt;
            const start = if (is_ordered) key else other;
            const end = if (is_ordered) other else key;
            const removed = try txn.removeRange(index, start, end);
            try agree(u64, removed, try model.removeRange(table, start, end));
        },
        94...96 => try agree(u64, try txn.clear(index), try model.removeRange(table, null, null)),
        else => if (table > 0) try agree(bool, try txn.drop(index), try model.drop(table)),
    }
}

/// A put creates the table.
fn create(txn: *Txn, index: u32, model: *Model, table: usize) Error!void {
    if (table == 0) return;
    try txn.prepare(index, .{});
    model.create(table);
}

fn putMany(self: *Workload, txn: *Txn, index: u32, model: *Model, table: usize) Error!void {
    var buffers: [10][512]u8 = undefined;
    var rows: [buffers.len]Txn.Row = undefined;
    for (&rows, &buffers) |*row, *buffer| {
        row.* = .{ .key = self.randomKey(buffer), .value = try self.randomValue() };
        _ = try model.put(table, row.key, row.value);
    }
    try agree(u32, try txn.putMany(index, &rows, .upsert), rows.len);
}

fn agree(comptime T: type, found: T, expected: T) error{ModelDiffers}!void {
    if (found != expected) return error.ModelDiffers;
}

/// A key of the pool; some are long, so that they have tails in overflow pages.
fn randomKey(self: *Workload, buffer: *[512]u8) []const u8 {
    const number = self.random.random().uintLessThan(u32, self.options.key_count);
    const key = std.fmt.bufPrint(buffer, "key {d:0>6}", .{number}) catch unreachable;
    const size: usize = switch (number % 8) {
        0 => 200,
        1 => 60,
        else => key.len,
    };
    @memset(buffer[key.len..size], 'x');
    return buffer[0..size];
}

fn randomValue(self: *Workload) error{OutOfMemory}![]const u8 {
    const random = self.random.random();
    const chosen = random.uintLessThan(u32, 100);
    const limit: u32 = if (chosen >= 100 - self.options.large_share)
        self.options.value_size_max
    else if (chosen < 60) 40 else 300;
    const value = try self.arena.alloc(u8, random.uintAtMost(u32, limit));
    random.bytes(value);
    return value;
}

/// Compares the published state with the model, and the snapshots held with what they were.
pub fn read(self: *Workload) Error!void {
    for (&self.held) |*place| if (place.*) |*held| {
        if (try Model.readDigest(&held.view) != held.digest) return error.ModelDiffers;
    };
    if (!self.history.isPublished(try digestOf(self.env.?))) return error.ModelDiffers;
}

/// The digest of the published state, pinned while it is read.
pub fn digestOf(env: *Env) Error!Model.Digest {
    const slot = try Readers.take(&env.lock);
    defer Readers.give(&env.lock, slot);
    const pinned = Readers.pin(&env.lock, slot);
    const view = try env.viewOf(pinned.state);
    return Model.readDigest(&view);
}

/// An entry that no workload writes, so that a store opened after a crash can be written to and
/// its state still be known. Marks of odd numbers have values in overflow pages.
pub const Mark = struct {
    key: [16]u8,
    value: [900]u8,
    size: usize,

    pub fn of(number: u8) Mark {
        var self: Mark = .{ .key = @splat('m'), .value = @splat(number), .size = 10 };
        self.key[0] = number;
        if (number % 2 == 1) self.size = self.value.len;
        return self;
    }

    pub fn digest(self: *const Mark) Model.Digest {
        return Model.entryDigest(null, &self.key, self.value[0..self.size]);
    }

    /// Commits it; it must be new.
    pub fn commit(self: *const Mark, env: *Env) Error!void {
        var txn = try Txn.begin(env, env.settings.lock_timeout_ns);
        const value = self.value[0..self.size];
        const stored = txn.put(0, &self.key, value, .absent_only) catch |failure| {
            txn.abort();
            return failure;
        };
        _ = try txn.commit();
        if (!stored) return error.ModelDiffers;
    }
};

/// The store's own check, leaks included: everything is either used once or free.
pub fn check(env: *Env) (Error || error{CheckFailed})!void {
    const run = try checker.Check.create(env, .{ .exact_timeout_ns = 0 });
    defer run.deinit();
    while (!try run.step(1 << 20)) {}
    if (run.progress().errors == 0 and run.isExact()) return;
    for (run.findings()) |finding| {
        std.debug.print("check: page {d}: {s}\n", .{ finding.pgno, finding.message });
    }
    return error.CheckFailed;
}
