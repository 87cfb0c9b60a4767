/**
 * Standard output at the pace of whoever reads it: text is gathered into large pieces, and `flush`
 * waits until a piece is taken. A reader that goes away (`| head`) is {@linkcode OutputClosed}, not
 * an error.
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import { OutputClosed } from "./exit.ts";

/** Characters gathered before they are written. */
const PIECE_SIZE = 128 * 1024;

export class Output {
  readonly #stream: NodeJS.WriteStream;
  #texts: string[] = [];
  #size = 0;
  #isClosed = false;

  constructor(stream: NodeJS.WriteStream = process.stdout) {
    this.#stream = stream;
    // The error also comes to the callback of the write; without this it would end the process.
    stream.on("error", () => {
      this.#isClosed = true;
    });
  }

  /** Adds text; true if there is now enough that `flush` should be awaited. */
  add(text: string): boolean {
    this.#texts.push(text);
    this.#size += text.length;
    return this.#size >= PIECE_SIZE;
  }

  /** Hands on all text added, and waits until it is taken. */
  async flush(): Promise<void> {
    if (this.#size === 0) return;
    const text = this.#texts.join("");
    this.#texts = [];
    this.#size = 0;
    await this.#write(text);
  }

  /** Writes bytes as they are, behind all text added. */
  async writeBytes(bytes: Uint8Array): Promise<void> {
    await this.flush();
    if (bytes.length > 0) await this.#write(Buffer.from(bytes));
  }

  async #write(piece: string | Uint8Array): Promise<void> {
    if (this.#isClosed) throw new OutputClosed();
    await new Promise<void>((resolve, reject) => {
      this.#stream.write(piece, (error?: Error | null) => {
        if (error === undefined || error === null) resolve();
        else reject(isClosing(error) ? new OutputClosed() : error);
      });
    });
  }
}

/** Does this error say that the other end has gone? */
function isClosing(error: Error): boolean {
  const { code } = error as { code?: string };
  return code === "EPIPE" || code === "ERR_STREAM_DESTROYED" || code === "ECONNRESET";
}
