/** Profiles a workload on the runtime that runs this. `USAGE` says what it takes. */
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { RESULTS } from "../folders.ts";
import { numberOf, runProgram, UsageError } from "../usage.ts";
import { profile } from "./profile.ts";

const USAGE = `
Usage: zeolite profile [WORKLOAD] [options]

WORKLOAD is one of "zeolite bench" (default get_random; a wrong one lists them all), or one of the
micro-benchmarks: db_comparison, btree_ops, page_alloc, realistic.

  --seconds N   how long each run of it lasts (5)
  --out FOLDER  where flame graphs, figures and apply.sh go
  --quick       a small store: shows that it works
`;

async function run(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      seconds: { type: "string", default: "5" },
      out: { type: "string", default: join(RESULTS, "profile") },
      quick: { type: "boolean", default: false },
    },
  });
  const [name = "get_random", ...more] = positionals;
  if (more.length > 0) {
    throw new UsageError(`Cannot profile ${more[0]} as well: name one workload`);
  }
  const found = await profile({
    workload: name,
    seconds: numberOf("seconds", values.seconds, "any")!,
    folder: values.out,
    isQuick: values.quick,
    tell: (doing) => console.error(`profile: ${doing}`),
  });
  for (const [title, all] of Object.entries(found.hottest)) {
    console.log(title);
    for (const { name, share } of all) {
      console.log(`  ${(share * 100).toFixed(1).padStart(5)} %  ${name}`);
    }
  }
  for (const { found: what, advice } of found.suggestions) console.log(`- ${what}: ${advice}`);
  for (const reason of found.missing) console.log(`not measured: ${reason}`);
  for (const file of found.files) console.log(file);
}

/** Runs what the command line asks for. */
export async function main(args: readonly string[]): Promise<void> {
  await runProgram(USAGE, args, run);
}

if (import.meta.main) await main(process.argv.slice(2));
