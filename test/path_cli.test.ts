/**
 * `zeolite path`, run as its users run it: the commands over single paths, and folders of the file
 * system copied into a store by one runtime and out of it by the other, compared by `diff -r`.
 *
 * ZEOLITE_PATH_FILES sets how many files that folder has, ZEOLITE_PATH_FOLDER names one to be taken
 * instead, such as node_modules.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { currentRuntime, otherRuntime } from "../ffi/runtimes.ts";
import { open } from "../src/mod.ts";
import { openPaths } from "../src/path/mod.ts";
import { randomFrom } from "./Opened.ts";
import { needs } from "./needs.ts";
import { runCli, withFolder } from "./runCli.ts";

const FILES = Number(process.env["ZEOLITE_PATH_FILES"] ?? 2500);
const OTHER = otherRuntime() ?? currentRuntime();

/** Runs `zeolite path` where it must succeed; gives what it printed. */
async function ok(args: readonly string[], input = "", runtime = currentRuntime()) {
  const { code, stdout, stderr } = await runCli(["path", ...args], input, runtime);
  assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
  return stdout;
}

/** Runs `zeolite path` where it must fail so; gives what it said. */
async function fails(code: number, args: readonly string[]): Promise<string> {
  const result = await runCli(["path", ...args]);
  assert.equal(result.code, code, `${args.join(" ")}: ${result.stdout} ${result.stderr}`);
  return result.stderr;
}

function diff(a: string, b: string): string {
  const { stdout, stderr } = spawnSync("diff", ["-r", "--no-dereference", a, b]);
  return `${stdout}${stderr}`;
}

/** Makes a folder of many small files, deep folders, and links to all of it and to each other. */
function makeTree(root: string, count: number): void {
  const random = randomFrom(count);
  const any = <T>(list: readonly T[]): T => list[random(list.length)]!;
  mkdirSync(root);
  const folders = [root];
  const all = [root];
  const parts = ["lib", "dist", "ä", "a.b", "a!", "src-", "😀"];
  for (let index = 0; index < count / 14; index += 1) {
    const folder = join(any(folders), any(parts) + index);
    if (relative(root, folder).length > 800) continue;
    mkdirSync(folder);
    folders.push(folder);
    all.push(folder);
  }
  for (let index = 0; index < count; index += 1) {
    const file = join(any(folders), `file ${index}`);
    writeFileSync(file, new Uint8Array(any([0, 1, 99, 1000, 5000, 70_000])).fill(index));
    if (index % 9 === 0) chmodSync(file, 0o755);
    all.push(file);
  }
  for (let index = 0; index < count / 20; index += 1) {
    const link = join(any(folders), `link ${index}`);
    symlinkSync(relative(dirname(link), any(all)) || ".", link);
    all.push(link);
  }
}

test(
  "path cli: a folder comes back as it was, by another runtime",
  needs("diff", "--version"),
  async () => {
    await withFolder(async (folder) => {
      let tree = process.env["ZEOLITE_PATH_FOLDER"];
      if (tree === undefined) makeTree(tree = join(folder, "tree"), FILES);
      const [store, copy] = [join(folder, "tree.zeo"), join(folder, "copy")];
      const answer = JSON.parse(await ok(["import", store, tree, "--json"])) as { values: number };
      assert.ok(answer.values > 0);
      await ok(["export", store, copy], "", OTHER);
      assert.equal(diff(tree, copy), "");
      const runnable = (root: string) =>
        (readdirSync(root, { recursive: true }) as string[]).filter((name) => {
          const stats = lstatSync(join(root, name));
          return stats.isFile() && (stats.mode & 0o100) !== 0;
        }).sort();
      assert.deepEqual(runnable(copy), runnable(tree));
    });
  },
);

test("path cli: links keep what they say, and lead in the store where they led", async () => {
  await withFolder(async (folder) => {
    const tree = join(folder, "tree");
    mkdirSync(join(tree, "sub", "deep"), { recursive: true });
    mkdirSync(join(tree, "empty"));
    writeFileSync(join(tree, "a"), "content");
    writeFileSync(join(tree, "sub", "b"), "other");
    const texts: Record<string, string> = {
      plain: "a",
      dotted: "./sub/../a",
      slash: "sub/",
      inner: "sub/deep",
      // ".." leaves the folder that the link before it leads to.
      physical: "inner/../b",
      outside: "../elsewhere",
      absolute: "/etc/hostname",
      inside: join(tree, "a"),
      dangling: "not/there",
      broken: "not/there/../x",
      loop: "loop",
      "sub/above": "..",
      "sub/self": ".",
      "sub/up": "../plain",
    };
    for (const [name, text] of Object.entries(texts)) symlinkSync(text, join(tree, name));
    const [store, copy] = [join(folder, "s"), join(folder, "copy")];
    await ok(["import", store, tree, "in/here"]);
    {
      using opened = open(store);
      const paths = openPaths(opened);
      const read = (path: string) => {
        const bytes = paths.read(`in/here/${path}`);
        return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
      };
      assert.equal(read("plain"), "content");
      assert.equal(read("dotted"), "content");
      assert.equal(read("slash/b"), "other");
      assert.equal(read("physical"), "other");
      assert.equal(read("inside"), "content");
      assert.equal(read("sub/above/sub/self/b"), "other");
      assert.equal(read("sub/up"), "content");
      for (const name of ["outside", "absolute", "dangling", "broken"]) {
        assert.equal(read(name), undefined, name);
        assert.equal(paths.type(`in/here/${name}`), "link");
      }
    }
    await ok(["export", store, copy, "in/here"]);
    for (const [name, text] of Object.entries(texts)) {
      assert.equal(readlinkSync(join(copy, name)), text, name);
    }
    assert.deepEqual(readdirSync(join(copy, "empty")), []);
    // Moved in the store, a link says where its target is from there.
    await ok(["mv", store, "in/here/sub/up", "in/here/up"]);
    await ok(["export", store, join(folder, "moved"), "in/here"]);
    assert.equal(readlinkSync(join(folder, "moved", "up")), "plain");
  });
});

test(
  "path cli: large files, hard links and special files",
  needs("mkfifo", "--version"),
  async () => {
    await withFolder(async (folder) => {
      const tree = join(folder, "tree");
      mkdirSync(tree);
      const large = new Uint8Array(20_000_001).map((_, at) => at * 7);
      writeFileSync(join(tree, "large"), large);
      writeFileSync(join(tree, "edge"), large.subarray(0, 196_095));
      linkSync(join(tree, "edge"), join(tree, "hard"));
      spawnSync("mkfifo", [join(tree, "pipe")]);
      const store = join(folder, "s");
      const answer = JSON.parse(await ok(["import", store, tree, "--json"])) as { special: number };
      assert.equal(answer.special, 1);
      await ok(["export", store, join(folder, "copy")]);
      assert.deepEqual(readdirSync(join(folder, "copy")).sort(), ["edge", "hard", "large"]);
      assert.ok(readFileSync(join(folder, "copy", "large")).equals(Buffer.from(large)));
      assert.equal(readFileSync(join(folder, "copy", "hard")).length, 196_095);
    });
  },
);

test("path cli: names and links that are not UTF-8, and paths too long, are refused", async () => {
  await withFolder(async (folder) => {
    const make = (name: string, what: (folder: Buffer) => void) => {
      const made = join(folder, name);
      mkdirSync(made);
      what(Buffer.concat([Buffer.from(made), Buffer.from("/bad")]));
      return made;
    };
    const store = join(folder, "s");
    const name = make("name", (at) => {
      spawnSync("sh", ["-c", `: > "$(printf '${at}\\377')"`]);
    });
    if (readdirSync(name).length === 0) return;
    assert.match(await fails(4, ["import", store, name]), /its name is not UTF-8.*INPUT_INVALID/);
    const text = make("text", (at) => {
      spawnSync("sh", ["-c", `ln -s "$(printf 'x\\377')" "${at}"`]);
    });
    assert.match(await fails(4, ["import", store, text]), /the text of the link is not UTF-8/);
    const fine = make("fine", (at) => writeFileSync(`${at}\ufffd`, "x"));
    await ok(["import", store, fine]);
    assert.equal(await ok(["read", store, "bad\ufffd"]), "x");
    let deep = join(folder, "deep");
    for (let depth = 0; depth < 12; depth += 1) deep = join(deep, "x".repeat(200));
    mkdirSync(deep, { recursive: true });
    const long = await fails(4, ["import", join(folder, "l"), join(folder, "deep")]);
    assert.match(long, /ZEOLITE_KEY_SIZE/);
  });
});

test("path cli: --merge writes over what is there, and through no link", async () => {
  await withFolder(async (folder) => {
    const [store, tree, copy] = ["s", "tree", "copy"].map((name) => join(folder, name));
    mkdirSync(join(tree!, "sub"), { recursive: true });
    writeFileSync(join(tree!, "a"), "new");
    writeFileSync(join(tree!, "sub", "b"), "new");
    await ok(["write", store!, "g/kept", "old"]);
    await ok(["write", store!, "g/a", "old"]);
    assert.match(await fails(3, ["import", store!, tree!, "g"]), /--merge.*EXISTS/);
    await ok(["import", store!, tree!, "g", "--merge"]);
    assert.equal(await ok(["read", store!, "g/a"]), "new");
    assert.equal(await ok(["read", store!, "g/kept"]), "old");
    await ok(["rm", store!, "-r", "g/sub"]);
    await ok(["write", store!, "target/x", "safe"]);
    await ok(["ln", store!, "target", "g/sub"]);
    await fails(3, ["import", store!, tree!, "g", "--merge"]);
    assert.equal(await ok(["ls", store!, "target"]), "x\n");

    mkdirSync(join(copy!, "sub"), { recursive: true });
    writeFileSync(join(copy!, "kept"), "mine");
    writeFileSync(join(copy!, "victim"), "mine");
    symlinkSync("victim", join(copy!, "a"));
    await ok(["import", join(folder, "t"), tree!]);
    const t = join(folder, "t");
    assert.match(await fails(4, ["export", t, copy!]), /--merge.*EXISTS/);
    await ok(["export", t, copy!, "--merge"]);
    assert.equal(readFileSync(join(copy!, "victim"), "utf8"), "mine");
    assert.equal(readFileSync(join(copy!, "a"), "utf8"), "new");
    assert.equal(readFileSync(join(copy!, "kept"), "utf8"), "mine");
    const linked = join(folder, "linked");
    mkdirSync(linked);
    symlinkSync(copy!, join(linked, "sub"));
    assert.match(await fails(4, ["export", t, linked, "--merge"]), /it is there already/);
  });
});

test("path cli: nothing is written outside of the folder, whatever the store holds", async () => {
  await withFolder(async (folder) => {
    const value = Uint8Array.from([1, 0]);
    const link = Uint8Array.from([...new TextEncoder().encode(`\0${folder}`), 26]);
    const bad: [string, Uint8Array][][] = [
      [["l", link], ["l/escaped", value]],
      [["../escaped", value]],
      [["a/../../escaped", value]],
      [["lost/escaped", value]],
    ];
    const codec = {
      name: "zeolite-path",
      encode: (bytes: Uint8Array) => bytes,
      decode: (bytes: Uint8Array) => bytes,
    };
    for (const [index, entries] of bad.entries()) {
      const store = join(folder, `s${index}`);
      {
        using opened = open(store);
        const raw = opened.table("paths", { keyEncoding: "string", encoding: codec });
        raw.putManySync(entries);
      }
      const { code } = await runCli(["path", "export", store, join(folder, `out${index}`)]);
      assert.equal(code, 3, `${index}`);
      assert.equal(existsSync(join(folder, "escaped")), false);
    }
  });
});

test("path cli: read, write, ls, tree, ln, rm, mv", async () => {
  await withFolder(async (folder) => {
    const store = join(folder, "s");
    await ok(["write", store, "notes/today", "rain"]);
    await ok(["write", store, "notes/bytes", "-"], "a\nb");
    await ok(["write", store, "notes/file", "--file", join(import.meta.dirname!, "needs.ts")]);
    assert.equal(await ok(["read", store, "notes/today"]), "rain");
    assert.equal(await ok(["read", store, "notes/bytes"]), "a\nb");
    assert.match(await ok(["read", store, "notes/file"]), /^\/\*\*/);
    assert.deepEqual(JSON.parse(await ok(["read", store, "notes/today", "--json"])), {
      path: "notes/today",
      value: "rain",
    });
    await ok(["ln", store, "notes/today", "latest"]);
    await ok(["rm", store, "notes/bytes", "notes/file"]);
    assert.equal(await ok(["ls", store]), "latest -> notes/today\nnotes/\n");
    assert.equal(
      await ok(["tree", store]),
      "/\n├── latest -> notes/today\n└── notes/\n    └── today\n",
    );
    assert.deepEqual(
      (await ok(["tree", store, "--json"])).trim().split("\n").map((line) => JSON.parse(line)),
      [
        { name: "latest", type: "link", target: "notes/today" },
        { name: "notes", type: "group" },
        { name: "notes/today", type: "value" },
      ],
    );
    await ok(["mv", store, "notes", "old/notes"]);
    assert.match(await fails(1, ["read", store, "latest"]), /ZEOLITE_NOT_FOUND/);
    assert.match(await fails(1, ["rm", store, "nothing"]), /ZEOLITE_NOT_FOUND/);
    assert.match(await fails(3, ["rm", store, "old"]), /not empty.*PATH_INVALID/);
    assert.match(await fails(3, ["write", store, "old/notes/today/x", "y"]), /PATH_NOT_A_GROUP/);
    assert.match(await fails(3, ["read", store, "a/../b"]), /PATH_INVALID/);
    assert.match(await fails(2, ["write", store, "x"]), /USAGE/);
    assert.match(await fails(4, ["import", store, join(folder, "none")]), /ENOENT/);
    assert.match(await fails(3, ["ls", join(folder, "none")]), /ZEOLITE_NOT_FOUND/);
    await ok(["rm", store, "-r", "old"]);
    assert.equal(await ok(["ls", store]), "latest -> notes/today\n");
    for (const name of ["read", "write", "ls", "tree", "ln", "rm", "mv", "import", "export"]) {
      assert.match(await ok([name, "--help"]), /Examples:\n {2}.*zeolite path /);
    }
  });
});
