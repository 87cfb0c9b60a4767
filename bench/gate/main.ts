/**
 * Judges whether one clone is slower than another, on the runtime that runs this.
 *
 * Usage: main.ts --base FOLDER --head FOLDER [--base-name TEXT] [--head-name TEXT] [--only NAMES]
 *          [--threshold PERCENT] [--blocks N] [--blocks-max N] [--pairs N] [--entries N]
 *          [--seed N] [--strict] [--quick] [--json FILE] [--markdown FILE] [--list]
 *   --list  names the workloads and judges none
 * Exit codes: 0 passed, 1 slower or broken, 2 wrong usage.
 */
import { writeFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { describeMachine } from "../machine.ts";
import { sizesOf } from "../sizes.ts";
import { RunFolder } from "../stores.ts";
import { chooseWorkloads } from "../workloads/all.ts";
import { type Effort, passes, runGate } from "./gate.ts";
import { gatePage, type GateReport } from "./page.ts";
import { Pair } from "./Pair.ts";
import type { Rules } from "./statistics.ts";

/**
 * What is guarded: each way through the engine once, and few that wait for the disk, whose noise
 * would hide everything.
 */
const GUARDED = [
  "load_seq",
  "load_random",
  "get_hot",
  "view_hot",
  "get_random",
  "get_missing",
  "get_many",
  "scan_100",
  "scan_full",
  "put_1m",
  "txn100_random",
  "mixed",
  "await_durable",
].join(",");

/**
 * Milliseconds of a turn. On a machine with other programs on both cores the middle pair of a
 * block strayed by 2 % with turns of 3 ms, by 7 to 10 % with turns of 10 or 30 ms, in as much time
 * in all.
 */
const TURN_MS = 3;

/** How often an unchanged tree may fail. */
const ALPHA = 0.05;

const text = (value: string) => ({ type: "string", default: value }) as const;
const flag = { type: "boolean", default: false } as const;

function fail(reason: string): never {
  console.error(
    `Cannot judge: ${reason}; bench/gate/main.ts says what it takes`,
  );
  process.exit(2);
}

function readArguments() {
  const options = {
    base: { type: "string" },
    head: { type: "string" },
    "base-name": text("the base"),
    "head-name": text("the head"),
    only: text(GUARDED),
    threshold: text("10"),
    blocks: text("10"),
    "blocks-max": text("40"),
    pairs: text("40"),
    entries: text("50000"),
    seed: text(String(Date.now() % 1_000_000_007)),
    strict: flag,
    quick: flag,
    list: flag,
    json: { type: "string" },
    markdown: { type: "string" },
  } as const;
  try {
    return parseArgs({ args: process.argv.slice(2), options }).values;
  } catch (error) {
    return fail((error as Error).message.split(". ")[0]!);
  }
}

const values = readArguments();

function numberOf(
  name: "threshold" | "blocks" | "blocks-max" | "pairs" | "entries" | "seed",
) {
  const number = Number(values[name]);
  if (number > 0 && (name === "threshold" || Number.isSafeInteger(number))) {
    return number;
  }
  return fail(`--${name} ${values[name]} is no number above 0`);
}

/** What is judged. */
function chosenWorkloads() {
  const names = values.only.split(",");
  try {
    const chosen = chooseWorkloads(names);
    // A group may have the name of one of its workloads.
    return chosen.filter(({ id, group }) => {
      return names.includes(id) || !chosen.some((other) => other.id === group);
    });
  } catch (error) {
    return fail((error as Error).message.replace(/^Cannot measure /, "--only "));
  }
}

const workloads = chosenWorkloads();
if (values.list) {
  console.log(workloads.map(({ id }) => id).join("\n"));
  process.exit(0);
}
const { base, head } = values;
if (base === undefined || head === undefined) {
  fail("--base and --head are missing");
}
const sizes = {
  ...sizesOf(
    values.quick,
    values.quick ? {} : { entries: numberOf("entries") },
  ),
  ...(values.quick ? {} : { shortMs: TURN_MS, durableMs: 2 * TURN_MS, mixedEntries: 2000 }),
};
const rules: Rules = { threshold: numberOf("threshold") / 100, alpha: ALPHA };
const effort: Effort = {
  blocksMin: numberOf("blocks"),
  blocksMax: numberOf("blocks-max"),
  pairs: numberOf("pairs"),
};
const seed = numberOf("seed");
using folder = new RunFolder();
const machine = describeMachine(folder.path);
console.log(
  `gate: seed ${seed}, ${workloads.length} workloads, ${machine.runtimeTitle}`,
);
const begin = performance.now();
const pair = new Pair({ base, head }, folder.path, sizes, seed, (doing) => {
  if (process.stderr.isTTY !== true) return;
  const seconds = Math.round((performance.now() - begin) / 1000);
  process.stderr.write(`\r\x1b[K${seconds} s, ${doing}`);
});
const findings = await runGate(pair, workloads, rules, effort);
if (process.stderr.isTTY === true) process.stderr.write("\r\x1b[K");
const report: GateReport = {
  passed: passes(findings, values.strict),
  isStrict: values.strict,
  base: values["base-name"],
  head: values["head-name"],
  machine,
  rules,
  effort,
  seed,
  seconds: Math.round((performance.now() - begin) / 1000),
  findings,
};
const page = gatePage(report);
console.log(page);
if (values.json !== undefined) {
  writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
}
if (values.markdown !== undefined) writeFileSync(values.markdown, page);
process.exitCode = report.passed ? 0 : 1;
