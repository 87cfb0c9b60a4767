/** `zeolite path import` and `zeolite path export`: folders of the file system, in and out. */
import { readdirSync, statSync } from "node:fs";
import { basename, resolve } from "node:path";
import process from "node:process";
import type { Command } from "commander";
import { normalPath } from "../../path/path.ts";
import type { OpenPaths } from "../../path/store.ts";
import { required, run } from "../command.ts";
import { CliError, EXIT } from "../exit.ts";
import { unreadable } from "../input.ts";
import { stopIfInterrupted } from "../interrupt.ts";
import { plural, size, type Terminal } from "../terminal.ts";
import { declareReading, declareWriting, notThere, type PathChoice } from "./access.ts";
import { readPaths, writePaths } from "./access.ts";
import { Exporter } from "./Exporter.ts";
import { itemsIn } from "./folder.ts";
import { type Copied, Importer } from "./Importer.ts";

interface CopyOptions extends PathChoice {
  readonly merge?: boolean;
}

const KEPT = `
Files become values, folders groups, symbolic links links, and back. Kept are
names, contents, empty folders, what links say, and whether a file's owner may
run it; not other permissions, owners, times, attributes, nor that hard links
are one file. Sockets, pipes and devices are left out. A link that leads out of
the folder is kept as it is and reads as nothing.`;

function assertFolder(folder: string): void {
  let isFolder: boolean;
  try {
    isFolder = statSync(folder).isDirectory();
  } catch (error) {
    throw unreadable(folder, error);
  }
  if (!isFolder) throw new CliError("ENOTDIR", EXIT.input, `Cannot import ${folder}: no folder`);
}

function exists(
  doing: string,
  what: string,
  exit: typeof EXIT.store | typeof EXIT.input,
): CliError {
  const text =
    `Cannot ${doing} ${JSON.stringify(what)}: it is there and not empty; --merge writes ` +
    "over what is in the way and keeps the rest";
  return new CliError("EXISTS", exit, text);
}

/** How many things are in a folder, for a bar that somebody sees. */
function countIn(folder: string, isSeen: boolean): number {
  let count = 0;
  if (!isSeen) return count;
  for (const _ of itemsIn(folder)) {
    count += 1;
    if (count % 4096 === 0) stopIfInterrupted();
  }
  return count;
}

function report(terminal: Terminal, copied: Copied, to: string): void {
  const { values, groups, links, bytes, special } = copied;
  terminal.result({ ...copied, to }, () => []);
  const counts = [plural(values, "value"), plural(groups, "group"), plural(links, "link")];
  terminal.note(`${counts.join(", ")}, ${size(bytes)}, copied to ${to}`);
  if (special > 0) terminal.note(`${plural(special, "special file")} left out`);
}

async function importFolder(
  terminal: Terminal,
  paths: OpenPaths,
  folder: string,
  group: string,
): Promise<Copied> {
  const bar = terminal.bar("import", "files and folders");
  try {
    const isSeen = process.stderr.isTTY === true && !terminal.isQuiet;
    const importer = new Importer(paths, folder, group, bar);
    await importer.run(countIn(folder, isSeen));
    return importer.copied;
  } finally {
    bar.stop();
  }
}

/** Adds `import`. */
export function addPathImport(parent: Command): void {
  const command = declareWriting(parent, {
    usage: "import <store> [folder] [group]",
    summary: "Copy a folder into a store.",
    details: `The group is the root unless said otherwise. With a folder alone, the store is
FOLDER.zeo, here. Stored in commits of some MiB each.
${KEPT}`,
    examples: [
      "zeolite path import node_modules",
      "zeolite path import files.zeo photos pictures/2026",
    ],
  }).option("--merge", "into a group that is not empty: write over what is in the way");
  run<CopyOptions>(command, async (terminal, args, options) => {
    const first = required(args, 0);
    const folder = args[1] ?? first;
    const store = args[1] === undefined ? `${basename(resolve(folder))}.zeo` : first;
    const group = normalPath(args[2] ?? "", "import to");
    assertFolder(folder);
    const copied = await writePaths(store, options, async (paths) => {
      const isFull = paths.type(group) === "link" || paths.list(group).length > 0;
      if (isFull && options.merge !== true) {
        throw exists("import to", group === "" ? store : group, EXIT.store);
      }
      return await importFolder(terminal, paths, folder, group);
    });
    report(terminal, copied, store);
  });
}

/** Whether a folder is not there, or has nothing in it. */
function isFree(folder: string): boolean {
  try {
    return readdirSync(folder).length === 0;
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return true;
    throw unreadable(folder, error);
  }
}

/** Adds `export`. */
export function addPathExport(parent: Command): void {
  const command = declareReading(parent, {
    usage: "export <store> <folder> [group]",
    summary: "Write a group out as a folder.",
    details: `All of it is of one state, whatever others write meanwhile.
${KEPT}`,
    examples: [
      "zeolite path export node_modules.zeo copy",
      "zeolite path export files.zeo photos pictures/2026",
    ],
  }).option("--merge", "into a folder that is not empty: write over what is in the way");
  run<CopyOptions>(command, async (terminal, args, options) => {
    const [store, folder, named] = [required(args, 0), required(args, 1), args[2] ?? ""];
    const isMerge = options.merge ?? false;
    if (!isMerge && !isFree(folder)) throw exists("export to", folder, EXIT.input);
    const exporter = await readPaths(store, options, async (paths) => {
      const group = paths.resolve(named);
      if (group === undefined) throw notThere("export", named);
      const bar = terminal.bar("export", "values, groups and links");
      const made = new Exporter(paths, group, folder, isMerge, bar);
      try {
        await made.run(paths.count(group));
      } finally {
        bar.stop();
      }
      return made;
    });
    report(terminal, exporter.copied, folder);
    if (exporter.outside > 0) {
      terminal.note(`${plural(exporter.outside, "link")} out of the group`);
    }
  });
}
