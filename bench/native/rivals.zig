//! LMDB and RocksDB for JavaScript: the same few C functions for each, so that one piece of
//! TypeScript calls all native engines over FFI, and none of them pays more for that than Zeolite
//! does: keys and values travel through one scratch, many rows in one call. `bench/redb` has the
//! same functions in Rust.
//!
//! Functions of engine E, all named `rival_E_…`. Results below 0: -1 not found, -2 failed, see
//! message. A session belongs to the thread that opened it; sessions of one path share one store.
//!
//! ```
//! version(buffer, size)        bytes of the version's text
//! message(buffer, size)        bytes of the text of the last failure of this thread
//! open(path, path_size, flags) a session; flag 1: each commit waits for its flush
//! scratch(session)             64 KiB for a key, then 4 MiB for a value or rows
//! get(session, key_size)       bytes of the value, which is in the scratch
//! get_many(session, keys, count, out, out_size)
//!                              keys [u32 size][bytes], answers [i32 size or -1][bytes]; how many
//!                              keys were answered before `out` was full
//! unpin(session)               lets go the state that gets read from
//! put(session, key_size, value, value_size)    one commit
//! write(session, rows, count, is_ordered)      one commit of rows
//!                              [u32 key size][u32 value size][key][value]
//! scan_open(session, key_size) rows from that key on, or from the first if it has no bytes
//! scan_next(session, rows_max) rows in the scratch, as those of `write`; 0 at the end
//! scan_close(session)
//! close(session)
//! ```

const std = @import("std");
const Lmdb = @import("rival_lmdb.zig");
const Rocksdb = @import("rival_rocksdb.zig");

const allocator = std.heap.c_allocator;

const key_room = 64 << 10;
const data_room = 4 << 20;
const session_count_max = 64;
const not_found = -1;
const failed = -2;

comptime {
    exportAll(Lmdb, "lmdb");
    exportAll(Rocksdb, "rocksdb");
}

threadlocal var last_failure: [256]u8 = undefined;
threadlocal var last_failure_size: usize = 0;

/// Remembers what `message` will tell.
pub fn explain(text: []const u8) error{Failed} {
    last_failure_size = @min(text.len, last_failure.len);
    @memcpy(last_failure[0..last_failure_size], text[0..last_failure_size]);
    return error.Failed;
}

fn copyText(text: []const u8, buffer: [*]u8, size: u32) i32 {
    const count = @min(text.len, size);
    @memcpy(buffer[0..count], text[0..count]);
    return @intCast(count);
}

/// Rows or keys as they lie in the caller's memory.
pub const Rows = struct {
    rest: [*]const u8,

    pub fn takeSize(self: *Rows) u32 {
        defer self.rest += 4;
        return std.mem.readInt(u32, self.rest[0..4], .little);
    }

    pub fn take(self: *Rows, size: u32) []const u8 {
        defer self.rest += size;
        return self.rest[0..size];
    }
};

/// Answers as the caller wants them.
pub const Answers = struct {
    room: []u8,
    used: usize = 0,

    /// False if it does not fit.
    pub fn add(self: *Answers, value: ?[]const u8) bool {
        const bytes = value orelse &.{};
        if (self.room.len - self.used < 4 + bytes.len) return false;
        const size: i32 = if (value == null) -1 else @intCast(bytes.len);
        std.mem.writeInt(i32, self.room[self.used..][0..4], size, .little);
        @memcpy(self.room[self.used + 4 ..][0..bytes.len], bytes);
        self.used += 4 + bytes.len;
        return true;
    }
};

/// A row that a walk stands at.
pub const Row = struct { key: []const u8, value: []const u8 };

/// The functions of one engine. `Engine` has: `version`, `open`, `close`; and a `Reader`, one
/// thread's own, that does the rest.
fn Rival(comptime Engine: type) type {
    return struct {
        const Shared = struct { path: []const u8, flags: u32, engine: Engine, count: u32 };
        const Session = struct {
            shared: *Shared,
            scratch: []u8,
            reader: Engine.Reader,
            /// The row that did not fit.
            held: ?Row = null,

            fn key(self: *const Session, size: u32) []const u8 {
                return self.scratch[0..size];
            }

            fn data(self: *const Session) []u8 {
                return self.scratch[key_room..];
            }
        };

        var is_busy: std.atomic.Value(bool) = .init(false);
        var sessions: [session_count_max]?*Session = @splat(null);
        var stores: std.ArrayList(*Shared) = .empty;

        fn lock() void {
            while (is_busy.swap(true, .acquire)) std.Thread.yield() catch {}; // looks again
        }

        fn unlock() void {
            is_busy.store(false, .release);
        }

        fn at(session: u32) *Session {
            return sessions[session].?;
        }

        pub fn version(buffer: [*]u8, size: u32) callconv(.c) i32 {
            var text: [64]u8 = undefined;
            return copyText(Engine.version(&text) catch return failed, buffer, size);
        }

        pub fn message(buffer: [*]u8, size: u32) callconv(.c) i32 {
            return copyText(last_failure[0..last_failure_size], buffer, size);
        }

        pub fn open(path: [*]const u8, path_size: u32, flags: u32) callconv(.c) i32 {
            lock();
            defer unlock();
            return opened(path[0..path_size], flags) catch failed;
        }

        fn opened(path: []const u8, flags: u32) !i32 {
            const shared = for (stores.items) |it| {
                if (std.mem.eql(u8, it.path, path)) break it;
            } else try addStore(path, flags);
            if (shared.flags != flags) {
                return explain("the store is open with the other durability");
            }
            const session = try allocator.create(Session);
            session.* = .{
                .shared = shared,
                .scratch = try allocator.alloc(u8, key_room + data_room),
                .reader = try shared.engine.openReader(),
            };
            shared.count += 1;
            for (&sessions, 0..) |*place, index| {
                if (place.* != null) continue;
                place.* = session;
                return @intCast(index);
            }
            return explain("too many sessions");
        }

        fn addStore(path: []const u8, flags: u32) !*Shared {
            const kept = try allocator.dupeZ(u8, path);
            const shared = try allocator.create(Shared);
            shared.* = .{
                .path = kept,
                .flags = flags,
                .engine = try .open(kept, flags & 1 != 0),
                .count = 0,
            };
            try stores.append(allocator, shared);
            return shared;
        }

        pub fn close(session: u32) callconv(.c) i32 {
            lock();
            defer unlock();
            const it = at(session);
            sessions[session] = null;
            it.reader.close();
            const shared = it.shared;
            shared.count -= 1;
            if (shared.count == 0) {
                shared.engine.close();
                const place = std.mem.indexOfScalar(*Shared, stores.items, shared).?;
                _ = stores.swapRemove(place);
                allocator.destroy(shared);
            }
            allocator.free(it.scratch);
            allocator.destroy(it);
            return 0;
        }

        pub fn scratch(session: u32) callconv(.c) ?*anyopaque {
            return at(session).scratch.ptr;
        }

        pub fn get(session: u32, key_size: u32) callconv(.c) i32 {
            const it = at(session);
            const found = it.reader.get(it.key(key_size), it.data()) catch return failed;
            return @intCast(found orelse return not_found);
        }

        pub fn get_many(
            session: u32,
            keys: [*]const u8,
            count: u32,
            out: [*]u8,
            out_size: u32,
        ) callconv(.c) i32 {
            var answers: Answers = .{ .room = out[0..out_size] };
            const rows: Rows = .{ .rest = keys };
            const answered = at(session).reader.getMany(rows, count, &answers) catch
                return failed;
            return @intCast(answered);
        }

        pub fn unpin(session: u32) callconv(.c) i32 {
            at(session).reader.unpin();
            return 0;
        }

        pub fn put(
            session: u32,
            key_size: u32,
            value: [*]const u8,
            value_size: u32,
        ) callconv(.c) i32 {
            const it = at(session);
            it.reader.put(it.key(key_size), value[0..value_size]) catch return failed;
            return 0;
        }

        pub fn write(
            session: u32,
            rows: [*]const u8,
            count: u32,
            is_ordered: u32,
        ) callconv(.c) i32 {
            at(session).reader.write(.{ .rest = rows }, count, is_ordered != 0) catch
                return failed;
            return 0;
        }

        pub fn scan_open(session: u32, key_size: u32) callconv(.c) i32 {
            const it = at(session);
            it.held = null;
            it.reader.scanOpen(it.key(key_size)) catch return failed;
            return 0;
        }

        pub fn scan_next(session: u32, rows_max: u32) callconv(.c) i32 {
            const it = at(session);
            const room = it.data();
            var used: usize = 0;
            var count: u32 = 0;
            while (count < rows_max) : (count += 1) {
                const next = it.held orelse it.reader.scanNext() catch return failed;
                const row = next orelse break;
                it.held = row;
                const size = 8 + row.key.len + row.value.len;
                if (room.len - used < size) break;
                const out = room[used..];
                std.mem.writeInt(u32, out[0..4], @intCast(row.key.len), .little);
                std.mem.writeInt(u32, out[4..8], @intCast(row.value.len), .little);
                @memcpy(out[8..][0..row.key.len], row.key);
                @memcpy(out[8 + row.key.len ..][0..row.value.len], row.value);
                used += size;
                it.held = null;
            }
            return @intCast(count);
        }

        pub fn scan_close(session: u32) callconv(.c) i32 {
            const it = at(session);
            it.held = null;
            it.reader.scanClose();
            return 0;
        }
    };
}

const functions = [_][]const u8{
    "version", "message", "open",  "close",     "scratch",   "get",        "get_many",
    "unpin",   "put",     "write", "scan_open", "scan_next", "scan_close",
};

fn exportAll(comptime Engine: type, comptime name: []const u8) void {
    for (functions) |function| {
        @export(&@field(Rival(Engine), function), .{
            .name = "rival_" ++ name ++ "_" ++ function,
        });
    }
}
