//! What a test has done, in lines that `npm test` and `npm run torture` add up:
//! `counts: 1234 images`. The words are those of the table in docs/trust.md.
//!
//! A long test prints lines while it goes on, so that what it did is counted if it is cut off.

const std = @import("std");

pub const What = enum {
    /// States that a power cut may have left, each opened, compared, checked and written to.
    images,
    /// Of these and others: left by a second crash, in the recovery of the first.
    @"second crashes",
    /// Calls and allocations that failed.
    faults,
    /// Of these, flushes that failed.
    @"failed flushes",
    /// Changes made to a store or a tree and to an ordered map.
    operations,
    /// Files, pages and records that were damaged or hostile.
    @"damage cases",
    /// Simulated processes that were killed.
    @"simulated kills",
};

/// What a long test has done and not printed yet.
pub const Running = struct {
    what: What,
    /// So many make a line.
    every: u64,
    number: u64 = 0,

    pub fn add(self: *Running, more: u64) void {
        self.number += more;
        if (self.number >= self.every) self.end();
    }

    pub fn end(self: *Running) void {
        if (self.number > 0) print(self.what, self.number);
        self.number = 0;
    }
};

pub fn print(what: What, number: u64) void {
    std.debug.print("counts: {d} {t}\n", .{ number, what });
}
