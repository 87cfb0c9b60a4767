/**
 * Advice, each piece with the figure that led to it and the bound that it crossed. Nothing is
 * advised that was not measured; what is a setting of a store has the setting beside it.
 */

/** What was measured. Shares are of samples, from 0 to 1. */
export interface Figures {
  /** Time in the encoding of keys, and of values, in JavaScript. */
  readonly keyShare?: number;
  readonly valueShare?: number;
  /** Time in the collector. */
  readonly collectorShare?: number;
  /** Time in checksums of pages. */
  readonly checksumShare?: number;
  readonly keyEncoding?: string;
  /** Flushes of one commit. */
  readonly flushesPerCommit?: number;
  /** Nanoseconds of a get at random, and of one key of many. */
  readonly getNs?: number;
  readonly manyNs?: number;
  /** Loads of one get that no cache of the processor had, where the processor counts them. */
  readonly missesPerGet?: number;
  /** The store. */
  readonly pageSize?: number;
  readonly pageCount?: number;
  readonly retainedPages?: number;
  readonly oldestReaderMs?: number;
  /** The part of the leaves that entries take. */
  readonly leafFill?: number;
  readonly entriesPerLeaf?: number;
  readonly overflowPages?: number;
  readonly leafPages?: number;
}

/** A setting of a store that can be changed by loading it anew. */
export interface Setting {
  readonly option: "--page-size" | "--key-encoding";
  readonly value: string;
}

/** A piece of advice. */
export interface Suggestion {
  /** What was found, with the figure. */
  readonly found: string;
  /** What to do. */
  readonly advice: string;
  readonly setting?: Setting;
}

/** From where on each figure is worth a word. */
const BOUNDS = {
  keyShare: 0.15,
  valueShare: 0.25,
  collectorShare: 0.15,
  checksumShare: 0.1,
  flushesPerCommit: 0.5,
  manyTimes: 1.5,
  missesPerGet: 2,
  retainedShare: 0.1,
  leafFill: 0.6,
  /** Fewer leaves say nothing of how full leaves are. */
  leafPages: 8,
  entriesPerLeaf: 8,
  overflowShare: 0.5,
  pageSizeMax: 65536,
} as const;

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function digits(value: number): string {
  return value.toFixed(1);
}

function larger(pageSize: number): Pick<Suggestion, "setting"> {
  const value = Math.min(4 * pageSize, BOUNDS.pageSizeMax);
  return value === pageSize ? {} : { setting: { option: "--page-size", value: String(value) } };
}

function* ofTime(figures: Figures): Generator<Suggestion> {
  const { keyShare = 0, valueShare = 0, collectorShare = 0, checksumShare = 0 } = figures;
  if (keyShare > BOUNDS.keyShare && figures.keyEncoding === "ordered") {
    yield {
      found: `${percent(keyShare)} of the time is in encoding keys (keyEncoding "ordered")`,
      advice: 'if every key is a text, keyEncoding "string" is cheaper; numbers have "u32", "u64"',
      setting: { option: "--key-encoding", value: "string" },
    };
  } else if (keyShare > BOUNDS.keyShare) {
    yield {
      found: `${percent(keyShare)} of the time is in encoding keys`,
      advice: "shorter keys; keys of one byte a character; numbers as u32 where they fit",
    };
  }
  if (valueShare > BOUNDS.valueShare) {
    yield {
      found: `${percent(valueShare)} of the time is in encoding and copying values`,
      advice: 'encoding "binary" or "string" where values are bytes or texts; getView() for reads',
    };
  }
  if (collectorShare > BOUNDS.collectorShare) {
    yield {
      found: `${percent(collectorShare)} of the time is in the collector`,
      advice: "views instead of copies (getView, ranges with views), or fewer objects a row",
    };
  }
  if (checksumShare > BOUNDS.checksumShare) {
    yield {
      found: `${percent(checksumShare)} of the time is in checksums of pages`,
      advice: "each page is checked once a version and process: keep the store open, and write " +
        "more puts in a transaction",
    };
  }
}

function* ofCalls(figures: Figures): Generator<Suggestion> {
  const { flushesPerCommit = 0, getNs, manyNs, missesPerGet = 0 } = figures;
  if (flushesPerCommit >= BOUNDS.flushesPerCommit) {
    yield {
      found: `${flushesPerCommit.toFixed(2)} flushes a commit`,
      advice: "several puts in one transaction, or several awaited at once: they share a flush; " +
        'durability "committed" where 100 ms may be lost to a power cut',
    };
  }
  const isDear = getNs !== undefined && manyNs !== undefined &&
    getNs > BOUNDS.manyTimes * manyNs;
  const times = getNs === undefined || manyNs === undefined ? [] : [
    `a get takes ${Math.round(getNs)} ns, a key of getMany ${Math.round(manyNs)} ns`,
  ];
  if (isDear || missesPerGet > BOUNDS.missesPerGet) {
    const misses = missesPerGet === 0
      ? []
      : [`a get misses the caches ${digits(missesPerGet)} times`];
    yield {
      found: [...misses, ...times].join("; "),
      advice: "getMany where several keys are wanted: their loads of memory overlap",
    };
  }
}

function* ofStore(figures: Figures): Generator<Suggestion> {
  const { retainedPages = 0, pageCount = 0, oldestReaderMs, pageSize } = figures;
  if (retainedPages > BOUNDS.retainedShare * pageCount && retainedPages > 0) {
    const age = oldestReaderMs === undefined
      ? ""
      : `, the oldest snapshot is held for ${Math.round(oldestReaderMs)} ms`;
    yield {
      found: `${retainedPages} of ${pageCount} pages are kept for readers${age}`,
      advice: "end snapshots and ranges sooner; zeolite readers names who holds them",
    };
  }
  const { entriesPerLeaf = Infinity } = figures;
  if (pageSize === undefined) return;
  const isTold = (figures.leafPages ?? Infinity) >= BOUNDS.leafPages;
  const leafFill = isTold ? figures.leafFill ?? 1 : 1;
  if (leafFill < BOUNDS.leafFill && entriesPerLeaf < BOUNDS.entriesPerLeaf) {
    yield {
      found: `leaves are ${percent(leafFill)} full, with ${entriesPerLeaf.toFixed(1)} entries each`,
      advice: `entries are large for pages of ${pageSize} bytes: a larger page size`,
      ...larger(pageSize),
    };
  } else if (leafFill < BOUNDS.leafFill) {
    yield {
      found: `leaves are ${percent(leafFill)} full`,
      advice: "backup with --compact packs them; keys that rise are put with append: true",
    };
  }
  const { overflowPages = 0, leafPages = 0 } = figures;
  if (overflowPages > BOUNDS.overflowShare * leafPages && overflowPages > 0) {
    yield {
      found: `${overflowPages} pages hold single large values, beside ${leafPages} leaves`,
      advice: `if values are some KiB, a page size above ${pageSize} bytes keeps them in leaves`,
      ...larger(pageSize),
    };
  }
}

/** Everything that the figures give rise to. */
export function suggest(figures: Figures): Suggestion[] {
  return [...ofTime(figures), ...ofCalls(figures), ...ofStore(figures)];
}

/**
 * A script for the shell that makes a store anew with the settings that were advised. It touches
 * nothing of the old store, and ends at the first failure.
 */
export function settingsScript(suggestions: readonly Suggestion[]): string {
  const settings = new Map<string, string>();
  for (const { setting } of suggestions) {
    if (setting !== undefined && !settings.has(setting.option)) {
      settings.set(setting.option, setting.value);
    }
  }
  const reasons = suggestions.filter(({ setting }) => setting !== undefined)
    .map(({ found, setting }) => `# ${found}: ${setting!.option} ${setting!.value}`);
  const options = [...settings].map((pair) => ` ${pair.join(" ")}`).join("");
  // Other keys fit one table; the unnamed one, whose advice this is.
  const all = settings.has("--key-encoding") ? "" : " --all";
  const body = settings.size === 0
    ? 'echo "nothing to apply: no advice is a setting of a store"'
    : `# The shell knows how the last of a pipe ended; of the first, this file tells.
{ zeolite dump "$1"${all} || : > "$2.failed"; } | zeolite load "$2"${options}
if [ -e "$2.failed" ]; then
  rm -f "$2.failed"
  echo "$1 could not be read whole: $2 lacks entries" >&2
  exit 3
fi
zeolite check "$2"`;
  return `#!/bin/sh
# Makes a store anew with the settings that were advised. Usage: apply.sh STORE NEW-STORE
${reasons.join("\n")}
set -eu
: "\${1:?the store}" "\${2:?the store to make}"
if [ ! -e "$1" ]; then echo "$1 is not there" >&2; exit 2; fi
if [ -e "$2" ]; then echo "$2 is there already" >&2; exit 2; fi
${body}
`;
}
