/**
 * Native engines over FFI, all by the functions that `native/rivals.zig` describes: a key goes
 * through a scratch, a value comes back in it, many rows go and come in one call, as with Zeolite's
 * own boundary. Keys and values are written and made by the code that Zeolite does it with. What is
 * measured is the engine, not how well somebody bound it.
 */
import { existsSync } from "node:fs";
import process from "node:process";
import { clearImmediate, setImmediate } from "node:timers";
import { fileURLToPath } from "node:url";
import { type Copied, copyBytes, copying } from "../../src/codec/copy.ts";
import {
  type Area,
  areaOf,
  readText,
  type Source,
  sourceOf,
  writeShortText,
  writeText,
} from "../../src/codec/text.ts";
import type { Durability, Engine, Entry, OpenOptions, OpenStore } from "./engine.ts";

type Word = "u32" | "i32" | "buffer" | "pointer";

/** The functions, without the prefix of their symbols. */
const functions = {
  version: [["buffer", "u32"], "i32"],
  message: [["buffer", "u32"], "i32"],
  open: [["buffer", "u32", "u32"], "i32"],
  scratch: [["u32"], "pointer"],
  get: [["u32", "u32"], "i32"],
  get_many: [["u32", "buffer", "u32", "buffer", "u32"], "i32"],
  unpin: [["u32"], "i32"],
  put: [["u32", "u32", "buffer", "u32"], "i32"],
  write: [["u32", "buffer", "u32", "u32"], "i32"],
  scan_open: [["u32", "u32"], "i32"],
  scan_next: [["u32", "u32"], "i32"],
  scan_close: [["u32"], "i32"],
  close: [["u32"], "i32"],
} as const;

interface Values {
  u32: number;
  i32: number;
  buffer: Uint8Array;
  pointer: unknown;
}

type Arguments<Words extends readonly Word[]> = {
  -readonly [Index in keyof Words]: Values[Words[Index]];
};

type Calls = {
  readonly [Name in keyof typeof functions]: (
    ...values: Arguments<(typeof functions)[Name][0]>
  ) => Values[(typeof functions)[Name][1]];
};

/** A library, open. */
interface Library {
  readonly call: Calls;
  /** Native memory, not copied. */
  bytes(pointer: unknown, size: number): Uint8Array;
}

/** The part of the module `bun:ffi` that is used here. */
interface BunFfi {
  dlopen(
    path: string,
    symbols: Record<string, { args: readonly string[]; returns: string }>,
  ): { symbols: Record<string, unknown> };
  toArrayBuffer(pointer: unknown, offset: number, size: number): ArrayBuffer;
}

/** Bytes for a key at the beginning of the scratch. */
const KEY_ROOM = 64 << 10;
/** Bytes for a value or rows behind it. */
const DATA_ROOM = 4 << 20;
const NOT_FOUND = -1;
const FLUSHED = 1;
/** Rows that one call fetches where all are wanted. */
const CHUNK = 1 << 20;
/** Bytes of room for answers to begin with. */
const ANSWERS_SIZE = 256 << 10;
const encoder = new TextEncoder();

/** Bytes as Zeolite's own copies take them. */
function copiedOf(bytes: Uint8Array): Copied {
  return { bytes, words: new Uint32Array(bytes.buffer, 0, bytes.length >> 2), still: null };
}

/** Opens a library with the runtime at hand. */
function openLibrary(path: string, prefix: string): Library {
  const rows = Object.entries(functions);
  const byName = (symbols: Record<string, unknown>): Calls => {
    const calls = rows.map(([name]) => [name, symbols[prefix + name]]);
    return Object.fromEntries(calls);
  };
  if (process.versions["bun"] !== undefined) {
    // A static import of this module would stop Deno from loading this file.
    const ffi = process.getBuiltinModule("bun:ffi") as unknown as BunFfi;
    const word = (one: Word): string => one === "pointer" ? "ptr" : one;
    const wanted = rows.map(([name, [args, returns]]) => {
      return [prefix + name, { args: args.map(word), returns: word(returns) }];
    });
    const { symbols } = ffi.dlopen(path, Object.fromEntries(wanted));
    return {
      call: byName(symbols),
      bytes: (pointer, size) => new Uint8Array(ffi.toArrayBuffer(pointer, 0, size)),
    };
  }
  const wanted = rows.map(([name, [parameters, result]]) => {
    return [prefix + name, { parameters: [...parameters], result }];
  });
  copying.isPooled = true;
  const { symbols } = Deno.dlopen(path, Object.fromEntries(wanted));
  return {
    call: byName(symbols),
    bytes(pointer, size) {
      const address = pointer as Deno.PointerObject;
      return new Uint8Array(
        Deno.UnsafePointerView.getArrayBuffer(address, size),
      );
    },
  };
}

/** A text that a function writes. */
function textOf(write: (buffer: Uint8Array, size: number) => number): string {
  const buffer = new Uint8Array(256);
  const size = write(buffer, buffer.length);
  return new TextDecoder().decode(buffer.subarray(0, Math.max(0, size)));
}

/** Writes a key into a row; how many bytes it takes. */
function setKey(key: string, bytes: Uint8Array, offset: number): number {
  const size = key.length;
  let all = 0;
  for (let at = 0; at < size; at += 1) {
    const code = key.charCodeAt(at);
    all |= code;
    bytes[offset + at] = code;
  }
  return all < 0x80 ? size : writeText(bytes.subarray(offset), key);
}

function setU32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value;
  bytes[offset + 1] = value >>> 8;
  bytes[offset + 2] = value >>> 16;
  bytes[offset + 3] = value >>> 24;
}

function getI32(bytes: Uint8Array, offset: number): number {
  return bytes[offset]! | bytes[offset + 1]! << 8 | bytes[offset + 2]! << 16 |
    bytes[offset + 3]! << 24;
}

/** One store, open in this thread. */
class RivalStore {
  readonly #call: Calls;
  readonly #session: number;
  readonly #key: Area;
  readonly #source: Source;
  /** Set while reads of this turn share a state. */
  #turnEnd: ReturnType<typeof setImmediate> | null = null;
  /** Keys of a getMany, or rows of a write. */
  #rows = new Uint8Array(ANSWERS_SIZE);
  #answers = new Uint8Array(ANSWERS_SIZE);
  #copied = copiedOf(this.#answers);

  constructor(library: Library, path: string, isFlushed: boolean) {
    this.#call = library.call;
    const name = encoder.encode(path);
    const flags = isFlushed ? FLUSHED : 0;
    this.#session = this.#check(this.#call.open(name, name.length, flags));
    const pointer = this.#call.scratch(this.#session);
    const scratch = library.bytes(pointer, KEY_ROOM + DATA_ROOM);
    this.#key = areaOf(scratch.buffer, scratch.byteOffset, KEY_ROOM, KEY_ROOM);
    this.#source = sourceOf(scratch);
  }

  #check(result: number): number {
    if (result >= 0) return result;
    const text = textOf((buffer, size) => this.#call.message(buffer, size));
    throw new Error(`Cannot measure: ${text}`);
  }

  /** Writes the key that the next call is about; how many bytes it takes. */
  #setKey(key: string): number {
    return writeShortText(this.#key.words, key) ? key.length : writeText(this.#key.room, key);
  }

  /** What is read in one turn of the event loop is read from one state. */
  #pin(): void {
    if (this.#turnEnd !== null) return;
    this.#turnEnd = setImmediate(() => {
      this.#turnEnd = null;
      this.#call.unpin(this.#session);
    });
  }

  /** Looks a key up; where its value ends in the scratch, or -1. */
  #find(key: string): number {
    this.#pin();
    const size = this.#call.get(this.#session, this.#setKey(key));
    if (size === NOT_FOUND) return -1;
    return KEY_ROOM + this.#check(size);
  }

  get(key: string): Uint8Array | undefined {
    const end = this.#find(key);
    return end < 0 ? undefined : copyBytes(this.#source, KEY_ROOM, end);
  }

  getView(key: string): Uint8Array | undefined {
    const end = this.#find(key);
    return end < 0 ? undefined : this.#source.bytes.subarray(KEY_ROOM, end);
  }

  getMany(keys: string[]): (Uint8Array | undefined)[] {
    this.#pin();
    const found: (Uint8Array | undefined)[] = [];
    while (found.length < keys.length) {
      const wanted = found.length === 0 ? keys : keys.slice(found.length);
      const answered = this.#check(this.#call.get_many(
        this.#session,
        this.#encodeKeys(wanted),
        wanted.length,
        this.#answers,
        this.#answers.length,
      ));
      this.#takeAnswers(answered, found);
      if (answered < wanted.length) {
        this.#answers = new Uint8Array(2 * this.#answers.length);
        this.#copied = copiedOf(this.#answers);
      }
    }
    return found;
  }

  #encodeKeys(keys: readonly string[]): Uint8Array {
    let used = 0;
    for (const key of keys) {
      this.#grow(used, 4 + 3 * key.length);
      const size = setKey(key, this.#rows, used + 4);
      setU32(this.#rows, used, size);
      used += 4 + size;
    }
    return this.#rows;
  }

  #takeAnswers(count: number, found: (Uint8Array | undefined)[]): void {
    let at = 0;
    for (let left = count; left > 0; left -= 1) {
      const size = getI32(this.#answers, at);
      at += 4;
      if (size < 0) {
        found.push(undefined);
        continue;
      }
      found.push(copyBytes(this.#copied, at, at + size));
      at += size;
    }
  }

  /** Makes room for so many bytes behind those that are used. */
  #grow(used: number, more: number): void {
    if (used + more <= this.#rows.length) return;
    const grown = new Uint8Array(2 * (used + more));
    grown.set(this.#rows.subarray(0, used));
    this.#rows = grown;
  }

  scan(start: string | undefined, limit: number | undefined): number {
    const call = this.#call;
    const session = this.#session;
    const keySize = start === undefined ? 0 : this.#setKey(start);
    this.#pin();
    this.#check(call.scan_open(session, keySize));
    let size = 0;
    let left = limit ?? Infinity;
    while (left > 0) {
      const count = this.#check(call.scan_next(session, Math.min(left, CHUNK)));
      if (count === 0) break;
      size += this.#takeRows(count);
      left -= count;
    }
    call.scan_close(session);
    return size;
  }

  /** Makes the key and the value of each row. */
  #takeRows(count: number): number {
    const { bytes } = this.#source;
    let size = 0;
    let at = KEY_ROOM;
    for (let row = 0; row < count; row += 1) {
      const keyEnd = at + 8 + getI32(bytes, at);
      const valueEnd = keyEnd + getI32(bytes, at + 4);
      const key = readText(this.#source, at + 8, keyEnd);
      const value = copyBytes(this.#source, keyEnd, valueEnd);
      size += key.length + value.length;
      at = valueEnd;
    }
    return size;
  }

  putSync(key: string, value: Uint8Array): void {
    const keySize = this.#setKey(key);
    this.#check(this.#call.put(this.#session, keySize, value, value.length));
  }

  write(entries: readonly Entry[], isOrdered: boolean): void {
    let used = 0;
    for (const [key, value] of entries) {
      this.#grow(used, 8 + 3 * key.length + value.length);
      const size = setKey(key, this.#rows, used + 8);
      setU32(this.#rows, used, size);
      setU32(this.#rows, used + 4, value.length);
      this.#rows.set(value, used + 8 + size);
      used += 8 + size + value.length;
    }
    const order = isOrdered ? 1 : 0;
    this.#check(
      this.#call.write(this.#session, this.#rows, entries.length, order),
    );
  }

  close(): void {
    if (this.#turnEnd !== null) clearImmediate(this.#turnEnd);
    this.#check(this.#call.close(this.#session));
  }
}

/** A store as the workloads take it, which call its functions without it. */
function openStore(
  library: Library,
  path: string,
  { durability }: OpenOptions,
): OpenStore {
  const store = new RivalStore(library, path, durability === "flushed");
  return {
    get: (key) => store.get(key),
    getView: (key) => store.getView(key),
    getMany: (keys) => store.getMany(keys),
    scan: (start, limit) => store.scan(start, limit),
    put: (key, value) => store.putSync(key, value),
    putSync: (key, value) => store.putSync(key, value),
    write: (entries, isOrdered) => store.write(entries, isOrdered),
    close: () => store.close(),
  };
}

/** Where a shared library lies that was built below a folder of the repository. */
export function libraryAt(folder: string, name: string): string {
  const file = process.platform === "darwin" ? `lib${name}.dylib` : `lib${name}.so`;
  return fileURLToPath(new URL(`../../${folder}/${file}`, import.meta.url));
}

/** A native engine that might be here. */
export interface Rival {
  readonly id: string;
  readonly name: string;
  /** The shared library that has its functions. */
  readonly library: string;
  /** How that is built. */
  readonly build: string;
  /** What the names of its functions begin with. */
  readonly prefix: string;
  readonly options: Readonly<Record<Durability, string>>;
}

/** The engine, or why it is not here. */
export function findRival(rival: Rival): Engine | string {
  if (!existsSync(rival.library)) return `not built: ${rival.build}`;
  const library = openLibrary(rival.library, rival.prefix);
  const version = textOf(library.call.version);
  if (version === "") return textOf(library.call.message);
  return {
    id: rival.id,
    name: rival.name,
    kind: "native",
    version,
    options: rival.options,
    open: (path, options) => openStore(library, path, options),
  };
}
