/** Makes one page of all results that were kept. `USAGE` says what it takes. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { isExecutable } from "../../ffi/runtimes.ts";
import { RESULTS } from "../folders.ts";
import { runProgram, UsageError } from "../usage.ts";
import { addHistory, collect, historyEntry, keepBaseline } from "./collect.ts";
import { modelOf } from "./model.ts";
import { dashboardPage } from "./page.ts";

const USAGE = `
Usage: zeolite dashboard [options]

  --results FOLDER   results that were kept: by "zeolite bench --keep", or in a clone by
                     "npm run bench -- --json" and "npm run perf"
  --baseline FOLDER  results to compare with (RESULTS/baseline)
  --out FILE         the page (RESULTS/dashboard.html)
  --keep             make what is there the baseline, and add it to the history of this commit
`;

/** The folder of the clone; the executable has none, and is run where the results are. */
const clone = isExecutable ? "." : fileURLToPath(new URL("../../", import.meta.url));

/** The commit that is checked out, with a plus if more was changed, and when it was made. */
function commit(): { commit: string; date: number } {
  const git = (...args: readonly string[]) => {
    return execFileSync("git", ["-C", clone, ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  };
  try {
    const [name = "", date = "0"] = git("log", "-1", "--format=%h %ct").split(" ");
    const isChanged = git("status", "--porcelain", "--untracked-files=no") !== "";
    return { commit: isChanged ? `${name}+` : name, date: Number(date) + (isChanged ? 1 : 0) };
  } catch {
    return { commit: "unknown", date: Math.floor(Date.now() / 1000) };
  }
}

function run(args: readonly string[]): void {
  const { values } = parseArgs({
    args: [...args],
    options: {
      results: { type: "string" },
      baseline: { type: "string" },
      out: { type: "string" },
      keep: { type: "boolean", default: false },
    },
  });
  const { results = RESULTS, baseline = join(results, "baseline") } = values;
  for (const named of [values.results, values.baseline]) {
    if (named !== undefined && !existsSync(named)) {
      throw new UsageError(`Cannot read ${named}: there is no such folder`);
    }
  }
  if (values.keep) {
    const { commit: name, date } = commit();
    for (const run of collect(results).runs) addHistory(results, historyEntry(run, name, date));
  }
  const page = dashboardPage(modelOf(collect(results), collect(baseline).runs));
  const out = values.out ?? join(results, "dashboard.html");
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(out, page);
  if (values.keep) keepBaseline(results);
  console.log(out);
}

/** Runs what the command line asks for. */
export async function main(args: readonly string[]): Promise<void> {
  await runProgram(USAGE, args, run);
}

if (import.meta.main) await main(process.argv.slice(2));
