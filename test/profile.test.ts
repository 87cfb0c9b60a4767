/**
 * Profiles: stacks are read from both sources, advice comes with the figure that led to it, and a
 * run without perf says so and goes on.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import {
  folded,
  hottest,
  readCpuProfile,
  readPerf,
  sampleCount,
  shareOf,
  treeOf,
} from "../bench/profile/stacks.ts";
import { readNames } from "../bench/profile/elf.ts";
import { storeFigures } from "../bench/profile/target_main.ts";
import { readCount, whyNoPerf } from "../bench/profile/tools.ts";
import { settingsScript, suggest } from "../bench/profile/suggest.ts";
import { open } from "../src/mod.ts";
import { scriptCommand } from "../ffi/runtimes.ts";
import { Folder } from "./Peer.ts";

const PERF = `bun 
	ffff tree.search.get+0x12 (/z/libzeolite.so)
	fffe zeolite_get (/z/libzeolite.so)
	fffd [unknown] ([anon])
	fffc [unknown] ([unknown])
	fffb main (/usr/bin/bun)

bun 
	fffe zeolite_get (/z/libzeolite.so)
	fffb main (/usr/bin/bun)
`;

test("profile: perf's stacks are outermost first, and compiled code is one frame", () => {
  const stacks = readPerf(PERF);
  assert.equal(
    folded(stacks),
    "main;JavaScript, compiled;zeolite_get;tree.search.get 1\nmain;zeolite_get 1\n",
  );
  assert.equal(sampleCount(stacks), 2);
  assert.deepEqual(hottest(stacks, 1)[0]!.share, 0.5);
  assert.equal(shareOf(stacks, /^zeolite_/), 1);
  assert.equal(shareOf(stacks, /^tree\./), 0.5);
  const { value, children } = treeOf(stacks, "all");
  assert.deepEqual([value, children.length, children[0]!.children.length], [2, 1, 2]);
});

test("profile: a CPU profile is read without what idles", () => {
  const frame = (functionName: string, url: string) => ({ functionName, url, lineNumber: 4 });
  const stacks = readCpuProfile({
    nodes: [
      { id: 1, callFrame: frame("(root)", ""), children: [2, 4] },
      { id: 2, callFrame: frame("get", "file:///x/src/reader.ts"), children: [3] },
      { id: 3, callFrame: frame("", "file:///x/src/codec/key.ts") },
      { id: 4, callFrame: frame("(idle)", "") },
    ],
    samples: [2, 3, 3, 4, 4, 4],
  });
  assert.equal(
    folded(stacks),
    "get src/reader.ts:5 1\nget src/reader.ts:5;(anonymous) src/codec/key.ts:5 2\n",
  );
  assert.equal(shareOf(stacks, /codec\/key\.ts/), 2 / 3);
});

test("profile: in the single executable functions have their names alone", () => {
  const url = "file:///$bunfs/root/zeolite";
  const callFrame = { functionName: "get", url, lineNumber: 10 };
  const stacks = readCpuProfile({ nodes: [{ id: 1, callFrame }], samples: [1] });
  assert.equal(folded(stacks), "get 1\n");
});

test("profile: nothing is advised without a figure beyond its bound", () => {
  assert.deepEqual(suggest({}), []);
  const calm = { keyShare: 0.05, flushesPerCommit: 0.1, getNs: 100, manyNs: 90, pageSize: 4096 };
  assert.deepEqual(suggest({ ...calm, leafFill: 0.7, pageCount: 100, retainedPages: 2 }), []);
});

test("profile: each piece of advice names its figure", () => {
  const founds = (figures: Parameters<typeof suggest>[0]) => {
    return suggest(figures).map(({ found }) => found).join("; ");
  };
  assert.match(founds({ keyShare: 0.31, keyEncoding: "ordered" }), /31 % .* keys/);
  assert.match(
    founds({ missesPerGet: 6.54, getNs: 90, manyNs: 80 }),
    /misses the caches 6\.5 times; a get takes 90 ns/,
  );
  assert.match(founds({ flushesPerCommit: 1 }), /1\.00 flushes a commit/);
  assert.match(founds({ getNs: 900, manyNs: 210 }), /900 ns, .* 210 ns/);
  const pages = { pageSize: 4096, pageCount: 100, leafPages: 10 };
  assert.match(
    founds({ ...pages, retainedPages: 40, oldestReaderMs: 3000 }),
    /40 of 100 .* 3000 ms/,
  );
  assert.match(founds({ ...pages, leafFill: 0.4, entriesPerLeaf: 2.5 }), /40 % full, with 2\.5/);
  assert.equal(founds({ ...pages, leafPages: 2, leafFill: 0.1, entriesPerLeaf: 1 }), "");
  assert.match(founds({ ...pages, overflowPages: 50 }), /50 pages .* 10 leaves/);
});

test("profile: the script applies settings, and only those", () => {
  const all = suggest({ pageSize: 4096, leafFill: 0.4, entriesPerLeaf: 2, flushesPerCommit: 1 });
  const script = settingsScript(all);
  assert.match(script, /zeolite dump "\$1" --all .*\| zeolite load "\$2" --page-size 16384/);
  assert.doesNotMatch(script, /flushes/);
  assert.match(settingsScript([]), /nothing to apply/);
  const { status } = spawnSync("sh", ["-n"], { input: script });
  assert.equal(status, 0);
});

test("profile: the script makes a store anew, and fails if not all of it", () => {
  using folder = new Folder();
  const [old, made, script] = [folder.file("old"), folder.file("new"), folder.file("apply.sh")];
  {
    using store = open(old, { keyEncoding: "string" });
    for (let key = 0; key < 100; key += 1) store.putSync(`key ${key}`, new Uint8Array(900));
  }
  const advice = suggest({ pageSize: 4096, leafFill: 0.4, entriesPerLeaf: 2 });
  writeFileSync(script, settingsScript(advice), { mode: 0o755 });
  const command = scriptCommand(new URL("../src/cli/main.ts", import.meta.url));
  mkdirSync(folder.file("bin"));
  const own = `#!/bin/sh\nexec ${command.map((word) => `'${word}'`).join(" ")} "$@"\n`;
  writeFileSync(folder.file("bin/zeolite"), own, { mode: 0o755 });
  const env = { ...process.env, PATH: `${folder.file("bin")}:/usr/bin:/bin` };
  const run = (...args: readonly string[]) => spawnSync(script, args, { encoding: "utf8", env });
  const { status, stderr } = run(old, made);
  assert.equal(status, 0, stderr);
  using store = open(made, { readOnly: true, keyEncoding: "string" });
  const { pageSize, entries } = store.stats();
  assert.deepEqual([pageSize, entries], [16384, 100]);
  const again = run(old, made);
  assert.deepEqual([again.status, again.stderr], [2, `${made} is there already\n`]);
  const none = run(folder.file("none"), folder.file("other"));
  assert.deepEqual([none.status, none.stderr], [2, `${folder.file("none")} is not there\n`]);
  // The end of the old store is bad: what could be read is not taken for all.
  const broken = folder.file("broken");
  writeFileSync(broken, readFileSync(old).fill(0xff, 3 * 4096));
  writeFileSync(`${broken}-wal`, readFileSync(`${old}-wal`));
  const partial = run(broken, folder.file("partial"));
  assert.equal(partial.status, 3, partial.stderr);
  assert.match(partial.stderr, /could not be read whole/);
});

test("profile: frames of a library that was removed keep its name, parts of memory theirs", () => {
  const stacks = readPerf(`bun
\tffff get (/tmp/z/libzeolite.so (deleted))
\tfffe [unknown] (/tmp/z/libzeolite.so (deleted))
\tfffd [unknown] ([vdso])
`);
  assert.equal(folded(stacks), "[vdso];[libzeolite.so];get 1\n");
});

test("profile: names are found in a program, and in nothing else", () => {
  const path = new URL("../zig-out/lib/libzeolite.so", import.meta.url);
  const bytes = existsSync(path) ? new Uint8Array(readFileSync(path)) : new Uint8Array();
  const names = readNames(bytes);
  const found = new Set<string>();
  for (let offset = 0; offset < bytes.length; offset += 16) {
    const name = names.at(offset);
    if (name !== undefined) found.add(name);
  }
  // A library without its table of symbols still says what it exports.
  if (bytes.length > 0) {
    assert.ok(found.has("zeolite_find") && found.has("zeolite_open"));
  }
  for (const size of [0, 3, 63, 64, 1000, 5000]) {
    // The end is missing: whatever it names is elsewhere.
    assert.equal(readNames(bytes.slice(0, size)).at(1 << 30), undefined);
  }
  const wild = bytes.slice(0, 4096).fill(0xff, 16);
  assert.equal(readNames(wild).at(100), undefined);
});

test("profile: the counts of perf are read, and what it does not count is none", () => {
  const text = "# started\n\n71234,,cache-misses:u,95,100.00,,\n<not supported>,,cycles,0,100,,\n";
  assert.equal(readCount(text, "cache-misses"), 71234);
  assert.equal(readCount(text, "cycles"), undefined);
});

test("profile: pages count as kept for readers beside an old snapshot, and only then", () => {
  using folder = new Folder();
  const path = folder.file("a.zeolite");
  using store = open(path, { keyEncoding: "string", durability: "none" });
  for (let key = 0; key < 1000; key += 1) {
    store.putSync(`key ${key}`, new Uint8Array(100));
  }
  const before = storeFigures(path);
  assert.deepEqual([before.retainedPages, before.oldestReaderMs], [0, undefined]);
  using _reader = store.snapshot();
  for (let key = 0; key < 1000; key += 1) {
    store.putSync(`key ${key}`, new Uint8Array(101));
  }
  const beside = storeFigures(path);
  assert.ok(beside.retainedPages! > 10 && beside.oldestReaderMs! >= 0);
  assert.match(suggest(beside).map(({ found }) => found).join(), /pages are kept for readers, the/);
});

/** A folder with a `perf` that is there and may not sample. */
function forbiddenPerf(folder: Folder): string {
  mkdirSync(folder.file("bin"));
  const script =
    '#!/bin/sh\nif [ "$1" = --version ]; then exit 0; fi\necho no right >&2; exit 255\n';
  writeFileSync(folder.file("bin/perf"), script, { mode: 0o755 });
  return folder.file("bin");
}

test("profile: where perf may not sample it says so", () => {
  using folder = new Folder();
  const before = process.env["PATH"];
  process.env["PATH"] = `${forbiddenPerf(folder)}:/usr/bin:/bin`;
  try {
    const reason = whyNoPerf();
    assert.match(
      reason!,
      /perf (has no right to sample.*sysctl|does not work here: no right|is for)/,
    );
  } finally {
    process.env["PATH"] = before;
  }
});

/** Profiles where there is no perf; what was printed. */
function profileAlone(folder: Folder, ...args: readonly string[]): string {
  const file = new URL("../bench/profile/profile_main.ts", import.meta.url);
  const [program, ...first] = scriptCommand(file);
  const all = [...first, ...args, "--seconds", "0.4", "--quick", "--out", folder.path];
  const { status, stdout, stderr } = spawnSync(program, all, {
    encoding: "utf8",
    env: { ...process.env, PATH: folder.path },
  });
  assert.equal(status, 0, `${stdout}${stderr}`);
  return stdout;
}

test("profile: micro-benchmarks are profiled by their names, down to the layer", () => {
  using folder = new Folder();
  const stdout = profileAlone(folder, "page_alloc");
  if (process.platform === "linux") assert.match(stdout, / store\.FreeSpace\.\w+\n/);
  const found = JSON.parse(readFileSync(folder.file("page_alloc.json"), "utf8"));
  assert.deepEqual([found.time, found.suggestions], [undefined, []]);
});

test("profile: where Workers do the work, the sampler says what it does not see", () => {
  using folder = new Folder();
  const stdout = profileAlone(folder, "mixed_workers");
  if (process.platform !== "linux") return;
  const sampled = / own sampler\)\n/.test(stdout);
  assert.ok(sampled || stdout.includes("the sampler: the thread that it samples did nothing"));
});

test("profile: without perf it says how to get it, samples by itself, and goes on", () => {
  using folder = new Folder();
  const stdout = profileAlone(folder, "get_hot");
  assert.match(stdout, /not measured: perf is (not installed: apt-get|for Linux)/);
  const found = JSON.parse(readFileSync(folder.file("get_hot.json"), "utf8"));
  assert.ok(found.time > 0);
  assert.equal(found.missing.length, 1);
  const titles = Object.keys(found.hottest);
  assert.match(titles.at(-1)!, /JavaScript/);
  if (process.platform === "linux") {
    assert.match(titles[0]!, /Zig .* own sampler/);
    // Where the engine is, in Zig's own names, below the call that JavaScript made.
    const lines = readFileSync(folder.file("get_hot.sampled.folded"), "utf8");
    assert.match(lines, /zeolite_\w+(;[^\n]*)*;tree\.search\.\w+/);
  }
  assert.ok(found.figures.leafFill > 0.3 && found.figures.leafFill <= 1);
  assert.match(readFileSync(folder.file("get_hot.script.folded"), "utf8"), / \d+\n/);
  const page = readFileSync(folder.file("get_hot.html"), "utf8");
  assert.ok(page.includes('id="data"'));
});
