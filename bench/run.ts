/**
 * What every workload is given: the engines, the amounts, the folder, and the rows so far, each
 * printed as it is ready.
 */
import { compare, type Contender, type Row, type Workload } from "./compare.ts";
import type { Engine } from "./engines/engine.ts";
import { rowLine } from "./report.ts";
import type { Sizes } from "./sizes.ts";
import type { Folder } from "./stores.ts";

/** A run on one runtime. */
export class Run {
  readonly engines: readonly Engine[];
  readonly sizes: Sizes;
  readonly folder: Folder;
  readonly rows: Row[] = [];

  constructor(engines: readonly Engine[], sizes: Sizes, folder: Folder) {
    this.engines = engines;
    this.sizes = sizes;
    this.folder = folder;
  }

  /** Runs a workload and keeps its row. */
  async add(
    workload: Workload,
    contenders: readonly Contender[],
    rounds: number = this.sizes.rounds,
  ): Promise<void> {
    const row = await compare(workload, contenders, rounds);
    this.rows.push(row);
    console.log(rowLine(row));
  }
}
