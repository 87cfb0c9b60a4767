/**
 * Reads, each with its key built anew: one by one in a store that stays in the processor's caches
 * and in the large one, many at once, and rows in order.
 */
import { type Contender, now, timeCalls } from "../compare.ts";
import { Keys, Random } from "../data.ts";
import type { OpenStore } from "../engines/engine.ts";
import type { Run } from "../run.ts";
import { MANY, SCAN_ROWS } from "../sizes.ts";
import { assertFilled, fill } from "../stores.ts";
import { LARGE } from "./loads.ts";

const HOT = "hot";

/** A read to be measured: given a store and a source of indexes, what to call. */
type MakeCall = (store: OpenStore, random: Random) => () => unknown;

/** One open store for each engine. */
interface Opened {
  readonly name: string;
  readonly store: OpenStore;
}

/** Contenders that call what `make` makes, all with the same indexes. */
function callers(
  run: Run,
  opened: readonly Opened[],
  make: MakeCall,
  parts: number,
): Contender[] {
  return opened.map(({ name, store }) => ({
    name,
    run: async (round) => {
      return await timeCalls(make(store, new Random(round)), run.sizes.readMs) /
        parts;
    },
  }));
}

async function openFilled(run: Run, keys: Keys): Promise<Opened[]> {
  const opened: Opened[] = [];
  for (const engine of run.engines) {
    const store = run.folder.open(engine, HOT, "unflushed");
    fill(store, keys, keys.shuffled());
    assertFilled(store, keys);
    await store.close();
    opened.push({
      name: engine.name,
      store: run.folder.open(engine, HOT, "unflushed"),
    });
  }
  return opened;
}

async function hotReads(run: Run): Promise<void> {
  const keys = new Keys(run.sizes.hotEntries);
  const opened = await openFilled(run, keys);
  const of = (name: string) => `${name}, ${keys.count.toLocaleString("en")} entries`;
  const building: MakeCall = (_store, random) => () => keys.at(random.below(keys.count));
  await run.add({
    name: "building a key (no store)",
    operation: "keys",
    unit: "rate",
  }, [
    {
      name: "floor",
      run: (round) => timeCalls(building(opened[0]!.store, new Random(round)), 50),
    },
  ]);
  const get: MakeCall = (store, random) => () => store.get(keys.at(random.below(keys.count)));
  const view: MakeCall = (store, random) => () => store.getView(keys.at(random.below(keys.count)));
  const gets = { operation: "gets", unit: "rate" } as const;
  await run.add({ name: of("get"), ...gets }, callers(run, opened, get, 1));
  await run.add(
    { name: of("getView"), ...gets },
    callers(run, opened, view, 1),
  );
  for (const { store } of opened) await store.close();
}

async function largeReads(
  run: Run,
  keys: Keys,
  opened: readonly Opened[],
): Promise<void> {
  const key = (random: Random) => keys.at(random.below(keys.count));
  const get: MakeCall = (store, random) => () => store.get(key(random));
  const many: MakeCall = (store, random) => () => {
    return store.getMany(Array.from({ length: MANY }, () => key(random)));
  };
  const lastStart = keys.count - SCAN_ROWS;
  const scan: MakeCall = (store, random) => () => {
    return store.scan(keys.at(random.below(lastStart)), SCAN_ROWS);
  };
  const gets = { operation: "gets", unit: "rate" } as const;
  const rows = { operation: "rows", unit: "rate" } as const;
  await run.add({ name: "get, random", ...gets }, callers(run, opened, get, 1));
  await run.add(
    { name: "getMany, 1,000 keys", ...gets },
    callers(run, opened, many, MANY),
  );
  await run.add(
    { name: "scan, 100 rows", ...rows },
    callers(run, opened, scan, SCAN_ROWS),
  );
  const whole = opened.map(({ name, store }): Contender => ({
    name,
    run() {
      const begin = now();
      store.scan(undefined, undefined);
      return Promise.resolve((now() - begin) / keys.count);
    },
  }));
  await run.add({ name: "scan, all rows", ...rows }, whole);
}

/** Runs all reads. */
export async function reads(run: Run, keys: Keys): Promise<void> {
  await hotReads(run);
  const opened = run.engines.map((engine): Opened => {
    return {
      name: engine.name,
      store: run.folder.open(engine, LARGE, "unflushed"),
    };
  });
  await largeReads(run, keys, opened);
  for (const { store } of opened) await store.close();
}
