/**
 * Processes killed with -9 at random moments while they write: whoever is attached goes on at once,
 * whoever opens next replays the log, and no acknowledged put is missing.
 *
 * A writer puts row n and, in the same commit, n as its last one; its 20th row back it removes. So
 * its
 * rows are known from that one number, and a commit that was kept in part shows.
 */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Here } from "./children/evaluate.ts";
import type { Durability } from "../src/mod.ts";
import { Folder, OTHER, OWN, Peer } from "./Peer.ts";

/** Lives of the store: from the first process that opens it to the moment when all are killed. */
const LIVES = 10;
/** Two writers at once are killed in each; then, at the end of a life, whoever is left. */
const ROUNDS = 5;
/** Half of the writers are killed when they have told at most so many rows. */
const ROWS_MAX = 60;
/** The others so many milliseconds after they were asked to open: in opening, or soon after it. */
const DELAY_MAX = 30;
/** Kills that the test must make: half of what the suite promises, for both runtimes run it. */
const KILLS_MIN = 100;
/** Small, so that many kills hit a checkpoint; and who waits longer than this is held up by the
 * dead, not by a slow disk. */
const OPTIONS = { checkpointBytes: 65536, lockTimeout: 10_000 } as const;

/** Commits of the test that counts what is replayed. */
const COMMITS = 100;

type Options = typeof OPTIONS;

/** A writer that was started, and the last row that it told to be durable. */
interface Written {
  readonly id: number;
  readonly acknowledged: number;
}

/** Writes rows until it is killed, and tells each that is durable. */
async function write({ store, tell }: Here, path: string, options: Options, id: number) {
  const opened = store(path, options);
  const rows = opened.table<string>("rows");
  for (let n = 1;; n += 1) {
    const text = `${id}/${n} `.repeat(n % 50 === 0 ? 10_000 : n % 200);
    if (n % 3 === 0) {
      opened.transactionSync(() => {
        rows.putSync([id, n], text);
        rows.removeSync([id, n - 20]);
        opened.putSync(id, n);
      });
    } else {
      await Promise.all([rows.put([id, n], text), rows.remove([id, n - 20]), opened.put(id, n)]);
    }
    tell(n);
  }
}

/** Writes once, if need be opens, and says what the store holds: the last row of each writer. */
async function inspect({ store, replayed }: Here, path: string, options: Options) {
  const opened = store(path, options);
  opened.updateSync("inspections", (count?: number) => (count ?? 0) + 1);
  using snapshot = opened.snapshot();
  const rows = opened.table<string>("rows").at(snapshot);
  const last: Record<number, number> = {};
  const wrong: string[] = [];
  for (const { key, value: n } of opened.at(snapshot).getRange({ start: 0, end: "" })) {
    const id = key as number;
    last[id] = n;
    const found = rows.getRange({ prefix: [id] }).toArray();
    if (found.length !== Math.min(n, 20)) wrong.push(`${id}/${n} has ${found.length} rows`);
    for (const [index, { key: rowKey, value: text }] of found.entries()) {
      const row = n - found.length + 1 + index;
      const whole = `${id}/${row} `.repeat(row % 50 === 0 ? 10_000 : row % 200);
      if ((rowKey as number[])[1] !== row) wrong.push(`${id}/${n} has row ${rowKey}, not ${row}`);
      else if (text !== whole) wrong.push(`${id}/${n} has a wrong text in row ${row}`);
    }
  }
  const { errors } = await opened.check();
  wrong.push(...errors.map(({ page, message }) => `page ${page}: ${message}`));
  return { last, wrong, replayed: replayed(opened) };
}

/** Starts a writer that is killed before it knows, in opening or at a row. */
async function killedWriter(path: string, id: number, isOpening: boolean): Promise<Written> {
  await using peer = await Peer.start(Math.random() < 0.5 ? OWN : OTHER);
  let isRunning = true;
  const running = peer.run(write, path, OPTIONS, id).catch(() => isRunning = false);
  if (isOpening) await sleep(Math.random() * DELAY_MAX);
  else {
    const rows = Math.random() * ROWS_MAX;
    while (isRunning && peer.told.length < rows) await sleep(1);
    assert.ok(isRunning, `writer ${id} could not write`);
  }
  await peer.kill();
  await running;
  return { id, acknowledged: peer.told.at(-1) as number ?? 0 };
}

/** All that was acknowledged is there, and nothing in part. */
async function assertKept(peer: Peer, path: string, written: readonly Written[]): Promise<number> {
  const { last, wrong, replayed } = await peer.run(inspect, path, OPTIONS);
  assert.deepEqual(wrong, []);
  for (const { id, acknowledged } of written) {
    const found = last[id] ?? 0;
    assert.ok(found >= acknowledged, `writer ${id}: row ${acknowledged} is lost, last is ${found}`);
  }
  return replayed;
}

test("kill -9: nothing acknowledged is lost, others go on, the next open replays", async (t) => {
  using folder = new Folder();
  const path = folder.file("store");
  const written: Written[] = [];
  let kills = 0;
  let replays = 0;
  const kill = async (isOpening: boolean): Promise<void> => {
    kills += 1;
    written.push(await killedWriter(path, kills, isOpening));
  };
  for (let life = 0; life < LIVES; life += 1) {
    await kill(true);
    await using witness = await Peer.start(life % 2 === 0 ? OWN : OTHER);
    // The one killed in opening found the log of the life before.
    replays += await assertKept(witness, path, written);
    for (let round = 0; round < ROUNDS; round += 1) {
      await Promise.all([kill(true), kill(false)]);
      await assertKept(witness, path, written);
    }
    await witness.kill();
    kills += 1;
  }
  const rows = written.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
  t.diagnostic(`${kills} kills, ${rows} acknowledged commits, ${replays} records replayed`);
  console.log(`counts: ${kills} kills`);
  assert.ok(kills >= KILLS_MIN, `${kills} kills`);
  assert.ok(replays > 0, "nothing was ever replayed");
});

for (const durability of ["durable", "committed", "none"] as const satisfies Durability[]) {
  test(`kill -9: every ${durability} commit is replayed from the log`, async () => {
    using folder = new Folder();
    const path = folder.file("store");
    await using writer = await Peer.start(OWN);
    const before = await writer.run(
      ({ store }, at, kind, count) => {
        const opened = store(at, { durability: kind });
        for (let n = 1; n <= count; n += 1) opened.putSync(n, `value ${n}`);
        return opened.stats();
      },
      path,
      durability,
      COMMITS,
    );
    await writer.kill();
    assert.deepEqual([before.txnid, before.checkpointTxnid], [COMMITS, 0]);
    await using reader = await Peer.start(OTHER);
    const after = await reader.run(async ({ store, replayed }, at) => {
      const opened = store(at);
      const rows = opened.getRange().toArray();
      return { rows, replayed: replayed(opened), ok: (await opened.check()).ok };
    }, path);
    const rows = Array.from(
      { length: COMMITS },
      (_, n) => ({ key: n + 1, value: `value ${n + 1}` }),
    );
    assert.deepEqual(after, { rows, replayed: COMMITS, ok: true });
    await reader.end();
  });
}

test("kill -9: what a killed process had started holds nothing of the store", async () => {
  using folder = new Folder();
  const path = folder.file("store");
  await using writer = await Peer.start(OWN);
  const child = await writer.run(async ({ store }, at) => {
    await store(at).put("key", "written");
    const { spawn } = await import("node:child_process");
    return spawn("sleep", ["60"], { stdio: "ignore" }).pid!;
  }, path);
  try {
    await writer.kill();
    await using other = await Peer.start(OTHER);
    // Nobody else may have a lock of it, or it cannot be exclusive.
    const found = await other.run(({ store, replayed }, at) => {
      const opened = store(at, { exclusive: true });
      return { value: opened.get("key"), replayed: replayed(opened) };
    }, path);
    assert.deepEqual(found, { value: "written", replayed: 1 });
    await other.end();
  } finally {
    process.kill(child, "SIGKILL");
  }
});
