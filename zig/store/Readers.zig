//! Reader slots: which states are pinned, by whom, since when. A pin is one line of `X-lock`, so a
//! writer sees it without asking anybody; a slot is stale exactly when nobody holds the byte of
//! its process. Pinning never waits and never fails once a slot is taken.
//!
//! Invariants (Keir Fraser, "Practical lock-freedom", 2004, on epochs): a pinned txnid was the
//! published one after its slot was visible to every writer that could free its pages; from then
//! on some slot holds it until it is let go, though not always the same one.

const std = @import("std");
const assert = std.debug.assert;
const Lock = @import("Lock.zig");

pub const Error = Lock.Error || error{ReadersFull};

/// Takes a free slot for this process; it pins nothing yet.
pub fn take(lock: *Lock) Error!u32 {
    const shared = lock.shared;
    for (&shared.readers, 0..) |*slot, index| {
        if (slot.process.load(.monotonic) != 0) continue;
        // What it pinned last may show until our store below: that holds back, it does not let go.
        if (slot.process.cmpxchgStrong(0, lock.process, .acq_rel, .monotonic) != null) continue;
        slot.txnid.store(Lock.unpinned, .monotonic);
        slot.pid = lock.os.pid();
        _ = shared.slots_used.fetchMax(@intCast(index + 1), .seq_cst);
        return @intCast(index);
    }
    if (try clearStale(lock) > 0) return take(lock);
    return error.ReadersFull;
}

pub fn give(lock: *Lock, index: u32) void {
    const slot = &lock.shared.readers[index];
    assert(slot.process.load(.monotonic) == lock.process);
    slot.txnid.store(Lock.unpinned, .release);
    slot.process.store(0, .release);
}

/// Pins the newest published state in slot `index` and returns it with its sequence.
pub fn pin(lock: *Lock, index: u32) struct { state: Lock.State, sequence: u64 } {
    const shared = lock.shared;
    const slot = &shared.readers[index];
    var sequence = shared.sequence.load(.acquire);
    while (true) {
        const state = shared.states[sequence % Lock.state_count];
        // An exchange is a full fence: the slot is visible before the sequence is read again.
        _ = slot.txnid.swap(state.txnid, .seq_cst);
        lock.awaitPins();
        const again = shared.sequence.load(.seq_cst);
        if (again == sequence) {
            slot.since = lock.os.wallClock();
            return .{ .state = state, .sequence = sequence };
        }
        sequence = again;
    }
}

/// Pins what another slot of this process holds pinned.
pub fn pinSame(lock: *Lock, index: u32, txnid: u64) void {
    const slot = &lock.shared.readers[index];
    slot.since = lock.os.wallClock();
    _ = slot.txnid.swap(txnid, .seq_cst);
}

pub fn unpin(lock: *Lock, index: u32) void {
    lock.shared.readers[index].txnid.store(Lock.unpinned, .release);
}

/// So often the slots are looked at. What a slot holds another takes over before it is let go, and
/// only once, when the last session that has pinned it goes on: who has missed it in both, having
/// come by the one too early and by the other too late, finds it in the other the second time.
const look_count = 2;

/// Appends every pinned txnid to `out`, each once.
pub fn pinned(
    lock: *const Lock,
    allocator: std.mem.Allocator,
    out: *std.ArrayList(u64),
) error{OutOfMemory}!void {
    for (0..look_count) |_| for (used(lock)) |*slot| {
        if (slot.process.load(.acquire) == 0) continue;
        const txnid = slot.txnid.load(.seq_cst);
        if (txnid == Lock.unpinned) continue;
        if (std.mem.indexOfScalar(u64, out.items, txnid) != null) continue;
        try out.append(allocator, txnid);
    };
}

/// The newest txnid that is pinned, 0 if none is. Slots of dead processes count, so only where no
/// other process can be.
pub fn newestPin(lock: *const Lock) u64 {
    var newest: u64 = 0;
    for (0..look_count) |_| for (used(lock)) |*slot| {
        // A slot that nobody has is not pinned.
        const txnid = slot.txnid.load(.seq_cst);
        if (txnid != Lock.unpinned) newest = @max(newest, txnid);
    };
    return newest;
}

pub fn used(lock: *const Lock) []Lock.ReaderSlot {
    const count = @min(lock.shared.slots_used.load(.seq_cst), Lock.reader_slot_count);
    return lock.shared.readers[0..count];
}

/// Frees the slots of dead processes. Returns how many.
pub fn clearStale(lock: *Lock) Error!u32 {
    var cleared: u32 = 0;
    var last_dead: u32 = 0;
    var last_alive: u32 = lock.process;
    for (used(lock)) |*slot| {
        const process = slot.process.load(.acquire);
        if (process == 0 or process == last_alive) continue;
        if (process != last_dead) {
            if (try lock.isAlive(process)) {
                last_alive = process;
                continue;
            }
            last_dead = process;
        }
        if (slot.process.cmpxchgStrong(process, 0, .acq_rel, .monotonic) == null) cleared += 1;
    }
    return cleared;
}
