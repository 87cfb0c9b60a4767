/**
 * `npm run torture`: the long runs. It goes on with simulators, models, the fuzzer, kills and injected
 * faults until the time is over, choosing each time what is nearest to its aim, and never tries a
 * seed twice: what was done, and with which seeds, stands in the ledger (`ledger.mjs`), so that the
 * long counts are reached over several runs.
 *
 * A progress line a part; at the end the table of counts against the aims. A failure prints all that
 * the run said and the command that repeats it, and ends the run.
 *
 * Usage: node scripts/torture.mjs [--minutes N] [--seed S] [--only T1,T5…] [--mode M]
 *   [--processes N] [--summary]
 * The mode is ReleaseSafe; with ReleaseFast, as the library is shipped, models are half as fast again.
 * `--summary` prints the table and what is left, and runs nothing.
 */
import { spawn } from "node:child_process";
import os from "node:os";
import { join } from "node:path";
import process from "node:process";
import {
  aims,
  appendToLedger,
  formatTable,
  longCounts,
  readCommit,
  readCounts,
  readLedger,
} from "./ledger.mjs";
import { build, install } from "./setup.mjs";
import { capture, environment, root, tools, zigBuild } from "./tools.mjs";

const program = join(root, "zig-out", "bin", "torture");

/** Some tests of the engine on the simulated machine, with seeds that move. */
const simulator = (row, what, scale, ...names) => ({
  ...{ row, what, name: `simulator ${names[0]}`, scale, isSimulator: true },
  command: () => [program, names],
});

/** A suite of the library under a runtime. */
const suite = (row, what, file, runtime) => ({
  ...{ row, what, name: `${file}, ${runtime}`, needsLibrary: true },
  command: () =>
    runtime === "Bun"
      ? [tools.bun, ["test", "--timeout=600000", file]]
      : [tools.deno, ["test", "--allow-all", "--no-check", file]],
});

/** Inputs of each decoder in one turn of the fuzzer. */
const fuzzRuns = "2M";

/**
 * What there is to run. Parts of one row take turns; `scale` makes a turn about a minute long. A part
 * without a row has no count to reach and runs in turn with the others once these have theirs.
 */
const parts = [
  simulator("T1", "images", 2, "power cut: every history of up to three operations"),
  simulator("T1", "images", 10, "crash_test.test.power cut: small histories"),
  simulator("T1", "images", 4, "power cut: values in runs", "power cut: frames kept"),
  simulator("T1", "images", 8, "power cut: long histories", "power cut: transactions too large"),
  simulator("T1", "images", 4, "power cut: a log that grows", "power cut: a file that is cut"),
  simulator("T2", "second crashes", 8, "power cut: a second one during recovery"),
  simulator("T2", "second crashes", 8, "power cut: a second one after each image of creation"),
  simulator("T2", "second crashes", 1, "killed with a meta", "killed at each system call, alone"),
  simulator("T5", "operations", 10, "ordered map: 512-byte"),
  simulator("T5", "operations", 8, "ordered map: one process"),
  simulator("T5", "operations", 20, "frames: tables"),
  simulator("T5", "operations", 8, "ordered map: 1 KiB"),
  simulator("T5", "operations", 6, "ordered map: 4 KiB"),
  simulator("T5", "operations", 100, "ordered map: long transactions"),
  simulator("T5", "operations", 250, "tree_test.test.model: "),
  {
    ...{ row: "T7", what: "fuzzer inputs", name: "fuzzer of the decoders" },
    command: ({ mode }) => [
      tools.zig,
      zigBuild("fuzz", `-Doptimize=${mode}`, `--fuzz=${fuzzRuns}`),
    ],
  },
  suite("T8", "kills", "test/kill.test.ts", "Bun"),
  suite("T8", "kills", "test/kill.test.ts", "Deno"),
  simulator(undefined, "operations", 1, "ordered map: 64 KiB"),
  simulator(undefined, "simulated kills", 1, "process_test.test.killed", "store_kill_test"),
  simulator(undefined, "faults", 1, "fault_test"),
  simulator(undefined, "images", 1, "two processes", "a thread that dies"),
  simulator(undefined, "damage cases", 1, "tree_test.test.damage", "pin: "),
  ...["model", "faults", "workers", "strangers"].flatMap((name) =>
    ["Bun", "Deno"].map((runtime) => suite(undefined, undefined, `test/${name}.test.ts`, runtime))
  ),
];

/** Every how many-th turn goes to a part without a count to reach. */
const otherEvery = 8;

const minutesToBuild = 60;

/** Seeds of a turn: no list of a test is longer at the scales above. */
const seedsOfTurn = 100_000;

function readArguments(argv) {
  const options = { minutes: 10, mode: "ReleaseSafe", processes: 1, rows: undefined };
  const rest = [...argv];
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    if (name === "--summary") {
      options.isSummary = true;
      continue;
    }
    const value = rest.shift();
    if (name === "--minutes" && Number(value) > 0) options.minutes = Number(value);
    else if (name === "--seed" && Number.isInteger(Number(value))) options.seed = Number(value);
    else if (name === "--processes" && Number(value) >= 1) options.processes = Number(value);
    else if (name === "--only" && /^T\d(,T\d)*$/.test(value)) options.rows = value.split(",");
    else if (name === "--mode" && /^(Debug|ReleaseSafe|ReleaseFast)$/.test(value)) {
      options.mode = value;
    } else {
      console.error(
        "usage: npm run torture -- [--minutes N] [--seed S] [--only T1,T5] [--mode M] " +
          "[--processes N] [--summary]",
      );
      process.exit(2);
    }
  }
  return options;
}

/** Runs a program until it ends or the time is over. */
function runUntil(end, file, args, env) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: root,
      env: { ...environment(), NO_COLOR: "1", ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    let output = "";
    let isOver = false;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => output += text);
    }
    const timer = setTimeout(() => {
      isOver = true;
      process.kill(-child.pid, "SIGKILL");
    }, Math.max(0, end - Date.now()));
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ output, isOver, failed: !isOver && (code !== 0 || signal !== null) });
    });
  });
}

const isTorture = ({ run }) => run === "torture";

/** Counts a second of a part, as its runs so far had them; undefined if it has not run yet. */
function rateOf(ledger, { name, what }) {
  let [number, seconds] = [0, 0];
  for (const entry of ledger) {
    if (!isTorture(entry) || entry.part !== name) continue;
    number += entry.counts[what] ?? 0;
    seconds += entry.seconds;
  }
  return seconds === 0 ? undefined : number / seconds;
}

/** How many seconds each row still needs on one core, by the mean rate of its parts. */
function secondsLeft(ledger) {
  const long = longCounts(ledger);
  const left = new Map();
  for (const { row, what, long: aim } of aims) {
    const missing = aim - (long[what] ?? 0);
    if (missing <= 0) continue;
    const rates = parts.filter((part) => part.row === row).map((part) => rateOf(ledger, part));
    const known = rates.filter((rate) => rate !== undefined);
    // Turns take about as long as each other, so the mean of the rates is that of the row.
    const mean = known.reduce((sum, rate) => sum + rate, 0) / known.length;
    left.set(row, known.length === 0 ? 0 : missing / mean);
  }
  return left;
}

/** How often each part has run: the one that ran least is next. */
function leastRun(ledger, candidates, running) {
  const turns = (part) =>
    ledger.filter((entry) => isTorture(entry) && entry.part === part.name).length +
    (running.has(part) ? 1 : 0);
  return candidates.reduce((best, part) => turns(part) < turns(best) ? part : best);
}

/** The next part: of the row that is nearest to its aim, and now and then one of the others. */
function choose(ledger, options, turn, running) {
  const wanted = parts.filter(({ row }) => options.rows?.includes(row) ?? true);
  const left = secondsLeft(ledger);
  const open = [...left].filter(([row]) => wanted.some((part) => part.row === row));
  const others = wanted.filter(({ row }) => row === undefined || !left.has(row));
  if (open.length === 0 || (others.length > 0 && turn % otherEvery === otherEvery - 1)) {
    return leastRun(ledger, others.length > 0 ? others : wanted, running);
  }
  const [row] = open.reduce((best, entry) => entry[1] < best[1] ? entry : best);
  return leastRun(ledger, wanted.filter((part) => part.row === row), running);
}

async function buildAll(options) {
  const wanted = parts.filter(({ row }) => options.rows?.includes(row) ?? true);
  if (wanted.some(({ needsLibrary }) => needsLibrary) && !await build()) process.exit(1);
  console.log(`torture: building the simulators, ${options.mode}`);
  const args = zigBuild("torture-build", `-Doptimize=${options.mode}`);
  const built = await capture(tools.zig, args, minutesToBuild);
  if (built.code !== 0) throw new Error(built.output);
}

/** One turn of a part: a progress line, a line of the ledger, and if it failed all there is to say. */
async function runTurn(end, part, options, commit, turn) {
  const begin = Date.now();
  const offset = (options.seed + turn) * seedsOfTurn;
  const env = part.isSimulator
    ? { ZEOLITE_OFFSET: String(offset), ZEOLITE_SCALE: String(part.scale) }
    : {};
  const [file, args] = part.command(options);
  const { output, isOver, failed } = await runUntil(end, file, args, env);
  const seconds = (Date.now() - begin) / 1000;
  const counts = readCounts(output);
  const outcome = failed ? "FAILED" : isOver ? "cut off by the end of the time" : "ok";
  const found = Object.entries(counts).map(([what, number]) => `${number} ${what}`).join(", ");
  console.log(`${part.name}: ${outcome}, ${found} (${seconds.toFixed(0)} s)`);
  if (failed) {
    const set = Object.entries(env).map(([key, value]) => `${key}=${value}`);
    const words = [file, ...args].map((word) => /[ :]/.test(word) ? `'${word}'` : word);
    console.log(`${output.trimEnd()}\nreplay: ${[...set, ...words].join(" ")}`);
    return false;
  }
  appendToLedger({
    run: "torture",
    commit,
    mode: options.mode,
    part: part.name,
    ...env,
    seconds,
    counts,
  });
  return true;
}

/** Turns that the ledger knows: seeds go on behind them. */
function firstSeed(ledger) {
  const offsets = ledger.filter(isTorture).map((entry) => Number(entry.ZEOLITE_OFFSET ?? 0));
  return Math.max(0, ...offsets) / seedsOfTurn + 1;
}

async function runAll(options) {
  options.seed ??= firstSeed(readLedger());
  const commit = await readCommit();
  const end = Date.now() + options.minutes * 60_000;
  console.log(`torture: ${options.minutes} minutes, seed ${options.seed}, commit ${commit}`);
  const running = new Set();
  let [turn, hasFailed] = [0, false];
  const work = async () => {
    while (Date.now() < end && !hasFailed) {
      const part = choose(readLedger(), options, turn, running);
      turn += 1;
      running.add(part);
      if (!await runTurn(end, part, options, commit, turn)) hasFailed = true;
      running.delete(part);
    }
  };
  await Promise.all(Array.from({ length: options.processes }, work));
  return { turns: turn, hasFailed };
}

function printSummary() {
  const ledger = readLedger();
  const commit = ledger.findLast(({ run }) => run === "commit")?.counts;
  console.log(formatTable(commit, longCounts(ledger)));
  for (const [row, seconds] of secondsLeft(ledger)) {
    const hours = (seconds / 3600).toFixed(1);
    console.log(
      seconds === 0 ? `${row} has not run yet` : `${row}: ${hours} hours of one core left`,
    );
  }
}

const options = readArguments(process.argv.slice(2));
if (options.isSummary) printSummary();
else {
  os.setPriority(19);
  await install();
  await buildAll(options);
  const { turns, hasFailed } = await runAll(options);
  console.log("");
  printSummary();
  console.log(hasFailed ? "a run failed: see above" : `${turns} runs, nothing failed`);
  if (hasFailed || turns === 0) process.exitCode = 1;
}
