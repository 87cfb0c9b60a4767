//! Zeolite as its users call it: the shared library, through its C functions. The types of those
//! come from the sources of the boundary, and a library whose fingerprint differs is refused, so
//! two builds of one boundary can be measured beside each other.
//!
//! A store has a thread that writes checkpoints when a commit says that one is wanted, as
//! `src/checkpointer.ts` does without blocking.

const std = @import("std");
const c_abi = @import("boundary").c_abi;
const clock = @import("clock.zig");
const data = @import("data.zig");

const Key = data.Key;
const Puts = data.Puts;
const turn_size = data.turn_size;

/// Of the same order as what `src` waits for the writer lock.
const timeout_ms = 10_000;
const explicit_txn = 1;
/// Larger values go to the library where they lie, as `src` does it.
const scratch_value_max = 4096;

/// Bytes of one key and one answer of `get_many`.
const wanted_size = 4 + data.key_size;
const answer_size = 4 + data.value_size;

const Calls = struct {
    open: *const @TypeOf(c_abi.open),
    close: *const @TypeOf(c_abi.close),
    message: *const @TypeOf(c_abi.message),
    fingerprint: *const @TypeOf(c_abi.fingerprint),
    scratch: *const @TypeOf(c_abi.scratch),
    window: *const @TypeOf(c_abi.window),
    unpin: *const @TypeOf(c_abi.unpin),
    get: *const @TypeOf(c_abi.get),
    view: *const @TypeOf(c_abi.view),
    has: *const @TypeOf(c_abi.has),
    get_many: *const @TypeOf(c_abi.get_many),
    range_open: *const @TypeOf(c_abi.range_open),
    range_next: *const @TypeOf(c_abi.range_next),
    range_close: *const @TypeOf(c_abi.range_close),
    txn_begin: *const @TypeOf(c_abi.txn_begin),
    txn_commit: *const @TypeOf(c_abi.txn_commit),
    put: *const @TypeOf(c_abi.put),
    put_buffer: *const @TypeOf(c_abi.put_buffer),
    put_commit: *const @TypeOf(c_abi.put_commit),
    put_many: *const @TypeOf(c_abi.put_many),
    flush_sync: *const @TypeOf(c_abi.flush_sync),
    checkpoint_sync: *const @TypeOf(c_abi.checkpoint_sync),
    stats: *const @TypeOf(c_abi.stats),
    table_stats: *const @TypeOf(c_abi.table_stats),
    backup_begin: *const @TypeOf(c_abi.backup_begin),
    backup_step: *const @TypeOf(c_abi.backup_step),
    backup_end: *const @TypeOf(c_abi.backup_end),
};

/// A build of the shared library.
pub const Library = struct {
    calls: Calls,

    pub fn load(path: []const u8) !Library {
        var dynamic = std.DynLib.open(path) catch
            return clock.fail("cannot load {s}: build it with the step `lib`", .{path});
        var calls: Calls = undefined;
        inline for (@typeInfo(Calls).@"struct".fields) |field| {
            @field(calls, field.name) = dynamic.lookup(field.type, "zeolite_" ++ field.name) orelse
                return clock.fail("{s} has no zeolite_{s}", .{ path, field.name });
        }
        if (calls.fingerprint() != c_abi.fingerprint()) {
            return clock.fail("{s} has another boundary than these sources", .{path});
        }
        return .{ .calls = calls };
    }
};

pub const Options = struct {
    exclusive: bool = false,
    /// Each commit waits for its flush.
    is_durable: bool = false,
    page_size: u32 = 0,
};

/// One thread's session of a store.
pub const Session = struct {
    calls: *const Calls,
    handle: u32,
    scratch: [*]u8,
    window: [*]const u8,

    fn open(library: *const Library, path: []const u8, options: Options) !Session {
        var given: c_abi.OpenOptions = std.mem.zeroes(c_abi.OpenOptions);
        given.size = @sizeOf(c_abi.OpenOptions);
        given.flags = c_abi.open_flags.create;
        if (options.exclusive) given.flags |= c_abi.open_flags.exclusive;
        given.page_size = options.page_size;
        given.lock_timeout_ms = timeout_ms;
        given.key_encoding = c_abi.key_encodings.binary;
        given.encoding = c_abi.encodings.binary;
        const calls = &library.calls;
        const bytes: [*]const u8 = @ptrCast(&given);
        const size: u32 = @intCast(path.len);
        const result = calls.open(path.ptr, size, bytes, @sizeOf(c_abi.OpenOptions));
        const handle = try checked(calls, result);
        return .{
            .calls = calls,
            .handle = handle,
            .scratch = @ptrCast(calls.scratch(handle).?),
            .window = @ptrCast(calls.window(handle).?),
        };
    }

    fn close(self: Session) !void {
        _ = try self.check(self.calls.close(self.handle));
    }

    fn check(self: Session, result: i32) !u32 {
        return checked(self.calls, result);
    }

    pub fn words(self: Session) *[c_abi.limits.word_count]f64 {
        return @ptrCast(@alignCast(self.scratch));
    }

    fn word(self: Session, index: usize) u64 {
        return @intFromFloat(self.words()[index]);
    }

    fn setKey(self: Session, key: *const Key) void {
        self.scratch[c_abi.limits.key_a_offset..][0..data.key_size].* = key.*;
    }

    fn setValue(self: Session, value: []const u8) void {
        @memcpy(self.scratch[c_abi.limits.data_offset..][0..value.len], value);
    }

    /// Looks each key up and copies its value. The first bytes of all values, summed.
    pub fn get(self: Session, keys: []const Key) !u64 {
        var sum: u64 = 0;
        for (keys, 1..) |*key, count| {
            self.setKey(key);
            const size = self.calls.get(self.handle, 0, 0, data.key_size);
            if (size != data.value_size) return self.refuse(size);
            sum += self.scratch[c_abi.limits.data_offset];
            if (count % turn_size == 0) _ = self.calls.unpin(self.handle);
        }
        _ = self.calls.unpin(self.handle);
        return sum;
    }

    /// The same, reading values where they lie.
    pub fn view(self: Session, keys: []const Key) !u64 {
        var sum: u64 = 0;
        for (keys, 1..) |*key, count| {
            self.setKey(key);
            const result = self.calls.view(self.handle, 0, 0, data.key_size);
            if (result != 0) return self.refuse(result);
            sum += self.window[self.word(0)];
            if (count % turn_size == 0) _ = self.calls.unpin(self.handle);
        }
        _ = self.calls.unpin(self.handle);
        return sum;
    }

    /// Looks keys up that are not there; how many are.
    pub fn getMissing(self: Session, keys: []const Key) !u64 {
        var found: u64 = 0;
        for (keys, 1..) |*key, count| {
            self.setKey(key);
            found += @intFromBool(self.calls.get(self.handle, 0, 0, data.key_size) >= 0);
            if (count % turn_size == 0) _ = self.calls.unpin(self.handle);
        }
        _ = self.calls.unpin(self.handle);
        return found;
    }

    /// Looks keys up in groups of `turn_size`.
    pub fn getMany(self: Session, keys: []const Key) !u64 {
        var wanted: [turn_size * wanted_size]u8 = undefined;
        var answers: [turn_size * answer_size]u8 = undefined;
        var sum: u64 = 0;
        var at: usize = 0;
        while (at < keys.len) {
            const group = keys[at..@min(at + turn_size, keys.len)];
            for (group, 0..) |*key, index| {
                const out = wanted[index * wanted_size ..][0..wanted_size];
                std.mem.writeInt(u32, out[0..4], data.key_size, .little);
                out[4..].* = key.*;
            }
            const count = self.calls.get_many(
                self.handle,
                0,
                0,
                &wanted,
                @intCast(group.len * wanted_size),
                @intCast(group.len),
                &answers,
                answers.len,
            );
            if (count != group.len) return self.refuse(count);
            for (0..group.len) |index| sum += answers[index * answer_size + 4];
            _ = self.calls.unpin(self.handle);
            at += group.len;
        }
        return sum;
    }

    /// Walks every row. The first bytes of all values, summed.
    pub fn scan(self: Session) !u64 {
        const chunk_rows = 512;
        var chunk: [64 << 10]u8 = undefined;
        self.words()[0] = 0;
        self.words()[1] = -1;
        const range = try self.check(self.calls.range_open(self.handle, 0, 0, 0, 0, 0));
        var sum: u64 = 0;
        var has_more = true;
        while (has_more) {
            const answer = self.calls.range_next(
                self.handle,
                range,
                chunk_rows,
                &chunk,
                chunk.len,
                null,
                0,
            );
            const rows = try self.check(answer);
            var value: usize = chunk.len;
            for (0..rows) |row| {
                value -= std.mem.readInt(u32, chunk[row * 8 + 4 ..][0..4], .little);
                sum += chunk[value];
            }
            has_more = self.words()[0] == 0;
        }
        _ = try self.check(self.calls.range_close(self.handle, range));
        return sum;
    }

    fn refuse(self: Session, result: i32) error{Failed} {
        _ = checked(self.calls, result) catch |err| return err;
        return clock.fail("a lookup answered {d}", .{result});
    }
};

fn checked(calls: *const Calls, result: i32) error{Failed}!u32 {
    if (result >= 0) return @intCast(result);
    var text: [512]u8 = undefined;
    const size: usize = @intCast(calls.message(&text, text.len));
    return clock.fail("zeolite answered {d}: {s}", .{ result, text[0..size] });
}

pub const Store = struct {
    allocator: std.mem.Allocator,
    library: *const Library,
    path: []const u8,
    options: Options,
    session: Session,
    keeper: *Keeper,
    rows: []u8,

    /// The library and the path must outlive the store.
    pub fn open(
        allocator: std.mem.Allocator,
        library: *const Library,
        path: []const u8,
        options: Options,
    ) !Store {
        const session: Session = try .open(library, path, options);
        return .{
            .allocator = allocator,
            .library = library,
            .path = path,
            .options = options,
            .session = session,
            .keeper = try Keeper.start(allocator, library, path, options),
            .rows = &.{},
        };
    }

    pub fn close(self: *Store) !void {
        self.keeper.stop(self.allocator);
        try self.session.close();
        self.allocator.free(self.rows);
    }

    /// A session of the calling thread.
    pub fn openReader(self: *const Store) !Session {
        return .open(self.library, self.path, self.options);
    }

    pub fn closeReader(session: Session) !void {
        try session.close();
    }

    /// Puts without waiting for a flush.
    pub fn put(self: *Store, puts: Puts) !void {
        var at: usize = 0;
        while (at < puts.keys.len) {
            const end = @min(at + puts.batch, puts.keys.len);
            const session = self.session;
            const calls = session.calls;
            if (end == at + 1 and !puts.append) {
                try self.putOne(puts, at);
            } else {
                const txn = try session.check(
                    calls.txn_begin(session.handle, explicit_txn, timeout_ms),
                );
                try self.putMany(txn, puts, at, end);
                _ = try session.check(calls.txn_commit(session.handle, txn));
            }
            const words = session.words();
            if (words[1] != 0 or words[2] == 1) self.keeper.wake();
            if (self.options.is_durable) _ = try session.check(calls.flush_sync(session.handle));
            at = end;
        }
    }

    /// Pages of the tree and the two metas; what is free or kept for a reader is not among them.
    pub fn pagesInUse(self: *Store) !f64 {
        const session = self.session;
        _ = try session.check(session.calls.checkpoint_sync(session.handle));
        _ = try session.check(session.calls.stats(session.handle, 0));
        const words = session.words();
        return 2 + words[2] + words[3] + words[4];
    }

    pub fn pageSize(self: *Store) !f64 {
        _ = try self.session.check(self.session.calls.stats(self.session.handle, 0));
        return self.session.words()[5];
    }

    /// Writes a copy without free pages.
    pub fn copyCompact(self: *const Store, path: []const u8) !void {
        const session = self.session;
        const size: u32 = @intCast(path.len);
        const backup = try session.check(
            session.calls.backup_begin(session.handle, path.ptr, size, 1),
        );
        while (try session.check(session.calls.backup_step(session.handle, backup)) == 0) {}
        _ = try session.check(session.calls.backup_end(session.handle, backup));
    }

    /// In one call, as `putSync` does it; a value that the scratch does not hold in three.
    fn putOne(self: *Store, puts: Puts, at: usize) !void {
        const session = self.session;
        session.setKey(&puts.keys[at]);
        const value = puts.values.at(puts.first + at);
        if (value.len > scratch_value_max) return self.putLarge(value);
        session.setValue(value);
        _ = try session.check(session.calls.put_commit(
            session.handle,
            0,
            data.key_size,
            @intCast(value.len),
            timeout_ms,
            @intFromBool(self.options.is_durable),
        ));
    }

    fn putLarge(self: *Store, value: []const u8) !void {
        const session = self.session;
        const calls = session.calls;
        const txn = try session.check(calls.txn_begin(session.handle, explicit_txn, timeout_ms));
        const size: u32 = @intCast(value.len);
        _ = try session.check(
            calls.put_buffer(session.handle, txn, 0, data.key_size, value.ptr, size, 0),
        );
        _ = try session.check(calls.txn_commit(session.handle, txn));
    }

    fn putMany(self: *Store, txn: u32, puts: Puts, begin: usize, end: usize) !void {
        const session = self.session;
        const flags: u32 = if (puts.append) c_abi.put_flags.append else 0;
        const value_size = puts.values.size;
        const row_size = std.mem.alignForward(u32, 8 + data.key_size + value_size, 4);
        const size = (end - begin) * row_size;
        if (self.rows.len < size) self.rows = try self.allocator.realloc(self.rows, size);
        for (puts.keys[begin..end], 0..) |*key, index| {
            const row = self.rows[index * row_size ..][0..row_size];
            std.mem.writeInt(u32, row[0..4], data.key_size, .little);
            std.mem.writeInt(u32, row[4..8], value_size, .little);
            row[8..][0..data.key_size].* = key.*;
            @memcpy(row[8 + data.key_size ..][0..value_size], puts.values.at(puts.first + begin + index));
        }
        _ = try session.check(session.calls.put_many(
            session.handle,
            txn,
            0,
            self.rows.ptr,
            @intCast(size),
            @intCast(end - begin),
            flags,
        ));
    }
};

/// A thread that flushes the log and writes a checkpoint when it is woken.
const Keeper = struct {
    thread: std.Thread,
    library: *const Library,
    path: []const u8,
    options: Options,
    bell: std.c.sem_t = undefined,
    is_rung: std.atomic.Value(bool) = .init(false),
    is_stopping: std.atomic.Value(bool) = .init(false),

    fn start(
        allocator: std.mem.Allocator,
        library: *const Library,
        path: []const u8,
        options: Options,
    ) !*Keeper {
        const keeper = try allocator.create(Keeper);
        keeper.* = .{ .thread = undefined, .library = library, .path = path, .options = options };
        _ = std.c.sem_init(&keeper.bell, 0, 0);
        keeper.thread = try std.Thread.spawn(.{}, run, .{keeper});
        return keeper;
    }

    fn stop(self: *Keeper, allocator: std.mem.Allocator) void {
        self.is_stopping.store(true, .release);
        _ = std.c.sem_post(&self.bell);
        self.thread.join();
        allocator.destroy(self);
    }

    fn wake(self: *Keeper) void {
        if (self.is_rung.load(.monotonic)) return;
        self.is_rung.store(true, .release);
        _ = std.c.sem_post(&self.bell);
    }

    fn run(self: *Keeper) void {
        const session = Session.open(self.library, self.path, self.options) catch
            @panic("the keeper cannot open the store");
        defer session.close() catch @panic("the keeper cannot close the store");
        while (true) {
            while (std.c.sem_wait(&self.bell) != 0) {}
            if (self.is_stopping.load(.acquire)) return;
            if (session.calls.checkpoint_sync(session.handle) < 0) {
                @panic("the keeper cannot write a checkpoint");
            }
            self.is_rung.store(false, .release);
        }
    }
};
