/**
 * What others do to a store that is open: readers that are killed while they hold snapshots, and
 * strangers that cut, remove or overwrite its file. Nothing is silently wrong.
 */
import assert from "node:assert/strict";
import { existsSync, renameSync, rmSync, statSync, truncateSync } from "node:fs";
import { test } from "node:test";
import { open } from "../src/mod.ts";
import type { Here } from "./children/evaluate.ts";
import { Folder, OTHER, OWN, Peer } from "./Peer.ts";

const ROWS = 500;
const READERS = 5;
/** What a store may grow by beside readers that were killed. */
const GROWTH_MAX = 1.2;
/**
 * One of them must do: a checkpoint under way holds pages back as well, for as long as the disk
 * takes, and one overwriting more is a fourth of a file so small. A dead reader that is taken for a
 * live one shows in each.
 */
const ATTEMPTS = 3;

/** Overwrites every row, so that what a reader pins is held back; the size of the file. */
async function sizeAfter(killed: boolean): Promise<number> {
  using folder = new Folder();
  const path = folder.file("store");
  await using store = open(path, { durability: "none", checkpointBytes: 1 << 20 });
  const overwrite = (round: number): void => {
    for (let row = 0; row < ROWS; row += 1) store.putSync(row, `${round} `.repeat(100));
  };
  overwrite(0);
  for (let number = 0; number < READERS; number += 1) {
    await using peer = await Peer.start(number % 2 === 0 ? OWN : OTHER);
    await peer.run(({ store: openAt, kept }, at) => {
      const snapshot = openAt(at).snapshot();
      kept.set("snapshot", snapshot);
      return openAt(at).at(snapshot).get(1);
    }, path);
    overwrite(2 * number + 1);
    // The pin and what it costs are to be seen while it lives.
    assert.ok(store.readers().some(({ pid }) => pid === peer.pid), "no reader is seen");
    assert.ok(store.stats().retainedPages > 0, "nothing is held back");
    if (killed) await peer.kill();
    else await peer.end();
    overwrite(2 * number + 2);
  }
  for (let round = 0; round < 10; round += 1) overwrite(round);
  assert.ok(!store.readers().some(({ pid }) => pid !== store.readers()[0]?.pid));
  assert.deepEqual((await store.check()).errors, []);
  return statSync(path).size;
}

test("readers: killed ones leave no growth behind, live ones are seen", async (t) => {
  const figures: string[] = [];
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const [alone, beside] = [await sizeAfter(false), await sizeAfter(true)];
    figures.push(`${alone} bytes beside readers that left, ${beside} beside killed ones`);
    if (beside <= GROWTH_MAX * alone) return t.diagnostic(figures.join("; "));
  }
  assert.fail(figures.join("; "));
});

/** Checks, then reads a store whose file has been cut under it; tells what it finds. */
async function readCut({ store, tell }: Here, path: string, rows: number): Promise<void> {
  const opened = store(path);
  const { errors } = await opened.check();
  tell(`check: ${errors.length} errors`);
  for (let row = 0; row < rows; row += 1) {
    try {
      if (opened.get(row) !== `value ${row} `.repeat(50)) tell(`row ${row} is wrong`);
    } catch (error) {
      tell(String((error as { code?: unknown }).code));
    }
  }
}

for (const runtime of [OWN, OTHER]) {
  test(`strangers: a file cut under a store open in ${runtime} is an error`, async (t) => {
    using folder = new Folder();
    for (const part of [0.25, 0.5, 0.9]) {
      const path = folder.file(`store ${part}`);
      {
        await using store = open(path, { durability: "none" });
        for (let row = 0; row < ROWS; row += 1) store.putSync(row, `value ${row} `.repeat(50));
      }
      await using peer = await Peer.start(runtime);
      await peer.run(({ store }, at) => void store(at).get(0), path);
      truncateSync(path, Math.floor(statSync(path).size * part / 4096) * 4096);
      let end = "it goes on";
      try {
        await peer.run(readCut, path, ROWS);
      } catch (error) {
        // The stated limit: who touches a page behind the end through the map is ended.
        end = /has ended with SIG\w+/.exec(String(error))?.[0] ?? assert.fail(String(error));
      }
      const told = peer.told.map(String);
      assert.match(told[0] ?? "", /^check: [1-9]/, "check reads past the map and finds it");
      assert.ok(told.slice(1).every((what) => what === "ZEOLITE_CORRUPT"), told.join());
      t.diagnostic(`cut to ${part}: ${told[0]}, ${told.length - 1} rows refused, ${end}`);
      await peer.kill();
      // Whoever opens it next is told.
      assert.throws(() => open(path), { code: "ZEOLITE_CORRUPT", message: /cut short|damaged/ });
    }
  });
}

test("strangers: a store whose name is taken away goes on, and comes back with it", async () => {
  using folder = new Folder();
  const [path, away] = [folder.file("store"), folder.file("away")];
  {
    await using store = open(path);
    await store.put("key", 1);
    renameSync(path, away);
    await store.put("key", 2);
    assert.equal(store.get("key"), 2);
    // Its log is there, so nobody can begin a new store in its place.
    assert.throws(() => open(path), { code: "ZEOLITE_CORRUPT", message: /its store is gone/ });
    assert.ok(!existsSync(path));
    renameSync(away, path);
    await store.put("key", 3);
  }
  await using again = open(path);
  assert.equal(again.get("key"), 3);
  assert.ok((await again.check()).ok);
  rmSync(path);
  await again.put("key", 4);
  assert.equal(again.get("key"), 4);
});
