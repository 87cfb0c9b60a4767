/**
 * putMany: entries packed into rows and handed to the engine in large pieces.
 * All entries of one call are kept or none: who calls this does it inside a frame.
 */
import { copyShort } from "./codec/copy.ts";
import type { Key } from "./codec/key.ts";
import { SHORT_TEXT_MAX } from "./codec/text.ts";
import { handOver, LARGE_MIN } from "./codec/value.ts";
import { describe, typeError } from "./error.ts";
import { assertUsable, type Session } from "./session.ts";
import type { TableState } from "./table_state.ts";
import { encodeKey, encodeValue, type PutCondition, putEncoded, putPrepared } from "./write.ts";
import { type Target, writeError } from "./write.ts";

/** One entry that was encoded before. */
export interface EncodedEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Bytes of rows that are handed over at once; more than a key and the data area together. */
export const ROWS_SIZE: number = 1 << 18;
/** Bytes before the key of a row: its size and that of the value. */
export const ROW_HEADER = 8;

/** Rows under way to the engine. Each begins at a word. */
export interface PackedRows {
  readonly bytes: Uint8Array;
  /** The same memory. */
  readonly words: Uint32Array;
  used: number;
  count: number;
}

let keptRows: PackedRows | null = null;

/** Writes entries as they come; how many were written. */
export function putManyNow(
  target: Target,
  entries: Iterable<readonly [unknown, unknown]>,
  condition: PutCondition,
): number {
  const { session, table } = target;
  // The entries may come from code of the caller, which may call this again.
  const rows = takeRows();
  let stored = 0;
  for (const entry of entries) {
    assertEntry(entry);
    if (condition.expected !== null) {
      const { key, value } = encodeEntry(session, table, entry);
      stored += putEncoded(target, key, value, condition) ? 1 : 0;
      continue;
    }
    stored += packEntry(target, rows, entry, condition.flags);
  }
  stored += sendRows(target, rows, condition.flags);
  keepRows(rows);
  return stored;
}

/** Rows to fill; keepRows() takes them back. */
export function takeRows(): PackedRows {
  const rows = keptRows ?? makeRows();
  keptRows = null;
  rows.used = rows.count = 0;
  return rows;
}

/** Keeps rows for the next who asks. */
export function keepRows(rows: PackedRows): void {
  keptRows = rows;
}

/** Adds an entry to the rows, which are handed over first if need be; how many were written. */
export function packEntry(
  target: Target,
  rows: PackedRows,
  entry: readonly [unknown, unknown],
  flags: number,
): number {
  const { values, keys } = target.table;
  const bytes = values.bytesOf === null ? null : values.bytesOf(entry[1]);
  if (bytes === null || keys.short === null || bytes.length >= LARGE_MIN) {
    return packAny(target, rows, entry, bytes, flags);
  }
  const size = bytes.length;
  const stored = rows.used + ROW_HEADER + SHORT_TEXT_MAX + size > ROWS_SIZE
    ? sendRows(target, rows, flags)
    : 0;
  const at = rows.used;
  const { words } = rows;
  const keySize = keys.short(words, (at + ROW_HEADER) >> 2, entry[0] as Key);
  if (keySize < 0) return stored + packAny(target, rows, entry, bytes, flags);
  words[at >> 2] = keySize;
  words[(at >> 2) + 1] = size;
  rows.bytes.set(bytes, at + ROW_HEADER + keySize);
  rows.used = (at + ROW_HEADER + keySize + size + 3) & ~3;
  rows.count += 1;
  return stored;
}

/** The same for keys and values of any kind; `bytes` are those of the value, if it has some. */
function packAny(
  target: Target,
  rows: PackedRows,
  entry: readonly [unknown, unknown],
  bytes: Uint8Array | null,
  flags: number,
): number {
  const { session, table, writer } = target;
  const { values, keys } = table;
  const { data, keyA } = session.scratch;
  let size = 0;
  if (bytes === null) {
    size = values.encode(data, entry[1]);
  } else if (bytes.length >= LARGE_MIN) {
    size = handOver(data, bytes);
  } else {
    data.large = null;
  }
  const keySize = keys.encode(keyA, entry[0] as Key);
  if (data.large !== null) {
    const stored = sendRows(target, rows, flags);
    return putPrepared(session, table, writer, keySize, size, flags) ? stored + 1 : stored;
  }
  // Code of the caller that made the key may have changed how long they are.
  if (bytes !== null) size = bytes.length;
  const needed = ROW_HEADER + keySize + size;
  const stored = rows.used + needed > ROWS_SIZE ? sendRows(target, rows, flags) : 0;
  rows.words[rows.used >> 2] = keySize;
  rows.words[(rows.used >> 2) + 1] = size;
  const at = rows.used + ROW_HEADER;
  copyShort(keyA.bytes, rows.bytes, at, keySize);
  if (bytes === null) copyShort(data.bytes, rows.bytes, at + keySize, size);
  else rows.bytes.set(bytes, at + keySize);
  rows.used += (needed + 3) & ~3;
  rows.count += 1;
  return stored;
}

/** Writes entries that were encoded before; how many were written. */
export function putManyEncoded(
  target: Target,
  entries: readonly EncodedEntry[],
  condition: PutCondition,
): number {
  let stored = 0;
  for (const { key, value } of entries) {
    stored += putEncoded(target, key, value, condition) ? 1 : 0;
  }
  return stored;
}

/** Encodes all entries, to be written later. */
export function encodeEntries(
  session: Session,
  table: TableState,
  entries: Iterable<readonly [unknown, unknown]>,
): EncodedEntry[] {
  const encoded: EncodedEntry[] = [];
  for (const entry of entries) {
    assertEntry(entry);
    encoded.push(encodeEntry(session, table, entry));
  }
  return encoded;
}

/** Refuses what is not an iterable, before anything is begun for it. */
export function assertIterable(entries: unknown): void {
  if (typeof entries === "object" && entries !== null && Symbol.iterator in entries) return;
  throw typeError(
    "ZEOLITE_OPTIONS",
    `Cannot put many: found ${describe(entries)}; pass an iterable of [key, value]`,
  );
}

function assertEntry(entry: unknown): void {
  if (Array.isArray(entry) && entry.length === 2) return;
  throw typeError(
    "ZEOLITE_OPTIONS",
    `Cannot put many: found ${describe(entry)} among the entries; each is a [key, value]`,
  );
}

function encodeEntry(
  session: Session,
  table: TableState,
  entry: readonly [unknown, unknown],
): EncodedEntry {
  const value = encodeValue(session, table, entry[1]);
  return { key: encodeKey(session, table, entry[0] as Key), value };
}

function makeRows(): PackedRows {
  const memory = new ArrayBuffer(ROWS_SIZE);
  return { bytes: new Uint8Array(memory), words: new Uint32Array(memory), used: 0, count: 0 };
}

/** Hands the rows over; how many were written. */
export function sendRows(target: Target, rows: PackedRows, flags: number): number {
  const { session, table, writer } = target;
  const { bytes, used, count } = rows;
  assertUsable(writer);
  if (count === 0) return 0;
  rows.used = rows.count = 0;
  const { call, handle } = session;
  const stored = call.put_many(handle, writer.handle, table.index, bytes, used, count, flags);
  if (stored < 0) throw writeError(target, stored, "put many");
  writer.operations += 1;
  return stored;
}
