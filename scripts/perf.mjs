/**
 * `npm run perf`: measures, explains and guards, in this order: the library as it can be built, the
 * layers alone, page sizes, the store beside its peers on both runtimes, profiles, the gate, and one
 * page of all of it. It takes less than 20 minutes: a step that would begin later is left out, one
 * that lasts longer is ended, and both are named.
 *
 * Usage: node scripts/perf.mjs [--quick] [--only STEPS] [--minutes N] [--base COMMIT] [--list]
 *   --quick    little of everything: shows that it works
 *   --only     steps, with commas between; --list names them; builds are compared in larger stores
 *   --minutes  how long it may take (20)
 *   --base     what the gate compares with
 * Writes bench/results, among it perf.md and dashboard.html; `--only pages`, which measures them
 * longer, also writes the table in docs/performance.md. Exit codes: 0, 1 if a step failed, 2 wrong usage.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import {
  buildArguments,
  builds,
  buildsTable,
  compareArguments,
  writePageTable,
} from "./builds.mjs";
import { findBolt } from "./builds_bolt.mjs";
import { build, install } from "./setup.mjs";
import { capture, numberOf, readCommandLine, root, runOrExit, tools, zigBuild } from "./tools.mjs";

const text = { type: "string" };
const flag = { type: "boolean", default: false };
const options = { quick: flag, list: flag, only: text, base: text };

const { values } = readCommandLine(
  import.meta.url,
  "measure",
  { options: { ...options, minutes: { ...text, default: "20" } } },
  (parsed) => {
    numberOf("minutes", parsed.values.minutes, "any");
    return parsed;
  },
);
const { quick } = values;
const cache = join(root, ".cache", "perf");
const results = join(root, "bench", "results");
const native = join(root, "zig-out", "bin", "bench-native");
const bench = ["scripts/bench.mjs", "--json"];
const little = quick ? ["--quick"] : [];
const bolt = findBolt();
const pages = join(results, "pages", "page_sizes.json");

/** What is measured of the whole benchmark, in the time there is. */
const workloads = "get_hot,get_random,get_many,scan_100,scan_full,load_seq,load_random,put_1m," +
  "txn100_random,await_durable,writers_64,mixed,mixed_workers";

/** What the gate judges here: each way through the engine once. Alone, it judges twice as many. */
const guarded = "load_random,get_hot,get_random,get_many,scan_100,put_1m";

/** Engines with an API for JavaScript; the others take the whole benchmark's time. */
const engines = "zeolite,zeolite-exclusive,lmdb,level,sqlite";

function node(...args) {
  return [process.execPath, args];
}

/** A step: its name, what it does, and the most minutes that it may take. */
function* allSteps() {
  // A busy machine takes more than the time of the step to load stores of 1,000,000 entries.
  const isLittle = quick || values.only === undefined;
  const most = values.only === undefined ? 2 : 60;
  for (const [name, args] of builds) {
    yield [`build ${name}`, [tools.zig, buildArguments(args, name)], 5];
    yield [`compare ${name}`, [native, compareArguments(name, isLittle)], most];
  }
  if (bolt !== undefined) {
    yield ["build BOLT", node("scripts/builds_bolt.mjs"), 5];
    yield ["compare BOLT", [native, compareArguments("BOLT", isLittle)], most];
  }
  for (const micro of ["btree_ops", "page_alloc", "realistic", "db_comparison"]) {
    const time = quick ? [] : ["--milliseconds", "60"];
    yield [micro, node(...bench, micro, ...little, ...time), 2];
  }
  // Not in the folder that is read for the page: the table is in the documents. Alone it has time.
  const isAlone = values.only === "pages" && !quick;
  const sizes = isAlone ? ["--rounds", "5"] : ["--quick"];
  yield ["pages", [native, ["--only", "page", ...sizes, "--json", pages]], isAlone ? 60 : 2];
  const some = ["--only", workloads, "--engines", engines];
  for (const runtime of ["bun", "deno"]) {
    const entries = quick ? [...little, "--entries", "3000"] : ["--entries", "200000"];
    yield [runtime, node(...bench, runtime, ...some, ...entries), 4];
  }
  for (const workload of ["get_random", "put_1m"]) {
    const seconds = ["--seconds", quick ? "0.3" : "3"];
    const main = join(root, "bench", "profile", "profile_main.ts");
    yield [`profile ${workload}`, [tools.bun, ["run", main, workload, ...seconds, ...little]], 3];
  }
  const base = values.base === undefined ? [] : ["--base", values.base];
  const blocks = quick
    ? ["--quick", "--only", "get_hot", "--blocks", "1", "--blocks-max", "1", "--pairs", "2"]
    : ["--only", guarded, "--blocks-max", "15"];
  yield ["gate", node("scripts/gate.mjs", ...base, ...blocks), 8];
  const page = join(root, "bench", "dashboard", "dashboard_main.ts");
  // A quick run's figures mean little: they make no history.
  yield ["dashboard", [tools.bun, ["run", page, ...(quick ? [] : ["--keep"])]], 1];
}

const seconds = (begin) => (performance.now() - begin) / 1000;

/** Runs a step; what came of it, for the table. */
async function runStep([name, [program, args], minutes], place, count, begin) {
  const left = Number(values.minutes) - seconds(begin) / 60;
  const head = `[${place}/${count}] ${name}`;
  if (left <= 0) {
    console.log(`${head}: left out, the time is over`);
    return [name, "left out: the time is over", "–"];
  }
  process.stdout.write(`${head} … `);
  const start = performance.now();
  // Whatever else is late, the page is made.
  const limit = name === "dashboard" ? minutes : Math.min(minutes, left);
  const { code, output } = await capture(program, args, limit);
  writeFileSync(join(cache, `${name.replaceAll(" ", "-")}.log`), output);
  const took = seconds(start).toFixed(0);
  const words = code === 0 ? "done" : `failed (${code})`;
  console.log(`${words}, ${took} s; ${seconds(begin).toFixed(0)} s in all`);
  if (code !== 0) console.log(output.trimEnd().split("\n").slice(-8).join("\n"));
  if (name === "pages" && code === 0 && values.only === "pages" && !quick) {
    writePageTable(JSON.parse(readFileSync(pages, "utf8")));
  }
  return [name, words, `${took} s`];
}

/** What of the steps was asked for. */
function chosenSteps() {
  const all = [...allSteps()];
  if (values.only === undefined) return all;
  const names = values.only.split(",");
  const unknown = names.find((name) => !all.some(([step]) => step === name));
  if (unknown === undefined) return all.filter(([name]) => names.includes(name));
  console.error(`Cannot measure "${unknown}": steps are ${all.map(([name]) => name).join(", ")}`);
  process.exit(2);
}

const steps = chosenSteps();
if (values.list) {
  for (const [name, , minutes] of steps) console.log(`${name} (at most ${minutes} min)`);
  process.exit(0);
}
const begin = performance.now();
await install();
if (!await build()) process.exit(1);
mkdirSync(cache, { recursive: true });
mkdirSync(join(results, "pages"), { recursive: true });
await runOrExit(tools.zig, zigBuild("bench-native-build"));
const done = [];
for (const [index, step] of steps.entries()) {
  done.push(await runStep(step, index + 1, steps.length, begin));
}
const notes = bolt === undefined
  ? "Skipped: a layout by BOLT. There is no llvm-bolt here: Debian and Ubuntu have it in bolt-19 and " +
    "later, and the releases of LLVM have it."
  : "BOLT: linked with relocations, instrumented, run over these rows, and laid out by that.";
const report = `# Performance

| step | | time |
| --- | --- | ---: |
${done.map((cells) => `| ${cells.join(" | ")} |`).join("\n")}

${seconds(begin).toFixed(0)} s in all. Logs are in \`.cache/perf\`; gate.md and dashboard.html lie
beside this file.

## Builds

${buildsTable()}
${notes}
`;
writeFileSync(join(results, "perf.md"), report);
console.log(`\n${buildsTable()}\n${notes}\nperf: bench/results/perf.md, dashboard.html`);
if (done.some(([, words]) => words.startsWith("failed"))) process.exitCode = 1;
