//! What all rows of a run share: who takes part, the stores, the rounds, the results. Every row is
//! measured in rounds; in each round every contender does the same work, one after the other, in
//! an order that changes from round to round. A ratio is made of two figures of one round.

const std = @import("std");
const clock = @import("clock.zig");
const data = @import("data.zig");
const lmdb = @import("lmdb.zig");
const report = @import("report.zig");
const sorted = @import("sorted.zig");
const zeolite = @import("zeolite.zig");

const Bench = @This();

pub const Kind = union(enum) {
    zeolite: struct { library: *const zeolite.Library, options: zeolite.Options = .{} },
    lmdb: struct { library: *const lmdb.Library, options: lmdb.Options = .{} },
    sorted,
};

/// An engine with its options.
pub const Contender = struct {
    name: []const u8,
    kind: Kind,
    /// Differs from another one in how it writes only.
    is_writer: bool = false,

    /// The same with commits that are with the kernel when they return.
    fn unflushed(self: Contender) Contender {
        var result = self;
        switch (result.kind) {
            .sorted => {},
            .zeolite => |*it| it.options.is_durable = false,
            .lmdb => |*it| it.options.is_durable = false,
        }
        return result;
    }

    /// The same with commits that wait for their flush; null if it has no commits.
    pub fn durable(self: Contender) ?Contender {
        var result = self;
        switch (result.kind) {
            .sorted => return null,
            .zeolite => |*it| it.options.is_durable = true,
            .lmdb => |*it| it.options.is_durable = true,
        }
        return result;
    }
};

pub const Sizes = struct {
    rounds: u32 = 9,
    /// Entries of the large store.
    entries: u32 = 1_000_000,
    /// Parts in which work is done of what a whole run does.
    divisor: u32 = 1,

    /// How much of something a turn does.
    pub fn part(self: Sizes, whole: u32) u32 {
        return @max(1, whole / self.divisor);
    }
};

/// The figures of one contender in one row, a figure a round.
pub const Column = struct { name: []const u8, figures: []f64 };

pub const Unit = enum { ns, bytes_per_s, bytes, ratio };

pub const Row = struct { id: []const u8, title: []const u8, unit: Unit, columns: []Column };

/// A store of any engine.
pub const Store = union(enum) {
    zeolite: zeolite.Store,
    lmdb: lmdb.Store,
    sorted: sorted.Store,

    pub fn close(self: *Store) !void {
        switch (self.*) {
            inline else => |*store| try store.close(),
        }
    }

    pub fn put(self: *Store, puts: data.Puts) !void {
        switch (self.*) {
            inline else => |*store| try store.put(puts),
        }
    }

    pub fn path(self: *const Store) []const u8 {
        return switch (self.*) {
            inline else => |*store| store.path,
        };
    }
};

/// Rounds of what takes seconds.
const slow_rounds_max = 5;

const Kept = struct { kind: Kind, entries: u32, store: *Store };

allocator: std.mem.Allocator,
io: std.Io,
folder: []const u8,
seed: u64,
random: std.Random.Xoshiro256,
sizes: Sizes,
contenders: []const Contender,
values: *const data.Values,
kept: std.ArrayList(Kept) = .empty,
rows: std.ArrayList(Row) = .empty,
/// Where a row goes as soon as it is measured.
out: *std.Io.Writer,
path_count: u32 = 0,

/// Who reads: contenders that differ in writing only are left out.
pub fn readers(self: *Bench) ![]const Contender {
    var list: std.ArrayList(Contender) = .empty;
    for (self.contenders) |contender| {
        if (!contender.is_writer) try list.append(self.allocator, contender);
    }
    return list.items;
}

/// An empty store at a path that no other has had.
pub fn create(self: *Bench, contender: Contender) !*Store {
    return self.createWith(contender, 0);
}

/// The same with pages of a size, which LMDB does not let choose.
pub fn createWith(self: *Bench, contender: Contender, page_size: u32) !*Store {
    self.path_count += 1;
    const path = try std.fmt.allocPrintSentinel(
        self.allocator,
        "{s}/{d}",
        .{ self.folder, self.path_count },
        0,
    );
    return self.open(contender, path, page_size);
}

pub fn open(
    self: *Bench,
    contender: Contender,
    path: [:0]const u8,
    page_size: u32,
) !*Store {
    const store = try self.allocator.create(Store);
    store.* = switch (contender.kind) {
        .zeolite => |it| zeolite: {
            var options = it.options;
            options.page_size = page_size;
            break :zeolite .{
                .zeolite = try .open(self.allocator, it.library, path, options),
            };
        },
        .lmdb => |it| .{ .lmdb = try .open(it.library, path, it.options) },
        .sorted => .{ .sorted = .{ .allocator = self.allocator, .path = path } },
    };
    return store;
}

/// Closes a store and removes its files.
pub fn remove(self: *Bench, store: *Store) !void {
    const path = store.path();
    try store.close();
    try self.deleteFiles(path);
    self.allocator.destroy(store);
}

pub fn deleteFiles(self: *Bench, path: []const u8) !void {
    for ([_][]const u8{ "", "-wal", "-lock" }) |suffix| {
        const file = try std.mem.concat(self.allocator, u8, &.{ path, suffix });
        defer self.allocator.free(file);
        std.Io.Dir.cwd().deleteFile(self.io, file) catch |err| switch (err) {
            error.FileNotFound => {},
            else => return err,
        };
    }
}

/// A contender's store with so many entries, put in random order in transactions of 1,000; made
/// when it is first asked for, and kept.
pub fn filled(self: *Bench, contender: Contender, entries: u32) !*Store {
    for (self.kept.items) |it| {
        if (it.entries == entries and std.meta.eql(it.kind, contender.kind)) return it.store;
    }
    var store = try self.create(contender.unflushed());
    try self.fill(store, entries);
    if (!std.meta.eql(contender.kind, contender.unflushed().kind)) {
        const path = try self.allocator.dupeZ(u8, store.path());
        try store.close();
        self.allocator.destroy(store);
        store = try self.open(contender, path, 0);
    }
    try self.kept.append(self.allocator, .{
        .kind = contender.kind,
        .entries = entries,
        .store = store,
    });
    return store;
}

pub fn fill(self: *Bench, store: *Store, entries: u32) !void {
    const keys = try data.shuffledKeys(self.allocator, entries);
    defer self.allocator.free(keys);
    try store.put(.{ .keys = keys, .values = self.values, .batch = 1000 });
    try self.settle(store);
}

/// Has the disk write what it still owes for a store, so that nobody else pays for it.
pub fn settle(self: *Bench, store: *const Store) !void {
    for ([_][]const u8{ "", "-wal" }) |suffix| {
        const path = try std.mem.concatWithSentinel(
            self.allocator,
            u8,
            &.{ store.path(), suffix },
            0,
        );
        defer self.allocator.free(path);
        const fd = std.c.open(path.ptr, .{ .ACCMODE = .RDWR });
        if (fd < 0) continue;
        _ = std.c.fdatasync(fd);
        _ = std.c.close(fd);
    }
}

/// Closes and removes every store that was kept.
pub fn deinit(self: *Bench) !void {
    for (self.kept.items) |it| try self.remove(it.store);
    self.kept.clearRetainingCapacity();
}

/// Measures a row. `work.turn(contender, round)` does a contender's part of a round and returns
/// its figure; round 0 warms up and is forgotten.
pub fn measure(
    self: *Bench,
    id: []const u8,
    title: []const u8,
    unit: Unit,
    names: []const []const u8,
    work: anytype,
) !void {
    return self.measureRounds(0, self.sizes.rounds, id, title, unit, names, work);
}

/// The same for what takes seconds: fewer rounds, and nothing warms up.
pub fn measureSlow(
    self: *Bench,
    id: []const u8,
    title: []const u8,
    unit: Unit,
    names: []const []const u8,
    work: anytype,
) !void {
    const rounds = @min(self.sizes.rounds, slow_rounds_max);
    return self.measureRounds(1, rounds, id, title, unit, names, work);
}

fn measureRounds(
    self: *Bench,
    first: u32,
    rounds: u32,
    id: []const u8,
    title: []const u8,
    unit: Unit,
    names: []const []const u8,
    work: anytype,
) !void {
    const columns = try self.allocator.alloc(Column, names.len);
    for (columns, names) |*column, name| {
        column.* = .{ .name = name, .figures = try self.allocator.alloc(f64, rounds) };
    }
    const order = try self.allocator.alloc(usize, names.len);
    for (order, 0..) |*place, index| place.* = index;
    for (first..rounds + 1) |round| {
        self.random.random().shuffle(usize, order);
        for (order) |index| {
            const figure: f64 = try work.turn(index, round);
            if (round > 0) columns[index].figures[round - 1] = figure;
        }
    }
    try self.finish(.{ .id = id, .title = title, .unit = unit, .columns = columns });
}

fn finish(self: *Bench, row: Row) !void {
    try self.rows.append(self.allocator, row);
    try report.printRow(self.out, self.allocator, row);
}

/// Adds a row that was measured once.
pub fn add(
    self: *Bench,
    id: []const u8,
    title: []const u8,
    unit: Unit,
    names: []const []const u8,
    figures: []const f64,
) !void {
    const columns = try self.allocator.alloc(Column, names.len);
    for (columns, names, figures) |*column, name, figure| {
        column.* = .{ .name = name, .figures = try self.allocator.dupe(f64, &.{figure}) };
    }
    try self.finish(.{ .id = id, .title = title, .unit = unit, .columns = columns });
}

/// A seed of a round that is the same for every contender.
pub fn roundSeed(self: *const Bench, round: usize) u64 {
    return self.seed +% round *% 0x9e3779b97f4a7c15;
}

pub fn namesOf(self: *Bench, contenders: []const Contender) ![]const []const u8 {
    const names = try self.allocator.alloc([]const u8, contenders.len);
    for (names, contenders) |*name, contender| name.* = contender.name;
    return names;
}
