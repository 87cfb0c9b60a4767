/**
 * Has contenders take turns at one workload, so that whatever disturbs the machine disturbs them
 * all, and keeps every measurement. The order of the turns is shuffled anew for each round.
 */
import type { Contender } from "./Contender.ts";
import { shuffled } from "./data.ts";
import { failureOf } from "./engines/engine.ts";
import type { Workload } from "./workloads/workload.ts";

/** A workload and what was measured. */
export interface Row {
  readonly id: string;
  readonly title: string;
  readonly group: Workload["group"];
  readonly operation: string;
  readonly unit: Workload["unit"];
  /** Nanoseconds of one operation, or bytes; by contender, one figure for each round. */
  readonly times: Readonly<Record<string, readonly number[]>>;
  /** Contenders that are floors of the machine. */
  readonly floors: readonly string[];
  /** Why contenders have no figures. */
  readonly refused: Readonly<Record<string, string>>;
  /** Flushes for 1,000 operations, by contender, where they were counted. */
  flushes?: Record<string, number>;
}

/** Who takes turns: a process, and the name that its figures have. */
export interface Turn {
  readonly contender: Contender;
  readonly name: string;
}

/** What is said while the turns go on. */
export type Tell = (doing: string) => void;

/** The turns at one workload. */
export class Turns {
  readonly workload: Workload;
  readonly times: Record<string, number[]> = {};
  readonly refused: Record<string, string>;
  readonly #tell: Tell;

  constructor(workload: Workload, refused: Record<string, string>, tell: Tell) {
    this.workload = workload;
    this.refused = refused;
    this.#tell = tell;
  }

  /** Runs them all. */
  async run(all: readonly Turn[], rounds: number, seed: number): Promise<Row> {
    const { id, title, group, operation, unit, floors = [] } = this.workload;
    const contenders = [...new Set(all.map(({ contender }) => contender))];
    for (const contender of contenders) {
      this.#tell(`${contender.id} makes ready`);
      await this.#try(contender.id, () => contender.begin(id));
    }
    for (let round = 0; round < rounds; round += 1) {
      for (const place of shuffled(all.length, seed + round)) {
        const { contender, name } = all[place]!;
        if (contender.id in this.refused || name in this.refused) continue;
        this.#tell(`round ${round + 1} of ${rounds}, ${name}`);
        await this.#try(name, async () => {
          const { time } = await contender.run(round, name);
          (this.times[name] ??= []).push(time);
        });
      }
    }
    for (const contender of contenders) {
      if (!(contender.id in this.refused)) {
        await this.#try(contender.id, () => contender.end());
      }
    }
    const names = floors.map(({ name }) => name);
    return {
      id,
      title,
      group,
      operation,
      unit,
      times: this.times,
      floors: names,
      refused: this.refused,
    };
  }

  /** A contender that fails is out of this workload; the others go on. */
  async #try(name: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.refused[name] = failureOf(error);
      delete this.times[name];
    }
  }
}

/** How often one contender's time goes into another's, round by round. */
export function ratios(row: Row, of: string, into: string): number[] {
  const divisors = row.times[of] ?? [];
  const dividends = row.times[into] ?? [];
  return divisors.slice(0, dividends.length).map((time, round) => dividends[round]! / time);
}
