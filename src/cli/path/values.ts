/** `zeolite path read` and `zeolite path write`: the value at a path. */
import { readFile } from "node:fs/promises";
import process from "node:process";
import type { Command } from "commander";
import { required, run } from "../command.ts";
import { usageError } from "../exit.ts";
import { readAll, unreadable } from "../input.ts";
import { declareReading, declareWriting, notThere, type PathChoice } from "./access.ts";
import { readPaths, writePaths } from "./access.ts";

interface WriteOptions extends PathChoice {
  readonly file?: string;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A value as JSON can have it: a text, or bytes. */
function shown(bytes: Uint8Array): string | Uint8Array {
  try {
    return utf8.decode(bytes);
  } catch {
    return bytes;
  }
}

/** Adds `read`. */
export function addPathRead(parent: Command): void {
  const command = declareReading(parent, {
    usage: "read <store> <path>",
    summary: "Write the value at a path to standard output, as it is.",
    details: "Links are followed in every part of the path.",
    examples: [
      "zeolite path read files.zeo notes/today",
      "zeolite path read files.zeo photos/1.jpg > 1.jpg",
    ],
  });
  run<PathChoice>(command, async (terminal, args, options) => {
    const path = required(args, 1);
    await readPaths(required(args, 0), options, async (paths) => {
      const value = paths.read(path);
      if (value === undefined) throw notThere("read", path);
      if (terminal.isJson) terminal.result({ path, value: shown(value) }, () => []);
      else await terminal.output.writeBytes(value);
    });
  });
}

async function valueOf(text: string | undefined, file: string | undefined) {
  if (file !== undefined) {
    return await readFile(file).catch((error: unknown) => {
      throw unreadable(file, error);
    });
  }
  return text === "-" ? await readAll(process.stdin) : text as string;
}

/** Adds `write`. */
export function addPathWrite(parent: Command): void {
  const command = declareWriting(parent, {
    usage: "write <store> <path> [value]",
    summary: "Write a value at a path; groups that are missing are made.",
    examples: [
      "zeolite path write files.zeo notes/today rain",
      "zeolite path write files.zeo photos/1.jpg --file 1.jpg",
      "date | zeolite path write files.zeo notes/now -",
    ],
  }).option("--file <file>", "the value is the content of this file");
  run<WriteOptions>(command, async (terminal, args, options) => {
    const [path, text] = [required(args, 1), args[2]];
    if ((text === undefined) === (options.file === undefined)) {
      throw usageError("Cannot write: give the value, - for standard input, or --file");
    }
    const value = await valueOf(text, options.file);
    await writePaths(required(args, 0), options, (paths) => paths.write(path, value));
    terminal.result({ path }, () => []);
  });
}
