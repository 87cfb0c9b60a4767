//! LMDB behind the functions of `rivals.zig`. A get pins the newest state with a read transaction
//! that stays until the turn ends, as lmdb-js does; it is reset then, not ended.

const std = @import("std");
const lmdb = @import("lmdb.zig");
const rivals = @import("rivals.zig");

const Self = @This();
const Value = lmdb.Value;

/// Room for a store of any benchmark; the file is as long as what it holds.
const map_size = 64 << 30;

/// Several sessions of one thread each have their reader.
const notls = 0x200000;
const set_range = 17;
const first = 0;

var loaded: ?lmdb.Library = null;

fn library() !*const lmdb.Library {
    if (loaded == null) loaded = lmdb.Library.load() catch null;
    if (loaded) |*it| return it;
    return rivals.explain("liblmdb is absent: install the package liblmdb0");
}

fn check(calls: *const lmdb.Calls, result: c_int) !void {
    if (result != 0) return rivals.explain(std.mem.span(calls.strerror(result)));
}

env: *lmdb.Env,
dbi: c_uint,
calls: *const lmdb.Calls,

pub fn version(buffer: []u8) ![]const u8 {
    const it = try library();
    var numbers: [3]c_int = undefined;
    _ = it.calls.version(&numbers[0], &numbers[1], &numbers[2]);
    return std.fmt.bufPrint(buffer, "{d}.{d}.{d}", .{ numbers[0], numbers[1], numbers[2] });
}

pub fn open(path: [:0]const u8, is_durable: bool) !Self {
    const it = try library();
    const calls = &it.calls;
    var env: *lmdb.Env = undefined;
    try check(calls, calls.env_create(&env));
    errdefer calls.env_close(env);
    try check(calls, calls.env_set_mapsize(env, map_size));
    const flags: c_uint = if (is_durable) 0 else lmdb.nosync;
    try check(calls, calls.env_open(env, path.ptr, flags | lmdb.nosubdir | notls, 0o600));
    var txn: *lmdb.Txn = undefined;
    var dbi: c_uint = undefined;
    try check(calls, calls.txn_begin(env, null, 0, &txn));
    try check(calls, calls.dbi_open(txn, null, 0, &dbi));
    try check(calls, calls.txn_commit(txn));
    return .{ .env = env, .dbi = dbi, .calls = calls };
}

pub fn close(self: *Self) void {
    self.calls.env_close(self.env);
}

pub fn openReader(self: *Self) !Reader {
    var txn: *lmdb.Txn = undefined;
    try check(self.calls, self.calls.txn_begin(self.env, null, lmdb.rdonly, &txn));
    self.calls.txn_reset(txn);
    return .{ .env = self.env, .dbi = self.dbi, .calls = self.calls, .txn = txn };
}

pub const Reader = struct {
    env: *lmdb.Env,
    dbi: c_uint,
    calls: *const lmdb.Calls,
    txn: *lmdb.Txn,
    is_pinned: bool = false,
    cursor: ?*lmdb.Cursor = null,
    /// Where the cursor shall go first; null once it has.
    start: ?[]const u8 = null,

    pub fn close(self: *Reader) void {
        self.scanClose();
        self.calls.txn_abort(self.txn);
    }

    fn pin(self: *Reader) !void {
        if (self.is_pinned) return;
        try check(self.calls, self.calls.txn_renew(self.txn));
        self.is_pinned = true;
    }

    /// A walk keeps its state.
    pub fn unpin(self: *Reader) void {
        if (!self.is_pinned or self.cursor != null) return;
        self.calls.txn_reset(self.txn);
        self.is_pinned = false;
    }

    fn find(self: *Reader, key: []const u8) !?[]const u8 {
        var wanted: Value = .of(key);
        var found: Value = undefined;
        const result = self.calls.get(self.txn, self.dbi, &wanted, &found);
        if (result == lmdb.notfound) return null;
        try check(self.calls, result);
        return if (found.size == 0) &.{} else found.data.?[0..found.size];
    }

    pub fn get(self: *Reader, key: []const u8, out: []u8) !?usize {
        try self.pin();
        const value = try self.find(key) orelse return null;
        if (value.len > out.len) return rivals.explain("the value is larger than the scratch");
        @memcpy(out[0..value.len], value);
        return value.len;
    }

    pub fn getMany(self: *Reader, keys: rivals.Rows, count: u32, out: *rivals.Answers) !u32 {
        try self.pin();
        var rest = keys;
        for (0..count) |index| {
            const size = rest.takeSize();
            if (!out.add(try self.find(rest.take(size)))) return @intCast(index);
        }
        return count;
    }

    pub fn put(self: *Reader, key: []const u8, value: []const u8) !void {
        const txn = try self.begin();
        errdefer self.calls.txn_abort(txn);
        try self.putInto(txn, key, value, 0);
        try check(self.calls, self.calls.txn_commit(txn));
    }

    pub fn write(self: *Reader, rows: rivals.Rows, count: u32, is_ordered: bool) !void {
        const txn = try self.begin();
        errdefer self.calls.txn_abort(txn);
        const flags: c_uint = if (is_ordered) lmdb.put_append else 0;
        var rest = rows;
        for (0..count) |_| {
            const key_size = rest.takeSize();
            const value_size = rest.takeSize();
            const key = rest.take(key_size);
            try self.putInto(txn, key, rest.take(value_size), flags);
        }
        try check(self.calls, self.calls.txn_commit(txn));
    }

    fn begin(self: *Reader) !*lmdb.Txn {
        // What is read next sees what is written here.
        self.unpin();
        var txn: *lmdb.Txn = undefined;
        try check(self.calls, self.calls.txn_begin(self.env, null, 0, &txn));
        return txn;
    }

    fn putInto(
        self: *Reader,
        txn: *lmdb.Txn,
        key: []const u8,
        value: []const u8,
        flags: c_uint,
    ) !void {
        var wanted: Value = .of(key);
        var given: Value = .of(value);
        try check(self.calls, self.calls.put(txn, self.dbi, &wanted, &given, flags));
    }

    pub fn scanOpen(self: *Reader, key: []const u8) !void {
        self.scanClose();
        try self.pin();
        var cursor: *lmdb.Cursor = undefined;
        try check(self.calls, self.calls.cursor_open(self.txn, self.dbi, &cursor));
        self.cursor = cursor;
        self.start = key;
    }

    pub fn scanNext(self: *Reader) !?rivals.Row {
        var key: Value = undefined;
        var value: Value = undefined;
        var operation: c_int = lmdb.cursor_next;
        if (self.start) |start| {
            key = .of(start);
            operation = if (start.len == 0) first else set_range;
            self.start = null;
        }
        const result = self.calls.cursor_get(self.cursor.?, &key, &value, operation);
        if (result == lmdb.notfound) return null;
        try check(self.calls, result);
        return .{ .key = key.data.?[0..key.size], .value = value.data.?[0..value.size] };
    }

    pub fn scanClose(self: *Reader) void {
        const cursor = self.cursor orelse return;
        self.calls.cursor_close(cursor);
        self.cursor = null;
    }
};
