import assert from "node:assert/strict";
import { join } from "node:path";
import { openDatabase } from "../store/mod.ts";
import type { LogQuery } from "./log_query.ts";
import { LogReader, LogsBusyError } from "./log_reader.ts";
import { MIGRATIONS } from "./migrations.ts";

const QUERY: LogQuery = {
  table: "app",
  scope: "a",
  q: null,
  filters: {},
  sinceMs: null,
  untilMs: null,
  limit: 100,
  order: "asc",
  cursor: null,
  format: "ndjson",
};

/** From 0 on, so many. */
const NUMBERS = `(WITH numbers (value) AS (SELECT 0 UNION ALL SELECT value + 1 FROM numbers LIMIT ?)
  SELECT value FROM numbers)`;

const never = new AbortController().signal;

/** A reader of so many lines, each with its number. */
async function withLines(
  count: number,
  work: (reader: LogReader, path: string) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "isola-logs-" });
  try {
    const path = join(dir, "logs.db");
    using database = openDatabase(path, { migrations: MIGRATIONS, durability: "normal" });
    database.run(
      `INSERT INTO app_logs (deployment_id, time, level, region, message)
       SELECT 'a', value / 3, iif(value % 2, 'info', 'error'), 'local', 'Zeile Nr. ' || value || ' ÄÖ'
       FROM ${NUMBERS}`,
      count,
    );
    using reader = new LogReader(path);
    await work(reader, path);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function read(reader: LogReader, changes: Partial<LogQuery> = {}) {
  const { text, next } = await reader.read({ ...QUERY, ...changes }, never);
  const lines = new TextDecoder().decode(text).split("\n").slice(0, -1).map((json) => JSON.parse(json));
  return { numbers: lines.map(({ message }) => Number(/\d+/.exec(message)![0])), next };
}

Deno.test("a search goes through more lines than a step has, in both directions, by any letters", () =>
  withLines(23_456, async (reader) => {
    for (const order of ["asc", "desc"] as const) {
      const found = await read(reader, { q: "nr. 777", order });
      const numbers = Array.from({ length: 23_456 }, (_, index) => index)
        .filter((number) => String(number).startsWith("777"));
      assert.deepEqual(found, { numbers: order === "asc" ? numbers : numbers.toReversed(), next: null });
    }
    assert.deepEqual((await read(reader, { q: "23455 äö" })).numbers, [23_455]);
    assert.deepEqual(await read(reader, { q: "nothing" }), { numbers: [], next: null });
  }));

Deno.test("pages of several steps meet exactly", () =>
  withLines(12_000, async (reader) => {
    for (const order of ["asc", "desc"] as const) {
      const numbers: number[] = [];
      let cursor = null;
      do {
        const page = await read(reader, { limit: 3500, order, cursor, filters: { level: ["info"] } });
        numbers.push(...page.numbers);
        cursor = page.next;
      } while (cursor !== null);
      const all = Array.from({ length: 6000 }, (_, index) => 2 * index + 1);
      assert.deepEqual(numbers, order === "asc" ? all : all.toReversed());
    }
  }));

Deno.test("an array is JSON, whether it has lines or none", () =>
  withLines(3, async (reader) => {
    const array = async (changes: Partial<LogQuery>) => {
      const { text } = await reader.read({ ...QUERY, format: "json", ...changes }, never);
      return JSON.parse(new TextDecoder().decode(text));
    };
    assert.deepEqual((await array({})).length, 3);
    assert.deepEqual(await array({ q: "none" }), []);
    assert.deepEqual(await array({ limit: 1 }), [
      { time: "1970-01-01T00:00:00.000Z", level: "error", message: "Zeile Nr. 0 ÄÖ", region: "local" },
    ]);
  }));

Deno.test("a page of long text ends early, and the next one goes on", () =>
  withLines(1, async (reader, path) => {
    using database = openDatabase(path, { migrations: MIGRATIONS, durability: "normal" });
    database.run(
      `INSERT INTO app_logs (deployment_id, time, level, region, message)
       SELECT 'long', value, 'info', 'local', value || hex(zeroblob(1024)) FROM ${NUMBERS}`,
      6000,
    );
    const first = await read(reader, { scope: "long", limit: 10_000 });
    const second = await read(reader, { scope: "long", limit: 10_000, cursor: first.next });
    assert.ok(first.next !== null && first.numbers.length > 3000);
    assert.equal(first.numbers.length + second.numbers.length, 6000);
    assert.equal(second.next, null);
  }));

Deno.test("a reader that went is not waited for, others have their turns, and too many are refused", () =>
  withLines(50_000, async (reader) => {
    const gone = new AbortController();
    const search = () => reader.read({ ...QUERY, q: "nothing" }, gone.signal).catch((error) => error);
    const searches = Array.from({ length: 208 }, search);
    assert.ok(await search() instanceof LogsBusyError);
    gone.abort(new Error("gone"));
    for (const outcome of await Promise.all(searches)) assert.equal(outcome.message, "gone");
    assert.deepEqual((await read(reader, { limit: 1 })).numbers, [0]);
    await assert.rejects(reader.read(QUERY, gone.signal), /gone/);
  }));

Deno.test("a file that cannot be read is an error, and so is a reader that was closed", async () => {
  using missing = new LogReader("/nowhere/logs.db");
  await assert.rejects(
    missing.read(QUERY, never),
    /^Error: Cannot read logs: .*unable to open database file/,
  );
  await withLines(1, async (reader) => {
    const waiting = assert.rejects(reader.read(QUERY, never), /they are closed/);
    reader[Symbol.dispose]();
    await waiting;
  });
});
