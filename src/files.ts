/**
 * The store's two files as this runtime's own descriptors, opened for one purpose: to flush them
 * without a thread of ours and without blocking. Nothing is read or written through them.
 * A descriptor is closed once, and only when no flush of it is under way nor begun by the end of
 * another, so its number is never another file's while the runtime still works with it.
 */
import { closeSync, fdatasync, fstatSync, openSync } from "node:fs";
import { codeOf, ZeoliteError } from "./error.ts";

/** The descriptors of one session. */
export class Files {
  readonly #data: number;
  readonly #log: number;
  #pending = 0;
  #isClosed = false;
  #isReleased = false;

  /** Opens both files, each known by its inode. */
  constructor(data: { path: string; inode: number }, log: { path: string; inode: number }) {
    this.#data = openFile(data.path, data.inode);
    try {
      this.#log = openFile(log.path, log.inode);
    } catch (error) {
      closeSync(this.#data);
      throw error;
    }
  }

  /**
   * Flushes the data file or the log; `done` gets the error, if any. It may begin the next flush,
   * also after `close`.
   */
  flush(which: "data" | "log", done: (error: Error | null) => void): void {
    if (this.#isReleased) return done(new Error("the files are closed"));
    this.#pending += 1;
    fdatasync(which === "data" ? this.#data : this.#log, (error) => {
      try {
        done(error);
      } finally {
        this.#pending -= 1;
        this.#releaseIfIdle();
      }
    });
  }

  /** Closes both, at the latest when the last flush has ended. */
  close(): void {
    this.#isClosed = true;
    this.#releaseIfIdle();
  }

  #releaseIfIdle(): void {
    if (!this.#isClosed || this.#isReleased || this.#pending > 0) return;
    this.#isReleased = true;
    closeSync(this.#data);
    closeSync(this.#log);
  }
}

/** What the system or the runtime calls a lack of permission. */
const PERMISSION = /EACCES|EPERM|NotCapable|PermissionDenied/;

/** Opens a file and makes sure that it is the one the engine has open. */
function openFile(path: string, inode: number): number {
  let descriptor: number;
  try {
    descriptor = openSync(path, "r+");
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    const isRefused = PERMISSION.test(`${codeOf(cause)} ${(cause as Error).name}`);
    const code = isRefused ? "ZEOLITE_PERMISSION" : "ZEOLITE_IO";
    throw new ZeoliteError(code, `Cannot open "${path}" to flush it: ${text}`, { cause });
  }
  if (Number(fstatSync(descriptor).ino) === inode) return descriptor;
  closeSync(descriptor);
  throw new ZeoliteError(
    "ZEOLITE_IO",
    `Cannot open "${path}" to flush it: another file was put in its place; open the store again`,
  );
}
