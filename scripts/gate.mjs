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
import { experiment } from "./experiment.mjs";
import { build, install } from "./setup.mjs";
import { numberOf, readCommandLine, root, run, tools, zigBuild } from "./tools.mjs";

const cache = join(root, ".cache", "gate");

function git(folder, ...args) {
  return execFileSync("git", ["-C", folder, ...args], { encoding: "utf8" })
    .trim();
}

/** What git says, or nothing where it refuses; why it did, nobody is told. */
function gitOrNothing(...args) {
  const options = { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] };
  try {
    return execFileSync("git", ["-C", root, ...args], options).trim();
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

/** Looks at what was read before anything is built; adds the base. */
function checked({ values }) {
  for (const name of ["blocks", "blocks-max", "pairs", "entries", "seed", "runs"]) {
    if (values[name] !== undefined) numberOf(name, values[name]);
  }
  if (values.threshold !== undefined) {
    numberOf("threshold", values.threshold, "any");
  }
  if (!["bun", "deno"].includes(values.runtime)) {
    throw new Error(`there is no runtime "${values.runtime}"`);
  }
  if (gitOrNothing("rev-parse", "HEAD") === "") {
    throw new Error("git knows no commit here to compare with; a clone has some");
  }
  const base = values.base ?? defaultBase();
  if (gitOrNothing("rev-parse", "--verify", "--quiet", `${base}^{commit}`) === "") {
    throw new Error(
      `there is no commit "${base}": name one with --base; a clone without history has none`,
    );
  }
  return { ...values, base };
}

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
  return readCommandLine(import.meta.url, "judge", { options }, checked);
}

/** Whether the judge knows what it is to do; it is asked before anything is built for it. */
async function isUnderstood({ runtime, only }) {
  if (only === undefined) return true;
  const chosen = await judge(runtime, root, root, ["--only", only, "--list"]);
  return chosen === 0;
}

const values = readArguments();
const flags = passed.flatMap((name) => name in values ? [`--${name}`, values[name]] : []);
for (const name of ["strict", "quick"]) {
  if (values[name]) flags.push(`--${name}`);
}

await install();
if (!await isUnderstood(values)) process.exit(2);
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
    // What an earlier run found says nothing of this one, however it ends.
    for (const path of [json, page]) rmSync(path, { force: true });
    process.exitCode = await judge(values.runtime, folder, root, [
      ...flags,
      ...names,
      "--json",
      json,
      "--markdown",
      page,
    ]);
    if (existsSync(json)) {
      const { passed: isGood } = JSON.parse(readFileSync(json, "utf8"));
      console.log(`gate: ${isGood ? "passed" : "FAILED"}; bench/results/gate.md, gate.json`);
    } else console.error("gate: it was not judged");
  } finally {
    removeTree("base");
  }
}
