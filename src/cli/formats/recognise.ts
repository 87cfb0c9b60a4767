/**
 * Tells the format of an input from its first bytes, without losing them. LMDB's dump begins with
 * `VERSION=`, NDJSON with a brace, and CSV with a header row.
 */
import { readCsv } from "./csv.ts";
import { type Chunks, FormatError, type Reader } from "./format.ts";
import { readLmdb } from "./lmdb.ts";
import { readNdjson } from "./ndjson.ts";

/** Every format that can be loaded, by the name that `--format` takes. */
export const READERS = {
  ndjson: readNdjson,
  csv: readCsv,
  lmdb: readLmdb,
} as const satisfies Record<
  string,
  Reader
>;

export type FormatName = keyof typeof READERS;

/** Bytes that are enough to tell. */
const HEAD_SIZE = 4096;

/** The format that an input beginning with these bytes has. */
export function recognise(head: Uint8Array): FormatName {
  const text = new TextDecoder().decode(head).trimStart();
  if (text === "") return "ndjson";
  if (text.startsWith("VERSION=")) return "lmdb";
  if (text.startsWith("{")) return "ndjson";
  if (text.startsWith("[")) {
    throw new FormatError(1, "a JSON array; NDJSON has one object a line");
  }
  const isText = !/[\p{Cc}\ufffd]/u.test(text.replaceAll(/[\t\r\n]/g, ""));
  if (isText) return "csv";
  throw new FormatError(1, "neither NDJSON, CSV nor an LMDB dump; say --format");
}

/** Reads enough of the input to recognise it; gives the format, and the whole input again. */
export async function recogniseInput(
  input: Chunks,
): Promise<{ readonly format: FormatName; readonly input: Chunks }> {
  const iterator = input[Symbol.asyncIterator]();
  const read: Uint8Array[] = [];
  let size = 0;
  let isEnd = false;
  while (size < HEAD_SIZE && !isEnd) {
    const result = await iterator.next();
    if (result.done === true) {
      isEnd = true;
    } else {
      read.push(result.value.slice());
      size += result.value.length;
    }
  }
  const head = new Uint8Array(size);
  let offset = 0;
  for (const chunk of read) {
    head.set(chunk, offset);
    offset += chunk.length;
  }
  async function* again(): AsyncGenerator<Uint8Array> {
    try {
      if (size > 0) yield head;
      while (!isEnd) {
        const result = await iterator.next();
        if (result.done === true) isEnd = true;
        else yield result.value;
      }
    } finally {
      await iterator.return?.();
    }
  }
  return { format: recognise(cutAtCharacter(head)), input: again() };
}

/** The head without the bytes of a character that the limit cut in two. */
function cutAtCharacter(head: Uint8Array): Uint8Array {
  let end = head.length;
  while (end > 0 && head.length - end < 4 && ((head[end - 1] as number) & 0xc0) === 0x80) end -= 1;
  const isLead = end > 0 && (head[end - 1] as number) >= 0xc0;
  return isLead ? head.subarray(0, end - 1) : head;
}
