/** `zeolite scan`: prints the rows of a range, for people or as NDJSON. */
import type { Command } from "commander";
import type { RangeOptions } from "../../mod.ts";
import { findTable, rangeOf, readStore } from "../access.ts";
import { declare, given, required, run, type TableChoice, withTable } from "../command.ts";
import { writeNdjsonRow } from "../formats/ndjson.ts";
import { toTaggedText } from "../formats/tagged.ts";
import { stopIfInterrupted } from "../interrupt.ts";
import { printKey, printLiteral } from "../literal.ts";
import { type RangeChoice, wholeNumber, withRange } from "../options.ts";
import { rowsOf } from "../rows.ts";
import type { TerminalOptions } from "../terminal.ts";

interface Options extends TerminalOptions, TableChoice, RangeChoice {
  readonly reverse?: boolean;
  readonly limit?: number;
  readonly offset?: number;
  readonly keys?: boolean;
  readonly count?: boolean;
}

/** Adds the command. */
export function addScan(program: Command): void {
  const declared = withRange(withTable(declare(program, {
    usage: "scan <store>",
    summary: "Print the rows of a range, in the order of keys.",
    examples: [
      `zeolite scan cities.zeolite --prefix '["fr"]' --limit 10`,
      "zeolite scan cities.zeolite --reverse --limit 1 --keys",
      "zeolite scan cities.zeolite --start text:a --end text:b --count",
    ],
    hasLiterals: true,
  })));
  const command = declared
    .option("-r, --reverse", "from the last key to the first")
    .option("-l, --limit <n>", "at most so many rows", wholeNumber(0))
    .option("--offset <n>", "leave out the first rows", wholeNumber(0))
    .option("-k, --keys", "keys alone")
    .option("-c, --count", "how many rows there are");
  run<Options>(command, async (terminal, args, options) => {
    await readStore(required(args, 0), async (store) => {
      const from = findTable(store, options.table);
      const { reverse, limit, offset } = options;
      const range = {
        ...rangeOf(options, from.keyEncoding),
        ...given({ reverse, limit, offset }),
      } as RangeOptions<never>;
      if (options.count === true) {
        const total = from.table.getCount(range);
        terminal.result({ count: total }, () => [String(total)]);
        return;
      }
      for (const { key, value } of rowsOf(from, range, options.keys === true)) {
        stopIfInterrupted();
        if (terminal.output.add(printRow(key, value, from.keyEncoding, terminal.isJson, options))) {
          await terminal.output.flush();
        }
      }
    });
  });
}

/** One line. */
function printRow(
  key: unknown,
  value: unknown,
  keyEncoding: string,
  isJson: boolean,
  options: Options,
): string {
  if (options.keys === true) {
    return isJson ? `{"key":${toTaggedText(key)}}\n` : `${printKey(key, keyEncoding)}\n`;
  }
  if (isJson) return writeNdjsonRow(key, value);
  return `${printKey(key, keyEncoding)}\t${printLiteral(value)}\n`;
}
