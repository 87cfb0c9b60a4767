/**
 * Paths as text: parts with slashes between. The root is the empty path. A path is kept in one form
 * alone, without empty parts and without a slash at either end; "." and ".." mean nothing here and
 * are refused, so that what is written under a name is found under that name.
 */
import { describe, errorOf } from "../error.ts";

const SLASH = 47;
const DOT = 46;

const ANY = "[^/\\x80-\\uffff]";
const NO_DOT = "[^/.\\x80-\\uffff]";
const PART = `(?:${NO_DOT}|\\.${NO_DOT}|\\.\\.${ANY})${ANY}*`;
/**
 * A path of ASCII that has its one form, no part of it "." or "..". Where a part ends is never in
 * question, so this takes time by the size of the path.
 */
const PLAIN: RegExp = new RegExp(`^${PART}(?:/${PART})*$`);
/** Characters of a path up to which that is asked first. */
const PLAIN_MAX = 255;

/** The path of the group that everything else is in. */
export const ROOT = "";

/** A path that cannot be, or cannot be used for this. */
export function invalidPath(doing: string, path: unknown, why: string): Error {
  return errorOf("PATH_INVALID", `Cannot ${doing} ${describe(path)}: ${why}`);
}

/**
 * The one form of a path.
 *
 * @throws {ZeoliteError} PATH_INVALID for what is no path.
 */
export function normalPath(path: unknown, doing: string): string {
  if (typeof path !== "string") throw invalidPath(doing, path, "pass a path, as a string");
  const size = path.length;
  if (size <= PLAIN_MAX && PLAIN.test(path)) return path;
  let isNormal = true;
  let start = 0;
  let seen = 0;
  for (let index = 0; index <= size; index += 1) {
    const code = index < size ? path.charCodeAt(index) : SLASH;
    seen |= code;
    if (code !== SLASH) continue;
    const partSize = index - start;
    if (partSize === 0) isNormal = false;
    else if (partSize <= 2 && isDots(path, start, index)) {
      throw invalidPath(doing, path, 'a part is "." or ".."; name each group');
    }
    start = index + 1;
  }
  if (seen > 0x7f && !path.isWellFormed()) {
    throw invalidPath(doing, path, "it has half of a surrogate pair, which UTF-8 has no bytes for");
  }
  return isNormal ? path : path.split("/").filter((part) => part !== "").join("/");
}

function isDots(path: string, start: number, end: number): boolean {
  return path.charCodeAt(start) === DOT && path.charCodeAt(end - 1) === DOT;
}

/**
 * Whether a path is that of a group, not the root, which has its one form, and then a slash and a
 * plain name: so the path has its one form, too.
 */
export function isPlainIn(path: string, group: string): boolean {
  const size = group.length;
  const end = path.length;
  if (size === 0 || end <= size + 1 || path.charCodeAt(size) !== SLASH) return false;
  if (path.charCodeAt(size + 1) === DOT) return false;
  // Of groups in order the ends differ.
  for (let index = size - 1; index >= 0; index -= 1) {
    if (path.charCodeAt(index) !== group.charCodeAt(index)) return false;
  }
  for (let index = size + 1; index < end; index += 1) {
    const code = path.charCodeAt(index);
    if (code === SLASH || code >= 0x80) return false;
  }
  return true;
}

/** The path of the group that something is in. */
export function parentOf(path: string): string {
  return path.substring(0, Math.max(0, path.lastIndexOf("/")));
}

/** The path of something in a group. */
export function joinPath(group: string, rest: string): string {
  if (group === ROOT) return rest;
  return rest === "" ? group : `${group}/${rest}`;
}

/** What the paths of everything in a group begin with. */
export function prefixOf(group: string): string {
  return group === ROOT ? "" : `${group}/`;
}

/** Whether a path is that of a group or of something in it. */
export function isWithin(path: string, group: string): boolean {
  return path === group || path.startsWith(prefixOf(group));
}
