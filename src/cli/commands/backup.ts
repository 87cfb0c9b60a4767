/** `zeolite backup`: copies a store while others go on writing. */
import { stat } from "node:fs/promises";
import type { Command } from "commander";
import { readStore } from "../access.ts";
import { declare, required, run } from "../command.ts";
import { stopIfInterrupted } from "../interrupt.ts";
import { size, type TerminalOptions } from "../terminal.ts";

interface Options extends TerminalOptions {
  readonly compact?: boolean;
}

/** Adds the command. */
export function addBackup(program: Command): void {
  const command = declare(program, {
    usage: "backup <store> <file>",
    summary: "Copy a store while others go on writing.",
    details: "The copy is one file, and a store itself.",
    examples: [
      "zeolite backup cities.zeolite cities-copy.zeolite",
      "zeolite backup cities.zeolite small.zeolite --compact",
    ],
  }).option("-c, --compact", "only pages in use, in the order of keys");
  run<Options>(command, async (terminal, args, options) => {
    const [path, target] = [required(args, 0), required(args, 1)];
    await readStore(path, async (store) => {
      const bar = terminal.bar("backup", "bytes");
      try {
        await store.backup(target, {
          compact: options.compact ?? false,
          onProgress(done, total) {
            stopIfInterrupted();
            bar.update(done, total);
          },
        });
      } finally {
        bar.stop();
      }
    });
    const bytes = (await stat(target)).size;
    if (terminal.isJson) terminal.result({ path: target, size: bytes }, () => []);
    else terminal.note(`copied to ${target}, ${size(bytes)}`);
  });
}
