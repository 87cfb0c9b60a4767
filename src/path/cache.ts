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
import { LRUCache } from "lru-cache";
import { encodeText } from "../codec/text.ts";
import { failure } from "../library.ts";
import type { Session } from "../session.ts";

const decoder: TextDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

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

/** Resolved paths. */
export class PathCache {
  readonly #size: number;
  readonly #ttl: number;
  #paths: LRUCache<string, string> | null = null;
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
    return this.#paths !== null && this.#begins[beginOf(path)] === 1;
  }

  /** The commit that what is remembered was last known to hold for. */
  get txnid(): number {
    return this.#txnid;
  }

  /** Tells that in the state of a commit links are as of a stamp. */
  renew(txnid: number, stamp: number): void {
    if (stamp !== this.#stamp) {
      this.#paths = null;
      this.#begins.fill(0);
    }
    this.#stamp = stamp;
    this.#txnid = txnid;
  }

  /** The place that a path means, if it is remembered. */
  get(path: string): string | undefined {
    return this.#paths?.get(path);
  }

  /** Remembers the place that a path means, as of the last renewal. */
  set(path: string, place: string): void {
    if (this.#size === 0) return;
    this.#paths ??= new LRUCache({
      max: this.#size,
      ttl: this.#ttl,
      dispose: (_value, _key, reason) => {
        if (reason === "evict") this.#evictions += 1;
      },
    });
    this.#begins[beginOf(path)] = 1;
    // What was put together of pieces is slower to read each time than one piece.
    this.#paths.set(path, decoder.decode(encodeText(place)));
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
      size: this.#paths?.size ?? 0,
      hits: this.#hits,
      misses: this.#misses,
      evictions: this.#evictions,
    };
  }
}
