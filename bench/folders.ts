/** Where the suite writes: in the clone; or, from the single executable, where it is run. */
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { isExecutable } from "../ffi/runtimes.ts";

function inClone(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url));
}

/** Stores of runs: on the disk that is measured. */
export const RUNS: string = isExecutable
  ? join(process.cwd(), "zeolite-bench", "runs/")
  : inClone("../.cache/bench/");

/** Figures that were kept. */
export const RESULTS: string = isExecutable
  ? join(process.cwd(), "zeolite-bench", "results")
  : inClone("results");
