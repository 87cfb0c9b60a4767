/**
 * The proof of the gate: trees that are the same but for nothing, and for a real slowdown. The
 * slowdown is a loop that runs at each hot call of the boundary (`hotIn` of `zig/abi/c_abi.zig`),
 * so long that a get of the hot store takes 15 % longer: it is built into a library of its own, is
 * measured before it counts, and the gate is told nothing of it. Other calls, which take longer, it
 * slows by less.
 *
 * Runs that were done are kept in `.cache/gate/experiment.jsonl`; a second start goes on behind
 * them. Remove that file to begin anew.
 */
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, runOrExit, tools } from "./tools.mjs";

const cache = join(root, ".cache", "gate");
const kept = join(cache, "experiment.jsonl");

/** How much slower the planted tree is to be. */
const PLANTED = 0.15;
/** How far from that it may be found to be, before it counts. */
const TOLERANCE = 0.015;
/** The workload that the loop is measured by. */
const MEASURED_BY = "get_hot";
/** Turns of the loop, at first; attempts at finding the right number. */
const TURNS = 18;
const ATTEMPTS = 8;

const file = "zig/abi/c_abi.zig";
const place = /(inline fn hotIn\([^\n]*\n)(.*registry\.find\()handle\)/;

/**
 * Puts the loop into a tree. Each turn multiplies the handle and takes that back, in a chain that
 * the search for the handle waits for: the processor cannot do it beside what follows, so that turns
 * cost alike. (An empty loop costs nothing until its end is predicted wrongly: of 99 turns 2 % of a
 * get, of 101 turns 20 %.)
 */
export function plant(folder, turns) {
  const path = join(folder, file);
  const source = readFileSync(path, "utf8");
  if (!place.test(source)) {
    throw new Error(`${file} has no function hotIn to slow down`);
  }
  const hidden = (value) => `asm volatile ("" : [out] "=r" (-> u32) : [in] "0" (${value}))`;
  const loop = `    var slowed = handle;
    var turns: u32 = ${turns};
    while (turns > 0) : (turns -= 1) {
        slowed = ${hidden("slowed *% 3")};
        slowed = ${hidden("slowed *% 0xaaaaaaab")};
    }
`;
  writeFileSync(path, source.replace(place, `$1${loop}$2slowed)`));
}

/**
 * The next number of turns to try, given what was tried: between what was too few and what was too
 * many, else in proportion.
 */
export function nextTurns(tried) {
  const sorted = tried.toSorted((a, b) => a.turns - b.turns);
  const below = sorted.findLast(({ slowdown }) => slowdown < PLANTED);
  const above = sorted.find(({ slowdown }) => slowdown >= PLANTED);
  if (below === undefined || above === undefined) {
    const [{ turns, slowdown }] = below === undefined ? sorted : sorted.toReversed();
    return Math.max(1, Math.round(turns * PLANTED / Math.max(slowdown, PLANTED / 4)));
  }
  const share = (PLANTED - below.slowdown) / (above.slowdown - below.slowdown);
  return Math.round(below.turns + share * (above.turns - below.turns));
}

async function measureSlowdown({ runtime, judge }, base, planted) {
  const json = join(cache, "calibration.json");
  const args = [
    "--only",
    MEASURED_BY,
    "--blocks",
    "12",
    "--blocks-max",
    "40",
    "--json",
    json,
  ];
  await judge(runtime, base, planted, args);
  const [finding] = JSON.parse(readFileSync(json, "utf8")).findings;
  return finding.readings.cpu.ratio;
}

/** A tree in which the hot call is found to take 15 % longer. */
async function makePlanted(using, base) {
  const tried = [];
  let turns = TURNS;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const folder = await using.makeTree(
      "planted",
      "HEAD",
      (tree) => plant(tree, turns),
    );
    const ratio = await measureSlowdown(using, base, folder);
    console.log(
      `experiment: ${turns} turns of the loop: ${ratio.middle.toFixed(3)}`,
    );
    if (Math.abs(ratio.middle - 1 - PLANTED) <= TOLERANCE) {
      return { folder, turns, ratio };
    }
    tried.push({ turns, slowdown: ratio.middle - 1 });
    turns = nextTurns(tried);
  }
  throw new Error(
    `no loop slows ${MEASURED_BY} by 15 %: the machine is too busy to tell`,
  );
}

function readKept(key) {
  if (!existsSync(kept)) return [];
  const lines = readFileSync(kept, "utf8").split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line)).filter((run) => run.key === key);
}

/** What is kept of one run of the gate. */
function noteOf(report, key, tree) {
  const worst = report.findings.filter(({ readings }) => readings !== undefined)
    .map((finding) => {
      const { id, clock, readings, judgement, blocks } = finding;
      const { ratio, noise } = readings[clock];
      return {
        id,
        judgement,
        ratio: ratio.middle,
        low: ratio.low,
        noise,
        blocks: blocks.length,
      };
    }).sort((a, b) => b.ratio - a.ratio);
  const { passed, seed, seconds, machine } = report;
  return {
    key,
    tree,
    passed,
    seed,
    seconds,
    load: machine.load,
    runtime: machine.runtime,
    worst,
  };
}

function line({ tree, passed, seed, seconds, load, worst }, place) {
  const slower = worst.filter(({ judgement }) => judgement === "slower").map((
    { id },
  ) => id);
  const unclear = worst.filter(({ judgement }) => judgement === "unclear").length;
  const [first] = worst;
  const cells = [
    place,
    tree,
    passed ? "passed" : "failed",
    `${first.ratio.toFixed(3)} (${first.id})`,
    slower.join(", ") || "–",
    unclear,
    load,
    seconds,
    seed,
  ];
  return `| ${cells.join(" | ")} |`;
}

/** The table of the experiment. */
export function table(notes, { turns, ratio, commit, machine }) {
  const same = notes.filter(({ tree }) => tree === "unchanged");
  const slow = notes.filter(({ tree }) => tree === "planted");
  const good = same.filter(({ passed }) => passed).length;
  const caught = slow.filter(({ passed }) => !passed).length;
  const lines = notes.map((note, index) => line(note, index + 1));
  return `# The gate, put to the proof

Written by \`npm run perf:gate -- --experiment\`, of ${commit}; ${machine}.

- An unchanged tree, built a second time, passed in **${good} of ${same.length}** runs.
- A tree in which each hot call of the boundary runs a loop of ${turns} turns, built and measured
  before (\`${MEASURED_BY}\` takes ${ratio.middle.toFixed(3)} times as long, interval
  ${ratio.low.toFixed(3)} to ${
    ratio.high.toFixed(3)
  }), was caught in **${caught} of ${slow.length}**.

| run | tree | gate | largest ratio | slower | unclear | load before | seconds | seed |
| ---: | --- | --- | ---: | --- | ---: | ---: | ---: | ---: |
${lines.join("\n")}
`;
}

/** Runs it. */
export async function experiment(using) {
  const { runs, runtime, flags, makeTree, removeTree, judge, git } = using;
  const commit = git(root, "log", "-1", "--format=%h", "HEAD");
  const key = [commit, runtime, ...flags].join(" ");
  const json = join(cache, "run.json");
  try {
    const base = await makeTree("base", "HEAD");
    const unchanged = await makeTree("unchanged", "HEAD");
    const { folder: planted, turns, ratio } = await makePlanted(using, base);
    const heads = { unchanged, planted };
    const notes = readKept(key);
    for (let round = 0; round < runs; round += 1) {
      for (const tree of Object.keys(heads)) {
        const done = notes.filter((note) => note.tree === tree).length;
        if (done > round) continue;
        console.log(`experiment: run ${round + 1} of ${runs}, ${tree}`);
        rmSync(json, { force: true });
        await judge(runtime, base, heads[tree], [...flags, "--json", json]);
        const report = JSON.parse(readFileSync(json, "utf8"));
        const note = noteOf(report, key, tree);
        notes.push(note);
        appendFileSync(kept, `${JSON.stringify(note)}\n`);
        const { processor, cores, runtimeTitle, runtimeVersion } = report.machine;
        const machine = `${runtimeTitle} ${runtimeVersion}, ${processor}, ${cores} cores`;
        const page = join(root, "bench", "gate", "EXPERIMENT.md");
        writeFileSync(page, table(notes, { turns, ratio, commit, machine }));
        const config = join(root, "deno.json");
        await runOrExit(tools.deno, [
          "fmt",
          "--quiet",
          "--config",
          config,
          page,
        ]);
      }
    }
  } finally {
    for (const name of ["base", "unchanged", "planted"]) removeTree(name);
  }
}
