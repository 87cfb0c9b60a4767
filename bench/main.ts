/**
 * Measures Zeolite beside its peers on the runtime that runs this.
 *
 * Usage: main.ts [--quick] [--json FILE]
 *        main.ts --count ENGINE [--quick]    what strace watches; prints nothing
 *        main.ts --write FILE JSON…          makes RESULTS.md of the files of earlier runs
 */
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import type { Row } from "./compare.ts";
import { Keys } from "./data.ts";
import type { Engine } from "./engines/engine.ts";
import { findLmdb } from "./engines/lmdb.ts";
import { zeolite } from "./engines/zeolite.ts";
import { commitMarked, countFlushes } from "./flushes.ts";
import { describeMachine } from "./machine.ts";
import { markdown, type Results } from "./report.ts";
import { Run } from "./run.ts";
import { type Sizes, sizesOf } from "./sizes.ts";
import { Folder } from "./stores.ts";
import { commits } from "./workloads/commits.ts";
import { FloorFile } from "./workloads/floors.ts";
import { loads } from "./workloads/loads.ts";
import { reads } from "./workloads/reads.ts";

/** Every peer that might be here. */
async function findEngines(): Promise<{ engines: Engine[]; absent: string[] }> {
  const lmdb = await findLmdb();
  return lmdb === null
    ? { engines: [zeolite], absent: ["lmdb-js"] }
    : { engines: [zeolite, lmdb], absent: [] };
}

/** Adds to the rows how often each engine flushed. */
function addFlushes(rows: readonly Row[], run: Run): void {
  const counts = new Map(run.engines.map((engine) => {
    return [engine.name, countFlushes(engine, run.folder, run.sizes)];
  }));
  for (const row of rows) {
    const flushes: Record<string, number> = {};
    for (const [name, counted] of counts) {
      if (counted?.[row.name] !== undefined) flushes[name] = counted[row.name]!;
    }
    if (Object.keys(flushes).length === 0) continue;
    row.flushes = flushes;
    const texts = Object.entries(flushes).map(([name, count]) => `${name} ${count.toFixed(1)}`);
    console.log(
      `${row.name.padEnd(48)} flushes per 1,000 puts: ${texts.join(", ")}`,
    );
  }
}

/** Runs everything once. */
async function runAll(sizes: Sizes): Promise<Results> {
  const begin = performance.now();
  using folder = new Folder();
  const machine = describeMachine(folder.path);
  const { engines, absent } = await findEngines();
  const versions = Object.fromEntries(
    engines.map(({ name, version }) => [name, version]),
  );
  console.log(
    `${machine.runtimeTitle} ${machine.runtimeVersion}, ${JSON.stringify(versions)}`,
  );
  for (const name of absent) console.log(`${name} is not installed`);
  const run = new Run(engines, sizes, folder);
  const keys = new Keys(sizes.entries);
  using file = new FloorFile(folder.path);
  await loads(run, keys);
  await reads(run, keys);
  await commits(run, keys, file);
  addFlushes(run.rows, run);
  const seconds = Math.round((performance.now() - begin) / 1000);
  console.log(`${seconds} s`);
  return { machine, versions, absent, sizes, seconds, rows: run.rows };
}

async function count(name: string, sizes: Sizes): Promise<void> {
  using folder = new Folder();
  const { engines } = await findEngines();
  const engine = engines.find((one) => one.name === name);
  if (engine === undefined) {
    throw new Error(`Cannot count flushes: no engine is named "${name}"`);
  }
  await commitMarked(engine, folder, sizes);
}

const { values, positionals } = parseArgs({
  args: process.argv.slice(2),
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "string" },
    count: { type: "string" },
    write: { type: "string" },
  },
  allowPositionals: true,
});
const sizes = sizesOf(values.quick);
if (values.write !== undefined) {
  const all = positionals.map((path): Results => JSON.parse(readFileSync(path, "utf8")));
  writeFileSync(values.write, markdown(all));
} else if (values.count !== undefined) {
  await count(values.count, sizes);
} else {
  const results = await runAll(sizes);
  if (values.json !== undefined) {
    writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
  }
}
