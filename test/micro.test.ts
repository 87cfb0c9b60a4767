/** The micro-benchmarks run and keep what they measured. Nothing here says anything of speed. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { currentRuntime } from "../ffi/runtimes.ts";
import type { Measurement } from "../bench/micro/measure.ts";
import { Folder } from "./Peer.ts";

function fileOf(path: string): string {
  return fileURLToPath(new URL(`../${path}`, import.meta.url));
}

/** Runs a micro-benchmark; what it kept. */
function measure(name: string): readonly Measurement[] {
  using folder = new Folder();
  const json = folder.file("micro.json");
  const [program, ...first] = currentRuntime().command;
  const more = currentRuntime().name === "deno" ? ["--no-check"] : [];
  const own = [fileOf("bench/micro/micro_main.ts"), name, "--quick", "--engines", "zeolite"];
  const all = [...first, ...more, ...own, "--json", json];
  const { status, stdout, stderr } = spawnSync(program, all, {
    encoding: "utf8",
    env: process.env,
  });
  assert.equal(status, 0, `${stdout}${stderr}`);
  const { measurements } = JSON.parse(readFileSync(json, "utf8"));
  for (const { id, p25, p50, p75 } of measurements) {
    assert.ok(p25 > 0 && p25 <= p50 && p50 <= p75, id);
  }
  return measurements;
}

function idsOf(measurements: readonly Measurement[]): string[] {
  return [...new Set(measurements.map(({ id }) => id))];
}

const isBuilt = ["so", "dylib"].some((end) => existsSync(fileOf(`zig-out/lib/liblayers.${end}`)));
const skip = isBuilt ? false : "liblayers is not built: npm run bench btree_ops builds it";
if (skip !== false) console.log(`skipped: ${skip}`);

test("micro: the tree by page size and width of vectors", { skip }, () => {
  const measurements = measure("btree_ops");
  const wanted = ["search", "get", "cursor", "insert_fit", "insert_split", "delete"];
  assert.deepEqual(idsOf(measurements), wanted);
  const noteOf = (name: string) => measurements.find(({ id }) => id === name)!.note;
  // A leaf that is full is split by a new key, one with room is not; deleting all gives all back.
  assert.equal(noteOf("insert_fit"), undefined);
  assert.match(noteOf("insert_split")!, /^[1-9]\d+ pages/);
  assert.match(noteOf("delete")!, /^[1-9]\d+ pages/);
  for (const id of wanted) {
    const variants = measurements.filter((one) => one.id === id).map(({ variant }) => variant);
    assert.ok(variants.some((variant) => variant.includes("baseline")), id);
  }
});

test("micro: free space and pages", { skip }, () => {
  const wanted = [
    "allocate",
    "allocate_group",
    "allocate_run",
    "release",
    "release_run",
    "page_create",
  ];
  assert.deepEqual(idsOf(measure("page_alloc")), wanted);
});

test("micro: single calls of an engine", () => {
  const wanted = ["get", "get_many", "scan_100", "put", "put_durable"];
  assert.deepEqual(idsOf(measure("db_comparison")), wanted);
});

test("micro: a mix, by one thread and by Workers", () => {
  const variants = measure("realistic").filter(({ id }) => id === "mix");
  assert.deepEqual(variants.map(({ variant }) => variant), [
    "Zeolite, one thread",
    "Zeolite, 2 Workers",
  ]);
});
