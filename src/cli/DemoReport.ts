/**
 * What the demo tells: its steps as they happen, and at the end what was verified. A check is a
 * condition that was computed, never a remark.
 */
import { columns, count, rate, type Terminal } from "./terminal.ts";

export interface Check {
  readonly text: string;
  readonly ok: boolean;
}

export class DemoReport {
  readonly checks: Check[] = [];
  readonly rates: Record<string, number> = {};
  readonly #terminal: Terminal;
  #steps = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** Begins a step. */
  async step(title: string): Promise<void> {
    this.#steps += 1;
    await this.say(`\n${this.#steps}. ${title}`);
  }

  /** A line of the present step, shown at once. */
  async say(text: string): Promise<void> {
    if (this.#terminal.isJson) return;
    this.#terminal.line(text.startsWith("\n") ? text : `   ${text}`);
    await this.#terminal.output.flush();
  }

  /** Lines in two columns. */
  async list(rows: Iterable<readonly [string, string]>): Promise<void> {
    for (const line of columns(rows)) await this.say(line);
  }

  /** How fast something went. */
  async rate(name: string, done: number, seconds: number): Promise<void> {
    this.rates[name] = Math.round(done / seconds);
    await this.say(`${count(done)} ${name} in ${seconds.toFixed(2)} s: ${rate(done, seconds)}`);
  }

  /** Notes whether something is as it must be. */
  verify(text: string, ok: boolean): void {
    this.checks.push({ text, ok });
  }

  get isGood(): boolean {
    return this.checks.every(({ ok }) => ok);
  }

  /** The end: everything that was verified. */
  summary(seconds: number): void {
    const passed = this.checks.filter(({ ok }) => ok).length;
    this.#terminal.result(
      { ok: this.isGood, seconds, rates: this.rates, checks: this.checks },
      () => [
        "\nVerified",
        ...this.checks.map(({ text, ok }) => `   ${ok ? "✓" : "✗"} ${text}`),
        `\n${passed} of ${this.checks.length} checks passed in ${seconds.toFixed(1)} s.`,
      ],
    );
  }
}
