comptime {
    _ = @import("sim/store_test.zig");
}
