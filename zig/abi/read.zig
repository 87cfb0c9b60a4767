//! The reading calls over a session: gets, views, ranges, counts, snapshots' tables, statistics.
//! Each returns what crosses the boundary, or an error. Nothing here changes the store.

const std = @import("std");
const config = @import("../config.zig");
const limits = @import("sizes.zig");
const bytes_format = @import("../format/bytes.zig");
const leaf = @import("../format/leaf.zig");
const page_format = @import("../format/page.zig");
const many = @import("../tree/many.zig");
const search = @import("../tree/search.zig");
const tree_statistics = @import("../tree/statistics.zig");
const tables = @import("../txn/tables.zig");
const Readers = @import("../store/Readers.zig");
const Lock = @import("../store/Lock.zig");
const Pages = @import("../store/Pages.zig");
const Session = @import("Session.zig");
const Range = @import("Range.zig");

const Error = Session.Error;

pub const flag_start = 1;
pub const flag_end = 2;
pub const flag_exclusive_start = 4;
pub const flag_inclusive_end = 8;
pub const flag_reverse = 16;
pub const flag_keys_only = 32;
const flags_all = 63;

/// In place of the size of a value that does not fit: its row is the only one of its chunk.
const value_elsewhere: u32 = 0xffff_ffff;
const row_header_size = 8;
/// Keys of one getMany that are looked up together.
const many_count_max = 1024;

/// Room for a bound and the zero byte that makes it the next one.
const BoundBuffer = [limits.key_area_size + 1]u8;

pub fn get(session: *Session, scope: u32, table: u32, key_size: u32) Error!i32 {
    const bytes = try session.find(scope, table, try session.keyA(key_size)) orelse
        return error.NotFound;
    if (bytes.len > limits.data_size) {
        session.setWord(0, bytes.len);
        return error.Large;
    }
    @memcpy(session.data()[0..bytes.len], bytes);
    return @intCast(bytes.len);
}

/// The size of a value, which is left pending.
pub fn find(session: *Session, scope: u32, table: u32, key_size: u32) Error!i32 {
    const bytes = try session.find(scope, table, try session.keyA(key_size)) orelse
        return error.NotFound;
    return std.math.cast(i32, bytes.len) orelse {
        session.setWord(0, bytes.len);
        return error.Large;
    };
}

pub fn valueCopy(session: *Session, buffer: ?[*]u8, size: u32) Error!i32 {
    const out = buffer orelse return error.Options;
    const bytes = session.pending;
    if (bytes.len == 0) return error.TxnEnded;
    if (size < bytes.len) return error.Options;
    @memcpy(out[0..bytes.len], bytes);
    return std.math.cast(i32, bytes.len) orelse std.math.maxInt(i32);
}

pub fn view(session: *Session, scope: u32, table: u32, key_size: u32) Error!i32 {
    const bytes = try session.find(scope, table, try session.keyA(key_size)) orelse
        return error.NotFound;
    session.setWord(1, bytes.len);
    if (scope == 0) session.setWord(2, session.view.snapshot.txnid);
    const base = @intFromPtr(session.env.file.range.ptr);
    const at = @intFromPtr(bytes.ptr);
    if (bytes.len > 0 and at >= base and at < base + session.env.file.range.len) {
        session.setWord(0, at - base);
        return 0;
    }
    if (bytes.len <= limits.data_size) @memcpy(session.data()[0..bytes.len], bytes);
    return 1;
}

pub fn has(session: *Session, scope: u32, table: u32, key_size: u32) Error!i32 {
    const key = try session.keyA(key_size);
    const from = try session.source(scope, table) orelse return 0;
    return @intFromBool(try search.has(from.pages, from.tree, key));
}

pub fn getMany(
    session: *Session,
    scope: u32,
    table: u32,
    keys: ?[*]const u8,
    keys_size: u32,
    count: u32,
    out: ?[*]u8,
    out_size: u32,
) Error!i32 {
    if (count == 0) return 0;
    var rest = (keys orelse return error.Options)[0..keys_size];
    const room = (out orelse return error.Options)[0..out_size];
    const from = try session.source(scope, table);
    var answered: u32 = 0;
    var used: usize = 0;
    while (answered < count) {
        var wanted: [many_count_max][]const u8 = undefined;
        var values: [many_count_max]?leaf.Value = undefined;
        const group = @min(count - answered, many_count_max);
        for (wanted[0..group]) |*key| key.* = try takeKey(&rest);
        if (from) |it| {
            try many.get(it.pages, it.tree, wanted[0..group], values[0..group]);
        } else @memset(values[0..group], null);
        const done = try writeValues(session, from, values[0..group], room, &used);
        answered += done;
        if (done < group) break;
    }
    session.setWord(1, used);
    return @intCast(answered);
}

fn takeKey(rest: *[]const u8) Error![]const u8 {
    if (rest.len < 4) return error.Options;
    const size = std.mem.readInt(u32, rest.*[0..4], .little);
    if (size > limits.key_area_size) return error.KeySize;
    const used = 4 + padded(size);
    if (used > rest.len) return error.Options;
    const key = rest.*[4..][0..size];
    rest.* = rest.*[used..];
    return key;
}

/// So many bytes up to the next word.
fn padded(size: usize) usize {
    return std.mem.alignForward(usize, size, 4);
}

/// Writes values until the room is used up. Returns how many.
fn writeValues(
    session: *Session,
    from: ?Session.Source,
    values: []const ?leaf.Value,
    room: []u8,
    used: *usize,
) Error!u32 {
    for (values, 0..) |found, index| {
        const bytes = if (found) |value| try session.valueBytes(from.?.pages, value) else &.{};
        const needed = 4 + padded(bytes.len);
        if (room.len - used.* < needed) {
            session.setWord(0, needed);
            return @intCast(index);
        }
        const size: i32 = if (found == null) -1 else @intCast(bytes.len);
        std.mem.writeInt(i32, room[used.*..][0..4], size, .little);
        @memcpy(room[used.* + 4 ..][0..bytes.len], bytes);
        used.* += needed;
    }
    return @intCast(values.len);
}

/// The bounds that `flags` and the key areas give, as a half-open interval.
pub fn bounds(
    session: *Session,
    flags: u32,
    start_size: u32,
    end_size: u32,
    start_buffer: *BoundBuffer,
    end_buffer: *BoundBuffer,
) Error!Range.Bounds {
    if (flags & ~@as(u32, flags_all) != 0) return error.Options;
    var result: Range.Bounds = .{};
    if (flags & flag_start != 0) {
        const key = try session.keyA(start_size);
        result.start = bound(key, flags & flag_exclusive_start != 0, start_buffer);
    }
    if (flags & flag_end != 0) {
        const key = try session.keyB(end_size);
        result.end = bound(key, flags & flag_inclusive_end != 0, end_buffer);
    }
    return result;
}

/// The key itself, or the first possible one behind it.
fn bound(key: []const u8, behind: bool, buffer: *BoundBuffer) []const u8 {
    @memcpy(buffer[0..key.len], key);
    if (!behind) return buffer[0..key.len];
    buffer[key.len] = 0;
    return buffer[0 .. key.len + 1];
}

pub fn countRange(
    session: *Session,
    scope: u32,
    table: u32,
    flags: u32,
    start_size: u32,
    end_size: u32,
) Error!i32 {
    var buffers: [2]BoundBuffer = undefined;
    const limit = try bounds(session, flags, start_size, end_size, &buffers[0], &buffers[1]);
    const from = try session.source(scope, table) orelse {
        session.setWord(0, 0);
        return 0;
    };
    session.setWord(0, try Range.count(from.pages, from.tree, limit));
    return 0;
}

pub fn rangeOpen(
    session: *Session,
    scope: u32,
    table: u32,
    flags: u32,
    start_size: u32,
    end_size: u32,
) Error!i32 {
    var buffers: [2]BoundBuffer = undefined;
    const limit = try bounds(session, flags, start_size, end_size, &buffers[0], &buffers[1]);
    const range = try session.createRange(scope, table, limit, try rangeOptions(session, flags));
    errdefer range.deinit();
    range.table = table;
    return @intCast(try session.ranges.add(session.allocator, range));
}

/// What `flags` and the words say of a range beside its bounds.
fn rangeOptions(session: *Session, flags: u32) Error!Range.Options {
    const all = session.words()[1] < 0;
    return .{
        .reverse = flags & flag_reverse != 0,
        .keys_only = flags & flag_keys_only != 0,
        .offset = try session.wordIn(0, config.txnid_max),
        .limit = if (all) std.math.maxInt(u64) else try session.wordIn(1, config.txnid_max),
    };
}

/// Opens a range and fetches its first rows; one that ends with them is never made, nor its state
/// pinned once more.
pub fn rangeFirst(
    session: *Session,
    scope: u32,
    table: u32,
    flags: u32,
    start_size: u32,
    end_size: u32,
    rows_max: u32,
    room: []u8,
    block: []u8,
) Error!i32 {
    if (session.isTxnScope(scope)) {
        // What it reads has to be frozen before anything else is written.
        const handle = try rangeOpen(session, scope, table, flags, start_size, end_size);
        errdefer _ = rangeClose(session, @intCast(handle)) catch {}; // the first error is told
        const range = session.ranges.get(@intCast(handle)).?;
        const rows = try fetchRows(session, range, rows_max, room, block);
        session.setWord(3, handle);
        return rows;
    }
    var buffers: [2]BoundBuffer = undefined;
    const limit = try bounds(session, flags, start_size, end_size, &buffers[0], &buffers[1]);
    const options = try rangeOptions(session, flags);
    var range = try session.borrowRange(scope, table, limit, options);
    range.place();
    range.table = table;
    const rows = try fetchRows(session, &range, rows_max, room, block);
    // Who loses the block asks for its values once more, unless there is but one.
    const is_asked = rows > 1 and session.words()[5] > 0;
    const is_ended = !range.is_held_back and !range.hasMore() and !is_asked;
    session.setWord(3, if (is_ended) 0 else try session.keepRange(&range));
    return rows;
}

/// Rows as `c_abi.range_next` lays them out: sizes, then keys upwards, and values downwards from
/// the end, so that keys lie together; values that are not small go to the block, if there is one.
const Chunk = struct {
    room: []u8,
    block: []u8,
    block_used: usize = 0,
    rows_max: u32,
    rows: u32 = 0,
    keys_end: usize,
    values_start: usize,
    /// Whether all keys are ASCII.
    is_ascii: bool = true,
    /// The value added last, and where it goes: it is copied when the next one is being loaded.
    owed: []const u8 = &.{},
    owed_to: []u8 = &.{},

    fn init(room: []u8, block: []u8, rows_max: u32) Error!Chunk {
        const keys_start = @as(usize, rows_max) * row_header_size;
        if (keys_start > room.len) return error.Options;
        const values_start = room.len;
        return .{
            .room = room,
            .block = block,
            .rows_max = rows_max,
            .keys_end = keys_start,
            .values_start = values_start,
        };
    }

    fn hasRoom(self: *const Chunk, key_size: usize, value_size: usize) bool {
        const room = self.values_start - self.keys_end;
        if (!self.isForBlock(value_size)) return room >= key_size + value_size;
        return room >= key_size and self.block.len - self.block_used >= value_size;
    }

    fn isForBlock(self: *const Chunk, value_size: usize) bool {
        return self.block.len > 0 and value_size >= limits.block_value_min;
    }

    /// The place of a value, for which there is room.
    fn take(self: *Chunk, size: usize) []u8 {
        if (self.isForBlock(size)) {
            const start = self.block_used;
            const end = std.mem.alignForward(usize, start + size, limits.block_alignment);
            self.block_used = @min(end, self.block.len);
            return self.block[start..][0..size];
        }
        self.values_start -= size;
        return self.room[self.values_start..][0..size];
    }

    /// Adds the row on which a range stands; `value` is empty if it is elsewhere.
    fn add(self: *Chunk, range: *Range, value: []const u8, value_size: u32) Error!void {
        const key = try range.keyInto(self.room[self.keys_end..self.values_start]);
        self.is_ascii = self.is_ascii and bytes_format.areAscii(key);
        self.keys_end += key.len;
        self.settle();
        self.owed = value;
        self.owed_to = self.take(value.len);
        self.enter(key.len, value_size);
    }

    /// Adds the row on which a range stands and those behind it in its leaf, while each lies whole
    /// and small in it and there is room. Returns how many.
    fn addPlain(self: *Chunk, range: *const Range, most: u32) u32 {
        const bytes = range.cursor.leafBytes();
        const shared = page_format.prefix(bytes);
        var index = range.cursor.leafIndex();
        for (0..most) |rows| {
            const entry = page_format.leafEntry(bytes, index);
            const is_plain = entry.flags == 0 and
                entry.value_kind == @intFromEnum(page_format.ValueKind.@"inline") and
                entry.value_size < @min(far_size_min, limits.block_value_min);
            if (!is_plain) return @intCast(rows);
            const local = page_format.local(bytes, index);
            const key_size = shared.len + local.len;
            const value = if (range.keys_only) bytes[0..0] else leaf.value(bytes, index).bytes;
            if (self.values_start - self.keys_end < key_size + value.len) return @intCast(rows);
            const key = self.room[self.keys_end..][0..key_size];
            bytes_format.copyShort(key, shared);
            bytes_format.copyShort(key[shared.len..], local);
            self.is_ascii = self.is_ascii and bytes_format.areAscii(key);
            self.keys_end += key_size;
            self.values_start -= value.len;
            @memcpy(self.room[self.values_start..][0..value.len], value);
            self.enter(key_size, @intCast(value.len));
            if (range.reverse) index -%= 1 else index += 1;
        }
        return most;
    }

    /// Writes down the sizes of a row.
    fn enter(self: *Chunk, key_size: usize, value_size: u32) void {
        const sizes = self.room[self.rows * row_header_size ..][0..row_header_size];
        std.mem.writeInt(u32, sizes[0..4], @intCast(key_size), .little);
        std.mem.writeInt(u32, sizes[4..8], value_size, .little);
        self.rows += 1;
    }

    /// Copies the value that was added last.
    fn settle(self: *Chunk) void {
        @memcpy(self.owed_to, self.owed);
        self.owed = &.{};
        self.owed_to = &.{};
    }
};

/// From here on a value lies in pages of its own, or most of it far from its key.
const far_size_min = 1024;
/// Bytes of a page after which the processor loads ahead by itself, to the page's end.
const eager_size = 512;
const page_size = 4096;
/// More than that would push out what was loaded.
const fetch_size_max = 16384;

/// Begins to load a value that will be copied soon.
fn fetchValue(value: []const u8) void {
    if (value.len < far_size_min) return;
    const size = @min(value.len, fetch_size_max);
    var at: usize = 0;
    while (at < size) : (at += page_size) {
        bytes_format.fetch(value[at..@min(at + eager_size, size)]);
    }
}

pub fn rangeNext(
    session: *Session,
    handle: u32,
    rows_max: u32,
    room: []u8,
    block: []u8,
) Error!i32 {
    const range = session.ranges.get(handle) orelse return error.TxnEnded;
    return fetchRows(session, range, rows_max, room, block);
}

/// The table that a range reads; null: there is no such range.
pub fn tableOfRange(session: *Session, handle: u32) ?u32 {
    const range = session.ranges.get(handle) orelse return null;
    return range.table;
}

/// The size of the value of a key in the state of a range, which is left pending.
pub fn rangeFind(session: *Session, handle: u32, key_size: u32) Error!i32 {
    session.pending = &.{};
    const range = session.ranges.get(handle) orelse return error.TxnEnded;
    if (range.is_ended) return error.TxnEnded;
    const bytes = try range.find(try session.keyA(key_size)) orelse return error.NotFound;
    session.pending = bytes;
    session.setWord(0, bytes.len);
    return std.math.cast(i32, bytes.len) orelse error.Large;
}

/// Fetches the next rows of a range into `room` and `block`.
fn fetchRows(
    session: *Session,
    range: *Range,
    rows_max: u32,
    room: []u8,
    block: []u8,
) Error!i32 {
    if (range.is_ended) return error.TxnEnded;
    session.pending = &.{};
    var chunk: Chunk = try .init(room, block, rows_max);
    while (chunk.rows < rows_max) {
        if (!range.is_held_back and !try range.next()) break;
        range.is_held_back = true;
        const wanted = rows_max - chunk.rows;
        range.fetchAhead(wanted);
        const plain = chunk.addPlain(range, try range.rowsHere(wanted));
        if (plain > 0) {
            range.pass(plain - 1);
            range.is_held_back = false;
            continue;
        }
        const value = try range.value();
        fetchValue(value);
        const key_size = range.keySize();
        if (key_size > limits.key_area_size) return error.Corrupt;
        if (chunk.hasRoom(key_size, value.len)) {
            try chunk.add(range, value, @intCast(value.len));
        } else if (chunk.rows == 0) {
            // The caller fetches the value by `value_copy`.
            if (!chunk.hasRoom(key_size, 0)) return error.Options;
            session.pending = value;
            session.setWord(1, value.len);
            try chunk.add(range, &.{}, value_elsewhere);
            range.is_held_back = false;
            break;
        } else break;
        range.is_held_back = false;
    }
    chunk.settle();
    session.setWord(0, @intFromBool(!range.is_held_back and !range.hasMore()));
    session.setWord(2, if (chunk.is_ascii) chunk.keys_end else 0);
    session.setWord(4, chunk.values_start);
    session.setWord(5, chunk.block_used);
    return @intCast(chunk.rows);
}

pub fn rangeClose(session: *Session, handle: u32) Error!i32 {
    const range = session.ranges.remove(handle) orelse return error.TxnEnded;
    session.pending = &.{};
    range.deinit();
    return 0;
}

/// The catalogue of a scope, and where to read it.
const Catalogue = struct { pages: Pages, tree: page_format.Tree };

fn catalogue(session: *Session, scope: u32) Error!Catalogue {
    const view_of = try session.committedView(scope);
    return .{ .pages = view_of.pages(), .tree = view_of.catalogue };
}

/// Names of the tables, in order; those that the open batch made or dropped are the caller's to
/// tell by `txnTables`.
pub fn tableList(session: *Session, scope: u32) Error!i32 {
    const after_size = try session.wordIn(1, limits.key_area_size);
    const after = try session.keyA(@intCast(after_size));
    if (session.isTxnScope(scope)) return txnTableList(session, after);
    const from = try catalogue(session, scope);
    var iterator: tables.Iterator = .init(from.pages, from.tree);
    var list: NameList = .{ .session = session };
    session.setWord(0, 0);
    while (try iterator.next()) |entry| {
        if (after.len > 0 and std.mem.order(u8, entry.name, after) != .gt) continue;
        if (!list.add(entry.name)) {
            session.setWord(0, 1);
            break;
        }
    }
    return list.count;
}

/// Names packed into the data area.
const NameList = struct {
    session: *Session,
    used: usize = 0,
    count: i32 = 0,

    fn add(self: *NameList, name: []const u8) bool {
        const room = self.session.data()[self.used..];
        if (room.len < 4 + name.len) return false;
        std.mem.writeInt(u32, room[0..4], @intCast(name.len), .little);
        @memcpy(room[4..][0..name.len], name);
        self.used += 4 + name.len;
        self.count += 1;
        return true;
    }
};

/// As `tableList`, with what the running transaction created and dropped.
fn txnTableList(session: *Session, after: []const u8) Error!i32 {
    const txn = &session.txn.?;
    var names: std.ArrayList([]const u8) = .empty;
    defer names.deinit(session.allocator);
    var arena: std.heap.ArenaAllocator = .init(session.allocator);
    defer arena.deinit();
    var iterator: tables.Iterator = .init(txn.pages(), txn.catalogue);
    while (try iterator.next()) |entry| {
        if (txn.isDropped(entry.name)) continue;
        try names.append(session.allocator, try arena.allocator().dupe(u8, entry.name));
    }
    for (txn.tables.items[1..]) |table| {
        if (table.exists and !table.catalogued) try names.append(session.allocator, table.name.?);
    }
    std.mem.sortUnstable([]const u8, names.items, {}, lower);
    var list: NameList = .{ .session = session };
    session.setWord(0, 0);
    for (names.items) |name| {
        if (after.len > 0 and std.mem.order(u8, name, after) != .gt) continue;
        if (!list.add(name)) {
            session.setWord(0, 1);
            break;
        }
    }
    return list.count;
}

fn lower(_: void, a: []const u8, b: []const u8) bool {
    return std.mem.order(u8, a, b) == .lt;
}

pub fn tableAttributes(session: *Session, scope: u32, table: u32) Error!i32 {
    const attributes, const id, const exists = try session.attributesOf(scope, table);
    session.setWord(0, attributes.key_encoding);
    session.setWord(1, attributes.encoding);
    session.setWord(2, 0);
    session.setWord(3, id);
    session.setWord(4, attributes.codec_name_size);
    @memcpy(session.data()[0..attributes.codec_name_size], attributes.codecName());
    return @intFromBool(exists);
}

pub fn tableStats(session: *Session, scope: u32, table: u32) Error!i32 {
    const from = try session.source(scope, table);
    var counted: tree_statistics.Statistics = .{};
    if (from) |it| counted = try tree_statistics.of(it.pages, it.tree);
    session.setWord(0, if (from) |it| it.tree.entries else 0);
    session.setWord(1, if (from) |it| it.tree.depth else 0);
    session.setWord(2, counted.branch_pages);
    session.setWord(3, counted.leaf_pages);
    session.setWord(4, counted.overflow_pages);
    return 0;
}

pub fn snapshotBegin(session: *Session) Error!i32 {
    return @intCast(try session.beginSnapshot());
}

pub fn snapshotEnd(session: *Session, scope: u32) Error!i32 {
    try session.endSnapshot(scope);
    return 0;
}

pub fn tableOpen(session: *Session, name_size: u32) Error!i32 {
    return @intCast(try session.openTable(try session.keyA(name_size)));
}

pub fn unpin(session: *Session) Error!i32 {
    session.unpin();
    return 0;
}

pub fn readers(session: *Session) Error!i32 {
    if (session.env.slotless != null) return 0;
    const lock = &session.env.lock;
    _ = try Readers.clearStale(lock);
    const newest = lock.published().txnid;
    const now = lock.os.wallClock();
    const room = session.data();
    var count: usize = 0;
    for (Readers.used(lock)) |*slot| {
        const txnid = slot.txnid.load(.acquire);
        if (slot.process.load(.acquire) == 0 or txnid == Lock.unpinned) continue;
        if ((count + 1) * 32 > room.len) break;
        const row = [4]f64{
            @floatFromInt(slot.pid),
            @floatFromInt(txnid),
            @floatFromInt(newest -| txnid),
            @floatFromInt(now -| slot.since),
        };
        @memcpy(room[count * 32 ..][0..32], std.mem.asBytes(&row));
        count += 1;
    }
    return @intCast(count);
}
