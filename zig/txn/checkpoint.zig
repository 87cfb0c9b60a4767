//! Checkpoints: what makes the data file stand alone again, so that a half of the log can be used
//! anew. Driven in steps that any thread of any attached process may take, because a flush covers
//! the file, not the descriptor; writers go on between them.
//!
//! ```
//! idle -> switching      freelist written, switch record written, meta prepared
//!      -> begun          a state published whose log goes on in the other half: all of this
//!                        under the writer lock as one step
//! begun -> data_flushed  a flush of the data file that began after `begun`
//!      -> meta_written   set before the first byte of the meta is written
//!      -> completed      a flush of the data file that began after the meta was written
//!      -> idle           the other half has a new header and salt, and a flush of the log, or of
//!                        the header alone where the step itself does it
//! ```
//! Invariants: the pages of the last completed checkpoint and of the running one are protected in
//! every phase; the meta of the last completed one is never overwritten; a half keeps its records
//! until the checkpoint that covers them is completed; a failed flush poisons.

const std = @import("std");
const assert = std.debug.assert;
const explain = @import("../explain.zig");
const meta_format = @import("../format/meta.zig");
const freelist = @import("../format/freelist.zig");
const record = @import("../format/record.zig");
const os_types = @import("../os/types.zig");
const Lock = @import("../store/Lock.zig");
const Log = @import("../store/Log.zig");
const Readers = @import("../store/Readers.zig");
const Env = @import("Env.zig");
const seal = @import("seal.zig");

const Error = Env.Error;
const Phase = Lock.Phase;

/// What a step waits for. The caller flushes and then calls `confirm` with the ticket.
pub const Need = enum { nothing, flush_file, flush_log, busy };
pub const Ticket = struct { txnid: u64 = 0, phase: Phase = .idle };
pub const Step = struct { need: Need, ticket: Ticket = .{} };

fn phaseOf(env: *const Env) Error!Phase {
    const phase: Phase = @enumFromInt(env.lock.shared.checkpoint.phase.load(.seq_cst));
    return switch (phase) {
        .idle, .begun, .data_flushed, .meta_written, .completed, .switching => phase,
        _ => error.Corrupt,
    };
}

fn setPhase(env: *Env, phase: Phase) void {
    env.lock.shared.checkpoint.phase.store(@intFromEnum(phase), .seq_cst);
}

/// Takes the writer lock and brings this process up to the published state, which it returns, with
/// whatever a dead writer's bulk commit left settled and the store marked open. `Env.endWrite`
/// gives the lock back.
pub fn beginWrite(env: *Env, timeout_ns: u64) Error!Lock.State {
    try env.lockWrite(timeout_ns);
    errdefer env.endWrite();
    if (try phaseOf(env) == .switching) settleSwitch(env);
    try settleBulk(env);
    const state = env.lock.published();
    try env.checkState(state);
    try env.boundUnflushed(state);
    try env.follow(state);
    if (env.lock.shared.closed.load(.acquire) != 0) try markOpen(env);
    return state;
}

/// Pins the newest state in `slot`, every page of it being in the file, for who reads it there.
/// Where that is not so yet, the writer lock is waited for at most `timeout_ns`: `Busy`.
pub fn pinSealed(env: *Env, slot: u32, timeout_ns: u64) Error!Lock.State {
    const newest = Readers.pin(&env.lock, slot).state;
    if (seal.isSealed(newest)) return newest;
    var state = try beginWrite(env, timeout_ns);
    defer env.endWrite();
    try seal.commit(env, &state);
    return Readers.pin(&env.lock, slot).state;
}

/// A store that was closed cleanly says so in its newest meta. Before the first record after that,
/// a meta without the mark goes to the other page, flushed.
fn markOpen(env: *Env) Error!void {
    if (!env.names_flushed) try flushNames(env);
    var meta = env.completedMeta() orelse return error.Corrupt;
    meta.setClosed(false);
    try replaceMeta(env, meta);
    env.lock.shared.closed.store(0, .release);
}

/// Makes the names of the three files durable. Who made them may have been killed before that, and
/// a log whose name is lost takes its commits along.
fn flushNames(env: *Env) Error!void {
    var buffer: [os_types.path_size_max]u8 = undefined;
    const parent = std.fs.path.dirnamePosix(env.path) orelse "/";
    @memcpy(buffer[0..parent.len], parent);
    buffer[parent.len] = 0;
    env.os.flushDirectory(buffer[0..parent.len :0]) catch |err| return env.poisoned(err);
}

/// Writes `meta`, which differs from the newest one in its marks only, to the other page, and
/// flushes it. The writer lock is held and no checkpoint is running.
pub fn replaceMeta(env: *Env, meta: meta_format.Meta) Error!void {
    var next = meta;
    next.sequence += 1;
    const slot: u32 = @intCast(next.sequence % 2);
    const bytes = meta_format.encode(next, slot);
    try env.file.write(slot, &bytes);
    try env.flushFile();
    env.setCompletedMeta(bytes);
}

/// True if the log, with the runs that it names, has grown so far that a checkpoint should begin.
pub fn isWanted(env: *const Env, state: Lock.State) bool {
    return state.log_offset +| state.run_size >= sizeWanted(env, state);
}

fn sizeWanted(env: *const Env, state: Lock.State) u64 {
    const fixed = env.settings.checkpoint_size;
    return if (fixed > 0) fixed else automaticSize(state.page_count, env.file.page_size);
}

/// What a process does that writes on without hearing of flushes: it begins a checkpoint and has
/// the data file flushed aside, again when some more is to be flushed, and ends the checkpoint when
/// what was written since takes little time to flush.
pub const Urgency = enum(u32) {
    none,
    /// None is under way, and one should begin.
    wanted,
    /// One is under way, and there is log for a quarter of the next.
    ahead,
    /// The same, and a little more.
    due,
};

pub fn urgency(env: *const Env, state: Lock.State) Urgency {
    const is_idle = env.lock.shared.checkpoint.phase.load(.monotonic) == @intFromEnum(Phase.idle);
    const limit = sizeWanted(env, state);
    return urgencyOf(state.log_offset +| state.run_size, limit, is_idle);
}

fn urgencyOf(size: u64, limit: u64, is_idle: bool) Urgency {
    if (is_idle) return if (size >= limit) .wanted else .none;
    if (size < limit / 4) return .none;
    return if (size < limit / 4 + limit / 16) .ahead else .due;
}

/// Half of the data file, within bounds. A checkpoint flushes at most every page of the file, so
/// what it flushes is at most twice what was logged before it.
fn automaticSize(page_count: u32, page_size: u32) u64 {
    const half_of_file = @as(u64, page_count) * page_size / 2;
    return std.math.clamp(half_of_file, Env.checkpoint_size_min, Env.checkpoint_size_max);
}

/// Takes the next step. `begin`: start a new checkpoint if none is running and there is something
/// to write. The writer lock is only tried for that: its holder may be waiting for this lock.
pub fn step(env: *Env, begin: bool) Error!Step {
    return stepBy(env, begin, .caller);
}

/// Who flushes the recycled half's header: the caller of the step can flush a whole file only.
const Flusher = enum { caller, step };

fn stepBy(env: *Env, begin: bool, flusher: Flusher) Error!Step {
    try env.checkFork();
    if (env.settings.read_only or env.slotless != null) return error.ReadOnly;
    if (env.lock.isPoisoned()) return error.Poisoned;
    if (env.lock.shared.checkpoint.bulk != 0 and !try trySettle(env)) return .{ .need = .busy };
    if (!try env.lock.tryLockCheckpoint()) return .{ .need = .busy };
    defer env.lock.unlockCheckpoint();
    const shared = env.lock.shared;
    // We hold the lock that its owner held: it died.
    if (try phaseOf(env) == .switching) settleSwitch(env);
    if (try phaseOf(env) == .idle) {
        if (!begin) return .{ .need = .nothing };
        if (!try tryBegin(env)) return .{ .need = .busy };
        if (try phaseOf(env) == .idle) return .{ .need = .nothing };
    }
    // A bulk commit is driven by its writer, or settled by the next one.
    if (shared.checkpoint.bulk != 0) return .{ .need = .busy };
    return advance(env, flusher);
}

/// Moves on to the next flush that is needed. The checkpoint lock is held.
fn advance(env: *Env, flusher: Flusher) Error!Step {
    const checkpoint = &env.lock.shared.checkpoint;
    const txnid = checkpoint.txnid.load(.seq_cst);
    switch (try phaseOf(env)) {
        .idle => return .{ .need = .nothing },
        .begun => {},
        .data_flushed, .meta_written => {
            // From here on the system may write the meta back by itself.
            setPhase(env, .meta_written);
            if (checkpoint.slot > 1) return error.Corrupt;
            try env.file.write(checkpoint.slot, &checkpoint.meta);
        },
        .completed => {
            const header = try recycledHeader(env);
            try env.log.writeHeader(header);
            const ticket: Ticket = .{ .txnid = txnid, .phase = .completed };
            if (flusher == .caller) return .{ .need = .flush_log, .ticket = ticket };
            env.log.flushHeader(header) catch |err| return env.poisoned(err);
            try confirmLocked(env, ticket);
            return .{ .need = .nothing };
        },
        // Settled before anybody advances.
        .switching => return error.Corrupt,
        _ => unreachable, // phaseOf returns no other
    }
    return .{ .need = .flush_file, .ticket = .{ .txnid = txnid, .phase = try phaseOf(env) } };
}

/// The flush that `ticket` asked for has succeeded, or failed. A ticket that another process has
/// overtaken is ignored.
pub fn confirm(env: *Env, ticket: Ticket, succeeded: bool) Error!void {
    if (!succeeded) return env.poisoned(error.Io);
    try lockCheckpoint(env, env.settings.lock_timeout_ns);
    defer env.lock.unlockCheckpoint();
    try confirmLocked(env, ticket);
}

fn confirmLocked(env: *Env, ticket: Ticket) Error!void {
    const checkpoint = &env.lock.shared.checkpoint;
    if (checkpoint.txnid.load(.seq_cst) != ticket.txnid) return;
    if (try phaseOf(env) != ticket.phase) return;
    switch (ticket.phase) {
        .begun => setPhase(env, .data_flushed),
        .meta_written => try complete(env),
        .completed => {
            env.lock.shared.half_salt[checkpoint.recycle_half & 1] = checkpoint.recycle_salt;
            checkpoint.bulk = 0;
            setPhase(env, .idle);
        },
        else => {},
    }
}

/// The meta is durable.
fn complete(env: *Env) Error!void {
    const shared = env.lock.shared;
    const checkpoint = &shared.checkpoint;
    const meta = meta_format.decode(&checkpoint.meta, checkpoint.slot & 1) catch
        return error.Corrupt;
    env.os.random(std.mem.asBytes(&checkpoint.recycle_salt));
    checkpoint.recycle_half = 1 - meta.log_half;
    env.setCompletedMeta(checkpoint.meta);
    env.lock.raiseFlushed(meta.txnid);
    shared.checkpoint_txnid.store(meta.txnid, .seq_cst);
    if (checkpoint.bulk != 0) env.lock.publish(checkpoint.bulk_state);
    setPhase(env, .completed);
}

/// A fresh header for the half whose records the completed checkpoint covers.
fn recycledHeader(env: *const Env) Error!record.HalfHeader {
    const shared = env.lock.shared;
    const checkpoint = &shared.checkpoint;
    const meta = meta_format.decode(&checkpoint.meta, checkpoint.slot & 1) catch
        return error.Corrupt;
    return .{
        .store_id = env.store_id,
        .salt = checkpoint.recycle_salt,
        .half = checkpoint.recycle_half & 1,
        .checkpoint = meta.txnid,
        .sequence = meta.sequence,
    };
}

/// Waits for the checkpoint lock, which nobody holds longer than one step.
fn lockCheckpoint(env: *Env, timeout_ns: u64) Error!void {
    const end = env.os.now() +| timeout_ns;
    const word = &env.lock.shared.checkpoint.phase;
    while (!try env.lock.tryLockCheckpoint()) {
        if (env.os.now() >= end) return error.Busy;
        env.os.wait(word, word.load(.monotonic), 200 * std.time.ns_per_us);
    }
}

/// Settles what a dead writer's bulk commit left, as every writer does first. False: a writer is at
/// work, perhaps on that commit.
fn trySettle(env: *Env) Error!bool {
    _ = beginWrite(env, 0) catch |err| switch (err) {
        error.Busy => return false,
        else => return err,
    };
    env.endWrite();
    return true;
}

/// Drives a whole checkpoint, flushing here. Nothing to do if the newest state has one.
pub fn runAll(env: *Env) Error!void {
    const end = env.os.now() +| env.settings.lock_timeout_ns;
    const target = env.lock.published().txnid;
    while (true) {
        const covered = env.lock.shared.checkpoint_txnid.load(.seq_cst) >= target;
        const taken = try stepBy(env, !covered, .step);
        switch (taken.need) {
            .nothing => if (covered) return,
            .busy => try waitForStep(env, end),
            .flush_file => {
                try env.flushFile();
                try confirm(env, taken.ticket, true);
            },
            .flush_log => unreachable, // the step does it
        }
    }
}

/// Drives what is under way to its end, flushing here, and begins nothing.
pub fn finish(env: *Env) Error!void {
    const end = env.os.now() +| env.settings.lock_timeout_ns;
    while (true) {
        const taken = try stepBy(env, false, .step);
        switch (taken.need) {
            .nothing => return,
            .busy => try waitForStep(env, end),
            .flush_file => {
                try env.flushFile();
                try confirm(env, taken.ticket, true);
            },
            .flush_log => unreachable, // the step does it
        }
    }
}

/// Waits for a step that somebody else takes, at most until `end`.
fn waitForStep(env: *Env, end: u64) Error!void {
    if (env.os.now() >= end) return error.Busy;
    const word = &env.lock.shared.checkpoint.phase;
    env.os.wait(word, word.load(.monotonic), 200 * std.time.ns_per_us);
}

/// Drives what is running to its end. The checkpoint lock is held.
fn finishLocked(env: *Env) Error!void {
    while (true) {
        const taken = try advance(env, .step);
        switch (taken.need) {
            .nothing => return,
            .flush_file => try env.flushFile(),
            .flush_log, .busy => unreachable, // the step does the one, the other is no answer
        }
        try confirmLocked(env, taken.ticket);
    }
}

/// False: a writer is at work. The checkpoint lock is held.
fn tryBegin(env: *Env) Error!bool {
    var state = beginWrite(env, 0) catch |err| switch (err) {
        error.Busy => return false,
        else => return err,
    };
    defer env.endWrite();
    if (state.txnid == env.lock.shared.checkpoint_txnid.load(.seq_cst)) return true;
    try seal.commit(env, &state);
    errdefer env.followed = null;
    try env.beginSpace(state.txnid);
    errdefer env.space.abort();
    if (env.is_leaving) env.space.takeFirst();
    const list = try reserveFreelist(env);
    defer env.allocator.free(list);
    try env.space.reserveCommit();
    try env.clearBuffer();
    const salt = env.lock.shared.half_salt[1 - state.log_half];
    try env.buffer.appendSlice(env.allocator, std.mem.asBytes(&salt));
    try env.writeSpace();
    try env.file.reserve(env.space.page_count);
    env.space.commit();
    if (env.is_leaving) env.space.cutEnd();
    const root = try writeFreelist(env, state.txnid, list);
    try env.appendRecord(&state, .@"switch", 8);
    switchHalf(&state, salt);
    state.page_count = env.space.page_count;
    try prepare(env, state, root, false);
    // Killed between these, the next writer or step finds out from the published state.
    setPhase(env, .switching);
    env.lock.publish(state);
    setPhase(env, .begun);
    env.setFollowed(state);
    return true;
}

/// A process that died while it switched the log: if the state whose log goes on in the other half
/// was published the checkpoint has begun, else nothing has happened. Whoever settles it comes to
/// the same, as every later state keeps the half and its salt.
fn settleSwitch(env: *Env) void {
    const checkpoint = &env.lock.shared.checkpoint;
    const is_switched = env.lock.published().log_salt == checkpoint.bulk_state.log_salt;
    const to: Phase = if (is_switched) .begun else .idle;
    _ = checkpoint.phase.cmpxchgStrong(
        @intFromEnum(Phase.switching),
        @intFromEnum(to),
        .seq_cst,
        .seq_cst,
    );
}

fn switchHalf(state: *Lock.State, salt: u64) void {
    state.log_half = 1 - state.log_half;
    state.log_offset = Log.first_offset;
    state.log_chain = salt;
    state.log_salt = salt;
    state.run_size = 0;
}

/// Puts the meta of `state` into the shared checkpoint; the phase is still idle.
fn prepare(env: *Env, state: Lock.State, root: meta_format.Freelist, bulk: bool) Error!void {
    const checkpoint = &env.lock.shared.checkpoint;
    var meta = env.completedMeta() orelse return error.Corrupt;
    fillMeta(&meta, state);
    meta.sequence += 1;
    meta.setClosed(false);
    meta.freelist = root;
    meta.free_page_count = env.space.freeCount();
    checkpoint.slot = @intCast(meta.sequence % 2);
    checkpoint.meta = meta_format.encode(meta, checkpoint.slot);
    checkpoint.bulk = @intFromBool(bulk);
    checkpoint.bulk_state = state;
    checkpoint.txnid.store(state.txnid, .seq_cst);
}

/// What a meta takes over from a state.
pub fn fillMeta(meta: *meta_format.Meta, state: Lock.State) void {
    assert(seal.isSealed(state));
    meta.txnid = state.txnid;
    meta.page_count = state.page_count;
    meta.table_id_next = state.table_id_next;
    meta.table_count = state.table_count;
    meta.main = state.main;
    meta.catalogue = state.catalogue;
    meta.log_half = state.log_half;
    meta.log_salt = state.log_salt;
}

/// Gives back the pages of the last checkpoint's freelist and takes as many as the next one may
/// need. The caller frees the slice.
pub fn reserveFreelist(env: *Env) Error![]u32 {
    const meta = env.completedMeta() orelse return error.Corrupt;
    var chain = Env.FreelistChain.init(env, meta);
    while (try chain.next()) |item| try env.space.release(item.pgno, 1, meta.txnid);
    // What was given only becomes free with the commit: it counts at its longest.
    var size: usize = freelist.run_size_max * env.space.given.items.len;
    const runs = try env.space.freeRuns(env.allocator);
    defer env.allocator.free(runs);
    var end: u32 = 2;
    for (runs) |free| {
        size += freelist.sizeOf(free, end, env.space.txnid);
        end = free.pgno + free.count;
    }
    if (size == 0) return env.allocator.alloc(u32, 0);
    const room = env.file.page_size - freelist.header_size - freelist.run_size_max;
    // Each page taken can cut a run in two, each page begins anew from page 2.
    var count = size / room + 1;
    count += count * 2 * freelist.run_size_max / room + 1;
    const list = try env.allocator.alloc(u32, count);
    errdefer env.allocator.free(list);
    for (list) |*pgno| pgno.* = try env.space.allocate(1);
    return list;
}

/// Writes what is free now to the reserved pages, chained from the last to the first.
pub fn writeFreelist(env: *Env, txnid: u64, list: []const u32) Error!meta_format.Freelist {
    const page_size = env.file.page_size;
    const bytes = try env.allocator.alignedAlloc(u8, .@"64", list.len * page_size);
    defer env.allocator.free(bytes);
    const used = try env.allocator.alloc(usize, list.len);
    defer env.allocator.free(used);
    const runs = try env.space.freeRuns(env.allocator);
    defer env.allocator.free(runs);
    var next: usize = 0;
    for (used, 0..) |*size, index| {
        const page: []align(8) u8 = @alignCast(bytes[index * page_size ..][0..page_size]);
        var writer: freelist.Writer = .init(page, txnid);
        while (next < runs.len and writer.add(runs[next])) next += 1;
        size.* = writer.used;
    }
    if (next < runs.len) {
        explain.set("the free pages of {s} do not fit the {d} reserved", .{ env.path, list.len });
        return error.Unexpected;
    }
    var root: meta_format.Freelist = .{ .page_count = @intCast(list.len) };
    var index = list.len;
    while (index > 0) {
        index -= 1;
        const out: []align(8) u8 = @alignCast(bytes[index * page_size ..][0..page_size]);
        root.checksum =
            freelist.seal(out, used[index], list[index], txnid, root.pgno, root.checksum);
        root.pgno = list[index];
        try env.file.write(list[index], out);
    }
    return root;
}

/// Commits a transaction too large for the log: its sealed pages, flushed, and a meta of its own.
/// The writer lock is held; no later record exists before the last flush.
pub fn commitBulk(env: *Env, state: *Lock.State) Error!void {
    try lockCheckpoint(env, env.settings.lock_timeout_ns);
    defer env.lock.unlockCheckpoint();
    try finishLocked(env);
    errdefer env.followed = null;
    const list = try reserveFreelist(env);
    defer env.allocator.free(list);
    try env.space.reserveCommit();
    try env.file.reserve(env.space.page_count);
    try env.clearBuffer();
    var marked = state.*;
    try env.appendRecord(&marked, .bulk, 0);
    env.space.commit();
    const root = try writeFreelist(env, state.txnid, list);
    switchHalf(state, env.lock.shared.half_salt[1 - state.log_half]);
    state.page_count = env.space.page_count;
    try prepare(env, state.*, root, true);
    setPhase(env, .begun);
    finishLocked(env) catch |err| switch (try phaseOf(env)) {
        .begun, .data_flushed => {
            env.lock.shared.checkpoint.bulk = 0;
            setPhase(env, .idle);
            return err;
        },
        // Durable and published; the half of the log can be recycled by whoever comes next.
        .completed => if (err == error.Killed) return err,
        // Nobody can tell before the next open whether it exists.
        else => return env.poisoned(err),
    };
    env.lock.shared.checkpoint.bulk = 0;
    env.setFollowed(state.*);
}

/// A writer that died in a bulk commit: without a meta that may have been written nothing of it
/// exists; else it is finished and published. The writer lock is held.
fn settleBulk(env: *Env) Error!void {
    const checkpoint = &env.lock.shared.checkpoint;
    if (checkpoint.bulk == 0 or try phaseOf(env) == .idle) return;
    try lockCheckpoint(env, env.settings.lock_timeout_ns);
    defer env.lock.unlockCheckpoint();
    switch (try phaseOf(env)) {
        .idle, .switching => {},
        .begun, .data_flushed => {
            checkpoint.bulk = 0;
            setPhase(env, .idle);
        },
        else => try finishLocked(env),
    }
    checkpoint.bulk = 0;
}

test "a checkpoint is wanted after half of the file, within bounds" {
    const mib = 1 << 20;
    try std.testing.expectEqual(16 * mib, automaticSize(2, 4096));
    try std.testing.expectEqual(16 * mib, automaticSize(32 * mib / 4096, 4096));
    try std.testing.expectEqual(75 * mib, automaticSize(150 * mib / 4096, 4096));
    try std.testing.expectEqual(128 * mib, automaticSize(std.math.maxInt(u32), 65536));
}

test "urgency rises with the log behind a checkpoint under way" {
    try std.testing.expectEqual(.none, urgencyOf(15 << 20, 16 << 20, true));
    try std.testing.expectEqual(.wanted, urgencyOf(16 << 20, 16 << 20, true));
    try std.testing.expectEqual(.none, urgencyOf((4 << 20) - 1, 16 << 20, false));
    try std.testing.expectEqual(.ahead, urgencyOf(4 << 20, 16 << 20, false));
    try std.testing.expectEqual(.due, urgencyOf(5 << 20, 16 << 20, false));
    try std.testing.expectEqual(.due, urgencyOf(16 << 20, 16 << 20, false));
}
