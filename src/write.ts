/**
 * Writing one table in a write transaction that is open: the engine's calls with keys and values
 * encoded for them. Whose transaction it is, when it commits and what is promised is not known
 * here.
 *
 * Encoding may run code of the caller, which may use the store. It is therefore done before the
 * transaction is joined, or into memory of its own; between the scratch and the call that reads it
 * no such code runs.
 */
import { putFlags } from "../ffi/abi.ts";
import type { Writer } from "./batch.ts";
import { copyBytes, sliceBytes } from "./codec/copy.ts";
import type { Key } from "./codec/key.ts";
import { sourceOf } from "./codec/text.ts";
import { putBytes } from "./codec/value.ts";
import { assertSynchronous, typeError } from "./error.ts";
import { failure, LARGE, NOT_FOUND, OPTIONS } from "./library.ts";
import { booleanOption, type OpenSettings, optionsObject } from "./options.ts";
import { assertUsable, type Session } from "./session.ts";
import type { TableState } from "./table_state.ts";

/** When a put writes. */
export interface PutOptions {
  /** Write only if the key is absent; else the result is false. */
  ifAbsent?: boolean;
  /** Write only if the stored value equals this one, encoded; undefined means absent. */
  ifValue?: unknown;
  /** Keys come in order: bulk load; ZEOLITE_KEY_ORDER if they do not. */
  append?: boolean;
}

/** When a put writes, checked. */
export interface PutCondition {
  /** Flags of the engine. */
  readonly flags: number;
  /** The bytes that must be stored now, for a compare and set. */
  readonly expected: Uint8Array | null;
}

/** Bytes of a value beyond which its flush takes visibly longer than that of a small one. */
const LARGE_SIZE = 1 << 16;

/** A put without a condition. */
const ALWAYS: PutCondition = { flags: 0, expected: null };

/** One table in one write transaction. */
export interface Target {
  readonly session: Session;
  readonly table: TableState;
  readonly writer: Writer;
}

/** Checks the options of a put and encodes the value it expects. */
export function putCondition(
  session: Session,
  table: TableState,
  options: PutOptions | undefined,
): PutCondition {
  if (options === undefined) return ALWAYS;
  const given = optionsObject(options);
  const isAbsent = booleanOption("ifAbsent", given.ifAbsent, false);
  const isAppend = booleanOption("append", given.append, false);
  const flags = (isAbsent ? putFlags.if_absent : 0) | (isAppend ? putFlags.append : 0);
  if (!("ifValue" in given)) return { flags, expected: null };
  if (flags !== 0) {
    throw typeError(
      "ZEOLITE_OPTIONS",
      "Cannot put with ifValue and also ifAbsent or append: pass one of them",
    );
  }
  if (given.ifValue === undefined) return { flags: putFlags.if_absent, expected: null };
  return { flags, expected: encodeValue(session, table, given.ifValue) };
}

/** The bytes of a value, in memory of their own. */
export function encodeValue(session: Session, table: TableState, value: unknown): Uint8Array {
  const { data } = session.scratch;
  const size = table.values.encode(data, value);
  return data.large === null ? copyBytes(data, 0, size) : sliceBytes(data.large, 0, size);
}

/** The bytes of a key, in memory of their own. */
export function encodeKey(session: Session, table: TableState, key: Key): Uint8Array {
  const { keyA } = session.scratch;
  return copyBytes(keyA, 0, table.keys.encode(keyA, key));
}

/** The error of a write that the engine refused. */
export function writeError(target: Target, result: number, doing: string): Error {
  const { session, table, writer } = target;
  const error = session.writeFailed(writer, result, doing);
  // A table that somebody else created meanwhile is taken as what it is, from the next write on.
  if (result === OPTIONS) table.adopt(session);
  return error;
}

/** Writes the key in area A with the value that was encoded last; whether it was written. */
export function putPrepared(
  session: Session,
  table: TableState,
  writer: Writer,
  keySize: number,
  valueSize: number,
  flags: number,
): boolean {
  const { call, handle } = session;
  const { large } = session.scratch.data;
  const result = large === null
    ? call.put(handle, writer.handle, table.index, keySize, valueSize, flags)
    : call.put_buffer(handle, writer.handle, table.index, keySize, large, valueSize, flags);
  if (result < 0) throw writeError({ session, table, writer }, result, "put");
  if (large !== null && valueSize > LARGE_SIZE) writer.isLarge = true;
  writer.operations += 1;
  return result === 1;
}

/** Writes the key in area A with the value that was encoded last, as a transaction of its own. */
export function putAlone(
  session: Session,
  table: TableState,
  keySize: number,
  valueSize: number,
  { lockTimeout, durability }: OpenSettings,
): void {
  const result = session.call.put_commit(
    session.handle,
    table.index,
    keySize,
    valueSize,
    lockTimeout,
    durability === "durable" ? 1 : 0,
  );
  if (result >= 0) return;
  // A table that somebody else created meanwhile is taken as what it is, from the next write on.
  if (result === OPTIONS) table.adopt(session);
  throw failure(result, "put");
}

/** Writes a key and a value that were encoded before; whether they were written. */
export function putEncoded(
  target: Target,
  key: Uint8Array,
  value: Uint8Array,
  condition: PutCondition,
): boolean {
  const { session, table, writer } = target;
  const { data, keyA } = session.scratch;
  keyA.bytes.set(key);
  const { expected, flags } = condition;
  if (expected !== null && !isStored(target, key.length, expected)) return false;
  if (value.length <= data.room.length) putBytes(data, value, 0, value.length);
  else data.large = value;
  return putPrepared(session, table, writer, key.length, value.length, flags);
}

/** Whether the key in area A has exactly these bytes as its value. */
function isStored(target: Target, keySize: number, expected: Uint8Array): boolean {
  target.writer.operations += 1;
  const found = readStored(target, keySize);
  if (found === null || found.length !== expected.length) return false;
  for (let index = 0; index < expected.length; index += 1) {
    if (found[index] !== expected[index]) return false;
  }
  return true;
}

/** The value of the key in area A as the transaction sees it; valid until the next call. */
function readStored(target: Target, keySize: number): Uint8Array | null {
  const { session, table, writer } = target;
  const { call, handle, scratch, words } = session;
  const size = call.get(handle, writer.handle, table.index, keySize);
  if (size === NOT_FOUND) return null;
  if (size >= 0) return scratch.data.bytes.subarray(0, size);
  if (size !== LARGE) throw writeError(target, size, "read");
  const bytes = new Uint8Array(new ArrayBuffer(words[0]!));
  const copied = call.value_copy(handle, bytes, bytes.length);
  if (copied < 0) throw failure(copied, "read");
  return bytes;
}

/** Removes a key, if its value is the expected one; whether it was there. */
export function removeEncoded(
  target: Target,
  key: Uint8Array,
  expected: Uint8Array | null,
): boolean {
  const { session, table, writer } = target;
  session.scratch.keyA.bytes.set(key);
  if (expected !== null && !isStored(target, key.length, expected)) return false;
  const result = session.call.remove(session.handle, writer.handle, table.index, key.length);
  if (result < 0) throw writeError(target, result, "remove");
  writer.operations += 1;
  return result === 1;
}

/** Stores what `f` makes of a key's value, or removes the key for undefined; what `f` returned. */
export function updateEncoded(
  target: Target,
  key: Uint8Array,
  f: (old: unknown) => unknown,
): unknown {
  const { session, table, writer } = target;
  session.scratch.keyA.bytes.set(key);
  const stored = readStored(target, key.length)?.slice();
  const made = session.hold(() => {
    const old = stored && table.values.decode(sourceOf(stored), 0, stored.length, true);
    const value = f(old);
    assertSynchronous(value, "update");
    return { value, bytes: value === undefined ? null : encodeValue(session, table, value) };
  });
  assertUsable(writer);
  if (made.bytes === null) removeEncoded(target, key, null);
  else putEncoded(target, key, made.bytes, ALWAYS);
  return made.value;
}

/** Removes every entry of a table. */
export function clearTable(target: Target): void {
  const { session, table, writer } = target;
  const result = session.call.clear(session.handle, writer.handle, table.index);
  if (result < 0) throw writeError(target, result, "clear");
  writer.operations += 1;
}
