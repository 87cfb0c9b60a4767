/**
 * The reader of the demo: a process of its own that opens the store while another writes it, looks
 * at one snapshot after another until the last is written, and puts its report into the store.
 *
 * It prints `ready` when it has opened the store, and then a line for each state it sees. A
 * snapshot is consistent if the cities, their number and the sum of their people are those that the
 * writer noted in the same commit.
 */
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { currentRuntime } from "../../ffi/runtimes.ts";
import { open, type Store } from "../mod.ts";
import { type Progress, type ReaderReport, sumPopulation, tablesOf } from "./demo_cities.ts";

/** How long to wait for the next commit before looking again, in milliseconds. */
const PAUSE_MS = 2;

interface Seen {
  readonly progress: Progress;
  readonly isConsistent: boolean;
}

/** Looks at the newest snapshot; `undefined` if nothing is written yet, or nothing since. */
function look(store: Store, citiesBefore: number): Seen | undefined {
  const tables = tablesOf(store);
  using snapshot = store.snapshot();
  const last = tables.progress.at(snapshot).getRange({ reverse: true, limit: 1 }).first();
  if (last === undefined || last.value.cities === citiesBefore) return undefined;
  const progress = last.value;
  const counts = [tables.cities, tables.names, tables.ranking].map((table) =>
    table.at(snapshot).getCount()
  );
  const isConsistent = counts.every((count) => count === progress.cities) &&
    sumPopulation(tables.cities.at(snapshot)) === progress.population;
  return { progress, isConsistent };
}

/** Looks until the writer has written its last commit. */
async function watch(store: Store): Promise<ReaderReport> {
  const start = performance.now();
  let before: Progress = { cities: 0, population: 0, isLast: false };
  let [states, unfinished, rowsRead] = [0, 0, 0];
  let [isGrowing, isConsistent] = [true, true];
  while (!before.isLast) {
    const seen = look(store, before.cities);
    if (seen === undefined) {
      await sleep(PAUSE_MS);
      continue;
    }
    const { progress } = seen;
    states += 1;
    rowsRead += progress.cities;
    if (!progress.isLast) unfinished += 1;
    isGrowing &&= progress.cities > before.cities && progress.population >= before.population;
    isConsistent &&= seen.isConsistent;
    before = progress;
    process.stdout.write(`saw ${progress.cities}\n`);
  }
  const { cities, population } = before;
  const seconds = (performance.now() - start) / 1000;
  const runtime = currentRuntime().title;
  return {
    runtime,
    states,
    unfinished,
    rowsRead,
    seconds,
    isGrowing,
    isConsistent,
    cities,
    population,
  };
}

/** Watches the store that the command line names, and leaves in it what was seen. */
export async function main([path]: readonly string[]): Promise<void> {
  if (path === undefined) throw new TypeError("the reader needs the path of a store");
  const store = open(path, { create: false });
  process.stdout.write("ready\n");
  const report = await watch(store);
  await tablesOf(store).reports.put("reader", report);
  await store.close();
}

if (import.meta.main) await main(process.argv.slice(2));
