/**
 * `npm run coverage`: which targets of branches in the engine's core the tests reach. The tests are
 * built with the counters that the compiler puts there for fuzzers (`zig/coverage.zig`) and run, simulators
 * and models included, with the seeds of a Debug build and one in `ZEOLITE_PART` of their moments,
 * 15 if nothing is said, for a counted build takes several times as long.
 *
 * What is built is a copy of the engine in which nothing is `inline`: the compiler gives the code of
 * such a function the file of its caller and its own line, which is a place where nothing is.
 *
 * What is never reached is listed in docs/coverage.md with a reason for each place, which is known by
 * its file and the text of its line. With `--check` a place without a reason is a failure, and a reason
 * without a place is told; with `--list` all places are printed, as rows of that table.
 *
 * Usage: node scripts/coverage.mjs [--check] [--list] [--file OUT]… [-- name…]
 * `--file` reads what runs of zig-out/bin/coverage have printed before, and runs nothing; names behind
 * `--` choose tests.
 */
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import process from "node:process";
import { install } from "./setup.mjs";
import { capture, root, tools } from "./tools.mjs";

/** Tests that run together in one process. */
const groups = [
  ["format.", "store.", "tree.", "txn.", "abi."],
  ["check_test", "backup_test", "named_runs", "promises", "ahead_test"],
  ["tree_test"],
  ["small_test"],
  ["crash_test"],
  ["store_test"],
  ["process_test"],
  ["store_kill_test"],
  ["fault_test"],
  ["damage_test", "fuzz_test"],
];
const place =
  /^branch (\d) \S*\/zig\/((?:format|store|tree|txn)\/\w+\.zig):(\d+):(\d+ from \d+:\d+)$/gm;
const row = /^\| `([^`]+)` +\| (`+) ?(.+?) ?\2 +\| (.+?) +\|$/gm;
const minutesMax = 120;

/** Reasons that hold for a kind of line wherever it stands. */
const kinds = [
  {
    of: ({ text }) => /assert\(|unreachable|doNotOptimizeAway/.test(text),
    why: "assertion: false only by a fault of our own",
  },
  {
    of: ({ text, isRun }) => isRun && /\btry\b/.test(text) && /\b(?:if|while|orelse)\b/.test(text),
    why: "answer: the error of a call, or one of its answers, that does not come in a simulator",
  },
  {
    of: ({ text, isRun }) => isRun && /\btry\b/.test(text),
    why: "error: what it calls passes one on only when memory, the disk or a page fails there",
  },
  {
    of: ({ text }) => /return error\.Corrupt|explain\.damaged|orelse return error/.test(text),
    why: "hostile: bytes that only a forger writes, under checksums that are right",
  },
  {
    of: ({ text }) => /explain\.set/.test(text),
    why: "refusal: what its message says is not so in any test in Zig",
  },
  {
    of: ({ text }) => /\bcatch\b|\berrdefer\b|fail(ed|ure)?\b/.test(text),
    why: "error: only when a call of the system fails there",
  },
];

/** The first line of a file's tests. */
function testsOf(lines) {
  const at = lines.findIndex((line) => /^test "|^const testing = /.test(line));
  return at < 0 ? Infinity : at + 1;
}

const sources = new Map();

function linesOf(file) {
  if (!sources.has(file)) {
    sources.set(file, readFileSync(join(root, "zig", file), "utf8").split("\n"));
  }
  return sources.get(file);
}

/** Targets by file, line and column, whether any copy of each was reached. */
function readTargets(outputs) {
  const targets = new Map();
  for (const output of outputs) {
    for (const [, count, file, line, column] of output.matchAll(place)) {
      const lines = linesOf(file);
      // Behind its end are lines of the standard library, whose functions may be `inline`.
      if (Number(line) >= Math.min(testsOf(lines), lines.length)) continue;
      const key = `${file}:${line}:${column}`;
      const target = targets.get(key) ?? { file, line: Number(line) };
      target.isReached ||= count === "1";
      targets.set(key, target);
    }
  }
  return [...targets.values()];
}

/** Makes the copy and returns its build file. */
function copySources() {
  const folder = join(root, "zig-out", "coverage", "zig");
  rmSync(folder, { recursive: true, force: true });
  const filter = (path) => ![".zig-cache", "zig-out"].includes(basename(path));
  cpSync(join(root, "zig"), folder, { recursive: true, filter });
  for (const name of readdirSync(folder, { recursive: true })) {
    if (!name.endsWith(".zig")) continue;
    const path = join(folder, name);
    const text = readFileSync(path, "utf8");
    writeFileSync(path, text.replaceAll(/\binline fn /g, "fn "));
  }
  return join(folder, "build.zig");
}

async function runGroups(names) {
  await install();
  console.log("coverage: building");
  const places = {
    "--build-file": copySources(),
    "--cache-dir": join(root, "zig", ".zig-cache"),
    "--prefix": join(root, "zig-out"),
  };
  const arguments_ = ["build", ...Object.entries(places).flat(), "coverage-build"];
  const built = await capture(tools.zig, arguments_, minutesMax);
  if (built.code !== 0) throw new Error(built.output);
  process.env["ZEOLITE_PART"] ??= "15";
  const program = join(root, "zig-out", "bin", "coverage");
  const waiting = names.length > 0 ? [names] : [...groups];
  const outputs = [];
  const work = async () => {
    for (let group = waiting.shift(); group !== undefined; group = waiting.shift()) {
      const { code, output } = await capture(program, group, minutesMax);
      const summary = output.trimEnd().split("\n").at(-1);
      console.log(`${group.join(" ")}: ${summary}`);
      if (code !== 0) throw new Error(output.replaceAll(/^branch .*\n/gm, ""));
      outputs.push(output);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return outputs;
}

let kept;

/** Reasons of docs/coverage.md by file and text. */
function reasons() {
  if (kept !== undefined) return kept;
  const text = readFileSync(join(root, "docs", "coverage.md"), "utf8");
  const rows = [...text.matchAll(row)].filter(([, , , , why]) => why !== "?");
  return kept = new Map(
    rows.map(([, file, , line, why]) => [`${file} ${line.replaceAll("\\|", "|")}`, why]),
  );
}

/** The lines around one that belong to the same function; where a `try` goes on is one of them. */
function nearOf(file, line) {
  const lines = linesOf(file);
  const isHead = (number) => /^\s*(?:pub )?(?:noinline |inline )?fn /.test(lines[number - 1] ?? "");
  const near = [line];
  for (let at = line; at > line - 6 && at > 0 && !isHead(at); at -= 1) near.push(at - 1);
  for (let at = line + 1; at <= line + 6 && !isHead(at); at += 1) near.push(at);
  return near;
}

/**
 * The missed places, one for each line of a file. `isRun`: the line itself is run, only one of its ways
 * is not, as that of an error out of a `try`.
 */
function missedPlaces(targets) {
  const reached = new Set(
    targets.filter(({ isReached }) => isReached).map(({ file, line }) => `${file}:${line}`),
  );
  const missed = new Map();
  for (const { file, line, isReached } of targets) {
    const text = linesOf(file)[line - 1].trim();
    if (isReached || /^[})]*;?$/.test(text)) continue;
    const isRun = nearOf(file, line).some((near) => reached.has(`${file}:${near}`));
    missed.set(`${file}:${line}`, { file, line, text, isRun });
  }
  return [...missed.values()].sort((a, b) =>
    a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line
  );
}

/** The reason of docs/coverage.md, or that of the kind of line. */
function reasonOf(place) {
  return reasons().get(`${place.file} ${place.text}`) ??
    kinds.find(({ of }) => of(place))?.why;
}

function printTotals(targets) {
  const files = [...new Set(targets.map(({ file }) => file))].sort();
  for (const file of files) {
    const all = targets.filter((target) => target.file === file);
    const reached = all.filter(({ isReached }) => isReached).length;
    console.log(`${file.padEnd(26)}${String(reached).padStart(5)} of ${all.length}`);
  }
  const reached = targets.filter(({ isReached }) => isReached).length;
  console.log(`${reached} of ${targets.length} targets of branches are reached`);
}

/** Whether each missed place has its reason. */
function check(missed) {
  const known = new Set();
  let count = 0;
  for (const place of missed) {
    known.add(`${place.file} ${place.text}`);
    if (reasonOf(place) !== undefined) continue;
    count += 1;
    console.log(`no reason: zig/${place.file}:${place.line}: ${place.text}`);
  }
  for (const key of reasons().keys()) if (!known.has(key)) console.log(`reached by now: ${key}`);
  console.log(
    `${missed.length} lines have targets that are not reached, ${count} without a reason`,
  );
  return count === 0;
}

const args = process.argv.slice(2);
const names = args.includes("--") ? args.slice(args.indexOf("--") + 1) : [];
const files = args.flatMap((name, at) => name === "--file" ? [args[at + 1]] : []);
const outputs = files.length > 0
  ? files.map((file) => readFileSync(file, "utf8"))
  : await runGroups(names);
const targets = readTargets(outputs);
const missed = missedPlaces(targets);
printTotals(targets);
if (args.includes("--list")) {
  for (const place of missed) {
    console.log(
      `| \`${place.file}\` | \`${place.text.replaceAll("|", "\\|")}\` | ${
        reasonOf(place) ?? "?"
      } |`,
    );
  }
}
if (args.includes("--check") && !check(missed)) process.exitCode = 1;
