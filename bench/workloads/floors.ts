/**
 * The floor of the machine for a durable commit, through the same `node:fs` as the engines' own
 * flushes: 4 KiB overwritten in sequence in a file that is there already, then fdatasync.
 */
import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  fsyncSync,
  openSync,
  write,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const BLOCK_SIZE = 4096;
const BLOCK_COUNT = 1024;

const writeAsync = promisify(write);
const fdatasyncAsync = promisify(fdatasync);

/** A file that is overwritten again and again. */
export class FloorFile implements Disposable {
  readonly descriptor: number;
  readonly block: Uint8Array = new Uint8Array(BLOCK_SIZE).fill(0x5a);
  #next = 0;

  constructor(folder: string) {
    this.descriptor = openSync(join(folder, "floor"), "w");
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

  [Symbol.dispose](): void {
    closeSync(this.descriptor);
  }
}

/** One block and one flush, waited for in place. */
export function floorSync(file: FloorFile): void {
  writeSync(file.descriptor, file.block, 0, BLOCK_SIZE, file.position());
  fdatasyncSync(file.descriptor);
}

/** One block and one flush, both awaited. */
export async function floorAsync(file: FloorFile): Promise<void> {
  await writeAsync(file.descriptor, file.block, 0, BLOCK_SIZE, file.position());
  await fdatasyncAsync(file.descriptor);
}
