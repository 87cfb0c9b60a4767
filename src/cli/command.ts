/**
 * What all commands share: how one is declared, its common options and its help, and how its body
 * is run. A command prints through its Terminal alone, and fails by throwing.
 */
import type { Command } from "commander";
import { EXIT_TEXT, OutputClosed } from "./exit.ts";
import { Terminal, type TerminalOptions } from "./terminal.ts";

export interface TableChoice {
  readonly table?: string;
}

const LITERAL_TEXT = `
Keys and values on the command line:
  12  true  null  ["de",5]  {"a":1}   JSON, where it is JSON
  12n                                 a bigint
  hex:00ff  base64:AP8=               bytes
  text:12                             the text after the colon, whatever it is
  anything else                       a text
  In a table of keys string a key is its text, u32 and u64 take digits, binary
  takes hex:, base64: or a text as UTF-8; values of encoding string and binary
  likewise. Before a key that begins with a minus, write --.`;

export interface Declaration {
  /** Name and arguments, as commander writes them. */
  readonly usage: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** What its own help says besides. */
  readonly details?: string;
  readonly examples: readonly string[];
  /** Does it take keys or values on the command line? */
  readonly hasLiterals?: boolean;
}

/** Declares a command with the options that all have. */
export function declare(program: Command, declaration: Declaration): Command {
  const examples = declaration.examples.map((example) => `  ${example}`).join("\n");
  const literals = declaration.hasLiterals === true ? `${LITERAL_TEXT}\n` : "";
  return program.command(declaration.usage)
    .summary(declaration.summary)
    .description([declaration.summary, declaration.details ?? ""].join("\n").trimEnd())
    .option("-j, --json", "print JSON; errors too, on standard error")
    .option("-q, --quiet", "no progress bar, no notes")
    .addHelpText("after", `${literals}\nExamples:\n${examples}\n${EXIT_TEXT}`);
}

/** Adds the option that chooses a table. */
export function withTable(command: Command): Command {
  return command.option("-t, --table <name>", "a named table (default: the unnamed one)");
}

/** Joins what runs to what was declared. */
export function run<O extends TerminalOptions>(
  command: Command,
  body: (terminal: Terminal, args: readonly string[], options: O) => Promise<void> | void,
): void {
  command.action(async () => {
    const options = command.opts<O>();
    const terminal = new Terminal(options);
    try {
      await body(terminal, command.args, options);
    } catch (error) {
      // What was found before the fault is part of the result.
      if (!(error instanceof OutputClosed)) await terminal.output.flush();
      throw error;
    }
    await terminal.output.flush();
  });
}

/** The members that are not undefined: for options that are left out when not given. */
export function given<T extends object>(
  members: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(members).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

/** An argument that commander made sure of. */
export function required(args: readonly string[], index: number): string {
  const value = args[index];
  if (value === undefined) throw new RangeError(`no argument ${index}`);
  return value;
}
