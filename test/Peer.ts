/**
 * Another process, of either runtime, that runs the functions a test sends it; and the folder such
 * a
 * test works in. Both end with their scope, whatever happened: nothing is left running or lying.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { clearTimeout, setTimeout } from "node:timers";
import { fileURLToPath } from "node:url";
import { currentRuntime, otherName, otherRuntime, type Runtime } from "../ffi/runtimes.ts";
import { type Answer, type Call, RemoteError, type Sent } from "./children/evaluate.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
/** The file that a peer runs. */
export const PEER_MAIN: string = join(ROOT, "test", "children", "peer_main.ts");

/** A peer that has not answered after so many milliseconds hangs. */
const ANSWER_MS = 120_000;

/** A runtime by name. */
export type RuntimeName = Runtime["name"];

/** The runtime that runs the test: a suite run on both tries both. */
export const OWN: RuntimeName = currentRuntime().name;
/** The runtime that does not. */
export const OTHER: RuntimeName = otherName();

/** How to start a peer. */
export interface PeerOptions {
  /** A program, and its arguments, that starts the runtime. */
  readonly prefix?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** How an answer is awaited. */
interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** What a peer says. */
type Line = Answer & { readonly ready?: number; readonly told?: unknown };

/** The program and the arguments that run a file on a runtime. */
export function commandOf(name: RuntimeName): readonly [string, ...string[]] {
  if (name === OWN) return currentRuntime().command;
  const other = otherRuntime();
  if (other === undefined) throw new Error(`${name} is not installed; run npm install`);
  return other.command;
}

/** A process that runs what it is sent. */
export class Peer implements AsyncDisposable {
  readonly name: RuntimeName;
  /** Its number, as itself sees it. */
  pid = 0;
  /** What it has told, in order. */
  readonly told: unknown[] = [];
  readonly #child: ChildProcess;
  readonly #waiting: Map<number, Waiting> = new Map();
  readonly #ended: Promise<string>;
  #calls = 0;
  #end: string | undefined;
  #rest = "";
  #stderr = "";

  private constructor(name: RuntimeName, child: ChildProcess) {
    this.name = name;
    this.#child = child;
    child.stdout?.setEncoding("utf8").on("data", (text: string) => this.#read(text));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => this.#stderr += text);
    // Whoever writes to a process that has ended learns it from the answer that does not come.
    child.stdin?.on("error", () => {});
    this.#ended = new Promise((resolve) => {
      child.on("error", (error) => resolve(`could not start: ${error.message}`));
      child.on("close", (code, signal) => resolve(signal ?? `exit code ${code}`));
    }).then((end) => this.#finish(end as string));
  }

  /** Starts one; resolves when it listens. */
  static async start(name: RuntimeName, options: PeerOptions = {}): Promise<Peer> {
    const [program, ...args] = [...options.prefix ?? [], ...commandOf(name), PEER_MAIN];
    const env = { ...process.env, ...options.env };
    const child = spawn(program!, args, { cwd: ROOT, env, stdio: ["pipe", "pipe", "pipe"] });
    const peer = new Peer(name, child);
    peer.pid = await peer.#wait(0) as number;
    return peer;
  }

  /** Runs a function there; it sees nothing but its arguments, which travel as JSON. */
  run<Arguments extends readonly unknown[], Result>(
    sent: Sent<Arguments, Result>,
    ...values: Arguments
  ): Promise<Result> {
    this.#calls += 1;
    const answer = this.#wait(this.#calls);
    const call: Call = { id: this.#calls, text: sent.toString(), values };
    this.#child.stdin?.write(`${JSON.stringify(call)}\n`);
    return answer as Promise<Result>;
  }

  /** Sends a signal to what was started: the prefix, if it does not become the runtime. */
  signal(name: NodeJS.Signals): void {
    process.kill(this.#child.pid!, name);
  }

  /** Kills it and waits until it is gone and all it has told is read. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  /** Lets it end by itself; fails if it does not end well. */
  async end(): Promise<void> {
    this.#child.stdin?.end();
    const end = await this.#ended;
    if (end !== "exit code 0") throw new Error(`${this.name} ended with ${end}\n${this.#stderr}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#end === undefined) await this.kill();
  }

  #wait(id: number): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    if (this.#end !== undefined) {
      reject(this.#gone());
      return promise;
    }
    this.#waiting.set(id, { resolve, reject });
    const timer = setTimeout(() => {
      reject(new Error(`${this.name} gave no answer in ${ANSWER_MS} ms\n${this.#stderr}`));
    }, ANSWER_MS);
    return promise.finally(() => clearTimeout(timer));
  }

  #gone(): Error {
    return new Error(`${this.name} has ended with ${this.#end}\n${this.#stderr}`);
  }

  #finish(end: string): string {
    this.#end = end;
    for (const waiting of this.#waiting.values()) waiting.reject(this.#gone());
    this.#waiting.clear();
    return end;
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#answered(JSON.parse(line) as Line);
  }

  #answered({ id, ready, told, result, error }: Line): void {
    if (told !== undefined) {
      this.told.push(told);
      return;
    }
    const key = ready === undefined ? id : 0;
    const waiting = this.#waiting.get(key);
    this.#waiting.delete(key);
    if (error === undefined) waiting?.resolve(ready ?? result);
    else waiting?.reject(new RemoteError(error));
  }
}

/** A folder that is removed at the end of its scope. */
export class Folder implements Disposable {
  readonly path: string = mkdtempSync(join(tmpdir(), "zeolite-"));

  /** The path of a file in it. */
  file(name: string): string {
    return join(this.path, name);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
