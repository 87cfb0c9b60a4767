/**
 * The store of paths: 100,000 values at paths of 34 bytes, a hundred in each of a thousand groups.
 * Zeolite does it through `zeolite/path`; a peer, which has no groups and no links, uses the path
 * as a key and so does less. Paths are made beforehand, by all alike: at these rates building one
 * costs more than finding what is there.
 */
import { Random } from "../data.ts";
import type { Awaitable, Entry, OpenStore } from "../engines/engine.ts";
import { MANY, type Sizes } from "../sizes.ts";
import { smallValues } from "../stores.ts";
import { timeCalls, timeOnce } from "../timing.ts";
import { touch, use, type Workload } from "./workload.ts";

/** Paths that the cache of resolved paths has room for. */
const REMEMBERED = 10_000;
const STORE = "path-tree";

/** The calls over paths, or over keys where there are no paths. */
interface Calls {
  read(path: string): Awaitable<Uint8Array | undefined>;
  readFast(path: string): Awaitable<Uint8Array | undefined>;
  readManyFast(
    paths: string[],
  ): Awaitable<readonly (ArrayLike<number> | undefined)[]>;
  writeFast(path: string, value: Uint8Array): Awaitable<unknown>;
  writeMany(entries: readonly Entry[]): Awaitable<unknown>;
}

function callsOf(store: OpenStore): Calls {
  const paths = store.paths?.();
  if (paths !== undefined) return paths;
  return {
    read: (path) => store.get(path),
    readFast: (path) => store.get(path),
    readManyFast: (all) => store.getMany(all),
    writeFast: (path, value) =>
      store.putSync === undefined ? store.put(path, value) : store.putSync(path, value),
    writeMany: (entries) => store.write(entries, false),
  };
}

/** The same text in one piece, unlike one that is put together of pieces. */
function flat(text: string): string {
  return new TextDecoder().decode(new TextEncoder().encode(text));
}

/** A path of 34 bytes. */
function pathAt(index: number): string {
  const digits = (value: number, size: number) => String(value).padStart(size, "0");
  const group = `srv/${digits(Math.floor(index / 10_000), 4)}`;
  const inner = `lib-${digits(Math.floor(index / 100), 4)}/src`;
  return flat(`${group}/${inner}/${digits(index, 8)}.txt`);
}

function pathsOf({ pathEntries }: Sizes): string[] {
  return Array.from({ length: pathEntries }, (_, index) => pathAt(index));
}

/** Writes values at paths, a thousand at a time. */
async function writeAll(
  calls: Calls,
  paths: readonly string[],
  turn: number,
): Promise<void> {
  for (let at = 0; at < paths.length; at += MANY) {
    const entries = paths.slice(at, at + MANY)
      .map((path, index): Entry => [path, smallValues.at(at + index + turn)]);
    const done = calls.writeMany(entries);
    if (done instanceof Promise) await done;
  }
}

/** What one turn of a workload calls. */
type MakeCall = (
  calls: Calls,
  paths: readonly string[],
  random: Random,
) => () => Awaitable<unknown>;

interface Words {
  readonly id: string;
  readonly title: string;
  readonly operation: string;
  readonly isWriting?: boolean;
  readonly per?: number;
}

const common = { group: "paths", unit: "rate" } as const;

/** Calls over a store that has a value at every path, and by the fast variants another. */
function calling(
  { id, title, operation, isWriting = false, per = 1 }: Words,
  make: MakeCall,
) {
  const workload: Workload = {
    ...common,
    id,
    title,
    operation,
    isWriting,
    async begin({ stores, sizes }) {
      const store = await stores.openEmpty(STORE, "unflushed");
      const [calls, paths] = [callsOf(store), pathsOf(sizes)];
      await writeAll(calls, paths, 0);
      if (store.paths !== undefined) {
        for (const [index, path] of paths.entries()) {
          calls.writeFast(path, smallValues.at(index));
        }
        await store.paths().makeLink("srv", "links/to");
      }
      return {
        run: (round) => timeCalls(make(calls, paths, new Random(round)), sizes.shortMs, per),
        async end() {
          await store.close();
          stores.remove(STORE);
        },
      };
    },
  };
  return workload;
}

function any(paths: readonly string[], random: Random): string {
  return paths[random.below(paths.length)]!;
}

const writeFast = calling(
  {
    id: "path_write_fast",
    title: "writeFast, one a commit, no flush",
    operation: "commits",
    isWriting: true,
  },
  (calls, paths, random) => () =>
    calls.writeFast(any(paths, random), smallValues.at(random.below(64))),
);

const readFast = calling(
  {
    id: "path_read_fast",
    title: "readFast",
    operation: "reads",
  },
  (calls, paths, random) => () => use(calls.readFast(any(paths, random)), touch),
);

const readManyFast = calling({
  id: "path_read_many_fast",
  title: "readManyFast, 1,000 paths",
  operation: "reads",
  per: MANY,
}, (calls, paths, random) => () => {
  const wanted = Array.from({ length: MANY }, () => any(paths, random));
  return use(calls.readManyFast(wanted), (values) => {
    for (const value of values) touch(value);
  });
});

const read = calling({
  id: "path_read",
  title: "read",
  operation: "reads",
}, (calls, paths, random) => () => use(calls.read(any(paths, random)), touch));

const readLinks = calling({
  id: "path_read_links",
  title: "read through a link and the cache, 10,000 paths (peers: without a link)",
  operation: "reads",
}, (calls, paths, random) => {
  const isLinked = "makeLink" in calls;
  const some = paths.slice(0, REMEMBERED);
  const named = isLinked ? some.map((path) => flat(`links/to${path.slice(3)}`)) : some;
  // What is measured is a cache that has been filled.
  if (isLinked) { for (const path of named) calls.read(path); }
  return () => use(calls.read(any(named, random)), touch);
});

const writeManyOver = calling({
  id: "path_write_many",
  title: "writeMany, 1,000 at random, over what is there",
  operation: "writes",
  isWriting: true,
  per: MANY,
}, (calls, paths, random) => () => {
  return calls.writeMany(
    Array.from({ length: MANY }, (): Entry => [
      any(paths, random),
      smallValues.at(random.below(64)),
    ]),
  );
});

const writeManyNew: Workload = {
  ...common,
  id: "path_write_many_new",
  title: "writeMany, 1,000 in order, into an empty store",
  operation: "writes",
  isWriting: true,
  rounds: ({ loadRounds }) => loadRounds,
  begin({ stores, sizes }) {
    const paths = pathsOf(sizes);
    return Promise.resolve({
      async run(round) {
        const store = await stores.openEmpty(STORE, "unflushed");
        const calls = callsOf(store);
        const measured = await timeOnce(
          () => writeAll(calls, paths, round),
          paths.length,
        );
        await store.close();
        return measured;
      },
      end: () => stores.remove(STORE),
    });
  },
};

export const paths: readonly Workload[] = [
  writeManyNew,
  writeManyOver,
  readFast,
  readManyFast,
  read,
  readLinks,
  writeFast,
];
