#!/usr/bin/env node
/**
 * The command `zeolite`: runs `src/cli/main.ts` on the runtime that runs this, or, started by Node.js
 * as npm's commands are, on Bun or Deno, whichever is found first beside this package or in PATH.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const main = new URL("../src/cli/main.ts", import.meta.url);
const runtimes = { bun: ["run"], deno: ["run", "--quiet", "--allow-all"] };

/** Folders of programs: `node_modules/.bin` here and above, then those of PATH. */
function* programFolders() {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (dirname(folder) !== folder) {
    yield join(folder, "node_modules", ".bin");
    folder = dirname(folder);
  }
  yield* (process.env["PATH"] ?? "").split(delimiter).filter((path) => path !== "");
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Starts the first runtime found; the exit code of the command. */
function start() {
  for (const folder of programFolders()) {
    for (const [name, options] of Object.entries(runtimes)) {
      const program = join(folder, name);
      if (!isProgram(program)) continue;
      const args = [...options, fileURLToPath(main), ...process.argv.slice(2)];
      const { status, signal, error } = spawnSync(program, args, { stdio: "inherit" });
      if (error !== undefined) throw error;
      if (signal !== null) process.kill(process.pid, signal);
      return status ?? 1;
    }
  }
  process.stderr.write("zeolite: needs Bun or Deno; neither is in PATH (ZEOLITE_LIBRARY)\n");
  return 1;
}

if (process.versions.bun !== undefined || process.versions.deno !== undefined) {
  await import(main.href);
} else {
  process.exitCode = start();
}
