/**
 * Runs one micro-benchmark on the runtime that runs this.
 *
 * Usage: main.ts db_comparison|btree_ops|page_alloc|realistic [--quick] [--engines IDS]
 *          [--milliseconds N] [--json FILE]
 */
import { writeFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { describeMachine } from "../machine.ts";
import { btreeOps } from "./btree_ops.ts";
import { dbComparison } from "./db_comparison.ts";
import { HEAD, lineOf, type Measurement, type Micro } from "./measure.ts";
import { pageAlloc } from "./page_alloc.ts";
import { realistic } from "./realistic.ts";

const micros: Readonly<Record<string, Micro>> = {
  db_comparison: dbComparison,
  btree_ops: btreeOps,
  page_alloc: pageAlloc,
  realistic,
};

/** Milliseconds of one measurement; a quick one shows that it works. */
const MILLISECONDS = 300;
const QUICK_MILLISECONDS = 5;

const { values, positionals } = parseArgs({
  args: process.argv.slice(2),
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    engines: { type: "string" },
    milliseconds: { type: "string" },
    json: { type: "string" },
  },
});

const [name = ""] = positionals;
const micro = micros[name];
if (micro === undefined) {
  const names = Object.keys(micros).join(", ");
  throw new Error(`Cannot measure "${name}": micro-benchmarks are ${names}`);
}
const machine = describeMachine(".");
const { runtimeTitle, runtimeVersion } = machine;
console.log(`${name}: ${micro.title}; ${runtimeTitle} ${runtimeVersion}\n${HEAD}`);
const measurements: Measurement[] = [];
const usual = values.quick ? QUICK_MILLISECONDS : MILLISECONDS;
await micro.run({
  isQuick: values.quick,
  milliseconds: Number(values.milliseconds ?? usual),
  engines: values.engines?.split(","),
}, (measurement) => {
  measurements.push(measurement);
  console.log(lineOf(measurement));
});
if (values.json !== undefined) {
  const kept = { name, title: micro.title, machine, measurements };
  writeFileSync(values.json, `${JSON.stringify(kept, null, 2)}\n`);
}
process.exit(0);
