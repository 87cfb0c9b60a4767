/** The report of the gate, for people. */
import type { Machine } from "../machine.ts";
import { shorten } from "../report.ts";
import { median } from "../timing.ts";
import type { Effort, Finding, Reading } from "./gate.ts";
import type { Rules } from "./statistics.ts";

/** Everything that a run of the gate keeps. */
export interface GateReport {
  readonly passed: boolean;
  readonly isStrict: boolean;
  readonly base: string;
  readonly head: string;
  readonly machine: Machine;
  readonly rules: Rules;
  readonly effort: Effort;
  readonly seed: number;
  readonly seconds: number;
  readonly findings: readonly Finding[];
}

const WORDS: Readonly<Record<Finding["judgement"], string>> = {
  broken: "**BROKEN**",
  slower: "**SLOWER**",
  unclear: "unclear: too noisy",
  absent: "not in the base",
  faster: "faster",
  same: "no worse",
};

const ORDER: readonly Finding["judgement"][] = [
  "broken",
  "slower",
  "unclear",
  "absent",
  "faster",
  "same",
];

function timeOf({ blocks, clock }: Finding, side: "base" | "head"): string {
  const times = blocks.flatMap((block) => block[clock][side]);
  return times.length === 0 ? "–" : `${shorten(median(times))} ns`;
}

function ratioText({ ratio }: Reading): string {
  return `${ratio.middle.toFixed(3)} (${ratio.low.toFixed(3)}–${ratio.high.toFixed(3)})`;
}

function lineOf(finding: Finding): string {
  const { id, readings, clock, blocks, judgement, reason } = finding;
  const cells = [
    `\`${id}\``,
    timeOf(finding, "base"),
    timeOf(finding, "head"),
    readings === undefined ? "–" : ratioText(readings.cpu),
    readings === undefined ? "–" : ratioText(readings.wall),
    readings === undefined ? "–" : `${(readings[clock].noise * 100).toFixed(1)} %, ${clock}`,
    String(blocks.length),
    reason === undefined ? WORDS[judgement] : `${WORDS[judgement]}: ${reason}`,
  ];
  return `| ${cells.join(" | ")} |`;
}

/** The report as Markdown: what fails comes first. */
export function gatePage(report: GateReport): string {
  const { machine, rules, effort, findings } = report;
  const sorted = findings.toSorted((a, b) => {
    return ORDER.indexOf(a.judgement) - ORDER.indexOf(b.judgement);
  });
  const percent = (share: number) => `${Math.round(share * 1000) / 10} %`;
  return `# Speed gate: ${report.passed ? "passed" : "FAILED"}

${report.head}, beside ${report.base}; ${machine.runtimeTitle} ${machine.runtimeVersion},
${machine.processor}, ${machine.cores} cores, load before the run ${machine.load};
seed ${report.seed}, ${report.seconds} s.

| workload | base | head | ratio, processors | ratio, wall | noise, a block | blocks | verdict |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |
${sorted.map(lineOf).join("\n")}

A ratio is the head's time, of the base's: the time that processors gave, and the time on the wall.
A workload fails if by either clock its estimate is beyond ${percent(rules.threshold)} and its
interval leaves out 1. Estimate: Hodges and Lehmann's, of one figure a block: the middle of
${effort.pairs} pairs of turns. Interval: Wilcoxon's signed-rank test, so wide that all
${findings.length} workloads together fail an unchanged tree at most once in
${Math.round(1 / rules.alpha)} runs (Bonferroni: each end may miss with ${percent(rules.alpha)} /
${2 * findings.length}). Unclear: the interval stayed wider than the
threshold${
    report.isStrict ? ", and that fails" : ""
  }. Noise is the standard deviation of a block, by
the clock that is named, which the first two columns are of as well.
`;
}
