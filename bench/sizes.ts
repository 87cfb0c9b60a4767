/**
 * How much of everything a run does: a whole run, or a quick one that only shows that all of it
 * works. A quick run's figures mean little and are never quoted.
 */

/** The amounts of a run. */
export interface Sizes {
  readonly isQuick: boolean;
  /** Entries of the large store. */
  readonly entries: number;
  /** Entries of the hot store, which stays in the processor's caches. */
  readonly hotEntries: number;
  /** How often engines take turns at a load of the large store. */
  readonly loadRounds: number;
  /** How often engines take turns at everything else. */
  readonly rounds: number;
  /** Processor time of one measurement of a read, in milliseconds. */
  readonly readMs: number;
  /** Time of one measurement of durable commits, in milliseconds. */
  readonly durableMs: number;
  /** Puts of one measurement of commits that are not flushed. */
  readonly commits: number;
  /** Commits that are counted with their flushes. */
  readonly flushedCommits: number;
}

/** Keys in one getMany, and rows in one short scan. */
export const MANY = 1000;
export const SCAN_ROWS = 100;
/** Entries of one transaction of a load. */
export const BATCH = 1000;
/** Durable writers that run at the same time. */
export const WRITERS = 64;

const whole: Sizes = {
  isQuick: false,
  entries: 1_000_000,
  hotEntries: 10_000,
  loadRounds: 3,
  rounds: 7,
  readMs: 200,
  durableMs: 600,
  commits: 10_000,
  flushedCommits: 200,
};

const quick: Sizes = {
  isQuick: true,
  entries: 50_000,
  hotEntries: 10_000,
  loadRounds: 2,
  rounds: 3,
  readMs: 20,
  durableMs: 60,
  commits: 1000,
  flushedCommits: 20,
};

/** The amounts of a whole or of a quick run. */
export function sizesOf(isQuick: boolean): Sizes {
  return isQuick ? quick : whole;
}
