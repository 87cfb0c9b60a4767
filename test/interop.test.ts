/**
 * LMDB's own tools, both ways: what mdb_dump writes can be loaded, and what `zeolite dump` writes
 * can be loaded by mdb_load, and every byte is the same in the end.
 *
 * Needs mdb_dump and mdb_load (Debian: lmdb-utils); without them the tests are skipped, and say so.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runCli, withFolder } from "./runCli.ts";

/** Runs one of LMDB's tools; gives its standard output. */
function lmdb(program: string, args: readonly string[], input: string | Uint8Array = ""): string {
  const result = spawnSync(program, args, { input, maxBuffer: 1 << 28, encoding: "latin1" });
  assert.equal(result.status, 0, `${program} ${args.join(" ")}: ${result.stderr}`);
  return result.stdout;
}

const isInstalled = ["mdb_dump", "mdb_load"].every((program) =>
  spawnSync(program, ["-V"]).status === 0
);
const skip = isInstalled ? false : "mdb_dump and mdb_load are not installed (lmdb-utils)";

/** The name of a test; the runners print it, but not why a test was skipped. */
function named(name: string): string {
  return skip === false ? `interop: ${name}` : `interop: ${name} (${skip})`;
}

/** Numbers up to `limit`, always the same ones. */
function makeRandom(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) % limit;
  };
}

/** A dump of one database: keys of 1 to 511 bytes, in the order of bytes, values of any size. */
function makeDump(name: string | null, rows: number, seed: number): string {
  const random = makeRandom(seed);
  const bytes = (size: number) =>
    Array.from({ length: size }, () => random(256).toString(16).padStart(2, "0")).join("");
  const all = new Map<string, string>();
  // Each byte alone, and in the middle; then keys and values of all sizes.
  for (let byte = 0; byte < 256; byte++) {
    const hex = byte.toString(16).padStart(2, "0");
    all.set(hex, hex);
    all.set(`61${hex}`, `${hex}0a${hex}`);
  }
  while (all.size < 512 + rows) {
    const size = random(10) === 0 ? random(20_000) : random(200);
    all.set(bytes(1 + random(random(10) === 0 ? 511 : 20)), bytes(size));
  }
  all.set("ff".repeat(511), "");
  const lines = [...all].sort(([a], [b]) => a < b ? -1 : 1).map(([key, value]) =>
    ` ${key}\n ${value}\n`
  );
  return "VERSION=3\nformat=bytevalue\n" + (name === null ? "" : `database=${name}\n`) +
    `type=btree\nmapsize=${1 << 28}\nmaxreaders=126\ndb_pagesize=4096\nHEADER=END\n` +
    lines.join("") + "DATA=END\n";
}

/** The rows of each database of a dump, without the header lines that are the environment's. */
function contents(dump: string): string {
  return dump.split("\n").filter((line) => !/^(mapsize|maxreaders|db_pagesize)=/.test(line)).join(
    "\n",
  );
}

async function zeolite(args: readonly string[], input: string | Uint8Array = ""): Promise<string> {
  const { code, bytes, stderr } = await runCli(args, input);
  assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
  return new TextDecoder("latin1").decode(bytes);
}

/** An environment of LMDB's holding these dumps. */
function makeEnvironment(path: string, dumps: readonly string[]): string {
  mkdirSync(path);
  for (const dump of dumps) lmdb("mdb_load", [path], dump);
  return path;
}

test(named("mdb_dump, load, dump, mdb_load keeps every byte"), { skip }, async () => {
  await withFolder(async (folder) => {
    const source = makeEnvironment(join(folder, "a"), [makeDump(null, 2000, 1)]);
    const dumped = lmdb("mdb_dump", [source]);
    const store = join(folder, "s");
    await zeolite(["load", store], dumped);
    const back = await zeolite(["dump", store, "--format", "lmdb"]);
    assert.equal(contents(back), contents(dumped));
    const target = makeEnvironment(join(folder, "b"), [back]);
    assert.equal(contents(lmdb("mdb_dump", [target])), contents(dumped));
    // The other form: mdb_load reads what --print writes.
    const printed = await zeolite(["dump", store, "--format", "lmdb", "--print"]);
    const again = makeEnvironment(join(folder, "c"), [printed]);
    assert.equal(contents(lmdb("mdb_dump", [again])), contents(dumped));
  });
});

test(named("named databases become tables, and go back"), { skip }, async () => {
  await withFolder(async (folder) => {
    const dumps = [makeDump("first", 300, 2), makeDump("näme two", 300, 3)]
      .map((dump) => new TextEncoder().encode(dump) as Uint8Array);
    const source = join(folder, "a");
    mkdirSync(source);
    for (const dump of dumps) lmdb("mdb_load", [source], dump);
    const dumped = lmdb("mdb_dump", ["-a", source]);
    const store = join(folder, "s");
    await zeolite(["load", store], Uint8Array.from(dumped, (byte) => byte.charCodeAt(0)));
    const tables = JSON.parse((await runCli(["tables", store, "--json"])).stdout) as {
      name: string;
      entries: number;
    }[];
    assert.deepEqual(tables.filter(({ name }) => name !== null).map(({ name }) => name), [
      "first",
      "näme two",
    ]);
    const back = await zeolite(["dump", store, "--all", "--format", "lmdb"]);
    assert.equal(contents(back), contents(dumped));
    const target = join(folder, "b");
    mkdirSync(target);
    lmdb("mdb_load", [target], Uint8Array.from(back, (byte) => byte.charCodeAt(0)));
    assert.equal(contents(lmdb("mdb_dump", ["-a", target])), contents(dumped));
  });
});

test(named("mdb_dump -p, where no byte is a backslash"), { skip }, async () => {
  await withFolder(async (folder) => {
    const dump = makeDump(null, 500, 4);
    const lines = dump.split("\n");
    const start = lines.indexOf("HEADER=END") + 1;
    // Digits stand in pairs behind the space: a pair 5c is a backslash.
    const isSafe = (line: string) => !/^ (..)*5c/.test(line);
    const rows: string[] = [];
    for (let at = start; lines[at] !== "DATA=END"; at += 2) {
      const [key, value] = [lines[at] as string, lines[at + 1] as string];
      if (isSafe(key) && isSafe(value)) rows.push(key, value);
    }
    const safe = [...lines.slice(0, start), ...rows, "DATA=END", ""].join("\n");
    const source = makeEnvironment(join(folder, "a"), [safe]);
    const store = join(folder, "s");
    const printed = lmdb("mdb_dump", ["-p", source]);
    await zeolite(["load", store], Uint8Array.from(printed, (byte) => byte.charCodeAt(0)));
    const back = await zeolite(["dump", store, "--format", "lmdb"]);
    assert.equal(contents(back), contents(lmdb("mdb_dump", [source])));
  });
});

test(
  named("a store made here, keys and values of any encoding, goes through LMDB"),
  { skip },
  async () => {
    await withFolder(async (folder) => {
      const [store, copy] = [join(folder, "s"), join(folder, "t")];
      let rows = "";
      for (let key = 0; key < 3000; key++) {
        rows += `{"key":["é",${key * 37 % 3000}],"value":{"n":${key},"b":{"$bytes":"AP8K"}}}\n`;
      }
      await zeolite(["load", store], rows);
      const dumped = await zeolite(["dump", store, "--format", "lmdb"]);
      const environment = makeEnvironment(join(folder, "a"), [dumped]);
      const through = lmdb("mdb_dump", [environment]);
      assert.equal(contents(through), contents(dumped));
      await zeolite(["load", copy, "--key-encoding", "ordered", "--encoding", "msgpack"], through);
      assert.equal(await zeolite(["dump", copy]), await zeolite(["dump", store]));
    });
  },
);

test(named("databases with several values under a key are refused"), { skip }, async () => {
  await withFolder(async (folder) => {
    const dump = "VERSION=3\nformat=bytevalue\ndatabase=d\ntype=btree\nmapsize=1048576\n" +
      "duplicates=1\ndupsort=1\nHEADER=END\n 61\n 62\n 61\n 63\nDATA=END\n";
    const environment = makeEnvironment(join(folder, "a"), [dump]);
    const dumped = lmdb("mdb_dump", ["-a", environment]);
    const { code, stderr } = await runCli(["load", join(folder, "s")], dumped);
    assert.equal(code, 4);
    assert.match(stderr, /not available yet.*\(ZEOLITE_OPTIONS\)/);
  });
});
