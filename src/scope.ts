/**
 * A state that can be read, as table.at() takes it: the latest one, a snapshot, or a transaction.
 */
import { type Access, Held } from "./access.ts";
import { failure } from "./library.ts";
import { type Session, txnEnded } from "./session.ts";

/** A state that can be read. */
export interface Scope {
  /** The session it belongs to. */
  readonly session: Session;
  /** The number that calls name it by; 0 is the latest state. */
  readonly handle: number;
  /** Whether it can still be read. */
  readonly isOpen: boolean;
}

/** The latest state, with what the batch of this turn has written. */
export function latestScope(session: Session): Scope {
  return { session, handle: 0, isOpen: true };
}

/** Throws what reading a scope that has ended throws. */
export function scopeEnded(doing: string): Error {
  return txnEnded(doing);
}

/**
 * A consistent view of everything committed when it was made, held until it is disposed.
 *
 * @example
 * ```ts
 * import { open } from "zeolite";
 *
 * using store = open("accounts.zeo");
 * using snapshot = store.snapshot();
 * await store.put("alice", 10);
 * console.log(store.at(snapshot).get("alice")); // what it was before
 * ```
 */
export interface Snapshot extends Disposable {
  /** Tells it from a write transaction. */
  readonly kind: "snapshot";
  /** The newest commit that it shows. */
  readonly txnid: number;
}

/** A snapshot of the engine. */
export class PinnedSnapshot implements Snapshot, Scope {
  readonly kind = "snapshot";
  readonly txnid: number;
  readonly session: Session;
  readonly handle: number;
  readonly #held: Held;

  constructor(access: Access) {
    const { session } = access;
    session.pin();
    const handle = session.call.snapshot_begin(session.handle);
    if (handle < 0) throw failure(handle, "take a snapshot");
    this.session = session;
    this.handle = handle;
    this.txnid = session.words[0]!;
    this.#held = new Held(access, (holder) => holder.call.snapshot_end(holder.handle, handle));
    this.#held.endWith(this);
  }

  get isOpen(): boolean {
    return this.#held.isOpen;
  }

  /** Lets the state go; its space can be used again. */
  [Symbol.dispose](): void {
    this.#held.end();
  }
}
