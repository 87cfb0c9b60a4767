/**
 * The single executable: the command line, the suite, and everything that they start in processes
 * of their own, which are this program again. `scripts/compile.mjs` makes it, and hands over what
 * lies inside it.
 *
 * The library must be a file to be loaded. It is written into a new folder that nobody else can
 * enter, loaded, and removed at once where the system has names for open files (`/proc/self/fd`),
 * else when the program ends. Nothing that lies there already is ever loaded.
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { loadNative } from "../ffi/library.ts";
import { INTERNAL } from "../ffi/runtimes.ts";
import { type City, embedCities } from "../src/cli/demo_cities.ts";
import { embedSuite } from "../src/cli/suite.ts";
import { embedFile } from "./embedded.ts";

/** What lies inside: paths that only this program can read. */
export interface Embedded {
  readonly library: string;
  /** Files by the names that `embedded.ts` knows them by. */
  readonly files: readonly (readonly [name: string, file: string])[];
  cities(): readonly City[];
}

type Script = () => Promise<{ main(args: readonly string[]): Promise<void> | void }>;

/** What runs in processes of its own, by the names of the files. */
const scripts: Readonly<Record<string, Script>> = {
  "main.ts": () => import("./main.ts"),
  "micro_main.ts": () => import("./micro/micro_main.ts"),
  "contender_main.ts": () => import("./contender_main.ts"),
  "profile_main.ts": () => import("./profile/profile_main.ts"),
  "target_main.ts": () => import("./profile/target_main.ts"),
  "dashboard_main.ts": () => import("./dashboard/dashboard_main.ts"),
  "demo_reader.ts": () => import("../src/cli/demo_reader.ts"),
};

const OPEN_FILES = "/proc/self/fd";
const VARIABLE = "ZEOLITE_LIBRARY";

/** Writes the library into a folder below `parent` and loads it from there. */
function loadBelow(parent: string, bytes: Uint8Array): void {
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, "zeolite-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const path = join(folder, "libzeolite.so");
    writeFileSync(path, bytes, { mode: 0o500, flag: "wx" });
    if (!existsSync(OPEN_FILES)) {
      loadNative(path);
      process.env[VARIABLE] = path;
      process.on("exit", remove);
      return;
    }
    const file = openSync(path, "r");
    remove();
    try {
      const name = `${OPEN_FILES}/${file}`;
      loadNative(name);
      // Workers of this process open it by the same name.
      process.env[VARIABLE] = name;
    } catch (error) {
      closeSync(file);
      throw error;
    }
  } catch (error) {
    remove();
    throw error;
  }
}

/** Loads the library, from the first folder that lets programs run. */
function loadLibrary(bytes: Uint8Array): void {
  const folders = [process.env["XDG_RUNTIME_DIR"], tmpdir(), "/dev/shm", process.cwd()];
  let failure: unknown;
  for (const folder of folders) {
    if (folder === undefined || folder === "") continue;
    try {
      return loadBelow(folder, bytes);
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

/** Whether a library that somebody names is to be taken; that of the parent is not. */
function isNamed(): boolean {
  const named = process.env[VARIABLE] ?? "";
  return named !== "" && !named.startsWith(OPEN_FILES) && existsSync(named);
}

/** Runs the program. */
export async function start({ library, files, cities }: Embedded): Promise<void> {
  for (const [name, file] of files) embedFile(name, file);
  embedCities(cities);
  embedSuite(async () => (await import("./suite.ts")).suite);
  if (!isNamed()) loadLibrary(readFileSync(library));
  const [first, name = ""] = process.argv.slice(2);
  if (first !== INTERNAL) {
    await import("../src/cli/main.ts");
    return;
  }
  const script = scripts[name];
  if (script === undefined) throw new Error(`Cannot run "${name}": it is not in this program`);
  process.argv.splice(2, 2);
  await (await script()).main(process.argv.slice(2));
}
