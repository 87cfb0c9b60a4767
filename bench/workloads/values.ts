/** Values of 1 KB, 4 KB and 1 MB: written, each a commit without flush, and read at random. */
import { Keys, Random, shuffled, Values } from "../data.ts";
import type { Engine } from "../engines/engine.ts";
import type { Sizes } from "../sizes.ts";
import type { Contents } from "../stores.ts";
import { timeCalls, timeOnce } from "../timing.ts";
import { anyKey, putOf, touch, use, type Workload } from "./workload.ts";

/** Bytes of different values of one size: enough that they are not in the processor's caches. */
const VARIETY = 8 << 20;

function contentsOf(name: string, size: number, { volume }: Sizes): Contents {
  const count = Math.max(4, Math.floor(volume / size));
  const values = new Values(size, size, Math.min(count, Math.max(1, Math.floor(VARIETY / size))));
  return { name: `values-${name}`, keys: new Keys(count), values };
}

const group = "values" as const;

function refusing(size: number): (engine: Engine) => string | undefined {
  return ({ valueMax = Infinity }) => {
    return size > valueMax ? `its values have at most ${valueMax} bytes` : undefined;
  };
}

function writing(name: string, size: number): Workload {
  return {
    id: `write_${name.replace(" ", "").toLowerCase()}`,
    title: `putSync, values of ${name}, no flush`,
    group,
    operation: "commits",
    unit: "rate",
    isWriting: true,
    refuse: refusing(size),
    begin({ stores, sizes }) {
      const { name: store, keys, values } = contentsOf(name, size, sizes);
      const order = shuffled(keys.count, 1);
      return Promise.resolve({
        async run() {
          const opened = await stores.openEmpty(store, "unflushed", size);
          const put = putOf(opened);
          const measured = await timeOnce(async () => {
            for (const index of order) {
              const done = put(keys.at(index), values.at(index));
              if (done instanceof Promise) await done;
            }
          }, keys.count);
          await opened.close();
          return measured;
        },
        end() {},
      });
    },
  };
}

function reading(name: string, size: number): Workload {
  return {
    id: `read_${name.replace(" ", "").toLowerCase()}`,
    title: `get, values of ${name}`,
    group,
    operation: "gets",
    unit: "rate",
    isWriting: false,
    refuse: refusing(size),
    async begin({ stores, sizes }) {
      const filled = contentsOf(name, size, sizes);
      const store = await stores.openFilled(filled, "unflushed");
      return {
        run(round) {
          const random = new Random(round);
          const get = () => use(store.get(anyKey(filled.keys, random)), touch);
          return timeCalls(get, sizes.shortMs);
        },
        async end() {
          await store.close();
          stores.remove(filled.name);
        },
      };
    },
  };
}

const named = [["1 KB", 1000], ["4 KB", 4000], ["1 MB", 1_000_000]] as const;

export const values: readonly Workload[] = named.flatMap(([name, size]) => {
  return [writing(name, size), reading(name, size)];
});
