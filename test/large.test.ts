/**
 * A store of 32 GiB that grows under live readers. Its file is sparse: the state of a closed store
 * is told to have pages up to there, so that all that is written lies behind them.
 */
import assert from "node:assert/strict";
import { readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { open } from "../src/mod.ts";
import { Folder, OTHER, Peer } from "./Peer.ts";
import { xxh3 } from "./xxh3.ts";

const PAGE_SIZE = 4096;
const META_SIZE = 256;
/** Where its page count stands in a meta. */
const PAGE_COUNT_AT = 64;
const SIZE = 32 * 2 ** 30;
const ROWS = 3000;
/** What all that is written may take of the disk, bytes. */
const BLOCKS_MAX = 512 << 20;

/** Makes the closed store at `path` one of 32 GiB, most of it a hole. */
function stretch(path: string): void {
  const bytes = readFileSync(path);
  for (const slot of [0, 1]) {
    const meta = bytes.subarray(slot * PAGE_SIZE, slot * PAGE_SIZE + META_SIZE);
    meta.writeUInt32LE(SIZE / PAGE_SIZE, PAGE_COUNT_AT);
    const sum = xxh3(meta.subarray(0, META_SIZE - 8), BigInt(slot));
    meta.writeBigUInt64LE(sum, META_SIZE - 8);
  }
  writeFileSync(path, bytes);
  truncateSync(path, SIZE);
}

/** The value of a row; some lie in overflow runs. */
function valueOf(row: number): string {
  return `row ${row} `.repeat(row % 50 === 0 ? 3000 : row % 60);
}

test("growth: a store of 32 GiB grows under live readers of both runtimes", async (t) => {
  using folder = new Folder();
  const path = folder.file("store");
  {
    await using store = open(path, { durability: "none", pageSize: PAGE_SIZE });
    for (let row = 0; row < 100; row += 1) store.putSync(row, `before ${row}`);
  }
  stretch(path);
  await using reader = await Peer.start(OTHER);
  await using store = open(path, { durability: "committed" });
  using snapshot = store.snapshot();
  const before = store.at(snapshot);
  const view = before.get(7);
  await reader.run(({ store: openAt, kept }, at) => {
    kept.set("snapshot", openAt(at).snapshot());
  }, path);
  for (let row = 0; row < ROWS; row += 100) {
    store.transactionSync(() => {
      for (let n = row; n < row + 100; n += 1) store.putSync(n, valueOf(n));
    });
    assert.equal(before.get(row % 100), `before ${row % 100}`);
  }
  assert.equal(view, "before 7");
  for (let row = 0; row < ROWS; row += 1) assert.equal(store.get(row), valueOf(row));
  const wrong = await reader.run(
    ({ store: openAt, kept }, at, rows) => {
      const opened = openAt(at);
      const pinned = kept.get("snapshot") as ReturnType<typeof opened.snapshot>;
      const found = [];
      for (let row = 0; row < 100; row += 1) {
        if (opened.at(pinned).get(row) !== `before ${row}`) found.push(`the snapshot's row ${row}`);
      }
      for (let row = 0; row < rows; row += 1) {
        const value = `row ${row} `.repeat(row % 50 === 0 ? 3000 : row % 60);
        if (opened.get(row) !== value) found.push(`row ${row}`);
      }
      pinned[Symbol.dispose]();
      return found;
    },
    path,
    ROWS,
  );
  assert.deepEqual(wrong, []);
  const { size, blocks } = statSync(path);
  t.diagnostic(`${size} bytes, ${blocks * 512} of them on the disk`);
  assert.ok(size > SIZE);
  assert.ok(blocks * 512 < BLOCKS_MAX);
  await reader.end();
});
