/**
 * What fits into the processor's caches, as a small program has it: one transaction into an empty
 * store, reads of 1,000 entries, a mix over them, and 100 larger values written at once and read
 * back.
 */
import { Keys, Random, Values } from "../data.ts";
import type { Entry } from "../engines/engine.ts";
import { type Contents, contents, smallValues } from "../stores.ts";
import { timeCalls, timeOnce } from "../timing.ts";
import { mixing } from "./mixed.ts";
import { anyKey, touch, use, type Workload } from "./workload.ts";

/** Rows of one scan of the mix. */
const ROWS = 10;
/** Transactions of one turn, each into a store of its own. */
const REPEATS = 5;

const words = { group: "small", unit: "rate" } as const;

function entriesOf({ keys, values }: Contents): Entry[] {
  return Array.from({ length: keys.count }, (_, index) => [keys.at(index), values.at(index)]);
}

/** One transaction into an empty store; opening it is not measured. */
function writing(count: number): Workload {
  return {
    ...words,
    id: `writes_${count}`,
    title: `${count.toLocaleString("en")} puts in one transaction, into an empty store`,
    operation: "puts",
    isWriting: true,
    begin({ stores }) {
      const filled = { name: "writes", keys: new Keys(count), values: smallValues };
      return Promise.resolve({
        async run() {
          let time = 0;
          for (let left = REPEATS; left > 0; left -= 1) {
            const store = await stores.openEmpty(filled.name, "unflushed");
            time += (await timeOnce(() => store.write(entriesOf(filled), false), count)).time;
            await store.close();
          }
          return { time: time / REPEATS, operations: REPEATS * count };
        },
        end: () => stores.remove(filled.name),
      });
    },
  };
}

function reading(id: string, title: string, isRandom: boolean): Workload {
  return {
    ...words,
    id,
    title,
    operation: "gets",
    isWriting: false,
    async begin({ stores, sizes }) {
      const filled = contents.small();
      const { keys } = filled;
      const store = await stores.openFilled(filled, "unflushed");
      return {
        run(round) {
          const random = new Random(round);
          let index = 0;
          const next = () => keys.at(index = (index + 1) % keys.count);
          const any = () => anyKey(keys, random);
          const key = isRandom ? any : next;
          return timeCalls(() => use(store.get(key()), touch), sizes.shortMs);
        },
        end: () => store.close(),
      };
    },
  };
}

const mix: Workload = {
  ...words,
  id: "small_mixed",
  title: "mixed, 1,000 entries, scans of 10",
  operation: "operations",
  isWriting: true,
  async begin({ stores, sizes }) {
    const filled = contents.small();
    const store = await stores.openFilled(filled, "unflushed");
    return {
      run: (round) => timeCalls(mixing(store, filled, new Random(round), ROWS), sizes.shortMs),
      end: () => store.close(),
    };
  },
};

/** 100 larger values: one transaction, then each is read. */
function large(name: string, size: number): Workload {
  return {
    ...words,
    id: `large_${name.replace(" ", "").toLowerCase()}`,
    title: `100 values of ${name}: one transaction, then 100 gets`,
    operation: "rounds of both",
    isWriting: true,
    async begin({ stores, sizes }) {
      const filled = { name: "few", keys: new Keys(100), values: new Values(size, size, 128) };
      const { keys, values } = filled;
      const store = await stores.openEmpty(filled.name, "unflushed", size);
      let turn = 0;
      const both = async () => {
        turn += 1;
        const entries = entriesOf(filled).map(([key], index): Entry => {
          return [key, values.at(index + turn)];
        });
        const done = store.write(entries, false);
        if (done instanceof Promise) await done;
        for (let index = 0; index < keys.count; index += 1) {
          const value = store.get(keys.at(index));
          touch(value instanceof Promise ? await value : value);
        }
      };
      return {
        run: () => timeCalls(both, sizes.shortMs),
        async end() {
          await store.close();
          stores.remove(filled.name);
        },
      };
    },
  };
}

export const small: readonly Workload[] = [
  writing(1000),
  writing(10_000),
  reading("reads", "get, 1,000 entries, in order", false),
  reading("random_reads", "get, 1,000 entries, at random", true),
  mix,
  large("1 KB", 1000),
  large("4 KB", 4000),
];
