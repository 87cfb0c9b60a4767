/**
 * Free space alone, half of it free in runs of 32 pages, by the size of the file: one page, 64 at
 * once, 16 in a row, and giving back one page and 16 in a row, with their share of the commit; and
 * a page of a transaction, made and given back, by page size. Free space counts pages, whatever
 * their size, and looks at bits, not keys: it has no vectors of its own.
 */
import { type Case, Layers } from "./layers.ts";
import type { Micro } from "./measure.ts";

const PAGE_COUNTS = [10_000, 100_000, 1_000_000];
const QUICK_PAGE_COUNTS = [10_000];
const PAGE_SIZES = [512, 1024, 4096, 16384, 65536];
const QUICK_PAGE_SIZES = [4096];
const OPERATIONS = [
  "allocate",
  "allocate_group",
  "allocate_run",
  "release",
  "release_run",
] as const;

function* casesOf(isQuick: boolean): Generator<Case> {
  for (const count of isQuick ? QUICK_PAGE_COUNTS : PAGE_COUNTS) {
    for (const operation of OPERATIONS) {
      yield { operation, pageSize: 4096, count, variant: `${count} pages` };
    }
  }
  for (const pageSize of isQuick ? QUICK_PAGE_SIZES : PAGE_SIZES) {
    yield { operation: "page_create", pageSize, count: 0, variant: `page ${pageSize}` };
  }
}

export const pageAlloc: Micro = {
  title: "free space and pages of a transaction, alone",
  async run(settings, report) {
    const layers = new Layers();
    for (const wanted of casesOf(settings.isQuick)) {
      const measured = await layers.measure(wanted, settings);
      if (measured !== undefined) report(measured);
    }
  },
};
