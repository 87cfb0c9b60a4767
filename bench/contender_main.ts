/**
 * The process of one engine, or of the floors: does what it is told on its standard input, a line
 * of JSON each, and answers each with a line. Whatever else an engine prints is no answer.
 *
 * Usage: contender_main.ts ENGINE|floor FOLDER SIZES
 */
import { openSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { findEngines } from "./engines/all.ts";
import { failureOf } from "./engines/engine.ts";
import type { Sizes } from "./sizes.ts";
import { Stores } from "./stores.ts";
import { workloadOf } from "./workloads/all.ts";
import type { Session, Workload } from "./workloads/workload.ts";

/** What this process is told to do. */
export type Order =
  | { readonly do: "begin"; readonly workload: string }
  | { readonly do: "run"; readonly round: number; readonly part: string }
  | { readonly do: "end" }
  | { readonly do: "mark"; readonly index: number };

/** What an answer begins with. */
export const ANSWER = "@@";
/** Files with this in their name exist nowhere: trying to open one leaves a mark in a trace. */
export const MARK = "zeolite-bench-mark-";
/** The id of the process that measures the machine itself. */
export const FLOOR = "floor";

function mark(index: number): void {
  try {
    openSync(`/${MARK}${index}`, "r");
  } catch {
    // It is not there; that it was looked for is in the trace.
  }
}

/** Makes the sessions of a workload, by the name of the contender. */
type Begin = (workload: Workload) => Promise<Map<string, Session>>;

function beginFloors(folder: string, sizes: Sizes): Begin {
  return async ({ floors = [] }) => {
    const sessions = new Map<string, Session>();
    for (const floor of floors) {
      sessions.set(floor.name, await floor.begin(folder, sizes));
    }
    return sessions;
  };
}

function beginEngine(id: string, stores: Stores, sizes: Sizes): Begin {
  return async ({ begin }) => new Map([[id, await begin!({ stores, sizes })]]);
}

/** Does what it is told. */
class Player {
  readonly #begin: Begin;
  /** Null for the floors. */
  readonly #stores: Stores | null;
  /** Whether the system calls are counted, so that none may be made but the engine's. */
  readonly #isCounting: boolean;
  #sessions: Map<string, Session> = new Map();
  #isWriting = false;

  constructor(begin: Begin, stores: Stores | null, isCounting: boolean) {
    this.#begin = begin;
    this.#stores = stores;
    this.#isCounting = isCounting;
  }

  #settle(): void {
    // What settles the disk would be counted as a flush of the engine.
    if (!this.#isCounting) this.#stores?.settle();
  }

  /** Carries out an order; its result. */
  async obey(order: Order): Promise<unknown> {
    switch (order.do) {
      case "begin": {
        const workload = workloadOf(order.workload);
        this.#isWriting = workload.isWriting;
        this.#stores?.begin();
        this.#sessions = await this.#begin(workload);
        this.#settle();
        return null;
      }
      case "run": {
        if (!this.#isCounting) this.#stores?.pageIn();
        const before = process.cpuUsage();
        const measured = await this.#sessions.get(order.part)!.run(order.round);
        const { user, system } = process.cpuUsage(before);
        // Flushing a file has the disk flush even if nothing was written: 3 to 4 ms each.
        if (this.#isWriting) this.#settle();
        return {
          ...measured,
          cpu: (user + system) * 1000 / measured.operations,
        };
      }
      case "end":
        for (const session of this.#sessions.values()) await session.end();
        this.#sessions.clear();
        this.#settle();
        return null;
      case "mark":
        return mark(order.index);
    }
  }
}

async function makePlayer(
  id: string,
  folder: string,
  sizes: Sizes,
): Promise<Player> {
  const { isCounting } = sizes;
  if (id === FLOOR) return new Player(beginFloors(folder, sizes), null, isCounting);
  const { engines, absent } = await findEngines([id]);
  const [engine] = engines;
  if (engine === undefined) {
    throw new Error(absent[0]?.reason ?? "it is not here");
  }
  const stores = new Stores(engine, folder);
  return new Player(beginEngine(id, stores, sizes), stores, isCounting);
}

function answer(result: object): void {
  process.stdout.write(`${ANSWER}${JSON.stringify(result)}\n`);
}

/** Answers every line until there is none. */
async function play(id: string, folder: string, sizes: Sizes): Promise<void> {
  let player: Player | undefined;
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      player ??= await makePlayer(id, folder, sizes);
      answer({ result: await player.obey(JSON.parse(line) as Order) ?? null });
    } catch (error) {
      answer({ error: failureOf(error) });
    }
  }
  // An engine's threads may hold the process.
  process.exit(0);
}

/** Plays what the command line names. */
export async function main(args: readonly string[]): Promise<void> {
  const [id = "", folder = "", sizes = ""] = args;
  await play(id, folder, JSON.parse(sizes) as Sizes);
}

if (import.meta.main) await main(process.argv.slice(2));
