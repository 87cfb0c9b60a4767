/** `zeolite path ls` and `zeolite path tree`: what is in a group. */
import type { Command } from "commander";
import { joinPath } from "../../path/path.ts";
import type { OpenPaths } from "../../path/store.ts";
import { Link, type Place } from "../../path/stored.ts";
import { required, run } from "../command.ts";
import { stopIfInterrupted } from "../interrupt.ts";
import { plural, type Terminal } from "../terminal.ts";
import { declareReading, notThere, type PathChoice } from "./access.ts";
import { readPaths } from "./access.ts";

/** Something in a group. */
interface Member {
  readonly name: string;
  readonly path: string;
  readonly place: Place;
}

/** What is in a group, which may be named through a link. */
function* membersOf(paths: OpenPaths, group: string): Generator<Member> {
  const at = paths.resolve(group);
  if (at === undefined) throw notThere("list", group);
  for (const name of paths.list(at)) {
    const path = joinPath(at, name);
    const place = paths.place(path);
    // Another process may have removed it since.
    if (place !== undefined) yield { name, path, place };
  }
}

/** A member as JSON. */
function jsonOf(name: string, place: Place): object {
  if (!(place instanceof Link)) return { name, type: place.type };
  return { name, type: "link", target: place.target ?? place.text };
}

/** A member as a line has it: a name that a terminal cannot show is quoted. */
function lineOf(name: string, place: Place): string {
  // deno-lint-ignore no-control-regex
  const shown = (text: string) => /[\0-\x1f\x7f]/.test(text) ? JSON.stringify(text) : text;
  if (place instanceof Link) return `${shown(name)} -> ${shown(place.target ?? place.text!)}`;
  return place.type === "group" ? `${shown(name)}/` : shown(name);
}

/** Adds `ls`. */
export function addPathList(parent: Command): void {
  const command = declareReading(parent, {
    usage: "ls <store> [group]",
    summary: "List the names in a group, one a line.",
    details: "A group has a slash behind its name, a link an arrow to where it leads.",
    examples: ["zeolite path ls files.zeo", "zeolite path ls files.zeo notes --json"],
  });
  run<PathChoice>(command, async (terminal, args, options) => {
    await readPaths(required(args, 0), options, async (paths) => {
      for (const { name, place } of membersOf(paths, args[1] ?? "")) {
        await print(terminal, terminal.isJson ? jsonOf(name, place) : lineOf(name, place));
      }
    });
  });
}

async function print(terminal: Terminal, line: string | object): Promise<void> {
  const text = typeof line === "string" ? line : JSON.stringify(line);
  if (terminal.output.add(`${text}\n`)) await terminal.output.flush();
  stopIfInterrupted();
}

/** Lines of a tree, depth first. */
function* treeOf(paths: OpenPaths, group: string, before: string): Generator<[string, Member]> {
  let last: Member | undefined;
  for (const member of membersOf(paths, group)) {
    if (last !== undefined) yield* branchOf(paths, last, before, false);
    last = member;
  }
  if (last !== undefined) yield* branchOf(paths, last, before, true);
}

function* branchOf(
  paths: OpenPaths,
  member: Member,
  before: string,
  isLast: boolean,
): Generator<[string, Member]> {
  yield [before + (isLast ? "└── " : "├── "), member];
  if (member.place.type !== "group") return;
  yield* treeOf(paths, member.path, before + (isLast ? "    " : "│   "));
}

/** Adds `tree`. */
export function addPathTree(parent: Command): void {
  const command = declareReading(parent, {
    usage: "tree <store> [group]",
    summary: "Show a group and all that is in it.",
    details: "Links are shown, not followed. As JSON: a line for each path.",
    examples: ["zeolite path tree files.zeo", "zeolite path tree files.zeo notes --json"],
  });
  run<PathChoice>(command, async (terminal, args, options) => {
    const group = args[1] ?? "";
    await readPaths(required(args, 0), options, async (paths) => {
      if (!terminal.isJson) await print(terminal, group === "" ? "/" : group);
      const counts = { value: 0, group: 0, link: 0 };
      for (const [before, { name, path, place }] of treeOf(paths, group, "")) {
        counts[place.type] += 1;
        await print(terminal, terminal.isJson ? jsonOf(path, place) : before + lineOf(name, place));
      }
      const { value, group: groups, link } = counts;
      terminal.note(
        `${plural(groups, "group")}, ${plural(value, "value")}, ${plural(link, "link")}`,
      );
    });
  });
}
