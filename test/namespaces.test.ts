/**
 * Two pid namespaces on one store, as two containers have it: in each the only process has number
 * 1, and
 * neither can see the other. Who lives is not told by numbers, so nobody is ever taken for dead,
 * and
 * whoever is killed is.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Here } from "./children/evaluate.ts";
import { needsRoot } from "./needs.ts";
import { Folder, OTHER, OWN, Peer } from "./Peer.ts";

const NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child"] as const;
const NEEDED = needsRoot(...NAMESPACE, "true");
const ROWS = 500;
/** Times that all rows are written anew. */
const ROUNDS = 10;
/** How often that is done when a reader was killed. */
const TURNS = 5;

/** Writes all rows so many times, each time in a commit, and says what that cost. */
function overwrite({ store }: Here, path: string, rows: number, rounds: number) {
  const opened = store(path, { durability: "none", lockTimeout: 200 });
  for (let round = 1; round <= rounds; round += 1) {
    opened.transactionSync(() => {
      for (let row = 0; row < rows; row += 1) opened.putSync(row, `${round} `.repeat(100));
    });
    opened.checkpointSync();
  }
  const { fileSize, retainedPages } = opened.stats();
  const behind = opened.readers().filter(({ lag }) => lag > 0);
  return { fileSize, retainedPages, readers: behind.map(({ pid }) => pid) };
}

test("namespaces: a live reader is never taken for dead, a killed one is", NEEDED, async () => {
  using folder = new Folder();
  const path = folder.file("store");
  await using writer = await Peer.start(OWN, { prefix: NAMESPACE });
  await writer.run(overwrite, path, ROWS, 1);
  await using reader = await Peer.start(OTHER, { prefix: NAMESPACE });
  assert.deepEqual([writer.pid, reader.pid], [1, 1]);
  await reader.run(({ store, kept }, at) => {
    kept.set("snapshot", store(at).snapshot());
  }, path);
  const held = await writer.run(overwrite, path, ROWS, ROUNDS);
  assert.deepEqual(held.readers, [1]);
  assert.ok(held.retainedPages > 0);
  const seen = await reader.run(({ store, kept }, at) => {
    const opened = store(at);
    const old = opened.at(kept.get("snapshot") as ReturnType<typeof opened.snapshot>);
    return {
      values: [...new Set(old.getRange().map(({ value }) => value))],
      count: old.getCount(),
    };
  }, path);
  assert.deepEqual(seen, { values: ["1 ".repeat(100)], count: ROWS });
  await reader.kill();
  const freed = [];
  for (let turn = 0; turn < TURNS; turn += 1) {
    freed.push(await writer.run(overwrite, path, ROWS, ROUNDS));
  }
  assert.deepEqual(freed.at(-1)!.readers, []);
  // A turn may still hold the state that it read itself; not each of them does.
  const retained = freed.map(({ retainedPages }) => retainedPages);
  assert.ok(Math.min(...retained) < held.retainedPages, `${held.retainedPages}, then ${retained}`);
  await writer.end();
});

test("namespaces: a live writer keeps its lock, a killed one does not", NEEDED, async () => {
  using folder = new Folder();
  const path = folder.file("store");
  await using holder = await Peer.start(OTHER, { prefix: NAMESPACE });
  await using other = await Peer.start(OWN, { prefix: NAMESPACE });
  await holder.run(({ store, kept }, at) => {
    const opened = store(at);
    const txn = opened.begin();
    opened.at(txn).putSync("lost", "never committed");
    kept.set("txn", txn);
  }, path);
  await assert.rejects(other.run(overwrite, path, 1, 1), { code: "ZEOLITE_BUSY" });
  await holder.kill();
  await other.run(overwrite, path, 1, 1);
  assert.equal(await other.run(({ store }, at) => store(at).has("lost"), path), false);
  await other.end();
});
