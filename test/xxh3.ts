/**
 * XXH3-64 with a seed, of 241 to 1024 bytes: the checksum of a meta page, for tests that make files
 * by
 * hand. https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
 */
import assert from "node:assert/strict";

const SECRET = bytesOf(
  "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dcc" +
    "ff7221b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819" +
    "ef46a9deacd8a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3eb" +
    "c3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f" +
    "95160428afd7fbcabb4b407e",
);
const PRIME32_1 = 0x9e3779b1n;
const PRIME32_2 = 0x85ebca77n;
const PRIME32_3 = 0xc2b2ae3dn;
const PRIME64_1 = 0x9e3779b185ebca87n;
const PRIME64_2 = 0xc2b2ae3d27d4eb4fn;
const PRIME64_3 = 0x165667b19e3779f9n;
const PRIME64_4 = 0x85ebca77c2b2ae63n;
const PRIME64_5 = 0x27d4eb2f165667c5n;
const STRIPE = 64;
const LOW = 0xffff_ffffn;

function bytesOf(hexadecimal: string): Uint8Array {
  return Uint8Array.from(hexadecimal.match(/../g)!, (pair) => parseInt(pair, 16));
}

function word(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}

function read(bytes: Uint8Array, at: number): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(at, true);
}

/** The secret that a seed makes of the one that everybody knows. */
function seededSecret(seed: bigint): Uint8Array {
  const secret = SECRET.slice();
  const view = new DataView(secret.buffer);
  for (let at = 0; at < secret.length; at += 16) {
    view.setBigUint64(at, word(read(SECRET, at) + seed), true);
    view.setBigUint64(at + 8, word(read(SECRET, at + 8) - seed), true);
  }
  return secret;
}

/** Mixes a stripe of the input into the eight lanes. */
function accumulate(lanes: bigint[], stripe: Uint8Array, secret: Uint8Array): void {
  for (let lane = 0; lane < lanes.length; lane += 1) {
    const value = read(stripe, lane * 8);
    const key = value ^ read(secret, lane * 8);
    lanes[lane ^ 1] = word(lanes[lane ^ 1]! + value);
    lanes[lane] = word(lanes[lane]! + (key & LOW) * (key >> 32n));
  }
}

/** Both halves of a product of 128 bits, in one. */
function fold(a: bigint, b: bigint): bigint {
  const product = a * b;
  return word(product) ^ (product >> 64n);
}

/** The checksum. */
export function xxh3(bytes: Uint8Array, seed: bigint): bigint {
  assert.ok(bytes.length > 240 && bytes.length <= 1024);
  const secret = seededSecret(seed);
  const lanes = [PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3];
  lanes.push(PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1);
  const stripes = Math.floor((bytes.length - 1) / STRIPE);
  for (let stripe = 0; stripe < stripes; stripe += 1) {
    accumulate(lanes, bytes.subarray(stripe * STRIPE), secret.subarray(stripe * 8));
  }
  accumulate(lanes, bytes.subarray(-STRIPE), secret.subarray(secret.length - STRIPE - 7));
  let result = word(BigInt(bytes.length) * PRIME64_1);
  for (let lane = 0; lane < lanes.length; lane += 2) {
    const at = 11 + lane * 8;
    result += fold(lanes[lane]! ^ read(secret, at), lanes[lane + 1]! ^ read(secret, at + 8));
  }
  result = word(result);
  result = word((result ^ (result >> 37n)) * 0x165667919e3779f9n);
  return result ^ (result >> 32n);
}
