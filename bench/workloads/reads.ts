/**
 * Reads, each with its key built anew: one by one in a store that stays in the processor's caches
 * and in the large one, many at once, and rows in order. Of each value the size and a byte are
 * used.
 */
import { type Keys, Random } from "../data.ts";
import type { Awaitable, OpenStore } from "../engines/engine.ts";
import { MANY, SCAN_ROWS } from "../sizes.ts";
import { type Contents, contents } from "../stores.ts";
import { timeCalls, timeOnce } from "../timing.ts";
import { anyKey, touch, use, type Workload } from "./workload.ts";

/** What to call, given a store, what it holds, and a source of indexes. */
type MakeCall = (
  store: OpenStore,
  filled: Contents,
  random: Random,
) => () => Awaitable<unknown>;

/** A read that is measured by calling it. */
function reading(
  id: string,
  title: string,
  contentsOf: typeof contents.large,
  make: MakeCall,
  per: number = 1,
): Workload {
  return {
    id,
    title,
    group: "reads",
    operation: per === SCAN_ROWS ? "rows" : "gets",
    unit: "rate",
    isWriting: false,
    async begin({ stores, sizes }) {
      const filled = contentsOf(sizes);
      const store = await stores.openFilled(filled, "unflushed");
      return {
        run: (round) => timeCalls(make(store, filled, new Random(round)), sizes.shortMs, per),
        end: () => store.close(),
      };
    },
  };
}

const get: MakeCall = (store, { keys }, random) => () =>
  use(store.get(anyKey(keys, random)), touch);

const view: MakeCall = (store, filled, random) => {
  const { keys } = filled;
  if (store.getView === undefined) return get(store, filled, random);
  return () => touch(store.getView!(anyKey(keys, random)));
};

const getInOrder: MakeCall = (store, { keys }, random) => {
  let index = random.below(keys.count);
  return () => {
    index = (index + 1) % keys.count;
    return use(store.get(keys.at(index)), touch);
  };
};

function assertMissing(value: unknown): void {
  if (value !== undefined) {
    throw new Error("Cannot measure: a missing key has a value");
  }
}

const getMissing: MakeCall = (store, { keys }, random) => () => {
  const key = (keys as Keys).missingAt(random.below(keys.count));
  return use(store.get(key), assertMissing);
};

function touchAll(values: readonly (ArrayLike<number> | undefined)[]): void {
  for (const value of values) touch(value);
}

const getMany: MakeCall = (store, { keys }, random) => () => {
  const wanted = Array.from({ length: MANY }, () => anyKey(keys, random));
  return use(store.getMany(wanted), touchAll);
};

const scan: MakeCall = (store, { keys }, random) => () => {
  const start = keys.at(random.below(Math.max(1, keys.count - SCAN_ROWS)));
  return store.scan(start, SCAN_ROWS);
};

const scanAll: Workload = {
  id: "scan_full",
  title: "scan, all rows",
  group: "reads",
  operation: "rows",
  unit: "rate",
  isWriting: false,
  async begin({ stores, sizes }) {
    const filled = contents.large(sizes);
    const store = await stores.openFilled(filled, "unflushed");
    return {
      run: () => timeOnce(() => store.scan(undefined, undefined), filled.keys.count),
      end: () => store.close(),
    };
  },
};

export const reads: readonly Workload[] = [
  reading("get_hot", "get, 10,000 entries", contents.hot, get),
  reading("view_hot", "get as a view, 10,000 entries", contents.hot, view),
  reading("get_random", "get, at random", contents.large, get),
  reading("get_ordered", "get, keys in order", contents.large, getInOrder),
  reading(
    "get_missing",
    "get, keys that are not there",
    contents.large,
    getMissing,
  ),
  reading("get_many", "getMany, 1,000 keys", contents.large, getMany, MANY),
  reading("scan_100", "scan, 100 rows", contents.large, scan, SCAN_ROWS),
  scanAll,
  reading("get_paths", "get, paths of 34 bytes", contents.paths, get),
];
