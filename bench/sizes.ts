/**
 * How much of everything a run does: a whole run, a quick one that only shows that all of it works,
 * or the few commits whose flushes are counted. A quick run's figures mean little and are never
 * quoted.
 */

/** The amounts of a run. */
export interface Sizes {
  readonly isQuick: boolean;
  /** Whether flushes are counted, and nothing else matters. */
  readonly isCounting: boolean;
  /** Entries of the large store. */
  readonly entries: number;
  /** Entries of the hot store, which stays in the processor's caches. */
  readonly hotEntries: number;
  /** Entries of the store with values of many sizes, and of that with paths for keys. */
  readonly mixedEntries: number;
  readonly pathEntries: number;
  /** How often engines take turns at what takes seconds: loads, and making a store anew. */
  readonly loadRounds: number;
  /** How often engines take turns at everything else. */
  readonly rounds: number;
  /** Time of one measurement of reads, or of commits that are not flushed, in milliseconds. */
  readonly shortMs: number;
  /** Time of one measurement of durable commits, in milliseconds. */
  readonly durableMs: number;
  /** Bytes of values that are written in one turn of a workload with large values. */
  readonly volume: number;
  /** Bytes of memory for the floors: more than the processor's caches. */
  readonly floorBytes: number;
}

/** Keys in one getMany, and rows in one short scan. */
export const MANY = 1000;
export const SCAN_ROWS = 100;
/** Entries of one transaction of a load, and of a small transaction. */
export const BATCH = 1000;
export const SMALL_BATCH = 100;
/** Durable writers that run at the same time. */
export const WRITERS = 64;
/** Threads that share a store. */
export const THREADS = 2;
/** Bytes of a value unless said otherwise. */
export const VALUE_SIZE = 100;

const whole: Sizes = {
  isQuick: false,
  isCounting: false,
  entries: 1_000_000,
  hotEntries: 10_000,
  mixedEntries: 10_000,
  pathEntries: 100_000,
  loadRounds: 2,
  rounds: 3,
  shortMs: 250,
  durableMs: 400,
  volume: 32 << 20,
  floorBytes: 256 << 20,
};

const quick: Sizes = {
  isQuick: true,
  isCounting: false,
  entries: 20_000,
  hotEntries: 5000,
  mixedEntries: 500,
  pathEntries: 5000,
  loadRounds: 2,
  rounds: 2,
  shortMs: 10,
  durableMs: 30,
  volume: 4 << 20,
  floorBytes: 16 << 20,
};

/** For counting flushes: the number of commits matters, not their time. */
export const counting: Sizes = {
  ...quick,
  isCounting: true,
  entries: 10_000,
  shortMs: 100,
  durableMs: 200,
};

/** The amounts of a whole or of a quick run, with what the command line changes. */
export function sizesOf(
  isQuick: boolean,
  changes: { readonly rounds?: number; readonly entries?: number },
): Sizes {
  const sizes = isQuick ? quick : whole;
  const { rounds, entries = sizes.entries } = changes;
  if (rounds === undefined) return { ...sizes, entries };
  return { ...sizes, entries, rounds, loadRounds: Math.ceil(rounds / 2) };
}
