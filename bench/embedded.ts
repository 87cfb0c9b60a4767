/**
 * Files that the single executable has inside it (`npm run compile`), by name: what draws pages,
 * and libraries that must be files to be loaded. Elsewhere there are none, and everything is where
 * it was installed or built.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Paths that only this program can read. */
const inside = new Map<string, string>();

/** Says where a file is. */
export function embedFile(name: string, path: string): void {
  inside.set(name, path);
}

/** Where a file that lies inside this program can be read from. */
export function embeddedFile(name: string): string | undefined {
  return inside.get(name);
}

/** Writes a library that lies inside this program into a folder; its path, if there is one. */
export function extractLibrary(name: string, folder: string): string | undefined {
  const file = inside.get(name);
  if (file === undefined) return undefined;
  const path = join(folder, name);
  writeFileSync(path, readFileSync(file), { mode: 0o500, flag: "wx" });
  return path;
}
