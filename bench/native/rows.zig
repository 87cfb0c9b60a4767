//! Every row of a run, in its order.

const Bench = @import("Bench.zig");
const floors = @import("floors.zig");
const page_sizes = @import("page_sizes.zig");
const reads = @import("reads.zig");
const sizes = @import("sizes.zig");
const writes = @import("writes.zig");

/// Entries of the stores that a row is about; 0: those of the large one.
const large = 0;

const Work = union(enum) {
    read: struct {
        call: reads.Call,
        entries: u32 = large,
        /// Lookups of a turn.
        count: u32 = 200_000,
        threads: []const u32 = &.{1},
        is_ordered: bool = false,
        has_floor: bool = false,
    },
    write: struct {
        entries: u32 = large,
        /// Puts of a transaction.
        batch: u32,
        /// Puts of a turn.
        count: u32,
        is_ordered: bool = false,
        is_flushed: bool = false,
    },
    load: struct { is_ordered: bool },
    /// Values of so many bytes into an empty store, and over them.
    large: struct { size: u32, batch: u32 = 1, is_flushed: bool = false },
    /// What has its own way.
    other: *const fn (*Bench, []const u8) anyerror!void,
};

pub const Row = struct {
    /// What `--only` and the targets know it by.
    id: []const u8,
    title: []const u8 = "",
    work: Work,
};

pub const all = [_]Row{
    .{ .id = "floor-load", .work = .{ .other = floors.loads } },
    .{ .id = "floor-copy", .work = .{ .other = floors.copy } },
    .{ .id = "floor-pwrite", .work = .{ .other = floors.writes } },
    .{
        .id = "get-hot",
        .title = "get, copied, 10,000 entries",
        .work = .{ .read = .{ .call = .get, .entries = 10_000, .count = 500_000 } },
    },
    .{
        .id = "view-hot",
        .title = "get, not copied, 10,000 entries",
        .work = .{ .read = .{ .call = .view, .entries = 10_000, .count = 500_000 } },
    },
    .{
        .id = "get-small",
        .title = "get, copied, 1,000 entries",
        .work = .{ .read = .{
            .call = .get,
            .entries = 1000,
            .count = 500_000,
            .has_floor = true,
        } },
    },
    .{
        .id = "view-small",
        .title = "get, not copied, 1,000 entries",
        .work = .{ .read = .{
            .call = .view,
            .entries = 1000,
            .count = 500_000,
            .has_floor = true,
        } },
    },
    .{ .id = "get-random", .title = "get, copied, random", .work = .{ .read = .{ .call = .get } } },
    .{
        .id = "view-random",
        .title = "get, not copied, random",
        .work = .{ .read = .{ .call = .view } },
    },
    .{
        .id = "get-ordered",
        .title = "get, copied, in order",
        .work = .{ .read = .{ .call = .get, .count = 500_000, .is_ordered = true } },
    },
    .{
        .id = "get-missing",
        .title = "get of a key that is not there, random",
        .work = .{ .read = .{ .call = .getMissing } },
    },
    .{
        .id = "getmany",
        .title = "1,000 random keys in one call; lmdb: a loop in one transaction",
        .work = .{ .read = .{ .call = .getMany } },
    },
    .{
        .id = "getmany-small",
        .title = "1,000 random keys in one call, 1,000 entries",
        .work = .{ .read = .{
            .call = .getMany,
            .entries = 1000,
            .count = 1_000_000,
            .threads = &.{ 1, 2 },
        } },
    },
    .{
        .id = "readers",
        .title = "get, copied, random, by one thread and by two",
        .work = .{ .read = .{ .call = .get, .threads = &.{ 1, 2 } } },
    },
    .{
        .id = "scan",
        .title = "all rows, one; zeolite copies them, lmdb does not",
        .work = .{ .read = .{ .call = .scan } },
    },
    .{
        .id = "put",
        .title = "one random put a transaction, no flush",
        .work = .{ .write = .{ .batch = 1, .count = 20_000 } },
    },
    .{
        .id = "put-small",
        .title = "one random put a transaction, no flush, 10,000 entries",
        .work = .{ .write = .{ .entries = 10_000, .batch = 1, .count = 20_000 } },
    },
    .{
        .id = "txn-100",
        .title = "100 random puts, no flush; the time of a transaction",
        .work = .{ .write = .{ .batch = 100, .count = 50_000 } },
    },
    .{
        .id = "txn-100-ordered",
        .title = "100 puts in order, no flush; the time of a transaction",
        .work = .{ .write = .{ .batch = 100, .count = 100_000, .is_ordered = true } },
    },
    .{
        .id = "batch",
        .title = "1,000 random puts, no flush; the time of a transaction",
        .work = .{ .write = .{ .batch = 1000, .count = 100_000 } },
    },
    .{
        .id = "flush-1",
        .title = "one random put, durable; the time of a transaction",
        .work = .{ .write = .{ .batch = 1, .count = 200, .is_flushed = true } },
    },
    .{
        .id = "flush-100",
        .title = "100 random puts, durable; the time of a transaction",
        .work = .{ .write = .{ .batch = 100, .count = 5000, .is_flushed = true } },
    },
    .{
        .id = "load-ordered",
        .title = "an empty store, keys in order, 1,000 a transaction",
        .work = .{ .load = .{ .is_ordered = true } },
    },
    .{
        .id = "load-random",
        .title = "an empty store, keys in no order, 1,000 a transaction",
        .work = .{ .load = .{ .is_ordered = false } },
    },
    .{
        .id = "value-1k",
        .title = "one put of 1,000 bytes a transaction, no flush",
        .work = .{ .large = .{ .size = 1000 } },
    },
    .{
        .id = "value-4k",
        .title = "one put of 4,000 bytes a transaction, no flush",
        .work = .{ .large = .{ .size = 4000 } },
    },
    .{
        .id = "value-4k-100",
        .title = "100 puts of 4,000 bytes, no flush; the time of a transaction",
        .work = .{ .large = .{ .size = 4000, .batch = 100 } },
    },
    .{
        .id = "value-64k",
        .title = "one put of 64 KiB a transaction, no flush",
        .work = .{ .large = .{ .size = 64 << 10 } },
    },
    .{
        .id = "value-1m",
        .title = "one put of 1,000,000 bytes a transaction, no flush",
        .work = .{ .large = .{ .size = 1_000_000 } },
    },
    .{
        .id = "value-64k-flush",
        .title = "one put of 64 KiB, durable; the time of a transaction",
        .work = .{ .large = .{ .size = 64 << 10, .is_flushed = true } },
    },
    .{
        .id = "value-1m-flush",
        .title = "one put of 1,000,000 bytes, durable; the time of a transaction",
        .work = .{ .large = .{ .size = 1_000_000, .is_flushed = true } },
    },
    .{ .id = "size", .title = "space", .work = .{ .other = sizes.sizes } },
    .{ .id = "open", .work = .{ .other = sizes.opening } },
    .{ .id = "page", .title = "every page size", .work = .{ .other = page_sizes.run } },
};

pub fn run(bench: *Bench, row: Row) !void {
    const entries = bench.sizes.entries;
    switch (row.work) {
        .read => |it| try reads.lookups(bench, .{
            .id = row.id,
            .title = row.title,
            .call = it.call,
            .entries = if (it.entries == large) entries else it.entries,
            .count = it.count,
            .threads = it.threads,
            .is_ordered = it.is_ordered,
            .has_floor = it.has_floor,
        }),
        .write => |it| {
            const options: writes.Options = .{
                .id = row.id,
                .title = row.title,
                .entries = if (it.entries == large) entries else it.entries,
                .batch = it.batch,
                .count = it.count,
                .is_ordered = it.is_ordered,
            };
            if (it.is_flushed) {
                try writes.flushed(bench, options);
            } else try writes.overwrites(bench, options);
        },
        .large => |it| try writes.large(bench, .{
            .id = row.id,
            .title = row.title,
            .size = it.size,
            .batch = it.batch,
            .is_flushed = it.is_flushed,
        }),
        .load => |it| try writes.load(bench, row.id, row.title, it.is_ordered),
        .other => |call| try call(bench, row.id),
    }
}
