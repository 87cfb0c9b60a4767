/**
 * Value encodings by name: how the values of a table become bytes and come back.
 * Encoding may run code of the caller (toJSON, getters, a codec), so it is finished before anything
 * lies in an area: a value is made elsewhere and then copied in, whole. What an encoding would lose
 * silently is refused: undefined, functions, half a surrogate pair.
 * Decoded bytes belong to the caller.
 */
import { Packr } from "msgpackr/pack";
import { describe, rangeError, typeError, ZeoliteError } from "../error.ts";
import { copyBytes, sliceBytes } from "./copy.ts";
import { type Area, encodeText, readText, type Source, writeShortText, writeText } from "./text.ts";

/**
 * Values encoded by code of your own; its name is kept in the store with the table.
 *
 * @example
 * ```ts
 * import { open, type ValueCodec } from "zeolite";
 *
 * const dates: ValueCodec<Date> = {
 *   name: "iso-date",
 *   encode: (date) => new TextEncoder().encode(date.toISOString()),
 *   decode: (bytes) => new Date(new TextDecoder().decode(bytes)),
 * };
 * using store = open("events.zeo");
 * const birthdays = store.table<Date>("birthdays", { encoding: dates });
 * ```
 */
export interface ValueCodec<V> {
  /** Its name: at most 64 bytes of UTF-8. */
  readonly name: string;
  /** Makes the bytes of a value. */
  encode(value: V): Uint8Array;
  /** Makes the value of its bytes, which it may keep. */
  decode(bytes: Uint8Array): V;
}

/** How values become bytes; kept in the store with the table. */
// deno-lint-ignore no-explicit-any
export type ValueEncoding = "msgpack" | "json" | "string" | "binary" | ValueCodec<any>;

/** Where an encoded value is: at the start of the area, or in an array of its own. */
export interface ValueArea extends Area {
  /** The value, if it is not in the area. */
  large: Uint8Array | null;
}

/** One value encoding. */
export interface ValueBytes {
  /** Its number in the store. */
  readonly id: number;
  /** Its name in the options, or that of the codec. */
  readonly name: string;
  /** Puts the bytes of a value into the area, or beside it if they are large; their number. */
  encode(area: ValueArea, value: unknown): number;
  /** The bytes of a value, to be copied at once; null if it rather puts them into an area. */
  readonly bytesOf: ((value: unknown) => Uint8Array) | null;
  /** The value of some bytes; `isOwned` says that the caller may keep the bytes themselves. */
  decode(source: Source, start: number, end: number, isOwned: boolean): unknown;
  /** The same of bytes that are its own to keep; null if it rather reads them where they are. */
  readonly adopt: ((bytes: Uint8Array) => unknown) | null;
}

/** Number of the encoding "a codec", in the store. */
export const CODEC_ID = 4;
/** Most bytes the name of a codec has. */
export const CODEC_NAME_SIZE_MAX = 64;
/** Most bytes a value has. */
export const VALUE_SIZE_MAX = 0xffff_ffff;

/** From here on bytes are handed over where they are instead of through the area. */
export const LARGE_MIN = 4096;
/** Up to here a loop copies faster than a call does. */
const LOOP_MAX = 48;
/** Bytes up to this size, when they are the whole value, are packed here. */
const PACKED_MAX = 0xffff;
/** msgpackr: keep the buffer (512), and start it anew every time (1024). */
const REUSE_BUFFER = 512 | 1024;

/** A value that an encoding refuses. */
export function refusedValue(found: string, instead: string): TypeError {
  return typeError("ZEOLITE_OPTIONS", `Cannot encode the value: found ${found}; ${instead}`);
}

/** An error thrown while a value was encoded, with a code. */
function encodeFailed(name: string, error: unknown): TypeError {
  const text = error instanceof Error ? error.message : String(error);
  return typeError("ZEOLITE_OPTIONS", `Cannot encode the value: encoding "${name}" says: ${text}`, {
    cause: error,
  });
}

/** Bytes that an encoding cannot read: a codec may be at fault, the others know their own bytes. */
function decodeFailed(name: string, error: unknown, isCodec: boolean = false): ZeoliteError {
  const text = error instanceof Error ? error.message : String(error);
  return new ZeoliteError(
    isCodec ? "ZEOLITE_OPTIONS" : "ZEOLITE_CORRUPT",
    `Cannot decode the value: its bytes are not of encoding "${name}" (${text}); ` +
      "getBinary() returns them as they are",
    { cause: error },
  );
}

/** Puts bytes into the area, or beside it; their number. */
export function putBytes(area: ValueArea, from: Uint8Array, start: number, end: number): number {
  const size = end - start;
  if (size > area.room.length) {
    if (size > VALUE_SIZE_MAX) throw valueTooLarge(size);
    area.large = sliceBytes(from, start, end);
    return size;
  }
  area.large = null;
  if (size > LOOP_MAX) area.bytes.set(size === from.length ? from : from.subarray(start, end));
  else for (let index = 0; index < size; index += 1) area.bytes[index] = from[start + index]!;
  return size;
}

/** Puts text into the area, or beside it; its number of bytes. The text is well-formed. */
function putText(area: ValueArea, text: string): number {
  area.large = null;
  if (writeShortText(area.words, text)) return text.length;
  const size = writeText(area.room, text);
  if (size >= 0) return size;
  const bytes = encodeText(text);
  if (bytes.length > VALUE_SIZE_MAX) throw valueTooLarge(bytes.length);
  area.large = bytes;
  return bytes.length;
}

/** A value with more bytes than a store takes. */
function valueTooLarge(size: number): RangeError {
  return rangeError(
    "ZEOLITE_VALUE_SIZE",
    `Cannot encode the value: it has ${size} bytes, at most ${VALUE_SIZE_MAX} are possible; ` +
      "split it",
  );
}

const packr: Packr = new Packr({
  useRecords: false,
  moreTypes: true,
  copyBuffers: true,
  useBigIntExtension: true,
  variableMapSize: true,
});
/** The part that msgpackr reads; it looks at it before it does anything else. */
const part: { start: number; end: number } = { start: 0, end: 0 };

const msgpack: ValueBytes = {
  id: 0,
  name: "msgpack",
  encode(area: ValueArea, value: unknown): number {
    if (typeof value === "string") {
      const size = packShortString(area, value);
      if (size !== 0) return size;
      if (!value.isWellFormed()) throw loneSurrogate();
    }
    if (value instanceof Uint8Array && value.length <= PACKED_MAX) return packBytes(area, value);
    if (value === undefined || typeof value === "function") {
      throw refusedValue(describe(value), "use null, or remove the key");
    }
    let packed: Uint8Array & { start?: number; end?: number };
    try {
      packed = packr.pack(value, REUSE_BUFFER);
    } catch (error) {
      throw encodeFailed("msgpack", error);
    }
    return putBytes(area, packed, packed.start ?? 0, packed.end ?? packed.length);
  },
  decode(source: Source, start: number, end: number, isOwned: boolean): unknown {
    const first = source.bytes[start]!;
    if (first < 0x80 && end - start === 1) return first;
    if (first >= 0xa0 && first < 0xc0 && end - start === first - 0x9f) {
      return readText(source, start + 1, end);
    }
    if (first === 0xd9 && end - start === source.bytes[start + 1]! + 2) {
      return readText(source, start + 2, end);
    }
    const header = bytesHeader(source.bytes, start, end);
    if (header > 0) return binary.decode(source, start + header, end, isOwned);
    if (start === end) throw decodeFailed("msgpack", "there are none");
    part.start = start;
    part.end = end;
    try {
      return packr.unpack(source.bytes, part);
    } catch (error) {
      throw decodeFailed("msgpack", error);
    }
  },
  adopt: null,
  bytesOf: null,
};

/** MessagePack of a short ASCII string; its size, or 0 if it is neither. */
function packShortString(area: ValueArea, text: string): number {
  const size = text.length;
  if (size > 31) return 0;
  const bytes = area.bytes;
  let seen = 0;
  for (let index = 0; index < size; index += 1) {
    const code = text.charCodeAt(index);
    seen |= code;
    bytes[index + 1] = code;
  }
  if (seen > 0x7f) return 0;
  bytes[0] = 0xa0 | size;
  area.large = null;
  return size + 1;
}

/** MessagePack of bytes that are the whole value; their size. */
function packBytes(area: ValueArea, value: Uint8Array): number {
  const size = value.length;
  const bytes = area.bytes;
  let at = 0;
  if (size < 0x100) {
    bytes[at++] = 0xc4;
  } else {
    bytes[at++] = 0xc5;
    bytes[at++] = size >> 8;
  }
  bytes[at++] = size;
  bytes.set(value, at);
  area.large = null;
  return at + size;
}

/** How many bytes of MessagePack stand before a value that is bytes and nothing else; else 0. */
function bytesHeader(bytes: Uint8Array, start: number, end: number): number {
  const size = end - start;
  if (bytes[start] === 0xc4 && bytes[start + 1] === size - 2) return 2;
  if (bytes[start] !== 0xc5) return 0;
  return ((bytes[start + 1]! << 8) | bytes[start + 2]!) === size - 3 ? 3 : 0;
}

/** A string that UTF-8 has no bytes for. */
function loneSurrogate(): TypeError {
  return refusedValue("a string with half of a surrogate pair", "use toWellFormed() or bytes");
}

const json: ValueBytes = {
  id: 1,
  name: "json",
  encode(area: ValueArea, value: unknown): number {
    let text: string | undefined;
    try {
      text = JSON.stringify(value);
    } catch (error) {
      throw encodeFailed("json", error);
    }
    if (text === undefined) throw refusedValue(describe(value), "use null, or remove the key");
    return putText(area, text);
  },
  decode(source: Source, start: number, end: number): unknown {
    try {
      return JSON.parse(readText(source, start, end));
    } catch (error) {
      throw decodeFailed("json", error);
    }
  },
  adopt: null,
  bytesOf: null,
};

const string: ValueBytes = {
  id: 2,
  name: "string",
  encode(area: ValueArea, value: unknown): number {
    if (typeof value !== "string") {
      throw refusedValue(describe(value), 'this table has encoding "string"; pass a string');
    }
    if (!value.isWellFormed()) throw loneSurrogate();
    return putText(area, value);
  },
  decode: readText,
  adopt: null,
  bytesOf: null,
};

const binary: ValueBytes = {
  id: 3,
  name: "binary",
  encode: (area: ValueArea, value: unknown) => handOver(area, assertBytes(value)),
  bytesOf: assertBytes,
  decode(source: Source, start: number, end: number, isOwned: boolean): unknown {
    if (!isOwned) return copyBytes(source, start, end);
    return source.bytes.subarray(start, end);
  },
  adopt: (bytes: Uint8Array) => bytes,
};

function assertBytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw refusedValue(describe(value), 'this table has encoding "binary"; pass a Uint8Array');
}

/** Bytes of the caller: copied into the area when small, else used where they are. */
export function handOver(area: ValueArea, value: Uint8Array): number {
  if (value.length < LARGE_MIN) return putBytes(area, value, 0, value.length);
  if (value.length > VALUE_SIZE_MAX) throw valueTooLarge(value.length);
  const isShared = !(value.buffer instanceof ArrayBuffer);
  area.large = isShared ? value.slice() : value;
  return value.length;
}

/** The built-in encodings, each at its number. */
export const valueEncodings: readonly ValueBytes[] = [msgpack, json, string, binary];

/** The built-in encoding of a name, if there is one. */
export function valueEncodingOf(name: unknown): ValueBytes | undefined {
  return valueEncodings.find((encoding) => encoding.name === name);
}

/** The encoding of a codec of the caller. */
export function codecEncoding(codec: ValueCodec<unknown>): ValueBytes {
  const bytesOf = (value: unknown): Uint8Array => {
    let bytes: unknown;
    try {
      bytes = codec.encode(value);
    } catch (error) {
      throw encodeFailed(codec.name, error);
    }
    if (bytes instanceof Uint8Array) return bytes;
    throw refusedValue(describe(bytes), `codec "${codec.name}" must return a Uint8Array`);
  };
  const adopt = (bytes: Uint8Array): unknown => {
    try {
      return codec.decode(bytes);
    } catch (error) {
      throw decodeFailed(codec.name, error, true);
    }
  };
  return {
    id: CODEC_ID,
    name: codec.name,
    encode: (area: ValueArea, value: unknown) => handOver(area, bytesOf(value)),
    bytesOf,
    decode(source: Source, start: number, end: number, isOwned: boolean): unknown {
      return adopt(binary.decode(source, start, end, isOwned) as Uint8Array);
    },
    adopt,
  };
}

/** The encoding of a table whose codec was not given: bytes can be read, values cannot. */
export function unknownCodec(name: string): ValueBytes {
  const refuse = (): never => {
    throw typeError(
      "ZEOLITE_OPTIONS",
      `Cannot use the values of this table: they are written by the codec "${name}"; ` +
        "pass it as `encoding`, or read bytes with getBinary()",
    );
  };
  return { id: CODEC_ID, name, encode: refuse, bytesOf: refuse, decode: refuse, adopt: refuse };
}
