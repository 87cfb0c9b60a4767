/**
 * Files and folders that this user may not read or write. Root may do everything, so where root
 * runs the
 * tests the peer is started without its rights.
 */
import assert from "node:assert/strict";
import { chmodSync, readdirSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import type { Here } from "./children/evaluate.ts";
import { needsRoot } from "./needs.ts";
import { Folder, OTHER, OWN, Peer } from "./Peer.ts";

const ROWS = 300;
/** Takes from root what others do not have: then it may do with its files what their modes say. */
const WITHOUT_RIGHTS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] as const;
const IS_ROOT = process.getuid?.() === 0;
const NEEDED = IS_ROOT ? needsRoot(...WITHOUT_RIGHTS, "true") : {};

/** Starts a peer whom the modes of files bind. */
function startBound(): Promise<Peer> {
  return Peer.start(OWN, { prefix: IS_ROOT ? WITHOUT_RIGHTS : [] });
}

/** Makes a store in a new folder and closes it. */
function makeStore({ open }: Here, path: string, rows: number): void {
  const store = open(path);
  store.putManySync(Array.from({ length: rows }, (_, key) => [key, `value ${key}`]));
  store[Symbol.dispose]();
}

/** Opens, writes and closes: all rows are there, and nothing is wrong. */
async function useStore({ open }: Here, path: string) {
  const store = open(path);
  const count = store.getCount({ start: 0, end: "" });
  await store.put("mended", 1);
  const { errors } = await store.check();
  await store.close();
  return { count, errors };
}

/** Opens for reading only; the rows, and what a write says. */
async function readStore({ open }: Here, path: string) {
  const store = open(path, { readOnly: true });
  const count = store.getCount({ start: 0, end: "" });
  const { errors } = await store.check();
  const refusal = await store.put("new", 1).catch((error) => error.code);
  await store.close();
  return { count, errors, refusal };
}

const USABLE = { count: ROWS, errors: [] };
const READABLE = { ...USABLE, refusal: "ZEOLITE_READ_ONLY" };

function tryOpen({ open }: Here, path: string, isReadOnly: boolean): void {
  open(path, { readOnly: isReadOnly })[Symbol.dispose]();
}

test("permissions: a store whose files this user may not use", NEEDED, async () => {
  using folder = new Folder();
  await using peer = await startBound();
  const path = folder.file("store");
  await peer.run(makeStore, path, ROWS);
  for (const suffix of ["", "-wal", "-lock"]) {
    const file = path + suffix;
    chmodSync(file, 0);
    const message = new RegExp(`no permission.*${file}`);
    await assert.rejects(peer.run(tryOpen, path, false), { code: "ZEOLITE_PERMISSION", message });
    chmodSync(file, 0o600);
    assert.deepEqual(await peer.run(useStore, path), USABLE);
  }
  await peer.end();
});

test("permissions: a store that may only be read", NEEDED, async () => {
  using folder = new Folder();
  await using peer = await startBound();
  const path = folder.file("store");
  await peer.run(makeStore, path, ROWS);
  chmodSync(path, 0o400);
  const refusal = { code: "ZEOLITE_PERMISSION", message: /no permission.*readOnly/ };
  await assert.rejects(peer.run(tryOpen, path, false), refusal);
  assert.deepEqual(await peer.run(readStore, path), READABLE);
  chmodSync(path, 0o600);
  assert.deepEqual(await peer.run(useStore, path), USABLE);
  await peer.end();
});

test("permissions: a folder that may only be read", NEEDED, async () => {
  using folder = new Folder();
  await using peer = await startBound();
  const path = folder.file("store");
  await peer.run(makeStore, path, ROWS);
  const before = readdirSync(folder.path);
  chmodSync(folder.path, 0o500);
  await assert.rejects(peer.run(tryOpen, path, false), {
    code: "ZEOLITE_PERMISSION",
    message: /no permission.*store-lock/,
  });
  assert.deepEqual(await peer.run(readStore, path), READABLE);
  const none = folder.file("none");
  await assert.rejects(peer.run(tryOpen, none, false), {
    code: "ZEOLITE_PERMISSION",
    message: /none/,
  });
  await assert.rejects(peer.run(tryOpen, none, true), { code: "ZEOLITE_NOT_FOUND" });
  chmodSync(folder.path, 0o000);
  await assert.rejects(peer.run(tryOpen, path, false), { code: "ZEOLITE_PERMISSION" });
  chmodSync(folder.path, 0o700);
  assert.deepEqual(readdirSync(folder.path), before);
  assert.deepEqual(await peer.run(useStore, path), USABLE);
  await peer.end();
});

test("permissions: who may only read follows one who writes", NEEDED, async () => {
  using folder = new Folder();
  await using writer = await Peer.start(OTHER);
  await using reader = await startBound();
  const path = folder.file("store");
  const write = async ({ store }: Here, at: string, rows: number, round: number) => {
    const opened = store(at, { durability: "none" });
    for (let row = 0; row < rows; row += 1) await opened.put(row, `${round} `.repeat(200));
    await opened.checkpoint();
  };
  await writer.run(write, path, ROWS, 0);
  // The writer has them open.
  for (const suffix of ["", "-wal", "-lock"]) chmodSync(path + suffix, 0o400);
  const read = ({ store, kept }: Here, at: string) => {
    const opened = store(at, { readOnly: true });
    if (!kept.has("snapshot")) kept.set("snapshot", opened.snapshot());
    const old = opened.at(kept.get("snapshot") as ReturnType<typeof opened.snapshot>);
    const of = (
      from: typeof old,
    ) => [...new Set(from.getRange().map(({ value }) => value as string))];
    return { now: of(opened), then: of(old) };
  };
  for (let round = 0; round < 6; round += 1) {
    const texts = [`${round} `.repeat(200)];
    assert.deepEqual(await reader.run(read, path), { now: texts, then: ["0 ".repeat(200)] });
    await writer.run(write, path, ROWS, round + 1);
  }
  const { errors } = await reader.run(({ store }, at) => store(at).check(), path);
  assert.deepEqual(errors, []);
  await reader.end();
  await writer.end();
});
