/**
 * What a workload is: who can do it, what it needs before its time begins, and one turn of it. Each
 * engine does it in a process of its own, where this runs; nothing here knows of other engines.
 */
import type { KeySet, Random } from "../data.ts";
import type { Awaitable, Engine, Entry, OpenStore } from "../engines/engine.ts";
import type { Sizes } from "../sizes.ts";
import type { Contents, Stores } from "../stores.ts";
import type { Measured } from "../timing.ts";

/** What a workload is given. */
export interface Stage {
  readonly stores: Stores;
  readonly sizes: Sizes;
}

/** A workload for which everything is ready. */
export interface Session {
  /** One turn of it. */
  run(round: number): Awaitable<Measured>;
  end(): Awaitable<void>;
}

/** What the machine itself can do, measured in turns with the engines. */
export interface Floor {
  readonly name: string;
  begin(folder: string, sizes: Sizes): Awaitable<Session>;
}

/** Something that is measured. */
export interface Workload {
  /** How it is chosen: `--only get_hot`. */
  readonly id: string;
  /** How it is printed. */
  readonly title: string;
  /** What it belongs to; `--only reads` chooses them all. */
  readonly group:
    | "loads"
    | "files"
    | "reads"
    | "commits"
    | "mixed"
    | "values"
    | "small"
    | "paths"
    | "floors";
  /** What is counted: "gets", "rows". */
  readonly operation: string;
  /** A rate for what is done in large numbers, a time for what somebody waits for. */
  readonly unit: "rate" | "time" | "bytes";
  /** Whether it writes, so that engines that differ in that alone take part. */
  readonly isWriting: boolean;
  /** Whether its flushes are counted. */
  readonly isCounted?: boolean;
  /** How often the engines take turns at it, if not as often as at most. */
  rounds?(sizes: Sizes): number;
  /** Why an engine cannot do it. */
  refuse?(engine: Engine): string | undefined;
  /** Makes it ready; without it, only the floors are measured. */
  begin?(stage: Stage): Promise<Session>;
  readonly floors?: readonly Floor[];
}

/** Bytes that were read, kept where the compiler cannot leave the reading out. */
let read = 0;

/** Uses a value as little as one can: its size and its first byte. */
export function touch(value: ArrayLike<number> | undefined): void {
  if (value === undefined) {
    throw new Error("Cannot measure: a value is missing");
  }
  read = (read + value.length + value[0]!) | 0;
}

/** Does something with a result, when it is there. */
export function use<T>(
  result: Awaitable<T>,
  work: (result: T) => void,
): Awaitable<void> {
  return result instanceof Promise ? result.then(work) : work(result);
}

/** One commit of a store, done when the call returns, or awaited where it has only that. */
export function putOf(
  store: OpenStore,
): (key: string, value: Uint8Array) => Awaitable<unknown> {
  const { putSync } = store;
  return putSync === undefined
    ? (key, value) => store.put(key, value)
    : (key, value) => putSync(key, value);
}

/** The key and the value of a put over an entry that has another value. */
export function overwrite({ keys, values }: Contents, random: Random): Entry {
  const index = random.below(keys.count);
  return [keys.at(index), values.at(index + 1 + random.below(64))];
}

/** A key of a store. */
export function anyKey(keys: KeySet, random: Random): string {
  return keys.at(random.below(keys.count));
}
