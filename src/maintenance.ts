/**
 * Long operations over a whole store: the check and the hot backup. Both go in steps and leave the
 * event loop to others between them; both end when their Store is closed.
 */
import { setImmediate } from "node:timers";
import { codes } from "../ffi/abi.ts";
import { type Access, Held } from "./access.ts";
import { encodeText, readText } from "./codec/text.ts";
import { describe, typeError } from "./error.ts";
import { failure } from "./library.ts";
import { booleanOption, filePath, optionsObject } from "./options.ts";
import type { CheckError, CheckReport, Progress } from "./report.ts";
import type { Session } from "./session.ts";

/** Pages that are checked before others have their turn. */
const CHECK_PAGES = 256;
/** Stands for the table of what belongs to none. */
const NO_TABLE = 0xffff_ffff;

/** The rest of the turn for others. */
function turn(): Promise<void> {
  return new Promise((done) => setImmediate(done));
}

/** Checks a function that is told the progress. */
export function progressOption(value: unknown): Progress {
  if (value === undefined) return () => {};
  if (typeof value === "function") return value as Progress;
  throw typeError(
    "ZEOLITE_OPTIONS",
    `Cannot use option onProgress: found ${describe(value)}; pass a function`,
  );
}

/**
 * Begins a walk over the newest state. Where pages of it are in memory only the engine writes them
 * first, and for that the batch of this turn must be over.
 */
function begin(session: Session, doing: string, call: () => number): number {
  let handle = call();
  if (handle === codes.busy.number && session.batch !== null && !session.isNested) {
    // Should it fail, its promises have the error.
    session.commitBatch(false);
    handle = call();
  }
  if (handle < 0) throw failure(handle, doing);
  return handle;
}

/** Walks every page; what it found. */
export async function check(access: Access, onProgress: Progress): Promise<CheckReport> {
  access.assertOpen("check");
  const { session } = access;
  const { call, words } = session;
  const handle = begin(session, "check", () => call.check_begin(session.handle));
  const held = new Held(access, () => call.check_end(session.handle, handle));
  const errors: CheckError[] = [];
  try {
    for (;;) {
      const result = call.check_step(session.handle, handle, CHECK_PAGES);
      if (result < 0) throw failure(result, "check");
      const [done, total, pages, entries, errorCount, errorsHere] = words;
      readErrors(session, errors, errorsHere!);
      onProgress(done!, total!);
      if (result === 1) {
        return { ok: errorCount === 0, pages: pages!, entries: entries!, errors };
      }
      await turn();
      access.assertOpen("check");
    }
  } finally {
    held.end();
  }
}

/** Adds the errors of a step to those before it. */
function readErrors(session: Session, errors: CheckError[], count: number): void {
  const { source } = session.scratch;
  const { bytes } = source;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0, left = count; left > 0; left -= 1) {
    const page = view.getUint32(at, true);
    const tableSize = view.getUint32(at + 4, true);
    const messageSize = view.getUint32(at + 8, true);
    at += 12;
    const isNone = tableSize === NO_TABLE;
    const tableEnd = isNone ? at : at + tableSize;
    const table = isNone ? null : readText(source, at, tableEnd);
    const message = readText(source, tableEnd, tableEnd + messageSize);
    errors.push({ page, table, message });
    at = tableEnd + messageSize;
  }
}

/** How to make a backup. */
export interface BackupOptions {
  /** Only live pages, in key order. */
  compact?: boolean;
  /** Told how far it has come. */
  onProgress?: Progress;
}

/** Copies the newest state into a new file while writers go on. */
export async function backup(
  access: Access,
  path: string | URL,
  options: BackupOptions | undefined,
): Promise<void> {
  const given = optionsObject(options);
  const bytes = encodeText(filePath(path));
  const isCompact = booleanOption("compact", given.compact, false);
  const onProgress = progressOption(given.onProgress);
  access.assertOpen("back up");
  const { session } = access;
  const { call, words } = session;
  const handle = begin(session, "back up", () => {
    return call.backup_begin(session.handle, bytes, bytes.length, isCompact ? 1 : 0);
  });
  const held = new Held(access, () => call.backup_end(session.handle, handle));
  try {
    for (;;) {
      const result = call.backup_step(session.handle, handle);
      if (result < 0) throw failure(result, "back up");
      onProgress(words[0]!, words[1]!);
      if (result === 1) return;
      await turn();
      access.assertOpen("back up");
    }
  } finally {
    held.end();
  }
}
