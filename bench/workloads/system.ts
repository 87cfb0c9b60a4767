/**
 * Two calls of the C library over the FFI of the runtime at hand, for the floor of a durable
 * commit: what is left between JavaScript and the system is one call of some nanoseconds.
 */
import process from "node:process";

/** The calls. */
export interface System {
  pwrite(
    descriptor: number,
    bytes: Uint8Array<ArrayBuffer>,
    size: number,
    offset: number,
  ): number;
  fdatasync(descriptor: number): number;
}

const LIBRARY = process.platform === "darwin" ? "libSystem.dylib" : "libc.so.6";
/** macOS has no fdatasync to speak of. */
const FLUSH = process.platform === "darwin" ? "fsync" : "fdatasync";

/** The part of `bun:ffi` that is used here. */
interface BunFfi {
  dlopen(
    path: string,
    symbols: Record<string, { args: string[]; returns: string }>,
  ): { symbols: Record<string, (...args: unknown[]) => number> };
}

function openInBun(): System {
  const ffi = process.getBuiltinModule("bun:ffi") as unknown as BunFfi;
  const { symbols } = ffi.dlopen(LIBRARY, {
    pwrite: { args: ["i32", "ptr", "usize", "i64"], returns: "i32" },
    [FLUSH]: { args: ["i32"], returns: "i32" },
  });
  return {
    pwrite: symbols["pwrite"] as System["pwrite"],
    fdatasync: symbols[FLUSH] as System["fdatasync"],
  };
}

function openInDeno(): System {
  const { symbols } = Deno.dlopen(LIBRARY, {
    pwrite: { parameters: ["i32", "buffer", "usize", "i64"], result: "i32" },
    flush: { name: FLUSH, parameters: ["i32"], result: "i32" },
  });
  return {
    pwrite: (descriptor, bytes, size, offset) => {
      return symbols.pwrite(descriptor, bytes, BigInt(size), BigInt(offset));
    },
    fdatasync: (descriptor) => symbols.flush(descriptor),
  };
}

/** Opens the C library. */
export function openSystem(): System {
  return process.versions["bun"] === undefined ? openInDeno() : openInBun();
}
