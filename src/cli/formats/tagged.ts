/**
 * Values that JSON cannot hold, written in JSON so that they come back the same: an object whose
 * only member begins with a dollar sign is a tag.
 *
 * | written as | is |
 * |---|---|
 * | `{"$bytes": "AAEC"}` | bytes, in base64 |
 * | `{"$bigint": "12"}` | a bigint |
 * | `{"$number": "NaN"}` | NaN, Infinity, -Infinity or -0 |
 * | `{"$date": "2024-01-31T12:00:00.000Z"}` | a Date; `null` for an invalid one |
 * | `{"$undefined": true}` | undefined |
 * | `{"$map": [[key, value], …]}` `{"$set": [value, …]}` | a Map, a Set |
 * | `{"$regexp": ["a+", "i"]}` `{"$error": ["TypeError", "message"]}` | a RegExp, an Error |
 * | `{"$array": ["Float64Array", "base64"]}` | an ArrayBuffer or a view other than bytes |
 * | `{"$object": {"$bytes": 1}}` | the object inside, no tag itself; its members may be |
 *
 * An object with several members, or with one that is none of these, is itself; a tag whose content
 * is not as above is an error, never silently taken for data.
 */
import { Buffer } from "node:buffer";

type Members = Record<string, unknown>;

/** An ArrayBuffer, or a view of one, as constructed from the bytes it holds. */
const TYPED_ARRAYS: Readonly<Record<string, new (bytes: ArrayBuffer) => object>> = {
  ArrayBuffer: class {
    constructor(bytes: ArrayBuffer) {
      return bytes;
    }
  },
  DataView,
  Int8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
};

const ERRORS: Readonly<Record<string, new (message: string) => Error>> = {
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
};

/** Bytes in base64. */
export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

/** The bytes that a base64 text stands for; throws if it is not base64. */
export function fromBase64(text: string): Uint8Array {
  const bytes = Buffer.from(text, "base64");
  const bare = text.replace(/=+$/, "");
  if (bytes.toString("base64").replace(/=+$/, "") !== bare) {
    throw new SyntaxError("the text is not base64");
  }
  return new Uint8Array(bytes);
}

/** A member set as data, also one named `__proto__`. */
function define(members: Members, name: string, value: unknown): void {
  if (name === "__proto__") {
    Object.defineProperty(members, name, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  } else {
    members[name] = value;
  }
}

/** Is this an object of one member, and that a tag's? */
function isTagLike(names: readonly string[]): boolean {
  return names.length === 1 && (names[0] as string).startsWith("$");
}

/** Members with their values tagged; the same object if there was nothing to do. */
function tagMembers(members: Members, names: readonly string[]): Members {
  let copy: Members | undefined;
  for (const [index, name] of names.entries()) {
    const value = members[name];
    const tagged = toTagged(value);
    if (tagged === value && copy === undefined) continue;
    if (copy === undefined) {
      copy = {};
      for (const earlier of names.slice(0, index)) define(copy, earlier, members[earlier]);
    }
    define(copy, name, tagged);
  }
  return copy ?? members;
}

/** Elements with their values tagged; the same array if there was nothing to do. */
function tagElements(elements: readonly unknown[]): readonly unknown[] {
  let copy: unknown[] | undefined;
  for (let index = 0; index < elements.length; index++) {
    const value = elements[index];
    const tagged = toTagged(value);
    if (tagged === value && copy === undefined) continue;
    copy ??= elements.slice(0, index);
    copy.push(tagged);
  }
  return copy ?? elements;
}

/** Objects that JSON has no form for; `undefined` if it is a plain one. */
function tagSpecial(value: object): Members | undefined {
  if (value instanceof Uint8Array) return { $bytes: toBase64(value) };
  if (value instanceof Date) {
    return { $date: Number.isNaN(value.getTime()) ? null : value.toISOString() };
  }
  if (value instanceof Map) return { $map: tagElements([...value]) };
  if (value instanceof Set) return { $set: tagElements([...value]) };
  if (value instanceof RegExp) return { $regexp: [value.source, value.flags] };
  if (value instanceof Error) return { $error: [value.name, value.message] };
  if (value instanceof ArrayBuffer) {
    return { $array: ["ArrayBuffer", toBase64(new Uint8Array(value))] };
  }
  if (ArrayBuffer.isView(value)) {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    return { $array: [value.constructor.name, toBase64(bytes)] };
  }
  return undefined;
}

/** Turns a value into one that JSON holds whole. Throws a TypeError for functions and symbols. */
export function toTagged(value: unknown): unknown {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      if (Number.isFinite(value) && !Object.is(value, -0)) return value;
      return { $number: Object.is(value, -0) ? "-0" : String(value) };
    case "bigint":
      return { $bigint: String(value) };
    case "undefined":
      return { $undefined: true };
    case "object": {
      if (value === null) return null;
      if (Array.isArray(value)) return tagElements(value);
      const special = tagSpecial(value);
      if (special !== undefined) return special;
      const names = Object.keys(value);
      const members = tagMembers(value as Members, names);
      return isTagLike(names) ? { $object: members } : members;
    }
    default:
      throw new TypeError(`a ${typeof value} cannot be written`);
  }
}

/** The text of a value, on one line. */
export function toTaggedText(value: unknown): string {
  return JSON.stringify(toTagged(value));
}

/** Values of the elements, tags read; in place. */
function untagElements(elements: unknown[]): unknown[] {
  for (let index = 0; index < elements.length; index++) {
    const value = elements[index];
    if (typeof value === "object" && value !== null) elements[index] = fromTagged(value);
  }
  return elements;
}

/** Values of the members, tags read; in place. */
function untagMembers(members: Members): Members {
  for (const name of Object.keys(members)) {
    const value = members[name];
    if (typeof value === "object" && value !== null) define(members, name, fromTagged(value));
  }
  return members;
}

/** Two texts in an array, as some tags hold. */
function isTextPair(content: unknown): content is [string, string] {
  return Array.isArray(content) && content.length === 2 &&
    typeof content[0] === "string" && typeof content[1] === "string";
}

function readNumber(content: unknown): number {
  if (content === "NaN") return NaN;
  if (content === "-0") return -0;
  if (content === "Infinity") return Infinity;
  if (content === "-Infinity") return -Infinity;
  throw new SyntaxError('"$number" holds "NaN", "Infinity", "-Infinity" or "-0"');
}

function readDate(content: unknown): Date {
  const date = new Date(typeof content === "string" ? content : NaN);
  if (content !== null && Number.isNaN(date.getTime())) {
    throw new SyntaxError('"$date" holds no date');
  }
  return date;
}

function readError(content: unknown): Error {
  if (!isTextPair(content)) throw new SyntaxError('"$error" holds [name, message]');
  const [name, message] = content;
  const error = new (ERRORS[name] ?? Error)(message);
  if (error.name !== name) error.name = name;
  return error;
}

function readTypedArray(content: unknown): object {
  const type = isTextPair(content) && Object.hasOwn(TYPED_ARRAYS, content[0])
    ? TYPED_ARRAYS[content[0]]
    : undefined;
  if (type === undefined) throw new SyntaxError('"$array" holds [type, base64]');
  const bytes = fromBase64((content as [string, string])[1]);
  return new type(bytes.slice().buffer as ArrayBuffer);
}

function readMap(content: unknown): Map<unknown, unknown> {
  const isPairs = Array.isArray(content) &&
    content.every((pair) => Array.isArray(pair) && pair.length === 2);
  if (!isPairs) throw new SyntaxError('"$map" holds [key, value] pairs');
  return new Map(untagElements(content) as [unknown, unknown][]);
}

/** What each tag stands for, from its content. */
const TAGS: Readonly<Record<string, (content: unknown) => unknown>> = {
  $bytes(content) {
    if (typeof content !== "string") throw new SyntaxError('"$bytes" holds a base64 text');
    return fromBase64(content);
  },
  $bigint(content) {
    if (typeof content === "string" && /^-?\d+$/.test(content)) return BigInt(content);
    throw new SyntaxError('"$bigint" holds decimal digits in a text');
  },
  $number: readNumber,
  $date: readDate,
  $undefined(content) {
    if (content !== true) throw new SyntaxError('"$undefined" holds true');
    return undefined;
  },
  $map: readMap,
  $set(content) {
    if (!Array.isArray(content)) throw new SyntaxError('"$set" holds an array');
    return new Set(untagElements(content));
  },
  $regexp(content) {
    if (!isTextPair(content)) throw new SyntaxError('"$regexp" holds [source, flags]');
    return new RegExp(content[0], content[1]);
  },
  $error: readError,
  $array: readTypedArray,
  $object(content) {
    if (typeof content !== "object" || content === null || Array.isArray(content)) {
      throw new SyntaxError('"$object" holds an object');
    }
    return untagMembers(content as Members);
  },
};

/**
 * Turns what JSON.parse gave back into the value that {@linkcode toTagged} was given; changes its
 * argument. Throws a SyntaxError for a tag that does not hold what it should.
 */
export function fromTagged(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return untagElements(value);
  const members = value as Members;
  const names = Object.keys(members);
  if (isTagLike(names)) {
    const name = names[0] as string;
    if (Object.hasOwn(TAGS, name)) {
      return (TAGS[name] as (content: unknown) => unknown)(members[name]);
    }
  }
  return untagMembers(members);
}

/** Refuses an integer that a number cannot hold: it would come back as another. */
function refuseInexact(_name: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source;
  if (typeof value === "number" && source !== undefined && /^-?\d{16,}$/.test(source)) {
    const isSame = String(value) === source ||
      (Number.isFinite(value) && BigInt(value) === BigInt(source));
    if (!isSame) {
      throw new SyntaxError(
        `the number ${source} would be changed to ${value}; write {"$bigint": "${source}"}`,
      );
    }
  }
  return value;
}

/** JSON.parse that refuses to change a long integer, with tags left as they are. */
export function parseJson(text: string): unknown {
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  return (JSON.parse as (text: string, reviver: typeof refuseInexact) => unknown)(
    text,
    refuseInexact,
  );
}
