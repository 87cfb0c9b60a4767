/**
 * Text between JavaScript strings and UTF-8 bytes, at the cost that each runtime asks least for.
 * Writing never stores a lone surrogate: who calls refuses it, since UTF-8 has no bytes for it.
 * Reading takes any bytes; what is not UTF-8 reads as U+FFFD. A byte order mark is kept.
 * Assumes a little-endian machine, as the store's files do.
 */
import { Buffer } from "node:buffer";
import { type Copied, newStill, setStill } from "./copy.ts";

/** Bytes to decode from, with what decoding them quickly needs. All of it names one memory. */
export interface Source extends Copied {
  /** The same bytes, as the class that reads text from a part without making a view of it. */
  readonly text: Buffer;
  /** All bytes before it are known to be ASCII. */
  asciiEnd: number;
  /** The text of some of those, of which others are cut, and which bytes they are. */
  block: string;
  blockStart: number;
  blockEnd: number;
}

/** Bytes that a key or a value is written into. All of them name the same memory. */
export interface Area extends Copied {
  /** The whole of it; its size is a multiple of four. */
  readonly bytes: Uint8Array;
  /** As words, to store four characters at once. */
  readonly words: Uint32Array;
  /** The part that may be filled: as many bytes as a key may have. */
  readonly room: Uint8Array;
}

/** Up to here a loop over characters beats the call of an encoder, on both runtimes. */
export const SHORT_TEXT_MAX = 48;
/** Bytes of a block of text: what a piece cut from it can keep in memory. */
const BLOCK_SIZE = 1024;
/** From here on making a view for TextDecoder costs less than what the other way loses. */
const LONG_MIN = 512;

/** Pieces of text that are fetched together. */
const FETCHED_COUNT = 64;
/** What was read of them: kept, or a compiler would leave out the reading. */
const fetched: { seen: number } = { seen: 0 };

const NO_WORDS: Uint32Array = new Uint32Array();
const encoder: TextEncoder = new TextEncoder();
const decoder: TextDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Wraps bytes for decoding.
 *
 * @param isRenewed Whether renew() will say when they change.
 */
export function sourceOf(bytes: Uint8Array, isRenewed: boolean = false): Source {
  const { buffer, byteOffset, byteLength } = bytes;
  const words = (byteOffset & 3) === 0
    ? new Uint32Array(buffer, byteOffset, byteLength >> 2)
    : NO_WORDS;
  const text = Buffer.from(buffer, byteOffset, byteLength);
  const still = isRenewed ? newStill() : null;
  return { bytes, words, still, text, asciiEnd: 0, block: "", blockStart: 0, blockEnd: 0 };
}

/** An area over memory, of which the first `room` bytes may be filled. */
export function areaOf(memory: ArrayBufferLike, offset: number, size: number, room: number): Area {
  return {
    bytes: new Uint8Array(memory, offset, size),
    words: new Uint32Array(memory, offset, size >> 2),
    room: new Uint8Array(memory, offset, room),
    still: null,
  };
}

/**
 * Writes a short ASCII string from a word on, four characters at a time.
 *
 * @returns Whether it was short and ASCII; if not, there is rubbish.
 */
export function writeShortText(words: Uint32Array, text: string, at: number = 0): boolean {
  const size = text.length;
  if (size > SHORT_TEXT_MAX) return false;
  let seen = 0;
  let word = at;
  let index = 0;
  for (; index + 4 <= size; index += 4) {
    const a = text.charCodeAt(index);
    const b = text.charCodeAt(index + 1);
    const c = text.charCodeAt(index + 2);
    const d = text.charCodeAt(index + 3);
    seen |= a | b | c | d;
    words[word++] = a | (b << 8) | (c << 16) | (d << 24);
  }
  if (index < size) {
    let rest = 0;
    for (let shift = 0; index < size; index += 1, shift += 8) {
      const code = text.charCodeAt(index);
      seen |= code;
      rest |= code << shift;
    }
    words[word] = rest;
  }
  return seen < 0x80;
}

/**
 * Writes well-formed text into the whole of `room`.
 *
 * @returns The bytes written, or -1 if they do not fit.
 */
export function writeText(room: Uint8Array, text: string): number {
  if (text.length > room.length) return -1;
  const { read, written } = encoder.encodeInto(text, room);
  return read === text.length ? written : -1;
}

/** The UTF-8 bytes of well-formed text, in memory of their own. */
export function encodeText(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** How many bytes text has in UTF-8. */
export function textSize(text: string): number {
  return Buffer.byteLength(text, "utf8");
}

/**
 * Brings pieces of text into the processor's caches: at each place that is a multiple of 64 those
 * up to the next, elsewhere none. They may lie anywhere in memory; where nothing else is done
 * between, the processor waits for many of them at a time.
 */
export function fetchText(all: readonly unknown[], at: number): void {
  if (at % FETCHED_COUNT !== 0) return;
  const end = Math.min(all.length, at + FETCHED_COUNT);
  let seen = 0;
  for (let index = at; index < end; index += 1) {
    const text = all[index];
    if (typeof text === "string") seen |= text.charCodeAt(0);
  }
  fetched.seen = seen;
}

/**
 * Tells a source that its bytes were written anew, before where they are all ASCII, and which of
 * them are values, to stay as they are until the next time.
 */
export function renew(source: Source, asciiEnd: number, start: number, end: number): void {
  source.asciiEnd = asciiEnd;
  source.blockStart = source.blockEnd = 0;
  if (source.still !== null) setStill(source.still, start, end);
}

/** The text of a part of the bytes. */
export function readText(source: Source, start: number, end: number): string {
  if (end <= source.asciiEnd) return cutText(source, start, end);
  if (end - start < LONG_MIN) return source.text.toString("utf8", start, end);
  return decoder.decode(source.bytes.subarray(start, end));
}

/**
 * The text of a part that is ASCII: cut from that of the bytes around it, which costs a fraction of
 * decoding each part.
 */
function cutText(source: Source, start: number, end: number): string {
  if (start < source.blockStart || end > source.blockEnd) {
    const blockEnd = Math.max(end, Math.min(start + BLOCK_SIZE, source.asciiEnd));
    source.block = source.text.toString("latin1", start, blockEnd);
    source.blockStart = start;
    source.blockEnd = blockEnd;
  }
  return source.block.substring(start - source.blockStart, end - source.blockStart);
}
