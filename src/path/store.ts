/**
 * The store of paths: reads that follow links, writes that make groups, and the fast variants that
 * do neither. A path without links in it is one lookup; one with links is looked for in the cache,
 * and what is looked up for it is all of one state, told by the txnid before and after.
 */
import type { Access } from "../access.ts";
import { keyCodecOf } from "../codec/key.ts";
import { fetchText } from "../codec/text.ts";
import { describe, errorOf, typeError } from "../error.ts";
import { booleanOption, integerOption, optionsObject, tableName } from "../options.ts";
import { latestScope, PinnedSnapshot } from "../scope.ts";
import { accessOf, type Store } from "../store.ts";
import { StoreTable } from "../table.ts";
import { type TableState, tableState } from "../table_state.ts";
import { assertIterable } from "../write_many.ts";
import { type CacheCounts, PathCache, publishedTxnid } from "./cache.ts";
import { fastTable } from "./fast.ts";
import { locate } from "./locate.ts";
import { type PathEntry, type PathRows, writeMany } from "./many.ts";
import { invalidPath, normalPath, prefixOf } from "./path.ts";
import { PathReader } from "./reader.ts";
import { assertValue, type FileContent, GROUP, Link, pathValues, type Place } from "./stored.ts";
import { type Stored, storedOf } from "./stored.ts";
import { Tree } from "./tree.ts";

/** How a store of paths is opened. */
export interface PathOptions {
  /** The table that has it; the fast variants use one of this name with `.fast` behind it. */
  table?: string;
  /** How many paths with links in them are remembered resolved; 10,000 unless said otherwise. */
  cacheSize?: number;
  /** Milliseconds until such a path is forgotten; 300,000 unless said otherwise. */
  cacheTtl?: number;
}

/** What stands at a path. */
export type PathType = "value" | "group" | "link";

/**
 * Values at slash-separated paths, with groups (folders) and links (symbolic links). Empty parts of
 * a path, and slashes at its ends, do not count; "." and ".." are refused, as is what UTF-8 has no
 * bytes for: PATH_INVALID. Writes are promises that share the turn's batch with those of the store,
 * and are inside a transaction(body) that runs. Each is atomic, and each is one commit with the
 * groups that it makes.
 *
 * All methods throw or reject as those of a Table; a path of more bytes than a key has is
 * ZEOLITE_KEY_SIZE.
 */
export interface PathStore {
  /**
   * Reads a value; follows links in every part of the path, 32 at the most.
   *
   * @param path The path.
   * @returns A copy of the value; undefined where none is, or a link leads nowhere.
   * @throws {ZeoliteError} PATH_INVALID, PATH_LINK_LOOP.
   * @example
   * ```ts
   * import { open } from "zeolite";
   * import { openPaths } from "zeolite/path";
   *
   * using store = open("files.zeo");
   * const paths = openPaths(store);
   * await paths.write("cities/de/freiberg", "Freiberg");
   * await paths.makeLink("cities/de", "home");
   * console.log(new TextDecoder().decode(paths.read("home/freiberg"))); // Freiberg
   * ```
   */
  read(path: string): Uint8Array | undefined;
  /**
   * Writes a value, and makes the groups above it that are missing. Through a link, it is written
   * where that leads.
   *
   * @param path The path.
   * @param value Bytes, or a string as UTF-8.
   * @returns Resolves when it is as safe as the store's durability says.
   * @throws {ZeoliteError} PATH_NOT_A_GROUP if a value stands above it; PATH_INVALID if a group
   * stands there; PATH_LINK_LOOP.
   */
  write(path: string, value: Uint8Array | string): Promise<void>;
  /**
   * Reads many values, all of one state.
   *
   * @param paths The paths.
   * @returns As read(), in the same order.
   * @throws As read().
   */
  readMany(paths: readonly string[]): (Uint8Array | undefined)[];
  /**
   * Writes many values; all of them, or none if one fails.
   *
   * @param entries Paths and values.
   * @returns How many were written.
   * @throws As write().
   */
  writeMany(entries: Iterable<readonly [string, Uint8Array | string]>): Promise<number>;
  /**
   * Makes a group, and those above it, unless it stands.
   *
   * @param path The path.
   * @returns As write().
   * @throws {ZeoliteError} PATH_NOT_A_GROUP if a value stands there or above; PATH_INVALID,
   * PATH_LINK_LOOP.
   */
  makeGroup(path: string): Promise<void>;
  /**
   * Makes a link, which then reads as its target; the target need not be there. A value or a link
   * that stands at the place of the link is replaced.
   *
   * @param target The path that it leads to, from the root.
   * @param link The path of the link; links above it are followed, groups that are missing made.
   * @returns As write().
   * @throws {ZeoliteError} PATH_NOT_A_GROUP, PATH_INVALID if a group stands there, PATH_LINK_LOOP.
   */
  makeLink(target: string, link: string): Promise<void>;
  /**
   * The path after following every link.
   *
   * @param path The path.
   * @returns The path of what is there, or undefined if nothing is.
   * @throws As read().
   */
  resolve(path: string): string | undefined;
  /**
   * What stands at a path; links above it are followed, itself it is told as a link.
   *
   * @param path The path.
   * @returns What it is, or undefined if nothing is there.
   * @throws As read().
   */
  type(path: string): PathType | undefined;
  /**
   * The names directly inside a group, in the order of their UTF-8 bytes.
   *
   * @param group The path of the group, or of a link to it; "" is the root.
   * @returns The names; none where nothing stands.
   * @throws {ZeoliteError} PATH_NOT_A_GROUP for a value; PATH_INVALID, PATH_LINK_LOOP.
   */
  list(group: string): string[];
  /**
   * Removes what stands at a path: a link itself, not what it leads to.
   *
   * @param path The path.
   * @param options `recursive`: a group with all that is in it, at once.
   * @returns Whether something was removed.
   * @throws {ZeoliteError} PATH_INVALID for the root, and for a group that is not empty, without
   * `recursive`; PATH_LINK_LOOP.
   */
  remove(path: string, options?: { recursive?: boolean }): Promise<boolean>;
  /**
   * Moves a value, a link, or a group with all that is in it, at once. A value or a link that
   * stands at the new path is replaced, and so is an empty group by a group. Links keep the paths
   * they lead to.
   *
   * @param from The path; a link in its last part is moved itself.
   * @param to The new path; groups above it that are missing are made.
   * @returns As write().
   * @throws {ZeoliteError} ZEOLITE_NOT_FOUND if nothing is there; PATH_NOT_A_GROUP, PATH_LINK_LOOP;
   * PATH_INVALID for the root, a group moved into itself, or a group in the way.
   */
  rename(from: string, to: string): Promise<void>;
  /**
   * Reads bytes as writeFast() wrote them: one lookup of the path as it is, in a table of its own.
   * Sees nothing that write() wrote.
   *
   * @param path The path, or its UTF-8 bytes.
   * @returns A copy of the bytes, or undefined.
   * @throws As get() of a Table.
   */
  readFast(path: string | Uint8Array): Uint8Array | undefined;
  /**
   * Writes bytes as one commit, which is visible to everybody when this returns, and waits for no
   * flush, whatever the store's durability: as `durability: "none"`. The path is taken as it is.
   *
   * @param path The path, or its UTF-8 bytes.
   * @param value The bytes.
   * @throws As putSync() of a Table.
   */
  writeFast(path: string | Uint8Array, value: Uint8Array): void;
  /**
   * Reads many of what writeFast() wrote in one call, all of one state.
   *
   * @param paths The paths.
   * @returns As readFast(), in the same order.
   * @throws As getMany() of a Table.
   */
  readManyFast(paths: readonly (string | Uint8Array)[]): (Uint8Array | undefined)[];
  /**
   * What the cache of resolved paths did. Only paths with links in them are remembered; any other
   * is one lookup without it.
   *
   * @returns Paths remembered now; reads that found theirs; reads that had to follow links; paths
   * forgotten to make room.
   */
  cache(): { size: number; hits: number; misses: number; evictions: number };
}

/** What is copied out of a store: the content of a file, a group or a link. */
export type CopiedOut = FileContent | typeof GROUP | Link;

/** Times that what was read together is read again because of a commit meanwhile. */
const TRIES_MAX = 4;
/** Characters of a path from which on it is brought into its form before it is looked up. */
const LONG_MIN = 400;

/** A table of paths, to be written. */
class PathTable extends StoreTable<Stored, string> {
  /** Does work in the batch of this turn, or behind the transaction that keeps it out. */
  write<T>(doing: string, work: (tree: Tree) => T): Promise<T> {
    const { access, state: table } = this;
    return this.promise(doing, (writer) => {
      if (!table.isKept) table.adopt(access.session);
      const target = { session: access.session, table, writer };
      return work(new Tree(target, new PathReader(access, table, this.scope)));
    });
  }
}

/** What is read of one state. */
interface Seen<T> {
  readonly result: T;
  /** The commit that made the state; -1 for what a batch has not yet committed. */
  readonly txnid: number;
}

/** A store of paths. */
export class OpenPaths implements PathStore {
  readonly #access: Access;
  readonly #state: TableState;
  readonly #name: string;
  readonly #reader: PathReader;
  readonly #table: PathTable;
  readonly #cache: PathCache;
  #fastTable: StoreTable<Uint8Array, string | Uint8Array> | null = null;

  constructor(access: Access, name: string, cache: PathCache) {
    const { session } = access;
    const settings = { keys: keyCodecOf("string")!, values: pathValues };
    this.#access = access;
    this.#name = name;
    this.#state = tableState(session, name, tableName(name, session.keySizeMax), settings);
    this.#reader = new PathReader(access, this.#state, latestScope(session));
    this.#table = new PathTable(access, this.#state);
    this.#cache = cache;
  }

  read(path: string): Uint8Array | undefined {
    if (typeof path !== "string" || path.length >= LONG_MIN) path = normalPath(path, "read");
    if (this.#cache.mayHave(path)) {
      const value = this.#readKnown(path);
      if (value !== undefined) return value;
    }
    let found: Stored | undefined;
    try {
      found = this.#reader.get(path);
    } catch (error) {
      normalPath(path, "read");
      throw error;
    }
    return found instanceof Uint8Array ? found : this.#readSlow(path);
  }

  /** Reads where the cache says, if that holds now. */
  #readKnown(path: string): Uint8Array | undefined {
    const cache = this.#cache;
    const { session } = this.#access;
    // What a batch has not committed may never be.
    if (session.isClosed || session.batch !== null) return undefined;
    let entry = cache.find(path);
    if (entry < 0) return undefined;
    if (publishedTxnid(session) !== cache.txnid) {
      this.#renew();
      entry = cache.find(path);
      if (entry < 0) return undefined;
    }
    const keySize = cache.placeKey(entry, session.scratch.keyA);
    const found = this.#reader.getPlaced(keySize) ?? this.#reader.get(cache.placeOf(entry));
    if (!(found instanceof Uint8Array)) return undefined;
    // A commit in between may have changed links and the value together.
    if (publishedTxnid(session) !== cache.txnid) return undefined;
    cache.hit();
    return found;
  }

  /** Finds out whether links have changed since. */
  #renew(): void {
    const { result, txnid } = this.#atOneState((reader) => reader.stamp());
    this.#cache.renew(txnid, result);
  }

  /** Reads a path that is not there as it is named. */
  #readSlow(path: string): Uint8Array | undefined {
    const named = normalPath(path, "read");
    const { result: [location, value, stamp], txnid } = this.#atOneState((reader) => {
      const found = locate(reader, named, true);
      const stored = found.place === undefined ? undefined : reader.get(found.path);
      return [found, stored, reader.stamp()] as const;
    });
    if (!(value instanceof Uint8Array)) return undefined;
    if (location.path === named) return value;
    this.#cache.miss();
    if (txnid < 0) return value;
    this.#cache.renew(txnid, stamp);
    const { keyA } = this.#access.session.scratch;
    this.#cache.set(path, location.path, keyA, this.#state.keys.encode(keyA, location.path));
    return value;
  }

  /** Reads several things of one state: again if somebody committed meanwhile. */
  #atOneState<T>(work: (reader: PathReader) => T): Seen<T> {
    const { session } = this.#access;
    this.#access.assertOpen("read");
    // With the writer lock in hand there is one state.
    if (session.batch !== null) return { result: work(this.#reader), txnid: -1 };
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const txnid = publishedTxnid(session);
      const result = work(this.#reader);
      if (publishedTxnid(session) === txnid) return { result, txnid };
    }
    using snapshot = new PinnedSnapshot(this.#access);
    return { result: work(this.#readerAt(snapshot)), txnid: snapshot.txnid };
  }

  #readerAt(snapshot: PinnedSnapshot): PathReader {
    return new PathReader(this.#access, this.#state, snapshot);
  }

  async write(path: string, value: Uint8Array | string): Promise<void> {
    const named = normalPath(path, "write");
    assertValue(value);
    const kept = this.#kept(value);
    await this.#table.write("write", (tree) => tree.write(named, kept));
  }

  /** A value that can be written later, when its owner may have changed it. */
  #kept(value: Uint8Array | string): Uint8Array | string {
    const isLater = this.#access.session.isQueueing && typeof value !== "string";
    return isLater ? value.slice() : value;
  }

  readMany(paths: readonly string[]): (Uint8Array | undefined)[] {
    if (!Array.isArray(paths)) {
      const found = describe(paths);
      throw typeError("ZEOLITE_OPTIONS", `Cannot read many: found ${found}; pass an array`);
    }
    const named: string[] = [];
    for (let index = 0; index < paths.length; index += 1) {
      fetchText(paths, index);
      named.push(normalPath(paths[index], "read"));
    }
    return this.#atOneState((reader) => {
      const found = reader.getMany(named);
      return found.map((stored, index) => {
        if (stored instanceof Uint8Array || stored === GROUP) return bytesOf(stored);
        const { place, path } = locate(reader, named[index]!, true);
        return place === undefined ? undefined : bytesOf(reader.get(path));
      });
    }).result;
  }

  async writeMany(
    entries: Iterable<readonly [string, Uint8Array | string]>,
  ): Promise<number> {
    assertIterable(entries);
    const rows: PathRows = { paths: [], values: [] };
    const isLater = this.#access.session.isQueueing;
    for (const entry of entries) {
      if (!Array.isArray(entry)) throw invalidPath("write", entry, "pass [path, value]");
      const path: unknown = entry[0];
      const value: unknown = entry[1];
      if (typeof path !== "string") throw invalidPath("write", path, "pass a path, as a string");
      assertValue(value);
      rows.paths.push(path);
      rows.values.push(isLater && typeof value !== "string" ? value.slice() : value);
    }
    return await this.#table.write("write many", (tree) => writeMany(tree, rows));
  }

  async makeGroup(path: string): Promise<void> {
    const named = normalPath(path, "make the group");
    await this.#table.write("make a group", (tree) => tree.makeGroup(named));
  }

  async makeLink(target: string, link: string): Promise<void> {
    const to = normalPath(target, "link to");
    const named = normalPath(link, "make the link");
    await this.#table.write("make a link", (tree) => tree.makeLink(named, new Link(to)));
  }

  resolve(path: string): string | undefined {
    const named = normalPath(path, "resolve");
    const { place, path: found } = this.#atOneState((reader) => locate(reader, named, true)).result;
    return place === undefined ? undefined : found;
  }

  type(path: string): PathType | undefined {
    const named = normalPath(path, "look at");
    return this.#atOneState((reader) => locate(reader, named, false)).result.place?.type;
  }

  list(group: string): string[] {
    const named = normalPath(group, "list");
    return this.#atOneState((reader) => {
      const { place, path } = locate(reader, named, true);
      if (place !== undefined && place !== GROUP) throw notListed(named);
      return place === undefined ? [] : reader.names(path);
    }).result;
  }

  async remove(path: string, options?: { recursive?: boolean }): Promise<boolean> {
    const { recursive } = optionsObject(options);
    const isRecursive = booleanOption("recursive", recursive, false);
    const named = normalPath(path, "remove");
    return await this.#table.write("remove", (tree) => tree.remove(named, isRecursive));
  }

  async rename(from: string, to: string): Promise<void> {
    const source = normalPath(from, "rename");
    const goal = normalPath(to, "rename to");
    await this.#table.write("rename", (tree) => tree.rename(source, goal));
  }

  readFast(path: string | Uint8Array): Uint8Array | undefined {
    return this.#fast.get(path);
  }

  writeFast(path: string | Uint8Array, value: Uint8Array): void {
    this.#fast.putSync(path, value);
  }

  readManyFast(paths: readonly (string | Uint8Array)[]): (Uint8Array | undefined)[] {
    return this.#fast.getMany(paths);
  }

  cache(): CacheCounts {
    return this.#cache.counts();
  }

  /** Writes what was in a folder, all of it or nothing; what is in a group comes behind it. */
  async copyIn(entries: readonly PathEntry[]): Promise<void> {
    await this.#table.write("import", (tree) => {
      tree.frame(() => {
        for (const [path, written] of entries) tree.copy(path, written);
      });
    });
  }

  /** What stands at a path, the last link in it not followed, and values not read. */
  place(path: string): Place | undefined {
    const named = normalPath(path, "look at");
    return this.#atOneState((reader) => locate(reader, named, false)).result.place;
  }

  /** A group and all that is in it, of one state; what is in a group comes behind it. */
  *copyOut(group: string): Generator<readonly [path: string, stored: CopiedOut]> {
    const named = normalPath(group, "export");
    using snapshot = new PinnedSnapshot(this.#access);
    const reader = this.#readerAt(snapshot);
    const { place, path: found } = locate(reader, named, true);
    if (place !== GROUP) throw notListed(named);
    for (const path of reader.getKeys({ prefix: prefixOf(found) })) {
      const stored = storedOf(reader.getBinary(path)!);
      if (stored !== undefined) yield [normalPath(path, "export"), stored];
    }
  }

  /** How many entries are in a group, those of its groups with them. */
  count(group: string): number {
    const path = this.resolve(group);
    return path === undefined ? 0 : this.#reader.getCount({ prefix: prefixOf(path) });
  }

  get #fast(): StoreTable<Uint8Array, string | Uint8Array> {
    return this.#fastTable ??= fastTable(this.#access, `${this.#name}.fast`);
  }
}

function bytesOf(stored: Stored | undefined): Uint8Array | undefined {
  return stored instanceof Uint8Array ? stored : undefined;
}

function notListed(path: string): Error {
  return errorOf("PATH_NOT_A_GROUP", `Cannot list ${JSON.stringify(path)}: a value is there`);
}

/** The stores of paths that each Store has open, by their options. */
const opened: WeakMap<Store, Map<string, OpenPaths>> = new WeakMap();

/** What an open store of paths is, for the command line. */
export function pathsOf(store: Store, options?: PathOptions): OpenPaths {
  const { table = "paths", ...given } = optionsObject(options);
  const most = [0, 2 ** 24] as const;
  const cacheSize = integerOption("cacheSize", given.cacheSize, most, 10_000);
  const cacheTtl = integerOption("cacheTtl", given.cacheTtl, [0, 2 ** 31 - 1], 300_000);
  const access = accessOf(store);
  access.assertOpen("open paths");
  let known = opened.get(store);
  if (known === undefined) opened.set(store, known = new Map());
  const key = `${cacheSize} ${cacheTtl} ${table}`;
  let paths = known.get(key);
  if (paths === undefined) {
    paths = new OpenPaths(access, table, new PathCache(cacheSize, cacheTtl));
    known.set(key, paths);
  }
  return paths;
}

/**
 * Opens the paths that a store holds. The same store and options give the same object, at no cost;
 * nothing is created before the first write. It ends with the store.
 *
 * @param store What open() returned.
 * @param options Which table, and how many paths with links are remembered.
 * @returns The paths.
 * @throws {TypeError} ZEOLITE_OPTIONS for options that cannot be, and for a table that holds
 * something else.
 * @throws {ZeoliteError} ZEOLITE_CLOSED.
 * @example
 * ```ts
 * import { open } from "zeolite";
 * import { openPaths } from "zeolite/path";
 *
 * using store = open("files.zeo");
 * const paths = openPaths(store);
 * await paths.write("notes/today", "rain");
 * console.log(paths.list("notes")); // [ "today" ]
 * ```
 */
export function openPaths(store: Store, options?: PathOptions): PathStore {
  return pathsOf(store, options);
}
