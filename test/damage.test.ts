/**
 * A byte of a page is flipped, and the page is read: every call that reads it fails with
 * ZEOLITE_CORRUPT and names the page and the table, as check() does; other tables are read as ever.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { open, type Store, type ZeoliteError } from "../src/mod.ts";
import { Folder } from "./Peer.ts";

const PAGE_SIZE = 4096;
const ROWS = 400;
const LEAF = 1;

/** A closed store: rows in three tables, their values telling the table; one value in a run. */
function makeStore(path: string): void {
  using store = open(path, { durability: "none", pageSize: PAGE_SIZE });
  const rows = (name: string) =>
    Array.from({ length: ROWS }, (_, key) => [key, `${name} ${key} `.repeat(5)] as const);
  store.putManySync(rows("unnamed"));
  for (const name of ["users", "größe"]) store.table<string>(name).putManySync(rows(name));
  store.table<string>("users").putSync("large", "in a run ".repeat(2000));
}

/** Flips a bit in each page in which the text stands. Returns their numbers. */
function damage(path: string, text: string, kind?: number): number[] {
  const bytes = readFileSync(path);
  const pages: number[] = [];
  for (let page = 2; page * PAGE_SIZE < bytes.length; page += 1) {
    const from = page * PAGE_SIZE;
    const at = bytes.subarray(from, from + PAGE_SIZE).indexOf(text);
    if (at < 0 || (kind !== undefined && bytes[from] !== kind)) continue;
    bytes[from + at]! ^= 4;
    pages.push(page);
  }
  writeFileSync(path, bytes);
  assert.ok(pages.length > 0, `${text} is in no page`);
  return pages;
}

/** The call fails as damage does, and names one of the pages and the place. */
function assertTold(call: () => unknown, path: string, pages: number[], place: string): void {
  assert.throws(call, (error: ZeoliteError) => {
    assert.equal(error.code, "ZEOLITE_CORRUPT", error.message);
    const found = /: page (\d+) of (.+), in (.+), is damaged; run check, restore a backup$/.exec(
      error.message,
    );
    assert.ok(found !== null, error.message);
    assert.ok(pages.includes(Number(found[1])), error.message);
    assert.equal(found[2], path);
    assert.equal(found[3], place);
    return true;
  });
}

/** Opens a store in which `text` was damaged, and looks at it. */
async function withDamage(
  text: string,
  kind: number | undefined,
  look: (store: Store, path: string, pages: number[]) => void | Promise<void>,
): Promise<void> {
  using folder = new Folder();
  const path = folder.file("store");
  makeStore(path);
  const pages = damage(path, text, kind);
  using store = open(path, { durability: "none" });
  await look(store, path, pages);
}

test("damage: a leaf of a named table, read and written in every way", async () => {
  await withDamage("users 1", LEAF, async (store, path, pages) => {
    const users = store.table<string>("users");
    const told = (call: () => unknown) => assertTold(call, path, pages, 'the table "users"');
    told(() => users.get(1));
    told(() => users.has(1));
    told(() => users.getMany([1, 2]));
    told(() => users.getRange({ start: 0, end: "" }).toArray());
    told(() => [...users.getRange({ start: 0, end: "" })]);
    told(() => users.getCount({ start: 1, end: 3 }));
    told(() => users.putSync(1, "new"));
    told(() => users.removeSync(1));
    told(() => users.putManySync([[1, "new"]]));
    told(() => store.transactionSync(() => users.putSync(1, "new")));
    using snapshot = store.snapshot();
    told(() => users.at(snapshot).get(1));
    const { errors } = await store.check();
    assert.ok(errors.some(({ page, table }) => pages.includes(page) && table === "users"));
    // Nothing else is touched, and nothing was written.
    assert.equal(store.get(1), "unnamed 1 ".repeat(5));
    assert.equal(store.table<string>("größe").get(ROWS - 1), `größe ${ROWS - 1} `.repeat(5));
    store.table<string>("größe").putSync(1, "new");
    assert.equal(store.table<string>("größe").get(1), "new");
  });
});

test("damage: the unnamed table, a name that is not ASCII, a value in a run", async () => {
  await withDamage("unnamed 1", LEAF, (store, path, pages) => {
    assertTold(() => store.get(1), path, pages, "the unnamed table");
    assertTold(() => store.putSync(1, "new"), path, pages, "the unnamed table");
    assert.equal(store.table<string>("users").get(1), "users 1 ".repeat(5));
  });
  await withDamage("größe 1", LEAF, (store, path, pages) => {
    assertTold(() => store.table("größe").get(1), path, pages, 'the table "größe"');
  });
  await withDamage("in a run ".repeat(3), undefined, (store, path) => {
    const run = /page (\d+) of .*, in the table "users", is damaged/;
    assert.throws(() => store.table("users").get("large"), {
      code: "ZEOLITE_CORRUPT",
      message: run,
    });
    assert.equal(store.table<string>("users").get(1), "users 1 ".repeat(5));
    assert.ok(path.length > 0);
  });
});

test("damage: the list of tables", async () => {
  await withDamage("\x01users", LEAF, (store, path, pages) => {
    const place = "the list of its tables";
    assertTold(() => store.table("users").get(1), path, pages, place);
    assertTold(() => store.table("users").putSync(1, 1), path, pages, place);
    assert.equal(store.get(1), "unnamed 1 ".repeat(5));
  });
});
