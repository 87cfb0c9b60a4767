//! Values that stand in overflow runs alone: a log record names the run, and is worth nothing
//! without it. What recovery does with such runs: prove them, write them again where they are, or
//! copy them for a reader that may write nothing. They are read past the map, in pieces, and
//! nothing that the record says of them is trusted.

const std = @import("std");
const Allocator = std.mem.Allocator;
const record = @import("../format/record.zig");
const overflow = @import("../format/overflow.zig");
const Env = @import("Env.zig");

const Error = Env.Error;

/// Bytes read or written by one call.
const piece_size = 64 << 10;

/// The bytes of one run, a piece at a time.
const Pieces = struct {
    env: *const Env,
    run: record.NamedRun,
    done: u32 = 0,
    hash: std.hash.XxHash3,

    fn init(env: *const Env, run: record.NamedRun) Pieces {
        return .{ .env = env, .run = run, .hash = .init(run.pgno) };
    }

    fn offset(self: *const Pieces) u64 {
        return @as(u64, self.run.pgno) * self.env.file.page_size + self.done;
    }

    /// Null: the run is at its end, or the file is.
    fn next(self: *Pieces, buffer: *[piece_size]u8) Error!?[]u8 {
        const wanted = buffer[0..@min(piece_size, self.run.size - self.done)];
        if (wanted.len == 0) return null;
        if (try self.env.file.read(wanted, self.offset()) < wanted.len) return null;
        self.hash.update(wanted);
        self.done += @intCast(wanted.len);
        return wanted;
    }

    fn isWhole(self: *Pieces) bool {
        return self.done == self.run.size and self.hash.final() == self.run.checksum;
    }
};

/// True if all runs that the operations of a record name are as they were written.
pub fn areWhole(env: *const Env, operations: []const u8) Error!bool {
    var reader: record.Reader = .{ .bytes = operations };
    while (try reader.next()) |operation| {
        if (operation != .put_run) continue;
        if (!try isWhole(env, operation.put_run.run)) return false;
    }
    return true;
}

fn isWhole(env: *const Env, run: record.NamedRun) Error!bool {
    var buffer: [piece_size]u8 = undefined;
    var pieces: Pieces = .init(env, run);
    while (try pieces.next(&buffer)) |_| {}
    return pieces.isWhole();
}

/// Takes every run that the operations of a record name for the running transaction, and writes it
/// again: the system may hold bytes of it as written that a failed flush has dropped.
pub fn claim(env: *Env, operations: []const u8) Error!void {
    var reader: record.Reader = .{ .bytes = operations };
    while (try reader.next()) |operation| {
        if (operation != .put_run) continue;
        const run = operation.put_run.run;
        try env.dirty.claimRun(run.pgno, run.size);
        var buffer: [piece_size]u8 = undefined;
        var pieces: Pieces = .init(env, run);
        var offset = pieces.offset();
        while (try pieces.next(&buffer)) |piece| : (offset = pieces.offset()) {
            try env.os.pwrite(env.file.fd, piece, offset);
        }
        if (!pieces.isWhole()) return error.Corrupt;
        env.file.setVerified(run.pgno, run.checksum);
    }
}

/// The bytes of a run, which the caller frees.
pub fn copy(env: *const Env, run: record.NamedRun, allocator: Allocator) Error![]u8 {
    const end = @as(u64, run.pgno) * env.file.page_size + run.size;
    if (end > (try env.os.stat(env.file.fd)).size) return error.Corrupt;
    const bytes = try allocator.alloc(u8, run.size);
    errdefer allocator.free(bytes);
    const offset = @as(u64, run.pgno) * env.file.page_size;
    if (try env.file.read(bytes, offset) < bytes.len) return error.Corrupt;
    if (overflow.checksum(bytes, run.pgno) != run.checksum) return error.Corrupt;
    return bytes;
}
