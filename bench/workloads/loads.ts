/**
 * Loads of an empty store in transactions of 1,000, without flushes: keys that rise, then the same
 * keys in no order. The store of the last turn stays for what follows.
 */
import { type KeySet, shuffled } from "../data.ts";
import { assertFilled, contents, fill } from "../stores.ts";
import { timeOnce } from "../timing.ts";
import type { Workload } from "./workload.ts";

function load(
  id: string,
  title: string,
  contentsOf: typeof contents.large | typeof contents.paths,
  orderOf: (keys: KeySet) => Uint32Array | null,
): Workload {
  return {
    id,
    title,
    group: "loads",
    operation: "puts",
    unit: "rate",
    isWriting: true,
    rounds: (sizes) => sizes.loadRounds,
    begin({ stores, sizes }) {
      const filled = contentsOf(sizes);
      const { name, keys, values } = filled;
      const order = orderOf(keys);
      return Promise.resolve({
        async run(round) {
          const store = await stores.openEmpty(
            name,
            "unflushed",
            values.sizeMax,
          );
          const measured = await timeOnce(
            () => fill(store, filled, order),
            keys.count,
          );
          if (round === 0) await assertFilled(store, filled);
          await store.close();
          return measured;
        },
        end() {},
      });
    },
  };
}

const inOrder = () => null;
const inNoOrder = (keys: KeySet) => shuffled(keys.count, 1);

export const loads: readonly Workload[] = [
  load(
    "load_seq",
    "load, keys in order, 1,000 a transaction",
    contents.large,
    inOrder,
  ),
  load(
    "load_random",
    "load, keys in no order, 1,000 a transaction",
    contents.large,
    inNoOrder,
  ),
  load(
    "load_paths",
    "load, paths of 34 bytes in no order",
    contents.paths,
    inNoOrder,
  ),
];
