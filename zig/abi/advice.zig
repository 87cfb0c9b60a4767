//! What to do about a failure that nobody explained closer: one sentence a code, for
//! `zeolite_message`. It never replaces an explanation, it stands in for a missing one.

const codes = @import("codes.zig");

pub fn of(code: codes.Code) []const u8 {
    return switch (code) {
        .not_found => "nothing is there; leave create on to make a store",
        .closed => "it was closed; open it again",
        .busy => "another thread or process is writing; try again, or raise lockTimeout",
        .corrupt => "a page or record fails its checksum or format; run check, restore a backup",
        .not_a_store => "the file is not a store",
        .version => "a version of the format that this library does not know wrote it; update",
        .full => "the store has reached maxSize; open it with a larger one",
        .no_space => "the disk or memory is full; free some, nothing was changed",
        .io => "the system reported an input or output error; check the disk",
        .poisoned => "a flush failed earlier; close the store in every process and open it again",
        .read_only => "it was opened for reading only; open it without readOnly",
        .permission => "the system does not allow it; check owner and mode of the file and folder",
        .readers_full => "every reader slot is taken; end snapshots, or close some processes",
        .key_size => "the key is too long for this page size",
        .value_size => "values hold at most 4294967295 bytes",
        .key_order => "appended keys must come in ascending order, behind the last; use put",
        .key_type => "the key is not of the table's key encoding",
        .txn_ended => "the transaction, snapshot or range has ended; begin a new one",
        .options => "an option contradicts what is in force; leave it out",
        .changes_lost => "the log no longer holds these changes; begin again from a snapshot",
        .library => "the library does not fit its caller; build it again",
        .large => "the value does not fit; fetch it with value_copy",
        .out_of_memory => "the system has no memory left; nothing was changed",
    };
}
