/**
 * LMDB itself over FFI: the `liblmdb` of the system, its defaults but for a map of 64 GiB, one
 * commit a put. It has no put that can be awaited.
 */
import type { Finder } from "./engine.ts";
import { findRival, libraryAt } from "./rival.ts";

/** LMDB. */
export const nativeLmdb: Finder = {
  id: "native-lmdb",
  name: "LMDB (native)",
  find() {
    return findRival({
      id: "native-lmdb",
      name: "LMDB (native)",
      library: libraryAt("zig-out/lib", "rivals"),
      build: "npm run bench builds it",
      prefix: "rival_lmdb_",
      options: { flushed: "defaults", unflushed: "MDB_NOSYNC" },
    });
  },
};
