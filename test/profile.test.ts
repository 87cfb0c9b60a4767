/**
 * Profiles: stacks are read from both sources, advice comes with the figure that led to it, and a
 * run without perf says so and goes on.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
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
import { settingsScript, suggest } from "../bench/profile/suggest.ts";
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
  assert.match(founds({ flushesPerCommit: 1 }), /1\.00 flushes a commit/);
  assert.match(founds({ getNs: 900, manyNs: 210 }), /900 ns, .* 210 ns/);
  const pages = { pageSize: 4096, pageCount: 100, leafPages: 10 };
  assert.match(
    founds({ ...pages, retainedPages: 40, oldestReaderMs: 3000 }),
    /40 of 100 .* 3000 ms/,
  );
  assert.match(founds({ ...pages, leafFill: 0.4, entriesPerLeaf: 2.5 }), /40 % full, with 2\.5/);
  assert.match(founds({ ...pages, overflowPages: 50 }), /50 pages .* 10 leaves/);
});

test("profile: the script applies settings, and only those", () => {
  const all = suggest({ pageSize: 4096, leafFill: 0.4, entriesPerLeaf: 2, flushesPerCommit: 1 });
  const script = settingsScript(all);
  assert.match(script, /zeolite dump "\$1" --all \| zeolite load "\$2" --page-size 16384/);
  assert.doesNotMatch(script, /flushes/);
  assert.match(settingsScript([]), /nothing to apply/);
  const { status } = spawnSync("sh", ["-n"], { input: script });
  assert.equal(status, 0);
});

test("profile: without perf it says how to get it, and goes on", () => {
  using folder = new Folder();
  const file = new URL("../bench/profile/profile_main.ts", import.meta.url);
  const [program, ...first] = scriptCommand(file);
  const args = [...first, "get_hot", "--seconds", "0.2", "--quick", "--out", folder.path];
  const { status, stdout, stderr } = spawnSync(program, args, {
    encoding: "utf8",
    env: { ...process.env, PATH: folder.path },
  });
  assert.equal(status, 0, `${stdout}${stderr}`);
  assert.match(stdout, /not measured: perf is (not installed: apt-get|for Linux)/);
  const found = JSON.parse(readFileSync(folder.file("get_hot.json"), "utf8"));
  assert.ok(found.time > 0);
  assert.equal(found.missing.length, 1);
  const [title] = Object.keys(found.hottest);
  assert.match(title!, /JavaScript/);
  assert.ok(found.figures.leafFill > 0.3 && found.figures.leafFill <= 1);
  assert.match(readFileSync(folder.file("get_hot.script.folded"), "utf8"), / \d+\n/);
  const page = readFileSync(folder.file("get_hot.html"), "utf8");
  assert.ok(page.includes('id="data"'));
});
