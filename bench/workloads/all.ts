/** Every workload, as they run: what reads a store comes before what changes it. */
import { UsageError } from "../usage.ts";
import { commits } from "./commits.ts";
import { files } from "./files.ts";
import { floors } from "./floors.ts";
import { loads } from "./loads.ts";
import { mixed } from "./mixed.ts";
import { paths } from "./paths.ts";
import { reads } from "./reads.ts";
import { small } from "./small.ts";
import { values } from "./values.ts";
import type { Workload } from "./workload.ts";

const all: readonly Workload[] = [
  ...floors,
  ...loads,
  ...files,
  ...reads,
  ...small,
  ...values,
  ...paths,
  ...mixed,
  ...commits,
];

/**
 * Chooses workloads.
 *
 * @param names Ids of workloads or names of groups; all workloads if left out.
 * @throws If a name is neither.
 */
export function chooseWorkloads(
  names?: readonly string[],
): readonly Workload[] {
  if (names === undefined) return all;
  const isNamed = (name: string) => all.some(({ id, group }) => id === name || group === name);
  const unknown = names.find((name) => !isNamed(name));
  if (unknown !== undefined) {
    const groups = [...new Set(all.map(({ group }) => group))].join(", ");
    const ids = all.map(({ id }) => id).join(", ");
    throw new UsageError(`Cannot measure "${unknown}": groups are ${groups}; workloads are ${ids}`);
  }
  return all.filter(({ id, group }) => names.includes(id) || names.includes(group));
}

/**
 * The workload of an id.
 *
 * @throws If there is none.
 */
export function workloadOf(id: string): Workload {
  const found = all.find((workload) => workload.id === id);
  if (found !== undefined) return found;
  const ids = all.map((workload) => workload.id).join(", ");
  throw new UsageError(`Cannot measure "${id}": workloads are ${ids}`);
}
