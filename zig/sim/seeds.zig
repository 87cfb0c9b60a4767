//! Which seeds a test runs. `ZEOLITE_SEED` chooses a single one, to see a failure again;
//! `ZEOLITE_SCALE` multiplies their number for a long run, `ZEOLITE_OFFSET` is added to each.
//! A debug build runs a tenth. `ZEOLITE_PART` divides it, and has simulators try one in so many
//! moments, for builds that are slow; it is odd, so that bits of all places of a byte are tried.

const std = @import("std");
const builtin = @import("builtin");

pub const List = struct {
    position: u64,
    end: u64,

    pub fn init(first: u64, count: u64) List {
        if (readNumber("ZEOLITE_SEED")) |seed| return .{ .position = seed, .end = seed + 1 };
        const wanted = count * scale();
        const actual = if (builtin.mode == .Debug) wanted / (10 * part()) + 1 else wanted;
        const begin = first + offset();
        return .{ .position = begin, .end = begin + actual };
    }

    pub fn next(self: *List) ?u64 {
        if (self.position == self.end) return null;
        self.position += 1;
        return self.position - 1;
    }
};

/// How many times as long a run is as one of `npm test`.
pub fn scale() u64 {
    return readNumber("ZEOLITE_SCALE") orelse 1;
}

/// One in how many moments, calls or bits is tried, where all of them are otherwise.
pub fn part() u64 {
    return readNumber("ZEOLITE_PART") orelse 1;
}

/// What is added to every seed, so that a long run does not try the same ones again.
pub fn offset() u64 {
    return readNumber("ZEOLITE_OFFSET") orelse 0;
}

fn readNumber(name: [:0]const u8) ?u64 {
    const text = std.c.getenv(name.ptr) orelse return null;
    return std.fmt.parseInt(u64, std.mem.span(text), 10) catch null;
}

test "List: the seeds from the first one on" {
    var list: List = .{ .position = 5, .end = 7 };
    try std.testing.expectEqual(5, list.next());
    try std.testing.expectEqual(6, list.next());
    try std.testing.expectEqual(null, list.next());
}
