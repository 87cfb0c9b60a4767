/** The suite as `zeolite` runs it: each command is a script in a process of its own. */
import { spawn } from "node:child_process";
import { currentRuntime, scriptCommand } from "../ffi/runtimes.ts";
import type { Suite, SuiteCommand } from "../src/cli/suite.ts";

/** Runs a script with what follows the command; its exit code. */
function command(path: string): SuiteCommand {
  return (args) => {
    const runtime = currentRuntime();
    const more = runtime.name === "deno" ? ["--unstable-kv", "--no-check"] : [];
    const [program, ...first] = scriptCommand(new URL(path, import.meta.url), runtime, more);
    return new Promise((resolve, reject) => {
      const child = spawn(program, [...first, ...args], { stdio: "inherit" });
      child.on("error", reject);
      child.on("close", (code) => resolve(code ?? 1));
    });
  };
}

/** What `bench` can be told to run alone. */
const MICROS = ["db_comparison", "btree_ops", "page_alloc", "realistic"];

const whole = command("main.ts");
const micro = command("micro/micro_main.ts");

/** Every command of it. */
export const suite: Suite = {
  bench: (args) => args.some((arg) => MICROS.includes(arg)) ? micro(args) : whole(args),
  profile: command("profile/profile_main.ts"),
  dashboard: command("dashboard/dashboard_main.ts"),
};
