/**
 * `npm run bench`: makes the clone ready, installs the peers inside `bench/`, and measures on Bun,
 * then on Deno.
 *
 * Usage: node scripts/bench.mjs [bun|deno] [MICRO] [--quick] [--json] [--write]
 *          [--only NAMES] [--engines IDS] [--rounds N] [--entries N] [--seed N]
 *   MICRO      db_comparison, btree_ops, page_alloc or realistic: a micro-benchmark alone (on Bun, if
 *              no runtime is named); takes --quick, --json, --engines and --milliseconds
 *   --quick    little of everything: shows that it works, says nothing about speed
 *   --json     also writes bench/results/bun.json and deno.json
 *   --write    also writes bench/RESULTS.md and bench/plots (of whole runs on both runtimes only)
 *   --only     workloads or groups of them, with commas between
 *   --engines  engines, with commas between
 *   --rounds   how often the engines take turns
 *   --entries  entries of the large store
 *   --seed     of the order of the turns; printed by every run
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { build, install } from "./setup.mjs";
import { numberOf, readCommandLine, root, run, runOrExit, tools, zigBuild } from "./tools.mjs";

const folder = join(root, "bench");
const results = join(folder, "results");
const main = join(folder, "main.ts");

/** How each runtime is started. */
const runtimes = {
  bun: [tools.bun, ["run", main]],
  deno: [tools.deno, ["run", "--quiet", "--allow-all", "--unstable-kv", main]],
};

/** What can be run alone (`bench/micro`). */
const micros = ["db_comparison", "btree_ops", "page_alloc", "realistic"];

function versionOf(name) {
  const path = join(folder, "node_modules", name, "package.json");
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).version : null;
}

/** Installs what bench/package.json pins, unless it is there. */
async function installPeers() {
  const { dependencies } = JSON.parse(
    readFileSync(join(folder, "package.json"), "utf8"),
  );
  const isThere = Object.entries(dependencies).every(([name, pin]) => versionOf(name) === pin);
  if (isThere) return;
  console.log("bench: installing the peers");
  const { code } = await run("npm", ["install", "--prefix", folder, "--ignore-scripts"]);
  if (code !== 0) console.log("bench: npm failed; peers that are missing are named as absent");
}

/** Builds what calls the native rivals; one that cannot be built here is absent. */
async function buildRivals() {
  const zig = ["build", "--build-file", join(root, "zig", "build.zig"), "bench-rivals"];
  await runOrExit(tools.zig, zig);
  if (spawnSync("cargo", ["--version"], { stdio: "ignore" }).status !== 0) return;
  const cargo = ["build", "--quiet", "--release", "--locked"];
  cargo.push("--manifest-path", join(folder, "redb", "Cargo.toml"));
  cargo.push("--target-dir", join(root, ".cache", "redb"));
  const env = { ...process.env, CARGO_HOME: join(root, ".cache", "cargo") };
  const { status } = spawnSync("cargo", cargo, { stdio: "inherit", env });
  if (status !== 0) console.log("bench: cargo failed; redb is left out");
}

const passed = ["only", "engines", "rounds", "entries", "seed", "milliseconds"];

function readArguments() {
  const text = { type: "string" };
  const flag = { type: "boolean", default: false };
  const options = { quick: flag, json: flag, write: flag };
  for (const name of passed) options[name] = text;
  return readCommandLine(
    import.meta.url,
    "run the benchmarks",
    { options, allowPositionals: true },
    chosenOf,
  );
}

/** What is measured, and on which runtimes. */
function chosenOf({ values, positionals }) {
  for (const name of ["rounds", "entries", "seed", "milliseconds"]) {
    if (values[name] !== undefined) numberOf(name, values[name]);
  }
  const unknown = positionals.find((name) => !(name in runtimes) && !micros.includes(name));
  if (unknown !== undefined) {
    throw new Error(`there is no runtime and no micro-benchmark "${unknown}"`);
  }
  const alone = positionals.filter((name) => micros.includes(name));
  const chosen = positionals.filter((name) => name in runtimes);
  if (alone.length > 0) return { values, alone, names: chosen.length > 0 ? chosen : ["bun"] };
  const names = chosen.length > 0 ? chosen : Object.keys(runtimes);
  const isPartial = values.quick ||
    names.length < Object.keys(runtimes).length ||
    values.only !== undefined || values.engines !== undefined ||
    values.entries !== undefined;
  if (values.write && isPartial) {
    throw new Error("--write takes a whole run on both runtimes");
  }
  return { values, alone, names };
}

/** Runs micro-benchmarks, each in a process of its own. */
async function runMicros(alone, names, values, flags) {
  await runOrExit(tools.zig, zigBuild("bench-layers"));
  for (const name of names) {
    const [program, args] = runtimes[name];
    for (const micro of alone) {
      const path = join(results, `${micro}-${name}.json`);
      const file = [...args.slice(0, -1), join(folder, "micro", "micro_main.ts"), micro];
      await runOrExit(program, [...file, ...flags, ...(values.json ? ["--json", path] : [])]);
    }
  }
}

const { values, alone, names } = readArguments();
const flags = passed.flatMap((name) => name in values ? [`--${name}`, values[name]] : []);
if (values.quick) flags.push("--quick");

await install();
await build();
await installPeers();
mkdirSync(results, { recursive: true });
if (alone.length > 0) {
  await runMicros(alone, names, values, flags);
  process.exit(0);
}
if (values.engines === undefined || /native|redb/.test(values.engines)) await buildRivals();
const paths = [];
for (const name of names) {
  const [program, args] = runtimes[name];
  const path = join(results, `${name}.json`);
  paths.push(path);
  const kept = values.json || values.write ? ["--json", path] : [];
  console.log("");
  await runOrExit(program, [...args, ...flags, ...kept]);
}
if (values.write) {
  await runOrExit(tools.bun, ["run", join(folder, "write_main.ts"), folder, ...paths]);
  const page = join(folder, "RESULTS.md");
  await runOrExit(tools.deno, ["fmt", "--quiet", "--config", join(root, "deno.json"), page]);
}
