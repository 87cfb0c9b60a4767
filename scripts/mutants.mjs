/**
 * `npm run mutants`: tests the tests. Each patch in `test/mutants` is a bug made by hand; it is
 * applied to a copy of the engine, and the tests that it names must fail. As many at a time as
 * `--jobs` says, each in a copy of its own, by default one for each processor; at the lowest priority.
 *
 * A patch begins with what it breaks, the part of a test's name that catches it and, if that is not
 * Debug, the mode: `Breaks: …`, `Caught by: …`, `Mode: ReleaseSafe`. A test that runs on this
 * machine, not on the simulated one, is named with `Machine: this`. A hunk applies where its old
 * lines stand, exactly once, wherever that is: other changes of the file do not matter.
 *
 * Usage: node scripts/mutants.mjs [--only TEXT]… [--jobs N] [--list] [--json]
 * `--list` says of each what it breaks and whether it still applies, and runs nothing.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { countZig } from "./counts.mjs";
import { install } from "./setup.mjs";
import { capture, root, tools } from "./tools.mjs";

const folder = join(root, "test", "mutants");
/** The copies that are changed, and what is built of them. */
const copies = join(root, ".cache", "mutants");
/** What takes longer hangs; that is caught as well. */
const minutesMax = 15;
/** All tests that the mutants name, one after the other. */
const baselineMinutesMax = 90;

function headerOf(text, name) {
  return new RegExp(`^${name}: (.+)$`, "m").exec(text)?.[1];
}

/** The patches of the folder, those only whose names contain one of `wanted`. */
function readMutants(wanted) {
  const names = readdirSync(folder).filter((name) => name.endsWith(".patch")).sort();
  const chosen = names
    .filter((name) => wanted.length === 0 || wanted.some((text) => name.includes(text)));
  return chosen.map((file) => {
    const text = readFileSync(join(folder, file), "utf8");
    const breaks = headerOf(text, "Breaks");
    const filter = headerOf(text, "Caught by");
    if (breaks === undefined || filter === undefined) {
      throw new Error(`${file} does not say what it breaks and which test catches it`);
    }
    const mode = headerOf(text, "Mode") ?? "Debug";
    const step = headerOf(text, "Machine") === "this" ? "test-native" : "test";
    return { name: file.replace(/\.patch$/, ""), breaks, filter, step, mode, hunks: hunksOf(text) };
  });
}

/** The hunks of a unified diff: a file, its old lines and its new ones. */
function hunksOf(text) {
  const hunks = [];
  let file = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("--- ")) continue;
    if (line.startsWith("+++ ")) file = line.slice("+++ b/".length);
    else if (line.startsWith("@@ ")) hunks.push({ file, old: [], fresh: [] });
    else if (hunks.length > 0) {
      const hunk = hunks.at(-1);
      if (line.startsWith(" ") || line.startsWith("-")) hunk.old.push(line.slice(1));
      if (line.startsWith(" ") || line.startsWith("+")) hunk.fresh.push(line.slice(1));
    }
  }
  return hunks;
}

/** Where the lines stand in the text. Error: nowhere, or in more than one place. */
function placeOf(lines, wanted, mutant, file) {
  const places = lines.flatMap((_, at) =>
    wanted.every((line, index) => lines[at + index] === line) ? [at] : []
  );
  if (places.length === 1) return places[0];
  const found = places.length === 0 ? "not there any more" : `there ${places.length} times`;
  throw new Error(
    `${mutant} no longer applies: its lines are ${found} in ${file}; renew the patch`,
  );
}

/** The changed files of a mutant. */
function change(mutant) {
  const files = new Map();
  for (const { file, old, fresh } of mutant.hunks) {
    const lines = files.get(file) ?? readFileSync(join(root, file), "utf8").split("\n");
    const at = placeOf(lines, old, mutant.name, file);
    files.set(file, lines.toSpliced(at, old.length, ...fresh));
  }
  if (files.size === 0) throw new Error(`${mutant.name} changes nothing`);
  return files;
}

function makeCopy(copy) {
  rmSync(join(copy, "zig"), { recursive: true, force: true });
  for (const name of ["zig", "ffi"]) {
    const isSource = (path) => !/\.zig-cache|zig-out/.test(path);
    cpSync(join(root, name), join(copy, name), { recursive: true, filter: isSource });
  }
}

function write(copy, files, contentOf) {
  for (const file of files.keys()) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    writeFileSync(join(copy, file), contentOf(file));
  }
}

function runTests(copy, filters, step, mode, minutes = minutesMax) {
  return capture(tools.zig, [
    "build",
    ...["--build-file", join(copy, "zig", "build.zig")],
    ...["--cache-dir", join(copy, "zig-cache")],
    ...[step, `-Doptimize=${mode}`, "--summary", "all"],
    ...filters.map((filter) => `-Dtest-filter=${filter}`),
  ], minutes);
}

/** Does `work` with all that waits, in each copy one after the other. */
async function inCopies(count, waiting, work) {
  const rest = [...waiting];
  const drain = async (copy) => {
    for (let next = rest.shift(); next !== undefined; next = rest.shift()) await work(copy, next);
  };
  await Promise.all(Array.from({ length: count }, (_, at) => drain(join(copies, `${at}`))));
}

/** The tests must pass without a mutant, or their failing would say nothing. */
async function checkBaseline(mutants, jobs, say) {
  const kinds = new Set(mutants.map(({ step, mode }) => `${step} ${mode}`));
  await inCopies(jobs, kinds, async (copy, kind) => {
    const [step, mode] = kind.split(" ");
    const alike = mutants.filter((mutant) => mutant.step === step && mutant.mode === mode);
    const filters = [...new Set(alike.map((mutant) => mutant.filter))];
    say(`the ${filters.length} test runs without a mutant, ${kind}`);
    const result = await runTests(copy, filters, step, mode, baselineMinutesMax);
    const { passed, failed } = countZig(result);
    if (failed > 0) throw new Error(`without any mutant:\n${result.output}`);
    say(`${passed} tests pass without a mutant, ${kind}`);
  });
}

/** Builds the mutant and runs the tests that should catch it. */
async function judge(copy, mutant) {
  const begin = performance.now();
  const files = change(mutant);
  write(copy, files, (file) => files.get(file).join("\n"));
  let result;
  try {
    result = await runTests(copy, [mutant.filter], mutant.step, mutant.mode);
  } finally {
    write(copy, files, (file) => readFileSync(join(root, file)));
  }
  const seconds = Number(((performance.now() - begin) / 1000).toFixed(1));
  return { ...mutant, hunks: undefined, seconds, ...verdictOf(result), output: result.output };
}

function verdictOf({ code, output }) {
  if (/^.*\.zig:\d+:\d+: error: /m.test(output) && / compilation errors?$/m.test(output)) {
    return { verdict: "does not compile" };
  }
  if (/^killed: not done/m.test(output)) return { verdict: "caught", by: "a run without end" };
  const by = /error: '(.+)' (?:failed|terminated|leaked|timed|logged)/.exec(output)?.[1];
  if (code !== 0 && by !== undefined) {
    return { verdict: "caught", by: by.replace(/^.*\.test\./, "") };
  }
  if (code !== 0) return { verdict: "not judged" };
  const { passed } = countZig({ code, output });
  return { verdict: passed === 0 ? "no such test" : "survived" };
}

function readArguments(argv) {
  const options = { only: [], json: false, list: false, jobs: os.availableParallelism() };
  for (let index = 0; index < argv.length; index += 1) {
    const name = argv[index];
    if (name === "--json") options.json = true;
    else if (name === "--list") options.list = true;
    else if (name === "--only" && index + 1 < argv.length) options.only.push(argv[++index]);
    else if (name === "--jobs" && /^[1-9]\d?$/.test(argv[index + 1])) {
      options.jobs = Number(argv[++index]);
    } else {
      console.error("usage: npm run mutants -- [--only TEXT]… [--jobs N] [--list] [--json]");
      process.exit(2);
    }
  }
  return options;
}

const options = readArguments(process.argv.slice(2));
const mutants = readMutants(options.only);
/** The progress goes beside the result. */
const say = (text) => console.error(text);
if (options.list) {
  for (const mutant of mutants) {
    let state = "applies";
    try {
      change(mutant);
    } catch (error) {
      state = error.message;
      process.exitCode = 1;
    }
    console.log(`${mutant.name}: ${mutant.breaks} [${mutant.filter}] ${state}`);
  }
} else {
  os.setPriority(19);
  await install();
  // All of them first: what no longer applies is said at once.
  for (const mutant of mutants) change(mutant);
  const jobs = Math.min(options.jobs, mutants.length);
  for (let at = 0; at < jobs; at += 1) makeCopy(join(copies, `${at}`));
  await checkBaseline(mutants, jobs, say);
  const results = [];
  await inCopies(jobs, mutants, async (copy, mutant) => {
    const result = await judge(copy, mutant);
    results.push(result);
    const by = result.by === undefined ? "" : ` by: ${result.by}`;
    say(
      `${results.length}/${mutants.length} ${result.name}: ${result.verdict}${by} (${result.seconds} s)`,
    );
    if (result.verdict !== "caught") say(result.output.trimEnd());
  });
  const caught = results.filter(({ verdict }) => verdict === "caught").length;
  if (options.json) {
    const rows = results.map(({ output: _, ...row }) => row);
    console.log(JSON.stringify({ caught, mutants: results.length, results: rows }, null, 2));
  }
  console.log(`${caught} of ${results.length} mutants caught`);
  if (caught < results.length) process.exitCode = 1;
}
