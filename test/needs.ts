/**
 * What a test needs of the machine, as an option of `test`: where it is missing, the test is skipped and
 * says so.
 */
import { spawnSync } from "node:child_process";
import process from "node:process";

/** Whether a program runs here and ends well. */
export function succeeds(program: string, ...args: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: "ignore" }).status === 0;
}

/** Skips a test unless the program is installed. */
export function needs(program: string): { skip: string | false } {
  const skip = succeeds(program, "--version") ? false : `${program} is not installed`;
  if (skip !== false) console.log(`skipped: ${skip}`);
  return { skip };
}

/** Skips a test unless it runs as root and a program ends well with these arguments. */
export function needsRoot(program: string, ...args: readonly string[]): { skip: string | false } {
  const isRoot = process.getuid?.() === 0;
  const command = [program, ...args].join(" ");
  const skip = !isRoot
    ? `needs root for ${command}`
    : succeeds(program, ...args)
    ? false
    : `${command} is not possible here`;
  if (skip !== false) console.log(`skipped: ${skip}`);
  return { skip };
}
