/**
 * Has contenders take turns at one workload, so that whatever disturbs the machine disturbs them
 * all, and keeps every measurement. The order of the turns changes from round to round.
 */
import { measure } from "mitata";
import process from "node:process";

/** Somebody who can do the workload. */
export interface Contender {
  readonly name: string;
  /** Does it; how many nanoseconds one operation took. */
  run(round: number): Promise<number>;
}

/** What a workload is called and how its figures are shown. */
export interface Workload {
  readonly name: string;
  /** What is counted: "gets", "rows". */
  readonly operation: string;
  /** A rate for what is done in large numbers, a time for what somebody waits for. */
  readonly unit: "rate" | "time";
}

/** A workload and what was measured. */
export interface Row extends Workload {
  /** Nanoseconds of one operation, by contender, one figure for each round. */
  readonly times: Readonly<Record<string, readonly number[]>>;
  /** Flushes for 1,000 operations, by contender, where they were counted. */
  flushes?: Readonly<Record<string, number>>;
}

/** Runs a workload. */
export async function compare(
  workload: Workload,
  contenders: readonly Contender[],
  rounds: number,
): Promise<Row> {
  const times: Record<string, number[]> = {};
  for (const { name } of contenders) times[name] = [];
  for (let round = 0; round < rounds; round += 1) {
    const turns = round % 2 === 0 ? contenders : contenders.toReversed();
    for (const contender of turns) {
      times[contender.name]!.push(await contender.run(round));
    }
  }
  return { ...workload, times };
}

/** Calls of one batch of a measurement: its time is taken as a whole. */
const BATCH_CALLS = 256;

/** Nanoseconds of one call, measured for so many milliseconds of processor time. */
export async function timeCalls(
  call: () => unknown,
  milliseconds: number,
): Promise<number> {
  const options = {
    min_cpu_time: milliseconds * 1e6,
    batch_samples: BATCH_CALLS,
  };
  return (await measure(call, options)).avg;
}

/** Nanoseconds since some moment. */
export function now(): number {
  return Number(process.hrtime.bigint());
}

/** The value in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
}

/** How often one contender's time goes into another's, round by round. */
export function ratios(row: Row, of: string, into: string): number[] {
  const divisors = row.times[of] ?? [];
  const dividends = row.times[into] ?? [];
  return divisors.map((time, round) => dividends[round]! / time);
}
