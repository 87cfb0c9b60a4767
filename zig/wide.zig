//! Root of an object that holds the hot functions compiled for a newer processor than the library
//! (`format/kernels.zig`). It holds no code of its own, and none of the library may be reached from
//! here: what both compiled would be there twice.

const kernels = @import("format/kernels.zig");
const width = @import("wide_options").width;

comptime {
    const prefix = kernels.symbol_prefix ++ width ++ "_";
    @export(&kernels.locateLeaf, .{ .name = prefix ++ "locate_leaf", .visibility = .hidden });
    @export(&kernels.locateBranch, .{ .name = prefix ++ "locate_branch", .visibility = .hidden });
    @export(&kernels.checksumOf, .{ .name = prefix ++ "checksum", .visibility = .hidden });
}
