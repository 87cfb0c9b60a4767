/**
 * `npm run coverage`: which lines of the engine's core the tests run, and which branches they take
 * in one direction only. The compiler has no coverage of its own, so the test program is built
 * through LLVM, whose line tables valgrind understands, and run under callgrind, which counts each
 * conditional jump and how often it was taken. Slow: a tenth of an hour to an hour.
 *
 * A branch counts as one-sided if in every copy that the compiler made of its line all jumps went
 * one way. Jumps that the compiler adds for assertions and bounds are among them.
 *
 * Usage: node scripts/coverage.mjs [--lines] [--file OUT]… [-- filter…]
 * With `--file` it reads what callgrind has written before.
 */
import { existsSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import process from "node:process";
import { install } from "./setup.mjs";
import { capture, root, tools, zigBuild } from "./tools.mjs";

/** Tests that together come to most of it, and end in time. */
const filters = [
  ...["format.", "store.", "tree.", "txn.", "model: ", "all orders", "savepoints"],
  ...["no memory for", "store equals an ordered map: 512", "store equals an ordered map: one"],
  ...["power cut: small", "power cut: transactions", "check finds", "check tells", "backup"],
  ...["damage: pages", "two processes", "a reader without", "orderly", "damaged store: a"],
];
const folders = /\/zig\/((?:format|store|tree|txn)\/\w+\.zig)$/;
const minutesMax = 120;

/** Reads callgrind's file: for each source file the lines that ran, and the jumps of each line. */
function readCounts(path, files) {
  const names = new Map();
  let lines = new Map();
  let line = 0;
  let jump;
  const nameOf = (text) => {
    const [, id, name] = /^\((\d+)\)(?: (.*))?$/.exec(text);
    if (name !== undefined) names.set(id, name);
    return names.get(id) ?? "";
  };
  for (const text of readFileSync(path, "utf8").split("\n")) {
    const place = /^(j?f[lie]|c?f[li])=(.*)$/.exec(text);
    if (place !== null) {
      const name = nameOf(place[2]);
      if (!/^f[lie]$/.test(place[1])) continue;
      lines = files.get(name) ?? new Map();
      files.set(name, lines);
    } else if (text.startsWith("jcnd=")) {
      jump = /^jcnd=(\d+)\/(\d+)/.exec(text).slice(1).map(Number);
    } else {
      const cost = /^([+-]?)(\d*|\*)(?: \d+)?$/.exec(text);
      if (cost === null || text === "") continue;
      const number = Number(cost[2] === "*" ? 0 : cost[2]);
      if (cost[1] === "+") line += number;
      else if (cost[1] === "-") line -= number;
      else if (cost[2] !== "*") line = number;
      const found = lines.get(line) ?? { taken: 0, run: 0 };
      if (jump !== undefined) {
        [found.taken, found.run] = [found.taken + jump[0], found.run + jump[1]];
      }
      lines.set(line, found);
      jump = undefined;
    }
  }
}

/** The lines of each file that have code, by the name of the file. */
async function readCode(program) {
  const { output } = await capture("objdump", ["--dwarf=decodedline", program], minutesMax);
  const code = new Map();
  for (const [, name, line] of output.matchAll(/^(\S+\.zig)\s+(\d+)\s+0x/gm)) {
    if (!code.has(name)) code.set(name, new Set());
    code.get(name).add(Number(line));
  }
  return code;
}

/** The first line of a file's tests. */
function testsOf(lines) {
  const at = lines.findIndex((line) => /^test "|^const testing = /.test(line));
  return at < 0 ? lines.length + 1 : at + 1;
}

function report(counts, code, showsLines) {
  const total = [0, 0];
  for (const [path, ran] of [...counts].sort(([a], [b]) => a < b ? -1 : 1)) {
    const short = folders.exec(path)?.[1];
    if (short === undefined) continue;
    const source = readFileSync(join(root, "zig", short), "utf8").split("\n");
    const end = testsOf(source);
    const all = new Set([...code.get(short.split("/")[1]) ?? [], ...ran.keys()]);
    const known = [...all].filter((line) => line > 0 && line < end).sort((a, b) => a - b);
    const missed = known.filter((line) => !ran.has(line));
    const branches = known.filter((line) => (ran.get(line)?.run ?? 0) > 0);
    const oneSided = branches.filter((line) => {
      const { taken, run } = ran.get(line);
      return taken === 0 || taken === run;
    });
    total[0] += known.length - missed.length;
    total[1] += known.length;
    const part = `${known.length - missed.length}/${known.length} lines`;
    console.log(
      `${short.padEnd(24)} ${
        part.padEnd(16)
      } ${branches.length} branches, ${oneSided.length} one-sided`,
    );
    if (!showsLines) continue;
    for (const line of missed) {
      console.log(`  ${short}:${line} not run: ${source[line - 1].trim()}`);
    }
    for (const line of oneSided) {
      console.log(`  ${short}:${line} one way: ${source[line - 1].trim()}`);
    }
  }
  console.log(`${total[0]} of ${total[1]} lines`);
}

const args = process.argv.slice(2);
const program = join(root, "zig-out", "bin", "test");
const given = args.flatMap((name, index) => name === "--file" ? [args[index + 1]] : []);
const out = join(root, ".cache", "callgrind.out");
if (given.length === 0) {
  await install();
  const wanted = args.includes("--") ? args.slice(args.indexOf("--") + 1) : filters;
  const options = wanted.map((filter) => `-Dtest-filter=${filter}`);
  const built = await capture(
    tools.zig,
    zigBuild("test-build", "-Dllvm", ...options),
    minutesMax,
  );
  if (built.code !== 0) throw new Error(built.output);
  console.log(`running ${relative(root, program)} under callgrind`);
  const run = await capture("valgrind", [
    ...["--tool=callgrind", "--collect-jumps=yes", `--callgrind-out-file=${out}`, program],
  ], minutesMax);
  if (!existsSync(out)) throw new Error(run.output);
}
const counts = new Map();
for (const path of given.length === 0 ? [out] : given) readCounts(path, counts);
report(counts, await readCode(program), args.includes("--lines"));
