/**
 * The dashboard: what was kept is what the page shows. The page, and that of a profile, are opened
 * in a real Chromium where there is one; pictures are kept in `.cache/pictures`.
 */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { collect, historyEntry, readHistory } from "../bench/dashboard/collect.ts";
import { digits, type Model, modelOf } from "../bench/dashboard/model.ts";
import { dashboardPage } from "../bench/dashboard/page.ts";
import { isInstalled } from "../bench/engines/packages.ts";
import { profilePage } from "../bench/profile/page.ts";
import type { Results } from "../bench/report.ts";
import { Chromium, findChromium } from "./Chromium.ts";
import { Folder } from "./Peer.ts";

/** Results of a runtime that are made up; times are those of a seed. */
function resultsOf(runtime: "bun" | "deno", factor: number): Results {
  const row = (id: string, time: number) => ({
    id,
    title: `title of ${id}, <b>&`,
    group: "reads",
    operation: "gets",
    unit: "rate",
    times: {
      zeolite: [time, time * 1.1, time * 0.9].map((each) => each * factor),
      lmdb: [time * 3, time * 3.3, time * 2.4].map((each) => each * factor),
    },
    floors: [],
    refused: {},
  });
  const engine = { version: "1", options: { flushed: "", unflushed: "" } };
  return {
    machine: {
      runtime,
      runtimeTitle: runtime,
      runtimeVersion: "9.9",
      processor: "p",
      cores: 2,
      memoryGib: 4,
      kernel: "k",
      fileSystem: "f",
      load: 0.5,
      scheduling: "normal",
    },
    engines: [
      { ...engine, id: "zeolite", name: "Zeolite", kind: "ours" },
      { ...engine, id: "lmdb", name: "lmdb-js", kind: "js" },
    ],
    absent: [],
    sizes: {},
    seed: 3,
    seconds: 9,
    rows: [row("get_hot", 200), row("get_random", 1234.5), row("put_1m", 9000)],
  } as unknown as Results;
}

/** A folder of results, read. */
function modelIn(folder: Folder): Model {
  const write = (name: string, value: unknown) => {
    writeFileSync(folder.file(name), JSON.stringify(value));
  };
  write("bun.json", resultsOf("bun", 1));
  write("deno.json", resultsOf("deno", 2));
  write("micro.json", {
    name: "btree_ops",
    title: "tree",
    machine: resultsOf("bun", 1).machine,
    measurements: [{ id: "search", variant: "page 4096", p25: 14, p50: 15, p75: 16, p99: 20 }],
  });
  writeFileSync(folder.file("broken.json"), "{");
  const entries = ["a", "b", "c"].map((commit, index) => {
    return historyEntry(resultsOf("bun", 1 - index / 10), commit, index);
  });
  const lines = entries.map((entry) => JSON.stringify(entry)).join("\n");
  writeFileSync(folder.file("history.jsonl"), `${lines}\n`);
  mkdirSync(folder.file("profile"));
  write("profile/get_hot.json", {
    workload: "get_hot",
    hottest: {},
    suggestions: [{ found: "1.00 flushes a commit", advice: "batch" }],
  });
  return modelOf(collect(folder.path), [resultsOf("bun", 2)]);
}

test("dashboard: the model has the figures that were kept", () => {
  using folder = new Folder();
  const { sections } = modelIn(folder);
  const titles = sections.map(({ title }) => title);
  assert.deepEqual(titles, [
    "Summary",
    "bun 9.9",
    "deno 9.9",
    "Trends",
    "Profiles and recommendations",
    "Micro-benchmarks",
    "Notes",
  ]);
  const [summary, bun, deno, trends, profiles, micro, notes] = sections;
  assert.deepEqual(summary!.notes.slice(-3), [
    "bun, time of 3 workloads, of the baseline's: none above 1.1, 3 below 0.91 (get_hot 0.5, " +
    "get_random 0.5, put_1m 0.5)",
    "deno: no baseline was kept (zeolite dashboard --keep)",
    "recommendations: 1, of profiles: 1",
  ]);
  assert.match(summary!.notes[0]!, /^bun: \d+ of \d+ targets are reached$/);
  const operations = bun!.tables[0]!.lines;
  assert.deepEqual(operations[0], ["title of get_hot, <b>&", "ns", "182", "200", "218", "0.5"]);
  assert.equal(operations[1]![3], digits(1234.5));
  assert.equal(deno!.tables[0]!.lines[0]![5], "–");
  const option = trends!.charts[0]!.option as { series: { name: string; data: number[] }[] };
  assert.deepEqual(option.series.map(({ name }) => name), ["get_hot", "get_random", "put_1m"]);
  assert.deepEqual(option.series[0]!.data, [1, 0.9, 0.8]);
  assert.deepEqual(profiles!.links, [["flame graphs of get_hot", "profile/get_hot.html"]]);
  assert.deepEqual(micro!.tables[0]!.lines, [["search", "page 4096", "14", "15", "16", "20"]]);
  assert.match(notes!.notes[0]!, /^broken\.json: /);
});

test("dashboard: of a commit the last run counts, and the oldest commit comes first", () => {
  const line = (commit: string, date: number, time: number) => {
    return JSON.stringify({ commit, date, runtime: "bun", times: { get_hot: time } });
  };
  const entries = readHistory(`${line("b", 2, 7)}\n${line("a", 1, 5)}\n${line("b", 2, 6)}\n`);
  assert.deepEqual(entries.map(({ commit, times }) => [commit, times["get_hot"]]), [
    ["a", 5],
    ["b", 6],
  ]);
});

const { program, skip: noChromium } = findChromium();
const noPackage = ["echarts", "d3", "d3-flame-graph"].every(isInstalled)
  ? false
  : "what draws is not installed: npm install --prefix bench";
const skip = noChromium !== false ? noChromium : noPackage;
if (skip !== false) console.log(`skipped: ${skip}`);

const pictures = fileURLToPath(new URL("../.cache/pictures/", import.meta.url));

/** Compares every table and every chart of the page with the model. */
async function assertShown(browser: Chromium, { sections }: Model): Promise<void> {
  for (const { id, lines, heads } of sections.flatMap(({ tables }) => tables)) {
    const shown = await browser.evaluate<string[][]>(
      `[...document.getElementById(${JSON.stringify(id)}).rows]
        .map((row) => [...row.cells].map((cell) => cell.textContent))`,
    );
    assert.deepEqual(shown, [heads, ...lines], id);
  }
  for (const { id, option } of sections.flatMap(({ charts }) => charts)) {
    const name = JSON.stringify(id);
    const { series } = option as { series: { name: string; data: unknown[] }[] };
    const drawn = await browser.evaluate<unknown[]>(
      `zeoliteCharts.get(${name}).getOption().series.map(({ name, data }) => ({ name, data }))`,
    );
    assert.deepEqual(drawn, series.map(({ name, data }) => ({ name, data })), id);
    const count = await browser.evaluate<number>(
      `document.getElementById(${name}).querySelectorAll("svg path").length`,
    );
    assert.ok(count > series.length, `${id} has ${count} paths`);
  }
}

test("dashboard: Chromium shows the model, light and dark, and complains of nothing", {
  skip,
}, async () => {
  using folder = new Folder();
  const model = modelIn(folder);
  const file = folder.file("dashboard.html");
  writeFileSync(file, dashboardPage(model));
  mkdirSync(pictures, { recursive: true });
  await using browser = await Chromium.start(program!);
  for (const scheme of ["light", "dark"] as const) {
    await browser.open(pathToFileURL(file).href, scheme);
    await assertShown(browser, model);
    const colour = await browser.evaluate<string>(
      `getComputedStyle(document.body).color`,
    );
    assert.equal(colour, scheme === "light" ? "rgb(0, 0, 0)" : "rgb(255, 255, 255)");
    await browser.picture(`${pictures}dashboard-${scheme}.png`);
  }
  assert.deepEqual(browser.errors, []);
});

test("dashboard: it fits a narrow window, and paper", { skip }, async () => {
  using folder = new Folder();
  const model = modelIn(folder);
  const file = folder.file("dashboard.html");
  writeFileSync(file, dashboardPage(model));
  mkdirSync(pictures, { recursive: true });
  await using browser = await Chromium.start(program!);
  await browser.resize(390);
  await browser.open(pathToFileURL(file).href, "dark");
  await assertShown(browser, model);
  assert.ok(await browser.evaluate<number>("document.documentElement.scrollWidth") <= 390);
  // Where the first chart's own area begins: names do not take it all.
  const left = await browser.evaluate<number>(
    `[...zeoliteCharts.values()][0].getModel().getComponent("grid").coordinateSystem.getRect().x`,
  );
  assert.ok(left < 180, String(left));
  await browser.picture(`${pictures}dashboard-narrow.png`);
  await browser.evaluate(`addEventListener("beforeprint", () => {
    window.printed = [...zeoliteCharts.values()].map((one) => [one.getWidth(), one.getHeight()]);
  })`);
  assert.ok(await browser.print(`${pictures}dashboard.pdf`) >= 2);
  const printed = await browser.evaluate<[number, number][]>("window.printed");
  assert.ok(printed.length > 0);
  for (const [width, height] of printed) assert.ok(width === 690 && height <= 880);
  assert.deepEqual(browser.errors, []);
});

test("profile: Chromium draws a frame for each function, and finds one", { skip }, async () => {
  using folder = new Folder();
  const leaf = { name: "tree.search.get", value: 6, children: [] };
  const other = { name: "</script><b>", value: 4, children: [] };
  const tree = { name: "all", value: 10, children: [leaf, other] };
  const file = folder.file("profile.html");
  const page = profilePage({
    title: "Profile",
    facts: ["bun"],
    graphs: [{ title: "Processor", samples: 10, tree, hottest: [{ name: "get", share: 0.6 }] }],
    suggestions: [],
    missing: [],
  });
  writeFileSync(file, page);
  mkdirSync(pictures, { recursive: true });
  await using browser = await Chromium.start(program!);
  await browser.open(pathToFileURL(file).href);
  const frames = `document.querySelectorAll("#graph0 svg g.frame")`;
  assert.equal(await browser.evaluate(`${frames}.length`), 3);
  const texts = await browser.evaluate<string>(`document.getElementById("graph0").textContent`);
  assert.match(texts, /tree\.search\.get \(60\.0 %\)/);
  await browser.picture(`${pictures}profile.png`);
  assert.deepEqual(browser.errors, []);
});
