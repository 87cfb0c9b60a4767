/**
 * `npm run torture`: the long runs. Two lines of work go on side by side until the time is over:
 * the simulators and models of the engine, round after round with other seeds; and, in turn, kills,
 * injected faults and models through both runtimes, and the fuzzer of the decoders.
 *
 * A progress line a part; at the end the counts that the runs printed themselves, added up. A
 * failure prints all that the run said and the command that repeats it, and ends the run.
 *
 * Usage: node scripts/torture.mjs [--minutes N] [--seed S] [--only simulators|runtimes|fuzz]
 *   [--mode Debug]
 */
import { spawn } from "node:child_process";
import os from "node:os";
import { join } from "node:path";
import process from "node:process";
import { build, install } from "./setup.mjs";
import { capture, environment, root, tools, zigBuild } from "./tools.mjs";

/** The simulators: tests whose seeds move with each round. */
const filters = [
  "power cut",
  "killed",
  "faults of the disk",
  "a full disk",
  "memory that cannot be had",
  "two processes",
  "a thread that dies",
  "store equals an ordered map",
  "model: ",
  "damage: ",
  "pin: ",
];

/** Tests of the real library that kill, inject and compare. */
const suites = ["kill", "model", "faults", "workers", "strangers"];

/** Inputs of each decoder in one turn of the fuzzer. */
const fuzzRuns = "200K";

const minutesToBuild = 30;

function readArguments(argv) {
  const options = { minutes: 10, seed: Math.floor(Math.random() * 1e6), mode: "ReleaseSafe" };
  for (let index = 0; index < argv.length; index += 2) {
    const [name, value] = [argv[index], argv[index + 1]];
    if (name === "--minutes" && Number(value) > 0) options.minutes = Number(value);
    else if (name === "--seed" && Number.isInteger(Number(value))) options.seed = Number(value);
    else if (name === "--only" && lines.has(value)) options.only = value;
    else if (name === "--mode" && /^(Debug|ReleaseSafe)$/.test(value)) options.mode = value;
    else {
      console.error("usage: npm run torture -- [--minutes N] [--seed S] [--only PART] [--mode M]");
      process.exit(2);
    }
  }
  return options;
}

/** Runs a program until it ends or the time is over; null in that case. */
function runUntil(end, program, args, env) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
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

/** What the runs have printed: "name: 12 images of 3 moments, 5 kills". */
const counts = new Map();

function count(output) {
  const pattern =
    /(\d+) (images|kills|faults|operations|cases|histories|acknowledged commits|records replayed)\b/g;
  for (const [, number, what] of output.matchAll(pattern)) {
    counts.set(what, (counts.get(what) ?? 0) + Number(number));
  }
  for (const [, from, to] of output.matchAll(/^Runs: (\d+) -> (\d+)$/gm)) {
    counts.set("fuzzer inputs", (counts.get("fuzzer inputs") ?? 0) + Number(to) - Number(from));
  }
}

let hasFailed = false;
let partCount = 0;

/** One part: a progress line, and if it failed all there is to say. */
async function part(end, name, program, args, env = {}) {
  const begin = Date.now();
  const { output, isOver, failed } = await runUntil(end, program, args, env);
  count(output);
  partCount += 1;
  const seconds = ((Date.now() - begin) / 1000).toFixed(0);
  const outcome = failed ? "FAILED" : isOver ? "cut off by the end of the time" : "ok";
  console.log(`${name}: ${outcome} (${seconds} s)`);
  if (!failed) return;
  hasFailed = true;
  const set = Object.entries(env).map(([key, value]) => `${key}=${value}`);
  console.log(`${output.trimEnd()}\nreplay: ${[...set, program, ...args].join(" ")}`);
}

/** Before the time begins: it takes minutes. */
async function buildSimulators(mode) {
  const args = ["test-build", `-Doptimize=${mode}`];
  const wanted = filters.map((filter) => `-Dtest-filter=${filter}`);
  console.log(`torture: building the simulators, ${mode}`);
  const built = await capture(tools.zig, zigBuild(...args, ...wanted), minutesToBuild);
  if (built.code !== 0) throw new Error(built.output);
}

async function simulators(end, { seed }) {
  const program = join(root, "zig-out", "bin", "test");
  for (let round = 0; Date.now() < end && !hasFailed; round += 1) {
    const env = { ZEOLITE_OFFSET: String(seed * 100_000 + round * 1000), ZEOLITE_SCALE: "2" };
    await part(end, `simulators, round ${round + 1}`, program, [], env);
  }
}

async function runtimes(end) {
  for (let round = 0; Date.now() < end && !hasFailed; round += 1) {
    const suite = suites[Math.floor(round / 2) % suites.length];
    const file = `test/${suite}.test.ts`;
    const name = `${file}, round ${round + 1}`;
    if (round % 2 === 0) {
      await part(end, `${name}, Bun`, tools.bun, ["test", "--timeout=600000", file]);
    } else {
      const args = ["test", "--quiet", "--allow-all", "--no-check", file];
      await part(end, `${name}, Deno`, tools.deno, args);
    }
  }
}

async function fuzz(end, { mode }) {
  const args = zigBuild("fuzz", `-Doptimize=${mode}`, `--fuzz=${fuzzRuns}`);
  for (let round = 0; Date.now() < end && !hasFailed; round += 1) {
    await part(end, `fuzzer of the decoders, turn ${round + 1}`, tools.zig, args);
  }
}

const lines = new Map([["simulators", simulators], ["runtimes", runtimes], ["fuzz", fuzz]]);

const options = readArguments(process.argv.slice(2));
os.setPriority(19);
await install();
const needsLibrary = options.only === undefined || options.only === "runtimes";
if (needsLibrary && !await build()) process.exit(1);
const needsSimulators = options.only === undefined || options.only === "simulators";
if (needsSimulators) await buildSimulators(options.mode);
const end = Date.now() + options.minutes * 60_000;
console.log(`torture: ${options.minutes} minutes, seed ${options.seed}`);
if (options.only !== undefined) await lines.get(options.only)(end, options);
else {
  // The fuzzer gets the last fifth of the second line's time.
  const turn = end - options.minutes * 12_000;
  const second = async () => {
    await runtimes(turn);
    await fuzz(end, options);
  };
  await Promise.all([simulators(end, options), second()]);
}
console.log("");
for (const [what, number] of [...counts].sort()) console.log(`${number} ${what}`);
console.log(hasFailed ? "a run failed: see above" : `${partCount} runs, nothing failed`);
if (hasFailed || partCount === 0) process.exitCode = 1;
