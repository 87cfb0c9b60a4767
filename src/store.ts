/**
 * Stores: opening and closing one, its tables, transactions and snapshots, and what concerns it as
 * a whole. The store is itself its unnamed table.
 */
import { Access } from "./access.ts";
import type { Writer } from "./batch.ts";
import { assertClosable, close, closeSync } from "./closing.ts";
import type { Key } from "./codec/key.ts";
import { readText } from "./codec/text.ts";
import {
  assertFunction,
  assertSynchronous,
  describe,
  notAvailable,
  typeError,
  ZeoliteError,
} from "./error.ts";
import { failure } from "./library.ts";
import { backup, type BackupOptions, check, progressOption } from "./maintenance.ts";
import { filePath, openSettings, tableName, tableSettings } from "./options.ts";
import { type OpenOptions, optionsObject, type TableOptions } from "./options.ts";
import type { Change, CheckReport, Metrics, Progress, ReaderInfo, StoreStats } from "./report.ts";
import { PinnedSnapshot, type Snapshot } from "./scope.ts";
import { attach } from "./session.ts";
import { StoreTable, type Table } from "./table.ts";
import { knownTable, openTable, type TableState, tableState } from "./table_state.ts";
import { BodyTxn, ExplicitTxn, type NotAPromise, type WriteTransaction } from "./txn.ts";

/**
 * An open store. It is itself its unnamed table.
 *
 * @example
 * ```ts
 * import { open } from "zeolite";
 *
 * using store = open("people.zeo");
 * await store.put("alice", { age: 30 });
 * const towns = store.table<string>("towns", { keyEncoding: "u32", encoding: "string" });
 * await towns.put(1, "Freiberg");
 * ```
 */
export interface Store extends Table, Disposable, AsyncDisposable {
  /** The path of the file, links resolved. */
  readonly path: string;
  /**
   * A named table. Creates nothing before the first write.
   *
   * @param name Its name.
   * @param options Its encodings; what is left out adopts what is kept.
   * @returns The table.
   * @throws {TypeError} ZEOLITE_OPTIONS for options that differ from what is kept.
   */
  // deno-lint-ignore no-explicit-any
  table<V = any>(name: string, options: TableOptions & { keyEncoding: "string" }): Table<V, string>;
  /** A named table whose keys are bytes. */
  // deno-lint-ignore no-explicit-any
  table<V = any>(
    name: string,
    options: TableOptions & { keyEncoding: "binary" },
  ): Table<V, Uint8Array>;
  /** A named table whose keys are integers below 2 ** 32. */
  // deno-lint-ignore no-explicit-any
  table<V = any>(name: string, options: TableOptions & { keyEncoding: "u32" }): Table<V, number>;
  /** A named table whose keys are bigints below 2 ** 64. */
  // deno-lint-ignore no-explicit-any
  table<V = any>(name: string, options: TableOptions & { keyEncoding: "u64" }): Table<V, bigint>;
  /** A named table. */
  // deno-lint-ignore no-explicit-any
  table<V = any, K extends Key = Key>(name: string, options?: TableOptions): Table<V, K>;
  /**
   * The names of all tables but the unnamed one.
   *
   * @returns The names, in order of their UTF-8.
   */
  tables(): string[];
  /**
   * Removes a named table and all it holds.
   *
   * @param name Its name.
   * @returns Whether there was one.
   */
  dropTable(name: string): Promise<boolean>;
  /**
   * As dropTable(), and returns when that is as safe as the durability demands.
   *
   * @param name Its name.
   * @returns Whether there was one.
   */
  dropTableSync(name: string): boolean;
  /**
   * A consistent view of everything committed, held until it is disposed.
   *
   * @returns The snapshot, for table.at().
   * @throws {ZeoliteError} ZEOLITE_READERS_FULL, ZEOLITE_CLOSED.
   */
  snapshot(): Snapshot;
  /**
   * Runs `body` at once, atomically; a throw rolls back its writes alone. Every table of this store
   * used inside belongs to it; it may be nested. While a transaction of begin() is open in this
   * thread, it waits for its end.
   *
   * @param body What to do; synchronous.
   * @returns Resolves to what `body` returned when the commit is as safe as the durability demands.
   * @throws What `body` throws; {TypeError} ZEOLITE_OPTIONS if it returns a promise.
   * @example
   * ```ts
   * import { open } from "zeolite";
   *
   * using store = open("accounts.zeo");
   * await store.transaction(() => {
   *   store.putSync("alice", (store.get("alice") ?? 0) - 10);
   *   store.putSync("bob", (store.get("bob") ?? 0) + 10);
   * });
   * ```
   */
  transaction<T>(body: (txn: WriteTransaction) => NotAPromise<T>): Promise<T>;
  /**
   * As transaction(), and returns when the commit is as safe as the durability demands.
   *
   * @param body What to do; synchronous.
   * @returns What `body` returned.
   * @throws As transaction(), and ZEOLITE_BUSY while a transaction of begin() is open here.
   */
  transactionSync<T>(body: (txn: WriteTransaction) => NotAPromise<T>): T;
  /**
   * An explicit write transaction that may outlive a turn; aborts on dispose unless committed, and
   * when its thread ends. While it is open, this thread's Sync writes outside `at(txn)` and a
   * second begin() fail at once with ZEOLITE_BUSY; promised writes wait for its end.
   *
   * @returns The transaction.
   * @throws {ZeoliteError} ZEOLITE_BUSY and what makes writing impossible.
   */
  begin(): WriteTransaction;
  /**
   * Waits until everything committed so far is on stable storage.
   *
   * @returns Resolves then.
   * @throws {ZeoliteError} ZEOLITE_IO, ZEOLITE_POISONED.
   */
  flush(): Promise<void>;
  /** Puts everything committed so far on stable storage. */
  flushSync(): void;
  /**
   * Writes what was committed so far into the pages of the file.
   *
   * @returns Resolves when that is on stable storage.
   * @throws {ZeoliteError} ZEOLITE_IO, ZEOLITE_POISONED, ZEOLITE_NO_SPACE, ZEOLITE_READ_ONLY.
   */
  checkpoint(): Promise<void>;
  /** As checkpoint(), and waits. */
  checkpointSync(): void;
  /**
   * Copies the store into a new file while writers go on.
   *
   * @param path The new file; it must not exist.
   * @param options `compact`: only live pages, in key order; `onProgress`: told bytes done and in
   * all.
   * @returns Resolves when the copy is complete and on stable storage.
   */
  backup(path: string | URL, options?: BackupOptions): Promise<void>;
  /**
   * Gives free space back to the file system. Not available yet.
   *
   * @returns Allocated bytes before and after.
   * @throws {ZeoliteError} ZEOLITE_OPTIONS always.
   */
  compact(): Promise<{ before: number; after: number }>;
  /**
   * Walks every page in steps and trusts nothing.
   *
   * @param options `onProgress`: told pages done and in all.
   * @returns What was found.
   */
  check(options?: { onProgress?: Progress }): Promise<CheckReport>;
  /**
   * Counts of the store, and of its unnamed table.
   *
   * @returns The counts.
   */
  stats(): StoreStats;
  /**
   * Times and rates. Not available yet.
   *
   * @returns The metrics.
   * @throws {ZeoliteError} ZEOLITE_OPTIONS always.
   */
  metrics(): Metrics;
  /**
   * The snapshots held by anybody, in any process.
   *
   * @returns One record for each.
   */
  readers(): ReaderInfo[];
  /**
   * Commits as they become visible. Not available yet.
   *
   * @param options From which commit on; whether only when durable.
   * @returns The commits.
   * @throws {ZeoliteError} ZEOLITE_OPTIONS always.
   */
  changes(options?: { since?: number; durable?: boolean }): AsyncIterable<Change>;
  /**
   * Waits for pending writes, ends open iterators and snapshots (they then throw ZEOLITE_CLOSED),
   * aborts a transaction of begin(), and closes; the last one to close a store writes a checkpoint.
   * Dispose does the same at once.
   *
   * @returns Resolves when it is closed.
   */
  close(): Promise<void>;
}

/** Stores that this file made, for those who need more of one than its interface shows. */
const accesses: WeakMap<Store, Access> = new WeakMap();

/** The access of a store. */
export function accessOf(store: Store): Access {
  const access = accesses.get(store);
  if (access !== undefined) return access;
  throw typeError(
    "ZEOLITE_OPTIONS",
    `Cannot use ${describe(store)} as a store: pass what open() returned`,
  );
}

/**
 * Opens the store at `path`, creating it if it is absent. Its files are `path`, `path-wal` and
 * `path-lock`, for their owner alone. Opening the same path again, in this process (any Worker) or
 * in another one, of either runtime, shares the store.
 *
 * @param path The path of the file, or a `file:` URL.
 * @param options How to open it; those of the unnamed table.
 * @returns The store.
 * @throws {TypeError} ZEOLITE_OPTIONS for a path or options that cannot be.
 * @throws {ZeoliteError} ZEOLITE_NOT_FOUND, ZEOLITE_NOT_A_STORE, ZEOLITE_VERSION, ZEOLITE_CORRUPT,
 * ZEOLITE_BUSY, ZEOLITE_PERMISSION, ZEOLITE_READ_ONLY, ZEOLITE_NO_SPACE, ZEOLITE_IO,
 * ZEOLITE_LIBRARY.
 * @example
 * ```ts
 * import { open } from "zeolite";
 *
 * using store = open("people.zeo");
 * await store.put("alice", { age: 30 });
 * ```
 */
export function open(path: string | URL, options?: OpenOptions): Store {
  const file = filePath(path);
  const settings = openSettings(options);
  const session = attach(file, settings);
  const access = new Access(session, settings);
  try {
    return new OpenStore(access, tableState(session, null, new Uint8Array(), settings));
  } catch (error) {
    session.release(access.closed("open"));
    throw error;
  }
}

/** An open store. */
// deno-lint-ignore no-explicit-any
class OpenStore extends StoreTable<any, Key> implements Store {
  readonly path: string;
  #closing: Promise<void> | null = null;

  constructor(access: Access, table: TableState) {
    super(access, table);
    this.path = access.session.path;
    accesses.set(this, access);
  }

  // deno-lint-ignore no-explicit-any
  table<V = any, K extends Key = Key>(name: string, options?: TableOptions): Table<V, K> {
    const { access } = this;
    access.assertOpen("open a table");
    const { session } = access;
    const settings = tableSettings(options);
    const bytes = tableName(name, session.keySizeMax);
    return new StoreTable(access, tableState(session, name, bytes, settings));
  }

  tables(): string[] {
    const { access } = this;
    access.assertOpen("list tables");
    const { session } = access;
    const { call, words, scratch } = session;
    const names: string[] = [];
    const { bytes } = scratch.data;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    session.pin();
    for (let lastSize = 0;;) {
      words[1] = lastSize;
      const count = call.table_list(session.handle, 0);
      if (count < 0) throw failure(count, "list tables");
      let at = 0;
      for (let index = 0; index < count; index += 1) {
        lastSize = view.getUint32(at, true);
        names.push(readText(scratch.source, at + 4, at + 4 + lastSize));
        at += 4 + lastSize;
      }
      if (words[0] !== 1 || count === 0) return names;
      scratch.keyA.bytes.set(bytes.subarray(at - lastSize, at));
    }
  }

  dropTable(name: string): Promise<boolean> {
    try {
      const drop = this.#dropping(name);
      return this.promise("drop a table", drop);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  dropTableSync(name: string): boolean {
    const drop = this.#dropping(name);
    this.access.assertWritable("drop a table");
    this.access.session.enterSync("drop a table");
    return this.sync(drop);
  }

  #dropping(name: string): (writer: Writer) => boolean {
    const { session } = this.access;
    const bytes = tableName(name, session.keySizeMax);
    return (writer) => {
      const state = knownTable(session, name);
      const index = state?.index ?? openTable(session, bytes);
      const result = session.call.table_drop(session.handle, writer.handle, index);
      if (result < 0) throw session.writeFailed(writer, result, "drop a table");
      writer.operations += 1;
      state?.forget();
      return result === 1;
    };
  }

  snapshot(): Snapshot {
    this.access.assertOpen("take a snapshot");
    return new PinnedSnapshot(this.access);
  }

  transaction<T>(body: (txn: WriteTransaction) => NotAPromise<T>): Promise<T> {
    try {
      assertFunction(body, "run a transaction");
      return this.promise("run a transaction", (writer) => this.#run<T>(writer, body));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  transactionSync<T>(body: (txn: WriteTransaction) => NotAPromise<T>): T {
    assertFunction(body, "run a transaction");
    this.access.assertWritable("run a transaction");
    this.access.session.enterSync("run a transaction");
    return this.sync((writer) => this.#run<T>(writer, body));
  }

  #run<T>(writer: Writer, body: (txn: WriteTransaction) => NotAPromise<T>): T {
    const { session } = this.access;
    const txn = new BodyTxn(session, writer);
    try {
      return session.frame(writer, () => {
        const result: T = body(txn);
        assertSynchronous(result, "run a transaction");
        return result;
      });
    } finally {
      txn.end();
    }
  }

  begin(): WriteTransaction {
    this.access.assertWritable("begin a transaction");
    return new ExplicitTxn(this.access);
  }

  async flush(): Promise<void> {
    this.access.assertOpen("flush");
    await this.#batchEnd();
    await this.access.session.flusher.flush();
  }

  flushSync(): void {
    this.#commitNow("flush");
    this.access.session.flusher.flushSync();
  }

  async checkpoint(): Promise<void> {
    this.access.assertWritable("write a checkpoint");
    await this.#batchEnd();
    await this.access.session.checkpointer?.checkpoint();
  }

  checkpointSync(): void {
    this.access.assertWritable("write a checkpoint");
    const { session } = this.access;
    session.enterSync("write a checkpoint");
    this.#commitNow("write a checkpoint");
    session.checkpointer?.checkpointSync();
  }

  async backup(path: string | URL, options?: BackupOptions): Promise<void> {
    this.access.assertOpen("back up");
    await this.#batchEnd();
    await backup(this.access, path, options);
  }

  compact(): Promise<{ before: number; after: number }> {
    return Promise.reject(notAvailable("compact()"));
  }

  async check(options?: { onProgress?: Progress }): Promise<CheckReport> {
    const onProgress = progressOption(optionsObject(options).onProgress);
    this.access.assertOpen("check");
    await this.#batchEnd();
    return await check(this.access, onProgress);
  }

  override stats(): StoreStats {
    const { access } = this;
    access.assertOpen("count");
    const { call, handle, words } = access.session;
    access.session.pin();
    const result = call.stats(handle, 0);
    if (result < 0) throw failure(result, "count");
    return {
      entries: words[0]!,
      depth: words[1]!,
      branchPages: words[2]!,
      leafPages: words[3]!,
      overflowPages: words[4]!,
      pageSize: words[5]!,
      fileSize: words[6]!,
      allocatedSize: words[7]!,
      logSize: words[8]!,
      freePages: words[9]!,
      retainedPages: words[10]!,
      txnid: words[11]!,
      checkpointTxnid: words[12]!,
      flushedTxnid: words[13]!,
      tables: words[14]!,
    };
  }

  metrics(): Metrics {
    throw notAvailable("metrics()");
  }

  readers(): ReaderInfo[] {
    const { access } = this;
    access.assertOpen("list readers");
    const { call, handle, scratch } = access.session;
    const count = call.readers(handle);
    if (count < 0) throw failure(count, "list readers");
    const { bytes } = scratch.data;
    const numbers = new Float64Array(bytes.buffer, bytes.byteOffset, count * 4);
    return Array.from({ length: count }, (_, index) => {
      const [pid, txnid, lag, ageMs] = numbers.subarray(index * 4, index * 4 + 4);
      return { pid: pid!, txnid: txnid!, lag: lag!, ageMs: ageMs! };
    });
  }

  changes(_options?: { since?: number; durable?: boolean }): AsyncIterable<Change> {
    throw notAvailable("changes()");
  }

  close(): Promise<void> {
    try {
      assertClosable(this.access);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#closing ??= close(this.access);
  }

  [Symbol.dispose](): void {
    assertClosable(this.access);
    closeSync(this.access);
    this.#closing ??= Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Waits until what this turn has written is committed, or has failed and says so elsewhere. */
  async #batchEnd(): Promise<void> {
    try {
      await this.access.session.batch?.promise("committed");
    } catch {
      // Whoever wrote it was told.
    }
  }

  /** Commits what this turn has written. */
  #commitNow(doing: string): void {
    const { access } = this;
    access.assertOpen(doing);
    const { session } = access;
    if (session.isNested) {
      throw new ZeoliteError(
        "ZEOLITE_BUSY",
        `Cannot ${doing}: a transaction(body), update or putMany is running; do it behind`,
      );
    }
    const error = session.commitBatch(true);
    if (error !== null) throw error;
  }
}
