/**
 * Makes one page of all results that were kept.
 *
 * Usage: dashboard_main.ts [--results FOLDER] [--baseline FOLDER] [--out FILE] [--keep]
 *   --baseline  results to compare with (RESULTS/baseline); --keep makes them of those that are
 *               there, and adds them to the history of this commit
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { RESULTS } from "../folders.ts";
import { addHistory, collect, historyEntry, keepBaseline } from "./collect.ts";
import { modelOf } from "./model.ts";
import { dashboardPage } from "./page.ts";

/** The commit that is checked out, and when it was made. */
function commit(): { commit: string; date: number } {
  try {
    const text = execFileSync("git", ["log", "-1", "--format=%h %ct"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    const [name = "", date = "0"] = text.trim().split(" ");
    return { commit: name, date: Number(date) };
  } catch {
    return { commit: "unknown", date: Math.floor(Date.now() / 1000) };
  }
}

/** Runs it. */
export function main(args: readonly string[]): void {
  const { values } = parseArgs({
    args: [...args],
    options: {
      results: { type: "string", default: RESULTS },
      baseline: { type: "string" },
      out: { type: "string" },
      keep: { type: "boolean", default: false },
    },
  });
  const { results, baseline = join(results, "baseline") } = values;
  if (values.keep) {
    const { commit: name, date } = commit();
    for (const run of collect(results).runs) addHistory(results, historyEntry(run, name, date));
  }
  const page = dashboardPage(modelOf(collect(results), collect(baseline).runs));
  const out = values.out ?? join(results, "dashboard.html");
  writeFileSync(out, page);
  if (values.keep) keepBaseline(results);
  console.log(out);
}

if (import.meta.main) main(process.argv.slice(2));
