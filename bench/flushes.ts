/**
 * Counts the flushes of the workloads that commit. Each engine does them once more, a few, in a
 * process of its own under strace: `fdatasync`, `fsync`, `msync`, `sync_file_range` and every write
 * to a descriptor that was opened with O_SYNC or O_DSYNC count. What flushes, in which thread,
 * makes
 * no difference. Where strace is missing, nothing is counted and the report says so.
 */
import { spawnSync } from "node:child_process";
import { openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { currentRuntime } from "../ffi/runtimes.ts";
import { Keys } from "./data.ts";
import type { Engine } from "./engines/engine.ts";
import { type Sizes, WRITERS } from "./sizes.ts";
import { fill, type Folder } from "./stores.ts";
import { names, promisedPuts, putTimes, syncPuts } from "./workloads/commits.ts";

/** The workloads whose flushes are counted. */
const counted = [
  {
    name: names.unflushed,
    durability: "unflushed",
    puts: syncPuts,
    writers: 1,
  },
  { name: names.sync, durability: "flushed", puts: syncPuts, writers: 1 },
  {
    name: names.promised,
    durability: "flushed",
    puts: promisedPuts,
    writers: 1,
  },
  {
    name: names.writers,
    durability: "flushed",
    puts: promisedPuts,
    writers: WRITERS,
  },
] as const;

/** Files with this in their name exist nowhere: trying to open one leaves a mark in the trace. */
const MARK = "zeolite-bench-mark-";
/** The mark behind a workload. */
const END = counted.length;

const CALLS = "openat,open,fdatasync,fsync,msync,sync_file_range,pwrite64,pwritev,pwritev2,write";

function mark(index: number): void {
  try {
    openSync(`/${MARK}${index}`, "r");
  } catch {
    // It is not there; that it was looked for is in the trace.
  }
}

/** The part of the work that runs under strace: every workload once, between its marks. */
export async function commitMarked(
  engine: Engine,
  folder: Folder,
  sizes: Sizes,
): Promise<void> {
  const keys = new Keys(sizes.hotEntries);
  for (const [index, { durability, puts, writers }] of counted.entries()) {
    const store = folder.open(engine, `flushes-${index}`, durability);
    fill(store, keys, null);
    const put = puts(store, keys);
    await putTimes(put, sizes.flushedCommits, writers);
    mark(index);
    await putTimes(put, sizes.flushedCommits * writers, writers);
    mark(END);
    await store.close();
  }
}

/** Reads a trace: how many calls flushed, between which marks. */
class Trace {
  /** By index of the workload. */
  readonly counts: number[] = Array.from({ length: END + 1 }, () => 0);
  #workload: number = END;
  /** Descriptors whose writes are flushes. */
  readonly #synchronous: Set<string> = new Set();
  /** Calls that have not returned, by thread. */
  readonly #begun: Map<string, string> = new Map();

  constructor(text: string) {
    for (const line of text.split("\n")) this.#read(line);
  }

  #read(line: string): void {
    const [, thread = "", call = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const [begun, rest] = call.split("<unfinished ...>");
    if (rest !== undefined) {
      this.#begun.set(thread, begun!);
      return;
    }
    const [, end] = /^<\.\.\. \w+ resumed>(.*)$/.exec(call) ?? [];
    this.#count(
      end === undefined ? call : `${this.#begun.get(thread) ?? ""}${end}`,
    );
  }

  #count(call: string): void {
    const [, name, first = ""] = /^(\w+)\(([^,)]*)/.exec(call) ?? [];
    if (name === undefined) return;
    if (name.startsWith("open")) return this.#open(call);
    if (name.includes("write") && !this.#synchronous.has(first)) return;
    this.counts[this.#workload]! += 1;
  }

  #open(call: string): void {
    const [, index] = new RegExp(`${MARK}(\\d+)`).exec(call) ?? [];
    if (index !== undefined) this.#workload = Number(index);
    const [, descriptor] = / = (\d+)$/.exec(call) ?? [];
    if (descriptor === undefined) return;
    if (/O_D?SYNC/.test(call)) this.#synchronous.add(descriptor);
    else this.#synchronous.delete(descriptor);
  }
}

/** Flushes for 1,000 puts, by workload; null where they cannot be counted. */
export function countFlushes(
  engine: Engine,
  folder: Folder,
  sizes: Sizes,
): Record<string, number> | null {
  const output = join(folder.path, `${engine.name}.trace`);
  const main = fileURLToPath(new URL("main.ts", import.meta.url));
  const traced = [...currentRuntime().command, main, "--count", engine.name];
  const tracing = [
    "-f",
    "--seccomp-bpf",
    "-s",
    "400",
    "-e",
    `trace=${CALLS}`,
    "-o",
    output,
  ];
  const amount = sizes.isQuick ? ["--quick"] : [];
  const { status } = spawnSync("strace", [...tracing, ...traced, ...amount], {
    stdio: ["ignore", "ignore", "inherit"],
    env: process.env,
  });
  if (status !== 0) return null;
  const { counts } = new Trace(readFileSync(output, "utf8"));
  return Object.fromEntries(counted.map(({ name, writers }, index) => {
    return [name, counts[index]! * 1000 / (sizes.flushedCommits * writers)];
  }));
}
