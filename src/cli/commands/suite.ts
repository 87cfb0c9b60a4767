/** `zeolite bench`, `profile` and `dashboard`: the performance suite, where it is at hand. */
import process from "node:process";
import type { Command } from "commander";
import { EXIT_TEXT } from "../exit.ts";
import { loadSuite, type Suite } from "../suite.ts";

interface Words {
  readonly usage: string;
  readonly summary: string;
  readonly examples: readonly string[];
}

/** Adds a command whose arguments are the suite's own. */
function add(program: Command, name: keyof Suite, { usage, summary, examples }: Words): void {
  const lines = examples.map((example) => `  ${example}`).join("\n");
  program.command(`${name} ${usage}`)
    .summary(summary)
    .description(summary)
    // What it takes, the suite itself tells.
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .addHelpText("after", `\nExamples:\n${lines}\n${EXIT_TEXT}`)
    .action(
      async (_args: readonly string[], _options: unknown, command: Command) => {
        const { args } = command;
        const isHelp = args.includes("--help") || args.includes("-h");
        if (isHelp) command.outputHelp();
        const suite = await loadSuite();
        const code = await suite[name](args);
        if (code !== 0) process.exit(code);
      },
    );
}

/** Adds the three. */
export function addSuite(program: Command): void {
  add(program, "bench", {
    usage: "[arguments...]",
    summary: "Measure the store, beside its peers where they are installed.",
    examples: [
      "zeolite bench --quick",
      "zeolite bench --only reads --engines zeolite --keep",
      "zeolite bench btree_ops",
    ],
  });
  add(program, "profile", {
    usage: "[arguments...]",
    summary: "Show where the time of a workload goes, and what to do about it.",
    examples: [
      "zeolite profile get_random",
      "zeolite profile put_1m --seconds 10 --out folder",
      "zeolite profile btree_ops",
    ],
  });
  add(program, "dashboard", {
    usage: "[arguments...]",
    summary: "Make one page of all results that were kept.",
    examples: ["zeolite dashboard", "zeolite dashboard --results folder --out dashboard.html"],
  });
}
