/**
 * Random histories of a store of paths against a plain tree of objects in memory, by two processes
 * that take turns, one on each runtime where both are here: whatever one has written the other
 * reads at once, through paths with links that either may just have changed.
 *
 * `npm test` does a part of it; ZEOLITE_PATH_STEPS sets the operations, ZEOLITE_SEED repeats a run.
 */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { openPaths, type PathStore } from "../src/path/mod.ts";
import { Opened, randomFrom } from "./Opened.ts";
import { OTHER, Peer } from "./Peer.ts";

/** Operations of the two processes together. */
const STEPS = Number(process.env["ZEOLITE_PATH_STEPS"] ?? 6000);
/** Operations that one process does in its turn. */
const TURN = 40;

/** What stands at a path in the model. */
type Node = string | Group | Link;
type Group = Map<string, Node>;

class Link {
  readonly target: readonly string[];

  constructor(target: string) {
    this.target = partsOf(target);
  }
}

function partsOf(path: string): readonly string[] {
  return path.split("/").filter((part) => part !== "");
}

class Failure extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

/** Where a path leads in the model: the group, the name in it, and what stands there. */
interface Found {
  readonly group: Group;
  readonly name: string;
  readonly node: Node | undefined;
  /** Its path without links. */
  readonly path: readonly string[];
}

/** The tree in memory: walks a path part by part, as a file system does. */
class Model {
  root: Group = new Map();

  /** Follows a path; groups that are missing are made if they are wanted. */
  find(parts: readonly string[], isFollowed: boolean, isMade: boolean): Found | undefined {
    let rest = [...parts];
    let hops = 0;
    let group = this.root;
    let path: string[] = [];
    let found: Found = { group, name: "", node: group, path };
    while (rest.length > 0) {
      const name = rest.shift()!;
      const node: Node | undefined = group.get(name);
      found = { group, name, node, path: [...path, name] };
      if (node instanceof Link && (rest.length > 0 || isFollowed)) {
        if ((hops += 1) > 32) throw new Failure("PATH_LINK_LOOP");
        rest = [...node.target, ...rest];
        group = this.root;
        path = [];
        found = { group, name: "", node: group, path };
        continue;
      }
      if (rest.length === 0) break;
      if (typeof node === "string") {
        if (isMade) throw new Failure("PATH_NOT_A_GROUP");
        // What is below a value may still be a loop: the store looks no further either.
        return undefined;
      }
      if (node === undefined) {
        if (!isMade) return undefined;
        const made: Group = new Map();
        group.set(name, made);
        group = made;
      } else group = node as Group;
      path = [...path, name];
    }
    return found;
  }

  write(path: string, value: string): void {
    const found = this.find(partsOf(path), true, true)!;
    if (found.node instanceof Map) throw new Failure("PATH_INVALID");
    found.group.set(found.name, value);
  }

  makeGroup(path: string): void {
    const found = this.find(partsOf(path), true, true)!;
    if (found.node instanceof Map) return;
    if (found.node !== undefined) throw new Failure("PATH_NOT_A_GROUP");
    found.group.set(found.name, new Map());
  }

  makeLink(target: string, path: string): void {
    const found = this.find(partsOf(path), false, true)!;
    if (found.node instanceof Map) throw new Failure("PATH_INVALID");
    found.group.set(found.name, new Link(target));
  }

  remove(path: string, recursive: boolean): boolean {
    const parts = partsOf(path);
    if (parts.length === 0) throw new Failure("PATH_INVALID");
    const found = this.find(parts, false, false);
    if (found?.node === undefined) return false;
    if (found.node instanceof Map && found.node.size > 0 && !recursive) {
      throw new Failure("PATH_INVALID");
    }
    return found.group.delete(found.name);
  }

  rename(from: string, to: string): void {
    if (partsOf(from).length === 0 || partsOf(to).length === 0) throw new Failure("PATH_INVALID");
    const source = this.find(partsOf(from), false, false);
    if (source?.node === undefined) throw new Failure("ZEOLITE_NOT_FOUND");
    const goal = this.find(partsOf(to), false, true)!;
    if (goal.path.join("/") === source.path.join("/")) return;
    const { node } = source;
    if (node instanceof Map && `${goal.path.join("/")}/`.startsWith(`${source.path.join("/")}/`)) {
      throw new Failure("PATH_INVALID");
    }
    if (goal.node instanceof Map && !(node instanceof Map)) throw new Failure("PATH_INVALID");
    if (goal.node !== undefined && node instanceof Map) {
      if (!(goal.node instanceof Map)) throw new Failure("PATH_NOT_A_GROUP");
      if (goal.node.size > 0) throw new Failure("PATH_INVALID");
    }
    source.group.delete(source.name);
    goal.group.set(goal.name, node);
  }

  read(path: string): string | undefined {
    const node = this.find(partsOf(path), true, false)?.node;
    return typeof node === "string" ? node : undefined;
  }

  resolve(path: string): string | undefined {
    const found = this.find(partsOf(path), true, false);
    return found?.node === undefined ? undefined : found.path.join("/");
  }

  type(path: string): string | undefined {
    const node = this.find(partsOf(path), false, false)?.node;
    if (node === undefined) return undefined;
    return typeof node === "string" ? "value" : node instanceof Link ? "link" : "group";
  }

  list(path: string): string[] {
    const node = this.find(partsOf(path), true, false)?.node;
    if (node === undefined) return [];
    if (!(node instanceof Map)) throw new Failure("PATH_NOT_A_GROUP");
    const encoder = new TextEncoder();
    const order = (a: string, b: string) => compare(encoder.encode(a), encoder.encode(b));
    return [...node.keys()].sort(order);
  }
}

function compare(a: Uint8Array, b: Uint8Array): number {
  const at = a.findIndex((byte, index) => byte !== b[index]);
  return at < 0 ? a.length - b.length : a[at]! - (b[at] ?? -1);
}

/** A copy of what a group holds, to go back to. */
function copyOf(group: Group): Group {
  const entries = [...group].map(([name, node]) => {
    return [name, node instanceof Map ? copyOf(node) : node] as const;
  });
  return new Map(entries);
}

/** One operation and what is passed to it. */
type Step = readonly [name: string, ...values: readonly unknown[]];

/** What an operation came to: its result, or the code of its error. */
type Outcome = { readonly result?: unknown; readonly code?: string };

const NAMES = ["a", "b", "c", "a!", "a.b", "ä", "0", "link", "x".repeat(40)];

function randomPath(random: (below: number) => number): string {
  const depth = 1 + random(random(4) === 0 ? 5 : 3);
  const parts = Array.from({ length: depth }, () => NAMES[random(NAMES.length)]!);
  return (random(20) === 0 ? "/" : "") + parts.join(random(20) === 0 ? "//" : "/");
}

/** A path to something that stands, along links where the way leads through them. */
function walkedPath(random: (below: number) => number, model: Model): string {
  const parts: string[] = [];
  let group = model.root;
  for (let steps = 0; steps < 6; steps += 1) {
    const entries = [...group];
    const isLink = (entry: [string, Node]) => entry[1] instanceof Link;
    const links = entries.filter(isLink);
    const some = links.length > 0 && random(2) === 0 ? links : entries;
    const entry = some[random(Math.max(1, some.length))];
    if (entry === undefined) break;
    parts.push(entry[0]);
    const outcome = modelOutcome(model, ["resolve", parts.join("/")]);
    if (typeof outcome.result !== "string") break;
    const node = model.find(partsOf(outcome.result), true, false)!.node;
    if (!(node instanceof Map)) break;
    group = node;
  }
  return parts.join("/");
}

/** What reads and overwrites, and changes no link. */
function calmStep(random: (below: number) => number, known: readonly string[]): Step {
  const path = known[random(known.length)]!;
  const kind = random(20);
  if (kind === 0) return ["writeMany", [[path, `${random(1000)}`]]];
  if (kind === 1) return ["type", path];
  return kind < 6 ? ["write", path, `calm ${random(1000)}`] : ["read", path];
}

/** The steps of one turn: as they come, or reads of what stands and writes over it. */
function randomTurn(random: (below: number) => number, model: Model): Step[] {
  if (random(3) > 0) return Array.from({ length: TURN }, () => randomStep(random));
  const known = Array.from({ length: 5 }, () => walkedPath(random, model));
  return Array.from({ length: TURN }, () => calmStep(random, known));
}

function randomStep(random: (below: number) => number): Step {
  const [path, other] = [randomPath(random), randomPath(random)];
  const value = `${random(1000)}`.repeat(random(50) === 0 ? 3000 : 1 + random(5));
  const kind = random(100);
  if (kind < 22) return ["write", path, value];
  if (kind < 26) {
    const count = 1 + random(6);
    const entries = Array.from({ length: count }, () => [randomPath(random), value] as const);
    return ["writeMany", entries];
  }
  if (kind < 30) return ["makeGroup", path];
  if (kind < 37) return ["makeLink", random(30) === 0 ? "" : path, other];
  if (kind < 44) return ["remove", path, random(3) === 0];
  if (kind < 50) return ["rename", path, other];
  if (kind < 78) return ["read", path];
  if (kind < 84) return ["readMany", [path, other, randomPath(random)]];
  if (kind < 89) return ["resolve", path];
  if (kind < 94) return ["type", path];
  return ["list", random(10) === 0 ? "" : path];
}

/** Does a step to the model; what fails leaves it as it was. */
function modelOutcome(model: Model, [name, ...values]: Step): Outcome {
  const before = name === "writeMany" || name === "rename" || name === "write" ||
      name === "makeGroup" || name === "makeLink"
    ? copyOf(model.root)
    : model.root;
  const [a, b] = values as [string, string];
  try {
    switch (name) {
      case "writeMany": {
        const entries = a as unknown as [string, string][];
        for (const [path, value] of entries) model.write(path, value);
        return { result: entries.length };
      }
      case "readMany":
        return { result: (a as unknown as string[]).map((path) => model.read(path) ?? null) };
      case "remove":
        return { result: model.remove(a, b as unknown as boolean) };
    }
    const result = (model[name as "write"] as (a: string, b: string) => unknown)
      .call(model, a, b);
    return { result: result ?? null };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    model.root = before;
    return { code: error.code };
  }
}

/** Does steps to a store of paths. Is also sent to the other process, so it uses nothing else. */
async function storeOutcomes(paths: PathStore, steps: readonly Step[]): Promise<Outcome[]> {
  const decoder = new TextDecoder();
  const text = (value: Uint8Array | undefined) =>
    value === undefined ? null : decoder.decode(value);
  const outcomes: Outcome[] = [];
  for (const [name, ...values] of steps) {
    const [a, b] = values as [string, string];
    try {
      let result: unknown;
      if (name === "read") result = text(paths.read(a));
      else if (name === "readMany") result = paths.readMany(a as unknown as string[]).map(text);
      else if (name === "remove") result = await paths.remove(a, { recursive: Boolean(b) });
      else {
        const method = paths[name as "write"] as (a: string, b: string) => unknown;
        result = await method.call(paths, a, b) ?? null;
      }
      outcomes.push({ result });
    } catch (error) {
      outcomes.push({ code: (error as { code?: string }).code ?? String(error) });
    }
  }
  return outcomes;
}

/** All that a store of paths holds, as the model has it. */
function assertTree(paths: PathStore, model: Model): void {
  const walk = (group: Group, path: string): void => {
    assert.deepEqual(paths.list(path), model.list(path), path);
    for (const [name, node] of group) {
      const at = path === "" ? name : `${path}/${name}`;
      assert.equal(paths.type(at), model.type(at), at);
      if (node instanceof Map) walk(node, at);
      else if (typeof node === "string") assert.equal(decode(paths.read(at)), node, at);
    }
  };
  walk(model.root, "");
}

function decode(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

test("path model: two processes against a tree in memory", async () => {
  const seed = Number(process.env["ZEOLITE_SEED"] ?? Date.now() % 1_000_000);
  console.log(
    `${STEPS} operations; to repeat: ZEOLITE_SEED=${seed} ZEOLITE_PATH_STEPS=${STEPS} ` +
      "npm run test:bun -- test/path_model.test.ts",
  );
  const random = randomFrom(seed);
  using opened = new Opened({ durability: "none" });
  await using peer = await Peer.start(OTHER);
  const paths = openPaths(opened.store, { cacheSize: 200 });
  const source = storeOutcomes.toString();
  const model = new Model();
  for (let done = 0; done < STEPS; done += TURN) {
    const steps = randomTurn(random, model);
    const outcomes = random(2) === 0 ? await storeOutcomes(paths, steps) : await peer.run(
      async (here, path: string, text: string, sent: readonly Step[]) => {
        const own = here.openPaths(here.store(path, { durability: "none" }), { cacheSize: 200 });
        return await here.load<typeof storeOutcomes>(text)(own, sent);
      },
      opened.path,
      source,
      steps,
    );
    for (const [index, step] of steps.entries()) {
      const title = `seed ${seed}, step ${done + index}: ${JSON.stringify(step).slice(0, 300)}`;
      const [found, wanted] = [{ ...outcomes[index] }, modelOutcome(model, step)];
      // Of several faults in one call either may be the one that is told.
      const isEither = ["writeMany", "rename"].includes(step[0]) &&
        /^PATH_/.test(found.code ?? "");
      if (isEither) assert.match(wanted.code ?? "none", /^PATH_/, title);
      else assert.deepEqual(found, wanted, title);
    }
    if (random(40) === 0) assertTree(paths, model);
  }
  assertTree(paths, model);
  assert.ok(paths.cache().hits > 0);
  assert.equal((await opened.store.check()).ok, true);
});
