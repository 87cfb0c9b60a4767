/**
 * Profiles one workload: a run for its figures, one under `perf` with a library whose functions
 * have names, one under the runtime's own profiler. What is missing is named, with how to get it,
 * and the rest goes on. Writes a page with flame graphs, folded stacks, the figures as JSON, and a
 * script that applies what is a setting.
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
import { buildWithSymbols, RECORD, whyNoPerf } from "./tools.ts";

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
  /** Nanoseconds of one operation, in the turn in the middle. */
  readonly time: number;
  readonly figures: Figures;
  readonly hottest: Readonly<Record<string, readonly { name: string; share: number }[]>>;
  readonly suggestions: readonly Suggestion[];
  readonly missing: readonly string[];
  readonly files: readonly string[];
}

const HOTTEST = 12;
const target = new URL("target_main.ts", import.meta.url);

/**
 * Runs the target to its end, under another program if there is one. All runs have their stores in
 * one folder, so that only the first, which is not sampled, fills what the workload reads.
 */
class Target {
  readonly #options: ProfileOptions;
  readonly #stores: RunFolder;
  readonly #library: string | undefined;

  constructor(options: ProfileOptions, stores: RunFolder, library?: string) {
    this.#options = options;
    this.#stores = stores;
    this.#library = library;
  }

  run(prefix: readonly string[], more: readonly string[]): TargetReport {
    const command = scriptCommand(target, currentRuntime(), more);
    const { workload, seconds, isQuick } = this.#options;
    const own = [workload, String(seconds), this.#stores.path, ...(isQuick ? ["--quick"] : [])];
    const [started, ...args] = [...prefix, ...command, ...own];
    const env = this.#library === undefined
      ? process.env
      : { ...process.env, ZEOLITE_LIBRARY: this.#library };
    const { stdout, stderr, status, error } = spawnSync(started!, args, {
      encoding: "utf8",
      env,
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
  goal.run(["perf", ...RECORD, "-o", data, "--"], []);
  const args = ["script", "-i", data, "-F", "comm,ip,sym,dso"];
  const { stdout } = spawnSync("perf", args, { encoding: "utf8", maxBuffer: 1 << 30 });
  return readPerf(stdout);
}

/** Samples of the runtime's own profiler. */
function withRuntime(goal: Target, folder: string): Stacks {
  if (isExecutable) throw new Error("the executable takes no options of the runtime");
  goal.run([], ["--cpu-prof", `--cpu-prof-dir=${folder}`]);
  const file = readdirSync(folder).find((name) => name.endsWith(".cpuprofile"));
  if (file === undefined) throw new Error("the runtime wrote no profile");
  return readCpuProfile(JSON.parse(readFileSync(join(folder, file), "utf8")));
}

/** What the samples say of the parts of the time. */
function sharesOf(native: Stacks | undefined, script: Stacks | undefined): Figures {
  return {
    ...(script === undefined ? {} : {
      keyShare: shareOf(script, /src\/codec\/(key|ordered|text)\.ts/),
      valueShare: shareOf(script, /src\/codec\/(value|copy)\.ts/),
      collectorShare: shareOf(script, /^\(garbage collector\)$|^\[GC\]/),
    }),
    ...(native === undefined ? {} : {
      checksumShare: shareOf(native, /checksum|XxHash3/i),
    }),
  };
}

async function flushesOf({ workload }: ProfileOptions): Promise<Figures> {
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

/** Samples by who took them. */
interface Samples {
  readonly native?: Stacks;
  readonly script?: Stacks;
}

const TITLES = {
  native: "Processor: Zig, runtime and kernel (perf)",
  script: "JavaScript (the runtime's own profiler)",
} as const;

/** Every profile there is, by its title and by the name that its file has. */
function* each(samples: Samples): Generator<[title: string, name: string, stacks: Stacks]> {
  for (const name of ["native", "script"] as const) {
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
      `${Math.round(time).toLocaleString("en")} ns an operation, in the turn in the middle`,
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

/** Takes samples as well as can be done here; the rest is told. */
function sample(options: ProfileOptions, stores: RunFolder, missing: string[]): Samples {
  const { tell } = options;
  const scratch = mkdtempSync(join(tmpdir(), "zeolite-profile-"));
  const samples: { native?: Stacks; script?: Stacks } = {};
  try {
    const noPerf = whyNoPerf();
    if (noPerf === undefined) {
      tell("building the library with names");
      const symbols = buildWithSymbols();
      if (symbols.reason !== undefined) missing.push(symbols.reason);
      tell("sampling with perf");
      samples.native = withPerf(new Target(options, stores, symbols.path), scratch);
    } else missing.push(noPerf);
    tell("sampling with the runtime's profiler");
    samples.script = withRuntime(new Target(options, stores), scratch);
  } catch (error) {
    missing.push(`a profile: ${(error as Error).message}`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return samples;
}

/** Profiles a workload. */
export async function profile(options: ProfileOptions): Promise<Profile> {
  const { workload, folder, tell } = options;
  workloadOf(workload);
  const missing: string[] = [];
  tell("taking figures");
  using stores = new RunFolder();
  const report = new Target(options, stores).run([], []);
  const samples = sample(options, stores, missing);
  tell("counting flushes");
  const flushes = await flushesOf(options);
  const { native, script } = samples;
  const figures = { ...report.figures, ...sharesOf(native, script), ...flushes };
  const suggestions = suggest(figures);
  const found: Profile = {
    workload,
    runtime: `${currentRuntime().title} ${currentVersion()}`,
    time: median(report.times),
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
