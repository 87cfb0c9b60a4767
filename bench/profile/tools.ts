/** The profilers that are here, why one is not, and how it is got. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { isExecutable } from "../../ffi/runtimes.ts";
import { extractLibrary } from "../embedded.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Arguments of `perf record`: the clock of the processor, which every machine has, and frames. */
export const RECORD = ["record", "--quiet", "--event", "cpu-clock", "--freq", "997", "-g"];

/** Why `perf` cannot be used, and what to do; nothing if it can. */
export function whyNoPerf(): string | undefined {
  if (process.platform !== "linux") return "perf is for Linux";
  if (spawnSync("perf", ["--version"], { stdio: "ignore" }).status !== 0) {
    return "perf is not installed: apt-get install linux-perf (Debian), linux-tools-generic " +
      "(Ubuntu), perf (Fedora, Arch)";
  }
  const output = join("/tmp", `zeolite-perf-${process.pid}`);
  const { status, stderr } = spawnSync("perf", [...RECORD, "-o", output, "true"], {
    encoding: "utf8",
  });
  spawnSync("rm", ["-f", output, `${output}.old`]);
  if (status === 0) return undefined;
  const level = readParanoia();
  if (level > 1) {
    return `perf has no right to sample (perf_event_paranoid is ${level}): ` +
      "sudo sysctl kernel.perf_event_paranoid=1";
  }
  return `perf does not work here: ${stderr.trim().split("\n")[0]}`;
}

function readParanoia(): number {
  try {
    return Number(readFileSync("/proc/sys/kernel/perf_event_paranoid", "utf8"));
  } catch {
    return 0;
  }
}

/** The event that counts loads which no cache had. */
const MISSES = "cache-misses";

/** The number that `perf stat -x,` printed of an event; nothing where the processor counts none. */
export function readCount(text: string, event: string): number | undefined {
  for (const line of text.split("\n")) {
    const [count = "", , name = ""] = line.split(",");
    // Behind the colon: that only the program itself was counted.
    if (name.split(":")[0] === event && /^\d+$/.test(count)) {
      return Number(count);
    }
  }
  return undefined;
}

/** The arguments of `perf` that count misses, writing to a file; nothing where that cannot be. */
export function countMisses(file: string): readonly string[] | undefined {
  const args = ["stat", "-x,", "-e", MISSES, "-o", file, "--"];
  const { status } = spawnSync("perf", [...args, "true"], { stdio: "ignore" });
  return status === 0 && readMisses(file) !== undefined ? args : undefined;
}

/** What such a file says. */
export function readMisses(file: string): number | undefined {
  return existsSync(file) ? readCount(readFileSync(file, "utf8"), MISSES) : undefined;
}

/** A library whose functions have names, and what samples without perf; or why one is missing. */
export interface Symbols {
  readonly path?: string;
  readonly sampler?: string;
  /** The layers of the engine, which micro-benchmarks measure, likewise. */
  readonly layers?: string;
  readonly reason?: string;
}

/** What the single executable has inside it, written into a folder. */
function extractSymbols(folder: string): Symbols {
  const path = extractLibrary("libnames.so", folder);
  const sampler = extractLibrary("libsampler.so", folder);
  if (path === undefined || sampler === undefined) {
    return { reason: "names of functions are not in this program: it was compiled without them" };
  }
  const layers = extractLibrary("liblayers.so", folder);
  return { path, sampler, ...(layers === undefined ? {} : { layers }) };
}

/**
 * Builds the library with names and frame pointers, and the sampler, into a folder of its own; the
 * single executable writes its own into `scratch`.
 */
export function buildWithSymbols(scratch: string): Symbols {
  if (isExecutable) return extractSymbols(scratch);
  const zig = join(
    root,
    "node_modules",
    `@zigc/${process.platform}-${process.arch}`,
    "bin",
    "zig",
  );
  if (!existsSync(zig) || !existsSync(join(root, "zig", "build.zig"))) {
    return {
      reason: "the library has no names of functions: in a clone, where the compiler is, it is " +
        "built anew with them",
    };
  }
  const prefix = join(root, ".cache", "profile");
  const cache = join(root, ".zig-cache");
  const env = {
    ...process.env,
    ZIG_LOCAL_CACHE_DIR: cache,
    ZIG_GLOBAL_CACHE_DIR: join(cache, "global"),
  };
  const isLinux = process.platform === "linux";
  const file = join(root, "zig", "build.zig");
  const steps = ["lib", "bench-layers", ...(isLinux ? ["bench-sampler"] : [])];
  const args = ["build", "--build-file", file, "--prefix", prefix, ...steps, "-Dsymbols=true"];
  const { status, stderr } = spawnSync(zig, args, { encoding: "utf8", cwd: root, env });
  if (status !== 0) return { reason: `the library with names cannot be built: ${stderr.trim()}` };
  const name = process.platform === "darwin" ? "libzeolite.dylib" : "libzeolite.so";
  return {
    path: join(prefix, "lib", name),
    layers: join(prefix, "lib", name.replace("zeolite", "layers")),
    ...(isLinux ? { sampler: join(prefix, "lib", "libsampler.so") } : {}),
  };
}
