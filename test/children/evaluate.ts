/**
 * Runs functions that another process or thread has sent as their source text: what a test writes
 * in
 * one place happens in several. A function sees its arguments alone, nothing of the file it stands
 * in.
 */
import { spawnSync } from "node:child_process";
import { openSync } from "node:fs";
import process from "node:process";
import { setTimeout } from "node:timers";
import { open, type OpenOptions, type Store } from "../../src/mod.ts";
import { openPaths } from "../../src/path/mod.ts";
import { accessOf } from "../../src/store.ts";
import { Thread } from "./Thread.ts";

/** What a sent function can use: its first argument. */
export interface Here {
  readonly open: typeof open;
  readonly openPaths: typeof openPaths;
  /** The store at this path, opened once and then kept. */
  store(path: string, options?: OpenOptions): Store;
  /** What functions leave for later ones. */
  readonly kept: Map<string, unknown>;
  /** Log records that the first process to attach replayed. */
  replayed(store: Store): number;
  /** Says something before the function ends; it has been said when this returns. */
  tell(value: unknown): void;
  /** The function of this source, to be called with `here` first. */
  load<F>(text: string): F;
  /** Shows itself to strace: see `Trace`. */
  mark(name: string): void;
  /** Sets the mode that new files do not get. */
  umask(mask: number): void;
  startThread(): Promise<Thread>;
  /** Starts a peer by its command, waits for it without a turn, and gives what the source returned.
   */
  askChild(command: readonly string[], text: string, ...values: readonly unknown[]): unknown;
  sleep(milliseconds: number): Promise<void>;
}

/** A folder that does not exist. */
export const MARK_FOLDER = "/zeolite-mark";

/** A function that can be sent. */
export type Sent<Arguments extends readonly unknown[], Result> = (
  here: Here,
  ...values: Arguments
) => Result | Promise<Result>;

/** A call on its way: the source of the function and its arguments. */
export interface Call {
  readonly id: number;
  readonly text: string;
  readonly values: readonly unknown[];
}

/** What a call came to. */
export interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: RemoteFailure;
}

/** An error of the other side, as far as it can be sent. */
export interface RemoteFailure {
  readonly name: string;
  readonly code: string | undefined;
  readonly message: string;
  readonly stack: string | undefined;
}

/** What sent functions are given, with this as their `tell`. */
export function makeHere(tell: (value: unknown) => void): Here {
  const stores = new Map<string, Store>();
  return {
    open,
    openPaths,
    store(path, options) {
      let store = stores.get(path);
      if (store === undefined) stores.set(path, store = open(path, options));
      return store;
    },
    kept: new Map(),
    replayed,
    tell,
    load,
    mark,
    umask: (mask) => void process.umask(mask),
    askChild,
    startThread: () => Thread.start(),
    sleep: (milliseconds) => new Promise((done) => setTimeout(done, milliseconds)),
  };
}

function load<F>(text: string): F {
  return new Function(`return (${text});`)() as F;
}

/** The word of the engine's status that holds the records replayed. */
const REPLAYED = 12;

function replayed(store: Store): number {
  const { session } = accessOf(store);
  session.call.status(session.handle);
  return session.words[REPLAYED]!;
}

function askChild(
  command: readonly string[],
  text: string,
  ...values: readonly unknown[]
): unknown {
  const [program, ...args] = command;
  const call: Call = { id: 1, text, values };
  const input = `${JSON.stringify(call)}\n`;
  const { stdout, stderr } = spawnSync(program!, args, { input, encoding: "utf8" });
  const line = stdout.split("\n").find((found) => found.startsWith('{"id":1'));
  if (line === undefined) throw new Error(`${command.join(" ")} gave no answer: ${stderr}`);
  const { result, error } = JSON.parse(line) as Answer;
  if (error !== undefined) throw new RemoteError(error);
  return result;
}

function mark(name: string): void {
  try {
    openSync(`${MARK_FOLDER}/${name}`, "r");
  } catch {
    // It is the attempt that is seen.
  }
}

/** Makes a call and says what came of it; never throws. */
export async function evaluate(here: Here, call: Call): Promise<Answer> {
  try {
    const sent = load<Sent<readonly unknown[], unknown>>(call.text);
    return { id: call.id, result: await sent(here, ...call.values) };
  } catch (error) {
    return { id: call.id, error: describeFailure(error) };
  }
}

function describeFailure(error: unknown): RemoteFailure {
  if (!(error instanceof Error)) {
    return { name: "thrown", code: undefined, message: String(error), stack: undefined };
  }
  const code = "code" in error ? String(error.code) : undefined;
  return { name: error.name, code, message: error.message, stack: error.stack };
}

/** An error that another process or thread threw. */
export class RemoteError extends Error {
  override readonly name: string = "RemoteError";
  /** The name of its class over there. */
  readonly remoteName: string;
  readonly code: string | undefined;

  constructor(failure: RemoteFailure) {
    super(`${failure.name}: ${failure.message}`);
    this.remoteName = failure.name;
    this.code = failure.code;
    if (failure.stack !== undefined) this.stack = failure.stack;
  }
}
