/**
 * NDJSON: one JSON object a line, `{"key": …, "value": …}`, with `"table": "name"` where a row is
 * not of the unnamed (or chosen) table. A line `{"table": …, "keyEncoding": …, "encoding": …}`
 * without a key says how to make a table that does not exist yet. What JSON cannot hold is tagged
 * (tagged.ts).
 *
 * Blank lines and a carriage return before the newline are passed over; anything else unknown is an
 * error, so that nothing is dropped in silence.
 */
import { type Chunks, FormatError, type Item, type ReadOptions, settle } from "./format.ts";
import { readLines } from "./lines.ts";
import { fromTagged, parseJson, toTaggedText } from "./tagged.ts";

const MEMBERS_OF_ROW = new Set(["key", "value", "table"]);
const MEMBERS_OF_MARK = new Set(["table", "keyEncoding", "encoding"]);

/** The table of a line: its name, `null` for the unnamed one, `undefined` when it names none. */
function readTableName(members: Record<string, unknown>, line: number): string | null | undefined {
  if (!Object.hasOwn(members, "table")) return undefined;
  const name = members["table"];
  if (name === null || typeof name === "string") return name;
  throw new FormatError(line, '"table" is neither a text nor null');
}

function refuseUnknown(members: object, known: ReadonlySet<string>, line: number): void {
  for (const name of Object.keys(members)) {
    if (!known.has(name)) {
      throw new FormatError(
        line,
        `unknown member ${JSON.stringify(name)}; a row has key and value`,
      );
    }
  }
}

function readText(
  members: Record<string, unknown>,
  name: string,
  line: number,
): string | undefined {
  const text = members[name];
  if (text === undefined || typeof text === "string") return text;
  throw new FormatError(line, `${JSON.stringify(name)} is not a text`);
}

/** Reads lines of one input; remembers which table the last row belonged to. */
class NdjsonParser {
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  readonly #hasTags: boolean;
  #table: string | null | undefined = undefined;

  constructor(hasTags: boolean) {
    this.#hasTags = hasTags;
  }

  /** Appends the items of one line. */
  parse(bytes: Uint8Array, line: number, items: Item[]): void {
    const members = this.#members(bytes, line);
    if (members === undefined) return;
    if (!Object.hasOwn(members, "key")) {
      this.#mark(members, line, items);
      return;
    }
    refuseUnknown(members, MEMBERS_OF_ROW, line);
    if (!Object.hasOwn(members, "value")) throw new FormatError(line, 'the row has no "value"');
    const name = readTableName(members, line);
    if (name !== this.#table) {
      this.#table = name;
      items.push({ kind: "table", name, raw: false, line });
    }
    const { key, value } = members;
    items.push({ kind: "row", key, value, line, size: bytes.length });
  }

  #mark(members: Record<string, unknown>, line: number, items: Item[]): void {
    if (!Object.hasOwn(members, "keyEncoding") && !Object.hasOwn(members, "encoding")) {
      throw new FormatError(line, 'the row has no "key"');
    }
    refuseUnknown(members, MEMBERS_OF_MARK, line);
    const name = readTableName(members, line);
    const keyEncoding = readText(members, "keyEncoding", line);
    const encoding = readText(members, "encoding", line);
    this.#table = name;
    items.push({
      kind: "table",
      name,
      ...(keyEncoding === undefined ? {} : { keyEncoding }),
      ...(encoding === undefined ? {} : { encoding }),
      raw: false,
      line,
    });
  }

  /** The object on a line, its key and value with tags read; `undefined` for a blank line. */
  #members(bytes: Uint8Array, line: number): Record<string, unknown> | undefined {
    let value: unknown;
    try {
      const text = this.#decoder.decode(bytes);
      if (text.trim() === "") return undefined;
      value = parseJson(text);
      if (typeof value === "object" && value !== null && !Array.isArray(value)) {
        const members = value as Record<string, unknown>;
        if (this.#hasTags) {
          if (Object.hasOwn(members, "key")) members["key"] = fromTagged(members["key"]);
          if (Object.hasOwn(members, "value")) members["value"] = fromTagged(members["value"]);
        }
        return members;
      }
    } catch (error) {
      throw new FormatError(line, (error as Error).message);
    }
    const found = Array.isArray(value) ? "a JSON array" : "not an object";
    throw new FormatError(line, `found ${found}; NDJSON has one object a line`);
  }
}

/** Reads NDJSON; see the head of this file for what a line may be. */
export async function* readNdjson(
  input: Chunks,
  options: ReadOptions,
): AsyncGenerator<readonly Item[]> {
  const parser = new NdjsonParser(options.tags ?? true);
  for await (const { first, lines } of readLines(input)) {
    const items: Item[] = [];
    let fault: unknown;
    try {
      for (const [index, line] of lines.entries()) parser.parse(line, first + index, items);
    } catch (error) {
      fault = error;
    }
    yield* settle(items, fault);
  }
}

/** The line of a row; with a name (or `null`) it says its table, with `undefined` it does not. */
export function writeNdjsonRow(key: unknown, value: unknown, table?: string | null): string {
  const head = table === undefined ? "" : `"table":${JSON.stringify(table)},`;
  return `{${head}"key":${toTaggedText(key)},"value":${toTaggedText(value)}}\n`;
}

/** The line that says how a table is encoded. */
export function writeNdjsonMark(
  table: string | null,
  keyEncoding: string,
  encoding: string,
): string {
  return `${JSON.stringify({ table, keyEncoding, encoding })}\n`;
}
