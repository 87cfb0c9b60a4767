/**
 * What a program might do: half gets, a quarter puts, a quarter scans of 100 rows, random keys,
 * values of 100 bytes to 10 KB; each kind of call by itself, the mix by one thread, and the mix by
 * two Workers that have the store open at the same time.
 */
import { Random } from "../data.ts";
import { findEngines } from "../engines/all.ts";
import type { Engine } from "../engines/engine.ts";
import { SCAN_ROWS, sizesOf, THREADS } from "../sizes.ts";
import { contents, RunFolder, Stores } from "../stores.ts";
import type { Measured } from "../timing.ts";
import { mixing, Thread, together } from "../workloads/mixed.ts";
import { anyKey, overwrite, putOf } from "../workloads/workload.ts";
import {
  measureCall,
  type Measurement,
  measureTurns,
  type Micro,
  type Settings,
} from "./measure.ts";

type Report = (measurement: Measurement) => void;

async function alone(stores: Stores, settings: Settings, report: Report): Promise<void> {
  const filled = contents.mixed(sizesOf(settings.isQuick, {}));
  const store = await stores.openFilled(filled, "unflushed");
  const random = new Random(3);
  const { keys } = filled;
  const put = putOf(store);
  const calls: Readonly<Record<string, () => unknown>> = {
    get: () => store.get(anyKey(keys, random)),
    put: () => put(...overwrite(filled, random)),
    scan: () => store.scan(anyKey(keys, random), SCAN_ROWS),
    mix: mixing(store, filled, random, SCAN_ROWS),
  };
  for (const [id, call] of Object.entries(calls)) {
    report(await measureCall(id, `${stores.engine.name}, one thread`, call, settings));
  }
  await store.close();
}

async function byWorkers(stores: Stores, settings: Settings, report: Report): Promise<void> {
  const sizes = sizesOf(true, settings.isQuick ? {} : { entries: 100_000 });
  const more = settings.isQuick ? sizes : { ...sizes, mixedEntries: 10_000, shortMs: 50 };
  const filled = contents.mixed(more);
  await (await stores.openFilled(filled, "unflushed")).close();
  const path = stores.path(filled.name);
  const threads = Array.from({ length: THREADS }, () => new Thread());
  for (const thread of threads) {
    await thread.tell({ do: "open", engine: stores.engine.id, path, sizes: more });
  }
  let seed = 0;
  const turn = async () => {
    const done = threads.map((thread) => thread.tell({ do: "run", seed: seed += 1 }));
    return together(await Promise.all(done) as Measured[]).time;
  };
  const words = `${stores.engine.name}, ${THREADS} Workers`;
  report(await measureTurns("mix", words, turn, settings));
  for (const thread of threads) {
    await thread.tell({ do: "close" });
    thread.terminate();
  }
}

export const realistic: Micro = {
  title: "half gets, a quarter puts, a quarter scans; values of 100 B to 10 KB",
  async run(settings, report) {
    const { engines } = await findEngines(settings.engines ?? ["zeolite"]);
    for (const engine of engines as readonly Engine[]) {
      using folder = new RunFolder();
      const stores = new Stores(engine, folder.path);
      await alone(stores, settings, report);
      if (engine.noThreads === undefined) await byWorkers(stores, settings, report);
    }
  },
};
