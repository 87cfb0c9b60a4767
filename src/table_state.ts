/**
 * A table as a session knows it: its index in the engine and its encodings, shared by every Table
 * object of that name in the thread. The encodings are those kept in the store; where the table
 * does not exist yet, those asked for, or the defaults, with which the first write creates it.
 */
import { type KeyCodec, keyCodecs } from "./codec/key.ts";
import { encodeText, readText } from "./codec/text.ts";
import {
  CODEC_ID,
  putBytes,
  unknownCodec,
  type ValueBytes,
  valueEncodings,
} from "./codec/value.ts";
import { typeError, ZeoliteError } from "./error.ts";
import { failure } from "./library.ts";
import type { TableSettings } from "./options.ts";
import type { Session } from "./session.ts";

/** What the store keeps of a table's options. */
export interface Attributes {
  /** The key encoding. */
  readonly keys: KeyCodec;
  /** The value encoding. */
  readonly values: EncodingName;
}

/** A value encoding without the means to use it. */
export interface EncodingName {
  /** Its number. */
  readonly id: number;
  /** Its name, or that of the codec. */
  readonly name: string;
}

/** Whether two value encodings are one. */
function isSame(a: EncodingName, b: EncodingName): boolean {
  return a.id === b.id && a.name === b.name;
}

/** The tables of each session, by name. */
const known: WeakMap<Session, Map<string | null, TableState>> = new WeakMap();

/** One table in one session. */
export class TableState {
  /** Null for the unnamed one. */
  readonly name: string | null;
  /** Its number in the session. */
  readonly index: number;
  /** How its keys become bytes. */
  keys: KeyCodec = keyCodecs[0]!;
  /** How its values become bytes. */
  values: ValueBytes = valueEncodings[0]!;
  /** Whether the store is known to have the table, with these encodings. */
  isKept = false;
  /** Whether its values seem not to be small: those that ranges came to last were not. */
  hasLarge = false;
  #wanted: TableSettings = { keys: undefined, values: undefined };
  #isDropped = false;

  constructor(name: string | null, index: number) {
    this.name = name;
    this.index = index;
  }

  /** The table as an error names it. */
  get title(): string {
    return this.name === null ? "the unnamed table" : `table ${JSON.stringify(this.name)}`;
  }

  /** Brings options together with what the store keeps; throws if they contradict it. */
  agree(session: Session, settings: TableSettings): void {
    const kept = readAttributes(session, 0, this.index);
    const wanted = this.#wanted;
    this.#isDropped = false;
    this.isKept = kept !== null;
    const keys = kept?.keys ?? wanted.keys;
    const values = kept?.values ?? wanted.values;
    const { keys: givenKeys, values: givenValues } = settings;
    if (keys !== undefined && givenKeys !== undefined && keys !== givenKeys) {
      throw this.#contradiction("keyEncoding", keys.name, givenKeys.name);
    }
    if (values !== undefined && givenValues !== undefined && !isSame(values, givenValues)) {
      throw this.#contradiction("encoding", values.name, givenValues.name);
    }
    this.keys = keys ?? givenKeys ?? keyCodecs[0]!;
    this.values = kept === null
      ? givenValues ?? wanted.values ?? valueEncodings[0]!
      : this.#valuesOf(kept.values, givenValues);
    this.#wanted = { keys: givenKeys ?? wanted.keys, values: givenValues ?? wanted.values };
    this.#tellEngine(session);
  }

  /**
   * Takes what the store keeps after all: somebody else created the table meanwhile. A table that
   * was dropped and that nobody made again goes on with the encodings it had.
   */
  adopt(session: Session): void {
    const isGone = this.#isDropped && readAttributes(session, 0, this.index) === null;
    this.agree(session, isGone ? { keys: this.keys, values: this.values } : this.#wanted);
  }

  /** The table was dropped: the next one of this name may be another. */
  forget(): void {
    this.#wanted = { keys: undefined, values: undefined };
    this.#isDropped = true;
    this.isKept = false;
  }

  #valuesOf(kept: EncodingName, given: ValueBytes | undefined): ValueBytes {
    if (kept.id !== CODEC_ID) return valueEncodings[kept.id]!;
    if (given !== undefined) return given;
    return isSame(kept, this.values) ? this.values : unknownCodec(kept.name);
  }

  #contradiction(option: string, kept: string, given: string): TypeError {
    return typeError(
      "ZEOLITE_OPTIONS",
      `Cannot open ${this.title}: it has ${option} "${kept}", the options say "${given}"; ` +
        "leave it out to adopt what is kept",
    );
  }

  #tellEngine(session: Session): void {
    const isCodec = this.values.id === CODEC_ID;
    const name = isCodec ? encodeText(this.values.name) : new Uint8Array();
    putBytes(session.scratch.data, name, 0, name.length);
    const { keys, values } = this;
    const { call, handle } = session;
    const result = call.table_set_attributes(handle, this.index, keys.id, values.id, name.length);
    if (result < 0) throw failure(result, `open ${this.title}`);
  }
}

/** The table of a name, with options brought together with what the store keeps. */
export function tableState(
  session: Session,
  name: string | null,
  nameBytes: Uint8Array,
  settings: TableSettings,
): TableState {
  let tables = known.get(session);
  if (tables === undefined) known.set(session, tables = new Map());
  let state = tables.get(name);
  if (state === undefined) {
    state = new TableState(name, name === null ? 0 : openTable(session, nameBytes));
    tables.set(name, state);
  }
  state.agree(session, settings);
  return state;
}

/** The table of a name if this session has used it. */
export function knownTable(session: Session, name: string): TableState | undefined {
  return known.get(session)?.get(name);
}

/** The engine's index of a named table. */
export function openTable(session: Session, nameBytes: Uint8Array): number {
  session.scratch.keyA.bytes.set(nameBytes);
  const index = session.call.table_open(session.handle, nameBytes.length);
  if (index < 0) throw failure(index, "open a table");
  return index;
}

/** What a state of the store keeps of a table's options; null if the table does not exist there. */
export function readAttributes(session: Session, scope: number, index: number): Attributes | null {
  const { call, handle, words, scratch } = session;
  session.pin();
  const result = call.table_attributes(handle, scope, index);
  if (result < 0) throw failure(result, "open a table");
  if (result === 0) return null;
  const keys = keyCodecs[words[0]!];
  const encoding = words[1]!;
  const name = encoding === CODEC_ID
    ? readText(scratch.source, 0, words[4]!)
    : valueEncodings[encoding]?.name;
  if (keys === undefined || name === undefined) {
    throw new ZeoliteError(
      "ZEOLITE_VERSION",
      "Cannot open a table: it has an encoding that this version does not know; update zeolite",
    );
  }
  return { keys, values: { id: encoding, name } };
}
