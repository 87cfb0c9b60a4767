/** `zeolite tables`: lists the tables of a store. */
import type { Command } from "commander";
import { findTable, readStore } from "../access.ts";
import { declare, required, run } from "../command.ts";
import { printLiteral } from "../literal.ts";
import { count, type TerminalOptions } from "../terminal.ts";

/** Cells in columns, the header first. */
function* grid(rows: readonly (readonly string[])[]): Generator<string> {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length))
  );
  for (const row of rows) {
    yield row.map((cell, column) => cell.padEnd(widths[column] as number)).join("  ").trimEnd();
  }
}

/** Adds the command. */
export function addTables(program: Command): void {
  const command = declare(program, {
    usage: "tables <store>",
    summary: "List the tables with their entries and encodings.",
    examples: ["zeolite tables cities.zeolite", "zeolite tables cities.zeolite --json"],
  });
  run<TerminalOptions>(command, async (terminal, args) => {
    await readStore(required(args, 0), (store) => {
      const tables = [undefined, ...store.tables()].map((name) => {
        const { table, keyEncoding, encoding } = findTable(store, name);
        return { name: name ?? null, entries: table.getCount(), keyEncoding, encoding };
      });
      terminal.result(tables, () =>
        grid([
          ["table", "entries", "keys", "values"],
          ...tables.map(({ name, entries, keyEncoding, encoding }) => [
            name === null ? "(unnamed)" : printLiteral(name),
            count(entries),
            keyEncoding,
            encoding,
          ]),
        ]));
    });
  });
}
