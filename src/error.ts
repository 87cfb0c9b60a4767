/**
 * The errors of Zeolite: one class, the stable codes, and what makes each kind.
 * A fault of the store or of the world is a ZeoliteError; a bad argument is a TypeError or a
 * RangeError that carries the same `code` field. Texts read `Cannot <do>: <what was found>; <what
 * to do>` and may improve freely; codes never change. Nothing here calls the library.
 */

/** The stable code of a failure. */
export type ZeoliteCode =
  | "ZEOLITE_NOT_FOUND"
  | "ZEOLITE_CLOSED"
  | "ZEOLITE_BUSY"
  | "ZEOLITE_CORRUPT"
  | "ZEOLITE_NOT_A_STORE"
  | "ZEOLITE_VERSION"
  | "ZEOLITE_FULL"
  | "ZEOLITE_NO_SPACE"
  | "ZEOLITE_IO"
  | "ZEOLITE_POISONED"
  | "ZEOLITE_READ_ONLY"
  | "ZEOLITE_PERMISSION"
  | "ZEOLITE_READERS_FULL"
  | "ZEOLITE_KEY_SIZE"
  | "ZEOLITE_VALUE_SIZE"
  | "ZEOLITE_KEY_ORDER"
  | "ZEOLITE_KEY_TYPE"
  | "ZEOLITE_TXN_ENDED"
  | "ZEOLITE_OPTIONS"
  | "ZEOLITE_CHANGES_LOST"
  | "ZEOLITE_LIBRARY"
  | "PATH_INVALID"
  | "PATH_NOT_A_GROUP"
  | "PATH_LINK_LOOP";

/**
 * Every failure of a store that is not a bad argument.
 *
 * @example
 * ```ts
 * import { ZeoliteError } from "zeolite";
 *
 * const error = new ZeoliteError("ZEOLITE_BUSY", "Cannot write: another process is writing");
 * console.log(error.code); // ZEOLITE_BUSY
 * ```
 */
export class ZeoliteError extends Error {
  /** What went wrong, as a word that never changes. */
  readonly code: ZeoliteCode;
  /** The name of the class. */
  override readonly name: string = "ZeoliteError";

  /**
   * Makes an error.
   *
   * @param code What went wrong.
   * @param message What was attempted, what was found, what to do.
   * @param options The error that caused this one, as `cause`.
   */
  constructor(code: ZeoliteCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A TypeError with a code: an argument of the wrong kind. */
export function typeError(code: ZeoliteCode, message: string, options?: ErrorOptions): TypeError {
  return Object.assign(new TypeError(message, options), { code });
}

/** A RangeError with a code: an argument of the right kind but out of bounds. */
export function rangeError(code: ZeoliteCode, message: string, options?: ErrorOptions): RangeError {
  return Object.assign(new RangeError(message, options), { code });
}

/** The error of a code, in the class that the code belongs to. */
export function errorOf(code: ZeoliteCode, message: string, options?: ErrorOptions): Error {
  if (code === "ZEOLITE_KEY_TYPE") return typeError(code, message, options);
  if (code === "ZEOLITE_KEY_SIZE" || code === "ZEOLITE_VALUE_SIZE") {
    return rangeError(code, message, options);
  }
  return new ZeoliteError(code, message, options);
}

/** The error of a part of the contract that does not exist yet. */
export function notAvailable(what: string): ZeoliteError {
  return new ZeoliteError("ZEOLITE_OPTIONS", `Cannot use ${what}: it is not available yet`);
}

/** The code of any error, if it has one. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** Names a value in the text of an error, short whatever it is. */
export function describe(value: unknown): string {
  switch (typeof value) {
    case "undefined":
      return "undefined";
    case "string":
      return value.length > 40 ? `a string of ${value.length} characters` : JSON.stringify(value);
    case "number":
    case "boolean":
      return String(value);
    case "bigint":
      return value < 1n << 128n && value > -(1n << 128n) ? `${value}n` : "a very large bigint";
    case "function":
      return "a function";
    case "symbol":
      return "a symbol";
  }
  return typeof value === "object" && value !== null ? describeObject(value) : "null";
}

/** Names an object by its class; an object that throws when asked is named all the same. */
function describeObject(value: object): string {
  if (Array.isArray(value)) return "an array";
  try {
    const name: unknown = value.constructor?.name;
    if (typeof name !== "string" || name === "" || name === "Object") return "an object";
    return `an object of class ${name}`;
  } catch {
    return "an object";
  }
}

/**
 * Refuses a promise where a result must be there at once; its own failure then is no longer news.
 *
 * @throws {TypeError} ZEOLITE_OPTIONS if the value is a promise or acts like one.
 */
export function assertSynchronous(value: unknown, doing: string): void {
  if (typeof value !== "object" || value === null) return;
  if (!("then" in value) || typeof value.then !== "function") return;
  Promise.resolve(value).catch(() => {});
  throw typeError(
    "ZEOLITE_OPTIONS",
    `Cannot ${doing}: the function returned a promise, what it did at once is rolled back; make ` +
      "it synchronous, or use begin() for work across turns",
  );
}

/**
 * Checks a function given by the caller.
 *
 * @throws {TypeError} ZEOLITE_OPTIONS if it is none.
 */
export function assertFunction(f: unknown, doing: string): void {
  if (typeof f === "function") return;
  throw typeError("ZEOLITE_OPTIONS", `Cannot ${doing}: found ${describe(f)}; pass a function`);
}
