/**
 * The native memory through which a session hands bytes to the engine and gets them back, wrapped
 * once: key areas A and B carry keys and bounds, the data area carries values and rows. What a call
 * left in it is read before the next call. (The words before them are the session's.)
 */
import { limits } from "../ffi/abi.ts";
import { type Area, areaOf, type Source, sourceOf } from "./codec/text.ts";
import type { ValueArea } from "./codec/value.ts";

/** The scratch of one session. */
export class Scratch {
  /** Where a value is made. */
  readonly data: ValueArea;
  /** The same memory, to decode from. */
  readonly source: Source;
  /** Key area A: a key, or a lower bound. */
  readonly keyA: Area;
  /** Key area B: an upper bound. */
  readonly keyB: Area;
  readonly #memory: ArrayBuffer;

  /**
   * @param memory All of the scratch.
   * @param keySizeMax The most bytes a key of this store has.
   */
  constructor(memory: ArrayBuffer, keySizeMax: number) {
    const { key_a_offset, key_b_offset, key_area_size, data_offset, data_size } = limits;
    this.#memory = memory;
    this.keyA = areaOf(memory, key_a_offset, key_area_size, keySizeMax);
    this.keyB = areaOf(memory, key_b_offset, key_area_size, keySizeMax);
    this.data = Object.assign(areaOf(memory, data_offset, data_size, data_size), { large: null });
    this.source = sourceOf(this.data.bytes);
  }

  /** Ends it: what still points into the memory becomes empty. */
  detach(): void {
    this.#memory.transfer(0);
  }
}
