/**
 * Zeolite: an embedded key-value store, the same on every runtime it runs on.
 *
 * @example
 * ```ts
 * import { open } from "zeolite";
 *
 * using store = open("people.zeo");
 * await store.put("alice", { age: 30 });
 * console.log(store.get("alice"));
 * ```
 *
 * @module
 */
export { open, type Store } from "./store.ts";
export type { BackupOptions } from "./maintenance.ts";
export type { Reader } from "./reader.ts";
export type { Table, WriteScope } from "./table.ts";
export type { PutOptions } from "./write.ts";
export type { NotAPromise, WriteTransaction } from "./txn.ts";
export type { Snapshot } from "./scope.ts";
export type { KeyPrefix, RangeIterable, RangeOptions } from "./range.ts";
export { type BytesView, unsafeBytes } from "./window.ts";
export type { Durability, OpenOptions, TableOptions } from "./options.ts";
export type { Key, KeyEncoding } from "./codec/key.ts";
export type { ValueCodec, ValueEncoding } from "./codec/value.ts";
export { type ZeoliteCode, ZeoliteError } from "./error.ts";
export type {
  Change,
  ChangeOperation,
  CheckError,
  CheckReport,
  Latency,
  Metrics,
  Progress,
  ReaderInfo,
  StoreStats,
  TableStats,
} from "./report.ts";
