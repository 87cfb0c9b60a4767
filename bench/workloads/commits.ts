/**
 * Commits over the entries of the large store: one put each, without flushes, durable one at a
 * time, and durable by 64 writers at once; and 100 puts each, in order and in none. Beside the
 * durable ones runs the floor of the machine.
 */
import { Keys, Random } from "../data.ts";
import type { Awaitable, Durability, Entry, OpenStore } from "../engines/engine.ts";
import { type Sizes, SMALL_BATCH, WRITERS } from "../sizes.ts";
import { type Contents, contents, smallValues } from "../stores.ts";
import { type Measured, timeCalls, timeEach, timeOnce, timeTogether } from "../timing.ts";
import { appendFloors } from "./floors.ts";
import { type Floor, overwrite, putOf, type Workload } from "./workload.ts";

/** One turn at commits to a store. */
type Turn = (
  store: OpenStore,
  filled: Contents,
  random: Random,
  sizes: Sizes,
) => Promise<Measured>;

interface Words {
  readonly id: string;
  readonly title: string;
  readonly operation: string;
  readonly unit: "rate" | "time";
  readonly durability: Durability;
  readonly floors?: readonly Floor[];
}

/** Commits to the large store. */
function committing({ durability, ...words }: Words, turn: Turn): Workload {
  return {
    ...words,
    group: "commits",
    isWriting: true,
    isCounted: true,
    async begin({ stores, sizes }) {
      const filled = contents.large(sizes);
      const store = await stores.openFilled(filled, durability);
      // The first commits of an opening may read what later ones find read: lmdb-js's list of free
      // pages takes it 100 ms.
      await turn(store, filled, new Random(-1), sizes);
      return {
        run: (round) => turn(store, filled, new Random(round), sizes),
        end: () => store.close(),
      };
    },
  };
}

/** One transaction of 100 puts over entries that follow each other, or that are anywhere. */
function smallBatch(
  isOrdered: boolean,
  { keys, values }: Contents,
  random: Random,
): Entry[] {
  const start = random.below(Math.max(1, keys.count - SMALL_BATCH));
  return Array.from({ length: SMALL_BATCH }, (_, place) => {
    const index = isOrdered ? start + place : random.below(keys.count);
    return [keys.at(index), values.at(index + 1 + random.below(64))];
  });
}

function batches(order: "seq" | "random", durability: Durability): Workload {
  const isOrdered = order === "seq";
  const isFlushed = durability === "flushed";
  const words: Words = {
    id: `txn100_${order}${isFlushed ? "_durable" : ""}`,
    title: `transaction of 100 puts, ${isOrdered ? "in order" : "in no order"}, ${
      isFlushed ? "durable" : "no flush"
    }`,
    operation: "transactions",
    unit: "time",
    durability,
  };
  return committing(words, (store, filled, random, { durableMs, shortMs }) => {
    const call = () => store.write(smallBatch(isOrdered, filled, random), false);
    return isFlushed ? timeEach(call, durableMs) : timeCalls(call, 2 * shortMs);
  });
}

const unflushed = committing({
  id: "put_1m",
  title: "putSync, one a commit, no flush",
  operation: "commits",
  unit: "rate",
  durability: "unflushed",
}, (store, filled, random, { shortMs }) => {
  const put = putOf(store);
  return timeCalls(() => put(...overwrite(filled, random)), 2 * shortMs);
});

const durable = committing({
  id: "put_durable",
  title: "putSync, durable",
  operation: "commits",
  unit: "time",
  durability: "flushed",
  floors: [appendFloors.native, appendFloors.sync],
}, (store, filled, random, { durableMs }) => {
  const put = putOf(store);
  return timeEach(() => put(...overwrite(filled, random)), durableMs);
});

const awaited = committing({
  id: "await_durable",
  title: "await put, durable, one at a time",
  operation: "commits",
  unit: "time",
  durability: "flushed",
  floors: [appendFloors.native, appendFloors.async],
}, (store, filled, random, { durableMs }) => {
  return timeEach(() => store.put(...overwrite(filled, random)), durableMs);
});

const pair = committing({
  id: "await_pair_durable",
  title: "await two puts at once, durable",
  operation: "pairs",
  unit: "time",
  durability: "flushed",
  floors: [appendFloors.async],
}, (store, filled, random, { durableMs }) => {
  const put = () => store.put(...overwrite(filled, random));
  return timeEach(() => Promise.all([put(), put()]), durableMs);
});

const writers = committing({
  id: "writers_64",
  title: "await put, durable, 64 writers",
  operation: "puts",
  unit: "rate",
  durability: "flushed",
}, (store, filled, random, { durableMs }) => {
  const seeds = Array.from(
    { length: WRITERS },
    () => new Random(random.below(2 ** 31)),
  );
  const put = (loop: number): Awaitable<unknown> => store.put(...overwrite(filled, seeds[loop]!));
  return timeTogether(put, WRITERS, durableMs);
});

/** One put a commit into a store that is empty at first. */
const fresh: Workload = {
  id: "put_fresh",
  title: "putSync, one a commit, no flush, 10,000 into an empty store",
  group: "commits",
  operation: "commits",
  unit: "rate",
  isWriting: true,
  isCounted: true,
  begin({ stores, sizes }) {
    const keys = new Keys(sizes.hotEntries);
    return Promise.resolve({
      async run(round) {
        const store = await stores.openEmpty("fresh", "unflushed");
        const put = putOf(store);
        const random = new Random(round);
        const measured = await timeOnce(async () => {
          for (let left = keys.count; left > 0; left -= 1) {
            const done = put(
              ...overwrite(
                { name: "fresh", keys, values: smallValues },
                random,
              ),
            );
            if (done instanceof Promise) await done;
          }
        }, keys.count);
        await store.close();
        return measured;
      },
      end: () => stores.remove("fresh"),
    });
  },
};

export const commits: readonly Workload[] = [
  unflushed,
  fresh,
  batches("seq", "unflushed"),
  batches("random", "unflushed"),
  batches("seq", "flushed"),
  batches("random", "flushed"),
  durable,
  awaited,
  pair,
  writers,
];
