/**
 * Deno.Kv in a local file: SQLite behind a queue, all of it by promise. How durable a commit is
 * cannot be chosen; the counts of flushes tell what it does. It reads at most 10 keys a call, so
 * many keys are calls of 10 that are awaited together, and a value has at most 64 KiB.
 */
import process from "node:process";
import type { Engine, Finder, OpenStore } from "./engine.ts";

const VALUE_MAX = 65_536;
/** Keys of one getMany: its limit. */
const MANY_MAX = 10;
/** Rows that are fetched at once where many are wanted: its limit. */
const CHUNK = 500;
/** Changes of one transaction: its limit, as is the size below, of their keys and values. */
const CHANGES_MAX = 1000;
const CHANGES_SIZE_MAX = 700_000;

async function getMany(kv: Deno.Kv, keys: string[]): Promise<(Uint8Array | undefined)[]> {
  const parts: Promise<Deno.KvEntryMaybe<Uint8Array>[]>[] = [];
  for (let at = 0; at < keys.length; at += MANY_MAX) {
    const part = keys.slice(at, at + MANY_MAX).map((key) => [key]);
    parts.push(kv.getMany<Uint8Array[]>(part));
  }
  const entries = await Promise.all(parts);
  return entries.flat().map(({ value }) => value ?? undefined);
}

async function scan(kv: Deno.Kv, start?: string, limit?: number): Promise<number> {
  const selector = start === undefined ? { prefix: [] } : { start: [start], end: ["\u{10ffff}"] };
  const options = { batchSize: Math.min(limit ?? CHUNK, CHUNK) };
  const rows = kv.list<Uint8Array>(
    selector,
    limit === undefined ? options : { ...options, limit },
  );
  let size = 0;
  for await (const { key, value } of rows) size += (key[0] as string).length + value.length;
  return size;
}

async function openStore(path: string): Promise<OpenStore> {
  const kv = await Deno.openKv(path);
  return {
    get: async (key) => (await kv.get<Uint8Array>([key])).value ?? undefined,
    getMany: (keys) => getMany(kv, keys),
    scan: (start, limit) => scan(kv, start, limit),
    put: (key, value) => kv.set([key], value),
    async write(entries) {
      let [atomic, count, size] = [kv.atomic(), 0, 0];
      for (const [key, value] of entries) {
        if (count === CHANGES_MAX || size + value.length > CHANGES_SIZE_MAX) {
          await atomic.commit();
          [atomic, count, size] = [kv.atomic(), 0, 0];
        }
        atomic.set([key], value);
        count += 1;
        size += key.length + value.length;
      }
      await atomic.commit();
    },
    close: () => kv.close(),
  };
}

/** Deno.Kv. */
export const denokv: Finder = {
  id: "denokv",
  name: "Deno.Kv",
  find(): Engine | string {
    if (process.versions["bun"] !== undefined) return "Deno alone has it";
    if (typeof Deno.openKv !== "function") return "not switched on (--unstable-kv)";
    return {
      id: "denokv",
      name: "Deno.Kv",
      kind: "js",
      version: Deno.version.deno,
      options: { flushed: "no choice", unflushed: "no choice" },
      valueMax: VALUE_MAX,
      open: (path) => openStore(path),
    };
  },
};
