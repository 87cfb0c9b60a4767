/**
 * What a commit asks of the disk, counted from outside: the system calls of a process that strace
 * watches, and its map of memory.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Durability } from "../src/mod.ts";
import { Folder, OTHER, OWN, Peer } from "./Peer.ts";
import type { Here } from "./children/evaluate.ts";
import { needs } from "./needs.ts";
import { Trace } from "./Trace.ts";

const STRACE = needs("strace", "-f", "-o", "/dev/null", "true");
/** Puts counted one by one, after as many that warm up. */
const SINGLE_PUTS = 20;
const LOOPS = 64;
const PUTS_OF_LOOP = 50;
/** Acknowledged puts that one flush serves at least. */
const PUTS_PER_FLUSH_MIN = 20;

test(`durable: one commit is one flush, of the log alone`, STRACE, async () => {
  using folder = new Folder();
  const trace = new Trace(folder.file("trace"));
  await using peer = await Peer.start(OWN, { prefix: trace.prefix });
  await peer.run(
    async ({ store, mark }, path, count) => {
      const opened = store(path);
      for (let turn = 0; turn < count; turn += 1) await opened.put(turn, "warm");
      for (let turn = 0; turn < count; turn += 1) {
        mark(`put-${turn}`);
        await opened.put(turn, "x".repeat(turn * 1000));
        mark("end");
        mark(`sync-${turn}`);
        opened.putSync(turn, turn);
        mark("end");
        mark(`txn-${turn}`);
        const txn = opened.begin();
        opened.at(txn).putSync("explicit", turn);
        await txn.commit();
        mark("end");
      }
    },
    folder.file("store"),
    SINGLE_PUTS,
  );
  await peer.end();
  const log = folder.file("store-wal");
  for (let turn = 0; turn < SINGLE_PUTS; turn += 1) {
    for (const kind of ["put", "sync", "txn"]) {
      const window = trace.window(`${kind}-${turn}`);
      assert.deepEqual(window.flushes.map(({ path }) => path), [log], `${kind}-${turn}`);
    }
  }
  assert.deepEqual(trace.synchronousOpens, []);
});

test(`durable: 64 loops of awaited puts share flushes`, STRACE, async (t) => {
  using folder = new Folder();
  const trace = new Trace(folder.file("trace"));
  await using peer = await Peer.start(OWN, { prefix: trace.prefix });
  const acknowledged = await peer.run(
    async ({ store, mark }, path, loops, puts) => {
      const opened = store(path, { checkpointBytes: 1 << 30 });
      await opened.put("warm", 0);
      let done = 0;
      const loop = async (id: number): Promise<void> => {
        for (let turn = 0; turn < puts; turn += 1) {
          await opened.put([id, turn], "value");
          done += 1;
        }
      };
      mark("loops");
      await Promise.all(Array.from({ length: loops }, (_, id) => loop(id)));
      mark("end");
      return done;
    },
    folder.file("store"),
    LOOPS,
    PUTS_OF_LOOP,
  );
  await peer.end();
  const flushes = trace.window("loops").flushes.length;
  const figure = `${acknowledged} acknowledged puts, ${flushes} flushes`;
  t.diagnostic(`${OWN}: ${figure}`);
  assert.equal(acknowledged, LOOPS * PUTS_OF_LOOP);
  assert.ok(acknowledged / flushes >= PUTS_PER_FLUSH_MIN, figure);
});

for (const durability of ["committed", "none"] as const satisfies Durability[]) {
  test(
    `${durability}: the record is written before a Sync call returns, and not flushed`,
    STRACE,
    async () => {
      using folder = new Folder();
      const trace = new Trace(folder.file("trace"));
      await using peer = await Peer.start(OWN, { prefix: trace.prefix });
      await peer.run(
        async ({ store, mark, sleep }, path, kind) => {
          const opened = store(path, { durability: kind, flushInterval: 50 });
          opened.putSync("warm", 0);
          opened.flushSync();
          mark("put");
          opened.putSync("key", 1);
          mark("end");
          mark("later");
          // Many times the interval: the flush has begun, whatever else the machine does.
          await sleep(1000);
          mark("end");
        },
        folder.file("store"),
        durability,
      );
      await peer.end();
      const log = folder.file("store-wal");
      const put = trace.window("put");
      assert.deepEqual(put.flushes, []);
      assert.ok(put.writes.some(({ path }) => path === log), "no write to the log");
      const later = trace.window("later").flushes.map(({ path }) => path);
      assert.deepEqual(later, durability === "committed" ? [log] : []);
    },
  );
}

test(`files: the data file is never mapped writable`, async () => {
  using folder = new Folder();
  const path = folder.file("store");
  await using peer = await Peer.start(OWN);
  await peer.run(async ({ store }, at) => {
    const opened = store(at);
    for (let turn = 0; turn < 200; turn += 1) await opened.put(turn, "x".repeat(1000));
    opened.checkpointSync();
    opened.getView(1);
  }, path);
  const lines = readFileSync(`/proc/${peer.pid}/maps`, "utf8").split("\n");
  const permissionsOf = (file: string): string[] =>
    lines.filter((line) => line.endsWith(` ${file}`)).map((line) => line.split(" ")[1]!);
  assert.notDeepEqual(permissionsOf(path), []);
  assert.deepEqual(new Set(permissionsOf(path)), new Set(["r--s"]));
  assert.deepEqual(permissionsOf(`${path}-wal`), []);
  await peer.end();
});

/** Has every flush of a process fail until the returned function is called. */
async function failFlushes(pid: number): Promise<() => Promise<void>> {
  const fault = "inject=fdatasync,fsync:error=EIO";
  const args = [
    "-f",
    "-p",
    `${pid}`,
    "-o",
    "/dev/null",
    "-e",
    "trace=fdatasync,fsync",
    "-e",
    fault,
  ];
  const strace = spawn("strace", args, { stdio: ["ignore", "ignore", "pipe"] });
  await once(strace.stderr, "data"); // "Process … attached"
  const closed = once(strace, "close");
  return async () => {
    strace.kill("SIGINT");
    await closed;
  };
}

for (const isSync of [false, true]) {
  const kind = isSync ? "putSync()" : "put()";
  test(
    `durable: a failed flush of ${kind} ends all writing until everybody has closed`,
    STRACE,
    async () => {
      using folder = new Folder();
      const path = folder.file("store");
      await using one = await Peer.start(OWN);
      await using other = await Peer.start(OTHER);
      const put = async ({ store }: Here, at: string, key: string, sync: boolean) => {
        const opened = store(at);
        return sync ? opened.putSync(key, key) : await opened.put(key, key);
      };
      await one.run(put, path, "acknowledged", isSync);
      await other.run(put, path, "of the other", isSync);
      const endFaults = await failFlushes(one.pid);
      await assert.rejects(one.run(put, path, "failed", isSync), { code: "ZEOLITE_IO" });
      await endFaults();
      // The disk is well again, but nobody knows what it has kept.
      for (const peer of [one, other]) {
        for (const way of [isSync, !isSync]) {
          const refusal = { code: "ZEOLITE_POISONED", message: /flush failed.*close/ };
          await assert.rejects(peer.run(put, path, "refused", way), refusal);
        }
        const read = peer.run(({ store }, at) => store(at).get("acknowledged"), path);
        assert.equal(await read, "acknowledged");
      }
      for (const peer of [one, other]) {
        // It closes, and says that it could not keep its promise.
        const closing = peer.run(({ store }, at) => store(at).close(), path);
        await assert.rejects(closing, { code: "ZEOLITE_POISONED" });
        await peer.end();
      }
      await using later = await Peer.start(OWN);
      assert.equal(await later.run(put, path, "later", isSync), true);
      const found = await later.run(async ({ store }, at) => {
        const keys = store(at).getKeys().toArray();
        return { keys, errors: (await store(at).check()).errors };
      }, path);
      // A commit whose flush failed is kept whole or not at all.
      const keys = found.keys.filter((key) => key !== "failed");
      assert.deepEqual({ ...found, keys }, {
        keys: ["acknowledged", "later", "of the other"],
        errors: [],
      });
      await later.end();
    },
  );
}
