/** `zeolite remove`, also `del`: removes keys, or a range of them. */
import type { Command } from "commander";
import type { Durability, RangeOptions } from "../../mod.ts";
import { findTable, rangeOf, withStore } from "../access.ts";
import { declare, given, required, run, type TableChoice, withTable } from "../command.ts";
import { CliError, EXIT, usageError } from "../exit.ts";
import { parseKey } from "../literal.ts";
import { type RangeChoice, withDurability, withRange } from "../options.ts";
import { count, type TerminalOptions } from "../terminal.ts";

interface Options extends TerminalOptions, TableChoice, RangeChoice {
  readonly durability?: Durability;
  readonly dropTable?: boolean;
}

/** Refuses a command line that names nothing, or two things, to remove. */
function checkChoice(keys: readonly string[], options: Options): boolean {
  const hasRange = [options.start, options.end, options.prefix].some((key) => key !== undefined);
  const chosen = [keys.length > 0, hasRange, options.dropTable === true];
  if (chosen.filter((isChosen) => isChosen).length !== 1) {
    throw usageError("Cannot remove: give keys, or a range, or --drop-table");
  }
  return hasRange;
}

/** Adds the command. */
export function addRemove(program: Command): void {
  const declared = declare(program, {
    usage: "remove <store> [key...]",
    summary: "Remove keys, all keys of a range, or a table.",
    examples: [
      `zeolite remove cities.zeolite '["fr","Paris"]'`,
      `zeolite del cities.zeolite --prefix '["fr"]'`,
      "zeolite remove photos.zeolite --table thumbs --drop-table",
    ],
    hasLiterals: true,
  }).alias("del").option("--drop-table", "remove the table given by --table, with all it holds");
  const command = withDurability(withRange(withTable(declared)));
  run<Options>(command, async (terminal, args, options) => {
    const [path, ...keys] = [required(args, 0), ...args.slice(1)];
    const hasRange = checkChoice(keys, options);
    if (options.dropTable === true && options.table === undefined) {
      throw usageError("Cannot drop the unnamed table: give --table");
    }
    const opening = { create: false, ...given({ durability: options.durability }) };
    await withStore(path, opening, async (store) => {
      const { table, keyEncoding } = findTable(store, options.table);
      let removed = 0;
      if (options.dropTable === true) {
        removed = table.getCount();
        await store.dropTable(options.table as string);
      } else if (hasRange) {
        removed = await table.removeRange(rangeOf(options, keyEncoding) as RangeOptions<never>);
      } else {
        const parsed = keys.map((key) => parseKey(key, keyEncoding) as never);
        const results = await Promise.all(parsed.map((key) => table.remove(key)));
        removed = results.filter((isRemoved) => isRemoved).length;
      }
      terminal.result({ removed }, () => []);
      if (hasRange) terminal.note(`removed ${count(removed)}`);
      if (removed < keys.length) {
        const message = `Cannot remove ${keys.length - removed} of ${keys.length} keys: not there`;
        throw new CliError("ZEOLITE_NOT_FOUND", EXIT.absent, message);
      }
    });
  });
}
