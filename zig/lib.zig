//! Root of the shared library: exports every function of `abi/c_abi.zig` as `zeolite_<name>`.
//! It holds no code of its own, and nothing is registered anywhere: to add a function, add it
//! there.

const c_abi = @import("abi/c_abi.zig");
const reflect = @import("abi/reflect.zig");

comptime {
    for (reflect.functionNames(c_abi)) |name| {
        @export(&@field(c_abi, name), .{ .name = reflect.symbol_prefix ++ name });
    }
}
