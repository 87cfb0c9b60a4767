/**
 * Makes RESULTS.md and its plots of the files of earlier runs.
 *
 * Usage: write_main.ts FOLDER JSON…    FOLDER gets RESULTS.md and plots/
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { drawPlots } from "./plots.ts";
import type { Results } from "./report.ts";
import { markdown } from "./results.ts";

const PLOTS = "plots";

const [folder = ".", ...paths] = process.argv.slice(2);
const all = paths.map((path): Results => JSON.parse(readFileSync(path, "utf8")));
const plots = await drawPlots(all);
mkdirSync(join(folder, PLOTS), { recursive: true });
const notes = plots.map(({ name, title, svg }) => {
  const path = `${PLOTS}/${name}.svg`;
  writeFileSync(join(folder, path), `${svg}\n`);
  return { path, title };
});
writeFileSync(join(folder, "RESULTS.md"), markdown(all, notes));
