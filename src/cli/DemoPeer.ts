/**
 * The second process of the demo, as the first sees it: started with the other runtime if that is
 * found, else with this one. It tells on its standard output what it has seen; it ends by itself,
 * or is killed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { currentRuntime, isExecutable, otherRuntime, scriptCommand } from "../../ffi/runtimes.ts";
import { CliError, EXIT } from "./exit.ts";

/** Longest wait for a word of the other process, in milliseconds. */
const PATIENCE_MS = 20_000;

export class DemoPeer {
  /** The name of its runtime, as it is written. */
  readonly title: string;
  readonly #process: ChildProcess;
  readonly #ended: Promise<number | null>;
  #errors = "";
  #lines = 0;
  #wake: () => void = () => {};

  constructor(storePath: string) {
    const other = isExecutable ? undefined : otherRuntime();
    const [program, ...args] = scriptCommand(new URL("./demo_reader.ts", import.meta.url), other);
    this.title = (other ?? currentRuntime()).title;
    this.#process = spawn(program, [...args, storePath], {
      ...(isExecutable ? {} : { cwd: fileURLToPath(new URL("../../", import.meta.url)) }),
      stdio: ["ignore", "pipe", "pipe"],
    });
    const { stdout, stderr } = this.#process;
    stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#errors += text;
    });
    if (stdout !== null) {
      createInterface({ input: stdout }).on("line", () => {
        this.#lines += 1;
        this.#wake();
      });
    }
    this.#ended = new Promise((resolve) => {
      this.#process.on("error", (error) => {
        this.#errors += error.message;
        resolve(null);
      });
      this.#process.on("close", (code) => resolve(code));
    });
  }

  /** Waits until it has printed so many lines: `ready`, then one for each state it saw. */
  async lines(count: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timeout = new Promise<"late">((resolve) => {
      timer = setTimeout(() => resolve("late"), PATIENCE_MS);
    });
    try {
      while (this.#lines < count) {
        const line = new Promise<"line">((resolve) => {
          this.#wake = () => resolve("line");
        });
        const ended = this.#ended.then(() => "ended" as const);
        const first = await Promise.race([line, timeout, ended]);
        if (first !== "line" && this.#lines < count) throw this.#fault(first);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits until it has ended well. */
  async end(): Promise<void> {
    if (await this.#ended !== 0) throw this.#fault("failed");
  }

  /** Ends it, whatever it does. */
  kill(): void {
    this.#process.kill("SIGKILL");
  }

  #fault(what: string): CliError {
    const errors = this.#errors.trim();
    return new CliError(
      "DEMO_READER",
      EXIT.internal,
      `Cannot go on: the ${this.title} process is ${what}${errors === "" ? "" : `: ${errors}`}`,
    );
  }
}
