/**
 * Zeolite as its users have it: the public API, the library that `npm run build` makes. It is here
 * twice: as it opens by default, for any number of processes, and with `exclusive: true`.
 */
import { version } from "../../src/cli/version.ts";
import { open } from "../../src/mod.ts";
import { openPaths } from "../../src/path/mod.ts";
import type { Engine, Finder, OpenOptions, OpenStore } from "./engine.ts";

const durabilities = { flushed: "durable", unflushed: "none" } as const;

function openStore(
  path: string,
  { durability }: OpenOptions,
  exclusive: boolean,
): OpenStore {
  const store = open(path, {
    keyEncoding: "string",
    encoding: "binary",
    durability: durabilities[durability],
    exclusive,
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
    put: (key, value) => store.put(key, value),
    putSync(key, value) {
      store.putSync(key, value);
    },
    write(entries, isOrdered) {
      if (isOrdered) store.putManySync(entries, { append: true });
      else store.putManySync(entries);
    },
    paths: () => openPaths(store),
    close: () => store.close(),
  };
}

function engine(id: string, name: string, exclusive: boolean): Engine {
  const more = exclusive ? ", exclusive" : "";
  return {
    id,
    name,
    kind: "ours",
    version: version(),
    options: {
      flushed: `durability "durable"${more}`,
      unflushed: `durability "none"${more}`,
    },
    isForWrites: exclusive,

    open: (path, options) => openStore(path, options, exclusive),
  };
}

/** Zeolite with its defaults. */
export const zeolite: Finder = {
  id: "zeolite",
  name: "Zeolite",
  find: () => engine("zeolite", "Zeolite", false),
};

/** Zeolite with the store to itself. */
export const exclusive: Finder = {
  id: "zeolite-exclusive",
  name: "Zeolite exclusive",
  find: () => engine("zeolite-exclusive", "Zeolite exclusive", true),
};
