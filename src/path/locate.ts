/**
 * Following links: from a path as it is named to the place that it means. The deepest part that
 * stands decides, since all groups above it stand; a link there is replaced by where it leads, and
 * the search begins again.
 */
import { describe, errorOf } from "../error.ts";
import { joinPath, ROOT } from "./path.ts";
import { GROUP, Link, type Place } from "./stored.ts";

/** Links that are followed for one path. */
const HOPS_MAX = 32;

/** Who knows what stands at a path as it is named. */
export interface Places {
  lookUp(path: string): Place | undefined;
}

/** The place that a path means. */
export interface Location {
  /** The path without links in it, but for the last part if that was not to be followed. */
  readonly path: string;
  /** What stands there. */
  readonly place: Place | undefined;
  /** The deepest group above it that stands. */
  readonly group: string;
  /** What stands in place of a group above it, or what leads out of the store; so nothing can. */
  readonly blocked: string | undefined;
}

/**
 * Finds the place that a normal path means.
 *
 * @param isFollowed Whether a link in the last part is followed too.
 * @throws {ZeoliteError} PATH_LINK_LOOP after 32 links.
 */
export function locate(reader: Places, path: string, isFollowed: boolean): Location {
  let current = path;
  for (let hops = 0; hops <= HOPS_MAX; hops += 1) {
    const next = step(reader, current, isFollowed);
    if (typeof next !== "string") return next;
    current = next;
  }
  throw errorOf(
    "PATH_LINK_LOOP",
    `Cannot follow ${describe(path)}: more than ${HOPS_MAX} links come one after the other`,
  );
}

/** The place, or the path to look for after one link. */
function step(reader: Places, path: string, isFollowed: boolean): Location | string {
  const place = reader.lookUp(path);
  if (place instanceof Link && isFollowed) {
    return place.target ?? { path, place: undefined, group: ROOT, blocked: path };
  }
  if (place !== undefined) return { path, place, group: ROOT, blocked: undefined };
  for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
    const above = path.slice(0, end);
    const found = reader.lookUp(above);
    if (found === undefined) continue;
    if (found === GROUP) return { path, place: undefined, group: above, blocked: undefined };
    if (found instanceof Link && found.target !== null) {
      return joinPath(found.target, path.slice(end + 1));
    }
    return { path, place: undefined, group: ROOT, blocked: above };
  }
  return { path, place: undefined, group: ROOT, blocked: undefined };
}
