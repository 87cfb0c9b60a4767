/**
 * A folder of the file system as it is copied into a store: what is in it, depth first, each folder
 * before what it holds. Links are never followed on the way. What a store of paths cannot hold as
 * it is, such as a name that is not UTF-8, is refused by name.
 */
import { Buffer } from "node:buffer";
import { lstatSync, readdirSync, readlinkSync, realpathSync, type Stats } from "node:fs";
import { dirname, isAbsolute, join, posix, relative, sep } from "node:path";
import { Link } from "../../path/stored.ts";
import { CliError, EXIT } from "../exit.ts";

/** Something in a folder. */
export interface Item {
  /** Its path from the folder, with slashes. */
  readonly path: string;
  /** Where it lies. */
  readonly file: string;
  readonly kind: "file" | "folder" | "link" | "special";
  /** Bytes of a file. */
  readonly size: number;
  /** Whether its owner may run it. */
  readonly isExecutable: boolean;
}

/** Stands in a text for what was not UTF-8. */
const REPLACEMENT = "\ufffd";
const OWNER_RUNS = 0o100;

function notText(what: string, file: string): CliError {
  return new CliError(
    "INPUT_INVALID",
    EXIT.input,
    `Cannot import ${JSON.stringify(file)}: ${what} is not UTF-8, and a path is; rename it`,
  );
}

/** The names in a folder, in the order of their characters. */
function namesIn(folder: string): string[] {
  const names = readdirSync(folder).sort();
  for (const [index, name] of names.entries()) {
    if (!name.includes(REPLACEMENT)) continue;
    // The character itself may be in a name; then there is a file of that name, and one alone.
    const isThere = lstatSync(join(folder, name), { throwIfNoEntry: false }) !== undefined;
    if (!isThere || names[index + 1] === name) throw notText("its name", join(folder, name));
  }
  return names;
}

function kindOf(stats: Stats): Item["kind"] {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "folder";
  return stats.isSymbolicLink() ? "link" : "special";
}

/** Everything in a folder. */
export function* itemsIn(folder: string, path: string = ""): Generator<Item> {
  for (const name of namesIn(folder)) {
    const file = join(folder, name);
    const stats = lstatSync(file);
    const item: Item = {
      path: path === "" ? name : `${path}/${name}`,
      file,
      kind: kindOf(stats),
      size: stats.size,
      isExecutable: (stats.mode & OWNER_RUNS) !== 0,
    };
    yield item;
    if (item.kind === "folder") yield* itemsIn(file, item.path);
  }
}

/** What a symbolic link says. */
function textOf(file: string): string {
  try {
    const text = readlinkSync(file);
    if (!text.includes(REPLACEMENT)) return text;
    if (Buffer.from(text).equals(readlinkSync(file, "buffer"))) return text;
  } catch (error) {
    if ((error as { code?: string }).code !== undefined) throw error;
  }
  throw notText("the text of the link", file);
}

/** Where a text leads from a folder; links in it are followed where ".." leaves them. */
function whereTo(folder: string, text: string): string {
  let at = isAbsolute(text) ? sep : folder;
  for (const part of text.split("/")) {
    if (part === "" || part === ".") continue;
    at = part === ".." ? dirname(realpathSync(at)) : join(at, part);
  }
  return at;
}

/** The text of a relative link from one path to another. */
export function relativeText(from: string, to: string): string {
  return posix.relative(`/${posix.dirname(from)}`, `/${to}`) || ".";
}

/** The path within a root, or null if it is outside. */
function within(root: string, file: string): string | null {
  const path = relative(root, file);
  return path === ".." || path.startsWith(`..${sep}`) || isAbsolute(path) ? null : path;
}

/**
 * A symbolic link as a store has it.
 *
 * @param root The folder that is imported, without links in its own path.
 * @param group Where in the store that folder is.
 */
export function linkOf(item: Item, root: string, group: string): Link {
  const text = textOf(item.file);
  let path: string | null;
  try {
    path = within(root, whereTo(dirname(join(root, item.path)), text));
  } catch {
    // A part before ".." is not there, or a loop: it leads nowhere.
    path = null;
  }
  if (path === null) return new Link(null, text);
  const target = posix.join(group, path.split(sep).join("/"));
  const isPlain = relativeText(item.path, path) === text;
  return new Link(target === "." ? "" : target, isPlain ? null : text);
}
