/**
 * Packages that only `bench/` installs, imported by names that the compiler does not see: who
 * checks the types of a clone need not have them.
 */
import { existsSync, readFileSync } from "node:fs";

/** Where a package lies if it is installed. */
function folderOf(name: string): URL {
  return new URL(`../node_modules/${name}/package.json`, import.meta.url);
}

/** Whether `bench/` has a package. */
export function isInstalled(name: string): boolean {
  return existsSync(folderOf(name));
}

/** The version of an installed package. */
export function versionOf(name: string): string {
  return JSON.parse(readFileSync(folderOf(name), "utf8")).version;
}

/** Imports a package or a module of the runtime. */
export async function importModule<T>(name: string): Promise<T> {
  return await import(name);
}
