/**
 * Space: a store that is overwritten steadily stays as large as it soon was.
 * `test/children/overwrite.ts` runs the same with as many puts as one likes.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { overwrite } from "./children/overwrite.ts";
import { Folder } from "./Peer.ts";

/** A tenth of the full count, over a tenth of its keys, with a tenth of the log. */
const SCALE = { keys: 10_000, puts: 1_000_000, first: 100_000, checkpointBytes: 1 << 20 } as const;

test("space: steady overwriting keeps the file at twice its first size or less", async (t) => {
  using folder = new Folder();
  const { firstSize, size, check } = await overwrite(folder.file("store"), SCALE);
  t.diagnostic(`after ${SCALE.first} puts ${firstSize} bytes, after ${SCALE.puts} ${size}`);
  assert.ok(size <= 2 * firstSize, `${firstSize} -> ${size} bytes`);
  assert.deepEqual(check.errors, []);
  assert.equal(check.entries, SCALE.keys);
});
