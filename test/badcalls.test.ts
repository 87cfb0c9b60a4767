/**
 * Calls that cannot be: each is refused with its code and what was found, whether by promise or at
 * once;
 * nothing of what was stored is lost, and the store goes on.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { open, type OpenOptions, type Store, type ZeoliteCode } from "../src/mod.ts";
import { Opened } from "./Opened.ts";
import { Folder, OTHER, OWN, Peer } from "./Peer.ts";

/** Made before each refusal, and there after it. */
const ROWS = Object.entries({ first: 1, second: 2 });

/** A call, the code and the class of its refusal, and what the text says. */
type Refusal = readonly [call: () => unknown, code: ZeoliteCode, name: string, message: RegExp];

/** The store holds what it held, and can be written and read. */
async function assertUsable(store: Store): Promise<void> {
  for (const [key, value] of ROWS) assert.equal(store.get(key), value);
  assert.equal(await store.put("usable", true), true);
  assert.equal(store.get("usable"), true);
  assert.equal(await store.remove("usable"), true);
  assert.equal(store.getCount(), ROWS.length);
}

/** Each call is refused as said, at once or by promise, and harms nothing. */
async function assertRefused(store: Store, refusals: readonly Refusal[]): Promise<void> {
  await store.putMany(ROWS);
  for (const [call, code, name, message] of refusals) {
    // An async function makes a rejection of whatever a call throws.
    await assert.rejects(async () => await call(), { code, name, message }, call.toString());
    await assertUsable(store);
  }
}

/** The ways to write a value under a key. */
function* writes(store: Store, key: unknown, value: unknown): Generator<() => unknown> {
  const [name, content] = [key as string, value as string];
  yield () => store.put(name, content);
  yield () => store.putSync(name, content);
  yield () => store.putMany([[name, content]]);
  yield () => store.putManySync([["third", 3], [name, content]]);
  yield () => store.update(name, () => content);
  yield () => store.updateSync(name, () => content);
}

/** The ways to name a key without writing one. */
function* reads(store: Store, key: unknown): Generator<() => unknown> {
  const name = key as string;
  yield () => store.get(name);
  yield () => store.getBinary(name);
  yield () => store.getView(name);
  yield () => store.has(name);
  yield () => store.getMany([name]);
  yield () => store.getRange({ start: name }).toArray();
  yield () => store.getCount({ end: name });
  yield () => store.remove(name);
  yield () => store.removeSync(name);
}

test("bad call: a key of the wrong type", async () => {
  using opened = new Opened();
  const { store } = opened;
  const keys: [unknown, RegExp][] = [[undefined, /undefined/], [Symbol("s"), /symbol/]];
  keys.push([() => 1, /function/], [{}, /an object/], [new Date(0), /Date/], [
    [1, {}],
    /an object/,
  ]);
  keys.push([NaN, /NaN/], [["a", NaN], /NaN/], [new Map(), /Map/]);
  const refusals: Refusal[] = [];
  for (const [key, message] of keys) {
    const calls = [...writes(store, key, 1)];
    if (key !== undefined) calls.push(...reads(store, key));
    for (const call of calls) refusals.push([call, "ZEOLITE_KEY_TYPE", "TypeError", message]);
  }
  await assertRefused(store, refusals);
});

test("bad call: a key of the wrong type for the table's encoding", async () => {
  using opened = new Opened();
  const { store } = opened;
  const wrong = {
    string: [1, null, new Uint8Array(1), ["a"]],
    binary: ["a", 1, null, new Uint16Array(1)],
    u32: [NaN, 1n, "1", -1, 2 ** 32, 1.5],
    u64: [1, "1", -1n, 2n ** 64n],
  } as const;
  // Of these a value can have the right type and still be none of theirs.
  const types: Readonly<Record<string, string>> = { u32: "number", u64: "bigint" };
  const refusals: Refusal[] = [];
  for (const [keyEncoding, keys] of Object.entries(wrong)) {
    const table = store.table(keyEncoding, { keyEncoding } as { keyEncoding: "string" });
    for (const key of keys) {
      const call = () => table.put(key as string, 1);
      const type: string = typeof key;
      const name = type === types[keyEncoding] ? "RangeError" : "TypeError";
      refusals.push([call, "ZEOLITE_KEY_TYPE", name, new RegExp(keyEncoding)]);
    }
  }
  await assertRefused(store, refusals);
});

test("bad call: -0 is the key 0", async () => {
  using opened = new Opened();
  const { store } = opened;
  await store.put(-0, "zero");
  await store.put([-0, "a"], "in a tuple");
  assert.equal(store.get(0), "zero");
  assert.equal(store.get(-0), "zero");
  assert.equal(store.get([0, "a"]), "in a tuple");
  assert.deepEqual(store.getKeys().toArray().map((key) => Object.is(key, 0)), [true, false]);
});

test("bad call: a key that is too long", async () => {
  for (const [pageSize, sizeMax] of [[512, 256], [4096, 2048], [65536, 32768]] as const) {
    using opened = new Opened({ pageSize, keyEncoding: "string" });
    const { store } = opened;
    const longest = "k".repeat(sizeMax);
    await store.put(longest, "fits");
    assert.equal(store.get(longest), "fits");
    await store.remove(longest);
    const message = new RegExp(`${sizeMax}`);
    const calls = [...writes(store, `${longest}k`, 1), ...reads(store, `${longest}k`)];
    await assertRefused(
      store,
      calls.map((call) => [call, "ZEOLITE_KEY_SIZE", "RangeError", message] as const),
    );
  }
});

test("bad call: a value that the codec refuses", async () => {
  using opened = new Opened();
  const { store } = opened;
  const circle: unknown[] = [];
  circle.push(circle);
  const refusing = {
    name: "refusing",
    encode: (): Uint8Array => {
      throw new Error("not this one");
    },
    decode: (bytes: Uint8Array) => bytes,
  };
  const tables = {
    json: store.table("json", { encoding: "json" }),
    string: store.table("string", { encoding: "string" }),
    binary: store.table("binary", { encoding: "binary" }),
    refusing: store.table("refusing", { encoding: refusing }),
  };
  const refusals: Refusal[] = [];
  const refuse = (table: Pick<Store, "put" | "putSync">, value: unknown, message: RegExp): void => {
    for (const call of [() => table.put("key", value), () => table.putSync("key", value)]) {
      refusals.push([call, "ZEOLITE_OPTIONS", "TypeError", message]);
    }
  };
  refuse(store, undefined, /undefined/);
  refuse(store, () => 1, /function/);
  refuse(tables.json, circle, /json/);
  refuse(tables.json, undefined, /undefined/);
  refuse(tables.string, 1, /found 1/);
  refuse(tables.binary, "text", /"text"/);
  refuse(tables.refusing, 1, /"refusing" says: not this one/);
  await assertRefused(store, refusals);
});

test("bad call: a put that fails leaves the others of its turn", async () => {
  using opened = new Opened();
  const { store } = opened;
  await store.putMany(ROWS);
  const results = await Promise.allSettled([
    store.put("before", 1),
    store.put(NaN, 1),
    store.putMany([["in part", 1], [NaN, 2]]),
    store.put("between", () => 1),
    store.put("after", 1),
  ]);
  const outcomes = results.map((result) =>
    result.status === "fulfilled" ? result.value : result.reason.code
  );
  const keyType = "ZEOLITE_KEY_TYPE";
  assert.deepEqual(outcomes, [true, keyType, keyType, "ZEOLITE_OPTIONS", true]);
  assert.deepEqual(["before", "after"].map((key) => store.has(key)), [true, true]);
  assert.deepEqual(["in part", "between"].map((key) => store.has(key)), [false, false]);
  for (const key of ["before", "after"]) await store.remove(key);
  await assertUsable(store);
});

test("bad call: a throw inside a transaction", async () => {
  using opened = new Opened();
  const { store } = opened;
  await store.putMany(ROWS);
  const fail = (): never => {
    store.putSync("first", "overwritten");
    store.removeSync("second");
    store.table("new").putSync("a", 1);
    throw new RangeError("changed my mind");
  };
  const thrown = { name: "RangeError", message: "changed my mind" };
  await assert.rejects(store.transaction(fail), thrown);
  await assertUsable(store);
  assert.throws(() => store.transactionSync(fail), thrown);
  await assertUsable(store);
  await store.transaction(() => {
    assert.throws(() => store.transactionSync(fail), thrown);
    store.putSync("outer", "kept");
  });
  assert.equal(await store.remove("outer"), true);
  await assertUsable(store);
  assert.deepEqual(store.tables(), []);
});

test("bad call: a transaction used after its end", async () => {
  using opened = new Opened();
  const { store } = opened;
  const committed = store.begin();
  await committed.commit();
  const aborted = store.begin();
  aborted.abort();
  const refusals: Refusal[] = [];
  for (const txn of [committed, aborted]) {
    const calls = [
      () => txn.commit(),
      () => txn.commitSync(),
      () => txn.abort(),
      () => store.at(txn),
    ];
    const ended = ["ZEOLITE_TXN_ENDED", "ZeoliteError", /committed, aborted or disposed/] as const;
    for (const call of calls) refusals.push([call, ...ended]);
  }
  const open = store.begin();
  const table = store.at(open);
  const range = table.getRange()[Symbol.iterator]();
  open.abort();
  for (const call of [() => table.get("first"), () => table.putSync("a", 1), () => range.next()]) {
    refusals.push([call, "ZEOLITE_TXN_ENDED", "ZeoliteError", /Cannot /]);
  }
  const snapshot = store.snapshot();
  const before = store.at(snapshot);
  snapshot[Symbol.dispose]();
  refusals.push([() => before.get("first"), "ZEOLITE_TXN_ENDED", "ZeoliteError", /Cannot read/]);
  await assertRefused(store, refusals);
});

test("bad call: use after close", async () => {
  using opened = new Opened();
  const { store } = opened;
  await store.putMany(ROWS);
  const table = store.table("table");
  const snapshot = store.snapshot();
  await store.close();
  const calls: (() => unknown)[] = [...writes(store, "a", 1), ...reads(store, "first")];
  calls.push(() => table.get("a"), () => table.put("a", 1), () => store.table("b"));
  calls.push(() => store.at(snapshot), () => store.snapshot(), () => store.begin());
  calls.push(() => store.flush(), () => store.flushSync(), () => store.checkpoint());
  calls.push(() => store.check(), () => store.stats(), () => store.readers(), () => store.tables());
  calls.push(() => store.backup(`${opened.path}-copy`), () => store.clear());
  for (const call of calls) {
    const closed = { code: "ZEOLITE_CLOSED", name: "ZeoliteError", message: /was closed; open/ };
    await assert.rejects(async () => await call(), closed, call.toString());
  }
  await assertUsable(await opened.reopen());
});

test("bad call: closing with writes pending", async () => {
  for (const durability of ["durable", "committed", "none"] as const) {
    using opened = new Opened({ durability });
    const { store } = opened;
    const pending = [...ROWS].map(([key, value]) => store.put(key, value));
    const closing = store.close();
    assert.deepEqual(await Promise.all(pending), [true, true]);
    await closing;
    await assertUsable(await opened.reopen({ durability }));
    const late = opened.store.put("usable", 1).catch(({ code }) => code);
    opened.store[Symbol.dispose]();
    assert.equal(await late, true);
    const again = await opened.reopen({ durability });
    assert.equal(await again.remove("usable"), true);
    await assertUsable(again);
  }
});

test("bad call: two opens with contradicting options, in one process", async () => {
  using opened = new Opened({ pageSize: 4096, keyEncoding: "ordered", encoding: "msgpack" });
  const { store, path } = opened;
  const cases: [OpenOptions, RegExp][] = [
    [{ pageSize: 8192 }, /pageSize.*4096/],
    [{ keyEncoding: "u32" }, /ordered.*u32/],
    [{ encoding: "json" }, /msgpack.*json/],
    [{ maxSize: 1 << 30 }, /maxSize/],
    [{ verify: "always" }, /verify/],
    [{ checkpointBytes: 1 << 20 }, /checkpointBytes/],
    [{ exclusive: true }, /exclusive/],
  ];
  await assertRefused(
    store,
    cases.map(([options, message]) => {
      return [() => open(path, options), "ZEOLITE_OPTIONS", "ZeoliteError", message] as const;
    }),
  );
});

test("bad call: two opens with contradicting options, in two processes", async () => {
  using folder = new Folder();
  const path = folder.file("store");
  await using one = await Peer.start(OWN);
  await using other = await Peer.start(OTHER);
  await one.run(async ({ store }, at) => {
    await store(at, { pageSize: 4096, encoding: "json" }).put("kept", 1);
  }, path);
  const refused = async (options: OpenOptions, code: ZeoliteCode, message: RegExp) => {
    const call = other.run(({ open }, at, given) => void open(at, given), path, options);
    await assert.rejects(call, { code, message });
  };
  await refused({ pageSize: 512 }, "ZEOLITE_OPTIONS", /pages of 4096 bytes.*512/);
  await refused({ encoding: "string" }, "ZEOLITE_OPTIONS", /json.*string/);
  await refused({ keyEncoding: "binary" }, "ZEOLITE_OPTIONS", /ordered.*binary/);
  await refused({ exclusive: true }, "ZEOLITE_BUSY", /open elsewhere/);
  assert.equal(await other.run(({ store }, at) => store(at).get("kept"), path), 1);
  await other.end();
  await one.end();
  // Alone it may be exclusive, and then nobody else comes in.
  await using owner = await Peer.start(OWN);
  await using late = await Peer.start(OTHER);
  await owner.run(({ store }, at) => store(at, { exclusive: true }).putSync("kept", 2), path);
  const call = late.run(({ open }, at) => void open(at), path);
  await assert.rejects(call, { code: "ZEOLITE_BUSY", message: /exclusive: true elsewhere/ });
  await owner.end();
  assert.equal(await late.run(({ store }, at) => store(at).get("kept"), path), 2);
  await late.end();
});
