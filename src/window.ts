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
  readonly #words: Float64Array;
  #base: Pointer | null = null;
  #size = 0;
  #stride = 0;
  /** The last used buffer, where it begins in the map, and its size. */
  #last: ArrayBuffer | null = null;
  #lastStart = 0;
  #lastSize = 0;
  /** By number of the part, the last used at the end. */
  readonly #kept: Map<number, ArrayBuffer> = new Map();
  /** Every buffer that may still be alive. */
  #known: Map<number, WeakRef<ArrayBuffer>> = new Map();
  /** Buffers of values that were copied; they too are emptied by close(). */
  #copies: WeakRef<ArrayBuffer>[] = [];
  #copiesMax = 64;

  /** @param words The words of the session. */
  constructor(call: Calls, handle: number, words: Float64Array) {
    this.#call = call;
    this.#handle = handle;
    this.#words = words;
  }

  /** The bytes at an offset of the map. */
  view(offset: number, size: number): Uint8Array {
    const start = offset - this.#lastStart;
    if (start >= 0 && start + size <= this.#lastSize) {
      try {
        return new Uint8Array(this.#last!, start, size);
      } catch {
        // Somebody transferred the buffer away.
      }
    }
    return this.#find(offset, size);
  }

  /** The same with the buffer still to be found. */
  #find(offset: number, size: number): Uint8Array {
    if (this.#base === null) this.#locate();
    const part = Math.floor(offset / this.#stride);
    const start = offset - part * this.#stride;
    const buffer = this.#window(part);
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
    this.#lastSize = 0;
    this.#known = new Map();
    this.#copies = [];
  }

  /** Asks where the map is. */
  #locate(): void {
    const base = this.#call.window(this.#handle);
    if (base === null) throw failure(this.#call.status(this.#handle), "view a value");
    this.#size = this.#words[0]!;
    this.#stride = Math.min(this.#size, library().windowMax);
    this.#base = base;
  }

  /** The buffer over a part of the map; one that was taken away is made again. */
  #window(part: number): ArrayBuffer {
    let buffer = this.#kept.get(part);
    if (buffer === undefined || buffer.byteLength === 0) {
      const alive = this.#known.get(part)?.deref();
      buffer = alive !== undefined && alive.byteLength > 0 ? alive : this.#make(part);
      this.#kept.delete(part);
      this.#kept.set(part, buffer);
      if (this.#kept.size > KEPT_MAX) this.#kept.delete(this.#kept.keys().next().value!);
    }
    this.#last = buffer;
    this.#lastStart = part * this.#stride;
    this.#lastSize = buffer.byteLength;
    return buffer;
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
