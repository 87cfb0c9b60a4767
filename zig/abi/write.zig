//! The writing calls over a session: one write transaction, its puts and removes, its savepoints,
//! commit and abort. Each returns what crosses the boundary, or an error; an error that may have
//! left pages half changed is remembered, and the transaction can then only be aborted.

const std = @import("std");
const limits = @import("sizes.zig");
const tables = @import("../txn/tables.zig");
const checkpoint = @import("../txn/checkpoint.zig");
const single = @import("../txn/single.zig");
const Txn = @import("../txn/Txn.zig");
const Session = @import("Session.zig");
const Range = @import("Range.zig");
const read = @import("read.zig");

const Error = Session.Error;

pub const flag_if_absent = 1;
pub const flag_append = 2;

const timeout_ms_max = 1 << 30;

pub fn begin(session: *Session, kind: u32, timeout_ms: u32) Error!i32 {
    if (kind > 1 or timeout_ms > timeout_ms_max) return error.Options;
    const timeout_ns = @as(u64, timeout_ms) * std.time.ns_per_ms;
    return @intCast(try session.beginTxn(kind == 0, timeout_ns));
}

fn modeOf(flags: u32) Error!Txn.PutMode {
    return switch (flags) {
        0 => .upsert,
        flag_if_absent => .absent_only,
        flag_append => .append,
        else => error.Options,
    };
}

/// The table's place in the transaction; the table exists from now on.
fn prepared(session: *Session, txn: *Txn, table: u32) Error!u32 {
    const index = try session.txnTable(table);
    if (index > 0) {
        const wanted = (try session.namedAt(table)).wanted;
        txn.prepare(index, wanted) catch |err| return session.noteFailure(err);
    }
    return index;
}

fn putBytes(
    session: *Session,
    handle: u32,
    table: u32,
    key: []const u8,
    value: []const u8,
    flags: u32,
) Error!i32 {
    const txn = try session.txnOf(handle);
    const mode = try modeOf(flags);
    const index = try prepared(session, txn, table);
    const stored = txn.put(index, key, value, mode) catch |err| return session.noteFailure(err);
    return @intFromBool(stored);
}

pub fn put(
    session: *Session,
    handle: u32,
    table: u32,
    key_size: u32,
    value_size: u32,
    flags: u32,
) Error!i32 {
    if (value_size > limits.data_size) return error.ValueSize;
    const key = try session.keyA(key_size);
    return putBytes(session, handle, table, key, session.data()[0..value_size], flags);
}

pub fn putBuffer(
    session: *Session,
    handle: u32,
    table: u32,
    key_size: u32,
    value: ?[*]const u8,
    value_size: u32,
    flags: u32,
) Error!i32 {
    const key = try session.keyA(key_size);
    const bytes = if (value_size == 0) &.{} else (value orelse return error.Options)[0..value_size];
    return putBytes(session, handle, table, key, bytes, flags);
}

pub fn putMany(
    session: *Session,
    handle: u32,
    table: u32,
    rows: ?[*]const u8,
    rows_size: u32,
    count: u32,
    flags: u32,
) Error!i32 {
    const txn = try session.txnOf(handle);
    const mode = try modeOf(flags);
    if (count == 0) return 0;
    var reader: RowReader = .{ .bytes = (rows orelse return error.Options)[0..rows_size] };
    const index = try prepared(session, txn, table);
    var stored: i32 = 0;
    var left = count;
    while (left > 0) {
        var buffer: [Txn.rows_max]Txn.Row = undefined;
        const wanted = @min(left, Txn.rows_max);
        const read_count = reader.fill(buffer[0..wanted]);
        const done = txn.putMany(index, buffer[0..read_count], mode) catch |err|
            return session.noteFailure(err);
        stored += @intCast(done);
        if (read_count < wanted) return error.Options;
        left -= wanted;
    }
    return stored;
}

/// Rows as they cross the boundary: key size u32, value size u32, key, value, and bytes of no
/// meaning up to a multiple of four, so that the next row begins at a word.
const RowReader = struct {
    bytes: []const u8,

    /// Reads rows until `out` is full or the bytes do not hold a whole one. Returns how many.
    fn fill(self: *RowReader, out: []Txn.Row) usize {
        for (out, 0..) |*row, index| row.* = self.next() orelse return index;
        return out.len;
    }

    fn next(self: *RowReader) ?Txn.Row {
        if (self.bytes.len < 8) return null;
        const key_size = std.mem.readInt(u32, self.bytes[0..4], .little);
        const value_size = std.mem.readInt(u32, self.bytes[4..8], .little);
        const rest = self.bytes[8..];
        const size = @as(u64, key_size) + value_size;
        if (size > rest.len) return null;
        self.bytes = rest[@min(std.mem.alignForward(u64, size, 4), rest.len)..];
        return .{ .key = rest[0..key_size], .value = rest[key_size..][0..value_size] };
    }
};

pub fn remove(session: *Session, handle: u32, table: u32, key_size: u32) Error!i32 {
    const txn = try session.txnOf(handle);
    const key = try session.keyA(key_size);
    const index = try session.txnTable(table);
    const removed = txn.remove(index, key) catch |err| return session.noteFailure(err);
    return @intFromBool(removed);
}

pub fn removeRange(
    session: *Session,
    handle: u32,
    table: u32,
    flags: u32,
    start_size: u32,
    end_size: u32,
) Error!i32 {
    const txn = try session.txnOf(handle);
    var buffers: [2][limits.key_area_size + 1]u8 = undefined;
    const limit =
        try read.bounds(session, flags, start_size, end_size, &buffers[0], &buffers[1]);
    const index = try session.txnTable(table);
    const count = txn.removeRange(index, limit.start, limit.end) catch |err|
        return session.noteFailure(err);
    session.setWord(0, count);
    return 0;
}

pub fn clear(session: *Session, handle: u32, table: u32) Error!i32 {
    const txn = try session.txnOf(handle);
    const index = try session.txnTable(table);
    const count = txn.clear(index) catch |err| return session.noteFailure(err);
    session.setWord(0, count);
    return 0;
}

pub fn tableDrop(session: *Session, handle: u32, table: u32) Error!i32 {
    if (table == 0) return error.Options;
    const txn = try session.txnOf(handle);
    const index = try session.txnTable(table);
    const dropped = txn.drop(index) catch |err| return session.noteFailure(err);
    return @intFromBool(dropped);
}

pub fn savepoint(session: *Session, handle: u32) Error!i32 {
    const txn = try session.txnOf(handle);
    return @intCast(txn.savepoint() catch |err| return session.noteFailure(err));
}

pub fn savepointRollback(session: *Session, handle: u32, level: u32) Error!i32 {
    if (session.txn == null or handle != session.txn_handle) return error.TxnEnded;
    if (session.txn.?.is_ending) return error.TxnEnded;
    if (level >= session.txn.?.savepoints.items.len) return error.Options;
    session.rollback(level);
    return 0;
}

pub fn savepointRelease(session: *Session, handle: u32, level: u32) Error!i32 {
    const txn = try session.txnOf(handle);
    if (level >= txn.savepoints.items.len) return error.Options;
    txn.release(level);
    return 0;
}

/// Whether a flush that the host begins now makes the commit durable that follows.
pub fn writeAhead(session: *Session, handle: u32, is_aside: u32) Error!i32 {
    if (is_aside > 1) return error.Options;
    const txn = try session.txnOf(handle);
    const is_ahead = if (is_aside == 1) txn.writeAhead(.another) else txn.writeAhead(.this_thread);
    return @intFromBool(is_ahead catch |err| return session.noteFailure(err));
}

pub fn commit(session: *Session, handle: u32) Error!i32 {
    if (session.txn == null or handle != session.txn_handle) return error.TxnEnded;
    tellCommit(session, try session.commitTxn());
    return 0;
}

/// What the host does next: words of `commit`.
fn tellCommit(session: *Session, txnid: u64) void {
    const env = session.env;
    session.setWord(0, txnid);
    const state = env.lock.published();
    const unflushed = state.txnid -| env.lock.shared.flushed.load(.acquire);
    session.setWord(1, @intFromBool(unflushed > unflushed_wanted_max));
    session.setWord(2, @intFromEnum(checkpoint.urgency(env, state)));
}

/// A put that is a transaction of its own, in one call. After an error there is none.
pub fn putCommit(
    session: *Session,
    table: u32,
    key_size: u32,
    value_size: u32,
    timeout_ms: u32,
    is_flushed: u32,
) Error!i32 {
    if (value_size > limits.data_size) return error.ValueSize;
    if (timeout_ms > timeout_ms_max or is_flushed > 1) return error.Options;
    const named = try session.namedAt(table);
    const target: single.Target = .{ .name = named.name, .wanted = named.wanted };
    const key = try session.keyA(key_size);
    const value = session.data()[0..value_size];
    const timeout_ns = @as(u64, timeout_ms) * std.time.ns_per_ms;
    // A thread that has a transaction open is told so below.
    if (session.txn == null) {
        const env = session.env;
        if (try single.put(env, timeout_ns, target, key, value)) |txnid| {
            session.pending = &.{};
            tellCommit(session, txnid);
            return 1;
        }
    }
    const handle: u32 = @intCast(try begin(session, 0, timeout_ms));
    errdefer if (session.txn != null) session.abortTxn();
    const stored = try put(session, handle, table, key_size, value_size, 0);
    if (is_flushed == 1) _ = try writeAhead(session, handle, 0);
    _ = try commit(session, handle);
    return stored;
}

/// Beyond so many unflushed commits a flush is asked for: a quarter of what may ever be.
const unflushed_wanted_max = @import("../txn/Env.zig").unflushed_max / 4;

pub fn abort(session: *Session, handle: u32) Error!i32 {
    if (session.txn == null or handle != session.txn_handle) return error.TxnEnded;
    session.abortTxn();
    return 0;
}

pub fn tableSetAttributes(
    session: *Session,
    table: u32,
    key_encoding: u32,
    encoding: u32,
    codec_name_size: u32,
) Error!i32 {
    if (key_encoding > 255 or encoding > 255) return error.Options;
    if (codec_name_size > tables.codec_name_size_max) return error.Options;
    const named = try session.namedAt(table);
    named.wanted = .{ .key_encoding = @intCast(key_encoding), .encoding = @intCast(encoding) };
    named.wanted.setCodecName(session.data()[0..codec_name_size]);
    named.sequence = 0;
    named.txn_index = null;
    return 0;
}
