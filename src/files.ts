/**
 * The store's two files as this runtime's own descriptors, opened for one purpose: to flush them
 * without a thread of ours and without blocking. Nothing is read or written through them.
 * A descriptor is closed only when no flush of it is under way, so its number is never another
 * file's while the runtime still works with it.
 */
import { closeSync, fdatasync, fstatSync, openSync } from "node:fs";
import { codeOf, ZeoliteError } from "./error.ts";

/** The descriptors of one session. */
export class Files {
  readonly #data: number;
  readonly #log: number;
  #pending = 0;
  #isClosed = false;

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

  /** Flushes the data file or the log; `done` gets the error, if any. */
  flush(which: "data" | "log", done: (error: Error | null) => void): void {
    this.#pending += 1;
    fdatasync(which === "data" ? this.#data : this.#log, (error) => {
      this.#pending -= 1;
      if (this.#isClosed && this.#pending === 0) this.#release();
      done(error);
    });
  }

  /** Closes both, at the latest when the last flush has ended. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#pending === 0) this.#release();
  }

  #release(): void {
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
