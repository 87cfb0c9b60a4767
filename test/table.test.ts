/** Reading and writing one table: every method, every encoding, every condition of a put. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Key, Table, ValueCodec } from "../src/mod.ts";
import { Opened, rejection } from "./Opened.ts";

const value0 = Uint8Array.of(0);

test("put, get, has, remove: by promise and at once", async () => {
  using opened = new Opened();
  const { store } = opened;
  assert.equal(store.get("a"), undefined);
  assert.equal(store.has("a"), false);
  assert.equal(await store.put("a", { n: 1 }), true);
  assert.deepEqual(store.get("a"), { n: 1 });
  assert.equal(store.putSync("a", [2]), true);
  assert.deepEqual(store.get("a"), [2]);
  assert.equal(store.has("a"), true);
  assert.equal(await store.remove("a"), true);
  assert.equal(await store.remove("a"), false);
  assert.equal(store.removeSync("a"), false);
  assert.equal(store.has("a"), false);
});

test("put: a promised write is seen at once in its own thread", async () => {
  using opened = new Opened();
  const { store } = opened;
  const written = store.put("a", 1);
  assert.equal(store.get("a"), 1);
  assert.deepEqual(store.getMany(["a", "b"]), [1, undefined]);
  assert.deepEqual(store.getKeys().toArray(), ["a"]);
  assert.equal(store.getCount(), 1);
  assert.equal(await written, true);
});

test("put: keys of every kind keep their type and their order", async () => {
  using opened = new Opened();
  const { store } = opened;
  const keys: Key[] = [null, false, true, -1.5, 0, 1, 2n ** 70n, "", "a", "é", Uint8Array.of(1)];
  keys.push([], [1], [1, "a"], ["b", [2n]], [[null]]);
  await Promise.all(keys.toReversed().map((key) => store.put(key, { key })));
  assert.deepEqual(store.getKeys().toArray(), keys);
  for (const key of keys) assert.deepEqual(store.get(key), { key });
  assert.deepEqual(store.get(-0), { key: 0 });
});

test("values: each size from empty to large, in and beside the page", async () => {
  using opened = new Opened({ encoding: "binary" });
  const { store } = opened;
  const sizes = [0, 1, 100, 2047, 2048, 4095, 4096, 65_536, 196_096, 196_097, 1_000_000];
  const value = (size: number) => Uint8Array.from({ length: size }, (_, at) => at * 7 + size);
  for (const size of sizes) await store.put(size, value(size));
  for (const size of sizes) {
    assert.deepEqual(store.get(size), value(size));
    assert.deepEqual(store.getBinary(size), value(size));
    assert.deepEqual(Uint8Array.from(store.getView(size)!), value(size));
    assert.equal(store.getView(size)!.length, size);
  }
  assert.deepEqual(store.getMany(sizes), sizes.map(value));
  assert.deepEqual(store.getRange().toArray(), sizes.map((key) => ({ key, value: value(key) })));
  const mixed = store.getRange({ reverse: true }).map(({ value }) => value.length).toArray();
  assert.deepEqual(mixed, sizes.toReversed());
});

test("values: what get returns belongs to the caller", async () => {
  using opened = new Opened({ encoding: "binary" });
  const { store } = opened;
  await store.put("a", Uint8Array.of(1, 2, 3));
  const first = store.get("a");
  const many = store.getMany(["a"])[0];
  const row = store.getRange().first()!.value;
  const inTurn = (await store.put("b", Uint8Array.of(9)), store.getBinary("b")!);
  for (const bytes of [first, many, row]) bytes.fill(0);
  inTurn.fill(7);
  assert.deepEqual(store.get("a"), Uint8Array.of(1, 2, 3));
  assert.deepEqual(store.get("b"), Uint8Array.of(9));
  assert.deepEqual(first, Uint8Array.of(0, 0, 0));
});

test("table: named tables with their own encodings", async () => {
  using opened = new Opened();
  const { store } = opened;
  const strings = store.table<string>("strings", { keyEncoding: "string", encoding: "string" });
  const bytes = store.table<Uint8Array>("bytes", { keyEncoding: "binary", encoding: "binary" });
  const small = store.table<number>("small", { keyEncoding: "u32", encoding: "json" });
  const wide = store.table<null>("wide", { keyEncoding: "u64" });
  assert.deepEqual(store.tables(), []);
  await Promise.all([
    strings.put("é\0", "ü"),
    bytes.put(new Uint8Array(), Uint8Array.of(1)),
    small.put(4_294_967_295, 1.5),
    wide.put(2n ** 64n - 1n, null),
  ]);
  assert.deepEqual(store.tables(), ["bytes", "small", "strings", "wide"]);
  const again = await opened.reopen();
  assert.deepEqual(again.table("strings").getRange().toArray(), [{ key: "é\0", value: "ü" }]);
  assert.deepEqual(again.table("bytes").getKeys().toArray(), [new Uint8Array()]);
  assert.deepEqual(again.table("small").getRange().first(), { key: 4_294_967_295, value: 1.5 });
  assert.deepEqual(again.table("wide").getKeys().toArray(), [2n ** 64n - 1n]);
  assert.equal(again.table("wide").name, "wide");
  assert.equal(again.name, null);
});

test("table: a codec of the caller", async () => {
  using opened = new Opened();
  const dates: ValueCodec<Date> = {
    name: "iso-date",
    encode: (date) => new TextEncoder().encode(date.toISOString()),
    decode: (bytes) => new Date(new TextDecoder().decode(bytes)),
  };
  const options = { encoding: dates };
  await opened.store.table<Date>("dates", options).put("a", new Date(5));
  const store = await opened.reopen();
  const lost = store.table("dates");
  assert.equal(new TextDecoder().decode(lost.getBinary("a")), "1970-01-01T00:00:00.005Z");
  assert.deepEqual(lost.getKeys().toArray(), ["a"]);
  assert.equal(lost.getCount(), 1);
  assert.throws(() => lost.get("a"), { code: "ZEOLITE_OPTIONS", message: /iso-date/ });
  assert.equal((await rejection(lost.put("b", 1))).code, "ZEOLITE_OPTIONS");
  assert.deepEqual(store.table<Date>("dates", options).get("a"), new Date(5));
  assert.deepEqual(lost.get("a"), new Date(5));
});

test("put: a codec that throws rejects its own operation alone", async () => {
  using opened = new Opened();
  const codec: ValueCodec<number> = {
    name: "odd",
    encode(value) {
      if (value % 2 === 0) throw new Error("even");
      return Uint8Array.of(value);
    },
    decode: (bytes) => bytes[0]!,
  };
  const table = opened.store.table<number>("odd", { encoding: codec });
  const results = await Promise.allSettled([1, 2, 3].map((value) => table.put(value, value)));
  assert.deepEqual(results.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
  const { reason } = results[1] as PromiseRejectedResult;
  assert.equal(reason.code, "ZEOLITE_OPTIONS");
  assert.equal(reason.cause.message, "even");
  assert.deepEqual(table.getKeys().toArray(), [1, 3]);
});

test("put: an error of key, value or order rejects that operation alone", async () => {
  using opened = new Opened();
  const { store } = opened;
  const results = await Promise.allSettled([
    store.put("b", 1),
    store.put(NaN, 1),
    store.put("x".repeat(5000), 1),
    store.put("c", undefined),
    store.put("a", 1, { append: true }),
    store.put("c", 2, { append: true }),
  ]);
  const codes = results.map((result) => result.status === "rejected" ? result.reason.code : true);
  assert.deepEqual(codes, [
    true,
    "ZEOLITE_KEY_TYPE",
    "ZEOLITE_KEY_SIZE",
    "ZEOLITE_OPTIONS",
    "ZEOLITE_KEY_ORDER",
    true,
  ]);
  assert.deepEqual(store.getKeys().toArray(), ["b", "c"]);
  for (const key of [NaN, "x".repeat(5000)]) assert.throws(() => store.putSync(key, 1));
  assert.throws(() => store.putSync("a", 1, { append: true }), { code: "ZEOLITE_KEY_ORDER" });
  assert.equal(store.putSync("d", 1), true);
});

test("keys: the largest fits, one byte more is refused", async () => {
  for (const [pageSize, most] of [[512, 256], [4096, 2048], [65_536, 32_768]] as const) {
    using opened = new Opened({ pageSize, keyEncoding: "string" });
    const { store } = opened;
    const key = "k".repeat(most);
    await store.put(key, most);
    assert.equal(store.get(key), most);
    assert.deepEqual(store.getKeys().toArray(), [key]);
    const error = await rejection(store.put(key + "k", 1));
    assert.ok(error instanceof RangeError);
    assert.match(error.message, new RegExp(`${most + 1} bytes.* at most ${most}`));
    assert.throws(() => store.get(key + "k"), { code: "ZEOLITE_KEY_SIZE" });
  }
});

test("ifAbsent and ifValue: compare and set", async () => {
  using opened = new Opened();
  const { store } = opened;
  assert.equal(await store.put("a", 1, { ifAbsent: true }), true);
  assert.equal(await store.put("a", 2, { ifAbsent: true }), false);
  assert.equal(await store.put("a", 2, { ifValue: 5 }), false);
  assert.equal(await store.put("a", { x: [1] }, { ifValue: 1 }), true);
  assert.equal(store.putSync("a", 3, { ifValue: { x: [1] } }), true);
  assert.equal(store.putSync("a", 4, { ifValue: undefined }), false);
  assert.equal(store.putSync("b", 4, { ifValue: undefined }), true);
  assert.equal(store.putSync("c", 4, { ifValue: 4 }), false);
  assert.deepEqual(store.getRange().toArray(), [{ key: "a", value: 3 }, { key: "b", value: 4 }]);
  const long = "v".repeat(300_000);
  assert.equal(store.putSync("a", long, { ifValue: 3 }), true);
  assert.equal(store.putSync("a", long + "w", { ifValue: long + "x" }), false);
  assert.equal(store.putSync("a", long + "w", { ifValue: long }), true);
  const both = { ifValue: 1, ifAbsent: true };
  assert.throws(() => store.putSync("a", 1, both), { code: "ZEOLITE_OPTIONS" });
});

test("ifValue: of two writers in one turn one wins", async () => {
  using opened = new Opened();
  const { store } = opened;
  await store.put("seat", "free");
  const taken = ["ann", "ben"].map((name) => store.put("seat", name, { ifValue: "free" }));
  assert.deepEqual(await Promise.all(taken), [true, false]);
  assert.equal(store.get("seat"), "ann");
});

test("putMany: all or none, counted", async () => {
  using opened = new Opened();
  const { store } = opened;
  const entries = Array.from({ length: 5000 }, (_, index) => [index, `value ${index}`] as const);
  assert.equal(await store.putMany(entries), 5000);
  assert.equal(store.getCount(), 5000);
  assert.equal(store.putManySync(entries.slice(4990), { ifAbsent: true }), 0);
  assert.equal(await store.putMany([[1, "x"], [5000, "y"]], { ifAbsent: true }), 1);
  assert.equal(store.putManySync([[1, "x"], [2, "x"]], { ifValue: "value 2" }), 1);
  const bad = function* (): Generator<[Key, unknown]> {
    for (let index = 10_000; index < 40_000; index += 1) yield [index, "z".repeat(20)];
    yield [NaN, 1];
  };
  assert.equal((await rejection(store.putMany(bad()))).code, "ZEOLITE_KEY_TYPE");
  assert.throws(() => store.putManySync(bad()), { code: "ZEOLITE_KEY_TYPE" });
  assert.equal(store.getCount(), 5001);
  assert.equal(store.get(2), "x");
  assert.equal(await store.putMany([]), 0);
});

test("putMany: keys and values of all sizes, appended and in no order", () => {
  const options = { keyEncoding: "string", encoding: "binary" } as const;
  for (const append of [true, false]) {
    using opened = new Opened(options);
    const { store } = opened;
    const entries = Array.from({ length: 3000 }, (_, index): [string, Uint8Array] => {
      const rest = (index % 7 === 0 ? "é" : "k").repeat(index % 71);
      const size = index % 97 === 0 ? 4000 + index : (index * 31) % 230;
      return [String(index).padStart(5, "0") + rest, new Uint8Array(size).fill(index)];
    });
    const given = append ? entries : entries.toSorted(([a], [b]) => a < b ? 1 : -1);
    for (let from = 0; from < given.length; from += 750) {
      const part = given.slice(from, from + 750);
      assert.equal(store.putManySync(part, append ? { append } : {}), part.length);
    }
    for (const [key, value] of entries) assert.deepEqual(store.get(key), value);
    assert.deepEqual(store.getKeys().toArray(), entries.map(([key]) => key));
    assert.throws(() => store.putManySync([["a", value0], ["Z", value0]], { append: true }), {
      code: "ZEOLITE_KEY_ORDER",
    });
    assert.equal(store.getCount(), entries.length);
  }
});

test("putMany: large values among small ones, and writes made while it runs", async () => {
  using opened = new Opened();
  const { store } = opened;
  const entries = function* (): Generator<[Key, unknown]> {
    for (let index = 0; index < 200; index += 1) {
      if (index === 100) store.putSync("inside", store.getCount({ end: 1000 }) > 0);
      yield [index, index % 50 === 0 ? "L".repeat(250_000) : index];
    }
  };
  assert.equal(await store.putMany(entries()), 200);
  assert.equal(store.get(50).length, 250_000);
  assert.equal(store.get(51), 51);
  assert.equal(store.has("inside"), true);
  assert.equal(store.getCount(), 201);
});

test("putMany: append checks the order", async () => {
  using opened = new Opened();
  const { store } = opened;
  assert.equal(await store.putMany([[1, 1], [2, 2], [3, 3]], { append: true }), 3);
  const error = await rejection(store.putMany([[4, 4], [3.5, 3]], { append: true }));
  assert.equal(error.code, "ZEOLITE_KEY_ORDER");
  assert.deepEqual(store.getKeys().toArray(), [1, 2, 3]);
});

test("update: reads, applies, writes", async () => {
  using opened = new Opened();
  const { store } = opened;
  const add = (old: number | undefined) => (old ?? 0) + 1;
  const updates = Array.from({ length: 100 }, () => store.update("n", add));
  assert.deepEqual(
    await Promise.all(updates),
    Array.from({ length: 100 }, (_, index) => index + 1),
  );
  assert.equal(store.updateSync("n", () => undefined), undefined);
  assert.equal(store.has("n"), false);
  assert.equal(store.updateSync("n", () => undefined), undefined);
  const error = await rejection(store.update("n", () => {
    throw new Error("mine");
  }));
  assert.equal(error.message, "mine");
  assert.throws(() => store.updateSync("n", () => Promise.resolve(1)), { code: "ZEOLITE_OPTIONS" });
  const nested = store.updateSync("n", () => {
    store.putSync("other", store.get("n") ?? "none");
    return "outer";
  });
  assert.equal(nested, "outer");
  assert.equal(store.get("other"), "none");
});

test("remove: with a value only if it has that value", async () => {
  using opened = new Opened();
  const { store } = opened;
  await store.put("a", [1]);
  assert.equal(await store.remove("a", [2]), false);
  assert.equal(store.removeSync("a", [1]), true);
  assert.equal(store.removeSync("a", [1]), false);
});

test("removeRange and clear", async () => {
  using opened = new Opened();
  const { store } = opened;
  const fill = () => store.putManySync(Array.from({ length: 1000 }, (_, key) => [key, key]));
  fill();
  assert.equal(await store.removeRange({ start: 10, end: 20 }), 10);
  assert.equal(
    store.removeRangeSync({ start: 0, end: 2, exclusiveStart: true, inclusiveEnd: true }),
    2,
  );
  assert.equal(store.getCount(), 988);
  assert.equal(store.removeRangeSync({ start: 100, limit: 5 }), 5);
  assert.deepEqual(store.getKeys({ start: 99, limit: 2 }).toArray(), [99, 105]);
  assert.equal(store.removeRangeSync({ start: 200, offset: 2, limit: 3 }), 3);
  assert.deepEqual(store.getKeys({ start: 200, limit: 3 }).toArray(), [200, 201, 205]);
  assert.equal(store.removeRangeSync({ start: 300, reverse: true, offset: 1, limit: 2 }), 2);
  assert.deepEqual(store.getKeys({ start: 301, reverse: true, limit: 3 }).toArray(), [
    301,
    300,
    297,
  ]);
  assert.equal(store.removeRangeSync({ limit: 0 }), 0);
  assert.equal(store.removeRangeSync({ offset: 5000 }), 0);
  assert.equal(store.removeRangeSync({ start: 5000 }), 0);
  assert.equal(store.removeRangeSync({ start: 20, end: 10 }), 0);
  assert.equal(await store.clear(), undefined);
  assert.equal(store.getCount(), 0);
  fill();
  store.clearSync();
  assert.deepEqual(store.getRange().toArray(), []);
  await store.put(1, 1);
  assert.equal(store.getCount(), 1);
});

test("getMany: order of the keys, repeats, absent ones, more than fit at once", async () => {
  using opened = new Opened();
  const { store } = opened;
  assert.deepEqual(store.getMany([]), []);
  const entries = Array.from({ length: 3000 }, (_, key) => [key, `${key}:`.repeat(100)] as const);
  await store.putMany(entries);
  const keys = [5, -1, 5, 2999, 0, 3000];
  assert.deepEqual(store.getMany(keys), keys.map((key) => entries[key]?.[1]));
  const all = entries.map(([key]) => key).reverse();
  assert.deepEqual(store.getMany(all), entries.map(([, value]) => value).reverse());
  const inBatch = store.put("new", 1);
  assert.equal(store.getMany([...all, "new"]).at(-1), 1);
  await inBatch;
  await store.put("large", "x".repeat(600_000));
  assert.equal(store.getMany(["large", 1])[0].length, 600_000);
  assert.throws(() => store.getMany([1, NaN]), { code: "ZEOLITE_KEY_TYPE" });
  assert.throws(() => store.getMany("abc" as never), { code: "ZEOLITE_OPTIONS" });
  using snapshot = store.snapshot();
  assert.deepEqual(store.at(snapshot).getMany([1, "nope"]), [entries[1]![1], undefined]);
});

test("stats: counts of one table", async () => {
  using opened = new Opened();
  const table = opened.store.table("t");
  assert.equal(table.stats().entries, 0);
  await table.putMany(Array.from({ length: 1000 }, (_, key) => [key, "x".repeat(50)]));
  await table.put("large", "x".repeat(20_000));
  const stats = table.stats();
  assert.equal(stats.entries, 1001);
  assert.ok(stats.depth >= 2 && stats.branchPages >= 1 && stats.leafPages > 10);
  assert.ok(stats.overflowPages >= 5);
});

test("methods: what is not available yet says so", () => {
  using opened = new Opened();
  const { store } = opened;
  const refusal = { code: "ZEOLITE_OPTIONS", message: /not available yet/ };
  assert.throws(() => store.getValues("a"), refusal);
  assert.throws(() => store.metrics(), refusal);
  assert.throws(() => store.changes(), refusal);
  assert.throws(() => store.table("t", { dupSort: true }), refusal);
  assert.throws(() => store.table("t", { compression: true }), refusal);
  assert.throws(() => store.table("t", { compression: { threshold: 1 } }), refusal);
  store.transactionSync((txn) => assert.throws(() => txn.savepoint(), refusal));
});

test("compact: not available yet", async () => {
  using opened = new Opened();
  assert.match((await rejection(opened.store.compact())).message, /not available yet/);
});

test("type tests: tables infer their keys", () => {
  using opened = new Opened();
  const strings: Table<number, string> = opened.store.table<number>("a", { keyEncoding: "string" });
  const wide: Table<number, bigint> = opened.store.table<number>("b", { keyEncoding: "u64" });
  const tuples = opened.store.table<number, [string, number]>("c");
  tuples.getRange({ start: ["a"], prefix: ["a"] });
  // @ts-expect-error A string table takes no numbers.
  assert.throws(() => strings.get(1));
  // @ts-expect-error A bigint table takes no numbers.
  assert.throws(() => wide.get(1));
});
