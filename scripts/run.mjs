/**
 * The verbs of package.json's scripts but for the tests: each makes the clone ready first.
 * Usage: node scripts/run.mjs setup|build|cross|abi|fmt|demo|power-cut [arguments]
 */
import process from "node:process";
import { build, install } from "./setup.mjs";
import { runOrExit, tools, zigBuild } from "./tools.mjs";

const verbs = {
  async setup() {
    if (!await build()) process.exit(1);
  },
  async build(args) {
    if (!await build(args)) process.exit(1);
  },
  async cross(args) {
    await runOrExit(tools.zig, zigBuild("cross", ...args));
  },
  async abi() {
    await runOrExit(tools.zig, zigBuild("abi"));
  },
  async fmt() {
    await runOrExit(tools.zig, ["fmt", "zig"]);
    await runOrExit(tools.deno, ["fmt"]);
  },
  async demo(args) {
    if (!await build()) process.exit(1);
    await runOrExit(tools.bun, ["run", "src/cli/main.ts", "demo", ...args]);
  },
  async "power-cut"(args) {
    if (!await build()) process.exit(1);
    await runOrExit(tools.bun, ["run", "scripts/power_cut.ts", ...args]);
  },
};

const [name, ...args] = process.argv.slice(2);
const verb = verbs[name];
if (verb === undefined) {
  console.error(`usage: node scripts/run.mjs ${Object.keys(verbs).join("|")} [arguments]`);
  process.exit(2);
}
await install();
await verb(args);
