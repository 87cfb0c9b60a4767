//! A lock between the threads of one process: three states over one word, waiting by `Os.wait`.
//! It is never held while waiting for another process. The algorithm is the second one of
//! Drepper, "Futexes Are Tricky" (2011): 0 free, 1 held, 2 held and waited for.

const std = @import("std");
const Os = @import("../os/os.zig").Os;

const Mutex = @This();

word: std.atomic.Value(u32) = .init(0),

/// Waits until the lock is free and takes it.
pub fn lock(self: *Mutex, os: Os) void {
    if (self.word.cmpxchgStrong(0, 1, .acquire, .monotonic) == null) return;
    while (self.word.swap(2, .acquire) != 0) os.wait(&self.word, 2, 10 * std.time.ns_per_ms);
}

/// Lets the lock go and wakes one waiter.
pub fn unlock(self: *Mutex, os: Os) void {
    const before = self.word.swap(0, .release);
    std.debug.assert(before != 0);
    if (before == 2) os.wake(&self.word);
}
