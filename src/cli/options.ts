/**
 * Options that several commands take, and how their texts become values. A value that makes no
 * sense is a usage error that names the option.
 */
import { type Command, InvalidArgumentError, Option } from "commander";

const KEY_ENCODINGS = ["ordered", "string", "binary", "u32", "u64"];
const ENCODINGS = ["msgpack", "json", "string", "binary"];
const DURABILITIES = ["durable", "committed", "none"];

/** A whole number from `min` up. */
export function wholeNumber(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < min) {
      throw new InvalidArgumentError(`It is not a whole number from ${min}.`);
    }
    return value;
  };
}

/** What a repeated option has been given so far, and this. */
export function another(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...before ?? [], text];
}

/** Options for a table that may have to be made. */
export function withEncodings(command: Command): Command {
  return command
    .addOption(
      new Option("--key-encoding <name>", "keys of a new table (default: ordered)")
        .choices(KEY_ENCODINGS),
    )
    .addOption(
      new Option("--encoding <name>", "values of a new table (default: msgpack)")
        .choices(ENCODINGS),
    );
}

/** The option that says when a commit counts. */
export function withDurability(command: Command): Command {
  return command.addOption(
    new Option("--durability <mode>", "when a commit is acknowledged (default: durable)")
      .choices(DURABILITIES),
  );
}

/** Options that choose a range of keys. */
export function withRange(command: Command): Command {
  return command
    .option("--start <key>", "begin at this key")
    .option("--end <key>", "stop before this key; with --reverse the lower bound")
    .option("--prefix <key>", "keys beginning with this text, these bytes or tuple elements")
    .option("--exclusive-start", "leave the start itself out")
    .option("--inclusive-end", "take the end itself in");
}

export interface RangeChoice {
  readonly start?: string;
  readonly end?: string;
  readonly prefix?: string;
  readonly exclusiveStart?: boolean;
  readonly inclusiveEnd?: boolean;
}
