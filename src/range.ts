/**
 * Ranges: the keys and values of a table between two bounds, in order, fetched in chunks.
 * A range is only a description until it is iterated; each iteration pins one state at its first
 * next() and lets it go at the end. Rows are decoded out of a chunk that the iteration has for
 * itself, so whatever the caller does between two rows cannot change them; what is decoded never
 * shares its memory.
 */
import { limits, rangeFlags } from "../ffi/abi.ts";
import { type Access, Held } from "./access.ts";
import { closeBlock, copyBytes, copyShort, openBlock, takeBytes } from "./codec/copy.ts";
import type { Key, KeyCodec } from "./codec/key.ts";
import { type Area, renew, type Source, sourceOf } from "./codec/text.ts";
import { failure } from "./library.ts";
import { booleanOption, integerOption, optionsObject } from "./options.ts";
import { type Scope, scopeEnded } from "./scope.ts";
import type { Session } from "./session.ts";
import type { TableState } from "./table_state.ts";

/** A whole key, or the beginning of an array. */
export type KeyPrefix<K extends Key> = K extends readonly unknown[] ? K | readonly Key[] : K;

/**
 * Which part of a table, and in which order.
 *
 * `start` is where the iteration begins and `end` where it stops: without `reverse` the lower and
 * the upper bound, with it the upper and the lower one. In both directions `start` belongs to the
 * range and `end` does not, unless exclusiveStart and inclusiveEnd say otherwise.
 */
export interface RangeOptions<K extends Key> {
  /** Where to begin. */
  start?: KeyPrefix<K>;
  /** Where to stop, itself left out. */
  end?: KeyPrefix<K>;
  /** Only keys that begin with these characters, bytes or elements of an array. */
  prefix?: KeyPrefix<K>;
  /** Leave `start` itself out. */
  exclusiveStart?: boolean;
  /** Take `end` itself in. */
  inclusiveEnd?: boolean;
  /** From the greatest key to the smallest. */
  reverse?: boolean;
  /** At most so many rows. */
  limit?: number;
  /** Pass over so many rows first; costs no more than the first row. */
  offset?: number;
}

/**
 * Rows of a range: lazy and restartable. Every iteration belongs to one state, which it pins from
 * its first row until its end, return() or dispose, or until it is collected.
 */
export interface RangeIterable<T> extends Iterable<T> {
  /** The rows as `f` makes them. */
  map<U>(f: (row: T) => U): RangeIterable<U>;
  /** The rows of which `f` holds. */
  filter(f: (row: T) => boolean): RangeIterable<T>;
  /** The first row, if there is one. */
  first(): T | undefined;
  /** All rows. */
  toArray(): T[];
}

/** A bound: its bytes, and whether a key equal to it belongs to the range. */
interface Bound {
  readonly bytes: Uint8Array;
  readonly isIncluded: boolean;
}

/** A range as the engine takes it. */
export interface Bounds {
  /** Lower bound. */
  readonly lower: Bound | null;
  /** Upper bound. */
  readonly upper: Bound | null;
  /** From the greatest key to the smallest. */
  readonly isReverse: boolean;
  /** Rows to pass over. */
  readonly offset: number;
  /** Most rows, or Infinity. */
  readonly limit: number;
}

/** Where keys are encoded to: those of a bound as those of a get. */
interface Encoding {
  readonly keys: KeyCodec;
  readonly area: Area;
}

/** Checks the options of a range and encodes its bounds. */
export function rangeBounds(
  session: Session,
  table: TableState,
  options: RangeOptions<Key> | undefined,
): Bounds {
  const given = optionsObject(options);
  const encoding = { keys: table.keys, area: session.scratch.keyA };
  const isReverse = booleanOption("reverse", given.reverse, false);
  const start = bound(
    encoding,
    given.start,
    !booleanOption("exclusiveStart", given.exclusiveStart, false),
  );
  const end = bound(encoding, given.end, booleanOption("inclusiveEnd", given.inclusiveEnd, false));
  let lower = isReverse ? end : start;
  let upper = isReverse ? start : end;
  if (given.prefix !== undefined) {
    const size = table.keys.encodePrefix(encoding.area, given.prefix);
    const bytes = copyBytes(encoding.area, 0, size);
    const behind = table.keys.prefixEnd(given.prefix, bytes);
    lower = narrower(lower, { bytes, isIncluded: true }, 1);
    if (behind !== undefined) upper = narrower(upper, upperOf(encoding, bytes, behind), -1);
  }
  const most = [0, Number.MAX_SAFE_INTEGER] as const;
  const offset = integerOption("offset", given.offset, most, 0);
  const limit = given.limit === Infinity
    ? Infinity
    : integerOption("limit", given.limit, most, Infinity);
  return { lower, upper, isReverse, offset, limit };
}

function bound(encoding: Encoding, key: Key | undefined, isIncluded: boolean): Bound | null {
  if (key === undefined) return null;
  const size = encoding.keys.encode(encoding.area, key);
  return { bytes: copyBytes(encoding.area, 0, size), isIncluded };
}

/** The end of a prefix; of one so long that no longer key exists, the prefix itself. */
function upperOf(encoding: Encoding, prefix: Uint8Array, behind: Uint8Array): Bound {
  if (behind.length > encoding.area.room.length) return { bytes: prefix, isIncluded: true };
  return { bytes: behind, isIncluded: false };
}

/**
 * Of two bounds the one that leaves less: the greater lower one (1) or the smaller upper one
 * (-1).
 */
function narrower(a: Bound | null, b: Bound, direction: 1 | -1): Bound {
  if (a === null) return b;
  const order = compareBytes(a.bytes, b.bytes) * direction;
  if (order !== 0) return order > 0 ? a : b;
  return a.isIncluded ? b : a;
}

/** Compares bytes as the engine does. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const size = Math.min(a.length, b.length);
  for (let index = 0; index < size; index += 1) {
    if (a[index] !== b[index]) return a[index]! < b[index]! ? -1 : 1;
  }
  return a.length - b.length;
}

/** Puts bounds into the key areas; the flags that say so. */
export function placeBounds(session: Session, bounds: Bounds, isKeysOnly: boolean): number {
  const { lower, upper } = bounds;
  let flags = 0;
  if (lower !== null) {
    copyShort(lower.bytes, session.scratch.keyA.bytes, 0, lower.bytes.length);
    flags |= rangeFlags.has_start | (lower.isIncluded ? 0 : rangeFlags.exclusive_start);
  }
  if (upper !== null) {
    copyShort(upper.bytes, session.scratch.keyB.bytes, 0, upper.bytes.length);
    flags |= rangeFlags.has_end | (upper.isIncluded ? rangeFlags.inclusive_end : 0);
  }
  if (bounds.isReverse) flags |= rangeFlags.reverse;
  return isKeysOnly ? flags | rangeFlags.keys_only : flags;
}

/** What an iteration reads, and how its rows look. */
export interface RangeReading {
  readonly access: Access;
  readonly scope: Scope;
  readonly table: TableState;
  readonly bounds: Bounds;
  /** Whether rows are keys, without values. */
  readonly isKeysOnly: boolean;
  /** Whether keys and values are bytes as they are stored. */
  readonly isRaw: boolean;
  /** Whether rows keep the bytes of their values. */
  readonly keepsBytes: boolean;
}

/** Rows of the first chunk, of the following ones four times as many each, and at most. */
const CHUNK_FIRST = 16;
const CHUNK_MAX = 128;
/** Bytes of a chunk, beside a key. */
const CHUNK_SIZE = 16384;
/** Bytes that stand for a row before its key: two sizes. */
const ROW_SIZE = 8;
/** Stands for the size of a value that did not fit. */
const LARGE_SIZE = 0xffff_ffff;

/** Where rows are fetched to. */
interface Room {
  readonly rowsMax: number;
  readonly bytes: Uint8Array;
  readonly block: Uint8Array;
}

/** Opens a range and fetches its first rows; their number, or a negative code. */
function firstRows(reading: RangeReading, { rowsMax, bytes, block }: Room): number {
  const { access, scope, table, bounds } = reading;
  const { session } = access;
  const { call, handle, words } = session;
  // The state is this turn's, until the range is known to go on.
  session.pin();
  const flags = placeBounds(session, bounds, reading.isKeysOnly);
  words[0] = bounds.offset;
  words[1] = bounds.limit === Infinity ? -1 : bounds.limit;
  const { index } = table;
  const lower = bounds.lower === null ? 0 : bounds.lower.bytes.length;
  const upper = bounds.upper === null ? 0 : bounds.upper.bytes.length;
  const size = bytes.length;
  const state = scope.handle;
  return call.range_first(
    handle,
    state,
    index,
    flags,
    lower,
    upper,
    rowsMax,
    bytes,
    size,
    block,
    block.length,
  );
}

/** How many chunks are kept that no iteration uses. */
const CHUNKS_MAX = 4;
/** Stands for the chunk of an iteration that has none. */
const NO_CHUNK: Source = sourceOf(new Uint8Array());
/** Stands for the block of one that needs none. */
const NO_BLOCK: Uint8Array = new Uint8Array();

/** One iteration over a range. */
class RangeIterator<T> implements Iterator<T, undefined>, Disposable {
  readonly #reading: RangeReading;
  readonly #table: TableState;
  readonly #access: Access;
  readonly #scope: Scope;
  readonly #isKeysOnly: boolean;
  readonly #isRaw: boolean;
  /** Where the key of the next row begins in the chunk, and where its value ends if it is there. */
  #keyAt = 0;
  #valueAt = 0;
  #chunk: Source = NO_CHUNK;
  #sizes: Uint32Array = NO_CHUNK.words;
  #held: Held | null = null;
  #range = 0;
  #chunkSize: number;
  /** Rows of the chunk, and how many of them were taken. */
  #rows = 0;
  #taken = 0;
  #large: Source | null = null;
  /** Where values that are kept lie, and the next of them; null if there are none. */
  #block: ArrayBuffer | null = null;
  #blockAt = 0;
  #isDone = false;

  constructor(reading: RangeReading, chunkSize: number) {
    this.#reading = reading;
    this.#isKeysOnly = reading.isKeysOnly;
    this.#isRaw = reading.isRaw;
    this.#table = reading.table;
    this.#access = reading.access;
    this.#scope = reading.scope;
    this.#chunkSize = chunkSize;
  }

  next(): IteratorResult<T, undefined> {
    const isHere = this.#taken < this.#rows && !this.#access.isClosed && this.#scope.isOpen;
    if (!isHere && !this.#advance()) return { done: true, value: undefined };
    return { done: false, value: this.#take() };
  }

  /** Lets the state go, wherever the iteration stands. */
  return(): IteratorResult<T, undefined> {
    this.#end();
    return { done: true, value: undefined };
  }

  [Symbol.iterator](): this {
    return this;
  }

  [Symbol.dispose](): void {
    this.#end();
  }

  /** All rows that are left. */
  rest(): T[] {
    const rows: T[] = [];
    try {
      while (this.#advance()) rows.push(this.#take());
    } finally {
      this.#end();
    }
    return rows;
  }

  /** The next row of the chunk, which has one. It is passed even if it cannot be decoded. */
  #take(): T {
    const sizes = this.#sizes;
    const index = this.#taken * 2;
    this.#taken += 1;
    const keyStart = this.#keyAt;
    const keyEnd = keyStart + sizes[index]!;
    this.#keyAt = keyEnd;
    const valueSize = sizes[index + 1]!;
    if (valueSize >= limits.block_value_min && (this.#block !== null || this.#large !== null)) {
      return this.#takeLarge(keyStart, keyEnd, valueSize);
    }
    const valueEnd = this.#valueAt;
    const valueStart = valueEnd - valueSize;
    this.#valueAt = valueStart;
    const chunk = this.#chunk;
    const key = this.#key(keyStart, keyEnd);
    if (this.#isKeysOnly) return key as T;
    const value = this.#isRaw
      ? copyBytes(chunk, valueStart, valueEnd)
      : this.#table.values.decode(chunk, valueStart, valueEnd, false);
    return { key, value } as T;
  }

  #key(start: number, end: number): unknown {
    if (this.#isRaw) return copyBytes(this.#chunk, start, end);
    return this.#table.keys.decode(this.#chunk, start, end);
  }

  /** A row whose value is in the block, or the only one of its chunk. */
  #takeLarge(keyStart: number, keyEnd: number, size: number): T {
    const large = this.#large;
    if (large === null) {
      const own = this.#cut(this.#block!, size, keyStart, keyEnd);
      const value = this.#isRaw ? own : adopted(this.#table, own);
      return { key: this.#key(keyStart, keyEnd), value } as T;
    }
    const { bytes } = large;
    const key = this.#key(keyStart, keyEnd);
    if (this.#isRaw) return { key, value: bytes } as T;
    const value = this.#reading.keepsBytes
      ? adopted(this.#table, bytes)
      : this.#table.values.decode(large, 0, bytes.length, true);
    return { key, value } as T;
  }

  /** The next value of the block. */
  #cut(block: ArrayBuffer, size: number, keyStart: number, keyEnd: number): Uint8Array {
    const start = this.#blockAt;
    this.#blockAt = (start + size + limits.block_alignment - 1) & -limits.block_alignment;
    if (block.byteLength === 0) return this.#again(keyStart, keyEnd);
    return new Uint8Array(block, start, size);
  }

  /** A value whose block somebody transferred away, from the state that the range has pinned. */
  #again(keyStart: number, keyEnd: number): Uint8Array {
    const { call, handle, scratch, words } = this.#access.session;
    scratch.keyA.bytes.set(this.#chunk.bytes.subarray(keyStart, keyEnd));
    const found = call.range_find(handle, this.#range, keyEnd - keyStart);
    if (found < 0) throw this.#failed(found);
    const bytes = takeBytes(words[0]!);
    const copied = call.value_copy(handle, bytes, bytes.length);
    if (copied < 0) throw this.#failed(copied);
    return bytes;
  }

  /** Makes sure that the chunk has a next row; false behind the last. */
  #advance(): boolean {
    if (this.#isDone && this.#taken === this.#rows) {
      // The state and the chunk are given back with the last row, not by the collector.
      this.#end();
      return false;
    }
    this.#assertUsable();
    if (this.#taken < this.#rows || this.#fetch()) return true;
    this.#end();
    return false;
  }

  #assertUsable(): void {
    if (this.#access.isClosed) throw this.#access.closed("read on in a range");
    if (this.#scope.isOpen) return;
    this.#end();
    this.#isDone = false;
    throw scopeEnded("read on in a range");
  }

  /** Gives everything back. */
  #end(): void {
    this.#isDone = true;
    this.#rows = this.#taken = 0;
    this.#held?.end();
    this.#block = null;
    const { chunks } = this.#access.session;
    if (this.#chunk !== NO_CHUNK && chunks.length < CHUNKS_MAX) chunks.push(this.#chunk);
    this.#chunk = NO_CHUNK;
  }

  /** Gets the next rows; false when there are none. */
  #fetch(): boolean {
    if (this.#isDone || this.#reading.bounds.limit === 0) return false;
    const access = this.#access;
    const { call, handle, words, chunks, keySizeMax } = access.session;
    if (this.#chunk === NO_CHUNK) this.#chunk = chunks.pop() ?? makeChunk(keySizeMax);
    const { bytes } = this.#chunk;
    const rowsMax = this.#chunkSize;
    const isFirst = this.#held === null;
    const { keepsBytes } = this.#reading;
    const block = keepsBytes && this.#table.hasLarge ? openBlock() : NO_BLOCK;
    const rows = isFirst ? firstRows(this.#reading, { rowsMax, bytes, block }) : call.range_next(
      handle,
      this.#range,
      rowsMax,
      bytes,
      bytes.length,
      block,
      block.length,
    );
    const isLast = rows < 0 || words[0] === 1;
    const opened = isFirst && rows >= 0 ? words[3]! : 0;
    if (rows > 0 && keepsBytes) this.#enterBlock(block, rows);
    // Values may be asked for once more as long as rows are left that have them in the block.
    const isEnded = isLast && (this.#block === null || rows === 1);
    const result = rows > 0 ? this.#enter(rowsMax) : rows;
    // Only a range that goes on needs somebody who ends it.
    if (opened !== 0 && isEnded) call.range_close(handle, opened);
    else if (opened !== 0) this.#hold(opened);
    else if (isEnded) this.#held?.end();
    if (result < 0) throw this.#failed(result);
    this.#isDone = isLast;
    this.#chunkSize = Math.min(CHUNK_MAX, rowsMax * 4);
    this.#rows = rows;
    this.#taken = 0;
    return rows > 0;
  }

  /** Takes what a chunk just fetched put into the block, and sees whether the next needs one. */
  #enterBlock(block: Uint8Array, rows: number): void {
    const { words } = this.#access.session;
    const used = words[5]!;
    closeBlock(used);
    this.#block = used > 0 ? block.buffer as ArrayBuffer : null;
    this.#blockAt = block.byteOffset;
    const size = used + this.#chunk.bytes.length - words[4]!;
    const isLarge = this.#chunk.words[1] === LARGE_SIZE;
    this.#table.hasLarge = isLarge || size >= rows * limits.block_value_min;
  }

  #hold(range: number): void {
    this.#range = range;
    this.#held = new Held(this.#access, (session) => {
      session.call.range_close(session.handle, range);
    });
    this.#held.endWith(this);
  }

  #failed(result: number): Error {
    const error = failure(result, "read on in a range");
    this.#end();
    return error;
  }

  /** Goes before the first row of a chunk just fetched; a negative code if its value is not had. */
  #enter(rowsMax: number): number {
    const { words, call, handle } = this.#access.session;
    const chunk = this.#chunk;
    const { bytes } = chunk;
    renew(chunk, words[2]!, words[4]!, bytes.length);
    this.#sizes = chunk.words;
    this.#keyAt = rowsMax * ROW_SIZE;
    this.#valueAt = bytes.length;
    this.#large = null;
    if (this.#sizes[1] !== LARGE_SIZE) return 0;
    const large = takeBytes(words[1]!);
    this.#large = sourceOf(large);
    return call.value_copy(handle, large, large.length);
  }
}

/** The value of bytes that it may keep. */
function adopted({ values }: TableState, own: Uint8Array): unknown {
  // Another table may have this name by now, of an encoding that keeps no bytes.
  if (values.adopt !== null) return values.adopt(own);
  return values.decode(sourceOf(own), 0, own.length, true);
}

function makeChunk(keySizeMax: number): Source {
  return sourceOf(new Uint8Array(new ArrayBuffer(CHUNK_SIZE + keySizeMax)), true);
}

/** What every range can do with its rows, whatever they are. */
abstract class Rows<T> implements RangeIterable<T> {
  abstract [Symbol.iterator](): Iterator<T, undefined>;

  map<U>(f: (row: T) => U): RangeIterable<U> {
    return new MappedRows(this, f);
  }

  filter(f: (row: T) => boolean): RangeIterable<T> {
    return new FilteredRows(this, f);
  }

  first(): T | undefined {
    const iterator = this[Symbol.iterator]();
    const { done, value } = iterator.next();
    if (done) return undefined;
    iterator.return?.();
    return value;
  }

  toArray(): T[] {
    return Array.from(this);
  }
}

/** The rows of a table between two bounds. */
export class Range<T> extends Rows<T> {
  readonly #reading: RangeReading;

  constructor(reading: RangeReading) {
    super();
    this.#reading = reading;
  }

  [Symbol.iterator](): Iterator<T, undefined> {
    const { limit } = this.#reading.bounds;
    // Who sets a limit wants that many.
    return new RangeIterator(this.#reading, limit > CHUNK_MAX ? CHUNK_FIRST : Math.max(limit, 1));
  }

  override first(): T | undefined {
    const reading = this.#reading;
    const bounds = { ...reading.bounds, limit: Math.min(reading.bounds.limit, 1) };
    const iterator = new RangeIterator<T>({ ...reading, bounds }, 1);
    const { value } = iterator.next();
    iterator.return();
    return value;
  }

  override toArray(): T[] {
    return new RangeIterator<T>(this.#reading, CHUNK_MAX).rest();
  }
}

/** Rows made of other rows. */
class MappedRows<T, U> extends Rows<U> {
  readonly #rows: Iterable<T>;
  readonly #f: (row: T) => U;

  constructor(rows: Iterable<T>, f: (row: T) => U) {
    super();
    this.#rows = rows;
    this.#f = f;
  }

  *[Symbol.iterator](): Generator<U, undefined> {
    for (const row of this.#rows) yield this.#f(row);
    return undefined;
  }
}

/** Some of other rows. */
class FilteredRows<T> extends Rows<T> {
  readonly #rows: Iterable<T>;
  readonly #f: (row: T) => boolean;

  constructor(rows: Iterable<T>, f: (row: T) => boolean) {
    super();
    this.#rows = rows;
    this.#f = f;
  }

  *[Symbol.iterator](): Generator<T, undefined> {
    for (const row of this.#rows) if (this.#f(row)) yield row;
    return undefined;
  }
}
