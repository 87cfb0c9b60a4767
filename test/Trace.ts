/**
 * What strace saw of a process: the flushes and writes between two marks. A mark is an attempt to
 * open
 * a file that does not exist, which the process makes to be seen.
 */
import { readFileSync } from "node:fs";
import { MARK_FOLDER } from "./children/evaluate.ts";

/** Calls that make something durable by themselves. */
const FLUSHES = ["fdatasync", "fsync", "msync", "sync_file_range", "syncfs", "sync"];
const WRITES = ["pwrite64", "pwritev", "pwritev2", "write", "writev"];
const OPENS = ["open", "openat", "openat2", "creat"];
const TRACED = [...FLUSHES, ...WRITES, ...OPENS, "io_uring_enter"];

/** A system call and the file of its descriptor. */
export interface SystemCall {
  readonly name: string;
  readonly path: string;
}

/** What happened between two marks. */
export interface Window {
  readonly flushes: readonly SystemCall[];
  readonly writes: readonly SystemCall[];
}

/** The record of one process and its threads. */
export class Trace {
  readonly #file: string;
  #lines: readonly string[] | undefined;

  /** @param file Where strace writes it. */
  constructor(file: string) {
    this.#file = file;
  }

  /** Starts a program under strace. */
  get prefix(): readonly string[] {
    const filter = `trace=${TRACED.join(",")}`;
    return ["strace", "-f", "-y", "-qq", "-s", "0", "-o", this.#file, "-e", filter];
  }

  /** The lines of all calls, once the process has ended. */
  get #calls(): readonly string[] {
    return this.#lines ??= readFileSync(this.#file, "utf8").split("\n");
  }

  /** What was called between the mark of this name and the next one. */
  window(name: string): Window {
    const begin = this.#calls.findIndex((line) => isMark(line, name));
    if (begin < 0) throw new Error(`strace saw no mark ${name}`);
    const rest = this.#calls.slice(begin + 1);
    const end = rest.findIndex((line) => isMark(line, ""));
    if (end < 0) throw new Error(`strace saw no mark after ${name}`);
    const calls = rest.slice(0, end);
    return {
      flushes: calls.filter(isFlush).map(callOf),
      writes: calls.filter((line) => WRITES.includes(nameOf(line))).map(callOf),
    };
  }

  /** Opens whose writes would be flushes. */
  get synchronousOpens(): readonly string[] {
    return this.#calls.filter((line) => OPENS.includes(nameOf(line)) && /O_D?SYNC/.test(line));
  }
}

function isMark(line: string, name: string): boolean {
  return OPENS.includes(nameOf(line)) && line.includes(`"${MARK_FOLDER}/${name}`);
}

/** The name of the call that a line begins; empty for the second half of an interrupted one. */
function nameOf(line: string): string {
  return /^\d+ +(\w+)\(/.exec(line)?.[1] ?? "";
}

function isFlush(line: string): boolean {
  const name = nameOf(line);
  // Without waiting the kernel is only told to begin: nothing is durable for that.
  if (name === "sync_file_range") return line.includes("_WAIT_");
  if (FLUSHES.includes(name) || name === "io_uring_enter") return true;
  return name === "pwritev2" && /RWF_D?SYNC/.test(line);
}

function callOf(line: string): SystemCall {
  return { name: nameOf(line), path: /\(\d+<([^>]*)>/.exec(line)?.[1] ?? "" };
}
