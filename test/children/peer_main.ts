/**
 * The inside of a Peer: a process that runs the functions it is sent, a line of JSON each on
 * standard
 * input, and answers on standard output. It ends when its input does and it has nothing left to do.
 */
import { writeSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { type Call, evaluate, makeHere } from "./evaluate.ts";

/** Writes a line at once: whoever kills this process later finds it written. */
function writeLine(value: unknown): void {
  let bytes = new TextEncoder().encode(`${JSON.stringify(value)}\n`);
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(1, bytes));
    } catch (error) {
      // The pipe is full and its reader slow.
      if ((error as { code?: string }).code !== "EAGAIN") throw error;
    }
  }
}

const here = makeHere((told) => writeLine({ told }));
const input = createInterface({ input: process.stdin });
let running = 0;
let isClosed = false;

function endIfDone(): void {
  if (isClosed && running === 0) process.exit(0);
}

input.on("line", async (line) => {
  running += 1;
  writeLine(await evaluate(here, JSON.parse(line) as Call));
  running -= 1;
  endIfDone();
});
input.on("close", () => {
  isClosed = true;
  endIfDone();
});
writeLine({ ready: process.pid });
