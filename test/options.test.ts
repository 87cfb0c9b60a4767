/** Options and paths: what is refused, by whom, and what two opens may not contradict. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { relative } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { open, type OpenOptions, type TableOptions } from "../src/mod.ts";
import { Opened } from "./Opened.ts";
import { Folder } from "./Peer.ts";

test("open: by path, relative path and URL", async () => {
  using folder = new Folder();
  const path = folder.file("a b%20ü.zeo");
  const stores = [open(path), open(pathToFileURL(path)), open(relative(".", path))];
  await stores[0]!.put("a", 1);
  for (const store of stores) assert.deepEqual([store.path, store.get("a")], [path, 1]);
  for (const store of stores) await store.close();
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(statSync(`${path}-wal`).mode & 0o777, 0o600);
});

test("open: a link is followed, and is the same store", async () => {
  using folder = new Folder();
  using store = open(folder.file("real.zeo"));
  symlinkSync(folder.file("real.zeo"), folder.file("link.zeo"));
  using link = open(folder.file("link.zeo"));
  await link.put("a", 1);
  assert.equal(store.get("a"), 1);
  assert.equal(link.path, store.path);
});

test("open: paths that name no file are refused", () => {
  using folder = new Folder();
  for (const path of ["", "a\0b", 5, null, undefined, {}, "a\ud800"]) {
    assert.throws(() => open(path as never), { name: "TypeError", code: "ZEOLITE_OPTIONS" });
  }
  for (const url of ["https://example.org/a", "file://host/a", "data:,a"]) {
    assert.throws(() => open(new URL(url)), { name: "TypeError", code: "ZEOLITE_OPTIONS" }, url);
  }
  assert.throws(() => open(folder.file("no/such/folder")), { code: "ZEOLITE_NOT_FOUND" });
  mkdirSync(folder.file("folder"));
  assert.throws(() => open(folder.file("folder")), { code: "ZEOLITE_NOT_A_STORE" });
});

test("open: files that are no store are refused and left alone", () => {
  using folder = new Folder();
  const files: [string, Uint8Array | string, string][] = [];
  files.push(["text", "hello, this is a text ".repeat(1000), "ZEOLITE_NOT_A_STORE"]);
  files.push(["empty", "", "ZEOLITE_NOT_A_STORE"]);
  files.push(["short", "hello", "ZEOLITE_NOT_A_STORE"]);
  files.push(["zeros", new Uint8Array(65_536), "ZEOLITE_NOT_A_STORE"]);
  for (const [name, content, code] of files) {
    const path = folder.file(name);
    writeFileSync(path, content);
    assert.throws(() => open(path), { code }, name);
    assert.equal(statSync(path).size, content.length);
  }
});

test("open: create false, and readOnly, make no store", () => {
  using folder = new Folder();
  const path = folder.file("none.zeo");
  for (const options of [{ create: false }, { readOnly: true }]) {
    assert.throws(() => open(path, options), { code: "ZEOLITE_NOT_FOUND" });
    assert.equal(existsSync(path), false);
    assert.equal(existsSync(`${path}-wal`), false);
  }
});

test("open: options of the wrong kind or out of bounds", () => {
  using folder = new Folder();
  const bad: [Record<string, unknown>, string][] = [];
  const types = ["readOnly", "exclusive", "create", "readahead", "dupSort"];
  for (const name of types) bad.push([{ [name]: "yes" }, "TypeError"]);
  for (const size of [0, 100, 513, 1000, 131_072, -4096]) {
    bad.push([{ pageSize: size }, "RangeError"]);
  }
  for (const name of ["pageSize", "maxSize", "flushInterval", "lockTimeout", "checkpointBytes"]) {
    bad.push([{ [name]: "4096" }, "TypeError"], [{ [name]: -1 }, "RangeError"]);
    bad.push([{ [name]: NaN }, "RangeError"], [{ [name]: 1.5 }, "RangeError"]);
  }
  bad.push([{ durability: "sometimes" }, "TypeError"], [{ verify: true }, "TypeError"]);
  bad.push([{ keyEncoding: "utf8" }, "TypeError"], [{ encoding: "xml" }, "TypeError"]);
  bad.push([{ encoding: { name: "a" } }, "TypeError"], [{ encoding: null }, "TypeError"]);
  const codec = { encode: () => new Uint8Array(), decode: () => 1 };
  bad.push([{ encoding: { ...codec, name: "" } }, "TypeError"]);
  bad.push([{ encoding: { ...codec, name: "n".repeat(65) } }, "RangeError"]);
  for (const [options, name] of bad) {
    const attempt = () => open(folder.file("x"), options as OpenOptions);
    assert.throws(attempt, { name, code: "ZEOLITE_OPTIONS" }, JSON.stringify(options));
  }
  assert.throws(() => open(folder.file("x"), 5 as never), { code: "ZEOLITE_OPTIONS" });
  assert.throws(() => open(folder.file("x"), { onSlowReader: () => {} }), /not available yet/);
  assert.equal(existsSync(folder.file("x")), false);
});

test("open: options left undefined are left out", async () => {
  using folder = new Folder();
  const nothing = { pageSize: undefined, durability: undefined, encoding: undefined };
  using store = open(folder.file("a"), nothing as never);
  assert.equal(await store.put("a", 1, { ifAbsent: undefined } as never), true);
  assert.equal(store.stats().pageSize >= 512, true);
});

test("open: each page size, adopted by the next open", async () => {
  using folder = new Folder();
  for (const pageSize of [512, 1024, 4096, 16_384, 65_536]) {
    const path = folder.file(`${pageSize}`);
    {
      using store = open(path, { pageSize, durability: "none" });
      await store.putMany(Array.from({ length: 2000 }, (_, key) => [key, `value ${key}`]));
    }
    using store = open(path);
    assert.equal(store.stats().pageSize, pageSize);
    assert.equal(store.get(1999), "value 1999");
    assert.equal((await store.check()).ok, true);
    const other = pageSize === 512 ? 4096 : 512;
    assert.throws(() => open(path, { pageSize: other }), { code: "ZEOLITE_OPTIONS" });
  }
});

test("open: the unnamed table takes the encodings of the open that created the store", async () => {
  using opened = new Opened({ keyEncoding: "u32", encoding: "json" });
  await opened.store.put(1, [1]);
  assert.throws(() => opened.again({ keyEncoding: "string" }), { code: "ZEOLITE_OPTIONS" });
  const again = await opened.reopen();
  assert.deepEqual(again.get(1), [1]);
  assert.throws(() => again.get("a"), { code: "ZEOLITE_KEY_TYPE" });
  for (const options of [{ keyEncoding: "string" }, { encoding: "msgpack" }] as TableOptions[]) {
    assert.throws(() => opened.again(options), { code: "ZEOLITE_OPTIONS" });
  }
  assert.deepEqual(opened.again({ keyEncoding: "u32", encoding: "json" }).get(1), [1]);
});

test("open: two opens that contradict each other", () => {
  using opened = new Opened({ maxSize: 1 << 30, verify: "once" });
  const contradictions: OpenOptions[] = [{ exclusive: true }, { verify: "always" }];
  contradictions.push({ maxSize: 1 << 20 }, { pageSize: 65_536 }, { checkpointBytes: 1 << 20 });
  for (const options of contradictions) {
    const title = JSON.stringify(options);
    const wanted = { code: /ZEOLITE_(OPTIONS|BUSY)/ };
    try {
      opened.again(options);
    } catch (error) {
      assert.match((error as { code: string }).code, wanted.code, title);
      continue;
    }
    assert.fail(`${title} was accepted`);
  }
  assert.equal(opened.store.putSync("a", 1), true);
});

test("readOnly: reads, refuses every write, shares the store", async () => {
  using opened = new Opened();
  const { store } = opened;
  await store.put("a", 1);
  const reader = opened.again({ readOnly: true });
  assert.equal(reader.get("a"), 1);
  const writes = [
    () => reader.putSync("a", 2),
    () => reader.begin(),
    () => reader.transactionSync(() => 1),
    () => reader.dropTableSync("a"),
    () => reader.checkpointSync(),
    () => reader.table("t").clearSync(),
  ];
  for (const write of writes) assert.throws(write, { code: "ZEOLITE_READ_ONLY" });
  await assert.rejects(reader.put("a", 2), { code: "ZEOLITE_READ_ONLY" });
  await assert.rejects(reader.update("a", () => 2), { code: "ZEOLITE_READ_ONLY" });
  await assert.rejects(reader.transaction(() => 1), { code: "ZEOLITE_READ_ONLY" });
  await store.put("a", 2);
  assert.equal(reader.get("a"), 2);
  await reader.flush();
  await reader.close();
  await store.close();
  using alone = open(opened.path, { readOnly: true });
  assert.equal(alone.get("a"), 2);
  assert.throws(() => alone.putSync("a", 3), { code: "ZEOLITE_READ_ONLY" });
  assert.deepEqual(alone.table("none").getKeys().toArray(), []);
  await alone.flush();
  alone.flushSync();
});

test("table: encodings are kept, adopted, and not to be contradicted", async () => {
  using opened = new Opened();
  const { store } = opened;
  const table = store.table("t", { keyEncoding: "u32", encoding: "string" });
  assert.throws(() => store.table("t", { keyEncoding: "u64" }), { code: "ZEOLITE_OPTIONS" });
  assert.throws(() => store.table("t", { encoding: "json" }), { code: "ZEOLITE_OPTIONS" });
  await table.put(1, "a");
  assert.throws(() => store.table("t", { keyEncoding: "u64" }), { code: "ZEOLITE_OPTIONS" });
  assert.equal(store.table("t").get(1), "a");
  const again = await opened.reopen();
  assert.throws(() => again.table("t", { encoding: "json" }), {
    code: "ZEOLITE_OPTIONS",
    message: /table "t".*encoding "string".*"json"/,
  });
  assert.equal(again.table("t", { encoding: "string" }).get(1), "a");
});

test("table: one opened before it exists takes what another open made of it", async () => {
  using opened = new Opened();
  const { store } = opened;
  const early = store.table("t");
  assert.equal(early.get("a"), undefined);
  const maker = store.table("t", { keyEncoding: "string", encoding: "json" });
  await maker.put("a", [1]);
  assert.deepEqual(early.get("a"), [1]);
  assert.deepEqual(early.getRange().toArray(), [{ key: "a", value: [1] }]);
});

test("table: names that are refused", () => {
  using opened = new Opened();
  for (const name of ["", 5, null, undefined, "\ud800", "n".repeat(5000)]) {
    assert.throws(() => opened.store.table(name as never), { code: "ZEOLITE_OPTIONS" });
    assert.throws(() => opened.store.dropTableSync(name as never), { code: "ZEOLITE_OPTIONS" });
  }
});

test("put: options of the wrong kind", async () => {
  using opened = new Opened();
  const { store } = opened;
  for (const options of [5, "x", null, { ifAbsent: 1 }, { append: "yes" }]) {
    assert.throws(() => store.putSync("a", 1, options as never), { code: "ZEOLITE_OPTIONS" });
    await assert.rejects(store.put("a", 1, options as never), { code: "ZEOLITE_OPTIONS" });
  }
  for (const entries of [5, null, "ab", [1], [[1]], [[1, 2, 3]]]) {
    assert.throws(() => store.putManySync(entries as never), { code: "ZEOLITE_OPTIONS" });
  }
  assert.throws(() => store.updateSync("a", 5 as never), { code: "ZEOLITE_OPTIONS" });
  await assert.rejects(store.update("a", null as never), { code: "ZEOLITE_OPTIONS" });
  assert.equal(store.getCount(), 0);
});
