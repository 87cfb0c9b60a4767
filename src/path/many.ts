/**
 * Many values written at once. The groups that they go to are found or made first, each once; then
 * each value is looked at: nothing may be overwritten but a value, and a link there is followed. In
 * a group that was just made nothing can stand but the groups that were made in it.
 */
import { putCondition } from "../write.ts";
import { putManyNow } from "../write_many.ts";
import { locate } from "./locate.ts";
import { invalidPath, joinPath, parentOf, ROOT } from "./path.ts";
import { GROUP, Link, type Place, type Written } from "./stored.ts";
import type { Tree } from "./tree.ts";

/** A value on its way to a normal path. */
export type PathEntry = readonly [path: string, value: Written];

/** A group that values go to. */
interface Goal {
  /** Its path without links. */
  readonly path: string;
  /** Whether it was made for them. */
  readonly isNew: boolean;
  /** Whether it was named by another path. */
  readonly isMoved: boolean;
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
    const goals = this.#prepare(entries);
    const moved = entries.map((entry, index) => this.#moved(entry, goals[index]!));
    const looked = moved.filter((_, index) => !goals[index]!.isNew).map(([path]) => path);
    const places = this.#tree.reader.places(looked);
    let next = 0;
    for (const [index, entry] of moved.entries()) {
      const goal = goals[index]!;
      if (goal.isNew) this.#addNew(entry);
      else this.#add(entry, places[next++]);
    }
    this.#send();
  }

  /** Makes sure of the groups that the values go to; the one of each. */
  #prepare(entries: readonly PathEntry[]): Goal[] {
    let last = "";
    let goal: Goal | undefined;
    return entries.map(([path]) => {
      const size = Math.max(0, path.lastIndexOf("/"));
      // Paths often come group by group.
      if (goal !== undefined && size === last.length && path.startsWith(last)) return goal;
      last = path.slice(0, size);
      goal = this.#goals.get(last) ?? this.#findGoal(last);
      return goal;
    });
  }

  /** Makes sure of one group. */
  #findGoal(group: string): Goal {
    const { place, path } = locate(this.#tree.reader, group, true);
    if (place !== GROUP) this.#tree.makeGroup(group);
    const goal = { path, isNew: place === undefined, isMoved: path !== group };
    this.#goals.set(group, goal);
    for (let above = path; !this.#groups.has(above); above = parentOf(above)) {
      this.#groups.add(above);
    }
    return goal;
  }

  /** An entry at its path without links in the groups above it. */
  #moved(entry: PathEntry, { path, isMoved }: Goal): PathEntry {
    return isMoved ? [joinPath(path, nameOf(entry[0])), entry[1]] : entry;
  }

  /** Adds a value in a group that was made for it. */
  #addNew(entry: PathEntry): void {
    const [path] = entry;
    if (this.#groups.has(path)) throw invalidPath("write", path, "a group stands there");
    if (this.#isSurprised) this.#add(entry, undefined);
    else this.#rows.push(entry);
  }

  /** Adds a value where something may stand. */
  #add(entry: PathEntry, seen: Place | undefined): void {
    const [path, value] = entry;
    const place = this.#isSurprised ? this.#tree.reader.lookUp(path) : seen;
    if (place === GROUP) throw invalidPath("write", path, "a group stands there");
    if (place instanceof Link) this.#follow(path, value);
    else this.#rows.push(entry);
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
