/**
 * redb over FFI: the crate, in a small library of `bench/redb`. A commit is `Durability::Immediate`
 * or `Durability::None`; with the latter nothing of it is with the kernel for certain, and space is
 * not used again before a commit that is flushed. Its cache is what it takes by default, 1 GiB.
 */
import type { Finder } from "./engine.ts";
import { findRival, libraryAt } from "./rival.ts";

/** redb. */
export const redb: Finder = {
  id: "redb",
  name: "redb (native)",
  find() {
    return findRival({
      id: "redb",
      name: "redb (native)",
      library: libraryAt(".cache/redb/release", "zeolite_bench_redb"),
      build: "install cargo; npm run bench builds it",
      prefix: "rival_redb_",
      options: {
        flushed: "Durability::Immediate",
        unflushed: "Durability::None",
      },
    });
  },
};
