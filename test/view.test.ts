/** Views of the map: the bytes where they lie, how long they last, and what a store survives. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type BytesView, open, unsafeBytes } from "../src/mod.ts";
import { Opened, turn } from "./Opened.ts";

const text = (view: BytesView | undefined) => new TextDecoder().decode(unsafeBytes(view!));

test("getView: reads like bytes, without a copy", async () => {
  using opened = new Opened({ encoding: "string" });
  const { store } = opened;
  await store.put("a", "hello");
  await turn();
  const view = store.getView("a")!;
  assert.equal(view.length, 5);
  assert.equal(view.byteLength, 5);
  assert.equal(view[0], 104);
  assert.equal(view.at(-1), 111);
  assert.equal(view.indexOf(108), 2);
  assert.deepEqual(view.slice(1, 3), Uint8Array.of(101, 108));
  assert.equal(text(view.subarray(1, 3)), "el");
  assert.deepEqual([...view], [104, 101, 108, 108, 111]);
  assert.equal(text(view), "hello");
  assert.equal(store.getView("none"), undefined);
});

test("getView: one of a snapshot keeps its bytes while others write", async () => {
  using opened = new Opened({ encoding: "string", pageSize: 512 });
  const { store } = opened;
  await store.putMany(Array.from({ length: 500 }, (_, key) => [key, `value ${key} `.repeat(9)]));
  using snapshot = store.snapshot();
  const views = Array.from({ length: 500 }, (_, key) => store.at(snapshot).getView(key)!);
  for (let round = 0; round < 5; round += 1) {
    await store.putMany(
      Array.from({ length: 500 }, (_, key) => [key, `other ${round} `.repeat(9)]),
    );
    await store.checkpoint();
  }
  views.forEach((view, key) => assert.equal(text(view), `value ${key} `.repeat(9)));
});

test("getView: one of the table keeps its bytes until its turn ends", () => {
  using opened = new Opened({ encoding: "string", pageSize: 512, durability: "none" });
  const { store } = opened;
  const views: [BytesView, string][] = [];
  for (let round = 0; round < 300; round += 1) {
    const value = `round ${round} `.repeat(5);
    store.putSync(round % 50, value);
    views.push([store.getView(round % 50)!, value]);
    if (round % 7 === 0) store.get(1);
  }
  for (const [view, value] of views) assert.equal(text(view), value);
});

test("getView: of a large value, and of one that only the batch has", async () => {
  using opened = new Opened({ encoding: "string" });
  const { store } = opened;
  const large = "0123456789".repeat(100_000);
  const written = store.put("a", large);
  assert.equal(text(store.getView("a")), large);
  await written;
  assert.equal(text(store.getView("a")), large);
  await store.checkpoint();
  assert.equal(text(store.getView("a")), large);
});

test("getView: views kept past their turn never crash", async () => {
  using opened = new Opened({ encoding: "string", pageSize: 512 });
  const { store } = opened;
  const kept: BytesView[] = [];
  for (let round = 0; round < 30; round += 1) {
    await store.putMany(Array.from({ length: 100 }, (_, key) => [key, `${round}`.repeat(30)]));
    for (let key = 0; key < 100; key += 1) kept.push(store.getView(key)!);
    if (round % 10 === 9) await store.checkpoint();
  }
  let sum = 0;
  for (const view of kept) for (const byte of view) sum += byte;
  assert.ok(sum > 0);
});

test("close: detaches and empties every view", async () => {
  using opened = new Opened({ encoding: "string" });
  const { store } = opened;
  await store.put("a", "hello");
  await turn();
  const views = [store.getView("a")!];
  const written = store.put("b", "batch");
  views.push(store.getView("b")!);
  await written;
  await store.close();
  for (const view of views) {
    assert.equal(view.length, 0);
    assert.equal(view[0], undefined);
    assert.equal(text(view), "");
  }
});

test("close: of one Store leaves the views of another alone", async () => {
  using opened = new Opened({ encoding: "string" });
  await opened.store.put("a", "hello");
  const other = open(opened.path);
  using snapshot = opened.store.snapshot();
  const mine = opened.store.at(snapshot).getView("a")!;
  const theirs = other.getView("a")!;
  await other.close();
  assert.equal(theirs.length, 0);
  assert.equal(text(mine), "hello");
});

test("getView: a window that was taken away is made again", async () => {
  using opened = new Opened({ encoding: "string" });
  const { store } = opened;
  await store.put("a", "hello");
  const view = unsafeBytes(store.getView("a")!);
  (view.buffer as ArrayBuffer).transfer(0);
  assert.equal(view.length, 0);
  assert.equal(text(store.getView("a")), "hello");
  assert.equal(store.get("a"), "hello");
});

test("getView: of more than one window", () => {
  using opened = new Opened({ encoding: "binary", durability: "none" });
  const { store } = opened;
  const size = 3_000_000;
  const value = (key: number) => new Uint8Array(size).fill(key + 1);
  for (let key = 0; key < 24; key += 1) store.putSync(key, value(key));
  for (let round = 0; round < 2; round += 1) {
    for (let key = 0; key < 24; key += 1) {
      const bytes = unsafeBytes(store.getView(key)!);
      assert.equal(bytes.length, size);
      assert.equal(bytes[0], key + 1);
      assert.equal(bytes[size - 1], key + 1);
      assert.equal(bytes.indexOf(key + 2), -1);
    }
  }
});

test("unsafeBytes: refuses what is no view", () => {
  assert.throws(() => unsafeBytes({} as BytesView), { name: "TypeError", code: "ZEOLITE_OPTIONS" });
});
