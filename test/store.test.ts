/**
 * What concerns a store as a whole: its tables, counts, check, backup, and what outlives a
 * close.
 */
import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { open } from "../src/mod.ts";
import { Opened, rejection } from "./Opened.ts";

test("open: everything is there after close, and after a close of every kind", async () => {
  using opened = new Opened();
  const entries = Array.from(
    { length: 3000 },
    (_, key) => [key, { key, text: "t".repeat(key % 300) }],
  );
  await opened.store.putMany(entries as [number, unknown][]);
  await opened.store.table("t").put("a", 1);
  const check = async () => {
    assert.deepEqual(
      opened.store.getRange().toArray().map(({ key, value }) => [key, value]),
      entries,
    );
    assert.equal(opened.store.table("t").get("a"), 1);
    assert.equal((await opened.store.check()).ok, true);
  };
  await opened.reopen();
  await check();
  opened.store[Symbol.dispose]();
  opened.store = open(opened.path);
  await check();
  await opened.store[Symbol.asyncDispose]();
  opened.store = open(opened.path);
  await check();
});

test("tables and dropTable: created by the first write, gone with the drop", async () => {
  using opened = new Opened();
  const { store } = opened;
  const table = store.table("b");
  assert.deepEqual(table.getRange().toArray(), []);
  assert.equal(await table.remove("x"), false);
  await store.table("a").put(1, 1);
  await store.table("é").put(1, 1);
  await table.put(1, 1);
  assert.deepEqual(store.tables(), ["a", "b", "é"]);
  assert.equal(await store.dropTable("b"), true);
  assert.equal(await store.dropTable("b"), false);
  assert.equal(store.dropTableSync("none"), false);
  assert.deepEqual(store.tables(), ["a", "é"]);
  assert.equal(table.get(1), undefined);
  await table.put(2, 2);
  assert.deepEqual(table.getKeys().toArray(), [2]);
  assert.equal(store.dropTableSync("b"), true);
  const other = store.table("b", { keyEncoding: "string" });
  await other.put("now a string", 1);
  assert.deepEqual(store.table("b").getKeys().toArray(), ["now a string"]);
  const error = await rejection(store.transaction(() => {
    store.dropTableSync("a");
    assert.deepEqual(store.tables(), ["b", "é"]);
    throw new Error("mine");
  }));
  assert.equal(error.message, "mine");
  assert.deepEqual(store.tables(), ["a", "b", "é"]);
});

test("tables: more names than fit one chunk", async () => {
  using opened = new Opened();
  const { store } = opened;
  const names = Array.from(
    { length: 300 },
    (_, index) => `${`${index}`.padStart(4, "0")} ${"n".repeat(900)}`,
  );
  await store.transaction(() => {
    for (const name of names) store.table(name).putSync(1, 1);
  });
  assert.deepEqual(store.tables(), names);
  assert.equal(store.stats().tables, 300);
});

test("stats: every field is a number that fits the others", async () => {
  using opened = new Opened({ pageSize: 1024 });
  const { store } = opened;
  await store.putMany(Array.from({ length: 2000 }, (_, key) => [key, "x".repeat(100)]));
  await store.table("t").put(1, 1);
  await store.checkpoint();
  const stats = store.stats();
  for (const [name, value] of Object.entries(stats)) {
    assert.ok(Number.isSafeInteger(value) && value >= 0, `${name} is ${value}`);
  }
  assert.equal(stats.entries, 2000);
  assert.equal(stats.pageSize, 1024);
  assert.equal(stats.tables, 1);
  assert.equal(stats.fileSize, statSync(opened.path).size);
  assert.equal(stats.logSize, statSync(`${opened.path}-wal`).size);
  assert.equal(stats.txnid, 2);
  assert.equal(stats.checkpointTxnid, 2);
  assert.ok(stats.leafPages > 200 && stats.depth >= 3);
});

test("a new, empty store has at most a mebibyte in all files", () => {
  using opened = new Opened();
  const size = ["", "-wal", "-lock"].reduce(
    (sum, end) => sum + statSync(opened.path + end).size,
    0,
  );
  assert.ok(size <= 1 << 20, `${size} bytes`);
});

test("check: walks a store in steps and tells its progress", async () => {
  using opened = new Opened({ pageSize: 512 });
  const { store } = opened;
  await store.putMany(Array.from({ length: 5000 }, (_, key) => [key, "x".repeat(60)]));
  await store.table("t").put("large", "x".repeat(10_000));
  const steps: [number, number][] = [];
  let turns = 0;
  setImmediate(() => turns += 1);
  const report = await store.check({ onProgress: (done, total) => steps.push([done, total]) });
  assert.deepEqual([report.ok, report.errors], [true, []]);
  assert.ok(report.entries >= 5001 && report.pages > 700);
  assert.ok(steps.length > 2 && steps.every(([done, total]) => done <= total));
  assert.ok(steps.every(([done], index) => index === 0 || done >= steps[index - 1]![0]));
  assert.ok(turns > 0);
  const bad = rejection(store.check({ onProgress: 5 as never }));
  assert.equal((await bad).code, "ZEOLITE_OPTIONS");
});

test("check and backup: end when their store is closed", async () => {
  using opened = new Opened({ pageSize: 512 });
  const { store } = opened;
  await store.putMany(Array.from({ length: 5000 }, (_, key) => [key, "x".repeat(60)]));
  const check = rejection(store.check());
  const backup = rejection(store.backup(opened.folder.file("copy.zeo")));
  await new Promise((done) => setImmediate(done));
  await store.close();
  assert.equal((await check).code, "ZEOLITE_CLOSED");
  assert.equal((await backup).code, "ZEOLITE_CLOSED");
  assert.equal(existsSync(opened.folder.file("copy.zeo")), false);
});

test("backup: plain and compact, while writers go on", async () => {
  using opened = new Opened({ pageSize: 1024 });
  const { store } = opened;
  const entries = Array.from({ length: 3000 }, (_, key) => [key, `value ${key}`] as const);
  await store.putMany(entries);
  await store.table("t", { keyEncoding: "string" }).put("a", "x".repeat(50_000));
  await store.removeRange({ start: 3000 });
  for (const compact of [false, true]) {
    const path = opened.folder.file(`copy-${compact}.zeo`);
    const steps: number[] = [];
    const options = { compact, onProgress: (done: number) => steps.push(done) };
    const copying = store.backup(compact ? pathToFileURL(path) : path, options);
    const writing = store.put("later", compact);
    await Promise.all([copying, writing]);
    assert.ok(steps.length > 0);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    using copy = open(path, { durability: "none" });
    assert.deepEqual(copy.getRange({ end: 3000 }).toArray().length, 3000);
    assert.equal(copy.get(2999), "value 2999");
    assert.equal(copy.table("t").get("a").length, 50_000);
    assert.equal((await copy.check()).ok, true);
    copy.putSync("own", 1);
    assert.equal(store.has("own"), false);
  }
  const again = await rejection(store.backup(opened.folder.file("copy-true.zeo")));
  assert.equal(again.code, "ZEOLITE_OPTIONS");
  const nowhere = await rejection(store.backup(opened.folder.file("no/folder")));
  assert.equal(nowhere.code, "ZEOLITE_NOT_FOUND");
});

test("two stores at once are two stores", async () => {
  using first = new Opened();
  using second = new Opened();
  await Promise.all([first.store.put("a", 1), second.store.put("a", 2)]);
  assert.deepEqual([first.store.get("a"), second.store.get("a")], [1, 2]);
  const done = first.store.transactionSync(() => {
    second.store.putSync("b", 1);
    return second.store.get("b");
  });
  assert.equal(done, 1);
});
