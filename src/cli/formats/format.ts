/**
 * What every format of `load` and `dump` has in common: an input is a stream of bytes, and becomes
 * batches of items, each a row or the mark of the table that the next rows belong to.
 *
 * A reader never holds more than the chunk at hand and one line, gives all rows before a fault, and
 * names the line of each fault. It knows nothing of stores: keys and values are JavaScript values,
 * or stored bytes where the mark says `raw`.
 */

/** Bytes as they come from a file or a pipe. */
export type Chunks = AsyncIterable<Uint8Array>;

/** The rows behind it belong to this table, until the next mark. */
export interface TableMark {
  readonly kind: "table";
  /** `null` is the unnamed table; `undefined` the table that the caller chose. */
  readonly name: string | null | undefined;
  /** Encodings the input asks for if the table is new. */
  readonly keyEncoding?: string;
  readonly encoding?: string;
  /** Keys and values are stored bytes, whatever the encodings of the table. */
  readonly raw: boolean;
  readonly line: number;
}

export interface Row {
  readonly kind: "row";
  readonly key: unknown;
  readonly value: unknown;
  readonly line: number;
  /** Bytes of the input it took, more or less: what a batch of rows is measured by. */
  readonly size: number;
}

export type Item = TableMark | Row;

export interface ReadOptions {
  /** NDJSON: take `{"$bytes": …}` and its kin as tags (default true). */
  readonly tags?: boolean;
  /** CSV: columns that make the key; several make a tuple. */
  readonly keyColumns?: readonly string[];
  /** CSV: the column that is the value; without it the rest of the row is. */
  readonly valueColumn?: string;
  /** CSV: default a comma. */
  readonly delimiter?: string;
  /** CSV: turns the text of a cell into a value; default the text itself. */
  readonly cell?: (text: string) => unknown;
}

/** A function that turns bytes into items; it throws {@linkcode FormatError} at the first fault. */
export type Reader = (input: Chunks, options: ReadOptions) => AsyncIterable<readonly Item[]>;

/** The input is not what its format says, at this line. */
export class FormatError extends Error {
  override readonly name = "FormatError";
  readonly line: number;
  readonly code: string;

  constructor(line: number, found: string, code = "INPUT_INVALID") {
    super(`Cannot load line ${line}: ${found}`);
    this.line = line;
    this.code = code;
  }
}

/** Reads ahead of a fault: gives the items that a step collected, then throws what stopped it. */
export function* settle(items: readonly Item[], fault: unknown): Generator<readonly Item[]> {
  if (items.length > 0) yield items;
  if (fault !== undefined) throw fault;
}
