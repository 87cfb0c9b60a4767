/**
 * Two builds side by side: blocks of turns at each workload. In a block each build has a process
 * and stores of its own, made anew, because where memory and files happen to lie stays the same
 * for as long as they do; within it the builds take turns base, head, head, base, or the other way
 * round, so that whatever grows or fades disturbs both alike. Which comes first is shuffled by the
 * seed.
 *
 * Turns are short, a few milliseconds, and many: other programs come and go in tens of
 * milliseconds, and what both builds of a pair meet alike is not in its ratio. What a build does
 * less often than in every second turn (a full collection, a checkpoint) is not in the middle pair
 * either: the loads, each one turn, have that.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Contender } from "../Contender.ts";
import { Random } from "../data.ts";
import { failureOf } from "../engines/engine.ts";
import type { Sizes } from "../sizes.ts";
import { median } from "../timing.ts";
import type { Workload } from "../workloads/workload.ts";

/** The two builds. */
export type Side = "base" | "head";
export const SIDES: readonly Side[] = ["base", "head"];

/**
 * What time is read from. The time that processors gave is little moved by other programs, and does
 * not see what waits; the time on the wall sees all of it, and everybody else as well.
 */
export type Clock = "cpu" | "wall";
export const CLOCKS: readonly Clock[] = ["cpu", "wall"];

/** Nanoseconds of one operation, a figure a turn; turns of the same place did the same work. */
export type Times = Readonly<Record<Side, readonly number[]>>;

/** One block at one workload. */
export type Block = Readonly<Record<Clock, Times>>;

/** Why a build could not do a workload. */
export interface Refusal {
  readonly side: Side;
  readonly reason: string;
}

/** The engine whose builds are compared. */
const ENGINE = "zeolite";

/** Turns before those that count, in which the runtime compiles what is called. */
const WARMING = 30;
/** Of a load, which is one long turn, as many turns count as pairs divided by this. */
const LONG = 10;

/** The figure of a block: the logarithm of how much longer the head takes, in its middle pair. */
export function logRatio({ base, head }: Times): number {
  return median(base.map((time, turn) => Math.log(head[turn]! / time)));
}

/** Two clones, measured in blocks. */
export class Pair {
  readonly #roots: Readonly<Record<Side, string>>;
  readonly #folder: string;
  readonly #sizes: Sizes;
  readonly #random: Random;
  readonly #tell: (doing: string) => void;
  #blocks = 0;

  /**
   * @param roots The folders of the clones.
   * @param folder Where the stores lie.
   */
  constructor(
    roots: Readonly<Record<Side, string>>,
    folder: string,
    sizes: Sizes,
    seed: number,
    tell: (doing: string) => void,
  ) {
    this.#roots = roots;
    this.#folder = folder;
    this.#sizes = sizes;
    this.#random = new Random(seed);
    this.#tell = tell;
  }

  /** One block at each workload; what could not be done is in the refusals. */
  async block(
    workloads: readonly Workload[],
    pairs: number,
    refusals: Map<string, Refusal>,
  ): Promise<Map<string, Block>> {
    this.#blocks += 1;
    const started = new Map<Side, Contender>();
    const folders = new Map<Side, string>();
    const found = new Map<string, Block>();
    try {
      for (const side of this.#shuffledSides()) {
        const folder = join(this.#folder, `${side}-${this.#blocks}`);
        folders.set(side, folder);
        const main = pathToFileURL(
          join(this.#roots[side], "bench", "contender_main.ts"),
        );
        started.set(side, new Contender(ENGINE, folder, this.#sizes, [], main));
      }
      for (const workload of workloads) {
        this.#tell(`block ${this.#blocks}, ${workload.id}`);
        const done = await this.#measure(workload, pairs, started);
        if ("reason" in done) refusals.set(workload.id, done);
        else found.set(workload.id, done);
      }
    } finally {
      for (const contender of started.values()) await contender.stop();
      for (const folder of folders.values()) {
        rmSync(folder, { recursive: true, force: true });
      }
    }
    return found;
  }

  #shuffledSides(): readonly Side[] {
    return this.#random.below(2) === 0 ? SIDES : SIDES.toReversed();
  }

  async #measure(
    { id, rounds }: Workload,
    pairs: number,
    started: ReadonlyMap<Side, Contender>,
  ): Promise<Block | Refusal> {
    const cpu: Record<Side, number[]> = { base: [], head: [] };
    const wall: Record<Side, number[]> = { base: [], head: [] };
    const order = this.#shuffledSides();
    // What takes fewer rounds takes long, and finds its code compiled after one; a quick run's
    // figures do not count.
    const isLong = rounds !== undefined;
    const first = isLong || this.#sizes.isQuick ? 1 : WARMING;
    const end = first + (isLong ? Math.ceil(pairs / LONG) : pairs);
    let side: Side = "base";
    try {
      for (side of order) await started.get(side)!.begin(id);
      for (let pair = 0; pair < end; pair += 1) {
        for (side of pair % 2 === 0 ? order : order.toReversed()) {
          // A load reads its first turn back.
          const measured = await started.get(side)!.run(pair + 1);
          if (pair < first) continue;
          wall[side].push(measured.time);
          cpu[side].push(measured.cpu ?? NaN);
        }
      }
      for (side of order) await started.get(side)!.end();
    } catch (error) {
      return { side, reason: failureOf(error) };
    }
    return { cpu, wall };
  }
}
