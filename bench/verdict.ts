/**
 * What Zeolite is to reach against the best peer of the same run, and whether it did. A target is a
 * lead: how many times as fast, so that one for a time is its inverse. None is ever changed by what
 * was measured.
 */
import { appendFloors } from "./workloads/floors.ts";
import { OURS, type Ratio, ratioOf, type Results } from "./report.ts";
import { median } from "./timing.ts";
import type { Row } from "./turns.ts";

/** What is to be reached in one workload. */
interface Target {
  readonly workload: string;
  /** Which opening of Zeolite; the default one if left out. */
  readonly ours?: string;
  /** The best engine with an API for JavaScript, if left out; or an engine, or a floor. */
  readonly against?: string;
  /** The lead that is the target, where the runtimes differ one for each. */
  readonly least: number | { readonly bun: number; readonly deno: number };
  /** The lead that is hoped for. */
  readonly aim?: number;
}

const EXCLUSIVE = "zeolite-exclusive";
/** At most 0.6 of the time. */
const SIX_TENTHS = 1 / 0.6;
/** At most 1.25 and 1.15 times the time of a floor. */
const NEAR_NATIVE = 1 / 1.25;
const NEAR_NODE = 1 / 1.15;

const targets: readonly Target[] = [
  { workload: "get_hot", least: 5 },
  { workload: "view_hot", least: 3.5 },
  { workload: "get_random", least: 2.5 },
  { workload: "get_random", against: "native-lmdb", least: 1.2 },
  { workload: "get_many", least: 10 },
  { workload: "scan_100", least: { bun: 2, deno: 5 } },
  { workload: "scan_full", least: { bun: 2, deno: 5 } },
  { workload: "load_seq", least: 2 },
  { workload: "load_random", least: 3 },
  { workload: "put_1m", least: 2.5, aim: 3.5 },
  { workload: "put_1m", ours: EXCLUSIVE, least: 7 },
  { workload: "txn100_random_durable", least: SIX_TENTHS },
  { workload: "put_durable", least: 1 },
  { workload: "put_durable", against: appendFloors.native.name, least: NEAR_NATIVE },
  { workload: "await_durable", least: 1 },
  { workload: "await_durable", against: appendFloors.native.name, least: NEAR_NATIVE },
  { workload: "await_pair_durable", against: appendFloors.async.name, least: NEAR_NODE },
  { workload: "writers_64", least: 6, aim: 9 },
  ...[
    "path_write_fast",
    "path_write_many",
    "path_write_many_new",
    "path_read",
    "path_read_links",
    "path_read_fast",
    "path_read_many_fast",
  ].map((workload) => ({ workload, least: 3 })),
  { workload: "mixed", least: 4 },
  { workload: "mixed_workers", least: 4 },
  ...["1kb", "4kb", "1mb"].flatMap((size) => [
    { workload: `write_${size}`, least: 1 },
    { workload: `read_${size}`, least: 1 },
  ]),
];

/** The workloads that have a target. */
export const judgedWorkloads: readonly string[] = [
  ...new Set(targets.map(({ workload }) => workload)),
];

/** Whether a target was reached. */
export interface Verdict {
  readonly row: Row;
  /** The opening of Zeolite, and what it is held against, by their ids. */
  readonly ours: string;
  readonly against: string;
  readonly least: number;
  readonly aim: number | undefined;
  readonly ratio: Ratio;
  readonly isReached: boolean;
}

/** The ids of the engines with an API for JavaScript that were measured. */
function jsPeers(row: Row, { engines }: Pick<Results, "engines">): string[] {
  return engines.filter(({ id, kind }) => kind === "js" && (row.times[id]?.length ?? 0) > 0)
    .map(({ id }) => id);
}

/** The peer that is fastest at a workload, or smallest. */
export function bestPeer(row: Row, results: Pick<Results, "engines">): string | undefined {
  const peers = jsPeers(row, results);
  return peers.toSorted((a, b) => median(row.times[a]!) - median(row.times[b]!))[0];
}

function judge(target: Target, row: Row, results: VerdictsOf): Verdict | undefined {
  const { ours = OURS, aim } = target;
  const against = target.against ?? bestPeer(row, results);
  if (against === undefined) return undefined;
  const ratio = ratioOf(row, ours, against);
  if (ratio === undefined) return undefined;
  const least = typeof target.least === "number"
    ? target.least
    : target.least[results.machine.runtime];
  return { row, ours, against, least, aim, ratio, isReached: ratio.middle >= least };
}

/** What verdicts are made of. */
export type VerdictsOf = Pick<Results, "engines" | "rows" | "machine">;

/** The verdicts on a run: what was not reached first, the farthest first. */
export function verdictsOf(results: VerdictsOf): Verdict[] {
  const all = targets.flatMap((target) => {
    const row = results.rows.find(({ id }) => id === target.workload);
    const verdict = row === undefined ? undefined : judge(target, row, results);
    return verdict === undefined ? [] : [verdict];
  });
  return all.toSorted((a, b) => a.ratio.middle / a.least - b.ratio.middle / b.least);
}

/** Rows without a target in which a peer is ahead, the farthest first. */
export function lostRows(results: VerdictsOf): Verdict[] {
  const judged = new Set(judgedWorkloads);
  return results.rows.flatMap((row) => {
    if (judged.has(row.id)) return [];
    const verdict = judge({ workload: row.id, least: 1 }, row, results);
    return verdict === undefined || verdict.isReached ? [] : [verdict];
  }).toSorted((a, b) => a.ratio.middle - b.ratio.middle);
}
