//! Every function of the shared library, and nothing else: the one source of the boundary.
//! `lib.zig` exports each `pub fn` as `zeolite_<name>`; `generate.zig` writes `ffi/abi.ts` from the
//! types and from the comments. A function validates what it is given, calls the engine, and turns
//! an error into a code: no input makes it panic.
//!
//! Each contract has four sentences: what it does; Memory: who owns what, until when; Thread: who
//! may call; Returns: the result and each code. What every function with a session shares: the
//! thread that opened the session alone may call; a session that is closed gives code closed; an
//! argument out of bounds gives code options.
//!
//! Words of the boundary: u32 below 2^31, i32, f64, buffer (bytes of the caller, for the time of
//! the call), pointer (native memory, null on failure). Wider numbers travel as f64 in the words
//! of the session's scratch. A scope is 0 for the latest committed state, or this thread's open
//! batch if it has one; else the handle of a snapshot or of the write transaction.

const std = @import("std");
const explain = @import("../explain.zig");
const os_types = @import("../os/types.zig");
const attach = @import("../txn/attach.zig");
const codes = @import("codes.zig");
const sizes = @import("sizes.zig");
const Session = @import("Session.zig");
const read = @import("read.zig");
const write = @import("write.zig");
const upkeep = @import("upkeep.zig");
const damage = @import("damage.zig");
const registry = @import("registry.zig");
const lending = @import("lending.zig");
const reflect = @import("reflect.zig");

pub const Code = codes.Code;

/// Sizes and places that both sides of the boundary must agree on.
pub const limits = struct {
    /// Bytes of a session's scratch.
    pub const scratch_size: u32 = sizes.scratch_size;
    /// f64 numbers at the beginning of the scratch.
    pub const word_count: u32 = sizes.word_count;
    /// Where key area A begins in the scratch.
    pub const key_a_offset: u32 = sizes.key_a_offset;
    /// Where key area B begins in the scratch.
    pub const key_b_offset: u32 = sizes.key_b_offset;
    /// Bytes of each key area.
    pub const key_area_size: u32 = sizes.key_area_size;
    /// Where the data area begins in the scratch.
    pub const data_offset: u32 = sizes.data_offset;
    /// Bytes of the data area.
    pub const data_size: u32 = sizes.data_size;
    /// Values of a range from this size on go to the block of its caller.
    pub const block_value_min: u32 = sizes.block_value_min;
    /// Each value in a block begins at a multiple of it.
    pub const block_alignment: u32 = sizes.block_alignment;
    /// The largest piece of memory that is lent, bytes.
    pub const lent_size_max: u32 = lending.size_max;
    /// The longest name of a codec, bytes.
    pub const codec_name_size_max: u32 = 64;
    /// The attribute that adopts what the store keeps.
    pub const adopt: u32 = 255;
};

/// Bits of the parameter `flags` of ranges.
pub const range_flags = struct {
    /// Key area A holds the lower bound.
    pub const has_start: u32 = 1;
    /// Key area B holds the upper bound.
    pub const has_end: u32 = 2;
    /// The lower bound itself is not part of the range.
    pub const exclusive_start: u32 = 4;
    /// The upper bound itself is part of the range.
    pub const inclusive_end: u32 = 8;
    /// From the greatest key to the smallest.
    pub const reverse: u32 = 16;
    /// Rows without values: each value_size is 0.
    pub const keys_only: u32 = 32;
};

/// Bits of the parameter `flags` of puts.
pub const put_flags = struct {
    /// Write only if the key is absent.
    pub const if_absent: u32 = 1;
    /// The key must be greater than every key of the table.
    pub const append: u32 = 2;
};

/// Bits of `OpenOptions.flags`.
pub const open_flags = struct {
    /// Never write.
    pub const read_only: u32 = 1;
    /// Share with no other process.
    pub const exclusive: u32 = 2;
    /// Create the store if it is absent.
    pub const create: u32 = 4;
    /// Let the system read ahead.
    pub const readahead: u32 = 8;
};

/// Numbers of the key encodings.
pub const key_encodings = struct {
    /// Any key, in the order of the contract.
    pub const ordered: u32 = 0;
    /// UTF-8.
    pub const string: u32 = 1;
    /// Bytes as given.
    pub const binary: u32 = 2;
    /// Four bytes, big-endian.
    pub const u32_number: u32 = 3;
    /// Eight bytes, big-endian.
    pub const u64_number: u32 = 4;
};

/// Numbers of the value encodings.
pub const encodings = struct {
    /// MessagePack.
    pub const msgpack: u32 = 0;
    /// JSON.
    pub const json: u32 = 1;
    /// UTF-8.
    pub const string: u32 = 2;
    /// Bytes as given.
    pub const binary: u32 = 3;
    /// A codec of the user's own, known by its name.
    pub const custom: u32 = 4;
};

/// Options of `open`. Begins with its own size, so that it can grow.
pub const OpenOptions = extern struct {
    /// Bytes of this struct.
    size: u32,
    /// `open_flags`.
    flags: u32,
    /// 0 for the default, or for that of a store that exists.
    page_size: u32,
    /// 0 once, 1 always, 2 never.
    verify: u32,
    /// Upper bound of the data file, bytes.
    max_size: f64,
    /// Log bytes that make a checkpoint due; 0 for the default.
    checkpoint_bytes: f64,
    /// How long to wait for a lock.
    lock_timeout_ms: u32,
    /// `key_encodings`, for the unnamed table of a store created here.
    key_encoding: u32,
    /// `encodings`, likewise.
    encoding: u32,
    /// Bytes of the codec's name.
    codec_name_size: u32,
    /// The codec's name, UTF-8.
    codec_name: [64]u8,
    /// Zero.
    reserved: [16]u8,
};

comptime {
    if (@sizeOf(OpenOptions) != 128) @compileError("OpenOptions has a fixed size");
}

/// Tells which boundary this library was built with.
/// Memory: none.
/// Thread: any.
/// Returns: 31 bits; `ffi/abi.ts` holds the same number, or the library is stale.
pub fn fingerprint() callconv(.c) i32 {
    return reflect.fingerprint(@This());
}

/// Copies the text of this thread's last failure: what was found, then what to do.
/// Memory: writes at most `size` bytes of UTF-8 to `buffer`, cut between characters.
/// Thread: any.
/// Returns: the bytes written, 0 if nothing has failed.
pub fn message(buffer: ?[*]u8, size: u32) callconv(.c) i32 {
    const text = registry.lastText();
    const out = (buffer orelse return 0)[0..size];
    var length = @min(out.len, text.len);
    // Not in the middle of a character.
    while (length > 0 and length < text.len and text[length] & 0xc0 == 0x80) length -= 1;
    @memcpy(out[0..length], text[0..length]);
    return @intCast(length);
}

/// Opens the store at `path`, creating it if the options say so; a store that this thread has open
/// gives the same session once more, and each open needs its close.
/// Memory: reads `path` and `options`, an `OpenOptions`, during the call only. The session's
/// scratch is native memory that lives until its last close.
/// Thread: any; the session belongs to this one.
/// Returns: a session. Codes: not_found, busy, corrupt, not_a_store, version, full, no_space, io,
/// poisoned, read_only, permission, readers_full, options, out_of_memory.
pub fn open(
    path: ?[*]const u8,
    path_size: u32,
    options: ?[*]const u8,
    options_size: u32,
) callconv(.c) i32 {
    explain.clear();
    return opened(path, path_size, options, options_size) catch |err| registry.fail(err);
}

/// Names the session's scratch: words, key areas A and B, data area, as `limits` says.
/// Memory: native, owned by the session, at one address until its last close.
/// Thread: the session's own.
/// Returns: its address, null if the session is closed.
pub fn scratch(session: u32) callconv(.c) ?*anyopaque {
    const it = registry.find(session) orelse return null;
    return it.scratch.ptr;
}

/// Names the base of the map, in which views are offsets.
/// Memory: the whole reserved range is readable, zeros where no page lies yet; it stays at one
/// address until the last session of the process is closed. words[0] = its size.
/// Thread: the session's own.
/// Returns: its address, null if the session is closed.
pub fn window(session: u32) callconv(.c) ?*anyopaque {
    const it = registry.find(session) orelse return null;
    it.setWord(0, it.env.file.range.len);
    return it.env.file.range.ptr;
}

/// Closes the session once; the last close of the last thread detaches from the store, and writes a
/// checkpoint if no other process is attached.
/// Memory: after the last close the scratch is gone and the window reads zeros.
/// Thread: the session's own.
/// Returns: 0. Codes: closed, io, poisoned, no_space.
pub fn close(session: u32) callconv(.c) i32 {
    explain.clear();
    registry.close(session) catch |err| return registry.fail(err);
    return 0;
}

/// Ends the turn: lets go the state that gets and views of this turn read from.
/// Memory: views of the latest state are valid until here.
/// Thread: the session's own.
/// Returns: 0. Codes: closed.
pub fn unpin(session: u32) callconv(.c) i32 {
    return hot(session, read.unpin, .{});
}

/// Tells where the store stands.
/// Memory: words: 0 txnid, 1 flushed txnid, 2 checkpoint txnid, 3 page size, 4 key_size_max, 5 log
/// bytes not yet in a checkpoint, 6 batch open, 7 read-only, 8 poisoned, 9 checkpoint wanted, 10
/// inode of the data file, 11 inode of the log, 12 switches of the log so far.
/// Thread: the session's own.
/// Returns: 0. Codes: closed.
pub fn status(session: u32) callconv(.c) i32 {
    return run(session, upkeep.status, .{});
}

/// Tells the resolved path of the data file (0) or of the log (1).
/// Memory: UTF-8 in the data area, until the next call.
/// Thread: the session's own.
/// Returns: its size. Codes: closed, options.
pub fn paths(session: u32, which: u32) callconv(.c) i32 {
    return run(session, upkeep.paths, .{which});
}

/// Gives the session's index of a named table, which need not exist; the same name gives the same
/// index. Index 0 is the unnamed table.
/// Memory: reads the name, UTF-8, from key area A.
/// Thread: the session's own.
/// Returns: the index, valid until the session is closed. Codes: closed, options, key_size,
/// out_of_memory.
pub fn table_open(session: u32, name_size: u32) callconv(.c) i32 {
    return run(session, read.tableOpen, .{name_size});
}

/// Reads the attributes that a table was created with.
/// Memory: words: 0 key encoding, 1 encoding, 2 flags, 3 id, 4 size of the codec's name, which lies
/// in the data area until the next call.
/// Thread: the session's own.
/// Returns: 1 if the table exists, else 0. Codes: closed, corrupt, txn_ended, options.
pub fn table_attributes(session: u32, scope: u32, table: u32) callconv(.c) i32 {
    return runIn(session, table, read.tableAttributes, .{ scope, table });
}

/// Says which attributes a table shall have: it is created with them, and where it exists they must
/// agree; 255 adopts what is kept.
/// Memory: reads the codec's name from the data area.
/// Thread: the session's own.
/// Returns: 0. Codes: closed, corrupt, options, out_of_memory.
pub fn table_set_attributes(
    session: u32,
    table: u32,
    key_encoding: u32,
    encoding: u32,
    codec_name_size: u32,
) callconv(.c) i32 {
    return run(
        session,
        write.tableSetAttributes,
        .{ table, key_encoding, encoding, codec_name_size },
    );
}

/// Lists the named tables in order, a chunk a call.
/// Memory: rows [u32 size][bytes] in the data area until the next call; words[0] = 1 if there are
/// more. The caller puts the last name it has into key area A and its size into words[1], 0 to
/// begin.
/// Thread: the session's own.
/// Returns: names in this chunk. Codes: closed, corrupt, txn_ended.
pub fn table_list(session: u32, scope: u32) callconv(.c) i32 {
    return run(session, read.tableList, .{scope});
}

/// Removes a table and all it holds.
/// Memory: none.
/// Thread: the session's own.
/// Returns: 1, or 0 if there was none. Codes: closed, corrupt, txn_ended, options, full, no_space,
/// io, out_of_memory.
pub fn table_drop(session: u32, txn: u32, table: u32) callconv(.c) i32 {
    return runIn(session, table, write.tableDrop, .{ txn, table });
}

/// Measures a table.
/// Memory: words: 0 entries, 1 depth, 2 branch pages, 3 leaf pages, 4 overflow pages.
/// Thread: the session's own.
/// Returns: 0. Codes: closed, corrupt, txn_ended, options.
pub fn table_stats(session: u32, scope: u32, table: u32) callconv(.c) i32 {
    return runIn(session, table, read.tableStats, .{ scope, table });
}

/// Looks one key up and copies its value.
/// Memory: key in area A; value in the data area until the next call. With code large, words[0] =
/// its size and `value_copy` fetches it, at once.
/// Thread: the session's own.
/// Returns: the value's size. Codes: not_found, large, closed, corrupt, key_size, txn_ended,
/// options.
pub fn get(session: u32, scope: u32, table: u32, key_size: u32) callconv(.c) i32 {
    return hotIn(session, table, read.get, .{ scope, table, key_size });
}

/// Looks one key up and leaves its value pending.
/// Memory: key in area A. A value of at least one byte is fetched by `value_copy`, at once. With
/// code large, words[0] = its size.
/// Thread: the session's own.
/// Returns: the value's size. Codes: not_found, large, closed, corrupt, key_size, txn_ended,
/// options.
pub fn find(session: u32, scope: u32, table: u32, key_size: u32) callconv(.c) i32 {
    return hotIn(session, table, read.find, .{ scope, table, key_size });
}

/// Copies the value that the last call left pending.
/// Memory: writes `size` bytes to `buffer`, which is the caller's.
/// Thread: the session's own.
/// Returns: `size`. Codes: closed, corrupt, options, txn_ended.
pub fn value_copy(session: u32, buffer: ?[*]u8, size: u32) callconv(.c) i32 {
    return hot(session, read.valueCopy, .{ buffer, size });
}

/// Copies a part of one buffer to the beginning of another.
/// Memory: of the `from_size` bytes of `from`, `to_size` from byte `at` on go to `to`; both are the
/// caller's, during the call only, and not the same.
/// Thread: any.
/// Returns: `to_size`. Codes: options.
pub fn bytes_copy(
    from: ?[*]const u8,
    from_size: u32,
    at: u32,
    to: ?[*]u8,
    to_size: u32,
) callconv(.c) i32 {
    const target = (to orelse return Code.options.result())[0..to_size];
    const source = (from orelse return Code.options.result())[0..from_size];
    if (at > source.len or source.len - at < target.len) return Code.options.result();
    @memcpy(target, source[at..][0..target.len]);
    return @intCast(to_size & 0x7fff_ffff);
}

/// Lends memory for values that the caller keeps.
/// Memory: native, at least `size` bytes, with whatever was there before; the caller's until it is
/// given back by the function that `lend_end` names, at any time and in any thread.
/// Thread: any.
/// Returns: its address; null if `size` is above `limits.lent_size_max`, or too much is lent.
pub fn lend(size: u32) callconv(.c) ?*anyopaque {
    return lending.borrow(size);
}

/// Names the function that takes lent memory back: its first argument is the address, its second
/// one means nothing.
/// Memory: none.
/// Thread: any; so may the function be called.
/// Returns: the address of the function.
pub fn lend_end() callconv(.c) ?*anyopaque {
    return @constCast(&lending.giveBack);
}

/// Looks one key up and tells where its value lies in the window.
/// Memory: words: 0 offset, 1 size, for scope 0 also 2 the txnid of the newest state, to which the
/// bytes belong. They are valid until the scope ends, for scope 0 until `unpin`. With result 1 the
/// value is not in the file yet: fetch words[1] bytes with `value_copy`, at once.
/// Thread: the session's own.
/// Returns: 0, or 1 for a value to copy. Codes: not_found, closed, corrupt, key_size, txn_ended,
/// options.
pub fn view(session: u32, scope: u32, table: u32, key_size: u32) callconv(.c) i32 {
    return hotIn(session, table, read.view, .{ scope, table, key_size });
}

/// Tells whether a key is there, reading no value.
/// Memory: key in area A.
/// Thread: the session's own.
/// Returns: 1 or 0. Codes: closed, corrupt, key_size, txn_ended, options.
pub fn has(session: u32, scope: u32, table: u32, key_size: u32) callconv(.c) i32 {
    return hotIn(session, table, read.has, .{ scope, table, key_size });
}

/// Looks many keys up, their searches overlapped.
/// Memory: reads [u32 size][bytes] from `keys`; writes [i32 size or -1][bytes] to `out`, both the
/// caller's, during the call only; bytes are filled up to the next multiple of four; words[1] = how
/// many bytes were written.
/// Thread: the session's own.
/// Returns: how many keys were answered, from the first; fewer than `key_count` when `out` is full;
/// 0
/// with words[0] = the size needed when the first value does not fit. Codes: closed, corrupt,
/// key_size, txn_ended, options, out_of_memory.
pub fn get_many(
    session: u32,
    scope: u32,
    table: u32,
    keys: ?[*]const u8,
    keys_size: u32,
    key_count: u32,
    out: ?[*]u8,
    out_size: u32,
) callconv(.c) i32 {
    const arguments = .{ scope, table, keys, keys_size, key_count, out, out_size };
    return hotIn(session, table, read.getMany, arguments);
}

/// Counts the entries of a range, without walking it.
/// Memory: lower bound in key area A, upper in B; words[0] = the count. Flags: `range_flags`.
/// Thread: the session's own.
/// Returns: 0. Codes: closed, corrupt, key_size, txn_ended, options.
pub fn count(
    session: u32,
    scope: u32,
    table: u32,
    flags: u32,
    start_size: u32,
    end_size: u32,
) callconv(.c) i32 {
    return runIn(session, table, read.countRange, .{ scope, table, flags, start_size, end_size });
}

/// Opens a range over one state, pinned until it is closed.
/// Memory: lower bound in key area A, upper in B, copied; the caller puts offset and limit (-1 =
/// none) into words 0 and 1. Flags: `range_flags`.
/// Thread: the session's own.
/// Returns: a range. Codes: closed, corrupt, key_size, txn_ended, options, readers_full,
/// out_of_memory.
pub fn range_open(
    session: u32,
    scope: u32,
    table: u32,
    flags: u32,
    start_size: u32,
    end_size: u32,
) callconv(.c) i32 {
    return runIn(session, table, read.rangeOpen, .{ scope, table, flags, start_size, end_size });
}

/// Opens a range and fetches its first rows, in one call.
/// Memory: as `range_open` and `range_next`; words[3] = the range, or 0 if it ended and is none.
/// One that ended with more than one row, some of them in the block, is kept for `range_find`.
/// Thread: the session's own.
/// Returns: rows in this chunk. Codes: closed, corrupt, key_size, txn_ended, options,
/// readers_full, out_of_memory.
pub fn range_first(
    session: u32,
    scope: u32,
    table: u32,
    flags: u32,
    start_size: u32,
    end_size: u32,
    rows_max: u32,
    buffer: ?[*]u8,
    size: u32,
    block: ?[*]u8,
    block_size: u32,
) callconv(.c) i32 {
    const sizes_of = .{ start_size, end_size, rows_max };
    const rooms = .{ bytesOf(buffer, size), bytesOf(block, block_size) };
    const arguments = .{ scope, table, flags } ++ sizes_of ++ rooms;
    return runIn(session, table, read.rangeFirst, arguments);
}

/// Fetches the next rows of a range.
/// Memory: writes to `buffer`, which is the caller's: first `rows_max` times [u32 key_size]
/// [u32 value_size]; from there upwards the keys, one behind the other; from the end downwards the
/// values. A value of `limits.block_value_min` bytes or more goes to `block` instead, if that has
/// any bytes: upwards, each at a multiple of `limits.block_alignment`. words[0] = 1 when the range
/// ended, words[2] = where the keys end if all of them are ASCII, else 0, words[4] = where the
/// values begin, words[5] = how many bytes of the block are used. A value_size of 0xffffffff: the
/// value does not fit, words[1] = its size, and `value_copy` fetches it, at once.
/// Thread: the session's own.
/// Returns: rows in this chunk. Codes: closed, corrupt, txn_ended, options.
pub fn range_next(
    session: u32,
    range: u32,
    rows_max: u32,
    buffer: ?[*]u8,
    size: u32,
    block: ?[*]u8,
    block_size: u32,
) callconv(.c) i32 {
    const rooms = .{ bytesOf(buffer, size), bytesOf(block, block_size) };
    return onRange(session, read.rangeNext, range, .{rows_max} ++ rooms);
}

/// Looks one key up in the state of a range and leaves its value pending.
/// Memory: key in area A; words[0] = the value's size. A value of at least one byte is fetched by
/// `value_copy`, at once.
/// Thread: the session's own.
/// Returns: the value's size. Codes: not_found, large, closed, corrupt, key_size, txn_ended.
pub fn range_find(session: u32, range: u32, key_size: u32) callconv(.c) i32 {
    explain.clear();
    return onRange(session, read.rangeFind, range, .{key_size});
}

/// Lets a range and its state go.
/// Memory: none.
/// Thread: the session's own.
/// Returns: 0. Codes: closed, txn_ended.
pub fn range_close(session: u32, range: u32) callconv(.c) i32 {
    return run(session, read.rangeClose, .{range});
}

/// Pins the newest committed state.
/// Memory: words[0] = its txnid.
/// Thread: the session's own.
/// Returns: a scope. Codes: closed, corrupt, readers_full, out_of_memory.
pub fn snapshot_begin(session: u32) callconv(.c) i32 {
    return run(session, read.snapshotBegin, .{});
}

/// Lets a snapshot go.
/// Memory: views read in it are valid until here.
/// Thread: the session's own.
/// Returns: 0. Codes: closed, txn_ended.
pub fn snapshot_end(session: u32, scope: u32) callconv(.c) i32 {
    return run(session, read.snapshotEnd, .{scope});
}

/// Begins the write transaction, a batch (0) or an explicit one (1), waiting at most `timeout_ms`
/// for the writer lock.
/// Memory: words[0] = the txnid it will have. Areas stay as they are.
/// Thread: the session's own.
/// Returns: a scope. Codes: busy, closed, corrupt, full, no_space, io, poisoned, read_only,
/// out_of_memory.
pub fn txn_begin(session: u32, kind: u32, timeout_ms: u32) callconv(.c) i32 {
    return run(session, write.begin, .{ kind, timeout_ms });
}

/// Writes one entry.
/// Memory: key in area A, value in the data area. Flags: `put_flags`.
/// Thread: the session's own.
/// Returns: 1, or 0 if the key is there and must not be. Codes: closed, corrupt, key_size,
/// value_size, key_order, txn_ended, options, full, no_space, io, out_of_memory.
pub fn put(
    session: u32,
    txn: u32,
    table: u32,
    key_size: u32,
    value_size: u32,
    flags: u32,
) callconv(.c) i32 {
    return hotIn(session, table, write.put, .{ txn, table, key_size, value_size, flags });
}

/// Writes one entry whose value the caller holds.
/// Memory: key in area A; reads `value` during the call only. Flags: `put_flags`.
/// Thread: the session's own.
/// Returns: as `put`. Codes: closed, corrupt, key_size, value_size, key_order, txn_ended, options,
/// full, no_space, io, out_of_memory.
pub fn put_buffer(
    session: u32,
    txn: u32,
    table: u32,
    key_size: u32,
    value: ?[*]const u8,
    value_size: u32,
    flags: u32,
) callconv(.c) i32 {
    const arguments = .{ txn, table, key_size, value, value_size, flags };
    return runIn(session, table, write.putBuffer, arguments);
}

/// Writes many entries.
/// Memory: reads [u32 key_size][u32 value_size][key][value] from `rows` during the call only; each
/// row but the last is filled up to a multiple of 4 bytes.
/// Flags: `put_flags`.
/// Thread: the session's own.
/// Returns: how many were stored. Codes: closed, corrupt, key_size, value_size, key_order,
/// txn_ended, options, full, no_space, io, out_of_memory.
pub fn put_many(
    session: u32,
    txn: u32,
    table: u32,
    rows: ?[*]const u8,
    rows_size: u32,
    row_count: u32,
    flags: u32,
) callconv(.c) i32 {
    return runIn(session, table, write.putMany, .{ txn, table, rows, rows_size, row_count, flags });
}

/// Removes one entry.
/// Memory: key in area A.
/// Thread: the session's own.
/// Returns: 1, or 0 if there was none. Codes: closed, corrupt, key_size, txn_ended, options, full,
/// no_space, io, out_of_memory.
pub fn remove(session: u32, txn: u32, table: u32, key_size: u32) callconv(.c) i32 {
    return hotIn(session, table, write.remove, .{ txn, table, key_size });
}

/// Removes the entries of a range, cutting whole subtrees.
/// Memory: lower bound in key area A, upper in B; words[0] = entries removed. Flags: `range_flags`.
/// Thread: the session's own.
/// Returns: 0. Codes: closed, corrupt, key_size, txn_ended, options, full, no_space, io,
/// out_of_memory.
pub fn remove_range(
    session: u32,
    txn: u32,
    table: u32,
    flags: u32,
    start_size: u32,
    end_size: u32,
) callconv(.c) i32 {
    return runIn(session, table, write.removeRange, .{ txn, table, flags, start_size, end_size });
}

/// Removes every entry of a table and keeps the table.
/// Memory: words[0] = entries removed.
/// Thread: the session's own.
/// Returns: 0. Codes: closed, corrupt, txn_ended, options, full, no_space, io, out_of_memory.
pub fn clear(session: u32, txn: u32, table: u32) callconv(.c) i32 {
    return runIn(session, table, write.clear, .{ txn, table });
}

/// Marks a point that the transaction can go back to.
/// Memory: areas stay as they are.
/// Thread: the session's own.
/// Returns: its level. Codes: closed, txn_ended, options, out_of_memory.
pub fn savepoint(session: u32, txn: u32) callconv(.c) i32 {
    return run(session, write.savepoint, .{txn});
}

/// Undoes every write since a savepoint, and forgets it and all later ones.
/// Memory: areas stay as they are.
/// Thread: the session's own.
/// Returns: 0. Codes: closed, txn_ended, options.
pub fn savepoint_rollback(session: u32, txn: u32, level: u32) callconv(.c) i32 {
    return run(session, write.savepointRollback, .{ txn, level });
}

/// Keeps the writes since a savepoint, and forgets it and all later ones.
/// Memory: areas stay as they are.
/// Thread: the session's own.
/// Returns: 0. Codes: closed, txn_ended, options.
pub fn savepoint_release(session: u32, txn: u32, level: u32) callconv(.c) i32 {
    return run(session, write.savepointRelease, .{ txn, level });
}

/// Publishes the transaction, with its log record in the hands of the system but not flushed; the
/// transaction has ended, also when this fails.
/// Memory: words: 0 txnid, 1 = 1 if the log must be flushed now, 2 = 1 if a checkpoint is wanted; 2
/// if one is under way and the data file should be flushed aside once more, so that its end waits
/// for less; 3 if it should be brought to its end.
/// Thread: the session's own.
/// Returns: 0. Codes: closed, corrupt, txn_ended, full, no_space, io, poisoned, out_of_memory.
pub fn txn_commit(session: u32, txn: u32) callconv(.c) i32 {
    return run(session, write.commit, .{txn});
}

/// Writes the log record of a commit that is to be durable ahead of its pages: `txn_commit`
/// follows, or `txn_abort`, and nothing else. With `is_aside` 1 the caller flushes the log on a
/// descriptor of its own, from now on and while `txn_commit` runs; with 0 it calls `flush_sync`
/// after that.
/// Memory: none.
/// Thread: the session's own.
/// Returns: 1 if a flush of the log that begins now is one of this commit, once it is published;
/// 0 if the flush must begin after the commit. Codes: closed, txn_ended, options, corrupt, full,
/// no_space, io, poisoned, out_of_memory.
pub fn txn_write_ahead(session: u32, txn: u32, is_aside: u32) callconv(.c) i32 {
    return run(session, write.writeAhead, .{ txn, is_aside });
}

/// Writes one entry in a transaction of its own: as `txn_begin` of a batch, `put` and `txn_commit`.
/// With `is_flushed` 1 the caller flushes it at once, by `flush_sync`.
/// Memory: key in area A, value in the data area; words as `txn_commit`.
/// Thread: the session's own.
/// Returns: 1. Codes: busy, closed, corrupt, key_size, value_size, options, full, no_space, io,
/// poisoned, read_only, out_of_memory.
pub fn put_commit(
    session: u32,
    table: u32,
    key_size: u32,
    value_size: u32,
    timeout_ms: u32,
    is_flushed: u32,
) callconv(.c) i32 {
    const arguments = .{ table, key_size, value_size, timeout_ms, is_flushed };
    return runIn(session, table, write.putCommit, arguments);
}

/// Ends the transaction as if it had never begun.
/// Memory: none.
/// Thread: the session's own.
/// Returns: 0. Codes: closed, txn_ended.
pub fn txn_abort(session: u32, txn: u32) callconv(.c) i32 {
    return run(session, write.abort, .{txn});
}

/// Tells what the caller is to flush, on descriptors of its own, before it calls `flush_end`.
/// Memory: words[0] = the newest published txnid, to be left there for `flush_end`.
/// Thread: the session's own.
/// Returns: 0 if all is durable, 1 for the log, 2 for the data file and then the log. Codes:
/// closed, poisoned.
pub fn flush_begin(session: u32) callconv(.c) i32 {
    return run(session, upkeep.flushBegin, .{});
}

/// Reports that flush: 1 done, 0 failed, which poisons the store.
/// Memory: words[0] as `flush_begin` left it.
/// Thread: the session's own.
/// Returns: 0. Codes: closed, poisoned.
pub fn flush_end(session: u32, is_flushed: u32) callconv(.c) i32 {
    return run(session, upkeep.flushEnd, .{is_flushed});
}

/// Flushes all that is published, and waits.
/// Memory: none.
/// Thread: the session's own.
/// Returns: 0. Codes: closed, io, poisoned.
pub fn flush_sync(session: u32) callconv(.c) i32 {
    return run(session, upkeep.flushSync, .{});
}

/// Writes a checkpoint, and waits.
/// Memory: none.
/// Thread: the session's own.
/// Returns: 0. Codes: closed, busy, corrupt, full, no_space, io, poisoned, read_only,
/// out_of_memory.
pub fn checkpoint_sync(session: u32) callconv(.c) i32 {
    return run(session, upkeep.checkpointSync, .{});
}

/// Begins a checkpoint unless one is under way, for a caller that does not hear of flushes now: it
/// has the data file flushed aside, and calls `checkpoint_finish` when `txn_commit` says so.
/// Memory: none.
/// Thread: the session's own.
/// Returns: 0 one is under way, or there is nothing to write; 3 another thread or process works on
/// it. Codes: closed, busy, corrupt, full, no_space, io, poisoned, read_only, out_of_memory.
pub fn checkpoint_begin(session: u32) callconv(.c) i32 {
    return run(session, upkeep.checkpointBegin, .{});
}

/// Brings the checkpoint that is under way to its end, and waits; begins none.
/// Memory: none.
/// Thread: the session's own.
/// Returns: 0. Codes: closed, busy, corrupt, full, no_space, io, poisoned, read_only,
/// out_of_memory.
pub fn checkpoint_finish(session: u32) callconv(.c) i32 {
    return run(session, upkeep.checkpointFinish, .{});
}

/// Takes the next step of a checkpoint, beginning one if needed.
/// Memory: words 0 and 1 are the ticket, to be left there for `checkpoint_flushed`.
/// Thread: the session's own.
/// Returns: 0 nothing left to do, 1 flush the data file, 2 flush the log, each followed by
/// `checkpoint_flushed`, 3 another thread or process works on it. Codes: closed, corrupt, full,
/// no_space, io, poisoned, read_only, out_of_memory.
pub fn checkpoint_step(session: u32) callconv(.c) i32 {
    return run(session, upkeep.checkpointStep, .{});
}

/// Reports the flush that `checkpoint_step` asked for: 1 done, 0 failed, which poisons the store.
/// Memory: words 0 and 1 as `checkpoint_step` left them.
/// Thread: the session's own.
/// Returns: 0. Codes: closed, io, poisoned.
pub fn checkpoint_flushed(session: u32, is_flushed: u32) callconv(.c) i32 {
    return run(session, upkeep.checkpointFlushed, .{is_flushed});
}

/// Measures the store.
/// Memory: words: 0 entries of the unnamed table, 1 depth, 2 branch pages, 3 leaf pages, 4 overflow
/// pages, 5 page size, 6 file size, 7 allocated size, 8 log size, 9 free pages, 10 retained pages,
/// 11 txnid, 12 checkpoint txnid, 13 flushed txnid, 14 tables.
/// Thread: the session's own.
/// Returns: 0. Codes: closed, corrupt, txn_ended, io.
pub fn stats(session: u32, scope: u32) callconv(.c) i32 {
    return run(session, upkeep.stats, .{scope});
}

/// Lists the reader slots in use, as many as fit.
/// Memory: rows of four f64 in the data area until the next call: pid, txnid, lag, age in ms.
/// Thread: the session's own.
/// Returns: rows. Codes: closed.
pub fn readers(session: u32) callconv(.c) i32 {
    return run(session, read.readers, .{});
}

/// Begins a walk over every page of the newest state.
/// Memory: words[0] = pages to visit.
/// Thread: the session's own.
/// Returns: a check. Codes: closed, corrupt, readers_full, out_of_memory.
pub fn check_begin(session: u32) callconv(.c) i32 {
    return run(session, upkeep.checkBegin, .{});
}

/// Walks on, over about `page_budget` pages.
/// Memory: words: 0 pages done, 1 pages in all, 2 pages found, 3 entries, 4 errors so far, 5 errors
/// of this step, which lie in the data area until the next call, each: [u32 page][u32 table size or
/// 0xffffffff][u32 message size][table][message].
/// Thread: the session's own.
/// Returns: 1 when finished, else 0. Codes: closed, txn_ended, io, out_of_memory.
pub fn check_step(session: u32, check: u32, page_budget: u32) callconv(.c) i32 {
    return run(session, upkeep.checkStep, .{ check, page_budget });
}

/// Ends a walk, finished or not.
/// Memory: none.
/// Thread: the session's own.
/// Returns: 0. Codes: closed, txn_ended.
pub fn check_end(session: u32, check: u32) callconv(.c) i32 {
    return run(session, upkeep.checkEnd, .{check});
}

/// Begins a copy of the newest state into a new file at `path`.
/// Memory: reads `path` during the call only; words[0] = bytes to write.
/// Thread: the session's own.
/// Returns: a backup. Codes: closed, not_found, permission, options, no_space, io, readers_full,
/// out_of_memory.
pub fn backup_begin(
    session: u32,
    path: ?[*]const u8,
    path_size: u32,
    compact: u32,
) callconv(.c) i32 {
    return run(session, upkeep.backupBegin, .{ path, path_size, compact });
}

/// Writes a part of the copy; the last step flushes it and gives it its name.
/// Memory: words: 0 bytes done, 1 bytes in all.
/// Thread: the session's own.
/// Returns: 1 when finished, else 0. Codes: closed, corrupt, txn_ended, no_space, io, permission,
/// options.
pub fn backup_step(session: u32, backup: u32) callconv(.c) i32 {
    return run(session, upkeep.backupStep, .{backup});
}

/// Ends a backup, and removes what was written if it is not finished.
/// Memory: none.
/// Thread: the session's own.
/// Returns: 0. Codes: closed, txn_ended.
pub fn backup_end(session: u32, backup: u32) callconv(.c) i32 {
    return run(session, upkeep.backupEnd, .{backup});
}

/// Runs one call for a session of this thread.
fn run(handle: u32, comptime call: anytype, arguments: anytype) i32 {
    return runIn(handle, null, call, arguments);
}

/// The same without forgetting an older explanation first: for calls that take nanoseconds.
inline fn hot(handle: u32, comptime call: anytype, arguments: anytype) i32 {
    return hotIn(handle, null, call, arguments);
}

/// `run` for a call about one table.
fn runIn(handle: u32, table: ?u32, comptime call: anytype, arguments: anytype) i32 {
    explain.clear();
    return hotIn(handle, table, call, arguments);
}

/// `hot` for a call about one table: damage is told with its page and that table.
inline fn hotIn(handle: u32, table: ?u32, comptime call: anytype, arguments: anytype) i32 {
    const session = registry.find(handle) orelse return Code.closed.result();
    return @call(.auto, call, .{session} ++ arguments) catch |err| {
        if (err == error.Corrupt) damage.tell(session, table);
        return registry.fail(err);
    };
}

/// A call about an open range: damage is told with its page and the range's table.
inline fn onRange(handle: u32, comptime call: anytype, range: u32, arguments: anytype) i32 {
    const session = registry.find(handle) orelse return Code.closed.result();
    return @call(.auto, call, .{ session, range } ++ arguments) catch |err| {
        if (err == error.Corrupt) damage.tell(session, read.tableOfRange(session, range));
        return registry.fail(err);
    };
}

/// Bytes of a caller; none if there is no address.
fn bytesOf(buffer: ?[*]u8, size: u32) []u8 {
    return (buffer orelse return &.{})[0..size];
}

fn opened(
    path: ?[*]const u8,
    path_size: u32,
    options: ?[*]const u8,
    options_size: u32,
) Session.Error!i32 {
    if (options_size != @sizeOf(OpenOptions)) return error.Options;
    const given = std.mem.bytesToValue(
        OpenOptions,
        (options orelse return error.Options)[0..@sizeOf(OpenOptions)],
    );
    const settings = try settingsOf(given);
    var buffer: [os_types.path_size_max]u8 = undefined;
    var resolved: [os_types.path_size_max]u8 = undefined;
    if (path_size == 0 or path_size >= buffer.len) {
        explain.set("the path has {d} bytes, the system takes 1 to {d}", .{
            path_size, buffer.len - 1,
        });
        return error.Options;
    }
    const bytes = (path orelse return error.Options)[0..path_size];
    if (std.mem.indexOfScalar(u8, bytes, 0) != null) {
        explain.set("the path holds a NUL character", .{});
        return error.Options;
    }
    @memcpy(buffer[0..path_size], bytes);
    buffer[path_size] = 0;
    const real = attach.resolve(registry.os, buffer[0..path_size :0], &resolved) catch |err| {
        switch (err) {
            error.NameTooLong => explain.set("a part of the path is longer than the file system " ++
                "takes: shorten it", .{}),
            error.SymbolicLinkLoop => explain.set("its symbolic links lead in a circle: " ++
                "remove one", .{}),
            error.NotFound => explain.set("its folder does not exist: make it first", .{}),
            error.NotDirectory => explain.set("a part of the path is no folder", .{}),
            error.PermissionDenied => explain.set("a folder on the way may not be entered", .{}),
            else => explain.set("the path cannot be resolved ({t})", .{err}),
        }
        return err;
    };
    return @intCast(try registry.open(real, settings));
}

fn settingsOf(given: OpenOptions) Session.Error!attach.Options {
    if (given.size != @sizeOf(OpenOptions) or given.flags > 15) return error.Options;
    if (given.verify > 2 or given.lock_timeout_ms > 1 << 30) return error.Options;
    if (given.codec_name_size > limits.codec_name_size_max) return error.Options;
    if (given.key_encoding > 255 or given.encoding > 255) return error.Options;
    if (!(given.max_size >= 0) or given.max_size > 1 << 53) return error.Options;
    if (!(given.checkpoint_bytes >= 0) or given.checkpoint_bytes > 1 << 40) return error.Options;
    var options: attach.Options = .{
        .read_only = given.flags & open_flags.read_only != 0,
        .exclusive = given.flags & open_flags.exclusive != 0,
        .create = given.flags & open_flags.create != 0,
        .page_size = given.page_size,
    };
    options.settings.random = given.flags & open_flags.readahead == 0;
    options.settings.exclusive = options.exclusive;
    options.settings.verify = @enumFromInt(given.verify);
    options.settings.lock_timeout_ns = @as(u64, given.lock_timeout_ms) * std.time.ns_per_ms;
    if (given.max_size > 0) options.settings.size_max = @intFromFloat(given.max_size);
    if (given.checkpoint_bytes > 0) {
        options.settings.checkpoint_size = @intFromFloat(given.checkpoint_bytes);
    }
    options.attributes.key_encoding = @intCast(given.key_encoding);
    options.attributes.encoding = @intCast(given.encoding);
    options.attributes.setCodecName(given.codec_name[0..given.codec_name_size]);
    return options;
}
