/**
 * What every engine does here, each through the calls that its own documentation recommends for it.
 * Keys are strings, values are bytes. Nothing is measured here.
 */

/** What a commit waits for: stable storage, or nothing but the kernel. */
export type Durability = "flushed" | "unflushed";

/** One store, open. */
export interface OpenStore {
  /** The value of a key, for the caller to keep. */
  get(key: string): Uint8Array | undefined;
  /** The value of a key where it lies, valid for a while. */
  getView(key: string): ArrayLike<number> | undefined;
  /** The values of many keys by the engine's own call for that. */
  getMany(keys: string[]): readonly unknown[] | Promise<readonly unknown[]>;
  /** Walks the rows from a key on, or all of them; how many bytes their keys and values have. */
  scan(start: string | undefined, limit: number | undefined): number;
  /** One commit. */
  putSync(key: string, value: Uint8Array): void;
  /** A put whose promise resolves when the commit is as safe as the store was opened for. */
  put(key: string, value: Uint8Array): Promise<unknown>;
  /** One transaction of many puts; `isOrdered` says that all keys rise and are new. */
  load(
    entries: readonly (readonly [string, Uint8Array])[],
    isOrdered: boolean,
  ): void;
  close(): Promise<void>;
}

/** An engine that can be measured. */
export interface Engine {
  readonly name: string;
  readonly version: string;
  /** What it was asked for, in its own words. */
  readonly options: Readonly<Record<Durability, string>>;
  open(path: string, durability: Durability): OpenStore;
}
