/**
 * What a test needs of the machine, as an option of `test`: where it is missing, the test is
 * skipped and
 * says so.
 */
import { spawnSync } from "node:child_process";
import process from "node:process";

/** The option of `test` that skips it, or does not. */
export interface Needed {
  readonly skip: string | false;
}

/** Whether a program runs here and ends well. */
export function succeeds(program: string, ...args: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: "ignore" }).status === 0;
}

/** Skips a test unless a program ends well with these arguments. */
export function needs(program: string, ...args: readonly string[]): Needed {
  const isPossible = succeeds(program, ...args);
  return needed(isPossible ? false : `"${[program, ...args].join(" ")}" does not work here`);
}

/** As needs(), and unless it runs as root. */
export function needsRoot(program: string, ...args: readonly string[]): Needed {
  return process.getuid?.() === 0 ? needs(program, ...args) : needed(`${program} needs root`);
}

function needed(skip: string | false): Needed {
  if (skip !== false) console.log(`skipped: ${skip}`);
  return { skip };
}
