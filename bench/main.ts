/**
 * Measures Zeolite beside its peers on the runtime that runs this.
 *
 * Usage: main.ts [--quick] [--only NAMES] [--engines IDS] [--rounds N] [--entries N] [--seed N]
 *                [--json FILE]
 */
import { writeFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { findEngines } from "./engines/all.ts";
import { canCount, countFlushes } from "./flushes.ts";
import { describeMachine } from "./machine.ts";
import { type EngineNote, type Results, shorten } from "./report.ts";
import { summary, verdictNotes } from "./results.ts";
import { Run } from "./Run.ts";
import { type Sizes, sizesOf } from "./sizes.ts";
import { RunFolder } from "./stores.ts";
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

function numberOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (Number.isSafeInteger(number) && number > 0) return number;
  throw new Error(`Cannot use --${name} ${text}: pass a whole number above 0`);
}

/** Runs what the command line asks for. */
export async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
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
  const results = await runAll({
    workloads: chooseWorkloads(wordsOf(values.only)),
    engines: wordsOf(values.engines),
    sizes: sizesOf(values.quick, {
      ...(rounds === undefined ? {} : { rounds }),
      ...(entries === undefined ? {} : { entries }),
    }),
    seed: numberOf("seed", values.seed) ?? Date.now() % 1_000_000_007,
  });
  if (values.json !== undefined) {
    const text = JSON.stringify({ ...results, verdicts: verdictNotes(results) }, null, 2);
    writeFileSync(values.json, `${text}\n`);
  }
}

if (import.meta.main) await main(process.argv.slice(2));
