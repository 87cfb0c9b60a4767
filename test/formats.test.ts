/**
 * The formats of `zeolite load` and `dump`: what is written reads back the same, whatever the bytes
 * and wherever the chunks are cut, and each fault names its line. No store is opened here.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readCsv } from "../src/cli/formats/csv.ts";
import {
  FormatError,
  type Item,
  type Reader,
  type ReadOptions,
  type Row,
  type TableMark,
} from "../src/cli/formats/format.ts";
import { readLines } from "../src/cli/formats/lines.ts";
import { LMDB_END, readLmdb, writeLmdbHeader, writeLmdbLine } from "../src/cli/formats/lmdb.ts";
import { readNdjson, writeNdjsonMark, writeNdjsonRow } from "../src/cli/formats/ndjson.ts";
import { recognise, recogniseInput } from "../src/cli/formats/recognise.ts";
import { fromTagged, parseJson, toTaggedText } from "../src/cli/formats/tagged.ts";

const encoder = new TextEncoder();

/** Numbers from 0 up to `limit`, the same for the same seed. */
function makeRandom(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor(((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296 * limit);
  };
}

type Random = ReturnType<typeof makeRandom>;

/** Runs `body` for each seed; a failure says which. */
async function forSeeds(count: number, body: (random: Random) => Promise<void> | void) {
  for (let seed = 1; seed <= count; seed++) {
    try {
      await body(makeRandom(seed));
    } catch (error) {
      (error as Error).message = `seed ${seed}: ${(error as Error).message}`;
      throw error;
    }
  }
}

/** The bytes in chunks of random sizes. */
async function* cut(bytes: Uint8Array, random: Random): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length;) {
    const size = 1 + random(random(2) === 0 ? 7 : 5000);
    await Promise.resolve();
    yield bytes.subarray(start, start + size);
    start += size;
  }
}

interface Outcome {
  readonly items: readonly Item[];
  readonly fault: FormatError | undefined;
}

/** Reads all; keeps what came before a fault. */
async function readAll(
  reader: Reader,
  input: string | Uint8Array,
  options: ReadOptions = {},
  random: Random = makeRandom(1),
): Promise<Outcome> {
  const bytes = typeof input === "string" ? encoder.encode(input) : input;
  const items: Item[] = [];
  try {
    for await (const some of reader(cut(bytes, random), options)) items.push(...some);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { items, fault: error };
  }
  return { items, fault: undefined };
}

function rowsOf({ items, fault }: Outcome): [unknown, unknown][] {
  assert.equal(fault?.message, undefined);
  return items.filter((item): item is Row => item.kind === "row").map((row) => [
    row.key,
    row.value,
  ]);
}

function randomBytes(random: Random, sizeMax: number): Uint8Array {
  const odd = [0x00, 0x09, 0x0a, 0x0d, 0x20, 0x22, 0x2c, 0x5c, 0x7f, 0x80, 0xff, 0x30, 0x41, 0x61];
  return Uint8Array.from(
    { length: random(sizeMax + 1) },
    () => random(2) === 0 ? odd[random(odd.length)] as number : random(256),
  );
}

function randomText(random: Random): string {
  const parts = [
    "a",
    "Z",
    " ",
    '"',
    "\\",
    "\n",
    "\r\n",
    "\0",
    "é",
    "𐍈",
    "\u2028",
    "\ud800",
    ",",
    "$",
  ];
  return Array.from({ length: random(8) }, () => parts[random(parts.length)]).join("");
}

const SPECIAL: readonly unknown[] = [
  NaN,
  Infinity,
  -Infinity,
  -0,
  2 ** 53,
  2 ** 60,
  1e21,
  5e-324,
  0n,
  -(2n ** 70n),
  undefined,
  new Date(0),
  new Date(NaN),
  new Map<unknown, unknown>([[1n, new Map([["a", -0]])]]),
  new Set([NaN, "x"]),
  /a+\//gi,
  new Float64Array([1.5, -0, NaN]),
  new BigInt64Array([-1n]),
  new Uint8Array([1, 2, 3]).buffer,
  new Uint8Array(0),
];

function randomValue(random: Random, depth = 0): unknown {
  switch (random(depth > 3 ? 6 : 9)) {
    case 0:
      return [null, true, false][random(3)];
    case 1:
      return random(2_000_000) - 1_000_000;
    case 2:
      return random(1_000_000) / 7;
    case 3:
      return randomText(random);
    case 4:
      return SPECIAL[random(SPECIAL.length)];
    case 5:
      return randomBytes(random, 20);
    case 6:
      return Array.from({ length: random(4) }, () => randomValue(random, depth + 1));
    default: {
      const names = [
        "a",
        "$bytes",
        "$",
        "$object",
        "__proto__",
        "key",
        "0",
        "$number",
        randomText(random),
      ];
      const members = Array.from({ length: random(3) }, () => [
        names[random(names.length)] as string,
        randomValue(random, depth + 1),
      ]);
      return Object.fromEntries(members) as unknown;
    }
  }
}

test("tags: any value comes back the same", async () => {
  await forSeeds(3000, (random) => {
    const value = randomValue(random);
    const text = toTaggedText(value);
    assert.ok(!text.includes("\n"));
    assert.deepEqual(fromTagged(parseJson(text)), value);
  });
});

test("tags: each special value comes back the same", () => {
  for (const value of SPECIAL) {
    const back = fromTagged(parseJson(toTaggedText([value])));
    assert.deepEqual(back, [value]);
    assert.ok(typeof value === "object" || Object.is((back as unknown[])[0], value));
  }
  const error = fromTagged(parseJson(toTaggedText(new RangeError("too far")))) as Error;
  assert.ok(error instanceof RangeError);
  assert.equal(error.message, "too far");
});

test("tags: documented forms", () => {
  assert.equal(toTaggedText(new Uint8Array([0, 1, 2])), '{"$bytes":"AAEC"}');
  assert.equal(toTaggedText(12n), '{"$bigint":"12"}');
  assert.equal(toTaggedText(NaN), '{"$number":"NaN"}');
  assert.equal(toTaggedText({ $bytes: 1 }), '{"$object":{"$bytes":1}}');
  assert.equal(toTaggedText({ $bytes: 1, b: 2 }), '{"$bytes":1,"b":2}');
  assert.deepEqual(fromTagged({ $oid: "5" }), { $oid: "5" });
  assert.throws(() => toTaggedText(() => 0), TypeError);
});

test("tags: wrong contents and inexact integers are refused", () => {
  for (
    const text of [
      '{"$bytes":1}',
      '{"$bytes":"@@"}',
      '{"$bigint":"1.5"}',
      '{"$number":"1"}',
      '{"$date":"then"}',
      '{"$map":[1]}',
      '{"$array":["Foo","AA=="]}',
      '{"$array":["constructor","AA=="]}',
      "12345678901234567890",
      "[9007199254740993]",
    ]
  ) {
    assert.throws(() => fromTagged(parseJson(text)), Error, text);
  }
  assert.equal(parseJson("9007199254740992"), 2 ** 53);
  assert.equal(parseJson("0.12345678901234567890"), 0.12345678901234568);
});

test("lines: cut anywhere, any length, with and without a last newline", async () => {
  await forSeeds(200, async (random) => {
    const lines = Array.from({ length: random(20) }, () => {
      const line = randomBytes(random, random(10) === 0 ? 20_000 : 30);
      return line.map((byte) => byte === 0x0a ? 0x0b : byte);
    });
    const bytes = lines.flatMap((line) => [...line, 0x0a]);
    const isEnded = random(2) === 0 || lines.length === 0 || lines.at(-1)?.length === 0;
    const input = Uint8Array.from(isEnded ? bytes : bytes.slice(0, -1));
    const read: Uint8Array[] = [];
    for await (const { first, lines: some } of readLines(cut(input, random))) {
      assert.equal(first, read.length + 1);
      read.push(...some.map((line) => line.slice()));
    }
    assert.deepEqual(read, lines);
  });
});

test("lines: one longer than the limit is refused, after those before it", async () => {
  const read: string[] = [];
  await assert.rejects(async () => {
    const input = cut(encoder.encode(`ab\n${"x".repeat(50)}\n`), makeRandom(3));
    for await (const { lines } of readLines(input, 20)) {
      read.push(...lines.map((line) => new TextDecoder().decode(line)));
    }
  }, /line 2: the line is longer than 20 bytes/);
  assert.deepEqual(read, ["ab"]);
});

test("ndjson: rows and tables come back the same", async () => {
  await forSeeds(200, async (random) => {
    const rows = Array.from({ length: random(30) }, () => ({
      key: randomValue(random),
      value: randomValue(random),
      table: [null, "t", "ü\n"][random(3)] as string | null,
    }));
    let text = rows.map((row) => writeNdjsonRow(row.key, row.value, row.table)).join("");
    if (random(2) === 0) text = text.replaceAll("}\n", "}\r\n").replaceAll("\n{", "\n\n{");
    if (random(2) === 0) text = text.trimEnd();
    const { items, fault } = await readAll(readNdjson, text, {}, random);
    assert.equal(fault, undefined);
    let table: string | null | undefined;
    const read: unknown[] = [];
    for (const item of items) {
      if (item.kind === "table") table = item.name;
      else read.push({ key: item.key, value: item.value, table });
    }
    assert.deepEqual(read, rows);
  });
});

test("ndjson: a mark names a table and its encodings", async () => {
  const text = writeNdjsonMark("t", "string", "json") + writeNdjsonRow("a", 1, "t");
  const { items } = await readAll(readNdjson, text);
  assert.deepEqual(items, [
    { kind: "table", name: "t", keyEncoding: "string", encoding: "json", raw: false, line: 1 },
    { kind: "row", key: "a", value: 1, line: 2, size: 33 },
  ]);
});

test("ndjson: a fault names its line, and the rows before it come through", async () => {
  const faults: [string, RegExp][] = [
    ['{"key":1', /line 2: /],
    ["[1]", /line 2: found a JSON array/],
    ["7", /line 2: found not an object/],
    ['{"value":1}', /line 2: the row has no "key"/],
    ['{"key":1}', /line 2: the row has no "value"/],
    ['{"key":1,"value":2,"ttl":3}', /line 2: unknown member "ttl"/],
    ['{"key":1,"value":2,"table":3}', /line 2: "table" is neither/],
    ['{"key":{"$bytes":3},"value":2}', /line 2: "\$bytes" holds/],
    ['{"key":12345678901234567890,"value":2}', /line 2: the number 12345678901234567890/],
  ];
  for (const [line, message] of faults) {
    const { items, fault } = await readAll(
      readNdjson,
      `{"key":0,"value":0}\n${line}\n{"key":9,"value":9}\n`,
    );
    assert.match(fault?.message ?? "", message);
    assert.equal(fault?.line, 2);
    assert.equal(items.length, 1, line);
  }
  const invalid = Uint8Array.from([...encoder.encode('{"key":"'), 0xff, ...encoder.encode('"}')]);
  assert.equal((await readAll(readNdjson, invalid)).fault?.line, 1);
});

test("ndjson: without tags a tag is a plain object", async () => {
  const { items } = await readAll(readNdjson, '{"key":1,"value":{"$bytes":5}}', { tags: false });
  assert.deepEqual((items[0] as Row).value, { $bytes: 5 });
});

interface Database {
  readonly name: string | null;
  readonly rows: readonly (readonly [Uint8Array, Uint8Array])[];
}

function writeLmdb(databases: readonly Database[], isPrint: boolean): string {
  return databases.map(({ name, rows }) =>
    writeLmdbHeader({ name, isPrint, mapSize: 1 << 20 }) +
    rows.map(([key, value]) =>
      [...writeLmdbLine(key, isPrint), ...writeLmdbLine(value, isPrint)].join("")
    ).join("") + LMDB_END
  ).join("");
}

function databasesOf({ items, fault }: Outcome): Database[] {
  assert.equal(fault?.message, undefined);
  const databases: { name: string | null; rows: [Uint8Array, Uint8Array][] }[] = [];
  for (const item of items) {
    if (item.kind === "table") databases.push({ name: item.name ?? null, rows: [] });
    else databases.at(-1)?.rows.push([item.key as Uint8Array, item.value as Uint8Array]);
  }
  return databases;
}

test("lmdb: every byte comes back, printed or not, with either end of line", async () => {
  await forSeeds(300, async (random) => {
    const databases = Array.from({ length: 1 + random(3) }, (_, index) => ({
      name: index === 0 && random(2) === 0 ? null : `näme=${index}`,
      rows: Array.from(
        { length: random(12) },
        () => [randomBytes(random, 40), randomBytes(random, random(9) === 0 ? 9000 : 60)] as const,
      ),
    }));
    let text = writeLmdb(databases, random(2) === 0);
    if (random(2) === 0) text = text.replaceAll("\n", "\r\n");
    if (random(2) === 0) text = text.trimEnd();
    assert.deepEqual(databasesOf(await readAll(readLmdb, text, {}, random)), databases);
  });
});

test("lmdb: a large value is written in pieces", async () => {
  const value = randomBytes(makeRandom(5), 300_000);
  for (const isPrint of [true, false]) {
    const text = writeLmdb([{ name: null, rows: [[value, value]] }], isPrint);
    assert.deepEqual(databasesOf(await readAll(readLmdb, text)), [
      { name: null, rows: [[value, value]] },
    ]);
  }
});

test("lmdb: cut off at any byte, it is refused", async () => {
  const rows = [[Uint8Array.of(1, 2), Uint8Array.of()], [Uint8Array.of(3), Uint8Array.of(92)]];
  const text = writeLmdb([{ name: "n", rows: rows as [Uint8Array, Uint8Array][] }], true);
  for (let size = 0; size < text.trimEnd().length; size++) {
    const { fault } = await readAll(readLmdb, text.slice(0, size));
    assert.ok(fault !== undefined, `cut at ${size}`);
  }
});

test("lmdb: several values under one key are not available yet", async () => {
  for (const flag of ["duplicates", "dupsort", "integerkey", "reversekey"]) {
    const { fault } = await readAll(readLmdb, `VERSION=3\ntype=btree\n${flag}=1\nHEADER=END\n`);
    assert.equal(fault?.code, "ZEOLITE_OPTIONS");
    assert.match(fault?.message ?? "", /line 3: .*not available yet/);
  }
  const zero = await readAll(readLmdb, "VERSION=3\nduplicates=0\nHEADER=END\nDATA=END\n");
  assert.equal(zero.fault, undefined);
});

test("lmdb: faults name their line", async () => {
  const faults: [string, number, RegExp][] = [
    ["", 1, /empty/],
    ["VERSION=2\n", 1, /VERSION=3/],
    ["VERSION=3\nformat=odd\n", 2, /unknown format/],
    ["VERSION=3\ntype=hash\n", 2, /unknown type/],
    ["VERSION=3\nwhat\n", 2, /no header line/],
    ["VERSION=3\nwhat=1\n", 2, /unknown header line/],
    ["VERSION=3\nHEADER=END\n 6\n", 3, /odd number/],
    ["VERSION=3\nHEADER=END\n 6g\n", 3, /no hexadecimal digit/],
    ["VERSION=3\nHEADER=END\n61\n", 3, /begins with a space/],
    ["VERSION=3\nHEADER=END\n 61\nDATA=END\n", 4, /the last key has no value/],
    ["VERSION=3\nformat=print\nHEADER=END\n a\\q\n", 4, /backslash/],
    ["VERSION=3\nHEADER=END\n 61\n 62\n", 5, /truncated/],
  ];
  for (const [text, line, message] of faults) {
    const { fault } = await readAll(readLmdb, text);
    assert.match(fault?.message ?? "", message, text);
    assert.equal(fault?.line, line, text);
  }
});

test("lmdb: a table whose name does not fit on a line cannot be dumped", () => {
  const header = { name: "a\nb", isPrint: false, mapSize: 1 };
  assert.throws(() => writeLmdbHeader(header), /does not fit on a line/);
});

/** CSV as a careful writer writes it. */
function quote(cell: string): string {
  return `"${cell.replaceAll('"', '""')}"`;
}

test("csv: any text in cells comes back the same", async () => {
  await forSeeds(100, async (random) => {
    const text = () => randomText(random).toWellFormed();
    const rows = Array.from({ length: random(20) }, () => [`k${text()}`, text(), text()]);
    const newline = random(2) === 0 ? "\n" : "\r\n";
    const lines = [["id", "a,b", 'c"d'], ...rows].map((row) => row.map(quote).join(","));
    const input = lines.join(newline) + (random(2) === 0 ? newline : "");
    const expected = rows.map(([key, a, c]) => [key, { "a,b": a, 'c"d': c }]);
    assert.deepEqual(rowsOf(await readAll(readCsv, input, {}, random)), expected);
  });
});

test("csv: key and value columns, tuples, delimiter, cells with types", async () => {
  const input = "\ufeffcountry;id;n\nfr;007;1.5\n";
  const delimiter = ";";
  assert.deepEqual(rowsOf(await readAll(readCsv, input, { delimiter })), [
    ["fr", { id: "007", n: "1.5" }],
  ]);
  assert.deepEqual(
    rowsOf(
      await readAll(readCsv, input, {
        delimiter,
        keyColumns: ["country", "id"],
        valueColumn: "n",
        cell: (text) => text === "1.5" ? 1.5 : text,
      }),
    ),
    [[["fr", "007"], 1.5]],
  );
  assert.deepEqual(rowsOf(await readAll(readCsv, "a,key\n1,2\n")), [["2", { a: "1" }]]);
  assert.deepEqual(rowsOf(await readAll(readCsv, "")), []);
  assert.deepEqual(rowsOf(await readAll(readCsv, "key,__proto__\na,b\n")), [
    ["a", Object.fromEntries([["__proto__", "b"]])],
  ]);
});

test("csv: faults name their line, and the rows before them come through", async () => {
  const uneven = await readAll(readCsv, "key,a\n1,2\n3\n4,5\n");
  assert.equal(uneven.fault?.line, 3);
  assert.equal(uneven.items.length, 1);
  const open = await readAll(readCsv, 'key,a\n1,2\n3,"4\n');
  assert.match(open.fault?.message ?? "", /line \d: .*[Qq]uote/);
  const column = await readAll(readCsv, "key,a\n1,2\n", { keyColumns: ["id"] });
  assert.match(column.fault?.message ?? "", /line 1: no column "id"; columns: key, a/);
  const twice = await readAll(readCsv, "key,key\n1,2\n");
  assert.match(twice.fault?.message ?? "", /two columns "key"/);
  const bytes = encoder.encode("key,a\n1,2\n3,X\n");
  bytes[bytes.indexOf(0x58)] = 0xff;
  const invalid = await readAll(readCsv, bytes);
  assert.match(invalid.fault?.message ?? "", /line 3: the text is not UTF-8/);
  assert.equal(invalid.items.length, 1);
  const cell = (text: string) => {
    if (text === "2") throw new Error("no twos");
    return text;
  };
  const refused = await readAll(readCsv, "key,a\n1,2\n", { cell });
  assert.match(refused.fault?.message ?? "", /line 2: column "a": no twos/);
});

test("csv: an input that fails is reported, not swallowed", async () => {
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield encoder.encode("key,a\n1,2\n");
    await Promise.resolve();
    throw new Error("disk gone");
  }
  await assert.rejects(async () => {
    for await (const _ of readCsv(failing(), {}));
  }, /disk gone/);
});

test("csv: reading may stop early", async () => {
  const input = `key,a\n${"1,2\n".repeat(200_000)}`;
  for await (const items of readCsv(cut(encoder.encode(input), makeRandom(1)), {})) {
    assert.ok(items.length > 0);
    break;
  }
});

test("recognise: by the first bytes, which are not lost", async () => {
  const cases: [string, string][] = [
    ["VERSION=3\nformat=print\n", "lmdb"],
    ['\n {"key":1,"value":2}', "ndjson"],
    ["\ufeffkey,value\n1,2", "csv"],
    ["näme;x\n", "csv"],
    ["", "ndjson"],
  ];
  for (const [text, format] of cases) {
    const long = text + "é".repeat(5000);
    for (const input of [text, long, `x${long}`.slice(1)]) {
      if (input === "" || (format === "ndjson" && text === "")) continue;
      const found = await recogniseInput(cut(encoder.encode(input), makeRandom(7)));
      assert.equal(found.format, format);
      const parts: Uint8Array[] = [];
      for await (const chunk of found.input) parts.push(chunk.slice());
      const whole = parts.flatMap((part) => [...part]);
      assert.deepEqual(Uint8Array.from(whole), encoder.encode(input));
    }
    assert.equal(recognise(encoder.encode(text)), format);
  }
  assert.throws(() => recognise(encoder.encode("[1]")), /JSON array/);
  assert.throws(() => recognise(Uint8Array.of(0x7f, 0x45, 0, 0)), /neither NDJSON/);
});

test("marks of several tables are kept apart from rows", async () => {
  const { items } = await readAll(
    readNdjson,
    '{"key":1,"value":1}\n{"key":2,"value":2,"table":"t"}\n{"key":3,"value":3}\n',
  );
  const marks = items.filter((item): item is TableMark => item.kind === "table");
  assert.deepEqual(marks.map((mark) => mark.name), ["t", undefined]);
});
