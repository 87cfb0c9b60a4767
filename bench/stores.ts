/**
 * The stores of one engine: where they lie, how they are filled, and that they hold what they
 * should. Everything is inside one temporary folder, on the disk that is measured.
 */
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { Keys, type KeySet, PathKeys, shuffled, Values } from "./data.ts";
import type { Awaitable, Durability, Engine, Entry, OpenStore } from "./engines/engine.ts";
import { RUNS } from "./folders.ts";
import { BATCH, type Sizes, VALUE_SIZE } from "./sizes.ts";

/** How often a filled store is asked for a value to see that it is right. */
const PROBES = 1000;
/** Bytes of values of one transaction, at most. */
const BATCH_SIZE = 4 << 20;
/** Different values of 100 bytes. */
const VALUE_COUNT = 4096;
/** Bytes of the units that a file's blocks are counted in. */
const BLOCK_SIZE = 512;
/** Bytes of a file that are read at once to have them in memory. */
const PIECE_SIZE = 1 << 20;

/** A folder for the stores of a run. */
export class RunFolder implements Disposable {
  readonly path: string;

  constructor() {
    mkdirSync(RUNS, { recursive: true });
    this.path = mkdtempSync(RUNS);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** What a store is filled with. */
export interface Contents {
  /** The name of the store. */
  readonly name: string;
  readonly keys: KeySet;
  readonly values: Values;
}

/** The values that most workloads have. */
export const smallValues: Values = new Values(
  VALUE_SIZE,
  VALUE_SIZE,
  VALUE_COUNT,
);

/** The stores that several workloads have in common. */
export const contents = {
  large: (sizes: Sizes): Contents => {
    return {
      name: "large",
      keys: new Keys(sizes.entries),
      values: smallValues,
    };
  },
  hot: (sizes: Sizes): Contents => {
    return {
      name: "hot",
      keys: new Keys(sizes.hotEntries),
      values: smallValues,
    };
  },
  small: (): Contents => ({
    name: "small",
    keys: new Keys(1000),
    values: smallValues,
  }),
  mixed: (sizes: Sizes): Contents => {
    return {
      name: "mixed",
      keys: new Keys(sizes.mixedEntries),
      values: new Values(100, 10_000, 512),
    };
  },
  paths: (sizes: Sizes): Contents => {
    return {
      name: "paths",
      keys: new PathKeys(sizes.pathEntries),
      values: smallValues,
    };
  },
} as const;

/** The stores of one engine in a run. */
export class Stores {
  readonly engine: Engine;
  readonly #folder: string;
  readonly #piece: Uint8Array = new Uint8Array(PIECE_SIZE);
  /** Names of the stores that were opened since `begin`. */
  #opened: Set<string> = new Set();

  constructor(engine: Engine, folder: string) {
    this.engine = engine;
    this.#folder = join(folder, engine.id);
  }

  /** The folder that a store has for itself. */
  #folderOf(name: string): string {
    return join(this.#folder, name);
  }

  /** Where a store lies. */
  path(name: string): string {
    return join(this.#folderOf(name), "store");
  }

  /** Opens a store; makes it if it is not there. */
  async open(
    name: string,
    durability: Durability,
    valueSize: number = VALUE_SIZE,
  ): Promise<OpenStore> {
    mkdirSync(this.#folderOf(name), { recursive: true });
    this.#opened.add(name);
    return await this.engine.open(this.path(name), { durability, valueSize });
  }

  /** Opens a store that holds nothing yet. */
  async openEmpty(
    name: string,
    durability: Durability,
    valueSize: number = VALUE_SIZE,
  ): Promise<OpenStore> {
    this.remove(name);
    return await this.open(name, durability, valueSize);
  }

  /** Opens a store that holds something, which is put there and read back if it is new. */
  async openFilled(
    filled: Contents,
    durability: Durability,
  ): Promise<OpenStore> {
    const { name, keys, values } = filled;
    if (!existsSync(this.#folderOf(name))) {
      const store = await this.open(name, "unflushed", values.sizeMax);
      await fill(store, filled, shuffled(keys.count, 1));
      await assertFilled(store, filled);
      await store.close();
      this.settle();
    }
    return await this.open(name, durability, values.sizeMax);
  }

  /** Removes a store. */
  remove(name: string): void {
    rmSync(this.#folderOf(name), { recursive: true, force: true });
  }

  /** Bytes of the disk that the files of a store take. */
  size(name: string): number {
    let size = 0;
    for (const path of filesBelow(this.#folderOf(name))) {
      size += statSync(path).blocks * BLOCK_SIZE;
    }
    return size;
  }

  /** Another workload begins. */
  begin(): void {
    this.#opened = new Set();
  }

  /**
   * Reads the files of the stores in use, so that they are in the kernel's cache: a machine may
   * take away what nobody has read for half a minute, which others' turns can take.
   */
  pageIn(): void {
    for (const path of [...this.#opened].flatMap((name) => filesBelow(this.#folderOf(name)))) {
      withFile(path, (file) => {
        while (readSync(file, this.#piece, 0, PIECE_SIZE, null) > 0);
      });
    }
  }

  /** Has the disk write whatever it still owes, so that the next turn does not pay for it. */
  settle(): void {
    for (const path of filesBelow(this.#folder)) withFile(path, fdatasyncSync);
  }
}

/** Does something with a file, unless it is gone. */
function withFile(path: string, work: (file: number) => void): void {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    // An engine that merges its files in the background has just removed this one.
    return;
  }
  try {
    work(file);
  } finally {
    closeSync(file);
  }
}

function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) =>
    join(entry.parentPath, entry.name)
  );
}

/** Waits for a result unless it is there. */
async function settled(result: Awaitable<unknown>): Promise<void> {
  if (result instanceof Promise) await result;
}

/**
 * Puts every entry once, in transactions of 1,000 entries, or fewer of large values; each key built
 * anew.
 *
 * @param order The indexes, or null for rising keys.
 */
export async function fill(
  store: OpenStore,
  { keys, values }: Contents,
  order: Uint32Array | null,
): Promise<void> {
  const batch = Math.max(1, Math.min(BATCH, Math.floor(BATCH_SIZE / values.sizeMax)));
  for (let at = 0; at < keys.count;) {
    const entries: Entry[] = [];
    const end = Math.min(at + batch, keys.count);
    for (; at < end; at += 1) {
      const index = order === null ? at : order[at]!;
      entries.push([keys.at(index), values.at(index)]);
    }
    await settled(store.write(entries, order === null));
  }
}

/** Throws unless a store holds exactly the entries that fill() puts. */
export async function assertFilled(
  store: OpenStore,
  { keys, values }: Contents,
): Promise<void> {
  const probes = Math.min(PROBES, keys.count);
  for (let probe = 0; probe < probes; probe += 1) {
    const index = Math.floor(probe * keys.count / probes);
    const key = keys.at(index);
    const all = [await store.get(key), (await store.getMany([key]))[0]];
    if (store.getView !== undefined) all.push(store.getView(key) as Uint8Array);
    for (const found of all) assertSame(found, values.at(index), index);
  }
  let wanted = 0;
  for (let index = 0; index < keys.count; index += 1) {
    wanted += keys.size + values.at(index).length;
  }
  const size = await store.scan(undefined, undefined);
  if (size !== wanted) {
    throw new Error(`Cannot trust the figures: ${size} bytes, not ${wanted}`);
  }
}

function assertSame(
  found: ArrayLike<number> | undefined,
  wanted: Uint8Array,
  index: number,
): void {
  const isSame = found?.length === wanted.length &&
    wanted.every((byte, position) => byte === found[position]);
  if (!isSame) {
    throw new Error(
      `Cannot trust the figures: entry ${index} is not what was put`,
    );
  }
}
