/**
 * `npm test`: makes the clone ready, checks the style, runs every test in every runner, and sums up.
 * The last line is `N passed, N failed` (and `, N skipped`); the exit code is 1 if anything failed.
 * Of a part that failed, the names of the failed tests are printed first, then all that it said but the
 * lines of tests that passed; its counts are printed in any case. Before the sum stands what the tests have done, images and kills and the
 * like, against the aims of docs/trust.md; a Debug build, which tries a part of the same seeds, is
 * left out.
 *
 * Usage: node scripts/test.mjs [style|zig|bun|deno]… [-- arguments of the runner]
 */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { countBun, countCheck, countDeno, countZig, failures, withoutPassed } from "./counts.mjs";
import {
  addCounts,
  appendToLedger,
  formatTable,
  longCounts,
  readCommit,
  readCounts,
  readLedger,
} from "./ledger.mjs";
import { build, install } from "./setup.mjs";
import { capture, root, tools, zigBuild } from "./tools.mjs";

/** What takes longer hangs. */
const minutesMax = 30;

function typescriptFolders() {
  return ["src", "ffi", "test", "bench"].filter((folder) => existsSync(join(root, folder)));
}

/** Rounds follow each other; the parts of one round run two at a time. */
function rounds(extra) {
  const { zig, bun, deno, tsc } = tools;
  const check = (name, program, ...args) => ({
    group: "style",
    name,
    program,
    args,
    count: countCheck,
  });
  const zigTest = (name, step, mode) => ({
    group: "zig",
    name,
    program: zig,
    args: zigBuild(step, `-Doptimize=${mode}`, "--summary", "all", ...extra),
    count: countZig,
  });
  return [
    [
      check("zig fmt", zig, "fmt", "--check", "zig"),
      check("deno fmt", deno, "fmt", "--check"),
      check("deno lint", deno, "lint"),
      check("types in Bun", process.execPath, tsc, "-p", "."),
      check("types in Deno", deno, "check", ...typescriptFolders()),
      check("documentation", deno, "doc", "--lint", "src/mod.ts", "src/path/mod.ts"),
      check("examples", deno, "check", "--doc-only", "src"),
      check("ABI is current", zig, ...zigBuild("abi-check")),
      check("tidy", zig, ...zigBuild("tidy")),
      check("native benchmarks compile", zig, ...zigBuild("bench-check")),
      zigTest("zig, simulated, Debug", "test", "Debug"),
      zigTest("zig, simulated, ReleaseSafe", "test", "ReleaseSafe"),
      zigTest("zig, this machine, Debug", "test-native", "Debug"),
    ],
    [{
      group: "bun",
      name: "bun test",
      program: bun,
      args: ["test", "--timeout=600000", ...extra],
      count: countBun,
    }],
    [{
      group: "deno",
      name: "deno test",
      program: deno,
      args: ["test", "--allow-all", "--no-check", ...extra],
      count: countDeno,
    }],
  ];
}

async function runPart(part) {
  const begin = performance.now();
  const result = await capture(part.program, part.args, minutesMax);
  const seconds = (performance.now() - begin) / 1000;
  const work = /Debug/.test(part.name) ? {} : readCounts(result.output);
  const done = { ...part, ...part.count(result), seconds, work };
  done.failures = done.failed === 0 ? [] : failures(result.output);
  report(done, result);
  return done;
}

/** Prints a part as it ends: one line, and what it said if it failed. */
function report(
  { name, program, args, passed, failed, skipped, seconds, failures },
  { code, signal, output },
) {
  const counted = `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
  console.log(
    `${failed === 0 ? "ok    " : "FAILED"} ${name}: ${counted} (${seconds.toFixed(1)} s)`,
  );
  if (failed === 0) return;
  const end = signal === null ? `exit code ${code}` : `ended by ${signal}`;
  for (const { name: test, said } of failures) {
    console.log(`failed: ${test}`);
    if (said !== "") console.log(said.replace(/^/gm, "  "));
  }
  console.log(`$ ${[program, ...args].join(" ")}\n${withoutPassed(output)}\n[${end}]\n`);
}

/** Runs the parts of a round two at a time, in their order. */
async function runRound(parts) {
  const waiting = [...parts];
  const done = [];
  const work = async () => {
    for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) {
      done.push(await runPart(part));
    }
  };
  await Promise.all([work(), work()]);
  return parts.map(({ name }) => done.find((part) => part.name === name));
}

function printTable(parts) {
  const width = Math.max(...parts.map(({ name }) => name.length));
  const cell = (value) => String(value).padStart(8);
  const head = ["passed", "failed", "skipped", "seconds"].map(cell).join("");
  console.log(`\n${"".padEnd(width)}${head}`);
  for (const { name, passed, failed, skipped, seconds } of parts) {
    const row = [passed, failed, skipped, seconds.toFixed(1)].map(cell).join("");
    console.log(`${name.padEnd(width)}${row}`);
  }
}

/** What was done, if anything was counted: a test that the build has in its cache does nothing. */
async function printWork(parts) {
  const counts = parts.reduce((sum, { work = {} }) => addCounts(sum, work), {});
  if (Object.keys(counts).length === 0) return;
  appendToLedger({ run: "commit", commit: await readCommit(), counts });
  console.log(`\n${formatTable(counts, longCounts(readLedger()))}`);
}

function printSum(parts) {
  const total = (key) => parts.reduce((all, part) => all + part[key], 0);
  const skipped = total("skipped");
  for (const { name, failures = [] } of parts) {
    for (const { name: test } of failures) console.log(`failed in ${name}: ${test}`);
  }
  const end = skipped > 0 ? `, ${skipped} skipped` : "";
  console.log(`\n${total("passed")} passed, ${total("failed")} failed${end}`);
  return total("failed") === 0;
}

function readArguments(argv) {
  const groups = ["style", "zig", "bun", "deno"];
  const wanted = argv.filter((name, index) => groups.includes(name) && index < groups.length);
  const extra = argv.filter((name) => !wanted.includes(name) && name !== "--");
  return { wanted: wanted.length > 0 ? wanted : groups, extra };
}

const { wanted, extra } = readArguments(process.argv.slice(2));
await install();
const isBuilt = await build();
const parts = [];
if (!isBuilt) parts.push({ name: "library", passed: 0, failed: 1, skipped: 0, seconds: 0 });
for (const round of rounds(extra)) {
  const needsLibrary = round.every(({ group }) => group === "bun" || group === "deno");
  if (needsLibrary && !isBuilt) continue;
  parts.push(...await runRound(round.filter(({ group }) => wanted.includes(group))));
}
rmSync(join(root, ".cache", "tmp"), { recursive: true, force: true });
printTable(parts);
await printWork(parts);
if (!printSum(parts)) process.exitCode = 1;
