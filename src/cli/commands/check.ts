/** `zeolite check`: walks every page of a store and tells what is wrong. */
import type { Command } from "commander";
import type { CheckReport } from "../../mod.ts";
import { readStore } from "../access.ts";
import { declare, required, run } from "../command.ts";
import { CliError, EXIT } from "../exit.ts";
import { stopIfInterrupted } from "../interrupt.ts";
import { count, plural, type TerminalOptions } from "../terminal.ts";

function* reportLines(report: CheckReport): Generator<string> {
  for (const { page, table, message } of report.errors) {
    yield `page ${page}${table === null ? "" : `, table ${JSON.stringify(table)}`}: ${message}`;
  }
  const found = report.ok ? "no fault" : plural(report.errors.length, "fault");
  yield `${found} in ${plural(report.pages, "page")} and ${count(report.entries)} entries`;
}

/** Adds the command. */
export function addCheck(program: Command): void {
  const command = declare(program, {
    usage: "check <store>",
    summary: "Read every page and prove that the store is whole.",
    details: "Others may go on writing.",
    examples: ["zeolite check cities.zeolite", "zeolite check cities.zeolite --json"],
  });
  run<TerminalOptions>(command, async (terminal, args) => {
    await readStore(required(args, 0), async (store) => {
      const bar = terminal.bar("check", "pages");
      let report: CheckReport;
      try {
        report = await store.check({
          onProgress(done, total) {
            stopIfInterrupted();
            bar.update(done, total);
          },
        });
      } finally {
        bar.stop();
      }
      terminal.result(report, () => reportLines(report));
      if (!report.ok) {
        const message = `Cannot vouch for the store: ${
          plural(report.errors.length, "fault")
        } found`;
        throw new CliError("ZEOLITE_CORRUPT", EXIT.absent, message);
      }
    });
  });
}
