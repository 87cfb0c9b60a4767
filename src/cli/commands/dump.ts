/** `zeolite dump`: writes tables as NDJSON or as LMDB's mdb_dump does, all from one snapshot. */
import process from "node:process";
import { type Command, Option } from "commander";
import type { Snapshot, Store } from "../../mod.ts";
import { rawRange } from "../../raw.ts";
import { findTable, type OpenTable, readStore } from "../access.ts";
import { declare, required, run, type TableChoice, withTable } from "../command.ts";
import { usageError } from "../exit.ts";
import { LMDB_END, LMDB_KEY_SIZE_MAX, writeLmdbHeader, writeLmdbLine } from "../formats/lmdb.ts";
import { writeNdjsonMark, writeNdjsonRow } from "../formats/ndjson.ts";
import { stopIfInterrupted } from "../interrupt.ts";
import type { Bar } from "../progress.ts";
import { rowsOf } from "../rows.ts";
import { plural, type Terminal, type TerminalOptions } from "../terminal.ts";

interface Options extends TerminalOptions, TableChoice {
  readonly all?: boolean;
  readonly format: "ndjson" | "lmdb";
  readonly print?: boolean;
}

/** Rows written between two looks at the bar and at Ctrl-C. */
const ROWS_BETWEEN = 1000;

/** Smallest map that the header of a dump asks mdb_load for. */
const MAP_SIZE_MIN = 1 << 30;

/** One dump: where it goes, and how far it is. */
class Dump {
  readonly #terminal: Terminal;
  readonly #store: Store;
  readonly #snapshot: Snapshot;
  readonly #bar: Bar | undefined;
  readonly #total: number;
  #done = 0;
  #refusedKeys = 0;

  constructor(
    terminal: Terminal,
    store: Store,
    snapshot: Snapshot,
    bar: Bar | undefined,
    total: number,
  ) {
    this.#terminal = terminal;
    this.#store = store;
    this.#snapshot = snapshot;
    this.#bar = bar;
    this.#total = total;
  }

  /** Keys written that mdb_load will not take. */
  get refusedKeys(): number {
    return this.#refusedKeys;
  }

  async #step(): Promise<void> {
    this.#done += 1;
    if (this.#done % ROWS_BETWEEN !== 0) return;
    stopIfInterrupted();
    this.#bar?.update(this.#done, this.#total);
    await this.#terminal.output.flush();
  }

  /** One table as NDJSON; with `isNamed` every row says its table. */
  async ndjson(from: OpenTable, isNamed: boolean): Promise<void> {
    const { output } = this.#terminal;
    const { name } = from.table;
    if (isNamed) output.add(writeNdjsonMark(name, from.keyEncoding, from.encoding));
    const source = { ...from, table: from.table.at(this.#snapshot) };
    for (const { key, value } of rowsOf(source, {})) {
      const line = writeNdjsonRow(key, value, isNamed && name !== null ? name : undefined);
      if (output.add(line)) await output.flush();
      await this.#step();
    }
  }

  /** One table as a database of LMDB's, its stored bytes as they are. */
  async lmdb(from: OpenTable, mapSize: number, isPrint: boolean): Promise<void> {
    const { output } = this.#terminal;
    const { name } = from.table;
    output.add(writeLmdbHeader({ name, isPrint, mapSize }));
    for (const { key, value } of rawRange(this.#store, name, this.#snapshot)) {
      if (key.length === 0 || key.length > LMDB_KEY_SIZE_MAX) this.#refusedKeys += 1;
      for (const bytes of [key, value]) {
        for (const text of writeLmdbLine(bytes, isPrint)) {
          if (output.add(text)) await output.flush();
        }
      }
      await this.#step();
    }
    output.add(LMDB_END);
  }
}

/** The tables to dump, the unnamed one first: mdb_load depends on it. */
function chooseTables(store: Store, options: Options): OpenTable[] {
  if (options.all !== true) return [findTable(store, options.table)];
  const named = store.tables().map((name) => findTable(store, name));
  const unnamed = findTable(store, undefined);
  const isLeftOut = options.format === "lmdb" && named.length > 0 && unnamed.table.getCount() === 0;
  return isLeftOut ? named : [unnamed, ...named];
}

/** Dumps as the options say. */
async function dump(terminal: Terminal, store: Store, options: Options): Promise<void> {
  const isPrint = options.print === true;
  using snapshot = store.snapshot();
  const tables = chooseTables(store, options);
  const total = tables.reduce((sum, { table }) => sum + table.at(snapshot).getCount(), 0);
  const mapSize = Math.max(MAP_SIZE_MIN, 4 * store.stats().fileSize);
  // A bar between the rows on one terminal would serve nobody.
  const bar = process.stdout.isTTY === true ? undefined : terminal.bar("dump", "rows");
  try {
    const dumping = new Dump(terminal, store, snapshot, bar, total);
    for (const from of tables) {
      if (options.format === "lmdb") await dumping.lmdb(from, mapSize, isPrint);
      else await dumping.ndjson(from, options.all === true);
    }
    await terminal.output.flush();
    bar?.stop();
    if (dumping.refusedKeys > 0) {
      terminal.note(
        `note: ${plural(dumping.refusedKeys, "key")} ${dumping.refusedKeys === 1 ? "is" : "are"} ` +
          `empty or longer than ${LMDB_KEY_SIZE_MAX} bytes; mdb_load takes no such key`,
      );
    }
  } finally {
    bar?.stop();
  }
}

/** Adds the command. */
export function addDump(program: Command): void {
  const command = withTable(declare(program, {
    usage: "dump <store>",
    summary: "Write a table, or all, as NDJSON or as an LMDB dump.",
    details: `
Writes to standard output, all from one snapshot. As ndjson, for zeolite load,
keys and values are values; as lmdb, for mdb_load, the bytes that are stored.`,
    examples: [
      "zeolite dump cities.zeolite > cities.ndjson",
      "zeolite dump cities.zeolite --all | zeolite load copy.zeolite",
      "zeolite dump old.zeolite --all --format lmdb | mdb_load new/",
    ],
  }))
    .option(
      "-a, --all",
      "all tables; NDJSON rows then say theirs, and a line before them its encodings",
    )
    .addOption(
      new Option("-f, --format <name>", "format of the output")
        .choices(["ndjson", "lmdb"]).default("ndjson"),
    )
    .option("-p, --print", "lmdb: printable bytes as they are (mdb_dump -p)");
  run<Options>(command, async (terminal, args, options) => {
    if (options.all === true && options.table !== undefined) {
      throw usageError("Cannot use --all together with --table");
    }
    if (options.print === true && options.format !== "lmdb") {
      throw usageError("Cannot use --print without --format lmdb");
    }
    await readStore(required(args, 0), (store) => dump(terminal, store, options));
  });
}
