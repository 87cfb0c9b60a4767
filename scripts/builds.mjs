/**
 * The library as it can be built, each build beside the one that is shipped: for newer processors,
 * for this one, and with the checks of ReleaseSafe. The hot functions are chosen by the processor in
 * every build, so little is to be expected of a newer baseline; this measures how little.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { root, zigBuild } from "./tools.mjs";

const cache = join(root, ".cache", "perf");
const isX86 = process.arch === "x64";

/** Every build but the shipped one: its name, and the arguments of the compiler. */
export const builds = [
  ...(isX86 ? [["x86-64-v3", ["-Dcpu=x86_64_v3"]]] : []),
  ["native", ["-Dcpu=native"]],
  ["ReleaseSafe", ["-Doptimize=ReleaseSafe"]],
];

/** Rows that are compared: each way through the engine once. */
export const rows = "get-hot,get-random,getmany,scan,put,txn-100,load-random";

export function libraryOf(name) {
  const file = process.platform === "darwin" ? "libzeolite.dylib" : "libzeolite.so";
  return join(cache, name, "lib", file);
}

/** The arguments of `zig build` for a build. */
export function buildArguments(args, name) {
  const all = zigBuild("lib", ...args);
  return all.map((argument) => argument === "zig-out" ? join(cache, name) : argument);
}

/** The arguments of `bench-native` that hold a build against the shipped one. */
export function compareArguments(name, isQuick) {
  const rounds = isQuick ? ["--quick"] : ["--rounds", "5"];
  const shipped = join(root, "zig-out", "lib", libraryOf(name).split("/").at(-1));
  const json = join(cache, `${name}.json`);
  return ["--only", rows, ...rounds, "--lib", libraryOf(name), "--base", shipped, "--json", json];
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
}

/** How many times as fast a build is as the shipped one, by row: two figures of one round each. */
export function ratiosOf(report) {
  return report.rows.flatMap(({ id, columns }) => {
    const own = columns.find(({ name }) => name.startsWith("zeolite"));
    const base = columns.find(({ name }) => name === own?.name.replace("zeolite", "base"));
    if (own === undefined || base === undefined) return [];
    return [[id, median(base.figures.map((figure, round) => figure / own.figures[round]))]];
  });
}

/** The table of all builds that were measured. */
export function buildsTable() {
  const measured = [...builds.map(([name]) => name), "BOLT"].filter((name) => {
    return existsSync(join(cache, `${name}.json`));
  });
  if (measured.length === 0) return "No build was compared.\n";
  const all = new Map(measured.map((name) => {
    const report = JSON.parse(readFileSync(join(cache, `${name}.json`), "utf8"));
    return [name, new Map(ratiosOf(report))];
  }));
  const ids = [...all.values().next().value.keys()];
  const lines = ids.map((id) => {
    return `| ${id} | ${
      measured.map((name) => all.get(name).get(id)?.toFixed(2) ?? "–").join(" | ")
    } |`;
  });
  return `| times as fast as the shipped build | ${measured.join(" | ")} |
| --- | ${measured.map(() => "---:").join(" | ")} |
${lines.join("\n")}
`;
}

const marks = ["<!-- page sizes -->", "<!-- end of page sizes -->"];

/** Sizes of pages in the order of the table. */
const sizes = ["512 B", "1 KiB", "2 KiB", "4 KiB", "8 KiB", "16 KiB", "32 KiB", "64 KiB"];

function figureText(unit, value) {
  if (unit === "bytes") return `${(value / 2 ** 20).toFixed(1)} MiB`;
  return value >= 10_000 ? `${(value / 1000).toFixed(1)} µs` : `${value.toFixed(0)} ns`;
}

/** The table of page sizes, from what `bench-native --only page` kept. */
export function pageTable(report) {
  const lines = report.rows.map(({ title, unit, columns }) => {
    const cells = sizes.map((size) => {
      const column = columns.find(({ name }) => name === size);
      return column === undefined ? "–" : figureText(unit, median(column.figures));
    });
    return `| ${title} | ${cells.join(" | ")} |`;
  });
  return `| one operation | ${sizes.join(" | ")} |
| --- | ${sizes.map(() => "---:").join(" | ")} |
${lines.join("\n")}

${report.entries} entries of 16 + 100 bytes, ${report.rounds} rounds in turns, seed ${report.seed}.
`;
}

/** Puts the table between its marks in docs/performance.md. */
export function writePageTable(report) {
  const path = join(root, "docs", "performance.md");
  const text = readFileSync(path, "utf8");
  const [begin, end] = marks.map((mark) => text.indexOf(mark));
  if (begin < 0 || end < begin) throw new Error("docs/performance.md has no place for the table");
  const before = text.slice(0, begin + marks[0].length);
  writeFileSync(path, `${before}\n\n${pageTable(report)}\n${text.slice(end)}`);
}
