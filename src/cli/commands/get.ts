/** `zeolite get`: prints the values of keys. */
import type { Command } from "commander";
import { findTable, type OpenTable, readStore } from "../access.ts";
import { declare, required, run, type TableChoice, withTable } from "../command.ts";
import { CliError, EXIT, usageError } from "../exit.ts";
import { writeNdjsonRow } from "../formats/ndjson.ts";
import { parseKey, printKey, printLiteral } from "../literal.ts";
import { valueOf } from "../rows.ts";
import type { Terminal, TerminalOptions } from "../terminal.ts";

interface Options extends TerminalOptions, TableChoice {
  readonly raw?: boolean;
}

/** The text of one value: a text as it is, anything else as it is typed. */
function printValue(value: unknown): string {
  return typeof value === "string" ? value : printLiteral(value);
}

/** Prints one value; false if the key is not there. */
async function getOne(
  terminal: Terminal,
  from: OpenTable,
  text: string,
  isRaw: boolean,
): Promise<boolean> {
  const key = parseKey(text, from.keyEncoding);
  if (isRaw) {
    const bytes = from.table.getBinary(key as never);
    if (bytes === undefined) return false;
    await terminal.output.writeBytes(bytes);
    return true;
  }
  const value = valueOf(from, key);
  if (value === undefined && !from.table.has(key as never)) return false;
  if (terminal.isJson) terminal.output.add(writeNdjsonRow(key, value));
  else terminal.line(printValue(value));
  return true;
}

/** Adds the command. */
export function addGet(program: Command): void {
  const command = withTable(declare(program, {
    usage: "get <store> <key...>",
    summary: "Print the values of keys, one a line.",
    examples: [
      "zeolite get cities.zeolite text:paris",
      `zeolite get cities.zeolite '["fr","Paris"]' --json`,
      "zeolite get photos.zeolite --table thumbs 17 --raw > 17.jpg",
    ],
    hasLiterals: true,
  })).option("--raw", "write the stored bytes of one key as they are, without a newline");
  run<Options>(command, async (terminal, args, options) => {
    const [path, ...keys] = [required(args, 0), ...args.slice(1)];
    if (options.raw === true && keys.length > 1) throw usageError("Cannot use --raw for many keys");
    await readStore(path, async (store) => {
      const from = findTable(store, options.table);
      const missing: string[] = [];
      for (const key of keys) {
        if (!await getOne(terminal, from, key, options.raw === true)) missing.push(key);
      }
      if (missing.length === 0) return;
      const names = missing.map((key) =>
        printKey(parseKey(key, from.keyEncoding), from.keyEncoding)
      );
      throw new CliError(
        "ZEOLITE_NOT_FOUND",
        EXIT.absent,
        `Cannot get ${names.join(", ")}: not there`,
      );
    });
  });
}
