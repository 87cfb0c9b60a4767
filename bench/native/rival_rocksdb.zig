//! RocksDB behind the functions of `rivals.zig`, through its C functions. No compression, since the
//! values do not compress; a block cache of 256 MiB and write buffers of 64 MiB; Bloom filters of 10
//! bits a key; as many background threads as processors. The log is always written, flushed by each
//! commit or not at all. Gets pin the block that a value lies in; many keys go into one call.

const std = @import("std");
const rivals = @import("rivals.zig");

const Self = @This();

const names = [_][]const u8{
    "librocksdb.so.7.8", "librocksdb.so",   "librocksdb.so.10", "librocksdb.so.9", "librocksdb.so.8",
    "librocksdb.so.7",   "librocksdb.so.6",
};

const cache_size = 256 << 20;
const write_buffer_size = 64 << 20;
const bloom_bits = 10;
const no_compression = 0;
/// Keys that are looked up together.
const group_max = 1024;

const Any = *anyopaque;
const Bytes = [*]const u8;
const Problem = *?[*:0]u8;

const Calls = struct {
    options_create: *const fn () callconv(.c) Any,
    options_set_create_if_missing: *const fn (Any, u8) callconv(.c) void,
    options_increase_parallelism: *const fn (Any, c_int) callconv(.c) void,
    options_set_write_buffer_size: *const fn (Any, usize) callconv(.c) void,
    options_set_compression: *const fn (Any, c_int) callconv(.c) void,
    options_set_block_based_table_factory: *const fn (Any, Any) callconv(.c) void,
    block_based_options_create: *const fn () callconv(.c) Any,
    block_based_options_set_block_cache: *const fn (Any, Any) callconv(.c) void,
    block_based_options_set_filter_policy: *const fn (Any, Any) callconv(.c) void,
    cache_create_lru: *const fn (usize) callconv(.c) Any,
    filterpolicy_create_bloom_full: *const fn (f64) callconv(.c) Any,
    readoptions_create: *const fn () callconv(.c) Any,
    writeoptions_create: *const fn () callconv(.c) Any,
    writeoptions_set_sync: *const fn (Any, u8) callconv(.c) void,
    open: *const fn (Any, [*:0]const u8, Problem) callconv(.c) ?Any,
    close: *const fn (Any) callconv(.c) void,
    put: *const fn (Any, Any, Bytes, usize, Bytes, usize, Problem) callconv(.c) void,
    write: *const fn (Any, Any, Any, Problem) callconv(.c) void,
    get_pinned: *const fn (Any, Any, Bytes, usize, Problem) callconv(.c) ?Any,
    pinnableslice_value: *const fn (Any, *usize) callconv(.c) ?Bytes,
    pinnableslice_destroy: *const fn (Any) callconv(.c) void,
    multi_get: *const fn (
        Any,
        Any,
        usize,
        [*]const Bytes,
        [*]const usize,
        [*]?[*]u8,
        [*]usize,
        [*]?[*:0]u8,
    ) callconv(.c) void,
    writebatch_create: *const fn () callconv(.c) Any,
    writebatch_clear: *const fn (Any) callconv(.c) void,
    writebatch_destroy: *const fn (Any) callconv(.c) void,
    writebatch_put: *const fn (Any, Bytes, usize, Bytes, usize) callconv(.c) void,
    create_iterator: *const fn (Any, Any) callconv(.c) Any,
    iter_destroy: *const fn (Any) callconv(.c) void,
    iter_valid: *const fn (Any) callconv(.c) u8,
    iter_seek_to_first: *const fn (Any) callconv(.c) void,
    iter_seek: *const fn (Any, Bytes, usize) callconv(.c) void,
    iter_next: *const fn (Any) callconv(.c) void,
    iter_key: *const fn (Any, *usize) callconv(.c) Bytes,
    iter_value: *const fn (Any, *usize) callconv(.c) Bytes,
    free: *const fn (?*anyopaque) callconv(.c) void,
};

const Library = struct { calls: Calls, name: []const u8 };

var loaded: ?Library = null;

fn library() !*const Library {
    if (loaded == null) loaded = try load();
    return &loaded.?;
}

fn load() !Library {
    for (names) |name| {
        var dynamic = std.DynLib.open(name) catch continue;
        var calls: Calls = undefined;
        inline for (@typeInfo(Calls).@"struct".fields) |field| {
            @field(calls, field.name) = dynamic.lookup(field.type, "rocksdb_" ++ field.name) orelse
                return rivals.explain("librocksdb has no rocksdb_" ++ field.name);
        }
        return .{ .calls = calls, .name = name };
    }
    return rivals.explain("librocksdb is absent: install the package librocksdb-dev");
}

fn check(calls: *const Calls, problem: ?[*:0]u8) !void {
    const text = problem orelse return;
    defer calls.free(text);
    return rivals.explain(std.mem.span(text));
}

calls: *const Calls,
database: Any,
read_options: Any,
write_options: Any,

/// It cannot be asked: the name of the library tells.
pub fn version(buffer: []u8) ![]const u8 {
    const name = (try library()).name;
    var path: [std.fs.max_path_bytes]u8 = undefined;
    const found = findPath(&path) orelse name;
    const mark = ".so.";
    const at = std.mem.indexOf(u8, found, mark) orelse return "unknown";
    return std.fmt.bufPrint(buffer, "{s}", .{found[at + mark.len ..]});
}

const Place = extern struct {
    file: ?[*:0]const u8,
    base: ?*anyopaque,
    symbol: ?[*:0]const u8,
    address: ?*anyopaque,
};
extern "c" fn dladdr(address: *const anyopaque, place: *Place) c_int;
extern "c" fn realpath(path: [*:0]const u8, out: [*]u8) ?[*:0]u8;

/// The file that the library was loaded from, whose name has its version in full.
fn findPath(buffer: *[std.fs.max_path_bytes]u8) ?[]const u8 {
    var place: Place = undefined;
    if (dladdr(@ptrCast(loaded.?.calls.options_create), &place) == 0) return null;
    return std.mem.span(realpath(place.file orelse return null, buffer) orelse return null);
}

pub fn open(path: [:0]const u8, is_durable: bool) !Self {
    const calls = &(try library()).calls;
    const options = calls.options_create();
    calls.options_set_create_if_missing(options, 1);
    calls.options_increase_parallelism(options, @intCast(try std.Thread.getCpuCount()));
    calls.options_set_write_buffer_size(options, write_buffer_size);
    calls.options_set_compression(options, no_compression);
    const blocks = calls.block_based_options_create();
    calls.block_based_options_set_block_cache(blocks, calls.cache_create_lru(cache_size));
    const filter = calls.filterpolicy_create_bloom_full(bloom_bits);
    calls.block_based_options_set_filter_policy(blocks, filter);
    calls.options_set_block_based_table_factory(options, blocks);
    var problem: ?[*:0]u8 = null;
    const database = calls.open(options, path.ptr, &problem);
    try check(calls, problem);
    const write_options = calls.writeoptions_create();
    calls.writeoptions_set_sync(write_options, @intFromBool(is_durable));
    return .{
        .calls = calls,
        .database = database.?,
        .read_options = calls.readoptions_create(),
        .write_options = write_options,
    };
}

pub fn close(self: *Self) void {
    self.calls.close(self.database);
}

pub fn openReader(self: *Self) !Reader {
    return .{ .engine = self, .calls = self.calls, .batch = self.calls.writebatch_create() };
}

pub const Reader = struct {
    engine: *Self,
    calls: *const Calls,
    batch: Any,
    iterator: ?Any = null,
    has_moved: bool = false,

    pub fn close(self: *Reader) void {
        self.scanClose();
        self.calls.writebatch_destroy(self.batch);
    }

    /// Each get reads the newest state by itself.
    pub fn unpin(_: *Reader) void {}

    pub fn get(self: *Reader, key: []const u8, out: []u8) !?usize {
        const calls = self.calls;
        const engine = self.engine;
        var problem: ?[*:0]u8 = null;
        const slice = calls.get_pinned(
            engine.database,
            engine.read_options,
            key.ptr,
            key.len,
            &problem,
        );
        try check(calls, problem);
        var size: usize = 0;
        const bytes = calls.pinnableslice_value(slice orelse return null, &size);
        defer calls.pinnableslice_destroy(slice.?);
        if (size > out.len) return rivals.explain("the value is larger than the scratch");
        if (size > 0) @memcpy(out[0..size], bytes.?[0..size]);
        return size;
    }

    pub fn getMany(self: *Reader, keys: rivals.Rows, count: u32, out: *rivals.Answers) !u32 {
        var rest = keys;
        var answered: u32 = 0;
        while (answered < count) {
            const group = @min(count - answered, group_max);
            const done = try self.getGroup(&rest, group, out);
            answered += done;
            if (done < group) break;
        }
        return answered;
    }

    fn getGroup(self: *Reader, keys: *rivals.Rows, count: u32, out: *rivals.Answers) !u32 {
        const calls = self.calls;
        var pointers: [group_max]Bytes = undefined;
        var sizes: [group_max]usize = undefined;
        var values: [group_max]?[*]u8 = undefined;
        var value_sizes: [group_max]usize = undefined;
        var problems: [group_max]?[*:0]u8 = undefined;
        for (pointers[0..count], sizes[0..count]) |*pointer, *size| {
            size.* = keys.takeSize();
            pointer.* = keys.take(@intCast(size.*)).ptr;
        }
        calls.multi_get(
            self.engine.database,
            self.engine.read_options,
            count,
            &pointers,
            &sizes,
            &values,
            &value_sizes,
            &problems,
        );
        var answered: u32 = 0;
        var is_full = false;
        for (0..count) |index| {
            try check(calls, problems[index]);
            const value = values[index];
            defer calls.free(value);
            if (is_full) continue;
            const bytes: ?[]const u8 = if (value) |it| it[0..value_sizes[index]] else null;
            if (out.add(bytes)) answered += 1 else is_full = true;
        }
        return answered;
    }

    pub fn put(self: *Reader, key: []const u8, value: []const u8) !void {
        const engine = self.engine;
        var problem: ?[*:0]u8 = null;
        self.calls.put(
            engine.database,
            engine.write_options,
            key.ptr,
            key.len,
            value.ptr,
            value.len,
            &problem,
        );
        try check(self.calls, problem);
    }

    /// It knows no append.
    pub fn write(self: *Reader, rows: rivals.Rows, count: u32, _: bool) !void {
        const calls = self.calls;
        calls.writebatch_clear(self.batch);
        var rest = rows;
        for (0..count) |_| {
            const key_size = rest.takeSize();
            const value_size = rest.takeSize();
            const key = rest.take(key_size);
            const value = rest.take(value_size);
            calls.writebatch_put(self.batch, key.ptr, key.len, value.ptr, value.len);
        }
        var problem: ?[*:0]u8 = null;
        calls.write(self.engine.database, self.engine.write_options, self.batch, &problem);
        try check(calls, problem);
    }

    pub fn scanOpen(self: *Reader, key: []const u8) !void {
        self.scanClose();
        const iterator = self.calls.create_iterator(
            self.engine.database,
            self.engine.read_options,
        );
        self.iterator = iterator;
        self.has_moved = true;
        if (key.len == 0) {
            self.calls.iter_seek_to_first(iterator);
        } else self.calls.iter_seek(iterator, key.ptr, key.len);
    }

    pub fn scanNext(self: *Reader) !?rivals.Row {
        const calls = self.calls;
        const iterator = self.iterator.?;
        // Debian's library ends the program that moves an iterator from beyond the end.
        if (calls.iter_valid(iterator) == 0) return null;
        if (!self.has_moved) calls.iter_next(iterator);
        self.has_moved = false;
        if (calls.iter_valid(iterator) == 0) return null;
        var key_size: usize = undefined;
        var value_size: usize = undefined;
        const key = calls.iter_key(iterator, &key_size);
        const value = calls.iter_value(iterator, &value_size);
        return .{ .key = key[0..key_size], .value = value[0..value_size] };
    }

    pub fn scanClose(self: *Reader) void {
        self.calls.iter_destroy(self.iterator orelse return);
        self.iterator = null;
    }
};
