/**
 * removeRange: what lies between two bounds, cut out as whole subtrees. A limit or an offset is
 * turned into bounds first, by looking at the one or two keys where the part to remove ends.
 */
import { rangeFlags } from "../ffi/abi.ts";
import { failure } from "./library.ts";
import { type Bounds, placeBounds } from "./range.ts";
import { type Target, writeError } from "./write.ts";

/** Removes what lies between bounds; how many entries. */
export function removeBetween(target: Target, bounds: Bounds): number {
  const { session, table, writer } = target;
  const { call, handle, words } = session;
  const exact = withoutLimit(target, bounds);
  writer.operations += 1;
  if (exact === null) return 0;
  const flags = placeBounds(session, { ...exact, isReverse: false }, false);
  const lower = exact.lower?.bytes.length ?? 0;
  const upper = exact.upper?.bytes.length ?? 0;
  const result = call.remove_range(handle, writer.handle, table.index, flags, lower, upper);
  if (result < 0) throw writeError(target, result, "remove a range");
  return words[0]!;
}

/** The same part of the table by bounds alone; null if it is empty. */
function withoutLimit(target: Target, bounds: Bounds): Bounds | null {
  const { offset, limit, isReverse } = bounds;
  if (limit === 0) return null;
  let { lower, upper } = bounds;
  if (offset > 0) {
    const first = keyAt(target, bounds, offset);
    if (first === null) return null;
    if (isReverse) upper = { bytes: first, isIncluded: true };
    else lower = { bytes: first, isIncluded: true };
  }
  const behind = limit === Infinity ? null : keyAt(target, bounds, offset + limit);
  if (behind !== null) {
    if (isReverse) lower = { bytes: behind, isIncluded: false };
    else upper = { bytes: behind, isIncluded: false };
  }
  return { lower, upper, isReverse, offset: 0, limit: Infinity };
}

/** Keys need no block. */
const NO_BLOCK: Uint8Array = new Uint8Array();

/** The key at a place of a range, counted from its beginning; null if it has fewer. */
function keyAt(target: Target, bounds: Bounds, place: number): Uint8Array | null {
  const { session, table, writer } = target;
  const { call, handle, words } = session;
  const flags = placeBounds(session, bounds, true) | rangeFlags.keys_only;
  words[0] = place;
  words[1] = 1;
  const lower = bounds.lower?.bytes.length ?? 0;
  const upper = bounds.upper?.bytes.length ?? 0;
  const range = call.range_open(handle, writer.handle, table.index, flags, lower, upper);
  if (range < 0) throw failure(range, "remove a range");
  const row = new Uint32Array(2 + (session.keySizeMax >> 2));
  const bytes = new Uint8Array(row.buffer);
  const rows = call.range_next(handle, range, 1, bytes, bytes.length, NO_BLOCK, 0);
  call.range_close(handle, range);
  if (rows < 0) throw failure(rows, "remove a range");
  return rows === 0 ? null : bytes.subarray(8, 8 + row[0]!);
}
