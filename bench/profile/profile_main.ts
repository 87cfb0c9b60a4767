/**
 * Profiles a workload on the runtime that runs this.
 *
 * Usage: profile_main.ts [WORKLOAD] [--seconds N] [--out FOLDER] [--quick]
 */
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { RESULTS } from "../folders.ts";
import { profile } from "./profile.ts";

/** Runs it. */
export async function main(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      seconds: { type: "string", default: "5" },
      out: { type: "string", default: join(RESULTS, "profile") },
      quick: { type: "boolean", default: false },
    },
  });
  const found = await profile({
    workload: positionals[0] ?? "get_random",
    seconds: Number(values.seconds),
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

if (import.meta.main) await main(process.argv.slice(2));
