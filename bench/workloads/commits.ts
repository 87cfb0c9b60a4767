/**
 * Single puts, each a commit, over the entries of the large store: without flushes, durable one at
 * a
 * time, and durable by 64 writers at once. Beside the durable ones runs the floor of the machine.
 */
import { type Contender, median, now } from "../compare.ts";
import { type Keys, Random, valueAt } from "../data.ts";
import type { OpenStore } from "../engines/engine.ts";
import type { Run } from "../run.ts";
import { WRITERS } from "../sizes.ts";
import { floorAsync, type FloorFile, floorSync } from "./floors.ts";
import { LARGE } from "./loads.ts";

/** Operations of one measurement of something durable, however slow the disk. */
const DURABLE_MIN = 20;

/** What a writer does next: a put, by promise or at once. */
type Put = (random: Random) => Promise<unknown> | void;

/** A put of another value than the one that is there. */
function nextPut(keys: Keys, random: Random): [string, Uint8Array] {
  const index = random.below(keys.count);
  return [keys.at(index), valueAt(index + 1 + random.below(1000))];
}

/** The puts of a store that return when they are done. */
export function syncPuts(store: OpenStore, keys: Keys): Put {
  return (random) => store.putSync(...nextPut(keys, random));
}

/** The puts of a store that give a promise. */
export function promisedPuts(store: OpenStore, keys: Keys): Put {
  return (random) => store.put(...nextPut(keys, random));
}

/** Nanoseconds of the operation in the middle, of as many as fit into the time. */
async function timeEach(
  put: Put,
  seed: number,
  milliseconds: number,
): Promise<number> {
  const random = new Random(seed);
  const times: number[] = [];
  const deadline = now() + milliseconds * 1e6;
  for (let begin = now(); begin < deadline || times.length < DURABLE_MIN;) {
    await put(random);
    const end = now();
    times.push(end - begin);
    begin = end;
  }
  return median(times);
}

/** Nanoseconds of one put when 64 loops await theirs at the same time. */
async function timeWriters(
  put: Put,
  seed: number,
  milliseconds: number,
): Promise<number> {
  const begin = now();
  const deadline = begin + milliseconds * 1e6;
  let count = 0;
  const writer = async (number: number): Promise<void> => {
    const random = new Random(seed * WRITERS + number);
    while (now() < deadline) {
      await put(random);
      count += 1;
    }
  };
  await Promise.all(
    Array.from({ length: WRITERS }, (_, number) => writer(number)),
  );
  return (now() - begin) / count;
}

/** Does so many puts, by so many writers; for counting their flushes. */
export async function putTimes(
  put: Put,
  count: number,
  writers: number,
): Promise<void> {
  let left = count;
  const writer = async (number: number): Promise<void> => {
    const random = new Random(number);
    for (; left > 0;) {
      left -= 1;
      await put(random);
    }
  };
  await Promise.all(
    Array.from({ length: writers }, (_, number) => writer(number)),
  );
}

/** Names of the workloads; counts of flushes are kept under the same. */
export const names = {
  unflushed: "putSync, one a commit, no flush",
  sync: "putSync, durable",
  promised: "await put, durable, one at a time",
  writers: "await put, durable, 64 writers",
} as const;

async function unflushed(run: Run, keys: Keys): Promise<void> {
  const { commits } = run.sizes;
  const contenders = run.engines.map((engine) => {
    const store = run.folder.open(engine, LARGE, "unflushed");
    const put = syncPuts(store, keys);
    return {
      name: engine.name,
      store,
      run(round: number) {
        const random = new Random(round);
        const begin = now();
        for (let left = commits; left > 0; left -= 1) put(random);
        return Promise.resolve((now() - begin) / commits);
      },
    };
  });
  await run.add(
    { name: names.unflushed, operation: "commits", unit: "rate" },
    contenders,
  );
  for (const { store } of contenders) await store.close();
}

/** Runs all of them. */
export async function commits(
  run: Run,
  keys: Keys,
  file: FloorFile,
): Promise<void> {
  await unflushed(run, keys);
  run.folder.settle();
  const { durableMs } = run.sizes;
  const opened = run.engines.map((engine) => {
    return {
      name: engine.name,
      store: run.folder.open(engine, LARGE, "flushed"),
    };
  });
  const contenders = (
    time: typeof timeEach,
    puts: typeof syncPuts,
    floor: Put | null,
  ) => {
    const all = opened.map(({ name, store }): Contender => {
      const put = puts(store, keys);
      return { name, run: (round) => time(put, round, durableMs) };
    });
    if (floor === null) return all;
    return [...all, {
      name: "floor",
      run: (round: number) => time(floor, round, durableMs),
    }];
  };
  const each = { operation: "commits", unit: "time" } as const;
  const all = { operation: "puts", unit: "rate" } as const;
  const inSync = contenders(timeEach, syncPuts, () => floorSync(file));
  await run.add({ name: names.sync, ...each }, inSync);
  const promised = contenders(timeEach, promisedPuts, () => floorAsync(file));
  await run.add({ name: names.promised, ...each }, promised);
  await run.add(
    { name: names.writers, ...all },
    contenders(timeWriters, promisedPuts, null),
  );
  for (const { store } of opened) await store.close();
}
