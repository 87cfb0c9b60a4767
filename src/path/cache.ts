/**
 * Paths whose links were followed, and the places they mean: the least recently used are forgotten
 * first, and each after a while. Only paths with a link in them are here; any other is one lookup.
 *
 * Never stale: what is remembered holds for one stamp, the commit that last changed a link or moved
 * or removed a group, which is kept in the table itself. Whoever changes links, in any thread or
 * process, writes the stamp in the same commit. Each use asks for the newest txnid, one call of
 * some nanoseconds; only if that has changed is the stamp looked up, and only if the stamp has
 * changed is everything forgotten. Values can change all the while: they are not here.
 */
import { setTimeout } from "node:timers";
import type { Area } from "../codec/text.ts";
import { failure } from "../library.ts";
import type { Session } from "../session.ts";

/** Words that the key of a place may have to be kept as the engine takes it. */
const KEY_WORDS = 16;
/** Places that are made room for at first. */
const ROOM_MIN = 256;
/** In place of an entry where there is none. */
const NONE = -1;
/** Parts of the time that paths are remembered, by which it may be longer. */
const TICKS = 256;

/** What the cache did. */
export interface CacheCounts {
  /** Paths remembered now. */
  size: number;
  /** Reads that found their path here. */
  hits: number;
  /** Reads that had to follow links. */
  misses: number;
  /** Paths forgotten to make room. */
  evictions: number;
}

/**
 * The newest commit that anybody published. (Of the engine's calls that say it, the one that asks
 * the system for nothing; it changes nothing.)
 */
export function publishedTxnid(session: Session): number {
  const { call, handle, words } = session;
  if (!session.isReadOnly && call.flush_begin(handle) >= 0) return words[0]!;
  const result = call.status(handle);
  if (result < 0) throw failure(result, "read");
  return words[0]!;
}

/** A number for how a path begins, below 256. */
function beginOf(path: string): number {
  return (path.charCodeAt(0) ^ (path.charCodeAt(1) << 2) ^ (path.charCodeAt(2) << 4)) & 255;
}

/**
 * Resolved paths. What is remembered of one lies in arrays, each at the number of its entry: a use
 * reads the map and a few lines of memory. The entries are a ring in the order of their last use.
 */
export class PathCache {
  readonly #size: number;
  readonly #ttl: number;
  /** Numbers of entries, by the path. */
  readonly #entries: Map<string, number> = new Map();
  readonly #paths: string[] = [];
  readonly #places: string[] = [];
  /** The keys of the places as they are encoded, and their sizes; 0 for those that are longer. */
  #keys: Uint32Array = new Uint32Array();
  #keySizes: Uint8Array = new Uint8Array();
  /** When an entry was made. */
  #times: Float64Array = new Float64Array();
  /** The entries used just after and just before. */
  #newer: Int32Array = new Int32Array();
  #older: Int32Array = new Int32Array();
  #newest = NONE;
  #oldest = NONE;
  /** Entries that were forgotten, to be used again. */
  readonly #free: number[] = [];
  /** The time, asked for once in a while; 0 if it is to be asked for. */
  #time = 0;
  /** Which beginnings the paths here have. */
  readonly #begins: Uint8Array = new Uint8Array(256);
  #txnid = -1;
  #stamp = -1;
  #hits = 0;
  #misses = 0;
  #evictions = 0;

  /**
   * @param size Most paths; 0 remembers none.
   * @param ttl Milliseconds until one is forgotten; 0 remembers none.
   */
  constructor(size: number, ttl: number) {
    this.#size = ttl === 0 ? 0 : size;
    this.#ttl = ttl;
  }

  /** Whether a path may be here: false for most paths that begin as none here does. */
  mayHave(path: string): boolean {
    return this.#begins[beginOf(path)] === 1;
  }

  /** The commit that what is remembered was last known to hold for. */
  get txnid(): number {
    return this.#txnid;
  }

  /** Tells that in the state of a commit links are as of a stamp. */
  renew(txnid: number, stamp: number): void {
    if (stamp !== this.#stamp) this.#clear();
    this.#stamp = stamp;
    this.#txnid = txnid;
  }

  /** The entry of a path, which counts as used; -1 if it is not remembered. */
  find(path: string): number {
    const entry = this.#entries.get(path);
    if (entry === undefined) return NONE;
    if (this.#now() - this.#times[entry]! > this.#ttl) {
      this.#forget(entry);
      return NONE;
    }
    if (entry !== this.#newest) {
      this.#unlink(entry);
      this.#link(entry);
    }
    return entry;
  }

  /** The place that an entry's path means. */
  placeOf(entry: number): string {
    return this.#places[entry]!;
  }

  /** Puts the key of an entry's place into an area; its size, or 0 if it is not kept. */
  placeKey(entry: number, area: Area): number {
    const size = this.#keySizes[entry]!;
    const { words } = area;
    const keys = this.#keys;
    const start = entry * KEY_WORDS;
    const end = start + ((size + 3) >> 2);
    for (let from = start, to = 0; from < end; from += 1, to += 1) words[to] = keys[from]!;
    return size;
  }

  /**
   * Remembers the place that a path means, as of the last renewal.
   *
   * @param area Where its key is.
   * @param keySize The size of that.
   */
  set(path: string, place: string, area: Area, keySize: number): void {
    if (this.#size === 0) return;
    const known = this.#entries.get(path);
    if (known !== undefined) this.#forget(known);
    if (this.#entries.size >= this.#size) {
      this.#forget(this.#oldest);
      this.#evictions += 1;
    }
    const entry = this.#free.pop() ?? this.#entries.size;
    if (entry >= this.#times.length) this.#grow();
    this.#entries.set(path, entry);
    this.#paths[entry] = path;
    this.#places[entry] = place;
    const isKept = keySize <= KEY_WORDS * 4;
    this.#keySizes[entry] = isKept ? keySize : 0;
    if (isKept) this.#keys.set(area.words.subarray(0, KEY_WORDS), entry * KEY_WORDS);
    this.#times[entry] = this.#now();
    this.#link(entry);
    this.#begins[beginOf(path)] = 1;
  }

  /** Counts a read that found its path here. */
  hit(): void {
    this.#hits += 1;
  }

  /** Counts a read that had to follow links. */
  miss(): void {
    this.#misses += 1;
  }

  /** What it did so far. */
  counts(): CacheCounts {
    return {
      size: this.#entries.size,
      hits: this.#hits,
      misses: this.#misses,
      evictions: this.#evictions,
    };
  }

  /** Milliseconds; as they were a small part of the time to live ago. */
  #now(): number {
    if (this.#time === 0) {
      this.#time = performance.now();
      setTimeout(() => this.#time = 0, this.#ttl / TICKS).unref();
    }
    return this.#time;
  }

  /** Makes an entry the newest. */
  #link(entry: number): void {
    const newest = this.#newest;
    this.#older[entry] = newest;
    if (newest === NONE) this.#oldest = entry;
    else this.#newer[newest] = entry;
    this.#newest = entry;
  }

  /** Takes an entry out of the order. */
  #unlink(entry: number): void {
    const older = this.#older[entry]!;
    if (entry === this.#newest) {
      this.#newest = older;
      if (older === NONE) this.#oldest = NONE;
      return;
    }
    const newer = this.#newer[entry]!;
    this.#older[newer] = older;
    if (entry === this.#oldest) this.#oldest = newer;
    else this.#newer[older] = newer;
  }

  #forget(entry: number): void {
    this.#unlink(entry);
    this.#entries.delete(this.#paths[entry]!);
    this.#paths[entry] = this.#places[entry] = "";
    this.#free.push(entry);
  }

  #clear(): void {
    this.#entries.clear();
    this.#paths.length = this.#places.length = this.#free.length = 0;
    this.#newest = this.#oldest = NONE;
    this.#begins.fill(0);
  }

  #grow(): void {
    const count = Math.min(Math.max(ROOM_MIN, this.#times.length * 2), this.#size);
    this.#keys = grown(this.#keys, new Uint32Array(count * KEY_WORDS));
    this.#keySizes = grown(this.#keySizes, new Uint8Array(count));
    this.#times = grown(this.#times, new Float64Array(count));
    this.#newer = grown(this.#newer, new Int32Array(count));
    this.#older = grown(this.#older, new Int32Array(count));
  }
}

/** A larger array with what a smaller one has. */
function grown<T extends Uint32Array | Uint8Array | Float64Array | Int32Array>(
  from: T,
  to: T,
): T {
  to.set(from);
  return to;
}
