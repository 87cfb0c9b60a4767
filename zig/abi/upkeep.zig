//! The calls that keep a store: flushes, checkpoints, status, statistics, checks, backups. Flushes
//! that JavaScript does by itself are begun and ended here. Each returns what crosses the boundary,
//! or an error.

const std = @import("std");
const limits = @import("sizes.zig");
const Env = @import("../txn/Env.zig");
const checkpoint = @import("../txn/checkpoint.zig");
const Lock = @import("../store/Lock.zig");
const Log = @import("../store/Log.zig");
const attach = @import("../txn/attach.zig");
const Check = @import("../txn/check.zig").Check;
const Backup = @import("../txn/backup.zig").Backup;
const os_types = @import("../os/types.zig");
const Session = @import("Session.zig");
const read = @import("read.zig");

const Error = Session.Error;

pub fn status(session: *Session) Error!i32 {
    const env = session.env;
    const state = try env.publishedState();
    const shared = env.lock.shared;
    session.setWord(0, state.txnid);
    session.setWord(1, shared.flushed.load(.acquire));
    session.setWord(2, shared.checkpoint_txnid.load(.acquire));
    session.setWord(3, env.file.page_size);
    session.setWord(4, @import("../config.zig").keySizeMax(env.file.page_size));
    session.setWord(5, state.log_offset);
    session.setWord(6, @intFromBool(session.txn != null and session.txn_is_batch));
    session.setWord(7, @intFromBool(env.slotless != null));
    session.setWord(8, @intFromBool(env.lock.isPoisoned()));
    session.setWord(9, @intFromBool(checkpoint.isWanted(env, state)));
    session.setWord(10, (try env.os.stat(env.file.fd)).inode);
    session.setWord(11, if (env.slotless != null) 0 else (try env.os.stat(env.log.fd)).inode);
    session.setWord(12, shared.recovered);
    return 0;
}

pub fn paths(session: *Session, which: u32) Error!i32 {
    const path = session.env.path;
    const suffix = switch (which) {
        0 => "",
        1 => "-wal",
        else => return error.Options,
    };
    const room = session.data();
    @memcpy(room[0..path.len], path);
    @memcpy(room[path.len..][0..suffix.len], suffix);
    return @intCast(path.len + suffix.len);
}

pub fn flushBegin(session: *Session) Error!i32 {
    const env = session.env;
    if (env.slotless != null) return 0;
    if (env.lock.isPoisoned()) return error.Poisoned;
    const wanted = env.unflushed();
    session.setWord(0, wanted.txnid);
    return @intFromEnum(wanted.files);
}

pub fn flushEnd(session: *Session, is_flushed: u32) Error!i32 {
    const env = session.env;
    if (is_flushed > 1) return error.Options;
    if (env.slotless != null) return error.ReadOnly;
    if (is_flushed == 0) return env.poisoned(error.Io);
    // Never further than what is published: the number has been in JavaScript's hands.
    const txnid = try session.wordIn(0, env.lock.published().txnid);
    env.lock.raiseFlushed(txnid);
    return 0;
}

pub fn flushSync(session: *Session) Error!i32 {
    if (session.env.slotless != null) return 0;
    try session.env.flushLog();
    return 0;
}

pub fn checkpointSync(session: *Session) Error!i32 {
    if (session.txn != null) return error.Busy;
    try checkpoint.runAll(session.env);
    return 0;
}

/// Begins a checkpoint unless one is under way, and waits for nothing.
pub fn checkpointBegin(session: *Session) Error!i32 {
    const env = session.env;
    if (env.slotless != null) return error.ReadOnly;
    if (session.txn != null) return error.Busy;
    return switch ((try checkpoint.step(env, true)).need) {
        .busy => step_busy,
        else => step_done,
    };
}

pub fn checkpointFinish(session: *Session) Error!i32 {
    if (session.txn != null) return error.Busy;
    try checkpoint.finish(session.env);
    return 0;
}

const step_done = 0;
const step_busy = 3;

pub fn checkpointStep(session: *Session) Error!i32 {
    const env = session.env;
    if (env.slotless != null or env.settings.read_only) return error.ReadOnly;
    const target = session.checkpoint_target orelse env.lock.published().txnid;
    session.checkpoint_target = target;
    const is_covered = env.lock.shared.checkpoint_txnid.load(.seq_cst) >= target;
    if (!is_covered and session.txn != null) return step_busy;
    const taken = checkpoint.step(env, !is_covered) catch |err| {
        session.checkpoint_target = null;
        return err;
    };
    session.checkpoint_ticket = taken.ticket;
    session.setWord(0, taken.ticket.txnid);
    session.setWord(1, @intFromEnum(taken.ticket.phase));
    switch (taken.need) {
        .flush_file => return 1,
        .flush_log => return 2,
        .busy => return step_busy,
        .nothing => {},
    }
    session.checkpoint_target = null;
    return step_done;
}

pub fn checkpointFlushed(session: *Session, is_flushed: u32) Error!i32 {
    if (is_flushed > 1) return error.Options;
    if (session.env.slotless != null) return error.ReadOnly;
    const ticket = session.checkpoint_ticket;
    session.checkpoint_ticket = .{};
    if (ticket.phase == .idle) return error.Options;
    try checkpoint.confirm(session.env, ticket, is_flushed == 1);
    return 0;
}

pub fn stats(session: *Session, scope: u32) Error!i32 {
    _ = try read.tableStats(session, scope, 0);
    const env = session.env;
    const state = try env.publishedState();
    const file = try env.os.stat(env.file.fd);
    const log_size = if (env.slotless != null) 0 else (try env.os.stat(env.log.fd)).size;
    const pages = env.freePages();
    session.setWord(5, env.file.page_size);
    session.setWord(6, file.size);
    session.setWord(7, file.allocated);
    session.setWord(8, log_size);
    session.setWord(9, pages.free);
    session.setWord(10, pages.retained);
    session.setWord(11, state.txnid);
    session.setWord(12, env.lock.shared.checkpoint_txnid.load(.acquire));
    session.setWord(13, env.lock.shared.flushed.load(.acquire));
    session.setWord(14, state.table_count);
    return 0;
}

pub fn checkBegin(session: *Session) Error!i32 {
    const checking = try session.allocator.create(Session.Checking);
    errdefer session.allocator.destroy(checking);
    checking.* = .{ .check = try .create(session.env, .{}) };
    errdefer checking.check.deinit();
    const handle = try session.checks.add(session.allocator, checking);
    session.setWord(0, checking.check.progress().total);
    return @intCast(handle);
}

/// A finding in the data area: page, sizes of name and message, then both.
const finding_header_size = 12;
const no_table: u32 = 0xffff_ffff;

pub fn checkStep(session: *Session, handle: u32, page_budget: u32) Error!i32 {
    const checking = session.checks.get(handle) orelse return error.TxnEnded;
    const is_finished = try checking.check.step(page_budget);
    const progress = checking.check.progress();
    for ([_]u64{
        progress.done, progress.total, progress.pages, progress.entries, progress.errors,
    }, 0..) |number, index| session.setWord(index, number);
    const has_more = tellFindings(session, checking);
    return @intFromBool(is_finished and !has_more);
}

/// True: some did not fit, and come with the next step.
fn tellFindings(session: *Session, checking: *Session.Checking) bool {
    const room = session.data();
    var used: usize = 0;
    var count: u32 = 0;
    const findings = checking.check.findings();
    defer session.setWord(5, count);
    while (checking.told < findings.len) : (checking.told += 1) {
        const finding = findings[checking.told];
        const name = finding.table orelse "";
        const size = finding_header_size + name.len + finding.message.len;
        if (room.len - used < size) return true;
        const name_size = if (finding.table == null) no_table else @as(u32, @intCast(name.len));
        const numbers = [3]u32{ finding.pgno, name_size, @intCast(finding.message.len) };
        @memcpy(room[used..][0..finding_header_size], std.mem.asBytes(&numbers));
        const text = room[used + finding_header_size ..];
        @memcpy(text[0..name.len], name);
        @memcpy(text[name.len..][0..finding.message.len], finding.message);
        used += size;
        count += 1;
    }
    return false;
}

pub fn checkEnd(session: *Session, handle: u32) Error!i32 {
    const checking = session.checks.remove(handle) orelse return error.TxnEnded;
    session.endCheck(checking);
    return 0;
}

pub fn backupBegin(session: *Session, path: ?[*]const u8, size: u32, compact: u32) Error!i32 {
    if (compact > 1) return error.Options;
    var given: [os_types.path_size_max]u8 = undefined;
    var resolved: [os_types.path_size_max]u8 = undefined;
    if (size == 0 or size >= given.len) return error.NameTooLong;
    @memcpy(given[0..size], (path orelse return error.Options)[0..size]);
    if (std.mem.indexOfScalar(u8, given[0..size], 0) != null) return error.Options;
    given[size] = 0;
    const target = try attach.resolve(session.env.os, given[0..size :0], &resolved);
    const backup = try Backup.create(session.env, target, compact == 1);
    errdefer backup.deinit();
    const handle = try session.backups.add(session.allocator, backup);
    session.setWord(0, backup.progress().total);
    return @intCast(handle);
}

/// Pages that one step of a backup copies.
const backup_step_pages = 256;

pub fn backupStep(session: *Session, handle: u32) Error!i32 {
    const backup = session.backups.get(handle) orelse return error.TxnEnded;
    const is_finished = try backup.step(backup_step_pages);
    session.setWord(0, backup.progress().done);
    session.setWord(1, backup.progress().total);
    return @intFromBool(is_finished);
}

pub fn backupEnd(session: *Session, handle: u32) Error!i32 {
    const backup = session.backups.remove(handle) orelse return error.TxnEnded;
    backup.deinit();
    return 0;
}
