/** One measurement by mitata, the line that is printed of it, and the form in which it is kept. */
import { measure } from "mitata";
import { shorten } from "../report.ts";

/** What was measured: nanoseconds of one operation. */
export interface Measurement {
  /** What was done, and with what: `search`, `4096 bytes, v3`. */
  readonly id: string;
  readonly variant: string;
  readonly average: number;
  readonly p25: number;
  readonly p50: number;
  readonly p75: number;
  readonly p99: number;
  readonly samples: number;
  /** What else there is to say of it. */
  readonly note?: string;
}

/** A benchmark that can be run alone. */
export interface Micro {
  readonly title: string;
  run(settings: Settings, report: (measurement: Measurement) => void): Promise<void>;
}

/** How much is done. */
export interface Settings {
  readonly isQuick: boolean;
  /** Milliseconds of one measurement. */
  readonly milliseconds: number;
  /** Engines of `db_comparison`; all that are installed if left out. */
  readonly engines: readonly string[] | undefined;
}

/** Samples that even a short measurement has. */
const SAMPLES_MIN = 12;
/** A quick measurement shows that it works. */
const QUICK_SAMPLES_MIN = 3;

type Stats = Awaited<ReturnType<typeof measure>>;

function measurementOf(id: string, variant: string, stats: Stats): Measurement {
  const { avg: average, p25, p50, p75, p99, ticks: samples } = stats;
  return { id, variant, average, p25, p50, p75, p99, samples };
}

function optionsOf({ isQuick, milliseconds }: Settings) {
  return {
    min_cpu_time: milliseconds * 1e6,
    min_samples: isQuick ? QUICK_SAMPLES_MIN : SAMPLES_MIN,
    // A fast call is called so often between two looks at the clock.
    batch_samples: isQuick ? 64 : 1024,
  };
}

/** Measures a call; one that returns a promise is awaited. */
export async function measureCall(
  id: string,
  variant: string,
  call: () => unknown,
  settings: Settings,
): Promise<Measurement> {
  return measurementOf(id, variant, await measure(() => call(), optionsOf(settings)));
}

/** Measures what times itself: `turn` returns the nanoseconds of one operation. */
export async function measureTurns(
  id: string,
  variant: string,
  turn: () => number | Promise<number>,
  settings: Settings,
): Promise<Measurement> {
  // mitata's types know of no benchmark that times itself; its code does.
  const generator = function* () {
    yield { manual: () => turn() } as unknown as () => unknown;
  };
  return measurementOf(id, variant, await measure(generator, optionsOf(settings)));
}

/** A measurement as a line of a table. */
export function lineOf(measurement: Measurement): string {
  const { id, variant, p25, p50, p75, p99, note } = measurement;
  const cell = (time: number) => shorten(time).padStart(9);
  const words = `  ${id.padEnd(15)} ${variant.padEnd(28)}`;
  return `${words}${[p50, p25, p75, p99].map(cell).join("")}${
    note === undefined ? "" : `  ${note}`
  }`;
}

/** The line above such lines. */
export const HEAD = `  ${"".padEnd(44)}${
  ["middle", "p25", "p75", "p99"].map((name) => name.padStart(9)).join("")
}  (ns)`;
