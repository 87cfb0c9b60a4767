/** `zeolite put`: stores one value under one key. */
import { readFile } from "node:fs/promises";
import process from "node:process";
import type { Command } from "commander";
import type { Durability, PutOptions } from "../../mod.ts";
import { type EncodingChoice, encodingOptions, ensureTable, withStore } from "../access.ts";
import { declare, given, required, run, type TableChoice, withTable } from "../command.ts";
import { CliError, EXIT, usageError } from "../exit.ts";
import { readAll, unreadable } from "../input.ts";
import { parseKey, parseValue } from "../literal.ts";
import { withDurability, withEncodings } from "../options.ts";
import type { TerminalOptions } from "../terminal.ts";

interface Options extends TerminalOptions, TableChoice, EncodingChoice {
  readonly file?: string;
  readonly ifAbsent?: boolean;
  readonly durability?: Durability;
}

/** The content of a file. */
function readValueFile(file: string): Promise<Uint8Array> {
  return readFile(file).catch((error: unknown) => {
    throw unreadable(file, error);
  });
}

/** The value as its encoding takes it, from the content of a file or of standard input. */
function valueOfContent(content: Uint8Array, encoding: string): unknown {
  if (encoding === "binary") return content;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    throw usageError(`Cannot put: the value is not UTF-8, and the table's values are ${encoding}`);
  }
  return parseValue(encoding === "string" ? text : text.trimEnd(), encoding);
}

/** Adds the command. */
export function addPut(program: Command): void {
  const declared = declare(program, {
    usage: "put <store> <key> [value]",
    summary: "Store a value under a key.",
    details: "The store, and the table, that are not there are made.",
    examples: [
      `zeolite put cities.zeolite '["fr","Paris"]' '{"population":2138551}'`,
      "zeolite put photos.zeolite --table thumbs --encoding binary 17 --file 17.jpg",
      "date | zeolite put notes.zeolite today -",
    ],
    hasLiterals: true,
  })
    .option("--file <file>", "the value is the content of this file")
    .option("--if-absent", "only if the key is not there; else exit code 1");
  const command = withDurability(withEncodings(withTable(declared)));
  run<Options>(command, async (terminal, args, options) => {
    const [path, keyText, valueText] = [required(args, 0), required(args, 1), args[2]];
    if ((valueText === undefined) === (options.file === undefined)) {
      throw usageError("Cannot put: give the value, - for standard input, or --file");
    }
    const isUnnamed = options.table === undefined;
    const content = options.file !== undefined
      ? await readValueFile(options.file)
      : valueText === "-"
      ? await readAll(process.stdin)
      : undefined;
    const opening = {
      ...given({ durability: options.durability }),
      ...(isUnnamed ? encodingOptions(options) : {}),
    };
    await withStore(path, opening, async (store) => {
      const { table, keyEncoding, encoding } = ensureTable(store, options.table, options);
      const key = parseKey(keyText, keyEncoding) as never;
      const value = content === undefined
        ? parseValue(valueText as string, encoding)
        : valueOfContent(content, encoding);
      const stored = await table.put(
        key,
        value,
        given({ ifAbsent: options.ifAbsent }) as PutOptions,
      );
      terminal.result({ stored }, () => []);
      if (!stored) {
        throw new CliError(
          "EXISTS",
          EXIT.absent,
          `Cannot put ${keyText}: the key is there already`,
        );
      }
    });
  });
}
