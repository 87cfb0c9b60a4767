/**
 * lmdb-js, the peer. Its defaults, but for binary values: an awaited put and a putSync both return
 * when the data and the meta page are on stable storage (one fdatasync, and one write to a
 * descriptor with O_DSYNC). Without flushes it is opened with `noSync`.
 *
 * It is imported by a name that the compiler does not see, since only `bench/` installs it.
 */
import { readFileSync } from "node:fs";
import type { Durability, Engine, OpenStore } from "./engine.ts";

/** The part of its types that is used here. */
interface Database {
  get(key: string): Uint8Array | undefined;
  getBinaryFast(key: string): Uint8Array | undefined;
  getMany(keys: string[]): Promise<(Uint8Array | undefined)[]>;
  getRange(
    range: { start?: string; limit?: number },
  ): Iterable<{ key: string; value: Uint8Array }>;
  put(key: string, value: Uint8Array): Promise<boolean>;
  putSync(
    key: string,
    value: Uint8Array,
    options?: { append: boolean },
  ): unknown;
  transactionSync(body: () => void): void;
  close(): Promise<void>;
}

interface Lmdb {
  open(
    options: { path: string; encoding: "binary"; noSync?: boolean },
  ): Database;
}

function openStore(
  lmdb: Lmdb,
  path: string,
  durability: Durability,
): OpenStore {
  const options = { path, encoding: "binary" } as const;
  const store = lmdb.open(
    durability === "flushed" ? options : { ...options, noSync: true },
  );
  const append = { append: true };
  return {
    get: (key) => store.get(key),
    getView: (key) => store.getBinaryFast(key),
    getMany: (keys) => store.getMany(keys),
    scan(start, limit) {
      const range = start === undefined ? {} : { start };
      let size = 0;
      const rows = store.getRange(
        limit === undefined ? range : { ...range, limit },
      );
      for (const { key, value } of rows) size += key.length + value.length;
      return size;
    },
    putSync(key, value) {
      store.putSync(key, value);
    },
    put: (key, value) => store.put(key, value),
    load(entries, isOrdered) {
      store.transactionSync(() => {
        for (const [key, value] of entries) {
          if (isOrdered) store.putSync(key, value, append);
          else store.putSync(key, value);
        }
      });
    },
    close: () => store.close(),
  };
}

/** lmdb-js, or null if it is not installed. */
export async function findLmdb(): Promise<Engine | null> {
  const name: string = "lmdb";
  let lmdb: Lmdb;
  try {
    lmdb = await import(name);
  } catch {
    return null;
  }
  const path = new URL("../node_modules/lmdb/package.json", import.meta.url);
  return {
    name: "lmdb-js",
    version: JSON.parse(readFileSync(path, "utf8")).version,
    options: { flushed: "defaults", unflushed: "noSync" },
    open: (path, durability) => openStore(lmdb, path, durability),
  };
}
