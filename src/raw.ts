/**
 * Tables below their encodings, for what shows or copies them whole: how each is kept, and its rows
 * as stored bytes. Not a part of the public interface.
 */
import { type Key, keyCodecOf, type KeyEncoding } from "./codec/key.ts";
import { sourceOf } from "./codec/text.ts";
import { CODEC_ID, unknownCodec, valueEncodingOf } from "./codec/value.ts";
import { describe, typeError } from "./error.ts";
import { tableName } from "./options.ts";
import type { RangeIterable } from "./range.ts";
import { TableReader } from "./reader.ts";
import { PinnedSnapshot, type Snapshot } from "./scope.ts";
import { accessOf, type Store } from "./store.ts";
import { openTable, readAttributes, tableState } from "./table_state.ts";

/** What stands before the name of a codec, to tell it from an encoding. */
const CODEC_PREFIX = "codec:";

/** How the keys and values of a table are kept. */
export interface TableAttributes {
  /** The encoding of its keys. */
  readonly keyEncoding: KeyEncoding;
  /** The encoding of its values; a codec is `codec:` and its name. */
  readonly encoding: string;
}

/** A row as it is stored. */
export interface RawRow {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** How a table is kept; undefined if there is no such table. Null names the unnamed one. */
export function tableAttributes(store: Store, name: string | null): TableAttributes | undefined {
  const access = accessOf(store);
  access.assertOpen("look at a table");
  const { session } = access;
  const index = name === null ? 0 : openTable(session, tableName(name, session.keySizeMax));
  const kept = readAttributes(session, 0, index);
  if (kept === null) return undefined;
  const { id, name: encoding } = kept.values;
  return {
    keyEncoding: kept.keys.name,
    encoding: id === CODEC_ID ? CODEC_PREFIX + encoding : encoding,
  };
}

/** The rows of a table in a snapshot, as they are stored, whatever its encodings. */
export function rawRange(
  store: Store,
  name: string | null,
  snapshot: Snapshot,
): RangeIterable<RawRow> {
  const access = accessOf(store);
  const { session } = access;
  if (!(snapshot instanceof PinnedSnapshot) || snapshot.session !== session) {
    throw typeError(
      "ZEOLITE_OPTIONS",
      `Cannot read at ${describe(snapshot)}: pass a snapshot of the same store`,
    );
  }
  const bytes = name === null ? new Uint8Array() : tableName(name, session.keySizeMax);
  const state = tableState(session, name, bytes, { keys: undefined, values: undefined });
  return new TableReader(access, state, snapshot).rawRange();
}

/** A key from its stored bytes. */
export function decodeKey(bytes: Uint8Array, keyEncoding: KeyEncoding): Key {
  return keyCodecOf(keyEncoding)!.decode(sourceOf(bytes), 0, bytes.length);
}

/** A value from its stored bytes; those of a codec cannot be read without it. */
export function decodeValue(bytes: Uint8Array, encoding: string): unknown {
  const known = valueEncodingOf(encoding) ?? unknownCodec(encoding.slice(CODEC_PREFIX.length));
  return known.decode(sourceOf(bytes), 0, bytes.length, true);
}
