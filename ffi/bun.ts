/**
 * The library on Bun: one dictionary from the words of the boundary to those of `bun:ffi`, and one
 * loop over the rows. It is given the module, because only Bun can import it.
 */
import { symbolPrefix } from "./abi.ts";
import type { Calls, Pointer, Rows, Runtime, Word } from "./native.ts";

/** The part of the module `bun:ffi` that is used here. */
export interface BunFfi {
  dlopen(path: string, symbols: Record<string, BunSymbol>): { symbols: Record<string, unknown> };
  toArrayBuffer(
    pointer: number,
    offset: number,
    size: number,
    endContext?: number,
    end?: number,
  ): ArrayBuffer;
}

interface BunSymbol {
  args: string[];
  returns: string;
}

const words: Readonly<Record<Word, string>> = {
  u32: "u32",
  i32: "i32",
  f64: "f64",
  void: "void",
  buffer: "buffer",
  pointer: "ptr",
};

/** Makes the runtime from its module. */
export function bunRuntime(ffi: BunFfi): Runtime {
  return {
    title: "Bun",
    open<Described extends Rows>(path: string, rows: Described): Calls<Described> {
      const wanted: Record<string, BunSymbol> = {};
      for (const [name, row] of Object.entries(rows)) {
        wanted[symbolPrefix + name] = {
          args: row.parameters.map(([, word]) => words[word]),
          returns: words[row.result],
        };
      }
      const { symbols } = ffi.dlopen(path, wanted);
      const calls = Object.keys(rows).map((name) => [name, symbols[symbolPrefix + name]]);
      return Object.fromEntries(calls);
    },
    bytes(pointer: Pointer, offset: number, size: number): ArrayBuffer {
      return ffi.toArrayBuffer(pointer as number, offset, size);
    },
    lent(pointer: Pointer, size: number, end: Pointer): ArrayBuffer {
      return ffi.toArrayBuffer(pointer as number, 0, size, pointer as number, end as number);
    },
    copiesCheaply: true,
    windowMax: 32 * 1024 * 1024,
  };
}
