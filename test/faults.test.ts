/**
 * System calls that fail, or in which the process is killed: the n-th of a kind, for each n until
 * there
 * is none. Whatever fails is told by a code; what was acknowledged is there at the next open.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Here } from "./children/evaluate.ts";
import { needs } from "./needs.ts";
import { Folder, OTHER, OWN, Peer } from "./Peer.ts";

const NEEDED = needs("strace", "-f", "-o", "/dev/null", "true");
const ROWS = 100;
/** What a failing call may be told as. */
const CODES = ["ZEOLITE_IO", "ZEOLITE_NO_SPACE", "ZEOLITE_POISONED"];

/** Makes a store that is there before anything fails. */
function prepare({ open }: Here, path: string, rows: number): void {
  const store = open(path, { durability: "none" });
  for (let row = 0; row < rows; row += 1) store.putSync(`old ${row}`, "x".repeat(row));
  store[Symbol.dispose]();
}

/** Tells each key that is acknowledged; the codes of all that failed. */
async function work({ open, tell }: Here, path: string): Promise<string[]> {
  const failures: string[] = [];
  const attempt = async (step: () => unknown, key?: string): Promise<void> => {
    try {
      await step();
      if (key !== undefined) tell(key);
    } catch (error) {
      failures.push(String((error as { code?: unknown }).code));
    }
  };
  let store: ReturnType<typeof open> | undefined;
  const opening = (): void => void (store = open(path, { checkpointBytes: 65536 }));
  for (let tries = 0; tries < 2 && store === undefined; tries += 1) await attempt(opening);
  for (let n = 0; n < 3; n += 1) {
    await attempt(() => store!.put(`put ${n}`, "y".repeat(n * 3000)), `put ${n}`);
    await attempt(() => store!.putSync(`sync ${n}`, "z".repeat(n * 3000)), `sync ${n}`);
  }
  const many = Array.from({ length: 10 }, (_, n) => [`many ${n}`, "w".repeat(20_000)] as const);
  await attempt(() => store!.putMany(many), "many 9");
  await attempt(() => store!.checkpoint());
  await attempt(() => store!.put("after", 1), "after");
  await attempt(() => store!.checkpointSync());
  await attempt(() => store!.close());
  return failures;
}

/** What is missing or wrong, now that nothing fails any more. */
async function judge({ open }: Here, path: string, rows: number, keys: readonly unknown[]) {
  const store = open(path);
  const wrong: string[] = [];
  for (let row = 0; row < rows; row += 1) {
    if (store.get(`old ${row}`) !== "x".repeat(row)) wrong.push(`old ${row}`);
  }
  for (const key of keys as string[]) if (!store.has(key)) wrong.push(key);
  if (![0, 10].includes(store.getCount({ prefix: "many " }))) wrong.push("many, in part");
  for (const { page, message } of (await store.check()).errors) wrong.push(`${page}: ${message}`);
  await store.put("at last", 1);
  await store.close();
  return wrong;
}

/** Runs the work with the n-th call failing; whether there was such a call. */
async function fail(judging: Peer, call: string, fault: string, n: number): Promise<boolean> {
  using folder = new Folder();
  const [path, trace] = [folder.file("store"), folder.file("trace")];
  await judging.run(prepare, path, ROWS);
  const files = ["", "-wal", "-lock", "-lock-new"].flatMap((suffix) => ["-P", path + suffix]);
  const inject = `inject=${call}:${fault}:when=${n}`;
  const prefix = [
    "strace",
    "-f",
    "-qq",
    "-o",
    trace,
    ...files,
    "-e",
    `trace=${call}`,
    "-e",
    inject,
  ];
  await using peer = await Peer.start(OWN, { prefix });
  let isKilled = false;
  try {
    const failures = await peer.run(work, path);
    for (const code of failures) assert.ok(CODES.includes(code), `${inject}: ${code}`);
    await peer.end();
  } catch (error) {
    isKilled = /has ended with SIGKILL/.test(String(error));
    if (!isKilled) throw error;
  }
  const wrong = await judging.run(judge, path, ROWS, peer.told);
  assert.deepEqual(wrong, [], inject);
  return isKilled || readFileSync(trace, "utf8").includes("(INJECTED)");
}

const CALLS = [["fdatasync", 1], ["fallocate", 1], ["ftruncate", 1], ["pwrite64", 7]] as const;
for (const [call, step] of CALLS) {
  for (const fault of [call === "fdatasync" ? "error=EIO" : "error=ENOSPC", "signal=KILL"]) {
    test(`faults: ${call} with ${fault} loses nothing acknowledged`, NEEDED, async (t) => {
      await using judging = await Peer.start(OTHER);
      let count = 0;
      for (let n = 1 + Math.floor(Math.random() * step);; n += step) {
        if (!await fail(judging, call, fault, n)) break;
        count += 1;
      }
      t.diagnostic(`${call} with ${fault}: ${count} cases`);
      assert.ok(count > 0);
      await judging.end();
    });
  }
}
