/**
 * Copies a folder into a group: files become values, folders groups, symbolic links links. What is
 * kept of a file besides its bytes is whether its owner may run it.
 *
 * Invariants: at most one batch and one file are in memory; each batch is one commit; what is
 * stored when it is interrupted are whole files.
 */
import { closeSync, fstatSync, openSync, readSync, realpathSync } from "node:fs";
import { CONTENT_SIZE_MAX, GROUP, type Marked, markedFile } from "../../path/stored.ts";
import type { PathEntry } from "../../path/many.ts";
import { joinPath } from "../../path/path.ts";
import type { OpenPaths } from "../../path/store.ts";
import { CliError, EXIT, failureOf, Interrupted } from "../exit.ts";
import { isInterrupted } from "../interrupt.ts";
import type { Bar } from "../progress.ts";
import { type Item, itemsIn, linkOf } from "./folder.ts";

/** Bytes of files after which a batch is stored. */
const BATCH_SIZE_MAX = 4 * 1024 * 1024;
/** Things in a batch at most. */
const BATCH_COUNT_MAX = 4096;
/** How often a file is read that grows meanwhile. */
const TRIES_MAX = 3;
/** Bytes asked for at once: systems refuse more than 2 GiB. */
const READ_MAX = 1 << 30;

/** What was copied. */
export interface Copied {
  values: number;
  groups: number;
  links: number;
  bytes: number;
  /** Sockets, pipes and devices, which were left out. */
  special: number;
}

/** Nothing, to count from. */
export function nothingCopied(): Copied {
  return { values: 0, groups: 0, links: 0, bytes: 0, special: 0 };
}

/** Reads as much as there is and fits; how many bytes. */
function fill(file: number, room: Uint8Array): number {
  let size = 0;
  while (size < room.length) {
    const count = readSync(file, room, size, Math.min(READ_MAX, room.length - size), null);
    if (count === 0) break;
    size += count;
  }
  return size;
}

/** The content of a file, with its marker behind it. */
function contentOf({ file: path, isExecutable }: Item): Marked {
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const file = openSync(path, "r");
    try {
      const { size } = fstatSync(file);
      if (size > CONTENT_SIZE_MAX) {
        throw new CliError(
          "ZEOLITE_VALUE_SIZE",
          EXIT.input,
          `Cannot import ${JSON.stringify(path)}: it has ${size} bytes, a value at most ` +
            `${CONTENT_SIZE_MAX}`,
        );
      }
      const room = new Uint8Array(size + 1);
      const found = fill(file, room);
      if (found <= size) return markedFile(room.subarray(0, found + 1), isExecutable);
    } finally {
      closeSync(file);
    }
  }
  throw new CliError(
    "INPUT_INVALID",
    EXIT.input,
    `Cannot import ${JSON.stringify(path)}: it grows while it is read`,
  );
}

/** The import of one folder. */
export class Importer {
  readonly copied: Copied = nothingCopied();
  readonly #paths: OpenPaths;
  readonly #folder: string;
  readonly #group: string;
  readonly #bar: Bar;
  #entries: PathEntry[] = [];
  #size = 0;
  #done = 0;

  constructor(paths: OpenPaths, folder: string, group: string, bar: Bar) {
    this.#paths = paths;
    this.#folder = realpathSync(folder);
    this.#group = group;
    this.#bar = bar;
  }

  /** Copies everything; `total` is how many things that is, 0 if nobody counted. */
  async run(total: number): Promise<void> {
    if (this.#group !== "") await this.#paths.makeGroup(this.#group);
    for (const item of itemsIn(this.#folder)) {
      this.#add(item);
      if (this.#size >= BATCH_SIZE_MAX || this.#entries.length >= BATCH_COUNT_MAX) {
        await this.#store();
        this.#bar.update(this.#done, total);
      }
    }
    await this.#store();
  }

  #add(item: Item): void {
    this.#done += 1;
    const { copied } = this;
    const path = joinPath(this.#group, item.path);
    switch (item.kind) {
      case "special":
        copied.special += 1;
        return;
      case "folder":
        copied.groups += 1;
        this.#entries.push([path, GROUP]);
        return;
      case "link":
        copied.links += 1;
        this.#entries.push([path, linkOf(item, this.#folder, this.#group)]);
        return;
      case "file": {
        const content = contentOf(item);
        copied.values += 1;
        copied.bytes += content.bytes.length - 1;
        this.#size += content.bytes.length;
        this.#entries.push([path, content]);
      }
    }
  }

  async #store(): Promise<void> {
    const entries = this.#entries;
    this.#entries = [];
    this.#size = 0;
    try {
      await this.#paths.copyIn(entries);
    } catch (error) {
      const { code, message } = failureOf(error);
      if (code !== "ZEOLITE_KEY_SIZE") throw error;
      const length = (path: string) => new TextEncoder().encode(path).length;
      const [longest] = entries.map(([path]) => path).sort((a, b) => length(b) - length(a));
      throw new CliError(code, EXIT.input, `${message}: ${JSON.stringify(longest)}`);
    }
    if (isInterrupted()) throw new Interrupted();
  }
}
