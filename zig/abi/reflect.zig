//! What the compiler knows of the boundary: the words of each function, the groups of constants,
//! the layouts, the codes, and a fingerprint over all of them. It knows no names of parameters and
//! no contracts, which the compiler forgets: `generate.zig` reads those from the source.
//!
//! Everything here takes the boundary as a parameter, so that the boundary may ask for its own
//! fingerprint. A type that is not a word of the boundary stops the compiler, naming the function.

const std = @import("std");

pub const symbol_prefix = "zeolite_";

/// Everything that a function may take or give.
pub const Word = enum { u32, i32, f64, void, buffer, pointer };

pub const Function = struct { name: [:0]const u8, parameters: []const Word, result: Word };
pub const Constant = struct { name: [:0]const u8, value: u32 };
pub const Group = struct { name: [:0]const u8, constants: []const Constant };
pub const Field = struct { name: [:0]const u8, type_name: []const u8, offset: u32, size: u32 };
pub const Layout = struct { name: [:0]const u8, size: u32, fields: []const Field };

/// The names of the exported functions of `Abi`, in the order of its source.
pub fn functionNames(comptime Abi: type) []const [:0]const u8 {
    return comptime list: {
        var names: []const [:0]const u8 = &.{};
        for (functions(Abi)) |function| names = names ++ [1][:0]const u8{function.name};
        break :list names;
    };
}

/// The exported functions: every public function of `Abi`.
pub fn functions(comptime Abi: type) []const Function {
    return comptime list: {
        @setEvalBranchQuota(100_000);
        var rows: []const Function = &.{};
        for (@typeInfo(Abi).@"struct".decls) |decl| {
            const info = switch (@typeInfo(@TypeOf(@field(Abi, decl.name)))) {
                .@"fn" => |info| info,
                else => continue,
            };
            rows = rows ++ [1]Function{functionOf(decl.name, info)};
        }
        break :list rows;
    };
}

fn functionOf(comptime name: [:0]const u8, comptime info: std.builtin.Type.Fn) Function {
    const expected: std.builtin.CallingConvention = .c;
    if (std.meta.activeTag(info.calling_convention) != std.meta.activeTag(expected)) {
        @compileError(name ++ " must have callconv(.c): every pub fn here is exported");
    }
    var parameters: []const Word = &.{};
    for (info.params) |parameter| {
        const word = wordOf(name, parameter.type.?);
        const is_input = word == .u32 or word == .f64 or word == .buffer;
        if (!is_input) @compileError(name ++ " takes what no caller can pass");
        parameters = parameters ++ [1]Word{word};
    }
    const result = wordOf(name, info.return_type.?);
    const is_result = result != .u32 and result != .buffer;
    if (!is_result) @compileError(name ++ " must return i32, f64, void or a pointer");
    return .{ .name = name, .parameters = parameters, .result = result };
}

fn wordOf(comptime name: []const u8, comptime T: type) Word {
    return switch (T) {
        u32 => .u32,
        i32 => .i32,
        f64 => .f64,
        void => .void,
        ?[*]const u8, ?[*]u8 => .buffer,
        ?*anyopaque => .pointer,
        else => @compileError(name ++ " uses " ++ @typeName(T) ++
            ", which is no word of the boundary"),
    };
}

/// The groups of constants: every public struct without fields that holds u32 constants.
pub fn groups(comptime Abi: type) []const Group {
    return comptime list: {
        @setEvalBranchQuota(100_000);
        var rows: []const Group = &.{};
        for (@typeInfo(Abi).@"struct".decls) |decl| {
            const T = namespaceOf(Abi, decl.name) orelse continue;
            var constants: []const Constant = &.{};
            for (@typeInfo(T).@"struct".decls) |constant| {
                const value: u32 = @field(T, constant.name);
                constants = constants ++ [1]Constant{.{ .name = constant.name, .value = value }};
            }
            rows = rows ++ [1]Group{.{ .name = decl.name, .constants = constants }};
        }
        break :list rows;
    };
}

fn namespaceOf(comptime Abi: type, comptime name: []const u8) ?type {
    const T = structOf(Abi, name) orelse return null;
    const info = @typeInfo(T).@"struct";
    if (info.layout != .auto or info.fields.len > 0) return null;
    return T;
}

fn structOf(comptime Abi: type, comptime name: []const u8) ?type {
    const declaration = @field(Abi, name);
    if (@TypeOf(declaration) != type) return null;
    return switch (@typeInfo(declaration)) {
        .@"struct" => declaration,
        else => null,
    };
}

/// The layouts that JavaScript fills or reads: every public extern struct.
pub fn layouts(comptime Abi: type) []const Layout {
    return comptime list: {
        @setEvalBranchQuota(100_000);
        var rows: []const Layout = &.{};
        for (@typeInfo(Abi).@"struct".decls) |decl| {
            const T = structOf(Abi, decl.name) orelse continue;
            if (@typeInfo(T).@"struct".layout != .@"extern") continue;
            rows = rows ++ [1]Layout{layoutOf(T, decl.name)};
        }
        break :list rows;
    };
}

fn layoutOf(comptime T: type, comptime name: [:0]const u8) Layout {
    var fields: []const Field = &.{};
    for (@typeInfo(T).@"struct".fields) |field| {
        fields = fields ++ [1]Field{.{
            .name = field.name,
            .type_name = switch (@typeInfo(field.type)) {
                .array => "bytes",
                else => @tagName(wordOf(name, field.type)),
            },
            .offset = @offsetOf(T, field.name),
            .size = @sizeOf(field.type),
        }};
    }
    return .{ .name = name, .size = @sizeOf(T), .fields = fields };
}

/// 31 bits over everything above and the codes; whatever changes in one of them changes it.
pub fn fingerprint(comptime Abi: type) i32 {
    return comptime fingerprint: {
        @setEvalBranchQuota(10_000_000);
        const text = describe(Abi);
        // FNV-1a, which a compiler's interpreter computes quickly.
        var hash: u64 = 0xcbf29ce484222325;
        for (text) |byte| hash = (hash ^ byte) *% 0x100000001b3;
        break :fingerprint @intCast((hash ^ (hash >> 32)) & 0x7fffffff);
    };
}

fn describe(comptime Abi: type) []const u8 {
    var text: []const u8 = "";
    for (functions(Abi)) |function| {
        text = text ++ function.name ++ "(";
        for (function.parameters) |word| text = text ++ @tagName(word) ++ " ";
        text = text ++ ")" ++ @tagName(function.result) ++ "\n";
    }
    for (groups(Abi)) |group| {
        text = text ++ group.name ++ "\n";
        for (group.constants) |constant| {
            text = text ++ constant.name ++ "=" ++ decimal(constant.value) ++ "\n";
        }
    }
    for (layouts(Abi)) |layout| {
        text = text ++ layout.name ++ " " ++ decimal(layout.size) ++ "\n";
        for (layout.fields) |field| {
            text = text ++ field.name ++ " " ++ field.type_name ++ " " ++
                decimal(field.offset) ++ " " ++ decimal(field.size) ++ "\n";
        }
    }
    for (std.enums.values(Abi.Code)) |code| {
        text = text ++ @tagName(code) ++ decimal(code.result()) ++ code.publicName() ++ "\n";
    }
    return text;
}

fn decimal(comptime value: anytype) []const u8 {
    return std.fmt.comptimePrint("{d}", .{value});
}

const Example = struct {
    pub const Code = enum(i32) {
        wrong = -1,

        pub fn result(self: @This()) i32 {
            return @intFromEnum(self);
        }
        pub fn publicName(_: @This()) []const u8 {
            return "WRONG";
        }
    };
    pub const limits = struct {
        pub const size_max: u32 = 7;
    };
    pub const Options = extern struct { size: u32, wide: f64, name: [4]u8 };

    pub fn work(_: u32, _: ?[*]const u8) callconv(.c) i32 {
        return 0;
    }
    pub fn place() callconv(.c) ?*anyopaque {
        return null;
    }
};

test "reflect finds functions, constants and layouts" {
    const rows = functions(Example);
    try std.testing.expectEqual(2, rows.len);
    try std.testing.expectEqualStrings("work", rows[0].name);
    try std.testing.expectEqualSlices(Word, &.{ .u32, .buffer }, rows[0].parameters);
    try std.testing.expectEqual(Word.pointer, rows[1].result);

    try std.testing.expectEqual(1, groups(Example).len);
    try std.testing.expectEqual(7, groups(Example)[0].constants[0].value);

    const layout = layouts(Example)[0];
    try std.testing.expectEqual(24, layout.size);
    try std.testing.expectEqual(8, layout.fields[1].offset);
    try std.testing.expectEqualStrings("bytes", layout.fields[2].type_name);
}

test "fingerprint changes with a type" {
    const Other = struct {
        pub const Code = Example.Code;
        pub const limits = Example.limits;
        pub const Options = Example.Options;
        pub fn work(_: u32, _: u32) callconv(.c) i32 {
            return 0;
        }
        pub const place = Example.place;
    };
    try std.testing.expect(fingerprint(Example) != fingerprint(Other));
    try std.testing.expect(fingerprint(Example) >= 0);
}
