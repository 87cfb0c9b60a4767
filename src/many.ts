/**
 * getMany: many keys in one call of the engine. Keys go in one buffer, values come back in another,
 * both kept between calls. All values are of one state.
 */
import { copyShort } from "./codec/copy.ts";
import type { Key } from "./codec/key.ts";
import { type Source, sourceOf } from "./codec/text.ts";
import { failure } from "./library.ts";
import type { Scope } from "./scope.ts";
import type { Session } from "./session.ts";
import type { TableState } from "./table_state.ts";

/** Keys packed one after the other, each with its size before it. */
interface PackedKeys {
  readonly bytes: Uint8Array;
  readonly size: number;
}

/** First size of the buffer for values. */
const OUT_SIZE = 1 << 18;
/** Buffers up to this size are kept for the next call. */
const KEPT_MAX = 1 << 22;

let keptKeys: Uint8Array | null = null;
let keptOut: Source | null = null;

/** The values of many keys, in their order. */
export function getMany(
  session: Session,
  scope: Scope,
  table: TableState,
  keys: readonly Key[],
): unknown[] {
  const found: unknown[] = [];
  if (keys.length === 0) return found;
  const packed = packKeys(session, table, keys);
  // A value may be decoded by code of the caller, which may call this again.
  let out = keptOut ?? makeOut(OUT_SIZE);
  keptOut = null;
  let handle = scope.handle;
  try {
    for (let at = 0; found.length < keys.length;) {
      const count = keys.length - found.length;
      const bytes = packed.bytes.subarray(at, packed.size);
      const answered = ask(session, handle, table, { bytes, count }, out);
      if (answered === 0) out = makeOut(session.words[0]! + 16);
      if (answered < count && handle === 0 && session.batch === null) {
        handle = pinState(session);
        continue;
      }
      decodeValues(table, out, answered, found);
      at = skipKeys(packed.bytes, at, answered);
    }
  } finally {
    if (handle !== scope.handle) session.call.snapshot_end(session.handle, handle);
  }
  if (packed.bytes.length <= KEPT_MAX) keptKeys = packed.bytes;
  if (out.bytes.length <= KEPT_MAX) keptOut = out;
  return found;
}

function makeOut(size: number): Source {
  return sourceOf(new Uint8Array(new ArrayBuffer(size)));
}

/** One call of the engine; how many keys it answered. */
function ask(
  session: Session,
  scope: number,
  table: TableState,
  asked: { readonly bytes: Uint8Array; readonly count: number },
  out: Source,
): number {
  const { call, handle } = session;
  const { bytes, count } = asked;
  const space = out.bytes;
  const keysSize = bytes.length;
  const { index } = table;
  const found = call.get_many(handle, scope, index, bytes, keysSize, count, space, space.length);
  if (found < 0) throw failure(found, "get many");
  return found;
}

/** Holds one state for the calls to come: the values did not fit into one. */
function pinState(session: Session): number {
  session.pin();
  const handle = session.call.snapshot_begin(session.handle);
  if (handle < 0) throw failure(handle, "get many");
  return handle;
}

/** Packs keys as the engine reads them. */
function packKeys(session: Session, table: TableState, keys: readonly Key[]): PackedKeys {
  const { keyA } = session.scratch;
  let bytes = keptKeys ?? new Uint8Array(new ArrayBuffer(1 << 16));
  keptKeys = null;
  let size = 0;
  for (let index = 0; index < keys.length; index += 1) {
    const keySize = table.keys.encode(keyA, keys[index]!);
    if (size + 4 + keySize > bytes.length) bytes = grown(bytes, size + 4 + keySize);
    bytes[size] = keySize;
    bytes[size + 1] = keySize >> 8;
    bytes[size + 2] = keySize >> 16;
    bytes[size + 3] = 0;
    size += 4;
    copyShort(keyA.bytes, bytes, size, keySize);
    size += keySize;
  }
  return { bytes, size };
}

/** A larger buffer with the same beginning. */
function grown(bytes: Uint8Array, needed: number): Uint8Array {
  const larger = new Uint8Array(new ArrayBuffer(Math.max(needed, bytes.length * 2)));
  larger.set(bytes);
  return larger;
}

/** Where the key behind so many keys begins. */
function skipKeys(bytes: Uint8Array, start: number, count: number): number {
  let at = start;
  for (let index = 0; index < count; index += 1) {
    at += 4 + (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16));
  }
  return at;
}

/** Decodes the values of an answer. */
function decodeValues(table: TableState, out: Source, count: number, found: unknown[]): void {
  const { bytes } = out;
  let at = 0;
  for (let index = 0; index < count; index += 1) {
    const size = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) |
      (bytes[at + 3]! << 24);
    at += 4;
    if (size === -1) {
      found.push(undefined);
      continue;
    }
    found.push(table.values.decode(out, at, at + (size >>> 0), false));
    at += size >>> 0;
  }
}
