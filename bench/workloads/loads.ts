/**
 * Loads of an empty store in transactions of 1,000, without flushes: keys that rise, then the same
 * keys in no order. The stores of the last round of the second stay for what follows.
 */
import type { Keys } from "../data.ts";
import type { Engine } from "../engines/engine.ts";
import type { Run } from "../run.ts";
import { assertFilled, fill } from "../stores.ts";

/** The name of the large store that stays. */
export const LARGE = "large";

async function load(
  run: Run,
  engine: Engine,
  keys: Keys,
  order: Uint32Array | null,
): Promise<number> {
  run.folder.remove(engine, LARGE);
  run.folder.settle();
  const store = run.folder.open(engine, LARGE, "unflushed");
  const time = fill(store, keys, order);
  assertFilled(store, keys);
  await store.close();
  return time;
}

/** Runs both loads. */
export async function loads(run: Run, keys: Keys): Promise<void> {
  const shuffled = keys.shuffled();
  const orders = [
    { name: "load, keys in order, 1,000 a transaction", order: null },
    {
      name: "load, keys in random order, 1,000 a transaction",
      order: shuffled,
    },
  ];
  for (const { name, order } of orders) {
    await run.add(
      { name, operation: "puts", unit: "rate" },
      run.engines.map((engine) => ({
        name: engine.name,
        run: () => load(run, engine, keys, order),
      })),
      run.sizes.loadRounds,
    );
  }
}
