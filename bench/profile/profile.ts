/**
 * Profiles one workload, or one micro-benchmark: a run for its figures, one under `perf` with a
 * library whose functions have names, or, where there is no `perf`, under the suite's own sampler,
 * and one under the runtime's own profiler. What is missing is named, with how to get it, and the
 * rest goes on. Writes a page with flame graphs, folded stacks, the figures as JSON, and a script
 * that applies what is a setting.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { currentRuntime, currentVersion, isExecutable, scriptCommand } from "../../ffi/runtimes.ts";
import { canCount, countFlushes } from "../flushes.ts";
import { RunFolder } from "../stores.ts";
import { median } from "../timing.ts";
import { UsageError } from "../usage.ts";
import { LAYERS } from "../micro/layers.ts";
import { micros } from "../micro/all.ts";
import { workloadOf } from "../workloads/all.ts";
import { type Graph, profilePage } from "./page.ts";
import {
  folded,
  hottest,
  readCpuProfile,
  readPerf,
  sampleCount,
  shareOf,
  type Stacks,
  treeOf,
} from "./stacks.ts";
import { type Figures, settingsScript, suggest, type Suggestion } from "./suggest.ts";
import { REPORT, type TargetReport } from "./target_main.ts";
import {
  buildWithSymbols,
  countMisses,
  readMisses,
  RECORD,
  type Symbols,
  whyNoPerf,
} from "./tools.ts";

/** What to profile. */
export interface ProfileOptions {
  readonly workload: string;
  readonly seconds: number;
  /** Where the files go. */
  readonly folder: string;
  readonly isQuick: boolean;
  tell(doing: string): void;
}

/** What came of it. */
export interface Profile {
  readonly workload: string;
  readonly runtime: string;
  /** Nanoseconds of one operation, in the turn in the middle; of a micro-benchmark none. */
  readonly time: number | undefined;
  readonly figures: Figures;
  readonly hottest: Readonly<Record<string, readonly { name: string; share: number }[]>>;
  readonly suggestions: readonly Suggestion[];
  readonly missing: readonly string[];
  readonly files: readonly string[];
}

const HOTTEST = 12;
const target = new URL("target_main.ts", import.meta.url);

/** How a target is run. */
interface How {
  /** A program that runs it, with its arguments. */
  readonly prefix?: readonly string[];
  /** Options of the runtime. */
  readonly options?: readonly string[];
  /** Options of the target. */
  readonly own?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Runs the target to its end, under another program if there is one. All runs have their stores in
 * one folder, so that only the first, which is not sampled, fills what the workload reads.
 */
class Target {
  readonly #options: ProfileOptions;
  readonly #stores: RunFolder;
  readonly #symbols: Symbols;

  constructor(options: ProfileOptions, stores: RunFolder, symbols: Symbols = {}) {
    this.#options = options;
    this.#stores = stores;
    this.#symbols = symbols;
  }

  run({ prefix = [], options = [], own = [], env = {} }: How = {}): TargetReport {
    const command = scriptCommand(target, currentRuntime(), options);
    const { workload, seconds, isQuick } = this.#options;
    const asked = [workload, String(seconds), this.#stores.path, ...(isQuick ? ["--quick"] : [])];
    const [started, ...args] = [...prefix, ...command, ...asked, ...own];
    const { path, layers } = this.#symbols;
    const named = {
      ...(path === undefined ? {} : { ZEOLITE_LIBRARY: path }),
      ...(layers === undefined ? {} : { [LAYERS]: layers }),
    };
    const { stdout, stderr, status, error } = spawnSync(started!, args, {
      encoding: "utf8",
      env: { ...process.env, ...named, ...env },
      maxBuffer: 1 << 28,
    });
    if (error !== undefined) throw error;
    const line = stdout.split("\n").find((text) => text.startsWith(REPORT));
    if (status !== 0 || line === undefined) {
      throw new Error(`Cannot profile ${workload}: ${`${stderr}${stdout}`.trim().slice(-400)}`);
    }
    return JSON.parse(line.slice(REPORT.length));
  }
}

/** Samples under `perf`. */
function withPerf(goal: Target, folder: string): Stacks {
  const data = join(folder, "perf.data");
  goal.run({ prefix: ["perf", ...RECORD, "-o", data, "--"] });
  const args = ["script", "-i", data, "-F", "comm,ip,sym,dso"];
  const { stdout } = spawnSync("perf", args, { encoding: "utf8", maxBuffer: 1 << 30 });
  return readPerf(stdout);
}

/** Samples of the suite's own sampler. */
function withSampler(goal: Target, sampler: string): Stacks {
  const stacks = new Map(goal.run({ own: ["--sampler", sampler] }).stacks ?? []);
  if (stacks.size > 0) return stacks;
  throw new Error("the thread that it samples did nothing; perf sees Workers as well");
}

/** Samples of the runtime's own profiler. */
function withRuntime(goal: Target, folder: string): Stacks {
  const options = ["--cpu-prof", `--cpu-prof-dir=${folder}`];
  // The executable is Bun, which takes its options from there.
  goal.run(isExecutable ? { env: { BUN_OPTIONS: options.join(" ") } } : { options });
  const file = readdirSync(folder).find((name) => name.endsWith(".cpuprofile"));
  if (file === undefined) throw new Error("the runtime wrote no profile");
  return readCpuProfile(JSON.parse(readFileSync(join(folder, file), "utf8")));
}

/** Cache misses of one operation, the start of the process included. */
function missesOf({ workload }: ProfileOptions, goal: Target, folder: string): Figures {
  const file = join(folder, "misses");
  const isGet = workload.startsWith("get_") && workload !== "get_many";
  const args = isGet ? countMisses(file) : undefined;
  if (args === undefined) return {};
  const { operations } = goal.run({ prefix: ["perf", ...args] });
  const misses = readMisses(file);
  return misses === undefined ? {} : { missesPerGet: misses / operations };
}

/** Whether frames say which file they are of: in the single executable they do not. */
function hasFiles(stacks: Stacks): boolean {
  return shareOf(stacks, / src\//) > 0;
}

/** What the samples say of the parts of the time. */
function sharesOf(native: Stacks | undefined, script: Stacks | undefined): Figures {
  return {
    ...(script === undefined || !hasFiles(script) ? {} : {
      keyShare: shareOf(script, /src\/codec\/(key|ordered|text)\.ts/),
      valueShare: shareOf(script, /src\/codec\/(value|copy)\.ts/),
    }),
    ...(script === undefined ? {} : {
      collectorShare: shareOf(script, /^\(garbage collector\)$|^\[GC\]/),
    }),
    ...(native === undefined ? {} : {
      checksumShare: shareOf(native, /checksum|XxHash3/i),
    }),
  };
}

async function flushesOf({ workload }: ProfileOptions): Promise<Figures> {
  if (workload in micros) return {};
  const found = workloadOf(workload);
  if (!found.isWriting || found.isCounted !== true || !canCount()) return {};
  using folder = new RunFolder();
  const counted = (await countFlushes("zeolite", [found], folder.path)).get(workload);
  return counted === undefined ? {} : { flushesPerCommit: counted / 1000 };
}

function graphOf(title: string, stacks: Stacks): Graph {
  const samples = sampleCount(stacks);
  return { title, samples, tree: treeOf(stacks, "all"), hottest: hottest(stacks, HOTTEST) };
}

const TITLES = {
  native: "Processor: Zig, runtime and kernel (perf)",
  sampled: "Processor: Zig and runtime, one thread (the suite's own sampler)",
  script: "JavaScript (the runtime's own profiler)",
} as const;

/** Samples by who took them. */
type Samples = Partial<Record<keyof typeof TITLES, Stacks>>;

/** Every profile there is, by its title and by the name that its file has. */
function* each(samples: Samples): Generator<[title: string, name: string, stacks: Stacks]> {
  for (const name of ["native", "sampled", "script"] as const) {
    const stacks = samples[name];
    if (stacks !== undefined) yield [TITLES[name], name, stacks];
  }
}

/** Everything that is written. */
function write({ folder }: ProfileOptions, profile: Profile, samples: Samples): void {
  mkdirSync(folder, { recursive: true });
  const { workload, runtime, time, suggestions, missing } = profile;
  const page = profilePage({
    title: `Profile of ${workload}`,
    facts: [
      runtime,
      ...(time === undefined ? [] : [
        `${Math.round(time).toLocaleString("en")} ns an operation, in the turn in the middle`,
      ]),
    ],
    graphs: [...each(samples)].map(([title, , stacks]) => graphOf(title, stacks)),
    suggestions,
    missing,
  });
  writeFileSync(join(folder, `${workload}.html`), page);
  for (const [, name, stacks] of each(samples)) {
    writeFileSync(join(folder, `${workload}.${name}.folded`), folded(stacks));
  }
  writeFileSync(join(folder, `${workload}.json`), `${JSON.stringify(profile, null, 2)}\n`);
  const script = join(folder, "apply.sh");
  writeFileSync(script, settingsScript(suggestions), { mode: 0o755 });
}

/** Does what may not be possible here; why it was not is told. */
function attempt<T>(missing: string[], what: string, work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    missing.push(`${what}: ${(error as Error).message}`);
    return undefined;
  }
}

/** What samples say, and what was counted beside them. */
interface Taken {
  readonly samples: Samples;
  readonly counted: Figures;
}

/** Takes samples as well as can be done here; the rest is told. */
function sample(options: ProfileOptions, stores: RunFolder, missing: string[]): Taken {
  const { tell } = options;
  const scratch = mkdtempSync(join(tmpdir(), "zeolite-profile-"));
  const samples: Samples = {};
  let counted: Figures = {};
  try {
    tell("making the library with names");
    const symbols = buildWithSymbols(scratch);
    if (symbols.reason !== undefined) missing.push(symbols.reason);
    const { sampler } = symbols;
    const named = new Target(options, stores, symbols);
    const noPerf = whyNoPerf();
    if (noPerf !== undefined) missing.push(noPerf);
    const native = noPerf !== undefined ? undefined : attempt(missing, "perf", () => {
      tell("sampling with perf");
      counted = missesOf(options, named, scratch);
      return withPerf(named, scratch);
    });
    if (native !== undefined) samples.native = native;
    else if (sampler !== undefined) {
      tell("sampling without perf");
      const sampled = attempt(missing, "the sampler", () => withSampler(named, sampler));
      if (sampled !== undefined) samples.sampled = sampled;
    }
    tell("sampling with the runtime's profiler");
    const plain = new Target(options, stores);
    const script = attempt(missing, "the runtime's profiler", () => withRuntime(plain, scratch));
    if (script !== undefined) samples.script = script;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return { samples, counted };
}

/** Profiles a workload. */
export async function profile(options: ProfileOptions): Promise<Profile> {
  const { workload, folder, tell } = options;
  if (!(workload in micros) && workloadOf(workload).begin === undefined) {
    throw new UsageError(`Cannot profile ${workload}: it is of the machine`);
  }
  const missing: string[] = [];
  tell("taking figures");
  using stores = new RunFolder();
  const report = new Target(options, stores).run();
  const { samples, counted } = sample(options, stores, missing);
  tell("counting flushes");
  const flushes = await flushesOf(options);
  const shares = sharesOf(samples.native ?? samples.sampled, samples.script);
  const figures = { ...report.figures, ...shares, ...flushes, ...counted };
  const suggestions = suggest(figures);
  const found: Profile = {
    workload,
    runtime: `${currentRuntime().title} ${currentVersion()}`,
    time: report.times.length === 0 ? undefined : median(report.times),
    figures,
    hottest: Object.fromEntries(
      [...each(samples)].map(([title, , stacks]) => [title, hottest(stacks, HOTTEST)]),
    ),
    suggestions,
    missing,
    files: [`${workload}.html`, `${workload}.json`, "apply.sh"].map((name) => join(folder, name)),
  };
  write(options, found, samples);
  return found;
}
