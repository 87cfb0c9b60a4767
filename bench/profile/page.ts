/**
 * The flame graphs as one HTML file that opens from disk: d3-flame-graph and d3 are inside it, and
 * nothing is fetched. A frame is as wide as its share of the samples; a click zooms, the field
 * searches. Colours follow the scheme of the reader's system, and it prints.
 */
import { escapeHtml, inlineScript, readPackage } from "../html.ts";
import type { FrameNode, Hot } from "./stacks.ts";
import type { Suggestion } from "./suggest.ts";

/** One graph. */
export interface Graph {
  readonly title: string;
  readonly samples: number;
  readonly tree: FrameNode;
  readonly hottest: readonly Hot[];
}

/** What a profile shows. */
export interface ProfilePage {
  readonly title: string;
  readonly facts: readonly string[];
  readonly graphs: readonly Graph[];
  readonly suggestions: readonly Suggestion[];
  /** What could not be done, and how it could. */
  readonly missing: readonly string[];
}

const STYLE = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
table { border-collapse: collapse; } td, th { padding: .1rem .8rem .1rem 0; text-align: left; }
td:first-child { text-align: right; font-variant-numeric: tabular-nums; }
.graph { overflow-x: auto; } .d3-flame-graph-label { color: #000; }
.d3-flame-graph-label { white-space: nowrap; text-overflow: ellipsis; overflow: hidden;
  font-size: 12px; margin: 0 4px; padding: 0; line-height: 1.5; }
.d3-flame-graph rect { stroke: Canvas; fill-opacity: .9; }
.d3-flame-graph rect:hover { stroke: #000; }
.d3-flame-graph .fade { opacity: .5 !important; }
svg { background: Canvas; } .title { fill: CanvasText; }
@media print { input, button { display: none; } body { max-width: none; } }`;

const DRAW = `
const data = JSON.parse(document.getElementById("data").textContent);
data.forEach((graph, index) => {
  const box = document.getElementById("graph" + index);
  const chart = flamegraph.default().width(Math.max(600, box.clientWidth)).cellHeight(18)
    .minFrameSize(1).sort(true).selfValue(false).transitionDuration(0)
    .label((d) => d.data.name + " (" + (100 * d.data.value / graph.samples).toFixed(1) + " %)");
  d3.select(box).datum(graph.tree).call(chart);
  const find = document.getElementById("find" + index);
  find.addEventListener("input", () => {
    if (find.value === "") chart.clear(); else chart.search(find.value);
  });
  document.getElementById("reset" + index).addEventListener("click", () => chart.resetZoom());
});`;

const NO_LIBRARY = "flame graphs are not drawn: npm install --prefix bench has what draws them; " +
  "other tools read the .folded files";

/** The scripts that draw, or nothing where they are not installed. */
function library(): string | undefined {
  const d3 = readPackage("d3", "dist/d3.min.js");
  const flame = readPackage("d3-flame-graph", "dist/d3-flamegraph.umd.min.js");
  if (d3 === undefined || flame === undefined) return undefined;
  return `${inlineScript(d3)}\n${inlineScript(flame)}\n${inlineScript(DRAW)}`;
}

function section({ title, samples, hottest }: Graph, index: number): string {
  const rows = hottest.map(({ name, share }) => {
    return `<tr><td>${(share * 100).toFixed(1)} %</td><td><code>${
      escapeHtml(name)
    }</code></td></tr>`;
  });
  return `<h2>${escapeHtml(title)}</h2><p>${samples} samples. Time in a function alone:</p>
<table>${rows.join("")}</table>
<p><input id="find${index}" placeholder="search"> <button id="reset${index}">whole</button></p>
<div class="graph" id="graph${index}"></div>`;
}

/** The whole page. */
export function profilePage(page: ProfilePage): string {
  const list = (items: readonly string[]) => {
    return `<ul>${items.map((item) => `<li>${escapeHtml(item)}</li>`).join("")}</ul>`;
  };
  const advice = page.suggestions.map(({ found, advice, setting }) => {
    const more = setting === undefined ? "" : ` (apply.sh: ${setting.option} ${setting.value})`;
    return `${found}: ${advice}${more}`;
  });
  const scripts = library();
  const missing = scripts === undefined ? [...page.missing, NO_LIBRARY] : page.missing;
  const data = page.graphs.map(({ tree, samples }) => ({ tree, samples }));
  const json = JSON.stringify(data).replaceAll("<", "\\u003c");
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>${escapeHtml(page.title)}</title>
<style>${STYLE}</style></head><body>
<h1>${escapeHtml(page.title)}</h1>${list(page.facts)}
<h2>Suggestions</h2>${
    advice.length === 0 ? "<p>None: no figure crossed its bound.</p>" : list(advice)
  }
${missing.length === 0 ? "" : `<h2>Not measured</h2>${list(missing)}`}
${page.graphs.map(section).join("\n")}
<script type="application/json" id="data">${json}</script>
${scripts ?? ""}
</body></html>
`;
}
