/**
 * Many values written at once. The groups that they go to are found or made first, each once; then
 * each place is looked at: nothing may be overwritten but a value, and a link there is followed. In
 * a group that was just made nothing can stand but the groups that were made in it; and where a
 * value stands at a path as it is named, there is nothing to find or make.
 */
import { putCondition } from "../write.ts";
import { putManyNow } from "../write_many.ts";
import { locate } from "./locate.ts";
import { invalidPath, joinPath, normalPath, parentOf, ROOT } from "./path.ts";
import { GROUP, Link, type Place, VALUE, type Written } from "./stored.ts";
import type { Tree } from "./tree.ts";

/** Something on its way to a normal path. */
export type PathEntry = readonly [path: string, value: Written];

/** Values on their way to paths as they are named: two lists, which belong to the writing. */
export interface PathRows {
  readonly paths: string[];
  readonly values: Written[];
}

/** A group that values go to. */
interface Goal {
  /** Its path without links. */
  readonly path: string;
  /** Whether it was made for them. */
  readonly isNew: boolean;
  /** Whether it was named by another path. */
  readonly isMoved: boolean;
}

/** Stands for the group of a value that is written over another. */
const STANDING: Goal = { path: ROOT, isNew: false, isMoved: false };

/** The writing of one set of values. */
class ManyWriter {
  readonly #tree: Tree;
  readonly #paths: string[];
  readonly #values: Written[];
  /** Groups as they are named. */
  readonly #goals: Map<string, Goal> = new Map();
  /** Paths of groups that are known to stand, and of groups that have such groups in them. */
  readonly #groups: Set<string> = new Set();
  readonly #holders: Set<string> = new Set();
  /** Rows that were handed over. */
  #sent = 0;
  /** Whether groups were made that #groups does not have. */
  #isSurprised = false;

  constructor(tree: Tree, { paths, values }: PathRows) {
    this.#tree = tree;
    this.#paths = paths;
    this.#values = values;
  }

  write(): void {
    const paths = this.#paths;
    const goals = this.#prepare(this.#findValues());
    const looked: string[] = [];
    for (let index = 0; index < paths.length; index += 1) {
      const { isMoved, isNew, path } = goals[index]!;
      if (isMoved) paths[index] = joinPath(path, nameOf(paths[index]!));
      if (!isNew && goals[index] !== STANDING) looked.push(paths[index]!);
    }
    const places = this.#tree.reader.places(looked);
    let next = 0;
    for (let index = 0; index < paths.length; index += 1) {
      const goal = goals[index]!;
      if (goal === STANDING) continue;
      const seen = goal.isNew ? this.#placeInNew(goal, paths[index]!) : places[next++];
      if (seen !== VALUE || this.#isSurprised) this.#settle(index, seen);
    }
    this.#send(paths.length);
  }

  /** What stands at the paths as they are named, if there is a value at the first of them. */
  #findValues(): readonly (Place | undefined)[] {
    const { reader } = this.#tree;
    const [first] = this.#paths;
    try {
      return first !== undefined && reader.lookUp(first) === VALUE
        ? reader.places(this.#paths)
        : [];
    } catch (error) {
      // One is no path, or too long as it is named.
      if (error instanceof TypeError || error instanceof RangeError) return [];
      throw error;
    }
  }

  /**
   * Makes sure of the groups that the values go to; the one of each. Where a value stands at a path
   * as it is named, all above it are groups.
   */
  #prepare(found: readonly (Place | undefined)[]): Goal[] {
    const goals: Goal[] = [];
    const paths = this.#paths;
    let last = "";
    let goal: Goal | undefined;
    for (let index = 0; index < paths.length; index += 1) {
      if (found[index] === VALUE) {
        goals.push(STANDING);
        continue;
      }
      const path = paths[index] = normalPath(paths[index], "write");
      if (path === ROOT) throw invalidPath("write", path, "a group stands there");
      const size = Math.max(0, path.lastIndexOf("/"));
      // Paths often come group by group.
      if (goal === undefined || size !== last.length || !path.startsWith(last)) {
        last = path.slice(0, size);
        goal = this.#goals.get(last) ?? this.#findGoal(last);
      }
      goals.push(goal);
    }
    return goals;
  }

  /** Makes sure of one group. */
  #findGoal(group: string): Goal {
    const { place, path } = locate(this.#tree.reader, group, true);
    if (place !== GROUP) this.#tree.makeGroup(group);
    const goal = { path, isNew: place === undefined, isMoved: path !== group };
    this.#goals.set(group, goal);
    for (let above = path; !this.#groups.has(above);) {
      this.#groups.add(above);
      above = parentOf(above);
      this.#holders.add(above);
    }
    return goal;
  }

  /** What stands in a group that was made for the values: groups that were made with it. */
  #placeInNew({ path: group }: Goal, path: string): Place | undefined {
    return this.#holders.has(group) && this.#groups.has(path) ? GROUP : undefined;
  }

  /** Refuses a group where a value is to be written, and follows a link there. */
  #settle(index: number, seen: Place | undefined): void {
    const path = this.#paths[index]!;
    const place = this.#isSurprised ? this.#tree.reader.lookUp(path) : seen;
    if (place === GROUP) throw invalidPath("write", path, "a group stands there");
    if (!(place instanceof Link)) return;
    // Groups may be made where it leads, over values that come before this one.
    this.#send(index);
    this.#isSurprised = true;
    this.#paths[index] = this.#tree.place(path);
  }

  /** Hands over all rows up to an index. */
  #send(end: number): void {
    const { target } = this.#tree;
    const rows = { [Symbol.iterator]: () => this.#rows(this.#sent, end) };
    putManyNow(target, rows, putCondition(target.session, target.table, undefined));
    this.#sent = end;
  }

  /** Rows from one index to another, each in the place of the one before. */
  #rows(from: number, end: number): Iterator<readonly [string, Written]> {
    const paths = this.#paths;
    const values = this.#values;
    const row: [string, Written] = ["", ""];
    const result = { done: false, value: row };
    const ended = { done: true, value: undefined } as const;
    let index = from;
    return {
      next() {
        if (index >= end) return ended;
        row[0] = paths[index]!;
        row[1] = values[index]!;
        index += 1;
        return result;
      },
    };
  }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Writes many values; all of them or none. */
export function writeMany(tree: Tree, rows: PathRows): number {
  tree.frame(() => new ManyWriter(tree, rows).write());
  return rows.paths.length;
}
