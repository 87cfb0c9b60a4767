//! Puts every page of the newest state into the file. A store that one process has to itself keeps
//! the pages of its commits in frames until a checkpoint, a check or a backup wants them where
//! everybody could read them. It flushes nothing.
//!
//! Invariant: no page or record in the file names a frame.

const std = @import("std");
const page_format = @import("../format/page.zig");
const Lock = @import("../store/Lock.zig");
const insert = @import("../tree/insert.zig");
const tables = @import("tables.zig");
const Env = @import("Env.zig");

const Error = Env.Error;

/// True if every page of the state is in the file.
pub fn isSealed(state: Lock.State) bool {
    return state.main.is_frame == 0 and state.catalogue.is_frame == 0;
}

/// Seals the catalogue, and before it the trees whose records in it still name frames. The caller
/// has sealed the tables that it changed, and put their records.
pub fn catalogue(env: *Env, tree: *page_format.Tree) Error!void {
    if (env.settings.exclusive and tree.depth > 0 and tree.ref.dirty) try sealNamed(env, tree);
    try env.dirty.seal(tree);
}

fn sealNamed(env: *Env, tree: *page_format.Tree) Error!void {
    var arena: std.heap.ArenaAllocator = .init(env.allocator);
    defer arena.deinit();
    var names: std.ArrayList([]const u8) = .empty;
    var iterator: tables.Iterator = .init(env.dirty.pages(), tree.*);
    while (try iterator.next()) |entry| {
        if (!entry.record.tree.ref.dirty) continue;
        const name = try arena.allocator().dupe(u8, entry.name);
        try names.append(arena.allocator(), name);
    }
    for (names.items) |name| {
        var found = try tables.find(env.dirty.pages(), tree.*, name) orelse return error.Corrupt;
        try env.dirty.seal(&found.tree);
        var key_buffer: tables.KeyBuffer = undefined;
        var buffer: [tables.record_size_max]u8 = undefined;
        const key = tables.keyOf(name, &key_buffer);
        _ = try insert.put(&env.dirty, tree, key, found.encode(&buffer), .upsert);
    }
}

/// Publishes the newest state anew, as a commit without operations whose pages are all in the file.
/// The writer lock is held; `state` is the published one and becomes the new one.
pub fn commit(env: *Env, state: *Lock.State) Error!void {
    if (isSealed(state.*)) return;
    try env.boundUnflushed(state.*);
    var next = state.*;
    next.txnid += 1;
    const view = try env.viewOf(state.*);
    try env.beginSpace(next.txnid);
    errdefer env.space.abort();
    try env.clearBuffer();
    const naming = env.namingOf(state.*);
    try env.dirty.begin(view.snapshot, next.txnid, naming, env.pinned.items);
    errdefer env.dirty.end(.aborted);
    var main = view.main;
    var names = view.catalogue;
    try env.dirty.seal(&main);
    try catalogue(env, &names);
    next.main = .of(main);
    next.catalogue = .of(names);
    next.page_count = env.space.page_count;
    try env.space.reserveCommit();
    try env.writeSpace();
    try env.appendRecord(&next, .commit, 0);
    env.lock.publish(next);
    env.space.commit();
    env.setFollowed(next);
    env.dirty.end(.published);
    state.* = next;
}
