/** The profilers that are here, why one is not, and how it is got. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

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

/** A library whose functions have names, or why there is none. */
export interface Symbols {
  readonly path?: string;
  readonly reason?: string;
}

/** Builds the library with names and frame pointers, into a folder of its own. */
export function buildWithSymbols(): Symbols {
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
  const file = join(root, "zig", "build.zig");
  const args = ["build", "--build-file", file, "--prefix", prefix, "lib", "-Dsymbols=true"];
  const { status, stderr } = spawnSync(zig, args, { encoding: "utf8", cwd: root, env });
  if (status !== 0) return { reason: `the library with names cannot be built: ${stderr.trim()}` };
  const name = process.platform === "darwin" ? "libzeolite.dylib" : "libzeolite.so";
  return { path: join(prefix, "lib", name) };
}
