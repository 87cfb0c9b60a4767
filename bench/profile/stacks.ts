/**
 * Stacks, whoever sampled them: reads what `perf script` prints and the CPU profiles of Bun and
 * Deno, adds equal stacks up, and tells which functions the time is in. Functions over text alone.
 */

/** How often each stack was seen: frames from the outermost to the innermost. */
export type Stacks = ReadonlyMap<string, number>;

/** Parts the frames of a stack; no name of a function has it. */
const PART = "\n";

/** A function with those that it called, as the library that draws it takes them. */
export interface FrameNode {
  readonly name: string;
  /** Samples in it and in what it called. */
  readonly value: number;
  readonly children: readonly FrameNode[];
}

/** A function, and how much of the time was in it alone. */
export interface Hot {
  readonly name: string;
  readonly share: number;
}

/** Code that a runtime compiled, whose names the kernel does not know. */
const COMPILED = "JavaScript, compiled";
const ANONYMOUS = /^(\[unknown\]|\[anon\b.*|\/\/anon|\[JIT\].*|.*\/perf-\d+\.map|memfd:.*)$/;
/** A frame: address, symbol, and the file that it is in. */
const FRAME = /^\s+[0-9a-f]+ (.*?) \((.*?)(?: \(deleted\))?\)$/;

/** The name that a frame has: of its function, or else of where that is. */
export function frameName(symbol: string, file: string): string {
  const plain = symbol.replace(/\+0x[0-9a-f]+$/, "");
  if (plain !== "[unknown]") return plain;
  if (ANONYMOUS.test(file)) return COMPILED;
  // Parts of the memory that are no file have brackets already.
  return file.startsWith("[") ? file : `[${file.split("/").at(-1)}]`;
}

/** Adds a stack, from the outermost frame to the innermost. */
export function addStack(
  stacks: Map<string, number>,
  frames: readonly string[],
  count: number,
): void {
  if (frames.length === 0) return;
  // Frames without a name follow each other in numbers; one says as much.
  const distinct = frames.filter((name, index) => name !== frames[index - 1]);
  const key = distinct.join(PART);
  stacks.set(key, (stacks.get(key) ?? 0) + count);
}

/** The stacks in what `perf script -F comm,ip,sym,dso` printed. */
export function readPerf(text: string): Stacks {
  const stacks = new Map<string, number>();
  for (const sample of text.split(/\n\s*\n/)) {
    const frames: string[] = [];
    for (const line of sample.split("\n")) {
      const [, symbol, file] = FRAME.exec(line) ?? [];
      if (symbol !== undefined && file !== undefined) {
        frames.unshift(frameName(symbol, file));
      }
    }
    addStack(stacks, frames, 1);
  }
  return stacks;
}

/** A CPU profile as both runtimes write it. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      readonly lineNumber: number;
    };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
}

function jsName(
  { functionName, url, lineNumber }: CpuProfile["nodes"][number]["callFrame"],
): string {
  const name = functionName === "" ? "(anonymous)" : functionName;
  // In the single executable everything is one file, whose lines say nothing.
  if (url === "" || url.includes("/$bunfs/")) return name;
  const file = url.replace(/^.*\/(src|ffi|bench|node_modules)\//, "$1/").split("?")[0]!;
  return `${name} ${file}:${lineNumber + 1}`;
}

/** The stacks in a CPU profile; what neither computes nor collects is left out. */
export function readCpuProfile({ nodes, samples }: CpuProfile): Stacks {
  const parents = new Map<number, number>();
  const names = new Map<number, string>();
  for (const node of nodes) {
    names.set(node.id, jsName(node.callFrame));
    for (const child of node.children ?? []) parents.set(child, node.id);
  }
  const stacks = new Map<string, number>();
  for (const sample of samples) {
    const frames: string[] = [];
    for (let id: number | undefined = sample; id !== undefined; id = parents.get(id)) {
      frames.unshift(names.get(id) ?? "(unknown)");
    }
    if (["(idle)", "(program)", "(root)"].includes(frames.at(-1)!)) continue;
    addStack(stacks, frames[0] === "(root)" ? frames.slice(1) : frames, 1);
  }
  return stacks;
}

/** How many samples there are. */
export function sampleCount(stacks: Stacks): number {
  return stacks.values().reduce((sum, count) => sum + count, 0);
}

/** The functions in which most of the time is, without what they call. */
export function hottest(stacks: Stacks, count: number): Hot[] {
  const own = new Map<string, number>();
  for (const [key, samples] of stacks) {
    const name = key.slice(key.lastIndexOf(PART) + 1);
    own.set(name, (own.get(name) ?? 0) + samples);
  }
  const all = sampleCount(stacks);
  return [...own].map(([name, samples]) => ({ name, share: samples / all }))
    .sort((a, b) => b.share - a.share).slice(0, count);
}

/** The share of samples in whose stack a frame is that matches. */
export function shareOf(stacks: Stacks, frame: RegExp): number {
  let matching = 0;
  for (const [key, samples] of stacks) {
    if (key.split(PART).some((name) => frame.test(name))) matching += samples;
  }
  return matching / Math.max(1, sampleCount(stacks));
}

/** All stacks as one tree. */
export function treeOf(stacks: Stacks, name: string): FrameNode {
  type Growing = { name: string; value: number; children: Growing[] };
  const root: Growing = { name, value: 0, children: [] };
  for (const [key, samples] of stacks) {
    root.value += samples;
    let node = root;
    for (const frame of key.split(PART)) {
      let child = node.children.find((one) => one.name === frame);
      if (child === undefined) {
        child = { name: frame, value: 0, children: [] };
        node.children.push(child);
      }
      child.value += samples;
      node = child;
    }
  }
  return root;
}

/** One line a stack, as other tools read it. */
export function folded(stacks: Stacks): string {
  const lines = [...stacks].map(([key, samples]) => {
    return `${key.split(PART).map((name) => name.replaceAll(";", ":")).join(";")} ${samples}`;
  });
  return `${lines.sort().join("\n")}\n`;
}
