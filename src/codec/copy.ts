/**
 * Copies of bytes for callers to keep, at the price the runtime asks least for.
 * Where a small typed array is dear to make, small copies share a larger buffer, as those of Buffer
 * do; what is handed out once is never handed out or written again.
 */

/** Pieces up to this size may share a buffer. */
const PIECE_MAX = 2048;
/** Size of a shared buffer: what one forgotten piece can keep in memory. */
const POOL_SIZE = 16384;
/** Up to here a loop copies faster than a call does. */
const LOOP_MAX = 24;

/** The same for copies into memory that is there already. */
const SHORT_MAX = 48;

/** How copies are made: each in memory of its own, or several in one buffer. */
export const copying: { isPooled: boolean } = { isPooled: false };

let pool: ArrayBuffer = new ArrayBuffer(0);
let poolBytes: Uint8Array<ArrayBuffer> = new Uint8Array(pool);
let poolUsed = 0;

/** A copy of a part of the bytes, which are a plain Uint8Array; it belongs to the caller. */
export function copyBytes(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const size = end - start;
  if (!copying.isPooled || size > PIECE_MAX) return bytes.slice(start, end);
  if (poolUsed + size > pool.byteLength) {
    pool = new ArrayBuffer(POOL_SIZE);
    poolBytes = new Uint8Array(pool);
    poolUsed = 0;
  }
  const at = poolUsed;
  poolUsed += (size + 7) & ~7;
  if (size > LOOP_MAX) {
    poolBytes.set(bytes.subarray(start, end), at);
  } else {
    for (let index = 0; index < size; index += 1) poolBytes[at + index] = bytes[start + index]!;
  }
  return new Uint8Array(pool, at, size);
}

/** A copy in memory of its own, a plain Uint8Array whatever class the bytes are. */
export function sliceBytes(bytes: Uint8Array, start: number, end: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(end - start);
  copy.set(bytes.subarray(start, end));
  return copy;
}

/** Copies the first `size` bytes to a place in others: in a loop while they are few. */
export function copyShort(from: Uint8Array, to: Uint8Array, at: number, size: number): void {
  if (size > SHORT_MAX) to.set(from.subarray(0, size), at);
  else for (let index = 0; index < size; index += 1) to[at + index] = from[index]!;
}
