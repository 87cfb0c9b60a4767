/**
 * Many values written at once. The groups that they go to are found or planned first, each once;
 * then each place is looked at: nothing may be overwritten but a value, and a link there is
 * followed. In a group that is new nothing can stand but the groups that are new in it; and where a
 * value stands at a path as it is named, there is nothing to find or make. A new group is written
 * before the first value that goes into it, with the values: so what comes in order is written in
 * order, groups and all.
 */
import { SHORT_TEXT_MAX, writeShortText } from "../codec/text.ts";
import { LARGE_MIN } from "../codec/value.ts";
import type { Target } from "../write.ts";
import {
  keepRows,
  type PackedRows,
  packEntry,
  ROW_HEADER,
  ROWS_SIZE,
  sendRows,
  takeRows,
} from "../write_many.ts";
import { locate } from "./locate.ts";
import { isPlainIn, joinPath, normalPath, parentOf, ROOT } from "./path.ts";
import { GROUP, Link, type Place, VALUE, VALUE_MARKER, type Written } from "./stored.ts";
import { isGroup, missingAbove, notGroup, type Tree } from "./tree.ts";

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
  /** Whether it is made for them. */
  readonly isNew: boolean;
  /** Whether it was named by another path. */
  readonly isMoved: boolean;
  /** Whether groups are known to stand in it. */
  isHolder: boolean;
}

/** A group to be made before a value. */
interface NewGroup {
  readonly path: string;
  /** Which value that is. */
  readonly index: number;
}

/** Stands for the group of a value that is written over another. */
const STANDING: Goal = { path: ROOT, isNew: false, isMoved: false, isHolder: false };

/** The writing of one set of values. */
class ManyWriter {
  readonly #tree: Tree;
  readonly #paths: string[];
  readonly #values: Written[];
  /** Groups as they are named. */
  readonly #goals: Map<string, Goal> = new Map();
  /** Paths of groups that stand, or will, and of groups that have such groups in them. */
  readonly #groups: Set<string> = new Set();
  readonly #holders: Set<string> = new Set();
  /** New groups, by the values that they come before. */
  readonly #newGroups: NewGroup[] = [];
  /** Values, and new groups, that were handed over. */
  #sent = 0;
  #made = 0;
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
    for (const goal of this.#goals.values()) goal.isHolder = this.#holders.has(goal.path);
    const looked: string[] = [];
    for (let index = 0; index < paths.length; index += 1) {
      const goal = goals[index]!;
      if (goal === STANDING) continue;
      if (goal.isMoved) paths[index] = joinPath(goal.path, nameOf(paths[index]!));
      if (!goal.isNew) looked.push(paths[index]!);
    }
    const places = this.#tree.reader.places(looked);
    let next = 0;
    for (let index = 0; index < paths.length; index += 1) {
      const goal = goals[index]!;
      if (goal === STANDING) continue;
      const found = goal.isNew ? undefined : places[next++];
      const seen = goal.isHolder && this.#groups.has(paths[index]!) ? GROUP : found;
      if (this.#isSurprised || (seen !== VALUE && seen !== undefined)) this.#settle(index, seen);
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
   * Finds or plans the groups that the values go to; the one of each. Where a value stands at a
   * path as it is named, all above it are groups.
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
      // Paths often come group by group.
      if (goal === undefined || !isPlainIn(paths[index]!, last)) {
        const path = paths[index] = normalPath(paths[index], "write");
        if (path === ROOT) throw isGroup("write", path);
        last = parentOf(path);
        goal = this.#goals.get(last) ?? this.#findGoal(last, index);
      }
      goals.push(goal);
    }
    return goals;
  }

  /** Finds or plans one group. */
  #findGoal(group: string, index: number): Goal {
    const location = locate(this, group, true);
    const { path, place, blocked } = location;
    if (place !== GROUP) {
      const other = place === undefined ? blocked : path;
      if (other !== undefined) throw notGroup("make the group", group, other);
      for (const above of missingAbove(location)) this.#newGroups.push({ path: above, index });
      this.#newGroups.push({ path, index });
    }
    const isMoved = path !== group;
    const goal = { path, isNew: place === undefined, isMoved, isHolder: false };
    this.#goals.set(group, goal);
    for (let above = path; !this.#groups.has(above);) {
      this.#groups.add(above);
      above = parentOf(above);
      this.#holders.add(above);
    }
    return goal;
  }

  /** What stands at a path, or will. */
  lookUp(path: string): Place | undefined {
    return this.#groups.has(path) ? GROUP : this.#tree.reader.lookUp(path);
  }

  /** Refuses a group where a value is to be written, and follows a link there. */
  #settle(index: number, seen: Place | undefined): void {
    const path = this.#paths[index]!;
    const place = this.#isSurprised ? this.#tree.reader.lookUp(path) : seen;
    if (place === GROUP) throw isGroup("write", path);
    if (!(place instanceof Link)) return;
    // Groups may be made where it leads, over values that come before this one; none of those that
    // come later may be a value there.
    this.#send(index);
    for (; this.#made < this.#newGroups.length; this.#made += 1) {
      this.#tree.put(this.#newGroups[this.#made]!.path, GROUP);
    }
    this.#isSurprised = true;
    this.#paths[index] = this.#tree.place(path);
  }

  /** Hands over all rows up to an index. */
  #send(end: number): void {
    const { target } = this.#tree;
    const rows = takeRows();
    let next = this.#newGroups[this.#made]?.index ?? end;
    for (let index = this.#sent; index < end; index += 1) {
      for (; next === index; next = this.#newGroups[this.#made]?.index ?? end) {
        packEntry(target, rows, [this.#newGroups[this.#made]!.path, GROUP], 0);
        this.#made += 1;
      }
      const path = this.#paths[index]!;
      const value = this.#values[index]!;
      const isSmall = value instanceof Uint8Array && value.length < LARGE_MIN;
      if (isSmall && packSmall(target, rows, path, value)) continue;
      packEntry(target, rows, [path, value], 0);
    }
    sendRows(target, rows, 0);
    keepRows(rows);
    this.#sent = end;
  }
}

/** Adds a value to the rows, which are handed over first if need be; false for an unusual path. */
function packSmall(target: Target, rows: PackedRows, path: string, value: Uint8Array): boolean {
  const size = value.length;
  if (rows.used + ROW_HEADER + SHORT_TEXT_MAX + size + 1 > ROWS_SIZE) sendRows(target, rows, 0);
  const at = rows.used;
  const { words, bytes } = rows;
  if (!writeShortText(words, path, (at + ROW_HEADER) >> 2)) return false;
  const keySize = path.length;
  words[at >> 2] = keySize;
  words[(at >> 2) + 1] = size + 1;
  const end = at + ROW_HEADER + keySize + size;
  bytes.set(value, end - size);
  bytes[end] = VALUE_MARKER;
  rows.used = (end + 4) & ~3;
  rows.count += 1;
  return true;
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Writes many values; all of them or none. */
export function writeMany(tree: Tree, rows: PathRows): number {
  tree.frame(() => new ManyWriter(tree, rows).write());
  return rows.paths.length;
}
