/**
 * Files that are not what open() expects: each is refused with its code and what was found, no byte
 * of
 * any file changes, and when the fault is mended the store is there with all it held.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { test } from "node:test";
import { open, type OpenOptions, type ZeoliteCode } from "../src/mod.ts";
import { Folder, OTHER, Peer } from "./Peer.ts";
import { xxh3 } from "./xxh3.ts";

const ROWS = 500;
const META_SIZE = 256;
const PAGE_SIZE = 4096;

/** Makes a store with some rows and closes it. */
function makeStore(path: string, options?: OpenOptions): void {
  using store = open(path, { durability: "none", ...options });
  store.putManySync(Array.from({ length: ROWS }, (_, key) => [key, `value ${key} `.repeat(20)]));
}

/** As makeStore(), but killed before it could close. */
async function makeUnclosed(path: string): Promise<void> {
  await using peer = await Peer.start(OTHER);
  await peer.run(
    ({ store }, at, rows) => {
      const opened = store(at, { durability: "none" });
      for (let key = 0; key < rows; key += 1) opened.putSync(key, `value ${key} `.repeat(20));
    },
    path,
    ROWS,
  );
  await peer.kill();
}

/** The store opens, holds all rows, and can be written. */
async function assertUsable(path: string): Promise<void> {
  await using store = open(path);
  assert.equal(store.getCount({ start: 0, end: "" }), ROWS);
  for (let key = 0; key < ROWS; key += 1) assert.equal(store.get(key), `value ${key} `.repeat(20));
  assert.equal(await store.put("mended", 1), true);
  assert.deepEqual((await store.check()).errors, []);
}

/** Name and checksum of each file in a folder but for lock files, which are made anew at each open.
 */
function contentsOf(folder: Folder): Record<string, string> {
  const names = readdirSync(folder.path).filter((name) => !name.endsWith("-lock")).sort();
  return Object.fromEntries(names.map((name) => [name, checksumOf(folder.file(name))]));
}

function checksumOf(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

/** open() refuses with this code and text, and changes nothing in the folder. */
function assertRefused(
  folder: Folder,
  path: string,
  code: ZeoliteCode,
  message: RegExp,
  options?: OpenOptions,
): void {
  const before = contentsOf(folder);
  assert.throws(() => open(path, options), { code, message });
  assert.deepEqual(contentsOf(folder), before);
}

test("open: files of other bytes are no store", () => {
  using folder = new Folder();
  const path = folder.file("file");
  const cases: [string | Uint8Array, RegExp][] = [
    ["a letter to a friend\n".repeat(1000), /file \(21000 bytes\).* other bytes than a store/],
    ["x", /other bytes/],
    ["", /is empty/],
    [new Uint8Array(65536), /zeros/],
    [new Uint8Array(3), /zeros/],
  ];
  for (const [bytes, message] of cases) {
    writeFileSync(path, bytes);
    assertRefused(folder, path, "ZEOLITE_NOT_A_STORE", message);
    assertRefused(folder, path, "ZEOLITE_NOT_A_STORE", message, { readOnly: true });
  }
});

test("open: a folder, or what has none, is no store", () => {
  using folder = new Folder();
  const path = folder.file("folder");
  mkdirSync(path);
  assert.throws(() => open(path), { code: "ZEOLITE_NOT_A_STORE", message: /is a folder/ });
  assert.throws(() => open(folder.file("none/store")), {
    code: "ZEOLITE_NOT_FOUND",
    message: /none/,
  });
  writeFileSync(folder.file("file"), "text");
  assert.throws(() => open(folder.file("file/store")), {
    code: "ZEOLITE_NOT_A_STORE",
    message: /file/,
  });
  assert.deepEqual(readdirSync(folder.path).sort(), ["file", "folder"]);
  const noFolder = { create: false } as const;
  assert.throws(() => open(folder.file("store"), noFolder), { code: "ZEOLITE_NOT_FOUND" });
  assert.throws(() => open("/dev/null"), { code: "ZEOLITE_NOT_A_STORE", message: /regular/ });
});

test("open: a path that no file can have", () => {
  using folder = new Folder();
  const options = { code: "ZEOLITE_OPTIONS", name: "TypeError" };
  assert.throws(() => open(`${folder.file("a")}\0b`), { ...options, message: /NUL/ });
  assert.throws(() => open(""), { ...options, message: /empty/ });
  assert.throws(() => open(folder.file("x".repeat(300))), {
    code: "ZEOLITE_OPTIONS",
    message: /long/i,
  });
  assert.deepEqual(readdirSync(folder.path), []);
});

test("open: another version, or a feature that must be understood", async () => {
  using folder = new Folder();
  const path = folder.file("store");
  makeStore(path);
  const good = readFileSync(path);
  const change = (slots: readonly number[], at: number): void => {
    const bytes = Uint8Array.from(good);
    for (const slot of slots) {
      const meta = bytes.subarray(slot * PAGE_SIZE, slot * PAGE_SIZE + META_SIZE);
      const view = new DataView(meta.buffer, meta.byteOffset, META_SIZE);
      const sum = xxh3(meta.subarray(0, META_SIZE - 8), BigInt(slot));
      assert.equal(view.getBigUint64(META_SIZE - 8, true), sum, "the checksum of a meta");
      view.setUint8(at, 2);
      const changed = xxh3(meta.subarray(0, META_SIZE - 8), BigInt(slot));
      view.setBigUint64(META_SIZE - 8, changed, true);
    }
    writeFileSync(path, bytes);
  };
  for (const slots of [[0, 1], [0], [1]]) {
    for (const at of [8, 16]) {
      change(slots, at);
      assertRefused(folder, path, "ZEOLITE_VERSION", /version|feature/);
      assertRefused(folder, path, "ZEOLITE_VERSION", /version|feature/, { readOnly: true });
    }
  }
  writeFileSync(path, good);
  await assertUsable(path);
});

test("open: a store that was cut short", async () => {
  using folder = new Folder();
  const path = folder.file("store");
  makeStore(path);
  const good = readFileSync(path);
  for (const size of [100, PAGE_SIZE, 2 * PAGE_SIZE, good.length / 2, good.length - PAGE_SIZE]) {
    writeFileSync(path, good.subarray(0, size));
    assertRefused(folder, path, "ZEOLITE_CORRUPT", size < PAGE_SIZE ? /damaged/ : /cut short/);
  }
  writeFileSync(path, good);
  await assertUsable(path);
});

test("open: metas of which one is damaged, or both", async () => {
  using folder = new Folder();
  const path = folder.file("store");
  makeStore(path);
  const good = readFileSync(path);
  const bad = Uint8Array.from(good);
  for (const slot of [0, 1]) bad[slot * PAGE_SIZE + 100]! ^= 1;
  writeFileSync(path, bad);
  assertRefused(folder, path, "ZEOLITE_CORRUPT", /both metas.* damaged/);
  writeFileSync(path, good);
  await assertUsable(path);
});

test("open: a store without its log", async () => {
  using folder = new Folder();
  const [path, kept] = [folder.file("store"), folder.file("kept")];
  await makeUnclosed(path);
  renameSync(`${path}-wal`, kept);
  assertRefused(folder, path, "ZEOLITE_CORRUPT", /store-wal is missing/);
  writeFileSync(`${path}-wal`, "");
  assertRefused(folder, path, "ZEOLITE_CORRUPT", /log.* cut short/);
  renameSync(kept, `${path}-wal`);
  await assertUsable(path);
  rmSync(`${path}-wal`);
  // Closed: the log holds nothing that the store does not.
  using closed = open(path);
  assert.equal(closed.get("mended"), 1);
});

test("open: a log of another store", async () => {
  using folder = new Folder();
  const [path, other, kept] = [folder.file("store"), folder.file("other"), folder.file("kept")];
  makeStore(other);
  for (const make of [makeStore, makeUnclosed]) {
    await make(path);
    renameSync(`${path}-wal`, kept);
    copyFileSync(`${other}-wal`, `${path}-wal`);
    assertRefused(folder, path, "ZEOLITE_CORRUPT", /log.* another store/);
    renameSync(kept, `${path}-wal`);
    await assertUsable(path);
    for (const suffix of ["", "-wal", "-lock"]) rmSync(path + suffix);
  }
  await assertUsable(other);
});

test("open: a log whose store is gone", async () => {
  using folder = new Folder();
  const [path, kept] = [folder.file("store"), folder.file("kept")];
  await makeUnclosed(path);
  renameSync(path, kept);
  assertRefused(folder, path, "ZEOLITE_CORRUPT", /store-wal has commits, and its store is gone/);
  renameSync(kept, path);
  await assertUsable(path);
});

test("open: a file moved over an open store", async () => {
  using folder = new Folder();
  const [path, other] = [folder.file("store"), folder.file("other")];
  makeStore(path);
  makeStore(other);
  {
    await using store = open(path);
    await using peer = await Peer.start(OTHER);
    await peer.run(({ store: openAt }, at) => openAt(at).putSync("peer", 1), path);
    renameSync(other, path);
    const refusal = { code: "ZEOLITE_BUSY", message: /moved over a store that is still open/ };
    assert.throws(() => open(path), refusal);
    await using late = await Peer.start(OTHER);
    await assert.rejects(late.run(({ open: openAt }, at) => void openAt(at), path), refusal);
    assert.equal(await peer.run(({ store: openAt }, at) => openAt(at).get("peer"), path), 1);
    assert.equal(await store.put("still", "open"), true);
    await peer.end();
  }
  // It comes to its own with its own log.
  assert.throws(() => open(path), { code: "ZEOLITE_CORRUPT", message: /another store/ });
  renameSync(`${other}-wal`, `${path}-wal`);
  await assertUsable(path);
});

test("open: hard links are refused, as one store under two names is two", async () => {
  using folder = new Folder();
  const [path, link] = [folder.file("store"), folder.file("link")];
  makeStore(path);
  linkSync(path, link);
  for (const name of [path, link]) {
    assertRefused(folder, name, "ZEOLITE_PERMISSION", /2 hard links/);
    assertRefused(folder, name, "ZEOLITE_PERMISSION", /2 hard links/, { readOnly: true });
  }
  rmSync(link);
  await assertUsable(path);
});

test("open: symbolic links lead to one store", async () => {
  using folder = new Folder();
  mkdirSync(folder.file("real"));
  symlinkSync(folder.file("real"), folder.file("linked"));
  symlinkSync("real/store", folder.file("link"));
  symlinkSync(folder.file("link"), folder.file("link-to-link"));
  const path = folder.file("real/store");
  const names = ["link", "linked/store", "link-to-link"].map((name) => folder.file(name));
  await using peer = await Peer.start(OTHER);
  for (const [index, name] of names.entries()) {
    // The first one creates it, where the link leads.
    await peer.run(({ store }, at, key) => store(at).putSync(key, at), name, index);
    await using store = open(name);
    assert.equal(store.path, path);
    assert.equal(store.get(index), name);
    await store.put(`own ${index}`, name);
  }
  await peer.end();
  using direct = open(path);
  assert.equal(direct.getCount(), 2 * names.length);
  assert.deepEqual(readdirSync(folder.path).sort(), ["link", "link-to-link", "linked", "real"]);
  symlinkSync("circle", folder.file("circle"));
  assert.throws(() => open(folder.file("circle")), { code: "ZEOLITE_OPTIONS", message: /circle/ });
  assert.ok(existsSync(path));
});
