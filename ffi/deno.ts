/**
 * The library on Deno: one dictionary from the words of the boundary to those of `Deno.dlopen`, and
 * one loop over the rows.
 */
import { symbolPrefix } from "./abi.ts";
import type { Calls, Pointer, Rows, Runtime, Word } from "./native.ts";

const words: Readonly<Record<Word, Deno.NativeResultType>> = {
  u32: "u32",
  i32: "i32",
  f64: "f64",
  void: "void",
  buffer: "buffer",
  pointer: "pointer",
};

/** Makes the runtime. */
export function denoRuntime(): Runtime {
  return {
    title: "Deno",
    open<Described extends Rows>(path: string, rows: Described): Calls<Described> {
      const wanted: Record<string, Deno.ForeignFunction> = {};
      for (const [name, row] of Object.entries(rows)) {
        wanted[symbolPrefix + name] = {
          parameters: row.parameters.map(([, word]) => words[word] as Deno.NativeType),
          result: words[row.result],
        };
      }
      const symbols: Record<string, unknown> = Deno.dlopen(path, wanted).symbols;
      const calls = Object.keys(rows).map((name) => [name, symbols[symbolPrefix + name]]);
      return Object.fromEntries(calls);
    },
    bytes(pointer: Pointer, offset: number, size: number): ArrayBuffer {
      const address = pointer as unknown as Deno.PointerObject;
      return Deno.UnsafePointerView.getArrayBuffer(address, size, offset);
    },
    // A finalizer would come too early for a buffer that was transferred.
    lent: null,
    copiesCheaply: false,
    windowMax: Number.MAX_SAFE_INTEGER,
  };
}
