/** Ranges against a sorted list, in every combination of options, and their life. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import type { RangeOptions, Store } from "../src/mod.ts";
import { Opened, randomFrom, turn } from "./Opened.ts";

/** The keys of a range, of a sorted list of numbers. */
function expected(keys: readonly number[], range: RangeOptions<number>): number[] {
  const { start, end, exclusiveStart, inclusiveEnd, reverse, offset = 0, limit = Infinity } = range;
  const sign = reverse ? -1 : 1;
  const isInside = (key: number) => {
    const fromStart = start === undefined ? 1 : (key - start) * sign;
    const fromEnd = end === undefined ? -1 : (key - end) * sign;
    return (exclusiveStart ? fromStart > 0 : fromStart >= 0) &&
      (inclusiveEnd ? fromEnd <= 0 : fromEnd < 0);
  };
  const inside = keys.filter(isInside);
  return (reverse ? inside.reverse() : inside).slice(offset, offset + limit);
}

/** Fills a store with even numbers and other keys around them. */
async function fill(store: Store, count: number): Promise<number[]> {
  const keys = Array.from({ length: count }, (_, index) => index * 2);
  await store.putMany(keys.map((key) => [key, `value ${key}`]));
  return keys;
}

test("getRange: every combination of options equals a sorted list", async () => {
  using opened = new Opened({ pageSize: 512 });
  const { store } = opened;
  const keys = await fill(store, 700);
  const random = randomFrom(3);
  for (let round = 0; round < 1500; round += 1) {
    const range: RangeOptions<number> = {};
    if (random(4)) range.start = random(1500) - 50;
    if (random(4)) range.end = random(1500) - 50;
    for (const option of ["exclusiveStart", "inclusiveEnd", "reverse"] as const) {
      if (random(2)) range[option] = random(3) > 0;
    }
    if (random(2)) range.limit = [0, 1, 5, 100, 2000][random(5)]!;
    if (random(2)) range.offset = [0, 1, 7, 300, 900][random(5)]!;
    const found = expected(keys, range);
    const title = JSON.stringify(range);
    assert.deepEqual(store.getKeys(range).toArray(), found, title);
    assert.equal(store.getCount(range), found.length, title);
    if (round % 5 > 0) continue;
    const rows = store.getRange(range);
    assert.deepEqual([...rows].map(({ key }) => key), found, title);
    assert.deepEqual(rows.first()?.value, found.length ? `value ${found[0]}` : undefined, title);
  }
});

test("getRange: rows of any size between any bounds equal a sorted list", () => {
  for (const pageSize of [512, 4096]) {
    using opened = new Opened({ pageSize, keyEncoding: "string", encoding: "binary" });
    const { store } = opened;
    const random = randomFrom(5);
    const ends = ["", "é", "x".repeat(150), "y".repeat(240)];
    const name = (index: number) => {
      return String(index).padStart(4, "0") + ends[index % 7 < 4 ? 0 : index % 4];
    };
    const sizes = [0, 1, 7, 60, 100, 300, 1023, 1024, 5000];
    const entries = Array.from({ length: 400 }, (_, index) => {
      return [name(index), new Uint8Array(sizes[random(9)]!).fill(index)] as const;
    });
    store.putManySync(entries);
    for (let round = 0; round < 300; round += 1) {
      const [low, high] = [random(400), random(400)].sort((a, b) => a - b) as [number, number];
      const reverse = random(2) === 0;
      const limit = random(3) === 0 ? random(150) : Infinity;
      const bounds = reverse
        ? { start: name(high), end: name(low) }
        : { start: name(low), end: name(high) };
      const found = [...store.getRange({ ...bounds, reverse, limit })];
      const wanted = reverse
        ? entries.slice(low + 1, high + 1).reverse()
        : entries.slice(low, high);
      const rows = low === high ? [] : wanted.slice(0, limit);
      assert.deepEqual(found, rows.map(([key, value]) => ({ key, value })), `${round}`);
    }
  }
});

test("removeRange: every combination of options equals a sorted list", async () => {
  using opened = new Opened({ pageSize: 512 });
  const { store } = opened;
  const random = randomFrom(4);
  let keys = await fill(store, 500);
  for (let round = 0; round < 300; round += 1) {
    if (keys.length < 100) keys = await fill(store, 500);
    const range: RangeOptions<number> = { start: random(1000) };
    if (random(2)) range.end = range.start! + random(60) - 30;
    for (const option of ["exclusiveStart", "inclusiveEnd", "reverse"] as const) {
      if (random(2)) range[option] = true;
    }
    if (random(2) || range.end === undefined) range.limit = random(12);
    if (random(2)) range.offset = random(5);
    const gone = new Set(expected(keys, range));
    assert.equal(store.removeRangeSync(range), gone.size, JSON.stringify(range));
    keys = keys.filter((key) => !gone.has(key));
    assert.deepEqual(store.getKeys().toArray(), keys, JSON.stringify(range));
  }
});

test("getRange: reverse begins at start, the greater key, and ends before end", async () => {
  using opened = new Opened();
  const { store } = opened;
  await store.putMany([1, 2, 3, 4, 5].map((key) => [key, key]));
  const keys = (range: RangeOptions<number>) => store.getKeys(range).toArray();
  assert.deepEqual(keys({ start: 4, end: 2, reverse: true }), [4, 3]);
  assert.deepEqual(keys({ start: 4, end: 2, reverse: true, inclusiveEnd: true }), [4, 3, 2]);
  assert.deepEqual(keys({ start: 4, end: 2, reverse: true, exclusiveStart: true }), [3]);
  assert.deepEqual(keys({ start: 3, reverse: true }), [3, 2, 1]);
  assert.deepEqual(keys({ end: 3, reverse: true }), [5, 4]);
  assert.deepEqual(keys({ start: 2, end: 4, reverse: true }), []);
});

test("getRange: prefix of characters, bytes and elements", async () => {
  using opened = new Opened();
  const { store } = opened;
  const keys = ["", "\x01", "a", "a\0", "ab", "abc", "b", "é", "\uffff", "😀", "\u{10ffff}"];
  const tuples = [["a"], ["a", 1], ["a", 1, null], ["a", 2], ["a\0", 1], ["ab", 1], [1, "a"]];
  const bytes = [[], [1], [1, 0], [1, 255], [255], [255, 255]].map((part) => Uint8Array.from(part));
  await store.putMany([...keys, ...tuples, ...bytes, 1, null, 5n].map((key) => [key, 1]));
  const strings = (prefix: string) => store.getKeys({ prefix }).toArray();
  assert.deepEqual(strings(""), keys);
  for (const prefix of ["a", "ab", "b", "\x01", "\uffff", "😀", "\u{10ffff}", "zz"]) {
    assert.deepEqual(strings(prefix), keys.filter((key) => key.startsWith(prefix)), prefix);
  }
  const lists = (prefix: (string | number)[]) => store.getKeys({ prefix }).toArray();
  assert.deepEqual(lists([]).length, tuples.length);
  assert.deepEqual(lists(["a"]), [["a"], ["a", 1], ["a", 1, null], ["a", 2]]);
  assert.deepEqual(lists(["a", 1]), [["a", 1], ["a", 1, null]]);
  assert.deepEqual(lists(["b"]), []);
  assert.deepEqual(store.getKeys({ prefix: Uint8Array.of(255) }).toArray(), bytes.slice(4));
  assert.deepEqual(store.getKeys({ prefix: new Uint8Array() }).toArray(), bytes);
  const reverse = store.getKeys({ prefix: ["a"], reverse: true, limit: 2 }).toArray();
  assert.deepEqual(reverse, [["a", 2], ["a", 1, null]]);
  assert.deepEqual(store.getKeys({ prefix: ["a"], start: ["a", 1] }).toArray().length, 3);
  assert.deepEqual(store.getKeys({ prefix: ["a"], end: ["a", 2] }).toArray().length, 3);
  assert.equal(store.getCount({ prefix: "a" }), 4);
  for (const prefix of [1, null, true, 5n]) {
    assert.throws(() => store.getKeys({ prefix }), { name: "TypeError", code: "ZEOLITE_KEY_TYPE" });
  }
  assert.equal(store.removeRangeSync({ prefix: ["a"] }), 4);
  assert.equal(store.getCount({ prefix: [] }), tuples.length - 4);
});

test("getRange: prefixes under the other key encodings", async () => {
  using opened = new Opened();
  const { store } = opened;
  const strings = store.table("s", { keyEncoding: "string" });
  await strings.putMany(["", "a", "ab", "b"].map((key) => [key, 1]));
  assert.deepEqual(strings.getKeys({ prefix: "a" }).toArray(), ["a", "ab"]);
  assert.deepEqual(strings.getKeys({ prefix: "" }).toArray(), ["", "a", "ab", "b"]);
  const bytes = store.table("b", { keyEncoding: "binary" });
  await bytes.putMany([[], [255], [255, 1]].map((key) => [Uint8Array.from(key), 1]));
  assert.equal(bytes.getCount({ prefix: Uint8Array.of(255) }), 2);
  const numbers = store.table("n", { keyEncoding: "u32" });
  assert.throws(() => numbers.getKeys({ prefix: 1 }), { name: "TypeError" });
});

test("getRange: lazy, restartable, each iteration of one state", async () => {
  using opened = new Opened();
  const { store } = opened;
  const rows = store.getKeys();
  assert.deepEqual(rows.toArray(), []);
  await fill(store, 300);
  assert.equal(rows.toArray().length, 300);
  const seen: unknown[] = [];
  for (const key of rows) {
    seen.push(key);
    if (seen.length === 1) await store.put("later", 1);
    if (seen.length === 2) store.removeRangeSync({ start: 100, end: 200 });
    if (seen.length === 3) await turn();
  }
  assert.equal(seen.length, 300);
  assert.equal(rows.toArray().length, 251);
});

test("getRange: of a batch shows what the batch had written when it began", async () => {
  using opened = new Opened();
  const { store } = opened;
  await store.put(1, 1);
  const written = store.put(2, 2);
  const keys = store.getKeys()[Symbol.iterator]();
  assert.equal(keys.next().value, 1);
  store.putSync(3, 3);
  assert.equal(keys.next().value, 2);
  await written;
  assert.equal(keys.next().done, true);
});

test("map, filter, first, toArray: lazy too", async () => {
  using opened = new Opened();
  const { store } = opened;
  const keys = await fill(store, 200);
  let calls = 0;
  const doubled = store.getKeys().map((key) => (calls += 1, Number(key) * 2));
  assert.equal(calls, 0);
  assert.equal(doubled.first(), 0);
  assert.equal(calls, 1);
  assert.deepEqual(doubled.toArray(), keys.map((key) => key * 2));
  const chained = doubled.filter((key) => key % 3 === 0).map(String).filter((text) => text > "5");
  const wanted = keys.map((key) => key * 2).filter((key) => key % 3 === 0).map(String);
  assert.deepEqual([...chained], wanted.filter((text) => text > "5"));
  assert.equal(store.getRange({ start: 9999 }).first(), undefined);
  assert.equal(store.getKeys().filter(() => false).first(), undefined);
  assert.deepEqual([...store.getRange({ limit: 1 })], [{ key: 0, value: "value 0" }]);
});

test("getRange: lets its state go at the end, at a break, at dispose and at return", async () => {
  using opened = new Opened();
  const { store } = opened;
  await fill(store, 5000);
  const held = async () => {
    await turn();
    return store.readers().length;
  };
  assert.equal(await held(), 0);
  const iterator = store.getRange()[Symbol.iterator]();
  iterator.next();
  await store.put("x", 1);
  assert.equal(await held(), 1);
  assert.equal(store.readers()[0]!.lag, 1);
  iterator.return!();
  assert.equal(await held(), 0);
  assert.equal(iterator.next().done, true);
  for (const row of store.getRange()) if (row.key === 10) break;
  for (const key of store.getKeys().map(String).filter(() => true)) if (key === "10") break;
  assert.equal(store.getRange().toArray().length, 5001);
  store.getRange().first();
  assert.equal(await held(), 0);
  {
    using disposed = store.getRange()[Symbol.iterator]() as Iterator<unknown> & Disposable;
    disposed.next();
    assert.equal(await held(), 1);
  }
  assert.equal(await held(), 0);
});

test("getRange: lets its state go when it is collected", async (t) => {
  const collect = globalThis as { Bun?: { gc(now: boolean): void }; gc?: () => void };
  if (collect.Bun === undefined && collect.gc === undefined) {
    const v8 = await import("node:v8");
    v8.setFlagsFromString("--expose-gc");
  }
  using opened = new Opened();
  const { store } = opened;
  await fill(store, 3000);
  (() => {
    for (let count = 0; count < 5; count += 1) store.getRange()[Symbol.iterator]().next();
    store.snapshot();
  })();
  const gc = collect.gc ?? (() => collect.Bun?.gc(true));
  for (let tries = 0; tries < 100 && store.readers().length > 0; tries += 1) {
    gc();
    const rubbish = Array.from({ length: 10_000 }, (_, index) => ({ index }));
    await new Promise((done) => setTimeout(done, rubbish.length > 0 ? 10 : 0));
  }
  if (collect.Bun === undefined && collect.gc === undefined) return t.skip("no way to collect");
  assert.equal(store.readers().length, 0);
});

test("getRange: of values larger than a chunk, both ways", async () => {
  using opened = new Opened({ encoding: "string" });
  const { store } = opened;
  const sizes = [10, 400_000, 20, 30, 196_080, 196_000, 500_000, 5];
  await Promise.all(sizes.map((size, key) => store.put(key, "v".repeat(size))));
  const found = (reverse: boolean) => store.getRange({ reverse }).map((row) => row.value.length);
  assert.deepEqual(found(false).toArray(), sizes);
  assert.deepEqual([...found(true)], sizes.toReversed());
  assert.deepEqual(store.getKeys().toArray(), sizes.map((_, key) => key));
});

test("getRange: rows of all sizes, each with memory that no later row touches", async () => {
  using opened = new Opened({ pageSize: 65536, encoding: "binary", keyEncoding: "string" });
  const { store } = opened;
  const sizes = [0, 1, 3, 100, 2049, 14000, 16000, 17000, 66000, 300_000];
  const alphabets = ["k", "\u00fc", "\u20ac", "\ud83d\ude00"];
  const entries = Array.from({ length: 300 }, (_, index): [string, Uint8Array] => {
    const text = alphabets[index % 7 < 4 ? 0 : index % 4]!.repeat(index % 60 === 7 ? 7000 : 1);
    const size = index % 4 === 1 ? sizes[index % sizes.length]! : index % 150;
    return [String(index).padStart(4, "0") + text, new Uint8Array(size).fill(index)];
  });
  await store.putMany(entries);
  for (const reverse of [false, true]) {
    const wanted = reverse ? entries.toReversed() : entries;
    for (const limit of [1, 2, 100, 300, undefined]) {
      const range = limit === undefined ? { reverse } : { reverse, limit };
      const rows = [...store.getRange(range)];
      const found = rows.map(({ key, value }) => [key, value]);
      assert.deepEqual(found, wanted.slice(0, limit));
      for (const { value } of rows) value.fill(255);
    }
    const keys = store.getKeys({ reverse }).toArray();
    assert.deepEqual(keys, wanted.map(([key]) => key));
  }
  for (const [key, value] of entries) {
    const [row] = store.getRange({ start: key, limit: 1 }).toArray();
    assert.deepEqual(row, { key, value });
  }
});

test("getRange and getMany: values keep their bytes, whatever is done with others", async () => {
  using opened = new Opened({ encoding: "binary", keyEncoding: "string" });
  const { store } = opened;
  const entries = Array.from({ length: 500 }, (_, index): [string, Uint8Array] => {
    return [String(index).padStart(4, "0"), new Uint8Array(index % 200).fill(index)];
  });
  await store.putMany(entries);
  const check = (value: Uint8Array | undefined, index: number) => {
    assert.deepEqual(value, entries[index]![1], `value ${index}`);
  };
  let index = 0;
  for (const { value } of store.getRange()) {
    check(value, index);
    // Others may share the buffer; those that were not handed out yet must not notice.
    if (index % 3 === 0 && value.length > 0) structuredClone(value, { transfer: [value.buffer] });
    index += 1;
  }
  assert.equal(index, entries.length);
  const kept = store.getRange().toArray();
  const many = store.getMany(entries.map(([key]) => key));
  for (let round = 0; round < 3; round += 1) store.getMany(["0001", "0007"]);
  many.forEach(check);
  kept.forEach(({ value }, place) => check(value, place));
  kept.forEach(({ value }) => value.fill(0));
  many.forEach(check);
});

test("getRange: large values outlive what is done with others", async () => {
  using opened = new Opened({ encoding: "binary", keyEncoding: "string" });
  const { store } = opened;
  const sizes = [1023, 1024, 5000, 1, 16_385, 70_000, 9000, 0, 4097, 300_000, 3_000_000];
  const entries = Array.from({ length: 200 }, (_, index): [string, Uint8Array] => {
    const size = index % 50 === 49 ? sizes[index % 11]! : sizes[index % 7]!;
    return [String(index).padStart(4, "0"), new Uint8Array(size).fill(index + 1)];
  });
  store.putManySync(entries);
  const isRight = (value: Uint8Array | undefined, index: number) => {
    const wanted = entries[index]![1];
    assert.equal(value?.constructor, Uint8Array);
    assert.equal(value!.length, wanted.length, `value ${index}`);
    assert.ok(Buffer.compare(value!, wanted) === 0, `value ${index}`);
  };
  for (const limit of [1, 2, 40, undefined]) {
    const range = limit === undefined ? {} : { limit };
    let index = 0;
    for (const { value } of store.getRange(range)) {
      isRight(value, index);
      // Those that were not handed out yet must not notice.
      if (index % 3 === 0 && value.length > 0) structuredClone(value, { transfer: [value.buffer] });
      // A commit in between changes nothing for a range that began before it.
      if (index % 20 === 0) store.putSync("0150", new Uint8Array(2000));
      index += 1;
    }
    assert.equal(index, limit ?? entries.length);
    store.putSync("0150", entries[150]![1]);
    const kept = store.getRange(range).toArray();
    const gotten = kept.map((_, place) => store.get(entries[place]![0]));
    kept.forEach(({ value }, place) => isRight(value, place));
    gotten.forEach(isRight);
    kept.forEach(({ value }) => value.fill(0));
    gotten.forEach(isRight);
  }
  const rows = store.getRange();
  for (const { value } of rows) {
    if (value.length > 0) structuredClone(value, { transfer: [value.buffer] });
    break;
  }
  await turn();
  assert.equal(store.readers().length, 0);
});

test("getRange: values are told from rubbish after their memory was used again", async () => {
  using opened = new Opened({ encoding: "binary", keyEncoding: "string" });
  const { store } = opened;
  const entries = Array.from({ length: 400 }, (_, index): [string, Uint8Array] => {
    return [String(index).padStart(4, "0"), new Uint8Array(3000 + index * 7).fill(index + 1)];
  });
  entries.push(["large", new Uint8Array(1_000_000).fill(77)]);
  store.putManySync(entries);
  const kept: [number, Uint8Array][] = [];
  for (let round = 0; round < 60; round += 1) {
    store.getRange().toArray().forEach(({ value }, index) => {
      if (index === round || index === 400) kept.push([index, value]);
    });
    // Memory goes with a buffer wherever it is moved to.
    const large = store.get("large")!;
    kept.push([400, structuredClone(large, { transfer: [large.buffer] })]);
    if (round % 10 === 9) await turn();
  }
  for (const [index, value] of kept) {
    assert.ok(Buffer.compare(value, entries[index]![1]) === 0, `value ${index}`);
  }
});

test("getRange: one made in an earlier turn lets its state go at the end of its own", async () => {
  using opened = new Opened();
  const { store } = opened;
  await fill(store, 100);
  const rows = store.getRange({ limit: 10 });
  await turn();
  assert.equal(rows.toArray().length, 10);
  await turn();
  assert.equal(store.readers().length, 0);
  const iterator = rows[Symbol.iterator]();
  await turn();
  assert.equal(iterator.next().done, false);
  await turn();
  assert.equal(store.readers().length, 0);
  await store.put(1, "new");
  assert.equal([...{ [Symbol.iterator]: () => iterator }].length, 9);
});

test("getRange: bad options are refused before anything is read", () => {
  using opened = new Opened();
  const { store } = opened;
  const bad: [object, string][] = [[{ limit: -1 }, "RangeError"], [{ limit: 1.5 }, "RangeError"]];
  bad.push([{ limit: "1" }, "TypeError"], [{ offset: -1 }, "RangeError"]);
  bad.push([{ reverse: 1 }, "TypeError"], [{ exclusiveStart: "no" }, "TypeError"]);
  for (const [range, name] of bad) {
    for (const read of [() => store.getRange(range), () => store.getCount(range)]) {
      assert.throws(read, { name, code: "ZEOLITE_OPTIONS" }, JSON.stringify(range));
    }
  }
  assert.throws(() => store.getKeys({ start: NaN }), { code: "ZEOLITE_KEY_TYPE" });
  assert.throws(() => store.getKeys({ end: {} as never }), { code: "ZEOLITE_KEY_TYPE" });
  assert.throws(() => store.getKeys(5 as never), { code: "ZEOLITE_OPTIONS" });
  assert.deepEqual(store.getKeys({ limit: Infinity }).toArray(), []);
});
