/**
 * The benchmarks work: every workload runs, its figures are read back, and verdicts and plots come
 * out of them. Nothing here says anything about speed. No peer is installed for it: those that are
 * not there are skipped.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { shuffled } from "../bench/data.ts";
import { limits } from "../bench/limits.ts";
import type { Results } from "../bench/report.ts";
import type { Row } from "../bench/turns.ts";
import { judgedWorkloads, lostRows, type VerdictsOf, verdictsOf } from "../bench/verdict.ts";
import { chooseWorkloads } from "../bench/workloads/all.ts";
import { currentRuntime } from "../ffi/runtimes.ts";
import { Folder } from "./Peer.ts";

/** What is little enough for a test. */
const LITTLE = ["--quick", "--rounds", "1", "--entries", "2000"];

/** Runs a file of `bench` on this runtime; what it printed. */
function runFile(name: string, ...args: readonly string[]): string {
  const { name: runtime, command } = currentRuntime();
  const [program, ...first] = command;
  const file = fileURLToPath(new URL(`../bench/${name}`, import.meta.url));
  const more = runtime === "deno" ? ["--unstable-kv", "--no-check"] : [];
  const all = [...first, ...more, file, ...args];
  const { status, stdout, stderr } = spawnSync(program, all, {
    encoding: "utf8",
    env: process.env,
  });
  assert.equal(status, 0, `${stdout}${stderr}`);
  return stdout;
}

function measure(path: string, ...args: readonly string[]): Results {
  runFile("main.ts", ...LITTLE, "--json", path, ...args);
  return JSON.parse(readFileSync(path, "utf8"));
}

function assertMeasured({ rows, engines }: Results): void {
  for (const row of rows) {
    assert.deepEqual(row.refused, {}, row.id);
    const names = [...row.floors, ...engines.map(({ id }) => id)].filter((id) => {
      return id !== "zeolite-exclusive";
    });
    for (const name of row.group === "floors" ? row.floors : names) {
      assert.equal(row.times[name]?.length, 1, `${row.id}, ${name}`);
      assert.ok(row.times[name]![0]! > 0, `${row.id}, ${name}`);
    }
  }
}

test("bench: every workload runs, and RESULTS.md comes of it", () => {
  using folder = new Folder();
  const path = folder.file("results.json");
  const results = measure(path, "--engines", "zeolite");
  assert.deepEqual(results.rows.map(({ id }) => id), chooseWorkloads().map(({ id }) => id));
  assertMeasured(results);
  const counted = results.rows.find(({ id }) => id === "put_durable")!.flushes;
  if (counted !== undefined) assert.ok(Math.abs(counted["zeolite"]! - 1000) < 50);
  runFile("write_main.ts", folder.path, path);
  const page = readFileSync(folder.file("RESULTS.md"), "utf8");
  for (const { title } of results.rows) assert.ok(page.includes(title), title);
  for (const [, plot] of page.matchAll(/\]\((plots\/[^)]+)\)/g)) {
    assert.match(readFileSync(folder.file(plot!), "utf8"), /^<svg .*<\/svg>\n$/s);
  }
});

const peers = fileURLToPath(new URL("../bench/node_modules", import.meta.url));
const skip = existsSync(peers) ? false : "the peers are not installed; npm run bench installs them";
if (skip !== false) console.log(`skipped: ${skip}`);

test("bench: every installed peer is measured", { skip }, () => {
  using folder = new Folder();
  const only = "load_random,get_random,get_many,scan_full,txn100_random,await_durable";
  const results = measure(folder.file("results.json"), "--only", only);
  assert.ok(results.engines.some(({ kind }) => kind === "js"));
  assertMeasured(results);
});

test("bench: what does not exist is refused", () => {
  assert.throws(() => chooseWorkloads(["get_hot", "nothing"]), /Cannot measure "nothing"/);
  assert.deepEqual(chooseWorkloads(["mixed"]).map(({ id }) => id), ["mixed", "mixed_workers"]);
});

test("bench: a shuffled order has every place once, and is that of its seed", () => {
  const order = shuffled(100, 7);
  assert.deepEqual([...order].sort((a, b) => a - b), Array.from({ length: 100 }, (_, at) => at));
  assert.deepEqual(order, shuffled(100, 7));
  assert.notDeepEqual(order, shuffled(100, 8));
});

/** A row with these times. */
function rowOf(id: string, times: Row["times"]): Row {
  const words = { group: "reads", operation: "gets", unit: "rate" } as const;
  return { id, title: id, ...words, times, floors: [], refused: {} };
}

test("bench: a verdict pairs the rounds, takes the best peer, and puts losses first", () => {
  const peer = { version: "1", options: { flushed: "", unflushed: "" }, name: "" };
  const results = {
    machine: { runtime: "bun" },
    engines: [
      { ...peer, id: "zeolite", kind: "ours" },
      { ...peer, id: "slow", kind: "js" },
      { ...peer, id: "fast", kind: "js" },
      { ...peer, id: "c", kind: "native" },
    ],
    rows: [
      rowOf("get_random", { zeolite: [1, 2, 4], slow: [9, 9, 9], fast: [3, 4, 16], c: [1, 1, 1] }),
      rowOf("get_hot", { zeolite: [1, 1, 1], slow: [9, 9, 9], fast: [2, 2, 2] }),
      rowOf("open", { zeolite: [4, 4, 4], fast: [1, 2, 3] }),
      rowOf("get_missing", { zeolite: [1, 1, 1], fast: [1, 2, 3] }),
    ],
  } as unknown as VerdictsOf;
  const [first, second, ...none] = verdictsOf(results);
  assert.deepEqual(none, []);
  assert.deepEqual([first!.row.id, first!.against, first!.isReached], ["get_hot", "fast", false]);
  assert.deepEqual([second!.row.id, second!.isReached], ["get_random", true]);
  assert.deepEqual(second!.ratio, { middle: 3, least: 2, most: 4 });
  assert.deepEqual(lostRows(results).map(({ row, ratio }) => [row.id, ratio.middle]), [
    ["open", 0.5],
  ]);
});

test("bench: every target says what limits it, and where that was measured", () => {
  const page = readFileSync(new URL("../bench/README.md", import.meta.url), "utf8");
  assert.deepEqual(Object.keys(limits).toSorted(), judgedWorkloads.toSorted());
  for (const { section } of Object.values(limits)) {
    assert.ok(page.includes(`\n## ${section}\n`), section);
  }
});
