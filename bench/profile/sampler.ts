/**
 * The suite's own sampler (`native/sampler.zig`), for where there is no `perf` or no right to it:
 * stacks of the thread that starts it, by the processor time of that thread, with the names that
 * the files have. On Linux.
 */
import { readFileSync, statSync } from "node:fs";
import process from "node:process";
import { type BunFfi, bunRuntime } from "../../ffi/bun.ts";
import { denoRuntime } from "../../ffi/deno.ts";
import type { Calls } from "../../ffi/native.ts";
import { type Names, readNames } from "./elf.ts";
import { addStack, frameName, type Stacks } from "./stacks.ts";

/** The functions, without the prefix of their symbols. */
const functions = {
  sampler_start: { parameters: [["interval_us", "u32"]], result: "i32" },
  sampler_stop: { parameters: [], result: "u32" },
  sampler_frames: { parameters: [["sample", "u32"]], result: "u32" },
  sampler_address: { parameters: [["sample", "u32"], ["index", "u32"]], result: "f64" },
  sampler_free: { parameters: [], result: "void" },
} as const;

/** Microseconds between two samples: the kernel looks at its own beat, and not more often. */
const INTERVAL_US = 1000;
/** Files that are larger are runtimes, whose functions are of no interest here. */
const FILE_SIZE_MAX = 32 << 20;
/** A line of `/proc/self/maps`. */
const MAP = /^([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) \S+ \S+ *(.*)$/;

/** A part of the memory, and the file that is there. */
interface Mapping {
  readonly begin: number;
  readonly end: number;
  /** Where in the file it begins. */
  readonly offset: number;
  readonly file: string;
}

/** What `/proc/self/maps` says. */
export function readMaps(text: string): Mapping[] {
  return text.split("\n").flatMap((line) => {
    const [, begin, end, offset, file] = MAP.exec(line) ?? [];
    if (begin === undefined) return [];
    const [from, to, at] = [begin, end!, offset!].map((hex) => Number.parseInt(hex, 16));
    return [{ begin: from!, end: to!, offset: at!, file: file === "" ? "[anon]" : file! }];
  });
}

/** Turns addresses into names. */
class Namer {
  readonly #maps: readonly Mapping[] = readMaps(readFileSync("/proc/self/maps", "utf8"));
  readonly #files: Map<string, Names> = new Map();
  readonly #known: Map<number, string> = new Map();

  #namesOf(file: string): Names {
    let names = this.#files.get(file);
    if (names === undefined) {
      let bytes = new Uint8Array();
      try {
        if (statSync(file).size <= FILE_SIZE_MAX) {
          bytes = new Uint8Array(readFileSync(file));
        }
      } catch {
        // It is no file, or gone.
      }
      names = readNames(bytes);
      this.#files.set(file, names);
    }
    return names;
  }

  name(address: number): string {
    let name = this.#known.get(address);
    if (name === undefined) {
      const map = this.#maps.find(({ begin, end }) => address >= begin && address < end);
      const found = map === undefined
        ? undefined
        : this.#namesOf(map.file).at(address - map.begin + map.offset);
      name = frameName(found ?? "[unknown]", map?.file ?? "[unknown]");
      this.#known.set(address, name);
    }
    return name;
  }
}

/** The sampler, running. */
export class Sampler {
  readonly #call: Calls<typeof functions>;

  /** Starts it, for the thread that calls. Throws where the system does not let it. */
  constructor(path: string) {
    const runtime = process.versions["bun"] === undefined
      ? denoRuntime()
      : bunRuntime(process.getBuiltinModule("bun:ffi") as unknown as BunFfi);
    this.#call = runtime.open(path, functions);
    const code = this.#call.sampler_start(INTERVAL_US);
    if (code !== 0) {
      throw new Error(`Cannot sample: the system gives no timer (${code})`);
    }
  }

  /** Ends it; what it saw. */
  stop(): Stacks {
    const count = this.#call.sampler_stop();
    const namer = new Namer();
    const stacks = new Map<string, number>();
    for (let sample = 0; sample < count; sample += 1) {
      const depth = this.#call.sampler_frames(sample);
      const frames: string[] = [];
      for (let index = 0; index < depth; index += 1) {
        const address = this.#call.sampler_address(sample, index);
        // What is returned to stands behind the call: the call is meant.
        frames.unshift(namer.name(index === 0 ? address : address - 1));
      }
      addStack(stacks, frames, 1);
    }
    this.#call.sampler_free();
    return stacks;
  }
}
