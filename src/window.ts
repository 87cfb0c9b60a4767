/**
 * Views of the store's map: the stored bytes where they lie, without a copy.
 * The map is one reserved range that never moves. Where the runtime bears it, one buffer spans all
 * of it; else buffers over equal parts are made when needed, and a value across an edge is copied.
 * Buffers are the Store's own: close() detaches them all, and every view becomes empty.
 */
import { describe, typeError } from "./error.ts";
import { type Calls, failure, library, type Pointer } from "./library.ts";

/**
 * Read-only bytes; at run time a Uint8Array over the store's map. A store into it ends the process.
 * Do not transfer it or post it to a Worker: that takes or copies the whole map.
 */
export interface BytesView extends Iterable<number> {
  /** How many bytes. */
  readonly length: number;
  /** How many bytes. */
  readonly byteLength: number;
  /** The byte at an index. */
  readonly [index: number]: number;
  /** The byte at an index, from the end if it is negative. */
  at(index: number): number | undefined;
  /** Where a byte is first found, or -1. */
  indexOf(byte: number, from?: number): number;
  /** A copy of a part, for the caller to keep. */
  slice(start?: number, end?: number): Uint8Array;
  /** A part, without a copy. */
  subarray(start?: number, end?: number): BytesView;
}

/**
 * The same bytes for what takes a Uint8Array (TextDecoder, Response, …). They lie in memory that
 * cannot be written: a store into them ends the process.
 *
 * @param view What getView() returned.
 * @returns The same bytes, not copied.
 * @throws {TypeError} ZEOLITE_OPTIONS if it is not a view.
 * @example
 * ```ts
 * import { open, unsafeBytes } from "zeolite";
 *
 * using store = open("texts.zeo", { encoding: "string" });
 * store.putSync("greeting", "hello");
 * const view = store.getView("greeting")!;
 * console.log(new TextDecoder().decode(unsafeBytes(view))); // hello
 * ```
 */
export function unsafeBytes(view: BytesView): Uint8Array {
  if (view instanceof Uint8Array) return view;
  throw typeError(
    "ZEOLITE_OPTIONS",
    `Cannot use ${describe(view)} as bytes: pass what getView() returned`,
  );
}

/** Buffers kept reachable while they are in use; older ones live as long as views of them do. */
const KEPT_MAX = 4;

/** The buffers over the map that one Store made. */
export class Windows {
  readonly #call: Calls;
  readonly #handle: number;
  #base: Pointer | null = null;
  #size = 0;
  #stride = 0;
  #lastPart = -1;
  #last: ArrayBuffer | null = null;
  /** By number of the part, the last used at the end. */
  readonly #kept: Map<number, ArrayBuffer> = new Map();
  /** Every buffer that may still be alive. */
  #known: Map<number, WeakRef<ArrayBuffer>> = new Map();
  /** Buffers of values that were copied; they too are emptied by close(). */
  #copies: WeakRef<ArrayBuffer>[] = [];
  #copiesMax = 64;

  constructor(call: Calls, handle: number) {
    this.#call = call;
    this.#handle = handle;
  }

  /** The bytes at an offset of the map. */
  view(offset: number, size: number, words: Float64Array): Uint8Array {
    if (this.#base === null) this.#locate(words);
    const part = Math.floor(offset / this.#stride);
    const start = offset - part * this.#stride;
    const last = this.#last;
    const buffer = part === this.#lastPart && last !== null && last.byteLength > 0
      ? last
      : this.#window(part);
    if (start + size <= buffer.byteLength) return new Uint8Array(buffer, start, size);
    return this.#joined(offset, size);
  }

  /** Memory for a value that cannot be seen where it lies. */
  copy(size: number): Uint8Array {
    const buffer = new ArrayBuffer(size);
    if (this.#copies.length >= this.#copiesMax) {
      this.#copies = this.#copies.filter((reference) => reference.deref() !== undefined);
      this.#copiesMax = Math.max(64, this.#copies.length * 2);
    }
    this.#copies.push(new WeakRef(buffer));
    return new Uint8Array(buffer);
  }

  /** Empties every view that was made. */
  detach(): void {
    for (const reference of this.#known.values()) detachBuffer(reference.deref());
    for (const reference of this.#copies) detachBuffer(reference.deref());
    this.#kept.clear();
    this.#last = null;
    this.#known = new Map();
    this.#copies = [];
  }

  /** Asks where the map is. */
  #locate(words: Float64Array): void {
    const base = this.#call.window(this.#handle);
    if (base === null) throw failure(this.#call.status(this.#handle), "view a value");
    this.#size = words[0]!;
    this.#stride = Math.min(this.#size, library().windowMax);
    this.#base = base;
  }

  /** The buffer over a part of the map; one that was taken away is made again. */
  #window(part: number): ArrayBuffer {
    const kept = this.#kept.get(part);
    this.#lastPart = part;
    if (kept !== undefined && kept.byteLength > 0) return this.#last = kept;
    const alive = this.#known.get(part)?.deref();
    const buffer = alive !== undefined && alive.byteLength > 0 ? alive : this.#make(part);
    this.#kept.delete(part);
    this.#kept.set(part, buffer);
    if (this.#kept.size > KEPT_MAX) this.#kept.delete(this.#kept.keys().next().value!);
    return this.#last = buffer;
  }

  #make(part: number): ArrayBuffer {
    const offset = part * this.#stride;
    const size = Math.min(this.#stride, this.#size - offset);
    const buffer = library().bytes(this.#base!, offset, size);
    this.#known.set(part, new WeakRef(buffer));
    return buffer;
  }

  /** A value that lies across an edge, copied together. */
  #joined(offset: number, size: number): Uint8Array {
    const joined = this.copy(size);
    for (let done = 0; done < size;) {
      const part = Math.floor((offset + done) / this.#stride);
      const start = offset + done - part * this.#stride;
      const buffer = this.#window(part);
      const piece = Math.min(size - done, buffer.byteLength - start);
      joined.set(new Uint8Array(buffer, start, piece), done);
      done += piece;
    }
    return joined;
  }
}

function detachBuffer(buffer: ArrayBuffer | undefined): void {
  if (buffer !== undefined && buffer.byteLength > 0) buffer.transfer(0);
}
