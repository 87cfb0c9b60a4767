/**
 * A run on one runtime: its contenders, started when first needed, and the rows so far, each
 * printed as it is ready.
 */
import process from "node:process";
import { Contender } from "./Contender.ts";
import { FLOOR } from "./contender_main.ts";
import type { Engine } from "./engines/engine.ts";
import { rowLines } from "./report.ts";
import type { Sizes } from "./sizes.ts";
import { type Row, type Turn, Turns } from "./turns.ts";
import type { Workload } from "./workloads/workload.ts";

/** A run. */
export class Run implements AsyncDisposable {
  readonly engines: readonly Engine[];
  readonly sizes: Sizes;
  readonly rows: Row[] = [];
  readonly #folder: string;
  readonly #seed: number;
  readonly #begin: number = performance.now();
  readonly #contenders: Map<string, Contender> = new Map();

  constructor(
    engines: readonly Engine[],
    sizes: Sizes,
    folder: string,
    seed: number,
  ) {
    this.engines = engines;
    this.sizes = sizes;
    this.#folder = folder;
    this.#seed = seed;
  }

  #contender(id: string): Contender {
    const started = this.#contenders.get(id);
    if (started !== undefined) return started;
    const contender = new Contender(id, this.#folder, this.sizes);
    this.#contenders.set(id, contender);
    return contender;
  }

  /** Who takes turns at a workload, and why the others do not. */
  #turns(
    workload: Workload,
  ): { turns: Turn[]; refused: Record<string, string> } {
    const refused: Record<string, string> = {};
    const turns: Turn[] = [];
    for (const engine of workload.begin === undefined ? [] : this.engines) {
      if (engine.isForWrites === true && !workload.isWriting) continue;
      const reason = workload.refuse?.(engine);
      if (reason !== undefined) refused[engine.id] = reason;
      else {turns.push({
          contender: this.#contender(engine.id),
          name: engine.id,
        });}
    }
    for (const { name } of workload.floors ?? []) {
      turns.push({ contender: this.#contender(FLOOR), name });
    }
    return { turns, refused };
  }

  /** Runs workloads, and keeps their rows. */
  async add(workloads: readonly Workload[]): Promise<void> {
    for (const [index, workload] of workloads.entries()) {
      const { turns, refused } = this.#turns(workload);
      if (turns.length === 0) continue;
      const rounds = workload.rounds?.(this.sizes) ?? this.sizes.rounds;
      const tell = (doing: string) => {
        this.tell(
          `${index + 1} of ${workloads.length}, ${workload.id}: ${doing}`,
        );
      };
      const seed = this.#seed + index * 1000;
      const row = await new Turns(workload, refused, tell).run(
        turns,
        rounds,
        seed,
      );
      this.rows.push(row);
      this.clear();
      console.log(rowLines(row, this.engines));
    }
  }

  /** Writes what is being done over the last line of the terminal, if it is one. */
  tell(doing: string): void {
    if (process.stderr.isTTY !== true) return;
    const seconds = Math.round((performance.now() - this.#begin) / 1000);
    process.stderr.write(`\r\x1b[K${seconds} s, ${doing}`);
  }

  /** Removes that line. */
  clear(): void {
    if (process.stderr.isTTY === true) process.stderr.write("\r\x1b[K");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const contender of this.#contenders.values()) await contender.stop();
  }
}
