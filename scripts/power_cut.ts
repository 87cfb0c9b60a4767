/**
 * `npm run power-cut`: real power cuts of a real file system. A store lies on ext4 in a file; two
 * processes, one of each runtime, write to it, and in the middle of that the file system is shut
 * down without flushing anything (EXT4_IOC_SHUTDOWN). What was not on the disk is gone. It is
 * mounted again, which replays its journal, and the store must hold every commit that was
 * acknowledged as durable, whole, and pass its check.
 *
 * For root on Linux; skipped with a line where it cannot run.
 * Usage: npm run power-cut -- [--rounds N]
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, statSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import type { Here } from "../test/children/evaluate.ts";
import { succeeds } from "../test/needs.ts";
import { Folder, OTHER, OWN, Peer } from "../test/Peer.ts";

const DISK_SIZE = 96 << 20;
/** _IOR('X', 125, __u32) of linux/ext4.h, and its EXT4_GOING_FLAGS_NOLOGFLUSH. */
const SHUTDOWN = 0x8004587d;
const WITHOUT_FLUSH = 2;
/** A round writes so long at most, ms. */
const DELAY_MAX = 400;
/** Small, so that many cuts hit a checkpoint. */
const OPTIONS = { checkpointBytes: 65536 } as const;

interface Libc {
  ioctl(descriptor: number, request: number, argument: Uint32Array): number;
}

async function loadLibc(): Promise<Libc> {
  const { dlopen } = await import("bun:ffi");
  const { symbols } = dlopen("libc.so.6", {
    ioctl: { args: ["i32", "u64", "buffer"], returns: "i32" },
  });
  return symbols as unknown as Libc;
}

/** Why it cannot run here, or null. */
function obstacle(): string | null {
  if (process.platform !== "linux") return "ext4 is Linux's";
  if (process.getuid?.() !== 0) return "only root mounts";
  if (!succeeds("mkfs.ext4", "-V")) return "mkfs.ext4 is missing";
  return succeeds("unshare", "--mount", "true") ? null : "mounts are not allowed";
}

function run(program: string, ...args: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: "ignore" }).status === 0;
}

/** Writes rows until it cannot, and tells each that is durable. */
async function write({ store, tell }: Here, path: string, options: object, id: number) {
  const opened = store(path, options);
  const rows = opened.table<string>("rows");
  for (let n = 1;; n += 1) {
    const text = `${id}/${n} `.repeat(n % 40 === 0 ? 5000 : n % 150);
    await Promise.all([rows.put([id, n], text), rows.remove([id, n - 20]), opened.put(id, n)]);
    tell(n);
  }
}

/** What is there after the cut: the last row of each writer, and what is wrong. */
async function inspect({ store }: Here, path: string, options: object) {
  const opened = store(path, options);
  const rows = opened.table<string>("rows");
  const wrong: string[] = [];
  const last: Record<number, number> = {};
  for (const { key, value } of opened.getRange({ start: 0, end: "" })) {
    const [id, n] = [key as number, value as number];
    last[id] = n;
    const found = rows.getRange({ prefix: [id] }).toArray();
    if (found.length !== Math.min(n, 20)) wrong.push(`${id}/${n} has ${found.length} rows`);
    for (const { key: rowKey, value: text } of found) {
      const row = (rowKey as number[])[1]!;
      const whole = `${id}/${row} `.repeat(row % 40 === 0 ? 5000 : row % 150);
      if (text !== whole) wrong.push(`${id}/${row} is not whole`);
    }
  }
  wrong.push(...(await opened.check()).errors.map(({ message }) => message));
  await opened.close();
  return { last, wrong };
}

class Disk implements Disposable {
  readonly #folder: Folder = new Folder();
  readonly #image: string = this.#folder.file("disk");
  readonly path: string = this.#folder.file("mounted");

  constructor() {
    mkdirSync(this.path);
    assert.ok(run("truncate", "--size", String(DISK_SIZE), this.#image));
    assert.ok(run("mkfs.ext4", "-q", "-F", this.#image), "mkfs.ext4");
  }

  /** False where loop devices are not to be had. */
  mount(): boolean {
    return run("mount", "-o", "loop", this.#image, this.path);
  }

  unmount(): void {
    for (let tries = 0; tries < 50 && !run("umount", this.path); tries += 1) {
      spawnSync("sleep", ["0.1"]);
    }
  }

  cut(libc: Libc): void {
    const descriptor = openSync(this.path, "r");
    const done = libc.ioctl(descriptor, SHUTDOWN, new Uint32Array([WITHOUT_FLUSH]));
    closeSync(descriptor);
    assert.equal(done, 0, "EXT4_IOC_SHUTDOWN");
  }

  [Symbol.dispose](): void {
    this.unmount();
    this.#folder[Symbol.dispose]();
  }
}

async function round(disk: Disk, libc: Libc, number: number, acknowledged: Map<number, number>) {
  const path = join(disk.path, "store");
  {
    await using own = await Peer.start(OWN);
    await using other = await Peer.start(OTHER);
    const ids = [2 * number, 2 * number + 1];
    const peers = [own, other];
    const running = peers.map((peer, index) =>
      peer.run(write, path, OPTIONS, ids[index]!).catch(() => undefined)
    );
    await sleep(Math.random() * DELAY_MAX);
    disk.cut(libc);
    // An acknowledgement on its way was made before the cut.
    await sleep(50);
    await Promise.all(peers.map((peer) => peer.kill()));
    await Promise.all(running);
    peers.forEach((peer, index) => acknowledged.set(ids[index]!, Number(peer.told.at(-1) ?? 0)));
  }
  disk.unmount();
  assert.ok(disk.mount(), "mounted again");
  await using judge = await Peer.start(number % 2 === 0 ? OWN : OTHER);
  const { last, wrong } = await judge.run(inspect, path, OPTIONS);
  assert.deepEqual(wrong, [], `round ${number}`);
  for (const [id, n] of acknowledged) {
    assert.ok((last[id] ?? 0) >= n, `round ${number}: writer ${id} lost row ${n}, has ${last[id]}`);
  }
  await judge.end();
  return statSync(path).size;
}

const at = process.argv.indexOf("--rounds");
const rounds = at < 0 ? 20 : Number(process.argv[at + 1]);
const reason = obstacle();
if (reason !== null) console.log(`power cut: skipped, ${reason}`);
else {
  const libc = await loadLibc();
  using disk = new Disk();
  if (!disk.mount()) console.log("power cut: skipped, no loop device is to be had");
  else {
    const acknowledged = new Map<number, number>();
    for (let number = 0; number < rounds; number += 1) {
      const size = await round(disk, libc, number, acknowledged);
      const commits = [...acknowledged.values()].reduce((sum, n) => sum + n, 0);
      console.log(
        `cut ${number + 1} of ${rounds}: ${commits} acknowledged commits are there, ${size} bytes`,
      );
    }
    console.log(`${rounds} power cuts, nothing acknowledged is lost`);
  }
}
