/** A Worker that has a store open and works on it when it is told to, beside others. */
import { Random } from "../data.ts";
import { findEngines } from "../engines/all.ts";
import { failureOf, type OpenStore } from "../engines/engine.ts";
import { SCAN_ROWS, type Sizes } from "../sizes.ts";
import { contents } from "../stores.ts";
import { type Measured, timeCalls } from "../timing.ts";
import { mixing } from "./mixed.ts";

/** What it is told. */
export type Task =
  | {
    readonly do: "open";
    readonly engine: string;
    readonly path: string;
    readonly sizes: Sizes;
  }
  | { readonly do: "run"; readonly seed: number }
  | { readonly do: "close" };

/** What it answers. */
export interface Answer {
  readonly result?: Measured | null;
  readonly error?: string;
}

/** The part of a Worker's scope that is used here. */
interface Scope {
  onmessage: (event: MessageEvent<Task>) => void;
  postMessage(answer: Answer): void;
}

const scope = globalThis as unknown as Scope;
let store: OpenStore | undefined;
let sizes: Sizes | undefined;

async function obey(task: Task): Promise<Measured | null> {
  switch (task.do) {
    case "open": {
      const { engines } = await findEngines([task.engine]);
      sizes = task.sizes;
      const valueSize = contents.mixed(sizes).values.sizeMax;
      store = await engines[0]!.open(task.path, { durability: "unflushed", valueSize });
      return null;
    }
    case "run": {
      const filled = contents.mixed(sizes!);
      return await timeCalls(
        mixing(store!, filled, new Random(task.seed), SCAN_ROWS),
        2 * sizes!.shortMs,
      );
    }
    case "close":
      await store!.close();
      return null;
  }
}

scope.onmessage = async ({ data }) => {
  try {
    scope.postMessage({ result: await obey(data) });
  } catch (error) {
    scope.postMessage({ error: failureOf(error) });
  }
};
