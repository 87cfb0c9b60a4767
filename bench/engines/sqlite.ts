/**
 * SQLite as the runtime has it: `bun:sqlite`, or `node:sqlite` in Deno. One table of keys and
 * values, prepared statements, the write-ahead log, 256 MiB of cache and 4 GiB of map. Its calls
 * return when they are done and there are no others, so an awaited put is one of them.
 *
 * The table is WITHOUT ROWID, as SQLite advises for small rows with such a key; with values of more
 * than 200 bytes it advises against that, and the table is an ordinary one.
 */
import process from "node:process";
import type { Engine, Entry, Finder, OpenOptions, OpenStore } from "./engine.ts";
import { importModule } from "./packages.ts";

/** The part of both modules that is used here. */
interface Statement {
  run(...values: unknown[]): unknown;
  get(...values: unknown[]): Row | undefined | null;
  all(...values: unknown[]): Row[];
  /** Rows as arrays: of `bun:sqlite`. */
  values?(...values: unknown[]): [string, Uint8Array][];
  /** Has all() and get() return arrays: of `node:sqlite`. */
  setReturnArrays?(isOn: boolean): void;
}

interface Row {
  readonly key: string;
  readonly value: Uint8Array;
}

interface Database {
  prepare(sql: string): Statement;
  exec(sql: string): unknown;
  close(): void;
}

type Open = (path: string) => Database;

/** Bytes of a value above which SQLite advises against WITHOUT ROWID: a twentieth of a page. */
const SMALL_SIZE = 200;
/** Rows that are fetched at once where all are wanted. */
const CHUNK = 1000;

const SYNCHRONOUS = { flushed: "FULL", unflushed: "OFF" } as const;

function prepareDatabase(open: Open, path: string, options: OpenOptions): Database {
  const database = open(path);
  const pragmas = [
    "busy_timeout = 10000",
    "journal_mode = WAL",
    `synchronous = ${SYNCHRONOUS[options.durability]}`,
    "cache_size = -262144",
    "mmap_size = 4294967296",
  ];
  for (const pragma of pragmas) database.prepare(`PRAGMA ${pragma}`).all();
  const kind = options.valueSize <= SMALL_SIZE ? " WITHOUT ROWID" : "";
  const table = `CREATE TABLE IF NOT EXISTS kv (key TEXT PRIMARY KEY, value BLOB NOT NULL)${kind}`;
  database.exec(table);
  return database;
}

/** Rows as arrays, by whichever call the module has for that. */
function rowsOf(
  statement: Statement,
): (...values: unknown[]) => readonly (readonly [string, Uint8Array])[] {
  if (statement.values !== undefined) return (...values) => statement.values!(...values);
  statement.setReturnArrays?.(true);
  return (...values) => statement.all(...values) as unknown as [string, Uint8Array][];
}

function sizeOf(rows: readonly (readonly [string, Uint8Array])[]): number {
  let size = 0;
  for (const [key, value] of rows) size += key.length + value.length;
  return size;
}

function openStore(open: Open, path: string, options: OpenOptions): OpenStore {
  const database = prepareDatabase(open, path, options);
  const put = database.prepare("INSERT OR REPLACE INTO kv (key, value) VALUES (?, ?)");
  const get = database.prepare("SELECT value FROM kv WHERE key = ?");
  const from = rowsOf(
    database.prepare("SELECT key, value FROM kv WHERE key >= ? ORDER BY key LIMIT ?"),
  );
  const behind = rowsOf(
    database.prepare("SELECT key, value FROM kv WHERE key > ? ORDER BY key LIMIT ?"),
  );
  const [begin, commit] = ["BEGIN IMMEDIATE", "COMMIT"].map((sql) => database.prepare(sql));
  const beginRead = database.prepare("BEGIN");
  const putSync = (key: string, value: Uint8Array) => {
    put.run(key, value);
  };
  const scanAll = () => {
    let size = 0;
    for (let rows = from("", CHUNK); rows.length > 0;) {
      size += sizeOf(rows);
      rows = behind(rows.at(-1)![0], CHUNK);
    }
    return size;
  };
  return {
    get: (key) => get.get(key)?.value,
    getMany(keys) {
      beginRead.run();
      const values = keys.map((key) => get.get(key)?.value);
      commit!.run();
      return values;
    },
    scan: (start, limit) => limit === undefined ? scanAll() : sizeOf(from(start ?? "", limit)),
    put: putSync,
    putSync,
    write(entries: readonly Entry[]) {
      begin!.run();
      for (const [key, value] of entries) put.run(key, value);
      commit!.run();
    },
    close: () => database.close(),
  };
}

async function findOpen(): Promise<{ open: Open; name: string }> {
  if (process.versions["bun"] !== undefined) {
    const module = await importModule<{ Database: new (path: string) => Database }>("bun:sqlite");
    return { open: (path) => new module.Database(path), name: "bun:sqlite" };
  }
  const module = await importModule<{ DatabaseSync: new (path: string) => Database }>(
    "node:sqlite",
  );
  return { open: (path) => new module.DatabaseSync(path), name: "node:sqlite" };
}

function versionOf(open: Open): string {
  const database = open(":memory:");
  const row = database.prepare("SELECT sqlite_version() AS key").get() as Row;
  database.close();
  return row.key;
}

/** SQLite. */
export const sqlite: Finder = {
  id: "sqlite",
  name: "bun:sqlite or node:sqlite",
  async find(): Promise<Engine> {
    const { open, name } = await findOpen();
    return {
      id: "sqlite",
      name,
      kind: "js",
      version: versionOf(open),
      options: {
        flushed: "WAL, synchronous = FULL",
        unflushed: "WAL, synchronous = OFF",
      },
      open: (path, options) => openStore(open, path, options),
    };
  },
};
