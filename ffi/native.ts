/**
 * What a loaded library looks like to the rest of the program, whatever the runtime: its functions,
 * typed by the rows of `abi.ts` alone, and a way to see native memory. Nothing here loads anything.
 */
import { codes, type functions } from "./abi.ts";

/** A word of the boundary: everything that a function takes or gives. */
export type Word = "u32" | "i32" | "f64" | "void" | "buffer" | "pointer";

/** An address of native memory; what it looks like is the runtime's business. */
export type Pointer = number | { readonly [key: symbol]: unknown };

/** The value of each word in JavaScript. */
interface Values {
  u32: number;
  i32: number;
  f64: number;
  void: void;
  buffer: Uint8Array;
  pointer: Pointer | null;
}

/** A function of the library, as `abi.ts` writes it. */
export interface Row {
  readonly parameters: readonly (readonly [name: string, word: Word])[];
  readonly result: Word;
}

/** Functions by name, without the prefix of their symbols. */
export type Rows = Readonly<Record<string, Row>>;

type Arguments<Parameters extends Row["parameters"]> = {
  -readonly [Index in keyof Parameters]: Values[Parameters[Index][1]];
};

/** The functions that rows describe, callable. */
export type Calls<Described extends Rows> = {
  readonly [Name in keyof Described]: (
    ...values: Arguments<Described[Name]["parameters"]>
  ) => Values[Described[Name]["result"]];
};

/** What a runtime can do with a shared library; `bun.ts` and `deno.ts` each make one. */
export interface Runtime {
  /** Its name, for texts. */
  readonly title: string;
  /** Opens a library and finds the symbols of `rows`; throws what the runtime throws. */
  open<Described extends Rows>(path: string, rows: Described): Calls<Described>;
  /** Native memory as an ArrayBuffer: the same bytes, no copy, valid as long as they are. */
  bytes(pointer: Pointer, offset: number, size: number): ArrayBuffer;
  /**
   * Native memory as an ArrayBuffer that owns it: the function at `end` is called with its address
   * once nobody can reach it any more, wherever the buffer was moved to. Null where the runtime
   * cannot do that.
   */
  readonly lent: ((pointer: Pointer, size: number, end: Pointer) => ArrayBuffer) | null;
  /** Whether copying a small value costs no more than making a view of it. */
  readonly copiesCheaply: boolean;
  /** The greatest window worth making, bytes: a runtime may charge a whole window to its heap. */
  readonly windowMax: number;
}

/** The loaded library. */
export interface Native extends Omit<Runtime, "open"> {
  /** The file it was loaded from. */
  readonly path: string;
  /** Each exported function. */
  readonly call: Calls<typeof functions>;
}

/** A code as callers see it. */
export type CodeName = (typeof codes)[keyof typeof codes]["name"];

const names: ReadonlyMap<number, CodeName> = new Map(
  Object.values(codes).map((code) => [code.number, code.name]),
);

/** The name of a negative result, or `undefined` if no code has that number. */
export function codeName(result: number): CodeName | undefined {
  return names.get(result);
}

/** The library cannot be loaded, or does not fit this program. */
export class LibraryError extends Error {
  /** The code of the public contract. */
  readonly code = "ZEOLITE_LIBRARY";
  /** The name of the class. */
  override readonly name: string = "LibraryError";
}
