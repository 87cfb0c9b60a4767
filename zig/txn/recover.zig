//! What the first process that attaches does: choose the meta to trust, decide whether the log
//! behind it ends in a torn tail or in damage, replay it, and end with a checkpoint and fresh salts
//! before anybody writes. It decides before it changes anything.
//!
//! Invariants: pages of the chosen meta are not written; a log that holds acknowledged records
//! behind a bad one is `Corrupt`, never cut; txnids go on at last + 2^20, so that one that was
//! published and lost is never issued again; run twice, or cut anywhere, it comes to the same.

const std = @import("std");
const assert = std.debug.assert;
const config = @import("../config.zig");
const explain = @import("../explain.zig");
const bytes_format = @import("../format/bytes.zig");
const meta_format = @import("../format/meta.zig");
const page_format = @import("../format/page.zig");
const record = @import("../format/record.zig");
const os_types = @import("../os/types.zig");
const Os = @import("../os/os.zig").Os;
const Lock = @import("../store/Lock.zig");
const Log = @import("../store/Log.zig");
const Env = @import("Env.zig");
const Txn = @import("Txn.zig");
const checkpoint = @import("checkpoint.zig");
const named_runs = @import("named_runs.zig");

pub const Error = Txn.Error || error{ NotAStore, Version };

/// A recovery's distance between the last txnid replayed and the next one issued.
pub const jump: u64 = Env.unflushed_max;

/// Reads both metas of the file `fd` and returns the newest whole one.
pub fn readMeta(os: Os, fd: os_types.Fd, path: []const u8) Error!meta_format.Meta {
    var first: [meta_format.size]u8 = @splat(0);
    const size = (try os.stat(fd)).size;
    _ = try os.pread(fd, &first, 0);
    if (meta_format.decode(&first, 0)) |meta| {
        const second = try readSecond(os, fd, meta.page_size, path) orelse return meta;
        return if (second.sequence > meta.sequence) second else meta;
    } else |err| {
        if (err == error.Version) return otherVersion(path);
        // Its page size is unknown: the second meta may lie behind a page of any.
        var page_size = config.page_size_min;
        while (page_size <= config.page_size_max) : (page_size *= 2) {
            if (try readSecond(os, fd, page_size, path)) |meta| return meta;
        }
        return nothingFound(&first, size, path, err);
    }
}

fn nothingFound(
    first: *const [meta_format.size]u8,
    size: u64,
    path: []const u8,
    err: meta_format.DecodeError,
) Error {
    if (err == error.NotAStore) {
        if (size == 0) {
            explain.set("{s} is empty: remove it to create a store there", .{path});
        } else if (std.mem.allEqual(u8, first, 0)) {
            explain.set("{s} ({d} bytes) begins with zeros, not with a store", .{ path, size });
        } else {
            explain.set("{s} ({d} bytes) begins with other bytes than a store", .{ path, size });
        }
    } else explain.set("both metas of {s} ({d} bytes) are damaged", .{ path, size });
    return err;
}

fn otherVersion(path: []const u8) error{Version} {
    explain.set("{s} was written by another version of the format: update this library", .{path});
    return error.Version;
}

fn readSecond(
    os: Os,
    fd: os_types.Fd,
    page_size: u32,
    path: []const u8,
) Error!?meta_format.Meta {
    var bytes: [meta_format.size]u8 = undefined;
    if (try os.pread(fd, &bytes, page_size) < bytes.len) return null;
    const meta = meta_format.decode(&bytes, 1) catch |err| {
        // The newer of the two may be of a newer library: its state must not be rolled back.
        return if (err == error.Version) otherVersion(path) else null;
    };
    return if (meta.page_size == page_size) meta else null;
}

/// Where a scan of the log came to: everything up to `last` is whole and in order.
const Scan = struct { last: u64, records: u64 = 0, half: u32, offset: u64, salt: u64, chain: u64 };

fn firstScan(meta: meta_format.Meta) Scan {
    return .{
        .last = meta.txnid,
        .half = meta.log_half,
        .offset = Log.first_offset,
        .salt = meta.log_salt,
        .chain = meta.log_salt,
    };
}

/// Brings the store to a published state. The caller is alone, `env.lock` is new.
pub fn run(env: *Env, meta: meta_format.Meta) Error!void {
    try checkSize(env, meta);
    const headers = try checkHeaders(env, meta);
    initShared(env, meta);
    const scan = try scanLog(env, meta);
    const active = headers[meta.log_half];
    if (meta.closed == 1 and scan.records == 0) {
        try checkTail(env, scan, headers);
        return openClean(env, meta, headers);
    }
    if (active == null and scan.records == 0) return lostHeader(env, meta);
    try checkTail(env, scan, headers);
    try replay(env, meta, scan);
}

/// The state for a reader without write access while nobody is attached: what recovery would come
/// to, its pages in memory of this process alone. Nothing is written.
pub fn readAlone(env: *Env, meta: meta_format.Meta) Error!void {
    try checkSize(env, meta);
    const headers = try checkHeaders(env, meta);
    initShared(env, meta);
    try env.file.map(meta.page_count);
    const scan = try scanLog(env, meta);
    if (scan.records == 0 and meta.closed == 1) {
        try checkTail(env, scan, headers);
        return env.lock.publish(stateOf(meta));
    }
    if (headers[meta.log_half] == null and scan.records == 0) return lostHeader(env, meta);
    try checkTail(env, scan, headers);
    const first = env.file.makePrivate(meta.page_count);
    try env.space.reset(first);
    var state = stateOf(meta);
    state.page_count = first;
    try env.file.reserve(first + 1);
    var txn = try Txn.beginAt(env, state, scan.last + jump);
    txn.replay = true;
    env.writing = true;
    defer txn.endReplay();
    errdefer env.space.abort();
    try applyAll(env, meta, &txn, scan.records);
    const sealed = try txn.sealAll();
    env.space.abort();
    env.lock.shared.recovered = scan.records;
    env.lock.publish(sealed);
}

fn lostHeader(env: *Env, meta: meta_format.Meta) Error {
    explain.set("the log of {s} has lost the header of its half {d}: commits may be missing; " ++
        "restore a backup", .{ env.path, meta.log_half });
    return error.Corrupt;
}

fn checkSize(env: *Env, meta: meta_format.Meta) Error!void {
    const needed = @as(u64, meta.page_count) * meta.page_size;
    if (env.file.size < needed) {
        explain.set("{s} has {d} bytes, its last checkpoint needs {d}: it was cut short", .{
            env.path, env.file.size, needed,
        });
        return error.Corrupt;
    }
    if (meta.closed == 0 and env.log.size < 2 * Log.chunk_size) {
        explain.set("the log of {s} was cut short to {d} bytes", .{ env.path, env.log.size });
        return error.Corrupt;
    }
}

/// The headers of both halves as far as they are whole.
fn checkHeaders(env: *Env, meta: meta_format.Meta) Error![2]?record.HalfHeader {
    var headers: [2]?record.HalfHeader = .{ null, null };
    for (&headers, 0..) |*slot, half| {
        const header = try env.log.readHeader(@intCast(half)) orelse continue;
        if (!std.mem.eql(u8, &header.store_id, &meta.store_id)) {
            explain.set("the log beside {s} belongs to another store", .{env.path});
            return error.Corrupt;
        }
        if (header.sequence > meta.sequence) {
            explain.set("the log of {s} knows checkpoint {d}, the file only {d}: " ++
                "a newer meta is damaged", .{ env.path, header.sequence, meta.sequence });
            return error.Corrupt;
        }
        slot.* = header;
    }
    return headers;
}

fn initShared(env: *Env, meta: meta_format.Meta) void {
    const shared = env.lock.shared;
    env.setCompletedMeta(meta_format.encode(meta, @intCast(meta.sequence % 2)));
    shared.checkpoint_txnid.store(meta.txnid, .seq_cst);
    shared.flushed.store(meta.txnid, .seq_cst);
    shared.half_salt[meta.log_half] = meta.log_salt;
}

fn stateOf(meta: meta_format.Meta) Lock.State {
    return .{
        .txnid = meta.txnid,
        .main = meta.main,
        .catalogue = meta.catalogue,
        .page_count = meta.page_count,
        .table_id_next = meta.table_id_next,
        .table_count = meta.table_count,
        .log_half = meta.log_half,
        .log_offset = Log.first_offset,
        .log_chain = meta.log_salt,
        .log_salt = meta.log_salt,
    };
}

fn openClean(env: *Env, meta: meta_format.Meta, headers: [2]?record.HalfHeader) Error!void {
    const shared = env.lock.shared;
    const other = 1 - meta.log_half;
    var salt: u64 = undefined;
    env.os.random(std.mem.asBytes(&salt));
    const is_ready = headers[other] != null and headers[meta.log_half] != null;
    if (is_ready) salt = headers[other].?.salt;
    shared.half_salt[other] = salt;
    shared.closed.store(1, .seq_cst);
    env.lock.publish(stateOf(meta));
    if (!is_ready and !env.settings.read_only) try writeHeaders(env, meta);
}

/// Fresh headers for both halves under the salts in `X-lock`, flushed.
pub fn writeHeaders(env: *Env, meta: meta_format.Meta) Error!void {
    for ([_]u32{ 0, 1 }) |half| try env.log.writeHeader(.{
        .store_id = env.store_id,
        .salt = env.lock.shared.half_salt[half],
        .half = half,
        .checkpoint = meta.txnid,
        .sequence = meta.sequence,
    });
    env.log.flush() catch |err| return env.poisoned(err);
}

/// Follows the chain of whole records from the meta on. One that names a run which is not as it was
/// written is not whole.
fn scanLog(env: *Env, meta: meta_format.Meta) Error!Scan {
    var scan = firstScan(meta);
    var bytes: std.ArrayList(u8) = .empty;
    defer bytes.deinit(env.allocator);
    var next = scan;
    while (try nextRecord(env, &next, &bytes)) |found| {
        if (!try named_runs.areWhole(env, operationsOf(found))) break;
        scan = next;
    }
    return scan;
}

/// What a record of a commit puts and removes.
fn operationsOf(found: Log.Found) []const u8 {
    if (found.header.kind != .commit) return "";
    return found.bytes[record.header_size..][0..found.header.operations_size];
}

/// The next record of the chain; null at its end. Moves the scan behind it.
fn nextRecord(env: *Env, scan: *Scan, bytes: *std.ArrayList(u8)) Error!?Log.Found {
    const found = try env.log.readRecord(
        env.allocator,
        bytes,
        scan.half,
        scan.offset,
        scan.salt,
    ) orelse return null;
    if (found.header.previous != scan.chain) return null;
    switch (found.header.kind) {
        .commit => {
            if (found.header.txnid != scan.last + 1) return null;
            scan.offset += found.header.size;
            scan.chain = found.header.checksum;
            scan.last = found.header.txnid;
        },
        .@"switch" => {
            if (found.header.txnid != scan.last) return null;
            const operations = found.bytes[record.header_size..][0..found.header.operations_size];
            const salt = try Env.switchSalt(operations);
            scan.* = .{
                .last = scan.last,
                .records = scan.records,
                .half = 1 - scan.half,
                .offset = Log.first_offset,
                .salt = salt,
                .chain = salt,
            };
        },
        // A bulk commit whose meta is not there never was.
        .bulk, _ => return null,
    }
    scan.records += 1;
    return found;
}

/// A bad record is a torn tail unless some record behind it says that it had been durable.
fn checkTail(env: *Env, scan: Scan, headers: [2]?record.HalfHeader) Error!void {
    for ([_]u32{ 0, 1 }) |half| {
        const from = if (half == scan.half) scan.offset else Log.first_offset;
        if (half == scan.half) try checkRest(env, half, from, scan.salt, scan.last + 1);
        const header = headers[half] orelse continue;
        if (half == scan.half and header.salt == scan.salt) continue;
        try checkRest(env, half, from, header.salt, scan.last + 1);
    }
}

/// Looks at every place where a record could begin, a window at a time.
fn checkRest(env: *Env, half: u32, from: u64, salt: u64, bad: u64) Error!void {
    var window: [window_size]u8 align(8) = undefined;
    var bytes: std.ArrayList(u8) = .empty;
    defer bytes.deinit(env.allocator);
    var offset = from;
    while (true) : (offset += window_size - record.header_size) {
        const rest = window[0..try env.log.read(half, offset, &window)];
        if (rest.len < record.header_size) return;
        // Most of a log is zeros, all of it is looked at, and no record begins with a zero header.
        const end = bytes_format.trimZeros(rest).len;
        var at: usize = 0;
        while (at < end and at + record.header_size <= rest.len) : (at += 8) {
            const header = record.peek(rest[at..][0..record.header_size]) orelse continue;
            if (header.flushed_txnid < bad) continue;
            const place = offset + at;
            if (try env.log.readRecord(env.allocator, &bytes, half, place, salt) == null) continue;
            explain.set("commit {d} in the log of {s} is damaged, and it had been durable: " ++
                "restore a backup", .{ bad, env.path });
            return error.Corrupt;
        }
    }
}

/// Bytes looked at at once; a multiple of 8 larger than a record's header.
const window_size = 32 << 10;

/// Replays the scanned records over the meta's state, checkpoints, and publishes the result.
fn replay(env: *Env, meta: meta_format.Meta, scan: Scan) Error!void {
    // The meta may lie in the file and not be durable yet.
    const slot: u32 = @intCast(meta.sequence % 2);
    const bytes = meta_format.encode(meta, slot);
    try env.file.write(slot, &bytes);
    try env.flushFile();
    if (scan.last + jump > config.txnid_max) return error.Full;
    try env.loadFreelist(meta);
    var txn = try Txn.beginAt(env, stateOf(meta), scan.last + jump);
    txn.replay = true;
    env.writing = true;
    defer txn.endReplay();
    errdefer env.space.abort();
    try applyAll(env, meta, &txn, scan.records);
    try finish(env, meta, try txn.sealAll(), scan);
}

fn applyAll(env: *Env, meta: meta_format.Meta, txn: *Txn, records: u64) Error!void {
    // Before the first page is taken for anything else.
    if (env.slotless == null) try claimRuns(env, meta, records);
    var scan = firstScan(meta);
    var bytes: std.ArrayList(u8) = .empty;
    defer bytes.deinit(env.allocator);
    for (0..records) |_| {
        const found = try nextRecord(env, &scan, &bytes) orelse return error.Corrupt;
        var reader: record.Reader = .{ .bytes = operationsOf(found) };
        var puts: Puts = .{};
        while (try reader.next()) |operation| switch (operation) {
            .put => |it| try puts.add(txn, it.table, .{ .key = it.key, .value = it.value }),
            else => {
                try puts.end(txn);
                if (operation != .put_run) {
                    try txn.apply(operation);
                } else try applyRun(env, txn, operation, found.header.txnid);
            },
        };
        try puts.end(txn);
    }
}

/// Puts of one record that follow each other in one table: together they find their leaves faster.
const Puts = struct {
    table: u32 = 0,
    count: usize = 0,
    rows: [Txn.rows_max]Txn.Row = undefined,

    fn add(self: *Puts, txn: *Txn, table: u32, row: Txn.Row) Error!void {
        if (table != self.table or self.count == self.rows.len) try self.end(txn);
        self.table = table;
        self.rows[self.count] = row;
        self.count += 1;
    }

    fn end(self: *Puts, txn: *Txn) Error!void {
        if (self.count == 0) return;
        try txn.applyPuts(self.table, self.rows[0..self.count]);
        self.count = 0;
    }
};

fn claimRuns(env: *Env, meta: meta_format.Meta, records: u64) Error!void {
    var scan = firstScan(meta);
    var bytes: std.ArrayList(u8) = .empty;
    defer bytes.deinit(env.allocator);
    for (0..records) |_| {
        const found = try nextRecord(env, &scan, &bytes) orelse return error.Corrupt;
        try named_runs.claim(env, operationsOf(found));
    }
}

/// A value stays in the run that commit `txnid` wrote; where nothing may be written it is copied.
fn applyRun(env: *Env, txn: *Txn, operation: record.Operation, txnid: u64) Error!void {
    const it = operation.put_run;
    if (env.slotless == null) {
        const ref: page_format.RunRef = .{
            .pgno = it.run.pgno,
            .checksum = it.run.checksum,
            .txnid = txnid,
        };
        return txn.applyRun(it.table, it.key, ref, it.run.size);
    }
    const value = try named_runs.copy(env, it.run, env.allocator);
    defer env.allocator.free(value);
    return txn.apply(.{ .put = .{ .table = it.table, .key = it.key, .value = value } });
}

/// A checkpoint of the replayed state under fresh salts. Until its meta is durable the old one and
/// its log stand; headers come after it, records after them.
fn finish(env: *Env, meta: meta_format.Meta, sealed: Lock.State, scan: Scan) Error!void {
    const shared = env.lock.shared;
    const list = try checkpoint.reserveFreelist(env);
    defer env.allocator.free(list);
    try env.space.reserveCommit();
    try env.file.reserve(env.space.page_count);
    env.space.commit();
    const root = try checkpoint.writeFreelist(env, sealed.txnid, list);
    try env.flushFile();
    env.os.random(std.mem.asBytes(&shared.half_salt));
    var state = sealed;
    state.page_count = env.space.page_count;
    state.log_half = 0;
    state.log_salt = shared.half_salt[0];
    state.log_chain = state.log_salt;
    state.log_offset = Log.first_offset;
    var next = meta;
    checkpoint.fillMeta(&next, state);
    next.setClosed(false);
    next.freelist = root;
    next.free_page_count = env.space.freeCount();
    next.jump_from = scan.last;
    next.jump_to = state.txnid;
    try checkpoint.replaceMeta(env, next);
    next.sequence += 1;
    try writeHeaders(env, next);
    shared.checkpoint_txnid.store(state.txnid, .seq_cst);
    shared.flushed.store(state.txnid, .seq_cst);
    shared.recovered = scan.records;
    env.lock.publish(state);
    env.setFollowed(state);
}
