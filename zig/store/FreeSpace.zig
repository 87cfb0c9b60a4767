//! Which pages of the data file may be written next. A page is *free* when the newest published
//! state does not use it, and *available* when in addition no state that somebody may still need
//! does: the last completed checkpoint, an unfinished one, a live reader. In memory only; a
//! checkpoint keeps the free pages in freelist pages, a log record the change of its commit.
//! It is no tree, and saving it never re-enters one.
//!
//! Invariants: an available page is used by no protected state; a page freed by commit f that was
//! written by commit b is needed by exactly the states s with b <= s < f; the cost of a commit
//! follows the pages it took and gave, never the pages that are free. One writer at a time.

const std = @import("std");
const assert = std.debug.assert;
const Allocator = std.mem.Allocator;
const freelist = @import("../format/freelist.zig");

const FreeSpace = @This();

pub const Error = error{ OutOfMemory, Full, Corrupt };

/// Groups of more pages than this are taken in the order of the file.
const group_size_min = 16;
/// Words that are looked at for pieces of one size, beside some for each page.
const sweep_word_count_min = 64;

/// Pages 0 and 1 are metas.
pub const first_pgno: u32 = 2;

pub const Run = struct { pgno: u32, count: u32 };

/// A run that was freed: written by commit `birth`, no longer used from commit `freed` on.
pub const Freed = struct { pgno: u32, count: u32, birth: u64, freed: u64 };

const Held = struct { by: u64, runs: std.ArrayList(Freed) };

/// Place in the transaction's lists to which `rollback` returns.
pub const Mark = struct { taken: usize, given: usize, page_count: u32 };

allocator: Allocator,
/// Pages of the file, used or free; pages behind it have never been used.
page_count: u32 = first_pgno,
/// One bit a page: set = available.
bits: std.ArrayList(u64) = .empty,
/// Per page the low half of the commit that freed it while it is free but not available, else 0.
stamps: std.ArrayList(u32) = .empty,
available_count: u32 = 0,
retained_count: u32 = 0,
/// Available pages, most recently freed last; may hold pages taken since (the bit decides).
recent: std.ArrayList(u32) = .empty,
/// Freed by commits and not looked at yet.
fresh: std.ArrayList(Freed) = .empty,
/// Freed and needed by state `by`.
held: std.ArrayList(Held) = .empty,
scan_word: usize = 0,
/// A search for that many contiguous pages failed and little was freed since.
run_miss: u32 = std.math.maxInt(u32),
/// Where the next sweep begins.
sweep_word: usize = 0,
/// Until the next transaction all pages are taken from the front of the file.
is_front_only: bool = false,

txnid: u64 = 0,
base_page_count: u32 = first_pgno,
taken: std.ArrayList(Run) = .empty,
given: std.ArrayList(Freed) = .empty,
/// What `takenRuns` returned last.
net: std.ArrayList(Run) = .empty,
/// True: nothing that was free before the transaction may be used, only pages behind the last.
no_reuse: bool = false,
/// Above 0: pages that the transaction took and gave back must stay as they are until its end.
pinned: u32 = 0,
/// And behind it, for who has pinned the state below the transaction: a range reads them.
is_read: bool = false,

pub fn deinit(self: *FreeSpace) void {
    for (self.held.items) |*group| group.runs.deinit(self.allocator);
    inline for (.{ "bits", "stamps", "recent", "fresh", "held", "taken", "given", "net" }) |name| {
        @field(self, name).deinit(self.allocator);
    }
}

/// Forgets everything; the file has `page_count` pages, all used.
pub fn reset(self: *FreeSpace, page_count: u32) Error!void {
    for (self.held.items) |*group| group.runs.deinit(self.allocator);
    inline for (.{ "bits", "stamps", "recent", "fresh", "held", "taken", "given", "net" }) |name| {
        @field(self, name).clearRetainingCapacity();
    }
    self.available_count = 0;
    self.retained_count = 0;
    self.run_miss = std.math.maxInt(u32);
    self.page_count = first_pgno;
    try self.extend(page_count);
}

fn extend(self: *FreeSpace, page_count: u32) Error!void {
    assert(page_count >= first_pgno);
    const words = (@as(usize, page_count) + 63) / 64;
    if (words > self.bits.items.len) try self.bits.appendNTimes(
        self.allocator,
        0,
        words - self.bits.items.len,
    );
    if (page_count > self.stamps.items.len) try self.stamps.appendNTimes(
        self.allocator,
        0,
        page_count - self.stamps.items.len,
    );
    self.page_count = page_count;
}

fn isSet(self: *const FreeSpace, pgno: u32) bool {
    return self.bits.items[pgno / 64] & (@as(u64, 1) << @intCast(pgno % 64)) != 0;
}

fn set(self: *FreeSpace, pgno: u32) void {
    if (self.isSet(pgno)) return;
    self.bits.items[pgno / 64] |= @as(u64, 1) << @intCast(pgno % 64);
    self.available_count += 1;
}

fn clear(self: *FreeSpace, pgno: u32) void {
    if (!self.isSet(pgno)) return;
    self.bits.items[pgno / 64] &= ~(@as(u64, 1) << @intCast(pgno % 64));
    self.available_count -= 1;
}

fn stampOf(freed: u64) u32 {
    const low: u32 = @truncate(freed);
    return if (low == 0) 1 else low;
}

/// Begins the transaction that will be commit `txnid`. `protected` are the states that somebody
/// may still need, the newest published one aside. Pages no longer needed become available.
pub fn begin(self: *FreeSpace, txnid: u64, protected: []const u64) Error!void {
    self.beginAsBefore(txnid);
    try self.collect(protected);
}

/// As `begin`, but what the transaction may use is what was available at the last one, if it takes
/// pages at all.
pub fn beginAsBefore(self: *FreeSpace, txnid: u64) void {
    assert(self.taken.items.len == 0);
    assert(self.given.items.len == 0);
    self.txnid = txnid;
    self.base_page_count = self.page_count;
    self.is_front_only = false;
    self.pinned = 0;
    self.is_read = false;
}

/// Pages freed by commits and not looked at yet; at most `limit`.
pub fn freshCount(self: *const FreeSpace, limit: u32) u32 {
    var count: u32 = 0;
    for (self.fresh.items) |freed| {
        count +|= freed.count;
        if (count >= limit) return limit;
    }
    return count;
}

fn collect(self: *FreeSpace, protected: []const u64) Error!void {
    var index: usize = 0;
    while (index < self.held.items.len) {
        if (std.mem.indexOfScalar(u64, protected, self.held.items[index].by) != null) {
            index += 1;
            continue;
        }
        const run_count = self.held.items[index].runs.items.len;
        try self.fresh.ensureUnusedCapacity(self.allocator, run_count);
        var group = self.held.swapRemove(index);
        defer group.runs.deinit(self.allocator);
        self.fresh.appendSliceAssumeCapacity(group.runs.items);
    }
    // A run that is held must not be fresh as well: a checkpoint lists both.
    var done: usize = 0;
    errdefer self.fresh.replaceRangeAssumeCapacity(0, done, &.{});
    for (self.fresh.items) |freed| {
        if (neededBy(freed, protected)) |by| {
            try self.hold(by, freed);
        } else {
            try self.recent.ensureUnusedCapacity(self.allocator, freed.count);
            self.makeAvailable(freed);
        }
        done += 1;
    }
    self.fresh.clearRetainingCapacity();
}

fn neededBy(freed: Freed, protected: []const u64) ?u64 {
    for (protected) |state| {
        if (freed.birth <= state and state < freed.freed) return state;
    }
    return null;
}

fn hold(self: *FreeSpace, by: u64, freed: Freed) Error!void {
    for (self.held.items) |*group| {
        if (group.by == by) return group.runs.append(self.allocator, freed);
    }
    try self.held.append(self.allocator, .{ .by = by, .runs = .empty });
    try self.held.items[self.held.items.len - 1].runs.append(self.allocator, freed);
}

fn makeAvailable(self: *FreeSpace, freed: Freed) void {
    const stamp = stampOf(freed.freed);
    var pgno = freed.pgno + freed.count;
    while (pgno > freed.pgno) {
        pgno -= 1;
        // Taken, and perhaps freed again, by another process since: that has its own entry.
        if (self.stamps.items[pgno] != stamp) continue;
        self.stamps.items[pgno] = 0;
        self.retained_count -= 1;
        self.set(pgno);
        self.recent.appendAssumeCapacity(pgno);
    }
    if (freed.count > 1 or self.recent.items.len % 64 == 0) {
        self.run_miss = std.math.maxInt(u32);
    }
}

/// Page numbers for all of `out`, now the transaction's own, ascending. A few are those freed last,
/// wherever they lie: they are in the caches of processor and kernel, which is worth more than one
/// call for all. Many are taken in the order of the file, at its end where less than an eighth of
/// it is available: aligned pieces of `piece_page_count` (a power of two) where there are any, else
/// smaller ones. What lies together is written by one call, and what stays of smaller holes grows
/// into pieces while the pages beside them are freed. Where the file cannot grow by so many, it
/// does so only if it must.
pub fn allocateGroup(
    self: *FreeSpace,
    out: []u32,
    piece_page_count: u32,
    can_grow: bool,
) Error!void {
    assert(std.math.isPowerOfTwo(piece_page_count) and piece_page_count < 64);
    const count: u32 = @intCast(out.len);
    if (count > group_size_min and !self.no_reuse) {
        // What waits for a checkpoint does not count: the less is left, the more it lies scattered.
        const is_roomy = !can_grow or self.is_front_only or
            self.available_count >= self.page_count / 8;
        if (!is_roomy or self.available_count < count) {
            return self.takeRun(out, try self.atEnd(count));
        }
        return self.sweep(out, if (self.is_front_only) 1 else piece_page_count);
    }
    for (out) |*pgno| pgno.* = try self.allocate(1);
    std.mem.sortUnstable(u32, out, {}, std.sort.asc(u32));
}

fn takeRun(self: *FreeSpace, out: []u32, pgno: u32) Error!void {
    const count: u32 = @intCast(out.len);
    try self.taken.append(self.allocator, .{ .pgno = pgno, .count = count });
    for (out, pgno..) |*slot, number| slot.* = @intCast(number);
}

/// The next available pages in the order of the file, from where the last sweep ended.
fn sweep(self: *FreeSpace, out: []u32, piece_page_count: u32) Error!void {
    assert(out.len <= self.available_count);
    try self.taken.ensureUnusedCapacity(self.allocator, out.len);
    var filled: usize = 0;
    var size = piece_page_count;
    while (size > 1) : (size /= 2) {
        // Where there are few pieces, looking for them does not cost more than the pages.
        const word_count = @min(self.bits.items.len, sweep_word_count_min + 8 * out.len);
        filled += self.sweepPieces(out[filled..], size, word_count);
    }
    while (filled < out.len) {
        filled += self.sweepPieces(out[filled..], 1, self.bits.items.len);
    }
    // It may have begun anew from the first page.
    std.mem.sortUnstable(u32, out, {}, std.sort.asc(u32));
}

/// Takes aligned pieces of `size` available pages from at most `word_count` words. Returns how many
/// of `out` it filled. There is room for the runs.
fn sweepPieces(self: *FreeSpace, out: []u32, size: u32, word_count: usize) usize {
    const words = self.bits.items;
    var index = if (self.sweep_word < words.len) self.sweep_word else 0;
    var filled: usize = 0;
    var left = word_count;
    while (left > 0) : (left -= 1) {
        var pieces = piecesOf(words[index], size);
        while (pieces != 0 and out.len - filled >= size) : (pieces &= pieces - 1) {
            const pgno: u32 = @intCast(index * 64 + @ctz(pieces));
            self.taken.appendAssumeCapacity(.{ .pgno = pgno, .count = size });
            for (out[filled..][0..size], pgno..) |*slot, number| {
                slot.* = @intCast(number);
                self.clear(slot.*);
            }
            filled += size;
        }
        if (out.len - filled < size) break;
        index = if (index + 1 < words.len) index + 1 else 0;
    }
    self.sweep_word = index;
    return filled;
}

/// The first pages of those aligned pieces of which every bit is set.
fn piecesOf(word: u64, size: u32) u64 {
    assert(size < 64);
    var set_bits = word;
    var width: u6 = 1;
    while (width < size) : (width *= 2) set_bits &= set_bits >> width;
    const firsts = std.math.maxInt(u64) / ((@as(u64, 1) << @intCast(size)) - 1);
    return set_bits & firsts;
}

/// The first of `count` contiguous pages, now the transaction's own; the file may have to grow to
/// `page_count` for them. Error `Full`: no more page numbers.
pub fn allocate(self: *FreeSpace, count: u32) Error!u32 {
    assert(count > 0);
    try self.taken.ensureUnusedCapacity(self.allocator, 1);
    const pgno = self.reusable(count) orelse try self.atEnd(count);
    for (pgno..pgno + count) |i| self.clear(@intCast(i));
    self.taken.appendAssumeCapacity(.{ .pgno = pgno, .count = count });
    return pgno;
}

/// Takes the run where it is: nobody uses it, and nothing was allocated in this transaction yet.
/// Error `Corrupt`: it is in use, or no run of this file can lie there.
pub fn claim(self: *FreeSpace, pgno: u32, count: u32) Error!void {
    const end = @as(u64, pgno) + count;
    if (pgno < first_pgno or count == 0 or end >= std.math.maxInt(u32)) return error.Corrupt;
    const before = self.page_count;
    try self.taken.ensureUnusedCapacity(self.allocator, 1);
    if (end > before) {
        try self.recent.ensureUnusedCapacity(self.allocator, @intCast(end - before));
        try self.extend(@intCast(end));
        for (before..self.page_count) |new| {
            self.set(@intCast(new));
            self.recent.appendAssumeCapacity(@intCast(new));
        }
    }
    for (pgno..@intCast(end)) |i| if (!self.isSet(@intCast(i))) return error.Corrupt;
    for (pgno..@intCast(end)) |i| self.clear(@intCast(i));
    self.taken.appendAssumeCapacity(.{ .pgno = pgno, .count = count });
}

fn reusable(self: *FreeSpace, count: u32) ?u32 {
    if (self.no_reuse) return null;
    return if (count == 1) self.popRecent() else self.findRun(count);
}

fn atEnd(self: *FreeSpace, count: u32) Error!u32 {
    const pgno = self.page_count;
    const end = @as(u64, pgno) + count;
    if (end >= std.math.maxInt(u32)) return error.Full;
    try self.extend(@intCast(end));
    return pgno;
}

fn popRecent(self: *FreeSpace) ?u32 {
    if (self.available_count == 0) {
        self.recent.clearRetainingCapacity();
        return null;
    }
    while (self.recent.pop()) |pgno| {
        if (pgno < self.page_count and self.isSet(pgno)) return pgno;
    }
    return self.findRun(1);
}

fn findRun(self: *FreeSpace, count: u32) ?u32 {
    if (count > self.available_count or count >= self.run_miss) return null;
    const start = if (self.scan_word < self.bits.items.len) self.scan_word else 0;
    if (self.scan(start, self.bits.items.len, count)) |pgno| return pgno;
    // Once more from the beginning, into the first half for runs that cross the start.
    if (self.scan(0, self.bits.items.len, count)) |pgno| return pgno;
    self.run_miss = count;
    return null;
}

fn scan(self: *FreeSpace, from: usize, to: usize, count: u32) ?u32 {
    var length: u32 = 0;
    for (from..to) |word_index| {
        const word = self.bits.items[word_index];
        if (word == 0) {
            length = 0;
            continue;
        }
        for (0..64) |bit| {
            length = if (word >> @intCast(bit) & 1 != 0) length + 1 else 0;
            if (length < count) continue;
            self.scan_word = word_index;
            return @intCast(word_index * 64 + bit + 1 - count);
        }
    }
    return null;
}

/// The transaction no longer uses a run that commit `birth` wrote. What it took itself is
/// available again at once, unless a savepoint or a range may still need it.
pub fn release(self: *FreeSpace, pgno: u32, count: u32, birth: u64) Error!void {
    if (pgno < first_pgno or @as(u64, pgno) + count > self.page_count) return error.Corrupt;
    if (birth > self.txnid) return error.Corrupt;
    if (birth == self.txnid and self.pinned == 0) {
        try self.recent.ensureUnusedCapacity(self.allocator, count);
        for (pgno..pgno + count) |i| {
            self.set(@intCast(i));
            self.recent.appendAssumeCapacity(@intCast(i));
        }
        return;
    }
    try self.given.append(self.allocator, .{
        .pgno = pgno,
        .count = count,
        // No state shows what its own commit freed, but a range does, which pins the one below.
        .birth = if (self.is_read) @min(birth, self.txnid - 1) else birth,
        .freed = self.txnid,
    });
}

pub fn mark(self: *const FreeSpace) Mark {
    return .{
        .taken = self.taken.items.len,
        .given = self.given.items.len,
        .page_count = self.page_count,
    };
}

/// Takes back what was done since `to`; `pinned` was above 0 all the time.
pub fn rollback(self: *FreeSpace, to: Mark) void {
    for (self.taken.items[to.taken..]) |run| self.unTake(run);
    self.taken.shrinkRetainingCapacity(to.taken);
    self.given.shrinkRetainingCapacity(to.given);
    // Pages that the file grew by since are as if they had never been.
    for (to.page_count..self.page_count) |pgno| self.clear(@intCast(pgno));
    self.page_count = to.page_count;
}

fn unTake(self: *FreeSpace, run: Run) void {
    for (run.pgno..run.pgno + run.count) |i| {
        const pgno: u32 = @intCast(i);
        self.set(pgno);
        self.recent.append(self.allocator, pgno) catch {}; // a hint only: the bit decides
    }
}

/// The transaction never was.
pub fn abort(self: *FreeSpace) void {
    self.rollback(.{ .taken = 0, .given = 0, .page_count = self.base_page_count });
    const words = (@as(usize, self.page_count) + 63) / 64;
    self.bits.shrinkRetainingCapacity(@min(words, self.bits.items.len));
    self.stamps.shrinkRetainingCapacity(@min(self.page_count, self.stamps.items.len));
}

/// The pages that the transaction took and still uses, as runs in ascending order. Call it last:
/// marks are void afterwards.
pub fn takenRuns(self: *FreeSpace) Error![]const Run {
    std.mem.sortUnstable(Run, self.taken.items, {}, lowerRun);
    self.net.clearRetainingCapacity();
    var end: u32 = first_pgno;
    for (self.taken.items) |run| {
        // A run taken, given back and taken again in parts stands here more than once.
        var pgno = @max(run.pgno, end);
        while (pgno < run.pgno + run.count) : (pgno += 1) {
            if (self.isSet(pgno)) continue;
            try self.appendNet(pgno);
            end = pgno + 1;
        }
    }
    return self.net.items;
}

fn appendNet(self: *FreeSpace, pgno: u32) Error!void {
    if (self.net.items.len > 0) {
        const last = &self.net.items[self.net.items.len - 1];
        if (last.pgno + last.count == pgno) {
            last.count += 1;
            return;
        }
    }
    try self.net.append(self.allocator, .{ .pgno = pgno, .count = 1 });
}

fn lowerRun(_: void, a: Run, b: Run) bool {
    return a.pgno < b.pgno;
}

/// Call before anything of the commit is written, so that `commit` cannot fail.
pub fn reserveCommit(self: *FreeSpace) Error!void {
    try self.fresh.ensureUnusedCapacity(self.allocator, self.given.items.len);
}

/// The transaction is published: what it gave waits until nobody needs it.
pub fn commit(self: *FreeSpace) void {
    for (self.given.items) |freed| {
        self.stampRun(freed);
        self.fresh.appendAssumeCapacity(freed);
    }
    self.given.clearRetainingCapacity();
    self.taken.clearRetainingCapacity();
    self.base_page_count = self.page_count;
}

fn stampRun(self: *FreeSpace, freed: Freed) void {
    const stamp = stampOf(freed.freed);
    for (self.stamps.items[freed.pgno..][0..freed.count]) |*slot| {
        if (slot.* == 0) self.retained_count += 1;
        slot.* = stamp;
    }
}

/// Is the page free in the newest published state?
pub fn isFree(self: *const FreeSpace, pgno: u32) bool {
    return self.isSet(pgno) or self.stamps.items[pgno] != 0;
}

/// Where the file ends once what lies there has moved: not before `least`, and at most `count_max`
/// pages in use behind it.
pub fn endBehind(self: *const FreeSpace, least: u32, count_max: u32) u32 {
    var end = self.page_count;
    var used: u32 = 0;
    while (end > @max(least, first_pgno)) : (end -= 1) {
        if (self.isFree(end - 1)) continue;
        if (used == count_max) break;
        used += 1;
    }
    return end;
}

/// The rest of this transaction takes pages from the beginning of the file.
pub fn takeFirst(self: *FreeSpace) void {
    self.recent.clearRetainingCapacity();
    self.scan_word = 0;
    self.sweep_word = 0;
    self.is_front_only = true;
}

/// The file ends with its last page in use. An older state may need pages behind it, so nothing
/// must be taken any more, and nothing overwritten, until no such state is needed.
pub fn cutEnd(self: *FreeSpace) void {
    assert(self.taken.items.len == 0);
    assert(self.given.items.len == 0);
    while (self.page_count > first_pgno and self.isFree(self.page_count - 1)) {
        self.page_count -= 1;
        self.clear(self.page_count);
        if (self.stamps.items[self.page_count] != 0) self.retained_count -= 1;
        self.stamps.items[self.page_count] = 0;
    }
    self.base_page_count = self.page_count;
}

pub fn freeCount(self: *const FreeSpace) u32 {
    return self.available_count + self.retained_count;
}

/// The next run of free pages at or after `from`, as a checkpoint keeps them.
pub fn nextFreeRun(self: *const FreeSpace, from: u32) ?Run {
    var pgno = @max(from, first_pgno);
    while (pgno < self.page_count and !self.isFree(pgno)) pgno += 1;
    if (pgno >= self.page_count) return null;
    const start = pgno;
    while (pgno < self.page_count and self.isFree(pgno)) pgno += 1;
    return .{ .pgno = start, .count = pgno - start };
}

/// Every free run in ascending order, with the states that may need it; the caller frees the slice.
pub fn freeRuns(self: *const FreeSpace, allocator: Allocator) Error![]freelist.Run {
    var runs: std.ArrayList(freelist.Run) = .empty;
    errdefer runs.deinit(allocator);
    var pgno: u32 = first_pgno;
    while (self.nextAvailable(pgno)) |run| : (pgno = run.pgno + run.count) {
        try runs.append(allocator, run);
    }
    for (self.fresh.items) |freed| try self.appendRetained(allocator, &runs, freed);
    for (self.held.items) |group| {
        for (group.runs.items) |freed| try self.appendRetained(allocator, &runs, freed);
    }
    std.mem.sortUnstable(freelist.Run, runs.items, {}, lowerFree);
    return runs.toOwnedSlice(allocator);
}

fn lowerFree(_: void, a: freelist.Run, b: freelist.Run) bool {
    return a.pgno < b.pgno;
}

fn nextAvailable(self: *const FreeSpace, from: u32) ?freelist.Run {
    var pgno = from;
    while (pgno < self.page_count and !self.isSet(pgno)) {
        const is_word_empty = pgno % 64 == 0 and self.bits.items[pgno / 64] == 0;
        pgno += if (is_word_empty) 64 else 1;
    }
    if (pgno >= self.page_count) return null;
    const start = pgno;
    while (pgno < self.page_count and self.isSet(pgno)) pgno += 1;
    return .{ .pgno = start, .count = pgno - start };
}

/// The parts of an entry that are still as it says.
fn appendRetained(
    self: *const FreeSpace,
    allocator: Allocator,
    runs: *std.ArrayList(freelist.Run),
    freed: Freed,
) Error!void {
    const stamp = stampOf(freed.freed);
    var pgno = freed.pgno;
    const end = freed.pgno + freed.count;
    while (pgno < end) {
        if (self.stamps.items[pgno] != stamp) {
            pgno += 1;
            continue;
        }
        const start = pgno;
        while (pgno < end and self.stamps.items[pgno] == stamp) pgno += 1;
        try runs.append(allocator, .{
            .pgno = start,
            .count = pgno - start,
            .birth = freed.birth,
            .freed = freed.freed,
        });
    }
}

/// A run of a checkpoint's freelist that nobody needs.
pub fn applyAvailable(self: *FreeSpace, run: Run) Error!void {
    if (run.pgno < first_pgno) return error.Corrupt;
    if (@as(u64, run.pgno) + run.count > self.page_count) return error.Corrupt;
    try self.recent.ensureUnusedCapacity(self.allocator, run.count);
    for (run.pgno..run.pgno + run.count) |pgno| {
        self.set(@intCast(pgno));
        self.recent.appendAssumeCapacity(@intCast(pgno));
    }
}

/// Another process's commit made the file `page_count` pages long. Pages new to us are free until
/// `applyTaken` says otherwise.
pub fn applyPageCount(self: *FreeSpace, page_count: u32) Error!void {
    if (page_count < self.page_count) return error.Corrupt;
    const before = self.page_count;
    try self.extend(page_count);
    try self.recent.ensureUnusedCapacity(self.allocator, page_count - before);
    for (before..page_count) |pgno| {
        self.set(@intCast(pgno));
        self.recent.appendAssumeCapacity(@intCast(pgno));
    }
    self.base_page_count = self.page_count;
}

/// Another process's commit took this run.
pub fn applyTaken(self: *FreeSpace, run: Run) Error!void {
    if (run.pgno < first_pgno) return error.Corrupt;
    if (@as(u64, run.pgno) + run.count > self.page_count) return error.Corrupt;
    for (run.pgno..run.pgno + run.count) |i| {
        self.clear(@intCast(i));
        if (self.stamps.items[i] != 0) self.retained_count -= 1;
        self.stamps.items[i] = 0;
    }
}

/// Another process's commit freed this run, or a checkpoint's freelist holds it.
pub fn applyFreed(self: *FreeSpace, freed: Freed) Error!void {
    if (freed.pgno < first_pgno) return error.Corrupt;
    if (@as(u64, freed.pgno) + freed.count > self.page_count) return error.Corrupt;
    try self.fresh.append(self.allocator, freed);
    for (freed.pgno..freed.pgno + freed.count) |pgno| self.clear(@intCast(pgno));
    self.stampRun(freed);
}

const testing = std.testing;

test "FreeSpace holds a page back exactly as long as a state needs it" {
    var space: FreeSpace = .{ .allocator = testing.allocator };
    defer space.deinit();
    try space.reset(2);
    try space.begin(1, &.{});
    const a = try space.allocate(1);
    const b = try space.allocate(3);
    try testing.expectEqual(@as(u32, 2), a);
    try testing.expectEqual(@as(u32, 3), b);
    try space.reserveCommit();
    space.commit();
    try space.begin(5, &.{});
    try space.release(a, 1, 1);
    try space.reserveCommit();
    space.commit();
    // State 4 needs what 1 wrote and 5 freed; state 5 does not.
    try space.begin(6, &.{ 4, 5 });
    try testing.expectEqual(@as(u32, 6), try space.allocate(1));
    space.abort();
    try testing.expectEqual(@as(u32, 6), space.page_count);
    try space.begin(6, &.{5});
    try testing.expectEqual(a, try space.allocate(1));
    space.abort();
    try testing.expectEqual(@as(u32, 1), space.freeCount());
}

test "FreeSpace finds contiguous runs, also across words" {
    var space: FreeSpace = .{ .allocator = testing.allocator };
    defer space.deinit();
    try space.reset(200);
    try space.begin(2, &.{});
    try space.release(60, 10, 1);
    try space.release(100, 1, 1);
    try space.reserveCommit();
    space.commit();
    try space.begin(3, &.{});
    try testing.expectEqual(@as(u32, 60), try space.allocate(10));
    try testing.expectEqual(@as(u32, 200), try space.allocate(2));
    try testing.expectEqual(@as(u32, 100), try space.allocate(1));
    space.abort();
    try testing.expectEqual(@as(u32, 11), space.freeCount());
    try testing.expectEqual(@as(u32, 200), space.page_count);
}

test "FreeSpace gives large groups what lies together, and grows where little is free" {
    var space: FreeSpace = .{ .allocator = testing.allocator };
    defer space.deinit();
    try space.reset(1000);
    try space.begin(2, &.{});
    for (100..400) |i| if (i % 4 == 0) try space.release(@intCast(i), 1, 1);
    try space.reserveCommit();
    space.commit();
    try space.begin(3, &.{});
    var group: [100]u32 = undefined;
    // 75 of 1,000 are free.
    try space.allocateGroup(&group, 4, true);
    for (group, 1000..) |pgno, expected| try testing.expectEqual(expected, pgno);
    space.abort();
    try space.begin(3, &.{});
    try space.allocateGroup(group[0..70], 4, false);
    for (group[0..70]) |pgno| try testing.expect(pgno < 400);
    space.abort();
    try testing.expectEqual(@as(u32, 75), space.freeCount());
    try space.begin(3, &.{});
    try space.release(400, 200, 1);
    try space.reserveCommit();
    space.commit();
    try space.begin(4, &.{});
    for (0..2) |_| {
        try space.allocateGroup(&group, 4, true);
        for (group[0 .. group.len - 1], group[1..]) |a, b| try testing.expect(a < b);
        for (group) |pgno| try testing.expect(pgno >= 100 and pgno < 600);
    }
    try testing.expectEqual(@as(u32, 75), space.available_count);
    space.abort();
    try testing.expectEqual(@as(u32, 275), space.freeCount());
}

test "FreeSpace gives large groups aligned pieces first, then what is smaller" {
    var space: FreeSpace = .{ .allocator = testing.allocator };
    defer space.deinit();
    try space.reset(200);
    // Of each 16 pages 4 aligned ones, 2 aligned ones, 2 that are not, and one.
    const pattern = [_]u32{ 4, 5, 6, 7, 8, 9, 11, 12, 14 };
    for (1..11) |at| for (pattern) |offset| {
        try space.applyAvailable(.{ .pgno = @intCast(16 * at + offset), .count = 1 });
    };
    try space.begin(1, &.{});
    var pieces: [40]u32 = undefined;
    try space.allocateGroup(&pieces, 4, true);
    for (pieces, 0..) |pgno, index| {
        try testing.expectEqual(16 * (1 + index / 4) + pattern[index % 4], pgno);
    }
    var rest: [50]u32 = undefined;
    try space.allocateGroup(&rest, 4, true);
    for (rest, 0..) |pgno, index| {
        try testing.expectEqual(16 * (1 + index / 5) + pattern[4 + index % 5], pgno);
    }
    try testing.expectEqual(@as(u32, 0), space.available_count);
    space.abort();
    try testing.expectEqual(@as(u32, 90), space.available_count);
    try testing.expectEqual(@as(u64, 0x0000_0000_0000_1001), piecesOf(0x000e_0000_0007_f00f, 4));
    try testing.expectEqual(@as(u64, 1 << 32), piecesOf(0xffff_ffff_0000_0000, 32));
}

test "FreeSpace forgets a stale entry of a page that another process took and freed again" {
    var space: FreeSpace = .{ .allocator = testing.allocator };
    defer space.deinit();
    try space.reset(10);
    try space.applyFreed(.{ .pgno = 4, .count = 1, .birth = 1, .freed = 5 });
    try space.begin(6, &.{3});
    space.abort();
    try space.applyTaken(.{ .pgno = 4, .count = 1 });
    try space.applyFreed(.{ .pgno = 4, .count = 1, .birth = 7, .freed = 9 });
    try space.begin(10, &.{8});
    // The old entry's blocker is gone, the new one's is not.
    try testing.expectEqual(@as(u32, 10), try space.allocate(1));
    space.abort();
    try space.begin(10, &.{});
    try testing.expectEqual(@as(u32, 4), try space.allocate(1));
    space.abort();
}

test "FreeSpace takes savepoints back" {
    var space: FreeSpace = .{ .allocator = testing.allocator };
    defer space.deinit();
    try space.reset(10);
    try space.begin(2, &.{});
    space.pinned = 1;
    const to = space.mark();
    const run = try space.allocate(4);
    try space.release(run, 4, 2);
    try space.release(5, 1, 1);
    space.rollback(to);
    space.pinned = 0;
    try testing.expectEqual(run, try space.allocate(4));
    space.abort();
    try testing.expectEqual(@as(u32, 0), space.freeCount());
}

test "FreeSpace takes nothing that was freed since it was told who needs what" {
    var space: FreeSpace = .{ .allocator = testing.allocator };
    defer space.deinit();
    try space.reset(10);
    try space.applyAvailable(.{ .pgno = 7, .count = 1 });
    try space.begin(2, &.{});
    try space.release(5, 2, 1);
    try space.reserveCommit();
    space.commit();
    try testing.expectEqual(@as(u32, 2), space.freshCount(9));
    try testing.expectEqual(@as(u32, 1), space.freshCount(1));
    space.beginAsBefore(3);
    try testing.expectEqual(@as(u32, 7), try space.allocate(1));
    try testing.expectEqual(@as(u32, 10), try space.allocate(1));
    space.abort();
    try space.begin(3, &.{});
    try testing.expectEqual(@as(u32, 0), space.freshCount(9));
    try testing.expectEqual(@as(u32, 5), try space.allocate(2));
    space.abort();
}

test "FreeSpace lists a run once, wherever memory ran out while it looked at what was freed" {
    for (0..8) |fail_index| {
        var space: FreeSpace = .{ .allocator = testing.allocator };
        defer space.deinit();
        try space.reset(40);
        for ([_]u64{ 5, 7, 9 }, [_]u32{ 4, 10, 20 }) |freed, pgno| {
            try space.applyFreed(.{ .pgno = pgno, .count = 2, .birth = freed - 1, .freed = freed });
        }
        var failing = std.testing.FailingAllocator.init(testing.allocator, .{
            .fail_index = fail_index,
        });
        space.allocator = failing.allocator();
        const begun = space.begin(10, &.{ 4, 6, 8 });
        space.allocator = testing.allocator;
        begun catch |err| try testing.expectEqual(error.OutOfMemory, err);
        const runs = try space.freeRuns(testing.allocator);
        defer testing.allocator.free(runs);
        try testing.expectEqual(@as(usize, 3), runs.len);
    }
}

test "FreeSpace takes whole runs back where there is no memory left" {
    for ([_]bool{ false, true }) |is_aborted| {
        var space: FreeSpace = .{ .allocator = testing.allocator };
        defer space.deinit();
        try space.reset(100);
        try space.applyAvailable(.{ .pgno = 20, .count = 60 });
        try space.begin(2, &.{});
        space.pinned = 1;
        const to = space.mark();
        try testing.expectEqual(@as(u32, 20), try space.allocate(60));
        space.recent.clearAndFree(testing.allocator);
        space.allocator = testing.failing_allocator;
        if (is_aborted) space.abort() else space.rollback(to);
        space.allocator = testing.allocator;
        try testing.expectEqual(@as(u32, 60), space.freeCount());
        // No hint is left: they are found by their bits.
        for (0..60) |_| try testing.expect(try space.allocate(1) < 80);
        space.abort();
    }
}
