//! Writes `ffi/abi.ts`: types by reflection, so that they cannot drift from the library; names of
//! parameters and contracts from the syntax tree of the sources, which alone has them.
//!
//! It refuses a function whose contract lacks one of the four sentences or names a code that does
//! not exist, and a constant, field or code without a comment: it names the culprit and writes
//! nothing.

const std = @import("std");
const c_abi = @import("c_abi.zig");
const reflect = @import("reflect.zig");

const Ast = std.zig.Ast;
const Writer = std.Io.Writer;
const Code = c_abi.Code;

const Error = error{Refused} || Writer.Error;

/// The sentences of a contract after the first, each at the start of a line.
const sentences = [_][]const u8{ "Memory: ", "Thread: ", "Returns: " };

/// What the list of codes at the end of the last sentence begins with.
const codes_mark = "Codes: ";

const head =
    \\/**
    \\ * The boundary to the library, as JavaScript sees it. Written by `npm run abi` from
    \\ * `zig/abi/c_abi.zig`: change that, never this.
    \\ */
    \\
    \\
;

/// Writes the file named, or with `--check` compares it.
pub fn main(init: std.process.Init) !void {
    const arena = init.arena.allocator();
    const arguments = try init.minimal.args.toSlice(arena);
    const is_check = arguments.len == 3 and std.mem.eql(u8, arguments[1], "--check");
    if (arguments.len != 2 and !is_check) return fail("usage: abi [--check] FILE", "");
    const path = arguments[arguments.len - 1];
    const text = try generate(arena);
    const cwd = std.Io.Dir.cwd();
    if (!is_check) return cwd.writeFile(init.io, .{ .sub_path = path, .data = text });
    const found = try cwd.readFileAlloc(init.io, path, arena, .limited(1 << 24));
    if (!std.mem.eql(u8, found, text)) fail(path, "is not current: run `npm run abi`");
}

fn fail(culprit: []const u8, reason: []const u8) void {
    std.debug.print("abi: {s} {s}\n", .{ culprit, reason });
    std.process.exit(1);
}

/// The whole text of `ffi/abi.ts`; ends the program if the boundary is refused.
fn generate(arena: std.mem.Allocator) ![]const u8 {
    var text: Writer.Allocating = .init(arena);
    var generator: Generator = .{
        .abi = try .parse(arena, @embedFile("c_abi.zig"), .zig),
        .codes = try .parse(arena, @embedFile("codes.zig"), .zig),
        .out = &text.writer,
    };
    generator.writeAll() catch |err| switch (err) {
        error.Refused => fail(generator.culprit, generator.reason),
        else => return err,
    };
    return text.written();
}

const Generator = struct {
    abi: Ast,
    codes: Ast,
    out: *Writer,
    culprit: []const u8 = "",
    reason: []const u8 = "",

    fn writeAll(self: *Generator) Error!void {
        try self.out.writeAll(head);
        try self.out.writeAll("/** What `zeolite_fingerprint()` of a fitting library gives. */\n");
        try self.out.print("export const fingerprint = {d};\n\n", .{
            reflect.fingerprint(c_abi),
        });
        try self.out.writeAll("/** What stands before the name of each symbol. */\n");
        try self.out.print("export const symbolPrefix = \"{s}\";\n\n", .{reflect.symbol_prefix});
        try self.writeFunctions();
        inline for (comptime reflect.groups(c_abi)) |group| try self.writeGroup(group);
        inline for (comptime reflect.layouts(c_abi)) |layout| try self.writeLayout(layout);
        try self.writeCodes();
    }

    fn refuse(self: *Generator, culprit: []const u8, reason: []const u8) error{Refused} {
        self.culprit = culprit;
        self.reason = reason;
        return error.Refused;
    }

    fn writeFunctions(self: *Generator) Error!void {
        try self.out.writeAll("/** Each function: its parameters in order, and its result. */\n");
        try self.out.writeAll("export const functions = {\n");
        for (comptime reflect.functions(c_abi)) |function| try self.writeFunction(function);
        try self.out.writeAll("} as const;\n");
    }

    fn writeFunction(self: *Generator, function: reflect.Function) Error!void {
        const node = memberOf(&self.abi, self.abi.rootDecls(), function.name) orelse
            return self.refuse(function.name, "is not declared in c_abi.zig itself");
        try self.writeContract(function.name, node);
        try self.out.print("  {s}: {{\n", .{function.name});
        var buffer: [1]Ast.Node.Index = undefined;
        const prototype = self.abi.fullFnProto(&buffer, node) orelse
            return self.refuse(function.name, "is declared by another name");
        var parameters = prototype.iterate(&self.abi);
        if (function.parameters.len == 0) try self.out.writeAll("    parameters: [],\n");
        if (function.parameters.len > 0) try self.out.writeAll("    parameters: [\n");
        for (function.parameters) |word| {
            const token = parameters.next().?.name_token orelse
                return self.refuse(function.name, "has a parameter without a name");
            const name = self.abi.tokenSlice(token);
            try self.out.print("      [\"{s}\", \"{t}\"],\n", .{ name, word });
        }
        if (function.parameters.len > 0) try self.out.writeAll("    ],\n");
        try self.out.print("    result: \"{t}\",\n  }},\n", .{function.result});
    }

    /// Writes the four sentences of a function's comment.
    fn writeContract(self: *Generator, name: []const u8, node: Ast.Node.Index) Error!void {
        var lines = commentOf(&self.abi, node);
        var expected: usize = 0;
        var is_first = true;
        var is_codes = false;
        try self.out.writeAll("  /**\n");
        while (lines.next()) |line| {
            if (expected < sentences.len and std.mem.startsWith(u8, line, sentences[expected])) {
                if (is_first) return self.refuse(name, "does not say what it does");
                if (expected == 0) try self.out.writeAll("   *\n");
                expected += 1;
                try self.out.print("   * - {s}\n", .{line});
            } else {
                try self.out.print("   * {s}{s}\n", .{ if (expected > 0) "  " else "", line });
            }
            is_first = false;
            if (is_codes) try self.checkCodes(name, line);
            const codes_at = std.mem.indexOf(u8, line, codes_mark) orelse continue;
            is_codes = expected == sentences.len;
            try self.checkCodes(name, line[codes_at + codes_mark.len ..]);
        }
        if (is_first) return self.refuse(name, "has no comment");
        if (expected < sentences.len) return self.refuse(name, switch (expected) {
            0 => "has no sentence `Memory: ` where it belongs",
            1 => "has no sentence `Thread: ` where it belongs",
            else => "has no sentence `Returns: ` where it belongs",
        });
        try self.out.writeAll("   */\n");
    }

    /// Every word of a list of codes must be one.
    fn checkCodes(self: *Generator, name: []const u8, list: []const u8) error{Refused}!void {
        var words = std.mem.tokenizeAny(u8, list, " ,.");
        while (words.next()) |word| {
            if (std.meta.stringToEnum(Code, word) == null) {
                return self.refuse(name, "names a code that does not exist");
            }
        }
    }

    fn writeGroup(self: *Generator, comptime group: reflect.Group) Error!void {
        const node = memberOf(&self.abi, self.abi.rootDecls(), group.name) orelse
            return self.refuse(group.name, "is not declared in c_abi.zig itself");
        try self.out.writeAll("\n");
        try self.writeComment(&self.abi, group.name, node, "");
        try self.out.print("export const {f} = {{\n", .{camel(group.name)});
        var buffer: [2]Ast.Node.Index = undefined;
        const members = membersOf(&self.abi, node, &buffer) orelse
            return self.refuse(group.name, "is declared by another name");
        for (group.constants) |constant| {
            const member = memberOf(&self.abi, members, constant.name).?;
            try self.writeComment(&self.abi, constant.name, member, "  ");
            try self.out.print("  {s}: {d},\n", .{ constant.name, constant.value });
        }
        try self.out.writeAll("} as const;\n");
    }

    fn writeLayout(self: *Generator, comptime layout: reflect.Layout) Error!void {
        const node = memberOf(&self.abi, self.abi.rootDecls(), layout.name) orelse
            return self.refuse(layout.name, "is not declared in c_abi.zig itself");
        try self.out.writeAll("\n");
        try self.writeComment(&self.abi, layout.name, node, "");
        try self.out.print("export const {f}Layout = {{\n  size: {d},\n  fields: {{\n", .{
            camel(layout.name), layout.size,
        });
        var buffer: [2]Ast.Node.Index = undefined;
        const members = membersOf(&self.abi, node, &buffer) orelse
            return self.refuse(layout.name, "is declared by another name");
        for (layout.fields) |field| {
            const member = memberOf(&self.abi, members, field.name).?;
            try self.writeComment(&self.abi, field.name, member, "    ");
            try self.out.print("    {s}: {{ type: \"{s}\", offset: {d}, size: {d} }},\n", .{
                field.name, field.type_name, field.offset, field.size,
            });
        }
        try self.out.writeAll("  },\n} as const;\n");
    }

    fn writeCodes(self: *Generator) Error!void {
        const node = memberOf(&self.codes, self.codes.rootDecls(), "Code").?;
        var buffer: [2]Ast.Node.Index = undefined;
        const members = membersOf(&self.codes, node, &buffer).?;
        try self.out.writeAll("\n/** Each failure: its number, and the code callers see. */\n");
        try self.out.writeAll("export const codes = {\n");
        for (std.enums.values(Code)) |code| {
            const member = memberOf(&self.codes, members, @tagName(code)).?;
            try self.writeComment(&self.codes, @tagName(code), member, "  ");
            try self.out.print("  {t}: {{ number: {d}, name: \"{s}\" }},\n", .{
                code, code.result(), code.publicName(),
            });
        }
        try self.out.writeAll("} as const;\n");
    }

    /// Writes the comment of a declaration, on one line if it has one.
    fn writeComment(
        self: *Generator,
        tree: *const Ast,
        name: []const u8,
        node: Ast.Node.Index,
        indent: []const u8,
    ) Error!void {
        var lines = commentOf(tree, node);
        const first = lines.next() orelse return self.refuse(name, "has no comment");
        var next = lines.next() orelse {
            return self.out.print("{s}/** {s} */\n", .{ indent, first });
        };
        try self.out.print("{s}/**\n{s} * {s}\n", .{ indent, indent, first });
        while (true) {
            try self.out.print("{s} * {s}\n", .{ indent, next });
            next = lines.next() orelse break;
        }
        try self.out.print("{s} */\n", .{indent});
    }
};

/// The declaration or field called `name` among `members`.
fn memberOf(tree: *const Ast, members: []const Ast.Node.Index, name: []const u8) ?Ast.Node.Index {
    for (members) |member| {
        const token = nameTokenOf(tree, member) orelse continue;
        if (std.mem.eql(u8, tree.tokenSlice(token), name)) return member;
    }
    return null;
}

fn nameTokenOf(tree: *const Ast, member: Ast.Node.Index) ?Ast.TokenIndex {
    var buffer: [1]Ast.Node.Index = undefined;
    if (tree.fullFnProto(&buffer, member)) |prototype| return prototype.name_token;
    if (tree.fullVarDecl(member)) |declaration| return declaration.ast.mut_token + 1;
    if (tree.fullContainerField(member)) |field| return field.ast.main_token;
    return null;
}

/// The members of a struct or enum that a constant names; null if it names something else.
fn membersOf(
    tree: *const Ast,
    member: Ast.Node.Index,
    buffer: *[2]Ast.Node.Index,
) ?[]const Ast.Node.Index {
    const declaration = tree.fullVarDecl(member) orelse return null;
    const value = declaration.ast.init_node.unwrap() orelse return null;
    const container = tree.fullContainerDecl(buffer, value) orelse return null;
    return container.ast.members;
}

/// The lines of the doc comment above a declaration.
const Lines = struct {
    tree: *const Ast,
    token: Ast.TokenIndex,
    end: Ast.TokenIndex,

    fn next(self: *Lines) ?[]const u8 {
        if (self.token == self.end) return null;
        defer self.token += 1;
        const text = self.tree.tokenSlice(self.token)["///".len..];
        return std.mem.trim(u8, text, " \r");
    }
};

fn commentOf(tree: *const Ast, node: Ast.Node.Index) Lines {
    const end = tree.firstToken(node);
    var token = end;
    while (token > 0 and tree.tokenTag(token - 1) == .doc_comment) token -= 1;
    return .{ .tree = tree, .token = token, .end = end };
}

/// A name as TypeScript writes it: `range_flags` and `OpenOptions` begin with a small letter and
/// have no underscore.
const Camel = struct {
    name: []const u8,

    pub fn format(self: Camel, out: *Writer) Writer.Error!void {
        var is_upper = false;
        for (self.name, 0..) |byte, index| {
            if (byte == '_') {
                is_upper = true;
                continue;
            }
            const lower = if (index == 0) std.ascii.toLower(byte) else byte;
            try out.writeByte(if (is_upper) std.ascii.toUpper(byte) else lower);
            is_upper = false;
        }
    }
};

fn camel(name: []const u8) Camel {
    return .{ .name = name };
}

fn expectContract(source: [:0]const u8, reason: []const u8) !void {
    const gpa = std.testing.allocator;
    var text: Writer.Allocating = .init(gpa);
    defer text.deinit();
    var tree: Ast = try .parse(gpa, source, .zig);
    defer tree.deinit(gpa);
    var generator: Generator = .{ .abi = tree, .codes = tree, .out = &text.writer };
    const node = memberOf(&tree, tree.rootDecls(), "work").?;
    if (generator.writeContract("work", node)) |_| {
        try std.testing.expectEqualStrings(reason, "");
    } else |err| {
        try std.testing.expectEqual(error.Refused, err);
        try std.testing.expectEqualStrings(reason, generator.reason);
    }
}

test "generate takes a contract of four sentences" {
    try expectContract(
        \\/// Works, on two
        \\/// lines.
        \\/// Memory: none.
        \\/// Thread: any.
        \\/// Returns: 0. Codes: closed, txn_ended.
        \\pub fn work() void {}
    , "");
}

test "generate refuses a contract that lacks a sentence" {
    try expectContract("pub fn work() void {}", "has no comment");
    try expectContract(
        \\/// Memory: none.
        \\pub fn work() void {}
    , "does not say what it does");
    try expectContract(
        \\/// Works.
        \\/// Memory: none.
        \\/// Returns: 0.
        \\pub fn work() void {}
    , "has no sentence `Thread: ` where it belongs");
    try expectContract(
        \\/// Works.
        \\/// Memory: none.
        \\/// Thread: any.
        \\/// Returns: 0. Codes: not_a_code.
        \\pub fn work() void {}
    , "names a code that does not exist");
}

test "generate writes the whole boundary" {
    const gpa = std.testing.allocator;
    var text: Writer.Allocating = .init(gpa);
    defer text.deinit();
    var abi: Ast = try .parse(gpa, @embedFile("c_abi.zig"), .zig);
    defer abi.deinit(gpa);
    var codes: Ast = try .parse(gpa, @embedFile("codes.zig"), .zig);
    defer codes.deinit(gpa);
    var generator: Generator = .{ .abi = abi, .codes = codes, .out = &text.writer };
    try generator.writeAll();
    const written = text.written();
    try std.testing.expect(std.mem.indexOf(u8, written, "[\"path\", \"buffer\"]") != null);
    try std.testing.expect(std.mem.indexOf(u8, written, "ZEOLITE_NOT_FOUND") != null);
}
