//! Root of the program that writes `ffi/abi.ts`. It stands here because a program's files lie
//! below its root; all of it is in `abi/generate.zig`.

const generate = @import("abi/generate.zig");

pub const main = generate.main;

/// For programs that call the shared library: the types of its functions.
pub const c_abi = @import("abi/c_abi.zig");
