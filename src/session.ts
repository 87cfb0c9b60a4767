/**
 * One store as one thread has it open: the engine's session, its scratch, and the write transaction
 * of this thread with all that belongs to a turn of the event loop. Every Store of one path in a
 * thread shares it; it ends with the last.
 *
 * At most one write transaction is open: the batch of the turn, or an explicit one. While an
 * explicit one is open, promised writes wait in a queue, in order, and run at its end.
 * Whatever a turn holds (the batch, the state that reads pinned) is let go at its end.
 */
import { limits } from "../ffi/abi.ts";
import { setImmediate } from "node:timers";
import { Batch, Frame, type Writer } from "./batch.ts";
import { Checkpointer, URGENCY } from "./checkpointer.ts";
import { encodeText, readText, type Source } from "./codec/text.ts";
import { codeOf, ZeoliteError } from "./error.ts";
import { Files } from "./files.ts";
import { type AheadFlush, Flusher } from "./flusher.ts";
import { type Calls, failure, isOperationFailure, library } from "./library.ts";
import type { OpenSettings } from "./options.ts";
import { Scratch } from "./scratch.ts";

/** Words of the status. */
const STATUS = { pageSize: 3, keySizeMax: 4, isReadOnly: 7, dataInode: 10, logInode: 11 } as const;
/** Sync commits in one turn after which a checkpoint no longer waits for the event loop. */
const STREAK_MAX = 16;

/** Who writes: one open() of the store. */
export interface Owner {
  /** What it was opened with. */
  readonly settings: OpenSettings;
  /** Throws if it was closed. */
  assertOpen(doing: string): void;
}

/** How many states one turn holds for its views; later ones are copies. */
const VIEWED_MAX = 8;

/** A promised write that waits for the end of an explicit transaction. */
interface Waiting {
  readonly owner: Owner;
  readonly promise: Promise<unknown>;
  run(): void;
  reject(error: Error): void;
}

/** The sessions of this thread, by handle. */
const sessions: Map<number, Session> = new Map();

/** Opens a store; the same session for one that this thread has open. */
export function attach(path: string, settings: OpenSettings): Session {
  const { call } = library();
  const bytes = encodeText(path);
  const { engine } = settings;
  const handle = call.open(bytes, bytes.length, engine, engine.length);
  if (handle < 0) throw failure(handle, `open "${path}"`);
  try {
    let session = sessions.get(handle);
    if (session === undefined) {
      session = new Session(handle);
      sessions.set(handle, session);
    }
    session.opens += 1;
    return session;
  } catch (error) {
    call.close(handle);
    throw error;
  }
}

/** One store in one thread. */
export class Session {
  readonly call: Calls;
  readonly handle: number;
  readonly words: Float64Array;
  readonly scratch: Scratch;
  /** The resolved path of the data file. */
  readonly path: string;
  readonly pageSize: number;
  readonly keySizeMax: number;
  readonly isReadOnly: boolean;
  readonly flusher: Flusher;
  /** Memory for rows of ranges that no iteration uses now. */
  readonly chunks: Source[] = [];
  /** Null where nothing is ever written. */
  readonly checkpointer: Checkpointer | null;
  /** How many Stores share it. */
  opens = 0;
  isClosed = false;
  /** Whether this turn may hold a state of the store. */
  isPinned = false;
  /** The batch of this turn. */
  batch: Batch | null = null;
  /** The transaction of begin(). */
  explicit: Writer | null = null;
  readonly #files: Files | null;
  #isTurnScheduled = false;
  #streak = 0;
  #frames: Frame[] = [];
  #holds = 0;
  #doomed: Error | null = null;
  #refusal: Error | null = null;
  #waiting: Waiting[] = [];
  /** The state that views of this turn lie in, the newest if there are several; -1 if none. */
  viewedTxnid = -1;
  /** The scopes that hold such states. */
  #viewed: number[] = [];

  constructor(handle: number) {
    const { call, bytes } = library();
    this.call = call;
    this.handle = handle;
    const pointer = call.scratch(handle);
    if (pointer === null) throw failure(call.status(handle), "open the store");
    const memory = bytes(pointer, 0, limits.scratch_size);
    this.words = new Float64Array(memory, 0, limits.word_count);
    const result = call.status(handle);
    if (result < 0) throw failure(result, "open the store");
    const status = this.words.slice();
    this.pageSize = status[STATUS.pageSize]!;
    this.keySizeMax = status[STATUS.keySizeMax]!;
    this.isReadOnly = status[STATUS.isReadOnly] === 1;
    this.scratch = new Scratch(memory, this.keySizeMax);
    this.path = this.#path(0);
    const data = { path: this.path, inode: status[STATUS.dataInode]! };
    const log = { path: this.#path(1), inode: status[STATUS.logInode]! };
    this.#files = this.isReadOnly ? null : new Files(data, log);
    this.flusher = new Flusher(this, this.#files);
    this.checkpointer = this.#files === null ? null : new Checkpointer(this, this.#files);
  }

  #path(which: number): string {
    const size = this.call.paths(this.handle, which);
    if (size < 0) throw failure(size, "open the store");
    return readText(this.scratch.source, 0, size);
  }

  /** Whether writes are inside something that is kept or rolled back as one. */
  get isNested(): boolean {
    return this.#frames.length + this.#holds > 0;
  }

  /** Whether promised writes must wait for their turn behind an explicit transaction. */
  get isQueueing(): boolean {
    return this.explicit !== null || (this.#waiting.length > 0 && !this.isNested);
  }

  /** Notes that this turn may hold the latest state, to be let go at its end. */
  pin(): void {
    if (this.isPinned) return;
    this.isPinned = true;
    this.endTurnSoon();
  }

  /** Has the end of the turn run. */
  endTurnSoon(): void {
    if (this.#isTurnScheduled) return;
    this.#isTurnScheduled = true;
    setImmediate(this.#endTurn);
  }

  readonly #endTurn = (): void => {
    this.#isTurnScheduled = false;
    if (this.isClosed) return;
    this.#refusal = null;
    this.#streak = 0;
    if (this.explicit === null) this.drain();
    this.commitBatch(false);
    if (!this.isPinned) return;
    this.isPinned = false;
    this.call.unpin(this.handle);
    this.viewedTxnid = -1;
    for (const scope of this.#viewed.splice(0)) this.call.snapshot_end(this.handle, scope);
  };

  /**
   * Holds the newest committed state until the turn ends, so that views of it stay as they are
   * whatever is committed meanwhile.
   *
   * @returns Its scope, or -1 if this turn holds too many already.
   */
  holdNewest(): number {
    this.pin();
    const scope = this.call.snapshot_begin(this.handle);
    if (scope < 0) throw failure(scope, "view a value");
    const txnid = this.words[0]!;
    if (txnid !== this.viewedTxnid && this.#viewed.length < VIEWED_MAX) {
      this.#viewed.push(scope);
      this.viewedTxnid = txnid;
      return scope;
    }
    this.call.snapshot_end(this.handle, scope);
    return txnid === this.viewedTxnid ? this.#viewed.at(-1)! : -1;
  }

  /**
   * Makes a Sync call possible: nothing may wait before it, and no explicit transaction be
   * open.
   */
  enterSync(doing: string): void {
    if (this.explicit !== null) throw busy(doing);
    if (!this.isNested) this.drain();
  }

  /** The transaction that a write joins; the first of a turn begins it. */
  join(owner: Owner, isSync: boolean): Writer {
    owner.assertOpen("write");
    if (this.batch !== null) return this.batch;
    if (this.#doomed !== null) throw this.#doomed;
    if (this.explicit !== null) throw busy("write");
    if (this.#refusal !== null && !isSync) throw this.#refusal;
    const handle = this.call.txn_begin(this.handle, 0, owner.settings.lockTimeout);
    this.pin();
    if (handle < 0) {
      const error = failure(handle, "write");
      if (codeOf(error) === "ZEOLITE_BUSY") this.#refusal = error;
      throw error;
    }
    this.batch = new Batch(handle, this.words[0]!);
    return this.batch;
  }

  /** The promise of a write that was made in the batch. */
  promised<T>(owner: Owner, value: T): Promise<T>;
  promised(owner: Owner, value: unknown): Promise<unknown> {
    const { durability, flushInterval } = owner.settings;
    const frame = this.#frames.at(-1);
    const batch = this.batch!;
    if (durability === "committed" && flushInterval < batch.flushInterval) {
      batch.flushInterval = flushInterval;
    }
    const promise = (frame ?? batch).promise(durability);
    if (value === true) return promise;
    const derived = promise.then(() => value);
    if (frame !== undefined) derived.catch(() => {});
    return derived;
  }

  /**
   * Publishes the batch now; the error if that failed, which its promises have too. With
   * `isFlushed` the caller flushes it in place after this.
   */
  commitBatch(isSync: boolean, isFlushed: boolean = false): Error | null {
    const batch = this.batch;
    if (batch === null) return null;
    this.batch = null;
    batch.isOpen = false;
    const { flusher } = this;
    let flush: AheadFlush | null = null;
    if (isFlushed) this.call.txn_write_ahead(this.handle, batch.handle, 0);
    else if (batch.isAwaited) flush = flusher.beginAhead(batch.handle, batch.isAlone);
    const result = this.call.txn_commit(this.handle, batch.handle);
    if (result < 0) {
      const error = failure(result, "commit");
      batch.failed(error);
      return error;
    }
    const txnid = this.words[0]!;
    if (flush !== null) flush.txnid = txnid;
    this.afterCommit(isSync);
    batch.committed(txnid, flusher);
    return null;
  }

  /** Does what the engine asked for with the commit just made: a flush, a checkpoint. */
  afterCommit(isSync: boolean): void {
    const mustFlush = this.words[1] === 1;
    const urgency = this.words[2]!;
    if (isSync) this.#countSync(urgency);
    else if (isForTurns(urgency)) this.checkpointer?.start();
    if (!mustFlush) return;
    if (isSync) this.flusher.flushSync();
    else this.flusher.start();
  }

  /** In a long run of Sync calls no callback runs, so a checkpoint must not wait for one. */
  #countSync(urgency: number): void {
    this.endTurnSoon();
    this.#streak += 1;
    const { checkpointer } = this;
    if (checkpointer === null || urgency === URGENCY.none) return;
    if (this.#streak < STREAK_MAX) {
      if (isForTurns(urgency)) checkpointer.start();
      return;
    }
    try {
      checkpointer.push(urgency);
    } catch {
      // The commit itself is good; what is wrong with the file shows at the next write.
    }
  }

  /** Whether a Sync write can be a transaction of its own, begun and ended by one call. */
  get isIdle(): boolean {
    return this.batch === null && this.explicit === null && !this.isNested &&
      this.#doomed === null;
  }

  /** Ends a Sync write: publishes it and makes it as safe as its Store demands. */
  leaveSync(owner: Owner): void {
    if (this.isNested) return;
    const error = this.commitBatch(true, owner.settings.durability === "durable");
    if (error !== null) throw error;
    this.#makeSafe(owner);
  }

  /** Ends a Sync write that the engine has published already. */
  leaveCommitted(owner: Owner): void {
    this.afterCommit(true);
    this.#makeSafe(owner);
  }

  #makeSafe(owner: Owner): void {
    const { durability, flushInterval } = owner.settings;
    if (durability === "durable") this.flusher.flushSync();
    else if (durability === "committed") this.flusher.schedule(flushInterval);
  }

  /** Ends a write that failed: the writer lock is not kept for nothing. */
  leaveFailed(): void {
    if (this.isNested || this.batch === null || this.batch.operations > 0) return;
    const batch = this.batch;
    this.batch = null;
    batch.isOpen = false;
    this.call.txn_abort(this.handle, batch.handle);
  }

  /**
   * The error of a failed write call. What may have left pages half changed takes back the frame it
   * happened in, or the whole batch where there is none.
   */
  writeFailed(writer: Writer, result: number, doing: string): Error {
    const error = failure(result, doing);
    if (isOperationFailure(result)) return error;
    writer.failure = error;
    if (writer === this.batch && this.#frames.length === 0) this.#abortBatch(error);
    return error;
  }

  #abortBatch(error: Error): void {
    const batch = this.batch!;
    this.batch = null;
    batch.isOpen = false;
    if (this.isNested) this.#doomed = error;
    this.call.txn_abort(this.handle, batch.handle);
    batch.failed(error);
  }

  /** Runs `body` so that its writes are kept or rolled back as one. */
  frame<T>(writer: Writer, body: () => T): T {
    const level = this.call.savepoint(this.handle, writer.handle);
    if (level < 0) throw this.writeFailed(writer, level, "begin a transaction");
    const frame = new Frame(level);
    const { operations } = writer;
    this.#frames.push(frame);
    let result: T;
    try {
      result = body();
      assertUsable(writer);
      const released = this.call.savepoint_release(this.handle, writer.handle, level);
      if (released < 0) throw this.writeFailed(writer, released, "end a transaction");
    } catch (error) {
      this.#rollBack(writer, level);
      writer.operations = operations;
      this.#frames.pop();
      frame.rolledBack(error);
      this.#unnest();
      throw error;
    }
    this.#frames.pop();
    const outer = this.#frames.at(-1) ?? this.batch;
    if (outer !== null) frame.kept(outer);
    writer.operations += 1;
    this.#unnest();
    return result;
  }

  #rollBack(writer: Writer, level: number): void {
    if (!writer.isOpen) return;
    const result = this.call.savepoint_rollback(this.handle, writer.handle, level);
    writer.failure = result < 0 ? failure(result, "roll back a transaction") : null;
    if (writer.failure !== null && writer === this.batch) this.#abortBatch(writer.failure);
  }

  /** Runs `body` while the batch stays open. */
  hold<T>(body: () => T): T {
    this.#holds += 1;
    try {
      return body();
    } finally {
      this.#holds -= 1;
      this.#unnest();
    }
  }

  #unnest(): void {
    if (!this.isNested) this.#doomed = null;
  }

  /** Has a promised write run when the explicit transaction has ended. */
  later<T>(owner: Owner, run: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const start = (): void => {
      try {
        resolve(run());
      } catch (error) {
        this.leaveFailed();
        reject(error);
      }
    };
    this.#waiting.push({ owner, promise, run: start, reject });
    return promise;
  }

  /** Runs the promised writes that waited, in order. */
  drain(): void {
    if (this.#waiting.length === 0) return;
    for (const waiting of this.#waiting.splice(0)) waiting.run();
  }

  /** The promises of what a Store has waiting. */
  waitingOf(owner: Owner): Promise<unknown>[] {
    return this.#waiting.filter((one) => one.owner === owner).map(({ promise }) => promise);
  }

  /** Rejects what a Store has waiting. */
  rejectWaiting(owner: Owner, error: Error): void {
    const mine = this.#waiting.filter((one) => one.owner === owner);
    this.#waiting = this.#waiting.filter((one) => one.owner !== owner);
    for (const one of mine) one.reject(error);
  }

  /** The explicit transaction has ended. */
  explicitEnded(): void {
    this.explicit = null;
    if (this.#waiting.length > 0) this.endTurnSoon();
  }

  /** One Store less; with the last one the session ends. */
  release(closed: Error): void {
    this.opens -= 1;
    if (this.opens === 0) {
      this.isClosed = true;
      sessions.delete(this.handle);
      this.flusher.close(closed);
      this.checkpointer?.close();
      this.scratch.detach();
      this.#files?.close();
    }
    const result = this.call.close(this.handle);
    if (result < 0) throw failure(result, `close "${this.path}"`);
  }
}

/** Throws if a transaction cannot go on. */
export function assertUsable(writer: Writer): void {
  if (writer.failure !== null) throw writer.failure;
  if (!writer.isOpen) throw txnEnded("use this transaction");
}

/** Something that a transaction was used for after its end. */
export function txnEnded(doing: string): ZeoliteError {
  return new ZeoliteError(
    "ZEOLITE_TXN_ENDED",
    `Cannot ${doing}: it has been committed, aborted or disposed; begin a new one`,
  );
}

/** A write that an explicit transaction of this thread keeps out. */
export function busy(doing: string): ZeoliteError {
  return new ZeoliteError(
    "ZEOLITE_BUSY",
    `Cannot ${doing}: a transaction of begin() is open in this thread; commit or abort it first, ` +
      "or write through at(txn)",
  );
}

/** Whether steps are to be taken that wait for callbacks; whose turn it was may be blocked. */
function isForTurns(urgency: number): boolean {
  return urgency === URGENCY.wanted || urgency === URGENCY.due;
}
