//! Cuts the power at every system call of a workload, and looks at what is left: each image is
//! opened, compared with the states that the workload allows, checked, written to three times,
//! and opened again. Some are cut a second time while they are opened and written to; the second
//! recovery must come to the state of the first.
//!
//! It runs as a hook in the middle of the workload's calls and never touches its machine. A
//! failure is kept with all that is needed to see it again; the workload goes on.

const std = @import("std");
const Allocator = std.mem.Allocator;
const simulated = @import("../os/simulated.zig");
const explain = @import("../explain.zig");
const attach = @import("../txn/attach.zig");
const Env = @import("../txn/Env.zig");
const Model = @import("Model.zig");
const Workload = @import("Workload.zig");

const PowerCuts = @This();
const World = simulated.World;
const Mark = Workload.Mark;

pub const Options = struct {
    /// Most images of one moment.
    image_count: usize,
    /// Of how many images one is cut a second time; 0: none.
    deep_every: u64 = 0,
    /// Most images of a moment of those.
    deep_image_count: usize = 3,
    /// One of how many moments is looked at.
    every: u64 = 1,
};

const mark_count = 3;

pub const Failure = struct {
    point: u64,
    image: u64,
    call: simulated.Call,
    what: anyerror,
    is_deep: bool,
    found: ?Model.Digest,
    explanation: [240]u8 = @splat(0),
};

allocator: Allocator,
work: *const Workload,
options: Options,
/// Machines for what the power cut leaves, and for what a second one leaves of that.
after: *World,
later: *World,
version: u64 = 0,
later_version: u64 = 0,
/// System calls looked at.
point: u64 = 0,
image_count: u64 = 0,
deep_count: u64 = 0,
/// Images of the recovery of what a killed or failing process had left.
recovery_count: u64 = 0,
/// Digests of the second recovery while the first is under way.
early: std.ArrayList(Model.Digest) = .empty,
/// States that a second power cut may leave once the first recovery is done.
allowed: []const Model.Digest = &.{},
failure: ?Failure = null,

/// Three machines, used again for each history of a test: making one takes longer than most of
/// what is done with it.
pub const Machines = struct {
    first: *World,
    after: *World,
    later: *World,

    pub fn init(allocator: Allocator) !Machines {
        const first = try World.create(allocator, .{});
        errdefer first.destroy();
        const after = try World.create(allocator, .{});
        errdefer after.destroy();
        return .{ .first = first, .after = after, .later = try World.create(allocator, .{}) };
    }

    pub fn deinit(self: *Machines) void {
        self.first.destroy();
        self.after.destroy();
        self.later.destroy();
    }
};

pub fn init(machines: *const Machines, work: *const Workload, options: Options) PowerCuts {
    return .{
        .allocator = machines.first.allocator,
        .work = work,
        .options = options,
        .after = machines.after,
        .later = machines.later,
    };
}

pub fn deinit(self: *PowerCuts) void {
    self.early.deinit(self.allocator);
}

/// To be run before each call of the workload.
pub fn hook(self: *PowerCuts) simulated.Hook {
    return .{ .argument = self, .run = runHook };
}

fn runHook(argument: *anyopaque, world: *World, _: u32, call: simulated.Call) void {
    const self: *PowerCuts = @ptrCast(@alignCast(argument));
    if (call.changesDisk()) self.examine(world, call);
}

/// Looks at the images of this moment, unless nothing has changed since the last one.
pub fn examine(self: *PowerCuts, world: *World, call: simulated.Call) void {
    if (self.failure != null) return;
    if (world.disk.version == self.version) return;
    self.version = world.disk.version;
    self.point += 1;
    if (self.point % self.options.every != 0) return;
    const seed = self.work.options.seed *% 1_000_003 +% self.point;
    var images = world.images(seed, self.options.image_count) catch |err|
        return self.fail(call, err);
    defer images.deinit();
    while (images.next() catch |err| return self.fail(call, err)) |plan| {
        self.after.boot(world, &plan) catch |err| return self.fail(call, err);
        self.image_count += 1;
        self.examineImage() catch |err| return self.fail(call, err);
        if (self.failure != null) return;
    }
}

/// Whatever a power cut leaves of this moment opens to the state `expected`, which an open has come
/// to just now.
pub fn examineOpened(self: *PowerCuts, world: *World, expected: Model.Digest) !void {
    const seed = self.work.options.seed *% 1_000_003 +% self.image_count;
    var images = try world.images(seed, self.options.image_count);
    defer images.deinit();
    while (try images.next()) |plan| {
        try self.after.boot(world, &plan);
        self.image_count += 1;
        self.recovery_count += 1;
        try self.openAgain(self.after, expected);
    }
}

fn fail(self: *PowerCuts, call: simulated.Call, what: anyerror) void {
    if (self.failure != null) return;
    self.failure = .{
        .point = self.point,
        .image = self.image_count,
        .call = call,
        .what = what,
        .is_deep = self.after.is_in_hook,
        .found = null,
    };
    const text = explain.get();
    const size = @min(text.len, 240);
    @memcpy(self.failure.?.explanation[0..size], text[0..size]);
}

fn examineImage(self: *PowerCuts) !void {
    const every = self.options.deep_every;
    const is_deep = every > 0 and self.image_count % every == 0;
    self.early.clearRetainingCapacity();
    self.allowed = &.{};
    self.later_version = 0;
    if (is_deep) self.after.before_call = .{ .argument = self, .run = runDeepHook };
    const env = try self.open(self.after);
    const found = found: {
        errdefer attach.close(env) catch {};
        break :found try Workload.digestOf(env);
    };
    if (!self.work.history.isAllowedAfterPowerCut(found)) {
        attach.close(env) catch {};
        return error.StateNotAllowed;
    }
    for (self.early.items) |digest| if (digest != found) {
        attach.close(env) catch {};
        return error.SecondRecoveryDiffers;
    };
    // A txnid that was published and lost is never given to another state.
    if (env.lock.published().txnid < self.work.history.txnid) {
        attach.close(env) catch {};
        return error.TxnidGivenAgain;
    }
    try self.goOn(env, found);
}

/// The store is usable: it takes more commits, and keeps them.
fn goOn(self: *PowerCuts, env: *Env, found: Model.Digest) !void {
    var states: [mark_count + 1]Model.Digest = @splat(found);
    for (1..states.len) |number| {
        states[number] = states[number - 1] +% Mark.of(@intCast(number)).digest();
    }
    self.allowed = &states;
    {
        errdefer attach.close(env) catch {};
        for (1..states.len) |number| try Mark.of(@intCast(number)).commit(env);
        try env.flushLog();
        self.allowed = states[mark_count..];
        if (try Workload.digestOf(env) != states[mark_count]) return error.MarksLost;
        try Workload.check(env);
    }
    try attach.close(env);
    self.after.before_call = null;
    try self.openAgain(self.after, states[mark_count]);
}

fn openAgain(self: *PowerCuts, world: *World, expected: Model.Digest) !void {
    const env = try self.open(world);
    {
        errdefer attach.close(env) catch {};
        if (try Workload.digestOf(env) != expected) return error.ReopenedDiffers;
        try Workload.check(env);
    }
    try attach.close(env);
}

fn open(self: *PowerCuts, world: *World) !*Env {
    explain.clear();
    const options = Workload.attachOptions(self.work.options);
    return attach.open(self.allocator, try world.startProcess(), Workload.path, options);
}

fn runDeepHook(argument: *anyopaque, world: *World, _: u32, call: simulated.Call) void {
    const self: *PowerCuts = @ptrCast(@alignCast(argument));
    if (!call.changesDisk() or self.failure != null) return;
    if (world.disk.version == self.later_version) return;
    self.later_version = world.disk.version;
    const seed = self.image_count *% 7919 +% self.deep_count;
    var images = world.images(seed, self.options.deep_image_count) catch |err|
        return self.fail(call, err);
    defer images.deinit();
    while (images.next() catch |err| return self.fail(call, err)) |plan| {
        self.deep_count += 1;
        self.later.boot(world, &plan) catch |err| return self.fail(call, err);
        self.examineLater() catch |err| return self.fail(call, err);
    }
}

fn examineLater(self: *PowerCuts) !void {
    const env = try self.open(self.later);
    var found: Model.Digest = undefined;
    {
        errdefer attach.close(env) catch {};
        found = try Workload.digestOf(env);
        if (self.allowed.len == 0) {
            try self.early.append(self.allocator, found);
        } else if (std.mem.indexOfScalar(Model.Digest, self.allowed, found) == null) {
            return error.StateNotAllowed;
        }
        const mark: Mark = .of(100);
        try mark.commit(env);
        found +%= mark.digest();
        try Workload.check(env);
    }
    try attach.close(env);
    try self.openAgain(self.later, found);
}

/// Says on the terminal what failed and how to see it again.
pub fn report(self: *const PowerCuts, test_name: []const u8) error{PowerCutFailed}!void {
    const failure = self.failure orelse return;
    const explanation = std.mem.sliceTo(&failure.explanation, 0);
    std.debug.print(
        \\
        \\power cut: {t} at point {d} (before {t}), image {d}{s}, seed {d}, page size {d}
        \\  {s}
        \\  states allowed: {d} to {d}{s}
        \\  replay: ZEOLITE_SEED={d} zig build --build-file zig/build.zig test -Dtest-filter="{s}"
        \\
    , .{
        failure.what,                                            failure.point,
        failure.call,                                            failure.image,
        if (failure.is_deep) ", second cut" else "",             self.work.options.seed,
        self.work.options.page_size,                             explanation,
        self.work.history.flushed,                               self.work.history.newest(),
        if (self.work.history.candidate == null) "" else " + 1", self.work.options.seed,
        test_name,
    });
    return error.PowerCutFailed;
}
