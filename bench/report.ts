/** Figures as text: the lines of a row while a run goes on. A ratio above 1 is Zeolite's lead. */
import type { Absent, Engine } from "./engines/engine.ts";
import type { Machine } from "./machine.ts";
import type { Sizes } from "./sizes.ts";
import { median } from "./timing.ts";
import { ratios, type Row } from "./turns.ts";

/** An engine as it is kept with the figures. */
export type EngineNote = Pick<
  Engine,
  "id" | "name" | "kind" | "version" | "options"
>;

/** A run on one runtime, as it is kept. */
export interface Results {
  readonly machine: Machine;
  readonly engines: readonly EngineNote[];
  readonly absent: readonly Absent[];
  readonly sizes: Sizes;
  readonly seed: number;
  readonly seconds: number;
  readonly rows: readonly Row[];
}

/** The engine this is about. */
export const OURS = "zeolite";

/** Three significant digits, with K and M for large numbers. */
export function shorten(value: number): string {
  if (value >= 999_500) return `${digits(value / 1e6)} M`;
  if (value >= 9995) return `${digits(value / 1e3)} K`;
  return digits(value);
}

function digits(value: number): string {
  if (value === 0) return "0";
  const places = Math.max(0, 2 - Math.floor(Math.log10(value)));
  return value.toFixed(Math.min(places, 2));
}

/** A figure of a row: a rate a second, a time in microseconds, or bytes. */
export function figure(row: Row, name: string): string {
  const times = row.times[name];
  if (times === undefined || times.length === 0) return "–";
  const time = median(times);
  if (row.unit === "bytes") return `${(time / 1e6).toFixed(1)} MB`;
  return row.unit === "rate" ? `${shorten(1e9 / time)}/s` : `${shorten(time / 1000)} µs`;
}

/** A ratio in the middle of all rounds, the lowest and the highest. */
export interface Ratio {
  readonly middle: number;
  readonly least: number;
  readonly most: number;
}

/** How far a contender is ahead of another; undefined unless both were measured. */
export function ratioOf(row: Row, of: string, into: string): Ratio | undefined {
  const all = ratios(row, of, into);
  if (all.length === 0) return undefined;
  return {
    middle: median(all),
    least: Math.min(...all),
    most: Math.max(...all),
  };
}

/** A ratio with its spread. */
export function ratioText(ratio: Ratio | undefined): string {
  if (ratio === undefined) return "–";
  const { middle, least, most } = ratio;
  return `${middle.toFixed(2)} × (${least.toFixed(2)}–${most.toFixed(2)})`;
}

/** One row, for the terminal: a line for each contender. */
export function rowLines(row: Row, engines: readonly EngineNote[]): string {
  const lines = Object.keys(row.times).map((name) => {
    const title = engines.find(({ id }) => id === name)?.name ?? name;
    const isPeer = name !== OURS;
    const ratio = isPeer ? ratioOf(row, OURS, name) : undefined;
    const lead = ratio === undefined ? "" : `Zeolite ${ratioText(ratio)}`;
    return `  ${title.padEnd(26)} ${figure(row, name).padStart(12)}  ${lead}`
      .trimEnd();
  });
  const refused = Object.entries(row.refused).map(([name, reason]) => {
    return `  ${name.padEnd(26)} not measured: ${reason}`;
  });
  return [`${row.id}: ${row.title}`, ...lines, ...refused].join("\n");
}
