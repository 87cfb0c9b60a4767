/**
 * What a command says and to whom: results on standard output, notes and bars on standard error.
 * With `--json` results are JSON and notes are left out; with `--quiet` notes and bars are.
 */
import process from "node:process";
import { toTagged } from "./formats/tagged.ts";
import { Output } from "./output.ts";
import { type Bar, startBar } from "./progress.ts";

export interface TerminalOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export class Terminal {
  readonly output: Output;
  readonly isJson: boolean;
  readonly isQuiet: boolean;

  constructor(options: TerminalOptions) {
    this.output = new Output();
    this.isJson = options.json ?? false;
    this.isQuiet = options.quiet ?? false;
  }

  /** One line of the result. */
  line(text: string): void {
    this.output.add(`${text}\n`);
  }

  /** The result: a JSON document, or the lines for people. */
  result(json: unknown, lines: () => Iterable<string>): void {
    if (this.isJson) {
      this.line(JSON.stringify(toTagged(json)));
    } else {
      for (const text of lines()) this.line(text);
    }
  }

  /** Something worth knowing that is not the result. */
  note(text: string): void {
    if (!this.isQuiet && !this.isJson) process.stderr.write(`${text}\n`);
  }

  /** A bar that counts bytes, or things of that name. */
  bar(label: string, unit: string): Bar {
    const show = unit === "bytes" ? size : (value: number) => `${count(value)} ${unit}`;
    return startBar(label, show, this.isQuiet);
  }
}

/** Lines of names and values, the values in one column. */
export function* columns(rows: Iterable<readonly [string, unknown]>): Generator<string> {
  const all = [...rows];
  const width = Math.max(0, ...all.map(([name]) => name.length));
  for (const [name, value] of all) yield `${name.padEnd(width)}  ${value}`;
}

/** A whole number with its thousands apart. */
export function count(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 0 });
}

/** How many of something, whose name takes an s. */
export function plural(value: number, name: string): string {
  return `${count(value)} ${name}${value === 1 ? "" : "s"}`;
}

/** A size in bytes, for people. */
export function size(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return unit === 0 ? `${value} B` : `${value.toFixed(1)} ${units[unit]}`;
}

/** How many a second. */
export function rate(done: number, seconds: number): string {
  return `${count(done / Math.max(seconds, 1e-6))}/s`;
}
