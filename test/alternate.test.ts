/**
 * Two processes, one on each runtime, have the same store open and commit in turn. The turn is
 * taken
 * through the store itself: each waits until it sees the commit of the other, and commits upon it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Here } from "./children/evaluate.ts";
import { Folder, OTHER, OWN, Peer } from "./Peer.ts";

/** Commits of both together, in each runtime that runs the suite. */
const COMMITS = 100_000;
/** Keys that they write in turn, beside the one that tells whose turn it is. */
const KEYS = 1000;

/** What one of the two found. */
interface Found {
  readonly commits: number;
  readonly seconds: number;
}

/** Commits every second number up to `count`, each upon the other's commit before it. */
function alternate(
  { store }: Here,
  path: string,
  first: number,
  count: number,
  keys: number,
): Found {
  const opened = store(path, { durability: "none", lockTimeout: 60_000 });
  const idle = new Int32Array(new SharedArrayBuffer(4));
  const begin = performance.now();
  let commits = 0;
  for (let n = first; n < count; n += 2) {
    for (let polls = 1; opened.get("turn") !== n; polls += 1) {
      if (performance.now() - begin > 110_000) throw new Error(`turn ${n} does not come`);
      // Where processes outnumber processors, waiting awake keeps the other from its turn.
      if (polls % 100 === 0) Atomics.wait(idle, 0, 0, 0.05);
    }
    const before = n - 1;
    if (n > 0 && opened.get(before % keys) !== before) throw new Error(`${before} is not there`);
    opened.transactionSync(() => {
      opened.putSync(n % keys, n);
      opened.putSync("turn", n + 1);
    });
    commits += 1;
  }
  return { commits, seconds: (performance.now() - begin) / 1000 };
}

test(`alternate: ${COMMITS} commits in turn, each seen by the other`, async (t) => {
  using folder = new Folder();
  const path = folder.file("store");
  await using one = await Peer.start(OWN);
  await using other = await Peer.start(OTHER);
  await one.run(async ({ store }, at) => {
    await store(at, { durability: "none", lockTimeout: 60_000 }).put("turn", 0);
  }, path);
  const found = await Promise.all([
    one.run(alternate, path, 0, COMMITS, KEYS),
    other.run(alternate, path, 1, COMMITS, KEYS),
  ]);
  t.diagnostic(`${COMMITS} commits in ${found[0].seconds.toFixed(1)} s`);
  assert.deepEqual(found.map(({ commits }) => commits), [COMMITS / 2, COMMITS / 2]);
  for (const peer of [one, other]) {
    const { errors, entries, sum } = await peer.run(async ({ store }, at) => {
      const opened = store(at);
      const sum = opened.getRange({ start: 0, end: "" })
        .map(({ value }) => value as number).toArray().reduce((total, n) => total + n, 0);
      return { ...await opened.check(), sum };
    }, path);
    assert.deepEqual(errors, []);
    assert.equal(entries, KEYS + 1);
    // The last number of each key: the KEYS numbers below COMMITS.
    assert.equal(sum, KEYS * (2 * COMMITS - KEYS - 1) / 2);
  }
  await one.end();
  await other.end();
});

/** Workers that take turns with the main thread. */
const WORKERS = 4;

/** As alternate(), for one of several threads; whose turn it is stands in shared memory. */
function takeTurns(
  here: Here,
  path: string,
  turn: Int32Array,
  first: number,
  step: number,
  count: number,
  keys: number,
): number {
  const opened = here.store(path, { durability: "none", lockTimeout: 60_000 });
  let commits = 0;
  for (let n = first; n < count; n += step) {
    for (let now = 0; (now = Atomics.load(turn, 0)) !== n;) {
      if (Atomics.wait(turn, 0, now, 20_000) === "timed-out") {
        throw new Error(`no turn after ${now}`);
      }
    }
    const before = n - 1;
    if (n > 0 && opened.get(before % keys) !== before) throw new Error(`${before} is not there`);
    opened.putSync(n % keys, n);
    commits += 1;
    Atomics.store(turn, 0, n + 1);
    Atomics.notify(turn, 0);
  }
  return commits;
}

test(`alternate: ${COMMITS} commits of ${WORKERS} Workers and the main thread`, async (t) => {
  using folder = new Folder();
  await using peer = await Peer.start(OWN);
  const { commits, seconds, errors } = await peer.run(
    async (here, path, workers, count, keys, text) => {
      const opened = here.store(path, { durability: "none", lockTimeout: 60_000 });
      const turn = new Int32Array(new SharedArrayBuffer(4));
      const threads = await Promise.all(Array.from({ length: workers }, () => here.startThread()));
      const begin = performance.now();
      const all = threads.map((thread, index) =>
        thread.run(
          (there, source, ...rest) => there.load<typeof takeTurns>(source)(there, ...rest),
          text,
          path,
          turn,
          index + 1,
          workers + 1,
          count,
          keys,
        )
      );
      const own = here.load<typeof takeTurns>(text)(here, path, turn, 0, workers + 1, count, keys);
      const commits = [own, ...await Promise.all(all)];
      const seconds = (performance.now() - begin) / 1000;
      for (const thread of threads) thread.terminate();
      return { commits, seconds, errors: (await opened.check()).errors };
    },
    folder.file("store"),
    WORKERS,
    COMMITS,
    KEYS,
    takeTurns.toString(),
  );
  t.diagnostic(`${COMMITS} commits of ${WORKERS + 1} threads in ${seconds.toFixed(1)} s`);
  assert.deepEqual(commits, Array.from({ length: WORKERS + 1 }, () => COMMITS / (WORKERS + 1)));
  assert.deepEqual(errors, []);
  await peer.end();
});
