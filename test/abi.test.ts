/**
 * The boundary between the library and JavaScript: that both were made from the same declarations,
 * that each code has its public name, that layouts and areas are whole, and that a library which is
 * missing, foreign or stale is refused with words that help.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { codes, fingerprint, functions, limits, openOptionsLayout } from "../ffi/abi.ts";
import { loadNative } from "../ffi/library.ts";
import { type CodeName, codeName, LibraryError, type Row } from "../ffi/native.ts";
import { currentRuntime, otherRuntime, type Runtime } from "../ffi/runtimes.ts";
import { codeOf, errorOf, type ZeoliteCode } from "../src/error.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const rows: readonly (readonly [string, Row])[] = Object.entries(functions);
let folder = "";

before(() => {
  folder = mkdtempSync(join(tmpdir(), "zeolite-abi-"));
});

after(() => {
  rmSync(folder, { recursive: true });
});

/** The error of loading a library, which must be refused. */
function refusalOf(path: string): LibraryError {
  try {
    loadNative(path);
  } catch (error) {
    assert.ok(error instanceof LibraryError, String(error));
    assert.equal(error.code, "ZEOLITE_LIBRARY");
    assert.match(error.message, /^Cannot load the Zeolite library: /);
    return error;
  }
  throw new assert.AssertionError({ message: `${path} was loaded` });
}

/** Builds a library that exports nothing but one function, called `symbol`. */
function buildForeign(symbol: string): string {
  const source = join(folder, `${symbol}.zig`);
  const library = join(folder, `lib${symbol}.so`);
  writeFileSync(source, `export fn ${symbol}() callconv(.c) i32 { return 7; }\n`);
  const zig = join(root, "node_modules/@zigc", `${process.platform}-${process.arch}`, "bin/zig");
  const caches = ["--cache-dir", folder, "--global-cache-dir", join(root, ".zig-cache/global")];
  const options = ["-dynamic", "-O", "ReleaseSmall", "-fno-compiler-rt", `-femit-bin=${library}`];
  const { status, stderr } = spawnSync(zig, ["build-lib", ...options, ...caches, source], {
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  return library;
}

/** Loads the library in another process; what that prints. */
function loadElsewhere(command: readonly string[], environment: Record<string, string>): string {
  const script = join(folder, "load.ts");
  const library = new URL("../ffi/library.ts", import.meta.url).href;
  writeFileSync(
    script,
    `import { loadNative } from ${JSON.stringify(library)};
try {
  console.log("loaded", loadNative().path);
} catch (error) {
  console.log((error as Error).message);
}
`,
  );
  const [program = "", ...options] = command;
  const env = { ...process.env, ...environment };
  const { stdout, stderr } = spawnSync(program, [...options, script], { encoding: "utf8", env });
  assert.notEqual(stdout, "", stderr);
  return stdout;
}

function runtimeCalled(name: Runtime["name"]): Runtime | undefined {
  return [currentRuntime(), otherRuntime()].find((runtime) => runtime?.name === name);
}

test("library has the fingerprint of abi.ts", () => {
  const native = loadNative();
  assert.equal(native.call.fingerprint(), fingerprint);
  assert.equal(loadNative(), native);
});

test("library exports every function of abi.ts", () => {
  const { call } = loadNative();
  for (const name of Object.keys(functions)) {
    assert.equal(typeof call[name as keyof typeof functions], "function", name);
  }
});

test("functions take and give words of the boundary only", () => {
  for (const [name, row] of rows) {
    assert.match(name, /^[a-z]+(_[a-z]+)*$/);
    for (const [, word] of row.parameters) assert.match(word, /^(u32|f64|buffer)$/, name);
    assert.match(row.result, /^(i32|f64|void|pointer)$/, name);
  }
});

test("each buffer is followed by its size", () => {
  for (const [name, row] of rows) {
    row.parameters.forEach(([parameter, word], index) => {
      if (word !== "buffer") return;
      const [size = "", sizeWord] = row.parameters[index + 1] ?? [];
      assert.ok(size === "size" || size === `${parameter}_size`, `${name}: ${size}`);
      assert.equal(sizeWord, "u32", name);
    });
  }
});

test("codes are negative, unique, and each is a code of the contract", () => {
  const seen = new Set<number>();
  for (const [name, code] of Object.entries(codes)) {
    assert.ok(code.number < 0, name);
    assert.ok(!seen.has(code.number), name);
    seen.add(code.number);
    // A name outside the contract would not compile.
    const known: ZeoliteCode = code.name satisfies CodeName;
    assert.equal(codeName(code.number), known);
    assert.equal(codeOf(errorOf(known, "Cannot test: nothing")), known);
  }
  assert.equal(codeName(0), undefined);
  assert.equal(codeName(-1000), undefined);
});

test("OpenOptions has the layout that src fills", () => {
  const sizes: Record<string, number> = { u32: 4, f64: 8 };
  let end = 0;
  for (const [name, { type, offset, size }] of Object.entries(openOptionsLayout.fields)) {
    assert.equal(offset, end, name);
    assert.equal(size, sizes[type] ?? size, name);
    assert.equal(offset % (sizes[type] ?? 1), 0, name);
    end = offset + size;
  }
  assert.equal(end, openOptionsLayout.size);
  assert.equal(openOptionsLayout.size, 128);
  assert.equal(openOptionsLayout.fields.max_size.offset, 16);
  assert.equal(openOptionsLayout.fields.codec_name.offset, 48);
});

test("areas of the scratch follow each other and fill it", () => {
  assert.equal(limits.word_count * 8, limits.key_a_offset);
  assert.equal(limits.key_a_offset + limits.key_area_size, limits.key_b_offset);
  assert.equal(limits.key_b_offset + limits.key_area_size, limits.data_offset);
  assert.equal(limits.data_offset + limits.data_size, limits.scratch_size);
});

test("a stale library is refused by name, with both fingerprints", () => {
  const path = buildForeign("zeolite_fingerprint");
  const { message } = refusalOf(path);
  assert.ok(message.includes(`${path} is a stale library`), message);
  assert.ok(message.includes(`fingerprint is 7, this program needs ${fingerprint}`), message);
  assert.match(message, /npm run build/);
});

test("a library of something else is refused", () => {
  const path = buildForeign("something_else");
  assert.match(refusalOf(path).message, /is no Zeolite library; point ZEOLITE_LIBRARY at one/);
});

test("a file that is no library is refused", () => {
  const path = join(folder, "text.so");
  writeFileSync(path, "not a library");
  assert.match(refusalOf(path).message, /does not load here: .*; build it on this machine/);
});

test("a missing library is refused, saying where it was sought", () => {
  const path = join(folder, "missing.so");
  const { message } = refusalOf(path);
  assert.ok(message.includes(`none that fits at ${path}; build it`), message);
});

test("the library that was loaded stays after a refusal", () => {
  const native = loadNative();
  refusalOf(join(folder, "missing.so"));
  assert.equal(loadNative(), native);
});

test("ZEOLITE_LIBRARY chooses the library, on both runtimes", () => {
  const chosen = loadNative().path;
  for (const runtime of [currentRuntime(), otherRuntime()]) {
    if (runtime === undefined) continue;
    const found = loadElsewhere(runtime.command, { ZEOLITE_LIBRARY: chosen });
    assert.equal(found, `loaded ${chosen}\n`);
    const missing = loadElsewhere(runtime.command, { ZEOLITE_LIBRARY: "/nowhere/x.so" });
    assert.match(missing, /none that fits at \/nowhere\/x\.so/);
  }
});

test("a missing permission is named", (context) => {
  const program = runtimeCalled("deno")?.command[0];
  if (program === undefined) return context.skip("Deno is not found");
  const command = [program, "run", "--quiet", "--no-prompt", "--allow-read"];
  const text = loadElsewhere(command, {});
  assert.match(text, /runs without the permission to; add --allow-ffi=\S+libzeolite/);
});
