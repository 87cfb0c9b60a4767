/**
 * getMany: many keys in one call of the engine. Keys go in one buffer, values come back in another,
 * both kept between calls. All values are of one state.
 */
import type { Key } from "./codec/key.ts";
import { fetchText, renew, type Source, sourceOf } from "./codec/text.ts";
import { failure } from "./library.ts";
import type { Scope } from "./scope.ts";
import type { Session } from "./session.ts";
import type { TableState } from "./table_state.ts";

/** Keys packed one after the other, each with its size before it, at a multiple of four. */
interface PackedKeys {
  readonly packed: Packed;
  readonly size: number;
}

/** Bytes, also as words. */
interface Packed {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
}

/** In place of the size of a value that is not there. */
const ABSENT = 0xffff_ffff;
/** First size of the buffer for values. */
const OUT_SIZE = 1 << 18;
/** Buffers up to this size are kept for the next call. */
const KEPT_MAX = 1 << 22;

let keptKeys: Packed | null = null;
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
  const { packed, size } = packKeys(session, table, keys);
  // A value may be decoded by code of the caller, which may call this again.
  let out = keptOut ?? makeOut(OUT_SIZE);
  keptOut = null;
  let handle = scope.handle;
  try {
    for (let at = 0; found.length < keys.length;) {
      const count = keys.length - found.length;
      const bytes = packed.bytes.subarray(at, size);
      const answered = ask(session, handle, table, { bytes, count }, out);
      if (answered === 0) out = makeOut(session.words[0]! + 16);
      if (answered < count && handle === 0 && session.batch === null) {
        handle = pinState(session);
        continue;
      }
      decodeValues(table, out, answered, found);
      if (answered < count) at = skipKeys(packed.words, at, answered);
    }
  } finally {
    if (handle !== scope.handle) session.call.snapshot_end(session.handle, handle);
  }
  if (packed.bytes.length <= KEPT_MAX) keptKeys = packed;
  if (out.bytes.length <= KEPT_MAX) keptOut = out;
  return found;
}

function makeOut(size: number): Source {
  return sourceOf(new Uint8Array(new ArrayBuffer(size)), true);
}

/** One call of the engine; how many keys it answered. */
function ask(
  session: Session,
  scope: number,
  table: TableState,
  asked: { readonly bytes: Uint8Array; readonly count: number },
  out: Source,
): number {
  const { call, handle, words } = session;
  const { bytes, count } = asked;
  const space = out.bytes;
  const keysSize = bytes.length;
  const { index } = table;
  const found = call.get_many(handle, scope, index, bytes, keysSize, count, space, space.length);
  if (found < 0) throw failure(found, "get many");
  renew(out, 0, 0, words[1]!);
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
  const { keys: codec } = table;
  const from = keyA.words;
  let packed = keptKeys ?? makePacked(1 << 16);
  keptKeys = null;
  let place = 0;
  for (let index = 0; index < keys.length; index += 1) {
    fetchText(keys, index);
    const keySize = codec.encode(keyA, keys[index]!);
    const end = place + 1 + ((keySize + 3) >> 2);
    if (end > packed.words.length) packed = grown(packed, end * 4);
    const { words } = packed;
    words[place++] = keySize;
    for (let word = 0; place < end; word += 1) words[place++] = from[word]!;
  }
  return { packed, size: place * 4 };
}

function makePacked(size: number): Packed {
  const memory = new ArrayBuffer(size);
  return { bytes: new Uint8Array(memory), words: new Uint32Array(memory) };
}

/** A larger one with the same beginning. */
function grown({ bytes }: Packed, needed: number): Packed {
  const larger = makePacked(Math.max(needed, bytes.length * 2));
  larger.bytes.set(bytes);
  return larger;
}

/** Where the key behind so many keys begins. */
function skipKeys(words: Uint32Array, start: number, count: number): number {
  let place = start >> 2;
  for (let index = 0; index < count; index += 1) place += 1 + ((words[place]! + 3) >> 2);
  return place * 4;
}

/** Decodes the values of an answer. */
function decodeValues(table: TableState, out: Source, count: number, found: unknown[]): void {
  const { words } = out;
  const { values } = table;
  let at = 0;
  for (let index = 0; index < count; index += 1) {
    const size = words[at >> 2]!;
    at += 4;
    if (size === ABSENT) {
      found.push(undefined);
      continue;
    }
    found.push(values.decode(out, at, at + size, false));
    at += (size + 3) & ~3;
  }
}
