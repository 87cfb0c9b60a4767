/**
 * Writes a group out as a folder: values become files, groups folders, links symbolic links.
 *
 * Whatever a store holds, nothing is written outside of the folder: every file is made new, in a
 * folder that this made or found to be a folder itself, and no link is followed.
 */
import { closeSync, lstatSync, mkdirSync, openSync, symlinkSync, unlinkSync } from "node:fs";
import { writeSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { isWithin, joinPath, parentOf, prefixOf, ROOT } from "../../path/path.ts";
import type { OpenPaths } from "../../path/store.ts";
import { type FileContent, GROUP, Link } from "../../path/stored.ts";
import { CliError, EXIT } from "../exit.ts";
import { stopIfInterrupted } from "../interrupt.ts";
import type { Bar } from "../progress.ts";
import { relativeText } from "./folder.ts";
import { type Copied, nothingCopied } from "./Importer.ts";

/** What the mask of the process leaves of these is the mode of a file. */
const MODE = 0o666;
const MODE_EXECUTABLE = 0o777;
/** Bytes written at once: systems refuse more than 2 GiB. */
const WRITE_MAX = 1 << 30;

function inTheWay(file: string, what: string): CliError {
  const text = `Cannot export ${JSON.stringify(file)}: ${what}`;
  return new CliError("EXISTS", EXIT.input, text);
}

/** The export of one group. */
export class Exporter {
  readonly copied: Copied = nothingCopied();
  /** Links that lead out of the group, and lead nowhere from the folder. */
  outside = 0;
  readonly #paths: OpenPaths;
  readonly #folder: string;
  /** The path of the group, without links. */
  readonly #group: string;
  readonly #isMerge: boolean;
  readonly #bar: Bar;
  /** Paths of groups that are folders now. */
  readonly #folders: Set<string> = new Set();

  constructor(paths: OpenPaths, group: string, folder: string, isMerge: boolean, bar: Bar) {
    this.#paths = paths;
    this.#folder = folder;
    this.#group = group;
    this.#isMerge = isMerge;
    this.#bar = bar;
  }

  /** Writes everything. */
  async run(total: number): Promise<void> {
    mkdirSync(this.#folder, { recursive: true });
    this.#folders.add(this.#group);
    let done = 0;
    for (const [path, stored] of this.#paths.copyOut(this.#group)) {
      this.#write(path, stored);
      done += 1;
      this.#bar.update(done, total);
      if (done % 256 !== 0) continue;
      // Lets the bar be drawn, and Ctrl-C be heard.
      await new Promise((next) => setTimeout(next));
      stopIfInterrupted();
    }
  }

  #write(path: string, stored: FileContent | typeof GROUP | Link): void {
    if (!this.#folders.has(parentOf(path))) {
      throw new CliError(
        "ZEOLITE_CORRUPT",
        EXIT.store,
        `Cannot export ${JSON.stringify(path)}: no group is above it`,
      );
    }
    const file = join(this.#folder, path.slice(prefixOf(this.#group).length));
    if (stored === GROUP) {
      this.#makeFolder(file);
      this.#folders.add(path);
      this.copied.groups += 1;
      return;
    }
    if (this.#isMerge) this.#clear(file);
    if (stored instanceof Link) {
      symlinkSync(this.#textOf(path, stored), file);
      this.copied.links += 1;
    } else {
      this.#writeFile(file, stored as FileContent);
      this.copied.values += 1;
    }
  }

  #makeFolder(file: string): void {
    const found = lstatSync(file, { throwIfNoEntry: false });
    if (found === undefined) return mkdirSync(file);
    if (!this.#isMerge || !found.isDirectory()) throw inTheWay(file, "it is there already");
  }

  /** Removes a file or a link, so that it can be made new. */
  #clear(file: string): void {
    const found = lstatSync(file, { throwIfNoEntry: false });
    if (found === undefined) return;
    if (found.isDirectory()) throw inTheWay(file, "a folder is there");
    unlinkSync(file);
  }

  #writeFile(path: string, { bytes, isExecutable }: FileContent): void {
    const file = openSync(path, "wx", isExecutable ? MODE_EXECUTABLE : MODE);
    try {
      for (let at = 0; at < bytes.length;) {
        at += writeSync(file, bytes, at, Math.min(WRITE_MAX, bytes.length - at));
      }
    } finally {
      closeSync(file);
    }
    this.copied.bytes += bytes.length;
  }

  /** What a symbolic link says: what it said when it was imported, if that still leads there. */
  #textOf(path: string, { target, text }: Link): string {
    if (target === null || (text !== null && isAbsolute(text))) return text!;
    if (!isWithin(target, this.#group)) this.outside += 1;
    return text !== null && this.#whereTo(path, text) === target
      ? text
      : relativeText(path, target);
  }

  /** Where a relative text leads from a link, links in it followed where ".." leaves them. */
  #whereTo(link: string, text: string): string | undefined {
    let at = parentOf(link);
    for (const part of text.split("/")) {
      if (part === "" || part === ".") continue;
      if (part !== "..") {
        at = joinPath(at, part);
        continue;
      }
      const left = this.#resolve(at);
      if (left === undefined || left === ROOT) return undefined;
      at = parentOf(left);
    }
    return at;
  }

  #resolve(path: string): string | undefined {
    try {
      return this.#paths.resolve(path);
    } catch {
      // A loop leads nowhere.
      return undefined;
    }
  }
}
