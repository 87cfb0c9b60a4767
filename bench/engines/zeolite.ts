/** Zeolite as its users have it: the public API, the library that `npm run build` makes. */
import { readFileSync } from "node:fs";
import { open } from "../../src/mod.ts";
import type { Durability, Engine, OpenStore } from "./engine.ts";

const durabilities = { flushed: "durable", unflushed: "none" } as const;

function openStore(path: string, durability: Durability): OpenStore {
  const store = open(path, {
    keyEncoding: "string",
    encoding: "binary",
    durability: durabilities[durability],
  });
  return {
    get: (key) => store.get(key),
    getView: (key) => store.getView(key),
    getMany: (keys) => store.getMany(keys),
    scan(start, limit) {
      const range = start === undefined ? {} : { start };
      let size = 0;
      const rows = store.getRange(
        limit === undefined ? range : { ...range, limit },
      );
      for (const { key, value } of rows) {
        size += (key as string).length + value.length;
      }
      return size;
    },
    putSync(key, value) {
      store.putSync(key, value);
    },
    put: (key, value) => store.put(key, value),
    load(entries, isOrdered) {
      if (isOrdered) store.putManySync(entries, { append: true });
      else store.putManySync(entries);
    },
    close: () => store.close(),
  };
}

function version(): string {
  const path = new URL("../../package.json", import.meta.url);
  return JSON.parse(readFileSync(path, "utf8")).version;
}

/** Zeolite. */
export const zeolite: Engine = {
  name: "zeolite",
  version: version(),
  options: {
    flushed: 'durability "durable"',
    unflushed: 'durability "none"',
  },
  open: openStore,
};
