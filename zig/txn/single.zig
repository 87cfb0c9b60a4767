//! A put that is a commit of its own, in a store that one process has to itself. Where it changes
//! one leaf and nothing else, it changes the published frames themselves, unless somebody reads
//! them: no page is copied, and the commit is its record in the log.
//!
//! ```text
//! plan (may fail, changes nothing) -> record into the log -> no pins from here -> who has pinned?
//!      -> each page of the path: younger than every pin, itself; else a copy -> the change
//!      -> publish -> pins
//! ```
//! Invariants: nothing that a pinned state shows is changed; nothing can fail behind the record; no
//! system call is made while pins wait.

const page_format = @import("../format/page.zig");
const record = @import("../format/record.zig");
const Lock = @import("../store/Lock.zig");
const Readers = @import("../store/Readers.zig");
const LeafPut = @import("../tree/LeafPut.zig");
const Path = @import("../tree/Path.zig");
const tables = @import("tables.zig");
const Env = @import("Env.zig");
const checkpoint = @import("checkpoint.zig");

const Error = Env.Error;

/// Where to put. `name` null: the unnamed table.
pub const Target = struct {
    name: ?[]const u8 = null,
    /// What an existing table must agree with.
    wanted: tables.Attributes = .{},
};

/// The put into a named table and that of its record into the catalogue.
const Named = struct {
    name: []const u8,
    record: tables.Record,
    put: LeafPut,
    buffer: [tables.record_size_max]u8,
};

/// Stores `value` under `key` and publishes that. Returns the txnid; null: nothing was done, for it
/// is no such put, and a transaction has to do it. Waits at most `timeout_ns` for the writer lock.
pub fn put(
    env: *Env,
    timeout_ns: u64,
    target: Target,
    key: []const u8,
    value: []const u8,
) Error!?u64 {
    if (!env.settings.exclusive) return null;
    const size = key.len + value.len + record.operation_overhead;
    if (size > env.settings.operations_size_max) return null;
    const state = try checkpoint.beginWrite(env, timeout_ns);
    defer env.endWrite();
    const view = try env.viewOf(state);
    var put_of: LeafPut = undefined;
    if (target.name == null) {
        if (!try put_of.plan(view.pages(), view.main, key, value)) return null;
        if (!hasRoom(env, put_of.path.depth)) return null;
        return try commit(env, state, &view, 0, &put_of, null, key, value);
    }
    var named: Named = undefined;
    if (!try planNamed(&named, &view, target)) return null;
    if (!try put_of.plan(view.pages(), named.record.tree, key, value)) return null;
    if (!hasRoom(env, put_of.path.depth + @as(usize, named.put.path.depth))) return null;
    return try commit(env, state, &view, named.record.id, &put_of, &named, key, value);
}

/// Whether so many more frames may be in use. A transaction that finds too many seals them.
fn hasRoom(env: *const Env, frame_count: usize) bool {
    const frame_count_max = env.settings.frames_size_max / env.file.page_size;
    return env.dirty.liveCount() + frame_count <= frame_count_max;
}

/// False: the table does not exist, or has other attributes.
fn planNamed(named: *Named, view: *const Env.View, target: Target) Error!bool {
    named.name = target.name.?;
    const found = try tables.find(view.pages(), view.catalogue, named.name) orelse return false;
    if (!target.wanted.agrees(&found.attributes)) return false;
    named.record = found;
    var key_buffer: tables.KeyBuffer = undefined;
    const key = tables.keyOf(named.name, &key_buffer);
    const bytes = found.encode(&named.buffer);
    return named.put.plan(view.pages(), view.catalogue, key, bytes);
}

fn commit(
    env: *Env,
    state: Lock.State,
    view: *const Env.View,
    table: u32,
    put_of: *LeafPut,
    named: ?*Named,
    key: []const u8,
    value: []const u8,
) Error!u64 {
    var next = state;
    next.txnid += 1;
    const catalogue_path: ?*Path = if (named) |it| &it.put.path else null;
    try prepare(env, next.txnid, &put_of.path, catalogue_path);
    errdefer env.space.abort();
    try env.clearBuffer();
    try env.buffer.ensureUnusedCapacity(
        env.allocator,
        key.len + value.len + record.operation_overhead,
    );
    const writer: record.Writer = .{ .bytes = &env.buffer };
    writer.put(table, key, value);
    const operations_size = env.buffer.items.len - record.header_size;
    try env.space.reserveCommit();
    try env.writeSpace();
    try env.appendRecord(&next, .commit, operations_size);
    // Nothing can fail any more.
    env.lock.holdPins();
    const newest_pin = Readers.newestPin(&env.lock);
    if (named) |it| {
        put_of.path.change(&env.dirty, &it.record.tree, next.txnid, newest_pin);
        put_of.apply(&it.record.tree);
        var names = view.catalogue;
        it.put.value = it.record.encode(&it.buffer);
        it.put.path.change(&env.dirty, &names, next.txnid, newest_pin);
        it.put.apply(&names);
        next.catalogue = .of(names);
    } else {
        var main = view.main;
        put_of.path.change(&env.dirty, &main, next.txnid, newest_pin);
        put_of.apply(&main);
        next.main = .of(main);
    }
    env.lock.publish(next);
    env.lock.allowPins();
    env.space.commit();
    env.setFollowed(next);
    return next.txnid;
}

/// Frames for a copy of every page, and the space of those that lie in the file, which will be
/// copied: the record tells of it.
fn prepare(env: *Env, txnid: u64, path: *const Path, other: ?*const Path) Error!void {
    var frame_count: u32 = path.depth;
    if (other) |it| frame_count += it.depth;
    const has_clean = path.hasClean() or if (other) |it| it.hasClean() else false;
    const set = env.dirty.set;
    if (has_clean or set.retired_count > 0) {
        try env.beginSpace(txnid);
        errdefer env.space.abort();
        try set.collect(env.pinned.items);
        try release(env, path);
        if (other) |it| try release(env, it);
    } else env.space.beginAsBefore(txnid);
    errdefer env.space.abort();
    try set.reserve(frame_count);
}

fn release(env: *Env, path: *const Path) Error!void {
    for (path.steps[0..path.depth]) |*step| {
        if (step.ref.dirty) continue;
        try env.space.release(step.ref.pgno, 1, page_format.txnid(step.bytes));
    }
}
