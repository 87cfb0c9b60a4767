/**
 * What the machine itself can do. For a durable commit: 4 KiB overwritten in sequence in a file
 * that is there already, then fdatasync; through the C library over FFI, and through the `node:fs`
 * of the same runtime. For reads: loads of memory that depend on each other or do not, and copying
 * of memory, over typed arrays larger than the processor's caches.
 */
import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  fsyncSync,
  openSync,
  rmSync,
  write,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { Keys, Random } from "../data.ts";
import type { Awaitable } from "../engines/engine.ts";
import type { Sizes } from "../sizes.ts";
import { type Measured, timeCalls, timeEach } from "../timing.ts";
import { openSystem } from "./system.ts";
import type { Floor, Session, Workload } from "./workload.ts";

const BLOCK_SIZE = 4096;
const BLOCK_COUNT = 1024;

const writeAsync = promisify(write);
const fdatasyncAsync = promisify(fdatasync);

/** A file that is overwritten again and again. */
class FloorFile {
  readonly descriptor: number;
  readonly block: Uint8Array<ArrayBuffer> = new Uint8Array(
    new ArrayBuffer(BLOCK_SIZE),
  ).fill(0x5a);
  readonly #path: string;
  #next = 0;

  constructor(path: string) {
    this.#path = path;
    this.descriptor = openSync(path, "w");
    for (let index = 0; index < BLOCK_COUNT; index += 1) {
      writeSync(this.descriptor, this.block, 0, BLOCK_SIZE, this.position());
    }
    fsyncSync(this.descriptor);
  }

  /** Where the next block goes. */
  position(): number {
    this.#next = (this.#next + 1) % BLOCK_COUNT;
    return this.#next * BLOCK_SIZE;
  }

  close(): void {
    closeSync(this.descriptor);
    rmSync(this.#path, { force: true });
  }
}

/** One block and one flush, by the C library. */
function appendNative(file: FloorFile): () => void {
  const system = openSystem();
  return () => {
    const isDone = system.pwrite(
          file.descriptor,
          file.block,
          BLOCK_SIZE,
          file.position(),
        ) ===
        BLOCK_SIZE && system.fdatasync(file.descriptor) === 0;
    if (!isDone) {
      throw new Error("Cannot measure the floor: a write or a flush failed");
    }
  };
}

/** The same, both waited for in place. */
function appendSync(file: FloorFile): () => void {
  return () => {
    writeSync(file.descriptor, file.block, 0, BLOCK_SIZE, file.position());
    fdatasyncSync(file.descriptor);
  };
}

/** The same, both awaited. */
function appendAsync(file: FloorFile): () => Promise<void> {
  return async () => {
    await writeAsync(
      file.descriptor,
      file.block,
      0,
      BLOCK_SIZE,
      file.position(),
    );
    await fdatasyncAsync(file.descriptor);
  };
}

function append(
  name: string,
  make: (file: FloorFile) => () => Awaitable<void>,
): Floor {
  return {
    name,
    begin(folder, sizes): Session {
      const file = new FloorFile(
        join(folder, `${name.replaceAll(/\W/g, "-")}-${Date.now()}`),
      );
      const call = make(file);
      return {
        run: () => timeEach(call, sizes.durableMs),
        end: () => file.close(),
      };
    },
  };
}

/** Floors of a durable commit. */
export const appendFloors = {
  native: append("floor, C library", appendNative),
  sync: append("floor, node:fs", appendSync),
  async: append("floor, node:fs awaited", appendAsync),
} as const;

/** Bytes between two loads: each is of another line of the caches. */
const LINE_SIZE = 64;
const LINE_WORDS = LINE_SIZE / 4;

/** One cycle through all lines of a large array, in no order: each has the place of the next. */
function makeCycle(bytes: number): Int32Array {
  const count = bytes / LINE_SIZE;
  const cycle = new Int32Array(bytes / 4);
  const random = new Random(3);
  const order = Int32Array.from({ length: count }, (_, index) => index);
  // Sattolo's shuffle: what it makes is one cycle, none shorter.
  for (let end = count - 1; end > 0; end -= 1) {
    const other = random.below(end);
    const moved = order[end]!;
    order[end] = order[other]!;
    order[other] = moved;
  }
  for (let index = 0; index < count; index += 1) {
    cycle[index * LINE_WORDS] = order[index]! * LINE_WORDS;
  }
  return cycle;
}

/** Loads of one call: the call itself is nothing beside them. */
const LOADS = 1 << 14;

/** Keeps what was loaded where the compiler cannot leave the loading out. */
let loaded = 0;

function dependent(cycle: Int32Array): () => void {
  let place = 0;
  return () => {
    for (let left = LOADS; left > 0; left -= 1) place = cycle[place]!;
    loaded ^= place;
  };
}

/** Places that a multiplication gives: the next load need not wait for this one. */
function independent(cycle: Int32Array): () => void {
  const mask = cycle.length / LINE_WORDS - 1;
  let number = 1;
  return () => {
    let sum = 0;
    for (let left = LOADS; left > 0; left -= 1) {
      number = (Math.imul(number, 0x9e3779b1) + 0x7f4a7c15) | 0;
      sum = (sum + cycle[((number >>> 7) & mask) * LINE_WORDS]!) | 0;
    }
    loaded ^= sum;
  };
}

function memory(
  name: string,
  make: (bytes: number) => () => void,
  per: number,
): Floor {
  return {
    name,
    begin(_folder: string, sizes: Sizes): Session {
      const call = make(sizes.floorBytes);
      return {
        run: (): Promise<Measured> => timeCalls(call, sizes.shortMs, per),
        end() {},
      };
    },
  };
}

function copying(bytes: number): () => void {
  const from = new Uint8Array(bytes).fill(1);
  const to = new Uint8Array(bytes).fill(2);
  const piece = 1 << 20;
  let at = 0;
  return () => {
    to.set(from.subarray(at, at + piece), at);
    at = (at + piece) % bytes;
  };
}

function buildingKeys(): () => void {
  const keys = new Keys(1_000_000);
  const random = new Random(1);
  return () => {
    loaded ^= keys.at(random.below(keys.count)).length;
  };
}

function floor(
  id: string,
  title: string,
  operation: string,
  floors: readonly Floor[],
): Workload {
  return {
    id,
    title,
    group: "floors",
    operation,
    unit: "rate",
    isWriting: false,
    floors,
  };
}

/** What is measured of the machine alone. */
export const floors: readonly Workload[] = [
  floor("floor_key", "building a key", "keys", [
    memory("floor", buildingKeys, 1),
  ]),
  floor("floor_loads", "random loads of memory", "loads", [
    memory(
      "each needs the one before",
      (bytes) => dependent(makeCycle(bytes)),
      LOADS,
    ),
    memory(
      "none needs another",
      (bytes) => independent(makeCycle(bytes)),
      LOADS,
    ),
  ]),
  floor("floor_copy", "copying memory, MiB", "MiB", [
    memory("floor", copying, 1),
  ]),
];
