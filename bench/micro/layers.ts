/** The library of single layers (`native/layers.zig`), and what it can be asked for. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { type BunFfi, bunRuntime } from "../../ffi/bun.ts";
import { denoRuntime } from "../../ffi/deno.ts";
import type { Calls } from "../../ffi/native.ts";
import { isExecutable } from "../../ffi/runtimes.ts";
import { extractLibrary } from "../embedded.ts";
import { type Measurement, measureTurns, type Settings } from "./measure.ts";

/** The functions, without the prefix of their symbols. */
const functions = {
  layers_prepare: {
    parameters: [["operation", "u32"], ["page_size", "u32"], ["count", "u32"], ["width", "u32"]],
    result: "i32",
  },
  layers_turn: { parameters: [], result: "f64" },
  layers_pages: { parameters: [], result: "f64" },
  layers_finish: { parameters: [], result: "void" },
  layers_width_best: { parameters: [], result: "i32" },
} as const;

/** In the order of `native/layers.zig`. */
const OPERATIONS = [
  "search",
  "get",
  "cursor",
  "insert_fit",
  "insert_split",
  "delete",
  "page_create",
  "allocate",
  "allocate_group",
  "allocate_run",
  "release",
  "release_run",
] as const;

/** Something that the library measures. */
export type Operation = typeof OPERATIONS[number];

/** Sets of vectors, the narrowest first. */
const WIDTHS = ["baseline", "v3", "v4"] as const;

/** What one measurement is of. */
export interface Case {
  readonly operation: Operation;
  readonly pageSize: number;
  /** Entries, or pages. */
  readonly count: number;
  /** A set of vectors, by its place; the widest if left out. */
  readonly width?: number;
  readonly variant: string;
}

/** The result of a case that cannot be done: so many entries do not fit a page. */
const IMPOSSIBLE = -2;

/** Names another file to load, one with the names of its functions. */
export const LAYERS = "ZEOLITE_LAYERS";

/** Where the library is that was named, or that a clone has. */
function builtLibrary(): string {
  const named = process.env[LAYERS];
  if (named !== undefined) return named;
  const name = process.platform === "darwin" ? "liblayers.dylib" : "liblayers.so";
  const path = fileURLToPath(new URL(`../../zig-out/lib/${name}`, import.meta.url));
  if (existsSync(path)) return path;
  throw new Error(`Cannot measure layers: ${path} is missing; run "npm run bench btree_ops"`);
}

/** The library, open. */
export class Layers {
  readonly #call: Calls<typeof functions>;

  /** Opens it. Throws if `zig build bench-layers` has not been run. */
  constructor() {
    const runtime = process.versions["bun"] === undefined
      ? denoRuntime()
      : bunRuntime(process.getBuiltinModule("bun:ffi") as unknown as BunFfi);
    if (!isExecutable || process.env[LAYERS] !== undefined) {
      this.#call = runtime.open(builtLibrary(), functions);
      return;
    }
    const folder = mkdtempSync(join(tmpdir(), "zeolite-layers-"));
    try {
      const path = extractLibrary("liblayers.so", folder);
      if (path === undefined) throw new Error("Cannot measure layers: they are not in here");
      this.#call = runtime.open(path, functions);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /** The sets of vectors that this processor runs. */
  widths(): readonly (readonly [place: number, name: string])[] {
    const best = this.#call.layers_width_best();
    return WIDTHS.slice(0, best + 1).map((name, place) => [place, name] as const);
  }

  /** Measures a case; nothing where it cannot be done. */
  async measure(wanted: Case, settings: Settings): Promise<Measurement | undefined> {
    const { operation, pageSize, count, variant } = wanted;
    const width = wanted.width ?? this.#call.layers_width_best();
    const code = this.#call.layers_prepare(OPERATIONS.indexOf(operation), pageSize, count, width);
    if (code === IMPOSSIBLE) return undefined;
    if (code < 0) throw new Error(`Cannot measure ${operation}: it failed`);
    try {
      const turn = () => {
        const time = this.#call.layers_turn();
        if (time < 0) throw new Error(`Cannot measure ${operation}: it failed`);
        return time;
      };
      const measured = await measureTurns(operation, variant, turn, settings);
      const pages = this.#call.layers_pages();
      return pages === 0 ? measured : { ...measured, note: `${pages} pages a turn` };
    } finally {
      this.#call.layers_finish();
    }
  }
}
