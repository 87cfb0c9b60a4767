/**
 * The stores of a run: where they lie, how they are filled, and that they hold what they should.
 * Everything is inside one temporary folder, on the disk that is measured.
 */
import {
  closeSync,
  fdatasyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { now } from "./compare.ts";
import { type Keys, valueAt } from "./data.ts";
import type { Durability, Engine, OpenStore } from "./engines/engine.ts";
import { BATCH } from "./sizes.ts";

/** Where runs have their folders: in the clone, so that the disk is that of the clone. */
const RUNS = fileURLToPath(new URL("../.cache/bench/", import.meta.url));

/** How often a filled store is asked for a value to see that it is right. */
const PROBES = 1000;

/** A folder for the stores of a run. */
export class Folder implements Disposable {
  readonly path: string;

  constructor() {
    mkdirSync(RUNS, { recursive: true });
    this.path = mkdtempSync(RUNS);
  }

  /** Where a store of an engine lies. */
  store(engine: Engine, name: string): string {
    return join(this.path, `${engine.name}-${name}`);
  }

  /** Opens a store that may be there already. */
  open(engine: Engine, name: string, durability: Durability): OpenStore {
    return engine.open(this.store(engine, name), durability);
  }

  /** Removes the files of a store. */
  remove(engine: Engine, name: string): void {
    for (const suffix of ["", "-wal", "-lock"]) {
      rmSync(this.store(engine, name) + suffix, {
        recursive: true,
        force: true,
      });
    }
  }

  /** Has the disk write whatever it still owes, so that the next turn does not pay for it. */
  settle(): void {
    for (
      const entry of readdirSync(this.path, {
        recursive: true,
        withFileTypes: true,
      })
    ) {
      if (!entry.isFile()) continue;
      const file = openSync(join(entry.parentPath, entry.name), "r+");
      fdatasyncSync(file);
      closeSync(file);
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/**
 * Puts every entry once, in transactions of 1,000; nanoseconds of one entry, its key built anew.
 *
 * @param order The indexes, or null for rising keys.
 */
export function fill(
  store: OpenStore,
  keys: Keys,
  order: Uint32Array | null,
): number {
  const begin = now();
  for (let at = 0; at < keys.count;) {
    const entries: [string, Uint8Array][] = [];
    const end = Math.min(at + BATCH, keys.count);
    for (; at < end; at += 1) {
      const index = order === null ? at : order[at]!;
      entries.push([keys.at(index), valueAt(index)]);
    }
    store.load(entries, order === null);
  }
  return (now() - begin) / keys.count;
}

/** Throws unless a store holds exactly the entries that fill() puts. */
export function assertFilled(store: OpenStore, keys: Keys): void {
  for (let probe = 0; probe < PROBES; probe += 1) {
    const index = Math.floor(probe * keys.count / PROBES);
    const wanted = valueAt(index);
    for (
      const found of [store.get(keys.at(index)), store.getView(keys.at(index))]
    ) {
      const isSame = found?.length === wanted.length &&
        wanted.every((byte, position) => byte === found[position]);
      if (!isSame) {
        throw new Error(
          `Cannot trust the figures: entry ${index} is not what was put`,
        );
      }
    }
  }
  const size = store.scan(undefined, undefined);
  const wanted = keys.count * (keys.at(0).length + valueAt(0).length);
  if (size !== wanted) {
    throw new Error(`Cannot trust the figures: ${size} bytes, not ${wanted}`);
  }
}
