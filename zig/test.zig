//! Root of the tests: names every file that has some. A file that is not named here, and that no
//! file named here imports, is dead; tidy says so.

const builtin = @import("builtin");
const is_simulated = @import("os/os.zig").is_simulated;

comptime {
    _ = @import("config.zig");
    _ = @import("explain.zig");

    _ = @import("os/types.zig");
    _ = @import("os/cgroup.zig");
    _ = @import("os/os.zig");
    if (builtin.os.tag == .linux) _ = @import("os/linux.zig");
    if (builtin.os.tag == .macos) _ = @import("os/macos.zig");

    _ = @import("format/bytes.zig");
    _ = @import("format/varint.zig");
    _ = @import("format/heads.zig");
    _ = @import("format/kernels.zig");
    _ = @import("format/page.zig");
    _ = @import("format/overflow.zig");
    _ = @import("format/entries.zig");
    _ = @import("format/leaf.zig");
    _ = @import("format/branch.zig");
    _ = @import("format/freelist.zig");
    _ = @import("format/meta.zig");
    _ = @import("format/record.zig");

    _ = @import("store/Mutex.zig");
    _ = @import("store/File.zig");
    _ = @import("store/Lock.zig");
    _ = @import("store/Readers.zig");
    _ = @import("store/Log.zig");
    _ = @import("store/FreeSpace.zig");
    _ = @import("store/FrameSet.zig");
    _ = @import("store/Snapshot.zig");
    _ = @import("store/Pages.zig");
    _ = @import("store/DirtyPages.zig");
    _ = @import("store/Appender.zig");

    _ = @import("tree/keys.zig");
    _ = @import("tree/rows.zig");
    _ = @import("tree/search.zig");
    _ = @import("tree/Path.zig");
    _ = @import("tree/balance.zig");
    _ = @import("tree/insert.zig");
    _ = @import("tree/LeafPut.zig");
    _ = @import("tree/delete.zig");
    _ = @import("tree/Cursor.zig");
    _ = @import("tree/many.zig");
    _ = @import("tree/remove_range.zig");
    _ = @import("tree/statistics.zig");
    _ = @import("tree/Builder.zig");

    _ = @import("txn/tables.zig");
    _ = @import("txn/Env.zig");
    _ = @import("txn/checkpoint.zig");
    _ = @import("txn/single.zig");
    _ = @import("txn/Txn.zig");
    _ = @import("txn/recover.zig");
    _ = @import("txn/attach.zig");
    _ = @import("txn/Audit.zig");

    _ = @import("abi/codes.zig");
    _ = @import("abi/advice.zig");
    _ = @import("abi/sizes.zig");
    _ = @import("abi/handles.zig");
    _ = @import("abi/Range.zig");
    _ = @import("abi/Session.zig");
    _ = @import("abi/read.zig");
    _ = @import("abi/write.zig");
    _ = @import("abi/upkeep.zig");
    _ = @import("abi/registry.zig");
    _ = @import("abi/lending.zig");
    _ = @import("abi/reflect.zig");
    _ = @import("abi/generate.zig");
    _ = @import("lib.zig");
    _ = @import("tidy.zig");

    _ = @import("sim/fill.zig");
    _ = @import("sim/fuzz_test.zig");
    _ = @import("sim/tree_test.zig");
    if (!is_simulated) _ = @import("sim/threads_test.zig");
    if (!is_simulated and builtin.os.tag == .linux) _ = @import("sim/fork_test.zig");
    if (is_simulated) {
        _ = @import("os/disk.zig");
        _ = @import("os/simulated.zig");
        _ = @import("sim/seeds.zig");
        _ = @import("sim/shrink.zig");
        _ = @import("sim/Model.zig");
        _ = @import("sim/store_test.zig");
        _ = @import("sim/frames_test.zig");
        _ = @import("sim/check_test.zig");
        _ = @import("sim/damage_test.zig");
        _ = @import("sim/promises_test.zig");
        _ = @import("sim/named_runs_test.zig");
        _ = @import("sim/ahead_test.zig");
        _ = @import("sim/refusals_test.zig");
        _ = @import("sim/backup_test.zig");
        _ = @import("sim/crash_test.zig");
        _ = @import("sim/small_test.zig");
        _ = @import("sim/fault_test.zig");
        _ = @import("sim/process_test.zig");
        _ = @import("sim/StoreTrap.zig");
        _ = @import("sim/store_kill_test.zig");
    }
}
