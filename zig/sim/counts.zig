//! What a test has done, in lines that `npm test` and `npm run torture` add up:
//! `counts: 1234 images`. The words are those of the table in docs/trust.md.
//!
//! A test prints a line when it is done, so one that fails is not counted.

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

pub fn print(what: What, number: u64) void {
    std.debug.print("counts: {d} {t}\n", .{ number, what });
}
