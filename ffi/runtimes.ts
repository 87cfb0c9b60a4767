/**
 * The two runtimes that the library runs on: which one this is, where each is found, and how each
 * is told to run a TypeScript file. For what starts other processes (the demo, tests); the library
 * itself never does. Nothing is installed or downloaded here.
 */
import { accessSync, constants } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** A runtime that can be started here. */
export interface Runtime {
  readonly name: "bun" | "deno";
  /** Its name as it is written. */
  readonly title: string;
  /** The program and the arguments that come before the file to run. */
  readonly command: readonly [string, ...string[]];
}

const TITLES = { bun: "Bun", deno: "Deno" } as const;

/** Arguments that come before the file to run. */
const ARGUMENTS: Readonly<Record<Runtime["name"], readonly string[]>> = {
  bun: ["run"],
  deno: ["run", "--quiet", "--allow-all"],
};

function makeRuntime(name: Runtime["name"], program: string): Runtime {
  return { name, title: TITLES[name], command: [program, ...ARGUMENTS[name]] };
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Folders of programs: `node_modules/.bin` here and above, then those of PATH. */
function* programFolders(): Generator<string> {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    yield join(folder, "node_modules", ".bin");
    const parent = dirname(folder);
    if (parent === folder) break;
    folder = parent;
  }
  for (const path of (process.env["PATH"] ?? "").split(delimiter)) {
    if (path !== "") yield path;
  }
}

/** The runtime that runs this. */
export function currentRuntime(): Runtime {
  const name = process.versions["bun"] === undefined ? "deno" : "bun";
  return makeRuntime(name, process.execPath);
}

/** Whether this is the single executable, which has its scripts inside (`npm run compile`). */
export const isExecutable: boolean = import.meta.url.includes("/$bunfs/");

/** What the executable is asked first, to run one of its scripts. */
export const INTERNAL = "--internal";

/**
 * The command that runs a script in a process of its own.
 *
 * @param runtime What runs it; what runs this, if left out. The executable has nothing but itself.
 * @param options Options of the runtime; the executable takes none.
 */
export function scriptCommand(
  file: URL,
  runtime: Runtime = currentRuntime(),
  options: readonly string[] = [],
): readonly [string, ...string[]] {
  if (isExecutable) return [process.execPath, INTERNAL, file.pathname.split("/").at(-1)!];
  return [...runtime.command, ...options, fileURLToPath(file)];
}

/** The version of the runtime that runs this. */
export function currentVersion(): string {
  return process.versions[currentRuntime().name] ?? "";
}

/** The name of the runtime that does not run this. */
export function otherName(): Runtime["name"] {
  return currentRuntime().name === "bun" ? "deno" : "bun";
}

/** The runtime that does not run this, or `undefined` if it is not found. */
export function otherRuntime(): Runtime | undefined {
  const name = otherName();
  for (const folder of programFolders()) {
    const program = join(folder, name);
    if (isProgram(program)) return makeRuntime(name, program);
  }
  return undefined;
}
