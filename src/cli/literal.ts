/**
 * Keys and values as they are typed on a command line, and as they are printed for people.
 *
 * In a table of keys `string` a key is its text; in `u32` and `u64` its digits; in `binary` the
 * bytes after `hex:` or `base64:`, or the text as UTF-8. In an `ordered` table, and for values of
 * `msgpack` and `json`, it is JSON if it is JSON (`12`, `true`, `["de", 5]`, `"12"`, with the tags
 * of NDJSON), `12n` for a bigint, `hex:00ff` or `base64:AP8=` for bytes, and else a text; `text:…`
 * is a text whatever follows.
 */
import { Buffer } from "node:buffer";
import { usageError } from "./exit.ts";
import { fromBase64, fromTagged, parseJson, toTaggedText } from "./formats/tagged.ts";

/** The bytes after `hex:`; throws if they are not pairs of digits. */
function fromHex(digits: string): Uint8Array {
  if (!/^([0-9a-fA-F]{2})*$/.test(digits)) {
    throw usageError(
      `Cannot read ${JSON.stringify(`hex:${digits}`)}: not pairs of hexadecimal digits`,
    );
  }
  return new Uint8Array(Buffer.from(digits, "hex"));
}

/** Text and bytes by their prefix; `undefined` if there is none. */
function parsePrefixed(text: string): string | Uint8Array | undefined {
  if (text.startsWith("text:")) return text.slice("text:".length);
  if (text.startsWith("hex:")) return fromHex(text.slice("hex:".length));
  if (text.startsWith("base64:")) {
    try {
      return fromBase64(text.slice("base64:".length));
    } catch {
      throw usageError(`Cannot read ${JSON.stringify(text)}: not base64`);
    }
  }
  return undefined;
}

/** The value that a text stands for; see the head of this file. */
export function parseLiteral(text: string): unknown {
  const prefixed = parsePrefixed(text);
  if (prefixed !== undefined) return prefixed;
  if (/^-?\d+n$/.test(text)) return BigInt(text.slice(0, -1));
  if (/^[\s]*[\[{"]/.test(text) || /^(-?[0-9.]+([eE][-+]?\d+)?|true|false|null)$/.test(text)) {
    try {
      return fromTagged(parseJson(text));
    } catch (error) {
      if (/^[\s]*[\[{"]/.test(text) || /\d{16}/.test(text)) {
        throw usageError(
          `Cannot read ${text}: ${(error as Error).message}; text:… is a plain text`,
        );
      }
    }
  }
  return text;
}

/** Bytes, from what `binary` takes. */
function parseBytes(text: string): Uint8Array {
  const prefixed = parsePrefixed(text) ?? text;
  return typeof prefixed === "string" ? new TextEncoder().encode(prefixed) : prefixed;
}

/** Digits of an unsigned integer. */
function parseDigits(text: string, keyEncoding: string): bigint {
  if (/^\d+$/.test(text)) return BigInt(text);
  throw usageError(`Cannot read key ${JSON.stringify(text)}: keys ${keyEncoding} are digits`);
}

/** A key typed for a table of this key encoding. */
export function parseKey(text: string, keyEncoding: string): unknown {
  if (keyEncoding === "string") return text;
  if (keyEncoding === "binary") return parseBytes(text);
  if (keyEncoding === "u32") return Number(parseDigits(text, keyEncoding));
  if (keyEncoding === "u64") return parseDigits(text, keyEncoding);
  return parseLiteral(text);
}

/** A value typed for a table of this value encoding. */
export function parseValue(text: string, encoding: string): unknown {
  if (encoding === "string") return text;
  if (encoding === "binary") return parseBytes(text);
  return parseLiteral(text);
}

/** Characters that would break a line or a column, or a terminal. */
const CONTROL = /[\p{Cc}\u2028\u2029]/u;

/** A value in the form that {@linkcode parseLiteral} reads back, on one line. */
export function printLiteral(value: unknown): string {
  if (typeof value === "string") {
    return !CONTROL.test(value) && isPlain(value) ? value : JSON.stringify(value);
  }
  if (value instanceof Uint8Array) return `hex:${Buffer.from(value).toString("hex")}`;
  if (typeof value === "bigint") return `${value}n`;
  return toTaggedText(value);
}

/** Is the text read back as itself? */
function isPlain(text: string): boolean {
  try {
    return parseLiteral(text) === text;
  } catch {
    return false;
  }
}

/** A key for people: a text or digits as they are where the table knows nothing else. */
export function printKey(key: unknown, keyEncoding: string): string {
  const isKnown = keyEncoding !== "ordered";
  if (isKnown && typeof key === "bigint") return String(key);
  if (isKnown && typeof key === "string" && !CONTROL.test(key)) return key;
  return printLiteral(key);
}
