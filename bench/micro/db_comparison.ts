/**
 * Single calls of every engine, one engine after the other in one process: the distribution of the
 * time of a call, for who looks for its tail. Who is faster, the whole benchmark tells, whose
 * engines take turns and have processes of their own.
 */
import { Random } from "../data.ts";
import { findEngines } from "../engines/all.ts";
import { type Engine, failureOf } from "../engines/engine.ts";
import { SCAN_ROWS, sizesOf } from "../sizes.ts";
import { contents, RunFolder, Stores } from "../stores.ts";
import { anyKey, overwrite, putOf } from "../workloads/workload.ts";
import { measureCall, type Measurement, type Micro, type Settings } from "./measure.ts";

/** Keys of one call. */
const MANY = 100;

async function measureEngine(
  engine: Engine,
  folder: string,
  settings: Settings,
  report: (measurement: Measurement) => void,
): Promise<void> {
  const sizes = sizesOf(settings.isQuick, {});
  const stores = new Stores(engine, folder);
  const filled = contents.hot(sizes);
  const { keys } = filled;
  const random = new Random(1);
  const many = () => Array.from({ length: MANY }, () => anyKey(keys, random));
  for (const durability of ["unflushed", "flushed"] as const) {
    const store = await stores.openFilled(filled, durability);
    const put = putOf(store);
    const calls: Readonly<Record<string, () => unknown>> = durability === "flushed"
      ? { put_durable: () => put(...overwrite(filled, random)) }
      : {
        get: () => store.get(anyKey(keys, random)),
        get_many: () => store.getMany(many()),
        scan_100: () => store.scan(anyKey(keys, random), SCAN_ROWS),
        put: () => put(...overwrite(filled, random)),
      };
    for (const [id, call] of Object.entries(calls)) {
      report(await measureCall(id, engine.name, call, settings));
    }
    await store.close();
  }
}

export const dbComparison: Micro = {
  title: "single calls of every engine, 10,000 entries",
  async run(settings, report) {
    using folder = new RunFolder();
    const { engines, absent } = await findEngines(settings.engines);
    for (const { name, reason } of absent) console.log(`  ${name} is absent: ${reason}`);
    for (const engine of engines) {
      try {
        await measureEngine(engine, folder.path, settings, report);
      } catch (error) {
        console.log(`  ${engine.name} failed: ${failureOf(error)}`);
      }
    }
  },
};
