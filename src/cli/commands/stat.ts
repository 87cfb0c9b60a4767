/** `zeolite stat`: what a store, or one table, takes and where it stands. */
import type { Command } from "commander";
import type { StoreStats, TableStats } from "../../mod.ts";
import { findTable, readStore } from "../access.ts";
import { declare, required, run, type TableChoice, withTable } from "../command.ts";
import { columns, count, size, type TerminalOptions } from "../terminal.ts";

function tableRows(stats: TableStats): [string, string][] {
  return [
    ["entries", count(stats.entries)],
    ["depth", count(stats.depth)],
    ["branch pages", count(stats.branchPages)],
    ["leaf pages", count(stats.leafPages)],
    ["overflow pages", count(stats.overflowPages)],
  ];
}

function storeRows(stats: StoreStats): [string, string][] {
  return [
    ["page size", size(stats.pageSize)],
    ["file", `${size(stats.fileSize)}, ${size(stats.allocatedSize)} allocated`],
    ["log", size(stats.logSize)],
    ["free pages", count(stats.freePages)],
    ["pages kept by readers", count(stats.retainedPages)],
    ["named tables", count(stats.tables)],
    ["last commit", count(stats.txnid)],
    ["flushed up to", count(stats.flushedTxnid)],
    ["checkpoint", count(stats.checkpointTxnid)],
    ...tableRows(stats).map(([name, value]): [string, string] => [`unnamed table: ${name}`, value]),
  ];
}

/** Adds the command. */
export function addStat(program: Command): void {
  const command = withTable(declare(program, {
    usage: "stat <store>",
    summary: "Print sizes and numbers of a store, or of one table.",
    examples: ["zeolite stat cities.zeolite", "zeolite stat photos.zeolite --table thumbs --json"],
  }));
  run<TerminalOptions & TableChoice>(command, async (terminal, args, options) => {
    await readStore(required(args, 0), (store) => {
      if (options.table === undefined) {
        const stats = store.stats();
        terminal.result(stats, () => columns(storeRows(stats)));
      } else {
        const stats = findTable(store, options.table).table.stats();
        terminal.result(stats, () => columns(tableRows(stats)));
      }
    });
  });
}
