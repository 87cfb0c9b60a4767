/** Snapshots: what they show, for how long, and who sees that they are held. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Opened, turn } from "./Opened.ts";

test("snapshot: shows what was committed when it was made, whatever follows", async () => {
  using opened = new Opened();
  const { store } = opened;
  const table = store.table("t");
  await store.put("a", 1);
  await table.put("x", 1);
  using snapshot = store.snapshot();
  assert.equal(snapshot.kind, "snapshot");
  assert.equal(snapshot.txnid, store.stats().txnid);
  await Promise.all([store.put("a", 2), store.put("b", 1), table.clear()]);
  await store.dropTable("t");
  const seen = store.at(snapshot);
  assert.equal(seen.get("a"), 1);
  assert.equal(seen.has("b"), false);
  assert.deepEqual(seen.getRange().toArray(), [{ key: "a", value: 1 }]);
  assert.deepEqual(seen.getMany(["a", "b"]), [1, undefined]);
  assert.equal(seen.getCount(), 1);
  assert.deepEqual(Array.from(seen.getView("a")!), [1]);
  assert.equal(table.at(snapshot).get("x"), 1);
  assert.equal(table.get("x"), undefined);
  assert.equal("putSync" in seen, false);
});

test("snapshot: sees commits only, not the batch of this turn", async () => {
  using opened = new Opened();
  const { store } = opened;
  const written = store.put("a", 1);
  using snapshot = store.snapshot();
  assert.equal(store.at(snapshot).get("a"), undefined);
  assert.equal(store.get("a"), 1);
  await written;
  assert.equal(store.at(snapshot).get("a"), undefined);
});

test("snapshot: ends with its dispose, once is enough", async () => {
  using opened = new Opened();
  const { store } = opened;
  await store.put("a", 1);
  const snapshot = store.snapshot();
  const reader = store.at(snapshot);
  const rows = reader.getRange()[Symbol.iterator]();
  snapshot[Symbol.dispose]();
  snapshot[Symbol.dispose]();
  for (const use of [() => reader.get("a"), () => store.at(snapshot), () => rows.next()]) {
    assert.throws(use, { code: "ZEOLITE_TXN_ENDED" });
  }
});

test("snapshot: many at a time, each of its own state", async () => {
  using opened = new Opened();
  const { store } = opened;
  const snapshots = [];
  for (let count = 0; count < 50; count += 1) {
    await store.put("n", count);
    if (count % 3 === 0) store.putSync(`filler ${count}`, "x".repeat(3000));
    snapshots.push(store.snapshot());
  }
  snapshots.forEach((snapshot, count) => assert.equal(store.at(snapshot).get("n"), count));
  snapshots.filter((_, count) => count % 2).forEach((snapshot) => snapshot[Symbol.dispose]());
  for (let count = 0; count < 100; count += 1) await store.put("n", -count);
  snapshots.forEach((snapshot, count) => {
    if (count % 2 === 0) assert.equal(store.at(snapshot).get("n"), count);
  });
  assert.equal((await store.check()).ok, true);
});

test("readers: a held snapshot is listed with its lag and age", async () => {
  using opened = new Opened();
  const { store } = opened;
  await turn();
  assert.deepEqual(store.readers(), []);
  {
    using snapshot = store.snapshot();
    await store.put("a", 1);
    await store.put("a", 2);
    await turn();
    const [reader, ...others] = store.readers();
    assert.deepEqual(others, []);
    assert.equal(reader!.txnid, snapshot.txnid);
    assert.equal(reader!.lag, 2);
    assert.ok(reader!.ageMs >= 0 && reader!.ageMs < 60_000);
    assert.equal(reader!.pid, (await import("node:process")).default.pid);
  }
  assert.deepEqual(store.readers(), []);
});
