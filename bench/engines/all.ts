/**
 * Every engine that might be here, in the order of the tables. A new one is a file in this folder
 * and a line in this list.
 */
import { UsageError } from "../usage.ts";
import { denokv } from "./denokv.ts";
import { type Absent, type Engine, failureOf, type Finder } from "./engine.ts";
import { level } from "./level.ts";
import { lmdb } from "./lmdb.ts";
import { nativeLmdb } from "./native-lmdb.ts";
import { nativeRocksdb } from "./native-rocksdb.ts";
import { redb } from "./redb.ts";
import { sqlite } from "./sqlite.ts";
import { exclusive, zeolite } from "./zeolite.ts";

const finders: readonly Finder[] = [
  zeolite,
  exclusive,
  lmdb,
  level,
  sqlite,
  denokv,
  nativeLmdb,
  nativeRocksdb,
  redb,
];

/** The engines that were found, and those that were not. */
export interface Found {
  readonly engines: readonly Engine[];
  readonly absent: readonly Absent[];
}

/**
 * Looks for engines.
 *
 * @param ids Those that are wanted; all if left out.
 * @throws If an id is not one of an engine.
 */
export async function findEngines(ids?: readonly string[]): Promise<Found> {
  const known = finders.map(({ id }) => id);
  const unknown = ids?.find((id) => !known.includes(id));
  if (unknown !== undefined) {
    throw new UsageError(`Cannot measure "${unknown}": engines are ${known.join(", ")}`);
  }
  const engines: Engine[] = [];
  const absent: Absent[] = [];
  for (const finder of finders) {
    if (ids !== undefined && !ids.includes(finder.id)) continue;
    const found = await tryFind(finder);
    if (typeof found === "string") {
      absent.push({ id: finder.id, name: finder.name, reason: found });
    } else engines.push(found);
  }
  return { engines, absent };
}

async function tryFind(finder: Finder): Promise<Engine | string> {
  try {
    return await finder.find();
  } catch (error) {
    return failureOf(error);
  }
}
