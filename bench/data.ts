/**
 * The keys and values of every workload, the same for every engine and every run: nothing here
 * depends on chance or time. Keys have 16 bytes and rise with their index; values have 100 bytes
 * that do not compress.
 */

const VALUE_SIZE = 100;
/** Different values; entry i has value i modulo this. */
const VALUE_COUNT = 4096;

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
export class Keys {
  /** How many there are. */
  readonly count: number;
  readonly #stride: number;

  constructor(count: number) {
    this.count = count;
    this.#stride = Math.floor(2 ** 32 / count);
  }

  /** The key at an index, built anew: 8 digits that rise with the index, 8 of no order. */
  at(index: number): string {
    const bits = mix(index);
    return text(
      index * this.#stride + bits % this.#stride,
      Math.imul(bits, 0x9e3779b1),
    );
  }

  /** Every index once, in an order that looks like none. */
  shuffled(): Uint32Array {
    const indexes = Uint32Array.from(
      { length: this.count },
      (_, index) => index,
    );
    const random = new Random(1);
    for (let end = this.count - 1; end > 0; end -= 1) {
      const other = random.below(end + 1);
      const moved = indexes[end]!;
      indexes[end] = indexes[other]!;
      indexes[other] = moved;
    }
    return indexes;
  }
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

function makeValues(): readonly Uint8Array[] {
  const random = new Random(2);
  return Array.from({ length: VALUE_COUNT }, () => {
    return Uint8Array.from({ length: VALUE_SIZE }, () => random.below(256));
  });
}

const values: readonly Uint8Array[] = makeValues();

/** The value of the entry at an index; nobody writes into it. */
export function valueAt(index: number): Uint8Array {
  return values[index % VALUE_COUNT]!;
}
