/**
 * Measures Zeolite beside its peers on the runtime that runs this. `USAGE` says what it takes.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { findEngines } from "./engines/all.ts";
import { canCount, countFlushes } from "./flushes.ts";
import { RESULTS } from "./folders.ts";
import { describeMachine } from "./machine.ts";
import { type EngineNote, type Results, shorten } from "./report.ts";
import { summary, verdictNotes } from "./results.ts";
import { Run } from "./Run.ts";
import { type Sizes, sizesOf } from "./sizes.ts";
import { RunFolder } from "./stores.ts";
import { numberOf, runProgram } from "./usage.ts";
import { chooseWorkloads } from "./workloads/all.ts";
import type { Workload } from "./workloads/workload.ts";

/** What the command line asks for. */
interface Asked {
  readonly workloads: readonly Workload[];
  readonly engines: readonly string[] | undefined;
  readonly sizes: Sizes;
  readonly seed: number;
}

/** Adds to the rows how often each engine flushed. */
async function addFlushes(
  run: Run,
  workloads: readonly Workload[],
  folder: string,
): Promise<void> {
  const counted = workloads.filter(({ isCounted }) => isCounted === true);
  if (counted.length === 0) return;
  if (!canCount()) {
    console.log("flushes are not counted: strace does not work here");
    return;
  }
  console.log("\nflushes for 1,000 operations");
  for (const { id, name } of run.engines) {
    run.tell(`counting the flushes of ${name}`);
    const counts = await countFlushes(id, counted, folder);
    run.clear();
    for (const row of run.rows) {
      const count = counts.get(row.id);
      if (count !== undefined) (row.flushes ??= {})[id] = count;
    }
    const texts = [...counts].map(([workload, count]) => `${workload} ${shorten(count)}`);
    console.log(`  ${name}: ${texts.join(", ")}`);
  }
}

/** Runs everything once. */
async function runAll({ workloads, engines: ids, sizes, seed }: Asked): Promise<Results> {
  const begin = performance.now();
  using folder = new RunFolder();
  const machine = describeMachine(folder.path);
  const { engines, absent } = await findEngines(ids);
  console.log(`${machine.runtimeTitle} ${machine.runtimeVersion}, seed ${seed}`);
  for (const { name, version } of engines) console.log(`  ${name} ${version}`);
  for (const { name, reason } of absent) console.log(`  ${name} is absent: ${reason}`);
  await using run = new Run(engines, sizes, folder.path, seed);
  await run.add(workloads);
  await addFlushes(run, workloads, folder.path);
  const seconds = Math.round((performance.now() - begin) / 1000);
  const notes = engines.map(({ id, name, kind, version, options }): EngineNote => {
    return { id, name, kind, version, options };
  });
  const results = { machine, engines: notes, absent, sizes, seed, seconds, rows: run.rows };
  console.log(`\n${seconds} s\n${summary(results)}`);
  return results;
}

function wordsOf(text: string | undefined): readonly string[] | undefined {
  return text?.split(",").filter((word) => word !== "");
}

const USAGE = `
Usage: zeolite bench [options]
       zeolite bench db_comparison|btree_ops|page_alloc|realistic [options]

Without a name, every workload, engines taking turns; with one, that micro-benchmark alone, whose
options are --quick, --engines, --milliseconds and --json.

  --quick         little of everything: shows that it works, says nothing about speed
  --only NAMES    workloads or groups of them, with commas between; a wrong one lists them all
  --engines IDS   engines, with commas between; a wrong one lists them all
  --rounds N      how often the engines take turns
  --entries N     entries of the large store
  --seed N        of the order of the turns; printed by every run
  --json FILE     keep the figures in a file
  --keep          keep them where "zeolite dashboard" looks for them
`;

async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      keep: { type: "boolean", default: false },
      only: { type: "string" },
      engines: { type: "string" },
      rounds: { type: "string" },
      entries: { type: "string" },
      seed: { type: "string" },
      json: { type: "string" },
    },
  });
  const rounds = numberOf("rounds", values.rounds);
  const entries = numberOf("entries", values.entries);
  // Before the minutes that it takes: what cannot be kept is told now.
  if (values.json !== undefined) mkdirSync(dirname(values.json), { recursive: true });
  const results = await runAll({
    workloads: chooseWorkloads(wordsOf(values.only)),
    engines: wordsOf(values.engines),
    sizes: sizesOf(values.quick, {
      ...(rounds === undefined ? {} : { rounds }),
      ...(entries === undefined ? {} : { entries }),
    }),
    seed: numberOf("seed", values.seed) ?? Date.now() % 1_000_000_007,
  });
  const text = JSON.stringify({ ...results, verdicts: verdictNotes(results) }, null, 2);
  if (values.json !== undefined) writeFileSync(values.json, `${text}\n`);
  if (!values.keep) return;
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(join(RESULTS, `${results.machine.runtime}.json`), `${text}\n`);
}

/** Runs what the command line asks for. */
export async function main(args: readonly string[]): Promise<void> {
  await runProgram(USAGE, args, run);
}

if (import.meta.main) await main(process.argv.slice(2));
