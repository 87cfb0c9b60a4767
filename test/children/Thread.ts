/**
 * A Worker that runs the functions it is sent. Whoever starts one ends it.
 */
import type { Answer, Call, Sent } from "./evaluate.ts";

/** How an answer is awaited. */
interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** A started Worker. */
export class Thread {
  readonly #worker: Worker;
  readonly #waiting: Map<number, Waiting> = new Map();
  #calls = 0;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.addEventListener("message", ({ data }) => this.#answered(data as Answer));
    worker.addEventListener("error", (event) => this.#fail(new Error(event.message)));
  }

  /** Starts one; resolves when it listens. */
  static async start(): Promise<Thread> {
    const worker = new Worker(new URL("./thread_main.ts", import.meta.url), { type: "module" });
    const thread = new Thread(worker);
    await thread.run(() => true);
    return thread;
  }

  /** Runs a function there; it sees nothing but its arguments. */
  run<Arguments extends readonly unknown[], Result>(
    sent: Sent<Arguments, Result>,
    ...values: Arguments
  ): Promise<Result> {
    this.#calls += 1;
    const id = this.#calls;
    const promise = new Promise<unknown>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
    });
    const call: Call = { id, text: sent.toString(), values };
    this.#worker.postMessage(call);
    return promise as Promise<Result>;
  }

  /** Ends it wherever it is. */
  terminate(): void {
    this.#worker.terminate();
    this.#waiting.clear();
  }

  #answered({ id, result, error }: Answer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(Object.assign(new Error(error.message), { code: error.code }));
  }

  #fail(error: Error): void {
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}
