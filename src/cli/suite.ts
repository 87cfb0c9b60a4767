/**
 * The performance suite, as commands see it. It lies in `bench/`, with packages of its own, which
 * no user of the store installs: a clone has it, and the single executable has it inside;
 * elsewhere its commands say where to find it.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CliError, EXIT } from "./exit.ts";

/** A command of the suite: takes the arguments behind its name, gives the exit code. */
export type SuiteCommand = (args: readonly string[]) => Promise<number>;

/** All of them. */
export interface Suite {
  readonly bench: SuiteCommand;
  readonly profile: SuiteCommand;
  readonly dashboard: SuiteCommand;
}

let embedded: (() => Promise<Suite>) | undefined;

/** Says where the suite is, for a program that has it inside. */
export function embedSuite(load: () => Promise<Suite>): void {
  embedded = load;
}

/** The suite, or the error that says that it is not here. */
export async function loadSuite(): Promise<Suite> {
  if (embedded !== undefined) return await embedded();
  const url = new URL("../../bench/suite.ts", import.meta.url);
  if (url.protocol === "file:" && existsSync(fileURLToPath(url))) {
    return (await import(url.href) as { suite: Suite }).suite;
  }
  throw new CliError(
    "ZEOLITE_SUITE",
    EXIT.absent,
    "Cannot measure: the performance suite is not part of the package; run this in a clone of " +
      "the sources, or use the single executable",
  );
}
