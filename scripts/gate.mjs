/**
 * `npm run perf:gate`: whether the working tree is slower than a commit. Builds that commit in a
 * worktree in `.cache/gate`, and the working tree; has both do the same work in turns, and judges.
 * Both are driven by the working tree's `bench/`, so that a change of a workload is no change of
 * speed.
 *
 * Usage: node scripts/gate.mjs [--base COMMIT] [--runtime bun|deno] [--experiment [--runs N]]
 *          [--only NAMES] [--threshold PERCENT] [--blocks N] [--blocks-max N] [--pairs N]
 *          [--entries N] [--seed N] [--strict] [--quick]
 *   --base        the commit (default: where this branch left main; on main itself HEAD, if anything
 *                 is not committed, else the commit before)
 *   --threshold   the slowdown that fails, percent (10)
 *   --only        workloads, with commas between
 *   --blocks      blocks in any case (10); --blocks-max at most (40); --pairs turns in one (40)
 *   --strict      what is too noisy to judge fails as well
 *   --experiment  puts the gate to the proof: `--runs` times (20) an unchanged tree, and as often
 *                 one that was made 15 % slower; writes bench/gate/EXPERIMENT.md
 * Writes bench/results/gate.json and gate.md. Exit codes: 0 passed, 1 slower, 2 wrong usage.
 */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { experiment } from "./experiment.mjs";
import { build, install } from "./setup.mjs";
import { root, run, tools, zigBuild } from "./tools.mjs";

const cache = join(root, ".cache", "gate");

function git(folder, ...args) {
  return execFileSync("git", ["-C", folder, ...args], { encoding: "utf8" })
    .trim();
}

function gitOrNothing(...args) {
  try {
    return git(root, ...args);
  } catch {
    return "";
  }
}

/** The commit to compare with, where none is named. */
function defaultBase() {
  const head = git(root, "rev-parse", "HEAD");
  for (const main of ["origin/main", "main"]) {
    const common = gitOrNothing("merge-base", "HEAD", main);
    if (common !== "" && common !== head) return common;
  }
  return git(root, "status", "--porcelain") === "" ? `${head}~1` : head;
}

/** A commit as people know it. */
function describe(commit) {
  return git(root, "log", "-1", "--format=%h %s", commit);
}

/**
 * A worktree of a commit, made anew, with the working tree's benchmarks and packages, whose library
 * is built by its own sources.
 *
 * @param change Changes the tree before it is built.
 */
export async function makeTree(name, commit, change = () => {}) {
  const folder = join(cache, name);
  removeTree(name);
  mkdirSync(cache, { recursive: true });
  git(
    root,
    "worktree",
    "add",
    "--quiet",
    "--detach",
    "--force",
    folder,
    commit,
  );
  rmSync(join(folder, "bench"), { recursive: true, force: true });
  cpSync(join(root, "bench"), join(folder, "bench"), {
    recursive: true,
    filter: (path) => !/bench\/(results|node_modules)$/.test(path),
  });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  change(folder);
  console.log(`gate: building ${name}`);
  const library = [...zigBuild("lib")].map((argument) => {
    if (argument === "zig/build.zig") return join(folder, argument);
    return argument === "zig-out" ? join(folder, argument) : argument;
  });
  const { code } = await run(tools.zig, library);
  if (code !== 0) throw new Error(`the library of ${name} cannot be built`);
  return folder;
}

/** Removes a worktree. */
export function removeTree(name) {
  const folder = join(cache, name);
  if (existsSync(folder)) {
    gitOrNothing("worktree", "remove", "--force", folder);
    rmSync(folder, { recursive: true, force: true });
  }
  gitOrNothing("worktree", "prune");
}

/** Compares two trees; the exit code of the judge. */
export async function judge(runtime, base, head, args) {
  const main = join(root, "bench", "gate", "main.ts");
  const start = runtime === "deno"
    ? ["run", "--quiet", "--allow-all", "--no-check", main]
    : ["run", main];
  const { code } = await run(tools[runtime], [
    ...start,
    "--base",
    base,
    "--head",
    head,
    ...args,
  ]);
  return code;
}

const passed = [
  "only",
  "threshold",
  "blocks",
  "blocks-max",
  "pairs",
  "entries",
  "seed",
];

function readArguments() {
  const text = { type: "string" };
  const flag = { type: "boolean", default: false };
  const options = {
    base: text,
    runtime: { ...text, default: "bun" },
    runs: text,
  };
  for (const name of passed) options[name] = text;
  for (const name of ["strict", "quick", "experiment"]) options[name] = flag;
  const { values } = parseArgs({ options });
  if (!["bun", "deno"].includes(values.runtime)) {
    throw new Error(`there is no runtime "${values.runtime}"`);
  }
  const base = values.base ?? defaultBase();
  git(root, "rev-parse", "--verify", "--quiet", `${base}^{commit}`);
  return { ...values, base };
}

function readOrExit() {
  try {
    return readArguments();
  } catch (error) {
    console.error(
      `Cannot judge: ${error.message.split("\n")[0]}; scripts/gate.mjs says what it takes`,
    );
    process.exit(2);
  }
}

const values = readOrExit();
const flags = passed.flatMap((name) => name in values ? [`--${name}`, values[name]] : []);
for (const name of ["strict", "quick"]) {
  if (values[name]) flags.push(`--${name}`);
}

await install();
if (!await build()) process.exit(1);
const results = join(root, "bench", "results");
mkdirSync(results, { recursive: true });
if (values.experiment) {
  const runs = Number(values.runs ?? 20);
  await experiment({
    runs,
    runtime: values.runtime,
    flags,
    makeTree,
    removeTree,
    judge,
    git,
  });
} else {
  try {
    const folder = await makeTree("base", values.base);
    const isDirty = git(root, "status", "--porcelain") !== "";
    const names = [
      "--base-name",
      describe(values.base),
      "--head-name",
      `${describe("HEAD")}${isDirty ? " and what is not committed" : ""}`,
    ];
    const [json, page] = [join(results, "gate.json"), join(results, "gate.md")];
    process.exitCode = await judge(values.runtime, folder, root, [
      ...flags,
      ...names,
      "--json",
      json,
      "--markdown",
      page,
    ]);
    const { passed: isGood } = JSON.parse(readFileSync(json, "utf8"));
    console.log(
      `gate: ${isGood ? "passed" : "FAILED"}; bench/results/gate.md, gate.json`,
    );
  } finally {
    removeTree("base");
  }
}
