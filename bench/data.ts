/**
 * The keys and values of every workload, the same for every engine and every run: nothing here
 * depends on chance or time. Keys rise with their index and are built anew each time they are
 * asked for, as a program builds them; values do not compress.
 */

const DIGITS: readonly number[] = Array.from(
  "0123456789abcdef",
  (digit) => digit.charCodeAt(0),
);

/** Mixes the bits of a 32-bit number. */
function mix(seed: number): number {
  let bits = seed | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x21f0aaad);
  bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97);
  return (bits ^ (bits >>> 15)) >>> 0;
}

/** The digit at a place of a number, as its character code. */
function digit(bits: number, shift: number): number {
  return DIGITS[(bits >>> shift) & 15]!;
}

/** A string of 16 digits, flat from the start, unlike one that is put together of pieces. */
function text(high: number, low: number): string {
  return String.fromCharCode(
    digit(high, 28),
    digit(high, 24),
    digit(high, 20),
    digit(high, 16),
    digit(high, 12),
    digit(high, 8),
    digit(high, 4),
    digit(high, 0),
    digit(low, 28),
    digit(low, 24),
    digit(low, 20),
    digit(low, 16),
    digit(low, 12),
    digit(low, 8),
    digit(low, 4),
    digit(low, 0),
  );
}

/** The keys of a store. */
export interface KeySet {
  /** How many there are. */
  readonly count: number;
  /** Characters of each, all of one byte. */
  readonly size: number;
  /** The key at an index, built anew. */
  at(index: number): string;
}

/** Keys of 16 digits: 8 that rise with the index, 8 of no order. */
export class Keys implements KeySet {
  readonly count: number;
  readonly size = 16;
  readonly #stride: number;

  constructor(count: number) {
    this.count = count;
    this.#stride = Math.floor(2 ** 32 / count);
  }

  at(index: number): string {
    const bits = mix(index);
    return text(
      index * this.#stride + bits % this.#stride,
      Math.imul(bits, 0x9e3779b1),
    );
  }

  /** A key that is not among them and lies beside the one at the index. */
  missingAt(index: number): string {
    const bits = mix(index);
    return text(
      index * this.#stride + bits % this.#stride,
      Math.imul(bits, 0x9e3779b1) + 1,
    );
  }
}

/** Keys of 34 characters that look like paths: many in a folder, folders in folders. */
export class PathKeys implements KeySet {
  readonly count: number;
  readonly size = 34;
  readonly #keys: Keys;

  constructor(count: number) {
    this.count = count;
    this.#keys = new Keys(count);
  }

  at(index: number): string {
    const digits = this.#keys.at(index);
    return `srv/${digits.slice(0, 4)}/lib-${digits.slice(4, 8)}/src/${digits.slice(8)}.txt`;
  }
}

/** Every index below a count once, in an order that looks like none. */
export function shuffled(count: number, seed: number): Uint32Array {
  const indexes = Uint32Array.from({ length: count }, (_, index) => index);
  const random = new Random(seed);
  for (let end = count - 1; end > 0; end -= 1) {
    const other = random.below(end + 1);
    const moved = indexes[end]!;
    indexes[end] = indexes[other]!;
    indexes[other] = moved;
  }
  return indexes;
}

/** Numbers that look random and are the same for the same seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = mix(seed + 1);
  }

  /** A number from 0 to below `limit`. */
  below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return Math.floor(this.#state / 2 ** 32 * limit);
  }
}

/** Values of one size, or of sizes between two; entry i has value i modulo their number. */
export class Values {
  readonly sizeMax: number;
  readonly #values: readonly Uint8Array[];

  constructor(sizeMin: number, sizeMax: number, count: number) {
    const random = new Random(2);
    this.sizeMax = sizeMax;
    this.#values = Array.from({ length: count }, () => {
      const size = sizeMin + random.below(sizeMax - sizeMin + 1);
      return Uint8Array.from({ length: size }, () => random.below(256));
    });
  }

  /** The value of the entry at an index; nobody writes into it. */
  at(index: number): Uint8Array {
    return this.#values[index % this.#values.length]!;
  }
}
