/** What the large store takes on the disk when it is closed, and how long opening it takes. */
import { contents } from "../stores.ts";
import { median, now } from "../timing.ts";
import { touch, type Workload } from "./workload.ts";

/** Openings of one turn. */
const OPENINGS = 5;

const size: Workload = {
  id: "size",
  title: "size on the disk, loaded in no order, closed",
  group: "files",
  operation: "bytes",
  unit: "bytes",
  isWriting: true,
  rounds: () => 1,
  async begin({ stores, sizes }) {
    const filled = contents.large(sizes);
    const store = await stores.openFilled(filled, "unflushed");
    await store.close();
    stores.settle();
    return { run: () => ({ time: stores.size(filled.name), operations: 1 }), end() {} };
  },
};

const opening: Workload = {
  id: "open",
  title: "open, and one get",
  group: "files",
  operation: "openings",
  unit: "time",
  isWriting: true,
  async begin({ stores, sizes }) {
    const filled = contents.large(sizes);
    const store = await stores.openFilled(filled, "unflushed");
    await store.close();
    return {
      async run(round) {
        const times: number[] = [];
        for (let left = OPENINGS; left > 0; left -= 1) {
          const begin = now();
          const opened = await stores.open(filled.name, "unflushed");
          touch(await opened.get(filled.keys.at(round)));
          times.push(now() - begin);
          await opened.close();
        }
        return { time: median(times), operations: OPENINGS };
      },
      end() {},
    };
  },
};

export const files: readonly Workload[] = [size, opening];
