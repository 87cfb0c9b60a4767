/**
 * Tables: reading the latest state and writing it, by promise as a part of the turn's batch or at
 * once with a Sync call; and the same within a transaction.
 */
import type { Access } from "./access.ts";
import type { Writer } from "./batch.ts";
import type { Key } from "./codec/key.ts";
import { assertFunction, describe, typeError } from "./error.ts";
import { failure } from "./library.ts";
import { rangeBounds, type RangeOptions } from "./range.ts";
import { type Reader, TableReader } from "./reader.ts";
import { removeBetween } from "./remove_range.ts";
import type { TableStats } from "./report.ts";
import { latestScope, PinnedSnapshot, type Scope, scopeEnded, type Snapshot } from "./scope.ts";
import { assertUsable } from "./session.ts";
import type { TableState } from "./table_state.ts";
import { BodyTxn, ExplicitTxn, type OpenTxn, type WriteTransaction } from "./txn.ts";
import { clearTable, encodeKey, encodeValue, putCondition, putEncoded } from "./write.ts";
import {
  putAlone,
  type PutOptions,
  putPrepared,
  removeEncoded,
  type Target,
  updateEncoded,
} from "./write.ts";
import { assertIterable, encodeEntries, putManyEncoded, putManyNow } from "./write_many.ts";

/**
 * A table. Promise-returning writes made in one turn of the event loop, by any caller, become one
 * commit and share one flush; each promise resolves as the store's durability says. An error of one
 * operation (key, value, codec, order) rejects that operation alone; an error of the commit rejects
 * all of it and nothing of it is stored, except with ZEOLITE_IO: then the next open decides, whole
 * or not at all. Reads in this thread see its own writes at once. The first write of a turn takes
 * the writer lock, waiting at most `lockTimeout`.
 *
 * Every write throws or rejects with ZEOLITE_CLOSED, ZEOLITE_READ_ONLY, ZEOLITE_BUSY,
 * ZEOLITE_POISONED, ZEOLITE_FULL, ZEOLITE_NO_SPACE, ZEOLITE_IO or ZEOLITE_CORRUPT when it must.
 */
// deno-lint-ignore no-explicit-any
export interface Table<V = any, K extends Key = Key> extends Reader<V, K> {
  /** Its name; null for the store's unnamed table. */
  readonly name: string | null;
  /**
   * Stores a value under a key.
   *
   * @param key The key.
   * @param value The value, as the table's encoding takes it.
   * @param options When to write.
   * @returns Whether it was written.
   * @throws {TypeError} ZEOLITE_KEY_TYPE, ZEOLITE_OPTIONS for a key or value that has no bytes.
   * @throws {RangeError} ZEOLITE_KEY_SIZE, ZEOLITE_VALUE_SIZE.
   * @throws {ZeoliteError} ZEOLITE_KEY_ORDER with `append`.
   * @example
   * ```ts
   * import { open } from "zeolite";
   *
   * using store = open("people.zeo");
   * await store.put("alice", { age: 30 });
   * await store.put("alice", { age: 31 }, { ifValue: { age: 30 } }); // true
   * ```
   */
  put(key: K, value: V, options?: PutOptions): Promise<boolean>;
  /**
   * Stores a value under a key, and returns when it is as safe as the durability demands.
   *
   * @param key The key.
   * @param value The value.
   * @param options When to write.
   * @returns Whether it was written.
   * @throws As put().
   */
  putSync(key: K, value: V, options?: PutOptions): boolean;
  /**
   * Stores many entries; all of them, or none if one fails.
   *
   * @param entries Keys and values.
   * @param options When to write each.
   * @returns How many were written.
   * @throws As put().
   */
  putMany(entries: Iterable<readonly [K, V]>, options?: PutOptions): Promise<number>;
  /**
   * Stores many entries, and returns when they are as safe as the durability demands.
   *
   * @param entries Keys and values.
   * @param options When to write each.
   * @returns How many were written.
   * @throws As put().
   */
  putManySync(entries: Iterable<readonly [K, V]>, options?: PutOptions): number;
  /**
   * Reads a value, applies `f` and stores the result, with no other write between.
   *
   * @param key The key.
   * @param f Makes the new value of the old one; undefined removes the key.
   * @returns The new value.
   * @throws As put(), and what `f` throws.
   * @example
   * ```ts
   * import { open } from "zeolite";
   *
   * using store = open("counts.zeo");
   * await store.update("visits", (count) => (count ?? 0) + 1);
   * ```
   */
  update(key: K, f: (old: V | undefined) => V | undefined): Promise<V | undefined>;
  /**
   * As update(), and returns when the result is as safe as the durability demands.
   *
   * @param key The key.
   * @param f Makes the new value of the old one.
   * @returns The new value.
   * @throws As update().
   */
  updateSync(key: K, f: (old: V | undefined) => V | undefined): V | undefined;
  /**
   * Removes a key.
   *
   * @param key The key.
   * @param value Remove it only if it has this value.
   * @returns Whether something was removed.
   * @throws As put().
   */
  remove(key: K, value?: V): Promise<boolean>;
  /**
   * As remove(), and returns when that is as safe as the durability demands.
   *
   * @param key The key.
   * @param value Remove it only if it has this value.
   * @returns Whether something was removed.
   * @throws As put().
   */
  removeSync(key: K, value?: V): boolean;
  /**
   * Removes all entries of a range, cutting whole subtrees.
   *
   * @param range Which part of the table.
   * @returns How many entries were removed.
   * @throws As getRange().
   */
  removeRange(range: RangeOptions<K>): Promise<number>;
  /**
   * As removeRange(), and returns when that is as safe as the durability demands.
   *
   * @param range Which part of the table.
   * @returns How many entries were removed.
   * @throws As getRange().
   */
  removeRangeSync(range: RangeOptions<K>): number;
  /**
   * Removes all entries and keeps the table.
   *
   * @returns Resolves when that is as safe as the durability demands.
   */
  clear(): Promise<void>;
  /** As clear(), and returns when that is as safe as the durability demands. */
  clearSync(): void;
  /**
   * This table as a transaction sees it, to read and to write.
   *
   * @param scope The transaction.
   * @returns The table in it.
   * @throws {ZeoliteError} ZEOLITE_TXN_ENDED, ZEOLITE_CLOSED.
   * @throws {TypeError} ZEOLITE_OPTIONS for what is no transaction or snapshot of this store.
   */
  at(scope: WriteTransaction): WriteScope<V, K>;
  /**
   * This table as a snapshot sees it.
   *
   * @param scope The snapshot.
   * @returns The table in it.
   * @throws As above.
   */
  at(scope: Snapshot | WriteTransaction): Reader<V, K>;
  /**
   * Counts of the table.
   *
   * @returns Its entries, depth and pages.
   */
  stats(): TableStats;
}

/** A table within a write transaction. */
export type WriteScope<V, K extends Key> =
  & Reader<V, K>
  & Pick<
    Table<V, K>,
    "putSync" | "putManySync" | "updateSync" | "removeSync" | "removeRangeSync" | "clearSync"
  >;

/** What a write does in the transaction it is given. */
type Work<T> = (target: Target) => T;

/** The writes that need more than a key and a value, prepared so that they can also run later. */
class Writes<V, K extends Key> {
  readonly #access: Access;
  readonly #table: TableState;

  constructor(access: Access, table: TableState) {
    this.#access = access;
    this.#table = table;
  }

  /** A put that is written later, or that has a condition. */
  put(key: K, value: V, options: PutOptions | undefined): Work<boolean> {
    const { session } = this.#access;
    const condition = putCondition(session, this.#table, options);
    const bytes = encodeValue(session, this.#table, value);
    const keyBytes = encodeKey(session, this.#table, key);
    return (target) => putEncoded(target, keyBytes, bytes, condition);
  }

  putMany(
    entries: Iterable<readonly [K, V]>,
    options: PutOptions | undefined,
    isLater: boolean,
  ): Work<number> {
    const { session } = this.#access;
    assertIterable(entries);
    const condition = putCondition(session, this.#table, options);
    if (isLater) {
      const encoded = encodeEntries(session, this.#table, entries);
      return (target) => framed(target, () => putManyEncoded(target, encoded, condition));
    }
    return (target) => framed(target, () => putManyNow(target, entries, condition));
  }

  update(key: K, f: (old: V | undefined) => V | undefined): Work<V | undefined> {
    assertFunction(f, "update");
    const bytes = encodeKey(this.#access.session, this.#table, key);
    return (target) => updateEncoded(target, bytes, f as (old: unknown) => unknown) as V;
  }

  remove(key: K, value: V | undefined): Work<boolean> {
    const { session } = this.#access;
    const expected = value === undefined ? null : encodeValue(session, this.#table, value);
    const bytes = encodeKey(session, this.#table, key);
    return (target) => removeEncoded(target, bytes, expected);
  }

  removeRange(range: RangeOptions<K>): Work<number> {
    const bounds = rangeBounds(this.#access.session, this.#table, range as RangeOptions<Key>);
    return (target) => removeBetween(target, bounds);
  }
}

/** Runs work of which all is kept or nothing. */
function framed<T>(target: Target, work: () => T): T {
  return target.session.frame(target.writer, work);
}

/** A table as its Store gives it. */
export class StoreTable<V, K extends Key> extends TableReader<V, K> implements Table<V, K> {
  readonly #writes: Writes<V, K>;

  constructor(access: Access, table: TableState) {
    super(access, table, latestScope(access.session));
    this.#writes = new Writes(access, table);
  }

  get name(): string | null {
    return this.state.name;
  }

  put(key: K, value: V, options?: PutOptions): Promise<boolean> {
    const { access, state: table } = this;
    const { session } = access;
    try {
      this.assertWritable("put");
      if (options !== undefined || session.isQueueing) {
        return this.#promise("put", this.#writes.put(key, value, options));
      }
      const { scratch } = session;
      const size = table.values.encode(scratch.data, value);
      const keySize = table.keys.encode(scratch.keyA, key);
      const writer = session.join(access, false);
      return session.promised(access, putPrepared(session, table, writer, keySize, size, 0));
    } catch (error) {
      session.leaveFailed();
      return Promise.reject(error);
    }
  }

  putSync(key: K, value: V, options?: PutOptions): boolean {
    const { access, state: table } = this;
    const { session } = access;
    this.assertWritable("put");
    session.enterSync("put");
    if (options !== undefined) return this.#sync(this.#writes.put(key, value, options));
    const { scratch } = session;
    const size = table.values.encode(scratch.data, value);
    const keySize = table.keys.encode(scratch.keyA, key);
    if (session.isIdle && scratch.data.large === null) {
      // Encoding may have run code of the caller.
      access.assertOpen("write");
      putAlone(session, table, keySize, size, access.settings);
      session.leaveCommitted(access);
      return true;
    }
    const writer = session.join(access, true);
    let isStored: boolean;
    try {
      isStored = putPrepared(session, table, writer, keySize, size, 0);
    } catch (error) {
      session.leaveFailed();
      throw error;
    }
    session.leaveSync(access);
    return isStored;
  }

  putMany(entries: Iterable<readonly [K, V]>, options?: PutOptions): Promise<number> {
    const isLater = this.access.session.isQueueing;
    return this.#attempt("put many", () => this.#writes.putMany(entries, options, isLater));
  }

  putManySync(entries: Iterable<readonly [K, V]>, options?: PutOptions): number {
    this.#enterSync("put many");
    return this.#sync(this.#writes.putMany(entries, options, false));
  }

  update(key: K, f: (old: V | undefined) => V | undefined): Promise<V | undefined> {
    return this.#attempt("update", () => this.#writes.update(key, f));
  }

  updateSync(key: K, f: (old: V | undefined) => V | undefined): V | undefined {
    this.#enterSync("update");
    return this.#sync(this.#writes.update(key, f));
  }

  remove(key: K, value?: V): Promise<boolean> {
    return this.#attempt("remove", () => this.#writes.remove(key, value));
  }

  removeSync(key: K, value?: V): boolean {
    this.#enterSync("remove");
    return this.#sync(this.#writes.remove(key, value));
  }

  removeRange(range: RangeOptions<K>): Promise<number> {
    return this.#attempt("remove a range", () => this.#writes.removeRange(range));
  }

  removeRangeSync(range: RangeOptions<K>): number {
    this.#enterSync("remove a range");
    return this.#sync(this.#writes.removeRange(range));
  }

  clear(): Promise<void> {
    return this.#attempt("clear", () => clearTable);
  }

  clearSync(): void {
    this.#enterSync("clear");
    return this.#sync(clearTable);
  }

  at(scope: WriteTransaction): WriteScope<V, K>;
  at(scope: Snapshot | WriteTransaction): Reader<V, K>;
  at(scope: Snapshot | WriteTransaction): Reader<V, K> {
    const { access, state: table } = this;
    access.assertOpen("read at a scope");
    const isTxn = scope instanceof ExplicitTxn || scope instanceof BodyTxn;
    if (!isTxn && !(scope instanceof PinnedSnapshot)) throw notScope(scope);
    if (scope.session !== access.session) throw notScope(scope);
    if (!scope.isOpen) throw scopeEnded("read at this scope");
    return isTxn ? new TxnTable(access, table, scope) : new TableReader(access, table, scope);
  }

  stats(): TableStats {
    const { access, state: table } = this;
    access.assertOpen("count");
    const { session } = access;
    session.pin();
    const result = this.call.table_stats(session.handle, 0, table.index);
    if (result < 0) throw failure(result, "count");
    const [entries, depth, branchPages, leafPages, overflowPages] = session.words;
    return {
      entries: entries!,
      depth: depth!,
      branchPages: branchPages!,
      leafPages: leafPages!,
      overflowPages: overflowPages!,
    };
  }

  /** Throws unless the table can be written; brings it up to date with the store. */
  protected assertWritable(doing: string): void {
    const { access, state: table } = this;
    access.assertWritable(doing);
    if (!table.isKept) table.adopt(access.session);
  }

  /** Does work in the batch of this turn, or after the explicit transaction that keeps it out. */
  protected promise<T>(doing: string, work: (writer: Writer) => T): Promise<T> {
    const { access } = this;
    const { session } = access;
    const now = (): Promise<T> => {
      const result = work(session.join(access, false));
      return session.promised(access, result);
    };
    try {
      access.assertWritable(doing);
      return session.isQueueing ? session.later(access, now) : now();
    } catch (error) {
      session.leaveFailed();
      return Promise.reject(error);
    }
  }

  /** Does work at once; enterSync() has been called. */
  protected sync<T>(work: (writer: Writer) => T): T {
    const { access } = this;
    const { session } = access;
    const writer = session.join(access, true);
    let result: T;
    try {
      result = work(writer);
    } catch (error) {
      session.leaveFailed();
      throw error;
    }
    session.leaveSync(access);
    return result;
  }

  #enterSync(doing: string): void {
    this.assertWritable(doing);
    this.access.session.enterSync(doing);
  }

  #attempt<T>(doing: string, prepare: () => Work<T>): Promise<T> {
    try {
      this.assertWritable(doing);
      return this.#promise(doing, prepare());
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #promise<T>(doing: string, work: Work<T>): Promise<T> {
    const { access: { session }, state: table } = this;
    return this.promise(doing, (writer) => work({ session, table, writer }));
  }

  #sync<T>(work: Work<T>): T {
    const { access: { session }, state: table } = this;
    return this.sync((writer) => work({ session, table, writer }));
  }
}

/** What is neither a transaction nor a snapshot of the store it is used with. */
function notScope(found: unknown): TypeError {
  return typeError(
    "ZEOLITE_OPTIONS",
    `Cannot read at ${describe(found)}: pass a snapshot or a transaction of the same store`,
  );
}

/** A table within a write transaction. */
class TxnTable<V, K extends Key> extends TableReader<V, K> implements WriteScope<V, K> {
  readonly #txn: OpenTxn;
  readonly #writes: Writes<V, K>;

  constructor(access: Access, table: TableState, txn: OpenTxn & Scope) {
    super(access, table, txn);
    this.#txn = txn;
    this.#writes = new Writes(access, table);
  }

  putSync(key: K, value: V, options?: PutOptions): boolean {
    const { access: { session }, state: table } = this;
    const target = this.#target("put");
    if (options !== undefined) return this.#writes.put(key, value, options)(target);
    const { scratch } = session;
    const size = table.values.encode(scratch.data, value);
    const keySize = table.keys.encode(scratch.keyA, key);
    return putPrepared(session, table, target.writer, keySize, size, 0);
  }

  putManySync(entries: Iterable<readonly [K, V]>, options?: PutOptions): number {
    const target = this.#target("put many");
    return this.#writes.putMany(entries, options, false)(target);
  }

  updateSync(key: K, f: (old: V | undefined) => V | undefined): V | undefined {
    const target = this.#target("update");
    return this.#writes.update(key, f)(target);
  }

  removeSync(key: K, value?: V): boolean {
    const target = this.#target("remove");
    return this.#writes.remove(key, value)(target);
  }

  removeRangeSync(range: RangeOptions<K>): number {
    const target = this.#target("remove a range");
    return this.#writes.removeRange(range)(target);
  }

  clearSync(): void {
    clearTable(this.#target("clear"));
  }

  /** The transaction to write in, if it can be written. */
  #target(doing: string): Target {
    const { access, state: table } = this;
    access.assertWritable(doing);
    const txn = this.#txn;
    assertUsable(txn.writer);
    if (!txn.isOpen) throw scopeEnded(doing);
    access.session.pin();
    if (!table.isKept) table.adopt(access.session);
    return { session: access.session, table, writer: txn.writer };
  }
}
