/** `zeolite readers`: lists the snapshots that are held open, in all processes. */
import process from "node:process";
import type { Command } from "commander";
import { readStore } from "../access.ts";
import { declare, required, run } from "../command.ts";
import { count, type TerminalOptions } from "../terminal.ts";

/** Adds the command. */
export function addReaders(program: Command): void {
  const command = declare(program, {
    usage: "readers <store>",
    summary: "List the snapshots that other processes hold open.",
    details: "One that stays open keeps the pages it sees from being used again.",
    examples: ["zeolite readers cities.zeolite", "zeolite readers cities.zeolite --json"],
  });
  run<TerminalOptions>(command, async (terminal, args) => {
    await readStore(required(args, 0), (store) => {
      const readers = store.readers().filter(({ pid }) => pid !== process.pid);
      terminal.result(
        readers,
        () =>
          readers.length === 0
            ? ["no readers"]
            : readers.map(({ pid, txnid, lag, ageMs }) =>
              `process ${pid}: commit ${txnid}, ${count(lag)} behind, for ${
                (ageMs / 1000).toFixed(1)
              } s`
            ),
      );
    });
  });
}
