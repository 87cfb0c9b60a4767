//! Checks what neither a compiler nor a formatter checks: that a file imports only what stands
//! above it, that functions are short and lines narrow, that every file is alive and says what it
//! is, and that no runtime is named in `src`. Run by `npm run check`, from the repository's folder.
//!
//! It prints every offence as `path:line: what` and ends with exit code 1 if there is one. It reads
//! sources only, and changes nothing.

const std = @import("std");
const Ast = std.zig.Ast;

const line_width_max = 100;
const function_lines_max = 70;
const head_lines_min = 2;

/// The Zig files in the order of import: each may import only those above it.
const zig_order = [_][]const u8{
    "config",
    "explain",

    "os/types",
    "os/cgroup",
    "os/linux",
    "os/macos",
    "os/disk",
    "os/image",
    "os/simulated",
    "os/os",

    "format/bytes",
    "format/varint",
    "format/heads",
    "format/kernels",
    "format/page",
    "format/overflow",
    "format/leaf",
    "format/branch",
    "format/entries",
    "format/freelist",
    "format/meta",
    "format/record",

    "store/Mutex",
    "store/File",
    "store/Lock",
    "store/Readers",
    "store/Log",
    "store/FreeSpace",
    "store/Snapshot",
    "store/FrameSet",
    "store/Pages",
    "store/DirtyPages",
    "store/Appender",

    "tree/keys",
    "tree/rows",
    "tree/search",
    "tree/Path",
    "tree/balance",
    "tree/insert",
    "tree/append",
    "tree/LeafPut",
    "tree/LeafBatch",
    "tree/delete",
    "tree/Cursor",
    "tree/many",
    "tree/remove_range",
    "tree/statistics",
    "tree/move",
    "tree/Builder",

    "txn/tables",
    "txn/Env",
    "txn/seal",
    "txn/checkpoint",
    "txn/single",
    "txn/Txn",
    "txn/trim",
    "txn/named_runs",
    "txn/recover",
    "txn/attach",
    "txn/Audit",
    "txn/TreeWalk",
    "txn/StateWalk",
    "txn/check",
    "txn/Compaction",
    "txn/backup",

    "abi/codes",
    "abi/advice",
    "abi/sizes",
    "abi/handles",
    "abi/Range",
    "abi/Session",
    "abi/damage",
    "abi/registry",
    "abi/lending",
    "abi/read",
    "abi/write",
    "abi/upkeep",
    "abi/reflect",
    "abi/c_abi",
    "abi/generate",

    "sim/TestStore",
    "sim/fill",
    "sim/counts",
    "sim/seeds",
    "sim/shrink",
    "sim/Model",
    "sim/History",
    "sim/Workload",
    "sim/PowerCuts",
    "sim/StoreTrap",
    "sim/DamagedStore",
    "sim/fuzz_test",
    "sim/tree_test",
    "sim/store_test",
    "sim/frames_test",
    "sim/threads_test",
    "sim/fork_test",
    "sim/crash_test",
    "sim/small_test",
    "sim/fault_test",
    "sim/process_test",
    "sim/store_kill_test",
    "sim/backup_test",
    "sim/check_test",
    "sim/damage_test",
    "sim/promises_test",
    "sim/refusals_test",
    "sim/named_runs_test",
    "sim/ahead_test",

    "coverage",
    "lib",
    "abi",
    "layers",
    "tidy",
    "test",
};

/// Programs and roots that nothing imports.
const zig_roots = [_][]const u8{
    "zig/build.zig",   "zig/tidy.zig", "zig/abi.zig", "zig/wide.zig", "zig/layers.zig",
    "zig/torture.zig",
};

/// The files of `ffi` and `src` in the order of import. A folder stands for its files, which may
/// import each other.
const typescript_order = [_][]const u8{
    "package.json",
    "ffi/abi.ts",
    "ffi/native.ts",
    "ffi/bun.ts",
    "ffi/deno.ts",
    "ffi/library.ts",
    "ffi/runtimes.ts",

    "src/error.ts",
    "src/codec/copy.ts",
    "src/codec/text.ts",
    "src/codec/ordered.ts",
    "src/codec/key.ts",
    "src/codec/value.ts",
    "src/report.ts",
    "src/options.ts",
    "src/library.ts",
    "src/files.ts",
    "src/flusher.ts",
    "src/checkpointer.ts",
    "src/batch.ts",
    "src/scratch.ts",
    "src/session.ts",
    "src/window.ts",
    "src/access.ts",
    "src/scope.ts",
    "src/table_state.ts",
    "src/range.ts",
    "src/many.ts",
    "src/reader.ts",
    "src/write.ts",
    "src/write_many.ts",
    "src/remove_range.ts",
    "src/txn.ts",
    "src/table.ts",
    "src/maintenance.ts",
    "src/closing.ts",
    "src/store.ts",
    "src/raw.ts",
    "src/mod.ts",
    "src/path/path.ts",
    "src/path/stored.ts",
    "src/path/reader.ts",
    "src/path/locate.ts",
    "src/path/cache.ts",
    "src/path/tree.ts",
    "src/path/many.ts",
    "src/path/fast.ts",
    "src/path/store.ts",
    "src/path/mod.ts",
    "src/cli/",
};

/// What marks unfinished work; spelt apart, so that this file may name it.
const markers = [_][]const u8{ "TO" ++ "DO", "FIX" ++ "ME", "XX" ++ "X", "HA" ++ "CK" };

/// What may stand nowhere in `zig/format`, where every byte may come from a damaged disk.
const format_banned = [_][]const u8{ "unreachable", "@panic" };

/// Written by a program, from lines that are themselves narrow.
const generated = "ffi/abi.ts";

const Source = struct { path: []const u8, text: [:0]const u8 };

const Tidy = struct {
    io: std.Io,
    arena: std.mem.Allocator,
    sources: std.ArrayList(Source) = .empty,
    offences: u32 = 0,

    fn offend(
        self: *Tidy,
        path: []const u8,
        line: usize,
        comptime text: []const u8,
        values: anytype,
    ) void {
        std.debug.print("{s}:{d}: " ++ text ++ "\n", .{ path, line } ++ values);
        self.offences += 1;
    }

    /// Reads every file below a folder whose name ends with `extension`, but for hidden folders and
    /// packages.
    fn readFolder(self: *Tidy, folder: []const u8, extension: []const u8) !void {
        const cwd = std.Io.Dir.cwd();
        var dir = cwd.openDir(self.io, folder, .{ .iterate = true }) catch |err| switch (err) {
            error.FileNotFound => return,
            else => return err,
        };
        defer dir.close(self.io);
        var walker = try dir.walk(self.arena);
        while (try walker.next(self.io)) |entry| {
            if (entry.kind != .file or !std.mem.endsWith(u8, entry.path, extension)) continue;
            if (entry.path[0] == '.' or std.mem.startsWith(u8, entry.path, "zig-out")) continue;
            if (std.mem.indexOf(u8, entry.path, "node_modules/") != null) continue;
            const path = try std.mem.concat(self.arena, u8, &.{ folder, "/", entry.path });
            const text = try dir.readFileAllocOptions(
                self.io,
                entry.path,
                self.arena,
                .limited(1 << 24),
                .of(u8),
                0,
            );
            try self.sources.append(self.arena, .{ .path = path, .text = text });
        }
    }

    fn find(self: *const Tidy, path: []const u8) ?Source {
        for (self.sources.items) |source| {
            if (std.mem.eql(u8, source.path, path)) return source;
        }
        return null;
    }

    /// The path that an import names, seen from the importing file.
    fn resolve(self: *Tidy, from: []const u8, name: []const u8) ![]const u8 {
        const folder = std.fs.path.dirnamePosix(from) orelse "";
        return std.fs.path.resolvePosix(self.arena, &.{ folder, name });
    }
};

pub fn main(init: std.process.Init) !void {
    const arena = init.arena.allocator();
    var tidy: Tidy = .{ .io = init.io, .arena = arena };
    try tidy.readFolder("zig", ".zig");
    const zig_count = tidy.sources.items.len;
    for (tidy.sources.items) |source| try checkZig(&tidy, source);
    try checkReach(&tidy);

    for ([_][]const u8{ "ffi", "src", "test", "bench" }) |folder| {
        try tidy.readFolder(folder, ".ts");
    }
    for (tidy.sources.items[zig_count..]) |source| try checkTypescript(&tidy, source);
    if (tidy.offences > 0) {
        std.debug.print("tidy: {d} offences\n", .{tidy.offences});
        std.process.exit(1);
    }
}

/// Line width and markers, in any language.
fn checkLines(tidy: *Tidy, source: Source) void {
    var lines = std.mem.splitScalar(u8, source.text, '\n');
    var number: usize = 1;
    while (lines.next()) |line| : (number += 1) {
        const width = std.unicode.utf8CountCodepoints(line) catch line.len;
        if (width > line_width_max and !std.mem.eql(u8, source.path, generated)) {
            tidy.offend(source.path, number, "the line has {d} characters", .{width});
        }
        for (markers) |marker| {
            if (!hasWord(line, marker)) continue;
            tidy.offend(source.path, number, "{s}: finish it, or write an issue", .{marker});
        }
    }
}

fn hasWord(line: []const u8, word: []const u8) bool {
    var from: usize = 0;
    while (std.mem.indexOfPos(u8, line, from, word)) |at| {
        from = at + word.len;
        const is_start = at == 0 or !isNameByte(line[at - 1]);
        const is_end = from == line.len or !isNameByte(line[from]);
        if (is_start and is_end) return true;
    }
    return false;
}

fn isNameByte(byte: u8) bool {
    return std.ascii.isAlphanumeric(byte) or byte == '_' or byte == '$';
}

fn checkZig(tidy: *Tidy, source: Source) !void {
    checkLines(tidy, source);
    checkZigHead(tidy, source);
    var tree: Ast = try .parse(tidy.arena, source.text, .zig);
    if (tree.errors.len > 0) return tidy.offend(source.path, 1, "does not parse", .{});
    checkFunctionLengths(tidy, source, &tree);
    try checkZigImports(tidy, source, &tree);
    if (std.mem.startsWith(u8, source.path, "zig/format/")) checkBanned(tidy, source, &tree);
}

/// A file says first what it is, what it never does, what always holds.
fn checkZigHead(tidy: *Tidy, source: Source) void {
    var lines = std.mem.splitScalar(u8, source.text, '\n');
    var count: usize = 0;
    while (lines.next()) |line| : (count += 1) {
        if (!std.mem.startsWith(u8, line, "//!")) break;
    }
    if (count < head_lines_min) tidy.offend(source.path, 1, "has no head of `//!` lines", .{});
}

fn checkFunctionLengths(tidy: *Tidy, source: Source, tree: *const Ast) void {
    for (0..tree.nodes.len) |index| {
        const node: Ast.Node.Index = @enumFromInt(index);
        if (tree.nodeTag(node) != .fn_decl) continue;
        const first = tree.tokenLocation(0, tree.firstToken(node)).line;
        const last = tree.tokenLocation(0, tree.lastToken(node)).line;
        const count = last - first + 1;
        if (count <= function_lines_max) continue;
        tidy.offend(source.path, first + 1, "the function has {d} lines", .{count});
    }
}

fn checkZigImports(tidy: *Tidy, source: Source, tree: *const Ast) !void {
    const own = placeOfZig(source.path);
    if (own == null and !isRoot(source.path)) {
        tidy.offend(source.path, 1, "is not in `zig_order` of zig/tidy.zig", .{});
        return;
    }
    var imports: Imports = .{ .tree = tree };
    while (imports.next()) |import| {
        const path = try tidy.resolve(source.path, import.name);
        const line = tree.tokenLocation(0, import.token).line + 1;
        const place = placeOfZig(path) orelse {
            tidy.offend(source.path, line, "imports {s}, which is not in `zig_order`", .{path});
            continue;
        };
        if (own != null and place >= own.?) {
            tidy.offend(source.path, line, "imports {s}, which stands below it", .{path});
        }
    }
}

fn isRoot(path: []const u8) bool {
    for (zig_roots) |root| {
        if (std.mem.eql(u8, root, path)) return true;
    }
    return false;
}

fn placeOfZig(path: []const u8) ?usize {
    if (!std.mem.startsWith(u8, path, "zig/")) return null;
    const name = path["zig/".len .. path.len - ".zig".len];
    for (zig_order, 0..) |entry, place| {
        if (std.mem.eql(u8, entry, name)) return place;
    }
    return null;
}

/// Every `@import` of a file, by the path it names; modules are left out.
const Imports = struct {
    tree: *const Ast,
    token: Ast.TokenIndex = 0,

    const Import = struct { name: []const u8, token: Ast.TokenIndex };

    fn next(self: *Imports) ?Import {
        while (self.token + 2 < self.tree.tokens.len) {
            const token = self.token;
            self.token += 1;
            if (self.tree.tokenTag(token) != .builtin) continue;
            if (!std.mem.eql(u8, self.tree.tokenSlice(token), "@import")) continue;
            if (self.tree.tokenTag(token + 2) != .string_literal) continue;
            const name = std.mem.trim(u8, self.tree.tokenSlice(token + 2), "\"");
            if (!std.mem.endsWith(u8, name, ".zig")) continue;
            return .{ .name = name, .token = token };
        }
        return null;
    }
};

fn checkBanned(tidy: *Tidy, source: Source, tree: *const Ast) void {
    for (0..tree.tokens.len) |index| {
        const token: Ast.TokenIndex = @intCast(index);
        const text = tree.tokenSlice(token);
        for (format_banned) |banned| {
            if (!std.mem.eql(u8, text, banned)) continue;
            const line = tree.tokenLocation(0, token).line + 1;
            tidy.offend(source.path, line, "{s}: bytes of a disk may be anything", .{banned});
        }
    }
}

/// Every file is imported, from a root, through others; one with tests by `test.zig` itself, for
/// only then are they run.
fn checkReach(tidy: *Tidy) !void {
    var reached: std.StringHashMapUnmanaged(void) = .empty;
    var named: std.StringHashMapUnmanaged(void) = .empty;
    var waiting: std.ArrayList([]const u8) = .empty;
    try waiting.appendSlice(tidy.arena, &.{ "zig/test.zig", "zig/lib.zig" });
    try waiting.appendSlice(tidy.arena, &zig_roots);
    while (waiting.pop()) |path| {
        if ((try reached.getOrPut(tidy.arena, path)).found_existing) continue;
        const source = tidy.find(path) orelse {
            tidy.offend(path, 1, "is imported but does not exist", .{});
            continue;
        };
        const tree: Ast = try .parse(tidy.arena, source.text, .zig);
        var imports: Imports = .{ .tree = &tree };
        while (imports.next()) |import| {
            const target = try tidy.resolve(path, import.name);
            try waiting.append(tidy.arena, target);
            if (std.mem.eql(u8, path, "zig/test.zig")) try named.put(tidy.arena, target, {});
        }
    }
    for (tidy.sources.items) |source| {
        if (!reached.contains(source.path)) {
            tidy.offend(source.path, 1, "no root reaches it: name it in zig/test.zig", .{});
            continue;
        }
        const is_run = named.contains(source.path) or isRoot(source.path);
        if (hasTests(source.text) and !is_run) {
            tidy.offend(source.path, 1, "has tests, but zig/test.zig does not name it", .{});
        }
    }
}

fn hasTests(text: []const u8) bool {
    return std.mem.indexOf(u8, text, "\ntest \"") != null;
}

fn checkTypescript(tidy: *Tidy, source: Source) !void {
    checkLines(tidy, source);
    if (!std.mem.startsWith(u8, source.text, "/**")) {
        tidy.offend(source.path, 1, "does not begin with a comment that says what it is", .{});
    }
    const code = try withoutComments(tidy.arena, source.text);
    const is_source = std.mem.startsWith(u8, source.path, "src/");
    if (is_source) checkRuntimeNames(tidy, source.path, code);
    if (is_source or std.mem.startsWith(u8, source.path, "ffi/")) {
        checkBlockLengths(tidy, source.path, code);
        try checkTypescriptImports(tidy, source.path, code);
    }
}

/// The code with a space for each character of a comment; strings stay.
fn withoutComments(arena: std.mem.Allocator, text: []const u8) ![]const u8 {
    const code = try arena.dupe(u8, text);
    var quote: u8 = 0;
    var index: usize = 0;
    while (index < code.len) : (index += 1) {
        const byte = code[index];
        if (quote != 0) {
            if (byte == '\\') index += 1 else if (byte == quote) quote = 0;
            if (byte == '\n' and quote != '`') quote = 0;
            continue;
        }
        if (byte == '"' or byte == '\'' or byte == '`') {
            quote = byte;
            continue;
        }
        const end = if (std.mem.startsWith(u8, code[index..], "//"))
            std.mem.indexOfScalarPos(u8, code, index, '\n') orelse code.len
        else if (std.mem.startsWith(u8, code[index..], "/*"))
            (std.mem.indexOfPos(u8, code, index + 2, "*/") orelse code.len - 2) + 2
        else
            continue;
        for (code[index..end]) |*gone| {
            if (gone.* != '\n') gone.* = ' ';
        }
        index = end - 1;
    }
    return code;
}

fn checkRuntimeNames(tidy: *Tidy, path: []const u8, code: []const u8) void {
    var lines = std.mem.splitScalar(u8, code, '\n');
    var number: usize = 1;
    while (lines.next()) |line| : (number += 1) {
        const is_named = hasWord(line, "Bun") or hasWord(line, "Deno") or
            std.mem.indexOf(u8, line, "bun:") != null;
        if (is_named) tidy.offend(path, number, "names a runtime: only ffi does", .{});
    }
}

/// The lines of functions, found by the indentation that `deno fmt` gives them: a block ends with
/// the first line that begins with `}` where the block's own line begins.
fn checkBlockLengths(tidy: *Tidy, path: []const u8, code: []const u8) void {
    var lines: Lines = .{ .text = code };
    while (lines.next()) |line| {
        if (!isFunctionStart(line.text)) continue;
        const count = blockLines(lines, line) orelse continue;
        if (count > function_lines_max) {
            tidy.offend(path, line.number, "the function has {d} lines", .{count});
        }
    }
}

/// The lines of the block that `first` begins, if it is one; `after` stands behind it.
fn blockLines(after: Lines, first: Lines.Line) ?usize {
    const indent = indentOf(first.text);
    var lines = after;
    while (lines.next()) |line| {
        const text = std.mem.trimStart(u8, line.text, " ");
        if (text.len == 0 or indentOf(line.text) != indent) continue;
        if (text[0] == ')' and std.mem.endsWith(u8, text, "{")) continue;
        return if (text[0] == '}') line.number - first.number + 1 else null;
    }
    return null;
}

const Lines = struct {
    text: []const u8,
    at: usize = 0,
    number: usize = 0,

    const Line = struct { text: []const u8, number: usize };

    fn next(self: *Lines) ?Line {
        if (self.at >= self.text.len) return null;
        const end = std.mem.indexOfScalarPos(u8, self.text, self.at, '\n') orelse self.text.len;
        defer self.at = end + 1;
        self.number += 1;
        const line = std.mem.trimEnd(u8, self.text[self.at..end], " ");
        return .{ .text = line, .number = self.number };
    }
};

fn indentOf(line: []const u8) usize {
    return std.mem.indexOfNone(u8, line, " ") orelse line.len;
}

/// Whether a line begins a function, a method or an arrow function with a block.
fn isFunctionStart(line: []const u8) bool {
    const last = if (line.len == 0) return false else line[line.len - 1];
    if (last != '{' and last != '(') return false;
    const text = std.mem.trimStart(u8, line, " ");
    if (hasWord(text, "function")) return true;
    if (std.mem.endsWith(u8, text, "=> {")) return true;
    const words = [_][]const u8{
        "if", "for", "while", "switch", "catch", "return", "throw", "await",  "class", "do", "else",
        "}",  "try", "const", "let",    "super", "new",    "yield", "export",
    };
    for (words) |word| {
        if (!std.mem.startsWith(u8, text, word)) continue;
        if (word[0] == '}' or text.len == word.len or !isNameByte(text[word.len])) return false;
    }
    const paren = std.mem.indexOfScalar(u8, text, '(') orelse return false;
    for (text[0..paren]) |byte| {
        const is_header = isNameByte(byte) or byte == ' ' or byte == '#' or byte == '*' or
            byte == '[' or byte == ']' or byte == '.' or byte == '<' or byte == '>';
        if (!is_header) return false;
    }
    return last == '{' or std.mem.indexOfScalar(u8, text, '.') == null;
}

fn checkTypescriptImports(tidy: *Tidy, path: []const u8, code: []const u8) !void {
    const own = placeOfTypescript(path) orelse {
        tidy.offend(path, 1, "is not in `typescript_order` of zig/tidy.zig", .{});
        return;
    };
    var lines: Lines = .{ .text = code };
    while (lines.next()) |line| {
        const name = importedName(line.text) orelse continue;
        const target = try tidy.resolve(path, name);
        const place = placeOfTypescript(target) orelse {
            tidy.offend(path, line.number, "imports {s}, which is not in the order", .{target});
            continue;
        };
        const is_folder = std.mem.endsWith(u8, typescript_order[own], "/");
        if (place > own or (place == own and !is_folder)) {
            tidy.offend(path, line.number, "imports {s}, which stands below it", .{target});
        }
    }
}

/// The relative path that a line imports or exports from, or null.
fn importedName(line: []const u8) ?[]const u8 {
    for ([_][]const u8{ "from \"", "import(\"", "import \"" }) |start| {
        const at = std.mem.indexOf(u8, line, start) orelse continue;
        const name = line[at + start.len ..];
        const end = std.mem.indexOfScalar(u8, name, '"') orelse continue;
        if (name.len > 0 and name[0] == '.') return name[0..end];
    }
    return null;
}

fn placeOfTypescript(path: []const u8) ?usize {
    for (typescript_order, 0..) |entry, place| {
        const is_folder = std.mem.endsWith(u8, entry, "/");
        if (is_folder and std.mem.startsWith(u8, path, entry)) return place;
        if (std.mem.eql(u8, entry, path)) return place;
    }
    return null;
}

test "tidy finds names outside comments only" {
    const gpa = std.testing.allocator;
    const code = try withoutComments(gpa,
        \\/* Deno */ const a = "// Bun"; // Deno
        \\const Dentist = `bun: ${a}`;
    );
    defer gpa.free(code);
    try std.testing.expect(!hasWord(code, "Deno"));
    try std.testing.expect(hasWord(code, "Bun"));
    try std.testing.expect(!hasWord(code, "Dent"));
}

test "tidy measures functions by their indentation" {
    const code =
        \\class Store {
        \\  async *rows<T>(
        \\    first: number,
        \\  ): T {
        \\    if (first) {
        \\      return 1;
        \\    }
        \\  }
        \\  size = 3;
        \\}
        \\
    ;
    var lines: Lines = .{ .text = code };
    _ = lines.next();
    const line = lines.next().?;
    try std.testing.expect(isFunctionStart(line.text));
    try std.testing.expectEqual(7, blockLines(lines, line).?);
}

test "tidy tells functions from other blocks" {
    for ([_][]const u8{
        "export function open(path: string): Store {",
        "  async close(): Promise<void> {",
        "  get size(): number {",
        "  #grow(by: number) {",
        "  [Symbol.dispose](): void {",
        "  const run = (a: number) => {",
        "export async function load(",
    }) |line| try std.testing.expect(isFunctionStart(line));
    for ([_][]const u8{
        "  if (a) {",       "} else if (b) {",    "  for (const a of b) {",
        "class Store {",    "  return call(",     "  const value = compute(",
        "  call.commit(",   "const options = {",  "  switch (kind) {",
        "interface Rows {", "  throw new Error(", "  } catch (error) {",
    }) |line| try std.testing.expect(!isFunctionStart(line));
}

test "tidy reads what a line imports" {
    try std.testing.expectEqualStrings("./a.ts", importedName("} from \"./a.ts\";").?);
    try std.testing.expectEqual(null, importedName("import fs from \"node:fs\";"));
}
