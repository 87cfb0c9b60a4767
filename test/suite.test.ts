/**
 * How the programs of the suite take their command lines: `--help` tells what there is, wrong usage
 * is told in a line and ends with 2, and neither begins to measure.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { isInstalled } from "../bench/engines/packages.ts";
import { numberOf } from "../bench/usage.ts";
import { currentRuntime } from "../ffi/runtimes.ts";
import { Folder } from "./Peer.ts";

function fileOf(path: string): string {
  return fileURLToPath(new URL(`../${path}`, import.meta.url));
}

/** Runs the command line on this runtime. */
function zeolite(...args: readonly string[]) {
  const { name, command } = currentRuntime();
  const [program, ...first] = command;
  const more = name === "deno" ? ["--no-check"] : [];
  const all = [...first, ...more, fileOf("src/cli/main.ts"), ...args];
  return spawnSync(program, all, { encoding: "utf8", env: process.env });
}

/** What is wrong, and what is said of it. */
const WRONG: readonly (readonly [args: string, text: RegExp])[] = [
  ["bench --nothing", /^Cannot start: Unknown option '--nothing'; --help tells/],
  ["bench nothing", /^Cannot start: Unexpected argument 'nothing'; --help tells/],
  ["bench --only nothing", /^Cannot measure "nothing": groups are .*put_1m/],
  ["bench --engines nothing --only get_hot", /^Cannot measure "nothing": engines are .*lmdb/],
  ["bench --rounds 1.5", /^Cannot use --rounds 1\.5: pass a whole number above 0/],
  ["bench btree_ops page_alloc", /^Cannot measure "btree_ops page_alloc": name one of/],
  ["bench realistic --milliseconds 0", /^Cannot use --milliseconds 0/],
  ["profile nothing", /^Cannot measure "nothing"/],
  ["profile get_hot put_1m", /^Cannot profile put_1m as well/],
  ["profile get_hot --seconds soon", /^Cannot use --seconds soon: pass a number above 0/],
  ["profile floor_key", /^Cannot profile floor_key: it is of the machine/],
  ["dashboard --nothing", /^Cannot start: Unknown option/],
  ["dashboard --results /nothing/here", /^Cannot read \/nothing\/here: there is no such folder/],
];

for (const [args, text] of WRONG) {
  test(`suite: "zeolite ${args}" is refused in one line`, () => {
    const { status, stderr } = zeolite(...args.split(" "));
    assert.match(stderr, text);
    assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
    assert.equal(status, 2);
  });
}

test("suite: figures that could not be kept are told before anything is measured", () => {
  for (const args of [["bench"], ["bench", "realistic"]]) {
    const { status, stdout, stderr } = zeolite(...args, "--json", "/proc/nothing/here.json");
    assert.equal(status, 1);
    assert.match(stderr, /^E\w+: .*\/proc\/nothing/);
    assert.equal(stdout, "");
  }
});

test("suite: --help tells what each command takes", () => {
  for (
    const [name, option] of [["bench", "--keep"], ["profile", "--seconds"], ["dashboard", "--out"]]
  ) {
    const { status, stdout } = zeolite(name!, "--help");
    assert.equal(status, 0);
    assert.match(stdout, /Examples:/);
    assert.ok(stdout.includes(`\n  ${option} `), stdout);
  }
});

test("suite: scripts tell what they take, and refuse the rest before they build anything", () => {
  const run = (script: string, ...args: readonly string[]) => {
    return spawnSync("node", [fileOf(`scripts/${script}.mjs`), ...args], { encoding: "utf8" });
  };
  for (const script of ["bench", "perf", "gate", "compile"]) {
    const help = run(script, "--help");
    assert.equal(help.status, 0, help.stderr);
    assert.match(help.stdout, /^Usage: node scripts\/.*\n(.*\n)*.*--\w+/m);
    const wrong = run(script, "--nothing");
    assert.equal(wrong.status, 2);
    assert.match(wrong.stderr, /^Cannot .*'--nothing'; --help tells what there is\n$/);
  }
  for (
    const args of [
      ["perf", "--minutes", "soon"],
      ["gate", "--threshold", "0"],
      ["gate", "--base", "nothing"],
      ["gate", "--blocks", "many"],
      ["gate", "--only", "nothing"],
      ["gate", "--experiment", "--runs", "0"],
    ]
  ) {
    const { status, stderr, stdout } = run(...args as [string, ...string[]]);
    assert.equal(status, 2, `${args.join(" ")}: ${stdout}${stderr}`);
    assert.ok(stderr.includes(args.at(-1)!), stderr);
    assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
  }
});

test("suite: numbers of options are numbers", () => {
  assert.equal(numberOf("rounds", undefined), undefined);
  assert.equal(numberOf("rounds", "7"), 7);
  assert.equal(numberOf("seconds", "0.5", "any"), 0.5);
  for (const text of ["", " ", "x", "-1", "0", "1e99", "Infinity", "NaN"]) {
    assert.throws(() => numberOf("rounds", text), /Cannot use --rounds/);
  }
});

const skip = isInstalled("echarts")
  ? false
  : "ECharts is not installed: npm install --prefix bench";
if (skip !== false) console.log(`skipped: ${skip}`);

test(
  "suite: a page is made of nothing, and of what was kept; a baseline is kept",
  { skip },
  () => {
    using folder = new Folder();
    mkdirSync(folder.file("results"));
    const make = (...more: readonly string[]) => {
      const out = folder.file("new/page.html");
      const results = folder.file("results");
      const { status, stderr } = zeolite("dashboard", "--results", results, "--out", out, ...more);
      assert.equal(status, 0, stderr);
      return readFileSync(out, "utf8");
    };
    assert.match(make(), /There are no results/);
    const kept = { machine: { runtime: "bun" }, engines: [], rows: [] };
    writeFileSync(folder.file("results/bun.json"), JSON.stringify(kept));
    make("--keep");
    assert.ok(existsSync(folder.file("results/baseline/bun.json")));
    const [line] = readFileSync(folder.file("results/history.jsonl"), "utf8")
      .split("\n");
    assert.match(JSON.parse(line!).commit, /^([0-9a-f]{7,}\+?|unknown)$/);
  },
);
