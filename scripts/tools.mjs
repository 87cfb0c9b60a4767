/**
 * Where the pinned tools are, the environment they run in, and how a program is run.
 * Every tool is the one that package.json pins, in node_modules: none is looked for elsewhere. All
 * caches and temporary files stay inside the repository, in folders that git ignores.
 */
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

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

/**
 * Runs a program in the repository's folder.
 * With `capture` both of its outputs come back as one text, in the order written; else they go
 * where ours go. A program that takes longer than `minutes` is killed.
 */
export function run(program, args, { capture = false, minutes } = {}) {
  return new Promise((resolve, reject) => {
    const stdio = capture ? ["ignore", "pipe", "pipe"] : "inherit";
    const env = environment();
    // An output that is read by a program is plain.
    if (capture) delete env["FORCE_COLOR"];
    if (capture) env["NO_COLOR"] = "1";
    const limit = minutes === undefined ? {} : { timeout: minutes * 60_000, killSignal: "SIGKILL" };
    const child = spawn(program, args, { cwd: root, env, stdio, ...limit });
    let output = "";
    for (const stream of capture ? [child.stdout, child.stderr] : []) {
      stream.setEncoding("utf8").on("data", (text) => output += text);
    }
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code: code ?? 1, signal, output }));
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
