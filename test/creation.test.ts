/**
 * A store that does not exist yet, opened by two processes at the same moment: they share one
 * store, and
 * no put of either is lost. And what a new store is: its files, their sizes and modes.
 */
import assert from "node:assert/strict";
import { readdirSync, rmSync, statSync } from "node:fs";
import { test } from "node:test";
import type { Here } from "./children/evaluate.ts";
import { Folder, OTHER, OWN, Peer } from "./Peer.ts";

/** Rounds of two creators in each runtime that runs the suite. */
const ROUNDS = 1000 / 2;
/** What a new, empty store may take on disk, bytes in all files. */
const NEW_STORE_SIZE_MAX = 1 << 20;

/** Opens in the millisecond given, puts, and closes at once or when asked to. */
function create(
  { store, open }: Here,
  path: string,
  key: string,
  isKept: boolean,
  when: number,
): void {
  while (Date.now() < when);
  const opened = isKept ? store(path) : open(path);
  opened.putSync(key, path);
  if (!isKept) opened[Symbol.dispose]();
}

/** What the store at this path holds; it is closed then. */
function readAll({ store }: Here, path: string): Record<string, unknown> {
  const opened = store(path);
  const rows = opened.getRange().toArray();
  opened[Symbol.dispose]();
  return Object.fromEntries(rows.map(({ key, value }) => [String(key), value]));
}

test(`creation: ${ROUNDS} rounds of two simultaneous creators lose no put`, async () => {
  using folder = new Folder();
  await using one = await Peer.start(OWN);
  await using other = await Peer.start(OTHER);
  for (let round = 0; round < ROUNDS; round += 1) {
    const path = folder.file(`store-${round}`);
    // The one that stays attached, the one that has left again, or both: each is a race of its own.
    const [isOneKept, isOtherKept] = [round % 3 !== 0, round % 3 !== 1];
    const when = Date.now() + 2;
    await Promise.all([
      one.run(create, path, "one", isOneKept, when),
      other.run(create, path, "other", isOtherKept, when),
    ]);
    const reader = isOneKept ? one : other;
    assert.deepEqual(await reader.run(readAll, path), { one: path, other: path }, path);
    if (isOneKept && isOtherKept) {
      assert.deepEqual(await other.run(readAll, path), { one: path, other: path }, path);
    }
    const left = readdirSync(folder.path).sort();
    assert.deepEqual(left, [`store-${round}`, `store-${round}-lock`, `store-${round}-wal`]);
    for (const name of left) rmSync(folder.file(name));
  }
  await one.end();
  await other.end();
});

test("creation: a new store takes at most 1 MiB, its files are its owner's", async (t) => {
  using folder = new Folder();
  const path = folder.file("store");
  await using peer = await Peer.start(OWN);
  await peer.run(async ({ store, umask }, at) => {
    umask(0);
    store(at);
    await store(at).backup(`${at}-copy`);
  }, path);
  assert.equal(statSync(`${path}-copy`).mode & 0o777, 0o600);
  const files = ["", "-wal", "-lock"].map((suffix) => statSync(path + suffix));
  assert.deepEqual(files.map(({ mode }) => mode & 0o777), [0o600, 0o600, 0o600]);
  const sizes = files.map(({ size, blocks }) => Math.max(size, blocks * 512));
  const size = sizes.reduce((sum, bytes) => sum + bytes, 0);
  t.diagnostic(`a new store: ${sizes.join(" + ")} = ${size} bytes`);
  assert.ok(size <= NEW_STORE_SIZE_MAX, `${size} bytes`);
  await peer.end();
});
