//! `X-lock`: memory that every attached process shares. It holds the published states, the reader
//! slots, the two locks, the running checkpoint and the poison word. Made anew by the first process
//! that attaches, never flushed, never needed after a power cut.
//!
//! Invariants: a process number is never used twice in the life of a file, and its byte is locked
//! before the number is written anywhere, so that a number whose byte nobody holds is dead; a
//! state record is complete before the sequence names it; nothing read here is trusted further
//! than a state of the file would be.

const std = @import("std");
const assert = std.debug.assert;
const Atomic = std.atomic.Value;
const meta = @import("../format/meta.zig");
const os_types = @import("../os/types.zig");
const Os = @import("../os/os.zig").Os;

const Lock = @This();

pub const magic: u64 = 0x32_4b_43_4f_4c_4f_45_5a; // "ZEOLOCK2"
pub const state_count = 8;
pub const reader_slot_count = 4000;
/// Byte of `X-lock` that every attached process holds shared.
pub const attached_byte: u64 = 0;
/// Byte of process number 0; each attached process holds its own exclusively.
const process_byte_first: u64 = 16;
/// How long a waiter sleeps before it looks whether the owner still lives.
const wait_ns: u64 = 2 * std.time.ns_per_ms;
const spin_count = 200;

/// A published state: everything a reader or the next writer needs to begin.
pub const State = extern struct {
    txnid: u64,
    main: meta.Root,
    catalogue: meta.Root,
    page_count: u32,
    table_id_next: u32,
    table_count: u32,
    log_half: u32,
    log_offset: u64,
    log_chain: u64,
    log_salt: u64,
    /// The newest commit whose record names overflow runs; 0: none since recovery.
    run_txnid: u64 = 0,
    /// Bytes of the runs that the records of this half name.
    run_size: u64 = 0,
};

pub const ReaderSlot = extern struct {
    /// Number of the process, 0: the slot is free.
    process: Atomic(u32) align(64),
    pid: u32,
    /// Pinned state, `unpinned` when none.
    txnid: Atomic(u64),
    /// When it was pinned, ms since 1970.
    since: u64,
};

pub const unpinned: u64 = std.math.maxInt(u64);

pub const Phase = enum(u32) {
    idle = 0,
    /// Switched the log, wrote the freelist; the data file wants a flush.
    begun = 1,
    /// Every page is durable; the meta may be written.
    data_flushed = 2,
    /// The meta may be in the file; it wants a flush.
    meta_written = 3,
    /// The checkpoint is complete; the other half of the log wants a new header.
    completed = 4,
    /// Between the log's switch and `begun`: which of the two it is, the published state tells.
    switching = 5,
    _,
};

pub const Checkpoint = extern struct {
    phase: Atomic(u32),
    /// Page of the meta, 0 or 1.
    slot: u32,
    txnid: Atomic(u64),
    /// The bytes of the meta, for whoever finishes the work.
    meta: [meta.size]u8,
    /// Salt that the recycled half gets.
    recycle_salt: u64,
    recycle_half: u32,
    /// 1: the state below becomes the published one when the meta is durable.
    bulk: u32,
    bulk_state: State,
};

pub const Shared = extern struct {
    magic: u64,
    device: u64,
    inode: u64,
    store_id: [16]u8,
    slot_count: u32,
    process_next: Atomic(u32),
    poison: Atomic(u32),
    /// Slots at and behind this index were never used.
    slots_used: Atomic(u32),
    /// 1: the newest meta in the file is marked closed, no record may be written yet.
    closed: Atomic(u32),
    page_size: u32,
    /// Values of so many bytes and more stand in their runs alone; the same for all who attach.
    named_run_size_min: u64,
    /// Log records that the recovery of this life of the file replayed.
    recovered: u64,

    writer: Atomic(u64) align(64),
    writer_waiters: Atomic(u32),
    writer_wake: Atomic(u32),

    checkpoint_owner: Atomic(u64) align(64),
    checkpoint: Checkpoint,
    /// The newest meta known durable is the one of `completed_index`: a process killed while it
    /// writes the other leaves this one whole.
    completed_metas: [2][meta.size]u8,
    completed_index: Atomic(u32),
    half_salt: [2]u64,
    checkpoint_txnid: Atomic(u64),

    sequence: Atomic(u64) align(64),
    flushed: Atomic(u64),
    states: [state_count]State,
    readers: [reader_slot_count]ReaderSlot,
};

pub const size = std.mem.alignForward(usize, @sizeOf(Shared), 4096);

comptime {
    assert(@sizeOf(State) % 8 == 0);
    assert(@sizeOf(ReaderSlot) == 64);
    assert(size <= 272 << 10);
}

pub const Identity = struct { device: u64, inode: u64, store_id: [16]u8, page_size: u32 };

pub const Error = os_types.Error || error{ Corrupt, Busy };

os: Os,
fd: os_types.Fd,
memory: []align(4096) u8,
shared: *Shared,
/// This process's number in the file.
process: u32,
/// 1 while a thread of this process, which has the store to itself, changes pages of the published
/// state: a pin waits.
pins_held: Atomic(u32) = .init(0),

/// Makes a new file beside the old one and puts it in its place. The caller holds the attach lock
/// and knows that nobody is attached. `temporary` is the path it has until then.
pub fn create(os: Os, path: [:0]const u8, temporary: [:0]const u8, identity: Identity) Error!Lock {
    os.unlink(temporary) catch |err| if (err != error.NotFound) return err;
    const fd = try os.open(temporary, .{ .write = true, .create = true, .exclusive = true });
    errdefer os.close(fd);
    errdefer os.unlink(temporary) catch {}; // the error that brought us here is the one to tell
    try os.allocate(fd, 0, size);
    const memory = try os.mapShared(fd, size);
    errdefer os.unmap(memory);
    const shared: *Shared = @ptrCast(memory.ptr);
    shared.magic = magic;
    shared.device = identity.device;
    shared.inode = identity.inode;
    shared.store_id = identity.store_id;
    shared.page_size = identity.page_size;
    shared.slot_count = reader_slot_count;
    var self: Lock = .{ .os = os, .fd = fd, .memory = memory, .shared = shared, .process = 0 };
    try self.register();
    try os.rename(temporary, path);
    return self;
}

/// Attaches to the file that others use. Error `Corrupt`: it is not the lock file of this store.
pub fn open(os: Os, path: [:0]const u8, identity: Identity) Error!Lock {
    const fd = try os.open(path, .{ .write = true });
    errdefer os.close(fd);
    if ((try os.stat(fd)).size < size) return error.Corrupt;
    const memory = try os.mapShared(fd, size);
    errdefer os.unmap(memory);
    const shared: *Shared = @ptrCast(memory.ptr);
    var self: Lock = .{ .os = os, .fd = fd, .memory = memory, .shared = shared, .process = 0 };
    try self.checkIdentity(identity);
    try self.register();
    return self;
}

fn checkIdentity(self: *const Lock, identity: Identity) error{Corrupt}!void {
    const shared = self.shared;
    if (shared.magic != magic or shared.slot_count != reader_slot_count) return error.Corrupt;
    if (shared.device != identity.device or shared.inode != identity.inode) return error.Corrupt;
    if (!std.mem.eql(u8, &shared.store_id, &identity.store_id)) return error.Corrupt;
    if (shared.page_size != identity.page_size) return error.Corrupt;
}

/// Follows the file that others use without write access to it: states can be read, nothing else.
pub fn follow(os: Os, path: [:0]const u8, identity: Identity) Error!Lock {
    const fd = try os.open(path, .{});
    errdefer os.close(fd);
    if ((try os.stat(fd)).size < size) return error.Corrupt;
    const memory = try os.reserve(size);
    errdefer os.unmap(memory);
    try os.mapFile(memory, fd, 0);
    const self: Lock = .{
        .os = os,
        .fd = fd,
        .memory = memory,
        .shared = @ptrCast(memory.ptr),
        .process = 0,
    };
    try self.checkIdentity(identity);
    return self;
}

/// Memory of the same layout that nobody shares, for a reader that is alone.
pub fn private(os: Os) Error!Lock {
    const allocator = std.heap.page_allocator;
    const memory = try allocator.alignedAlloc(u8, .fromByteUnits(4096), size);
    @memset(memory, 0);
    return .{ .os = os, .fd = -1, .memory = memory, .shared = @ptrCast(memory.ptr), .process = 0 };
}

/// True if the file at `path` belongs to a store other than `inode` and is in use: a file was
/// moved over an open store.
pub fn isForeignInUse(os: Os, path: [:0]const u8, device: u64, inode: u64) Error!bool {
    const fd = os.open(path, .{ .write = true }) catch |err| switch (err) {
        error.NotFound => return false,
        else => return err,
    };
    defer os.close(fd);
    var head: [24]u8 = undefined;
    if (try os.pread(fd, &head, 0) < head.len) return false;
    if (std.mem.readInt(u64, head[0..8], .little) != magic) return false;
    const same = std.mem.readInt(u64, head[8..16], .little) == device and
        std.mem.readInt(u64, head[16..24], .little) == inode;
    return !same and try os.isLocked(fd, attached_byte, .exclusive);
}

/// Takes the next process number, its byte locked first.
fn register(self: *Lock) Error!void {
    if (!try self.os.lock(self.fd, attached_byte, .shared)) return error.Busy;
    while (true) {
        const number = self.shared.process_next.fetchAdd(1, .monotonic) + 1;
        if (number == 0) return error.Busy;
        if (!try self.os.lock(self.fd, process_byte_first + number, .exclusive)) continue;
        self.process = number;
        return;
    }
}

pub fn deinit(self: *Lock) void {
    if (self.fd < 0) return std.heap.page_allocator.free(self.memory);
    self.os.unmap(self.memory);
    self.os.close(self.fd);
}

/// Does the process of that number still hold its byte?
pub fn isAlive(self: *const Lock, process: u32) Error!bool {
    if (process == self.process) return true;
    return self.os.isLocked(self.fd, process_byte_first + process, .exclusive);
}

fn ownWord(self: *const Lock) u64 {
    return @as(u64, self.process) << 32 | self.os.threadId();
}

fn isOwnerAlive(self: *const Lock, owner: u64) Error!bool {
    const process: u32 = @intCast(owner >> 32);
    if (process == self.process) return self.os.isThreadAlive(@truncate(owner));
    return self.isAlive(process);
}

pub const Acquired = enum { free, taken_over };

/// Takes the writer lock, waiting at most `timeout_ns`: `Busy` after that. A dead owner's lock is
/// taken over.
pub fn lockWriter(self: *Lock, timeout_ns: u64) Error!Acquired {
    const shared = self.shared;
    const own = self.ownWord();
    var spins: u32 = 0;
    var deadline: ?u64 = null;
    while (true) {
        const wake = shared.writer_wake.load(.acquire);
        const owner = shared.writer.cmpxchgStrong(0, own, .acquire, .monotonic) orelse return .free;
        assert(owner != own);
        spins += 1;
        if (spins < spin_count) {
            std.atomic.spinLoopHint();
            continue;
        }
        if (!try self.isOwnerAlive(owner)) {
            if (shared.writer.cmpxchgStrong(owner, own, .acquire, .monotonic) == null) {
                return .taken_over;
            }
            continue;
        }
        const now = self.os.now();
        const end = deadline orelse now +| timeout_ns;
        deadline = end;
        if (now >= end) return error.Busy;
        _ = shared.writer_waiters.fetchAdd(1, .seq_cst);
        self.os.wait(&shared.writer_wake, wake, @min(wait_ns, end - now));
        _ = shared.writer_waiters.fetchSub(1, .seq_cst);
    }
}

/// The writer lock if it is free at once.
pub fn tryLockWriter(self: *Lock) Error!?Acquired {
    return self.lockWriter(0) catch |err| switch (err) {
        error.Busy => null,
        else => err,
    };
}

pub fn unlockWriter(self: *Lock) void {
    const shared = self.shared;
    shared.writer.store(0, .seq_cst);
    if (shared.writer_waiters.load(.seq_cst) == 0) return;
    _ = shared.writer_wake.fetchAdd(1, .release);
    self.os.wake(&shared.writer_wake);
}

pub fn holdsWriter(self: *const Lock) bool {
    return self.shared.writer.load(.monotonic) == self.ownWord();
}

/// The checkpoint lock if no live thread is inside a step.
pub fn tryLockCheckpoint(self: *Lock) Error!bool {
    const own = self.ownWord();
    const word = &self.shared.checkpoint_owner;
    const owner = word.cmpxchgStrong(0, own, .acquire, .monotonic) orelse return true;
    if (try self.isOwnerAlive(owner)) return false;
    return word.cmpxchgStrong(owner, own, .acquire, .monotonic) == null;
}

pub fn unlockCheckpoint(self: *Lock) void {
    self.shared.checkpoint_owner.store(0, .release);
}

/// No state can be pinned until `allowPins`; what is pinned before shows in the slots. The holder
/// of the writer lock only, in a store that its process has to itself.
pub fn holdPins(self: *Lock) void {
    assert(self.pins_held.load(.monotonic) == 0);
    // Sequentially consistent with a pin's store and its look here: either that sees this, or its
    // slot is seen by whoever looks at the slots from here on.
    self.pins_held.store(1, .seq_cst);
}

/// Behind the publication of what was changed.
pub fn allowPins(self: *Lock) void {
    self.pins_held.store(0, .release);
}

/// Waits while pins are held, which is for less than a microsecond of the other thread's time.
pub inline fn awaitPins(self: *const Lock) void {
    if (self.pins_held.load(.seq_cst) != 0) self.awaitPinsSlowly();
}

noinline fn awaitPinsSlowly(self: *const Lock) void {
    @branchHint(.cold);
    var spins: u32 = 0;
    while (self.pins_held.load(.seq_cst) != 0) {
        spins += 1;
        if (spins < 10 * spin_count) {
            std.atomic.spinLoopHint();
            continue;
        }
        // Nobody wakes us: its thread was interrupted, and the processor may be needed for it.
        self.os.wait(&self.pins_held, 1, wait_ns / 40);
    }
}

/// Makes `state` the published one. The holder of the writer lock only.
pub fn publish(self: *Lock, state: State) void {
    const next = self.shared.sequence.load(.monotonic) + 1;
    self.shared.states[next % state_count] = state;
    // Sequentially consistent with the pin's store and reload: either the reader sees this
    // sequence and begins again, or a writer that comes later sees its slot.
    self.shared.sequence.store(next, .seq_cst);
}

/// The newest published state, copied whole.
pub fn published(self: *const Lock) State {
    while (true) {
        const sequence = self.shared.sequence.load(.acquire);
        const state = copyState(&self.shared.states[sequence % state_count]);
        if (self.shared.sequence.load(.acquire) == sequence) return state;
    }
}

/// A copy that is complete before anything after it is read: each load acquires.
fn copyState(from: *const State) State {
    const words: *const [@sizeOf(State) / 8]u64 = @ptrCast(from);
    var copy: [@sizeOf(State) / 8]u64 = undefined;
    for (words, &copy) |*word, *slot| slot.* = @atomicLoad(u64, word, .acquire);
    return @bitCast(copy);
}

pub fn poison(self: *Lock) void {
    self.shared.poison.store(1, .seq_cst);
}

pub fn isPoisoned(self: *const Lock) bool {
    return self.shared.poison.load(.acquire) != 0;
}

/// Raises the newest durable txnid to `txnid`.
pub fn raiseFlushed(self: *Lock, txnid: u64) void {
    _ = self.shared.flushed.fetchMax(txnid, .release);
}
