/**
 * The batch of a turn: the write transaction that all promised writes of one turn of the event loop
 * share, with the promises that its end settles. A frame is a part of it that can be rolled back
 * alone: what one transaction(body) or one putMany wrote.
 */
import { ZeoliteError } from "./error.ts";
import type { Deferred, Flusher } from "./flusher.ts";
import type { Durability } from "./options.ts";

/** A write transaction of the engine, open in this thread. */
export interface Writer {
  /** The scope that reads and writes name it by. */
  readonly handle: number;
  /** The commit that it will be. */
  readonly txnid: number;
  /** Operations that changed something or may have. */
  operations: number;
  /** Why it can only be aborted. */
  failure: Error | null;
  /** Whether a value in it is long enough to make its flush longer. */
  isLarge: boolean;
  /** Whether it has neither been committed nor aborted. */
  isOpen: boolean;
}

/** Promises of which one waits for the flush and one does not. */
type Settlements = { durable: Deferred<true> | null; committed: Deferred<true> | null };

/** The promise of a set of settlements for a durability, made when first asked for. */
function promiseOf(settlements: Settlements, durability: Durability): Promise<true> {
  const name = durability === "durable" ? "durable" : "committed";
  return (settlements[name] ??= Promise.withResolvers<true>()).promise;
}

/** The batch of a turn. */
export class Batch implements Writer {
  readonly handle: number;
  readonly txnid: number;
  operations: number = 0;
  failure: Error | null = null;
  isOpen: boolean = true;
  /** Milliseconds until it must be flushed, if anybody asked for that. */
  flushInterval: number = Infinity;
  isLarge: boolean = false;
  readonly #settlements: Settlements = { durable: null, committed: null };

  constructor(handle: number, txnid: number) {
    this.handle = handle;
    this.txnid = txnid;
  }

  /** Resolves to true when the batch is as safe as a durability demands; the same one for all. */
  promise(durability: Durability): Promise<true> {
    return promiseOf(this.#settlements, durability);
  }

  /** Whether somebody waits until it is durable. */
  get isAwaited(): boolean {
    return this.#settlements.durable !== null;
  }

  /** Whether it is one write, and its caller waits for nothing but the disk. */
  get isAlone(): boolean {
    return this.operations === 1 && !this.isLarge;
  }

  /** The batch was published. */
  committed(txnid: number, flusher: Flusher): void {
    const { durable, committed } = this.#settlements;
    committed?.resolve(true);
    if (durable !== null) flusher.wait(txnid, durable, this.isAlone);
    if (this.flushInterval !== Infinity) flusher.schedule(this.flushInterval);
  }

  /** Nothing of the batch is stored. */
  failed(error: Error): void {
    this.failure = error;
    this.#settlements.committed?.reject(error);
    this.#settlements.durable?.reject(error);
  }
}

/** A part of the batch that is kept or rolled back as one. */
export class Frame {
  /** The engine's mark to go back to. */
  readonly level: number;
  readonly #settlements: Settlements = { durable: null, committed: null };

  constructor(level: number) {
    this.level = level;
  }

  /** As that of the batch, but rejected if this part is rolled back. */
  promise(durability: Durability): Promise<true> {
    const promise = promiseOf(this.#settlements, durability);
    // Whoever throws inside a transaction need not look after each promise made inside it.
    promise.catch(() => {});
    return promise;
  }

  /** The part is kept: its promises follow those of what it is a part of. */
  kept(outer: Frame | Batch): void {
    const { durable, committed } = this.#settlements;
    durable?.resolve(outer.promise("durable"));
    committed?.resolve(outer.promise("committed"));
  }

  /** The part was rolled back. */
  rolledBack(cause: unknown): void {
    const error = new ZeoliteError(
      "ZEOLITE_TXN_ENDED",
      "Cannot keep this write: the transaction around it was rolled back",
      { cause },
    );
    this.#settlements.committed?.reject(error);
    this.#settlements.durable?.reject(error);
  }
}
