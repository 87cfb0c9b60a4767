/**
 * How commands open a store and find a table in it. A store is always closed again, whatever
 * happens; commands that only read open it read-only and never create one.
 */
import { type KeyEncoding, open, type OpenOptions, type Store, type Table } from "../mod.ts";
import { type TableAttributes, tableAttributes } from "../raw.ts";
import { given } from "./command.ts";
import { CliError, EXIT, usageError } from "./exit.ts";
import { parseKey } from "./literal.ts";
import type { RangeChoice } from "./options.ts";

/** Opens the store for as long as `body` runs. */
export async function withStore<T>(
  path: string,
  options: OpenOptions,
  body: (store: Store) => Promise<T> | T,
): Promise<T> {
  const store = open(path, options);
  let result: T;
  try {
    result = await body(store);
  } catch (error) {
    // The first fault is the one to tell of.
    await store.close().catch(() => {});
    throw error;
  }
  await store.close();
  return result;
}

/** Opens a store that must be there, to read. */
export function readStore<T>(path: string, body: (store: Store) => Promise<T> | T): Promise<T> {
  return withStore(path, { readOnly: true, create: false }, body);
}

/** A table, and how its keys and values are kept. */
export interface OpenTable extends TableAttributes {
  readonly table: Table;
}

/** A table that must be there; its encodings are those kept in the store. */
export function findTable(store: Store, name: string | undefined): OpenTable {
  const encodings = tableAttributes(store, name ?? null);
  if (encodings === undefined) {
    throw new CliError(
      "ZEOLITE_NOT_FOUND",
      EXIT.absent,
      `Cannot read table ${
        JSON.stringify(name)
      }: there is none; zeolite tables lists what there is`,
    );
  }
  return { ...encodings, table: name === undefined ? store : store.table(name) };
}

/** Encodings asked for on the command line. */
export interface EncodingChoice {
  readonly keyEncoding?: string;
  readonly encoding?: string;
}

/** Options that ask for these encodings, with nothing for those left out. */
export function encodingOptions(
  choice: EncodingChoice,
): { keyEncoding?: KeyEncoding; encoding?: "msgpack" | "json" | "string" | "binary" } {
  for (const name of [choice.keyEncoding, choice.encoding]) {
    if (name?.startsWith("codec:") === true) {
      throw new CliError(
        "ZEOLITE_OPTIONS",
        EXIT.store,
        `Cannot make a table of ${name}: that codec is in another program; copy it with backup`,
      );
    }
  }
  return given({
    keyEncoding: choice.keyEncoding as KeyEncoding | undefined,
    encoding: choice.encoding as "msgpack" | undefined,
  });
}

/** Throws if a table is kept in another way than was asked for. */
function refuseOther(
  name: string | undefined,
  kept: TableAttributes,
  choice: EncodingChoice,
): void {
  const pairs = [
    ["keyEncoding", kept.keyEncoding, choice.keyEncoding],
    ["encoding", kept.encoding, choice.encoding],
  ];
  for (const [option, is, asked] of pairs) {
    if (asked === undefined || asked === is) continue;
    const table = name === undefined ? "the unnamed table" : `table ${JSON.stringify(name)}`;
    throw new CliError(
      "ZEOLITE_OPTIONS",
      EXIT.store,
      `Cannot write to ${table} with ${option} ${asked}: it is kept with ${is}`,
    );
  }
}

/**
 * A table to write to. One that is not there is made at the first write, with the encodings of
 * `choice` or else those of `fallback`; one that is there must not differ from `choice`.
 */
export function ensureTable(
  store: Store,
  name: string | undefined,
  choice: EncodingChoice,
  fallback: EncodingChoice = {},
): OpenTable {
  const kept = tableAttributes(store, name ?? null);
  if (kept !== undefined) {
    refuseOther(name, kept, choice);
    return { ...kept, table: name === undefined ? store : store.table(name) };
  }
  const options = encodingOptions({ ...fallback, ...choice });
  const { keyEncoding = "ordered", encoding = "msgpack" } = options;
  const table = name === undefined ? store : store.table(name, options);
  return { table, keyEncoding, encoding };
}

/** The range that the options choose, its keys read as the table's encoding says. */
export function rangeOf(choice: RangeChoice, keyEncoding: string): Record<string, unknown> {
  const { start, end, prefix } = choice;
  if (prefix !== undefined && (start !== undefined || end !== undefined)) {
    throw usageError("Cannot use --prefix together with --start or --end");
  }
  const key = (text: string | undefined) =>
    text === undefined ? undefined : parseKey(text, keyEncoding);
  return given({
    start: key(start),
    end: key(end),
    prefix: key(prefix),
    exclusiveStart: choice.exclusiveStart,
    inclusiveEnd: choice.inclusiveEnd,
  });
}
