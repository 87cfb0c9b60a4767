/**
 * A store in a folder of its own, for one test; both end with their scope, whatever happened.
 */
import { existsSync } from "node:fs";
import { open, type OpenOptions, type Store } from "../src/mod.ts";
import { Folder } from "./Peer.ts";

/** An open store, its folder, and what else was opened on it. */
export class Opened implements Disposable {
  readonly folder: Folder = new Folder();
  readonly path: string;
  store: Store;
  readonly #others: Store[] = [];

  constructor(options?: OpenOptions) {
    this.path = this.folder.file("test.zeo");
    this.store = open(this.path, { durability: "committed", ...options });
  }

  /** Opens the same store once more. */
  again(options?: OpenOptions): Store {
    const store = open(this.path, { durability: "committed", ...options });
    this.#others.push(store);
    return store;
  }

  /** Closes the store and opens it anew. */
  async reopen(options?: OpenOptions): Promise<Store> {
    await this.store.close();
    this.store = open(this.path, { durability: "committed", ...options });
    return this.store;
  }

  [Symbol.dispose](): void {
    for (const store of [this.store, ...this.#others]) store[Symbol.dispose]();
    if (existsSync(this.folder.path)) this.folder[Symbol.dispose]();
  }
}

/** The error that a promise is rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error("the promise was not rejected");
}

/** The rest of this turn of the event loop, and what it commits. */
export function turn(): Promise<void> {
  return new Promise((done) => setTimeout(done, 1));
}

/** A small, quick generator with a seed, so that a failure can be repeated. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
