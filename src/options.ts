/**
 * The options of open() and table(), checked once and turned into what the engine takes.
 * Nothing behind this file sees an option that was not checked: one of the runtimes turns whatever
 * it is given into a number silently.
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type KeyCodec, keyCodecOf, type KeyEncoding } from "./codec/key.ts";
import { encodeText } from "./codec/text.ts";
import {
  CODEC_NAME_SIZE_MAX,
  codecEncoding,
  type ValueBytes,
  type ValueEncoding,
  valueEncodingOf,
} from "./codec/value.ts";
import { describe, notAvailable, rangeError, typeError } from "./error.ts";
import type { ReaderInfo } from "./report.ts";

/**
 * What must have happened when a commit's promise resolves or a Sync call returns.
 *
 * - `durable`: its log record is on stable storage (the default). A promised write that is the only
 *   one of its turn, of a value up to 64 KiB, blocks the event loop while it is flushed, unless a
 *   flush is under way or such flushes take longer than 1 ms on average; others do not.
 * - `committed`: its log record is with the kernel: a killed process loses nothing, a power cut at
 *   most the commits of the last `flushInterval` (or since the event loop last ran, if longer),
 *   newest first, never consistency.
 * - `none`: as committed, but flushed only by flush(), checkpoint() and close().
 */
export type Durability = "durable" | "committed" | "none";

/**
 * How the keys and values of a table become bytes. Fixed when the table is created and kept in the
 * store: what is left out adopts what is kept, what differs from it is ZEOLITE_OPTIONS.
 */
export interface TableOptions {
  /** How keys become bytes, and so their order; default "ordered". */
  keyEncoding?: KeyEncoding;
  /** How values become bytes; default "msgpack". */
  encoding?: ValueEncoding;
  /** Several sorted values under one key. */
  dupSort?: boolean;
  /** Compressed values, from so many bytes up; true means from 1 KiB. */
  compression?: boolean | { threshold: number };
}

/** How to open a store. Those of TableOptions are for its unnamed table. */
export interface OpenOptions extends TableOptions {
  /** Refuse every write; default false. */
  readOnly?: boolean;
  /** This process alone: others get ZEOLITE_BUSY; the fastest small commits; default false. */
  exclusive?: boolean;
  /** Create the store if it is absent; default true. */
  create?: boolean;
  /** Bytes of a page, a power of two from 512 to 65536, fixed at creation. */
  pageSize?: number;
  /** Upper bound of the file in bytes; it grows by itself up to it; default 1 TiB. */
  maxSize?: number;
  /** What a commit waits for; default "durable". */
  durability?: Durability;
  /** Milliseconds between flushes, for durability "committed"; default 100. */
  flushInterval?: number;
  /** Bytes of log after which a checkpoint starts; default half the file, 16 to 128 MiB. */
  checkpointBytes?: number;
  /** Milliseconds to wait for the writer lock before ZEOLITE_BUSY; default 5000. */
  lockTimeout?: number;
  /** False tells the kernel that reads are in no order; default true. */
  readahead?: boolean;
  /** Page checksums: each page version once per process (default), at every access, or never. */
  verify?: "once" | "always" | "never";
  /** Called when a snapshot keeps more than `retained` bytes from reuse. */
  onSlowReader?: (reader: ReaderInfo, retained: number) => void;
}

/** Checked options of a table; undefined adopts what is kept. */
export interface TableSettings {
  /** The key encoding asked for. */
  readonly keys: KeyCodec | undefined;
  /** The value encoding asked for. */
  readonly values: ValueBytes | undefined;
}

/** Checked options of a store. */
export interface OpenSettings extends TableSettings {
  /** Whether writes are refused. */
  readonly isReadOnly: boolean;
  /** What a commit waits for. */
  readonly durability: Durability;
  /** Milliseconds between flushes. */
  readonly flushInterval: number;
  /** Milliseconds to wait for the writer lock. */
  readonly lockTimeout: number;
  /** The same and the rest, as the engine reads them. */
  readonly engine: Uint8Array;
}

/** Most milliseconds an option takes: what a timer of the runtimes takes. */
const MILLISECONDS_MAX = 2 ** 31 - 1;
/** The number that stands for "what is kept, or the default". */
export const ADOPT = 255;

/** What went into an option, and what it takes. */
function wrongOption(name: string, value: unknown, wanted: string): TypeError {
  return typeError(
    "ZEOLITE_OPTIONS",
    `Cannot use option ${name}: found ${describe(value)}; pass ${wanted}`,
  );
}

/** An option that is an object, or nothing. */
export function optionsObject<T extends object>(value: T | undefined): Partial<T> {
  if (value === undefined) return {};
  if (typeof value === "object" && value !== null) return value;
  throw typeError(
    "ZEOLITE_OPTIONS",
    `Cannot use options: found ${describe(value)}; pass an object, or leave them out`,
  );
}

/** An option that is true, false or left out. */
export function booleanOption(name: string, value: unknown, otherwise: boolean): boolean {
  if (value === undefined) return otherwise;
  if (typeof value !== "boolean") throw wrongOption(name, value, "true or false");
  return value;
}

/** An option that is an integer within bounds, or left out. */
export function integerOption(
  name: string,
  value: unknown,
  bounds: readonly [number, number],
  otherwise: number,
): number {
  if (value === undefined) return otherwise;
  const wanted = `an integer from ${bounds[0]} to ${bounds[1]}`;
  if (typeof value !== "number") throw wrongOption(name, value, wanted);
  if (Number.isInteger(value) && value >= bounds[0] && value <= bounds[1]) return value;
  throw rangeError("ZEOLITE_OPTIONS", `Cannot use option ${name}: found ${value}; pass ${wanted}`);
}

/** An option that is one of some words, or left out; its place among them. */
function wordOption(name: string, value: unknown, words: readonly string[]): number {
  if (value === undefined) return 0;
  const index = words.indexOf(value as string);
  if (index >= 0) return index;
  throw wrongOption(name, value, words.map((word) => `"${word}"`).join(" or "));
}

/** The size of a page. */
function pageSizeOption(value: unknown): number {
  const size = integerOption("pageSize", value, [512, 65536], 0);
  if ((size & (size - 1)) === 0) return size;
  throw rangeError(
    "ZEOLITE_OPTIONS",
    `Cannot use option pageSize: found ${size}; pass a power of two from 512 to 65536`,
  );
}

/** A value encoding by name or by codec. */
function encodingOption(value: unknown): ValueBytes | undefined {
  if (value === undefined) return undefined;
  const encoding = valueEncodingOf(value);
  if (encoding !== undefined) return encoding;
  const wanted = '"msgpack", "json", "string", "binary" or a codec { name, encode, decode }';
  if (typeof value !== "object" || value === null) throw wrongOption("encoding", value, wanted);
  const codec = value as { name?: unknown; encode?: unknown; decode?: unknown };
  if (typeof codec.encode !== "function" || typeof codec.decode !== "function") {
    throw wrongOption("encoding", value, wanted);
  }
  const name = codec.name;
  if (typeof name !== "string" || name === "" || !name.isWellFormed()) {
    throw wrongOption("encoding.name", name, "a name that is not empty");
  }
  const size = encodeText(name).length;
  if (size > CODEC_NAME_SIZE_MAX) {
    throw rangeError(
      "ZEOLITE_OPTIONS",
      `Cannot use option encoding.name: found ${size} bytes; at most ${CODEC_NAME_SIZE_MAX} fit`,
    );
  }
  return codecEncoding(codec as Parameters<typeof codecEncoding>[0]);
}

/** Checks the options of a table. */
export function tableSettings(options: TableOptions | undefined): TableSettings {
  const given = optionsObject(options);
  if (booleanOption("dupSort", given.dupSort, false)) throw notAvailable("option dupSort");
  if (given.compression !== undefined && given.compression !== false) {
    throw notAvailable("option compression");
  }
  const keys = keyCodecOf(given.keyEncoding);
  if (keys === undefined && given.keyEncoding !== undefined) {
    const words = '"ordered", "string", "binary", "u32" or "u64"';
    throw wrongOption("keyEncoding", given.keyEncoding, words);
  }
  return { keys, values: encodingOption(given.encoding) };
}

/** Checks the options of open(). */
export function openSettings(options: OpenOptions | undefined): OpenSettings {
  const given = optionsObject(options);
  if (given.onSlowReader !== undefined) throw notAvailable("option onSlowReader");
  const table = tableSettings(given as TableOptions);
  const words = ["durable", "committed", "none"] as const;
  const milliseconds = [0, MILLISECONDS_MAX] as const;
  const settings = {
    ...table,
    isReadOnly: booleanOption("readOnly", given.readOnly, false),
    durability: words[wordOption("durability", given.durability, words)]!,
    flushInterval: integerOption("flushInterval", given.flushInterval, [1, MILLISECONDS_MAX], 100),
    lockTimeout: integerOption("lockTimeout", given.lockTimeout, milliseconds, 5000),
  };
  return { ...settings, engine: engineOptions(given, settings) };
}

/** The options as the engine reads them: `OpenOptions` of the library, 128 bytes. */
function engineOptions(
  given: Partial<OpenOptions>,
  settings: Omit<OpenSettings, "engine">,
): Uint8Array {
  const bytes = new Uint8Array(new ArrayBuffer(128));
  const view = new DataView(bytes.buffer);
  const flags = [
    settings.isReadOnly,
    booleanOption("exclusive", given.exclusive, false),
    booleanOption("create", given.create, true),
    booleanOption("readahead", given.readahead, true),
  ];
  const codec = settings.values?.id === 4 ? encodeText(settings.values.name) : new Uint8Array();
  view.setUint32(0, bytes.length, true);
  view.setUint32(4, flags.reduce((bits, isSet, bit) => bits | (isSet ? 1 << bit : 0), 0), true);
  view.setUint32(8, pageSizeOption(given.pageSize), true);
  view.setUint32(12, wordOption("verify", given.verify, ["once", "always", "never"]), true);
  view.setFloat64(16, integerOption("maxSize", given.maxSize, [65536, 2 ** 47], 2 ** 40), true);
  const log = integerOption("checkpointBytes", given.checkpointBytes, [65536, 2 ** 40], 0);
  view.setFloat64(24, log, true);
  view.setUint32(32, settings.lockTimeout, true);
  view.setUint32(36, settings.keys?.id ?? ADOPT, true);
  view.setUint32(40, settings.values?.id ?? ADOPT, true);
  view.setUint32(44, codec.length, true);
  bytes.set(codec, 48);
  return bytes;
}

/**
 * The absolute path of a file given as a path or as a `file:` URL.
 *
 * @throws {TypeError} ZEOLITE_OPTIONS for what names no file.
 */
export function filePath(path: string | URL): string {
  const found = path instanceof URL ? urlPath(path) : path;
  const wanted = "pass the path of a file, or a file: URL";
  if (typeof found !== "string") {
    throw typeError("ZEOLITE_OPTIONS", `Cannot use the path: found ${describe(found)}; ${wanted}`);
  }
  const fault = found === ""
    ? "it is empty"
    : found.includes("\0")
    ? "it has a NUL character"
    : found.isWellFormed()
    ? undefined
    : "it has half of a surrogate pair";
  if (fault === undefined) return resolve(found);
  throw typeError("ZEOLITE_OPTIONS", `Cannot use the path ${describe(found)}: ${fault}; ${wanted}`);
}

/** The path of a URL. */
function urlPath(url: URL): string {
  if (url.protocol === "file:") {
    try {
      return fileURLToPath(url);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      throw typeError("ZEOLITE_OPTIONS", `Cannot use the path ${url.href}: ${text}`, {
        cause: error,
      });
    }
  }
  throw typeError(
    "ZEOLITE_OPTIONS",
    `Cannot use the path ${url.href}: found protocol "${url.protocol}"; pass a file: URL`,
  );
}

/**
 * Checks the name of a table; its bytes.
 *
 * @throws {TypeError} ZEOLITE_OPTIONS for what cannot be a name.
 */
export function tableName(name: string, sizeMax: number): Uint8Array {
  if (typeof name !== "string" || name === "" || !name.isWellFormed()) {
    throw typeError(
      "ZEOLITE_OPTIONS",
      `Cannot use ${describe(name)} as the name of a table: pass a string that is not empty`,
    );
  }
  const bytes = encodeText(name);
  if (bytes.length <= sizeMax) return bytes;
  throw rangeError(
    "ZEOLITE_OPTIONS",
    `Cannot use a table name of ${bytes.length} bytes: at most ${sizeMax} fit`,
  );
}
