/**
 * One open() of a store: its options, whether it is still open, and all that must end with it
 * (ranges, snapshots, checks, backups, windows of the map).
 */
import { ZeoliteError } from "./error.ts";
import type { OpenSettings } from "./options.ts";
import type { Owner, Session } from "./session.ts";
import { Windows } from "./window.ts";

/** What one Store has of its session. */
export class Access implements Owner {
  readonly session: Session;
  readonly settings: OpenSettings;
  /** The map's bytes as this Store shows them. */
  readonly windows: Windows;
  /** What ends when the store is closed. */
  readonly held: Set<Held> = new Set();
  /** The transaction of begin(), while it is open. */
  explicit: Held | null = null;
  /** Whether nothing more is let in. */
  isClosed = false;
  /** Whether its share of the session was given back. */
  isReleased = false;

  constructor(session: Session, settings: OpenSettings) {
    this.session = session;
    this.settings = settings;
    this.windows = new Windows(session.call, session.handle, session.words);
  }

  /** Whether writes are refused. */
  get isReadOnly(): boolean {
    return this.settings.isReadOnly || this.session.isReadOnly;
  }

  /** Throws if the store was closed. */
  assertOpen(doing: string): void {
    if (this.isClosed) throw this.closed(doing);
  }

  /** Throws if nothing may be written. */
  assertWritable(doing: string): void {
    if (this.isClosed) throw this.closed(doing);
    if (!this.isReadOnly) return;
    throw new ZeoliteError(
      "ZEOLITE_READ_ONLY",
      `Cannot ${doing}: the store is open for reading only; open it without readOnly, on a file ` +
        "that may be written",
    );
  }

  /** The error of any use after close(). */
  closed(doing: string): ZeoliteError {
    return new ZeoliteError(
      "ZEOLITE_CLOSED",
      `Cannot ${doing}: the store was closed; open "${this.session.path}" again`,
    );
  }
}

/** Something of the engine that is held until it is ended, at the latest when its Store closes. */
export class Held {
  readonly #access: Access;
  readonly #release: (session: Session) => void;
  isOpen = true;

  /** @param release Gives it back to the engine; not called once the session is closed. */
  constructor(access: Access, release: (session: Session) => void) {
    this.#access = access;
    this.#release = release;
    access.held.add(this);
  }

  /** Has it end when nobody can reach `owner` any more. */
  endWith(owner: object): void {
    abandoned.register(owner, this, this);
  }

  /** Gives it back; once is enough. */
  end(): void {
    if (!this.isOpen) return;
    this.forget();
    const { session } = this.#access;
    if (!session.isClosed) this.#release(session);
  }

  /** Notes that the engine has it back already. */
  forget(): void {
    this.isOpen = false;
    abandoned.unregister(this);
    this.#access.held.delete(this);
  }
}

const abandoned: FinalizationRegistry<Held> = new FinalizationRegistry((held) => held.end());
