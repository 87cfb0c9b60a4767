//! Root of the tests: names every file that has some. A file that is not named here, and that no
//! file named here imports, is dead; tidy says so.

comptime {
    _ = @import("config.zig");
    _ = @import("explain.zig");

    _ = @import("os/types.zig");
    _ = @import("os/os.zig");

    _ = @import("format/bytes.zig");
    _ = @import("format/varint.zig");
    _ = @import("format/heads.zig");
    _ = @import("format/page.zig");
    _ = @import("format/overflow.zig");
    _ = @import("format/freelist.zig");
    _ = @import("format/meta.zig");
    _ = @import("format/record.zig");

    _ = @import("abi/codes.zig");
    _ = @import("abi/reflect.zig");
    _ = @import("abi/generate.zig");
    _ = @import("lib.zig");
}
