//! Copies the newest published state into a store of its own, in steps, while writers go on: the
//! state is pinned by a reader slot. Every page is proved on its way, past the map; a damaged one
//! ends the backup. The copy is written under another name, flushed, and then renamed into place
//! without replacing anything. It is a closed store without a log, under a new store id.
//!
//! ```text
//! plain    page n -> page n, others are holes, which its freelist lists; freelist pages behind
//! compact  every entry -> Builder -> full pages, numbered densely in the order they are made
//! ```
//!
//! Invariant: the name of the target exists only when all of it is durable. It never writes to the
//! store it copies.

const std = @import("std");
const config = @import("../config.zig");
const explain = @import("../explain.zig");
const freelist = @import("../format/freelist.zig");
const meta_format = @import("../format/meta.zig");
const os_types = @import("../os/types.zig");
const Os = @import("../os/os.zig").Os;
const Lock = @import("../store/Lock.zig");
const Readers = @import("../store/Readers.zig");
const Builder = @import("../tree/Builder.zig");
const Env = @import("Env.zig");
const checkpoint = @import("checkpoint.zig");
const Audit = @import("Audit.zig");
const StateWalk = @import("StateWalk.zig");
const Compaction = @import("Compaction.zig");

pub const Error = Env.Error || Builder.Error;

const suffix = "-backup";
const log_suffix = "-wal";
const PathBuffer = [os_types.path_size_max + 16]u8;
/// A file ends at a multiple of this, so that all of it can be mapped.
const map_unit = os_types.map_alignment;

pub const Progress = struct { done: u64, total: u64 };

/// What the pages of the copy come from.
const Work = union(enum) { plain: StateWalk, compact: Compaction };

pub const Backup = struct {
    env: *Env,
    slot: ?u32,
    state: Lock.State,
    path: [:0]const u8,
    temporary: [:0]const u8,
    fd: os_types.Fd,
    audit: Audit,
    work: Work,
    /// Pages to be read, as far as that is known at the beginning.
    page_total: u64,
    is_finished: bool = false,
    /// The temporary file is there and ours.
    is_pending: bool = true,

    /// Begins to copy into a file at `path`, which must not exist. `deinit` ends it.
    pub fn create(env: *Env, path: [:0]const u8, compact: bool) Error!*Backup {
        try env.checkFork();
        const allocator = env.allocator;
        const self = try allocator.create(Backup);
        errdefer allocator.destroy(self);
        self.* = undefined;
        self.env = env;
        self.is_finished = false;
        self.is_pending = true;
        self.path = try resolve(env, path);
        errdefer allocator.free(self.path);
        self.temporary = try std.mem.concatWithSentinel(allocator, u8, &.{ self.path, suffix }, 0);
        errdefer allocator.free(self.temporary);
        self.slot = if (env.slotless == null) try Readers.take(&env.lock) else null;
        errdefer if (self.slot) |index| Readers.give(&env.lock, index);
        self.state = if (self.slot) |index|
            try checkpoint.pinSealed(env, index, env.settings.lock_timeout_ns)
        else
            try env.publishedState();
        _ = try env.viewOf(self.state);
        const pages = self.state.page_count - config.pgno_first;
        self.page_total = pages - @min(pages, if (self.slot == null) 0 else env.freePages().free);
        self.fd = try openTemporary(env.os, self.temporary);
        errdefer self.dropTemporary();
        self.audit = try Audit.init(allocator, &env.file, self.state.page_count, self.state.txnid);
        errdefer self.audit.deinit();
        if (compact) {
            self.work = .{ .compact = try .init(&self.audit, self.state, self.fd) };
        } else {
            self.audit.copy = .{ .fd = self.fd };
            self.work = .{ .plain = try .init(&self.audit, self.state) };
        }
        return self;
    }

    /// Ends the backup, and removes what was written of one that is not finished.
    pub fn deinit(self: *Backup) void {
        const env = self.env;
        switch (self.work) {
            inline else => |*work| work.deinit(),
        }
        self.audit.deinit();
        if (self.is_pending) self.dropTemporary() else env.os.close(self.fd);
        if (self.slot) |index| Readers.give(&env.lock, index);
        env.allocator.free(self.temporary);
        env.allocator.free(self.path);
        env.allocator.destroy(self);
    }

    fn dropTemporary(self: *Backup) void {
        self.env.os.unlink(self.temporary) catch {}; // the error that brought us here is told
        self.env.os.close(self.fd);
    }

    /// Copies on, over about `page_budget` pages of the source. True: the copy is there, durable.
    pub fn step(self: *Backup, page_budget: u32) Error!bool {
        if (self.is_finished) return true;
        const is_done = switch (self.work) {
            inline else => |*work| try work.step(page_budget),
        };
        if (self.audit.finding_count > 0) return self.damaged();
        if (!is_done) return false;
        try self.finish();
        self.is_finished = true;
        return true;
    }

    fn damaged(self: *const Backup) Error {
        if (self.audit.findings.items.len == 0) return error.Corrupt;
        const found = self.audit.findings.items[0];
        explain.set("page {d} of {s} (table {s}) {s}; run check", .{
            found.pgno, self.env.path, found.table orelse "unnamed", found.message,
        });
        return error.Corrupt;
    }

    /// Bytes read of those to be read.
    pub fn progress(self: *const Backup) Progress {
        const page_size: u64 = self.env.file.page_size;
        const total = self.page_total * page_size;
        const done = @min(self.audit.read_count * page_size, total);
        return .{ .done = if (self.is_finished) total else done, .total = total };
    }

    /// Everything is copied: metas, size, flush, name.
    fn finish(self: *Backup) Error!void {
        const os = self.env.os;
        var meta = self.newMeta();
        const page_count = switch (self.work) {
            .plain => try self.finishPlain(&meta),
            .compact => |*work| try work.finish(&meta),
        };
        meta.page_count = page_count;
        const size = @as(u64, page_count) * meta.page_size;
        try os.truncate(self.fd, std.mem.alignForward(u64, size, map_unit));
        for ([_]u32{ 0, 1 }) |slot| {
            meta.sequence = slot;
            const bytes = meta_format.encode(meta, slot);
            try os.pwrite(self.fd, &bytes, @as(u64, slot) * meta.page_size);
        }
        try os.flush(self.fd);
        try self.rename();
        self.is_pending = false;
        var buffer: PathBuffer = undefined;
        try os.flushDirectory(directoryOf(self.path, &buffer));
    }

    fn newMeta(self: *const Backup) meta_format.Meta {
        const env = self.env;
        var meta: meta_format.Meta = .{
            .page_size = env.file.page_size,
            .store_id = undefined,
            .sequence = 0,
            .txnid = self.state.txnid,
            .page_count = config.pgno_first,
            .table_id_next = self.state.table_id_next,
            .closed = 1,
            .log_salt = undefined,
            .main = self.state.main,
            .catalogue = self.state.catalogue,
            .table_count = self.state.table_count,
            .key_encoding = env.main_attributes.key_encoding,
            .encoding = env.main_attributes.encoding,
            .codec_name_size = env.main_attributes.codec_name_size,
            .codec_name = env.main_attributes.codec_name_buffer,
        };
        env.os.random(&meta.store_id);
        env.os.random(std.mem.asBytes(&meta.log_salt));
        return meta;
    }

    /// The freelist of a plain copy: what was not copied, listed in pages behind all others.
    fn finishPlain(self: *Backup, meta: *meta_format.Meta) Error!u32 {
        const audit = &self.audit;
        const end = audit.lastUsed() + 1;
        const list_count = try countListPages(audit, end);
        const page_count = std.math.add(u32, end, list_count) catch return error.Full;
        if (list_count == 0) return page_count;
        var writer: ListWriter = .{ .backup = self, .end = end, .page_count = list_count };
        meta.freelist = try writer.write();
        meta.free_page_count = end - config.pgno_first - audit.used_count;
        return page_count;
    }

    fn rename(self: *Backup) Error!void {
        const os = self.env.os;
        os.renameNoReplace(self.temporary, self.path) catch |err| switch (err) {
            error.Exists => return exists(self.path),
            error.NotSupported => {
                if (os.statPath(self.path)) |_| return exists(self.path) else |failure| {
                    if (failure != error.NotFound) return failure;
                }
                try os.rename(self.temporary, self.path);
            },
            else => return err,
        };
    }
};

/// The next run of pages below `end` at or behind `from` that nobody has seen.
fn nextUnused(audit: *const Audit, from: u32, end: u32) ?struct { pgno: u32, count: u32 } {
    var pgno = @max(from, config.pgno_first);
    while (pgno < end and audit.isUsed(pgno)) pgno += 1;
    if (pgno >= end) return null;
    const start = pgno;
    while (pgno < end and !audit.isUsed(pgno)) pgno += 1;
    return .{ .pgno = start, .count = pgno - start };
}

/// Freelist pages that the unused pages below `end` take.
fn countListPages(audit: *const Audit, end: u32) Error!u32 {
    const bytes = try audit.allocator.alignedAlloc(u8, .@"64", audit.page_size);
    defer audit.allocator.free(bytes);
    var count: u32 = 0;
    var at: u32 = 0;
    while (nextUnused(audit, at, end) != null) : (count += 1) {
        at = fillList(audit, bytes, at, end).at;
    }
    return count;
}

const Filled = struct { at: u32, used: usize };

/// One freelist page of the runs from `from` on; `at` is behind the last one that fits.
fn fillList(audit: *const Audit, bytes: []align(8) u8, from: u32, end: u32) Filled {
    var writer: freelist.Writer = .init(bytes, 0);
    var at = from;
    while (nextUnused(audit, at, end)) |run| {
        if (!writer.add(.{ .pgno = run.pgno, .count = run.count })) break;
        at = run.pgno + run.count;
    }
    return .{ .at = at, .used = writer.used };
}

/// Writes the chain of freelist pages from its last page to its first: each names the next.
const ListWriter = struct {
    backup: *Backup,
    end: u32,
    page_count: u32,

    fn write(self: *ListWriter) Error!meta_format.Freelist {
        const audit = &self.backup.audit;
        const starts = try audit.allocator.alloc(u32, self.page_count);
        defer audit.allocator.free(starts);
        const bytes = try audit.allocator.alignedAlloc(u8, .@"64", audit.page_size);
        defer audit.allocator.free(bytes);
        var at: u32 = 0;
        for (starts) |*start| {
            start.* = at;
            at = fillList(audit, bytes, at, self.end).at;
        }
        var root: meta_format.Freelist = .{ .page_count = self.page_count };
        var index = self.page_count;
        while (index > 0) {
            index -= 1;
            const filled = fillList(audit, bytes, starts[index], self.end);
            const pgno = self.end + index;
            const txnid = self.backup.state.txnid;
            root.checksum =
                freelist.seal(bytes, filled.used, pgno, txnid, root.pgno, root.checksum);
            root.pgno = pgno;
            const offset = @as(u64, pgno) * audit.page_size;
            try audit.os.pwrite(self.backup.fd, bytes, offset);
        }
        return root;
    }
};

/// The resolved path of the target, owned by the caller. Refuses one where a store is, or was.
fn resolve(env: *Env, path: [:0]const u8) Error![:0]const u8 {
    if (path.len == 0 or path.len + suffix.len >= os_types.path_size_max) {
        explain.set("a path of {d} bytes", .{path.len});
        return error.NameTooLong;
    }
    var buffer: [os_types.path_size_max]u8 = undefined;
    const resolved = try env.os.realPath(path, &buffer);
    if (resolved.len + suffix.len >= os_types.path_size_max) return error.NameTooLong;
    for ([_][]const u8{ "", log_suffix }) |ending| {
        var companion: PathBuffer = undefined;
        const name = std.fmt.bufPrintZ(&companion, "{s}{s}", .{ resolved, ending }) catch
            return error.NameTooLong;
        if (env.os.statPath(name)) |_| return exists(name) else |err| {
            if (err != error.NotFound) return err;
        }
    }
    return env.allocator.dupeZ(u8, resolved);
}

fn exists(path: []const u8) Error {
    explain.set("{s} exists: a backup replaces nothing, name another file or remove it", .{path});
    return error.Exists;
}

/// Opens the file that becomes the copy, locked. What a killed backup left is removed.
fn openTemporary(os: Os, path: [:0]const u8) Error!os_types.Fd {
    for (0..16) |_| {
        const flags: os_types.OpenFlags = .{ .write = true, .create = true, .exclusive = true };
        const fd = os.open(path, flags) catch |err| {
            if (err != error.Exists) return err;
            try removeLeftover(os, path);
            continue;
        };
        errdefer os.close(fd);
        // Somebody may have taken it for a leftover before it was locked.
        const is_locked = try os.lock(fd, 0, .exclusive);
        const here = os.statPath(path) catch |err| if (err == error.NotFound) null else return err;
        if (is_locked and here != null and here.?.inode == (try os.stat(fd)).inode) return fd;
        os.close(fd);
    }
    return error.Busy;
}

fn removeLeftover(os: Os, path: [:0]const u8) Error!void {
    const fd = os.open(path, .{ .write = true }) catch |err| {
        return if (err == error.NotFound) {} else err;
    };
    defer os.close(fd);
    if (!try os.lock(fd, 0, .exclusive)) {
        explain.set("another backup is writing {s}", .{path});
        return error.Busy;
    }
    os.unlink(path) catch |err| if (err != error.NotFound) return err;
}

fn directoryOf(path: []const u8, buffer: *PathBuffer) [:0]const u8 {
    const parent = std.fs.path.dirnamePosix(path) orelse "/";
    @memcpy(buffer[0..parent.len], parent);
    buffer[parent.len] = 0;
    return buffer[0..parent.len :0];
}
