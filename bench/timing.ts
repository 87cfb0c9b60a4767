/** Times work with the monotonic clock, and what is worked out of the times. */
import process from "node:process";
import type { Awaitable } from "./engines/engine.ts";

/** What one turn at a workload took. */
export interface Measured {
  /** Nanoseconds of one operation, or bytes where a workload measures those. */
  readonly time: number;
  /** How many operations were done in all, those of the warming included. */
  readonly operations: number;
  /** Nanoseconds of processors that one operation took, in all threads of the process. */
  readonly cpu?: number;
}

/** Nanoseconds since some moment. */
export function now(): number {
  return Number(process.hrtime.bigint());
}

/** Part of the time of a measurement that goes before it, so that it finds code compiled. */
const WARMING = 0.2;
/** Nanoseconds between two looks at the clock. */
const BLOCK_NS = 500_000;
/** Operations of one measurement of something that is waited for, however slow. */
const EACH_MIN = 20;

/**
 * Nanoseconds of one operation, called for so many milliseconds; the mean, with whatever the
 * collector takes. A call that returns a promise is awaited before the next; asking each result
 * whether it is one takes some 3 ns.
 *
 * @param per Operations of one call.
 */
export async function timeCalls(
  call: () => Awaitable<unknown>,
  milliseconds: number,
  per: number = 1,
): Promise<Measured> {
  const warm = await loop(call, milliseconds * WARMING * 1e6, 1);
  const block = Math.max(1, Math.floor(BLOCK_NS / warm.time));
  const { time, operations } = await loop(call, milliseconds * 1e6, block);
  return { time: time / per, operations: (warm.operations + operations) * per };
}

async function loop(
  call: () => Awaitable<unknown>,
  nanoseconds: number,
  block: number,
): Promise<Measured> {
  const begin = now();
  let operations = 0;
  let end = begin;
  do {
    for (let left = block; left > 0; left -= 1) {
      const result = call();
      if (result instanceof Promise) await result;
    }
    operations += block;
    end = now();
  } while (end - begin < nanoseconds);
  return { time: (end - begin) / operations, operations };
}

/** The time of the operation in the middle, of as many as fit into the milliseconds. */
export async function timeEach(
  call: () => Awaitable<unknown>,
  milliseconds: number,
): Promise<Measured> {
  const times: number[] = [];
  const deadline = now() + milliseconds * 1e6;
  for (let begin = now(); begin < deadline || times.length < EACH_MIN;) {
    const result = call();
    if (result instanceof Promise) await result;
    const end = now();
    times.push(end - begin);
    begin = end;
  }
  return { time: median(times), operations: times.length };
}

/** Nanoseconds of one operation when so many loops await theirs at the same time. */
export async function timeTogether(
  call: (loop: number) => Awaitable<unknown>,
  loops: number,
  milliseconds: number,
): Promise<Measured> {
  const begin = now();
  const deadline = begin + milliseconds * 1e6;
  let operations = 0;
  const run = async (loop: number): Promise<void> => {
    while (now() < deadline) {
      await call(loop);
      operations += 1;
    }
  };
  await Promise.all(Array.from({ length: loops }, (_, loop) => run(loop)));
  return { time: (now() - begin) / operations, operations };
}

/** Nanoseconds of work that is done once, for each of its operations. */
export async function timeOnce(
  work: () => Awaitable<unknown>,
  operations: number,
): Promise<Measured> {
  const begin = now();
  const result = work();
  if (result instanceof Promise) await result;
  return { time: (now() - begin) / operations, operations };
}

/** The value in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
}
