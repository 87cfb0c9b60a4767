/**
 * Cuts a stream of bytes into lines. A line that lies in one chunk is a view of it, not a copy; one
 * that spans chunks is joined. The newline is not part of the line, a carriage return is.
 *
 * Memory: the chunk at hand and the line not yet ended, at most {@linkcode LINE_SIZE_MAX} bytes.
 */
import { type Chunks, FormatError } from "./format.ts";

/** Longest line taken: a value of 512 MiB in hexadecimal. */
export const LINE_SIZE_MAX = 1024 * 1024 * 1024;

const NEWLINE = 0x0a;

/** Lines that ended in one chunk, and the number of the first. */
export interface Lines {
  readonly first: number;
  readonly lines: readonly Uint8Array[];
}

/** Joins the parts of a line that came in several chunks. */
function join(parts: readonly Uint8Array[], size: number): Uint8Array {
  if (parts.length === 1) return parts[0] as Uint8Array;
  const line = new Uint8Array(size);
  let offset = 0;
  for (const part of parts) {
    line.set(part, offset);
    offset += part.length;
  }
  return line;
}

/** Yields the lines of `input`, chunk by chunk; a last line without a newline counts as a line. */
export async function* readLines(
  input: Chunks,
  sizeMax: number = LINE_SIZE_MAX,
): AsyncGenerator<Lines> {
  let first = 1;
  let parts: Uint8Array[] = [];
  let partsSize = 0;
  for await (const chunk of input) {
    const lines: Uint8Array[] = [];
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start);
      const piece = chunk.subarray(start, end < 0 ? chunk.length : end);
      if (partsSize + piece.length > sizeMax) {
        if (lines.length > 0) yield { first, lines };
        throw new FormatError(first + lines.length, `the line is longer than ${sizeMax} bytes`);
      }
      if (end < 0) {
        // A copy: whoever reads the input may use the chunk's memory again.
        if (piece.length > 0) parts.push(piece.slice());
        partsSize += piece.length;
        break;
      }
      lines.push(partsSize === 0 ? piece : join([...parts, piece], partsSize + piece.length));
      parts = [];
      partsSize = 0;
      start = end + 1;
    }
    if (lines.length > 0) yield { first, lines };
    first += lines.length;
  }
  if (partsSize > 0) yield { first, lines: [join(parts, partsSize)] };
}
