/**
 * The counts of what the tests have done: read from the lines `counts: 1234 images` that runs print,
 * kept in `.cache/ledger.jsonl`, one line a run, and compared with the aims of docs/trust.md.
 *
 * A run of `npm test` tries the same seeds each time, so only its newest counts mean something. The
 * runs of `npm run torture` never try a seed twice, so theirs are added up, over any number of days.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { capture, root } from "./tools.mjs";

const folder = join(root, ".cache");
const path = join(folder, "ledger.jsonl");

/** What is counted, and what a commit and the long runs are to reach; 0: all there are. */
export const aims = [
  { row: "T1", what: "images", commit: 100_000, long: 10_000_000 },
  { row: "T2", what: "second crashes", commit: 10_000, long: 1_000_000 },
  { row: "T3", what: "faults", commit: 0, long: 0 },
  { row: "T4", what: "failed flushes", commit: 0, long: 0 },
  { row: "T5", what: "operations", commit: 5_000_000, long: 1_000_000_000 },
  { row: "T6", what: "damage cases", commit: 1_000_000, long: 0 },
  { row: "T7", what: "fuzzer inputs", commit: 0, long: 100_000_000 },
  { row: "T8", what: "kills", commit: 200, long: 1000 },
  { row: "T8", what: "simulated kills", commit: 0, long: 0 },
];

/** The counts in what a run printed, by what was counted. */
export function readCounts(output) {
  const counts = {};
  const add = (what, number) => counts[what] = (counts[what] ?? 0) + number;
  for (const [, number, what] of output.matchAll(/\bcounts: (\d+) ([a-z ]+)/g)) {
    add(what.trim(), Number(number));
  }
  for (const [, from, to] of output.matchAll(/^Runs: (\d+) -> (\d+)$/gm)) {
    add("fuzzer inputs", Number(to) - Number(from));
  }
  return counts;
}

export function addCounts(sum, counts) {
  for (const [what, number] of Object.entries(counts)) sum[what] = (sum[what] ?? 0) + number;
  return sum;
}

/** The commit that is checked out, with `+` if files differ from it. */
export async function readCommit() {
  const head = await capture("git", ["rev-parse", "--short=12", "HEAD"], 1);
  if (head.code !== 0) return "unknown";
  const status = await capture("git", ["status", "--porcelain", "--untracked-files=no"], 1);
  return head.output.trim() + (status.output.trim() === "" ? "" : "+");
}

export function appendToLedger(entry) {
  mkdirSync(folder, { recursive: true });
  appendFileSync(path, `${JSON.stringify({ time: new Date().toISOString(), ...entry })}\n`);
}

export function readLedger() {
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8").split("\n").filter((line) => line !== "").map((line) =>
    JSON.parse(line)
  );
}

/** The long counts of all runs, added up. */
export function longCounts(ledger) {
  return ledger.filter(({ run }) => run === "torture").reduce(
    (sum, { counts }) => addCounts(sum, counts),
    {},
  );
}

const format = (number) => number === undefined ? "–" : number.toLocaleString("en-US");

/** The table of docs/trust.md: what was counted, against the aims. */
export function formatTable(commit, long) {
  const rows = aims.map(({ row, what, commit: wanted, long: aim }) => [
    row,
    what,
    format(commit?.[what]),
    wanted === 0 ? "all" : format(wanted),
    format(long[what]),
    aim === 0 ? "–" : format(aim),
    aim === 0 ? "" : `${(100 * Math.min(1, (long[what] ?? 0) / aim)).toFixed(1)} %`,
  ]);
  const head = ["", "counted", "a commit", "aim", "long runs", "aim", ""];
  const widths = head.map((_, at) => Math.max(...[head, ...rows].map((row) => row[at].length)));
  const line = (row) =>
    row.map((cell, at) => at < 2 ? cell.padEnd(widths[at]) : cell.padStart(widths[at])).join("  ");
  return [head, ...rows].map((row) => line(row).trimEnd()).join("\n");
}
