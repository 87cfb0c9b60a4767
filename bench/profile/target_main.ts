/**
 * What is profiled: one workload of Zeolite, or one micro-benchmark, again and again for some
 * seconds, in a process of its own. Prints one line of JSON when it is done: what was done, and how
 * the store stands.
 *
 * Usage: target_main.ts WORKLOAD SECONDS FOLDER [--quick] [--sampler FILE]
 *   --sampler  the library that samples what the workload does, in this thread
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { open } from "../../src/mod.ts";
import { Random } from "../data.ts";
import { findEngines } from "../engines/all.ts";
import { micros } from "../micro/all.ts";
import type { Micro } from "../micro/measure.ts";
import { type Sizes, sizesOf } from "../sizes.ts";
import { contents, Stores } from "../stores.ts";
import { timeCalls } from "../timing.ts";
import { anyKey, touch } from "../workloads/workload.ts";
import { workloadOf } from "../workloads/all.ts";
import { Sampler } from "./sampler.ts";
import type { Figures } from "./suggest.ts";

/** What was done, and what is known of the store. */
export interface TargetReport {
  readonly workload: string;
  readonly operations: number;
  /** Nanoseconds of one operation, a figure a turn; none of a micro-benchmark, which has many. */
  readonly times: readonly number[];
  readonly figures: Figures;
  /** What was sampled: frames, as `stacks.ts` joins them, and how often. */
  readonly stacks?: readonly (readonly [string, number])[];
}

/** What the line begins with. */
export const REPORT = "@@profile ";
const ENGINE = "zeolite";
/** Entries of the large store: enough to leave the processor's caches, and soon there. */
const ENTRIES = 200_000;
/** Milliseconds of one measurement of a micro-benchmark. */
const MICRO_MS = 20;
/** Bytes that an entry takes beside its key and its value: head, slot, and sizes. */
const ENTRY_COST = 14;
const PAGE_HEADER = 24;

/**
 * How a store stands: from the engine's own counts, and from the sizes of its entries. Pages count
 * as kept for readers only beside a snapshot that is older than the newest commit: others wait for
 * a checkpoint.
 */
export function storeFigures(path: string): Figures {
  using store = open(path, { readOnly: true, create: false, keyEncoding: "string" });
  const readers = store.readers().filter(({ lag }) => lag > 0);
  const stats = store.stats();
  let bytes = 0;
  let keys = 0;
  for (const { key, value } of store.getRange({ limit: 10_000 })) {
    const size = (value as Uint8Array).length;
    const isInline = size < stats.pageSize / 2;
    bytes += (key as string).length + ENTRY_COST + (isInline ? size : 20);
    keys += 1;
  }
  const perEntry = bytes / Math.max(1, keys);
  const room = stats.leafPages * (stats.pageSize - PAGE_HEADER);
  return {
    pageSize: stats.pageSize,
    pageCount: Math.round(stats.fileSize / stats.pageSize),
    retainedPages: readers.length === 0 ? 0 : stats.retainedPages,
    ...(readers.length === 0
      ? {}
      : { oldestReaderMs: Math.max(...readers.map(({ ageMs }) => ageMs)) }),
    leafPages: stats.leafPages,
    overflowPages: stats.overflowPages,
    ...(stats.leafPages === 0 ? {} : {
      leafFill: Math.min(1, stats.entries * perEntry / room),
      entriesPerLeaf: stats.entries / stats.leafPages,
    }),
    keyEncoding: "string",
  };
}

/** What a get and a key of getMany take in the store that most workloads read. */
async function probe(stores: Stores, sizes: Sizes): Promise<Figures> {
  const filled = contents.large(sizes);
  if (!existsSync(stores.path(filled.name))) return {};
  const store = await stores.openFilled(filled, "unflushed");
  const random = new Random(9);
  const many = () => Array.from({ length: 1000 }, () => anyKey(filled.keys, random));
  const get = await timeCalls(() => store.get(anyKey(filled.keys, random)), sizes.shortMs);
  const all = await timeCalls(
    () => {
      const found = store.getMany(many()) as readonly (ArrayLike<number> | undefined)[];
      for (const value of found) touch(value);
    },
    sizes.shortMs,
    1000,
  );
  await store.close();
  return { getNs: get.time, manyNs: all.time };
}

/** What the command line asks for. */
interface Asked {
  readonly name: string;
  readonly seconds: number;
  readonly folder: string;
  readonly isQuick: boolean;
  readonly sampler: string | undefined;
}

/** How the first store of a run stands: while the workload has it open, with whoever reads it. */
function standing(stores: Stores, folder: string): Figures {
  const [first] = existsSync(join(folder, ENGINE)) ? readdirSync(join(folder, ENGINE)).sort() : [];
  return first === undefined ? {} : storeFigures(stores.path(first));
}

/** Runs a micro-benchmark, of Zeolite alone. */
async function runMicro(micro: Micro, asked: Asked): Promise<TargetReport> {
  const { name, seconds, sampler } = asked;
  const sampling = sampler === undefined ? undefined : new Sampler(sampler);
  const settings = { isQuick: true, milliseconds: MICRO_MS, engines: [ENGINE] };
  let operations = 0;
  const end = performance.now() + seconds * 1000;
  do {
    await micro.run(settings, ({ samples }) => {
      operations += samples;
    });
  } while (performance.now() < end);
  const report = { workload: name, operations, times: [], figures: {} };
  return sampling === undefined ? report : { ...report, stacks: [...sampling.stop()] };
}

async function run({ name, seconds, folder, isQuick, sampler }: Asked): Promise<TargetReport> {
  const { engines } = await findEngines([ENGINE]);
  const stores = new Stores(engines[0]!, folder);
  const workload = workloadOf(name);
  if (workload.begin === undefined) {
    throw new Error(`Cannot profile ${name}: it is of the machine`);
  }
  const sizes = sizesOf(isQuick, isQuick ? {} : { entries: ENTRIES });
  const session = await workload.begin({ stores, sizes });
  const times: number[] = [];
  let operations = 0;
  const sampling = sampler === undefined ? undefined : new Sampler(sampler);
  const end = performance.now() + seconds * 1000;
  for (let round = 1; round === 1 || performance.now() < end; round += 1) {
    const measured = await session.run(round);
    times.push(measured.time);
    operations += measured.operations;
  }
  const stacks = sampling?.stop();
  const stands = standing(stores, folder);
  await session.end();
  const probed = workload.group === "reads" ? await probe(stores, sizes) : {};
  const figures = { ...stands, ...probed };
  const report = { workload: name, operations, times, figures };
  return stacks === undefined ? report : { ...report, stacks: [...stacks] };
}

/** Runs what the command line names. A profile is written when the process ends by itself. */
export async function main(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { quick: { type: "boolean", default: false }, sampler: { type: "string" } },
  });
  const [name = "", seconds = "5", folder = ""] = positionals;
  const { quick: isQuick, sampler } = values;
  const asked = { name, seconds: Number(seconds), folder, isQuick, sampler };
  const micro = micros[name];
  const report = await (micro === undefined ? run(asked) : runMicro(micro, asked));
  console.log(`${REPORT}${JSON.stringify(report)}`);
}

if (import.meta.main) await main(process.argv.slice(2));
