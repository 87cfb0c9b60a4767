/**
 * Overwrites the same keys again and again, at random, and measures the file: after the first puts,
 * at
 * its largest from then on, and how many puts a second.
 *
 * Run by itself it does 10,000,000 puts over 100,000 keys in a folder that it removes:
 * `bun test/children/overwrite.ts`, `deno run -A test/children/overwrite.ts`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { type CheckReport, open } from "../../src/mod.ts";

/** How much to do. */
export interface Scale {
  readonly keys: number;
  readonly puts: number;
  /** Puts after which the file has its size. */
  readonly first: number;
  /** Bytes of log from checkpoint to checkpoint; left out, those of the store. */
  readonly checkpointBytes?: number;
}

/** What was measured. */
export interface Measured {
  /** Bytes of the file after the first puts. */
  readonly firstSize: number;
  /** Its most bytes behind them. */
  readonly size: number;
  readonly putsPerSecond: number;
  readonly check: CheckReport;
}

const FULL: Scale = { keys: 100_000, puts: 10_000_000, first: 1_000_000 };
/** Puts of a commit. */
const BATCH = 100;
const VALUE = "a value of some hundred characters, as many have, with a number at its end ".padEnd(
  100,
);

/** Puts at random, awaiting each batch; the store is new. */
export async function overwrite(path: string, scale: Scale): Promise<Measured> {
  const { keys, puts, first, ...options } = scale;
  const store = open(path, { ...options, durability: "none" });
  const begin = performance.now();
  let [firstSize, size] = [0, 0];
  for (let done = 0; done < puts; done += BATCH) {
    let last: Promise<unknown> | undefined;
    for (let n = done; n < done + BATCH; n += 1) {
      // The first pass puts each key once.
      const key = n < keys ? n : Math.floor(Math.random() * keys);
      last = store.put(key, VALUE + n);
    }
    await last;
    if (done % 10_000 !== 0) continue;
    const { fileSize } = store.stats();
    if (done < first) firstSize = fileSize;
    size = Math.max(size, fileSize);
  }
  const putsPerSecond = Math.round(puts / ((performance.now() - begin) / 1000));
  const check = await store.check();
  await store.close();
  return { firstSize, size, putsPerSecond, check };
}

if (import.meta.main) {
  const folder = mkdtempSync(join(tmpdir(), "zeolite-overwrite-"));
  try {
    console.log(await overwrite(join(folder, "store"), FULL));
  } finally {
    rmSync(folder, { recursive: true });
  }
  process.exit();
}
