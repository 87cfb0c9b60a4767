/**
 * How a program of the suite takes its command line: `--help` tells what it takes, wrong usage is
 * told in one line and ends it with 2, and so is what the system refuses, with 1. Only a fault of
 * the suite itself is shown with where it happened.
 */
import process from "node:process";

/** An argument that makes no sense. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** A number above 0 that an option was given; nothing if it was not given. */
export function numberOf(
  option: string,
  text: string | undefined,
  kind: "whole" | "any" = "whole",
): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  const isRight = kind === "whole" ? Number.isSafeInteger(number) : Number.isFinite(number);
  if (text.trim() !== "" && isRight && number > 0) return number;
  const wanted = kind === "whole" ? "a whole number" : "a number";
  throw new UsageError(`Cannot use --${option} ${text}: pass ${wanted} above 0`);
}

/** What is said of an error, and what the program ends with; nothing of a fault of its own. */
function failureOf(error: unknown): readonly [text: string, code: number] | undefined {
  const { code = "", message } = error as { code?: string; message: string };
  if (error instanceof UsageError) return [message, 2];
  if (code.startsWith("ERR_PARSE_ARGS")) {
    return [`Cannot start: ${message.split(". ")[0]}`, 2];
  }
  // Words of the suite's own, and those of the system.
  if (/^Cannot /.test(message) || /^E[A-Z0-9]+$/.test(code)) {
    return [message, 1];
  }
  return undefined;
}

/** Runs a program. */
export async function runProgram(
  usage: string,
  args: readonly string[],
  main: (args: readonly string[]) => Promise<void> | void,
): Promise<void> {
  if (args.includes("--help") || args.includes("-h")) {
    console.log(usage.trim());
    return;
  }
  try {
    await main(args);
  } catch (error) {
    const failure = failureOf(error);
    if (failure === undefined) throw error;
    const [text, code] = failure;
    console.error(code === 2 ? `${text}; --help tells what there is` : text);
    process.exitCode = code;
  }
}
