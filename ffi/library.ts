/**
 * Finds the library, opens it with the runtime at hand, and makes sure that it was built from the
 * sources that `abi.ts` was written from. It loads once, at the first call, and never downloads.
 *
 * It looks at the path it is given or at the environment variable ZEOLITE_LIBRARY; else in
 * `zig-out/lib`, which only a checkout has; else in the package of this platform.
 */
import process from "node:process";
import { fileURLToPath } from "node:url";
import { fingerprint, functions } from "./abi.ts";
import { type BunFfi, bunRuntime } from "./bun.ts";
import { denoRuntime } from "./deno.ts";
import { LibraryError, type Native, type Runtime } from "./native.ts";

/** Platforms that the library is built for, with the name that it has there. */
const fileNames: Readonly<Record<string, string>> = {
  "linux-x64": "libzeolite.so",
  "linux-arm64": "libzeolite.so",
  "darwin-x64": "libzeolite.dylib",
  "darwin-arm64": "libzeolite.dylib",
};

const variable = "ZEOLITE_LIBRARY";

let loaded: Native | undefined;

/**
 * The library, loaded at the first call; later calls of this thread return the same object.
 *
 * @param path A library to load instead of the one that would be found.
 * @throws LibraryError, naming what was found and what to do.
 */
export function loadNative(path?: string): Native {
  if (loaded !== undefined && (path === undefined || path === loaded.path)) return loaded;
  const runtime = findRuntime();
  loaded = openFirst(runtime, path === undefined ? findCandidates() : [path]);
  return loaded;
}

/** The runtime that runs this. */
function findRuntime(): Runtime {
  if (process.versions["bun"] !== undefined) {
    // A static import of this module would stop Deno from loading this file.
    return bunRuntime(process.getBuiltinModule("bun:ffi") as unknown as BunFfi);
  }
  if ("Deno" in globalThis) return denoRuntime();
  throw refusal(`this is Node.js ${process.version}, which it has no door to`, "run Bun or Deno");
}

/** Paths to try; the first that exists wins. */
function findCandidates(): string[] {
  const chosen = readVariable();
  if (chosen !== undefined && chosen !== "") return [chosen];
  const platform = `${process.platform}-${process.arch}`;
  const name = fileNames[platform];
  if (name === undefined) {
    const known = Object.keys(fileNames).join(", ");
    throw refusal(`there is none for ${platform}, only for ${known}`, `name one in ${variable}`);
  }
  const places = [new URL(`../zig-out/lib/${name}`, import.meta.url).href];
  const packageName = `zeolite-${platform}`;
  try {
    places.push(import.meta.resolve(`${packageName}/${name}`));
  } catch {
    // The package is not installed.
  }
  const files = places.filter((url) => url.startsWith("file:"));
  if (files.length > 0) return files.map((url) => fileURLToPath(url));
  throw refusal(`the package ${packageName} is not installed`, `add it, or set ${variable}`);
}

/** Reads the environment, but never makes Deno ask its user for leave. */
function readVariable(): string | undefined {
  if ("Deno" in globalThis) {
    const { state } = Deno.permissions.querySync({ name: "env", variable });
    if (state !== "granted") return undefined;
  }
  return process.env[variable];
}

function openFirst(runtime: Runtime, candidates: readonly string[]): Native {
  for (const path of candidates) {
    try {
      return openAt(runtime, path);
    } catch (error) {
      if (!isMissing(error, path)) throw explain(error, path);
    }
  }
  const places = candidates.join(" nor at ");
  throw refusal(
    `there is none that fits at ${places}`,
    `build it with "npm run build", or set ${variable}`,
  );
}

function openAt(runtime: Runtime, path: string): Native {
  // The fingerprint first, alone: a stale library may lack a function that is asked for.
  const found = runtime.open(path, { fingerprint: functions.fingerprint }).fingerprint();
  if (found !== fingerprint) {
    throw refusal(
      `${path} is a stale library: its fingerprint is ${found}, this program needs ${fingerprint}`,
      `build both from the same sources with "npm run build", or update the package`,
    );
  }
  const call = runtime.open(path, functions);
  const { title, bytes, lent, copiesCheaply, windowMax } = runtime;
  return { path, title, call, bytes, lent, copiesCheaply, windowMax };
}

function isMissing(error: unknown, path: string): boolean {
  if (error instanceof LibraryError || !(error instanceof Error)) return false;
  const text = error.message;
  // The loader says the same of a file for another processor.
  return text.includes(path) && /no such file/i.test(text);
}

/** The error of an attempt that failed for another reason than a missing file. */
function explain(error: unknown, path: string): Error {
  if (error instanceof LibraryError || !(error instanceof Error)) return error as Error;
  if (error.name === "NotCapable" || error.name === "PermissionDenied") {
    return refusal("Deno runs without the permission to", `add --allow-ffi=${path}`, error);
  }
  if (/symbol/i.test(error.message)) {
    return refusal(`${path} is no Zeolite library`, `point ${variable} at one`, error);
  }
  const found = `${path} does not load here: ${error.message}`;
  return refusal(found, `build it on this machine with "npm run build"`, error);
}

function refusal(found: string, action: string, cause?: Error): LibraryError {
  const options = cause === undefined ? undefined : { cause };
  return new LibraryError(`Cannot load the Zeolite library: ${found}; ${action}`, options);
}
