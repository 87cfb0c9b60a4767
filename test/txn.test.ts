/**
 * Transactions: bodies that are kept or rolled back, explicit ones across turns, and who must
 * wait.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { WriteTransaction } from "../src/mod.ts";
import { Opened, rejection, turn } from "./Opened.ts";

const mine = new Error("mine");

test("transaction: runs at once, resolves to what the body returned", async () => {
  using opened = new Opened();
  const { store } = opened;
  const table = store.table("t");
  let ran = false;
  const result = store.transaction(() => {
    ran = true;
    store.putSync("a", 1);
    table.putSync("b", 2);
    return table.get("b");
  });
  assert.equal(ran, true);
  assert.equal(store.get("a"), 1);
  assert.equal(await result, 2);
  assert.equal(store.transactionSync(() => "done"), "done");
  assert.equal(await store.transaction(() => undefined), undefined);
});

test("transaction: a throw rolls back its writes alone", async () => {
  using opened = new Opened();
  const { store } = opened;
  const before = store.put("before", 1);
  const failed = store.transaction(() => {
    store.putSync("inside", 1);
    store.table("made").putSync("x", 1);
    store.removeSync("before");
    throw mine;
  });
  const after = store.put("after", 1);
  assert.equal(await rejection(failed), mine);
  assert.deepEqual(await Promise.all([before, after]), [true, true]);
  assert.deepEqual(store.getKeys().toArray(), ["after", "before"]);
  assert.deepEqual(store.tables(), []);
  assert.throws(() =>
    store.transactionSync(() => {
      store.putSync("inside", 1);
      throw mine;
    }), mine);
  assert.equal(store.has("inside"), false);
});

test("transaction: promised writes inside share its fate", async () => {
  using opened = new Opened();
  const { store } = opened;
  let kept: Promise<boolean> | undefined;
  await store.transaction(() => {
    kept = store.put("kept", 1);
  });
  assert.equal(await kept, true);
  let lost: Promise<unknown>[] = [];
  const failed = store.transaction(() => {
    lost = [store.put("lost", 1), store.update("lost", () => 2), store.put("kept", 5)];
    throw mine;
  });
  assert.equal(await rejection(failed), mine);
  for (const promise of lost) {
    const error = await rejection(promise);
    assert.equal(error.code, "ZEOLITE_TXN_ENDED");
    assert.equal(error.cause, mine);
  }
  assert.equal(store.get("kept"), 1);
  assert.equal(store.has("lost"), false);
});

test("transaction: nested ones are kept or rolled back by themselves", async () => {
  using opened = new Opened();
  const { store } = opened;
  await store.transaction(() => {
    store.putSync("a", 1);
    assert.throws(() =>
      store.transactionSync(() => {
        store.putSync("b", 1);
        store.transactionSync(() => store.putSync("c", 1));
        throw mine;
      }), mine);
    assert.equal(store.has("c"), false);
    store.transactionSync(() => store.putSync("d", 1));
  });
  assert.deepEqual(store.getKeys().toArray(), ["a", "d"]);
  const error = await rejection(store.transaction(() => {
    store.transactionSync(() => store.putSync("e", 1));
    throw mine;
  }));
  assert.equal(error, mine);
  assert.deepEqual(store.getKeys().toArray(), ["a", "d"]);
});

test("transaction: a promise as a result is rolled back and refused", async () => {
  using opened = new Opened();
  const { store } = opened;
  const asynchronous = async () => {
    store.putSync("a", 1);
    await Promise.resolve();
    throw new Error("never seen");
  };
  const error = await rejection(store.transaction(asynchronous as never));
  assert.ok(error instanceof TypeError);
  assert.equal(error.code, "ZEOLITE_OPTIONS");
  assert.throws(() => store.transactionSync(asynchronous as never), { code: "ZEOLITE_OPTIONS" });
  assert.equal(store.has("a"), false);
  assert.throws(() => store.transactionSync("text" as never), { code: "ZEOLITE_OPTIONS" });
  assert.equal((await rejection(store.transaction(5 as never))).code, "ZEOLITE_OPTIONS");
});

test("transaction: commit and abort are not its body's, and it ends with it", async () => {
  using opened = new Opened();
  const { store } = opened;
  let kept: WriteTransaction | undefined;
  await store.transaction((txn) => {
    kept = txn;
    assert.equal(txn.kind, "write");
    assert.equal(txn.txnid, store.stats().txnid + 1);
    store.at(txn).putSync("a", 1);
    assert.equal(store.at(txn).get("a"), 1);
    assert.throws(() => txn.commitSync(), { code: "ZEOLITE_OPTIONS" });
    assert.throws(() => txn.abort(), { code: "ZEOLITE_OPTIONS" });
    txn.commit().catch(() => {});
  });
  assert.equal(store.get("a"), 1);
  assert.throws(() => store.at(kept!), { code: "ZEOLITE_TXN_ENDED" });
  assert.throws(() => kept!.abort(), { code: "ZEOLITE_TXN_ENDED" });
});

test("at(txn): readers and ranges of a body end with it", async () => {
  using opened = new Opened();
  const { store } = opened;
  await store.putMany([[1, 1], [2, 2]]);
  const left = await store.transaction((txn) => {
    const reader = store.at(txn);
    const rows = reader.getRange()[Symbol.iterator]();
    rows.next();
    return [() => reader.get(1), () => rows.next(), () => reader.putSync(1, 2)];
  });
  for (const use of left) assert.throws(use, { code: "ZEOLITE_TXN_ENDED" });
});

test("begin: reads and writes across turns, seen by others after the commit", async () => {
  using opened = new Opened();
  const { store } = opened;
  const table = store.table("t");
  const txn = store.begin();
  const scope = table.at(txn);
  assert.equal(scope.putSync("a", 1), true);
  assert.equal(scope.putManySync([["b", 2], ["c", 3]]), 2);
  await turn();
  assert.equal(scope.updateSync("b", (old) => old + 1), 3);
  assert.equal(scope.removeSync("c"), true);
  assert.equal(scope.putSync("a", 5, { ifAbsent: true }), false);
  assert.deepEqual(scope.getMany(["a", "b", "c"]), [1, 3, undefined]);
  assert.deepEqual(scope.getRange().toArray(), [{ key: "a", value: 1 }, { key: "b", value: 3 }]);
  assert.equal(table.get("a"), undefined);
  assert.equal(scope.getCount(), 2);
  assert.equal(Uint8Array.from(scope.getView("b")!)[0], 3);
  assert.equal(await txn.commit(), undefined);
  assert.equal(table.get("b"), 3);
  assert.equal(store.stats().txnid, txn.txnid);
});

test("begin: an error of one operation leaves the others", () => {
  using opened = new Opened();
  const { store } = opened;
  const txn = store.begin();
  const scope = store.at(txn);
  scope.putSync("b", 1);
  assert.throws(() => scope.putSync(NaN, 1), { code: "ZEOLITE_KEY_TYPE" });
  assert.throws(() => scope.putSync("a", 1, { append: true }), { code: "ZEOLITE_KEY_ORDER" });
  assert.throws(() => scope.putManySync([["x", 1], [NaN, 1]]), { code: "ZEOLITE_KEY_TYPE" });
  assert.throws(() =>
    scope.updateSync("b", () => {
      throw mine;
    }), mine);
  scope.removeRangeSync({ start: "y" });
  txn.commitSync();
  assert.deepEqual(store.getRange().toArray(), [{ key: "b", value: 1 }]);
  const clearing = store.begin();
  store.at(clearing).clearSync();
  clearing.commitSync();
  assert.equal(store.getCount(), 0);
});

test("begin: abort and dispose forget, and the end is the end", async () => {
  using opened = new Opened();
  const { store } = opened;
  const aborted = store.begin();
  const scope = store.at(aborted);
  scope.putManySync([["a", 1], ["b", 1]]);
  const rows = scope.getRange()[Symbol.iterator]();
  rows.next();
  aborted.abort();
  for (const use of [() => scope.get("a"), () => scope.putSync("a", 1), () => rows.next()]) {
    assert.throws(use, { code: "ZEOLITE_TXN_ENDED" });
  }
  assert.throws(() => aborted.commitSync(), { code: "ZEOLITE_TXN_ENDED" });
  assert.throws(() => aborted.abort(), { code: "ZEOLITE_TXN_ENDED" });
  assert.equal((await rejection(aborted.commit())).code, "ZEOLITE_TXN_ENDED");
  aborted[Symbol.dispose]();
  {
    using disposed = store.begin();
    store.at(disposed).putSync("a", 1);
  }
  assert.equal(store.has("a"), false);
  {
    using committed = store.begin();
    store.at(committed).putSync("b", 1);
    committed.commitSync();
  }
  assert.equal(store.get("b"), 1);
  assert.equal(store.putSync("c", 1), true);
});

test("begin: keeps Sync writes and a second begin out, at once", () => {
  using opened = new Opened();
  const { store } = opened;
  const other = opened.again();
  using txn = store.begin();
  const begin = performance.now();
  const uses = [
    () => store.putSync("a", 1),
    () => other.putSync("a", 1),
    () => store.table("t").removeSync("a"),
    () => store.clearSync(),
    () => store.transactionSync(() => 1),
    () => store.begin(),
    () => other.begin(),
    () => store.dropTableSync("t"),
    () => store.putManySync([]),
    () => store.checkpointSync(),
  ];
  for (const use of uses) assert.throws(use, { code: "ZEOLITE_BUSY" });
  assert.ok(performance.now() - begin < 1000);
  assert.equal(txn.kind, "write");
});

test("begin: promised writes wait for its end, in order", async () => {
  using opened = new Opened();
  const { store } = opened;
  const table = store.table("t");
  const txn = store.begin();
  const value = [1];
  let isSettled = false;
  const waiting = Promise.all([
    store.put("a", value),
    store.transaction(() => store.get("z")),
    table.putMany([["x", 1], ["y", 2]]),
    store.update("z", (old) => old + 1),
    store.put("b", "gone"),
    store.remove("b"),
    store.put("a", 3, { ifAbsent: true }),
    table.removeRange({ start: "y" }),
    store.dropTable("none"),
  ]).finally(() => isSettled = true);
  value[0] = 99;
  const refused = rejection(store.put(NaN, 1));
  await turn();
  assert.equal(isSettled, false);
  assert.equal((await refused).code, "ZEOLITE_KEY_TYPE");
  store.at(txn).putSync("z", 26);
  txn.commitSync();
  assert.deepEqual(await waiting, [true, 26, 2, 27, true, true, false, 1, false]);
  assert.deepEqual(store.getRange().toArray(), [{ key: "a", value: [1] }, { key: "z", value: 27 }]);
  assert.deepEqual(table.getKeys().toArray(), ["x"]);
});

test("begin: what waits comes before what follows its end", async () => {
  using opened = new Opened();
  const { store } = opened;
  const txn = store.begin();
  const first = store.put("a", "waited");
  txn.abort();
  store.putSync("a", "followed");
  assert.equal(await first, true);
  assert.equal(store.get("a"), "followed");
  const second = store.begin();
  const third = store.put("b", 1);
  second.commitSync();
  const next = store.begin();
  assert.equal(store.at(next).get("b"), 1);
  next.abort();
  assert.equal(await third, true);
});

test("begin: what this turn has written is committed first", async () => {
  using opened = new Opened();
  const { store } = opened;
  const written = store.put("a", 1);
  using txn = store.begin();
  assert.equal(store.at(txn).get("a"), 1);
  txn.abort();
  assert.equal(await written, true);
  assert.equal(store.get("a"), 1);
  store.transactionSync(() => assert.throws(() => store.begin(), { code: "ZEOLITE_BUSY" }));
});

test("transaction: what cannot be done inside says so and harms nothing", async () => {
  using opened = new Opened();
  const { store } = opened;
  const closes: Promise<Error & { code?: string }>[] = [];
  await store.transaction(() => {
    store.putSync("a", 1);
    assert.throws(() => store.flushSync(), { code: "ZEOLITE_BUSY" });
    assert.throws(() => store.checkpointSync(), { code: "ZEOLITE_BUSY" });
    assert.throws(() => store[Symbol.dispose](), { code: "ZEOLITE_BUSY" });
    closes.push(rejection(store.close()));
  });
  assert.equal((await closes[0]!).code, "ZEOLITE_BUSY");
  assert.equal(store.get("a"), 1);
});

test("two Stores of one path share the transaction of their thread", async () => {
  using opened = new Opened();
  const { store } = opened;
  const other = opened.again();
  const results = await store.transaction((txn) => {
    other.putSync("a", 1);
    other.table("t").at(txn).putSync("b", 2);
    return [store.get("a"), other.at(txn).get("a"), store.table("t").get("b")];
  });
  assert.deepEqual(results, [1, 1, 2]);
  const error = await rejection(store.transaction(() => {
    other.putSync("c", 1);
    throw mine;
  }));
  assert.equal(error, mine);
  assert.equal(other.has("c"), false);
  const txnid = store.stats().txnid;
  await Promise.all([store.put("d", 1), other.put("e", 1)]);
  assert.equal(store.stats().txnid, txnid + 1);
});

test("at: what is no scope of this store is refused", () => {
  using opened = new Opened();
  using stranger = new Opened();
  const { store } = opened;
  using foreign = stranger.store.snapshot();
  for (const scope of [foreign, {}, null, undefined, 5]) {
    assert.throws(() => store.at(scope as never), { name: "TypeError", code: "ZEOLITE_OPTIONS" });
  }
});
