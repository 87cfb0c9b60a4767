/**
 * Figures as text: one line for each row while a run goes on, a JSON file of the whole, and the
 * tables of RESULTS.md. A ratio above 1 always means that Zeolite is ahead.
 */
import { median, ratios, type Row } from "./compare.ts";
import type { Machine } from "./machine.ts";
import type { Sizes } from "./sizes.ts";

/** A run on one runtime, as it is kept. */
export interface Results {
  readonly machine: Machine;
  readonly versions: Readonly<Record<string, string>>;
  /** Peers that are not installed here. */
  readonly absent: readonly string[];
  readonly sizes: Sizes;
  readonly seconds: number;
  readonly rows: readonly Row[];
}

/** The engine this is about, and the row that is no engine's. */
export const OURS = "zeolite";
export const FLOOR = "floor";

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

/** A figure of a row: a rate a second, or a time in microseconds. */
export function figure(row: Row, name: string): string {
  const times = row.times[name];
  if (times === undefined || times.length === 0) return "–";
  const time = median(times);
  return row.unit === "rate" ? `${shorten(1e9 / time)}/s` : `${shorten(time / 1000)} µs`;
}

/** The names of a row's peers. */
function peers(row: Row): string[] {
  return Object.keys(row.times).filter((name) => name !== OURS && name !== FLOOR);
}

/** How far Zeolite is ahead of a contender: in the middle, at least, at most. */
export function ahead(
  row: Row,
  peer: string,
): { middle: number; least: number; most: number } {
  const all = ratios(row, OURS, peer);
  return {
    middle: median(all),
    least: Math.min(...all),
    most: Math.max(...all),
  };
}

function ratioText(row: Row, peer: string): string {
  if (row.times[OURS] === undefined || row.times[peer] === undefined) {
    return "–";
  }
  const { middle, least, most } = ahead(row, peer);
  return `${middle.toFixed(2)} × (${least.toFixed(2)}–${most.toFixed(2)})`;
}

/** One row, for the terminal. */
export function rowLine(row: Row): string {
  const cells = Object.keys(row.times).map((name) => `${name} ${figure(row, name)}`.padEnd(24));
  const ratio = peers(row).map((peer) => ratioText(row, peer)).join("  ");
  return `${row.name.padEnd(48)} ${cells.join(" ")} ${ratio}`.trimEnd();
}

function table(
  heads: readonly string[],
  lines: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const rule = heads.map((_, index) => index === 0 ? "---" : "---:");
  return [line(heads), line(rule), ...lines.map(line)].join("\n");
}

function flushText(row: Row, name: string): string {
  const count = row.flushes?.[name];
  return count === undefined ? "" : shorten(count);
}

/** The table of one run against one peer. */
function runTable(results: Results, peer: string): string {
  const hasFlushes = results.rows.some((row) => row.flushes !== undefined);
  const heads = ["workload", "Zeolite", peer, "ratio (spread)", "floor"];
  const flushHeads = [
    "flushes per 1,000, Zeolite",
    `flushes per 1,000, ${peer}`,
  ];
  const lines = results.rows.map((row) => [
    row.name,
    figure(row, OURS),
    figure(row, peer),
    ratioText(row, peer),
    figure(row, FLOOR),
    ...(hasFlushes ? [flushText(row, OURS), flushText(row, peer)] : []),
  ]);
  return table(hasFlushes ? [...heads, ...flushHeads] : heads, lines);
}

function nothingBehind(all: readonly Results[]): string {
  const hasPeers = all.some(({ rows }) => rows.some((row) => peers(row).length > 0));
  return hasPeers ? "Nowhere: every ratio of every round is above 1." : "No peer was measured.";
}

/** The rows in which Zeolite is behind, or may be: its ratio's spread begins below 1. */
function behind(all: readonly Results[]): string {
  const lines: string[] = [];
  for (const { machine, rows } of all) {
    for (const row of rows) {
      for (const peer of peers(row)) {
        if (row.times[OURS] === undefined || ahead(row, peer).least >= 1) {
          continue;
        }
        const isBehind = ahead(row, peer).middle < 1;
        const name = isBehind ? `**${row.name}**` : row.name;
        const verdict = isBehind ? "behind" : "ahead in the middle, not in every round";
        lines.push(
          `- ${machine.runtimeTitle}: ${name}: ${ratioText(row, peer)}, ${verdict}`,
        );
      }
    }
  }
  return lines.length === 0 ? nothingBehind(all) : lines.join("\n");
}

function versionLine(results: Results): string {
  const { machine, versions } = results;
  const engines = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${machine.runtimeTitle} ${machine.runtimeVersion}, ${engines.join(", ")}`;
}

function machineLine({ machine }: Results): string {
  return `${machine.processor}, ${machine.cores} cores, ${machine.memoryGib} GiB, ` +
    `${machine.kernel}, ${machine.fileSystem}`;
}

/** Where the durable rows stand against the floor of the machine. */
function aboveFloor(all: readonly Results[]): string {
  const lines: string[] = [];
  for (const { machine, rows } of all) {
    for (const row of rows) {
      if (row.times[OURS] === undefined || row.times[FLOOR] === undefined) {
        continue;
      }
      const above = ratios(row, FLOOR, OURS);
      const spread = `${Math.min(...above).toFixed(2)}–${Math.max(...above).toFixed(2)}`;
      lines.push(
        `- ${machine.runtimeTitle}: ${row.name}: ${median(above).toFixed(2)} × the floor's time ` +
          `(${spread})`,
      );
    }
  }
  return lines.join("\n");
}

const INTRODUCTION = `Written by \`npm run bench -- --write\`; what is measured, and how, is in
[README.md](README.md). A ratio above 1 means that Zeolite is ahead: the ratio in the middle of all
rounds, and in brackets the lowest and the highest. Figures of one run may be compared with each
other, never with those of another run.`;

/** The whole of RESULTS.md. */
export function markdown(all: readonly Results[]): string {
  const absent = all.flatMap(({ machine, absent }) => {
    return absent.map((name) => `- ${machine.runtimeTitle}: ${name} is not installed`);
  });
  const parts = [
    "# Results",
    INTRODUCTION,
    "## Where Zeolite is behind",
    behind(all),
  ];
  if (absent.length > 0) parts.push("## Not measured", absent.join("\n"));
  parts.push("## Machine", machineLine(all[0]!));
  parts.push(
    all.map((results) => {
      const { load, scheduling } = results.machine;
      return `- ${versionLine(results)}; scheduling: ${scheduling}; load before the run: ${load}`;
    }).join("\n"),
  );
  for (const results of all) {
    const named = new Set(results.rows.flatMap(peers));
    for (const peer of named.size > 0 ? named : ["no peer"]) {
      parts.push(`## ${results.machine.runtimeTitle}`, runTable(results, peer));
    }
  }
  parts.push("## Above the floor", aboveFloor(all));
  return `${parts.join("\n\n")}\n`;
}
