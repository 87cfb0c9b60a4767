/** `zeolite demo`: shows what a store does, with the cities of the world. */
import type { Command } from "commander";
import { declare, run } from "../command.ts";
import { runDemo } from "../demo.ts";
import { CliError, EXIT } from "../exit.ts";
import type { TerminalOptions } from "../terminal.ts";

interface Options extends TerminalOptions {
  readonly keep?: boolean;
}

/** Adds the command. */
export function addDemo(program: Command): void {
  const command = declare(program, {
    usage: "demo",
    summary: "Show what a store does, with the cities of the world.",
    details: `
Loads them in one process while another reads; gets, ranges, a view, a
transaction; and verifies all of it. Takes some seconds, leaves nothing.`,
    examples: ["zeolite demo", "zeolite demo --keep"],
  }).option("--keep", "keep the store, to look at it with the other commands");
  run<Options>(command, async (terminal, _args, options) => {
    const isGood = await runDemo(terminal, options.keep ?? false);
    if (!isGood) {
      throw new CliError("DEMO_FAILED", EXIT.absent, "Cannot vouch for all of the above");
    }
  });
}
