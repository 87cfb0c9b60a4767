/**
 * A mix of half gets, a quarter puts and a quarter scans of 100 rows, in no order, over values of
 * 100 bytes to 10 KB; each put is a commit, without flush. By one thread, and by Workers that have
 * the store open at the same time.
 */
import { isExecutable } from "../../ffi/runtimes.ts";
import { Random } from "../data.ts";
import type { Awaitable, OpenStore } from "../engines/engine.ts";
import { SCAN_ROWS, THREADS } from "../sizes.ts";
import { type Contents, contents } from "../stores.ts";
import { type Measured, timeCalls } from "../timing.ts";
import type { Answer, Task } from "./thread_main.ts";
import { anyKey, overwrite, putOf, touch, use, type Workload } from "./workload.ts";

/** The next operation of a mix. */
export function mixing(
  store: OpenStore,
  filled: Contents,
  random: Random,
  rows: number,
): () => Awaitable<unknown> {
  const { keys } = filled;
  const put = putOf(store);
  return () => {
    const kind = random.below(4);
    if (kind < 2) return use(store.get(anyKey(keys, random)), touch);
    if (kind === 2) return put(...overwrite(filled, random));
    return store.scan(keys.at(random.below(keys.count)), rows);
  };
}

const words = {
  group: "mixed",
  operation: "operations",
  unit: "rate",
  isWriting: true,
} as const;

const alone: Workload = {
  ...words,
  id: "mixed",
  title: "mixed, values of 100 B to 10 KB, one thread",
  async begin({ stores, sizes }) {
    const filled = contents.mixed(sizes);
    const store = await stores.openFilled(filled, "unflushed");
    const turn = (round: number) => {
      return timeCalls(mixing(store, filled, new Random(round), SCAN_ROWS), 2 * sizes.shortMs);
    };
    await turn(-1);
    return {
      run: turn,
      end: () => store.close(),
    };
  },
};

/** What a Worker runs; the executable has it compiled, beside its own code. */
const THREAD = new URL(isExecutable ? "./thread_main.js" : "./thread_main.ts", import.meta.url);

/** A Worker that has the store open. */
export class Thread {
  readonly #worker: Worker = new Worker(THREAD, { type: "module" });

  /** Sends it a task; its answer. */
  tell(task: Task): Promise<Measured | null> {
    return new Promise((resolve, reject) => {
      this.#worker.onmessage = ({ data }: MessageEvent<Answer>) => {
        if (data.error === undefined) resolve(data.result ?? null);
        else reject(new Error(data.error));
      };
      this.#worker.onerror = (event) => reject(new Error(event.message));
      this.#worker.postMessage(task);
    });
  }

  terminate(): void {
    this.#worker.terminate();
  }
}

/** What several threads did at the same time, as one figure. */
export function together(all: readonly Measured[]): Measured {
  const rate = all.reduce((sum, { time }) => sum + 1 / time, 0);
  const operations = all.reduce((sum, { operations }) => sum + operations, 0);
  return { time: 1 / rate, operations };
}

const threads: Workload = {
  ...words,
  id: "mixed_workers",
  title: `the same by ${THREADS} Workers at once`,
  refuse: ({ noThreads, isForWrites }) => {
    return isForWrites === true ? "Workers share one opening, as in the row above" : noThreads;
  },
  async begin({ stores, sizes }) {
    const filled = contents.mixed(sizes);
    const store = await stores.openFilled(filled, "unflushed");
    await store.close();
    const [engine, path] = [stores.engine.id, stores.path(filled.name)];
    const started = Array.from({ length: THREADS }, () => new Thread());
    for (const thread of started) await thread.tell({ do: "open", engine, path, sizes });
    await Promise.all(started.map((thread) => thread.tell({ do: "run", seed: -1 })));
    return {
      async run(round) {
        const done = started.map((thread, index) => {
          return thread.tell({ do: "run", seed: round * THREADS + index });
        });
        return together(await Promise.all(done) as Measured[]);
      },
      async end() {
        for (const thread of started) {
          await thread.tell({ do: "close" });
          thread.terminate();
        }
      },
    };
  },
};

export const mixed: readonly Workload[] = [alone, threads];
