/**
 * Reading one table in one state: the latest, a snapshot, or a transaction.
 * The way of a get: the key is encoded into the scratch, the engine copies the value into it, the
 * value is decoded from there; one that is its bytes is copied once, into memory for the caller.
 * Nothing is allocated on that way but the result.
 */
import type { Access } from "./access.ts";
import { takeBytes } from "./codec/copy.ts";
import type { Key } from "./codec/key.ts";
import { sourceOf } from "./codec/text.ts";
import { describe, notAvailable, typeError, ZeoliteError } from "./error.ts";
import { type Calls, failure, LARGE, NOT_FOUND, OPTIONS } from "./library.ts";
import { getMany } from "./many.ts";
import { Range, type RangeIterable, type RangeOptions } from "./range.ts";
import { placeBounds, rangeBounds, type RangeReading } from "./range.ts";
import { type Scope, scopeEnded } from "./scope.ts";
import type { TableState } from "./table_state.ts";
import type { BytesView } from "./window.ts";

/**
 * What can be read: the latest state, a Snapshot, or a transaction. Keys and values are as the
 * table's encodings say. Bytes that get, getBinary, getMany and ranges return belong to the caller;
 * several may share one larger ArrayBuffer, as with Buffer.
 */
// deno-lint-ignore no-explicit-any
export interface Reader<V = any, K extends Key = Key> {
  /**
   * The value of a key.
   *
   * @param key The key.
   * @returns Its value, or undefined if it has none.
   * @throws {TypeError} ZEOLITE_KEY_TYPE for a key that the table's encoding does not take.
   * @throws {RangeError} ZEOLITE_KEY_SIZE for a key that is too long.
   * @throws {ZeoliteError} ZEOLITE_CLOSED, ZEOLITE_TXN_ENDED, ZEOLITE_CORRUPT.
   * @example
   * ```ts
   * import { open } from "zeolite";
   *
   * using store = open("people.zeo");
   * await store.put("alice", { age: 30 });
   * console.log(store.get("alice")); // { age: 30 }
   * ```
   */
  get(key: K): V | undefined;
  /**
   * The stored bytes of a key's value, whatever its encoding.
   *
   * @param key The key.
   * @returns A copy of the bytes, or undefined.
   * @throws As get().
   */
  getBinary(key: K): Uint8Array | undefined;
  /**
   * The stored bytes of a key's value where they lie, without a copy. Valid until the snapshot or
   * transaction it was read in ends; from a Table, until the current turn of the event loop ends.
   * Later it may show other bytes; after close() it is detached and empty. Reading it never crashes
   * the process, a store into it does.
   *
   * @param key The key.
   * @returns A view of the bytes, or undefined.
   * @throws As get().
   */
  getView(key: K): BytesView | undefined;
  /**
   * Whether a key is there; reads no value.
   *
   * @param key The key.
   * @returns Whether it is there.
   * @throws As get().
   */
  has(key: K): boolean;
  /**
   * The values of many keys in one call, their lookups overlapped, all of one state.
   *
   * @param keys The keys.
   * @returns Their values in the same order, undefined for those that are not there.
   * @throws As get().
   */
  getMany(keys: readonly K[]): (V | undefined)[];
  /**
   * The keys and values of a range.
   *
   * @param range Which part of the table, and in which order; all of it if left out.
   * @returns The rows, lazy and restartable.
   * @throws {TypeError} ZEOLITE_OPTIONS or ZEOLITE_KEY_TYPE for what is not a range.
   * @example
   * ```ts
   * import { open } from "zeolite";
   *
   * using store = open("events.zeo");
   * await store.put(["2026-01-01", 1], "begin");
   * for (const { key, value } of store.getRange({ prefix: ["2026-01-01"] })) {
   *   console.log(key, value);
   * }
   * ```
   */
  getRange(range?: RangeOptions<K>): RangeIterable<{ key: K; value: V }>;
  /**
   * The keys of a range; reads no values.
   *
   * @param range Which part of the table, and in which order.
   * @returns The keys, lazy and restartable.
   * @throws As getRange().
   */
  getKeys(range?: RangeOptions<K>): RangeIterable<K>;
  /**
   * The values of one key of a table with dupSort. Not available yet.
   *
   * @param key The key.
   * @param range Their order, and how many.
   * @returns The values.
   * @throws {ZeoliteError} ZEOLITE_OPTIONS always.
   */
  getValues(key: K, range?: { reverse?: boolean; limit?: number }): RangeIterable<V>;
  /**
   * How many entries a range has: exact, without walking it.
   *
   * @param range Which part of the table.
   * @returns Their number.
   * @throws As getRange().
   */
  getCount(range?: RangeOptions<K>): number;
}

/** One table in one state. */
export class TableReader<V, K extends Key> implements Reader<V, K> {
  /** The Store it belongs to. */
  protected readonly access: Access;
  /** The table. */
  protected readonly state: TableState;
  /** The state. */
  protected readonly scope: Scope;
  /** The engine's functions. */
  protected readonly call: Calls;

  constructor(access: Access, table: TableState, scope: Scope) {
    this.access = access;
    this.state = table;
    this.scope = scope;
    this.call = access.session.call;
  }

  get(key: K): V | undefined {
    const keySize = this.#place(key);
    const { session } = this.access;
    const { values, index } = this.state;
    if (values.adopt !== null) {
      const bytes = this.#fetch(key, keySize);
      return bytes === undefined ? undefined : values.adopt(bytes) as V;
    }
    const size = this.call.get(session.handle, this.scope.handle, index, keySize);
    if (size >= 0) return values.decode(session.scratch.source, 0, size, false) as V;
    if (size === NOT_FOUND) return undefined;
    if (size === OPTIONS && this.#adopt()) return this.get(key);
    const large = sourceOf(this.#copyOut(this.#largeSize(size)));
    return values.decode(large, 0, large.bytes.length, true) as V;
  }

  getBinary(key: K): Uint8Array | undefined {
    return this.#fetch(key, this.#place(key));
  }

  getView(key: K): BytesView | undefined {
    const keySize = this.#place(key);
    const { session, windows } = this.access;
    const { words } = session;
    const { handle } = this.scope;
    const found = this.call.view(session.handle, handle, this.state.index, keySize);
    if (found !== 0) return this.#viewOther(key, found);
    if (handle === 0 && words[2] !== session.viewedTxnid) return this.#viewFirst(key);
    return windows.view(words[0]!, words[1]!) as Uint8Array & BytesView;
  }

  /** The first view of the turn in the newest state, which is held from now on. */
  #viewFirst(key: K): BytesView | undefined {
    const { session, windows } = this.access;
    const { words } = session;
    const newest = session.holdNewest();
    if (newest < 0) return this.#copy(key);
    const handle = session.batch === null ? newest : 0;
    // What was found before it was held may be gone.
    const found = this.call.view(session.handle, handle, this.state.index, this.#place(key));
    if (found !== 0) return this.#viewOther(key, found);
    return windows.view(words[0]!, words[1]!) as Uint8Array & BytesView;
  }

  /** What getView() returns when the call did not find a place in the map. */
  #viewOther(key: K, found: number): BytesView | undefined {
    if (found === NOT_FOUND) return undefined;
    if (found === OPTIONS && this.#adopt()) return this.getView(key);
    if (found < 0) throw failure(found, "view a value");
    const { session, windows } = this.access;
    const copy = windows.copy(session.words[1]!);
    if (copy.length === 0) return copy as Uint8Array & BytesView;
    const copied = this.call.value_copy(session.handle, copy, copy.length);
    if (copied < 0) throw failure(copied, "view a value");
    return copy as Uint8Array & BytesView;
  }

  /** A value as a view that is a copy. */
  #copy(key: K): BytesView | undefined {
    const bytes = this.getBinary(key);
    if (bytes === undefined) return undefined;
    const copy = this.access.windows.copy(bytes.length);
    copy.set(bytes);
    return copy as Uint8Array & BytesView;
  }

  has(key: K): boolean {
    const size = this.#place(key);
    const { session } = this.access;
    const found = this.call.has(session.handle, this.scope.handle, this.state.index, size);
    if (found >= 0) return found === 1;
    if (found === OPTIONS && this.#adopt()) return this.has(key);
    throw failure(found, "look up a key");
  }

  getMany(keys: readonly K[]): (V | undefined)[] {
    if (!Array.isArray(keys)) {
      const found = describe(keys);
      throw typeError("ZEOLITE_OPTIONS", `Cannot get many: found ${found}; pass an array of keys`);
    }
    this.#enter("get many");
    return getMany(this.access.session, this.scope, this.state, keys) as (V | undefined)[];
  }

  getRange(range?: RangeOptions<K>): RangeIterable<{ key: K; value: V }> {
    return new Range(this.#reading(range, "values"));
  }

  getKeys(range?: RangeOptions<K>): RangeIterable<K> {
    return new Range(this.#reading(range, "keys"));
  }

  getValues(_key: K, _range?: { reverse?: boolean; limit?: number }): RangeIterable<V> {
    throw notAvailable("getValues");
  }

  getCount(range?: RangeOptions<K>): number {
    this.#enter("count a range");
    const { session } = this.access;
    const bounds = rangeBounds(session, this.state, range as RangeOptions<Key>);
    const flags = placeBounds(session, bounds, true);
    const lower = bounds.lower?.bytes.length ?? 0;
    const upper = bounds.upper?.bytes.length ?? 0;
    const { index } = this.state;
    const result = this.call.count(session.handle, this.scope.handle, index, flags, lower, upper);
    if (result === OPTIONS && this.#adopt()) return this.getCount(range);
    if (result < 0) throw failure(result, "count a range");
    return Math.min(Math.max(session.words[0]! - bounds.offset, 0), bounds.limit);
  }

  /** Rows as they are stored; for what copies tables without knowing their encodings. */
  rawRange(): RangeIterable<{ key: Uint8Array; value: Uint8Array }> {
    return new Range(this.#reading(undefined, "bytes"));
  }

  #reading(
    range: RangeOptions<K> | undefined,
    what: "keys" | "values" | "bytes",
  ): RangeReading {
    this.#enter("read a range");
    const { access, scope, state: table } = this;
    const bounds = rangeBounds(access.session, table, range as RangeOptions<Key>);
    const isKeysOnly = what === "keys";
    const keepsBytes = what === "bytes" || what === "values" && table.values.adopt !== null;
    return { access, scope, table, bounds, isKeysOnly, isRaw: what === "bytes", keepsBytes };
  }

  /** Makes sure that the state can be read. */
  #enter(doing: string): void {
    const { access, scope, state: table } = this;
    if (access.isClosed) throw access.closed(doing);
    if (!scope.isOpen) throw scopeEnded(doing);
    if (!table.isKept) table.adopt(access.session);
    access.session.pin();
  }

  /** Puts a key into the scratch; its size. */
  #place(key: K): number {
    const { access, scope, state: table } = this;
    const { session } = access;
    if (access.isClosed || !scope.isOpen || !table.isKept || !session.isPinned) this.#enter("read");
    return table.keys.encode(session.scratch.keyA, key);
  }

  /** The bytes of a value, for the caller to keep; its key lies in the scratch. */
  #fetch(key: K, keySize: number): Uint8Array | undefined {
    const { session } = this.access;
    const size = this.call.find(session.handle, this.scope.handle, this.state.index, keySize);
    if (size >= 0) return this.#copyOut(size);
    if (size === NOT_FOUND) return undefined;
    if (size === OPTIONS && this.#adopt()) return this.#fetch(key, this.#place(key));
    return this.#copyOut(this.#largeSize(size));
  }

  /** The size of a value that a call calls large; throws what else it may have found. */
  #largeSize(result: number): number {
    if (result !== LARGE) throw failure(result, "read");
    return this.access.session.words[0]!;
  }

  /** Copies the pending value. */
  #copyOut(size: number): Uint8Array {
    const bytes = takeBytes(size);
    if (size === 0) return bytes;
    const copied = this.call.value_copy(this.access.session.handle, bytes, size);
    if (copied < 0) throw failure(copied, "read");
    return bytes;
  }

  /** Whether the table is another than it was taken for, and is now known as what it is. */
  #adopt(): boolean {
    if (this.scope.handle !== 0) throw attributesDiffer(this.state);
    const { keys, values } = this.state;
    this.state.adopt(this.access.session);
    return keys !== this.state.keys || values !== this.state.values;
  }
}

/** A table that had other encodings in the state that is read. */
function attributesDiffer(table: TableState): ZeoliteError {
  return new ZeoliteError(
    "ZEOLITE_OPTIONS",
    `Cannot read ${table.title} here: it has other encodings in this state than it has now; ` +
      "read the latest state",
  );
}
