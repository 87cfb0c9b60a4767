/**
 * The inside of a Thread: a Worker that runs the functions it is sent, one after the other.
 */
import { type Call, evaluate, makeHere } from "./evaluate.ts";

/** What a Worker sees of itself. */
interface Inside {
  postMessage(message: unknown): void;
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
}

const inside = globalThis as unknown as Inside;
const here = makeHere((value) => inside.postMessage({ id: 0, result: value }));

inside.addEventListener("message", async ({ data }) => {
  inside.postMessage(await evaluate(here, data as Call));
});
