/**
 * Makes commits durable: one flush at a time, shared by every commit published before it began.
 * The engine says what to flush and is told how it went; a flush that fails is final, for the
 * engine then refuses all writes. No promise resolves before a flush has covered its commit.
 */
import { clearTimeout, setTimeout } from "node:timers";
import { ZeoliteError } from "./error.ts";
import type { Files } from "./files.ts";
import { type Calls, failure } from "./library.ts";

/** Milliseconds that a flush for a write alone may block the event loop for, on average. */
const BLOCK_MS = 1;
/** Part that the newest such flush has in that average. */
const BLOCK_WEIGHT = 1 / 8;
/** Where they take longer none blocks for so many times as long. */
const REST_FACTOR = 100;

/** A promise and the means to settle it. */
export type Deferred<T> = ReturnType<typeof Promise.withResolvers<T>>;

/** Somebody who waits until a commit is durable. */
interface Waiter {
  readonly txnid: number;
  readonly deferred: Deferred<true>;
}

/** A flush that began before the pages of a commit were written. */
export interface AheadFlush {
  /** The commit, once it is published: until then the flush is not one of it. */
  txnid: number;
}

/** What a flusher needs of its session. */
export interface FlushPort {
  readonly call: Calls;
  readonly handle: number;
  readonly words: Float64Array;
}

/** The flushes of one session. */
export class Flusher {
  readonly #port: FlushPort;
  readonly #files: Files | null;
  #waiters: Waiter[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;
  #isFlushing = false;
  #isClosed = false;
  /** Milliseconds that flushes have blocked for, on average. */
  #blockMs = 0;
  /** When a flush may block again, by performance.now(). */
  #blocksFrom = 0;

  /** @param files The descriptors to flush, or null if nothing is ever written. */
  constructor(port: FlushPort, files: Files | null) {
    this.#port = port;
    this.#files = files;
  }

  /**
   * Has the record of a transaction that somebody will wait for written ahead of its pages, and
   * begins its flush, which goes on while the engine writes them. The caller commits it at once,
   * whatever comes out, and then says so in what is returned.
   *
   * @param txn The transaction.
   * @param isAlone As for `wait`.
   * @returns The flush; null if it is to begin after the commit.
   */
  beginAhead(txn: number, isAlone: boolean): AheadFlush | null {
    if (this.#isFlushing || this.#isClosed || this.#files === null) return null;
    const { call, handle } = this.#port;
    const isHere = isAlone && this.#canBlock();
    // An error is told by the commit.
    if (call.txn_write_ahead(handle, txn, isHere ? 0 : 1) !== 1 || isHere) return null;
    const flush: AheadFlush = { txnid: 0 };
    this.#isFlushing = true;
    this.#files.flush("log", (error) => this.#end(flush.txnid, error));
    return flush;
  }

  /**
   * Settles `deferred` when the commit is durable. For a write that nobody else's waits with
   * (`isAlone`) the flush is done in place where flushes are short: handing it to another thread
   * and hearing of it takes about as long as the flush.
   */
  wait(txnid: number, deferred: Deferred<true>, isAlone: boolean): void {
    const isHere = isAlone && this.#canBlock();
    this.#waiters.push({ txnid, deferred });
    if (isHere) this.#flushHere();
    else this.start();
  }

  /** Whether a flush for a write alone may be done in place now. */
  #canBlock(): boolean {
    return this.#waiters.length === 0 && !this.#isFlushing &&
      performance.now() >= this.#blocksFrom;
  }

  /** Flushes and waits; whoever waits for it is told how it went. */
  #flushHere(): void {
    const begin = performance.now();
    try {
      this.flushSync();
    } catch {
      // Those who wait have the error.
    }
    const end = performance.now();
    this.#blockMs += (end - begin - this.#blockMs) * BLOCK_WEIGHT;
    if (this.#blockMs <= BLOCK_MS) return;
    this.#blocksFrom = end + this.#blockMs * REST_FACTOR;
    this.#blockMs = 0;
  }

  /** Flushes within so many milliseconds, without keeping the process alive for it. */
  schedule(milliseconds: number): void {
    if (this.#timer !== null || this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.start();
    }, milliseconds);
    this.#timer.unref();
  }

  /** Resolves when everything published now is durable. */
  async flush(): Promise<void> {
    if (this.#isClosed || this.#files === null) return;
    const { call, handle, words } = this.#port;
    const result = call.status(handle);
    if (result < 0) throw failure(result, "flush");
    const deferred = Promise.withResolvers<true>();
    this.wait(words[0]!, deferred, false);
    await deferred.promise;
  }

  /** Flushes everything published, and waits. */
  flushSync(): void {
    if (this.#isClosed || this.#files === null) return;
    const result = this.#port.call.flush_sync(this.#port.handle);
    if (result >= 0) return this.#settle(Infinity);
    const error = failure(result, "flush");
    this.#fail(error);
    throw error;
  }

  /** Begins a flush unless one is under way; that one begins the next if it is needed. */
  start(): void {
    if (this.#isFlushing || this.#isClosed || this.#files === null) return;
    const files = this.#files;
    const { call, handle, words } = this.#port;
    const step = call.flush_begin(handle);
    if (step < 0) return this.#fail(failure(step, "flush"));
    if (step === 0) return this.#settle(Infinity);
    const txnid = words[0]!;
    this.#isFlushing = true;
    const end = (error: Error | null): void => this.#end(txnid, error);
    if (step === 1) return files.flush("log", end);
    files.flush("data", (error) => error === null ? files.flush("log", end) : end(error));
  }

  /** Stops; what still waits is rejected, unless a flush covered it. */
  close(error: Error): void {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#fail(error);
  }

  /** A flush has ended. */
  #end(txnid: number, error: Error | null): void {
    this.#isFlushing = false;
    if (this.#isClosed) return;
    const { call, handle, words } = this.#port;
    words[0] = txnid;
    const result = call.flush_end(handle, error === null ? 1 : 0);
    if (error !== null) return this.#fail(flushFailed(error));
    if (result < 0) return this.#fail(failure(result, "flush"));
    this.#settle(txnid);
    if (this.#waiters.length > 0) this.start();
  }

  #settle(txnid: number): void {
    const waiters = this.#waiters;
    if (waiters.length === 0) return;
    this.#waiters = waiters.filter((waiter) => waiter.txnid > txnid);
    for (const waiter of waiters) if (waiter.txnid <= txnid) waiter.deferred.resolve(true);
  }

  #fail(error: Error): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.deferred.reject(error);
  }
}

/** A flush that the system could not do. */
export function flushFailed(cause: Error): ZeoliteError {
  return new ZeoliteError(
    "ZEOLITE_IO",
    `Cannot flush: ${cause.message}; no more writes until every process has closed the store, ` +
      "then the next open decides which of the last commits are kept",
    { cause },
  );
}
