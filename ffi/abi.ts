/**
 * The boundary to the library, as JavaScript sees it. Written by `npm run abi` from
 * `zig/abi/c_abi.zig`: change that, never this.
 */

/** What `zeolite_fingerprint()` of a fitting library gives. */
export const fingerprint = 919461209;

/** What stands before the name of each symbol. */
export const symbolPrefix = "zeolite_";

/** Each function: its parameters in order, and its result. */
export const functions = {
  /**
   * Tells which boundary this library was built with.
   *
   * - Memory: none.
   * - Thread: any.
   * - Returns: 31 bits; `ffi/abi.ts` holds the same number, or the library is stale.
   */
  fingerprint: {
    parameters: [],
    result: "i32",
  },
  /**
   * Copies the text of this thread's last failure: what was found, then what to do.
   *
   * - Memory: writes at most `size` bytes of UTF-8 to `buffer`, cut between characters.
   * - Thread: any.
   * - Returns: the bytes written, 0 if nothing has failed.
   */
  message: {
    parameters: [
      ["buffer", "buffer"],
      ["size", "u32"],
    ],
    result: "i32",
  },
  /**
   * Opens the store at `path`, creating it if the options say so; a store that this thread has open
   * gives the same session once more, and each open needs its close.
   *
   * - Memory: reads `path` and `options`, an `OpenOptions`, during the call only. The session's
   *   scratch is native memory that lives until its last close.
   * - Thread: any; the session belongs to this one.
   * - Returns: a session. Codes: not_found, busy, corrupt, not_a_store, version, full, no_space, io,
   *   poisoned, read_only, permission, readers_full, options, out_of_memory.
   */
  open: {
    parameters: [
      ["path", "buffer"],
      ["path_size", "u32"],
      ["options", "buffer"],
      ["options_size", "u32"],
    ],
    result: "i32",
  },
  /**
   * Names the session's scratch: words, key areas A and B, data area, as `limits` says.
   *
   * - Memory: native, owned by the session, at one address until its last close.
   * - Thread: the session's own.
   * - Returns: its address, null if the session is closed.
   */
  scratch: {
    parameters: [
      ["session", "u32"],
    ],
    result: "pointer",
  },
  /**
   * Names the base of the map, in which views are offsets.
   *
   * - Memory: the whole reserved range is readable, zeros where no page lies yet; it stays at one
   *   address until the last session of the process is closed. words[0] = its size.
   * - Thread: the session's own.
   * - Returns: its address, null if the session is closed.
   */
  window: {
    parameters: [
      ["session", "u32"],
    ],
    result: "pointer",
  },
  /**
   * Closes the session once; the last close of the last thread detaches from the store, and writes a
   * checkpoint if no other process is attached.
   *
   * - Memory: after the last close the scratch is gone and the window reads zeros.
   * - Thread: the session's own.
   * - Returns: 0. Codes: closed, io, poisoned, no_space.
   */
  close: {
    parameters: [
      ["session", "u32"],
    ],
    result: "i32",
  },
  /**
   * Ends the turn: lets go the state that gets and views of this turn read from.
   *
   * - Memory: views of the latest state are valid until here.
   * - Thread: the session's own.
   * - Returns: 0. Codes: closed.
   */
  unpin: {
    parameters: [
      ["session", "u32"],
    ],
    result: "i32",
  },
  /**
   * Tells where the store stands.
   *
   * - Memory: words: 0 txnid, 1 flushed txnid, 2 checkpoint txnid, 3 page size, 4 key_size_max, 5 log
   *   bytes not yet in a checkpoint, 6 batch open, 7 read-only, 8 poisoned, 9 checkpoint wanted, 10
   *   inode of the data file, 11 inode of the log, 12 switches of the log so far.
   * - Thread: the session's own.
   * - Returns: 0. Codes: closed.
   */
  status: {
    parameters: [
      ["session", "u32"],
    ],
    result: "i32",
  },
  /**
   * Tells the resolved path of the data file (0) or of the log (1).
   *
   * - Memory: UTF-8 in the data area, until the next call.
   * - Thread: the session's own.
   * - Returns: its size. Codes: closed, options.
   */
  paths: {
    parameters: [
      ["session", "u32"],
      ["which", "u32"],
    ],
    result: "i32",
  },
  /**
   * Gives the session's index of a named table, which need not exist; the same name gives the same
   * index. Index 0 is the unnamed table.
   *
   * - Memory: reads the name, UTF-8, from key area A.
   * - Thread: the session's own.
   * - Returns: the index, valid until the session is closed. Codes: closed, options, key_size,
   *   out_of_memory.
   */
  table_open: {
    parameters: [
      ["session", "u32"],
      ["name_size", "u32"],
    ],
    result: "i32",
  },
  /**
   * Reads the attributes that a table was created with.
   *
   * - Memory: words: 0 key encoding, 1 encoding, 2 flags, 3 id, 4 size of the codec's name, which lies
   *   in the data area until the next call.
   * - Thread: the session's own.
   * - Returns: 1 if the table exists, else 0. Codes: closed, corrupt, txn_ended, options.
   */
  table_attributes: {
    parameters: [
      ["session", "u32"],
      ["scope", "u32"],
      ["table", "u32"],
    ],
    result: "i32",
  },
  /**
   * Says which attributes a table shall have: it is created with them, and where it exists they must
   * agree; 255 adopts what is kept.
   *
   * - Memory: reads the codec's name from the data area.
   * - Thread: the session's own.
   * - Returns: 0. Codes: closed, corrupt, options, out_of_memory.
   */
  table_set_attributes: {
    parameters: [
      ["session", "u32"],
      ["table", "u32"],
      ["key_encoding", "u32"],
      ["encoding", "u32"],
      ["codec_name_size", "u32"],
    ],
    result: "i32",
  },
  /**
   * Lists the named tables in order, a chunk a call.
   *
   * - Memory: rows [u32 size][bytes] in the data area until the next call; words[0] = 1 if there are
   *   more. The caller puts the last name it has into key area A and its size into words[1], 0 to
   *   begin.
   * - Thread: the session's own.
   * - Returns: names in this chunk. Codes: closed, corrupt, txn_ended.
   */
  table_list: {
    parameters: [
      ["session", "u32"],
      ["scope", "u32"],
    ],
    result: "i32",
  },
  /**
   * Removes a table and all it holds.
   *
   * - Memory: none.
   * - Thread: the session's own.
   * - Returns: 1, or 0 if there was none. Codes: closed, corrupt, txn_ended, options, full, no_space,
   *   io, out_of_memory.
   */
  table_drop: {
    parameters: [
      ["session", "u32"],
      ["txn", "u32"],
      ["table", "u32"],
    ],
    result: "i32",
  },
  /**
   * Measures a table.
   *
   * - Memory: words: 0 entries, 1 depth, 2 branch pages, 3 leaf pages, 4 overflow pages.
   * - Thread: the session's own.
   * - Returns: 0. Codes: closed, corrupt, txn_ended, options.
   */
  table_stats: {
    parameters: [
      ["session", "u32"],
      ["scope", "u32"],
      ["table", "u32"],
    ],
    result: "i32",
  },
  /**
   * Looks one key up and copies its value.
   *
   * - Memory: key in area A; value in the data area until the next call. With code large, words[0] =
   *   its size and `value_copy` fetches it, at once.
   * - Thread: the session's own.
   * - Returns: the value's size. Codes: not_found, large, closed, corrupt, key_size, txn_ended,
   *   options.
   */
  get: {
    parameters: [
      ["session", "u32"],
      ["scope", "u32"],
      ["table", "u32"],
      ["key_size", "u32"],
    ],
    result: "i32",
  },
  /**
   * Looks one key up and leaves its value pending.
   *
   * - Memory: key in area A. A value of at least one byte is fetched by `value_copy`, at once. With
   *   code large, words[0] = its size.
   * - Thread: the session's own.
   * - Returns: the value's size. Codes: not_found, large, closed, corrupt, key_size, txn_ended,
   *   options.
   */
  find: {
    parameters: [
      ["session", "u32"],
      ["scope", "u32"],
      ["table", "u32"],
      ["key_size", "u32"],
    ],
    result: "i32",
  },
  /**
   * Copies the value that the last call left pending.
   *
   * - Memory: writes `size` bytes to `buffer`, which is the caller's.
   * - Thread: the session's own.
   * - Returns: `size`. Codes: closed, corrupt, options, txn_ended.
   */
  value_copy: {
    parameters: [
      ["session", "u32"],
      ["buffer", "buffer"],
      ["size", "u32"],
    ],
    result: "i32",
  },
  /**
   * Copies a part of one buffer to the beginning of another.
   *
   * - Memory: of the `from_size` bytes of `from`, `to_size` from byte `at` on go to `to`; both are the
   *   caller's, during the call only, and not the same.
   * - Thread: any.
   * - Returns: `to_size`. Codes: options.
   */
  bytes_copy: {
    parameters: [
      ["from", "buffer"],
      ["from_size", "u32"],
      ["at", "u32"],
      ["to", "buffer"],
      ["to_size", "u32"],
    ],
    result: "i32",
  },
  /**
   * Lends memory for values that the caller keeps.
   *
   * - Memory: native, at least `size` bytes, with whatever was there before; the caller's until it is
   *   given back by the function that `lend_end` names, at any time and in any thread.
   * - Thread: any.
   * - Returns: its address; null if `size` is above `limits.lent_size_max`, or too much is lent.
   */
  lend: {
    parameters: [
      ["size", "u32"],
    ],
    result: "pointer",
  },
  /**
   * Names the function that takes lent memory back: its first argument is the address, its second
   * one means nothing.
   *
   * - Memory: none.
   * - Thread: any; so may the function be called.
   * - Returns: the address of the function.
   */
  lend_end: {
    parameters: [],
    result: "pointer",
  },
  /**
   * Looks one key up and tells where its value lies in the window.
   *
   * - Memory: words: 0 offset, 1 size, for scope 0 also 2 the txnid of the newest state, to which the
   *   bytes belong. They are valid until the scope ends, for scope 0 until `unpin`. With result 1 the
   *   value is not in the file yet: fetch words[1] bytes with `value_copy`, at once.
   * - Thread: the session's own.
   * - Returns: 0, or 1 for a value to copy. Codes: not_found, closed, corrupt, key_size, txn_ended,
   *   options.
   */
  view: {
    parameters: [
      ["session", "u32"],
      ["scope", "u32"],
      ["table", "u32"],
      ["key_size", "u32"],
    ],
    result: "i32",
  },
  /**
   * Tells whether a key is there, reading no value.
   *
   * - Memory: key in area A.
   * - Thread: the session's own.
   * - Returns: 1 or 0. Codes: closed, corrupt, key_size, txn_ended, options.
   */
  has: {
    parameters: [
      ["session", "u32"],
      ["scope", "u32"],
      ["table", "u32"],
      ["key_size", "u32"],
    ],
    result: "i32",
  },
  /**
   * Looks many keys up, their searches overlapped.
   *
   * - Memory: reads [u32 size][bytes] from `keys`; writes [i32 size or -1][bytes] to `out`, both the
   *   caller's, during the call only; bytes are filled up to the next multiple of four; words[1] = how
   *   many bytes were written.
   * - Thread: the session's own.
   * - Returns: how many keys were answered, from the first; fewer than `key_count` when `out` is full;
   *   0
   *   with words[0] = the size needed when the first value does not fit. Codes: closed, corrupt,
   *   key_size, txn_ended, options, out_of_memory.
   */
  get_many: {
    parameters: [
      ["session", "u32"],
      ["scope", "u32"],
      ["table", "u32"],
      ["keys", "buffer"],
      ["keys_size", "u32"],
      ["key_count", "u32"],
      ["out", "buffer"],
      ["out_size", "u32"],
    ],
    result: "i32",
  },
  /**
   * Counts the entries of a range, without walking it.
   *
   * - Memory: lower bound in key area A, upper in B; words[0] = the count. Flags: `range_flags`.
   * - Thread: the session's own.
   * - Returns: 0. Codes: closed, corrupt, key_size, txn_ended, options.
   */
  count: {
    parameters: [
      ["session", "u32"],
      ["scope", "u32"],
      ["table", "u32"],
      ["flags", "u32"],
      ["start_size", "u32"],
      ["end_size", "u32"],
    ],
    result: "i32",
  },
  /**
   * Opens a range over one state, pinned until it is closed.
   *
   * - Memory: lower bound in key area A, upper in B, copied; the caller puts offset and limit (-1 =
   *   none) into words 0 and 1. Flags: `range_flags`.
   * - Thread: the session's own.
   * - Returns: a range. Codes: closed, corrupt, key_size, txn_ended, options, readers_full,
   *   out_of_memory.
   */
  range_open: {
    parameters: [
      ["session", "u32"],
      ["scope", "u32"],
      ["table", "u32"],
      ["flags", "u32"],
      ["start_size", "u32"],
      ["end_size", "u32"],
    ],
    result: "i32",
  },
  /**
   * Opens a range and fetches its first rows, in one call.
   *
   * - Memory: as `range_open` and `range_next`; words[3] = the range, or 0 if it ended and is none.
   *   One that ended with more than one row, some of them in the block, is kept for `range_find`.
   * - Thread: the session's own.
   * - Returns: rows in this chunk. Codes: closed, corrupt, key_size, txn_ended, options,
   *   readers_full, out_of_memory.
   */
  range_first: {
    parameters: [
      ["session", "u32"],
      ["scope", "u32"],
      ["table", "u32"],
      ["flags", "u32"],
      ["start_size", "u32"],
      ["end_size", "u32"],
      ["rows_max", "u32"],
      ["buffer", "buffer"],
      ["size", "u32"],
      ["block", "buffer"],
      ["block_size", "u32"],
    ],
    result: "i32",
  },
  /**
   * Fetches the next rows of a range.
   *
   * - Memory: writes to `buffer`, which is the caller's: first `rows_max` times [u32 key_size]
   *   [u32 value_size]; from there upwards the keys, one behind the other; from the end downwards the
   *   values. A value of `limits.block_value_min` bytes or more goes to `block` instead, if that has
   *   any bytes: upwards, each at a multiple of `limits.block_alignment`. words[0] = 1 when the range
   *   ended, words[2] = where the keys end if all of them are ASCII, else 0, words[4] = where the
   *   values begin, words[5] = how many bytes of the block are used. A value_size of 0xffffffff: the
   *   value does not fit, words[1] = its size, and `value_copy` fetches it, at once.
   * - Thread: the session's own.
   * - Returns: rows in this chunk. Codes: closed, corrupt, txn_ended, options.
   */
  range_next: {
    parameters: [
      ["session", "u32"],
      ["range", "u32"],
      ["rows_max", "u32"],
      ["buffer", "buffer"],
      ["size", "u32"],
      ["block", "buffer"],
      ["block_size", "u32"],
    ],
    result: "i32",
  },
  /**
   * Looks one key up in the state of a range and leaves its value pending.
   *
   * - Memory: key in area A; words[0] = the value's size. A value of at least one byte is fetched by
   *   `value_copy`, at once.
   * - Thread: the session's own.
   * - Returns: the value's size. Codes: not_found, large, closed, corrupt, key_size, txn_ended.
   */
  range_find: {
    parameters: [
      ["session", "u32"],
      ["range", "u32"],
      ["key_size", "u32"],
    ],
    result: "i32",
  },
  /**
   * Lets a range and its state go.
   *
   * - Memory: none.
   * - Thread: the session's own.
   * - Returns: 0. Codes: closed, txn_ended.
   */
  range_close: {
    parameters: [
      ["session", "u32"],
      ["range", "u32"],
    ],
    result: "i32",
  },
  /**
   * Pins the newest committed state.
   *
   * - Memory: words[0] = its txnid.
   * - Thread: the session's own.
   * - Returns: a scope. Codes: closed, corrupt, readers_full, out_of_memory.
   */
  snapshot_begin: {
    parameters: [
      ["session", "u32"],
    ],
    result: "i32",
  },
  /**
   * Lets a snapshot go.
   *
   * - Memory: views read in it are valid until here.
   * - Thread: the session's own.
   * - Returns: 0. Codes: closed, txn_ended.
   */
  snapshot_end: {
    parameters: [
      ["session", "u32"],
      ["scope", "u32"],
    ],
    result: "i32",
  },
  /**
   * Begins the write transaction, a batch (0) or an explicit one (1), waiting at most `timeout_ms`
   * for the writer lock.
   *
   * - Memory: words[0] = the txnid it will have. Areas stay as they are.
   * - Thread: the session's own.
   * - Returns: a scope. Codes: busy, closed, corrupt, full, no_space, io, poisoned, read_only,
   *   out_of_memory.
   */
  txn_begin: {
    parameters: [
      ["session", "u32"],
      ["kind", "u32"],
      ["timeout_ms", "u32"],
    ],
    result: "i32",
  },
  /**
   * Writes one entry.
   *
   * - Memory: key in area A, value in the data area. Flags: `put_flags`.
   * - Thread: the session's own.
   * - Returns: 1, or 0 if the key is there and must not be. Codes: closed, corrupt, key_size,
   *   value_size, key_order, txn_ended, options, full, no_space, io, out_of_memory.
   */
  put: {
    parameters: [
      ["session", "u32"],
      ["txn", "u32"],
      ["table", "u32"],
      ["key_size", "u32"],
      ["value_size", "u32"],
      ["flags", "u32"],
    ],
    result: "i32",
  },
  /**
   * Writes one entry whose value the caller holds.
   *
   * - Memory: key in area A; reads `value` during the call only. Flags: `put_flags`.
   * - Thread: the session's own.
   * - Returns: as `put`. Codes: closed, corrupt, key_size, value_size, key_order, txn_ended, options,
   *   full, no_space, io, out_of_memory.
   */
  put_buffer: {
    parameters: [
      ["session", "u32"],
      ["txn", "u32"],
      ["table", "u32"],
      ["key_size", "u32"],
      ["value", "buffer"],
      ["value_size", "u32"],
      ["flags", "u32"],
    ],
    result: "i32",
  },
  /**
   * Writes many entries.
   *
   * - Memory: reads [u32 key_size][u32 value_size][key][value] from `rows` during the call only; each
   *   row but the last is filled up to a multiple of 4 bytes.
   *   Flags: `put_flags`.
   * - Thread: the session's own.
   * - Returns: how many were stored. Codes: closed, corrupt, key_size, value_size, key_order,
   *   txn_ended, options, full, no_space, io, out_of_memory.
   */
  put_many: {
    parameters: [
      ["session", "u32"],
      ["txn", "u32"],
      ["table", "u32"],
      ["rows", "buffer"],
      ["rows_size", "u32"],
      ["row_count", "u32"],
      ["flags", "u32"],
    ],
    result: "i32",
  },
  /**
   * Removes one entry.
   *
   * - Memory: key in area A.
   * - Thread: the session's own.
   * - Returns: 1, or 0 if there was none. Codes: closed, corrupt, key_size, txn_ended, options, full,
   *   no_space, io, out_of_memory.
   */
  remove: {
    parameters: [
      ["session", "u32"],
      ["txn", "u32"],
      ["table", "u32"],
      ["key_size", "u32"],
    ],
    result: "i32",
  },
  /**
   * Removes the entries of a range, cutting whole subtrees.
   *
   * - Memory: lower bound in key area A, upper in B; words[0] = entries removed. Flags: `range_flags`.
   * - Thread: the session's own.
   * - Returns: 0. Codes: closed, corrupt, key_size, txn_ended, options, full, no_space, io,
   *   out_of_memory.
   */
  remove_range: {
    parameters: [
      ["session", "u32"],
      ["txn", "u32"],
      ["table", "u32"],
      ["flags", "u32"],
      ["start_size", "u32"],
      ["end_size", "u32"],
    ],
    result: "i32",
  },
  /**
   * Removes every entry of a table and keeps the table.
   *
   * - Memory: words[0] = entries removed.
   * - Thread: the session's own.
   * - Returns: 0. Codes: closed, corrupt, txn_ended, options, full, no_space, io, out_of_memory.
   */
  clear: {
    parameters: [
      ["session", "u32"],
      ["txn", "u32"],
      ["table", "u32"],
    ],
    result: "i32",
  },
  /**
   * Marks a point that the transaction can go back to.
   *
   * - Memory: areas stay as they are.
   * - Thread: the session's own.
   * - Returns: its level. Codes: closed, txn_ended, options, out_of_memory.
   */
  savepoint: {
    parameters: [
      ["session", "u32"],
      ["txn", "u32"],
    ],
    result: "i32",
  },
  /**
   * Undoes every write since a savepoint, and forgets it and all later ones.
   *
   * - Memory: areas stay as they are.
   * - Thread: the session's own.
   * - Returns: 0. Codes: closed, txn_ended, options.
   */
  savepoint_rollback: {
    parameters: [
      ["session", "u32"],
      ["txn", "u32"],
      ["level", "u32"],
    ],
    result: "i32",
  },
  /**
   * Keeps the writes since a savepoint, and forgets it and all later ones.
   *
   * - Memory: areas stay as they are.
   * - Thread: the session's own.
   * - Returns: 0. Codes: closed, txn_ended, options.
   */
  savepoint_release: {
    parameters: [
      ["session", "u32"],
      ["txn", "u32"],
      ["level", "u32"],
    ],
    result: "i32",
  },
  /**
   * Publishes the transaction, with its log record in the hands of the system but not flushed; the
   * transaction has ended, also when this fails.
   *
   * - Memory: words: 0 txnid, 1 = 1 if the log must be flushed now, 2 = 1 if a checkpoint is wanted; 2
   *   if one is under way and the data file should be flushed aside once more, so that its end waits
   *   for less; 3 if it should be brought to its end.
   * - Thread: the session's own.
   * - Returns: 0. Codes: closed, corrupt, txn_ended, full, no_space, io, poisoned, out_of_memory.
   */
  txn_commit: {
    parameters: [
      ["session", "u32"],
      ["txn", "u32"],
    ],
    result: "i32",
  },
  /**
   * Writes the log record of a commit that is to be durable ahead of its pages: `txn_commit`
   * follows, or `txn_abort`, and nothing else. With `is_aside` 1 the caller flushes the log on a
   * descriptor of its own, from now on and while `txn_commit` runs; with 0 it calls `flush_sync`
   * after that.
   *
   * - Memory: none.
   * - Thread: the session's own.
   * - Returns: 1 if a flush of the log that begins now is one of this commit, once it is published;
   *   0 if the flush must begin after the commit. Codes: closed, txn_ended, options, corrupt, full,
   *   no_space, io, poisoned, out_of_memory.
   */
  txn_write_ahead: {
    parameters: [
      ["session", "u32"],
      ["txn", "u32"],
      ["is_aside", "u32"],
    ],
    result: "i32",
  },
  /**
   * Writes one entry in a transaction of its own: as `txn_begin` of a batch, `put` and `txn_commit`.
   * With `is_flushed` 1 the caller flushes it at once, by `flush_sync`.
   *
   * - Memory: key in area A, value in the data area; words as `txn_commit`.
   * - Thread: the session's own.
   * - Returns: 1. Codes: busy, closed, corrupt, key_size, value_size, options, full, no_space, io,
   *   poisoned, read_only, out_of_memory.
   */
  put_commit: {
    parameters: [
      ["session", "u32"],
      ["table", "u32"],
      ["key_size", "u32"],
      ["value_size", "u32"],
      ["timeout_ms", "u32"],
      ["is_flushed", "u32"],
    ],
    result: "i32",
  },
  /**
   * Ends the transaction as if it had never begun.
   *
   * - Memory: none.
   * - Thread: the session's own.
   * - Returns: 0. Codes: closed, txn_ended.
   */
  txn_abort: {
    parameters: [
      ["session", "u32"],
      ["txn", "u32"],
    ],
    result: "i32",
  },
  /**
   * Tells what the caller is to flush, on descriptors of its own, before it calls `flush_end`.
   *
   * - Memory: words[0] = the newest published txnid, to be left there for `flush_end`.
   * - Thread: the session's own.
   * - Returns: 0 if all is durable, 1 for the log, 2 for the data file and then the log. Codes:
   *   closed, poisoned.
   */
  flush_begin: {
    parameters: [
      ["session", "u32"],
    ],
    result: "i32",
  },
  /**
   * Reports that flush: 1 done, 0 failed, which poisons the store.
   *
   * - Memory: words[0] as `flush_begin` left it.
   * - Thread: the session's own.
   * - Returns: 0. Codes: closed, poisoned.
   */
  flush_end: {
    parameters: [
      ["session", "u32"],
      ["is_flushed", "u32"],
    ],
    result: "i32",
  },
  /**
   * Flushes all that is published, and waits.
   *
   * - Memory: none.
   * - Thread: the session's own.
   * - Returns: 0. Codes: closed, io, poisoned.
   */
  flush_sync: {
    parameters: [
      ["session", "u32"],
    ],
    result: "i32",
  },
  /**
   * Writes a checkpoint, and waits.
   *
   * - Memory: none.
   * - Thread: the session's own.
   * - Returns: 0. Codes: closed, busy, corrupt, full, no_space, io, poisoned, read_only,
   *   out_of_memory.
   */
  checkpoint_sync: {
    parameters: [
      ["session", "u32"],
    ],
    result: "i32",
  },
  /**
   * Begins a checkpoint unless one is under way, for a caller that does not hear of flushes now: it
   * has the data file flushed aside, and calls `checkpoint_finish` when `txn_commit` says so.
   *
   * - Memory: none.
   * - Thread: the session's own.
   * - Returns: 0 one is under way, or there is nothing to write; 3 another thread or process works on
   *   it. Codes: closed, busy, corrupt, full, no_space, io, poisoned, read_only, out_of_memory.
   */
  checkpoint_begin: {
    parameters: [
      ["session", "u32"],
    ],
    result: "i32",
  },
  /**
   * Brings the checkpoint that is under way to its end, and waits; begins none.
   *
   * - Memory: none.
   * - Thread: the session's own.
   * - Returns: 0. Codes: closed, busy, corrupt, full, no_space, io, poisoned, read_only,
   *   out_of_memory.
   */
  checkpoint_finish: {
    parameters: [
      ["session", "u32"],
    ],
    result: "i32",
  },
  /**
   * Takes the next step of a checkpoint, beginning one if needed.
   *
   * - Memory: words 0 and 1 are the ticket, to be left there for `checkpoint_flushed`.
   * - Thread: the session's own.
   * - Returns: 0 nothing left to do, 1 flush the data file, 2 flush the log, each followed by
   *   `checkpoint_flushed`, 3 another thread or process works on it. Codes: closed, corrupt, full,
   *   no_space, io, poisoned, read_only, out_of_memory.
   */
  checkpoint_step: {
    parameters: [
      ["session", "u32"],
    ],
    result: "i32",
  },
  /**
   * Reports the flush that `checkpoint_step` asked for: 1 done, 0 failed, which poisons the store.
   *
   * - Memory: words 0 and 1 as `checkpoint_step` left them.
   * - Thread: the session's own.
   * - Returns: 0. Codes: closed, io, poisoned.
   */
  checkpoint_flushed: {
    parameters: [
      ["session", "u32"],
      ["is_flushed", "u32"],
    ],
    result: "i32",
  },
  /**
   * Measures the store.
   *
   * - Memory: words: 0 entries of the unnamed table, 1 depth, 2 branch pages, 3 leaf pages, 4 overflow
   *   pages, 5 page size, 6 file size, 7 allocated size, 8 log size, 9 free pages, 10 retained pages,
   *   11 txnid, 12 checkpoint txnid, 13 flushed txnid, 14 tables.
   * - Thread: the session's own.
   * - Returns: 0. Codes: closed, corrupt, txn_ended, io.
   */
  stats: {
    parameters: [
      ["session", "u32"],
      ["scope", "u32"],
    ],
    result: "i32",
  },
  /**
   * Lists the reader slots in use, as many as fit.
   *
   * - Memory: rows of four f64 in the data area until the next call: pid, txnid, lag, age in ms.
   * - Thread: the session's own.
   * - Returns: rows. Codes: closed.
   */
  readers: {
    parameters: [
      ["session", "u32"],
    ],
    result: "i32",
  },
  /**
   * Begins a walk over every page of the newest state.
   *
   * - Memory: words[0] = pages to visit.
   * - Thread: the session's own.
   * - Returns: a check. Codes: closed, corrupt, readers_full, out_of_memory.
   */
  check_begin: {
    parameters: [
      ["session", "u32"],
    ],
    result: "i32",
  },
  /**
   * Walks on, over about `page_budget` pages.
   *
   * - Memory: words: 0 pages done, 1 pages in all, 2 pages found, 3 entries, 4 errors so far, 5 errors
   *   of this step, which lie in the data area until the next call, each: [u32 page][u32 table size or
   *   0xffffffff][u32 message size][table][message].
   * - Thread: the session's own.
   * - Returns: 1 when finished, else 0. Codes: closed, txn_ended, io, out_of_memory.
   */
  check_step: {
    parameters: [
      ["session", "u32"],
      ["check", "u32"],
      ["page_budget", "u32"],
    ],
    result: "i32",
  },
  /**
   * Ends a walk, finished or not.
   *
   * - Memory: none.
   * - Thread: the session's own.
   * - Returns: 0. Codes: closed, txn_ended.
   */
  check_end: {
    parameters: [
      ["session", "u32"],
      ["check", "u32"],
    ],
    result: "i32",
  },
  /**
   * Begins a copy of the newest state into a new file at `path`.
   *
   * - Memory: reads `path` during the call only; words[0] = bytes to write.
   * - Thread: the session's own.
   * - Returns: a backup. Codes: closed, not_found, permission, options, no_space, io, readers_full,
   *   out_of_memory.
   */
  backup_begin: {
    parameters: [
      ["session", "u32"],
      ["path", "buffer"],
      ["path_size", "u32"],
      ["compact", "u32"],
    ],
    result: "i32",
  },
  /**
   * Writes a part of the copy; the last step flushes it and gives it its name.
   *
   * - Memory: words: 0 bytes done, 1 bytes in all.
   * - Thread: the session's own.
   * - Returns: 1 when finished, else 0. Codes: closed, corrupt, txn_ended, no_space, io, permission,
   *   options.
   */
  backup_step: {
    parameters: [
      ["session", "u32"],
      ["backup", "u32"],
    ],
    result: "i32",
  },
  /**
   * Ends a backup, and removes what was written if it is not finished.
   *
   * - Memory: none.
   * - Thread: the session's own.
   * - Returns: 0. Codes: closed, txn_ended.
   */
  backup_end: {
    parameters: [
      ["session", "u32"],
      ["backup", "u32"],
    ],
    result: "i32",
  },
} as const;

/** Sizes and places that both sides of the boundary must agree on. */
export const limits = {
  /** Bytes of a session's scratch. */
  scratch_size: 262144,
  /** f64 numbers at the beginning of the scratch. */
  word_count: 64,
  /** Where key area A begins in the scratch. */
  key_a_offset: 512,
  /** Where key area B begins in the scratch. */
  key_b_offset: 33280,
  /** Bytes of each key area. */
  key_area_size: 32768,
  /** Where the data area begins in the scratch. */
  data_offset: 66048,
  /** Bytes of the data area. */
  data_size: 196096,
  /** Values of a range from this size on go to the block of its caller. */
  block_value_min: 1024,
  /** Each value in a block begins at a multiple of it. */
  block_alignment: 8,
  /** The largest piece of memory that is lent, bytes. */
  lent_size_max: 2097152,
  /** The longest name of a codec, bytes. */
  codec_name_size_max: 64,
  /** The attribute that adopts what the store keeps. */
  adopt: 255,
} as const;

/** Bits of the parameter `flags` of ranges. */
export const rangeFlags = {
  /** Key area A holds the lower bound. */
  has_start: 1,
  /** Key area B holds the upper bound. */
  has_end: 2,
  /** The lower bound itself is not part of the range. */
  exclusive_start: 4,
  /** The upper bound itself is part of the range. */
  inclusive_end: 8,
  /** From the greatest key to the smallest. */
  reverse: 16,
  /** Rows without values: each value_size is 0. */
  keys_only: 32,
} as const;

/** Bits of the parameter `flags` of puts. */
export const putFlags = {
  /** Write only if the key is absent. */
  if_absent: 1,
  /** The key must be greater than every key of the table. */
  append: 2,
} as const;

/** Bits of `OpenOptions.flags`. */
export const openFlags = {
  /** Never write. */
  read_only: 1,
  /** Share with no other process. */
  exclusive: 2,
  /** Create the store if it is absent. */
  create: 4,
  /** Let the system read ahead. */
  readahead: 8,
} as const;

/** Numbers of the key encodings. */
export const keyEncodings = {
  /** Any key, in the order of the contract. */
  ordered: 0,
  /** UTF-8. */
  string: 1,
  /** Bytes as given. */
  binary: 2,
  /** Four bytes, big-endian. */
  u32_number: 3,
  /** Eight bytes, big-endian. */
  u64_number: 4,
} as const;

/** Numbers of the value encodings. */
export const encodings = {
  /** MessagePack. */
  msgpack: 0,
  /** JSON. */
  json: 1,
  /** UTF-8. */
  string: 2,
  /** Bytes as given. */
  binary: 3,
  /** A codec of the user's own, known by its name. */
  custom: 4,
} as const;

/** Options of `open`. Begins with its own size, so that it can grow. */
export const openOptionsLayout = {
  size: 128,
  fields: {
    /** Bytes of this struct. */
    size: { type: "u32", offset: 0, size: 4 },
    /** `open_flags`. */
    flags: { type: "u32", offset: 4, size: 4 },
    /** 0 for the default, or for that of a store that exists. */
    page_size: { type: "u32", offset: 8, size: 4 },
    /** 0 once, 1 always, 2 never. */
    verify: { type: "u32", offset: 12, size: 4 },
    /** Upper bound of the data file, bytes. */
    max_size: { type: "f64", offset: 16, size: 8 },
    /** Log bytes that make a checkpoint due; 0 for the default. */
    checkpoint_bytes: { type: "f64", offset: 24, size: 8 },
    /** How long to wait for a lock. */
    lock_timeout_ms: { type: "u32", offset: 32, size: 4 },
    /** `key_encodings`, for the unnamed table of a store created here. */
    key_encoding: { type: "u32", offset: 36, size: 4 },
    /** `encodings`, likewise. */
    encoding: { type: "u32", offset: 40, size: 4 },
    /** Bytes of the codec's name. */
    codec_name_size: { type: "u32", offset: 44, size: 4 },
    /** The codec's name, UTF-8. */
    codec_name: { type: "bytes", offset: 48, size: 64 },
    /** Zero. */
    reserved: { type: "bytes", offset: 112, size: 16 },
  },
} as const;

/** Each failure: its number, and the code callers see. */
export const codes = {
  /** The key, table or store asked for does not exist. */
  not_found: { number: -1, name: "ZEOLITE_NOT_FOUND" },
  /** The session has been closed. */
  closed: { number: -2, name: "ZEOLITE_CLOSED" },
  /** Another thread or process holds what is needed, and did not let go in time. */
  busy: { number: -3, name: "ZEOLITE_BUSY" },
  /** Bytes read from the store contradict its format or a checksum. */
  corrupt: { number: -4, name: "ZEOLITE_CORRUPT" },
  /** The file is not a Zeolite store. */
  not_a_store: { number: -5, name: "ZEOLITE_NOT_A_STORE" },
  /** The store was written by a version, or with a feature, that this library does not know. */
  version: { number: -6, name: "ZEOLITE_VERSION" },
  /** The store has reached its maximum size. */
  full: { number: -7, name: "ZEOLITE_FULL" },
  /** The disk is full, or a quota is used up. */
  no_space: { number: -8, name: "ZEOLITE_NO_SPACE" },
  /** A read, write or flush failed. */
  io: { number: -9, name: "ZEOLITE_IO" },
  /** A flush failed earlier: no writes until every process has closed the store. */
  poisoned: { number: -10, name: "ZEOLITE_POISONED" },
  /** The store was opened for reading, or lies on a read-only file system. */
  read_only: { number: -11, name: "ZEOLITE_READ_ONLY" },
  /** The system does not let this process open, create or lock the file. */
  permission: { number: -12, name: "ZEOLITE_PERMISSION" },
  /** Every reader slot is taken. */
  readers_full: { number: -13, name: "ZEOLITE_READERS_FULL" },
  /** The key is longer than this store allows. */
  key_size: { number: -14, name: "ZEOLITE_KEY_SIZE" },
  /** The value is longer than a value may be. */
  value_size: { number: -15, name: "ZEOLITE_VALUE_SIZE" },
  /** The key is not greater than the last one, as an append demands. */
  key_order: { number: -16, name: "ZEOLITE_KEY_ORDER" },
  /** The key is not of the type that its encoding takes. */
  key_type: { number: -17, name: "ZEOLITE_KEY_TYPE" },
  /** The transaction, snapshot, range or handle has ended. */
  txn_ended: { number: -18, name: "ZEOLITE_TXN_ENDED" },
  /** An argument is out of bounds, or contradicts what the store keeps. */
  options: { number: -19, name: "ZEOLITE_OPTIONS" },
  /** The changes asked for are no longer in the log. */
  changes_lost: { number: -20, name: "ZEOLITE_CHANGES_LOST" },
  /** The library does not fit its caller. */
  library: { number: -21, name: "ZEOLITE_LIBRARY" },
  /** The value does not fit the data area: fetch it with `value_copy`. Never leaves `src`. */
  large: { number: -22, name: "ZEOLITE_VALUE_SIZE" },
  /** The system has no memory left to give. */
  out_of_memory: { number: -23, name: "ZEOLITE_NO_SPACE" },
} as const;
