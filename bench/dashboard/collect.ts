/**
 * Gathers what was kept: the results of `npm run bench -- --json`, of micro-benchmarks, of the gate
 * and of profiles, and the history of earlier results. What has no file is not there; a file that
 * cannot be read is named.
 */
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import type { GateReport } from "../gate/page.ts";
import type { Measurement } from "../micro/measure.ts";
import type { Profile } from "../profile/profile.ts";
import { OURS, type Results } from "../report.ts";
import { median } from "../timing.ts";

/** A micro-benchmark that was kept. */
export interface MicroResults {
  readonly name: string;
  readonly title: string;
  readonly machine: Results["machine"];
  readonly measurements: readonly Measurement[];
}

/** The figures of one commit. */
export interface HistoryEntry {
  readonly commit: string;
  /** Seconds since 1970. */
  readonly date: number;
  readonly runtime: string;
  /** Nanoseconds of one operation, or bytes, by workload. */
  readonly times: Readonly<Record<string, number>>;
}

/** Everything. */
export interface Collected {
  readonly runs: readonly Results[];
  readonly micros: readonly MicroResults[];
  readonly gate: GateReport | undefined;
  readonly profiles: readonly (Profile & { readonly link: string })[];
  readonly history: readonly HistoryEntry[];
  readonly unreadable: readonly string[];
}

/** The file that keeps what earlier runs found, a line each. */
export const HISTORY = "history.jsonl";

/** What of a run is kept for trends. */
export function historyEntry(results: Results, commit: string, date: number): HistoryEntry {
  const times = results.rows.flatMap(({ id, times }): [string, number][] => {
    const own = times[OURS] ?? [];
    return own.length === 0 ? [] : [[id, median(own)]];
  });
  return { commit, date, runtime: results.machine.runtime, times: Object.fromEntries(times) };
}

/** Adds an entry, once for each commit and runtime: the last run of a commit counts. */
export function addHistory(folder: string, entry: HistoryEntry): void {
  mkdirSync(folder, { recursive: true });
  appendFileSync(join(folder, HISTORY), `${JSON.stringify(entry)}\n`);
}

/** The entries of a history, the last of each commit and runtime, the oldest first. */
export function readHistory(text: string): HistoryEntry[] {
  const last = new Map<string, HistoryEntry>();
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const entry = JSON.parse(line) as HistoryEntry;
    last.set(`${entry.runtime} ${entry.commit}`, entry);
  }
  return [...last.values()].sort((a, b) => a.date - b.date);
}

/** Reads a folder of results. */
export function collect(folder: string): Collected {
  const runs: Results[] = [];
  const micros: MicroResults[] = [];
  const profiles: (Profile & { link: string })[] = [];
  const unreadable: string[] = [];
  let gate: GateReport | undefined;
  const read = (path: string, use: (value: Record<string, unknown>) => void): void => {
    try {
      use(JSON.parse(readFileSync(path, "utf8")));
    } catch (error) {
      unreadable.push(`${basename(path)}: ${(error as Error).message}`);
    }
  };
  for (const name of namesIn(folder)) {
    read(join(folder, name), (value) => {
      if ("findings" in value) gate = value as unknown as GateReport;
      else if ("measurements" in value) micros.push(value as unknown as MicroResults);
      else if ("rows" in value && "engines" in value) runs.push(value as unknown as Results);
    });
  }
  for (const name of namesIn(join(folder, "profile"))) {
    read(join(folder, "profile", name), (value) => {
      const link = `profile/${name.replace(/\.json$/, ".html")}`;
      if ("hottest" in value) profiles.push({ ...value as unknown as Profile, link });
    });
  }
  const kept = join(folder, HISTORY);
  const history = existsSync(kept) ? readHistory(readFileSync(kept, "utf8")) : [];
  return { runs, micros, gate, profiles, history, unreadable };
}

function namesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter((name) => name.endsWith(".json")).sort();
}

/** Keeps the results that are there as the baseline that later pages compare with. */
export function keepBaseline(folder: string): void {
  const target = join(folder, "baseline");
  mkdirSync(target, { recursive: true });
  for (const name of namesIn(folder)) copyFileSync(join(folder, name), join(target, name));
}
