/** What `npm run perf` makes of figures: tables of builds and of page sizes, and its steps. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { findBolt } from "../scripts/builds_bolt.mjs";
import {
  buildArguments,
  builds,
  compareArguments,
  libraryOf,
  pageTable,
  ratiosOf,
} from "../scripts/builds.mjs";

test("perf: a build is held against the shipped one, round by round", () => {
  const columns = [
    { name: "zeolite", figures: [10, 20, 40] },
    { name: "base", figures: [20, 20, 20] },
    { name: "lmdb", figures: [1, 1, 1] },
  ];
  const alone = [{ name: "lmdb", figures: [1] }];
  const rows = [{ id: "get-hot", columns }, { id: "open", columns: alone }];
  assert.deepEqual(ratiosOf({ rows }), [["get-hot", 1]]);
});

test("perf: every build has a folder of its own", () => {
  const names = builds.map(([name]) => name as string);
  assert.ok(names.includes("native") && names.includes("ReleaseSafe"));
  for (const [name, args] of builds as [string, string[]][]) {
    const all: string[] = buildArguments(args, name);
    const prefix = all[all.indexOf("--prefix") + 1]!;
    assert.ok(libraryOf(name).startsWith(prefix), prefix);
    assert.ok(!all.includes("zig-out"));
    assert.ok(compareArguments(name, true).includes(libraryOf(name)));
  }
});

test("perf: BOLT has its steps where it is installed", () => {
  const script = fileURLToPath(new URL("../scripts/perf.mjs", import.meta.url));
  const { stdout } = spawnSync("node", [script, "--list"], { encoding: "utf8" });
  assert.match(stdout, /^build native /m);
  assert.equal(/^build BOLT .*\ncompare BOLT /m.test(stdout), findBolt() !== undefined);
});

test("perf: the table of page sizes rises, whatever the order of the columns", () => {
  const columns = [
    { name: "4 KiB", figures: [100, 300, 200] },
    { name: "512 B", figures: [25_000] },
  ];
  const report = { rows: [{ title: "get", unit: "ns", columns }], entries: 9, rounds: 3, seed: 1 };
  const [head, , line] = pageTable(report).split("\n");
  assert.match(head!, /^\| one operation \| 512 B \| 1 KiB \| .* \| 64 KiB \|$/);
  assert.match(line!, /^\| get \| 25\.0 µs \| – \| – \| 200 ns \| – \|/);
});

test("perf: the documents have a place for that table", () => {
  const text = readFileSync(new URL("../docs/performance.md", import.meta.url), "utf8");
  const begin = text.indexOf("<!-- page sizes -->");
  assert.ok(begin > 0 && text.indexOf("<!-- end of page sizes -->") > begin);
});
