//! The second definition of the format: walks everything that a state uses, trusting nothing, and
//! says what is wrong. Driven in steps, so that a host can go on between them; the state is pinned
//! by a reader slot of its own until the end. It never changes the store, and no damage ends it.
//!
//! An *exact* check is begun under the writer lock, held only while free space is looked at: then
//! each page must be used by the state, or free, or of the freelist that the checkpoint of the
//! moment keeps, and never two of these. Without the lock, double use is found and leaks are not.

const std = @import("std");
const Allocator = std.mem.Allocator;
const config = @import("../config.zig");
const explain = @import("../explain.zig");
const freelist = @import("../format/freelist.zig");
const meta_format = @import("../format/meta.zig");
const Lock = @import("../store/Lock.zig");
const Readers = @import("../store/Readers.zig");
const Env = @import("Env.zig");
const seal = @import("seal.zig");
const checkpoint = @import("checkpoint.zig");
const Audit = @import("Audit.zig");
const StateWalk = @import("StateWalk.zig");

pub const Error = Env.Error;
pub const Finding = Audit.Finding;

pub const Options = struct {
    /// How long to wait for the writer lock; null: do not try.
    exact_timeout_ns: ?u64 = 100 * std.time.ns_per_ms,
};

pub const Progress = struct {
    done: u64,
    total: u64,
    /// Pages found in use.
    pages: u64,
    /// Entries of all tables.
    entries: u64,
    /// Findings, those not kept included.
    errors: u64,
};

/// What is free, as the writer knew it when the check began: one bit a page.
const Free = struct { bits: []u64, count: u32 };

/// How many pages a freelist page lists, and which page comes behind it.
const Listed = struct { count: u64, next: freelist.Next };

pub const Check = struct {
    env: *Env,
    slot: ?u32,
    audit: Audit,
    walk: StateWalk,
    free: ?Free = null,
    is_finished: bool = false,

    /// Begins to check the newest published state. `deinit` ends it.
    pub fn create(env: *Env, options: Options) Error!*Check {
        try env.checkFork();
        const self = try env.allocator.create(Check);
        errdefer env.allocator.destroy(self);
        const slot: ?u32 = if (env.slotless == null) try Readers.take(&env.lock) else null;
        errdefer if (slot) |index| Readers.give(&env.lock, index);
        const has_lock = try tryWriterLock(env, options.exact_timeout_ns);
        defer if (has_lock) env.endWrite();
        const state = if (slot) |index|
            try pinSealed(env, index, has_lock)
        else
            try env.publishedState();
        // Proves that the file is as long as the state says, too.
        _ = try env.viewOf(state);
        self.* = .{ .env = env, .slot = slot, .audit = undefined, .walk = undefined };
        self.audit = try Audit.init(env.allocator, &env.file, state.page_count, state.txnid);
        errdefer self.audit.deinit();
        self.walk = try StateWalk.init(&self.audit, state);
        errdefer self.walk.deinit();
        if (has_lock) try self.lookAtSpace(state);
        errdefer if (self.free) |free| env.allocator.free(free.bits);
        if (slot != null) try checkCompanions(&self.audit, env);
        return self;
    }

    pub fn deinit(self: *Check) void {
        const env = self.env;
        if (self.free) |free| env.allocator.free(free.bits);
        self.walk.deinit();
        self.audit.deinit();
        if (self.slot) |index| Readers.give(&env.lock, index);
        env.allocator.destroy(self);
    }

    /// Walks on, over about `page_budget` pages. True: that was the end.
    pub fn step(self: *Check, page_budget: u32) Error!bool {
        if (self.is_finished) return true;
        if (!try self.walk.step(page_budget)) return false;
        self.is_finished = true;
        try self.compareSpace();
        return true;
    }

    pub fn progress(self: *const Check) Progress {
        const free_count = if (self.free) |free| free.count else 0;
        const total: u64 = self.audit.page_count - config.pgno_first - free_count;
        return .{
            .done = if (self.is_finished) total else @min(self.audit.read_count, total),
            .total = total,
            .pages = self.audit.used_count,
            .entries = self.walk.entry_count,
            .errors = self.audit.finding_count,
        };
    }

    /// The findings that are kept, in the order found; valid until the next step.
    pub fn findings(self: *const Check) []const Finding {
        return self.audit.findings.items;
    }

    /// Whether leaks are found as well.
    pub fn isExact(self: *const Check) bool {
        return self.free != null;
    }

    /// The writer lock is held: what is free, and which pages hold the freelist.
    fn lookAtSpace(self: *Check, state: Lock.State) Error!void {
        const env = self.env;
        env.follow(state) catch |err| {
            if (err != error.Corrupt) return err;
            return self.audit.report(0, "the free space cannot be read: {s}", .{explain.get()});
        };
        const meta = currentMeta(env) orelse return error.Corrupt;
        const bits = try env.allocator.alloc(u64, Audit.wordCount(state.page_count));
        errdefer env.allocator.free(bits);
        @memset(bits, 0);
        var at: u32 = 0;
        while (env.space.nextFreeRun(at)) |run| {
            at = run.pgno + run.count;
            for (run.pgno..at) |pgno| bits[pgno / 64] |= @as(u64, 1) << @intCast(pgno % 64);
        }
        const free: Free = .{ .bits = bits, .count = env.space.freeCount() };
        try self.checkFreelist(meta, if (meta.txnid == state.txnid) free else null);
        self.free = free;
    }

    /// The chain of freelist pages of `meta`. While its state is the newest one, what it lists is
    /// what is free.
    fn checkFreelist(self: *Check, meta: meta_format.Meta, free: ?Free) Error!void {
        const audit = &self.audit;
        const bytes = try audit.allocator.alignedAlloc(u8, .@"64", audit.page_size);
        defer audit.allocator.free(bytes);
        var at: freelist.Next = .{ .pgno = meta.freelist.pgno, .checksum = meta.freelist.checksum };
        var chain_count: u32 = 0;
        var listed: u64 = 0;
        while (at.pgno != 0) : (chain_count += 1) {
            if (!try audit.take(at.pgno, 1)) return;
            if (!try audit.readPage(at.pgno, at.checksum, bytes)) return;
            const found = try self.checkListed(bytes, at.pgno, meta.page_count, free) orelse return;
            listed += found.count;
            at = found.next;
        }
        if (chain_count != meta.freelist.page_count or listed != meta.free_page_count) {
            try audit.report(
                meta.freelist.pgno,
                "begins a freelist of {d} pages that lists {d}, its meta says {d} and {d}",
                .{ chain_count, listed, meta.freelist.page_count, meta.free_page_count },
            );
        }
        if (free) |known| if (listed != known.count) {
            try audit.report(meta.freelist.pgno, "begins a freelist that lists {d} pages, " ++
                "{d} are free", .{ listed, known.count });
        };
    }

    /// What one freelist page lists. Null, with a finding: it is not well-formed.
    fn checkListed(
        self: *Check,
        bytes: []align(8) const u8,
        pgno: u32,
        page_count: u32,
        free: ?Free,
    ) Error!?Listed {
        var reader = freelist.Reader.init(bytes, pgno, page_count) catch return self.odd(pgno);
        var listed: u64 = 0;
        while (reader.nextRun() catch return self.odd(pgno)) |run| {
            listed += run.count;
            const known = free orelse continue;
            for (run.pgno..run.pgno + run.count) |number| {
                if (known.bits[number / 64] >> @intCast(number % 64) & 1 != 0) continue;
                try self.audit.report(@intCast(number), "is in the freelist and not free", .{});
            }
        }
        return .{ .count = listed, .next = reader.next };
    }

    fn odd(self: *Check, pgno: u32) Error!?Listed {
        try self.audit.report(pgno, "is not a well-formed freelist page", .{});
        return null;
    }

    /// Each page is used or free, and never both.
    fn compareSpace(self: *Check) Error!void {
        const free = self.free orelse return;
        self.audit.table = null;
        for (free.bits, self.audit.used, 0..) |free_word, used_word, index| {
            var odd_bits = ~(free_word ^ used_word);
            while (odd_bits != 0) : (odd_bits &= odd_bits - 1) {
                const bit: u6 = @intCast(@ctz(odd_bits));
                const pgno = index * 64 + bit;
                if (pgno < config.pgno_first or pgno >= self.audit.page_count) continue;
                if (free_word >> bit & 1 != 0) {
                    try self.audit.report(@intCast(pgno), "is used and free at once", .{});
                } else if (!self.audit.is_partial) {
                    try self.audit.report(@intCast(pgno), "is neither used nor free", .{});
                }
            }
        }
    }
};

/// Takes the writer lock if it is there within `timeout_ns` and nothing a dead writer left has to
/// be settled first.
/// Pins the newest state, all of it in the file, in `slot`.
fn pinSealed(env: *Env, slot: u32, has_lock: bool) Error!Lock.State {
    if (!has_lock) return checkpoint.pinSealed(env, slot, env.settings.lock_timeout_ns);
    var state = env.lock.published();
    if (!seal.isSealed(state)) {
        try env.follow(state);
        try seal.commit(env, &state);
    }
    return Readers.pin(&env.lock, slot).state;
}

fn tryWriterLock(env: *Env, timeout_ns: ?u64) Error!bool {
    if (env.slotless != null) return false;
    env.lockWrite(timeout_ns orelse return false) catch |err| switch (err) {
        error.Busy, error.ReadOnly, error.Poisoned => return false,
        else => return err,
    };
    const running = &env.lock.shared.checkpoint;
    const phase: Lock.Phase = @enumFromInt(running.phase.load(.seq_cst));
    const is_settled = switch (phase) {
        .idle => true,
        .switching => false,
        else => running.bulk == 0,
    };
    if (is_settled) return true;
    env.endWrite();
    return false;
}

/// The meta whose freelist holds pages of its own now: that of the running checkpoint, if one is.
fn currentMeta(env: *const Env) ?meta_format.Meta {
    const running = &env.lock.shared.checkpoint;
    const phase = running.phase.load(.seq_cst);
    if (phase == @intFromEnum(Lock.Phase.idle)) return env.completedMeta();
    return meta_format.decode(&running.meta, running.slot & 1) catch null;
}

/// Both metas and the headers of the log. What a running checkpoint is about to write, or may be
/// writing, is not looked at.
fn checkCompanions(audit: *Audit, env: *Env) Error!void {
    const shared = env.lock.shared;
    for ([_]u32{ 0, 1 }) |slot| {
        const before = env.completedBytes();
        if (try checkMeta(env, slot, &before)) continue;
        const phase = shared.checkpoint.phase.load(.seq_cst);
        const is_idle = phase == @intFromEnum(Lock.Phase.idle);
        if (!is_idle and shared.checkpoint.slot == slot) continue;
        if (!std.mem.eql(u8, &before, &env.completedBytes())) continue;
        try audit.report(slot, "is not the meta that it should be", .{});
    }
    const newest = env.completedMeta() orelse return;
    for ([_]u32{ 0, 1 }) |half| {
        if (try checkLogHalf(env, half, newest.sequence)) continue;
        const phase = shared.checkpoint.phase.load(.seq_cst);
        if (phase == @intFromEnum(Lock.Phase.completed)) continue;
        if (env.settings.read_only) continue;
        const again = env.completedMeta() orelse continue;
        if (again.sequence != newest.sequence) continue;
        try audit.report(0, "the header of half {d} of the log is not what it should be", .{half});
    }
}

/// Whether page `slot` holds the newest meta, or the whole one before it.
fn checkMeta(env: *Env, slot: u32, newest: *const [meta_format.size]u8) Error!bool {
    var bytes: [meta_format.size]u8 = undefined;
    if (try env.file.read(&bytes, @as(u64, slot) * env.file.page_size) < bytes.len) return false;
    const meta = meta_format.decode(&bytes, slot) catch return false;
    const last = meta_format.decode(newest, 0) catch
        meta_format.decode(newest, 1) catch return true;
    if (!std.mem.eql(u8, &meta.store_id, &env.store_id)) return false;
    if (meta.page_size != env.file.page_size) return false;
    if (last.sequence % 2 == slot) return std.mem.eql(u8, &bytes, newest);
    return meta.sequence + 1 == last.sequence and meta.txnid <= last.txnid;
}

/// Whether a half has a header under the salt that its records get, and not of a later checkpoint.
fn checkLogHalf(env: *Env, half: u32, sequence: u64) Error!bool {
    const header = try env.log.readHeader(half) orelse return false;
    if (!std.mem.eql(u8, &header.store_id, &env.store_id)) return false;
    return header.sequence <= sequence and header.salt == env.lock.shared.half_salt[half];
}

pub const Report = struct {
    allocator: Allocator,
    progress: Progress,
    is_exact: bool,
    /// The first finding, in words, or empty.
    first: []const u8,

    pub fn isOk(self: *const Report) bool {
        return self.progress.errors == 0;
    }

    pub fn deinit(self: *Report) void {
        self.allocator.free(self.first);
        self.* = undefined;
    }
};

/// Checks the newest state in one go.
pub fn checkAll(env: *Env) Error!Report {
    const check = try Check.create(env, .{});
    defer check.deinit();
    while (!try check.step(std.math.maxInt(u32))) {}
    const findings = check.findings();
    var buffer: [1600]u8 = undefined;
    const format = "page {d} of {s}: {s}";
    const first = if (findings.len == 0) "" else std.fmt.bufPrint(&buffer, format, .{
        findings[0].pgno, findings[0].table orelse "the store", findings[0].message,
    }) catch &buffer;
    return .{
        .allocator = env.allocator,
        .progress = check.progress(),
        .is_exact = check.isExact(),
        .first = try env.allocator.dupe(u8, first),
    };
}
