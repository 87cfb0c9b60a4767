//! Root of the parts of the engine that the benchmark measures one by one
//! (`bench/native/layers.zig`). It holds no code of its own.

pub const kernels = @import("format/kernels.zig");
pub const page = @import("format/page.zig");
pub const FreeSpace = @import("store/FreeSpace.zig");
pub const search = @import("tree/search.zig");
pub const insert = @import("tree/insert.zig");
pub const delete = @import("tree/delete.zig");
pub const Cursor = @import("tree/Cursor.zig");
pub const TestStore = @import("sim/TestStore.zig");
