/**
 * The library, laid out anew by BOLT: linked with its relocations, instrumented, run over the rows
 * that builds are compared by, and written with what runs often side by side. What that gave is in
 * bench/README.md; nothing of it is shipped.
 *
 * Usage: node scripts/builds_bolt.mjs
 * Writes .cache/perf/BOLT. Exit codes: 0, that of the tool that failed, 2 if there is no llvm-bolt.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { buildArguments, libraryOf, rows } from "./builds.mjs";
import { root, runOrExit, tools } from "./tools.mjs";

const name = "BOLT";

/** Where Debian's packages put programs without a version in their names. */
function folders() {
  const all = (process.env["PATH"] ?? "").split(delimiter);
  const packages = "/usr/lib";
  if (!existsSync(packages)) return all;
  const versions = readdirSync(packages).filter((entry) => /^llvm-\d+$/.test(entry));
  versions.sort((a, b) => Number(b.slice(5)) - Number(a.slice(5)));
  return [...all, ...versions.map((version) => join(packages, version, "bin"))];
}

/** The llvm-bolt that runs here, or nothing. It reads programs of Linux alone. */
export function findBolt() {
  if (process.platform !== "linux") return undefined;
  const programs = folders().map((folder) => join(folder, "llvm-bolt"));
  return programs.find((program) => {
    return existsSync(program) && spawnSync(program, ["--version"]).status === 0;
  });
}

/** Instruments the library, runs it, and lays it out by what was run. */
async function layOut(bolt) {
  const target = libraryOf(name);
  const folder = dirname(dirname(target));
  const [instrumented, profile] = ["instrumented.so", "profile.fdata"].map((file) => {
    return join(folder, file);
  });
  const linked = join(folder, "linked");
  rmSync(profile, { force: true });
  mkdirSync(dirname(target), { recursive: true });
  const arguments_ = buildArguments(["-Drelocations"], join(name, "linked"));
  await runOrExit(tools.zig, arguments_);
  const library = join(linked, "lib", "libzeolite.so");
  await runOrExit(bolt, [
    library,
    "--instrument",
    `--instrumentation-file=${profile}`,
    "-o",
    instrumented,
  ]);
  const native = join(root, "zig-out", "bin", "bench-native");
  await runOrExit(native, ["--only", rows, "--quick", "--lib", instrumented]);
  await runOrExit(bolt, [
    library,
    "--data",
    profile,
    "--reorder-blocks=ext-tsp",
    "--reorder-functions=cdsort",
    "--split-functions",
    "--dyno-stats",
    "-o",
    target,
  ]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const bolt = findBolt();
  if (bolt === undefined) {
    console.error("Cannot lay the library out: there is no llvm-bolt");
    process.exit(2);
  }
  await layOut(bolt);
}
