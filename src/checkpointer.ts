/**
 * Drives checkpoints: takes the engine's steps one by one and does the flushes between them without
 * blocking. Writers go on meanwhile. Any thread of any process may take a step, so a step that
 * somebody else takes is waited for, never repeated.
 */
import { setTimeout } from "node:timers";
import { ZeoliteError } from "./error.ts";
import type { Files } from "./files.ts";
import { flushFailed, type FlushPort } from "./flusher.ts";
import { failure } from "./library.ts";

/** Milliseconds until a step that somebody else takes is looked at again. */
const WAIT_MS = 5;
/** How often a checkpoint that nobody asked for looks again. */
const TRIES_MAX = 20;
/** How many checkpoints a call may take: one under way may have begun too early. */
const RUNS_MAX = 4;
/** Milliseconds after a failure in which no checkpoint starts by itself. */
const PAUSE_MS = 1000;
/** What a commit says of checkpoints. */
export const URGENCY = { none: 0, wanted: 1, ahead: 2, due: 3 } as const;
/** Word of the status that holds the newest checkpoint. */
const CHECKPOINT_TXNID = 2;

/** The checkpoints of one session. */
export class Checkpointer {
  readonly #port: FlushPort;
  readonly #files: Files;
  #running: Promise<void> | null = null;
  #pausedUntil = 0;
  #isClosed = false;
  /** Whether the files are being flushed, or were, for the end of the one under way. */
  #isAhead = false;

  /** @param files The descriptors to flush. */
  constructor(port: FlushPort, files: Files) {
    this.#port = port;
    this.#files = files;
  }

  /** Starts one because the log has grown; a failure shows at the next write. */
  start(): void {
    if (this.#running !== null || this.#isClosed || Date.now() < this.#pausedUntil) return;
    this.#run(TRIES_MAX).catch(() => {
      this.#pausedUntil = Date.now() + PAUSE_MS;
    });
  }

  /** Resolves when everything published now is in a checkpoint. */
  async checkpoint(): Promise<void> {
    const target = this.#status(0);
    for (let runs = 0; runs < RUNS_MAX && this.#status(CHECKPOINT_TXNID) < target; runs += 1) {
      await (this.#running ?? this.#run(Infinity));
    }
  }

  /** Writes one, and waits; takes over what is under way. */
  checkpointSync(): void {
    const result = this.#port.call.checkpoint_sync(this.#port.handle);
    if (result < 0) throw failure(result, "write a checkpoint");
  }

  /**
   * Goes on with one, in a long run of Sync calls: no callback runs, so nobody hears of a flush.
   * The data file is flushed aside meanwhile, and again in place for what was written since.
   */
  push(urgency: number): void {
    if (this.#isClosed) return;
    const { call, handle } = this.#port;
    if (urgency === URGENCY.ahead) {
      if (this.#isAhead) return;
      this.#isAhead = true;
      this.#flushAside();
      return;
    }
    this.#isAhead = false;
    const isDue = urgency === URGENCY.due;
    const result = isDue ? call.checkpoint_finish(handle) : call.checkpoint_begin(handle);
    if (result < 0) throw failure(result, "write a checkpoint");
    if (result === 0 && !isDue) this.#flushAside();
  }

  /**
   * Flushes the data file without waiting; that it failed is found out by the flush that counts, or
   * here.
   */
  #flushAside(): void {
    this.#files.flush("data", (error) => {
      if (error !== null && !this.#isClosed) this.#port.call.flush_end(this.#port.handle, 0);
    });
  }

  /** Resolves when no step is under way any more. */
  async idle(): Promise<void> {
    try {
      await this.#running;
    } catch {
      // Whoever started it was told.
    }
  }

  /** Takes no further step. */
  close(): void {
    this.#isClosed = true;
  }

  #status(word: number): number {
    if (this.#isClosed) throw closedMeanwhile();
    const result = this.#port.call.status(this.#port.handle);
    if (result < 0) throw failure(result, "write a checkpoint");
    return this.#port.words[word]!;
  }

  #run(tries: number): Promise<void> {
    const run = this.#steps(tries).finally(() => {
      this.#running = null;
    });
    this.#running = run;
    return run;
  }

  async #steps(tries: number): Promise<void> {
    const { call, handle, words } = this.#port;
    for (let left = tries; left > 0;) {
      if (this.#isClosed) throw closedMeanwhile();
      const step = call.checkpoint_step(handle);
      if (step < 0) throw failure(step, "write a checkpoint");
      if (step === 0) return;
      if (step === 3) {
        left -= 1;
        await wait(WAIT_MS);
        continue;
      }
      const ticket = [words[0]!, words[1]!] as const;
      const error = await this.#flush(step === 1 ? "data" : "log");
      if (this.#isClosed) throw closedMeanwhile();
      words.set(ticket);
      const result = call.checkpoint_flushed(handle, error === null ? 1 : 0);
      if (error !== null) throw flushFailed(error);
      if (result < 0) throw failure(result, "write a checkpoint");
    }
  }

  #flush(which: "data" | "log"): Promise<Error | null> {
    return new Promise((done) => this.#files.flush(which, done));
  }
}

function wait(milliseconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, milliseconds));
}

function closedMeanwhile(): ZeoliteError {
  return new ZeoliteError(
    "ZEOLITE_CLOSED",
    "Cannot write a checkpoint: the store was closed; close() writes one when it is the last",
  );
}
