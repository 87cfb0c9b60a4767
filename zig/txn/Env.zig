//! An open store of this process: its three files, what is shared with the process's threads, and
//! the way to begin reading or writing. It knows no tables' contents. `attach.zig` makes and ends
//! it, `Txn.zig` writes through it, `checkpoint.zig` drives its checkpoints.
//!
//! Invariants: `space`, `dirty`, `followed` and `buffer` belong to the holder of the writer lock
//! (but frames of published states are read by all threads);
//! `pins` to the holder of `mutex`. A state that is read is pinned first. A failed flush poisons.

const std = @import("std");
const assert = std.debug.assert;
const Allocator = std.mem.Allocator;
const config = @import("../config.zig");
const explain = @import("../explain.zig");
const meta_format = @import("../format/meta.zig");
const page_format = @import("../format/page.zig");
const record = @import("../format/record.zig");
const varint = @import("../format/varint.zig");
const freelist = @import("../format/freelist.zig");
const Os = @import("../os/os.zig").Os;
const Mutex = @import("../store/Mutex.zig");
const File = @import("../store/File.zig");
const Lock = @import("../store/Lock.zig");
const Readers = @import("../store/Readers.zig");
const Log = @import("../store/Log.zig");
const FreeSpace = @import("../store/FreeSpace.zig");
const FrameSet = @import("../store/FrameSet.zig");
const Snapshot = @import("../store/Snapshot.zig");
const Pages = @import("../store/Pages.zig");
const DirtyPages = @import("../store/DirtyPages.zig");
const tables = @import("tables.zig");

const Env = @This();

pub const Error = DirtyPages.WriteError || Readers.Error || error{ Poisoned, ReadOnly };

/// Byte of the data file that every attached process holds shared.
pub const alive_byte: u64 = 1;
/// Byte of the data file that readers without write access hold shared.
pub const slotless_byte: u64 = 2;
/// Bounds of the log's size, bytes, after which a checkpoint is wanted where none was given.
pub const checkpoint_size_min: u64 = 16 << 20;
pub const checkpoint_size_max: u64 = 128 << 20;
/// Commits that may be published and not yet durable: a recovery's jump is longer.
pub const unflushed_max: u64 = 1 << 20;
/// With more than that nobody waits for flushes commit by commit.
const unflushed_few = 16;
/// No half of a log becomes so long, bytes.
const log_offset_max: u64 = 1 << 48;
/// Slots of dead readers are looked for at most this often, ns.
const stale_interval_ns: u64 = 20 * std.time.ns_per_ms;

pub const Settings = struct {
    verify: Snapshot.Verify = .once,
    size_max: u64 = 1 << 40,
    /// Bytes of log after which a checkpoint is wanted; 0: half the size of the data file, within
    /// `checkpoint_size_min` and `checkpoint_size_max`.
    checkpoint_size: u64 = 0,
    /// Operations of more bytes are not logged: the commit is a checkpoint of its own.
    operations_size_max: u64 = 32 << 20,
    /// Values of fewer bytes are in the log whole; of larger ones it may name the run only.
    named_run_size_min: u64 = 64 << 10,
    /// A commit that will be flushed at once has large values of so many bytes in the log whole.
    whole_size_max: u64 = 4 << 20,
    /// Dirty pages beyond this many bytes are written to their places before the commit. 0: the
    /// default, which in a store that this process has to itself follows the machine's memory.
    frames_size_max: u64 = 0,
    lock_timeout_ns: u64 = 5 * std.time.ns_per_s,
    random: bool = false,
    read_only: bool = false,
    exclusive: bool = false,
};

/// So many commits may begin with the free space of one before them, if fewer pages than that were
/// freed since. Few: pages freed last are in the caches, others are not.
const space_age_max = 2;
const space_fresh_max = 64;

/// Frames of a transaction whose pages are written with its commit, bytes.
const frames_size_default: u64 = 64 << 20;
/// Frames of a store that this process has to itself stay until a checkpoint: an eighth of the
/// memory, at most this.
const frames_size_exclusive_max: u64 = 512 << 20;

/// What `frames_size_max` is where nobody said.
pub fn framesSizeOf(os: Os, exclusive: bool) u64 {
    if (!exclusive) return frames_size_default;
    const share = os.memorySize() / 8;
    return std.math.clamp(share, frames_size_default, frames_size_exclusive_max);
}

const Pin = struct { txnid: u64, slot: u32, count: u32 };

/// Where this process's knowledge of free space stands: behind that record.
const Followed = struct { txnid: u64, half: u32, offset: u64, chain: u64, salt: u64 };

allocator: Allocator,
os: Os,
/// Resolved path of the data file; `X-wal` and `X-lock` lie beside it.
path: [:0]const u8,
lock_path: [:0]const u8,
settings: Settings,
store_id: [16]u8,
main_attributes: tables.Attributes,
file: File,
log: Log,
lock: Lock,
/// This process made the store and flushed the folder then: the names of its files are durable.
names_flushed: bool = false,
/// Reads 1 here and 0 in a forked child, which must not touch the store.
fork_guard: *const u32,
/// Without write access: states are read from a map of `X-lock` that cannot be written, or from a
/// private replay. No slot of our own then.
slotless: ?Slotless = null,

mutex: Mutex = .{},
pins: std.ArrayList(Pin) = .empty,
stale_checked: u64 = 0,

space: FreeSpace,
dirty: DirtyPages,
followed: ?Followed = null,
/// The operations of the running transaction, behind room for a record's header.
buffer: std.ArrayList(u8) = .empty,
protected: std.ArrayList(u64) = .empty,
/// Commits since the last `beginSpace`.
space_age: u32 = space_age_max,
/// What readers pin, as of the last `beginSpace`.
pinned: std.ArrayList(u64) = .empty,
/// Commits of several puts that changed frames of the published state. Tests ask for it.
in_place_count: u64 = 0,
/// True from `beginWrite` to `endWrite`: what a thread that died between them left.
writing: bool = false,
/// The last process leaves, and nobody reads: the file may end with the last page in use.
is_leaving: bool = false,

/// How a store is read without write access.
pub const Slotless = enum {
    /// Somebody is attached: follow the published states.
    following,
    /// Nobody was: the state of the last checkpoint, which no one changes while we hold our lock.
    alone,
};

/// A state that can be read: pinned by whoever made it.
pub const View = struct {
    snapshot: Snapshot,
    frames: *const FrameSet,
    main: page_format.Tree,
    catalogue: page_format.Tree,

    pub fn pages(self: *const View) Pages {
        return .{ .snapshot = &self.snapshot, .frames = self.frames };
    }
};

/// Shared memory is trusted no further than a file would be: what places are computed from is
/// within bounds, and what is said to be a frame is one of ours.
pub fn checkState(self: *const Env, state: Lock.State) error{Corrupt}!void {
    if (state.txnid > config.txnid_max or state.page_count < 2) return error.Corrupt;
    if (state.log_half > 1 or state.log_offset > log_offset_max) return error.Corrupt;
    for ([_]meta_format.Root{ state.main, state.catalogue }) |root| {
        if (root.is_frame != 0 and root.checksum != self.dirty.set.tag) return error.Corrupt;
    }
}

/// The published state as something to read. It must be pinned, or be the writer's base.
pub fn viewOf(self: *Env, state: Lock.State) Error!View {
    try self.checkState(state);
    try self.file.map(state.page_count);
    return .{
        .snapshot = .{
            .file = &self.file,
            .txnid = state.txnid,
            .page_count = state.page_count,
            .verify = self.settings.verify,
        },
        .frames = self.dirty.set,
        .main = try state.main.tree(),
        .catalogue = try state.catalogue.tree(),
    };
}

/// The newest published state. A reader without a slot is told when it can no longer see what
/// others commit.
pub fn publishedState(self: *const Env) Error!Lock.State {
    const kind = self.slotless orelse return self.lock.published();
    if (try self.isOutdated(kind)) {
        explain.set("a process with write access has opened {s} since: open it again", .{
            self.path,
        });
        return error.Busy;
    }
    return self.lock.published();
}

/// A reader that was alone no longer is; or those it followed have left, and others began anew.
fn isOutdated(self: *const Env, kind: Slotless) Error!bool {
    if (kind == .alone) return self.os.isLocked(self.file.fd, alive_byte, .exclusive);
    if (try self.os.isLocked(self.lock.fd, Lock.attached_byte, .exclusive)) return false;
    const now = self.os.statPath(self.lock_path) catch |err| switch (err) {
        error.NotFound => return true,
        else => return err,
    };
    return now.inode != (try self.os.stat(self.lock.fd)).inode;
}

/// Pages free in the newest state, and how many of them a reader or a checkpoint holds back, as far
/// as this process knows.
pub fn freePages(self: *const Env) struct { free: u64, retained: u64 } {
    if (self.followed != null) return .{
        .free = self.space.freeCount(),
        .retained = self.space.retained_count,
    };
    const meta = self.completedMeta() orelse return .{ .free = 0, .retained = 0 };
    return .{ .free = meta.free_page_count, .retained = 0 };
}

/// Whether this is a child of the process that opened the store: its locks, pins and threads are
/// its parent's.
pub fn isForked(self: *const Env) bool {
    return @as(*const volatile u32, self.fork_guard).* != 1;
}

/// Refuses a forked child.
pub fn checkFork(self: *const Env) Error!void {
    if (!self.isForked()) return;
    explain.set("this process was forked from the one that opened the store: open it again", .{});
    return error.PermissionDenied;
}

/// Pins `txnid`, which a slot of this process holds pinned now, until `unpin`. States pinned twice
/// share a slot.
pub fn pin(self: *Env, txnid: u64) Error!void {
    if (self.slotless != null) return;
    self.mutex.lock(self.os);
    defer self.mutex.unlock(self.os);
    for (self.pins.items) |*entry| {
        if (entry.txnid != txnid) continue;
        entry.count += 1;
        return;
    }
    try self.pins.ensureUnusedCapacity(self.allocator, 1);
    const slot = try Readers.take(&self.lock);
    Readers.pinSame(&self.lock, slot, txnid);
    self.pins.appendAssumeCapacity(.{ .txnid = txnid, .slot = slot, .count = 1 });
}

pub fn unpin(self: *Env, txnid: u64) void {
    if (self.slotless != null or self.isForked()) return;
    self.mutex.lock(self.os);
    defer self.mutex.unlock(self.os);
    for (self.pins.items, 0..) |*entry, index| {
        if (entry.txnid != txnid) continue;
        entry.count -= 1;
        if (entry.count > 0) return;
        Readers.give(&self.lock, entry.slot);
        _ = self.pins.swapRemove(index);
        return;
    }
    unreachable; // every unpin follows its pin
}

/// Takes the writer lock. What is published may be followed and changed until `endWrite`. Waits at
/// most `timeout_ns`: `Busy`.
pub fn lockWrite(self: *Env, timeout_ns: u64) Error!void {
    try self.checkFork();
    if (self.settings.read_only or self.slotless != null) return error.ReadOnly;
    if (self.lock.holdsWriter()) return error.Busy;
    const acquired = try self.lock.lockWriter(timeout_ns);
    if (self.writing) self.abandon();
    self.writing = true;
    errdefer self.endWrite();
    if (self.lock.isPoisoned()) return error.Poisoned;
    // Before anybody builds on what is published: a power cut may not bring the record back then.
    if (acquired == .taken_over) try self.retractRecord();
}

/// Gives the writer lock back, unless it is the parent's.
pub fn endWrite(self: *Env) void {
    assert(self.writing);
    self.writing = false;
    if (!self.isForked()) self.lock.unlockWriter();
}

/// Forgets the transaction that a dead thread of this process left; nothing of it is published.
fn abandon(self: *Env) void {
    self.space.abort();
    self.dirty.end(.aborted);
    self.followed = null;
    self.writing = false;
}

/// The states, the newest published aside, whose pages must stay: what readers pin, which `pinned`
/// holds by itself, the last completed checkpoint, and the unfinished one.
pub fn protectedStates(self: *Env) Error![]const u64 {
    const shared = self.lock.shared;
    self.protected.clearRetainingCapacity();
    // The running one first: should it complete in between, it is the completed one.
    if (shared.checkpoint.phase.load(.seq_cst) != @intFromEnum(Lock.Phase.idle)) {
        const running = shared.checkpoint.txnid.load(.seq_cst);
        try self.protected.append(self.allocator, running);
    }
    try self.protected.append(self.allocator, shared.checkpoint_txnid.load(.seq_cst));
    try self.clearStaleReaders();
    self.pinned.clearRetainingCapacity();
    try Readers.pinned(&self.lock, self.allocator, &self.pinned);
    try self.protected.appendSlice(self.allocator, self.pinned.items);
    return self.protected.items;
}

/// Free space for the commit `txnid`, as `beginSpace`, or as it was when a commit before this one
/// asked: a page that was available then is used by no state that anybody has come to need since.
pub fn beginSmallSpace(self: *Env, txnid: u64) Error!void {
    const is_known = self.space_age < space_age_max and !self.space.no_reuse and
        !self.settings.exclusive and self.dirty.set.retired_count == 0;
    if (!is_known or self.space.freshCount(space_fresh_max) == space_fresh_max) {
        return self.beginSpace(txnid);
    }
    self.space_age += 1;
    self.space.beginAsBefore(txnid);
}

/// The next commit asks who needs which pages, however lately another did.
pub fn renewSpace(self: *Env) void {
    self.space_age = space_age_max;
}

/// Free space for the commit `txnid`: what nobody needs any more becomes available, unless a reader
/// without a slot is there. It may need any page that was ever freed, so the file grows instead.
pub fn beginSpace(self: *Env, txnid: u64) Error!void {
    self.space_age = 0;
    // Nobody else is there, or can come, in a store that this process has to itself.
    if (!self.settings.exclusive) {
        self.space.no_reuse = try self.os.isLocked(self.file.fd, slotless_byte, .exclusive);
    }
    try self.space.begin(txnid, try self.protectedStates());
}

/// Slots of killed processes hold pages back: look for them now and then, when something is held.
fn clearStaleReaders(self: *Env) Error!void {
    if (self.space.held.items.len == 0) return;
    const now = self.os.now();
    if (now -% self.stale_checked < stale_interval_ns) return;
    self.stale_checked = now;
    _ = try Readers.clearStale(&self.lock);
}

/// Which runs the records behind the last completed checkpoint may name, over `state`.
pub fn namingOf(self: *const Env, state: Lock.State) DirtyPages.Naming {
    return .{
        .newest = state.run_txnid,
        .checkpointed = self.lock.shared.checkpoint_txnid.load(.seq_cst),
    };
}

/// What has to be flushed, in that order, for the commits up to `txnid` to be durable.
pub const Unflushed = struct { txnid: u64, files: enum(u2) { none, log, data_then_log } };

/// What the newest published commit needs. Where it, or one before it that is not durable either,
/// names runs, these come first: a record is worth what its runs are.
pub fn unflushed(self: *const Env) Unflushed {
    const state = self.lock.published();
    const flushed = self.lock.shared.flushed.load(.acquire);
    if (flushed >= state.txnid) return .{ .txnid = state.txnid, .files = .none };
    const has_runs = state.run_txnid > flushed;
    return .{ .txnid = state.txnid, .files = if (has_runs) .data_then_log else .log };
}

/// Makes everything durable up to the newest published commit.
pub fn flushLog(self: *Env) Error!void {
    if (self.lock.isPoisoned()) return error.Poisoned;
    const wanted = self.unflushed();
    if (wanted.files == .none) return;
    if (wanted.files == .data_then_log) try self.flushFile();
    self.log.flush() catch |err| return self.poisoned(err);
    self.lock.raiseFlushed(wanted.txnid);
}

/// Before each commit over `state`: at most 2^20 - 1 may be published and not durable, or the jump
/// of a recovery would not land above all of them. The writer lock is held.
pub fn boundUnflushed(self: *Env, state: Lock.State) Error!void {
    if (state.txnid >= config.txnid_max) return error.Full;
    const flushed = self.lock.shared.flushed.load(.acquire);
    if (state.txnid -| flushed >= unflushed_max - 1) try self.flushLog();
}

/// Makes the pages written so far durable.
pub fn flushFile(self: *Env) Error!void {
    if (self.lock.isPoisoned()) return error.Poisoned;
    self.file.flush() catch |err| return self.poisoned(err);
}

/// A failed flush is final: the system reports it once and marks the pages clean.
pub fn poisoned(self: *Env, err: Error) Error {
    if (err == error.Killed) return err;
    self.lock.poison();
    explain.set("a flush of {s} failed ({t}): what was not durable may be lost; " ++
        "close the store everywhere and open it again", .{ self.path, err });
    return err;
}

/// Remembers that free space is known up to the end of the state's log.
pub fn setFollowed(self: *Env, state: Lock.State) void {
    self.followed = .{
        .txnid = state.txnid,
        .half = state.log_half,
        .offset = state.log_offset,
        .chain = state.log_chain,
        .salt = state.log_salt,
    };
}

fn isAt(at: Followed, state: Lock.State) bool {
    return at.half == state.log_half and at.offset == state.log_offset and
        at.salt == state.log_salt and at.chain == state.log_chain;
}

/// Learns what other processes' commits took and freed, from their log records; from the last
/// checkpoint's freelist on where those are gone.
pub fn follow(self: *Env, state: Lock.State) Error!void {
    if (self.followed) |at| {
        if (isAt(at, state)) return;
        self.followed = null;
        if (try self.followFrom(at, state)) return self.setFollowed(state);
    }
    // The checkpoint may complete, and its log half be recycled, while we read.
    for (0..16) |_| {
        if (try self.rebuildSpace(state)) return self.setFollowed(state);
    }
    explain.set("the free space of {s} cannot be read back from its log", .{self.path});
    return error.Corrupt;
}

/// False: a record on the way is gone.
fn followFrom(self: *Env, from: Followed, state: Lock.State) Error!bool {
    var at = from;
    var bytes: std.ArrayList(u8) = .empty;
    defer bytes.deinit(self.allocator);
    self.log.size = @max(self.log.size, (try self.os.stat(self.log.fd)).size);
    while (!isAt(at, state)) {
        const found = try self.log.readRecord(
            self.allocator,
            &bytes,
            at.half,
            at.offset,
            at.salt,
        ) orelse return false;
        if (found.header.previous != at.chain or found.header.txnid > state.txnid) return false;
        // It has no part about free space: its own meta has all of it.
        if (found.header.kind == .bulk) return false;
        const parts = found.bytes[record.header_size..];
        try self.applySpace(
            parts[found.header.operations_size..][0..found.header.space_size],
            found.header.txnid,
        );
        at.txnid = found.header.txnid;
        at.offset += found.header.size;
        at.chain = found.header.checksum;
        if (found.header.kind == .@"switch") {
            const salt = try switchSalt(parts[0..found.header.operations_size]);
            at = .{
                .txnid = at.txnid,
                .half = 1 - at.half,
                .offset = Log.first_offset,
                .chain = salt,
                .salt = salt,
            };
        }
    }
    return self.space.page_count == state.page_count;
}

/// The salt of the other half, as a switch record names it.
pub fn switchSalt(operations: []const u8) error{Corrupt}!u64 {
    if (operations.len != 8) return error.Corrupt;
    return std.mem.readInt(u64, operations[0..8], .little);
}

/// Applies the change of free space of one record.
fn applySpace(self: *Env, bytes: []const u8, txnid: u64) Error!void {
    var reader: record.Reader = .{ .bytes = bytes };
    try self.space.applyPageCount(try reader.small());
    for (0..try reader.small()) |_| {
        try self.space.applyTaken(.{ .pgno = try reader.small(), .count = try reader.small() });
    }
    for (0..try reader.small()) |_| {
        const pgno = try reader.small();
        const count = try reader.small();
        const age = try varint.read(&reader.bytes);
        if (age > txnid) return error.Corrupt;
        try self.space.applyFreed(.{
            .pgno = pgno,
            .count = count,
            .birth = txnid - age,
            .freed = txnid,
        });
    }
}

/// Appends what the transaction took and freed, as `applySpace` reads it.
pub fn writeSpace(self: *Env) Error!void {
    const space = &self.space;
    const taken = try space.takenRuns();
    const count = taken.len + space.given.items.len;
    try self.buffer.ensureUnusedCapacity(self.allocator, (3 + 4 * count) * varint.size_max);
    const writer: record.Writer = .{ .bytes = &self.buffer };
    writer.number(space.page_count);
    writer.number(taken.len);
    for (taken) |run| {
        writer.number(run.pgno);
        writer.number(run.count);
    }
    writer.number(space.given.items.len);
    for (space.given.items) |freed| {
        writer.number(freed.pgno);
        writer.number(freed.count);
        writer.number(freed.freed - freed.birth);
    }
}

/// The newest meta known durable. Null only if a checkpoint completed twice while we copied it.
pub fn completedMeta(self: *const Env) ?meta_format.Meta {
    const bytes = self.completedBytes();
    // Decoded under the page it lies in: one of the two.
    return meta_format.decode(&bytes, 0) catch (meta_format.decode(&bytes, 1) catch null);
}

pub fn completedBytes(self: *const Env) [meta_format.size]u8 {
    const shared = self.lock.shared;
    return shared.completed_metas[shared.completed_index.load(.acquire) & 1];
}

/// Makes `bytes` the newest meta known durable. One at a time: the holder of the checkpoint lock,
/// or of the writer lock while no checkpoint runs.
pub fn setCompletedMeta(self: *Env, bytes: [meta_format.size]u8) void {
    const shared = self.lock.shared;
    const next = (shared.completed_index.load(.monotonic) + 1) & 1;
    shared.completed_metas[next] = bytes;
    shared.completed_index.store(next, .release);
}

/// Free space from the last checkpoint's freelist and the records behind it. False: a checkpoint
/// completed meanwhile, begin again.
fn rebuildSpace(self: *Env, state: Lock.State) Error!bool {
    const meta = self.completedMeta() orelse return false;
    try self.loadFreelist(meta);
    // What is available now was never asked about by this process.
    self.space_age = space_age_max;
    const from: Followed = .{
        .txnid = meta.txnid,
        .half = meta.log_half,
        .offset = Log.first_offset,
        .chain = meta.log_salt,
        .salt = meta.log_salt,
    };
    const done = try self.followFrom(from, state);
    return done and self.lock.shared.checkpoint_txnid.load(.seq_cst) == meta.txnid;
}

/// Free space as the checkpoint `meta` keeps it, with the states that readers of that moment may
/// still need. Readers that came later need nothing that was free then.
pub fn loadFreelist(self: *Env, meta: meta_format.Meta) Error!void {
    try self.file.map(meta.page_count);
    try self.space.reset(meta.page_count);
    var chain = FreelistChain.init(self, meta);
    while (try chain.next()) |item| {
        var reader = item.reader;
        while (try reader.nextRun()) |run| try self.applyFreeRun(run);
    }
    if (self.space.freeCount() != meta.free_page_count) return error.Corrupt;
}

fn applyFreeRun(self: *Env, run: freelist.Run) Error!void {
    if (run.freed == 0) {
        return self.space.applyAvailable(.{ .pgno = run.pgno, .count = run.count });
    }
    return self.space.applyFreed(.{
        .pgno = run.pgno,
        .count = run.count,
        .birth = run.birth,
        .freed = run.freed,
    });
}

/// Walks the freelist pages of a checkpoint, each vouched for by the one before. They are read past
/// the map: `check` must live through a file that was cut.
pub const FreelistChain = struct {
    env: *const Env,
    meta: meta_format.Meta,
    at: freelist.Next,
    left: u32,
    /// The page that the last item reads.
    buffer: [config.page_size_max]u8 align(8) = undefined,

    pub const Item = struct { pgno: u32, reader: freelist.Reader };

    pub fn init(env: *const Env, meta: meta_format.Meta) FreelistChain {
        return .{
            .env = env,
            .meta = meta,
            .at = .{ .pgno = meta.freelist.pgno, .checksum = meta.freelist.checksum },
            .left = meta.freelist.page_count,
        };
    }

    /// The next page; its reader is valid until the following call.
    pub fn next(self: *FreelistChain) Error!?Item {
        const pgno = self.at.pgno;
        if ((self.left == 0) != (pgno == 0)) return self.broken(pgno);
        if (pgno == 0) return null;
        if (pgno < 2 or pgno >= self.meta.page_count) return self.broken(pgno);
        const page_size = self.env.file.page_size;
        const bytes = self.buffer[0..page_size];
        const size = try self.env.file.read(bytes, @as(u64, pgno) * page_size);
        if (size < page_size) return self.broken(pgno);
        if (page_format.checksum(bytes, pgno) != self.at.checksum) return self.broken(pgno);
        const reader = try freelist.Reader.init(bytes, pgno, self.meta.page_count);
        self.at = reader.next;
        self.left -= 1;
        return .{ .pgno = pgno, .reader = reader };
    }

    fn broken(self: *const FreelistChain, pgno: u32) error{Corrupt} {
        explain.set("freelist page {d} of {s} is damaged", .{ pgno, self.env.path });
        return error.Corrupt;
    }
};

/// Appends one record to the log behind `state` and moves the state's position there. The parts
/// lie in `buffer` behind room for the header: operations, then the change of free space.
pub fn appendRecord(
    self: *Env,
    state: *Lock.State,
    kind: record.Kind,
    operations_size: usize,
) Error!void {
    const parts_size = self.buffer.items.len - record.header_size;
    assert(operations_size <= parts_size);
    const size = record.sizeOf(operations_size, parts_size - operations_size);
    assert(size <= record.size_max);
    try self.buffer.ensureTotalCapacity(self.allocator, @intCast(size));
    self.buffer.items.len = @intCast(size);
    const checksum = record.seal(self.buffer.items, .{
        .previous = state.log_chain,
        .txnid = state.txnid,
        .flushed_txnid = @min(self.lock.shared.flushed.load(.acquire), state.txnid),
        .size = @intCast(size),
        .kind = kind,
        .operations_size = @intCast(operations_size),
        .space_size = @intCast(parts_size - operations_size),
    }, state.log_salt);
    try self.log.reserve(state.log_half, state.log_offset + size, self.logGrowth(state.txnid));
    try self.log.write(state.log_half, state.log_offset, self.buffer.items);
    state.log_offset += size;
    state.log_chain = checksum;
}

/// Whoever flushes its commits, alone or in groups, has few that are not durable.
fn logGrowth(self: *const Env, txnid: u64) Log.Growth {
    const flushed = self.lock.shared.flushed.load(.acquire);
    return if (txnid -| flushed > unflushed_few) .reserved else .written;
}

/// Zeroes the header of a record behind the published state, if there is one.
fn eraseTail(self: *Env) Error!void {
    const state = self.lock.published();
    try self.checkState(state);
    var head: [record.header_size]u8 = undefined;
    const length = try self.log.read(state.log_half, state.log_offset, &head);
    if (std.mem.allEqual(u8, head[0..length], 0)) return;
    @memset(&head, 0);
    self.log.size = @max(self.log.size, (try self.os.stat(self.log.fd)).size);
    try self.log.write(state.log_half, state.log_offset, head[0..length]);
}

/// Takes back the record behind the published state, which a flush may have made durable already:
/// one that was not published must not come back at the next open. Flushes also where none is to be
/// seen: who erased it may have died before its own flush.
pub fn retractRecord(self: *Env) Error!void {
    self.eraseTail() catch |err| return self.poisoned(err);
    self.log.flush() catch |err| return self.poisoned(err);
}

/// Empties `buffer` but for the header's room.
pub fn clearBuffer(self: *Env) Error!void {
    self.buffer.clearRetainingCapacity();
    try self.buffer.appendNTimes(self.allocator, 0, record.header_size);
}
