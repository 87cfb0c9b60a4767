/** What the figures were taken on: the machine, its file system, and the versions of everything. */
import { readFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem, type as system } from "node:os";
import process from "node:process";
import { currentRuntime, currentVersion } from "../ffi/runtimes.ts";

/** Machine and versions of a run. */
export interface Machine {
  readonly runtime: "bun" | "deno";
  readonly runtimeTitle: string;
  readonly runtimeVersion: string;
  readonly processor: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly kernel: string;
  /** Type of the file system that the stores lie on. */
  readonly fileSystem: string;
  /** Programs that wanted a processor in the minute before the run. */
  readonly load: number;
  /** How the run itself was scheduled: at a real-time priority other programs disturb it less. */
  readonly scheduling: string;
}

/** Scheduling policies by their number in the kernel, and the field that has it. */
const POLICIES = ["normal", "first in, first out", "round robin"] as const;
const POLICY_FIELD = 40;

function scheduling(): string {
  let fields: string[];
  try {
    fields = readFileSync("/proc/self/stat", "utf8").replace(/\(.*\)/, "")
      .split(/ +/);
  } catch {
    return POLICIES[0];
  }
  // One field, the name in brackets, was taken out.
  const policy = POLICIES[Number(fields[POLICY_FIELD - 1])] ?? "special";
  return policy === POLICIES[0] ? policy : `real-time, ${policy}`;
}

/** The type of the file system that a folder is on: that of the longest mount point above it. */
function fileSystemOf(folder: string): string {
  let mounts: string;
  try {
    mounts = readFileSync("/proc/mounts", "utf8");
  } catch {
    return "unknown file system";
  }
  let longest = "";
  let found = "unknown file system";
  for (const line of mounts.split("\n")) {
    const [, point = "", type = ""] = line.split(" ");
    const isAbove = `${folder}/`.startsWith(point === "/" ? "/" : `${point}/`);
    if (point === "" || !isAbove || point.length < longest.length) continue;
    longest = point;
    found = type;
  }
  return found;
}

/** Describes where this runs. */
export function describeMachine(folder: string): Machine {
  const { name, title } = currentRuntime();
  const processors = cpus();
  return {
    runtime: name,
    runtimeTitle: title,
    runtimeVersion: currentVersion(),
    processor: processors[0]?.model ?? "unknown processor",
    cores: processors.length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: `${system()} ${release()} ${process.arch}`,
    fileSystem: fileSystemOf(folder),
    load: Math.round(loadavg()[0]! * 10) / 10,
    scheduling: scheduling(),
  };
}
