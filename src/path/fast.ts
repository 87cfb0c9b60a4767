/**
 * The table of the fast variants: bytes at paths, and nothing besides. No path is normalised, no
 * link followed, no group made, no marker kept; so it is a table of its own, beside the table of
 * paths, and neither sees what is in the other.
 */
import { Access, Held } from "../access.ts";
import { type Key, type KeyCodec, keyCodecOf } from "../codec/key.ts";
import type { Area } from "../codec/text.ts";
import { valueEncodingOf } from "../codec/value.ts";
import { tableName, type TableSettings } from "../options.ts";
import type { Session } from "../session.ts";
import { StoreTable } from "../table.ts";
import { openTable, TableState, tableState } from "../table_state.ts";

/** A path as the fast variants take it: text, or its UTF-8 bytes. */
export type FastPath = string | Uint8Array;

const text: KeyCodec = keyCodecOf("string")!;
const bytes: KeyCodec = keyCodecOf("binary")!;
/** Text, which may be given as its bytes. */
const paths: KeyCodec = {
  ...text,
  encode: (area: Area, key: Key) =>
    typeof key === "string" ? text.encode(area, key) : bytes.encode(area, key),
};
const settings: TableSettings = { keys: text, values: valueEncodingOf("binary")! };

/** The table as its session knows it, but for its keys, which can also be given as bytes. */
class FastState extends TableState {
  readonly #name: string;

  constructor(session: Session, name: string) {
    super(name, openTable(session, tableName(name, session.keySizeMax)));
    this.#name = name;
    this.agree(session);
  }

  override agree(session: Session): void {
    const name = tableName(this.#name, session.keySizeMax);
    const { values, isKept } = tableState(session, this.#name, name, settings);
    this.keys = paths;
    this.values = values;
    this.isKept = isKept;
  }
}

/** The table of the fast variants, whose writes wait for no flush. */
export function fastTable(access: Access, name: string): StoreTable<Uint8Array, FastPath> {
  access.assertOpen("use the fast variants");
  const { session } = access;
  const unflushed = new Access(session, { ...access.settings, durability: "none" });
  // It ends with the Store.
  new Held(access, () => {
    unflushed.isClosed = true;
  });
  return new StoreTable(unflushed, new FastState(session, name));
}
