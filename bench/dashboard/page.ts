/**
 * The page: one HTML file with ECharts inside, which fetches nothing. It follows the scheme of the
 * reader's system, dark or light, and prints light. Every chart stands beside its figures.
 */
import { escapeHtml, inlineScript, readPackage } from "../html.ts";
import type { Chart, Model, Section, Table } from "./model.ts";

const STYLE = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
table { border-collapse: collapse; margin-bottom: 1.5rem; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; }
th, td { padding: .15rem .9rem .15rem 0; border-bottom: 1px solid #8884; text-align: left; }
td.figure, th.figure { text-align: right; font-variant-numeric: tabular-nums; }
.chart { width: 100%; } .wide { overflow-x: auto; }
.missed, .slower, .broken { color: light-dark(#c01f2b, #ff7b72); font-weight: 600; }
h2, h3, caption, thead { break-after: avoid; } tr, li, .chart { break-inside: avoid; }
@media print {
  :root { color-scheme: light; font-size: 11px; } body { margin: 0; max-width: none; padding: 0; }
  .wide { overflow: visible; }
}`;

const DRAW = `
const model = JSON.parse(document.getElementById("model").textContent);
const charts = new Map();
const dark = matchMedia("(prefers-color-scheme: dark)");
const narrow = matchMedia("(max-width: 700px)");
// What fits a page of A4 or of a letter, its margins left out.
const paper = { width: 690, height: 880 };
// Long names would leave no room: the table has them whole.
function narrowed({ legend, yAxis, ...option }) {
  const axisLabel = { width: 110, overflow: "truncate" };
  return {
    ...option,
    legend: { ...legend, type: "scroll" },
    yAxis: yAxis.type === "category" ? { ...yAxis, axisLabel } : yAxis,
  };
}
function draw(isDark, isNarrow, limit) {
  for (const section of model.sections) for (const chart of section.charts) {
    const box = document.getElementById(chart.id);
    charts.get(chart.id)?.dispose();
    box.style.height = Math.min(chart.height, limit?.height ?? Infinity) + "px";
    const size = limit === undefined ? {} : { width: limit.width };
    const made = echarts.init(box, isDark ? "dark" : null, { renderer: "svg", ...size });
    const option = isNarrow ? narrowed(chart.option) : chart.option;
    made.setOption({ animation: false, backgroundColor: "transparent", ...option });
    charts.set(chart.id, made);
  }
}
const drawScreen = () => draw(dark.matches, narrow.matches);
drawScreen();
dark.addEventListener("change", drawScreen);
narrow.addEventListener("change", drawScreen);
addEventListener("beforeprint", () => draw(false, false, paper));
addEventListener("afterprint", drawScreen);
addEventListener("resize", () => charts.forEach((chart) => chart.resize()));
window.zeoliteCharts = charts;`;

const FIGURE = /^[\d.eE+–-]+$/;

function cell(text: string, name: "td" | "th", isFigure: boolean): string {
  const classes = [isFigure ? "figure" : "", /^[a-z]+$/.test(text) ? text : ""].filter(Boolean);
  const words = classes.length === 0 ? "" : ` class="${classes.join(" ")}"`;
  return `<${name}${words}>${escapeHtml(text)}</${name}>`;
}

function tableHtml({ id, title, heads, lines }: Table): string {
  const isFigure = heads.map((_, column) => lines.every((line) => FIGURE.test(line[column] ?? "")));
  const row = (cells: readonly string[], name: "td" | "th") => {
    return `<tr>${cells.map((text, column) => cell(text, name, isFigure[column]!)).join("")}</tr>`;
  };
  return `<div class="wide"><table id="${escapeHtml(id)}"><caption>${escapeHtml(title)}</caption>
<thead>${row(heads, "th")}</thead>
<tbody>${lines.map((line) => row(line, "td")).join("\n")}</tbody></table></div>`;
}

function chartHtml({ id, title, height }: Chart): string {
  const name = escapeHtml(title);
  return `<h3>${name}</h3>
<div class="chart" id="${escapeHtml(id)}" style="height:${height}px" role="img"
  aria-label="${name}"></div>`;
}

function sectionHtml({ title, notes, charts, tables, links = [] }: Section): string {
  const items = links.map(([text, url]) => {
    return `<li><a href="${escapeHtml(url)}">${escapeHtml(text)}</a></li>`;
  });
  return `<section><h2>${escapeHtml(title)}</h2>
${notes.map((note) => `<p>${escapeHtml(note)}</p>`).join("\n")}
${items.length === 0 ? "" : `<ul>${items.join("")}</ul>`}
${charts.map(chartHtml).join("\n")}
${tables.map(tableHtml).join("\n")}</section>`;
}

/**
 * The page of a model.
 *
 * @throws If ECharts is not installed.
 */
export function dashboardPage(model: Model): string {
  const echarts = readPackage("echarts", "dist/echarts.min.js");
  if (echarts === undefined) {
    throw new Error("Cannot draw: ECharts is missing; npm install --prefix bench has it");
  }
  const json = JSON.stringify(model).replaceAll("<", "\\u003c");
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(model.title)}</title>
<style>${STYLE}</style></head><body>
<h1>${escapeHtml(model.title)}</h1>
${model.sections.map(sectionHtml).join("\n")}
<script type="application/json" id="model">${json}</script>
${inlineScript(echarts)}
${inlineScript(DRAW)}
</body></html>
`;
}
