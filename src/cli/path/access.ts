/** What all `zeolite path` commands share: their declaration, and how they open the paths. */
import type { Command } from "commander";
import type { Durability } from "../../mod.ts";
import { type OpenPaths, pathsOf } from "../../path/store.ts";
import { withStore } from "../access.ts";
import { type Declaration, declare, given } from "../command.ts";
import { CliError, EXIT } from "../exit.ts";
import { withDurability } from "../options.ts";
import type { TerminalOptions } from "../terminal.ts";

/** Options of every one of them. */
export interface PathChoice extends TerminalOptions {
  readonly table?: string;
  readonly durability?: Durability;
}

/** Declares a command that reads. */
export function declareReading(parent: Command, declaration: Declaration): Command {
  return declare(parent, declaration)
    .option("-t, --table <name>", "the table that has the paths (default: paths)");
}

/** Declares a command that writes. */
export function declareWriting(parent: Command, declaration: Declaration): Command {
  return withDurability(declareReading(parent, declaration));
}

function chosen({ table }: PathChoice): { table?: string } {
  return given({ table }) as { table?: string };
}

/** Opens a store that must be there, to read its paths. */
export function readPaths<T>(
  store: string,
  choice: PathChoice,
  body: (paths: OpenPaths) => Promise<T> | T,
): Promise<T> {
  const options = { readOnly: true, create: false };
  return withStore(store, options, (open) => body(pathsOf(open, chosen(choice))));
}

/** Opens a store, which is made if it is not there, to write its paths. */
export function writePaths<T>(
  store: string,
  choice: PathChoice,
  body: (paths: OpenPaths) => Promise<T> | T,
): Promise<T> {
  const options = given({ durability: choice.durability }) as { durability?: Durability };
  return withStore(store, options, (open) => body(pathsOf(open, chosen(choice))));
}

/** Where nothing is. */
export function notThere(doing: string, path: string): CliError {
  return new CliError(
    "ZEOLITE_NOT_FOUND",
    EXIT.absent,
    `Cannot ${doing} ${JSON.stringify(path)}: nothing is there`,
  );
}
