/**
 * Draws the results as SVG, without a browser: for each runtime the lead over every peer in every
 * workload, and the times of a durable commit beside the floor of the machine.
 */
import { importModule, isInstalled } from "./engines/packages.ts";
import { OURS, ratioOf, type Results } from "./report.ts";
import { median } from "./timing.ts";
import type { Row } from "./turns.ts";
import { verdictsOf } from "./verdict.ts";

/** The part of ECharts that is used here. */
interface Echarts {
  init(
    element: null,
    theme: null,
    options: { renderer: "svg"; ssr: true; width: number; height: number },
  ): Chart;
}

interface Chart {
  setOption(option: object): void;
  renderToSVGString(): string;
  dispose(): void;
}

/** A picture. */
export interface Plot {
  readonly name: string;
  readonly title: string;
  readonly svg: string;
}

const WIDTH = 960;
const LINE_HEIGHT = 22;
const MARGIN = 120;

/** Colours that differ for those who see few of them (Okabe and Ito), and greys for floors. */
const COLOURS = [
  "#0072b2",
  "#56b4e9",
  "#d55e00",
  "#e69f00",
  "#009e73",
  "#cc79a7",
  "#f0e442",
  "#8c564b",
  "#5d3a9b",
] as const;
const GREYS = ["#666666", "#999999", "#cccccc"] as const;

/** The colour that an engine has in every plot. */
function colourOf({ engines }: Results, id: string): string {
  return COLOURS[engines.findIndex((engine) => engine.id === id) % COLOURS.length]!;
}

/** The words above a plot, with room between them whatever font draws them. */
const legend = { top: 28, itemGap: 26 } as const;

function draw(echarts: Echarts, height: number, option: object): string {
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width: WIDTH, height });
  chart.setOption({ backgroundColor: "#ffffff", animation: false, ...option });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}

/** The least lead that a workload must have over the peers with an API for JavaScript. */
function targetsOf(results: Results): [lead: number, title: string][] {
  const peers = new Set(results.engines.filter(({ kind }) => kind === "js").map(({ id }) => id));
  return verdictsOf(results).filter(({ ours, against }) => ours === OURS && peers.has(against))
    .map(({ least, row }) => [least, row.title]);
}

/** Points of one peer: its lead in the middle, with the title of the workload. */
function leads(rows: readonly Row[], peer: string): [lead: number, title: string][] {
  return rows.flatMap((row) => {
    const ratio = ratioOf(row, OURS, peer);
    return ratio === undefined ? [] : [[ratio.middle, row.title]];
  });
}

function scatter(name: string, points: readonly unknown[], colour: string, more: object): object {
  return {
    type: "scatter",
    name,
    data: points,
    symbolSize: 9,
    itemStyle: { color: colour },
    ...more,
  };
}

function leadPlot(echarts: Echarts, results: Results): Plot {
  const { engines, machine, rows } = results;
  const shown = rows.filter((row) => row.times[OURS] !== undefined);
  const peers = engines.filter(({ kind }) => kind !== "ours");
  const title =
    `${machine.runtimeTitle} ${machine.runtimeVersion}: how many times as fast Zeolite` +
    " is as each peer (right of 1: ahead)";
  const series = peers.map(({ id, name }) => {
    return scatter(name, leads(shown, id), colourOf(results, id), {});
  });
  const all = peers.flatMap(({ id }) => leads(shown, id).map(([lead]) => lead));
  const least = 10 ** Math.floor(Math.log10(Math.min(0.5, ...all)));
  const target = scatter("target against the best JavaScript peer", targetsOf(results), "#000000", {
    symbol: "rect",
    symbolSize: [2, 16],
  });
  const even = {
    symbol: "none",
    label: { show: false },
    lineStyle: { color: "#000000", type: "solid", width: 1 },
    data: [{ xAxis: 1 }],
  };
  const svg = draw(echarts, shown.length * LINE_HEIGHT + MARGIN, {
    title: { text: title, left: "center", textStyle: { fontSize: 14 } },
    legend,
    grid: { left: 350, right: 30, top: 60, bottom: 40 },
    xAxis: { type: "log", min: least, logBase: 10, name: "×", minorSplitLine: { show: true } },
    yAxis: {
      type: "category",
      inverse: true,
      data: shown.map((row) => row.title),
      axisLabel: { fontSize: 11 },
      splitLine: { show: true },
    },
    series: [...series, { ...target, markLine: even }],
  });
  return { name: `${machine.runtime}-leads`, title, svg };
}

/** The rows of durable commits, one at a time. */
function durableRows({ rows }: Results): Row[] {
  return rows.filter(({ floors, unit }) => unit === "time" && floors.length > 0);
}

function durablePlot(echarts: Echarts, results: Results): Plot {
  const { engines, machine } = results;
  const rows = durableRows(results);
  const floors = [...new Set(rows.flatMap((row) => row.floors))];
  const names = [
    ...engines.map(({ id, name }) => ({ id, name, colour: colourOf(results, id) })),
    ...floors.map((id, index) => ({ id, name: id, colour: GREYS[index % GREYS.length]! })),
  ];
  const title = `${machine.runtimeTitle} ${machine.runtimeVersion}: durable commits, microseconds` +
    " (in the middle of all rounds)";
  const bars = names.map(({ id, name, colour }) => ({
    type: "bar",
    name,
    itemStyle: { color: colour },
    data: rows.map((row) => {
      const times = row.times[id] ?? [];
      return times.length === 0 ? null : Math.round(median(times) / 100) / 10;
    }),
    label: { show: true, position: "right", fontSize: 10 },
  }));
  const height = rows.length * names.length * LINE_HEIGHT + MARGIN;
  const svg = draw(echarts, height, {
    title: { text: title, left: "center", textStyle: { fontSize: 14 } },
    legend,
    grid: { left: 250, right: 60, top: 90, bottom: 40 },
    xAxis: { type: "value", name: "µs" },
    yAxis: { type: "category", inverse: true, data: rows.map(({ title: row }) => row) },
    series: bars,
  });
  return { name: `${machine.runtime}-durable`, title, svg };
}

/** Draws everything, or nothing where the library for it is not installed. */
export async function drawPlots(all: readonly Results[]): Promise<Plot[]> {
  if (!isInstalled("echarts")) return [];
  const echarts = await importModule<Echarts>("echarts");
  return all.flatMap((results) => {
    const plots = [leadPlot(echarts, results)];
    if (durableRows(results).length > 0) plots.push(durablePlot(echarts, results));
    return plots;
  });
}
