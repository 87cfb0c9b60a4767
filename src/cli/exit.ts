/**
 * How the command line ends: its exit codes, its own errors, and what is printed of any error. An
 * error has a message for people and a code for programs; the codes are those of the library, and
 * here `USAGE`, `INPUT_INVALID` and the system's own, such as `ENOENT`.
 */
import { FormatError } from "./formats/format.ts";

/** What a process that ran `zeolite` ends with. */
export const EXIT = {
  done: 0,
  absent: 1,
  usage: 2,
  store: 3,
  input: 4,
  internal: 5,
  interrupted: 130,
} as const;

export type Exit = typeof EXIT[keyof typeof EXIT];

/** The same, as `--help` prints it. */
export const EXIT_TEXT = `
Exit codes:
  0    done
  1    the key or the table is not there, or check found damage
  2    wrong usage
  3    the store cannot do it: missing, busy, damaged, full, not permitted, …
  4    the input cannot be read or loaded; the message names the line
  5    a fault of this program
  130  interrupted; whatever was acknowledged is kept`;

/** Ends the command with a message. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly code: string;
  readonly exit: Exit;

  constructor(code: string, exit: Exit, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.exit = exit;
  }
}

/** An option or an argument that makes no sense. */
export function usageError(message: string): CliError {
  return new CliError("USAGE", EXIT.usage, message);
}

/** The command was asked to stop. */
export class Interrupted extends CliError {
  constructor(message = "Interrupted") {
    super("INTERRUPTED", EXIT.interrupted, message);
  }
}

/** Nobody reads the output any more, as in `zeolite dump STORE | head`. No fault. */
export class OutputClosed extends Error {
  override readonly name = "OutputClosed";
}

/** What is said of an error. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly exit: Exit;
  readonly line?: number;
}

/** The exit code that an error of the library or of the system stands for. */
function exitOf(code: string): Exit {
  if (code.startsWith("ZEOLITE_") || code.startsWith("PATH_")) return EXIT.store;
  if (/^E[A-Z0-9]+$/.test(code)) return EXIT.input;
  return EXIT.internal;
}

/** Turns anything thrown into what is printed. */
export function failureOf(error: unknown): Failure {
  if (error instanceof CliError) {
    return { code: error.code, message: error.message, exit: error.exit };
  }
  if (error instanceof FormatError) {
    return { code: error.code, message: error.message, exit: EXIT.input, line: error.line };
  }
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  const text = typeof message === "string" ? message : String(error);
  if (typeof code !== "string") return { code: "INTERNAL", message: text, exit: EXIT.internal };
  return { code, message: text, exit: exitOf(code) };
}
