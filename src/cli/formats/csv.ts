/**
 * CSV with a header row: one column, or several, make the key; the value is one column, or an
 * object of all the others. Cells are text unless the caller says otherwise. Quotes, newlines in
 * quotes and CRLF as in RFC 4180; every row has as many cells as the header; the text is UTF-8.
 */
import { parse } from "csv-parse";
import {
  type Chunks,
  FormatError,
  type Item,
  type ReadOptions,
  type Row,
  settle,
} from "./format.ts";
import { readLines } from "./lines.ts";

/** Longest row taken, in characters; one quote that is never closed must not eat all memory. */
const ROW_SIZE_MAX = 64 * 1024 * 1024;

interface Columns {
  readonly names: readonly string[];
  readonly keys: readonly number[];
  readonly value: number | undefined;
}

interface Parsed {
  readonly cells: readonly string[];
  readonly line: number;
}

function findColumn(names: readonly string[], name: string): number {
  const index = names.indexOf(name);
  if (index < 0) {
    throw new FormatError(1, `no column ${JSON.stringify(name)}; columns: ${names.join(", ")}`);
  }
  return index;
}

/** What the header row says; the key is the column `key`, or the first, if none was chosen. */
function readHeader(names: readonly string[], options: ReadOptions): Columns {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) throw new FormatError(1, `two columns ${JSON.stringify(name)}`);
    seen.add(name);
  }
  const keyColumns = options.keyColumns ?? [];
  const keys = keyColumns.length > 0
    ? keyColumns.map((name) => findColumn(names, name))
    : [Math.max(0, names.indexOf("key"))];
  const value = options.valueColumn === undefined
    ? undefined
    : findColumn(names, options.valueColumn);
  return { names, keys, value };
}

/** One row, its cells turned into key and value. */
function readRow(
  columns: Columns,
  cells: readonly string[],
  line: number,
  cell: (text: string) => unknown,
): Row {
  const valueOf = (index: number): unknown => {
    try {
      return cell(cells[index] as string);
    } catch (error) {
      const name = JSON.stringify(columns.names[index]);
      throw new FormatError(line, `column ${name}: ${(error as Error).message}`);
    }
  };
  const keys = columns.keys.map(valueOf);
  const key = keys.length === 1 ? keys[0] : keys;
  const size = cells.reduce((total, text) => total + text.length, 0);
  if (columns.value !== undefined) {
    return { kind: "row", key, value: valueOf(columns.value), line, size };
  }
  const members: [string, unknown][] = [];
  for (const [index, name] of columns.names.entries()) {
    if (!columns.keys.includes(index)) members.push([name, valueOf(index)]);
  }
  return { kind: "row", key, value: Object.fromEntries(members), line, size };
}

/** Passes whole lines on, once they are known to be UTF-8. */
async function* readUtf8(input: Chunks): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  for await (const { first, lines } of readLines(input, ROW_SIZE_MAX)) {
    let text = "";
    let fault: unknown;
    for (const [index, line] of lines.entries()) {
      try {
        text += `${decoder.decode(line)}\n`;
      } catch {
        fault = new FormatError(first + index, "the text is not UTF-8");
        break;
      }
    }
    if (text !== "") yield text;
    if (fault !== undefined) throw fault;
  }
}

/** What the parser did not like, with its line. */
function toFormatError(error: unknown): unknown {
  const { code, lines, message } = error as { code?: string; lines?: number; message?: string };
  if (typeof code !== "string" || !code.startsWith("CSV_")) return error;
  return new FormatError(lines ?? 1, message ?? code);
}

/** Cuts text into records; those that a piece completes are there when it has been taken. */
class CsvParser {
  readonly #parser: ReturnType<typeof parse>;
  #records: Parsed[] = [];
  #fault: unknown = undefined;

  constructor(delimiter: string) {
    this.#parser = parse({
      bom: true,
      delimiter,
      max_record_size: ROW_SIZE_MAX,
      // A record that is taken here does not enter the stream, where a later fault would drop it.
      on_record: (cells: readonly string[], { lines }: { lines: number }) => {
        this.#records.push({ cells, line: lines });
        return null;
      },
      record_delimiter: ["\r\n", "\n"],
      skip_empty_lines: true,
    });
    this.#parser.on("error", (error: unknown) => {
      this.#fault ??= toFormatError(error);
    });
    this.#parser.resume();
  }

  get fault(): unknown {
    return this.#fault;
  }

  /** Parses a piece of text, or the end of it. */
  async push(text: string | undefined): Promise<readonly Parsed[]> {
    await new Promise<void>((resolve) => {
      this.#parser.once("close", resolve);
      if (text === undefined) this.#parser.end(() => resolve());
      else this.#parser.write(text, () => resolve());
    });
    this.#parser.removeAllListeners("close");
    const records = this.#records;
    this.#records = [];
    return records;
  }
}

/** What can be parsed next: text, or the end of it, be it the true end or a fault of the input. */
interface Piece {
  readonly text: string | undefined;
  readonly fault?: unknown;
}

/** The pieces of a text; the last says why it ends there. */
async function* readPieces(text: AsyncIterable<string>): AsyncGenerator<Piece> {
  let fault: unknown;
  try {
    for await (const piece of text) yield { text: piece };
  } catch (error) {
    fault = error;
  }
  yield { text: undefined, fault };
}

/** Reads CSV; the first row names the columns. */
export async function* readCsv(
  input: Chunks,
  options: ReadOptions,
): AsyncGenerator<readonly Item[]> {
  const cell = options.cell ?? ((text: string) => text);
  const parser = new CsvParser(options.delimiter ?? ",");
  let columns: Columns | undefined;
  for await (const piece of readPieces(readUtf8(input))) {
    const items: Item[] = [];
    let fault: unknown;
    try {
      for (const { cells, line } of await parser.push(piece.text)) {
        if (columns === undefined) columns = readHeader(cells, options);
        else items.push(readRow(columns, cells, line, cell));
      }
    } catch (error) {
      fault = error;
    }
    yield* settle(items, fault ?? piece.fault ?? parser.fault);
  }
}
