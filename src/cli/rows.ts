/**
 * Rows of a table as the command line shows them. Values of a codec that only another program knows
 * are shown as their stored bytes.
 */
import type { RangeOptions, Reader } from "../mod.ts";
import type { TableAttributes } from "../raw.ts";

interface Source extends TableAttributes {
  readonly table: Reader;
}

export interface ShownRow {
  readonly key: unknown;
  readonly value: unknown;
}

/** Are the values of this table kept by a codec that is not here? */
function isForeign(source: Source): boolean {
  return source.encoding.startsWith("codec:");
}

/** The value of a key; `undefined` if it is not there, or if that is its value. */
export function valueOf(source: Source, key: unknown): unknown {
  return isForeign(source) ? source.table.getBinary(key as never) : source.table.get(key as never);
}

/** The rows of a range; with `keysOnly` their values are undefined. */
export function* rowsOf(
  source: Source,
  range: RangeOptions<never>,
  keysOnly = false,
): Generator<ShownRow> {
  if (keysOnly || isForeign(source)) {
    for (const key of source.table.getKeys(range)) {
      yield { key, value: keysOnly ? undefined : source.table.getBinary(key) };
    }
  } else {
    yield* source.table.getRange(range);
  }
}
