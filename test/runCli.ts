/**
 * Runs the command line `zeolite` as a process of the runtime that runs the test, for tests. Each
 * test has its own folder, removed when it ends.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { currentRuntime, type Runtime } from "../ffi/runtimes.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const MAIN = join(ROOT, "src", "cli", "main.ts");

/** How a process ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output as bytes. */
  readonly bytes: Uint8Array;
}

/** Starts the command line; the caller sees to its pipes. Its errors may go to an open file. */
export function startCli(
  args: readonly string[],
  runtime: Runtime = currentRuntime(),
  stderr: number | "pipe" = "pipe",
): ChildProcess {
  const [program, ...before] = runtime.command;
  return spawn(program, [...before, MAIN, ...args], { cwd: ROOT, stdio: ["pipe", "pipe", stderr] });
}

/** Gathers what a process prints until it ends. */
export async function ended(child: ChildProcess): Promise<Ended> {
  const [out, err]: [Uint8Array[], Uint8Array[]] = [[], []];
  child.stdout?.on("data", (chunk: Uint8Array) => out.push(chunk));
  child.stderr?.on("data", (chunk: Uint8Array) => err.push(chunk));
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>(
    (resolve, reject) => {
      child.on("error", reject);
      child.on("close", (...how) => resolve(how));
    },
  );
  const bytes = concat(out);
  const decoder = new TextDecoder();
  return {
    code,
    signal,
    bytes,
    stdout: decoder.decode(bytes),
    stderr: decoder.decode(concat(err)),
  };
}

/** All chunks in one. */
export function concat(chunks: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}

/** Runs the command line to its end, with this on its standard input. */
export async function runCli(
  args: readonly string[],
  input: string | Uint8Array = "",
  runtime: Runtime = currentRuntime(),
): Promise<Ended> {
  const child = startCli(args, runtime);
  // A command that fails does not read all; that is its right.
  child.stdin?.on("error", () => {});
  child.stdin?.end(input);
  return await ended(child);
}

/** A new folder for as long as `body` runs. */
export async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "zeolite-cli-"));
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
