/**
 * What a store tells about itself: plain records, read once and never updated.
 */

/** Told now and then how far a long operation has come. */
export type Progress = (done: number, total: number) => void;

/** Counts of one table. */
export interface TableStats {
  /** Keys in the table. */
  entries: number;
  /** Pages from the root to a leaf; 0 when empty. */
  depth: number;
  /** Pages that lead to others. */
  branchPages: number;
  /** Pages that hold entries. */
  leafPages: number;
  /** Pages of values too large for a leaf. */
  overflowPages: number;
}

/** Counts of a store; those of a table are of the unnamed one. */
export interface StoreStats extends TableStats {
  /** Bytes of a page. */
  pageSize: number;
  /** Bytes of the file, holes included. */
  fileSize: number;
  /** Bytes that the file takes on the disk. */
  allocatedSize: number;
  /** Bytes of the log. */
  logSize: number;
  /** Pages that hold nothing and can be used at once. */
  freePages: number;
  /** Pages that hold nothing newer readers need, kept for older ones. */
  retainedPages: number;
  /** The newest commit. */
  txnid: number;
  /** The newest commit whose pages are on stable storage. */
  checkpointTxnid: number;
  /** The newest commit that is on stable storage, in the log or in pages. */
  flushedTxnid: number;
  /** Named tables. */
  tables: number;
}

/** A snapshot that somebody holds. */
export interface ReaderInfo {
  /** The process, as numbered where it runs. */
  pid: number;
  /** The commit it sees. */
  txnid: number;
  /** How many commits are newer. */
  lag: number;
  /** For how many milliseconds it has been held. */
  ageMs: number;
}

/** What check() found. */
export interface CheckReport {
  /** Whether there is no error. */
  ok: boolean;
  /** Pages walked. */
  pages: number;
  /** Entries walked, of all tables. */
  entries: number;
  /** What is wrong, and where. */
  errors: CheckError[];
}

/** One thing that is wrong. */
export interface CheckError {
  /** The page it was found in. */
  page: number;
  /** The table it belongs to; null for the unnamed one and for what belongs to none. */
  table: string | null;
  /** What is wrong. */
  message: string;
}

/** One commit, as changes() tells it. */
export interface Change {
  /** The commit. */
  txnid: number;
  /** What it did, in order. */
  operations: ChangeOperation[];
}

/** One operation of a commit. */
export interface ChangeOperation {
  /** The table; null is the unnamed one. */
  table: string | null;
  /** What was done. */
  type: "put" | "remove" | "removeRange" | "clear" | "createTable" | "dropTable";
  /** The key, or where a range begins. */
  key?: Uint8Array;
  /** Where a range ends. */
  end?: Uint8Array;
  /** The value put. */
  value?: Uint8Array;
}

/** How long something takes, in nanoseconds. */
export interface Latency {
  /** How often it was measured. */
  count: number;
  /** The mean. */
  mean: number;
  /** Half of all took at most this. */
  p50: number;
  /** 95 of 100 took at most this. */
  p95: number;
  /** 99 of 100 took at most this. */
  p99: number;
  /** The longest. */
  max: number;
}

/** What metrics() measures. */
export interface Metrics {
  /** Reads of one key. */
  get: Latency;
  /** Writes of one key. */
  put: Latency;
  /** Commits, without their flush. */
  commit: Latency;
  /** Flushes of the log. */
  flush: Latency;
  /** Checkpoints. */
  checkpoint: Latency;
  /** Waits for the writer lock. */
  writerLockWait: Latency;
  /** Share of page touches that needed no disk read. */
  cacheHitRate: number;
  /** Log bytes not yet checkpointed; pages freed but held back by readers. */
  backlog: { logBytes: number; retainedPages: number };
  /** Bytes of memory: mapped from the file, of these resident, and pages not yet written. */
  memory: { mapped: number; resident: number; dirty: number };
  /** How many commits share a flush. */
  commitsPerFlush: number;
}
