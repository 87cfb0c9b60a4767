/** Keys and values to bytes and back: what is kept exactly, and what is refused with which code. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Key, keyCodecOf, keyCodecs } from "../src/codec/key.ts";
import { decodeOrdered, encodeOrdered, successor } from "../src/codec/ordered.ts";
import { areaOf, encodeText, sourceOf } from "../src/codec/text.ts";
import {
  codecEncoding,
  unknownCodec,
  type ValueArea,
  type ValueBytes,
  valueEncodingOf,
  valueEncodings,
} from "../src/codec/value.ts";

const keys = areaOf(new ArrayBuffer(32768), 0, 32768, 256);
const values: ValueArea = Object.assign(areaOf(new ArrayBuffer(196096), 0, 196096, 196096), {
  large: null,
});

/** The bytes of a value, in memory of their own. */
function encode(encoding: ValueBytes, value: unknown): Uint8Array {
  const size = encoding.encode(values, value);
  return (values.large ?? values.bytes).slice(0, size);
}

/** A value after it was bytes, once at the start of them and once in the middle. */
function roundTrip(encoding: ValueBytes, value: unknown): unknown {
  const bytes = encode(encoding, value);
  const padded = new Uint8Array(bytes.length + 20).fill(0x7f);
  padded.set(bytes, 9);
  assert.deepEqual(
    encoding.decode(sourceOf(bytes), 0, bytes.length, true),
    encoding.decode(sourceOf(padded), 9, 9 + bytes.length, false),
  );
  return encoding.decode(sourceOf(bytes), 0, bytes.length, false);
}

test("msgpack: gives back what it was given", () => {
  const samples: unknown[] = [null, true, false, 0, 1, 127, 128, -1, -33, 1.5, 2 ** 53, NaN];
  samples.push("", "a", "x".repeat(31), "x".repeat(32), "é".repeat(40), "x".repeat(70_000), "😀");
  samples.push(5n, -(2n ** 63n), 2n ** 200n, [], [1, [2, ["x"]]], {}, { a: 1, b: { c: [null] } });
  samples.push(new Date(12_345), new Set([1, "a"]), Float64Array.of(1.5), /a+/gi);
  samples.push(new Uint8Array(), new Uint8Array(255), new Uint8Array(256), new Uint8Array(70_000));
  samples.push({ bytes: Uint8Array.of(1, 2) }, "\ufeffmark", "a\0b");
  const msgpack = valueEncodingOf("msgpack")!;
  for (const sample of samples) assert.deepEqual(roundTrip(msgpack, sample), sample);
});

test("json, string and binary: give back what they were given", () => {
  const json = valueEncodingOf("json")!;
  for (const sample of [null, 1.5, "é", "x".repeat(300_000), { a: [1, "\ud800"] }, []]) {
    assert.deepEqual(roundTrip(json, sample), sample);
  }
  const string = valueEncodingOf("string")!;
  for (const sample of ["", "a", "é", "x".repeat(48), "x".repeat(600), "😀".repeat(60_000)]) {
    assert.equal(roundTrip(string, sample), sample);
  }
  const binary = valueEncodingOf("binary")!;
  for (const size of [0, 1, 24, 48, 49, 4095, 4096, 200_000]) {
    const sample = Uint8Array.from({ length: size }, (_, index) => index);
    assert.deepEqual(roundTrip(binary, sample), sample);
  }
});

test("values: what would be lost is refused", () => {
  const refusals: [string, unknown][] = [["msgpack", undefined], ["msgpack", () => 1]];
  refusals.push(["msgpack", Symbol("a")], ["msgpack", "\ud800"], ["json", undefined], ["json", 1n]);
  refusals.push(["string", 1], ["string", "a\udc00"], ["string", null], ["binary", "a"]);
  refusals.push(["binary", new ArrayBuffer(1)], ["binary", [1]]);
  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  refusals.push(["msgpack", cyclic], ["json", cyclic]);
  for (const [name, value] of refusals) {
    assert.throws(() => valueEncodingOf(name)!.encode(values, value), {
      name: "TypeError",
      code: "ZEOLITE_OPTIONS",
      message: /^Cannot encode the value: /,
    });
  }
});

test("values: an encoding that fails leaves the next one alone", () => {
  const msgpack = valueEncodingOf("msgpack")!;
  const fails = {
    toJSON: undefined,
    get field(): never {
      throw new Error("no");
    },
  };
  assert.throws(() => msgpack.encode(values, { deep: [fails] }), { code: "ZEOLITE_OPTIONS" });
  assert.deepEqual(roundTrip(msgpack, { a: [1] }), { a: [1] });
});

test("values: bytes of another encoding are told", () => {
  for (
    const [name, bytes] of [["msgpack", [0x92, 1]], ["msgpack", []], ["json", [0x7b]]] as const
  ) {
    const source = sourceOf(Uint8Array.from(bytes));
    assert.throws(() => valueEncodingOf(name)!.decode(source, 0, bytes.length, true), {
      code: "ZEOLITE_CORRUPT",
      message: /getBinary/,
    });
  }
});

test("codecEncoding: the codec's own error is the cause", () => {
  const cause = new Error("not today");
  const fail = (): never => {
    throw cause;
  };
  const failing = codecEncoding({ name: "failing", encode: fail, decode: fail });
  assert.throws(() => failing.encode(values, 1), { code: "ZEOLITE_OPTIONS", cause });
  const source = sourceOf(new Uint8Array(1));
  assert.throws(() => failing.decode(source, 0, 1, true), { code: "ZEOLITE_OPTIONS", cause });
  const wrong = codecEncoding({ name: "wrong", encode: () => "text" as never, decode: () => 1 });
  assert.throws(() => wrong.encode(values, 1), { code: "ZEOLITE_OPTIONS", name: "TypeError" });
  assert.throws(() => unknownCodec("lost").decode(source, 0, 1, true), /the codec "lost"/);
});

test("values: decoded bytes are not the memory they were read from", () => {
  const memory = Uint8Array.of(1, 2, 3);
  for (const encoding of valueEncodings.filter((encoding) => encoding.name === "binary")) {
    const copy = encoding.decode(sourceOf(memory), 0, 3, false) as Uint8Array;
    memory[0] = 9;
    assert.deepEqual(copy, Uint8Array.of(1, 2, 3));
  }
});

test("keys: what is not a key is refused by name", () => {
  const refusals: [string, unknown, string][] = [["ordered", NaN, "ZEOLITE_KEY_TYPE"]];
  for (const bad of [undefined, {}, () => 1, Symbol("a"), new Date(0), [undefined], [[NaN]]]) {
    refusals.push(["ordered", bad, "ZEOLITE_KEY_TYPE"]);
  }
  refusals.push(["ordered", "\ud800", "ZEOLITE_KEY_TYPE"], [
    "ordered",
    ["é\udc00"],
    "ZEOLITE_KEY_TYPE",
  ]);
  refusals.push(["string", 1, "ZEOLITE_KEY_TYPE"], ["string", "\udfff", "ZEOLITE_KEY_TYPE"]);
  refusals.push(["binary", "a", "ZEOLITE_KEY_TYPE"], ["u32", -1, "ZEOLITE_KEY_TYPE"]);
  refusals.push(["u32", 2 ** 32, "ZEOLITE_KEY_TYPE"], ["u32", 1.5, "ZEOLITE_KEY_TYPE"]);
  refusals.push(["u32", NaN, "ZEOLITE_KEY_TYPE"], ["u32", 1n, "ZEOLITE_KEY_TYPE"]);
  refusals.push(["u64", -1n, "ZEOLITE_KEY_TYPE"], ["u64", 2n ** 64n, "ZEOLITE_KEY_TYPE"]);
  refusals.push(["u64", 1, "ZEOLITE_KEY_TYPE"]);
  const circle: unknown[] = [];
  circle.push(circle);
  refusals.push(["ordered", circle, "ZEOLITE_KEY_TYPE"]);
  for (const [name, key, code] of refusals) {
    assert.throws(() => keyCodecOf(name)!.encode(keys, key as Key), {
      code,
      message: /^Cannot encode the key: /,
    }, `${name} ${String(code)}`);
  }
});

test("keys: the largest fits, one byte more names its size and the limit", () => {
  const fits: [string, Key, Key][] = [["string", "x".repeat(256), "x".repeat(257)]];
  fits.push(["string", "é".repeat(128), "é".repeat(128) + "x"]);
  fits.push(["binary", new Uint8Array(256), new Uint8Array(257)]);
  fits.push(["ordered", "x".repeat(256), "x".repeat(257)]);
  fits.push(["ordered", "\x01" + "x".repeat(254), "\x01" + "x".repeat(255)]);
  fits.push(["ordered", new Uint8Array(255), new Uint8Array(256)]);
  fits.push(["ordered", ["x".repeat(254)], ["x".repeat(255)]]);
  fits.push(["ordered", ["é".repeat(127)], ["é".repeat(127) + "x"]]);
  fits.push(["ordered", ["\0".repeat(126) + "x"], ["\0".repeat(127)]]);
  fits.push(["ordered", [new Uint8Array(126)], [new Uint8Array(127)]]);
  fits.push(["ordered", [new Uint8Array(253).fill(1)], [new Uint8Array(254).fill(1)]]);
  fits.push(["ordered", [["x".repeat(252)]], [["x".repeat(253)]]]);
  fits.push(["ordered", ["x".repeat(253), null], ["x".repeat(254), null]]);
  fits.push(["ordered", ["x".repeat(250), 1], ["x".repeat(251), 1]]);
  fits.push(["ordered", ["x".repeat(251), 255n], ["x".repeat(252), 255n]]);
  fits.push(["ordered", 2n ** (8n * 252n) - 1n, 2n ** (8n * 252n)]);
  for (const [name, good, bad] of fits) {
    const codec = keyCodecOf(name)!;
    const size = codec.encode(keys, good);
    assert.ok(size <= 256 && size > 254, `${name} ${size}`);
    assert.deepEqual(codec.decode(sourceOf(keys.bytes), 0, size), good);
    assert.throws(() => codec.encode(keys, bad), {
      name: "RangeError",
      code: "ZEOLITE_KEY_SIZE",
      message: /it has 25[78] bytes, this store takes at most 256/,
    });
  }
  const huge = ["a".repeat(100_000), [1.5, "é\0".repeat(70_000)], null, 3n];
  assert.throws(() => encodeOrdered(keys, huge), {
    code: "ZEOLITE_KEY_SIZE",
    message: /380013 bytes/,
  });
});

test("keys: nothing is written behind the room of the area", () => {
  const guarded = areaOf(new ArrayBuffer(1024), 0, 1024, 64);
  for (let size = 40; size < 90; size += 1) {
    const long = "é".repeat(size >> 1) + "\0x";
    for (
      const key of [[long], ["y".repeat(size)], [new Uint8Array(size)], [long, long], [[[
        "z",
        1 / 3,
        long,
      ]]]]
    ) {
      guarded.bytes.fill(0xaa);
      try {
        const used = encodeOrdered(guarded, key);
        assert.ok(used <= 64);
        assert.deepEqual(decodeOrdered(sourceOf(guarded.bytes), 0, used), key);
      } catch (error) {
        assert.equal((error as { code?: string }).code, "ZEOLITE_KEY_SIZE");
      }
      assert.ok(guarded.bytes.subarray(64).every((byte) => byte === 0xaa));
    }
  }
});

test("keys: bytes that no key has are told, never followed", () => {
  const ordered = keyCodecOf("ordered")!;
  const bad = ["", "00", "09", "10", "10 ff f8 01", "18", "18 7f", "18 fd 01", "fa 41", "fa 00"];
  bad.push(
    "fa fa",
    "fa 10 00",
    "fa 18 85 01",
    "08 08",
    "ff",
    "fa f8 01 00 ff",
    `${"fa ".repeat(90)}`,
  );
  for (const text of bad) {
    const bytes = Uint8Array.from(text.split(" ").filter(Boolean), (pair) => parseInt(pair, 16));
    assert.throws(() => ordered.decode(sourceOf(bytes), 0, bytes.length), {
      code: "ZEOLITE_CORRUPT",
    }, text);
  }
  assert.throws(() => keyCodecOf("u32")!.decode(sourceOf(encodeText("abc")), 0, 3), /3 bytes/);
});

test("keys: random bytes decode to a key or to ZEOLITE_CORRUPT", () => {
  let state = 1;
  const next = () => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) >>> 16;
  for (let round = 0; round < 30_000; round += 1) {
    const bytes = Uint8Array.from({ length: next() % 12 }, () => {
      return [0, 0x08, 0x10, 0x18, 0x1f, 0x41, 0x80, 0xf8, 0xfa, 0xff, next() & 255][next() % 11]!;
    });
    try {
      decodeOrdered(sourceOf(bytes), 0, bytes.length);
    } catch (error) {
      assert.equal((error as { code?: string }).code, "ZEOLITE_CORRUPT");
    }
  }
});

test("keys: prefixes only where they mean something", () => {
  for (const prefix of [1, 1n, null, true]) {
    assert.throws(() => keyCodecs[0]!.encodePrefix(keys, prefix), {
      name: "TypeError",
      code: "ZEOLITE_KEY_TYPE",
    });
  }
  assert.throws(() => keyCodecs[3]!.encodePrefix(keys, 1), { name: "TypeError" });
  assert.throws(() => keyCodecs[4]!.encodePrefix(keys, 1n), { name: "TypeError" });
  assert.deepEqual(keyCodecs[0]!.prefixEnd("", Uint8Array.of(0x1f)), Uint8Array.of(0xf8));
  assert.deepEqual(successor(Uint8Array.of(1, 255, 255)), Uint8Array.of(2));
  assert.equal(successor(Uint8Array.of(255)), undefined);
});
