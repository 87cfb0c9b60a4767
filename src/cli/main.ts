/**
 * The command line `zeolite`: declares the commands, runs the one asked for, prints what went wrong
 * and sets the exit code. Nothing is done at import but that.
 */
import process from "node:process";
import { Command, CommanderError } from "commander";
import { addBackup } from "./commands/backup.ts";
import { addCheck } from "./commands/check.ts";
import { addDemo } from "./commands/demo.ts";
import { addDump } from "./commands/dump.ts";
import { addGet } from "./commands/get.ts";
import { addLoad } from "./commands/load.ts";
import { addPath } from "./commands/path.ts";
import { addPut } from "./commands/put.ts";
import { addReaders } from "./commands/readers.ts";
import { addRemove } from "./commands/remove.ts";
import { addScan } from "./commands/scan.ts";
import { addStat } from "./commands/stat.ts";
import { addSuite } from "./commands/suite.ts";
import { addTables } from "./commands/tables.ts";
import { EXIT, type Exit, EXIT_TEXT, type Failure, failureOf, OutputClosed } from "./exit.ts";
import { listen, unlisten } from "./interrupt.ts";
import { version } from "./version.ts";

/** All commands, in the order of `--help`. */
const COMMANDS = [
  addGet,
  addPut,
  addRemove,
  addScan,
  addLoad,
  addDump,
  addTables,
  addStat,
  addCheck,
  addBackup,
  addReaders,
  addPath,
  addDemo,
  addSuite,
];

function makeProgram(): Command {
  const program = new Command("zeolite")
    .description("Reads and writes Zeolite stores.")
    .version(version(), "-V, --version")
    .configureOutput({ outputError: () => {} })
    .showHelpAfterError(false)
    .exitOverride()
    .addHelpText("after", `\nzeolite <command> --help has examples.\n${EXIT_TEXT}`);
  for (const add of COMMANDS) add(program);
  return program;
}

/** What commander stopped for: help that was asked for, or wrong usage. */
function failureOfUsage(error: CommanderError): Failure | undefined {
  if (error.exitCode === 0) return undefined;
  const text = error.code === "commander.help" ? "a command is missing" : error.message;
  const message = text.replace(/^error: /, "");
  return { code: "USAGE", message: `${message}; see zeolite --help`, exit: EXIT.usage };
}

/** Prints a failure on standard error. */
function report({ code, message, line }: Failure, isJson: boolean): void {
  const text = isJson
    ? JSON.stringify({ error: { code, message, ...(line === undefined ? {} : { line }) } })
    : `zeolite: ${message} (${code})`;
  process.stderr.write(`${text}\n`);
}

/** Runs a command line; gives the exit code. */
async function main(argv: readonly string[]): Promise<Exit> {
  listen();
  try {
    await makeProgram().parseAsync(argv, { from: "user" });
    return EXIT.done;
  } catch (error) {
    // What is left in the stream's hands can never be written.
    if (error instanceof OutputClosed) process.exit(EXIT.done);
    const failure = error instanceof CommanderError ? failureOfUsage(error) : failureOf(error);
    if (failure === undefined) return EXIT.done;
    report(failure, argv.includes("--json") || argv.includes("-j"));
    return failure.exit;
  } finally {
    unlisten();
  }
}

process.exitCode = await main(process.argv.slice(2));
