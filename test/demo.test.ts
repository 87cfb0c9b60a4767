/**
 * The demo, as `npm run demo` runs it: it succeeds in time, each of its checks was made, and it
 * leaves nothing behind.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runCli } from "./runCli.ts";

interface Outcome {
  readonly ok: boolean;
  readonly seconds: number;
  readonly checks: readonly { readonly text: string; readonly ok: boolean }[];
  readonly rates: Readonly<Record<string, number>>;
}

/** Folders that demos have left in the clone. */
function leftovers(): readonly string[] {
  const parent = join(fileURLToPath(new URL("../", import.meta.url)), ".demo");
  return existsSync(parent) ? readdirSync(parent) : [];
}

test("demo: verifies all it shows, in time, and leaves nothing", async () => {
  const before = leftovers();
  const { code, stdout, stderr } = await runCli(["demo", "--json"]);
  assert.equal(code, 0, stderr + stdout);
  const { ok, seconds, checks, rates } = JSON.parse(stdout) as Outcome;
  assert.deepEqual(checks.filter((check) => !check.ok), []);
  assert.equal(ok, true);
  assert.ok(checks.length >= 15);
  assert.ok(seconds < 60);
  assert.ok(Object.values(rates).every((rate) => rate > 0));
  assert.deepEqual(leftovers(), before);
});
