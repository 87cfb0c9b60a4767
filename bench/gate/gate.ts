/**
 * The gate: blocks until every workload's interval is narrow enough to judge, or there have been as
 * many as at most. It stops by the width of the interval alone, never by where it lies: stopping
 * when the figures please would make the interval a lie.
 *
 * Both clocks are judged. The one of the processors decides when a workload has been measured
 * enough, but for those that wait for the disk.
 */
import { type Block, type Clock, CLOCKS, logRatio, type Pair, type Refusal } from "./Pair.ts";
import {
  blocksNeeded,
  type Interval,
  intervalOf,
  isNarrow,
  judge,
  type Judgement,
  noiseOf,
  type Rules,
  tailOf,
} from "./statistics.ts";
import type { Workload } from "../workloads/workload.ts";

/** How long the gate goes on. */
export interface Effort {
  /** Blocks that there are in any case, and at most. */
  readonly blocksMin: number;
  readonly blocksMax: number;
  /** Turns of each build in a block. */
  readonly pairs: number;
}

/** What one clock says of a workload. */
export interface Reading {
  readonly judgement: Judgement;
  /** How many times as long as the base the head takes. */
  readonly ratio: Interval;
  /** The standard deviation of a block, as a share of the time. */
  readonly noise: number;
}

/** What came of one workload. */
export interface Finding {
  readonly id: string;
  readonly title: string;
  readonly judgement: Judgement | "broken" | "absent";
  /** The clock that must be able to judge. */
  readonly clock: Clock;
  readonly readings: Readonly<Record<Clock, Reading>> | undefined;
  readonly blocks: readonly Block[];
  /** Why there is nothing to judge. */
  readonly reason?: string;
}

/** The clock that a workload is measured by: what waits for the disk takes no processor. */
export function clockOf(id: string): Clock {
  return /durable|^writers_|^open$/.test(id) ? "wall" : "cpu";
}

/** Goes on until everything can be judged, or for as long as it may. */
export async function runGate(
  pair: Pair,
  workloads: readonly Workload[],
  rules: Rules,
  effort: Effort,
): Promise<Finding[]> {
  const tail = tailOf(rules, workloads.length * CLOCKS.length);
  const least = Math.max(effort.blocksMin, blocksNeeded(tail));
  const most = Math.max(effort.blocksMax, least);
  const blocks = new Map<string, Block[]>(workloads.map(({ id }) => [id, []]));
  const refusals = new Map<string, Refusal>();
  const isOpen = ({ id }: Workload, done: number): boolean => {
    if (refusals.has(id)) return false;
    if (done < least) return true;
    const figures = blocks.get(id)!.map((block) => logRatio(block[clockOf(id)]));
    return !isNarrow(intervalOf(figures, tail), rules);
  };
  for (let done = 0; done < most; done += 1) {
    const open = workloads.filter((workload) => isOpen(workload, done));
    if (open.length === 0) break;
    for (const [id, block] of await pair.block(open, effort.pairs, refusals)) {
      blocks.get(id)!.push(block);
    }
  }
  return workloads.map((workload) => {
    return findingOf(
      workload,
      blocks.get(workload.id)!,
      refusals.get(workload.id),
      rules,
      tail,
    );
  });
}

function readingOf(
  blocks: readonly Block[],
  clock: Clock,
  rules: Rules,
  tail: number,
): Reading {
  const figures = blocks.map((block) => logRatio(block[clock]));
  const interval = intervalOf(figures, tail);
  const ratio = {
    low: Math.exp(interval.low),
    middle: Math.exp(interval.middle),
    high: Math.exp(interval.high),
  };
  return { judgement: judge(interval, rules), ratio, noise: noiseOf(figures) };
}

/** What a workload's blocks say: slower if either clock says so, else what its own clock says. */
export function findingOf(
  { id, title }: Pick<Workload, "id" | "title">,
  blocks: readonly Block[],
  refusal: Refusal | undefined,
  rules: Rules,
  tail: number,
): Finding {
  const clock = clockOf(id);
  const words = { id, title, clock, blocks };
  if (refusal !== undefined) {
    // What the base cannot do is new; what only the head cannot do was broken.
    const judgement = refusal.side === "head" ? "broken" : "absent";
    const reason = `${refusal.side}: ${refusal.reason}`;
    return { ...words, judgement, readings: undefined, reason };
  }
  const cpu = readingOf(blocks, "cpu", rules, tail);
  const wall = readingOf(blocks, "wall", rules, tail);
  const readings = { cpu, wall };
  const isSlower = cpu.judgement === "slower" || wall.judgement === "slower";
  return {
    ...words,
    judgement: isSlower ? "slower" : readings[clock].judgement,
    readings,
  };
}

/** Whether the tree passes; with `isStrict` what could not be judged fails as well. */
export function passes(
  findings: readonly Finding[],
  isStrict: boolean,
): boolean {
  return findings.every(({ judgement }) => {
    if (judgement === "slower" || judgement === "broken") return false;
    return judgement !== "unclear" || !isStrict;
  });
}
