/**
 * Write transactions as callers hold them: that of begin(), which they commit or abort, and that of
 * transaction(body), which is a part of the turn's batch and ends with its body.
 */
import { type Access, Held } from "./access.ts";
import type { Writer } from "./batch.ts";
import { notAvailable, typeError, ZeoliteError } from "./error.ts";
import type { AheadFlush } from "./flusher.ts";
import { failure } from "./library.ts";
import type { Scope } from "./scope.ts";
import { busy, type Session, txnEnded } from "./session.ts";

/**
 * A write transaction. Reads and writes belong to it through `table.at(txn)`.
 *
 * @example
 * ```ts
 * import { open } from "zeolite";
 *
 * using store = open("accounts.zeo");
 * using txn = store.begin();
 * const accounts = store.at(txn);
 * accounts.putSync("alice", 10);
 * await txn.commit();
 * ```
 */
export interface WriteTransaction extends Disposable {
  /** Tells it from a snapshot. */
  readonly kind: "write";
  /** The commit that it will be. */
  readonly txnid: number;
  /**
   * Makes its writes visible; they are one commit.
   *
   * @returns Resolves when the commit is as safe as the store's durability demands.
   * @throws {ZeoliteError} ZEOLITE_TXN_ENDED; ZEOLITE_OPTIONS inside transaction(body), which
   * commits by itself; what made the commit impossible.
   */
  commit(): Promise<void>;
  /**
   * Makes its writes visible, and waits until the commit is as safe as the durability demands.
   *
   * @throws As commit().
   */
  commitSync(): void;
  /**
   * Forgets its writes.
   *
   * @throws {ZeoliteError} ZEOLITE_TXN_ENDED; ZEOLITE_OPTIONS inside transaction(body), where a
   * throw does this.
   */
  abort(): void;
  /**
   * A point to go back to. Not available yet.
   *
   * @returns The means to go back or to forget it.
   * @throws {ZeoliteError} ZEOLITE_OPTIONS always.
   */
  savepoint(): { rollback(): void; release(): void };
}

/** For wrappers: `<T>(f: () => NotAPromise<T>) => store.transactionSync<T>(f)`. */
export type NotAPromise<T> = T extends PromiseLike<unknown> ? never : T;

/** The transaction of begin(). */
export class ExplicitTxn implements WriteTransaction, Scope {
  readonly kind = "write";
  readonly txnid: number;
  readonly session: Session;
  readonly handle: number;
  /** What writes go to. */
  readonly writer: Writer;
  readonly #access: Access;
  readonly #held: Held;

  constructor(access: Access) {
    const { session } = access;
    assertFree(session);
    const { lockTimeout } = access.settings;
    session.pin();
    const handle = session.call.txn_begin(session.handle, 1, lockTimeout);
    if (handle < 0) throw failure(handle, "begin a transaction");
    const txnid = session.words[0]!;
    const writer = { handle, txnid, operations: 0, failure: null, isLarge: false, isOpen: true };
    this.#access = access;
    this.session = session;
    this.handle = handle;
    this.txnid = txnid;
    this.writer = writer;
    session.explicit = writer;
    this.#held = new Held(access, () => {
      writer.isOpen = false;
      access.explicit = null;
      session.call.txn_abort(session.handle, handle);
      session.explicitEnded();
    });
    this.#held.endWith(this);
    access.explicit = this.#held;
  }

  get isOpen(): boolean {
    return this.writer.isOpen;
  }

  commit(): Promise<void> {
    try {
      return this.#commit();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  commitSync(): void {
    this.#publish(true);
    const { durability, flushInterval } = this.#access.settings;
    if (durability === "durable") this.session.flusher.flushSync();
    else if (durability === "committed") this.session.flusher.schedule(flushInterval);
  }

  abort(): void {
    this.#assertOpen("abort this transaction");
    this.#held.end();
  }

  savepoint(): { rollback(): void; release(): void } {
    throw notAvailable("savepoint()");
  }

  /** Aborts it unless it has ended. */
  [Symbol.dispose](): void {
    this.#held.end();
  }

  async #commit(): Promise<void> {
    const txnid = this.#publish(false);
    const { durability, flushInterval } = this.#access.settings;
    const { flusher } = this.session;
    if (durability === "committed") flusher.schedule(flushInterval);
    if (durability !== "durable") return;
    const deferred = Promise.withResolvers<true>();
    flusher.wait(txnid, deferred, false);
    await deferred.promise;
  }

  /** Commits it in the engine; the commit. */
  #publish(isSync: boolean): number {
    this.#assertOpen("commit this transaction");
    const { session, writer } = this;
    if (writer.failure !== null) {
      this.#held.end();
      throw writer.failure;
    }
    this.#held.forget();
    this.#access.explicit = null;
    writer.isOpen = false;
    const { call, handle: store, flusher } = session;
    let flush: AheadFlush | null = null;
    if (this.#access.settings.durability === "durable") {
      if (isSync) call.txn_write_ahead(store, this.handle, 0);
      else flush = flusher.beginAhead(this.handle, false);
    }
    const result = call.txn_commit(store, this.handle);
    const txnid = session.words[0]!;
    if (flush !== null && result >= 0) flush.txnid = txnid;
    session.explicitEnded();
    if (result < 0) throw failure(result, "commit");
    session.afterCommit(isSync);
    return txnid;
  }

  #assertOpen(doing: string): void {
    this.#access.assertOpen(doing);
    if (!this.writer.isOpen) throw txnEnded(doing);
  }
}

/** Clears the way for an explicit transaction: what waits and what this turn wrote comes first. */
function assertFree(session: Session): void {
  if (session.explicit !== null) throw busy("begin a transaction");
  if (session.isNested) {
    throw new ZeoliteError(
      "ZEOLITE_BUSY",
      "Cannot begin a transaction: one of transaction(body) is running; write in it, or wait " +
        "for its end",
    );
  }
  session.drain();
  session.commitBatch(false);
}

/** The transaction of transaction(body). */
export class BodyTxn implements WriteTransaction, Scope {
  readonly kind = "write";
  readonly txnid: number;
  readonly session: Session;
  readonly handle: number;
  /** What writes go to. */
  readonly writer: Writer;
  #isEnded = false;

  constructor(session: Session, writer: Writer) {
    this.session = session;
    this.writer = writer;
    this.handle = writer.handle;
    this.txnid = writer.txnid;
  }

  get isOpen(): boolean {
    return !this.#isEnded && this.writer.isOpen;
  }

  commit(): Promise<void> {
    return Promise.reject(this.#refusal("commit"));
  }

  commitSync(): void {
    throw this.#refusal("commit");
  }

  abort(): void {
    throw this.#refusal("abort");
  }

  savepoint(): { rollback(): void; release(): void } {
    throw notAvailable("savepoint()");
  }

  /** Does nothing: it ends with its body. */
  [Symbol.dispose](): void {}

  /** The body has returned or thrown. */
  end(): void {
    this.#isEnded = true;
  }

  #refusal(doing: string): Error {
    if (!this.isOpen) return txnEnded(`${doing} this transaction`);
    return typeError(
      "ZEOLITE_OPTIONS",
      `Cannot ${doing} here: a transaction(body) is committed when its body returns and rolled ` +
        "back when it throws; use begin() to decide yourself",
    );
  }
}

/** A write transaction of this library. */
export type OpenTxn = ExplicitTxn | BodyTxn;
