/**
 * Where the pinned tools are, the environment they run in, and how a program is run.
 * Every tool is the one that package.json pins, in node_modules: none is looked for elsewhere. All
 * caches and temporary files stay inside the repository, in folders that git ignores.
 */
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/** The folder of the repository. */
export const root = fileURLToPath(new URL("..", import.meta.url));

const modules = join(root, "node_modules");
const caches = join(root, ".cache");

/** The package that holds the Zig compiler of this platform. */
export const zigPackage = `@zigc/${process.platform}-${process.arch}`;

/** The programs of the pinned tools; Zig's own, not the script around it. */
export const tools = {
  zig: join(modules, zigPackage, "bin/zig"),
  bun: join(modules, ".bin/bun"),
  deno: join(modules, ".bin/deno"),
  tsc: join(modules, "typescript/bin/tsc"),
};

/** The environment of every program: caches inside the repository, nothing sent home. */
export function environment() {
  const temporary = join(caches, "tmp");
  mkdirSync(temporary, { recursive: true });
  return {
    ...process.env,
    PATH: [join(modules, ".bin"), process.env["PATH"] ?? ""].join(delimiter),
    TMPDIR: temporary,
    ZIG_LOCAL_CACHE_DIR: join(root, ".zig-cache"),
    ZIG_GLOBAL_CACHE_DIR: join(root, ".zig-cache", "global"),
    DENO_DIR: join(caches, "deno"),
    DENO_NO_UPDATE_CHECK: "1",
    DENO_NO_PROMPT: "1",
    BUN_RUNTIME_TRANSPILER_CACHE_PATH: join(caches, "bun"),
    DO_NOT_TRACK: "1",
  };
}

/** What a script's own head says of how it is used. */
function usageOf(url) {
  const [, head = ""] = /^\/\*\*\n(.*?)\n \*\//s.exec(readFileSync(new URL(url), "utf8")) ?? [];
  const lines = head.split("\n").map((line) => line.replace(/^ \* ?/, ""));
  return lines.slice(lines.findIndex((line) => line.startsWith("Usage:"))).join("\n");
}

/**
 * Reads the command line of a script. `--help` prints what its head says, and what makes no sense
 * is told in a line; either ends the script, with 0 or 2.
 *
 * @param url The script's own `import.meta.url`.
 * @param doing What it cannot do then, as in "Cannot measure".
 * @param check Looks at what was read; throws what is wrong with it.
 */
export function readCommandLine(url, doing, config, check = (parsed) => parsed) {
  const args = process.argv.slice(2);
  if (args.includes("--help") || args.includes("-h")) {
    console.log(usageOf(url));
    process.exit(0);
  }
  try {
    return check(parseArgs(config));
  } catch (error) {
    const [reason] = error.message.split(/\. To specify|\n/);
    console.error(`Cannot ${doing}: ${reason}; --help tells what there is`);
    process.exit(2);
  }
}

/** A number above 0 that an option was given. */
export function numberOf(name, text, kind = "whole") {
  const number = Number(text);
  const isRight = kind === "whole" ? Number.isSafeInteger(number) : Number.isFinite(number);
  if (text.trim() !== "" && isRight && number > 0) return number;
  throw new Error(`--${name} ${text} is no ${kind === "whole" ? "whole " : ""}number above 0`);
}

/** Groups of processes that end with this one. */
const groups = new Set();

function killGroup(pid) {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Every process of the group has ended.
  }
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    groups.forEach(killGroup);
    process.exit(1);
  });
}

/** Runs a program in the repository's folder; its outputs go where ours go. */
export function run(program, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: root, env: environment(), stdio: "inherit" });
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code: code ?? 1, signal }));
  });
}

/**
 * Runs a program, in a process group of its own, and reads both of its outputs as one text, in the
 * order written. What takes longer than `minutes` is killed with all that it started.
 */
export function capture(program, args, minutes) {
  return new Promise((resolve, reject) => {
    const env = { ...environment(), NO_COLOR: "1" };
    delete env["FORCE_COLOR"];
    const stdio = ["ignore", "pipe", "pipe"];
    const child = spawn(program, args, { cwd: root, env, stdio, detached: true });
    groups.add(child.pid);
    const timer = setTimeout(() => {
      output += `\nkilled: not done after ${minutes} minutes\n`;
      killGroup(child.pid);
    }, minutes * 60_000);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => output += text);
    }
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      groups.delete(child.pid);
      resolve({ code: code ?? 1, signal, output });
    });
  });
}

/** Runs a program whose failure ends this one, with the same exit code. */
export async function runOrExit(program, args) {
  const { code, signal } = await run(program, args);
  if (signal !== null) process.stderr.write(`${program} was ended by ${signal}\n`);
  if (code !== 0) process.exit(code);
}

/** The arguments of `zig build` for a step. */
export function zigBuild(...args) {
  return ["build", "--build-file", "zig/build.zig", "--prefix", "zig-out", ...args];
}
