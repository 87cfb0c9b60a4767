/** The writer lock between two threads: how long it is waited for, and who learns what. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { Opened } from "./Opened.ts";

/** Runs a body in a Worker, where `open`, `path` and `wait` are there; what it returned. */
function inWorker(path: string, body: string): { done: Promise<unknown>; worker: Worker } {
  const source = new URL("../src/mod.ts", import.meta.url).href;
  const code = `
    const { parentPort } = await import("node:worker_threads");
    const { open } = await import(${JSON.stringify(source)});
    const path = ${JSON.stringify(path)};
    const wait = (ms) => new Promise((done) => setTimeout(done, ms));
    const tell = (told) => parentPort.postMessage({ told });
    try {
      const result = await (async () => { ${body} })();
      parentPort.postMessage({ result });
    } catch (error) {
      parentPort.postMessage({ error: { code: error.code, message: error.message } });
    }`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`));
  const done = new Promise((resolve, reject) => {
    worker.on("message", ({ result, error, told }) => {
      if (told !== undefined) worker.emit("told", told);
      else if (error) reject(Object.assign(new Error(error.message), error));
      else resolve(result);
    });
    worker.on("error", reject);
  });
  return { done, worker };
}

test("lockTimeout: a lock that is held is waited for so long, once a turn", async () => {
  using opened = new Opened({ lockTimeout: 500 });
  const { worker, done } = inWorker(
    opened.path,
    `
    const store = open(path);
    using txn = store.begin();
    tell("begun");
    await new Promise((done) => parentPort.once("message", done));
    txn.commitSync();
    store[Symbol.dispose]();
    return "released";`,
  );
  await new Promise((resolve) => worker.once("told", resolve));
  const { store } = opened;
  assert.throws(() => store.putSync("a", 1), { code: "ZEOLITE_BUSY" });
  const begin = performance.now();
  const refused = await Promise.allSettled([1, 2, 3, 4, 5].map((key) => store.put(key, 1)));
  // Waited for one by one it would be 2,500; the rest is for a busy machine.
  assert.ok(performance.now() - begin < 2000);
  for (const one of refused) {
    assert.equal(one.status === "rejected" && one.reason.code, "ZEOLITE_BUSY");
  }
  worker.postMessage("release");
  assert.equal(await done, "released");
  assert.equal(store.putSync("a", 1), true);
  await worker.terminate();
});
