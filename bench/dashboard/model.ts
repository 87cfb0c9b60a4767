/** What the page shows, as plain data: the page draws it, tests compare it with what is drawn. */
import { OURS, ratioOf, type Results } from "../report.ts";
import { median } from "../timing.ts";
import type { Row } from "../turns.ts";
import { verdictsOf } from "../verdict.ts";
import type { Collected, MicroResults } from "./collect.ts";

/** A chart: ECharts' own option, and the table that says the same in figures. */
export interface Chart {
  readonly id: string;
  readonly title: string;
  readonly height: number;
  readonly option: object;
}

/** A table: every cell is text. */
export interface Table {
  readonly id: string;
  readonly title: string;
  readonly heads: readonly string[];
  readonly lines: readonly (readonly string[])[];
}

/** A part of the page. */
export interface Section {
  readonly title: string;
  readonly notes: readonly string[];
  readonly charts: readonly Chart[];
  readonly tables: readonly Table[];
  readonly links?: readonly (readonly [text: string, url: string])[];
}

/** The whole page. */
export interface Model {
  readonly title: string;
  readonly sections: readonly Section[];
}

const LINE_HEIGHT = 26;
/** Room above a chart for one line of its legend, and below it for the axis, pixels. */
const LEGEND_HEIGHT = 24;
const CHART_MARGIN = 66;
/** The width of a printed chart, and of a name in its legend besides the letters, pixels. */
const WIDTH_PRINTED = 690;
const NAME_MARGIN = 54;
const LETTER_WIDTH = 7;
/** More lines than a printed page has are drawn as one chart an operation. */
const LINES_MAX = 30;
/** A ratio to the baseline that is worth a word: the figures are those of different runs. */
const CHANGE = 0.1;
/** Workloads that the trend shows, unless fewer were measured. */
const TREND_ROWS = ["get_hot", "get_random", "scan_full", "load_random", "put_1m", "await_durable"];

/** Colours that stand out from white and from black; symbols tell them apart in grey. */
const COLOURS = ["#4c8dd6", "#e8833a", "#3f9e5a", "#c65fb8", "#d8a520", "#d9534f", "#7f8c9b"];
const SYMBOLS = [
  "circle",
  "diamond",
  "triangle",
  "rect",
  "emptyCircle",
  "emptyRect",
  "emptyTriangle",
];

/** Four significant digits. */
export function digits(value: number): string {
  return String(Number(value.toPrecision(4)));
}

function quantile(sorted: readonly number[], share: number): number {
  const place = share * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(place)]!, sorted[Math.ceil(place)]!];
  return low + (high - low) * (place - Math.floor(place));
}

/** Times of Zeolite in one row, as percentiles of its turns, beside the baseline. */
function rowCells(row: Row, base: Row | undefined): string[] {
  const sorted = (row.times[OURS] ?? []).toSorted((a, b) => a - b);
  const before = base?.times[OURS];
  const ratio = before === undefined || before.length === 0
    ? "–"
    : digits(median(sorted) / median(before));
  const figures = [0.05, 0.5, 0.95].map((share) => digits(quantile(sorted, share)));
  return [row.title, row.unit === "bytes" ? "bytes" : "ns", ...figures, ratio];
}

/** The height of a legend of these names, in a chart that is printed. */
function legendHeight(names: readonly string[]): number {
  const width = names.reduce((sum, name) => sum + NAME_MARGIN + LETTER_WIDTH * name.length, 0);
  return LEGEND_HEIGHT * Math.ceil(width / WIDTH_PRINTED);
}

function operationsTable(run: Results, baseline: Results | undefined): Table {
  const rows = run.rows.filter(({ times }) => (times[OURS]?.length ?? 0) > 0);
  return {
    id: `operations-${run.machine.runtime}`,
    title: "Zeolite by operation: turns at 5, 50 and 95 percent, and the ratio to the baseline",
    heads: ["workload", "unit", "p5", "p50", "p95", "of baseline"],
    lines: rows.map((row) => rowCells(row, baseline?.rows.find(({ id }) => id === row.id))),
  };
}

function peersChart(run: Results): Chart | undefined {
  const peers = run.engines.filter(({ kind }) => kind !== "ours");
  const rows = run.rows.filter((row) => {
    return peers.some(({ id }) => ratioOf(row, OURS, id) !== undefined);
  });
  if (rows.length === 0) return undefined;
  const legend = legendHeight(peers.map(({ name }) => name));
  const even = { silent: true, symbol: "none", label: { show: false }, data: [{ xAxis: 1 }] };
  const series = peers.map(({ id, name }, place) => ({
    type: "scatter",
    name,
    symbol: SYMBOLS[place % SYMBOLS.length],
    symbolSize: 11,
    ...(place > 0 ? {} : {
      markLine: { ...even, lineStyle: { color: "#888", type: "solid", width: 2 } },
    }),
    data: rows.flatMap((row) => {
      const ratio = ratioOf(row, OURS, id);
      return ratio === undefined ? [] : [[Number(digits(ratio.middle)), row.title]];
    }),
  }));
  return {
    id: `peers-${run.machine.runtime}`,
    title: "How many times as fast Zeolite is as each peer (right of 1: ahead)",
    height: rows.length * LINE_HEIGHT + CHART_MARGIN + legend,
    option: {
      color: COLOURS,
      legend: { top: 0, itemGap: 18 },
      tooltip: {},
      grid: { left: 10, right: 30, top: 16 + legend, bottom: 30, containLabel: true },
      xAxis: { type: "log", logBase: 10 },
      yAxis: { type: "category", inverse: true, data: rows.map(({ title }) => title) },
      series,
    },
  };
}

function verdictsTable(run: Results): Table {
  const name = (id: string) => run.engines.find((engine) => engine.id === id)?.name ?? id;
  return {
    id: `verdicts-${run.machine.runtime}`,
    title: "Targets against the peers",
    heads: ["workload", "against", "lead", "target", "verdict"],
    lines: verdictsOf(run).map(({ row, against, ratio, least, isReached }) => [
      row.title,
      name(against),
      digits(ratio.middle),
      digits(least),
      isReached ? "reached" : "missed",
    ]),
  };
}

function runSection(run: Results, baseline: Results | undefined): Section {
  const { machine, seed, seconds } = run;
  const chart = peersChart(run);
  const verdicts = verdictsTable(run);
  return {
    title: `${machine.runtimeTitle} ${machine.runtimeVersion}`,
    notes: [
      `${machine.processor}, ${machine.cores} cores, ${machine.kernel}, ${machine.fileSystem}; ` +
      `load before the run ${machine.load}; seed ${seed}; ${seconds} s`,
    ],
    charts: chart === undefined ? [] : [chart],
    tables: [
      operationsTable(run, baseline),
      ...(verdicts.lines.length === 0 ? [] : [verdicts]),
    ],
  };
}

function trendSection({ history }: Collected): Section[] {
  const runtimes = [...new Set(history.map(({ runtime }) => runtime))];
  const charts = runtimes.flatMap((runtime): Chart[] => {
    const entries = history.filter((entry) => entry.runtime === runtime);
    if (entries.length < 2) return [];
    const known = TREND_ROWS.filter((id) => entries.some(({ times }) => id in times));
    const ids = known.length > 0 ? known : Object.keys(entries.at(-1)!.times).slice(0, 6);
    return [{
      id: `trend-${runtime}`,
      title: `${runtime}: time by commit, of that of the first (below 1: faster)`,
      height: 360,
      option: {
        color: COLOURS,
        legend: { top: 0, itemGap: 18 },
        tooltip: { trigger: "axis" },
        grid: { left: 60, right: 20, top: 40, bottom: 40 },
        xAxis: { type: "category", data: entries.map(({ commit }) => commit) },
        yAxis: { type: "value", scale: true },
        series: ids.map((id, place) => {
          const first = entries.find(({ times }) => id in times)!.times[id]!;
          return {
            type: "line",
            name: id,
            symbol: SYMBOLS[place % SYMBOLS.length],
            symbolSize: 8,
            connectNulls: true,
            data: entries.map(({ times }) => {
              return id in times ? Number(digits(times[id]! / first)) : null;
            }),
          };
        }),
      },
    }];
  });
  if (runtimes.length === 0) return [];
  const note = charts.length > 0
    ? "Figures of different runs: a trend is a hint, the gate is the judge."
    : "One commit was measured and kept: the next one that is makes a trend.";
  return [{ title: "Trends", notes: [note], charts, tables: [] }];
}

/**
 * The percentiles of single calls, on one axis: how far the slow ones lie from the usual. What has
 * many lines is a chart an operation.
 */
function percentilesCharts(micro: MicroResults): Chart[] {
  const { measurements } = micro;
  const ids = [...new Set(measurements.map(({ id }) => id))];
  if (measurements.length > LINES_MAX) {
    return ids.map((id) => {
      return percentilesChart(micro, measurements.filter((one) => one.id === id), `-${id}`);
    });
  }
  const rows = measurements.toSorted((a, b) => ids.indexOf(a.id) - ids.indexOf(b.id));
  return rows.length === 0 ? [] : [percentilesChart(micro, rows, "")];
}

function percentilesChart(
  { name, title, machine }: MicroResults,
  rows: MicroResults["measurements"],
  suffix: string,
): Chart {
  const labels = rows.map(({ id, variant }) => `${id}, ${variant}`);
  const least = Math.min(...rows.map(({ p25 }) => p25));
  const series = (["p25", "p50", "p75", "p99"] as const).map((key, place) => ({
    type: "scatter",
    name: key,
    symbol: SYMBOLS[place],
    symbolSize: 9,
    data: rows.map((row, index) => [Number(digits(row[key])), labels[index]]),
  }));
  return {
    id: `percentiles-${name}-${machine.runtime}${suffix}`,
    title: `${name}${suffix === "" ? `: ${title}` : `, ${suffix.slice(1)}`}, percentiles ` +
      `(${machine.runtimeTitle}; ns)`,
    height: labels.length * LINE_HEIGHT + CHART_MARGIN + LEGEND_HEIGHT,
    option: {
      color: COLOURS,
      legend: { top: 0, itemGap: 18 },
      tooltip: {},
      grid: { left: 10, right: 50, top: 40, bottom: 30, containLabel: true },
      xAxis: { type: "log", logBase: 10, min: 10 ** Math.floor(Math.log10(least)) },
      yAxis: { type: "category", inverse: true, data: labels },
      series,
    },
  };
}

function microSection({ micros }: Collected): Section[] {
  if (micros.length === 0) return [];
  const tables = micros.map(({ name, title, machine, measurements }): Table => ({
    id: `micro-${name}-${machine.runtime}`,
    title: `${name}: ${title} (${machine.runtimeTitle}; ns)`,
    heads: ["operation", "with", "p25", "p50", "p75", "p99"],
    lines: measurements.map(({ id, variant, p25, p50, p75, p99 }) => {
      return [id, variant, ...[p25, p50, p75, p99].map(digits)];
    }),
  }));
  const charts = micros.flatMap(percentilesCharts);
  return [{ title: "Micro-benchmarks", notes: [], charts, tables }];
}

function gateSection({ gate }: Collected): Section[] {
  if (gate === undefined) return [];
  const lines = gate.findings.map(({ id, clock, readings, judgement, reason = "" }) => {
    const ratio = readings?.[clock].ratio;
    const figures = ratio === undefined
      ? ["–", "–", "–"]
      : [ratio.middle, ratio.low, ratio.high].map((value) => digits(value));
    return [id, clock, ...figures, judgement, reason];
  });
  const percent = `${digits(gate.rules.threshold * 100)} %`;
  return [{
    title: `Gate: ${gate.passed ? "passed" : "failed"}`,
    notes: [`${gate.head}, beside ${gate.base}; slower by ${percent} fails; seed ${gate.seed}`],
    charts: [],
    tables: [{
      id: "gate",
      title: "The working tree's time, of the baseline's",
      heads: ["workload", "clock", "ratio", "low", "high", "verdict", "reason"],
      lines,
    }],
  }];
}

function profileSection({ profiles }: Collected): Section[] {
  if (profiles.length === 0) return [];
  const advice = profiles.flatMap(({ workload, suggestions }) => {
    return suggestions.map(({ found, advice }) => [workload, found, advice]);
  });
  return [{
    title: "Profiles and recommendations",
    notes: advice.length === 0 ? ["No figure crossed its bound: nothing is recommended."] : [],
    charts: [],
    tables: advice.length === 0 ? [] : [{
      id: "advice",
      title: "Recommendations",
      heads: ["workload", "found", "what to do"],
      lines: advice,
    }],
    links: profiles.map(({ workload, link }) => [`flame graphs of ${workload}`, link] as const),
  }];
}

/** How the times of a run stand to those of the baseline. */
function changeNote(run: Results, baseline: Results | undefined): string {
  const title = run.machine.runtimeTitle;
  if (baseline === undefined) return `${title}: no baseline was kept (zeolite dashboard --keep)`;
  const slower: string[] = [];
  const faster: string[] = [];
  let count = 0;
  for (const row of run.rows) {
    const own = row.times[OURS] ?? [];
    const before = baseline.rows.find(({ id }) => id === row.id)?.times[OURS] ?? [];
    if (own.length === 0 || before.length === 0) continue;
    count += 1;
    const ratio = median(own) / median(before);
    if (ratio > 1 + CHANGE) slower.push(`${row.id} ${digits(ratio)}`);
    if (ratio < 1 / (1 + CHANGE)) faster.push(`${row.id} ${digits(ratio)}`);
  }
  const list = (words: string, all: readonly string[]) => {
    return all.length === 0 ? `none ${words}` : `${all.length} ${words} (${all.join(", ")})`;
  };
  return `${title}, time of ${count} workloads, of the baseline's: ` +
    `${list("above 1.1", slower)}, ${list("below 0.91", faster)}`;
}

/** What the page says, in a few lines. */
function summarySection(
  { runs, gate, profiles }: Collected,
  baseline: readonly Results[],
): Section {
  const targets = runs.flatMap((run) => {
    const all = verdictsOf(run);
    if (all.length === 0) return [];
    const reached = all.filter(({ isReached }) => isReached).length;
    return [`${run.machine.runtimeTitle}: ${reached} of ${all.length} targets are reached`];
  });
  const changes = runs.map((run) => changeNote(run, baselineOf(run, baseline)));
  const judged = gate === undefined ? [] : [
    `Gate: ${gate.passed ? "passed" : "failed"}, ${gate.findings.length} workloads`,
  ];
  const advice = profiles.reduce((sum, { suggestions }) => sum + suggestions.length, 0);
  const advised = profiles.length === 0
    ? []
    : [`recommendations: ${advice}, of profiles: ${profiles.length}`];
  const notes = [...targets, ...changes, ...judged, ...advised];
  return { title: "Summary", notes, charts: [], tables: [] };
}

function baselineOf({ machine }: Results, baseline: readonly Results[]): Results | undefined {
  return baseline.find((run) => run.machine.runtime === machine.runtime);
}

/** The page of what was collected; runs of the baseline are matched by their runtime. */
export function modelOf(collected: Collected, baseline: readonly Results[]): Model {
  const { runs, unreadable } = collected;
  const sections = [
    ...runs.map((run) => runSection(run, baselineOf(run, baseline))),
    ...trendSection(collected),
    ...gateSection(collected),
    ...profileSection(collected),
    ...microSection(collected),
  ];
  const isEmpty = sections.length === 0;
  if (!isEmpty) sections.unshift(summarySection(collected, baseline));
  const none =
    "There are no results: zeolite bench --keep, or npm run bench -- --json, keeps some.";
  const notes = isEmpty ? [none, ...unreadable] : unreadable;
  if (notes.length > 0) sections.push({ title: "Notes", notes, charts: [], tables: [] });
  return { title: "Zeolite: performance", sections };
}
