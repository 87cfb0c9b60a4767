/**
 * A store of values at slash-separated paths, with groups (folders) and links (symbolic links).
 *
 * @example
 * ```ts
 * import { open } from "zeolite";
 * import { openPaths } from "zeolite/path";
 *
 * using store = open("files.zeo");
 * const paths = openPaths(store);
 * await paths.write("cities/de/freiberg", "Freiberg");
 * console.log(paths.list("cities/de")); // [ "freiberg" ]
 * ```
 *
 * @module
 */
export { openPaths, type PathOptions, type PathStore, type PathType } from "./store.ts";
