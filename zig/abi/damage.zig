//! Says in words which page of which table a call has found damaged: the page is known where it
//! was read, the table only here. Called when a call has failed; it changes nothing but the text.

const explain = @import("../explain.zig");
const Session = @import("Session.zig");

const advice = "run check, restore a backup";

/// Explains the failure of a call about `table`; null: about none, or about all of them.
pub noinline fn tell(session: *Session, table: ?u32) void {
    @branchHint(.cold);
    const found = explain.takeDamage();
    // Of a call about no table a deeper one may have said more.
    if (found == null or table == null) if (explain.get().len > 0) return;
    const path = session.env.path;
    const damage = found orelse return if (nameOf(session, table)) |name|
        explain.set("the table \"{s}\" of {s} is damaged; {s}", .{ name, path, advice });
    // An older sentence may be left of a failure that nobody asked about.
    explain.clear();
    const start = "page {d} of {s}, ";
    if (damage.in_catalogue) {
        explain.set(start ++ "in the list of its tables, is damaged; {s}", .{
            damage.pgno, path, advice,
        });
    } else if (nameOf(session, table)) |name| {
        explain.set(start ++ "in the table \"{s}\", is damaged; {s}", .{
            damage.pgno, path, name, advice,
        });
    } else explain.set(start ++ "{s}is damaged; {s}", .{
        damage.pgno, path, if (table == null) "" else "in the unnamed table, ", advice,
    });
}

fn nameOf(session: *Session, table: ?u32) ?[]const u8 {
    const named = session.namedAt(table orelse return null) catch return null;
    return named.name;
}
