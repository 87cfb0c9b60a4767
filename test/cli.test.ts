/**
 * The command line, run as its users run it: what each command prints, its exit codes, what is kept
 * when an input is wrong, when a reader goes away and when someone presses Ctrl-C.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { currentRuntime, otherRuntime } from "../ffi/runtimes.ts";
import { open } from "../src/mod.ts";
import { ended, runCli, startCli, withFolder } from "./runCli.ts";

const COMMANDS = [
  "get",
  "put",
  "remove",
  "scan",
  "load",
  "dump",
  "tables",
  "stat",
  "check",
  "backup",
  "readers",
  "path",
  "demo",
];

/** Runs a command that must succeed; gives what it printed. */
async function ok(args: readonly string[], input: string | Uint8Array = ""): Promise<string> {
  const { code, stdout, stderr } = await runCli(args, input);
  assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
  return stdout;
}

/** Runs a command that must fail so; gives what it said. */
async function fails(code: number, args: readonly string[], input = ""): Promise<string> {
  const result = await runCli(args, input);
  assert.equal(result.code, code, `${args.join(" ")}: ${result.stdout} ${result.stderr}`);
  return result.stderr;
}

function linesOf(text: string): unknown[] {
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as unknown);
}

test("cli: help lists all commands, and each has examples and exit codes", async () => {
  const help = await ok(["--help"]);
  for (const command of COMMANDS) assert.match(help, new RegExp(`^  ${command}[| ]`, "m"));
  for (const command of [...COMMANDS, "del"]) {
    const own = await ok([command, "--help"]);
    assert.match(own, /Examples:\n {2}zeolite /);
    assert.match(own, /Exit codes:/);
    assert.match(own, /--json/);
  }
  const { version } = JSON.parse(
    readFileSync(new URL("../package.json", import.meta.url), "utf8"),
  ) as { version: string };
  assert.equal((await ok(["--version"])).trim(), version);
});

test("cli: wrong usage ends with 2 and says so, as JSON if asked", async () => {
  assert.match(await fails(2, []), /zeolite: a command is missing.*\(USAGE\)/);
  assert.match(await fails(2, ["frob"]), /unknown command 'frob'.*\(USAGE\)/);
  assert.match(await fails(2, ["get"]), /missing required argument 'store'/);
  assert.match(await fails(2, ["load", "x", "--batch", "0"]), /whole number from 1/);
  assert.match(await fails(2, ["put", "x", "k"]), /give the value/);
  assert.match(await fails(2, ["dump", "x", "--all", "--table", "t"]), /--all together/);
  const error = JSON.parse(await fails(2, ["get", "--json"])) as { error: { code: string } };
  assert.equal(error.error.code, "USAGE");
});

test("cli: a store that is not there, or is no store, ends with 3", async () => {
  await withFolder(async (folder) => {
    const missing = join(folder, "missing");
    assert.match(await fails(3, ["get", missing, "k"]), /^zeolite: .+ \(ZEOLITE_NOT_FOUND\)\n$/);
    const error = JSON.parse(await fails(3, ["scan", missing, "--json"])) as {
      error: { code: string; message: string };
    };
    assert.equal(error.error.code, "ZEOLITE_NOT_FOUND");
    const text = join(folder, "text");
    writeFileSync(text, "this is not a store\n".repeat(1000));
    assert.match(await fails(3, ["get", text, "k"]), /\(ZEOLITE_NOT_A_STORE\)/);
    assert.equal(readFileSync(text, "utf8").length, 20_000);
  });
});

test("cli: put, get and remove", async () => {
  await withFolder(async (folder) => {
    const store = join(folder, "s");
    await ok(["put", store, "a", '{"n":1}']);
    await ok(["put", store, '["de",5]', "some text"]);
    await ok(["put", store, "12", "12n"]);
    await ok(["put", store, "text:12", "hex:00ff"]);
    assert.equal(await ok(["get", store, "a"]), '{"n":1}\n');
    assert.equal(
      await ok(["get", store, '["de", 5]', "12", "text:12"]),
      "some text\n12n\nhex:00ff\n",
    );
    assert.deepEqual(linesOf(await ok(["get", store, "12", "text:12", "--json"])), [
      { key: 12, value: { $bigint: "12" } },
      { key: "12", value: { $bytes: "AP8=" } },
    ]);
    const missing = await runCli(["get", store, "a", "b"]);
    assert.equal(missing.code, 1);
    assert.equal(missing.stdout, '{"n":1}\n');
    assert.equal(missing.stderr, "zeolite: Cannot get b: not there (ZEOLITE_NOT_FOUND)\n");
    assert.equal(
      await ok(["put", store, "a", "2", "--if-absent", "--json"]).catch(() => "no"),
      "no",
    );
    assert.match(await fails(1, ["put", store, "a", "2", "--if-absent"]), /already/);
    assert.deepEqual(JSON.parse(await ok(["remove", store, "a", "12", "--json"])), { removed: 2 });
    assert.match(await fails(1, ["del", store, "a"]), /ZEOLITE_NOT_FOUND/);
    assert.match(await fails(2, ["del", store]), /give keys/);
    assert.equal(await ok(["scan", store, "--count"]), "2\n");
  });
});

test("cli: keys and values as the encodings of a table say", async () => {
  await withFolder(async (folder) => {
    const store = join(folder, "s");
    const tables: [string, string, string, string, string, unknown][] = [
      ["string", "json", "12", '["x"]', '["x"]', "12"],
      ["binary", "binary", "hex:00ff", "text:hex:", "hex:6865783a", { $bytes: "AP8=" }],
      ["u32", "string", "7", "12", "12", 7],
      ["u64", "msgpack", "18446744073709551615", "null", "null", {
        $bigint: "18446744073709551615",
      }],
    ];
    for (const [keyEncoding, encoding, key, value, printed, json] of tables) {
      const where = [store, "--table", `t-${keyEncoding}`];
      const how = ["--key-encoding", keyEncoding, "--encoding", encoding];
      await ok(["put", ...where, ...how, key, value]);
      assert.equal(await ok(["get", ...where, key]), `${printed}\n`);
      assert.deepEqual(linesOf(await ok(["scan", ...where, "--keys", "--json"])), [{ key: json }]);
    }
    assert.match(await fails(2, ["get", store, "--table", "t-u32", "x"]), /keys u32 are digits/);
    assert.match(
      await fails(3, ["put", store, "--table", "t-u32", "--key-encoding", "u64", "1", "1"]),
      /ZEOLITE_OPTIONS/,
    );
    assert.match(await fails(1, ["get", store, "--table", "none", "1"]), /ZEOLITE_NOT_FOUND/);
    const listed = JSON.parse(await ok(["tables", store, "--json"])) as {
      name: string;
      keyEncoding: string;
      encoding: string;
      entries: number;
    }[];
    assert.deepEqual(
      listed.map((
        { name, keyEncoding, encoding, entries },
      ) => [name, keyEncoding, encoding, entries]),
      [
        [null, "ordered", "msgpack", 0],
        ["t-binary", "binary", "binary", 1],
        ["t-string", "string", "json", 1],
        ["t-u32", "u32", "string", 1],
        ["t-u64", "u64", "msgpack", 1],
      ],
    );
    assert.match(await ok(["tables", store]), /^t-u64 +1 +u64 +msgpack$/m);
    await ok(["remove", store, "--table", "t-u64", "--drop-table"]);
    assert.doesNotMatch(await ok(["tables", store]), /t-u64/);
  });
});

test("cli: a value from a file and from standard input, and back as its bytes", async () => {
  await withFolder(async (folder) => {
    const [store, file] = [join(folder, "s"), join(folder, "bytes")];
    const bytes = Uint8Array.from({ length: 100_000 }, (_, index) => index * 7 % 256);
    writeFileSync(file, bytes);
    const how = ["--table", "b", "--encoding", "binary"];
    await ok(["put", store, "k", "--file", file, ...how]);
    await ok(["put", store, "l", "-", ...how], bytes);
    for (const key of ["k", "l"]) {
      const got = await runCli(["get", store, key, "--table", "b", "--raw"]);
      assert.equal(got.code, 0, got.stderr);
      assert.deepEqual(got.bytes, bytes);
    }
    await ok(["put", store, "m", "-"], '{"a":[1]}\n');
    assert.equal(await ok(["get", store, "m"]), '{"a":[1]}\n');
    assert.match(await fails(4, ["put", store, "k", "--file", join(folder, "no")]), /ENOENT/);
  });
});

test("cli: scan ranges", async () => {
  await withFolder(async (folder) => {
    const store = join(folder, "s");
    const rows = ["a", "ab", "abc", "b", "c"].map((key, value) => JSON.stringify({ key, value }));
    await ok(["load", store, "--key-encoding", "string"], rows.join("\n"));
    const keys = async (...args: string[]) =>
      (await ok(["scan", store, "--keys", ...args])).split("\n").filter((key) => key !== "");
    assert.deepEqual(await keys(), ["a", "ab", "abc", "b", "c"]);
    assert.deepEqual(await keys("--prefix", "ab"), ["ab", "abc"]);
    assert.deepEqual(await keys("--start", "ab", "--end", "b"), ["ab", "abc"]);
    assert.deepEqual(
      await keys("--start", "ab", "--end", "b", "--exclusive-start", "--inclusive-end"),
      ["abc", "b"],
    );
    assert.deepEqual(await keys("--reverse", "--limit", "2", "--offset", "1"), ["b", "abc"]);
    assert.equal(await ok(["scan", store, "--limit", "1"]), "a\t0\n");
    assert.equal(await ok(["scan", store, "--prefix", "a", "--count"]), "3\n");
    assert.match(await fails(2, ["scan", store, "--prefix", "a", "--end", "b"]), /--prefix/);
    await ok(["remove", store, "--prefix", "ab", "--quiet"]);
    assert.deepEqual(await keys(), ["a", "b", "c"]);
  });
});

test("cli: a store comes back the same through dump --all and load", async () => {
  await withFolder(async (folder) => {
    const [one, two] = [join(folder, "1"), join(folder, "2")];
    const special = { nan: NaN, big: 10n ** 30n, date: new Date(5), $bytes: "no" };
    {
      await using store = open(one, { keyEncoding: "string", encoding: "json" });
      await store.put("plain", { a: [1, "x\n\u2028"] });
      const mixed = store.table("mixed");
      const keys = [null, true, -0.5, Infinity, -Infinity, 12n, "\0é", new Uint8Array([0, 255]), [
        1,
        [
          "x",
          2n,
        ],
      ]];
      await mixed.putMany(keys.map((key) => [key, special] as const));
      await store.table("b", { keyEncoding: "binary", encoding: "binary" })
        .put(new Uint8Array([1]), new Uint8Array());
      await store.table("n", { keyEncoding: "u64", encoding: "string" }).put(5n, "five");
    }
    const dumped = await ok(["dump", one, "--all"]);
    await ok(["load", two], dumped);
    assert.equal(await ok(["dump", two, "--all"]), dumped);
    assert.equal(await ok(["tables", two]), await ok(["tables", one]));
    await using store = open(two, { create: false });
    assert.deepEqual(store.table("mixed").get([1, ["x", 2n]]), special);
    const report = JSON.parse(await ok(["check", two, "--json"])) as { ok: boolean };
    assert.equal(report.ok, true);
  });
});

test("cli: load CSV", async () => {
  await withFolder(async (folder) => {
    const [store, file] = [join(folder, "s"), join(folder, "orders.csv")];
    writeFileSync(file, 'id,name,price\r\n7,"a ""b""\r\nc",1.50\r\n9,d,2\r\n');
    const where = [store, "--table", "orders"];
    const how = ["--key-column", "id", "--key-encoding", "u32"];
    const result = JSON.parse(
      await ok(["load", store, file, "--table", "orders", ...how, "--json"]),
    );
    assert.deepEqual(
      { ...result as object, seconds: 0 },
      { rows: 2, tables: ["orders"], format: "csv", seconds: 0 },
    );
    assert.deepEqual(linesOf(await ok(["dump", ...where])), [
      { key: 7, value: { name: 'a "b"\r\nc', price: "1.50" } },
      { key: 9, value: { name: "d", price: "2" } },
    ]);
    const tuple = ["--key-column", "name", "--key-column", "id", "--value-column", "price"];
    await ok(["load", store, file, ...tuple, "--typed", "--format", "csv"]);
    assert.deepEqual(linesOf(await ok(["dump", store])), [
      { key: ['a "b"\r\nc', 7], value: 1.5 },
      { key: ["d", 9], value: 2 },
    ]);
    assert.match(await fails(4, ["load", ...where, file, "--key-column", "x"]), /no column "x"/);
  });
});

test("cli: load keeps what came before a wrong line, and names it", async () => {
  await withFolder(async (folder) => {
    const store = join(folder, "s");
    const row = (key: unknown) => `${JSON.stringify({ key, value: 1 })}\n`;
    const broken = row(1) + row(2) + "oops\n" + row(3);
    assert.match(
      await fails(4, ["load", store], broken),
      /^zeolite: Cannot load line 3: .*; stored before it: 2 rows \(INPUT_INVALID\)\n$/,
    );
    assert.equal(await ok(["scan", store, "--count"]), "2\n");
    // A row that the store refuses, in the middle of a batch.
    const refused = row(10) + row(11) + row("x".repeat(40_000)) + row(12);
    const error = JSON.parse(await fails(4, ["load", store, "--json"], refused)) as {
      error: { code: string; line: number };
    };
    assert.deepEqual([error.error.code, error.error.line], ["ZEOLITE_KEY_SIZE", 3]);
    assert.equal(await ok(["scan", store, "--keys", "--reverse", "--limit", "1"]), "11\n");
    const unsorted = row(20) + row(21) + row(15);
    const order = await fails(4, ["load", store, "--append", "--batch", "1"], unsorted);
    assert.match(order, /line 3: .*ZEOLITE_KEY_ORDER/);
    const wrong = row("text") + row(5);
    assert.match(
      await fails(4, ["load", store, "--table", "t", "--key-encoding", "string"], wrong),
      /line 2: .*ZEOLITE_KEY_TYPE/,
    );
    assert.equal(await ok(["scan", store, "--table", "t", "--count"]), "1\n");
    assert.match(await fails(4, ["load", join(folder, "new")], "[1]"), /JSON array/);
    assert.throws(() => statSync(join(folder, "new")), /ENOENT/);
    assert.equal((JSON.parse(await ok(["check", store, "--json"])) as { ok: boolean }).ok, true);
  });
});

test("cli: load refuses databases of dupSort, and truncated dumps", async () => {
  await withFolder(async (folder) => {
    const store = join(folder, "s");
    const head = "VERSION=3\nformat=bytevalue\ntype=btree\n";
    const duplicates = `${head}duplicates=1\nHEADER=END\n 61\n 62\nDATA=END\n`;
    assert.match(
      await fails(4, ["load", store], duplicates),
      /line 4: .*not available yet.*\(ZEOLITE_OPTIONS\)/,
    );
    const cut = `${head}HEADER=END\n 61\n 62\n 63\n`;
    assert.match(await fails(4, ["load", store], cut), /truncated; stored before it: 1 row /);
  });
});

test("cli: load reads a dump of stored bytes into a table of any encodings", async () => {
  await withFolder(async (folder) => {
    const [one, two] = [join(folder, "1"), join(folder, "2")];
    await ok(["load", one], '{"key":["a",1],"value":{"x":null}}\n{"key":-3.5,"value":"é"}\n');
    const dumped = await ok(["dump", one, "--format", "lmdb"]);
    await ok(["load", two, "--key-encoding", "ordered", "--encoding", "msgpack"], dumped);
    assert.equal(await ok(["dump", two]), await ok(["dump", one]));
    assert.equal(await ok(["dump", two, "--format", "lmdb"]), dumped);
  });
});

test("cli: load and dump at large, in bounded pieces", async () => {
  await withFolder(async (folder) => {
    const [store, other] = [join(folder, "s"), join(folder, "o")];
    const long = "v".repeat(300_000);
    let input = "";
    for (let key = 0; key < 30_000; key++) {
      input += `{"key":${key},"value":${key % 10_000 === 0 ? `"${long}"` : `"value ${key}"`}}\n`;
    }
    await ok(["load", store, "--append", "--batch", "1000", "--durability", "committed"], input);
    assert.equal(await ok(["scan", store, "--count"]), "30000\n");
    assert.equal(await ok(["dump", store]), input);
    const lmdb = await ok(["dump", store, "--format", "lmdb", "--print"]);
    await ok(["load", other, "--quiet"], lmdb);
    assert.equal(await ok(["dump", other, "--format", "lmdb", "--print"]), lmdb);
  });
});

test("cli: a dump with odd bytes, empty keys and values, CRLF and no last newline", async () => {
  await withFolder(async (folder) => {
    const [one, two] = [join(folder, "1"), join(folder, "2")];
    const rows = [["", ""], ["00", "0a0d5c"], ["005c", ""], ["0a", "ff".repeat(9000)], [
      "ffff",
      "20",
    ]];
    const lines = rows.flatMap(([key, value]) => [` ${key}`, ` ${value}`]);
    const head = ["VERSION=3", "format=bytevalue", "type=btree", "HEADER=END"];
    const dump = [...head, ...lines, "DATA=END"];
    await ok(["load", one], dump.join("\r\n"));
    const data = (text: string) => text.split("\n").filter((line) => line.startsWith(" "));
    assert.deepEqual(data(await ok(["dump", one, "--format", "lmdb"])), lines);
    const printed = await runCli(["dump", one, "--format", "lmdb", "--print"]);
    assert.match(printed.stderr, /^note: 1 key is empty or longer than 511 bytes/);
    await ok(["load", two], printed.stdout);
    assert.deepEqual(data(await ok(["dump", two, "--format", "lmdb"])), lines);
    assert.equal(await ok(["dump", two]), await ok(["dump", one]));
  });
});

test("cli: dump shows one state, whatever is written meanwhile", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "s");
    await using store = open(path);
    const keys = Array.from({ length: 20_000 }, (_, key) => key);
    const pad = "x".repeat(200);
    await store.putMany(keys.map((key) => [key, { state: 1, pad }] as const));
    const child = startCli(["dump", path]);
    child.stdin?.end();
    const all = ended(child);
    child.stdout?.once("data", () => child.stdout?.pause());
    await once(child.stdout as NodeJS.ReadableStream, "data");
    await store.putMany(keys.map((key) => [key, { state: 2, pad }] as const));
    await store.checkpoint();
    await store.putMany(keys.map((key) => [key, { state: 3, pad }] as const));
    child.stdout?.resume();
    const { code, stdout, stderr } = await all;
    assert.equal(code, 0, stderr);
    const rows = linesOf(stdout) as { key: number; value: { state: number } }[];
    assert.equal(rows.length, keys.length);
    assert.ok(rows.every(({ key, value }, index) => key === index && value.state === 1));
  });
});

test("cli: dump ends quietly when its reader goes away", async () => {
  await withFolder(async (folder) => {
    const store = join(folder, "s");
    let input = "";
    for (let key = 0; key < 20_000; key++) input += `{"key":${key},"value":"${"x".repeat(100)}"}\n`;
    await ok(["load", store], input);
    for (const command of ["dump", "scan"]) {
      const child = startCli([command, store]);
      child.stdin?.end();
      child.stdout?.once("data", () => child.stdout?.destroy());
      let stderr = "";
      child.stderr?.on("data", (chunk: Uint8Array) => stderr += new TextDecoder().decode(chunk));
      const [code] = await once(child, "close") as [number];
      assert.equal(stderr, "");
      assert.equal(code, 0);
    }
  });
});

test("cli: Ctrl-C in a load keeps whole batches and a sound store", async () => {
  await withFolder(async (folder) => {
    const store = join(folder, "s");
    const args = ["load", store, "--batch", "100", "--format", "ndjson", "--json"];
    const errors = join(folder, "errors");
    const file = openSync(errors, "w");
    const child = startCli(args, currentRuntime(), file);
    closeSync(file);
    child.stdin?.on("error", () => {});
    let [key, isSent] = [0, false];
    const feed = setInterval(() => {
      let rows = "";
      for (let row = 0; row < 100; row++) rows += `{"key":${key++},"value":${key}}\n`;
      child.stdin?.write(rows);
      if (isSent || key < 2000 || !existsSync(store)) return;
      isSent = true;
      // Deno's child.kill() has the signal reported, whatever the process ends with.
      process.kill(child.pid!, "SIGINT");
    }, 5);
    const { code, signal } = await ended(child);
    clearInterval(feed);
    const stderr = readFileSync(errors, "utf8");
    assert.deepEqual({ code, signal }, { code: 130, signal: null }, stderr);
    assert.match(stderr, /INTERRUPTED/);
    const kept = Number(await ok(["scan", store, "--count"]));
    assert.equal(kept % 100, 0);
    assert.ok(kept > 0);
    assert.match(await ok(["check", store]), /^no fault in /);
  });
});

test("cli: stat, backup and readers", async () => {
  await withFolder(async (folder) => {
    const [store, copy, small] = [join(folder, "s"), join(folder, "c"), join(folder, "k")];
    await ok(["load", store, "--page-size", "4096"], '{"key":1,"value":2}\n{"key":2,"value":3}\n');
    const stats = JSON.parse(await ok(["stat", store, "--json"])) as Record<string, number>;
    assert.equal(stats["entries"], 2);
    assert.equal(stats["pageSize"], 4096);
    assert.match(await ok(["stat", store]), /^page size +4.0 KiB$/m);
    const copied = JSON.parse(await ok(["backup", store, copy, "--json"])) as { size: number };
    assert.equal(copied.size, statSync(copy).size);
    await ok(["backup", store, small, "--compact", "--quiet"]);
    for (const path of [copy, small]) {
      assert.equal(await ok(["dump", path]), await ok(["dump", store]));
    }
    assert.equal(await ok(["readers", store]), "no readers\n");
    const held = open(store);
    const snapshot = held.snapshot();
    const readers = JSON.parse(await ok(["readers", store, "--json"])) as { pid: number }[];
    assert.ok(readers.length > 0);
    assert.ok(readers.every(({ pid }) => pid === process.pid));
    snapshot[Symbol.dispose]();
    await held.close();
  });
});

test("cli: check ends with 1 when a page is damaged", async () => {
  await withFolder(async (folder) => {
    const store = join(folder, "s");
    let input = "";
    for (let key = 0; key < 5000; key++) input += `{"key":${key},"value":"value ${key}"}\n`;
    await ok(["load", store], input);
    await ok(["check", store]);
    const bytes = readFileSync(store);
    const at = bytes.indexOf("value 2500");
    assert.ok(at > 0);
    bytes[at] = (bytes[at] as number) ^ 1;
    writeFileSync(store, bytes);
    const { code, stdout, stderr } = await runCli(["check", store]);
    assert.equal(code, 1, stderr);
    assert.match(stdout, /^page \d+.*: /m);
    assert.match(stderr, /ZEOLITE_CORRUPT/);
    const report = JSON.parse((await runCli(["check", store, "--json"])).stdout) as {
      ok: boolean;
      errors: unknown[];
    };
    assert.equal(report.ok, false);
    assert.ok(report.errors.length > 0);
  });
});

test("cli: a table of a codec that is not here shows its stored bytes", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "s");
    {
      await using store = open(path);
      const codec = {
        name: "reversed",
        encode: (value: string) => new TextEncoder().encode([...value].reverse().join("")),
        decode: (bytes: Uint8Array) => [...new TextDecoder().decode(bytes)].reverse().join(""),
      };
      await store.table("r", { encoding: codec }).put("k", "abc");
    }
    assert.equal(await ok(["get", path, "--table", "r", "k"]), "hex:636261\n");
    assert.match(await ok(["tables", path]), /^r +1 +ordered +codec:reversed$/m);
    assert.match(await ok(["dump", path, "--table", "r", "--format", "lmdb"]), /^ 636261$/m);
  });
});

const other = otherRuntime();

test("cli: the other runtime reads what this one wrote", {
  skip: other === undefined ? "the other runtime is not found" : false,
}, async () => {
  await withFolder(async (folder) => {
    const store = join(folder, "s");
    await ok(["load", store], '{"key":["a",1],"value":{"$bigint":"5"}}\n');
    const read = await runCli(["dump", store], "", other);
    assert.equal(read.code, 0, read.stderr);
    assert.equal(read.stdout, '{"key":["a",1],"value":{"$bigint":"5"}}\n');
  });
});
