/**
 * The library as src uses it: loaded at the first open(), its failures turned into errors with
 * codes. The only file of src that knows where the library comes from; nothing in src knows which
 * runtime loads it.
 */
import { codes } from "../ffi/abi.ts";
import { loadNative } from "../ffi/library.ts";
import { codeName, type Native } from "../ffi/native.ts";
import { copying } from "./codec/copy.ts";
import { errorOf, type ZeoliteCode, ZeoliteError } from "./error.ts";

/** The loaded library. */
export type Library = Native;
/** Its functions. */
export type Calls = Native["call"];
/** An address in native memory. */
export type { Pointer } from "../ffi/native.ts";

/** Results of calls that src acts on instead of throwing. */
export const NOT_FOUND: number = codes.not_found.number;
export const LARGE: number = codes.large.number;
export const OPTIONS: number = codes.options.number;

/** Failures of one operation: they leave its transaction as it was before. */
const OPERATION_FAILURES: ReadonlySet<number> = new Set([
  codes.not_found.number,
  codes.key_size.number,
  codes.value_size.number,
  codes.key_order.number,
  codes.key_type.number,
  codes.txn_ended.number,
  codes.options.number,
]);

const MESSAGE_SIZE_MAX = 4096;

let loaded: Library | undefined;

/**
 * The library, loaded if it was not yet.
 *
 * @throws {ZeoliteError} ZEOLITE_LIBRARY if it is missing, stale or not for this machine.
 */
export function library(): Library {
  if (loaded !== undefined) return loaded;
  try {
    loaded = loadNative();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new ZeoliteError("ZEOLITE_LIBRARY", text, { cause: error });
  }
  copying.isPooled = !loaded.copiesCheaply;
  copying.into = loaded.call.bytes_copy;
  copying.lend = lender(loaded);
  return loaded;
}

/** What lends memory of the engine, where the runtime can have it given back. */
function lender({ call, lent }: Library): typeof copying.lend {
  const end = lent === null ? null : call.lend_end();
  if (lent === null || end === null) return null;
  return (size) => {
    const pointer = call.lend(size);
    return pointer === null ? null : lent(pointer, size, end);
  };
}

/** Whether a failure of a write concerns that operation alone. */
export function isOperationFailure(result: number): boolean {
  return OPERATION_FAILURES.has(result);
}

/**
 * The error of a failed call.
 *
 * @param result The negative number it returned.
 * @param doing What was attempted, as in `Cannot <doing>: `.
 */
export function failure(result: number, doing: string): Error {
  const code: ZeoliteCode = codeName(result) ?? "ZEOLITE_LIBRARY";
  const buffer = new Uint8Array(new ArrayBuffer(MESSAGE_SIZE_MAX));
  const size = library().call.message(buffer, buffer.length);
  const found = size > 0
    ? new TextDecoder().decode(buffer.subarray(0, size))
    : `the engine answered ${result} (${code})`;
  return errorOf(code, `Cannot ${doing}: ${found}`);
}
