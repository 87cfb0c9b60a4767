/**
 * Copies of bytes for callers to keep, at the price the runtime asks least for.
 * What is not small lies in blocks that several values share, large ones in memory of their own; on
 * both, memory of the engine is used where the runtime's collector can give it back: it costs no
 * zeros, and its pages have been used before.
 * Where a small typed array is dear to make, small copies share a larger buffer, as those of Buffer
 * do; what is handed out once is never handed out or written again.
 * Where even a call is dear beside them, small copies are made in a loop, four bytes at a time; of
 * bytes that stay as they are for a while, blocks are copied at once, and parts of a block handed
 * out.
 */

import { limits } from "../../ffi/abi.ts";

/** Bytes as they are copied from: also as words, unless they cannot be seen so. */
export interface Copied {
  /** The bytes, a plain Uint8Array. */
  readonly bytes: Uint8Array;
  /** The same bytes in groups of four; without elements where they do not lie so. */
  readonly words: Uint32Array;
  /** What is known of those that stay as they are for a while; null if any may change. */
  readonly still: Still | null;
}

/**
 * Bytes that stay as they are until said otherwise, and the block of them that was copied last. The
 * block alone is handed out: what its owners do to it never reaches the bytes.
 */
export interface Still {
  /** Which of the bytes. */
  start: number;
  end: number;
  /** The block, and which bytes it is a copy of. */
  block: ArrayBuffer;
  blockStart: number;
  blockEnd: number;
}

/** Small pieces share one buffer, large ones up to this size another, a block. */
const SMALL_MAX = 2048;
const LARGE_MAX = 16384;
/** Where small pieces share none, those from here on are large. */
const ALONE_MAX = limits.block_value_min - 1;
/** Sizes of those buffers: what one forgotten piece can keep in memory. */
const SMALL_POOL_SIZE = 16384;
const LARGE_POOL_SIZE = 65536;
/** From here on a piece has lent memory to itself. */
const LENT_MIN = 49152;
/** Up to here a loop over words copies faster than a call does. */
const LOOP_MAX = 1024;

/** The same for a loop over bytes, into memory that is there already. */
const SHORT_MAX = 48;

/** Up to here zeros and a call that fills cost less than slice(), which makes no zeros. */
const FILLED_MAX = 512;
/** Fewer still bytes than that are not worth a block. */
const STILL_MIN = 4096;

/** Copies `size` of some bytes, from a place on, to the beginning of others. */
type CopyInto = (
  from: Uint8Array,
  fromSize: number,
  at: number,
  to: Uint8Array,
  size: number,
) => number;

/** Lends memory of the engine as a buffer that owns it; null if there is none. */
type Lend = (size: number) => ArrayBuffer | null;

/**
 * How copies are made: small ones each in memory of its own, or several in one buffer; what fills
 * those of the first kind; and where large ones get their memory, if not from the runtime.
 */
export const copying: { isPooled: boolean; into: CopyInto | null; lend: Lend | null } = {
  isPooled: false,
  into: null,
  lend: null,
};

/** Stands for a block where there is none. */
const NO_BLOCK: ArrayBuffer = new ArrayBuffer(0);

let pool: ArrayBuffer = new ArrayBuffer(0);
let poolBytes: Uint8Array<ArrayBuffer> = new Uint8Array(pool);
let poolWords: Uint32Array<ArrayBuffer> = new Uint32Array(pool);
let poolUsed = 0;

let largePool: ArrayBuffer = new ArrayBuffer(0);
let largeUsed = 0;

/** A copy of a part of the bytes; it belongs to the caller. */
export function copyBytes(from: Copied, start: number, end: number): Uint8Array {
  const size = end - start;
  if (!copying.isPooled || size > LARGE_MAX) return copyAlone(from.bytes, start, end);
  const { still } = from;
  const isShort = size > 0 && size <= SMALL_MAX;
  if (still !== null && isShort && start >= still.start && end <= still.end) {
    return cutBytes(from.bytes, still, start, end);
  }
  if (size > SMALL_MAX) {
    const copy = takeLarge(size);
    copy.set(from.bytes.subarray(start, end));
    return copy;
  }
  // It begins as far behind a word as what it is a copy of.
  const skew = start & 3;
  const at = reserve(skew + size) + skew;
  const last = (end + 3) >> 2;
  if (size > LOOP_MAX || last > from.words.length) {
    poolBytes.set(from.bytes.subarray(start, end), at);
    return new Uint8Array(pool, at, size);
  }
  const { words } = from;
  const copies = poolWords;
  let place = at >> 2;
  for (let index = start >> 2; index < last; index += 1) copies[place++] = words[index]!;
  return new Uint8Array(pool, at, size);
}

/** A copy in memory of its own. */
function copyAlone(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const size = end - start;
  const { into } = copying;
  if (into === null || size > FILLED_MAX || size === 0) return bytes.slice(start, end);
  const copy = new Uint8Array(size);
  into(bytes, bytes.length, start, copy, size);
  return copy;
}

/** A part of the block that holds it, which is copied first if need be. */
function cutBytes(bytes: Uint8Array, still: Still, start: number, end: number): Uint8Array {
  // A block that somebody transferred away has no bytes left.
  if (start < still.blockStart || end > still.blockEnd || still.block.byteLength === 0) {
    const isSmall = still.end - still.start <= SMALL_POOL_SIZE;
    const from = isSmall ? still.start : start;
    const to = isSmall ? still.end : Math.min(start + SMALL_POOL_SIZE, still.end);
    still.block = bytes.buffer.slice(bytes.byteOffset + from, bytes.byteOffset + to) as ArrayBuffer;
    still.blockStart = from;
    still.blockEnd = to;
  }
  return new Uint8Array(still.block, start - still.blockStart, end - start);
}

/** Nothing that stays as it is. */
export function newStill(): Still {
  return { start: 0, end: 0, block: NO_BLOCK, blockStart: 0, blockEnd: 0 };
}

/** Says which bytes stay as they are from now on; the block of those before is let go. */
export function setStill(still: Still, start: number, end: number): void {
  still.start = start;
  still.end = end - start < STILL_MIN ? start : end;
  still.block = NO_BLOCK;
  still.blockStart = still.blockEnd = 0;
}

/** Memory for so many bytes, which the caller fills before anything else is copied. */
export function takeBytes(size: number): Uint8Array {
  if (size > LARGE_MAX) return takeAlone(size);
  if (copying.isPooled) {
    if (size > SMALL_MAX) return takeLarge(size);
    const at = reserve(size);
    return new Uint8Array(pool, at, size);
  }
  return size > ALONE_MAX && copying.lend !== null ? takeLarge(size) : new Uint8Array(size);
}

/** Memory for a piece that shares it with none. */
function takeAlone(size: number): Uint8Array {
  const { lend } = copying;
  const isLent = lend !== null && size >= LENT_MIN && size <= limits.lent_size_max;
  const memory = isLent ? lend(size) : null;
  return memory === null ? new Uint8Array(size) : new Uint8Array(memory);
}

/**
 * What is left of the block that large pieces share, a new one if that is little, for several
 * pieces at once.
 */
export function openBlock(): Uint8Array {
  if (largeUsed + LARGE_MAX > largePool.byteLength) newBlock();
  return new Uint8Array(largePool, largeUsed);
}

/** Says how much of what openBlock() returned was filled; the rest is for other pieces. */
export function closeBlock(size: number): void {
  largeUsed += (size + 7) & ~7;
}

/** Takes bytes of the shared buffer, a new one if need be; where they begin. */
function reserve(size: number): number {
  if (poolUsed + size > pool.byteLength) {
    pool = new ArrayBuffer(SMALL_POOL_SIZE);
    poolBytes = new Uint8Array(pool);
    poolWords = new Uint32Array(pool);
    poolUsed = 0;
  }
  const at = poolUsed;
  poolUsed += (size + 7) & ~7;
  return at;
}

/** Memory of the buffer that large pieces share, a new one if need be. */
function takeLarge(size: number): Uint8Array {
  if (largeUsed + size > largePool.byteLength) newBlock();
  const at = largeUsed;
  largeUsed += (size + 7) & ~7;
  return new Uint8Array(largePool, at, size);
}

/** Lets the block go, and takes another. */
function newBlock(): void {
  largePool = copying.lend?.(LARGE_POOL_SIZE) ?? new ArrayBuffer(LARGE_POOL_SIZE);
  largeUsed = 0;
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
