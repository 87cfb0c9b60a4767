/**
 * What a table of paths stores: a value, a group, a link, or the stamp. Each is its bytes with one
 * more behind them, the marker, which tells them apart whatever the bytes are:
 *
 *     value   the bytes                                      0, or 4 if it is executable
 *     group   nothing                                        1
 *     link    the path it leads to, and the text it had      2, 10 with text, 26 without a path
 *     stamp   the txnid of the last change of links (f64)    3, at the empty path alone
 *
 * The marker is last, so that the bytes before it lie where those of any value do.
 */
import { copyBytes } from "../codec/copy.ts";
import { encodeText, readText, type Source, sourceOf, writeShortText } from "../codec/text.ts";
import {
  CODEC_ID,
  handOver,
  putBytes,
  refusedValue,
  VALUE_SIZE_MAX,
  type ValueArea,
  type ValueBytes,
} from "../codec/value.ts";
import { describe, rangeError, ZeoliteError } from "../error.ts";

const KIND = { value: 0, group: 1, link: 2, stamp: 3 } as const;
const KIND_MASK = 3;
/** The marker behind the bytes of a value that is not executable. */
export const VALUE_MARKER: number = KIND.value;
const EXECUTABLE = 4;
const HAS_TEXT = 8;
const IS_OUTSIDE = 16;

/** A value as lookups that do not read it give it. */
export const VALUE: { readonly type: "value" } = Object.freeze({ type: "value" });
/** A group. */
export const GROUP: { readonly type: "group" } = Object.freeze({ type: "group" });

/** A link. */
export class Link {
  readonly type = "link";
  /** The path that it leads to; null if that is not in this store. */
  readonly target: string | null;
  /** What it said where it was imported from, if that is not what its path says. */
  readonly text: string | null;

  constructor(target: string | null, text: string | null = null) {
    this.target = target;
    this.text = text;
  }
}

/** When links last changed: the txnid of that commit. */
export class Stamp {
  readonly txnid: number;

  constructor(txnid: number) {
    this.txnid = txnid;
  }
}

/** Bytes to be stored as they are, marker and all. */
export class Marked {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

/** What stands at a path, its value unread. */
export type Place = typeof VALUE | typeof GROUP | Link;
/** What is read at a path. */
export type Stored = Uint8Array | typeof GROUP | Link | Stamp;
/** What is written at a path. */
export type Written = Uint8Array | string | typeof GROUP | Link | Stamp | Marked;

/** The content of a file, as a folder has it. */
export interface FileContent {
  readonly type: "file";
  readonly bytes: Uint8Array;
  /** Whether it may be run. */
  readonly isExecutable: boolean;
}

/** Most bytes that a value has. */
export const CONTENT_SIZE_MAX: number = VALUE_SIZE_MAX - 1;

/** Stores the content of a file, in memory that has one byte more, which becomes the marker. */
export function markedFile(room: Uint8Array, isExecutable: boolean): Marked {
  room[room.length - 1] = isExecutable ? EXECUTABLE : KIND.value;
  return new Marked(room);
}

/** What is stored, of which all bytes were read. */
export function storedOf(bytes: Uint8Array): FileContent | typeof GROUP | Link | undefined {
  const source = sourceOf(bytes);
  const kind = kindOf(source, 0, bytes.length);
  if (kind === KIND.group) return GROUP;
  if (kind === KIND.link) return linkOf(source, 0, bytes.length);
  if (kind === KIND.stamp) return undefined;
  const isExecutable = (bytes[bytes.length - 1]! & EXECUTABLE) !== 0;
  return { type: "file", bytes: bytes.subarray(0, -1), isExecutable };
}

/** What stands where these bytes are stored. */
export function placeOf(source: Source, start: number, end: number): Place {
  const kind = kindOf(source, start, end);
  if (kind === KIND.value) return VALUE;
  return kind === KIND.link ? linkOf(source, start, end) : GROUP;
}

function kindOf(source: Source, start: number, end: number): number {
  const marker = start === end ? -1 : source.bytes[end - 1]!;
  if (marker >= 0 && marker < 32) return marker & KIND_MASK;
  throw new ZeoliteError(
    "ZEOLITE_CORRUPT",
    `Cannot read a path: it has the marker ${marker}, which nothing writes`,
  );
}

function linkOf(source: Source, start: number, end: number): Link {
  const marker = source.bytes[end - 1]!;
  const all = readText(source, start, end - 1);
  if ((marker & HAS_TEXT) === 0) return new Link(all);
  // A path may have a zero, the text of a symbolic link cannot.
  const zero = all.lastIndexOf("\0");
  const target = (marker & IS_OUTSIDE) === 0 ? all.slice(0, zero) : null;
  return new Link(target, all.slice(zero + 1));
}

function stampOf(source: Source, start: number): Stamp {
  const { buffer, byteOffset } = source.bytes;
  return new Stamp(new DataView(buffer, byteOffset + start, 8).getFloat64(0, true));
}

function decode(source: Source, start: number, end: number, isOwned: boolean): Stored {
  const kind = kindOf(source, start, end);
  if (kind === KIND.value) {
    return isOwned ? source.bytes.subarray(start, end - 1) : copyBytes(source, start, end - 1);
  }
  if (kind === KIND.group) return GROUP;
  return kind === KIND.link ? linkOf(source, start, end) : stampOf(source, start);
}

/** Puts bytes and a marker into the area, or beside it; their number. */
function mark(area: ValueArea, bytes: Uint8Array, marker: number): number {
  const size = bytes.length;
  if (size < area.room.length) {
    putBytes(area, bytes, 0, size);
    area.bytes[size] = marker;
    return size + 1;
  }
  if (size >= VALUE_SIZE_MAX) {
    throw rangeError(
      "ZEOLITE_VALUE_SIZE",
      `Cannot write a value of ${size} bytes: at most ${VALUE_SIZE_MAX - 1} are possible; split it`,
    );
  }
  const large = new Uint8Array(size + 1);
  large.set(bytes);
  large[size] = marker;
  area.large = large;
  return size + 1;
}

function markText(area: ValueArea, text: string, marker: number): number {
  if (!writeShortText(area.words, text)) return mark(area, encodeText(text), marker);
  area.large = null;
  area.bytes[text.length] = marker;
  return text.length + 1;
}

function markLink(area: ValueArea, { target, text }: Link): number {
  if (text === null) return markText(area, target ?? "", KIND.link);
  const marker = KIND.link | HAS_TEXT | (target === null ? IS_OUTSIDE : 0);
  return markText(area, `${target ?? ""}\0${text}`, marker);
}

const NOTHING: Uint8Array = new Uint8Array();

function encode(area: ValueArea, value: unknown): number {
  if (value instanceof Uint8Array) return mark(area, value, KIND.value);
  if (typeof value === "string") return markText(area, value, KIND.value);
  if (value === GROUP) return mark(area, NOTHING, KIND.group);
  if (value instanceof Link) return markLink(area, value);
  if (value instanceof Marked) return handOver(area, value.bytes);
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, (value as Stamp).txnid, true);
  return mark(area, bytes, KIND.stamp);
}

/** Checks a value before anything is begun for it. */
export function assertValue(value: unknown): asserts value is Uint8Array | string {
  if (value instanceof Uint8Array) return;
  if (typeof value !== "string") throw refusedValue(describe(value), "pass bytes or a string");
  if (!value.isWellFormed()) {
    throw refusedValue("a string with half of a surrogate pair", "use toWellFormed() or bytes");
  }
}

/** The encoding of a table of paths: other programs see it as a codec of this name. */
export const pathValues: ValueBytes = {
  id: CODEC_ID,
  name: "zeolite-path",
  encode,
  decode,
  adopt: null,
  bytesOf: null,
};

/** The same encoding, of which values are not read. */
export const pathPlaces: ValueBytes = { ...pathValues, decode: placeOf };
