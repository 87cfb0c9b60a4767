/** The tables of RESULTS.md, and those that a run prints when it ends: losses come first. */
import type { Absent } from "./engines/engine.ts";
import { limits } from "./limits.ts";
import { figure, OURS, ratioOf, ratioText, type Results, shorten } from "./report.ts";
import type { Row } from "./turns.ts";
import { bestPeer, lostRows, type Verdict, type VerdictsOf, verdictsOf } from "./verdict.ts";

function table(
  heads: readonly string[],
  lines: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const rule = heads.map((_, index) => index === 0 ? "---" : "---:");
  return [line(heads), line(rule), ...lines.map(line)].join("\n");
}

/** The name of an engine, by its id; a floor has no other. */
function nameOf(results: Pick<Results, "engines">, id: string): string {
  return results.engines.find((engine) => engine.id === id)?.name ?? id;
}

function verdictCells(verdict: Verdict, results: VerdictsOf): string[] {
  const { row, ours, against, least, aim, ratio, isReached } = verdict;
  const who = ours === OURS ? "" : `, ${nameOf(results, ours)}`;
  const target = aim === undefined ? "" : ` (aim ${aim} ×)`;
  const doubt = isReached && ratio.least < least ? ", not in every round" : "";
  return [
    `${row.title}${who}`,
    `${nameOf(results, against)}, ${figure(row, against)}`,
    figure(row, ours),
    ratioText(ratio),
    `${least.toFixed(2)} ×${target}`,
    isReached ? `reached${doubt}` : "**missed**",
  ];
}

const VERDICT_HEADS = ["workload", "best peer", "Zeolite", "lead (spread)", "target", "verdict"];

/** The verdicts on one run. */
export function verdictTable(results: VerdictsOf): string {
  const lines = verdictsOf(results).map((verdict) => verdictCells(verdict, results));
  return table(VERDICT_HEADS, lines);
}

/** What a run prints when it ends. */
export function summary(results: VerdictsOf): string {
  const verdicts = verdictsOf(results);
  const lines = verdicts.map((verdict) => {
    const [workload, peer, own, ratio, target] = verdictCells(verdict, results);
    const word = verdict.isReached ? "reached" : "MISSED ";
    return `  ${word}  ${workload}: ${ratio}, target ${target}; Zeolite ${own}, ${peer}`;
  });
  const lost = lostRows(results).map(({ row, against, ratio }) => {
    return `  behind   ${row.title}: ${ratioText(ratio)}; ${nameOf(results, against)}`;
  });
  const reached = verdicts.filter(({ isReached }) => isReached).length;
  if (verdicts.length > 0) lines.push(`  ${reached} of ${verdicts.length} targets reached`);
  return [...lines, ...lost].join("\n");
}

/** The verdicts, and the rows in which a peer is ahead without a target, as they are kept. */
export function verdictNotes(results: VerdictsOf): object[] {
  const lost = lostRows(results).map((verdict) => ({ ...verdict, least: undefined }));
  return [...verdictsOf(results), ...lost].map(({ row, ...rest }) => ({
    workload: row.id,
    ...rest,
  }));
}

function lostTable(results: Results): string {
  const lost = lostRows(results);
  if (lost.length === 0) return "No other row: everywhere else Zeolite is ahead of every peer.";
  const lines = lost.map(({ row, against, ratio }) => [
    row.title,
    `${nameOf(results, against)}, ${figure(row, against)}`,
    figure(row, OURS),
    ratioText(ratio),
  ]);
  return table(["workload", "best peer", "Zeolite", "lead (spread)"], lines);
}

/** The heading's place in a page, as the renderers of Markdown make it. */
function anchorOf(heading: string): string {
  return heading.toLowerCase().replace(/[^\w\s-]/g, "").replace(/\s/g, "-");
}

/** What keeps the workloads that missed a target from it, each once. */
function limitList(all: readonly Results[]): string {
  const missed = all.flatMap((results) =>
    verdictsOf(results).filter(({ isReached }) => !isReached).map(({ row }) => row)
  );
  const rows = [...new Map(missed.map((row) => [row.id, row])).values()];
  if (rows.length === 0) return "Nothing was missed.";
  return rows.map(({ id, title }) => {
    const limit = limits[id];
    if (limit === undefined) return `- **${title}**: not known.`;
    const { text, section } = limit;
    return `- **${title}**: ${text} ([${section}](README.md#${anchorOf(section)}))`;
  }).join("\n");
}

/** Every figure of one run. */
function figureTable(results: Results): string {
  const { engines, rows } = results;
  const measured = rows.filter((row) => engines.some(({ id }) => row.times[id] !== undefined));
  const heads = ["workload", ...engines.map(({ name }) => name), "lead (spread)", "over"];
  const lines = measured.map((row) => {
    const best = bestPeer(row, results);
    const lead = best === undefined ? undefined : ratioOf(row, OURS, best);
    const cells = engines.map(({ id }) => figure(row, id));
    const over = best === undefined || lead === undefined ? "–" : nameOf(results, best);
    return [`${row.title} (\`${row.id}\`)`, ...cells, ratioText(lead), over];
  });
  return table(heads, lines);
}

function flushTable({ engines, rows }: Results): string {
  const counted = rows.filter(({ flushes }) => flushes !== undefined);
  if (counted.length === 0) return "Flushes were not counted: there was no strace.";
  const lines = counted.map((row) => {
    return [
      row.title,
      ...engines.map(({ id }) => {
        const count = row.flushes?.[id];
        return count === undefined ? "–" : shorten(count);
      }),
    ];
  });
  return table(["flushes for 1,000 operations", ...engines.map(({ name }) => name)], lines);
}

/** What the machine itself did, and how the durable rows stand to it. */
function floorTable({ rows }: Results): string {
  const lines = rows.flatMap((row) => {
    return row.floors.map((name) => {
      const above = ratioOf(row, name, OURS);
      return [row.title, name, figure(row, name), above === undefined ? "" : ratioText(above)];
    });
  });
  return table(["workload", "floor", "figure", "Zeolite's time, of the floor's"], lines);
}

function refusals(all: readonly Results[]): string {
  const lines = all.flatMap((results) => {
    const title = results.machine.runtimeTitle;
    const absent = results.absent.map(({ name, reason }: Absent) => {
      return `- ${title}: ${name} is absent: ${reason}`;
    });
    const refused = results.rows.flatMap((row: Row) => {
      return Object.entries(row.refused).map(([id, reason]) => {
        return `- ${title}: ${row.title}, ${nameOf(results, id)}: ${reason}`;
      });
    });
    return [...absent, ...refused];
  });
  return lines.length === 0 ? "Everything was." : lines.join("\n");
}

function machineText(all: readonly Results[]): string {
  const { processor, cores, memoryGib, kernel, fileSystem } = all[0]!.machine;
  const lines = all.map(({ machine, engines, sizes, seed, seconds }) => {
    const { runtimeTitle, runtimeVersion, scheduling, load } = machine;
    const versions = engines.map(({ name, version }) => `${name} ${version}`).join(", ");
    return `- ${runtimeTitle} ${runtimeVersion}: ${versions}; ${sizes.rounds} rounds, of loads ` +
      `${sizes.loadRounds}; seed ${seed}; ${seconds} s; scheduling: ${scheduling}; load before ` +
      `the run: ${load}`;
  });
  const machine = `${processor}, ${cores} cores, ${memoryGib} GiB, ${kernel}, ${fileSystem}`;
  const settings = all.map((results) => {
    const { runtimeTitle } = results.machine;
    const each = results.engines.map(({ name, options }) => [
      `${runtimeTitle}: ${name}`,
      options.flushed,
      options.unflushed,
    ]);
    return each;
  }).flat();
  return [machine, lines.join("\n"), table(["engine", "durable", "no flush"], settings)]
    .join("\n\n");
}

const INTRODUCTION = `Written by \`npm run bench -- --write\`; what is measured, and how, is in
[README.md](README.md). A lead above 1 means that Zeolite is faster, or smaller: the ratio of two
figures of one round, in the middle of all rounds, and in brackets the lowest and the highest.
Figures of one run may be compared with each other, never with those of another run. What was missed
and what is behind comes first.`;

/** A plot that was drawn: its file beside RESULTS.md, and what it shows. */
export interface PlotNote {
  readonly path: string;
  readonly title: string;
}

/** The whole of RESULTS.md. */
export function markdown(all: readonly Results[], plots: readonly PlotNote[]): string {
  const parts = ["# Results", INTRODUCTION, "## Verdicts"];
  for (const results of all) {
    const { runtimeTitle } = results.machine;
    parts.push(`### ${runtimeTitle}`, verdictTable(results));
    parts.push(`Behind without a target, on ${runtimeTitle}:`, lostTable(results));
  }
  parts.push("## What limits what was missed", limitList(all));
  parts.push("## Machine and versions", machineText(all));
  if (plots.length > 0) {
    parts.push("## Plots", ...plots.map(({ path, title }) => `![${title}](${path})`));
  }
  for (const results of all) {
    const { runtimeTitle } = results.machine;
    parts.push(`## ${runtimeTitle}`, figureTable(results));
    parts.push(`### Flushes on ${runtimeTitle}`, flushTable(results));
    parts.push(`### The machine itself, by ${runtimeTitle}`, floorTable(results));
  }
  parts.push("## Not measured", refusals(all));
  return `${parts.join("\n\n")}\n`;
}
