/**
 * A process that wrote and is now blocked holds nobody up: another one opens the store, reads the newest
 * commit and writes within 100 ms of its call of open. The same of a Worker that was ended in the midst
 * of a transaction.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Here } from "./children/evaluate.ts";
import { commandOf, Folder, OTHER, OWN, Peer, PEER_MAIN } from "./Peer.ts";

/** The issue's own bound, milliseconds. */
const BOUND_MS = 100;

/** What a visitor saw, and how long it took from its call of open. */
interface Visit {
  readonly found: unknown;
  readonly ms: number;
}

/** Opens, reads, writes. */
function visit({ open }: Here, path: string): Visit {
  const begin = performance.now();
  const store = open(path);
  const found = store.get("key");
  store.putSync("key", "visited");
  const ms = performance.now() - begin;
  store[Symbol.dispose]();
  return { found, ms };
}

function assertQuick(t: TestContext, what: string, { found, ms }: Visit): void {
  t.diagnostic(`${what}: open, read and write took ${ms.toFixed(1)} ms`);
  assert.equal(found, "written");
  assert.ok(ms < BOUND_MS, `${what}: open, read and write took ${ms.toFixed(1)} ms`);
}

for (const visitor of [OWN, OTHER]) {
  test(`blocked: a process stopped by a signal does not hold up ${visitor}`, async (t) => {
    using folder = new Folder();
    const path = folder.file("store");
    await using writer = await Peer.start(OWN);
    await using other = await Peer.start(visitor);
    await writer.run(async ({ store }, at) => {
      await store(at).put("key", "written");
    }, path);
    writer.signal("SIGSTOP");
    const seen = await other.run(visit, path);
    writer.signal("SIGCONT");
    assertQuick(t, "beside a stopped process", seen);
    assert.equal(await writer.run(({ store }, at) => store(at).get("key"), path), "visited");
    await writer.end();
    await other.end();
  });

  test(`blocked: a process that waits for a ${visitor} it started does not hold it up`, async (t) => {
    using folder = new Folder();
    const path = folder.file("store");
    await using writer = await Peer.start(OWN);
    const seen = await writer.run(
      async ({ store, askChild }, at, command, text) => {
        await store(at).put("key", "written");
        return askChild(command, text, at) as Visit;
      },
      path,
      [...commandOf(visitor), PEER_MAIN],
      visit.toString(),
    );
    assertQuick(t, "within spawnSync", seen);
    await writer.end();
  });
}

test("blocked: a thread in Atomics.wait holds up neither its Worker nor another process", async (t) => {
  using folder = new Folder();
  const path = folder.file("store");
  await using writer = await Peer.start(OWN);
  const [inWorker, inProcess] = await writer.run(
    async ({ store, startThread }, at, command, text) => {
      const opened = store(at);
      const thread = await startThread();
      const flag = new Int32Array(new SharedArrayBuffer(4));
      await opened.put("key", "written");
      const visits = thread.run(
        (here, signal, where, program, source) => {
          const sent = new Function(`return (${source});`)() as (
            of: typeof here,
            at: string,
          ) => Visit;
          const own = sent(here, where);
          here.open(where).putSync("key", "written");
          const child = here.askChild(program, source, where) as Visit;
          Atomics.store(signal, 0, 1);
          Atomics.notify(signal, 0);
          return [own, child] as const;
        },
        flag,
        at,
        command,
        text,
      );
      const woken = Atomics.wait(flag, 0, 0, 20_000);
      if (woken === "timed-out") throw new Error("the Worker did not come to its end");
      const result = await visits;
      thread.terminate();
      return result;
    },
    path,
    [...commandOf(OTHER), PEER_MAIN],
    visit.toString(),
  );
  assertQuick(t, "in a Worker beside Atomics.wait", inWorker);
  assertQuick(t, "in a process beside Atomics.wait", inProcess);
  await writer.end();
});
