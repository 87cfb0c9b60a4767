/**
 * The batch of a turn: what becomes one commit, what each durability waits for, what shares a
 * flush.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Opened, rejection, turn } from "./Opened.ts";

test("batch: the promised writes of one turn are one commit", async () => {
  using opened = new Opened();
  const { store } = opened;
  const table = store.table("t");
  const before = store.stats().txnid;
  await Promise.all([
    store.put("a", 1),
    table.put("b", 2),
    store.putMany([["c", 3]]),
    store.update("d", () => 4),
    store.remove("a"),
    store.transaction(() => store.putSync("e", 5)),
    Promise.resolve().then(() => store.put("f", 6)),
  ]);
  assert.equal(store.stats().txnid, before + 1);
  await store.put("g", 7);
  await store.put("h", 8);
  assert.equal(store.stats().txnid, before + 3);
});

test("batch: a Sync write joins it and commits it", async () => {
  using opened = new Opened();
  const { store } = opened;
  const before = store.stats().txnid;
  const promised = store.put("a", 1);
  store.putSync("b", 2);
  assert.equal(store.stats().txnid, before + 1);
  assert.equal(await promised, true);
  assert.equal(store.stats().txnid, before + 1);
});

test("batch: a Sync write that fails leaves it as it was", async () => {
  using opened = new Opened();
  const { store } = opened;
  const promised = store.put("b", 1);
  assert.throws(() => store.putSync("a", 1, { append: true }), { code: "ZEOLITE_KEY_ORDER" });
  assert.throws(() => store.putSync("a", undefined), { code: "ZEOLITE_OPTIONS" });
  assert.equal(await promised, true);
  assert.deepEqual(store.getKeys().toArray(), ["b"]);
});

test("batch: code of the caller may use the store while it is encoded", async () => {
  using opened = new Opened();
  const { store } = opened;
  const value = {
    toJSON() {
      store.putSync("inner", store.get("outer") ?? "none");
      return { seen: store.get("inner"), many: store.getMany(["inner"]) };
    },
  };
  class Custom {
    toJSON = value.toJSON;
  }
  await store.put("outer", new Custom());
  assert.deepEqual(store.get("outer"), { seen: "none", many: ["none"] });
  store.putSync("outer", new Custom());
  assert.deepEqual(store.get("outer").seen, { seen: "none", many: ["none"] });
});

test("durability: durable resolves after a flush, committed and none before", async () => {
  for (const durability of ["durable", "committed", "none"] as const) {
    using opened = new Opened({ durability, flushInterval: 1_000_000 });
    const { store } = opened;
    await store.put("a", 1);
    const { txnid, flushedTxnid } = store.stats();
    assert.equal(flushedTxnid === txnid, durability === "durable", durability);
    store.putSync("b", 1);
    const after = store.stats();
    assert.equal(after.flushedTxnid === after.txnid, durability === "durable", durability);
    const txn = store.begin();
    store.at(txn).putSync("c", 1);
    await txn.commit();
    const last = store.stats();
    assert.equal(last.flushedTxnid === last.txnid, durability === "durable", durability);
  }
});

test("durability: committed is flushed within the interval, none is not", async () => {
  using committed = new Opened({ durability: "committed", flushInterval: 10 });
  using none = new Opened({ durability: "none" });
  for (const { store } of [committed, none]) {
    await store.put("a", 1);
    store.putSync("b", 2);
  }
  for (let tries = 0; tries < 100; tries += 1) {
    const { txnid, flushedTxnid } = committed.store.stats();
    if (txnid === flushedTxnid) break;
    await new Promise((done) => setTimeout(done, 10));
  }
  assert.equal(committed.store.stats().flushedTxnid, 2);
  assert.equal(none.store.stats().flushedTxnid, 0);
});

test("flush: everything committed so far, this turn's writes too", async () => {
  using opened = new Opened({ durability: "none" });
  const { store } = opened;
  const written = store.put("a", 1);
  await store.flush();
  assert.equal(store.stats().flushedTxnid, 1);
  assert.equal(await written, true);
  const second = store.put("b", 1);
  store.flushSync();
  assert.equal(store.stats().flushedTxnid, 2);
  assert.equal(await second, true);
  await store.flush();
  store.flushSync();
});

test("durability: two Stores of one path each wait for what they asked for", async () => {
  using opened = new Opened({ durability: "durable" });
  const relaxed = opened.again({ durability: "none" });
  const { store } = opened;
  let isFlushed = false;
  const durable = store.put("a", 1).then(() => isFlushed = true);
  await relaxed.put("b", 1);
  assert.equal(isFlushed, false);
  assert.equal(store.get("b"), 1);
  await durable;
  assert.equal(store.stats().flushedTxnid, 1);
});

test("durable: a promised write that is alone in its turn is flushed with it", async () => {
  using opened = new Opened({ durability: "durable" });
  const { store } = opened;
  const promised = store.put("a", 1);
  assert.equal(store.stats().flushedTxnid, 0);
  await turn();
  const { txnid, flushedTxnid } = store.stats();
  assert.equal(flushedTxnid, txnid);
  assert.equal(await promised, true);
});

test("durable: 64 loops of awaited puts share their flushes", async () => {
  using opened = new Opened({ durability: "durable" });
  const { store } = opened;
  const before = store.stats().txnid;
  await Promise.all(Array.from({ length: 64 }, async (_, loop) => {
    for (let count = 0; count < 20; count += 1) await store.put([loop, count], count);
  }));
  assert.equal(store.getCount(), 1280);
  assert.ok(store.stats().txnid - before < 64, `${store.stats().txnid - before} commits`);
});

test("checkpoint: happens by itself, in turns and in Sync calls", async () => {
  using opened = new Opened({ checkpointBytes: 65_536 });
  const { store } = opened;
  const value = "x".repeat(1000);
  for (let count = 0; count < 400; count += 1) await store.put(count, value);
  for (let tries = 0; tries < 200 && store.stats().checkpointTxnid === 0; tries += 1) await turn();
  const { checkpointTxnid } = store.stats();
  assert.ok(checkpointTxnid > 0);
  for (let count = 0; count < 2000; count += 1) store.putSync(count, value);
  assert.ok(store.stats().checkpointTxnid > checkpointTxnid);
  assert.ok(store.stats().logSize < 2_000_000, `${store.stats().logSize} bytes of log`);
  assert.equal((await store.check()).ok, true);
});

test("checkpoint: a long run of Sync calls keeps the log short", async () => {
  using opened = new Opened({ checkpointBytes: 65_536, durability: "none" });
  const { store } = opened;
  const value = "x".repeat(1000);
  let behindMax = 0;
  for (let count = 0; count < 2000; count += 1) {
    store.putSync(count, value);
    const { txnid, checkpointTxnid } = store.stats();
    behindMax = Math.max(behindMax, txnid - checkpointTxnid);
  }
  // Those that fill the log up to a checkpoint, and less than half of it until that one has ended.
  assert.ok(behindMax < 65_536 * 1.5 / 1000, `${behindMax} commits behind a checkpoint`);
  // The promises of the first one go on from here, and find it ended.
  for (let turns = 0; turns < 20; turns += 1) await turn();
  const before = store.stats().checkpointTxnid;
  for (let count = 0; count < 100; count += 1) await store.put(count, value);
  for (let tries = 0; tries < 200 && store.stats().checkpointTxnid === before; tries += 1) {
    await turn();
  }
  assert.ok(store.stats().checkpointTxnid > before);
  assert.equal((await store.check()).ok, true);
});

test("checkpoint: checkpoint() and checkpointSync() take everything committed", async () => {
  using opened = new Opened();
  const { store } = opened;
  const written = store.put("a", 1);
  await store.checkpoint();
  assert.equal(store.stats().checkpointTxnid, 1);
  assert.equal(await written, true);
  store.putSync("b", 1);
  store.checkpointSync();
  assert.equal(store.stats().checkpointTxnid, 2);
  await store.checkpoint();
  await Promise.all([store.checkpoint(), store.put("c", 1), store.checkpoint()]);
  assert.equal(store.stats().checkpointTxnid, 3);
});

test("batch: a full store rejects it whole, and goes on", async () => {
  using opened = new Opened({ maxSize: 131_072, pageSize: 512, durability: "durable" });
  const { store } = opened;
  await store.put("kept", 1);
  const large = Array.from({ length: 40 }, (_, key) => store.put(key, "x".repeat(10_000)));
  const results = await Promise.allSettled([store.put("small", 1), ...large]);
  const codes = new Set(results.map((one) => one.status === "rejected" ? one.reason.code : "kept"));
  assert.ok(codes.has("ZEOLITE_FULL"), [...codes].join());
  assert.equal(store.get("kept"), 1);
  assert.equal(await store.put("after", 1), true);
  const thrown = await rejection(store.transaction(() => {
    for (let key = 0; key < 40; key += 1) store.putSync(key, "x".repeat(10_000));
  }));
  assert.equal(thrown.code, "ZEOLITE_FULL");
  const many = Array.from({ length: 40 }, (_, key) => [key, "x".repeat(10_000)] as const);
  assert.equal((await rejection(store.putMany(many))).code, "ZEOLITE_FULL");
  assert.deepEqual(store.getMany(["after", "kept"]), [1, 1]);
  const swallowed = await rejection(store.transaction(() => {
    try {
      for (let key = 0; key < 40; key += 1) store.putSync(key, "x".repeat(10_000));
    } catch {
      store.putSync("never", 1);
    }
  }));
  assert.equal(swallowed.code, "ZEOLITE_FULL");
  assert.equal(store.has("never"), false);
  assert.equal(store.putSync("last", 1), true);
  assert.equal((await store.check()).ok, true);
});
