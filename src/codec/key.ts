/**
 * Key encodings by name: how the keys of a table become bytes and come back.
 * "ordered" is in ordered.ts; here are the plain ones: "string" (UTF-8), "binary" (as they are),
 * "u32" and "u64" (unsigned, big-endian, so that bytes compare as numbers do).
 * Every codec writes at the start of an area and refuses what it would have to change.
 */
import { describe, rangeError, typeError, ZeoliteError } from "../error.ts";
import { copyBytes } from "./copy.ts";
import {
  decodeOrdered,
  encodeOrdered,
  encodeOrderedPrefix,
  type Key,
  loneSurrogate,
  orderedPrefixEnd,
  successor,
  tooLong,
} from "./ordered.ts";
import { type Area, readText, type Source, textSize, writeShortText, writeText } from "./text.ts";

export type { Key } from "./ordered.ts";

/** How keys become bytes; kept in the store with the table. */
export type KeyEncoding = "ordered" | "string" | "binary" | "u32" | "u64";

/** One key encoding. */
export interface KeyCodec {
  /** Its number in the store. */
  readonly id: number;
  /** Its name in the options. */
  readonly name: KeyEncoding;
  /** Writes a key at the start of an area; its size. */
  encode(area: Area, key: Key): number;
  /**
   * Writes a key from a word on, where it takes at most SHORT_TEXT_MAX bytes; its size, or -1 if it
   * is rather for encode(), and there is rubbish. Runs no code of the caller. Null: all are.
   */
  readonly short: ((words: Uint32Array, at: number, key: Key) => number) | null;
  /** Reads a key back. */
  decode(source: Source, start: number, end: number): Key;
  /** Writes the bytes with which all keys of a prefix begin; their number. */
  encodePrefix(area: Area, prefix: Key): number;
  /** The first bytes behind all keys of a prefix, of which the encoded ones are given, if any. */
  prefixEnd(prefix: Key, bytes: Uint8Array): Uint8Array | undefined;
}

/** Up to here a loop copies bytes faster than a call does. */
const LOOP_MAX = 32;

/** What to use for keys that an encoding does not take. */
function wrongKind(name: KeyEncoding, wanted: string, key: unknown): TypeError {
  return typeError(
    "ZEOLITE_KEY_TYPE",
    `Cannot encode the key: found ${describe(key)}, this table has keyEncoding "${name}"; ` +
      `pass ${wanted}`,
  );
}

/** A prefix under an encoding whose keys all have one size. */
function noPrefix(name: KeyEncoding): never {
  throw typeError(
    "ZEOLITE_KEY_TYPE",
    `Cannot use a prefix: keys of encoding "${name}" have one size; use start and end`,
  );
}

/** Stored bytes that the encoding never writes. */
function wrongSize(name: KeyEncoding, size: number): ZeoliteError {
  return new ZeoliteError(
    "ZEOLITE_CORRUPT",
    `Cannot decode the key: it has ${size} bytes, which the encoding "${name}" never writes; ` +
      'open the table with keyEncoding "binary"',
  );
}

const ordered: KeyCodec = {
  id: 0,
  name: "ordered",
  encode: encodeOrdered,
  short: null,
  decode: decodeOrdered,
  encodePrefix: encodeOrderedPrefix,
  prefixEnd: orderedPrefixEnd,
};

const string: KeyCodec = {
  id: 1,
  name: "string",
  encode(area: Area, key: Key): number {
    if (typeof key !== "string") throw wrongKind("string", "a string", key);
    if (writeShortText(area.words, key)) return key.length;
    if (!key.isWellFormed()) throw loneSurrogate();
    const size = writeText(area.room, key);
    if (size < 0) throw tooLong(textSize(key), area.room.length);
    return size;
  },
  short: (words: Uint32Array, at: number, key: Key): number =>
    typeof key === "string" && writeShortText(words, key, at) ? key.length : -1,
  decode: readText,
  encodePrefix(area: Area, prefix: Key): number {
    return string.encode(area, prefix);
  },
  prefixEnd: (_prefix: Key, bytes: Uint8Array) => successor(bytes),
};

const binary: KeyCodec = {
  id: 2,
  name: "binary",
  encode(area: Area, key: Key): number {
    if (!(key instanceof Uint8Array)) throw wrongKind("binary", "a Uint8Array", key);
    const size = key.length;
    if (size > area.room.length) throw tooLong(size, area.room.length);
    if (size > LOOP_MAX) area.bytes.set(key);
    else for (let index = 0; index < size; index += 1) area.bytes[index] = key[index]!;
    return size;
  },
  short: null,
  decode(source: Source, start: number, end: number): Key {
    return copyBytes(source, start, end);
  },
  encodePrefix(area: Area, prefix: Key): number {
    return binary.encode(area, prefix);
  },
  prefixEnd: (_prefix: Key, bytes: Uint8Array) => successor(bytes),
};

const u32: KeyCodec = {
  id: 3,
  name: "u32",
  encode(area: Area, key: Key): number {
    if (typeof key !== "number") throw wrongKind("u32", "an integer from 0 to 2 ** 32 - 1", key);
    if (key >>> 0 !== key) throw notUnsigned("u32", key, 32);
    writeBigEndian(area.bytes, 0, key);
    return 4;
  },
  short: null,
  decode(source: Source, start: number, end: number): Key {
    if (end - start !== 4) throw wrongSize("u32", end - start);
    return readBigEndian(source.bytes, start);
  },
  encodePrefix: () => noPrefix("u32"),
  prefixEnd: () => noPrefix("u32"),
};

const u64: KeyCodec = {
  id: 4,
  name: "u64",
  encode(area: Area, key: Key): number {
    if (typeof key !== "bigint") throw wrongKind("u64", "a bigint from 0n to 2n ** 64n - 1n", key);
    if (BigInt.asUintN(64, key) !== key) throw notUnsigned("u64", key, 64);
    wide[0] = key;
    writeBigEndian(area.bytes, 0, halves[1]!);
    writeBigEndian(area.bytes, 4, halves[0]!);
    return 8;
  },
  short: null,
  decode(source: Source, start: number, end: number): Key {
    if (end - start !== 8) throw wrongSize("u64", end - start);
    halves[1] = readBigEndian(source.bytes, start);
    halves[0] = readBigEndian(source.bytes, start + 4);
    return wide[0]!;
  },
  encodePrefix: () => noPrefix("u64"),
  prefixEnd: () => noPrefix("u64"),
};

/** A place where a 64-bit integer and its halves are the same bytes. */
const wide: BigUint64Array<ArrayBuffer> = new BigUint64Array(1);
const halves: Uint32Array<ArrayBuffer> = new Uint32Array(wide.buffer);

/** Stores 32 bits with the highest byte first. */
function writeBigEndian(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Reads 32 bits with the highest byte first. */
function readBigEndian(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>>
    0;
}

/** A number that an unsigned encoding has no bytes for. */
function notUnsigned(name: KeyEncoding, key: number | bigint, bits: number): RangeError {
  return rangeError(
    "ZEOLITE_KEY_TYPE",
    `Cannot encode the key: found ${describe(key)}, keyEncoding "${name}" takes integers ` +
      `from 0 to 2 ** ${bits} - 1`,
  );
}

/** All key codecs, each at its number. */
export const keyCodecs: readonly KeyCodec[] = [ordered, string, binary, u32, u64];

/** The codec of a name, if there is one. */
export function keyCodecOf(name: unknown): KeyCodec | undefined {
  return keyCodecs.find((codec) => codec.name === name);
}
