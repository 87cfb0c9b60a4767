/**
 * lmdb-js, with its defaults but for binary values: `overlappingSync` is on. An awaited put and a
 * putSync both return when the data and the meta page are on stable storage (one fdatasync, and one
 * write to a descriptor with O_DSYNC; traced), so nothing else is awaited. Without flushes it is
 * opened with `noSync`, which switches `overlappingSync` off.
 */
import type { Engine, Finder, OpenOptions, OpenStore } from "./engine.ts";
import { importModule, isInstalled, versionOf } from "./packages.ts";

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
  { durability }: OpenOptions,
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
    put: (key, value) => store.put(key, value),
    putSync(key, value) {
      store.putSync(key, value);
    },
    write(entries, isOrdered) {
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

/** lmdb-js. */
export const lmdb: Finder = {
  id: "lmdb",
  name: "lmdb-js",
  async find(): Promise<Engine | string> {
    if (!isInstalled("lmdb")) return "not installed in bench/";
    const module = await importModule<Lmdb>("lmdb");
    return {
      id: "lmdb",
      name: "lmdb-js",
      kind: "js",
      version: versionOf("lmdb"),
      options: { flushed: "defaults", unflushed: "noSync" },
      open: (path, options) => openStore(module, path, options),
    };
  },
};
