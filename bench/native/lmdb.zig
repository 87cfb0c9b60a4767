//! LMDB as a C program uses it: `liblmdb`, its defaults but for a map of 4 GiB, one file and
//! `MDB_NOSYNC`; where asked for, `MDB_WRITEMAP`. A read transaction is reset and renewed between
//! turns. Nothing here needs its headers.

const std = @import("std");
const clock = @import("clock.zig");
const data = @import("data.zig");

const Key = data.Key;
const Puts = data.Puts;
const turn_size = data.turn_size;

pub const names = [_][]const u8{ "liblmdb.so.0", "liblmdb.so", "liblmdb.dylib" };

const map_size = 4 << 30;

pub const nosubdir = 0x4000;
pub const nosync = 0x10000;
pub const rdonly = 0x20000;
const writemap = 0x80000;
pub const put_append = 0x20000;
const copy_compact = 1;
pub const notfound = -30798;
pub const cursor_next = 8;

pub const Value = extern struct {
    size: usize,
    data: ?[*]const u8,

    pub fn of(bytes: []const u8) Value {
        return .{ .size = bytes.len, .data = bytes.ptr };
    }
};

pub const Stat = extern struct {
    page_size: c_uint,
    depth: c_uint,
    branch_pages: usize,
    leaf_pages: usize,
    overflow_pages: usize,
    entries: usize,
};

pub const Env = opaque {};
pub const Txn = opaque {};
pub const Cursor = opaque {};

pub const Calls = struct {
    version: *const fn (?*c_int, ?*c_int, ?*c_int) callconv(.c) [*:0]const u8,
    strerror: *const fn (c_int) callconv(.c) [*:0]const u8,
    env_create: *const fn (**Env) callconv(.c) c_int,
    env_set_mapsize: *const fn (*Env, usize) callconv(.c) c_int,
    env_open: *const fn (*Env, [*:0]const u8, c_uint, c_uint) callconv(.c) c_int,
    env_copy2: *const fn (*Env, [*:0]const u8, c_uint) callconv(.c) c_int,
    env_close: *const fn (*Env) callconv(.c) void,
    txn_begin: *const fn (*Env, ?*Txn, c_uint, **Txn) callconv(.c) c_int,
    txn_commit: *const fn (*Txn) callconv(.c) c_int,
    txn_abort: *const fn (*Txn) callconv(.c) void,
    txn_reset: *const fn (*Txn) callconv(.c) void,
    txn_renew: *const fn (*Txn) callconv(.c) c_int,
    dbi_open: *const fn (*Txn, ?[*:0]const u8, c_uint, *c_uint) callconv(.c) c_int,
    stat: *const fn (*Txn, c_uint, *Stat) callconv(.c) c_int,
    get: *const fn (*Txn, c_uint, *Value, *Value) callconv(.c) c_int,
    put: *const fn (*Txn, c_uint, *Value, *Value, c_uint) callconv(.c) c_int,
    cursor_open: *const fn (*Txn, c_uint, **Cursor) callconv(.c) c_int,
    cursor_get: *const fn (*Cursor, *Value, *Value, c_int) callconv(.c) c_int,
    cursor_close: *const fn (*Cursor) callconv(.c) void,
};

pub const Library = struct {
    calls: Calls,

    /// Null where LMDB is not installed.
    pub fn load() !?Library {
        var dynamic = for (names) |name| {
            break std.DynLib.open(name) catch continue;
        } else return null;
        var calls: Calls = undefined;
        inline for (@typeInfo(Calls).@"struct".fields) |field| {
            @field(calls, field.name) = dynamic.lookup(field.type, "mdb_" ++ field.name) orelse
                return clock.fail("liblmdb has no mdb_{s}", .{field.name});
        }
        return .{ .calls = calls };
    }

    fn check(self: *const Library, result: c_int) !void {
        if (result != 0) return clock.fail("lmdb: {s}", .{self.calls.strerror(result)});
    }
};

pub const Options = struct {
    writemap: bool = false,
    /// Each commit waits for its flush.
    is_durable: bool = false,
};

/// One thread's read transaction, reset between turns.
pub const Reader = struct {
    library: *const Library,
    txn: *Txn,
    dbi: c_uint,

    fn open(library: *const Library, env: *Env, dbi: c_uint) !Reader {
        var txn: *Txn = undefined;
        try library.check(library.calls.txn_begin(env, null, rdonly, &txn));
        library.calls.txn_reset(txn);
        return .{ .library = library, .txn = txn, .dbi = dbi };
    }

    fn close(self: Reader) void {
        self.library.calls.txn_abort(self.txn);
    }

    fn beginTurn(self: Reader) !void {
        try self.library.check(self.library.calls.txn_renew(self.txn));
    }

    fn endTurn(self: Reader) void {
        self.library.calls.txn_reset(self.txn);
    }

    fn nextTurn(self: Reader) !void {
        self.endTurn();
        try self.beginTurn();
    }

    inline fn find(self: Reader, key: *const Key) !Value {
        var wanted: Value = .of(key);
        var found: Value = undefined;
        try self.library.check(self.library.calls.get(self.txn, self.dbi, &wanted, &found));
        if (found.size != data.value_size) return clock.fail("a lookup answered wrong", .{});
        return found;
    }

    /// Looks each key up and copies its value. The first bytes of all values, summed.
    pub fn get(self: Reader, keys: []const Key) !u64 {
        var copy: [data.value_size]u8 = undefined;
        var sum: u64 = 0;
        try self.beginTurn();
        for (keys, 1..) |*key, count| {
            const found = try self.find(key);
            @memcpy(&copy, found.data.?[0..data.value_size]);
            std.mem.doNotOptimizeAway(&copy);
            sum += copy[0];
            if (count % turn_size == 0) try self.nextTurn();
        }
        self.endTurn();
        return sum;
    }

    /// The same, reading values where they lie.
    pub fn view(self: Reader, keys: []const Key) !u64 {
        var sum: u64 = 0;
        try self.beginTurn();
        for (keys, 1..) |*key, count| {
            const found = try self.find(key);
            sum += found.data.?[0];
            if (count % turn_size == 0) try self.nextTurn();
        }
        self.endTurn();
        return sum;
    }

    /// Looks keys up that are not there; how many are.
    pub fn getMissing(self: Reader, keys: []const Key) !u64 {
        var count: u64 = 0;
        try self.beginTurn();
        for (keys, 1..) |*key, done| {
            var wanted: Value = .of(key);
            var found: Value = undefined;
            const result = self.library.calls.get(self.txn, self.dbi, &wanted, &found);
            count += @intFromBool(result != notfound);
            if (done % turn_size == 0) try self.nextTurn();
        }
        self.endTurn();
        return count;
    }

    /// It has no call for many keys: a loop in one transaction, values copied to one buffer.
    pub fn getMany(self: Reader, keys: []const Key) !u64 {
        var answers: [turn_size * data.value_size]u8 = undefined;
        var sum: u64 = 0;
        var at: usize = 0;
        while (at < keys.len) {
            const group = keys[at..@min(at + turn_size, keys.len)];
            try self.beginTurn();
            for (group, 0..) |*key, index| {
                const found = try self.find(key);
                const out = answers[index * data.value_size ..][0..data.value_size];
                @memcpy(out, found.data.?[0..data.value_size]);
            }
            std.mem.doNotOptimizeAway(&answers);
            for (0..group.len) |index| sum += answers[index * data.value_size];
            self.endTurn();
            at += group.len;
        }
        return sum;
    }

    /// Walks every row where it lies. The first bytes of all values, summed.
    pub fn scan(self: Reader) !u64 {
        const calls = &self.library.calls;
        try self.beginTurn();
        var cursor: *Cursor = undefined;
        try self.library.check(calls.cursor_open(self.txn, self.dbi, &cursor));
        var key: Value = undefined;
        var found: Value = undefined;
        var sum: u64 = 0;
        while (calls.cursor_get(cursor, &key, &found, cursor_next) == 0) sum += found.data.?[0];
        calls.cursor_close(cursor);
        self.endTurn();
        return sum;
    }
};

pub const Store = struct {
    library: *const Library,
    path: [:0]const u8,
    env: *Env,
    session: Reader,

    /// The library and the path must outlive the store.
    pub fn open(library: *const Library, path: [:0]const u8, options: Options) !Store {
        const calls = &library.calls;
        var env: *Env = undefined;
        try library.check(calls.env_create(&env));
        try library.check(calls.env_set_mapsize(env, map_size));
        var flags: c_uint = nosubdir;
        if (!options.is_durable) flags |= nosync;
        if (options.writemap) flags |= writemap;
        try library.check(calls.env_open(env, path.ptr, flags, 0o600));
        var txn: *Txn = undefined;
        var dbi: c_uint = undefined;
        try library.check(calls.txn_begin(env, null, 0, &txn));
        try library.check(calls.dbi_open(txn, null, 0, &dbi));
        try library.check(calls.txn_commit(txn));
        const session: Reader = try .open(library, env, dbi);
        return .{ .library = library, .path = path, .env = env, .session = session };
    }

    pub fn close(self: *Store) !void {
        self.session.close();
        self.library.calls.env_close(self.env);
    }

    pub fn openReader(self: *const Store) !Reader {
        return .open(self.library, self.env, self.session.dbi);
    }

    pub fn closeReader(reader: Reader) !void {
        reader.close();
    }

    /// Puts without waiting for a flush.
    pub fn put(self: *Store, puts: Puts) !void {
        const library = self.library;
        const calls = &library.calls;
        const flags: c_uint = if (puts.append) put_append else 0;
        var at: usize = 0;
        while (at < puts.keys.len) {
            const end = @min(at + puts.batch, puts.keys.len);
            var txn: *Txn = undefined;
            try library.check(calls.txn_begin(self.env, null, 0, &txn));
            while (at < end) : (at += 1) {
                var key: Value = .of(&puts.keys[at]);
                var value: Value = .of(puts.values.at(puts.first + at));
                try library.check(calls.put(txn, self.session.dbi, &key, &value, flags));
            }
            try library.check(calls.txn_commit(txn));
        }
    }

    pub fn stat(self: *const Store) !Stat {
        try self.session.beginTurn();
        defer self.session.endTurn();
        var found: Stat = undefined;
        try self.library.check(
            self.library.calls.stat(self.session.txn, self.session.dbi, &found),
        );
        return found;
    }

    /// Writes a copy without free pages.
    pub fn copyCompact(self: *const Store, path: [:0]const u8) !void {
        try self.library.check(self.library.calls.env_copy2(self.env, path.ptr, copy_compact));
    }
};
