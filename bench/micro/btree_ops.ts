/**
 * The tree alone, by page size and width of vectors: search in a page of n keys, a get from the
 * root, a cursor's step, a new key into a leaf with room and into a full one, every key deleted.
 * The pages that a turn made or gave back are counted.
 */
import { type Case, Layers } from "./layers.ts";
import type { Micro } from "./measure.ts";

const PAGE_SIZES = [512, 1024, 4096, 16384, 65536];
const QUICK_PAGE_SIZES = [4096];
/** Keys in one page. */
const KEY_COUNTS = [4, 30, 120, 480];
const ENTRIES = 100_000;
const QUICK_ENTRIES = 2000;
const WRITES = ["insert_fit", "insert_split", "delete"] as const;

function* casesOf(layers: Layers, isQuick: boolean): Generator<Case> {
  const entries = isQuick ? QUICK_ENTRIES : ENTRIES;
  for (const pageSize of isQuick ? QUICK_PAGE_SIZES : PAGE_SIZES) {
    for (const [width, name] of layers.widths()) {
      const words = `page ${pageSize}, ${name}`;
      for (const count of KEY_COUNTS) {
        const variant = `${words}, ${count} keys`;
        yield { operation: "search", pageSize, count, width, variant };
      }
      yield { operation: "get", pageSize, count: entries, width, variant: words };
      yield { operation: "cursor", pageSize, count: entries, width, variant: words };
      for (const operation of WRITES) {
        yield { operation, pageSize, count: 0, width, variant: words };
      }
    }
  }
}

export const btreeOps: Micro = {
  title: "the tree, without JavaScript, log and locks",
  async run(settings, report) {
    const layers = new Layers();
    for (const wanted of casesOf(layers, settings.isQuick)) {
      const measured = await layers.measure(wanted, settings);
      if (measured !== undefined) report(measured);
    }
  },
};
