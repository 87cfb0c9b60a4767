/**
 * Random histories through the public interface against a sorted map: promised and Sync writes,
 * bodies that throw, explicit transactions, snapshots held meanwhile, and a close now and then. The
 * engine has a model test of its own; this one is after the promises and the bookkeeping above it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Reader, Snapshot, Store } from "../src/mod.ts";
import { Opened, randomFrom } from "./Opened.ts";

const STEPS = 4000;
const KEYS = 400;

type Model = Map<number, string>;

/** What a step writes; `Sync` methods alone, so that it runs in any scope. */
interface Writing {
  putSync(key: number, value: string, options?: { ifAbsent?: boolean }): boolean;
  removeSync(key: number): boolean;
  removeRangeSync(range: { start: number; end: number }): number;
  updateSync(key: number, f: (old: string | undefined) => string | undefined): string | undefined;
  putManySync(entries: [number, string][]): number;
}

/** A writer over a model, answering as a table does. */
function modelWriting(model: Model): Writing {
  const put = (key: number, value: string) => {
    model.set(key, value);
    return true;
  };
  return {
    putSync: (key, value, options) => options?.ifAbsent && model.has(key) ? false : put(key, value),
    removeSync: (key) => model.delete(key),
    removeRangeSync({ start, end }) {
      const gone = [...model.keys()].filter((key) => key >= start && key < end);
      for (const key of gone) model.delete(key);
      return gone.length;
    },
    updateSync(key, f) {
      const value = f(model.get(key));
      if (value === undefined) model.delete(key);
      else model.set(key, value);
      return value;
    },
    putManySync(entries) {
      for (const [key, value] of entries) model.set(key, value);
      return entries.length;
    },
  };
}

/** One random write, as a function of whatever it is done to. */
function randomWrite(random: (below: number) => number): (to: Writing) => unknown {
  const key = random(KEYS);
  const value = `${random(1000)} `.repeat(random(20) === 0 ? 300 : random(8));
  switch (random(8)) {
    case 0:
      return (to) => to.removeSync(key);
    case 1: {
      const range = { start: key, end: key + random(15) };
      return (to) => to.removeRangeSync(range);
    }
    case 2: {
      const isRemoved = random(3) === 0;
      return (to) =>
        to.updateSync(key, (old) => isRemoved ? undefined : `${old ?? ""}+`.slice(-99));
    }
    case 3: {
      const entries = Array.from(
        { length: random(20) },
        (_, at) => [key + at, value] as [number, string],
      );
      return (to) => to.putManySync(entries);
    }
    case 4:
      return (to) => to.putSync(key, value, { ifAbsent: true });
  }
  return (to) => to.putSync(key, value);
}

/** Compares everything that can be read with the model. */
function compare(reader: Reader, model: Model, title: string): void {
  const rows = [...model].sort(([a], [b]) => a - b).map(([key, value]) => ({ key, value }));
  assert.deepEqual(reader.getRange().toArray(), rows, title);
  assert.equal(reader.getCount(), model.size, title);
  const keys = rows.map(({ key }) => key);
  assert.deepEqual(reader.getMany([...keys, -99]), [...rows.map(({ value }) => value), undefined]);
  assert.deepEqual(reader.getKeys({ reverse: true }).toArray(), keys.reverse(), title);
}

/** One run: a store, its model, and the random steps between them. */
class History {
  readonly opened: Opened;
  model: Model = new Map();
  readonly #random: (below: number) => number;
  #snapshots: { snapshot: Snapshot; model: Model }[] = [];
  #promises: Promise<void>[] = [];

  constructor(opened: Opened, seed: number) {
    this.opened = opened;
    this.#random = randomFrom(seed);
  }

  get store(): Store {
    return this.opened.store;
  }

  async step(count: number): Promise<void> {
    const random = this.#random;
    const title = `step ${count}`;
    const kind = random(20);
    if (kind < 8) this.#promised(title);
    else if (kind < 11) this.#sync(title);
    else if (kind < 14) this.#body(title);
    else if (kind === 14) await this.#explicit(title);
    else if (kind === 15) await this.#settle();
    else if (kind === 16) this.#snapshot(title);
    else if (kind === 17) compare(this.store, this.model, title);
    else if (random(30) === 0) await this.#reopen(title);
  }

  /** Ends the run: everything settled, compared and checked. */
  async end(): Promise<void> {
    await this.#reopen("end");
    assert.equal((await this.store.check()).ok, true);
  }

  #sync(title: string): void {
    const write = randomWrite(this.#random);
    assert.equal(write(this.store), write(modelWriting(this.model)), title);
  }

  /** A promised write: a body of one, or the method itself where there is one. */
  #promised(title: string): void {
    const key = this.#random(KEYS);
    const value = `promised ${key}`;
    if (this.#random(2)) {
      this.#expect(this.store.put(key, value), modelWriting(this.model).putSync(key, value), title);
      return;
    }
    this.#expect(this.store.remove(key), this.model.delete(key), title);
  }

  /** A body of some writes, with one inside it, either of which may throw. */
  #body(title: string): void {
    const random = this.#random;
    const writes = Array.from({ length: random(5) }, () => randomWrite(random));
    const inner = Array.from({ length: random(3) }, () => randomWrite(random));
    const [isThrown, isInnerThrown] = [random(3) === 0, random(2) === 0];
    const model = new Map(this.model);
    const fail = new Error("on purpose");
    const body = () => {
      for (const write of writes) assert.deepEqual(write(this.store), write(modelWriting(model)));
      const before = new Map(model);
      try {
        this.store.transactionSync(() => {
          for (const write of inner) write(this.store), write(modelWriting(model));
          if (isInnerThrown) throw fail;
        });
      } catch (error) {
        assert.equal(error, fail);
        model.clear();
        for (const [key, value] of before) model.set(key, value);
      }
      assert.equal(this.store.getCount(), model.size);
      if (isThrown) throw fail;
      return model.size;
    };
    if (!isThrown) {
      this.#expect(this.store.transaction(body), model.size, title);
      this.model = model;
      return;
    }
    this.#promises.push(assert.rejects(this.store.transaction(body), fail));
  }

  async #explicit(title: string): Promise<void> {
    await this.#settle();
    const random = this.#random;
    const model = new Map(this.model);
    const txn = this.store.begin();
    const scope = this.store.at(txn);
    for (let left = random(10); left > 0; left -= 1) {
      const write = randomWrite(random);
      assert.deepEqual(write(scope), write(modelWriting(model)), title);
      if (random(4) === 0) await new Promise((done) => setImmediate(done));
    }
    compare(scope, model, title);
    const waiting = this.store.put(-5, "waited");
    compare(this.store, this.model, title);
    if (random(2)) {
      await txn.commit();
      this.model = model;
    } else {
      txn.abort();
    }
    this.model.set(-5, "waited");
    assert.equal(await waiting, true);
  }

  #snapshot(title: string): void {
    // A snapshot sees commits only; a Sync write commits what this turn has written.
    this.store.putSync(-1, title);
    this.model.set(-1, title);
    this.#snapshots.push({ snapshot: this.store.snapshot(), model: new Map(this.model) });
    if (this.#snapshots.length < 8) return;
    const [{ snapshot, model }] = this.#snapshots.splice(this.#random(8), 1) as [
      { snapshot: Snapshot; model: Model },
    ];
    compare(this.store.at(snapshot), model, title);
    snapshot[Symbol.dispose]();
  }

  /** Notes what a promise must resolve to. */
  #expect(promise: Promise<unknown>, wanted: unknown, title: string): void {
    this.#promises.push(promise.then((found) => assert.deepEqual(found, wanted, title)));
  }

  async #settle(): Promise<void> {
    const promises = this.#promises;
    this.#promises = [];
    await Promise.all(promises);
  }

  async #reopen(title: string): Promise<void> {
    for (const { snapshot, model } of this.#snapshots) {
      compare(this.store.at(snapshot), model, title);
    }
    this.#snapshots = [];
    const store = this.opened.reopen();
    await this.#settle();
    compare(await store, this.model, title);
  }
}

for (const pageSize of [512, 4096]) {
  test(`model: ${STEPS} random steps equal a map, pages of ${pageSize} bytes`, async () => {
    using opened = new Opened({ pageSize, checkpointBytes: 65_536, encoding: "string" });
    const history = new History(opened, pageSize);
    for (let count = 0; count < STEPS; count += 1) await history.step(count);
    await history.end();
  });
}
