/** `zeolite load`: stores the rows of NDJSON, CSV or an LMDB dump. */
import { existsSync } from "node:fs";
import { type Command, Option } from "commander";
import type { Durability } from "../../mod.ts";
import { type EncodingChoice, encodingOptions, withStore } from "../access.ts";
import { declare, given, required, run, type TableChoice, withTable } from "../command.ts";
import { usageError } from "../exit.ts";
import type { Chunks, Item, ReadOptions } from "../formats/format.ts";
import { type FormatName, READERS, recogniseInput } from "../formats/recognise.ts";
import { openInput } from "../input.ts";
import { parseLiteral } from "../literal.ts";
import { Loader } from "../Loader.ts";
import { another, wholeNumber, withDurability, withEncodings } from "../options.ts";
import type { Bar } from "../progress.ts";
import { plural, rate, type Terminal, type TerminalOptions } from "../terminal.ts";

interface Options extends TerminalOptions, TableChoice, EncodingChoice {
  readonly format?: FormatName;
  readonly keyColumn?: readonly string[];
  readonly valueColumn?: string;
  readonly delimiter?: string;
  readonly typed?: boolean;
  readonly tags: boolean;
  readonly batch: number;
  readonly append?: boolean;
  readonly ifAbsent?: boolean;
  readonly pageSize?: number;
  readonly durability?: Durability;
}

const DETAILS = `
Reads a file, or standard input (-). The store, and tables, that are not there
are made. Each batch is one commit: what came before a fault is kept.

ndjson  one object a line: {"key":…,"value":…}, with "table":"name" for another
        table. What JSON has no form for is tagged: {"$bytes":"base64"},
        {"$bigint":"12"}, {"$number":"NaN"}, {"$date":"2024-01-31T12:00:00Z"}, …
csv     a header row, then rows of as many cells
lmdb    the text that mdb_dump writes, with -p or without. A named database
        becomes a table of binary keys and values; in a table of other
        encodings the bytes are taken for stored bytes.`;

/** The same chunks; the bar moves as they are taken. */
async function* watch(chunks: Chunks, total: number, bar: Bar): AsyncGenerator<Uint8Array> {
  let done = 0;
  for await (const chunk of chunks) {
    yield chunk;
    done += chunk.length;
    bar.update(done, total);
  }
}

function readOptions(options: Options): ReadOptions {
  if (options.delimiter !== undefined && options.delimiter.length === 0) {
    throw usageError("Cannot use an empty --delimiter");
  }
  return {
    tags: options.tags,
    ...given({
      keyColumns: options.keyColumn,
      valueColumn: options.valueColumn,
      delimiter: options.delimiter?.replace("\\t", "\t"),
      cell: options.typed === true ? parseLiteral : undefined,
    }),
  } as ReadOptions;
}

/** Encodings of the unnamed table, if this load makes the store. */
function unnamedEncodings(
  path: string,
  first: Item | undefined,
  options: Options,
): EncodingChoice {
  if (existsSync(path)) return {};
  const isMark = first?.kind === "table";
  const name = isMark && first.name !== undefined ? first.name : options.table ?? null;
  if (name !== null) return {};
  const { keyEncoding = isMark ? first.keyEncoding : undefined } = options;
  const { encoding = isMark ? first.encoding : undefined } = options;
  return given({ keyEncoding, encoding }) as EncodingChoice;
}

export interface LoadResult {
  readonly rows: number;
  readonly tables: readonly (string | null)[];
  readonly format: FormatName;
  readonly seconds: number;
}

/** Loads all items into the store, from the first ones, which are read already. */
async function loadItems(
  path: string,
  first: readonly Item[],
  rest: AsyncIterator<readonly Item[]>,
  format: FormatName,
  options: Options,
): Promise<Pick<LoadResult, "rows" | "tables">> {
  const opening = {
    ...given({ durability: options.durability, pageSize: options.pageSize }),
    ...encodingOptions(unnamedEncodings(path, first[0], options)),
  };
  return await withStore(path, opening, async (store) => {
    const loader = new Loader(store, {
      ...given({ keyEncoding: options.keyEncoding, encoding: options.encoding }),
      table: options.table,
      batchRows: options.batch,
      append: options.append ?? false,
      ifAbsent: options.ifAbsent ?? false,
      isText: format === "csv",
    });
    await loader.take(first);
    for (;;) {
      let result: IteratorResult<readonly Item[]>;
      try {
        result = await rest.next();
      } catch (error) {
        throw await loader.settle(error);
      }
      if (result.done === true) break;
      await loader.take(result.value);
    }
    await loader.flush();
    return { rows: loader.stored, tables: loader.tables };
  });
}

/** Reads the input up to its first items, so that a wrong one makes no store; then loads it. */
async function load(
  terminal: Terminal,
  path: string,
  file: string | undefined,
  options: Options,
): Promise<LoadResult> {
  const input = await openInput(file);
  const bar = terminal.bar("load", "bytes");
  const start = performance.now();
  try {
    const watched = watch(input.chunks, input.size, bar);
    const recognised = options.format === undefined
      ? await recogniseInput(watched)
      : { format: options.format, input: watched };
    const { format } = recognised;
    const items = READERS[format](recognised.input, readOptions(options))[Symbol.asyncIterator]();
    const first = await items.next();
    const result = await loadItems(
      path,
      first.done === true ? [] : first.value,
      items,
      format,
      options,
    );
    return { ...result, format, seconds: (performance.now() - start) / 1000 };
  } finally {
    bar.stop();
  }
}

/** Adds the command. */
export function addLoad(program: Command): void {
  const declared = declare(program, {
    usage: "load <store> [file]",
    summary: "Store the rows of NDJSON, CSV or an LMDB dump.",
    details: DETAILS,
    examples: [
      "zeolite load cities.zeolite cities.ndjson",
      "zeolite load shop.zeolite orders.csv --table orders --key-column id --key-encoding u32",
      "mdb_dump -a old/ | zeolite load new.zeolite",
      "zeolite dump a.zeolite --all | zeolite load b.zeolite",
    ],
  })
    .addOption(
      new Option("-f, --format <name>", "format of the input (default: by its first bytes)")
        .choices(Object.keys(READERS)),
    )
    .option(
      "--key-column <name>",
      'CSV: the column of the key (default: "key", else the first); repeat it for a tuple',
      another,
    )
    .option(
      "--value-column <name>",
      "CSV: the column of the value (default: an object of the rest)",
    )
    .option("--delimiter <text>", "CSV: what parts cells (default: a comma)")
    .option("--typed", "CSV: read cells as keys and values on the command line, not as texts")
    .option("--no-tags", 'NDJSON: {"$bytes":…} and its kin are plain objects')
    .option("--batch <n>", "rows in a commit", wholeNumber(1), 10_000)
    .option("--append", "rows come in the order of keys, behind all there are: faster")
    .option("--if-absent", "leave keys that are there as they are")
    .option("--page-size <bytes>", "page size of a new store", wholeNumber(512));
  run<Options>(
    withDurability(withEncodings(withTable(declared))),
    async (terminal, args, options) => {
      const result = await load(terminal, required(args, 0), args[1], options);
      if (terminal.isJson) terminal.result(result, () => []);
      else {
        const { rows, seconds, format } = result;
        terminal.note(
          `loaded ${plural(rows, "row")} (${format}) in ${seconds.toFixed(2)} s, ${
            rate(rows, seconds)
          }`,
        );
      }
    },
  );
}
