/**
 * `npm run coverage`: which targets of branches in the engine's core the tests reach. The tests are
 * built with the counters that the compiler puts there for fuzzers (`zig/coverage.zig`) and run, simulators
 * and models included, with the seeds of a Debug build.
 *
 * What is never reached is listed in docs/coverage.md with a reason for each place, which is known by
 * its file and the text of its line. With `--check` a place without a reason is a failure, and a reason
 * without a place is told; with `--list` all places are printed, as rows of that table.
 *
 * Usage: node scripts/coverage.mjs [--check] [--list] [--file OUT]… [-- name…]
 * `--file` reads what runs of zig-out/bin/coverage have printed before, and runs nothing; names behind
 * `--` choose tests.
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { install } from "./setup.mjs";
import { capture, root, tools, zigBuild } from "./tools.mjs";

/** Tests that run together in one process. */
const groups = [
  ["format.", "store.", "tree.", "txn.", "abi."],
  ["check_test", "backup_test", "named_runs", "promises"],
  ["tree_test"],
  ["small_test"],
  ["crash_test"],
  ["store_test"],
  ["process_test"],
  ["store_kill_test"],
  ["fault_test"],
  ["damage_test", "fuzz_test"],
];
const place = /^branch (\d) \S*\/zig\/((?:format|store|tree|txn)\/\w+\.zig):(\d+):(\d+)$/gm;
const row = /^\| `([^`]+)` +\| `` (.+?) `` +\| (.+?) +\|$/gm;
const minutesMax = 120;

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
      if (Number(line) >= testsOf(linesOf(file))) continue;
      const key = `${file}:${line}:${column}`;
      const target = targets.get(key) ?? { file, line: Number(line), column: Number(column) };
      target.isReached ||= count === "1";
      targets.set(key, target);
    }
  }
  return [...targets.values()];
}

async function runGroups(names) {
  await install();
  console.log("coverage: building");
  const built = await capture(tools.zig, zigBuild("coverage-build"), minutesMax);
  if (built.code !== 0) throw new Error(built.output);
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

/** Reasons of docs/coverage.md by file and text. */
function readReasons() {
  const text = readFileSync(join(root, "docs", "coverage.md"), "utf8");
  return new Map([...text.matchAll(row)].map(([, file, line, why]) => [`${file} ${line}`, why]));
}

/** The missed places, one for each line of a file. */
function missedPlaces(targets) {
  const missed = new Map();
  for (const { file, line, isReached } of targets) {
    const text = linesOf(file)[line - 1].trim();
    if (!isReached && text !== "") missed.set(`${file}:${line}`, { file, line, text });
  }
  return [...missed.values()].sort((a, b) =>
    a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line
  );
}

function printTotals(targets) {
  const files = Map.groupBy(targets, ({ file }) => file);
  for (const [file, all] of [...files].sort()) {
    const reached = all.filter(({ isReached }) => isReached).length;
    console.log(`${file.padEnd(26)}${String(reached).padStart(5)} of ${all.length}`);
  }
  const reached = targets.filter(({ isReached }) => isReached).length;
  console.log(`${reached} of ${targets.length} targets of branches are reached`);
}

/** Whether each missed place has its reason. */
function check(missed) {
  const reasons = readReasons();
  const known = new Set();
  let count = 0;
  for (const { file, line, text } of missed) {
    const key = `${file} ${text}`;
    known.add(key);
    if (reasons.has(key)) continue;
    count += 1;
    console.log(`no reason: zig/${file}:${line}: ${text}`);
  }
  for (const key of reasons.keys()) if (!known.has(key)) console.log(`reached by now: ${key}`);
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
  for (const { file, text } of missed) console.log(`| \`${file}\` | \`\` ${text} \`\` | |`);
}
if (args.includes("--check") && !check(missed)) process.exitCode = 1;
