/**
 * What keeps a workload from its target, where it is missed: a sentence for each, and the section
 * of README.md that has the measurements and what was tried. Figures stand there, not here, unless
 * they belong to the machine.
 */

/** What limits a workload. */
export interface Limit {
  /** In a sentence or two. */
  readonly text: string;
  /** The heading in README.md under which it was measured. */
  readonly section: string;
}

const GETS = "What limits a get from JavaScript";
const PUTS = "What limits a put";
const PATHS = "What limits the path store";

const value: Limit = {
  text:
    "Written twice, to the log and to pages of 4 KiB that hold few of them, where lmdb-js writes " +
    "a page once and keeps no checksum.",
  section: PUTS,
};

const durable: Limit = {
  text:
    "One flush of the disk, waited for; what Zeolite adds is 5 to 10 µs, less than the flushes " +
    "of one round differ by.",
  section: PUTS,
};

const load: Limit = {
  text: "Half of the time is the kernel's: each entry dirties a leaf, and 1.1 pages an entry are " +
    "written for the other processes that may read them. Exclusive stores write them once a " +
    "checkpoint; then the misses on a million leaves are left.",
  section: PUTS,
};

const paths: Limit = {
  text: "The time is that of the table's own call, of which a cold leaf's misses are the larger " +
    "part, and of making the value; what the path itself costs is in the table there.",
  section: PATHS,
};

const mixed: Limit = {
  text: "A scan returns 500 KB: copying them takes the cache's time and, into memory that the " +
    "collector has given back, as much again; that alone is more than the target leaves.",
  section: GETS,
};

const get: Limit = {
  text:
    "Building the key, encoding it, the call and the search leave less than the smallest object " +
    "for the value costs in this runtime.",
  section: GETS,
};

const rows: Limit = {
  text:
    "The objects of a row (its key, its value, itself) are the runtime's, and cost more than all " +
    "of the engine's part.",
  section: GETS,
};

/** By workload. */
export const limits: Readonly<Record<string, Limit>> = {
  get_hot: get,
  view_hot: get,
  get_random: {
    text:
      "A key at random is in no cache: four to six dependent loads of memory, 200 to 340 ns each " +
      "here, beside the key and the value.",
    section: GETS,
  },
  get_many: {
    text: "Building the keys is a third of it in a store of 100,000 entries; of a million, two " +
      "fifths are the engine's waits for memory, and the values' objects most of the rest.",
    section: GETS,
  },
  scan_100: rows,
  scan_full: rows,
  load_seq: {
    text:
      "Keys, their encoding and the copies of the values are JavaScript's; then the log's and " +
      "the pages' writes, two copies of each byte by the kernel.",
    section: PUTS,
  },
  load_random: load,
  put_1m: {
    text:
      "Pages are written by a call of the kernel for each place, since nothing in Zeolite can " +
      "write into the map; a million entries are in no cache.",
    section: PUTS,
  },
  txn100_random_durable: {
    text:
      "The flush is begun before the pages and hides the smaller part; what is left is a hundred " +
      "leaves copied, sealed and written.",
    section: PUTS,
  },
  put_durable: durable,
  await_durable: durable,
  await_pair_durable: {
    text:
      "The flush is handed to a thread of the runtime and heard of, as with `node:fs`; the two " +
      "puts, their commit and its pages come beside it, 40 to 90 µs in all.",
    section: PUTS,
  },
  writers_64: {
    text:
      "The flush is hidden behind the pages; what is left is the 64 calls and the pages, and on " +
      "Deno a peer that shares its flushes as well.",
    section: PUTS,
  },
  path_write_fast: {
    text: "It is the table's `putSync`: see there.",
    section: PUTS,
  },
  path_write_many: {
    text: "Half of the time is the commit, most of it the kernel's writing of pages that other " +
      "processes may read; what paths add to `putMany` is less than a tenth.",
    section: PATHS,
  },
  path_write_many_new: {
    text: "Three times the best peer leaves no more than the engine takes for the rows and their " +
      "commit alone.",
    section: PATHS,
  },
  path_read: paths,
  path_read_links: paths,
  path_read_fast: paths,
  path_read_many_fast: paths,
  mixed,
  mixed_workers: mixed,
  write_1kb: value,
  write_4kb: value,
  write_1mb: {
    text:
      "Each byte is written once, by every engine, into pages that the kernel has to find first; " +
      "natively a put takes as long as LMDB's, and the rounds of one run differ up to sevenfold.",
    section: PUTS,
  },
  read_1kb: get,
  read_4kb: get,
  read_1mb: {
    text:
      "The copy into memory that is new to the process: the kernel's zeroed pages cost as much " +
      "as the copy.",
    section: GETS,
  },
};
