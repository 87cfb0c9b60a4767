/** Closing: what is waited for, what ends, and that nothing works or crashes afterwards. */
import assert from "node:assert/strict";
import { closeSync, fstatSync, openSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { Files } from "../src/files.ts";
import { open } from "../src/mod.ts";
import { Opened, rejection } from "./Opened.ts";
import { Folder } from "./Peer.ts";

test("close: waits for pending writes", async () => {
  using opened = new Opened({ durability: "durable" });
  const { store } = opened;
  const settled: string[] = [];
  const written = [
    store.put("a", 1).then(() => settled.push("a")),
    store.transaction(() => store.putSync("b", 2)).then(() => settled.push("b")),
  ];
  await store.close();
  await Promise.all(written);
  assert.deepEqual(settled.sort(), ["a", "b"]);
  using again = open(opened.path);
  assert.deepEqual(again.getKeys().toArray(), ["a", "b"]);
});

test("close: every later use is ZEOLITE_CLOSED", async () => {
  using opened = new Opened();
  const { store } = opened;
  const table = store.table("t");
  await store.put("a", 1);
  const snapshot = store.snapshot();
  const reader = store.at(snapshot);
  const rows = store.getRange()[Symbol.iterator]();
  const fresh = store.getRange();
  rows.next();
  const iterating = table.getKeys();
  await store.put("b", 1);
  const started = store.getKeys()[Symbol.iterator]();
  started.next();
  await store.close();
  const uses = [
    () => store.get("a"),
    () => store.getBinary("a"),
    () => store.getView("a"),
    () => store.has("a"),
    () => store.getMany(["a"]),
    () => store.getRange(),
    () => store.getCount(),
    () => fresh.first(),
    () => iterating.toArray(),
    () => started.next(),
    () => reader.get("a"),
    () => store.at(snapshot),
    () => store.putSync("a", 1),
    () => table.putManySync([]),
    () => table.clearSync(),
    () => store.table("x"),
    () => store.tables(),
    () => store.snapshot(),
    () => store.begin(),
    () => store.transactionSync(() => 1),
    () => store.flushSync(),
    () => store.checkpointSync(),
    () => store.stats(),
    () => table.stats(),
    () => store.readers(),
    () => store.dropTableSync("t"),
  ];
  for (const use of uses) assert.throws(use, { code: "ZEOLITE_CLOSED" }, String(use));
  const promises: Promise<unknown>[] = [
    store.put("a", 1),
    store.flush(),
    store.checkpoint(),
    table.clear(),
  ];
  promises.push(store.transaction(() => true), store.dropTable("t"), table.removeRange({}));
  promises.push(store.update("a", () => 1), store.putMany([]), store.remove("a"));
  for (const error of await Promise.all(promises.map(rejection))) {
    assert.equal(error.code, "ZEOLITE_CLOSED");
    assert.match(error.message, /open ".*" again/);
  }
  assert.equal((await rejection(store.check())).code, "ZEOLITE_CLOSED");
  assert.equal((await rejection(store.backup("x"))).code, "ZEOLITE_CLOSED");
  snapshot[Symbol.dispose]();
  rows.return!();
});

test("close: twice, and dispose behind it, are harmless", async () => {
  using opened = new Opened();
  const { store } = opened;
  const closes = [store.close(), store.close()];
  store[Symbol.dispose]();
  await Promise.all(closes);
  await store.close();
  store[Symbol.dispose]();
  await store[Symbol.asyncDispose]();
});

test("close: aborts begin() and runs what waited for it", async () => {
  using opened = new Opened();
  const { store } = opened;
  const txn = store.begin();
  store.at(txn).putSync("inside", 1);
  const waiting = store.put("waited", 1);
  await store.close();
  assert.equal(await waiting, true);
  assert.throws(() => txn.commitSync(), { code: "ZEOLITE_CLOSED" });
  txn[Symbol.dispose]();
  using again = open(opened.path);
  assert.deepEqual(again.getKeys().toArray(), ["waited"]);
});

test("dispose: does the same at once", async () => {
  using opened = new Opened({ durability: "durable" });
  const { store } = opened;
  const written = store.put("a", 1);
  const txn = store.begin();
  store.at(txn).putSync("inside", 1);
  const waiting = store.put("waited", 1);
  const rows = store.getKeys()[Symbol.iterator]();
  rows.next();
  store[Symbol.dispose]();
  assert.deepEqual(await Promise.all([written, waiting]), [true, true]);
  using again = open(opened.path);
  assert.deepEqual(again.getKeys().toArray(), ["a", "waited"]);
});

test("dispose: while an asynchronous flush and a checkpoint are under way", async () => {
  for (let round = 0; round < 10; round += 1) {
    using opened = new Opened({ durability: "durable" });
    const { store } = opened;
    const written = store.put("a", round);
    await new Promise((done) => setImmediate(done));
    const checkpoint = store.checkpoint().catch((error) => error.code);
    if (round % 2) await new Promise((done) => setImmediate(done));
    store[Symbol.dispose]();
    assert.equal(await written, true);
    assert.ok([undefined, "ZEOLITE_CLOSED"].includes(await checkpoint as undefined));
    using again = open(opened.path);
    assert.equal(again.get("a"), round);
  }
});

test("close: of one Store leaves another of the same path as it was", async () => {
  using opened = new Opened();
  const { store } = opened;
  const other = open(opened.path);
  using snapshot = store.snapshot();
  const theirs = other.snapshot();
  await other.put("a", 1);
  const rows = store.getKeys()[Symbol.iterator]();
  assert.equal(rows.next().value, "a");
  await other.close();
  assert.equal(store.at(snapshot).get("a"), undefined);
  assert.throws(() => store.at(theirs), { code: "ZEOLITE_TXN_ENDED" });
  assert.equal(rows.next().done, true);
  assert.equal(await store.put("b", 1), true);
  assert.throws(() => other.get("a"), { code: "ZEOLITE_CLOSED" });
});

test("close: of one Store waits for its writes behind the other's begin()", async () => {
  using opened = new Opened();
  const { store } = opened;
  const other = open(opened.path);
  const txn = store.begin();
  const waiting = other.put("a", 1);
  const closing = other.close();
  setTimeout(() => txn.commitSync(), 5);
  await closing;
  assert.equal(await waiting, true);
  assert.equal(store.get("a"), 1);
  const second = store.begin();
  const third = open(opened.path);
  const refused = rejection(third.put("b", 1));
  third[Symbol.dispose]();
  assert.equal((await refused).code, "ZEOLITE_CLOSED");
  second.abort();
  assert.equal(store.has("b"), false);
});

test("close: hundreds of stores one after the other, and many at once", async () => {
  using opened = new Opened({ durability: "none" });
  await opened.store.put("n", 0);
  for (let round = 0; round < 100; round += 1) {
    const store = await opened.reopen({ durability: "none" });
    store.putSync("n", store.get("n") + 1);
  }
  const many = Array.from({ length: 50 }, () => opened.again());
  assert.ok(many.every((store) => store.get("n") === 100));
  await Promise.all(many.map((store) => store.close()));
  assert.equal(opened.store.get("n"), 100);
});

test("close: between two flushes, the second is made, and no file of others closed", async () => {
  using folder = new Folder();
  const known = ["data", "log"].map((name) => {
    const path = folder.file(name);
    writeFileSync(path, name);
    return { path, inode: statSync(path).ino };
  });
  const files = new Files(known[0]!, known[1]!);
  const flushed = new Promise<Error | null>((done) => {
    files.flush("data", (error) => error === null ? files.flush("log", done) : done(error));
  });
  files.close();
  assert.equal(await flushed, null);
  // Numbers that are free again are given to the next files; they must stay theirs.
  await new Promise((resolve) => setTimeout(resolve, 1));
  const others = known.map(({ path }) => openSync(path, "r"));
  files.close();
  const late = await new Promise<Error | null>((done) => files.flush("data", done));
  assert.match(String(late), /closed/);
  await new Promise((resolve) => setTimeout(resolve, 20));
  for (const descriptor of others) {
    assert.ok(fstatSync(descriptor).isFile());
    closeSync(descriptor);
  }
});
