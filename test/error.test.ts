/** Errors: their classes, codes and texts, and the files whose damage is told and not followed. */
import assert from "node:assert/strict";
import {
  copyFileSync,
  readFileSync,
  renameSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { test } from "node:test";
import { open, ZeoliteError } from "../src/mod.ts";
import { describe } from "../src/error.ts";
import { Opened, rejection } from "./Opened.ts";

test("ZeoliteError: a class with a code and a name", () => {
  const cause = new Error("deeper");
  const error = new ZeoliteError("ZEOLITE_IO", "Cannot flush: it broke", { cause });
  assert.ok(error instanceof Error);
  assert.equal(error.name, "ZeoliteError");
  assert.equal(error.code, "ZEOLITE_IO");
  assert.equal(error.cause, cause);
  assert.match(String(error), /^ZeoliteError: Cannot flush/);
});

test("errors: bad arguments are TypeError or RangeError, the rest ZeoliteError", async () => {
  using opened = new Opened();
  const { store } = opened;
  assert.throws(() => store.get(NaN), { name: "TypeError", code: "ZEOLITE_KEY_TYPE" });
  assert.throws(() => store.get("x".repeat(9999)), {
    name: "RangeError",
    code: "ZEOLITE_KEY_SIZE",
  });
  const order = await store.put("b", 1).then(() => rejection(store.put("a", 1, { append: true })));
  assert.ok(order instanceof ZeoliteError);
  assert.equal(order.code, "ZEOLITE_KEY_ORDER");
});

test("errors: every text says what was attempted and what was found", () => {
  using opened = new Opened();
  const { store, path } = opened;
  const attempts = [
    () => store.get({} as never),
    () => store.putSync("a", undefined),
    () => open(`${path}/x`),
    () => open(path, { pageSize: 7 }),
    () => store.table(""),
    () => store.getKeys({ limit: -1 }),
  ];
  for (const attempt of attempts) {
    assert.throws(attempt, (error: Error) => {
      assert.match(error.message, /^Cannot [^:]+: ./, error.message);
      return true;
    });
  }
});

test("describe: names anything, and never throws", () => {
  const proxy = new Proxy({}, {
    get() {
      throw new Error("no");
    },
  });
  const samples: [unknown, string][] = [[undefined, "undefined"], [null, "null"], ["a", '"a"']];
  samples.push([5n, "5n"], [Symbol("s"), "a symbol"], [() => 1, "a function"], [[1], "an array"]);
  samples.push([{}, "an object"], [new Date(0), "an object of class Date"], [proxy, "an object"]);
  samples.push([Object.create(null), "an object"], ["x".repeat(41), "a string of 41 characters"]);
  for (const [value, text] of samples) assert.equal(describe(value), text);
});

test("damage: a store without its log, or with a foreign one, is refused", async () => {
  using opened = new Opened({ durability: "durable" });
  const { store, path } = opened;
  await store.put("a", 1);
  const copy = opened.folder.file("copy.zeo");
  copyFileSync(path, copy);
  assert.throws(() => open(copy), { code: "ZEOLITE_CORRUPT" });
  using other = new Opened();
  await other.store.put("b", 1);
  await other.store.close();
  await store.put("c", 1);
  copyFileSync(path, copy);
  copyFileSync(`${other.path}-wal`, `${copy}-wal`);
  assert.throws(() => open(copy), { code: "ZEOLITE_CORRUPT" });
  assert.equal(store.get("c"), 1);
});

test("damage: a log whose store is gone is refused", async () => {
  using opened = new Opened({ durability: "durable" });
  await opened.store.put("a", 1);
  const log = readFileSync(`${opened.path}-wal`);
  const lonely = opened.folder.file("lonely.zeo");
  writeFileSync(`${lonely}-wal`, log);
  assert.throws(() => open(lonely), { code: "ZEOLITE_CORRUPT", message: /log/ });
});

test("damage: a flipped bit in a page is told by reads and by check", async () => {
  using opened = new Opened({ pageSize: 512 });
  await opened.store.putMany(Array.from({ length: 2000 }, (_, key) => [key, "x".repeat(100)]));
  await opened.store.close();
  const bytes = readFileSync(opened.path);
  const at = bytes.indexOf("xxxxxxxxxxxxxxxxxxxx", 512 * 20);
  bytes[at] = 0x79;
  writeFileSync(opened.path, bytes);
  using store = open(opened.path);
  const report = await store.check();
  assert.equal(report.ok, false);
  assert.equal(report.errors.length > 0, true);
  assert.equal(typeof report.errors[0]!.page, "number");
  assert.equal(typeof report.errors[0]!.message, "string");
  assert.throws(() => store.getRange().toArray(), { code: "ZEOLITE_CORRUPT" });
});

test("damage: a truncated store is refused", async () => {
  using opened = new Opened();
  await opened.store.putMany(Array.from({ length: 5000 }, (_, key) => [key, "x".repeat(100)]));
  await opened.store.close();
  truncateSync(opened.path, 20_000);
  assert.throws(() => open(opened.path), { code: "ZEOLITE_CORRUPT" });
});

test("damage: a file moved over an open store", async () => {
  using opened = new Opened();
  using other = new Opened();
  await opened.store.put("a", 1);
  await other.store.put("b", 1);
  await other.store.close();
  renameSync(other.path, opened.path);
  try {
    const store = opened.again();
    assert.fail(`opened ${store.path}`);
  } catch (error) {
    assert.match((error as { code: string }).code, /ZEOLITE_(CORRUPT|BUSY|IO|NOT_A_STORE)/);
  }
  assert.equal(opened.store.get("a"), 1);
  unlinkSync(opened.path);
});
