/** `zeolite path`: the commands over paths, groups and links. */
import type { Command } from "commander";
import { EXIT_TEXT } from "../exit.ts";
import { addPathLink, addPathMove, addPathRemove } from "../path/changes.ts";
import { addPathExport, addPathImport } from "../path/copies.ts";
import { addPathList, addPathTree } from "../path/groups.ts";
import { addPathRead, addPathWrite } from "../path/values.ts";

const EXAMPLES = `
Each takes --json, --quiet and --table, and has examples in its own help.

Examples:
  zeolite path import node_modules
  zeolite path tree node_modules.zeo commander
  zeolite path export node_modules.zeo copy
`;

/** All of them, in the order of `--help`. */
const COMMANDS = [
  addPathRead,
  addPathWrite,
  addPathList,
  addPathTree,
  addPathLink,
  addPathRemove,
  addPathMove,
  addPathImport,
  addPathExport,
];

/** Adds the commands. */
export function addPath(program: Command): void {
  const summary = "Values at paths, in groups, with links: read, write, import, export, …";
  const parent = program.command("path")
    .summary(summary)
    .description(summary)
    .addHelpText("after", EXAMPLES + EXIT_TEXT);
  for (const add of COMMANDS) add(parent);
}
