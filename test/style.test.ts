/**
 * What the style checks of `npm run check` do not see: that the three places that name packages and
 * versions agree, that scripts name files that exist, and that the counts which `npm test` sums up
 * are read rightly from each runner.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { countBun, countCheck, countDeno, countZig, failures } from "../scripts/counts.mjs";

interface Package {
  name: string;
  version: string;
  license: string;
  exports: Record<string, string>;
  bin: Record<string, string>;
  scripts: Record<string, string>;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
}

interface DenoConfiguration {
  version: string;
  license: string;
  exports: Record<string, string>;
  imports: Record<string, string>;
}

interface Lock {
  version: string;
  packages: Record<string, { version: string }>;
}

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(new URL(`../${path}`, import.meta.url), "utf8")) as T;
}

function isThere(path: string): boolean {
  return existsSync(new URL(`../${path}`, import.meta.url));
}

const npm = readJson<Package>("package.json");
const deno = readJson<DenoConfiguration>("deno.json");
const lock = readJson<Lock>("package-lock.json");

test("package.json and deno.json describe one package", () => {
  assert.equal(deno.version, npm.version);
  assert.equal(lock.version, npm.version);
  assert.equal(deno.license, npm.license);
  assert.deepEqual(deno.exports, npm.exports);
  for (const [name, path] of Object.entries(deno.exports)) {
    assert.equal(deno.imports[name.replace(/^\./, npm.name)], path);
  }
});

test("every version is exact, and the lock file has it", () => {
  for (const [name, version] of Object.entries({ ...npm.dependencies, ...npm.devDependencies })) {
    assert.match(version, /^\d+\.\d+\.\d+$/, name);
    assert.equal(lock.packages[`node_modules/${name}`]?.version, version, name);
  }
});

test("deno.json imports the packages that package.json pins, and no others", () => {
  const found: Record<string, string> = {};
  for (const target of Object.values(deno.imports)) {
    const [, name, version] = /^npm:((?:@[^/]+\/)?[^@/]+)@([^/]+)/.exec(target) ?? [];
    if (name !== undefined && version !== undefined) found[name] = version;
  }
  assert.deepEqual(found, npm.dependencies);
});

test("scripts, commands and exports name files that exist", () => {
  for (const [name, command] of Object.entries(npm.scripts)) {
    const [program, path = ""] = command.split(" ");
    assert.equal(program, "node", name);
    assert.ok(isThere(path), `${name}: ${path}`);
  }
  for (const path of [...Object.values(npm.bin), ...Object.values(npm.exports)]) {
    assert.ok(isThere(path), path);
  }
});

test("countZig reads passed, failed and skipped", () => {
  const ok = { code: 0, output: "Build Summary: 3/3 steps succeeded; 118/118 tests passed\n" };
  assert.deepEqual(countZig(ok), { passed: 118, failed: 0, skipped: 0 });
  const mixed = "Build Summary: 1/3 steps succeeded (1 failed); 10/14 tests passed " +
    "(1 skipped, 2 failed, 1 crashed)\n";
  assert.deepEqual(countZig({ code: 1, output: mixed }), { passed: 10, failed: 3, skipped: 1 });
  const broken = { code: 1, output: "error: 1 compilation errors\n" };
  assert.deepEqual(countZig(broken), { passed: 0, failed: 1, skipped: 0 });
});

test("countBun reads passed, failed and skipped", () => {
  const output = "\n 12 pass\n 1 skip\n 2 todo\n 3 fail\nRan 18 tests across 4 files.\n";
  assert.deepEqual(countBun({ code: 1, output }), { passed: 12, failed: 3, skipped: 3 });
  const unhandled = { code: 1, output: " 12 pass\n 0 fail\n 1 error\n" };
  assert.deepEqual(countBun(unhandled), { passed: 12, failed: 1, skipped: 0 });
  assert.deepEqual(countBun({ code: 0, output: "" }), { passed: 0, failed: 1, skipped: 0 });
});

test("countDeno reads passed, failed and ignored", () => {
  const output = "a ... ok\n\nFAILED | 12 passed (3 steps) | 2 failed (1 step) | 1 ignored (2s)\n";
  assert.deepEqual(countDeno({ code: 1, output }), { passed: 12, failed: 2, skipped: 1 });
  const ok = { code: 0, output: "ok | 7 passed | 0 failed (2s)\n" };
  assert.deepEqual(countDeno(ok), { passed: 7, failed: 0, skipped: 0 });
  const crashed = { code: 139, output: "a ... ok\n" };
  assert.deepEqual(countDeno(crashed), { passed: 0, failed: 1, skipped: 0 });
});

test("countCheck counts a check as one", () => {
  assert.deepEqual(countCheck({ code: 0 }), { passed: 1, failed: 0, skipped: 0 });
  assert.deepEqual(countCheck({ code: 2 }), { passed: 0, failed: 1, skipped: 0 });
});

test("failures names the tests that failed, in each runner's words", () => {
  const bun =
    "a.test.ts:\n(pass) a [1.00ms]\n\nerror: two is not one\n(fail) b > c [2.10ms]\n 1 fail\n";
  assert.deepEqual(failures(bun), [{ name: "b > c", said: "error: two is not one" }]);
  const deno = "a ... ok (1ms)\nb ... FAILED (2ms)\n\n ERRORS \n";
  assert.deepEqual(failures(deno), [{ name: "b", said: "" }]);
  const zig = "error: 'sim.x_test.test.y' failed: expected 1\n";
  assert.deepEqual(failures(zig), [{ name: "sim.x_test.test.y", said: "" }]);
  assert.deepEqual(failures("(pass) a [1.00ms]\nc ... ok\n"), []);
});
