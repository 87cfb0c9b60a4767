//! Builds the shared library, its tests, and the programs that guard the sources.
//! It never reaches outside the repository: products go to `zig-out` beside `zig`, the bindings to
//! `ffi`. `zig build --build-file zig/build.zig --help` lists the steps.
//!
//! The default target is the machine's own, but for the oldest C library that both runtimes run
//! on and for a baseline processor, so that what is tested is what is shipped.

const std = @import("std");
const builtin = @import("builtin");

/// Which system the engine runs on: the machine's own, or the simulated one of the tests.
const OsChoice = enum { native, simulated };

/// Debian 8, RHEL 7 and all that came after have it.
const glibc_version_min: std.SemanticVersion = .{ .major = 2, .minor = 17, .patch = 0 };

/// What the library is also compiled for, without being run.
const cross_targets = [_]std.Target.Query{
    .{ .cpu_arch = .x86_64, .os_tag = .linux, .abi = .gnu, .glibc_version = glibc_version_min },
    .{ .cpu_arch = .aarch64, .os_tag = .linux, .abi = .gnu, .glibc_version = glibc_version_min },
    .{ .cpu_arch = .x86_64, .os_tag = .macos },
    .{ .cpu_arch = .aarch64, .os_tag = .macos },
};

/// Whether the library keeps what a profiler needs.
var has_symbols = false;

/// Whether it keeps what lays it out anew needs: names, relocations, and a function that is run
/// when it is loaded and one when it is unloaded, in whose place the instrumented library has its
/// own.
var has_relocations = false;

pub fn build(b: *std.Build) void {
    putProductsBesideSources(b);
    const target = b.standardTargetOptions(.{ .default_target = defaultTarget() });
    const optimize = b.option(
        std.builtin.OptimizeMode,
        "optimize",
        "Mode of the tests (default Debug) and of the library (default ReleaseFast)",
    );
    has_symbols = b.option(
        bool,
        "symbols",
        "Keep names and frame pointers in the library, for a profiler (default false)",
    ) orelse false;
    has_relocations = b.option(
        bool,
        "relocations",
        "Keep names and relocations in the library, for llvm-bolt (default false)",
    ) orelse false;
    const os = b.option(OsChoice, "os", "System under the step `test`") orelse .simulated;

    addLibraryStep(b, target, optimize orelse .ReleaseFast);
    addCrossStep(b, optimize orelse .ReleaseFast);
    addTestSteps(b, target, optimize orelse .Debug, os);
    addBindingsStep(b);
    addTidyStep(b);
    addBenchStep(b, target);
}

/// The default prefix lies beside this file; the repository's products lie one folder up.
fn putProductsBesideSources(b: *std.Build) void {
    const default = b.pathFromRoot("zig-out");
    if (!std.mem.eql(u8, b.install_prefix, default)) return;
    b.resolveInstallPrefix(b.pathFromRoot("../zig-out"), .{});
}

fn defaultTarget() std.Target.Query {
    return switch (builtin.os.tag) {
        .linux => .{
            .cpu_arch = builtin.cpu.arch,
            .os_tag = .linux,
            .abi = .gnu,
            .glibc_version = glibc_version_min,
        },
        else => .{},
    };
}

fn addLibraryStep(
    b: *std.Build,
    target: std.Build.ResolvedTarget,
    optimize: std.builtin.OptimizeMode,
) void {
    const library = addLibrary(b, target, optimize);
    const install = b.addInstallFileWithDir(library, .lib, libraryName(target));
    b.step("lib", "Build the shared library into zig-out/lib").dependOn(&install.step);
    b.getInstallStep().dependOn(&install.step);
}

fn addCrossStep(b: *std.Build, optimize: std.builtin.OptimizeMode) void {
    const step = b.step("cross", "Compile the library for every platform, running none");
    for (cross_targets) |query| {
        const target = b.resolveTargetQuery(query);
        const folder = b.fmt("cross/{t}-{t}", .{ query.cpu_arch.?, query.os_tag.? });
        const library = addLibrary(b, target, optimize);
        const install = b.addInstallFileWithDir(
            library,
            .{ .custom = folder },
            libraryName(target),
        );
        step.dependOn(&install.step);
    }
}

fn libraryName(target: std.Build.ResolvedTarget) []const u8 {
    return switch (target.result.os.tag) {
        .macos => "libzeolite.dylib",
        else => "libzeolite.so",
    };
}

/// Compiles the engine to an object and links that, in a command of its own: only the command
/// line knows `-z nodelete`. A library that is never unloaded keeps a thread that ends inside it
/// from running into memory that is gone.
fn addLibrary(
    b: *std.Build,
    target: std.Build.ResolvedTarget,
    optimize: std.builtin.OptimizeMode,
) std.Build.LazyPath {
    const object = b.addObject(.{
        .name = "zeolite",
        .root_module = createModule(b, "lib.zig", target, optimize, .native, true),
    });
    const link = b.addSystemCommand(&.{ b.graph.zig_exe, "build-lib", "-dynamic" });
    link.addArg(if (has_symbols or has_relocations) "-fno-strip" else "-fstrip");
    if (has_relocations) link.addArg("--emit-relocs");
    link.setName(b.fmt("link {s}", .{libraryName(target)}));
    link.addArgs(&.{ "--name", "zeolite", "-lc" });
    link.addArgs(&.{ "-target", target.query.zigTriple(b.allocator) catch @panic("OOM") });
    link.addArgs(&.{ "-O", @tagName(optimize) });
    if (target.result.os.tag == .linux) link.addArgs(&.{ "-z", "nodelete" });
    link.addArgs(&.{ "--cache-dir", b.cache_root.path orelse "." });
    link.addArgs(&.{ "--global-cache-dir", b.graph.global_cache_root.path orelse "." });
    link.addArtifactArg(object);
    for (wideObjects(b, target, optimize, true)) |wide| link.addArtifactArg(wide);
    if (has_relocations) link.addFileArg(b.addWriteFiles().add("hooks.c",
        \\void _init(void) {}
        \\void _fini(void) {}
    ));
    return link.addPrefixedOutputFileArg("-femit-bin=", libraryName(target));
}

/// The hot code for newer processors than the baseline (`format/kernels.zig`).
fn wideObjects(
    b: *std.Build,
    target: std.Build.ResolvedTarget,
    optimize: std.builtin.OptimizeMode,
    is_shipped: bool,
) []const *std.Build.Step.Compile {
    if (target.result.cpu.arch != .x86_64) return &.{};
    const cpu = std.Target.x86.cpu;
    const widths = [_]struct { name: []const u8, model: *const std.Target.Cpu.Model }{
        .{ .name = "v3", .model = &cpu.x86_64_v3 },
        .{ .name = "v4", .model = &cpu.x86_64_v4 },
    };
    const objects = b.allocator.alloc(*std.Build.Step.Compile, widths.len) catch @panic("OOM");
    for (objects, widths) |*object, width| {
        var query = target.query;
        query.cpu_model = .{ .explicit = width.model };
        query.cpu_features_add = .empty;
        query.cpu_features_sub = .empty;
        const options = b.addOptions();
        options.addOption([]const u8, "width", width.name);
        const module = b.createModule(.{
            .root_source_file = b.path("wide.zig"),
            .target = b.resolveTargetQuery(query),
            .optimize = optimize,
            .strip = if (is_shipped) !(has_symbols or has_relocations) else null,
            .omit_frame_pointer = if (has_symbols) false else null,
            .pic = if (is_shipped) true else null,
        });
        module.addOptions("wide_options", options);
        object.* = b.addObject(.{
            .name = b.fmt("wide_{s}", .{width.name}),
            .root_module = module,
        });
    }
    return objects;
}

fn addTestSteps(
    b: *std.Build,
    target: std.Build.ResolvedTarget,
    optimize: std.builtin.OptimizeMode,
    os: OsChoice,
) void {
    const filters = b.option(
        []const []const u8,
        "test-filter",
        "Run only the tests whose name contains this",
    ) orelse &.{};
    const use_llvm = b.option(
        bool,
        "llvm",
        "Build the tests through LLVM, for tools that read lines",
    );
    const steps = [_]struct { name: []const u8, text: []const u8, os: OsChoice }{
        .{ .name = "test", .text = "Run the Zig tests, on -Dos (default simulated)", .os = os },
        .{ .name = "test-native", .text = "Run the Zig tests on this machine", .os = .native },
    };
    for (steps) |entry| {
        const tests = b.addTest(.{
            .name = entry.name,
            .root_module = createModule(b, "test.zig", target, optimize, entry.os, false),
            .filters = filters,
            .use_llvm = use_llvm,
        });
        for (wideObjects(b, target, optimize, false)) |wide| tests.root_module.addObject(wide);
        const run = b.addRunArtifact(tests);
        run.setCwd(b.path(".."));
        b.step(entry.name, entry.text).dependOn(&run.step);
        const install = b.addInstallArtifact(tests, .{});
        b.step(b.fmt("{s}-build", .{entry.name}), "Build that into zig-out/bin, running nothing")
            .dependOn(&install.step);
    }
    addFuzzStep(b, target, optimize);
    addTortureStep(b, target, optimize, os);
}

/// All tests under a runner that chooses among them when it is started.
fn addTortureStep(
    b: *std.Build,
    target: std.Build.ResolvedTarget,
    optimize: std.builtin.OptimizeMode,
    os: OsChoice,
) void {
    const counts_branches = [_]bool{ false, true };
    for (counts_branches) |is_counted| {
        const name = if (is_counted) "coverage" else "torture";
        const module = createModule(b, "test.zig", target, optimize, os, false);
        // Counters at each target of a branch, which are there for fuzzers.
        if (is_counted) module.fuzz = true;
        const tests = b.addTest(.{
            .name = name,
            .root_module = module,
            .test_runner = .{ .path = b.path("torture.zig"), .mode = .simple },
            .use_llvm = if (is_counted) true else null,
        });
        for (wideObjects(b, target, optimize, false)) |wide| tests.root_module.addObject(wide);
        const install = b.addInstallArtifact(tests, .{});
        const text = if (is_counted) ", that count branches" else "";
        b.step(
            b.fmt("{s}-build", .{name}),
            b.fmt("Build tests chosen among at the start{s}, into zig-out/bin", .{text}),
        ).dependOn(&install.step);
    }
}

/// The tests of decoders alone, which are what is instrumented: `zig build fuzz --fuzz=1M`.
fn addFuzzStep(
    b: *std.Build,
    target: std.Build.ResolvedTarget,
    optimize: std.builtin.OptimizeMode,
) void {
    const tests = b.addTest(.{
        .name = "fuzz",
        .root_module = createModule(b, "test.zig", target, optimize, .simulated, false),
        .filters = &.{"fuzz: "},
    });
    for (wideObjects(b, target, optimize, false)) |wide| tests.root_module.addObject(wide);
    const run = b.addRunArtifact(tests);
    run.setCwd(b.path(".."));
    b.step("fuzz", "Fuzz the decoders; with --fuzz=1M guided by what inputs cover")
        .dependOn(&run.step);
}

fn addBindingsStep(b: *std.Build) void {
    const run = addTool(b, "abi", "abi.zig");
    const bindings = run.addOutputFileArg("abi.ts");
    const update = b.addUpdateSourceFiles();
    update.addCopyFileToSource(bindings, "../ffi/abi.ts");
    b.step("abi", "Write ffi/abi.ts from zig/abi/c_abi.zig").dependOn(&update.step);

    const check = addTool(b, "abi", "abi.zig");
    check.addArg("--check");
    check.addFileArg(b.path("../ffi/abi.ts"));
    check.expectExitCode(0);
    b.step("abi-check", "Fail if ffi/abi.ts is not what abi would write").dependOn(&check.step);
}

fn addTidyStep(b: *std.Build) void {
    const run = addTool(b, "tidy", "tidy.zig");
    run.setCwd(b.path(".."));
    run.has_side_effects = true;
    b.step("tidy", "Check the style of the sources").dependOn(&run.step);
}

/// The benchmark in `bench/native`. It loads the shared library as users do, and takes from the
/// sources nothing but the types of its functions. `zig build bench-native -- --help` tells more.
fn addBenchStep(b: *std.Build, target: std.Build.ResolvedTarget) void {
    const module = b.createModule(.{
        .root_source_file = b.path("../bench/native/main.zig"),
        .target = target,
        .optimize = .ReleaseFast,
        .link_libc = true,
    });
    module.addImport("boundary", createModule(b, "abi.zig", target, .ReleaseFast, .native, false));
    const program = b.addExecutable(.{ .name = "bench-native", .root_module = module });
    const install = b.addInstallArtifact(program, .{});
    const library = addLibrary(b, target, .ReleaseFast);
    const install_library = b.addInstallFileWithDir(library, .lib, libraryName(target));
    const run = b.addRunArtifact(program);
    run.setCwd(b.path(".."));
    if (b.args) |arguments| run.addArgs(arguments);
    run.step.dependOn(&install.step);
    run.step.dependOn(&install_library.step);
    b.step("bench-native", "Measure the library beside liblmdb; arguments behind --")
        .dependOn(&run.step);
    const rivals = addRivals(b, target);
    const layers = addLayers(b, target);
    const check = b.step("bench-check", "Compile everything in bench/native");
    for ([_]*std.Build.Step{ &program.step, rivals, layers }) |step| check.dependOn(step);
    if (target.result.os.tag == .linux) check.dependOn(addSampler(b, target));
    const build_step = b.step("bench-native-build", "Build that into zig-out/bin, running nothing");
    build_step.dependOn(&install.step);
    build_step.dependOn(&install_library.step);
}

/// LMDB and RocksDB for the benchmark in TypeScript; loaded where they are, never linked.
fn addRivals(b: *std.Build, target: std.Build.ResolvedTarget) *std.Build.Step {
    const library = b.addLibrary(.{
        .name = "rivals",
        .linkage = .dynamic,
        .root_module = b.createModule(.{
            .root_source_file = b.path("../bench/native/rivals.zig"),
            .target = target,
            .optimize = .ReleaseFast,
            .link_libc = true,
        }),
    });
    const install = b.addInstallArtifact(library, .{});
    b.step("bench-rivals", "Build what calls native rivals").dependOn(&install.step);
    return &library.step;
}

/// The layers of the engine as a library, for `bench/micro`; it is no part of what is shipped.
fn addLayers(b: *std.Build, target: std.Build.ResolvedTarget) *std.Build.Step {
    const module = b.createModule(.{
        .root_source_file = b.path("../bench/native/layers.zig"),
        .target = target,
        .optimize = .ReleaseFast,
        .link_libc = true,
        .strip = !has_symbols,
        .omit_frame_pointer = if (has_symbols) false else null,
        .pic = true,
    });
    module.addImport("layers", createModule(b, "layers.zig", target, .ReleaseFast, .native, true));
    const wide = wideObjects(b, target, .ReleaseFast, true);
    for (wide) |object| module.addObject(object);
    const options: std.Build.LibraryOptions = .{
        .name = "layers",
        .linkage = .dynamic,
        .root_module = module,
    };
    const library = b.addLibrary(options);
    const install = b.addInstallArtifact(library, .{});
    b.step("bench-layers", "Build what measures single layers").dependOn(&install.step);
    return &library.step;
}

/// What samples a thread where there is no `perf`; loaded beside the library, never linked.
fn addSampler(b: *std.Build, target: std.Build.ResolvedTarget) *std.Build.Step {
    const library = b.addLibrary(.{
        .name = "sampler",
        .linkage = .dynamic,
        .root_module = b.createModule(.{
            .root_source_file = b.path("../bench/native/sampler.zig"),
            .target = target,
            .optimize = .ReleaseFast,
            .link_libc = true,
            .strip = true,
            .pic = true,
        }),
    });
    const install = b.addInstallArtifact(library, .{});
    b.step("bench-sampler", "Build what samples without perf").dependOn(&install.step);
    return &library.step;
}

fn addTool(b: *std.Build, name: []const u8, root: []const u8) *std.Build.Step.Run {
    const host = b.resolveTargetQuery(defaultTarget());
    const module = createModule(b, root, host, .Debug, .native, false);
    for (wideObjects(b, host, .Debug, false)) |wide| module.addObject(wide);
    return b.addRunArtifact(b.addExecutable(.{ .name = name, .root_module = module }));
}

fn createModule(
    b: *std.Build,
    root: []const u8,
    target: std.Build.ResolvedTarget,
    optimize: std.builtin.OptimizeMode,
    os: OsChoice,
    is_shipped: bool,
) *std.Build.Module {
    const options = b.addOptions();
    options.addOption(OsChoice, "os", os);
    const module = b.createModule(.{
        .root_source_file = b.path(root),
        .target = target,
        .optimize = optimize,
        .link_libc = true,
        .strip = if (is_shipped) !(has_symbols or has_relocations) else null,
        .omit_frame_pointer = if (has_symbols) false else null,
        .pic = if (is_shipped) true else null,
    });
    module.addOptions("build_options", options);
    return module;
}
