/**
 * The gate: its statistics on noise that is made here, that it catches a slowdown and lets an
 * unchanged tree pass, and that it runs. Nothing here measures time that counts.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { findingOf, passes } from "../bench/gate/gate.ts";
import { type Block, logRatio } from "../bench/gate/Pair.ts";
import {
  blocksNeeded,
  intervalOf,
  isNarrow,
  judge,
  noiseOf,
  outside,
  type Rules,
  tailOf,
} from "../bench/gate/statistics.ts";
import { Random } from "../bench/data.ts";
import { currentRuntime } from "../ffi/runtimes.ts";
import { nextTurns, plant, table } from "../scripts/experiment.mjs";
import { Folder } from "./Peer.ts";
import { mkdirSync, writeFileSync } from "node:fs";

const rules: Rules = { threshold: 0.1, alpha: 0.05 };
/** The workloads of a whole run, by both clocks. */
const COMPARISONS = 26;
/** The noise of a block that was measured on a machine of two busy cores. */
const NOISE = 0.04;

/** A number of a bell curve, now and then of a wide one: a block in which the machine stalled. */
function noise(random: Random, stalls: number): number {
  const uniform = () => (random.below(2 ** 31) + 1) / (2 ** 31 + 1);
  const bell = Math.sqrt(-2 * Math.log(uniform())) *
    Math.cos(2 * Math.PI * uniform());
  return NOISE * bell * (uniform() < stalls ? 8 : 1);
}

/** The judgement of one workload, blocks being added as the gate does. */
function simulate(random: Random, slowdown: number, stalls: number): string {
  const tail = tailOf(rules, COMPARISONS);
  const figures: number[] = [];
  while (figures.length < 30) {
    figures.push(Math.log1p(slowdown) + noise(random, stalls));
    if (figures.length >= 10 && isNarrow(intervalOf(figures, tail), rules)) {
      break;
    }
  }
  return judge(intervalOf(figures, tail), rules);
}

test("gate: the signed-rank cuts are those of the tables", () => {
  // One end, 2.5 %: the critical sums of Wilcoxon's test are 0, 8, 25 and 52.
  assert.deepEqual([6, 10, 15, 20].map((count) => outside(count, 0.025)), [
    0,
    8,
    25,
    52,
  ]);
  assert.equal(outside(5, 0.025), -1);
  assert.equal(blocksNeeded(0.025), 6);
});

test("gate: an interval lies around what was put in", () => {
  const figures = [0.1, 0.12, 0.08, 0.11, 0.09, 5];
  const { low, middle, high } = intervalOf(figures, 0.05);
  assert.ok(low <= 0.1 && middle > 0.08 && middle < 0.2 && high > middle);
  assert.deepEqual(intervalOf([0.1], 0.01), {
    low: -Infinity,
    middle: 0.1,
    high: Infinity,
  });
  assert.ok(Math.abs(noiseOf([1, 2, 3, 4, 5]) - 1.4826) < 1e-9);
});

for (const stalls of [0, 0.1]) {
  const text = stalls === 0 ? "steady noise" : "stalls";
  test(`gate: with ${text}, 15 % is caught and no change passes, 19 times of 20 at least`, () => {
    const random = new Random(11 + stalls * 10);
    const [runs, workloads] = [200, COMPARISONS];
    let caught = 0;
    let clean = 0;
    for (let run = 0; run < runs; run += 1) {
      if (simulate(random, 0.15, stalls) === "slower") caught += 1;
      const all = Array.from(
        { length: workloads },
        () => simulate(random, 0, stalls),
      );
      if (!all.includes("slower")) clean += 1;
    }
    assert.ok(caught >= 0.95 * runs, `caught ${caught} of ${runs}`);
    assert.ok(clean >= 0.95 * runs, `passed ${clean} of ${runs}`);
  });
}

test("gate: noise alone fails nothing, however wide it is", () => {
  const random = new Random(5);
  const tail = tailOf(rules, 1);
  let failed = 0;
  for (let run = 0; run < 400; run += 1) {
    const figures = Array.from({ length: 12 }, () => 20 * noise(random, 0.2));
    if (judge(intervalOf(figures, tail), rules) === "slower") failed += 1;
  }
  assert.ok(failed <= 0.08 * 400, `${failed} of 400`);
});

/** Blocks in which the head takes so many times as long. */
function blocks(count: number, cpu: number, wall: number = cpu): Block[] {
  return Array.from({ length: count }, (_, index) => {
    const times = (ratio: number) => ({
      base: [100, 110],
      head: [100 * ratio + index / 10, 110 * ratio],
    });
    return { cpu: times(cpu), wall: times(wall) };
  });
}

test("gate: either clock can fail a workload, and what cannot be done is told", () => {
  const workload = { id: "get_hot", title: "get" };
  const judged = (all: Block[], refusal?: Parameters<typeof findingOf>[2]) => {
    return findingOf(workload, all, refusal, rules, 0.002);
  };
  assert.ok(
    Math.abs(logRatio(blocks(1, 1.5)[0]!.cpu) - Math.log(1.5)) < 1e-9,
  );
  assert.equal(judged(blocks(12, 1)).judgement, "same");
  assert.equal(judged(blocks(12, 1.5)).judgement, "slower");
  assert.equal(judged(blocks(12, 1, 1.5)).judgement, "slower");
  assert.equal(judged(blocks(12, 0.5)).judgement, "faster");
  const broken = judged([], { side: "head", reason: "no get" });
  assert.deepEqual([broken.judgement, broken.reason], [
    "broken",
    "head: no get",
  ]);
  const absent = judged([], { side: "base", reason: "no get" });
  assert.equal(absent.judgement, "absent");
  const unclear = judged(blocks(3, 1));
  assert.equal(unclear.judgement, "unclear");
  assert.equal(passes([absent, unclear], false), true);
  assert.equal(passes([absent, unclear], true), false);
  assert.equal(passes([broken], false), false);
});

test("gate: the loop is planted where every hot call passes, and only there", () => {
  using folder = new Folder();
  mkdirSync(folder.file("zig/abi"), { recursive: true });
  const source = readFileSync(
    new URL("../zig/abi/c_abi.zig", import.meta.url),
    "utf8",
  );
  writeFileSync(folder.file("zig/abi/c_abi.zig"), source);
  plant(folder.path, 77);
  const planted = readFileSync(folder.file("zig/abi/c_abi.zig"), "utf8").split(
    "\n",
  );
  const added = planted.filter((line) => !source.includes(line));
  assert.match(added.join("\n"), /turns: u32 = 77;\n(.*\n)+.*registry\.find\(slowed\)/);
  assert.equal(planted.length, source.split("\n").length + 6);
  const first = { turns: 40, slowdown: 0.3 };
  assert.equal(nextTurns([first]), 20);
  assert.equal(nextTurns([{ turns: 40, slowdown: 0 }]), 160);
  assert.equal(nextTurns([first, { turns: 20, slowdown: 0.1 }]), 25);
});

test("gate: the experiment's table counts what passed and what was caught", () => {
  const finding = {
    id: "get_hot",
    judgement: "slower",
    ratio: 1.15,
    low: 1.1,
    noise: 0.02,
  };
  const note = { seed: 1, seconds: 60, load: 1, worst: [finding] };
  const page = table([
    { ...note, tree: "unchanged", passed: true },
    { ...note, tree: "planted", passed: false },
    { ...note, tree: "planted", passed: true },
  ], {
    turns: 50,
    ratio: { low: 1.14, middle: 1.15, high: 1.16 },
    commit: "abc",
    machine: "m",
  });
  assert.match(page, /passed in \*\*1 of 1\*\*/);
  assert.match(page, /caught in \*\*1 of 2\*\*/);
});

test("gate: it measures two clones and writes what it found", () => {
  using folder = new Folder();
  const root = fileURLToPath(new URL("../", import.meta.url));
  const [program, ...first] = currentRuntime().command;
  const more = currentRuntime().name === "deno" ? ["--no-check"] : [];
  const main = fileURLToPath(new URL("../bench/gate/main.ts", import.meta.url));
  const [json, page] = [folder.file("gate.json"), folder.file("gate.md")];
  const args = [
    "--base",
    root,
    "--head",
    root,
    "--quick",
    "--only",
    "get_hot",
    "--blocks",
    "1",
  ];
  args.push(
    "--blocks-max",
    "1",
    "--pairs",
    "2",
    "--seed",
    "3",
    "--json",
    json,
    "--markdown",
    page,
  );
  const all = [...first, ...more, main, ...args];
  const { status, stdout, stderr } = spawnSync(program, all, {
    encoding: "utf8",
    env: process.env,
  });
  assert.ok(status === 0 || status === 1, `${stdout}${stderr}`);
  const report = JSON.parse(readFileSync(json, "utf8"));
  assert.equal(report.seed, 3);
  assert.equal(report.findings[0].id, "get_hot");
  assert.ok(report.findings[0].blocks.length >= blocksNeeded(0.025));
  for (const block of report.findings[0].blocks) {
    assert.equal(block.cpu.base.length, 2);
    assert.equal(block.wall.head.length, 2);
  }
  assert.match(readFileSync(page, "utf8"), /\| `get_hot` \|/);
  const wrong = spawnSync(program, [...first, ...more, main], {
    encoding: "utf8",
  });
  assert.equal(wrong.status, 2);
});
