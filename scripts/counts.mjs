/**
 * Reads how many tests passed, failed and were skipped from the outputs of the three runners.
 * An output without a summary, as of a crash or a compile error, counts as one failure: nothing that
 * went wrong may count as nothing.
 */

function sum(text, pattern) {
  let total = 0;
  for (const match of text.matchAll(pattern)) total += Number(match[1]);
  return total;
}

/** The counts of a run, at least one failure if it ended with another code than 0. */
function counts(code, passed, failed, skipped) {
  const isEmpty = passed + failed + skipped === 0;
  return { passed, failed: failed === 0 && (code !== 0 || isEmpty) ? 1 : failed, skipped };
}

/** A check that passes or fails as a whole. */
export function countCheck({ code }) {
  return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 };
}

/** `zig build test --summary all`: "12/14 tests passed (1 skipped, 1 failed)". */
export function countZig({ code, output }) {
  const summary = /; (\d+)\/(\d+) tests passed(?: \(([^)]*)\))?/.exec(output);
  if (summary === null) return counts(code, 0, 0, 0);
  const [, passed, total, rest = ""] = summary;
  const skipped = sum(rest, /(\d+) skipped/g);
  return counts(code, Number(passed), Number(total) - Number(passed) - skipped, skipped);
}

/** `bun test`: lines " 12 pass", " 1 skip", " 1 todo", " 0 fail". */
export function countBun({ code, output }) {
  const skipped = sum(output, /^ *(\d+) skip$/gm) + sum(output, /^ *(\d+) todo$/gm);
  return counts(code, sum(output, /^ *(\d+) pass$/gm), sum(output, /^ *(\d+) fail$/gm), skipped);
}

/** `deno test`: "ok | 12 passed (3 steps) | 0 failed | 1 ignored (2s)". */
export function countDeno({ code, output }) {
  const lines = output.split("\n").filter((line) => /^(ok|FAILED) \| /.test(line));
  const summary = lines.at(-1) ?? "";
  const passed = sum(summary, /(\d+) passed/g);
  return counts(code, passed, sum(summary, /(\d+) failed/g), sum(summary, /(\d+) ignored/g));
}

/** A line that only says that a test passed or was skipped, or which file comes next. */
const quiet =
  /^(?:\(pass\) |\(skip\) |running \d+ tests? from |.* \.\.\. (?:ok|ignored)(?: \(.*\))?$|.*\.test\.ts:$)/;

/**
 * What a reader of a failed run looks for: its output without the lines of the tests that passed, so that
 * the failure is seen even where only the beginning of a log is kept.
 */
export function withoutPassed(output) {
  return output.split("\n").filter((line) => !quiet.test(line)).join("\n").trim();
}

/** How a runner names a test that failed, in its own words. */
const failed = [
  /^\(fail\) (.+?)(?: \[[\d.]+ ?m?s\])?$/,
  /^(.+?) \.\.\. FAILED(?: \(.*\))?$/,
  /^error: '(.+)' (?:failed|timed out|terminated).*$/,
];

/** The most lines before the name of a failed test that are taken for what it said. */
const saidMax = 60;

/**
 * The names of the tests that failed and, where a runner prints what a test said before its name, that:
 * it stands first in a report, because a log may be cut anywhere behind its beginning.
 */
export function failures(output) {
  const lines = output.split("\n");
  const found = [];
  let begin = 0;
  lines.forEach((line, index) => {
    const name = failed.map((pattern) => pattern.exec(line)?.[1]).find((text) =>
      text !== undefined
    );
    if (name !== undefined) {
      const said = lines.slice(Math.max(begin, index - saidMax), index);
      found.push({ name, said: line.startsWith("(fail) ") ? said.join("\n").trim() : "" });
    }
    if (name !== undefined || quiet.test(line)) begin = index + 1;
  });
  return found;
}
