/**
 * Where `load` and `put` read from: a file or standard input, in chunks, no faster than they are
 * taken.
 */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import process from "node:process";
import { CliError, EXIT, usageError } from "./exit.ts";
import type { Chunks } from "./formats/format.ts";

/** Bytes read from a file at once. */
const CHUNK_SIZE = 256 * 1024;

/** A source of bytes. */
export interface Input {
  readonly name: string;
  /** Bytes in all, 0 if not known. */
  readonly size: number;
  readonly chunks: Chunks;
}

/** The chunks of a stream, whatever it was set to give. */
export async function* readChunks(stream: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) {
    yield typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk as Uint8Array;
  }
}

/** All that a stream gives. */
export async function readAll(stream: AsyncIterable<unknown>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of readChunks(stream)) chunks.push(chunk.slice());
  const bytes = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}

/** The error of a file that cannot be read. */
export function unreadable(file: string, error: unknown): CliError {
  const { code = "EIO", message } = error as { code?: string; message: string };
  const reasons: Readonly<Record<string, string>> = {
    EACCES: "not permitted",
    EISDIR: "a folder",
    ENOENT: "no such file",
  };
  const text = `Cannot read ${file}: ${reasons[code] ?? message}`;
  return new CliError(code, EXIT.input, text, { cause: error });
}

/** Opens a file, or standard input for `-` and for nothing. */
export async function openInput(file: string | undefined): Promise<Input> {
  if (file === undefined || file === "-") {
    if (file === undefined && process.stdin.isTTY === true) {
      throw usageError("Cannot load: give a file, or - to type it in");
    }
    return { name: "standard input", size: 0, chunks: readChunks(process.stdin) };
  }
  const found = await stat(file).catch((error: unknown) => {
    throw unreadable(file, error);
  });
  if (found.isDirectory()) {
    throw new CliError("EISDIR", EXIT.input, `Cannot read ${file}: a folder`);
  }
  const chunks = readChunks(createReadStream(file, { highWaterMark: CHUNK_SIZE }));
  return { name: file, size: found.isFile() ? found.size : 0, chunks };
}
