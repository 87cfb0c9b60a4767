/**
 * `npm run bench`: makes the clone ready, installs the peers inside `bench/`, and measures on Bun,
 * then on Deno.
 *
 * Usage: node scripts/bench.mjs [bun|deno] [--quick] [--json] [--write]
 *   --quick  little of everything: shows that it works, says nothing about speed
 *   --json   also writes bench/results/bun.json and deno.json
 *   --write  also writes bench/RESULTS.md (of a whole run on both runtimes only)
 */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { build, install } from "./setup.mjs";
import { root, runOrExit, tools } from "./tools.mjs";

const folder = join(root, "bench");
const results = join(folder, "results");
const main = join(folder, "main.ts");

/** How each runtime is started; a collection that can be asked for is the same on both. */
const runtimes = {
  bun: [tools.bun, ["run", main]],
  deno: [tools.deno, ["run", "--quiet", "--allow-all", "--v8-flags=--expose-gc", main]],
};

function versionOf(name) {
  const path = join(folder, "node_modules", name, "package.json");
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).version : null;
}

/** Installs what bench/package.json pins, unless it is there. */
async function installPeers() {
  const { dependencies } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const isThere = Object.entries(dependencies).every(([name, pin]) => versionOf(name) === pin);
  if (isThere) return;
  console.log("bench: installing the peers");
  await runOrExit("npm", ["install", "--prefix", folder, "--ignore-scripts"]);
}

/** Measures on one runtime; where its figures are, if they are kept. */
async function measure(name, flags, isKept) {
  const [program, args] = runtimes[name];
  const path = join(results, `${name}.json`);
  console.log(`\n${name}`);
  await runOrExit(program, [...args, ...flags, ...(isKept ? ["--json", path] : [])]);
  return path;
}

const argv = process.argv.slice(2);
const isKnown = (word) => word in runtimes || ["--quick", "--json", "--write"].includes(word);
const chosen = Object.keys(runtimes).filter((name) => argv.includes(name));
const names = chosen.length > 0 ? chosen : Object.keys(runtimes);
const isQuick = argv.includes("--quick");
const isWritten = argv.includes("--write");
const isPartial = isQuick || names.length < Object.keys(runtimes).length;
if (!argv.every(isKnown) || (isWritten && isPartial)) {
  console.error("usage: node scripts/bench.mjs [bun|deno] [--quick] [--json] [--write]");
  console.error("--write takes a whole run on both runtimes");
  process.exit(2);
}

await install();
await build();
await installPeers();
mkdirSync(results, { recursive: true });
const isKept = isWritten || argv.includes("--json");
const paths = [];
for (const name of names) paths.push(await measure(name, isQuick ? ["--quick"] : [], isKept));
if (isWritten) {
  const page = join(folder, "RESULTS.md");
  await runOrExit(tools.bun, ["run", main, "--write", page, ...paths]);
  await runOrExit(tools.deno, ["fmt", "--quiet", "--config", join(root, "deno.json"), page]);
}
