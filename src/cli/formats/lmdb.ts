/**
 * The text that LMDB's mdb_dump writes and its mdb_load reads (version 3 of Berkeley DB's
 * dump format):
 *
 *     VERSION=3
 *     format=bytevalue        or print
 *     database=name           absent for the unnamed database
 *     type=btree
 *     mapsize=1048576
 *     maxreaders=126
 *     db_pagesize=4096
 *     HEADER=END
 *      6b6579                 a space, then a key: two hexadecimal digits a byte
 *      76616c7565             its value likewise
 *     DATA=END                and the next database, if there is one
 *
 * In `print` a byte stands for itself unless it is a backslash before two hexadecimal digits or
 * before another backslash. Every byte of keys and values is kept. mdb_dump -p of LMDB 0.9.24
 * writes a backslash of the data as it is, which nobody can tell from an escape: use
 * bytevalue there.
 */
import { Buffer } from "node:buffer";
import { type Chunks, FormatError, type Item, type ReadOptions, settle } from "./format.ts";
import { readLines } from "./lines.ts";

const SPACE = 0x20;
const CARRIAGE_RETURN = 0x0d;
const BACKSLASH = 0x5c;
const TILDE = 0x7e;

/** Header lines that are the environment's, and of no meaning here. */
const IGNORED = new Set(["mapsize", "maxreaders", "mapaddr", "db_pagesize"]);

/** Header lines of databases that this store cannot hold, and why. */
const REFUSED: Readonly<Record<string, string>> = {
  duplicates: "several values under one key (dupSort)",
  dupsort: "several values under one key (dupSort)",
  dupfixed: "several values under one key (dupSort)",
  integerdup: "several values under one key (dupSort)",
  reversedup: "several values under one key (dupSort)",
  integerkey: "keys in the order of the machine's integers",
  reversekey: "keys compared from their end",
};

/** Value of each hexadecimal digit by its character, 255 for any other character. */
const DIGITS = new Uint8Array(256).fill(255);
for (const [digit, character] of [..."0123456789abcdef"].entries()) {
  DIGITS[character.charCodeAt(0)] = digit;
  DIGITS[character.toUpperCase().charCodeAt(0)] = digit;
}

/** Bytes from two digits each; the first byte of `line` is the space. */
function readHex(line: Uint8Array, number: number): Uint8Array {
  if (line.length % 2 === 0) throw new FormatError(number, "an odd number of hexadecimal digits");
  const bytes = new Uint8Array((line.length - 1) / 2);
  let invalid = 0;
  for (let index = 0, at = 1; index < bytes.length; index++, at += 2) {
    const high = DIGITS[line[at] as number] as number;
    const low = DIGITS[line[at + 1] as number] as number;
    invalid |= high | low;
    bytes[index] = high << 4 | low;
  }
  if (invalid > 15) throw new FormatError(number, "a character that is no hexadecimal digit");
  return bytes;
}

/** Bytes from printable text with escapes; the first byte of `line` is the space. */
function readPrint(line: Uint8Array, number: number): Uint8Array {
  const bytes = new Uint8Array(line.length - 1);
  let size = 0;
  for (let at = 1; at < line.length; at++) {
    const byte = line[at] as number;
    if (byte !== BACKSLASH) {
      bytes[size++] = byte;
      continue;
    }
    if (line[at + 1] === BACKSLASH) {
      bytes[size++] = BACKSLASH;
      at += 1;
      continue;
    }
    const high = DIGITS[line[at + 1] ?? 0] as number;
    const low = DIGITS[line[at + 2] ?? 0] as number;
    if ((high | low) > 15) {
      throw new FormatError(
        number,
        "a backslash without two hexadecimal digits; mdb_dump -p of LMDB 0.9.24 leaves " +
          "backslashes of the data unmarked: dump without -p",
      );
    }
    bytes[size++] = high << 4 | low;
    at += 2;
  }
  return bytes.subarray(0, size);
}

/** Reads one input line by line: between databases, in a header, or in data. */
class LmdbParser {
  #place: "between" | "header" | "data" = "between";
  #isPrint = false;
  #endsInReturn = false;
  #name: string | null | undefined = undefined;
  #headerLine = 0;
  #key: Uint8Array | undefined = undefined;

  /** Appends the items of one line. */
  parse(bytes: Uint8Array, line: number, items: Item[]): void {
    const text = this.#endsInReturn && bytes.at(-1) === CARRIAGE_RETURN
      ? bytes.subarray(0, -1)
      : bytes;
    if (this.#place === "data") this.#data(text, line, items);
    else if (this.#place === "header") this.#header(text, line, items);
    else this.#start(bytes, line);
  }

  /** Throws unless the input was whole. */
  end(line: number): void {
    if (this.#place === "between" && this.#headerLine > 0) return;
    if (this.#place === "between") throw new FormatError(line, "the input is empty");
    const end = this.#place === "header" ? "HEADER=END" : "DATA=END";
    throw new FormatError(line, `the input ends before ${end}: it is truncated`);
  }

  #start(bytes: Uint8Array, line: number): void {
    const text = Buffer.from(bytes).toString("latin1");
    if (text.trim() === "") return;
    if (!/^VERSION=3\r?$/.test(text)) {
      throw new FormatError(
        line,
        `a dump begins with VERSION=3: ${JSON.stringify(text.slice(0, 40))}`,
      );
    }
    this.#endsInReturn = text.endsWith("\r");
    this.#place = "header";
    this.#headerLine = line;
    this.#isPrint = false;
    this.#name = undefined;
  }

  #header(bytes: Uint8Array, line: number, items: Item[]): void {
    const text = Buffer.from(bytes).toString("latin1");
    const equals = text.indexOf("=");
    if (equals < 0) throw new FormatError(line, `no header line: ${JSON.stringify(text)}`);
    const word = text.slice(0, equals);
    const value = text.slice(equals + 1);
    if (word === "HEADER" && value === "END") {
      this.#place = "data";
      items.push({
        kind: "table",
        name: this.#name,
        keyEncoding: "binary",
        encoding: "binary",
        raw: true,
        line: this.#headerLine,
      });
    } else if (word === "format") {
      if (value !== "print" && value !== "bytevalue") {
        throw new FormatError(line, `unknown format ${JSON.stringify(value)}`);
      }
      this.#isPrint = value === "print";
    } else if (word === "database") {
      this.#name = readName(bytes.subarray(equals + 1), line);
    } else if (word === "type") {
      if (value !== "btree") throw new FormatError(line, `unknown type ${JSON.stringify(value)}`);
    } else if (Object.hasOwn(REFUSED, word)) {
      if (value === "0") return;
      const what = REFUSED[word] as string;
      throw new FormatError(line, `${text}: ${what}: not available yet`, "ZEOLITE_OPTIONS");
    } else if (!IGNORED.has(word)) {
      throw new FormatError(line, `unknown header line ${JSON.stringify(text)}`);
    }
  }

  #data(bytes: Uint8Array, line: number, items: Item[]): void {
    if (bytes[0] !== SPACE) {
      const text = Buffer.from(bytes.subarray(0, 40)).toString("latin1");
      if (text !== "DATA=END") {
        throw new FormatError(line, `a line of data begins with a space: ${JSON.stringify(text)}`);
      }
      if (this.#key !== undefined) throw new FormatError(line, "the last key has no value");
      this.#place = "between";
      return;
    }
    const content = this.#isPrint ? readPrint(bytes, line) : readHex(bytes, line);
    if (this.#key === undefined) {
      this.#key = content;
    } else {
      const size = this.#key.length + content.length;
      items.push({ kind: "row", key: this.#key, value: content, line: line - 1, size });
      this.#key = undefined;
    }
  }
}

function readName(bytes: Uint8Array, line: number): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new FormatError(line, "the name of the database is not UTF-8");
  }
}

/** Reads a dump of one or several databases; keys and values are the stored bytes. */
export async function* readLmdb(
  input: Chunks,
  _options: ReadOptions,
): AsyncGenerator<readonly Item[]> {
  const parser = new LmdbParser();
  let next = 1;
  for await (const { first, lines } of readLines(input)) {
    const items: Item[] = [];
    let fault: unknown;
    try {
      for (const [index, line] of lines.entries()) parser.parse(line, first + index, items);
    } catch (error) {
      fault = error;
    }
    yield* settle(items, fault);
    next = first + lines.length;
  }
  parser.end(next);
}

/** Longest key that LMDB takes, as it is usually built. */
export const LMDB_KEY_SIZE_MAX = 511;

/** Bytes turned into text at a time, so that a large value never lies in memory as text. */
const PIECE_SIZE = 64 * 1024;

/** Hexadecimal digits by their value. */
const CHARACTERS = new TextEncoder().encode("0123456789abcdef");

/** Room for a piece of which every byte is escaped. */
const printed = new Uint8Array(3 * PIECE_SIZE);

/** Bytes in print: themselves from the space to the tilde, but for the backslash. */
function print(bytes: Uint8Array): string {
  let size = 0;
  for (const byte of bytes) {
    if (byte >= SPACE && byte <= TILDE && byte !== BACKSLASH) {
      printed[size++] = byte;
    } else {
      printed[size++] = BACKSLASH;
      printed[size++] = CHARACTERS[byte >> 4] as number;
      printed[size++] = CHARACTERS[byte & 15] as number;
    }
  }
  return Buffer.from(printed.buffer, 0, size).toString("latin1");
}

export interface LmdbHeader {
  readonly name: string | null;
  readonly isPrint: boolean;
  /** Bytes mdb_load may map: its limit for the file it makes. */
  readonly mapSize: number;
}

/** The header of one database; throws a TypeError for a name that a header line cannot hold. */
export function writeLmdbHeader(header: LmdbHeader): string {
  if (header.name !== null && /[\0\r\n]/.test(header.name)) {
    throw new TypeError(
      `Cannot dump table ${JSON.stringify(header.name)}: its name does not fit on a line`,
    );
  }
  return "VERSION=3\n" +
    `format=${header.isPrint ? "print" : "bytevalue"}\n` +
    (header.name === null ? "" : `database=${header.name}\n`) +
    "type=btree\n" +
    `mapsize=${header.mapSize}\n` +
    "maxreaders=126\ndb_pagesize=4096\nHEADER=END\n";
}

/** One line of data, in pieces. */
export function* writeLmdbLine(bytes: Uint8Array, isPrint: boolean): Generator<string> {
  yield " ";
  for (let start = 0; start < bytes.length; start += PIECE_SIZE) {
    const piece = bytes.subarray(start, start + PIECE_SIZE);
    yield isPrint
      ? print(piece)
      : Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength).toString("hex");
  }
  yield "\n";
}

/** The end of one database. */
export const LMDB_END = "DATA=END\n";
