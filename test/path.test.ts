/**
 * The store of paths: how paths are read, what stands where, links, what is atomic, the cache, and
 * the fast variants. Several processes and random histories are in path_model.test.ts.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { open } from "../src/mod.ts";
import { openPaths, type PathStore } from "../src/path/mod.ts";
import { Opened, rejection, turn } from "./Opened.ts";
import { OTHER, OWN, Peer } from "./Peer.ts";

function textOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

async function code(promise: Promise<unknown>): Promise<string | undefined> {
  return (await rejection(promise)).code;
}

function thrown(f: () => unknown): string | undefined {
  try {
    f();
  } catch (error) {
    return (error as { code?: string }).code;
  }
  throw new Error("nothing was thrown");
}

/** Runs a body with a store of paths of its own. */
async function withPaths(body: (paths: PathStore, opened: Opened) => unknown): Promise<void> {
  using opened = new Opened();
  await body(openPaths(opened.store), opened);
  assert.equal((await opened.store.check()).ok, true);
}

test("path: a path has one form; empty parts and outer slashes do not count", async () => {
  await withPaths(async (paths) => {
    await paths.write("//a///b/", "1");
    for (const path of ["a/b", "/a/b", "a//b", "a/b/"]) assert.equal(textOf(paths.read(path)), "1");
    assert.deepEqual(paths.readMany(["/a/b/", "a", "x"]).map(textOf), ["1", undefined, undefined]);
    assert.equal(paths.resolve("/a//b"), "a/b");
    assert.deepEqual(paths.list("/"), ["a"]);
    assert.equal(paths.type(""), "group");
    assert.equal(paths.resolve("/"), "");
    await paths.write("ä/€/😀/zero\0", "2");
    assert.deepEqual(paths.list("ä/€/😀"), ["zero\0"]);
    await paths.write("a...b/..c/.d", "3");
    assert.equal(textOf(paths.read("a...b/..c/.d")), "3");
  });
});

test("path: '.', '..' and what UTF-8 has no bytes for are PATH_INVALID", async () => {
  await withPaths(async (paths) => {
    for (const path of [".", "..", "a/./b", "a/../b", "a/..", "./a", "\ud800", "a/\udc00"]) {
      assert.equal(thrown(() => paths.read(path)), "PATH_INVALID", path);
      assert.equal(thrown(() => paths.readMany([path])), "PATH_INVALID", path);
      assert.equal(thrown(() => paths.resolve(path)), "PATH_INVALID");
      assert.equal(thrown(() => paths.type(path)), "PATH_INVALID");
      assert.equal(thrown(() => paths.list(path)), "PATH_INVALID");
      assert.equal(await code(paths.write(path, "x")), "PATH_INVALID");
      assert.equal(await code(paths.writeMany([["ok", "x"], [path, "x"]])), "PATH_INVALID");
      assert.equal(await code(paths.makeGroup(path)), "PATH_INVALID");
      assert.equal(await code(paths.makeLink(path, "l")), "PATH_INVALID");
      assert.equal(await code(paths.makeLink("l", path)), "PATH_INVALID");
      assert.equal(await code(paths.remove(path)), "PATH_INVALID");
      assert.equal(await code(paths.rename(path, "x")), "PATH_INVALID");
      assert.equal(await code(paths.rename("x", path)), "PATH_INVALID");
    }
    assert.equal(thrown(() => paths.read(7 as never)), "PATH_INVALID");
    assert.equal(await code(paths.write("", "x")), "PATH_INVALID");
    assert.equal(await code(paths.remove("/")), "PATH_INVALID");
    assert.equal(await code(paths.write("x", 7 as never)), "ZEOLITE_OPTIONS");
    assert.equal(await code(paths.write("x", "\ud800")), "ZEOLITE_OPTIONS");
    assert.deepEqual(paths.list(""), []);
    const long = "x".repeat(3000);
    assert.equal(await code(paths.write(long, "x")), "ZEOLITE_KEY_SIZE");
    assert.equal(await code(paths.write(`g/${long}`, "x")), "ZEOLITE_KEY_SIZE");
    assert.equal(paths.type("g"), undefined);
    const slashes = "/".repeat(3000);
    await paths.write(`s${slashes}t`, "y");
    assert.equal(textOf(paths.read(`s${slashes}t`)), "y");
  });
});

test("path: write makes groups, and refuses values and groups in the wrong place", async () => {
  await withPaths(async (paths) => {
    await paths.write("a/b/c", "1");
    assert.deepEqual(["a", "a/b", "a/b/c", "a/x"].map((path) => paths.type(path)), [
      "group",
      "group",
      "value",
      undefined,
    ]);
    assert.equal(await code(paths.write("a/b/c/d", "x")), "PATH_NOT_A_GROUP");
    assert.equal(await code(paths.write("a/b/c/d/e", "x")), "PATH_NOT_A_GROUP");
    assert.equal(await code(paths.makeGroup("a/b/c")), "PATH_NOT_A_GROUP");
    assert.equal(await code(paths.makeGroup("a/b/c/d")), "PATH_NOT_A_GROUP");
    assert.equal(await code(paths.write("a/b", "x")), "PATH_INVALID");
    assert.equal(await code(paths.makeLink("x", "a/b/c/l")), "PATH_NOT_A_GROUP");
    assert.equal(await code(paths.makeLink("x", "a/b")), "PATH_INVALID");
    assert.equal(thrown(() => paths.list("a/b/c")), "PATH_NOT_A_GROUP");
    assert.equal(paths.read("a/b"), undefined);
    assert.equal(paths.read("a/b/c/d"), undefined);
    await paths.makeGroup("a/b");
    await paths.makeGroup("e/f");
    assert.deepEqual(paths.list("e"), ["f"]);
    assert.deepEqual(paths.list("e/f"), []);
    assert.deepEqual(paths.list("nothing"), []);
  });
});

test("path: data that looks like a marker survives, of any size", async () => {
  await withPaths(async (paths, opened) => {
    const values = [[], [0], [1], [2], [3], [0, 1], [255, 2], [10], [26], [4]]
      .map((bytes) => Uint8Array.from(bytes));
    for (const size of [47, 48, 4095, 4096, 196_095, 196_096, 1_000_003]) {
      values.push(new Uint8Array(size).fill(size % 251));
    }
    await paths.writeMany(values.map((value, index) => [`v/${index}`, value] as const));
    for (const [index, value] of values.entries()) {
      assert.deepEqual(paths.read(`v/${index}`), value);
      await paths.write(`w/${index}`, value);
      assert.equal(paths.type(`w/${index}`), "value");
    }
    const all = values.map((_, index) => `w/${index}`);
    assert.deepEqual(paths.readMany(all), values);
    await opened.reopen();
    assert.deepEqual(openPaths(opened.store).readMany(all), values);
    await openPaths(opened.store).write("text", "ä€😀".repeat(100));
    assert.equal(textOf(openPaths(opened.store).read("text")), "ä€😀".repeat(100));
  });
});

test("path: list has the names in the order of their bytes, whatever lies below them", async () => {
  await withPaths(async (paths) => {
    const names = ["a", "a!", "a-b", "a.b", "a0", "b", "ä", "😀"];
    for (const name of names) {
      await paths.write(`g/${name}/deep/er`, name);
      await paths.writeMany(Array.from({ length: 60 }, (_, at) => [`g/${name}/m/${at}`, ""]));
    }
    await paths.write("g!", "x");
    await paths.write("g0", "x");
    assert.deepEqual(paths.list("g"), names);
    assert.deepEqual(paths.list(""), ["g", "g!", "g0"]);
    assert.equal(paths.list("g/a/m").length, 60);
  });
});

test("path: links are followed in every part, through several hops", async () => {
  await withPaths(async (paths) => {
    await paths.write("real/group/value", "1");
    await paths.makeLink("real", "one");
    await paths.makeLink("one/group", "two/three");
    await paths.makeLink("two/three/value", "leaf");
    assert.equal(textOf(paths.read("one/group/value")), "1");
    assert.equal(textOf(paths.read("two/three/value")), "1");
    assert.equal(textOf(paths.read("leaf")), "1");
    assert.equal(paths.resolve("leaf"), "real/group/value");
    assert.equal(paths.type("leaf"), "link");
    assert.equal(paths.type("two/three"), "link");
    assert.equal(paths.type("two/three/value"), "value");
    assert.deepEqual(paths.list("two/three"), ["value"]);
    assert.equal(paths.read("two/three"), undefined);
    await paths.write("two/three/new/deep", "2");
    assert.equal(textOf(paths.read("real/group/new/deep")), "2");
    await paths.write("leaf", "3");
    assert.equal(textOf(paths.read("real/group/value")), "3");
    assert.equal(paths.type("leaf"), "link");
    await paths.makeLink("", "top");
    assert.equal(textOf(paths.read("top/top/real/group/value")), "3");
    assert.deepEqual(paths.readMany(["top/leaf", "x", "leaf"]).map(textOf), ["3", undefined, "3"]);
    assert.equal(await paths.remove("two/three/value"), true);
    assert.equal(paths.read("leaf"), undefined);
    assert.equal(await paths.remove("leaf"), true);
    assert.equal(paths.type("leaf"), undefined);
  });
});

test("path: dangling links read as undefined, and are written through", async () => {
  await withPaths(async (paths) => {
    await paths.makeLink("not/there", "l");
    assert.equal(paths.read("l"), undefined);
    assert.equal(paths.read("l/x"), undefined);
    assert.equal(paths.resolve("l"), undefined);
    assert.equal(paths.type("l"), "link");
    assert.deepEqual(paths.list("l"), []);
    await paths.write("l", "1");
    assert.equal(textOf(paths.read("not/there")), "1");
    await paths.makeLink("x/y", "m");
    await paths.writeMany([["m/a", "1"], ["m/b", "2"], ["x/y/c", "3"]]);
    assert.deepEqual(paths.list("x/y"), ["a", "b", "c"]);
    assert.equal(await code(paths.write("l/below", "x")), "PATH_NOT_A_GROUP");
  });
});

test("path: 32 hops are followed, one more is PATH_LINK_LOOP, and so is a loop", async () => {
  await withPaths(async (paths) => {
    await paths.write("l0", "end");
    for (let hop = 1; hop <= 33; hop += 1) await paths.makeLink(`l${hop - 1}`, `l${hop}`);
    assert.equal(textOf(paths.read("l32")), "end");
    for (const path of ["l33", "self", "a/x", "a"]) {
      await paths.makeLink("self", "self");
      await paths.makeLink("b", "a");
      await paths.makeLink("a", "b");
      assert.equal(thrown(() => paths.read(path)), "PATH_LINK_LOOP");
      assert.equal(thrown(() => paths.readMany([path])), "PATH_LINK_LOOP");
      assert.equal(thrown(() => paths.resolve(path)), "PATH_LINK_LOOP");
      assert.equal(thrown(() => paths.list(path)), "PATH_LINK_LOOP");
      assert.equal(await code(paths.write(path, "x")), "PATH_LINK_LOOP");
      assert.equal(await code(paths.writeMany([["ok", ""], [path, "x"]])), "PATH_LINK_LOOP");
    }
    assert.equal(paths.type("ok"), undefined);
    assert.equal(paths.type("self"), "link");
    assert.equal(thrown(() => paths.type("self/x")), "PATH_LINK_LOOP");
    assert.equal(await paths.remove("self"), true);
  });
});

test("path: writeMany is all or nothing, and follows what write does", async () => {
  await withPaths(async (paths) => {
    await paths.write("v", "old");
    await paths.makeGroup("g/h");
    await paths.makeLink("elsewhere/deep", "g/l");
    const bad: [string, string][][] = [
      [["n/1", ""], ["v/x", ""]],
      [["n/1", ""], ["g/h", ""]],
      [["n/1", ""], ["n/1/2", ""]],
      [["n/1/2", ""], ["n/1", ""]],
      [["n/1", ""], ["", ""]],
      [["n/1", ""], ["x".repeat(3000), ""]],
      // The link makes elsewhere/deep, and the groups above it, in the middle of the call.
      [["elsewhere/x", ""], ["g/l/y", ""], ["elsewhere/deep", ""]],
    ];
    for (const entries of bad) {
      await rejection(paths.writeMany(entries));
      assert.deepEqual(paths.list(""), ["g", "v"], JSON.stringify(entries));
    }
    assert.equal(await paths.writeMany([["a/b/c", "1"], ["a/b/c", "2"], ["g/l", "3"]]), 3);
    assert.equal(textOf(paths.read("a/b/c")), "2");
    assert.equal(textOf(paths.read("elsewhere/deep")), "3");
    assert.equal(await paths.writeMany([]), 0);
    assert.equal(await code(paths.writeMany(7 as never)), "ZEOLITE_OPTIONS");
    const many = Array.from({ length: 5000 }, (_, at) => [`m/${at % 7}/${at}`, `${at}`] as const);
    assert.equal(await paths.writeMany(many), 5000);
    assert.deepEqual(
      paths.readMany(many.map(([path]) => path)).map(textOf),
      many.map(([, v]) => v),
    );
  });
});

test("path: writeMany takes each name behind its neighbours as it takes it alone", async () => {
  await withPaths(async (paths) => {
    const odd = ["", "/x", "x/", "//x", "x//y", "é", "日本", ".x", "..x", "...", "x.", " ", "x\0y"];
    for (const group of ["", "g", "h/i"]) {
      const before: [string, string][] = [[`${group}/a`, "a"], [`${group}/b`, "b"]];
      for (const name of [...odd, "x".repeat(70)]) {
        const path = `${group}/n${odd.indexOf(name)}/${name}/z`;
        await paths.writeMany([...before, [path, name], [`${path}z`, "1"]]);
        assert.equal(textOf(paths.read(path)), name, path);
        await paths.writeMany([...before, [`${group}/a//${name}`, "in"]]).then(
          () => assert.equal(name.replaceAll("/", ""), ""),
          (error) => assert.equal(error.code, "PATH_NOT_A_GROUP"),
        );
      }
      for (const name of [".", "..", "./x", "../x", "x/..", "x/.", "\ud800", "x\udc00y"]) {
        const refused = paths.writeMany([...before, ["new/x", ""], [`${group}/${name}`, ""]]);
        assert.equal(await code(refused), "PATH_INVALID", name);
      }
      assert.deepEqual(paths.list(group).slice(0, 2), ["a", "b"]);
      assert.equal(paths.type("new"), undefined);
    }
  });
});

test("path: a writeMany has no value where another of its values needs a group", async () => {
  const entries: [string, string][] = [["a/b", "1"], ["a/b/c/d", "2"], ["a/x", "3"], ["l/y", "4"]];
  for (const turned of [entries, entries.toReversed()]) {
    await withPaths(async (paths) => {
      await paths.write("a/here", "");
      await paths.makeLink("to/it", "l");
      assert.equal(await code(paths.writeMany(turned)), "PATH_INVALID");
      assert.equal(
        await code(paths.writeMany([...turned.slice(2), ["to/it", ""]])),
        "PATH_INVALID",
      );
      assert.deepEqual(paths.list(""), ["a", "l"]);
      assert.deepEqual(paths.list("a"), ["here"]);
      await paths.writeMany(turned.filter(([path]) => path !== "a/b"));
      assert.deepEqual(paths.list("a"), ["b", "here", "x"]);
      assert.equal(textOf(paths.read("to/it/y")), "4");
      assert.equal(paths.type("a/b/c"), "group");
    });
  }
});

test("path: a link in a writeMany cannot turn a group into a value", async () => {
  await withPaths(async (paths) => {
    await paths.makeLink("new/d/e", "l");
    await rejection(paths.writeMany([["new/x", ""], ["l", ""], ["new/d", ""]]));
    assert.equal(paths.type("new"), undefined);
    await paths.writeMany([["new/x", ""], ["l", "through"]]);
    assert.equal(textOf(paths.read("new/d/e")), "through");
  });
});

test("path: remove takes a link itself, and a group only when asked for all", async () => {
  await withPaths(async (paths) => {
    await paths.writeMany([["g/a", "1"], ["g/b/c", "2"], ["g!", "3"], ["g0", "4"]]);
    await paths.makeLink("g/b", "l");
    assert.equal(await code(paths.remove("g")), "PATH_INVALID");
    assert.equal(await paths.remove("nothing"), false);
    assert.equal(await paths.remove("g/a/x"), false);
    assert.equal(await paths.remove("l"), true);
    assert.deepEqual(paths.list("g"), ["a", "b"]);
    assert.equal(await paths.remove("g", { recursive: true }), true);
    assert.deepEqual(paths.list(""), ["g!", "g0"]);
    assert.equal(paths.read("g/b/c"), undefined);
    await paths.makeGroup("e/f");
    assert.equal(await paths.remove("e/f"), true);
    assert.equal(paths.type("e"), "group");
    assert.equal(await code(paths.remove("e", { recursive: 1 as never })), "ZEOLITE_OPTIONS");
  });
});

test("path: rename moves whole groups, links as they are, and refuses what cannot be", async () => {
  await withPaths(async (paths) => {
    const many = Array.from({ length: 700 }, (_, at) => [`g/m/${at}`, `${at}`] as const);
    await paths.writeMany([...many, ["v", "1"], ["w", "2"]]);
    await paths.makeLink("v", "g/l");
    await paths.makeGroup("empty");
    await paths.rename("g", "new/home");
    assert.equal(paths.type("g"), undefined);
    assert.equal(paths.list("new/home/m").length, 700);
    assert.equal(textOf(paths.read("new/home/l")), "1");
    assert.equal(paths.type("new/home/l"), "link");
    await paths.rename("v", "w");
    assert.equal(textOf(paths.read("w")), "1");
    assert.equal(paths.read("new/home/l"), undefined);
    await paths.rename("new/home/l", "l");
    assert.equal(paths.type("l"), "link");
    await paths.rename("new/home", "empty");
    assert.equal(textOf(paths.read("empty/m/699")), "699");
    assert.equal(await code(paths.rename("nothing", "x")), "ZEOLITE_NOT_FOUND");
    assert.equal(await code(paths.rename("empty", "empty/m/x")), "PATH_INVALID");
    assert.equal(await code(paths.rename("w", "empty")), "PATH_INVALID");
    assert.equal(await code(paths.rename("empty", "w")), "PATH_NOT_A_GROUP");
    assert.equal(await code(paths.rename("w", "w/x")), "PATH_NOT_A_GROUP");
    assert.equal(await code(paths.rename("new", "empty")), "PATH_INVALID");
    assert.equal(await code(paths.rename("", "x")), "PATH_INVALID");
    await paths.rename("w", "/w/");
    const long = "x".repeat(2040);
    assert.equal(await code(paths.rename("empty", `far/${long}`)), "ZEOLITE_KEY_SIZE");
    assert.equal(paths.list("empty/m").length, 700);
    assert.equal(paths.type("far"), undefined);
  });
});

test("path: rename and remove are seen whole or not at all by another process", async () => {
  for (const name of [OWN, OTHER]) {
    using opened = new Opened();
    const paths = openPaths(opened.store);
    await paths.writeMany(Array.from({ length: 500 }, (_, at) => [`a/${at}`, `${at}`]));
    await using peer = await Peer.start(name);
    const watching = peer.run(
      async (here, path: string, file: string) => {
        const module = await import(file) as { openPaths: typeof openPaths };
        const seen = module.openPaths(here.open(path));
        const counts = new Set<string>();
        here.tell("ready");
        while (seen.type("end") === undefined) {
          const all = seen.readMany(["a/0", "a/250", "a/499", "b/0", "b/250", "b/499"]);
          counts.add(all.map((value) => value === undefined ? "-" : "+").join(""));
          await here.sleep(0);
        }
        return [...counts];
      },
      opened.path,
      new URL("../src/path/mod.ts", import.meta.url).href,
    );
    while (peer.told.length === 0) await turn();
    for (let round = 0; round < 40; round += 1) {
      await paths.rename(round % 2 === 0 ? "a" : "b", round % 2 === 0 ? "b" : "a");
      await turn();
    }
    await paths.remove("a", { recursive: true });
    await turn();
    await paths.write("end", "");
    for (const seen of await watching) assert.match(seen, /^(\+\+\+---|---\+\+\+|------)$/);
  }
});

test("path: the cache remembers paths with links, and forgets them when links change", async () => {
  await withPaths(async (paths, opened) => {
    await paths.writeMany([["a/x", "a"], ["b/x", "b"]]);
    await paths.makeLink("a", "l");
    const read = () => textOf(paths.read("l/x"));
    assert.deepEqual([read(), read(), read()], ["a", "a", "a"]);
    assert.deepEqual(paths.cache(), { size: 1, hits: 2, misses: 1, evictions: 0 });
    paths.read("a/x");
    assert.equal(paths.cache().size, 1);
    await paths.write("a/x", "a2");
    assert.equal(read(), "a2");
    assert.equal(paths.cache().hits, 3);
    await paths.makeLink("b", "l");
    assert.equal(read(), "b");
    assert.equal(paths.cache().misses, 2);
    const pending = paths.makeLink("a", "l");
    assert.equal(read(), "a2");
    await pending;
    assert.equal(read(), "a2");
    await paths.remove("a", { recursive: true });
    assert.equal(read(), undefined);
    await paths.rename("b", "a");
    assert.equal(read(), "b");
    const other = openPaths(opened.again());
    await other.makeLink("nowhere", "l");
    assert.equal(read(), undefined);
    await opened.store.dropTable("paths");
    await paths.write("c/x", "c");
    await paths.makeLink("c", "l");
    assert.equal(read(), "c");
  });
});

test("path: what a transaction rolls back was never remembered", async () => {
  await withPaths(async (paths, { store }) => {
    await paths.writeMany([["a/x", "a"], ["b/x", "b"]]);
    await paths.makeLink("a", "l");
    assert.equal(textOf(paths.read("l/x")), "a");
    await assert.rejects(
      store.transaction(() => {
        paths.makeLink("b", "l").catch(() => {});
        assert.equal(textOf(paths.read("l/x")), "b");
        throw new Error("no");
      }),
      /no/,
    );
    assert.equal(textOf(paths.read("l/x")), "a");
  });
});

test("path: the cache keeps its size and its time, and can be none", async () => {
  await withPaths(async (_, { store }) => {
    const paths = openPaths(store, { cacheSize: 3, cacheTtl: 2000 });
    await paths.writeMany(Array.from({ length: 9 }, (_, at) => [`g/${at}`, `${at}`]));
    await paths.makeLink("g", "l");
    for (let at = 0; at < 9; at += 1) assert.equal(textOf(paths.read(`l/${at}`)), `${at}`);
    assert.deepEqual(paths.cache(), { size: 3, hits: 0, misses: 9, evictions: 6 });
    paths.read("l/8");
    assert.equal(paths.cache().hits, 1);
    await new Promise((done) => setTimeout(done, 2200));
    paths.read("l/8");
    assert.equal(paths.cache().misses, 10);
    const none = openPaths(store, { cacheSize: 0 });
    none.read("l/8");
    none.read("l/8");
    assert.deepEqual(none.cache(), { size: 0, hits: 0, misses: 2, evictions: 0 });
    assert.equal(thrown(() => openPaths(store, { cacheSize: -1 })), "ZEOLITE_OPTIONS");
    assert.equal(thrown(() => openPaths(store, { cacheTtl: "1" as never })), "ZEOLITE_OPTIONS");
    assert.equal(thrown(() => openPaths({} as never)), "ZEOLITE_OPTIONS");
  });
});

test("path: the cache forgets what was used longest ago, and takes paths of any form", async () => {
  await withPaths(async (_, { store }) => {
    const paths = openPaths(store, { cacheSize: 4 });
    const names = ["a", "é", "x".repeat(64), "y".repeat(1000), "日本", "b"];
    await paths.writeMany(
      names.map((name, at) => [`g/h/${name}`, `${at}`.repeat(at === 5 ? 9000 : 1)]),
    );
    await paths.makeLink("g/h", "l");
    const check = (at: number, isHit: boolean): void => {
      const { hits } = paths.cache();
      assert.equal(textOf(paths.read(`l/${names[at]}`))?.[0], `${at}`);
      assert.equal(paths.cache().hits, hits + (isHit ? 1 : 0), `${at}`);
    };
    for (const at of [0, 1, 2, 3]) check(at, false);
    for (const at of [2, 0, 3, 0, 1, 3]) check(at, true);
    check(4, false);
    for (const at of [1, 0, 3, 4]) check(at, true);
    check(5, false);
    check(1, false);
    for (const at of [3, 4, 5, 1, 5]) check(at, true);
    check(0, false);
    check(2, false);
    assert.deepEqual(paths.cache(), { size: 4, hits: 15, misses: 9, evictions: 5 });
    await paths.makeLink("g", "k");
    check(2, false);
    assert.equal(paths.cache().size, 1);
    for (const at of [0, 1, 3, 4, 5, 1]) check(at, at === 1 && paths.cache().size === 4);
  });
});

test("path: another process's change of a link is seen at once", async () => {
  for (const name of [OWN, OTHER]) {
    using opened = new Opened();
    const paths = openPaths(opened.store);
    await paths.writeMany([["a/x", "a"], ["b/x", "b"]]);
    await paths.makeLink("a", "l");
    await using peer = await Peer.start(name);
    const file = new URL("../src/path/mod.ts", import.meta.url).href;
    const link = (target: string) =>
      peer.run(
        async (here, path: string, to: string, from: string) => {
          const module = await import(from) as { openPaths: typeof openPaths };
          await module.openPaths(here.store(path)).makeLink(to, "l");
        },
        opened.path,
        target,
        file,
      );
    for (let round = 0; round < 20; round += 1) {
      const target = round % 2 === 0 ? "b" : "a";
      paths.read("l/x");
      await link(target);
      assert.equal(textOf(paths.read("l/x")), target);
      assert.equal(textOf(paths.read("l/x")), target);
    }
  }
});

test("path: opening again gives the same object; it ends with its store", async () => {
  using opened = new Opened();
  const paths = openPaths(opened.store);
  assert.equal(openPaths(opened.store), paths);
  assert.equal(openPaths(opened.store, { table: "paths" }), paths);
  assert.notEqual(openPaths(opened.store, { table: "other" }), paths);
  assert.deepEqual(opened.store.tables(), []);
  const again = opened.again();
  await openPaths(opened.store, { table: "other" }).write("x", "1");
  assert.equal(paths.type("x"), undefined);
  assert.equal(textOf(openPaths(again, { table: "other" }).read("x")), "1");
  await paths.makeLink("x", "l");
  await opened.store.close();
  assert.equal(thrown(() => paths.read("x")), "ZEOLITE_CLOSED");
  assert.equal(thrown(() => paths.read("l")), "ZEOLITE_CLOSED");
  assert.equal(thrown(() => paths.list("")), "ZEOLITE_CLOSED");
  assert.equal(thrown(() => paths.readFast("x")), "ZEOLITE_CLOSED");
  assert.equal(thrown(() => paths.writeFast("x", new Uint8Array())), "ZEOLITE_CLOSED");
  assert.equal(await code(paths.write("x", "y")), "ZEOLITE_CLOSED");
  assert.equal(thrown(() => openPaths(opened.store)), "ZEOLITE_CLOSED");
});

test("path: a table that holds something else is refused, and the other way round", async () => {
  using opened = new Opened();
  const { store } = opened;
  await store.table("taken", { keyEncoding: "string", encoding: "json" }).put("x", 1);
  assert.equal(thrown(() => openPaths(store, { table: "taken" })), "ZEOLITE_OPTIONS");
  await openPaths(store).write("a/b", "1");
  const raw = store.table("paths");
  assert.deepEqual(raw.getBinary("a/b"), Uint8Array.from([49, 0]));
  using other = open(opened.folder.file("other.zeo"));
  await openPaths(other).write("a", "1");
});

test("path: writes wait behind begin(), with the bytes they were given", async () => {
  await withPaths(async (paths, { store }) => {
    const txn = store.begin();
    const bytes = Uint8Array.from([1]);
    const waiting = [paths.write("a/b", bytes), paths.writeMany([["a/c", bytes]])];
    bytes[0] = 2;
    await turn();
    assert.equal(paths.read("a/b"), undefined);
    await txn.commit();
    await Promise.all(waiting);
    assert.deepEqual(paths.readMany(["a/b", "a/c"]), [Uint8Array.from([1]), Uint8Array.from([1])]);
  });
});

test("path: a store open for reading only reads paths and refuses writes", async () => {
  using opened = new Opened();
  await openPaths(opened.store).write("a/b", "1");
  await openPaths(opened.store).makeLink("a", "l");
  const paths = openPaths(opened.again({ readOnly: true }));
  assert.equal(textOf(paths.read("l/b")), "1");
  assert.equal(textOf(paths.read("l/b")), "1");
  assert.equal(paths.cache().hits, 1);
  assert.equal(await code(paths.write("x", "y")), "ZEOLITE_READ_ONLY");
  assert.equal(thrown(() => paths.writeFast("x", new Uint8Array())), "ZEOLITE_READ_ONLY");
});

test("path: the fast variants have a table of their own and take bytes as they are", async () => {
  for (const durability of ["durable", "none"] as const) {
    using opened = new Opened({ durability });
    const paths = openPaths(opened.store);
    const value = Uint8Array.from([9, 1]);
    assert.equal(paths.readFast("a/b"), undefined);
    paths.writeFast("a/b", value);
    paths.writeFast(new TextEncoder().encode("a/ä"), value);
    paths.writeFast("/x//y/", new Uint8Array());
    assert.deepEqual(paths.readFast("a/b"), value);
    assert.deepEqual(paths.readFast(new TextEncoder().encode("a/b")), value);
    assert.deepEqual(paths.readFast("a/ä"), value);
    assert.deepEqual(paths.readFast("/x//y/"), new Uint8Array());
    assert.equal(paths.readFast("x/y"), undefined);
    const many = paths.readManyFast(["a/b", new TextEncoder().encode("a/ä"), "no"]);
    assert.deepEqual(many, [value, value, undefined]);
    assert.equal(paths.type("a/b"), undefined);
    assert.deepEqual(opened.store.tables(), ["paths.fast"]);
    const large = new Uint8Array(300_000).fill(3);
    paths.writeFast("large", large);
    assert.deepEqual(paths.readFast("large"), large);
    const { txnid } = opened.store.stats();
    paths.writeFast("a/b", large);
    assert.equal(opened.store.stats().txnid, txnid + 1);
    await paths.write("v", "1");
    assert.equal(paths.readFast("v"), undefined);
    await opened.reopen({ durability });
    assert.deepEqual(openPaths(opened.store).readFast("a/b"), large);
  }
});
