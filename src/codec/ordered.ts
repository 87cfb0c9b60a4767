/**
 * The "ordered" key encoding: bytes whose plain comparison is the order of the keys.
 *
 * Order: null < false < true < numbers < bigints < strings < bytes < arrays. Numbers by value (-0
 * is stored as 0), bigints by value, strings by code point, bytes as unsigned, arrays element by
 * element with a shorter one before those it begins. A number and a bigint are never equal.
 * (JavaScript's `<` compares UTF-16 units and so puts U+E000..U+FFFF behind the characters above
 * U+FFFF; here, as in UTF-8, they stand before them.)
 *
 * A key is one element:
 *
 *   null      08
 *   false     0A         true   0B
 *   number    10 d…      the IEEE-754 double, big-endian; positive: sign bit set, negative: all
 * bits
 *                        inverted; zero bytes at the end left out (1 = 10 BF F0)
 *   bigint    18 h m…    h = 80 for zero; 80 + n for a positive and 80 - n for a negative magnitude
 *                        of n <= 7C bytes; FD nn nn and 03 (FFFF - nnnn) for longer ones. m = the
 *                        magnitude, big-endian, without leading zeros, inverted for a negative
 *   string    u…         its UTF-8. An empty one, and one that begins below 20, has 1F before it
 *   bytes     F8 b…      as they are
 *   array     FA e…      its elements
 *
 * Inside an array the parts of open length end themselves: `d…`, `u…` and `b…` have each 00 written
 * as 00 FF and end with 00; an array inside an array ends with 00. No element begins with 00 or FF,
 * so an end sorts before whatever goes on. The arrays that begin with some elements are those whose
 * bytes begin with the elements, encoded as an array, and go on with anything but FF. A key that is
 * not an array has no end mark at all.
 *
 * A string's first byte is otherwise 20..F4, so it needs no tag and costs its characters alone.
 * What of 01..1E and F5..FE is not named above is free for kinds to come.
 */
import { describe, rangeError, typeError, ZeoliteError } from "../error.ts";
import { copyBytes } from "./copy.ts";
import { type Area, readText, type Source, sourceOf, textSize } from "./text.ts";
import { writeShortText, writeText } from "./text.ts";

/** What a key can be. */
export type Key = null | boolean | number | bigint | string | Uint8Array | readonly Key[];

const END = 0x00;
const NULL = 0x08;
const FALSE = 0x0a;
const TRUE = 0x0b;
const NUMBER = 0x10;
const BIGINT = 0x18;
const CONTROL = 0x1f;
const BYTES = 0xf8;
const ARRAY = 0xfa;
const ESCAPE = 0xff;

const BIGINT_ZERO = 0x80;
const BIGINT_SHORT_MAX = 0x7c;
const BIGINT_LONG = 0xfd;
const BIGINT_LONG_NEGATIVE = 0x03;

/** Arrays may hold arrays, but only so deep: a key that contains itself must end somewhere. */
const DEPTH_MAX = 64;

/**
 * One double and its bits: a place to turn a number round, and its bytes with the highest
 * first.
 */
const double: Float64Array<ArrayBuffer> = new Float64Array(1);
const halves: Uint32Array<ArrayBuffer> = new Uint32Array(double.buffer);
const quad: BigUint64Array<ArrayBuffer> = new BigUint64Array(double.buffer);
const flipped: Uint8Array<ArrayBuffer> = new Uint8Array(8);

/** Thrown inside this file when an area is full; `encodeOrdered` turns it into the public error. */
const FULL: symbol = Symbol("area full");

/**
 * Writes a key at the start of an area.
 *
 * @returns Its size in bytes.
 * @throws {TypeError} ZEOLITE_KEY_TYPE for what cannot be a key.
 * @throws {RangeError} ZEOLITE_KEY_SIZE if it does not fit the room of the area.
 */
export function encodeOrdered(area: Area, key: Key): number {
  if (typeof key === "string") return encodeString(area, key);
  if (typeof key === "number") return encodeNumber(area.bytes, key);
  return encodeOther(area, key);
}

/** Keys that are neither strings nor numbers. */
function encodeOther(area: Area, key: Key): number {
  const bytes = area.bytes;
  if (key === null) {
    bytes[0] = NULL;
    return 1;
  }
  if (typeof key === "boolean") {
    bytes[0] = key ? TRUE : FALSE;
    return 1;
  }
  try {
    if (typeof key === "bigint") return writeBigint(area, 0, key);
    if (key instanceof Uint8Array) return writeWholeBytes(area, key);
    if (Array.isArray(key)) return writeArray(area, key, 0, 0);
  } catch (error) {
    if (error === FULL) throw tooLong(orderedSize(key), area.room.length);
    throw error;
  }
  throw notKey(key);
}

/** A whole key that is a string. */
function encodeString(area: Area, text: string): number {
  const isTagged = text.length === 0 || text.charCodeAt(0) < 0x20;
  if (!isTagged && writeShortText(area.words, text)) return text.length;
  if (!text.isWellFormed()) throw loneSurrogate();
  const room = isTagged ? area.room.subarray(1) : area.room;
  const size = writeText(room, text);
  const tag = isTagged ? 1 : 0;
  if (size < 0) throw tooLong(textSize(text) + tag, area.room.length);
  if (isTagged) area.bytes[0] = CONTROL;
  return size + tag;
}

/** A whole key that is a number. */
function encodeNumber(bytes: Uint8Array, key: number): number {
  const size = flip(key);
  bytes[0] = NUMBER;
  for (let index = 0; index < size; index += 1) bytes[index + 1] = flipped[index]!;
  return size + 1;
}

/** Puts the ordered bytes of a number into `flipped`; how many there are without closing zeros. */
function flip(key: number): number {
  if (key !== key) {
    throw typeError(
      "ZEOLITE_KEY_TYPE",
      "Cannot encode the key: NaN has no place in the order; use null or a number",
    );
  }
  double[0] = key + 0; // -0 + 0 is 0.
  let high = halves[1]!;
  let low = halves[0]!;
  if (high & 0x80000000) {
    high = ~high;
    low = ~low;
  } else {
    high ^= 0x80000000;
  }
  flipped[0] = high >>> 24;
  flipped[1] = high >>> 16;
  flipped[2] = high >>> 8;
  flipped[3] = high;
  let size = 4;
  if (low !== 0) {
    flipped[4] = low >>> 24;
    flipped[5] = low >>> 16;
    flipped[6] = low >>> 8;
    flipped[7] = low;
    size = 8;
  }
  while (size > 0 && flipped[size - 1] === 0) size -= 1;
  return size;
}

/** A whole key that is bytes. */
function writeWholeBytes(area: Area, key: Uint8Array): number {
  const size = key.length + 1;
  if (size > area.room.length) throw FULL;
  area.bytes[0] = BYTES;
  area.bytes.set(key, 1);
  return size;
}

/** An array without the mark that ends it; where it ends. */
function writeArray(area: Area, elements: readonly Key[], start: number, depth: number): number {
  if (depth === DEPTH_MAX) throw tooDeep();
  if (start >= area.room.length) throw FULL;
  area.bytes[start] = ARRAY;
  let at = start + 1;
  for (let index = 0; index < elements.length; index += 1) {
    at = writeElement(area, elements[index]!, at, depth + 1);
  }
  return at;
}

/** One element of an array; where it ends. */
function writeElement(area: Area, key: Key, at: number, depth: number): number {
  if (at >= area.room.length) throw FULL;
  if (typeof key === "string") return writeString(area, key, at);
  if (typeof key === "number") {
    area.bytes[at] = NUMBER;
    return writeEscaped(area, flipped, flip(key), at + 1);
  }
  if (typeof key === "bigint") return writeBigint(area, at, key);
  if (key === null || typeof key === "boolean") {
    area.bytes[at] = key === null ? NULL : key ? TRUE : FALSE;
    return at + 1;
  }
  if (key instanceof Uint8Array) {
    area.bytes[at] = BYTES;
    return writeEscaped(area, key, key.length, at + 1);
  }
  if (!Array.isArray(key)) throw notKey(key);
  const end = writeArray(area, key, at, depth);
  if (end >= area.room.length) throw FULL;
  area.bytes[end] = END;
  return end + 1;
}

/** Bytes inside an array: zeros escaped, ended with a zero; where they end. */
function writeEscaped(area: Area, from: Uint8Array, size: number, start: number): number {
  const bytes = area.bytes;
  const limit = area.room.length;
  let at = start;
  if (at + size >= limit) throw FULL;
  for (let index = 0; index < size; index += 1) {
    const byte = from[index]!;
    bytes[at++] = byte;
    if (byte === 0) {
      if (at + size - index >= limit) throw FULL;
      bytes[at++] = ESCAPE;
    }
  }
  bytes[at] = END;
  return at + 1;
}

/** A string inside an array: zeros escaped, ended with a zero; where it ends. */
function writeString(area: Area, text: string, start: number): number {
  const bytes = area.bytes;
  const limit = area.room.length - 1;
  let at = start;
  if (text.length === 0 || text.charCodeAt(0) < 0x20) bytes[at++] = CONTROL;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code > 0x7f || code === 0) {
      return writeWideString(area, text.slice(index), at);
    }
    if (at >= limit) throw FULL;
    bytes[at++] = code;
  }
  if (at > limit) throw FULL;
  bytes[at] = END;
  return at + 1;
}

/** The rest of a string inside an array, from its first character that is not plain ASCII. */
function writeWideString(area: Area, text: string, start: number): number {
  if (!text.isWellFormed()) throw loneSurrogate();
  const bytes = area.bytes;
  const limit = area.room.length;
  let at = start;
  for (const character of text) {
    const code = character.codePointAt(0)!;
    if (at + 5 > limit && at + 1 + characterSize(code) > limit) throw FULL;
    if (code < 0x80) {
      bytes[at++] = code;
      if (code === 0) bytes[at++] = ESCAPE;
    } else {
      at = writeCharacter(bytes, at, code);
    }
  }
  bytes[at] = END;
  return at + 1;
}

/** How many bytes a code point has inside an array. */
function characterSize(code: number): number {
  if (code === 0) return 2;
  return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

/** UTF-8 of one code point beyond ASCII; where it ends. */
function writeCharacter(bytes: Uint8Array, start: number, code: number): number {
  let at = start;
  if (code < 0x800) {
    bytes[at++] = 0xc0 | (code >> 6);
  } else {
    if (code < 0x10000) {
      bytes[at++] = 0xe0 | (code >> 12);
    } else {
      bytes[at++] = 0xf0 | (code >> 18);
      bytes[at++] = 0x80 | ((code >> 12) & 0x3f);
    }
    bytes[at++] = 0x80 | ((code >> 6) & 0x3f);
  }
  bytes[at++] = 0x80 | (code & 0x3f);
  return at;
}

/** A bigint, whole or inside an array; where it ends. */
function writeBigint(area: Area, start: number, key: bigint): number {
  const isNegative = key < 0n;
  const magnitude = isNegative ? -key : key;
  const size = magnitudeSize(magnitude);
  if (start + bigintSize(size) > area.room.length) throw FULL;
  const bytes = area.bytes;
  let at = start;
  bytes[at++] = BIGINT;
  if (size <= BIGINT_SHORT_MAX) {
    bytes[at++] = isNegative ? BIGINT_ZERO - size : BIGINT_ZERO + size;
  } else {
    const header = isNegative ? 0xffff - size : size;
    bytes[at++] = isNegative ? BIGINT_LONG_NEGATIVE : BIGINT_LONG;
    bytes[at++] = header >> 8;
    bytes[at++] = header;
  }
  writeMagnitude(bytes, at, size, magnitude);
  if (isNegative) {
    for (let index = at; index < at + size; index += 1) bytes[index] = ~bytes[index]!;
  }
  return at + size;
}

/** How many bytes a magnitude has without leading zeros. */
function magnitudeSize(magnitude: bigint): number {
  if (magnitude > 0xffff_ffff_ffff_ffffn) return (magnitude.toString(16).length + 1) >> 1;
  quad[0] = magnitude;
  const high = halves[1]!;
  return high === 0 ? (39 - Math.clz32(halves[0]!)) >> 3 : 4 + ((39 - Math.clz32(high)) >> 3);
}

/** The bytes of a magnitude, the highest first. */
function writeMagnitude(bytes: Uint8Array, at: number, size: number, magnitude: bigint): void {
  if (size > 8) {
    const digits = magnitude.toString(16).padStart(2 * size, "0");
    for (let index = 0; index < size; index += 1) {
      bytes[at + index] = parseInt(digits.slice(2 * index, 2 * index + 2), 16);
    }
    return;
  }
  quad[0] = magnitude;
  for (let index = 0; index < size; index += 1) {
    const place = size - 1 - index;
    bytes[at + index] = halves[place >> 2]! >>> (8 * (place & 3));
  }
}

/** Size of a bigint with so many bytes of magnitude. */
function bigintSize(magnitude: number): number {
  return magnitude + (magnitude <= BIGINT_SHORT_MAX ? 2 : 4);
}

/** The exact size of a key too large to be encoded; only for the text of the error. */
function orderedSize(key: Key): number {
  if (key instanceof Uint8Array) return key.length + 1;
  if (Array.isArray(key)) return arraySize(key, 0);
  return elementSize(key, 0);
}

/** Size of an array without the mark that ends it. */
function arraySize(elements: readonly Key[], depth: number): number {
  if (depth === DEPTH_MAX) throw tooDeep();
  let size = 1;
  for (const element of elements) size += elementSize(element, depth + 1);
  return size;
}

/** Size of an element inside an array. */
function elementSize(key: Key, depth: number): number {
  if (typeof key === "string") {
    if (!key.isWellFormed()) throw loneSurrogate();
    const isTagged = key.length === 0 || key.charCodeAt(0) < 0x20;
    return textSize(key) + zerosIn(key) + (isTagged ? 2 : 1);
  }
  if (typeof key === "number") {
    const size = flip(key);
    return size + 2 + flipped.subarray(0, size).filter((byte) => byte === 0).length;
  }
  if (typeof key === "bigint") {
    return bigintSize(magnitudeSize(key < 0n ? -key : key));
  }
  if (key instanceof Uint8Array) return key.length + 2 + key.filter((byte) => byte === 0).length;
  if (Array.isArray(key)) return arraySize(key, depth) + 1;
  if (key !== null && typeof key !== "boolean") throw notKey(key);
  return 1;
}

/** How many characters of a string are NUL. */
function zerosIn(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\0"); at >= 0; at = text.indexOf("\0", at + 1)) count += 1;
  return count;
}

/**
 * Writes where the keys of a prefix begin.
 *
 * @returns Its size.
 * @throws {TypeError} ZEOLITE_KEY_TYPE for a prefix that is not a string, bytes or an array.
 */
export function encodeOrderedPrefix(area: Area, prefix: Key): number {
  if (typeof prefix !== "string" && !(prefix instanceof Uint8Array) && !Array.isArray(prefix)) {
    throw typeError(
      "ZEOLITE_KEY_TYPE",
      `Cannot use ${describe(prefix)} as a prefix: only strings, bytes and arrays begin other ` +
        "keys; use start and end",
    );
  }
  return encodeOrdered(area, prefix);
}

/**
 * The bytes before which the keys of a prefix end, where those of the prefix do not tell: all
 * strings end with their kind, and the arrays that elements begin end before an escaped zero goes
 * on.
 *
 * @param bytes The prefix, encoded.
 */
export function orderedPrefixEnd(prefix: Key, bytes: Uint8Array): Uint8Array | undefined {
  if (prefix === "") return Uint8Array.of(BYTES);
  if (!Array.isArray(prefix)) return successor(bytes);
  const end = new Uint8Array(bytes.length + 1);
  end.set(bytes);
  end[bytes.length] = ESCAPE;
  return end;
}

/**
 * The first bytes behind everything that begins with the given ones.
 *
 * @returns Bytes of their own, or undefined if nothing lies behind.
 */
export function successor(bytes: Uint8Array): Uint8Array | undefined {
  let size = bytes.length;
  while (size > 0 && bytes[size - 1] === 0xff) size -= 1;
  if (size === 0) return undefined;
  const next = bytes.slice(0, size);
  next[size - 1]! += 1;
  return next;
}

/** Where the decoding of an array stands. */
interface Reading {
  readonly source: Source;
  readonly end: number;
  at: number;
}

/**
 * Reads a key back from its bytes.
 *
 * @throws {ZeoliteError} ZEOLITE_CORRUPT for bytes that no key has.
 */
export function decodeOrdered(source: Source, start: number, end: number): Key {
  if (end <= start) throw notOrdered("no bytes at all");
  const tag = source.bytes[start]!;
  if (tag >= 0x20 && tag < BYTES) return readText(source, start, end);
  switch (tag) {
    case CONTROL:
      return readText(source, start + 1, end);
    case NUMBER:
      return readNumber(source.bytes, start + 1, end);
    case BYTES:
      return copyBytes(source, start + 1, end);
    case ARRAY:
      return readArray({ source, end, at: start + 1 }, 0, true);
  }
  const reading = { source, end, at: start };
  const key = readElement(reading, 0);
  if (reading.at !== end) throw notOrdered("bytes behind its end");
  return key;
}

/** The elements of an array up to its end. */
function readArray(reading: Reading, depth: number, isWhole: boolean): Key[] {
  if (depth === DEPTH_MAX) throw notOrdered(`arrays nested deeper than ${DEPTH_MAX}`);
  const elements: Key[] = [];
  const bytes = reading.source.bytes;
  while (reading.at < reading.end) {
    if (!isWhole && bytes[reading.at] === END) {
      reading.at += 1;
      return elements;
    }
    elements.push(readElement(reading, depth + 1));
  }
  if (!isWhole) throw notOrdered("an array without an end");
  return elements;
}

/** One element of an array. */
function readElement(reading: Reading, depth: number): Key {
  const bytes = reading.source.bytes;
  const tag = bytes[reading.at]!;
  if (tag >= 0x20 && tag < BYTES) return textOf(readEscaped(reading));
  reading.at += 1;
  switch (tag) {
    case NULL:
      return null;
    case FALSE:
      return false;
    case TRUE:
      return true;
    case NUMBER: {
      const part = readEscaped(reading);
      return readNumber(part.bytes, part.start, part.end);
    }
    case BIGINT:
      return readBigint(reading);
    case CONTROL:
      return textOf(readEscaped(reading));
    case BYTES: {
      const { source, bytes, start, end } = readEscaped(reading);
      return source === undefined ? bytes.slice(start, end) : copyBytes(source, start, end);
    }
    case ARRAY:
      return readArray(reading, depth, false);
  }
  throw notOrdered(`the byte ${tag} where an element begins`);
}

/** A piece of bytes: of the source itself, or unescaped from it. */
interface Part {
  readonly source: Source | undefined;
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** The text of a piece. */
function textOf(part: Part): string {
  return readText(part.source ?? sourceOf(part.bytes), part.start, part.end);
}

/** The bytes up to the zero that ends them. */
function readEscaped(reading: Reading): Part {
  const { source, end } = reading;
  const bytes = source.bytes;
  const start = reading.at;
  let at = start;
  let escapes = 0;
  for (;; at += 1) {
    if (at >= end) throw notOrdered("an element without an end");
    if (bytes[at] !== 0) continue;
    if (at + 1 >= end || bytes[at + 1] !== ESCAPE) break;
    escapes += 1;
    at += 1;
  }
  reading.at = at + 1;
  if (escapes === 0) return { source, bytes, start, end: at };
  const plain = new Uint8Array(at - start - escapes);
  for (let from = start, to = 0; from < at; from += bytes[from] === 0 ? 2 : 1, to += 1) {
    plain[to] = bytes[from]!;
  }
  return { source: undefined, bytes: plain, start: 0, end: plain.length };
}

/** A number from its bytes, closing zeros left out. */
function readNumber(bytes: Uint8Array, start: number, end: number): number {
  const size = end - start;
  if (size === 0 || size > 8) throw notOrdered(`a number of ${size} bytes`);
  for (let index = 0; index < 8; index += 1) {
    flipped[index] = index < size ? bytes[start + index]! : 0;
  }
  const high = (flipped[0]! << 24) | (flipped[1]! << 16) | (flipped[2]! << 8) | flipped[3]!;
  const low = (flipped[4]! << 24) | (flipped[5]! << 16) | (flipped[6]! << 8) | flipped[7]!;
  halves[1] = high < 0 ? high ^ 0x80000000 : ~high;
  halves[0] = high < 0 ? low : ~low;
  const key = double[0]!;
  if (key !== key) throw notOrdered("a number that is not a number");
  return key;
}

/** A bigint from its header and magnitude. */
function readBigint(reading: Reading): bigint {
  const { end } = reading;
  const bytes = reading.source.bytes;
  let at = reading.at;
  const header = at < end ? bytes[at++]! : -1;
  const isNegative = header < BIGINT_ZERO;
  let size = isNegative ? BIGINT_ZERO - header : header - BIGINT_ZERO;
  if (header === BIGINT_LONG || header === BIGINT_LONG_NEGATIVE) {
    if (at + 2 > end) throw notOrdered("a bigint without a size");
    const stored = (bytes[at]! << 8) | bytes[at + 1]!;
    size = isNegative ? 0xffff - stored : stored;
    at += 2;
  } else if (header < 0 || size > BIGINT_SHORT_MAX) {
    throw notOrdered("a bigint without a size");
  }
  if (at + size > end) throw notOrdered("a bigint without an end");
  reading.at = at + size;
  const flip = isNegative ? 0xff : 0;
  const magnitude = size > 8
    ? longMagnitude(bytes, at, size, flip)
    : shortMagnitude(bytes, at, size, flip);
  return isNegative ? -magnitude : magnitude;
}

/** A magnitude of at most eight bytes. */
function shortMagnitude(bytes: Uint8Array, at: number, size: number, flip: number): bigint {
  let high = 0;
  let low = 0;
  for (let index = 0; index < size; index += 1) {
    high = (high << 8) | (low >>> 24);
    low = (low << 8) | (bytes[at + index]! ^ flip);
  }
  halves[1] = high;
  halves[0] = low;
  return quad[0]!;
}

/** A magnitude of any size. */
function longMagnitude(bytes: Uint8Array, at: number, size: number, flip: number): bigint {
  let digits = "0x";
  for (let index = 0; index < size; index += 1) {
    digits += (bytes[at + index]! ^ flip).toString(16).padStart(2, "0");
  }
  return BigInt(digits);
}

/** A key with more bytes than its store takes. */
export function tooLong(size: number, limit: number): RangeError {
  return rangeError(
    "ZEOLITE_KEY_SIZE",
    `Cannot encode the key: it has ${size} bytes, this store takes at most ${limit}; ` +
      "shorten it or create the store with a larger pageSize",
  );
}

/** A value that cannot be a key. */
function notKey(key: unknown): TypeError {
  return typeError(
    "ZEOLITE_KEY_TYPE",
    `Cannot encode the key: found ${
      describe(key)
    }; a key is null, a boolean, a number, a bigint, ` +
      "a string, a Uint8Array or an array of these",
  );
}

/** Text that has no UTF-8. */
export function loneSurrogate(): TypeError {
  return typeError(
    "ZEOLITE_KEY_TYPE",
    "Cannot encode the key: the string has half of a surrogate pair; use toWellFormed() or bytes",
  );
}

/** Arrays in arrays without end. */
function tooDeep(): TypeError {
  return typeError(
    "ZEOLITE_KEY_TYPE",
    `Cannot encode the key: its arrays are nested deeper than ${DEPTH_MAX}; flatten it`,
  );
}

/** Bytes that no key has: the table was filled by something else. */
function notOrdered(found: string): ZeoliteError {
  return new ZeoliteError(
    "ZEOLITE_CORRUPT",
    `Cannot decode the key: it has ${found}, which the encoding "ordered" never writes; ` +
      'open the table with keyEncoding "binary"',
  );
}
