/**
 * A store that one process has to itself: pages of its commits stay in memory until a checkpoint,
 * and everything reads, keeps and recovers them as it does pages of the file.
 */
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { test } from "node:test";
import { open } from "../src/mod.ts";
import type { Here } from "./children/evaluate.ts";
import { Opened, randomFrom, rejection, turn } from "./Opened.ts";
import { Folder, OTHER, OWN, Peer } from "./Peer.ts";
import { needs } from "./needs.ts";
import { Trace } from "./Trace.ts";

const STRACE = needs("strace", "-f", "-o", "/dev/null", "true");
const OPTIONS = { exclusive: true, durability: "none" } as const;

test(
  "exclusive: a commit is its record, with the kernel when the call returns",
  STRACE,
  async () => {
    using folder = new Folder();
    const trace = new Trace(folder.file("trace"));
    await using peer = await Peer.start(OWN, { prefix: trace.prefix });
    await peer.run(
      async ({ store, mark }, path) => {
        const opened = store(path, { exclusive: true, durability: "none" });
        opened.transactionSync(() => {
          for (let n = 0; n < 5000; n += 1) opened.putSync(n, "x".repeat(50));
        });
        for (let n = 0; n < 20; n += 1) {
          mark(`sync-${n}`);
          opened.putSync(n * 100, n);
          mark("end");
          mark(`put-${n}`);
          await opened.put(n * 100, -n);
          mark("end");
        }
      },
      folder.file("store"),
    );
    await peer.end();
    for (let n = 0; n < 20; n += 1) {
      for (const kind of ["sync", "put"]) {
        const { writes } = trace.window(`${kind}-${n}`);
        const files = writes.map(({ path }) => path).filter((path) => path.startsWith(folder.path));
        assert.deepEqual(files, [folder.file("store-wal")]);
      }
    }
  },
);

test("exclusive: reads, views, ranges and snapshots of what is in memory", async () => {
  using opened = new Opened({ ...OPTIONS, pageSize: 512 });
  const { store } = opened;
  const expected = new Map<number, string>();
  const random = randomFrom(11);
  const table = store.table<string>("t");
  using early = store.snapshot();
  for (let round = 0; round < 30; round += 1) {
    for (let n = 0; n < 40; n += 1) {
      const key = random(500);
      const value = `${round}/${n}`.repeat(1 + random(60));
      store.putSync(key, value);
      table.putSync(key, value);
      expected.set(key, value);
    }
    for (let n = 0; n < 10; n += 1) {
      const key = random(500);
      assert.equal(store.removeSync(key), expected.delete(key));
      table.removeSync(key);
    }
    using snapshot = store.snapshot();
    const before = [...expected].sort(([a], [b]) => a - b);
    const range = table.getRange()[Symbol.iterator]();
    const first = range.next();
    store.putSync(before[0]![0], "changed");
    table.putSync(before[0]![0], "changed");
    expected.set(before[0]![0], "changed");
    assert.deepEqual(first.value, { key: before[0]![0], value: before[0]![1] });
    const seen = store.at(snapshot).getRange().toArray();
    assert.deepEqual(seen.map(({ key, value }) => [key, value]), before);
    const rest: unknown[] = [[first.value.key, first.value.value]];
    for (let row = range.next(); !row.done; row = range.next()) {
      rest.push([row.value.key, row.value.value]);
    }
    assert.deepEqual(rest, before);
    assert.equal(store.getCount(), expected.size);
    const keys = Array.from({ length: 500 }, (_, key) => key);
    assert.deepEqual(store.getMany(keys), keys.map((key) => expected.get(key)));
    if (round % 7 === 3) store.checkpointSync();
    if (round % 10 === 9) assert.deepEqual((await store.check()).errors, []);
    await turn();
  }
  assert.equal(store.at(early).getCount(), 0);
});

test("exclusive: a view stays as it is until its turn ends, whatever is committed", async () => {
  using opened = new Opened({ ...OPTIONS, encoding: "binary" });
  const { store } = opened;
  const value = (byte: number) => new Uint8Array(300).fill(byte);
  for (let key = 0; key < 200; key += 1) store.putSync(key, value(1));
  await turn();
  const views = Array.from({ length: 200 }, (_, key) => store.getView(key)!);
  for (let key = 0; key < 200; key += 1) store.putSync(key, value(2));
  store.checkpointSync();
  for (let key = 0; key < 200; key += 1) store.putSync(key, value(3));
  for (const view of views) assert.deepEqual([...view], [...value(1)]);
  await turn();
  assert.deepEqual([...store.getView(7)!], [...value(3)]);
});

test("exclusive: a backup and a check beside a batch of the same turn", async () => {
  using opened = new Opened(OPTIONS);
  const { store } = opened;
  store.putSync("a", 1);
  const written = store.put("b", 2);
  const copying = store.backup(opened.folder.file("copy"));
  const checking = store.check();
  await Promise.all([written, copying]);
  assert.deepEqual((await checking).errors, []);
  using copy = open(opened.folder.file("copy"));
  assert.deepEqual([copy.get("a"), copy.get("b")], [1, 2]);
  store.putSync("c", 0);
  const txn = store.begin();
  store.at(txn).putSync("c", 3);
  assert.equal((await rejection(store.backup(opened.folder.file("more")))).code, "ZEOLITE_BUSY");
  txn.abort();
  await store.backup(opened.folder.file("more"));
});

test("exclusive: tables created, changed and dropped between checkpoints", async () => {
  using opened = new Opened(OPTIONS);
  let { store } = opened;
  for (let n = 0; n < 60; n += 1) {
    store.table(`t${n % 20}`).putSync(n, `value ${n}`);
    if (n % 9 === 8) await store.dropTable(`t${n % 20}`);
    if (n === 30) await store.checkpoint();
  }
  const names = store.tables();
  assert.deepEqual((await store.check()).errors, []);
  store = await opened.reopen(OPTIONS);
  assert.deepEqual(store.tables(), names);
  assert.equal(store.table("t19").get(59), "value 59");
});

test("exclusive: killed, the log has every commit; others are refused while it lives", async () => {
  using folder = new Folder();
  const path = folder.file("store");
  for (const durability of ["none", "durable"] as const) {
    await using owner = await Peer.start(OWN);
    const count = await owner.run(
      async ({ store }, at, given) => {
        const opened = store(at, { exclusive: true, durability: given });
        opened.putSync("count", 0);
        for (let n = 1; n <= 3000; n += 1) {
          opened.transactionSync(() => {
            opened.putSync([given, n % 700], `${n} `.repeat(n % 90));
            opened.putSync("count", n);
          });
          if (n === 1500) await opened.checkpoint();
        }
        return opened.get("count") as number;
      },
      path,
      durability,
    );
    await using other = await Peer.start(OTHER);
    for (const readOnly of [false, true]) {
      const call = other.run(({ open }, at, given) => void open(at, given), path, { readOnly });
      await assert.rejects(call, { code: "ZEOLITE_BUSY", message: /exclusive/ });
    }
    await owner.kill();
    const found = await other.run(
      async ({ store }, at, given) => {
        const opened = store(at);
        const rows = opened.getRange({ prefix: [given] }).toArray();
        const { errors } = await opened.check();
        return { rows, errors, count: opened.get("count") as number };
      },
      path,
      durability,
    );
    await other.end();
    assert.equal(found.count, count);
    assert.deepEqual(found.errors, []);
    assert.equal(found.rows.length, 700);
    for (const { key, value } of found.rows) {
      const n = Number((value as string).split(" ")[0] || 0);
      if (n > 0) assert.equal(n % 700, (key as [string, number])[1]);
    }
  }
});

test("exclusive: overwriting keeps the file small, with a snapshot held too", async () => {
  using opened = new Opened({ ...OPTIONS, checkpointBytes: 1 << 20, encoding: "binary" });
  const { store } = opened;
  const value = new Uint8Array(100);
  const write = (count: number) => {
    for (let n = 0; n < count; n += 1) store.putSync((n * 7919) % 5000, value);
  };
  write(50_000);
  await store.checkpoint();
  const size = statSync(opened.path).size;
  {
    using _held = store.snapshot();
    write(100_000);
  }
  write(100_000);
  await store.checkpoint();
  assert.ok(statSync(opened.path).size <= 3 * size);
});

/** Keys that one thread puts in turn, and milliseconds of it. */
const ROTATION = 300;
const ROTATING_MS = 1500;

/**
 * Walks over snapshots while another thread puts: value n lies under key 7n, so all numbers of a
 * state follow from its newest. How many walks.
 */
function walkRotation(here: Here, path: string, count: number, until: number): number {
  const store = here.store(path, { exclusive: true, durability: "none", pageSize: 1024 });
  let walks = 0;
  do {
    const snapshot = store.snapshot();
    const scope = store.at(snapshot);
    const rows = scope.getRange().toArray();
    const numbers = rows.map(({ value }) => Number((value as string).split(" ")[0]));
    const newest = Math.max(...numbers);
    rows.forEach(({ key }, place) => {
      const number = numbers[place]!;
      const isOwn = (number * 7) % count === key && newest - number < count;
      if (!isOwn || rows.length !== count) throw new Error(`${key} has ${number} of ${newest}`);
      if (scope.get(key) !== rows[place]!.value) throw new Error(`${key} has changed`);
    });
    snapshot[Symbol.dispose]();
    walks += 1;
  } while (Date.now() < until);
  return walks;
}

/** Has Workers walk while this thread puts; the walks, and the puts. */
async function putBesideWalks(
  here: Here,
  path: string,
  count: number,
  duration: number,
  text: string,
): Promise<number[]> {
  const store = here.store(path, { exclusive: true, durability: "none", pageSize: 1024 });
  const put = (n: number) => store.putSync((n * 7) % count, `${n} ${"x".repeat(n % 3)}`);
  let n = 0;
  while (n < count) put(n++);
  const threads = [await here.startThread(), await here.startThread()];
  const until = Date.now() + duration;
  const all = threads.map((thread) =>
    thread.run(
      (there, source, at, keys, end) =>
        there.load<typeof walkRotation>(source)(there, at, keys, end),
      text,
      path,
      count,
      until,
    )
  );
  while (Date.now() < until) for (let left = 100; left > 0; left -= 1) put(n++);
  const walks = await Promise.all(all);
  for (const thread of threads) thread.terminate();
  return [...walks, n];
}

test("exclusive: Workers read whole states while putSync changes them in place", async () => {
  using folder = new Folder();
  await using peer = await Peer.start(OWN);
  const counts = await peer.run(
    putBesideWalks,
    folder.file("store"),
    ROTATION,
    ROTATING_MS,
    walkRotation.toString(),
  );
  await peer.end();
  assert.ok(counts.every((count) => count > 0), counts.join(" "));
});
