/**
 * classic-level: LevelDB. Values as bytes; `sync: true` for a durable write; no compression, since
 * the values do not compress; 256 MiB of cache and 64 MiB of write buffer instead of 8 and 4, with
 * which it reads faster. It has `getSync`, but every write is a promise.
 */
import type { Engine, Finder, OpenOptions, OpenStore } from "./engine.ts";
import { importModule, isInstalled, versionOf } from "./packages.ts";

/** The part of its types that is used here. */
interface Database {
  open(): Promise<void>;
  close(): Promise<void>;
  getSync(key: string): Uint8Array | undefined;
  getMany(keys: string[]): Promise<(Uint8Array | undefined)[]>;
  put(key: string, value: Uint8Array, options: { sync: boolean }): Promise<void>;
  batch(): Batch;
  iterator(range: { gte?: string; limit?: number }): Rows;
}

interface Batch {
  put(key: string, value: Uint8Array): this;
  write(options: { sync: boolean }): Promise<void>;
}

interface Rows {
  nextv(size: number): Promise<[string, Uint8Array][]>;
  close(): Promise<void>;
}

interface Level {
  ClassicLevel: new (path: string, options: Record<string, unknown>) => Database;
}

/** Rows that are fetched at once where all are wanted. */
const CHUNK = 1000;

const OPTIONS = {
  keyEncoding: "utf8",
  valueEncoding: "view",
  compression: false,
  cacheSize: 256 << 20,
  writeBufferSize: 64 << 20,
} as const;

async function scan(database: Database, start?: string, limit?: number): Promise<number> {
  const rows = database.iterator({
    ...(start === undefined ? {} : { gte: start }),
    ...(limit === undefined ? {} : { limit }),
  });
  let size = 0;
  for (;;) {
    const chunk = await rows.nextv(Math.min(limit ?? CHUNK, CHUNK));
    if (chunk.length === 0) break;
    for (const [key, value] of chunk) size += key.length + value.length;
  }
  await rows.close();
  return size;
}

async function openStore(
  level: Level,
  path: string,
  { durability }: OpenOptions,
): Promise<OpenStore> {
  const database = new level.ClassicLevel(path, OPTIONS);
  await database.open();
  const options = { sync: durability === "flushed" };
  return {
    get: (key) => database.getSync(key),
    getMany: (keys) => database.getMany(keys),
    scan: (start, limit) => scan(database, start, limit),
    put: (key, value) => database.put(key, value, options),
    write(entries) {
      const batch = database.batch();
      for (const [key, value] of entries) batch.put(key, value);
      return batch.write(options);
    },
    close: () => database.close(),
  };
}

/** classic-level. */
export const level: Finder = {
  id: "level",
  name: "classic-level",
  async find(): Promise<Engine | string> {
    if (!isInstalled("classic-level")) return "not installed in bench/";
    const module = await importModule<Level>("classic-level");
    return {
      id: "level",
      name: "classic-level",
      kind: "js",
      version: versionOf("classic-level"),
      options: { flushed: "sync: true", unflushed: "sync: false" },
      noThreads: "one handle has the store to itself",
      open: (path, options) => openStore(module, path, options),
    };
  },
};
