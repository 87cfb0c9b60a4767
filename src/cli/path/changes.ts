/** `zeolite path ln`, `rm` and `mv`: links, removals and moves, each at once. */
import type { Command } from "commander";
import { required, run } from "../command.ts";
import { declareWriting, notThere, type PathChoice, writePaths } from "./access.ts";

interface RemoveOptions extends PathChoice {
  readonly recursive?: boolean;
}

/** Adds `ln`. */
export function addPathLink(parent: Command): void {
  const command = declareWriting(parent, {
    usage: "ln <store> <target> <link>",
    summary: "Make a link; the target is a path from the root.",
    details: "The target need not be there. A value or a link in its place is replaced.",
    examples: ["zeolite path ln files.zeo notes/2026 notes/latest"],
  });
  run<PathChoice>(command, async (terminal, args, options) => {
    const [target, link] = [required(args, 1), required(args, 2)];
    await writePaths(required(args, 0), options, (paths) => paths.makeLink(target, link));
    terminal.result({ link, target }, () => []);
  });
}

/** Adds `rm`. */
export function addPathRemove(parent: Command): void {
  const command = declareWriting(parent, {
    usage: "rm <store> <path...>",
    summary: "Remove values, links and groups.",
    details: "A link itself is removed, not what it leads to.",
    examples: ["zeolite path rm files.zeo notes/today", "zeolite path rm files.zeo -r photos"],
  }).option("-r, --recursive", "groups with all that is in them, each at once");
  run<RemoveOptions>(command, async (terminal, args, options) => {
    const recursive = options.recursive ?? false;
    let removed = 0;
    await writePaths(required(args, 0), options, async (paths) => {
      for (const path of args.slice(1)) {
        if (!await paths.remove(path, { recursive })) throw notThere("remove", path);
        removed += 1;
      }
    });
    terminal.result({ removed }, () => []);
  });
}

/** Adds `mv`. */
export function addPathMove(parent: Command): void {
  const command = declareWriting(parent, {
    usage: "mv <store> <from> <to>",
    summary: "Move a value, a link, or a group with all that is in it, at once.",
    details: "<to> is the new path itself; links keep the paths they lead to.",
    examples: ["zeolite path mv files.zeo drafts/a notes/a"],
  });
  run<PathChoice>(command, async (terminal, args, options) => {
    const [from, to] = [required(args, 1), required(args, 2)];
    await writePaths(required(args, 0), options, (paths) => paths.rename(from, to));
    terminal.result({ from, to }, () => []);
  });
}
