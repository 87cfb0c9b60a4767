/**
 * The names of functions in a program or a shared library: its table of symbols, or, where that was
 * left out, what it exports. For files of 64 bits, the least byte first; others have no names here.
 * Reads bytes alone, and takes none of them for granted: a file that is not what it says has no
 * names.
 */

/** A function: where it begins in memory, as the file counts, and how long it is. */
interface Named {
  readonly begin: number;
  readonly size: number;
  readonly name: string;
}

/** A part of the file that is loaded. */
interface Segment {
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

const MAGIC = 0x464c457f;
const IS_64_BITS = 2;
const IS_LITTLE_ENDIAN = 1;
const LOADED = 1;
/** Kinds of tables of symbols: all of them, and those that are exported. */
const TABLES = [2, 11];
const FUNCTION = 2;
const SYMBOL_SIZE = 24;

/** Names by places in a file. */
export class Names {
  readonly #segments: readonly Segment[];
  /** In the order in which they begin. */
  readonly #functions: readonly Named[];

  constructor(segments: readonly Segment[], functions: readonly Named[]) {
    this.#segments = segments;
    this.#functions = functions;
  }

  /** The function whose code is at a place in the file. */
  at(offset: number): string | undefined {
    const segment = this.#segments.find((one) => {
      return offset >= one.offset && offset < one.offset + one.size;
    });
    if (segment === undefined) return undefined;
    const address = offset - segment.offset + segment.address;
    let [low, high] = [0, this.#functions.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#functions[middle]!.begin <= address) low = middle + 1;
      else high = middle;
    }
    const found = this.#functions[low - 1];
    return found !== undefined && address < found.begin + found.size ? found.name : undefined;
  }
}

function textAt(bytes: Uint8Array, at: number): string {
  const end = bytes.indexOf(0, at);
  return new TextDecoder().decode(bytes.subarray(at, end < 0 ? bytes.length : end));
}

function segmentsOf(view: DataView, long: (at: number) => number): Segment[] {
  const [first, size, count] = [long(32), view.getUint16(54, true), view.getUint16(56, true)];
  const places = Array.from({ length: count }, (_, index) => first + index * size);
  return places.filter((at) => view.getUint32(at, true) === LOADED).map(
    (at) => {
      return { offset: long(at + 8), address: long(at + 16), size: long(at + 32) };
    },
  );
}

function functionsOf(bytes: Uint8Array, view: DataView, long: (at: number) => number): Named[] {
  const [first, size, count] = [long(40), view.getUint16(58, true), view.getUint16(60, true)];
  const sections = Array.from({ length: count }, (_, index) => first + index * size);
  for (const kind of TABLES) {
    const table = sections.find((at) => view.getUint32(at + 4, true) === kind);
    if (table === undefined) continue;
    const strings = long(sections[view.getUint32(table + 40, true)]! + 24);
    const symbols = Array.from({
      length: Math.floor(long(table + 32) / SYMBOL_SIZE),
    }, (_, index) => long(table + 24) + index * SYMBOL_SIZE);
    return symbols.filter((at) => (view.getUint8(at + 4) & 15) === FUNCTION && long(at + 16) > 0)
      .map((at) => ({
        begin: long(at + 8),
        size: long(at + 16),
        name: textAt(bytes, strings + view.getUint32(at, true)),
      })).sort((a, b) => a.begin - b.begin);
  }
  return [];
}

/** The names in a file. */
export function readNames(bytes: Uint8Array): Names {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const long = (at: number) => Number(view.getBigUint64(at, true));
  try {
    const isRead = view.getUint32(0, true) === MAGIC &&
      view.getUint8(4) === IS_64_BITS &&
      view.getUint8(5) === IS_LITTLE_ENDIAN;
    if (isRead) {
      return new Names(segmentsOf(view, long), functionsOf(bytes, view, long));
    }
  } catch (error) {
    // A place that the file does not have.
    if (!(error instanceof RangeError) && !(error instanceof TypeError)) {
      throw error;
    }
  }
  return new Names([], []);
}
