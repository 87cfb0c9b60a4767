/**
 * Disks that are full, and disks that may only be read: small ones in memory, mounted for the test.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { open, type Store } from "../src/mod.ts";
import { needsRoot, succeeds } from "./needs.ts";
import { Folder, OTHER, Peer } from "./Peer.ts";

const NEEDED = needsRoot("unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt");
/** Of the disk, bytes. */
const SIZE = 8 << 20;
const VALUE = "a value ".repeat(100);

/** A small disk, gone at the end of its scope. */
class Disk implements Disposable {
  readonly #folder: Folder = new Folder();
  readonly path: string = this.#folder.file("disk");

  constructor() {
    mkdirSync(this.path);
    run("mount", "-t", "tmpfs", "-o", `size=${SIZE}`, "none", this.path);
  }

  /** The path of a file on it. */
  file(name: string): string {
    return `${this.path}/${name}`;
  }

  /** Leaves so many bytes free, at most. */
  fill(left: number): void {
    const { bavail, bsize } = statfsSync(this.path);
    const size = bavail * bsize - left;
    if (size > 0) writeFileSync(this.file("ballast"), new Uint8Array(size));
  }

  free(): void {
    rmSync(this.file("ballast"), { force: true });
  }

  setReadOnly(isReadOnly: boolean): void {
    run("mount", "-o", `remount,${isReadOnly ? "ro" : "rw"}`, this.path);
  }

  [Symbol.dispose](): void {
    // A store that a failed test left open keeps it busy: then it goes with its last file.
    if (!succeeds("umount", this.path)) run("umount", "--lazy", this.path);
    this.#folder[Symbol.dispose]();
  }
}

function run(program: string, ...args: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
  assert.equal(status, 0, `${program} ${args.join(" ")}: ${stderr}`);
}

/** Puts until the disk is full; what was acknowledged, and the error. */
async function putUntilFull(store: Store, from: number, isSync: boolean): Promise<[number, Error]> {
  for (let key = from;; key += 1) {
    try {
      if (isSync) store.putSync(key, VALUE + key);
      else await store.put(key, VALUE + key);
    } catch (error) {
      return [key, error as Error];
    }
  }
}

/** What was acknowledged is there and nothing else. */
async function assertHolds(store: Store, count: number): Promise<void> {
  assert.equal(store.getCount(), count);
  for (let key = 0; key < count; key += 1) assert.equal(store.get(key), VALUE + key);
  assert.deepEqual((await store.check()).errors, []);
}

for (const isSync of [false, true]) {
  const kind = isSync ? "Sync calls" : "promises";
  test(
    `full disk: ${kind} are refused, nothing is lost, and it goes on when freed`,
    NEEDED,
    async () => {
      using disk = new Disk();
      const path = disk.file("store");
      let count = 0;
      {
        await using store = open(path, { checkpointBytes: 1 << 20 });
        disk.fill(2 << 20);
        for (let round = 0; round < 3; round += 1) {
          const [reached, error] = await putUntilFull(store, count, isSync);
          const { code, message } = error as Error & { code: string };
          assert.equal(code, "ZEOLITE_NO_SPACE", message);
          assert.match(message, /disk.*full/);
          count = reached;
          assert.ok(count > 0);
          await assertHolds(store, count);
          // Removing needs no more room than there is kept for it, or says so.
          await store.put(0, VALUE + 0).catch((refusal) => assert.equal(refusal.code, code));
          disk.free();
          await store.put(count, VALUE + count);
          count += 1;
          await assertHolds(store, count);
          disk.fill(256 << 10);
        }
      }
      disk.free();
      await using store = open(path);
      await assertHolds(store, count);
    },
  );
}

test("full disk: a process killed there is recovered when there is room", NEEDED, async () => {
  using disk = new Disk();
  const path = disk.file("store");
  await using peer = await Peer.start(OTHER);
  await peer.run(({ store }, at) => void store(at, { checkpointBytes: 1 << 20 }), path);
  disk.fill(1 << 20);
  const count = await peer.run(
    async ({ store }, at, value) => {
      const opened = store(at);
      for (let key = 0;; key += 1) {
        try {
          await opened.put(key, value + key);
        } catch {
          return key;
        }
      }
    },
    path,
    VALUE,
  );
  await peer.kill();
  assert.ok(count > 0);
  disk.fill(0);
  try {
    await using store = open(path);
    await assertHolds(store, count);
  } catch (error) {
    // There may be no room to recover in: then the store waits as it is.
    assert.equal((error as { code?: string }).code, "ZEOLITE_NO_SPACE");
  }
  disk.free();
  await using store = open(path);
  await assertHolds(store, count);
});

test("full disk: a store that cannot be created leaves no part of it", NEEDED, async () => {
  using disk = new Disk();
  const path = disk.file("store");
  for (const left of [0, 300 << 10, 540 << 10]) {
    disk.fill(left);
    assert.throws(() => open(path), { code: "ZEOLITE_NO_SPACE", message: /full/ });
    disk.free();
    // What there is is whole: a log, or a store that wants only its lock file.
    const rest = readdirSync(disk.path).filter((name) => !["store", "store-wal"].includes(name));
    assert.deepEqual(rest, []);
  }
  await using store = open(path);
  await store.put(0, VALUE + 0);
  await assertHolds(store, 1);
});

test("read-only disk: reading goes, writing is refused by name", NEEDED, async () => {
  using disk = new Disk();
  const path = disk.file("store");
  {
    await using store = open(path);
    await store.put(0, VALUE + 0);
  }
  disk.setReadOnly(true);
  assert.throws(() => open(path), { code: "ZEOLITE_READ_ONLY", message: /read-only file system/ });
  assert.throws(() => open(disk.file("none")), { code: "ZEOLITE_READ_ONLY", message: /none/ });
  {
    await using store = open(path, { readOnly: true });
    await assertHolds(store, 1);
    assert.throws(() => store.putSync(1, VALUE), { code: "ZEOLITE_READ_ONLY" });
  }
  disk.setReadOnly(false);
  await using store = open(path);
  await store.put(1, VALUE + 1);
  await assertHolds(store, 2);
});
