//! The codes that cross the boundary: each failure of the engine as a negative number.
//! Numbers are frozen. One that is no longer used stays here as a hole, and is never given again.
//!
//! Each code has a public code, the `ZeoliteCode` that JavaScript throws; the doc comment of a
//! code travels into `ffi/abi.ts` with it.

const std = @import("std");
const os_types = @import("../os/types.zig");

pub const Code = enum(i32) {
    /// The key, table or store asked for does not exist.
    not_found = -1,
    /// The session has been closed.
    closed = -2,
    /// Another thread or process holds what is needed, and did not let go in time.
    busy = -3,
    /// Bytes read from the store contradict its format or a checksum.
    corrupt = -4,
    /// The file is not a Zeolite store.
    not_a_store = -5,
    /// The store was written by a version, or with a feature, that this library does not know.
    version = -6,
    /// The store has reached its maximum size.
    full = -7,
    /// The disk is full, or a quota is used up.
    no_space = -8,
    /// A read, write or flush failed.
    io = -9,
    /// A flush failed earlier: no writes until every process has closed the store.
    poisoned = -10,
    /// The store was opened for reading, or lies on a read-only file system.
    read_only = -11,
    /// The system does not let this process open, create or lock the file.
    permission = -12,
    /// Every reader slot is taken.
    readers_full = -13,
    /// The key is longer than this store allows.
    key_size = -14,
    /// The value is longer than a value may be.
    value_size = -15,
    /// The key is not greater than the last one, as an append demands.
    key_order = -16,
    /// The key is not of the type that its encoding takes.
    key_type = -17,
    /// The transaction, snapshot, range or handle has ended.
    txn_ended = -18,
    /// An argument is out of bounds, or contradicts what the store keeps.
    options = -19,
    /// The changes asked for are no longer in the log.
    changes_lost = -20,
    /// The library does not fit its caller.
    library = -21,
    /// The value does not fit the data area: fetch it with `value_copy`. Never leaves `src`.
    large = -22,
    /// The system has no memory left to give.
    out_of_memory = -23,

    /// The result of a call that ends with this code.
    pub fn result(self: Code) i32 {
        return @intFromEnum(self);
    }

    /// The `ZeoliteCode` that JavaScript throws.
    pub fn publicName(self: Code) []const u8 {
        return switch (self) {
            .large => "ZEOLITE_VALUE_SIZE",
            .out_of_memory => "ZEOLITE_NO_SPACE",
            inline else => |code| comptime public: {
                const name = @tagName(code);
                var upper: [name.len]u8 = undefined;
                const final = std.ascii.upperString(&upper, name);
                break :public "ZEOLITE_" ++ final[0..name.len].*;
            },
        };
    }
};

/// The code of an error. Every error that the engine can return has a line here; one that has
/// none is a failure of the system that nobody foresaw.
pub fn fromError(err: anyerror) Code {
    return switch (err) {
        error.NotFound => .not_found,
        error.Closed => .closed,
        error.Busy, error.WouldBlock => .busy,
        error.Corrupt => .corrupt,
        error.NotAStore, error.IsDirectory, error.NotDirectory => .not_a_store,
        error.Version => .version,
        error.Full, error.FileTooBig => .full,
        error.NoSpace => .no_space,
        error.Io, error.TooManyFiles, error.NotSupported => .io,
        error.Killed, error.Unexpected => .io,
        error.Poisoned => .poisoned,
        error.ReadOnly, error.ReadOnlyFileSystem => .read_only,
        error.PermissionDenied => .permission,
        error.ReadersFull => .readers_full,
        error.KeySize => .key_size,
        error.ValueSize => .value_size,
        error.KeyOrder => .key_order,
        error.KeyType => .key_type,
        error.TxnEnded => .txn_ended,
        error.Options, error.NameTooLong, error.SymbolicLinkLoop, error.Exists => .options,
        error.ChangesLost => .changes_lost,
        error.Large => .large,
        error.OutOfMemory => .out_of_memory,
        else => .io,
    };
}

test "codes are negative, without holes, and each has a public name" {
    var expected: i32 = -1;
    for (std.enums.values(Code)) |code| {
        try std.testing.expectEqual(expected, code.result());
        try std.testing.expect(std.mem.startsWith(u8, code.publicName(), "ZEOLITE_"));
        expected -= 1;
    }
    try std.testing.expectEqualStrings("ZEOLITE_NOT_A_STORE", Code.not_a_store.publicName());
    try std.testing.expectEqualStrings("ZEOLITE_NO_SPACE", Code.out_of_memory.publicName());
}

test "fromError names what the caller can act on" {
    try std.testing.expectEqual(Code.busy, fromError(error.Busy));
    try std.testing.expectEqual(Code.no_space, fromError(error.NoSpace));
    try std.testing.expectEqual(Code.io, fromError(error.NeverHeardOf));
}

test "fromError has a line for each error of the system" {
    inline for (@typeInfo(os_types.Error).error_set.?) |entry| {
        const code = fromError(@field(anyerror, entry.name));
        const is_io = for ([_][]const u8{
            "Io", "TooManyFiles", "NotSupported", "Killed", "Unexpected",
        }) |name| {
            if (std.mem.eql(u8, name, entry.name)) break true;
        } else false;
        try std.testing.expectEqual(is_io, code == .io);
    }
}
