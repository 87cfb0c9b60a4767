/** Runs one micro-benchmark on the runtime that runs this. `USAGE` says what it takes. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { RESULTS } from "../folders.ts";
import { describeMachine } from "../machine.ts";
import { numberOf, runProgram, UsageError } from "../usage.ts";
import { micros } from "./all.ts";
import { HEAD, lineOf, type Measurement } from "./measure.ts";

/** Milliseconds of one measurement; a quick one shows that it works. */
const MILLISECONDS = 300;
const QUICK_MILLISECONDS = 5;

const USAGE = `
Usage: zeolite bench db_comparison|btree_ops|page_alloc|realistic [options]

  --quick           little of everything: shows that it works, says nothing about speed
  --engines IDS     engines of db_comparison and realistic, with commas between
  --milliseconds N  time of one measurement
  --json FILE       keep the figures in a file
  --keep            keep them where "zeolite dashboard" looks for them
`;

async function run(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      quick: { type: "boolean", default: false },
      keep: { type: "boolean", default: false },
      engines: { type: "string" },
      milliseconds: { type: "string" },
      json: { type: "string" },
    },
  });
  const [name = "", ...more] = positionals;
  const micro = micros[name];
  if (micro === undefined || more.length > 0) {
    const names = Object.keys(micros).join(", ");
    throw new UsageError(`Cannot measure "${positionals.join(" ")}": name one of ${names}`);
  }
  const usual = values.quick ? QUICK_MILLISECONDS : MILLISECONDS;
  const milliseconds = numberOf("milliseconds", values.milliseconds) ?? usual;
  if (values.json !== undefined) mkdirSync(dirname(values.json), { recursive: true });
  const machine = describeMachine(".");
  const { runtime, runtimeTitle, runtimeVersion } = machine;
  console.log(`${name}: ${micro.title}; ${runtimeTitle} ${runtimeVersion}\n${HEAD}`);
  const measurements: Measurement[] = [];
  const engines = values.engines?.split(",");
  await micro.run({ isQuick: values.quick, milliseconds, engines }, (measurement) => {
    measurements.push(measurement);
    console.log(lineOf(measurement));
  });
  const kept = { name, title: micro.title, machine, measurements };
  const text = `${JSON.stringify(kept, null, 2)}\n`;
  if (values.json !== undefined) writeFileSync(values.json, text);
  if (values.keep) {
    mkdirSync(RESULTS, { recursive: true });
    writeFileSync(join(RESULTS, `${name}-${runtime}.json`), text);
  }
  // An engine's threads would keep it waiting.
  process.exit(0);
}

/** Runs what the command line asks for. */
export async function main(args: readonly string[]): Promise<void> {
  await runProgram(USAGE, args, run);
}

if (import.meta.main) await main(process.argv.slice(2));
