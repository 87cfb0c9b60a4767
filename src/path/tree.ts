/**
 * The tree of paths as one write transaction changes it. The writer lock is held meanwhile, so what
 * is looked up stays so until it is written. Every change of more than one entry is made in a
 * frame: all of it or nothing.
 *
 * Whatever changes where a path leads (a link made, replaced, moved or removed, or a group moved or
 * removed, with which links may go) also writes the stamp, for whoever remembers resolved paths.
 */
import { errorOf, ZeoliteError } from "../error.ts";
import { rangeBounds } from "../range.ts";
import { removeBetween } from "../remove_range.ts";
import { encodeKey, putPrepared, removeEncoded, type Target } from "../write.ts";
import { locate, type Location } from "./locate.ts";
import { invalidPath, isWithin, parentOf, ROOT } from "./path.ts";
import type { PathReader } from "./reader.ts";
import { GROUP, Link, Marked, Stamp, type Written } from "./stored.ts";

/** Entries of a group that are moved at a time. */
const MOVED_COUNT = 256;

/** A write transaction over a table of paths. */
export class Tree {
  readonly target: Target;
  /** Reads what the transaction has made of it. */
  readonly reader: PathReader;

  constructor(target: Target, reader: PathReader) {
    this.target = target;
    this.reader = reader;
  }

  /** Writes one entry, whatever is there. */
  put(path: string, written: Written): void {
    const { session, table, writer } = this.target;
    const { scratch } = session;
    const size = table.values.encode(scratch.data, written);
    const keySize = table.keys.encode(scratch.keyA, path);
    putPrepared(session, table, writer, keySize, size, 0);
  }

  /** Has all that `work` writes kept, or nothing. */
  frame<T>(work: () => T): T {
    const { session, writer } = this.target;
    return session.frame(writer, work);
  }

  /** Finds where a value is to be written, and makes the groups above it. */
  place(path: string): string {
    if (path === ROOT) throw isGroup("write", path);
    const location = locate(this.reader, path, true);
    if (location.place === GROUP) throw isGroup("write", path);
    this.#makeAbove(location, "write");
    return location.path;
  }

  /** Writes a value. */
  write(path: string, value: Written): void {
    if (path === ROOT) throw isGroup("write", path);
    const location = locate(this.reader, path, true);
    if (location.place === GROUP) throw isGroup("write", path);
    if (location.place !== undefined || location.group === parentOf(location.path)) {
      this.#assertFree(location, "write");
      return this.put(location.path, value);
    }
    this.frame(() => {
      this.#makeAbove(location, "write");
      this.put(location.path, value);
    });
  }

  /** Makes a group and those above it, unless it stands. */
  makeGroup(path: string): void {
    const location = locate(this.reader, path, true);
    if (location.place === GROUP) return;
    if (location.place !== undefined) throw notGroup("make the group", path, location.path);
    this.frame(() => {
      this.#makeAbove(location, "make the group");
      this.put(location.path, GROUP);
    });
  }

  /** Makes a link, in place of a value or a link that stands there. */
  makeLink(path: string, link: Link): void {
    if (path === ROOT) throw isGroup("make the link", path);
    const location = locate(this.reader, path, false);
    if (location.place === GROUP) throw isGroup("make the link", path);
    this.frame(() => {
      this.#makeAbove(location, "make the link");
      this.put(location.path, link);
      this.#stamp();
    });
  }

  /** Writes what was in a folder: in place of a value or a link, and through no link at all. */
  copy(path: string, written: Written): void {
    const location = locate(this.reader, path, false);
    const { place, path: found } = location;
    if (found !== path) throw notGroup("write", path, "a link above it");
    if (written === GROUP && place === GROUP) return;
    if (place === GROUP) throw isGroup("write", path);
    if (written === GROUP && place !== undefined) throw notGroup("make the group", path, path);
    this.#makeAbove(location, "write");
    this.put(path, written);
    if (written instanceof Link || place instanceof Link) this.#stamp();
  }

  /** Removes what stands at a path, a link itself; whether something did. */
  remove(path: string, isRecursive: boolean): boolean {
    if (path === ROOT) throw invalidPath("remove", path, "it is the root; remove what is in it");
    const { path: at, place } = locate(this.reader, path, false);
    if (place === undefined) return false;
    if (place === GROUP && !isRecursive && !this.reader.isEmpty(at)) {
      throw invalidPath("remove", path, "the group is not empty; pass recursive: true");
    }
    if (place !== GROUP && !(place instanceof Link)) return this.#removeEntry(at);
    return this.frame(() => {
      this.#stamp();
      if (place === GROUP) this.#removeBelow(at);
      return this.#removeEntry(at);
    });
  }

  /** Moves what stands at a path, a link itself and a group with all that is in it. */
  rename(from: string, to: string): void {
    if (from === ROOT || to === ROOT) {
      throw invalidPath("rename", ROOT, "it is the root, which cannot be moved or replaced");
    }
    const source = locate(this.reader, from, false);
    if (source.place === undefined) {
      throw new ZeoliteError(
        "ZEOLITE_NOT_FOUND",
        `Cannot rename ${JSON.stringify(from)}: nothing is there`,
      );
    }
    const goal = locate(this.reader, to, false);
    if (goal.path === source.path) return;
    if (source.place === GROUP && isWithin(goal.path, source.path)) {
      throw invalidPath("rename", from, "a group cannot be moved into itself");
    }
    this.#assertReplaceable(source, goal, to);
    this.frame(() => {
      this.#makeAbove(goal, "rename to");
      if (source.place === GROUP) this.#moveBelow(source.path, goal.path);
      this.#moveEntry(source.path, goal.path);
      const isChange = source.place === GROUP || source.place instanceof Link ||
        goal.place instanceof Link || goal.place === GROUP;
      if (isChange) this.#stamp();
    });
  }

  /** Throws unless what stands at the goal may be replaced by the source. */
  #assertReplaceable(source: Location, goal: Location, to: string): void {
    if (goal.place === undefined) return;
    if (source.place !== GROUP && goal.place === GROUP) throw isGroup("rename to", to);
    if (source.place === GROUP && goal.place !== GROUP) {
      throw notGroup("rename a group to", to, goal.path);
    }
    if (goal.place === GROUP && !this.reader.isEmpty(goal.path)) {
      throw invalidPath("rename to", to, "the group there is not empty");
    }
  }

  /** Throws if something else stands where a group is needed. */
  #assertFree({ path, blocked }: Location, doing: string): void {
    if (blocked !== undefined) throw notGroup(doing, path, blocked);
  }

  /** Makes the groups above a place that are missing. */
  #makeAbove(location: Location, doing: string): void {
    this.#assertFree(location, doing);
    for (const group of missingAbove(location)) this.put(group, GROUP);
  }

  #stamp(): void {
    this.put(ROOT, new Stamp(this.target.writer.txnid));
  }

  #removeEntry(path: string): boolean {
    const { session, table } = this.target;
    return removeEncoded(this.target, encodeKey(session, table, path), null);
  }

  #removeBelow(group: string): void {
    const { session, table } = this.target;
    removeBetween(this.target, rangeBounds(session, table, { prefix: `${group}/` }));
  }

  #moveEntry(from: string, to: string): void {
    this.put(to, this.#read(from));
    this.#removeEntry(from);
  }

  /** What is stored at a path, to be stored elsewhere as it is. */
  #read(path: string): Written {
    return new Marked(this.reader.getBinary(path)!);
  }

  /** Moves all that is in a group: a few entries at a time, each value alone in memory. */
  #moveBelow(from: string, to: string): void {
    const { session, table } = this.target;
    const prefix = `${from}/`;
    for (;;) {
      const paths = this.reader.getKeys({ prefix, limit: MOVED_COUNT }).toArray();
      if (paths.length === 0) return;
      for (const path of paths) this.put(to + path.slice(from.length), this.#read(path));
      const range = { start: paths[0]!, end: paths.at(-1)!, inclusiveEnd: true };
      removeBetween(this.target, rangeBounds(session, table, range));
    }
  }
}

/** The groups above a place that are missing, the highest first. */
export function missingAbove({ path, place, group }: Location): string[] {
  const missing: string[] = [];
  if (place !== undefined) return missing;
  const from = group === ROOT ? 0 : group.length + 1;
  for (let end = path.indexOf("/", from); end >= 0; end = path.indexOf("/", end + 1)) {
    missing.push(path.slice(0, end));
  }
  return missing;
}

/** A group where something else is to be. */
export function isGroup(doing: string, path: string): Error {
  return invalidPath(doing, path, "a group stands there");
}

/** Something else where a group is needed. */
export function notGroup(doing: string, path: string, blocked: string): Error {
  return errorOf(
    "PATH_NOT_A_GROUP",
    `Cannot ${doing} ${JSON.stringify(path)}: ${JSON.stringify(blocked)} is not a group`,
  );
}
