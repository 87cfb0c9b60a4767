/**
 * A table of paths in one state: the values at paths as they are named, without following links,
 * and what stands there without reading it.
 *
 * Invariant of every state: where something stands, all groups above it stand too. So a path that
 * is found as it is named has no link in it, and one lookup tells.
 */
import type { Key } from "../codec/key.ts";
import { failure, LARGE, NOT_FOUND, OPTIONS } from "../library.ts";
import { TableReader } from "../reader.ts";
import type { Session } from "../session.ts";
import { TableState } from "../table_state.ts";
import { ROOT } from "./path.ts";
import { GROUP, pathPlaces, type Place, placeOf, Stamp, type Stored, VALUE } from "./stored.ts";

/** Where a range goes on behind everything below a path: '0' follows '/'. */
const BEHIND = "0";
/** Keys below a member that are passed over one by one before the rest is jumped. */
const PASSED_MAX = 24;

/** A table of paths as lookups that do not read values see it. */
class PlaceState extends TableState {
  readonly #of: TableState;

  constructor(session: Session, of: TableState) {
    super(of.name, of.index);
    this.#of = of;
    this.agree(session);
  }

  override agree(session: Session): void {
    if (!this.#of.isKept) this.#of.adopt(session);
    this.keys = this.#of.keys;
    this.values = pathPlaces;
    this.isKept = this.#of.isKept;
  }
}

/** A table of paths in one state. */
export class PathReader extends TableReader<Stored, string> {
  #placeState: PlaceState | null = null;

  /** What stands at a path; the root always does. */
  lookUp(path: string): Place | undefined {
    if (path === ROOT) return GROUP;
    const { access, state } = this;
    const { session } = access;
    if (access.isClosed) throw access.closed("read");
    if (!state.isKept) state.adopt(session);
    session.pin();
    const { scratch, handle } = session;
    const keySize = state.keys.encode(scratch.keyA, path as Key);
    const size = this.call.get(handle, this.scope.handle, state.index, keySize);
    if (size >= 0) return placeOf(scratch.source, 0, size);
    if (size === NOT_FOUND) return undefined;
    // Only values are ever large.
    if (size === LARGE) return VALUE;
    // The table was made meanwhile: get() takes it as what it is.
    if (size === OPTIONS) return this.get(path) instanceof Uint8Array ? VALUE : this.lookUp(path);
    throw failure(size, "read");
  }

  /** What is stored at the path whose key lies in area A, if that is small and quickly found. */
  getPlaced(keySize: number): Stored | undefined {
    const { access, state } = this;
    const { session } = access;
    if (keySize === 0 || access.isClosed || !state.isKept) return undefined;
    session.pin();
    const size = this.call.get(session.handle, this.scope.handle, state.index, keySize);
    if (size < 0) return undefined;
    return state.values.decode(session.scratch.source, 0, size, false) as Stored;
  }

  /** What stands at many paths, in their order; none of them is the root. */
  places(paths: readonly string[]): (Place | undefined)[] {
    const { access, state, scope } = this;
    this.#placeState ??= new PlaceState(access.session, state);
    return new TableReader<Place, string>(access, this.#placeState, scope).getMany(paths);
  }

  /** The commit that last changed links, 0 if none did. */
  stamp(): number {
    const stored = this.get(ROOT);
    return stored instanceof Stamp ? stored.txnid : 0;
  }

  /** The names directly inside a group, in order. */
  names(group: string): string[] {
    const names: string[] = [];
    const prefix = group === ROOT ? "" : `${group}/`;
    const end = group === ROOT ? {} : { end: group + BEHIND };
    for (let start: string | undefined = prefix; start !== undefined;) {
      start = this.#namesFrom(start, end, prefix.length, names);
    }
    return names;
  }

  /** Adds the names from a path on; where to go on, if much that is deeper was met. */
  #namesFrom(
    start: string,
    end: { end?: string },
    prefixSize: number,
    names: string[],
  ): string | undefined {
    let passed = 0;
    for (const path of this.getKeys({ start, ...end })) {
      if (path === ROOT) continue;
      const slash = path.indexOf("/", prefixSize);
      if (slash < 0) {
        names.push(path.slice(prefixSize));
        passed = 0;
      } else if ((passed += 1) > PASSED_MAX) {
        return path.slice(0, slash) + BEHIND;
      }
    }
    return undefined;
  }

  /** Whether anything is in a group. */
  isEmpty(group: string): boolean {
    return this.getKeys({ prefix: `${group}/`, limit: 1 }).first() === undefined;
  }
}
