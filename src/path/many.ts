/**
 * Many values written at once. The groups that they go to are found or made first, each once; then
 * each value is looked at: nothing may be overwritten but a value, and a link there is followed. In
 * a group that was just made nothing can stand but the groups that were made in it.
 */
import { putCondition } from "../write.ts";
import { putManyNow } from "../write_many.ts";
import { locate } from "./locate.ts";
import { invalidPath, joinPath, parentOf, ROOT } from "./path.ts";
import { GROUP, Link, type Written } from "./stored.ts";
import type { Tree } from "./tree.ts";

/** A value on its way to a normal path. */
export type PathEntry = readonly [path: string, value: Written];

/** A group that values go to. */
interface Goal {
  /** Its path without links. */
  readonly path: string;
  /** Whether it was made for them. */
  readonly isNew: boolean;
}

/** The writing of one set of values. */
class ManyWriter {
  readonly #tree: Tree;
  /** Groups as they are named. */
  readonly #goals: Map<string, Goal> = new Map();
  /** Paths of groups that are known to stand. */
  readonly #groups: Set<string> = new Set();
  #rows: PathEntry[] = [];
  /** Whether groups were made that #groups does not have. */
  #isSurprised = false;

  constructor(tree: Tree) {
    this.#tree = tree;
  }

  write(entries: readonly PathEntry[]): void {
    for (const [path] of entries) this.#prepare(path);
    for (const entry of entries) this.#add(entry);
    this.#send();
  }

  /** Makes sure of the group that a path is in. */
  #prepare(path: string): void {
    const parent = parentOf(path);
    if (this.#goals.has(parent)) return;
    const { reader } = this.#tree;
    const { place, path: found } = locate(reader, parent, true);
    const isNew = place === undefined;
    if (place !== GROUP) this.#tree.makeGroup(parent);
    this.#goals.set(parent, { path: found, isNew });
    for (let group = found; !this.#groups.has(group); group = parentOf(group)) {
      this.#groups.add(group);
    }
  }

  #add(entry: PathEntry): void {
    const [path, value] = entry;
    const parent = parentOf(path);
    const goal = this.#goals.get(parent)!;
    const isMoved = goal.path !== parent;
    const at = isMoved ? joinPath(goal.path, nameOf(path)) : path;
    if (this.#groups.has(at)) throw invalidPath("write", path, "a group stands there");
    if (!goal.isNew || this.#isSurprised) {
      const place = this.#tree.reader.lookUp(at);
      if (place === GROUP) throw invalidPath("write", path, "a group stands there");
      if (place instanceof Link) return this.#follow(at, value);
    }
    this.#rows.push(isMoved ? [at, value] : entry);
  }

  /** Writes where a link leads; groups may be made there. */
  #follow(path: string, value: Written): void {
    this.#send();
    this.#isSurprised = true;
    this.#rows.push([this.#tree.place(path), value]);
  }

  #send(): void {
    const { target } = this.#tree;
    putManyNow(target, this.#rows, putCondition(target.session, target.table, undefined));
    this.#rows = [];
  }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Writes many values; all of them or none. */
export function writeMany(tree: Tree, entries: readonly PathEntry[]): number {
  for (const [path] of entries) {
    if (path === ROOT) throw invalidPath("write", path, "a group stands there");
  }
  tree.frame(() => new ManyWriter(tree).write(entries));
  return entries.length;
}
