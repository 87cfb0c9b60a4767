/**
 * RocksDB over FFI: the `librocksdb` of the system. The log is always written; `sync` says whether
 * a commit waits for its flush. No compression, 256 MiB of block cache, 64 MiB of write buffer,
 * Bloom filters of 10 bits. It has no put that can be awaited, so writers of one thread share no
 * flush. Debian builds the library with its assertions on.
 */
import type { Finder } from "./engine.ts";
import { findRival, libraryAt } from "./rival.ts";

/** RocksDB. */
export const nativeRocksdb: Finder = {
  id: "native-rocksdb",
  name: "RocksDB (native)",
  find() {
    return findRival({
      id: "native-rocksdb",
      name: "RocksDB (native)",
      library: libraryAt("zig-out/lib", "rivals"),
      build: "npm run bench builds it",
      prefix: "rival_rocksdb_",
      options: { flushed: "sync", unflushed: "no sync, log written" },
    });
  },
};
