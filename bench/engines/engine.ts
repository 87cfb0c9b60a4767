/**
 * What an engine does here, each through the calls that its own documentation recommends for it.
 * Keys are strings, values are bytes. An engine that has a call only as a promise returns promises
 * and is awaited; nothing is measured here.
 */

import type { PathStore } from "../../src/path/mod.ts";

/** What a commit waits for: stable storage, or nothing but the kernel. */
export type Durability = "flushed" | "unflushed";

/** A result, at once or as a promise. */
export type Awaitable<T> = T | Promise<T>;

/** A key and its value. */
export type Entry = readonly [key: string, value: Uint8Array];

/** How a store is opened. */
export interface OpenOptions {
  readonly durability: Durability;
  /** Bytes of the largest value that will be put, for engines that are laid out by it. */
  readonly valueSize: number;
}

/** One store, open. */
export interface OpenStore {
  /** The value of a key, for the caller to keep. */
  get(key: string): Awaitable<Uint8Array | undefined>;
  /** The value of a key where it lies, valid for a while; without it, get() is measured. */
  getView?(key: string): ArrayLike<number> | undefined;
  /** The values of many keys by the engine's own call for that, or by what it has instead. */
  getMany(
    keys: string[],
  ): Awaitable<readonly (ArrayLike<number> | undefined)[]>;
  /** Walks the rows from a key on, or all of them; how many bytes their keys and values have. */
  scan(start: string | undefined, limit: number | undefined): Awaitable<number>;
  /** One commit, as safe as the store was opened for when it resolves. */
  put(key: string, value: Uint8Array): Awaitable<unknown>;
  /** The same, done when it returns; without it, put() is awaited. */
  putSync?(key: string, value: Uint8Array): void;
  /** One transaction of many puts; `isOrdered` says that all keys rise and are new. */
  write(entries: readonly Entry[], isOrdered: boolean): Awaitable<void>;
  /** The same store by paths, where it has groups and links. */
  paths?(): PathStore;
  close(): Awaitable<void>;
}

/** An engine that can be measured. */
export interface Engine {
  /** How it is chosen: `--engines lmdb`. */
  readonly id: string;
  /** How it is printed. */
  readonly name: string;
  /** Ours; a package or built-in module with an API for JavaScript; a C library over FFI. */
  readonly kind: "ours" | "js" | "native";
  readonly version: string;
  /** What it was asked for, in its own words. */
  readonly options: Readonly<Record<Durability, string>>;
  /** Bytes of the largest value it takes, where that is a limit. */
  readonly valueMax?: number;
  /** Why several threads cannot use one store at once, where they cannot. */
  readonly noThreads?: string;
  /** It differs from another engine in how it writes, and is measured there alone. */
  readonly isForWrites?: boolean;
  open(path: string, options: OpenOptions): Awaitable<OpenStore>;
}

/** An engine that is not here. */
export interface Absent {
  readonly id: string;
  readonly name: string;
  readonly reason: string;
}

/** Looks for an engine in this runtime, on this machine. */
export interface Finder {
  readonly id: string;
  readonly name: string;
  /** The engine, or why it is not here. */
  find(): Awaitable<Engine | string>;
}

/** Why something failed, in one line. */
export function failureOf(error: unknown): string {
  return error instanceof Error ? error.message.split("\n")[0]! : String(error);
}
