/**
 * Counts the flushes of the workloads that commit. Each engine does them once more, briefly, in a
 * process of its own under strace: `fdatasync`, `fsync`, `msync`, `sync_file_range` that waits,
 * every write to a descriptor that was opened with O_SYNC or O_DSYNC, and every one with RWF_SYNC
 * or RWF_DSYNC count. What flushes, in which thread, makes no difference. Where strace is missing,
 * nothing is counted and the report says so.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Contender } from "./Contender.ts";
import { MARK } from "./contender_main.ts";
import { counting } from "./sizes.ts";
import type { Workload } from "./workloads/workload.ts";

const CALLS = "openat,open,fdatasync,fsync,msync,sync_file_range,pwrite64,pwritev,pwritev2,write";
const STRACE = [
  "strace",
  "-f",
  "--seccomp-bpf",
  "-s",
  "400",
  "-e",
  `trace=${CALLS}`,
  "-o",
];

/** Whether flushes can be counted here. */
export function canCount(): boolean {
  return spawnSync("strace", ["-f", "true"], { stdio: "ignore" }).status === 0;
}

/** Reads a trace: how many calls flushed behind which mark. */
class Trace {
  /** By number of the mark. */
  readonly counts: Map<number, number> = new Map();
  #mark = -1;
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
    const isSynchronous = this.#synchronous.has(first) || /RWF_D?SYNC/.test(call);
    if (name.includes("write") && !isSynchronous) return;
    // Without waiting it only has the kernel begin.
    if (name === "sync_file_range" && !call.includes("_WAIT_")) return;
    this.counts.set(this.#mark, (this.counts.get(this.#mark) ?? 0) + 1);
  }

  #open(call: string): void {
    const [, index] = new RegExp(`${MARK}(\\d+)`).exec(call) ?? [];
    if (index !== undefined) this.#mark = Number(index);
    const [, descriptor] = / = (\d+)$/.exec(call) ?? [];
    if (descriptor === undefined) return;
    if (/O_D?SYNC/.test(call)) this.#synchronous.add(descriptor);
    else this.#synchronous.delete(descriptor);
  }
}

/** Flushes for 1,000 operations of an engine, by workload. */
export async function countFlushes(
  engine: string,
  workloads: readonly Workload[],
  folder: string,
): Promise<Map<string, number>> {
  const output = join(folder, `${engine}.trace`);
  const contender = new Contender(engine, `${folder}/counted`, counting, [
    ...STRACE,
    output,
  ]);
  const operations: number[] = [];
  for (const [index, { id }] of workloads.entries()) {
    try {
      await contender.begin(id);
      await contender.run(0);
      await contender.mark(index);
      operations[index] = (await contender.run(1)).operations;
      await contender.mark(workloads.length);
      await contender.end();
    } catch {
      // It cannot do this one, which its row says already.
    }
  }
  await contender.stop();
  const { counts } = new Trace(readFileSync(output, "utf8"));
  const counted = new Map<string, number>();
  for (const [index, { id }] of workloads.entries()) {
    const done = operations[index];
    if (done !== undefined) {
      counted.set(id, (counts.get(index) ?? 0) * 1000 / done);
    }
  }
  return counted;
}
