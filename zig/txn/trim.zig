//! Makes a file shorter that has far more pages than are in use, when the last process leaves it.
//! What is in use at its end moves to free pages before, by a commit without operations; the
//! checkpoint behind that commit ends with the last page in use, and the file is cut there.
//!
//! Invariants: nobody else is attached or can come, no reader without a slot is there, and the
//! newest state has a checkpoint, so that every free page is available; nothing is cut before a
//! meta that does not need it is durable; at most `moved_size_max` bytes move.

const std = @import("std");
const page = @import("../format/page.zig");
const move = @import("../tree/move.zig");
const tables = @import("tables.zig");
const Env = @import("Env.zig");
const Txn = @import("Txn.zig");

const Error = Txn.Error;

/// Pages that are moved at one close, bytes.
const moved_size_max = 64 << 20;
/// Less than this is not worth a commit, bytes.
const gain_size_min = 64 << 10;
/// Stores with more named tables are not moved: each is looked up by its name.
const table_count_max = 1000;

/// Publishes a state without pages at the end of the file, if that is worth it. Nothing has changed
/// after an error, except that it may have been published.
pub fn run(env: *Env) Error!void {
    // What the checkpoint before has let go.
    env.renewSpace();
    var txn = try Txn.begin(env, env.settings.lock_timeout_ns);
    const is_changed = arrange(&txn) catch |err| {
        txn.abort();
        return err;
    };
    if (!is_changed) return txn.abort();
    _ = try txn.commit();
}

/// Moves what lies too far behind. False: nothing is gained.
fn arrange(txn: *Txn) Error!bool {
    const env = txn.env;
    const space = &env.space;
    const page_size = env.file.page_size;
    const gain_min = @max(1, gain_size_min / page_size);
    const used = space.page_count - space.freeCount();
    // A file of twice the pages in use, less what the log takes.
    const roomy = used +| used / 8 * 7;
    if (space.page_count <= roomy +| gain_min) return false;
    const can_move = try isMovable(txn);
    const least = if (can_move) used +| used / 4 * 3 else 0;
    const limit = space.endBehind(least, if (can_move) moved_size_max / page_size else 0);
    if (space.page_count - limit < gain_min) return false;
    space.takeFirst();
    if (can_move) try moveAll(txn, limit);
    txn.publishSealed();
    return true;
}

fn isMovable(txn: *Txn) Error!bool {
    if (txn.table_count > table_count_max) return false;
    if (txn.tables.items[0].tree.has_runs or txn.catalogue.has_runs) return false;
    var iterator: tables.Iterator = .init(txn.pages(), txn.catalogue);
    while (try iterator.next()) |entry| if (entry.record.tree.has_runs) return false;
    return true;
}

fn moveAll(txn: *Txn, limit: u32) Error!void {
    const dirty = &txn.env.dirty;
    var iterator: tables.Iterator = .init(txn.pages(), txn.catalogue);
    while (try iterator.next()) |entry| _ = try txn.open(entry.name);
    for (txn.tables.items) |*table| {
        const before = table.tree.ref;
        try move.moveFrom(dirty, &table.tree, limit);
        if (!std.meta.eql(before, table.tree.ref)) table.changed = true;
    }
    try move.moveFrom(dirty, &txn.catalogue, limit);
}
