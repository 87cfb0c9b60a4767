/**
 * An engine as the run sees it: a process of its own, on the same runtime, that is told what to do
 * and answers. So no engine's garbage, threads or compiled code weigh on another's turn.
 */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { currentRuntime, scriptCommand } from "../ffi/runtimes.ts";
import { ANSWER, type Order } from "./contender_main.ts";
import type { Sizes } from "./sizes.ts";
import type { Measured } from "./timing.ts";

/** Milliseconds after which an answer will not come. */
const PATIENCE_MS = 300_000;

/** How an answer is awaited. */
interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** The command that runs the file of a contender on this runtime. */
function commandOf(file: URL): readonly [string, ...string[]] {
  // Its own store, which is a peer here, is behind this switch.
  const runtime = currentRuntime();
  const more = runtime.name === "deno" ? ["--unstable-kv", "--no-check"] : [];
  return scriptCommand(file, runtime, more);
}

/** A started process. */
export class Contender {
  readonly id: string;
  readonly #child: ChildProcess;
  #waiting: Waiting | undefined;
  #isGone = false;

  /**
   * Starts one.
   *
   * @param prefix A program that runs it, with its arguments: strace.
   * @param file What it runs: that of another clone, where two builds are compared.
   */
  constructor(
    id: string,
    folder: string,
    sizes: Sizes,
    prefix: readonly string[] = [],
    file: URL = new URL("contender_main.ts", import.meta.url),
  ) {
    this.id = id;
    const [program, ...args] = [
      ...prefix,
      ...commandOf(file),
      id,
      folder,
      JSON.stringify(sizes),
    ];
    this.#child = spawn(program!, args, {
      stdio: ["pipe", "pipe", "inherit"],
      env: process.env,
    });
    this.#child.on("error", (error) => this.#end(error));
    this.#child.on("exit", (code, signal) => {
      this.#end(
        new Error(`its process ended (${signal ?? `exit code ${code}`})`),
      );
    });
    this.#child.stdin!.on("error", () => {});
    const lines = createInterface({ input: this.#child.stdout! });
    lines.on("line", (line) => this.#read(line));
  }

  #read(line: string): void {
    if (!line.startsWith(ANSWER)) return;
    const { result, error } = JSON.parse(line.slice(ANSWER.length));
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(error));
  }

  #end(error: Error): void {
    this.#isGone = true;
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }

  async #tell(order: Order): Promise<unknown> {
    if (this.#isGone) throw new Error("its process has ended");
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting = { resolve, reject };
        timer = setTimeout(() => {
          this.#child.kill("SIGKILL");
          reject(new Error(`no answer after ${PATIENCE_MS / 1000} s`));
        }, PATIENCE_MS);
        this.#child.stdin!.write(`${JSON.stringify(order)}\n`);
      });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Makes a workload ready. */
  async begin(workload: string): Promise<void> {
    await this.#tell({ do: "begin", workload });
  }

  /** One turn of the workload that was begun; a floor's turn has the floor's name. */
  async run(round: number, part: string = this.id): Promise<Measured> {
    return await this.#tell({ do: "run", round, part }) as Measured;
  }

  async end(): Promise<void> {
    await this.#tell({ do: "end" });
  }

  /** Leaves a mark in the trace of the process. */
  async mark(index: number): Promise<void> {
    await this.#tell({ do: "mark", index });
  }

  /** Ends the process. */
  async stop(): Promise<void> {
    if (this.#isGone) return;
    const gone = new Promise((resolve) => this.#child.on("close", resolve));
    this.#child.stdin!.end();
    await gone;
  }
}
