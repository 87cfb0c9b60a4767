/** The micro-benchmarks, by the names that they are run by. */
import { btreeOps } from "./btree_ops.ts";
import { dbComparison } from "./db_comparison.ts";
import type { Micro } from "./measure.ts";
import { pageAlloc } from "./page_alloc.ts";
import { realistic } from "./realistic.ts";

/** All of them. */
export const micros: Readonly<Record<string, Micro>> = {
  db_comparison: dbComparison,
  btree_ops: btreeOps,
  page_alloc: pageAlloc,
  realistic,
};
