//! Decoders under bytes that a fuzzer chooses by what they cover: pages, metas, records and headers
//! of the log, freelist pages, catalogue records, numbers. Whatever passes a decoder must be safe
//! to use. A plain test run tries a seed of each; `zig build fuzz --fuzz=1M` goes on from the
//! inputs that it kept in the cache folder.

const std = @import("std");
const testing = std.testing;
const config = @import("../config.zig");
const entries = @import("../format/entries.zig");
const freelist = @import("../format/freelist.zig");
const meta_format = @import("../format/meta.zig");
const page = @import("../format/page.zig");
const record = @import("../format/record.zig");
const varint = @import("../format/varint.zig");
const balance = @import("../tree/balance.zig");
const tables = @import("../txn/tables.zig");

const Smith = testing.Smith;

const page_size = 512;

/// A page that is well-formed: what a fuzzer changes a little comes further than noise.
fn makePage(smith: *Smith, bytes: *align(8) [page_size]u8) !void {
    const is_leaf = smith.value(bool);
    const kind: page.Kind = if (is_leaf) .leaf else .branch;
    var sequence: entries.Sequence = .{ .kind = kind };
    var keys: [5][3]u8 = undefined;
    const leaf_header: page.LeafEntry = .{
        .local_size = 0,
        .value_kind = 0,
        .flags = 0,
        .value_size = 5,
    };
    const branch_header: page.BranchEntry = .{
        .local_size = 0,
        .flags = 0,
        .pgno = 9,
        .checksum = 7,
        .entries = 3,
    };
    const header = if (is_leaf) std.mem.asBytes(&leaf_header) else std.mem.asBytes(&branch_header);
    for (&keys, 0..) |*key, index| {
        key.* = .{ 'p', @intCast('a' + index), 'k' };
        sequence.addItem(.{
            .key = .{ .local = key },
            .header = header,
            .rest = if (is_leaf) "value" else "",
        });
    }
    const group = sequence.measure(0, sequence.count, 0, page_size);
    try sequence.build(group, bytes);
    page.setNumber(bytes, 7, 3);
}

fn fuzzPage(_: void, smith: *Smith) anyerror!void {
    var bytes: [page_size]u8 align(8) = undefined;
    try makePage(smith, &bytes);
    while (!smith.eos()) {
        bytes[smith.index(page_size)] = smith.value(u8);
    }
    page.validate(&bytes, 7) catch return;
    usePage(&bytes) catch |err| if (err != error.Corrupt) return err;
}

/// Everything that the engine does with a page that passed `validate`.
fn usePage(bytes: *align(8) [page_size]u8) !void {
    page.verify(bytes);
    const local_max = config.localSizeMax(page_size);
    for (0..page.count(bytes)) |index| {
        const item = entries.itemOf(bytes, @intCast(index));
        std.mem.doNotOptimizeAway(item.size());
        const key = item.key.local[0..@min(item.key.local.len, local_max)];
        _ = switch (page.kind(bytes)) {
            .leaf => page.find(bytes, .leaf, key),
            else => page.find(bytes, .branch, key),
        };
    }
    var sequence: entries.Sequence = .{ .kind = page.kind(bytes) };
    sequence.addRange(bytes, 0, page.count(bytes));
    try sequence.check();
    var other: [page_size]u8 align(8) = undefined;
    const group = sequence.measure(0, sequence.count, 0, page_size);
    try sequence.build(group, &other);
    if (page.kind(bytes) == .leaf) try balance.refreshPrefix(&other);
    page.removeEntries(&other, 0, page.count(&other));
}

test "fuzz: page" {
    try testing.fuzz({}, fuzzPage, .{});
}

fn fuzzMeta(_: void, smith: *Smith) anyerror!void {
    var meta: meta_format.Meta = .{
        .page_size = 512,
        .store_id = @splat(1),
        .sequence = 2,
        .txnid = 3,
        .page_count = 4,
        .log_salt = 5,
    };
    const raw = std.mem.asBytes(&meta);
    while (!smith.eos()) raw[smith.index(raw.len)] = smith.value(u8);
    var bytes: [meta_format.size]u8 = raw.*;
    const slot: u32 = @intFromBool(smith.value(bool));
    _ = meta_format.decode(&bytes, slot) catch {};
    // The same under a checksum that is right.
    const checksum = std.hash.XxHash3.hash(slot, bytes[0 .. meta_format.size - 8]);
    std.mem.writeInt(u64, bytes[meta_format.size - 8 ..][0..8], checksum, .little);
    const found = meta_format.decode(&bytes, slot) catch return;
    try testing.expect(config.isPageSize(found.page_size));
    try testing.expect(found.page_count >= 2 and found.codec_name_size <= 64);
    _ = try found.main.tree();
}

test "fuzz: meta" {
    try testing.fuzz({}, fuzzMeta, .{});
}

fn fuzzRecord(_: void, smith: *Smith) anyerror!void {
    var bytes: [600]u8 = undefined;
    const size = smith.slice(&bytes);
    if (size < record.header_size) return;
    const header = record.peek(bytes[0..record.header_size]);
    if (header) |found| {
        try testing.expect(found.size >= record.header_size and found.size % 8 == 0);
        _ = record.isWhole(bytes[0..size], found.txnid);
    }
    _ = tables.Record.decode(bytes[0..size]) catch {};
    var reader: record.Reader = .{ .bytes = bytes[record.header_size..size] };
    while (true) {
        const before = reader.bytes.len;
        const operation = reader.next() catch return orelse return;
        try testing.expect(reader.bytes.len < before);
        std.mem.doNotOptimizeAway(operation);
    }
}

test "fuzz: record of the log" {
    try testing.fuzz({}, fuzzRecord, .{});
}

fn fuzzHalfHeader(_: void, smith: *Smith) anyerror!void {
    var header: record.HalfHeader = .{
        .store_id = @splat(1),
        .salt = 2,
        .half = 0,
        .checkpoint = 3,
        .sequence = 4,
    };
    const raw = std.mem.asBytes(&header);
    while (!smith.eos()) raw[smith.index(raw.len)] = smith.value(u8);
    const decoded = record.HalfHeader.decode(raw, 0);
    if (decoded) |found| try testing.expectEqual(0, found.half);
    _ = record.HalfHeader.decode(&header.encode(), header.half & 1);
}

test "fuzz: header of a half of the log" {
    try testing.fuzz({}, fuzzHalfHeader, .{});
}

fn fuzzFreelist(_: void, smith: *Smith) anyerror!void {
    var bytes: [page_size]u8 align(8) = undefined;
    var writer: freelist.Writer = .init(&bytes, 9);
    _ = writer.add(.{ .pgno = 4, .count = 3 });
    _ = writer.add(.{ .pgno = 90, .count = 2, .birth = 2, .freed = 5 });
    _ = freelist.seal(&bytes, writer.used, 7, 9, 0, 0);
    while (!smith.eos()) bytes[smith.index(page_size)] = smith.value(u8);
    const page_count = 1000;
    var reader = freelist.Reader.init(&bytes, 7, page_count) catch return;
    var end = config.pgno_first;
    while (reader.nextRun() catch return) |run| {
        try testing.expect(run.count > 0 and run.pgno >= end);
        end = run.pgno + run.count;
        try testing.expect(end <= page_count);
        try testing.expect(run.birth <= run.freed);
    }
}

test "fuzz: freelist page" {
    try testing.fuzz({}, fuzzFreelist, .{});
}

fn fuzzNumber(_: void, smith: *Smith) anyerror!void {
    var bytes: [varint.size_max + 2]u8 = undefined;
    const size = smith.slice(&bytes);
    var rest: []const u8 = bytes[0..size];
    const value = varint.read(&rest) catch return;
    try testing.expect(size - rest.len >= varint.sizeOf(value));
    var again: [varint.size_max]u8 = undefined;
    var written: []const u8 = again[0..varint.write(&again, value)];
    try testing.expectEqual(value, try varint.read(&written));
}

test "fuzz: number" {
    try testing.fuzz({}, fuzzNumber, .{});
}
