//! A process that works on a store at random, beside a model that says what every published state
//! holds. The seed decides everything. It is what the crash, fault and process tests run, stop and
//! compare: `isAllowedAfterPowerCut` and `isPublished` are the whole contract of durability.
//!
//! Between two calls the model is the published state. During a commit `candidate` is the state
//! it may publish: both are then allowed, as no caller has been told yet.

const std = @import("std");
const assert = std.debug.assert;
const Allocator = std.mem.Allocator;
const simulated = @import("../os/simulated.zig");
const attach = @import("../txn/attach.zig");
const checkpoint = @import("../txn/checkpoint.zig");
const Readers = @import("../store/Readers.zig");
const Env = @import("../txn/Env.zig");
const Txn = @import("../txn/Txn.zig");
const Model = @import("Model.zig");

const Workload = @This();

pub const path = "/disk/x";
pub const Error = attach.Error || Txn.Error || error{ModelDiffers};

pub const Options = struct {
    seed: u64,
    page_size: u32 = 512,
    checkpoint_size: u64 = 16 << 20,
    /// Keys of a table.
    key_count: u32 = 40,
    /// Most operations of a transaction.
    operation_count_max: u32 = 6,
    /// Longest value, bytes.
    value_size_max: u32 = 4000,
};

/// What the process does next, with its share of a hundred.
const Action = enum { commit, flush, checkpoint, step, reopen, abort, read };

arena: Allocator,
options: Options,
random: std.Random.Xoshiro256,
os: simulated.Os,
env: ?*Env = null,
/// The published state.
model: Model,
/// Digests of the published states, the first being the empty store.
published: std.ArrayList(Model.Digest) = .empty,
/// Place in `published` of the newest one known to be durable.
flushed: usize = 0,
/// The state that a commit under way may publish.
candidate: ?Model.Digest = null,
/// The highest txnid that was published.
txnid: u64 = 0,

pub fn init(arena: Allocator, os: simulated.Os, options: Options) !Workload {
    var self: Workload = .{
        .arena = arena,
        .options = options,
        .random = .init(options.seed),
        .os = os,
        .model = .init(arena),
    };
    try self.published.append(arena, 0);
    return self;
}

pub fn attachOptions(options: Options) attach.Options {
    return .{
        .page_size = options.page_size,
        .settings = .{ .checkpoint_size = options.checkpoint_size },
    };
}

pub fn open(self: *Workload) Error!void {
    assert(self.env == null);
    const allocator = self.os.world.allocator;
    self.env = try attach.open(allocator, self.os, path, attachOptions(self.options));
}

pub fn close(self: *Workload) Error!void {
    const env = self.env orelse return;
    self.env = null;
    const newest = self.published.items.len - 1;
    try attach.close(env);
    self.flushed = newest;
}

/// Whether a power cut at this moment may leave the state: not older than what is known to be
/// durable, and whole.
pub fn isAllowedAfterPowerCut(self: *const Workload, digest: Model.Digest) bool {
    if (self.candidate == digest) return true;
    return std.mem.indexOfScalar(Model.Digest, self.published.items[self.flushed..], digest) != null;
}

/// Whether the state is the published one, or the one that a commit under way may have published.
pub fn isPublished(self: *const Workload, digest: Model.Digest) bool {
    return self.model.digest == digest or self.candidate == digest;
}

/// One action, chosen at random.
pub fn step(self: *Workload) Error!void {
    const random = self.random.random();
    switch (random.uintLessThan(u32, 100)) {
        0...54 => try self.commit(),
        55...74 => try self.flush(),
        75...80 => try self.checkpointAll(),
        81...88 => try self.checkpointStep(),
        89...91 => {
            try self.close();
            try self.open();
        },
        92...95 => try self.abort(),
        else => try self.read(),
    }
}

pub fn flush(self: *Workload) Error!void {
    const newest = self.published.items.len - 1;
    try self.env.?.flushLog();
    self.flushed = newest;
}

pub fn checkpointAll(self: *Workload) Error!void {
    const newest = self.published.items.len - 1;
    try checkpoint.runAll(self.env.?);
    self.flushed = newest;
}

/// One step, as the host drives them: it flushes and confirms.
pub fn checkpointStep(self: *Workload) Error!void {
    const env = self.env.?;
    const taken = try checkpoint.step(env, self.random.random().boolean());
    switch (taken.need) {
        .nothing, .busy => return,
        .flush_file => try env.flushFile(),
        .flush_log => env.log.flush() catch |failure| return env.poisoned(failure),
    }
    try checkpoint.confirm(env, taken.ticket, true);
}

/// A transaction of some operations, committed.
pub fn commit(self: *Workload) Error!void {
    var txn = try Txn.begin(self.env.?, self.env.?.settings.lock_timeout_ns);
    var next = try self.model.clone();
    self.operate(&txn, &next) catch |failure| {
        txn.abort();
        return failure;
    };
    if (txn.isChanged()) self.candidate = next.digest;
    const txnid = try txn.commit();
    self.candidate = null;
    if (next.digest == self.model.digest and txnid == self.txnid) return;
    try self.publish(next, txnid);
}

fn publish(self: *Workload, next: Model, txnid: u64) Error!void {
    // A number that a reader may have seen is never given to another state.
    if (txnid <= self.txnid) return error.ModelDiffers;
    self.model = next;
    self.txnid = txnid;
    try self.published.append(self.arena, next.digest);
}

/// A transaction that leaves no trace.
fn abort(self: *Workload) Error!void {
    var txn = try Txn.begin(self.env.?, self.env.?.settings.lock_timeout_ns);
    defer txn.abort();
    var forgotten = try self.model.clone();
    try self.operate(&txn, &forgotten);
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

/// One change, made to the store and to the model, which must agree on its effect.
fn operation(self: *Workload, txn: *Txn, model: *Model) Error!void {
    const random = self.random.random();
    const table = if (random.boolean()) 0 else random.uintLessThan(usize, Model.names.len);
    const index = try txn.open(Model.names[table]);
    var buffers: [2][512]u8 = undefined;
    const key = self.randomKey(&buffers[0]);
    switch (random.uintLessThan(u32, 100)) {
        0...64 => {
            const value = try self.randomValue();
            if (table > 0) {
                try txn.prepare(index, .{});
                model.create(table);
            }
            if (!try txn.put(index, key, value, .upsert)) return error.ModelDiffers;
            _ = try model.put(table, key, value);
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
    const limit: u32 = switch (random.uintLessThan(u32, 100)) {
        0...59 => 40,
        60...89 => 300,
        else => self.options.value_size_max,
    };
    const value = try self.arena.alloc(u8, random.uintAtMost(u32, limit));
    random.bytes(value);
    return value;
}

/// Compares the published state with the model.
pub fn read(self: *Workload) Error!void {
    if (try digestOf(self.env.?) != self.model.digest) return error.ModelDiffers;
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

/// The store's own check of everything that the newest state reaches and does not.
pub fn check(env: *Env) Error!void {
    _ = env;
}
