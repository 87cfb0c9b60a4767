/**
 * The single executable, in a root that holds only it, the C library that it names, and what the
 * kernel itself has, /proc and /dev/null: no runtime, no package, no source. How fast it starts is
 * measured, not tested (`npm run compile -- --time`).
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { isInstalled } from "../bench/engines/packages.ts";
import { needsRoot } from "./needs.ts";
import { Folder } from "./Peer.ts";

const root = fileURLToPath(new URL("../", import.meta.url));

/** Where the tools of root are, though not for everybody. */
const path = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;

/** Whether a root can be made: a mount of its own, and Node.js, which compiles. */
const { skip } = process.platform === "linux" && existsSync("/proc/self/exe")
  ? needsRoot("unshare", "--mount", "sh", "-c", "node --version && ldd --version")
  : { skip: "roots are made on Linux" };

/** Shared libraries that a program names, and the loader. */
function librariesOf(program: string): string[] {
  const { stdout } = spawnSync("ldd", [program], { encoding: "utf8" });
  return [...stdout.matchAll(/(\/[^\s:]+)/g)].map(([, path]) => path!)
    .filter((path) => path !== program);
}

/** Makes the root; what runs a program in it. */
function makeRoot(folder: Folder) {
  const program = folder.file("zeolite");
  const compiled = spawnSync("node", ["scripts/compile.mjs", "--out", program], {
    cwd: root,
    encoding: "utf8",
  });
  assert.equal(compiled.status, 0, `${compiled.stdout}${compiled.stderr}`);
  for (const library of librariesOf(program)) {
    mkdirSync(dirname(folder.file(library)), { recursive: true });
    copyFileSync(library, folder.file(library));
  }
  mkdirSync(folder.file("proc"));
  mkdirSync(folder.file("dev"));
  // What a process has for its input when it has none.
  spawnSync("mknod", ["-m", "666", folder.file("dev/null"), "c", "1", "3"]);
  return (...args: readonly string[]) => {
    // No variable is handed on, as Deno would: TMPDIR names a folder that is not in that root.
    const script = 'root="$1"; shift; mount -t proc proc "$root/proc"; ' +
      'exec env -i PATH="$PATH" chroot "$root" "$@"';
    const all = ["--mount", "sh", "-c", script, "sh", folder.path, "/zeolite", ...args];
    return spawnSync("unshare", all, { encoding: "utf8", env: { PATH: path } });
  };
}

test("executable: alone with the C library, it runs every kind of command", { skip }, () => {
  using folder = new Folder();
  const run = makeRoot(folder);
  const succeed = (...args: readonly string[]): string => {
    const { status, stdout, stderr } = run(...args);
    assert.equal(status, 0, `${args.join(" ")}: ${stdout}${stderr}`);
    return stdout;
  };
  assert.match(succeed("--version"), /^\d+\.\d+\.\d+\n$/);
  succeed("put", "/a.zeolite", "key", "12");
  assert.equal(succeed("get", "/a.zeolite", "key"), "12\n");
  assert.equal(run("get", "/a.zeolite", "other").status, 1);
  assert.match(succeed("check", "/a.zeolite"), /no fault/);
  const only = ["--engines", "zeolite", "--only", "get_hot,mixed"];
  const little = ["--quick", "--rounds", "1", "--entries", "2000"];
  const bench = succeed("bench", ...little, ...only, "--json", "/bun.json");
  assert.match(bench, /mixed_workers: /);
  assert.match(succeed("bench", "btree_ops", "--quick"), /insert_split .* pages a turn/);
  assert.match(succeed("bench", "realistic", "--quick", "--keep"), /mix .* 2 Workers/);
  const profile = succeed("profile", "get_hot", "--quick", "--seconds", "0.4");
  assert.match(profile, /not measured: perf is not installed/);
  assert.match(profile, /Zig .*\n(.*\n)*.* tree\.search\.\w+\n/);
  assert.match(profile, /JavaScript \(the runtime's own profiler\)/);
  const layers = succeed("profile", "page_alloc", "--seconds", "0.4", "--out", "/profile");
  assert.match(layers, / store\.FreeSpace\.\w+\n/);
  succeed("bench", ...little, "--engines", "zeolite", "--only", "get_hot", "--keep");
  const page = succeed("dashboard", "--keep").trim();
  if (isInstalled("echarts")) {
    const text = readFileSync(folder.file(page), "utf8");
    for (const words of ["get, 10,000 entries", "realistic: ", "flame graphs of get_hot"]) {
      assert.ok(text.includes(words), words);
    }
  }
  const wrong = run("bench", "--nothing");
  assert.deepEqual([wrong.status, wrong.stderr.split("\n").length], [2, 2]);
  assert.match(succeed("demo"), /(\d+) of \1 checks passed/);
  // The library that it carries was loaded from there, and is gone.
  assert.deepEqual(readdirSync(folder.file("tmp")), []);
});
