/**
 * Views of the map that are kept longer than they are valid: they may show other bytes then, they
 * never
 * end the process. The process that keeps them is a peer, so that its end would show.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { BytesView } from "../src/mod.ts";
import { Folder, OTHER, OWN, Peer } from "./Peer.ts";

const ROWS = 200;

test("views: one kept past its turn while another process reclaims space", async () => {
  using folder = new Folder();
  const path = folder.file("store");
  await using keeper = await Peer.start(OWN);
  await using writer = await Peer.start(OTHER);
  const sizes = await keeper.run(
    ({ store, kept }, at, rows) => {
      const opened = store(at, { encoding: "binary" });
      opened.transactionSync(() => {
        for (let row = 0; row < rows; row += 1) {
          opened.putSync(row, new Uint8Array(row * 50).fill(1));
        }
      });
      const views = Array.from({ length: rows }, (_, row) => opened.getView(row)!);
      kept.set("views", views);
      return views.map((view) => view.length);
    },
    path,
    ROWS,
  );
  assert.deepEqual(sizes, Array.from({ length: ROWS }, (_, row) => row * 50));
  for (let round = 0; round < 10; round += 1) {
    await writer.run(
      async ({ store }, at, rows, value) => {
        const opened = store(at, { durability: "none" });
        await opened.removeRange({ start: 0, end: rows / 2 });
        for (let row = 0; row < rows; row += 1) {
          await opened.put(row, new Uint8Array(((row * 7919 + value) % rows) * 50).fill(value));
        }
        await opened.checkpoint();
      },
      path,
      ROWS,
      round + 2,
    );
    const seen = await keeper.run(({ kept }) => {
      const values = new Set<number>();
      for (const view of kept.get("views") as BytesView[]) {
        for (const byte of view) values.add(byte);
      }
      return values.size;
    });
    assert.ok(seen > 0);
  }
  const ends = await keeper.run(async ({ store, kept }, at) => {
    await store(at).close();
    return (kept.get("views") as BytesView[]).map((view) => view.length);
  }, path);
  assert.deepEqual(ends, Array.from({ length: ROWS }, () => 0));
  await keeper.end();
  await writer.end();
});

test("views: one of a snapshot keeps its bytes while another process reclaims space", async () => {
  using folder = new Folder();
  const path = folder.file("store");
  await using keeper = await Peer.start(OWN);
  await using writer = await Peer.start(OTHER);
  await keeper.run(
    ({ store, kept }, at, rows) => {
      const opened = store(at, { encoding: "binary" });
      opened.transactionSync(() => {
        for (let row = 0; row < rows; row += 1) opened.putSync(row, new Uint8Array(2000).fill(row));
      });
      const snapshot = opened.snapshot();
      kept.set("snapshot", snapshot);
      const before = opened.at(snapshot);
      kept.set("views", Array.from({ length: rows }, (_, row) => before.getView(row)!));
    },
    path,
    ROWS,
  );
  for (let round = 0; round < 5; round += 1) {
    await writer.run(
      async ({ store }, at, rows) => {
        const opened = store(at, { durability: "none" });
        for (let row = 0; row < rows; row += 1) {
          await opened.put(row, new Uint8Array(3000).fill(99));
        }
        await opened.checkpoint();
      },
      path,
      ROWS,
    );
  }
  const isKept = await keeper.run(({ kept }) =>
    (kept.get("views") as BytesView[]).every((view, row) =>
      view.length === 2000 && [...view].every((byte) => byte === row)
    )
  );
  assert.equal(isKept, true);
  await keeper.end();
  await writer.end();
});
