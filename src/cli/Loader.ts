/**
 * Stores the rows of an input in batches, each one commit.
 *
 * Invariants: at most one batch is in memory; rows of a table are stored in the order of the input;
 * when a row is refused, the error names its line, and no row behind it in its table is stored.
 */
import type { PutOptions, Store } from "../mod.ts";
import { decodeKey, decodeValue } from "../raw.ts";
import { type EncodingChoice, ensureTable, type OpenTable } from "./access.ts";
import { given } from "./command.ts";
import { CliError, EXIT, failureOf, Interrupted, usageError } from "./exit.ts";
import { FormatError, type Item, type Row, type TableMark } from "./formats/format.ts";
import { isInterrupted } from "./interrupt.ts";
import { parseKey, parseValue } from "./literal.ts";
import { plural } from "./terminal.ts";

/** Bytes of input after which a batch is stored, however few rows it has. */
const BATCH_SIZE_MAX = 4 * 1024 * 1024;

/** Codes of faults that lie with one row, not with the store. */
const ROW_CODES = new Set([
  "ZEOLITE_KEY_ORDER",
  "ZEOLITE_KEY_SIZE",
  "ZEOLITE_KEY_TYPE",
  "ZEOLITE_OPTIONS",
  "ZEOLITE_VALUE_SIZE",
]);

export interface LoadChoice extends EncodingChoice {
  /** Where rows go that name no table; undefined is the unnamed one. */
  readonly table: string | undefined;
  readonly batchRows: number;
  readonly append: boolean;
  readonly ifAbsent: boolean;
  /** Cells of CSV: keys and values are text, to be read as the table's encodings say. */
  readonly isText: boolean;
}

/** What was found, without what could not be done because of it. */
function reasonOf(error: unknown): string {
  return failureOf(error).message.replace(/^Cannot [^:]+: /, "");
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Throws for bytes that a text cannot hold: they would come back as others. */
function refuseNotText(bytes: Uint8Array): void {
  try {
    utf8.decode(bytes);
  } catch {
    throw usageError("Cannot decode: the bytes are not UTF-8, and the table holds text");
  }
}

/** Rows for one table that wait to be stored. */
interface Batch {
  readonly to: OpenTable;
  readonly isRaw: boolean;
  entries: [never, unknown][];
  lines: number[];
}

export class Loader {
  readonly #store: Store;
  readonly #choice: LoadChoice;
  readonly #batches = new Map<string, Batch>();
  #mark: TableMark | undefined;
  #current: Batch | undefined;
  #rows = 0;
  #size = 0;
  #stored = 0;

  constructor(store: Store, choice: LoadChoice) {
    this.#store = store;
    this.#choice = choice;
  }

  /** Rows stored so far. */
  get stored(): number {
    return this.#stored;
  }

  /** Names of the tables that rows went to; null is the unnamed one. */
  get tables(): (string | null)[] {
    return [...new Set([...this.#batches.values()].map(({ to }) => to.table.name))];
  }

  /** Takes some items; stores a batch whenever there is one. */
  async take(items: readonly Item[]): Promise<void> {
    for (const item of items) {
      if (item.kind === "table") {
        this.#mark = item;
        this.#current = undefined;
        continue;
      }
      this.#current ??= this.#batchOf(this.#mark);
      this.#add(this.#current, item);
      if (this.#rows >= this.#choice.batchRows || this.#size >= BATCH_SIZE_MAX) await this.flush();
    }
  }

  /** Stores what waits. */
  async flush(): Promise<void> {
    const waiting = [...this.#batches.values()].filter((batch) => batch.entries.length > 0);
    // Writes begun in one turn are one commit.
    const results = await Promise.allSettled(
      waiting.map(({ to, entries }) => to.table.putMany(entries, this.#putOptions())),
    );
    let fault: unknown;
    for (const [index, result] of results.entries()) {
      const batch = waiting[index] as Batch;
      if (result.status === "fulfilled") this.#stored += result.value;
      else fault ??= this.#findFault(batch, result.reason);
      batch.entries = [];
      batch.lines = [];
    }
    this.#rows = 0;
    this.#size = 0;
    if (fault !== undefined) throw this.#withCount(fault);
    if (isInterrupted()) throw this.#withCount(new Interrupted());
  }

  /** Stores what came before a fault of the input; gives that fault, with what was stored. */
  async settle(fault: unknown): Promise<unknown> {
    await this.flush();
    return this.#withCount(fault);
  }

  #putOptions(): PutOptions {
    const { append, ifAbsent } = this.#choice;
    return { ...(append ? { append } : {}), ...(ifAbsent ? { ifAbsent } : {}) };
  }

  /** The batch of the table that a mark names; its encodings are for a table that is not there. */
  #batchOf(mark: TableMark | undefined): Batch {
    const isRaw = mark?.raw ?? false;
    const name = mark?.name === undefined ? this.#choice.table : mark.name ?? undefined;
    const id = `${isRaw ? "raw" : "row"} ${name === undefined ? "" : `=${name}`}`;
    const known = this.#batches.get(id);
    if (known !== undefined) return known;
    const chosen = given({
      keyEncoding: this.#choice.keyEncoding,
      encoding: this.#choice.encoding,
    }) as EncodingChoice;
    const marked = given({ keyEncoding: mark?.keyEncoding, encoding: mark?.encoding });
    // Stored bytes fit a table of any encodings; rows of values were read as their mark says.
    const to = isRaw
      ? ensureTable(this.#store, name, chosen, marked)
      : ensureTable(this.#store, name, { ...marked, ...chosen });
    const batch: Batch = { to, isRaw, entries: [], lines: [] };
    this.#batches.set(id, batch);
    return batch;
  }

  #add(batch: Batch, row: Row): void {
    const { keyEncoding, encoding } = batch.to;
    let key: unknown;
    let value: unknown;
    try {
      if (batch.isRaw) {
        const [keyBytes, valueBytes] = [row.key as Uint8Array, row.value as Uint8Array];
        if (keyEncoding === "string") refuseNotText(keyBytes);
        if (encoding === "string" || encoding === "json") refuseNotText(valueBytes);
        key = decodeKey(keyBytes, keyEncoding);
        value = decodeValue(valueBytes, encoding);
      } else {
        key = this.#keyOf(row.key, keyEncoding);
        value = this.#valueOf(row.value, encoding);
      }
    } catch (error) {
      throw new FormatError(row.line, reasonOf(error));
    }
    batch.entries.push([key as never, value]);
    batch.lines.push(row.line);
    this.#rows += 1;
    this.#size += row.size;
  }

  #keyOf(key: unknown, keyEncoding: string): unknown {
    if (this.#choice.isText && typeof key === "string" && keyEncoding !== "ordered") {
      return parseKey(key, keyEncoding);
    }
    // JSON has no form of its own for a bigint.
    return keyEncoding === "u64" && Number.isSafeInteger(key) ? BigInt(key as number) : key;
  }

  #valueOf(value: unknown, encoding: string): unknown {
    const isText = this.#choice.isText && typeof value === "string" && encoding === "binary";
    return isText ? parseValue(value as string, encoding) : value;
  }

  /** Stores the rows of a refused batch up to the one at fault; the error names its line. */
  #findFault(batch: Batch, reason: unknown): unknown {
    const { code } = failureOf(reason);
    if (!ROW_CODES.has(code)) return reason;
    let fault: unknown;
    this.#stored += this.#store.transactionSync(() => {
      let stored = 0;
      for (const [index, [key, value]] of batch.entries.entries()) {
        try {
          if (batch.to.table.putSync(key, value, this.#putOptions())) stored += 1;
        } catch (error) {
          const line = batch.lines[index] as number;
          fault = new FormatError(line, reasonOf(error), failureOf(error).code);
          break;
        }
      }
      return stored;
    });
    return fault ?? reason;
  }

  /** The same fault, its message saying how many rows are stored. */
  #withCount(fault: unknown): unknown {
    const note = `; stored before it: ${plural(this.#stored, "row")}`;
    if (fault instanceof FormatError) {
      fault.message += note;
      return fault;
    }
    const { code, exit, message } = failureOf(fault);
    if (exit === EXIT.internal) return fault;
    return new CliError(code, exit, message + note, { cause: fault });
  }
}
