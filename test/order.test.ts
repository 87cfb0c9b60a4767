/**
 * The order of the "ordered" key encoding against a comparison written down separately, over random
 * keys and over the ones that break encodings: prefixes of one another, zeros, signs, limits.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeOrdered, encodeOrdered, type Key, orderedPrefixEnd } from "../src/codec/ordered.ts";
import { keyCodecs } from "../src/codec/key.ts";
import { areaOf, sourceOf } from "../src/codec/text.ts";

const area = areaOf(new ArrayBuffer(32768), 0, 32768, 2048);

/** The bytes of a key. */
function encode(key: Key): Uint8Array {
  return area.bytes.slice(0, encodeOrdered(area, key));
}

/** The place of a kind of key in the order. */
function rank(key: Key): number {
  if (key === null) return 0;
  if (typeof key === "boolean") return key ? 2 : 1;
  if (typeof key === "number") return 3;
  if (typeof key === "bigint") return 4;
  if (typeof key === "string") return 5;
  return key instanceof Uint8Array ? 6 : 7;
}

/** Compares two lists part by part; a shorter one comes before those it begins. */
function compareLists<T>(a: ArrayLike<T>, b: ArrayLike<T>, each: (a: T, b: T) => number): number {
  for (let index = 0; index < Math.min(a.length, b.length); index += 1) {
    const order = each(a[index]!, b[index]!);
    if (order !== 0) return order;
  }
  return Math.sign(a.length - b.length);
}

const compareNumbers = (a: number | bigint, b: number | bigint) => a < b ? -1 : a > b ? 1 : 0;
const codePoints = (text: string) => [...text].map((character) => character.codePointAt(0)!);

/** The order of keys as the contract says it, with no look at bytes. */
function compareKeys(a: Key, b: Key): number {
  const ranks = compareNumbers(rank(a), rank(b));
  if (ranks !== 0) return ranks;
  if (typeof a === "number" || typeof a === "bigint") return compareNumbers(a, b as typeof a);
  if (typeof a === "string") {
    return compareLists(codePoints(a), codePoints(b as string), compareNumbers);
  }
  if (a instanceof Uint8Array) return compareLists(a, b as Uint8Array, compareNumbers);
  if (Array.isArray(a)) return compareLists<Key>(a, b as Key[], compareKeys);
  return 0;
}

/** A small, quick generator with a seed, so that a failure can be repeated. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const characters = ["\0", "\x01", "\x1f", " ", "a", "b", "\x7f", "\x80", "é", "߿", "ࠀ", "\ufffd"]
  .concat([
    "\ue000",
    "\uffff",
    "😀",
    "\u{10ffff}",
    "ab",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
  ]);
const numbers = [
  0,
  -0,
  1,
  -1,
  0.5,
  -0.5,
  255,
  256,
  257,
  65535,
  65536,
  65537,
  2 ** 31,
  2 ** 32,
  1e300,
]
  .concat([2 ** 53, -(2 ** 53), 1.0000000000000002, Infinity, -Infinity, 5e-324, -5e-324, 1 / 3]);
const bigints = [0n, 1n, -1n, 255n, 256n, -255n, -256n, 2n ** 63n, 2n ** 64n, -(2n ** 64n)]
  .concat([2n ** 64n - 1n, 2n ** 991n, 2n ** 992n - 1n, 2n ** 992n, -(2n ** 992n), 2n ** 1000n]);

/** A random key, often close to others. */
function randomKey(random: (below: number) => number, depth: number): Key {
  switch (random(depth > 2 ? 7 : 9)) {
    case 0:
      return [null, false, true][random(3)]!;
    case 1:
      return numbers[random(numbers.length)]! * (random(2) ? 1 : random(9) - 4);
    case 2:
      return (random(1 << 30) - (1 << 29)) / 2 ** random(60);
    case 3:
      return bigints[random(bigints.length)]! + BigInt(random(3) - 1);
    case 4:
    case 5: {
      const parts = Array.from({ length: random(5) }, () => characters[random(characters.length)]!);
      return parts.join("");
    }
    case 6:
      return Uint8Array.from({ length: random(5) }, () => [0, 1, 254, 255][random(4)]!);
  }
  return Array.from({ length: random(4) }, () => randomKey(random, depth + 1));
}

/** NaN comes out of the multiplications above and is no key. */
const isNumber = (key: Key) => typeof key !== "number" || key === key;

test("encodeOrdered: bytes compare as 100,000 random pairs of keys do", () => {
  const random = randomFrom(20260101);
  const pool: Key[] = [];
  while (pool.length < 20_000) {
    const key = randomKey(random, 0);
    if (isNumber(key) && !(Array.isArray(key) && !key.flat(9).every(isNumber))) pool.push(key);
  }
  const bytes = pool.map(encode);
  for (let round = 0; round < 100_000; round += 1) {
    const a = random(pool.length);
    const b = random(pool.length);
    const found = compareLists(bytes[a]!, bytes[b]!, compareNumbers);
    if (found !== compareKeys(pool[a]!, pool[b]!)) {
      assert.fail(`${String(pool[a])} and ${String(pool[b])} compare as ${found}`);
    }
  }
});

test("encodeOrdered: every pair of the keys that break encodings", () => {
  const keys: Key[] = [null, false, true, ...numbers, ...bigints, ...characters];
  for (const a of characters) {
    for (const b of characters) keys.push(a + b, [a, b], [a + b], [[a], b]);
  }
  keys.push("", [], [[]], [[], []], [[[]]], [null], [[], null], new Uint8Array(), [
    new Uint8Array(),
  ]);
  for (const byte of [0, 1, 254, 255]) {
    keys.push(Uint8Array.of(byte), Uint8Array.of(byte, 0), [Uint8Array.of(byte, 0)], [
      Uint8Array.of(byte),
    ]);
  }
  for (const number of numbers) keys.push([number], [number, null], [[number], "a"]);
  const sample = keys.map((key) => ({ key, bytes: encode(key) }));
  for (const a of sample) {
    for (const b of sample) {
      const found = compareLists(a.bytes, b.bytes, compareNumbers);
      assert.equal(found, compareKeys(a.key, b.key), `${String(a.key)} ~ ${String(b.key)}`);
    }
  }
});

test("decodeOrdered: gives back every key exactly", () => {
  const random = randomFrom(7);
  for (let round = 0; round < 20_000; round += 1) {
    const key = randomKey(random, 0);
    if (!isNumber(key) || (Array.isArray(key) && !key.flat(9).every(isNumber))) continue;
    const bytes = encode(key);
    const padded = new Uint8Array(bytes.length + 9).fill(0x41);
    padded.set(bytes, 4);
    const found = decodeOrdered(sourceOf(padded), 4, 4 + bytes.length);
    assert.deepEqual(found, withoutNegativeZero(key));
  }
});

/** What is stored of a key: -0 as 0. */
function withoutNegativeZero(key: Key): Key {
  if (Array.isArray(key)) return key.map(withoutNegativeZero);
  return key === 0 ? 0 : key;
}

test("encodeOrdered: common keys are short", () => {
  const sizes: [Key, number][] = [["user:1", 6], [1, 3], [-1, 9], [65536, 3], [1_000_000, 5]];
  sizes.push([null, 1], [0n, 2], [255n, 3], [["a", 1], 7], [new Uint8Array(3), 4], [[], 1]);
  for (const [key, size] of sizes) assert.equal(encode(key).length, size, String(key));
});

test("orderedPrefixEnd: a prefix spans exactly the arrays that begin with its elements", () => {
  const random = randomFrom(11);
  const arrays: Key[][] = [];
  while (arrays.length < 400) {
    const key = Array.from({ length: random(4) }, () => randomKey(random, 1));
    if (key.flat(9).every(isNumber)) arrays.push(key);
  }
  const begins = (key: Key[], prefix: Key[]) =>
    key.length >= prefix.length &&
    prefix.every((part, index) => compareKeys(part, key[index]!) === 0);
  for (const prefix of arrays) {
    const lower = encode(prefix);
    const upper = orderedPrefixEnd(prefix, lower)!;
    for (const key of arrays) {
      const bytes = encode(key);
      const isInside = compareLists(bytes, lower, compareNumbers) >= 0 &&
        compareLists(bytes, upper, compareNumbers) < 0;
      assert.equal(isInside, begins(key, prefix), `${String(prefix)} of ${String(key)}`);
    }
  }
});

test("keyCodecs: u32, u64, string and binary keep their own order", () => {
  const samples: [number, Key[]][] = [[3, [0, 1, 255, 256, 65536, 2 ** 31, 2 ** 32 - 1]]];
  samples.push([4, [0n, 1n, 255n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n]]);
  samples.push([1, ["", "\0", "a", "a\0", "aa", "b", "é", "\uffff", "😀"]]);
  samples.push([2, [new Uint8Array(), Uint8Array.of(0), Uint8Array.of(0, 0), Uint8Array.of(255)]]);
  for (const [id, keys] of samples) {
    const codec = keyCodecs[id]!;
    const bytes = keys.map((key) => area.bytes.slice(0, codec.encode(area, key)));
    for (let index = 1; index < bytes.length; index += 1) {
      assert.equal(compareLists(bytes[index - 1]!, bytes[index]!, compareNumbers), -1);
    }
    bytes.forEach((encoded, index) => {
      assert.deepEqual(codec.decode(sourceOf(encoded), 0, encoded.length), keys[index]);
    });
  }
});
