import assert from "node:assert/strict";
import { join } from "node:path";
import type { AppLog, LogLevel } from "../model.ts";
import { STEADY_AFTER_MS, SteadyClock } from "../scheduling/steady_clock.ts";
import { believedClock } from "../testing/believed_clock.ts";
import { openStore } from "../store/mod.ts";
import type { AppLogQuery, AppLogs } from "./app_logs.ts";
import { MAX_FOLLOW_BUFFER } from "./follower.ts";
import { MAX_QUEUE } from "./line_writer.ts";
import type { LogCursor } from "./log_query.ts";
import type { RetentionOptions } from "./log_retention.ts";
import { type LogStore, openLogs } from "./log_store.ts";

const ALL = { q: null, levels: null, regions: null };
const START_MS = Date.parse("2030-01-01T00:00:00Z");

function line(message: string, changes: Partial<AppLog> = {}): AppLog {
  return { time: new Date(START_MS).toISOString(), level: "info", message, region: "local", ...changes };
}

/** A page, read. */
interface Page {
  entries: AppLog[];
  next: LogCursor | null;
}

async function query(logs: AppLogs, deploymentId: string, changes: Partial<AppLogQuery> = {}): Promise<Page> {
  const { text, next } = await logs.query({
    ...ALL,
    deploymentId,
    sinceMs: null,
    untilMs: null,
    limit: 100,
    order: "asc",
    cursor: null,
    format: "json",
    ...changes,
  }, new AbortController().signal);
  return { entries: JSON.parse(new TextDecoder().decode(text)), next };
}

/** Resolves when everything is in the database. */
const written = (logs: AppLogs) => query(logs, "none");

const messages = ({ entries }: Page) => entries.map((entry) => entry.message);

async function withLogs(
  work: (logs: AppLogs, store: LogStore, dir: string) => void | Promise<void>,
  retention: RetentionOptions = {},
): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "isola-logs-" });
  try {
    using store = await openStore(dir);
    using logs = openLogs(dir, store, { retention });
    await work(logs.app, logs, dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("lines are read back at once, those of one deployment only", () =>
  withLogs(async (logs) => {
    logs.append("a", [line("one"), line("two", { level: "error", region: "fra" })]);
    logs.append("b", [line("other")]);
    assert.deepEqual((await query(logs, "a")).entries, [
      line("one"),
      line("two", { level: "error", region: "fra" }),
    ]);
    assert.deepEqual(messages(await query(logs, "a", { order: "desc" })), ["two", "one"]);
    assert.deepEqual(await query(logs, "c"), { entries: [], next: null });
  }));

Deno.test("lines are found by text, level, region and time", () =>
  withLogs(async (logs) => {
    const levels: LogLevel[] = ["debug", "info", "warning", "error"];
    logs.append(
      "a",
      levels.map((level, index) =>
        line(`Line 100% ${level}`, {
          level,
          region: index < 2 ? "x" : "y",
          time: new Date(START_MS + index * 1000).toISOString(),
        })
      ),
    );
    const found = async (changes: Partial<AppLogQuery>) =>
      (await query(logs, "a", changes)).entries.map((entry) => entry.level);
    assert.deepEqual(await found({ q: "0% ERR" }), ["error"]);
    assert.deepEqual((await found({ q: "%" })).length, 4);
    assert.deepEqual(await found({ q: "_" }), []);
    assert.deepEqual(await found({ levels: ["error", "info"] }), ["info", "error"]);
    assert.deepEqual(await found({ regions: ["y"] }), ["warning", "error"]);
    assert.deepEqual(await found({ sinceMs: START_MS + 1000 }), ["info", "warning", "error"]);
    assert.deepEqual(await found({ untilMs: START_MS + 1000 }), ["debug", "info"]);
    assert.deepEqual(await found({ sinceMs: START_MS + 1000, untilMs: START_MS + 2000, q: "line" }), [
      "info",
      "warning",
    ]);
  }));

Deno.test("pages meet exactly, in both directions, although lines share their time", () =>
  withLogs(async (logs) => {
    const texts = Array.from({ length: 25 }, (_, index) => `${index}`);
    const time = (index: number) => new Date(START_MS + Math.floor(index / 7)).toISOString();
    logs.append("a", texts.map((text, index) => line(text, { time: time(index) })));
    for (const order of ["asc", "desc"] as const) {
      const read: string[] = [];
      let cursor = null;
      do {
        const page = await query(logs, "a", { limit: 4, order, cursor });
        read.push(...messages(page));
        cursor = page.next;
      } while (cursor !== null);
      assert.deepEqual(read, order === "asc" ? texts : texts.toReversed());
    }
  }));

Deno.test("lines survive the end of the server", async () => {
  const dir = await Deno.makeTempDir({ prefix: "isola-logs-" });
  try {
    for (const expected of [["one"], ["one", "one"]]) {
      using store = await openStore(dir);
      using logs = openLogs(dir, store);
      logs.app.append("a", [line("one")]);
      assert.deepEqual(messages(await query(logs.app, "a")), expected);
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("what does not fit the queue is dropped, and a line says how much", () =>
  withLogs(async (logs) => {
    logs.append("a", Array.from({ length: MAX_QUEUE + 5 }, (_, index) => line(`${index}`)));
    logs.append("b", [line("late")]);
    const { entries: [last] } = await query(logs, "a", { order: "desc", limit: 1 });
    assert.deepEqual(
      last,
      line("5 log lines were dropped: too many were waiting to be written", { level: "warning" }),
    );
    assert.match((await query(logs, "b")).entries[0]!.message, /^1 log lines were dropped/);
  }));

Deno.test("old lines, and the oldest of too many of a deployment, are deleted", () =>
  withLogs(async (logs, store) => {
    const now = Date.now() + STEADY_AFTER_MS;
    const at = (ageMs: number, text: string) => line(text, { time: new Date(now - ageMs).toISOString() });
    logs.append("old", [at(70_000, "too old"), at(1000, "young")]);
    logs.append("many", Array.from({ length: 15 }, (_, index) => at(100 - index, `${index}`)));
    await written(logs);
    await store.prune();
    assert.deepEqual(messages(await query(logs, "old")), ["young"]);
    assert.deepEqual(messages(await query(logs, "many")), [
      "5",
      "6",
      "7",
      "8",
      "9",
      "10",
      "11",
      "12",
      "13",
      "14",
    ]);
  }, { maxAgeMs: 60_000, maxLinesPerLog: 10, clock: believedClock() }));

Deno.test("what does not fit the size is deleted, the oldest first, and the file does not grow beyond", () =>
  withLogs(async (logs, store, dir) => {
    const write = async (deploymentId: string) => {
      const text = "x".repeat(1000);
      logs.append(
        deploymentId,
        Array.from({ length: 5000 }, () => line(text, { time: new Date().toISOString() })),
      );
      await written(logs);
      await store.prune();
    };
    for (const id of ["first", "second", "third"]) await write(id);
    assert.deepEqual(messages(await query(logs, "first")), []);
    assert.equal(messages(await query(logs, "third", { limit: 10_000 })).length, 5000);
    for (let round = 0; round < 3; round++) await write("fourth");
    assert.ok(Deno.statSync(join(dir, "logs.db")).size < 20 * 2 ** 20);
  }, { maxBytes: 10 * 2 ** 20 }));

Deno.test("a clock that was set does not make lines old", () => {
  let offsetMs = 0;
  const clock = new SteadyClock(() => Date.now() + offsetMs);
  return withLogs(async (logs, store) => {
    logs.append("a", [line("kept")]);
    offsetMs = 10 * 365 * 24 * 60 * 60_000;
    await written(logs);
    await store.prune();
    assert.deepEqual(messages(await query(logs, "a")), ["kept"]);
  }, { maxAgeMs: 60_000, clock });
});

Deno.test("a reader that follows gets the new lines that pass its filter, until it stops", () =>
  withLogs(async (logs) => {
    logs.append("a", [line("before")]);
    const gone = new AbortController();
    const follower = logs.follow({ ...ALL, deploymentId: "a", levels: ["error"], q: "X" }, gone.signal)!;
    const first = follower.next();
    logs.append("b", [line("x of another", { level: "error" })]);
    logs.append("a", [line("x but info"), line("no", { level: "error" }), line("xyz", { level: "error" })]);
    assert.deepEqual((await first).value, line("xyz", { level: "error" }));
    const second = follower.next();
    gone.abort();
    assert.deepEqual(await second, { done: true, value: undefined });
    logs.append("a", [line("x", { level: "error" })]);
    assert.equal((await follower.next()).done, true);
  }));

Deno.test("a slow reader loses lines and is told how many, where they were", () =>
  withLogs(async (logs) => {
    const follower = logs.follow({ ...ALL, deploymentId: "a" }, new AbortController().signal)!;
    logs.append("a", Array.from({ length: MAX_FOLLOW_BUFFER + 3 }, (_, index) => line(`${index}`)));
    for (let index = 0; index < MAX_FOLLOW_BUFFER; index++) {
      assert.equal((await follower.next()).value?.message, `${index}`);
      if (index === 5) logs.append("a", [line("while behind")]);
    }
    assert.equal(
      (await follower.next()).value?.message,
      "4 log lines were skipped: this reader is too slow",
    );
    logs.append("a", [line("caught up")]);
    assert.equal((await follower.next()).value?.message, "caught up");
    await follower.return?.();
  }));

Deno.test("readers end with their deployment, and with the log", () =>
  withLogs(async (logs) => {
    const { signal } = new AbortController();
    const [a, b] = ["a", "b"].map((deploymentId) => logs.follow({ ...ALL, deploymentId }, signal)!.next());
    logs.lines.end("a");
    assert.equal((await a)?.done, true);
    logs.lines.close();
    assert.equal((await b)?.done, true);
    assert.equal(logs.follow({ ...ALL, deploymentId: "a" }, signal), null);
  }));

Deno.test("readers beyond the bound are refused until others leave", () =>
  withLogs((logs) => {
    const gone = new AbortController();
    const follow = (signal: AbortSignal) => logs.follow({ ...ALL, deploymentId: "a" }, signal);
    for (let count = 0; count < 1000; count++) assert.ok(follow(gone.signal));
    assert.equal(follow(gone.signal), null);
    gone.abort();
    assert.ok(follow(new AbortController().signal));
    assert.ok(follow(AbortSignal.abort()));
  }));

Deno.test("lines that a released version wrote are read by this one", async () => {
  const dir = await Deno.makeTempDir({ prefix: "isola-logs-" });
  try {
    const packed = await Deno.open(new URL("./testing/released/1.db.gz", import.meta.url));
    const unpacked = packed.readable.pipeThrough(new DecompressionStream("gzip"));
    await Deno.writeFile(join(dir, "logs.db"), unpacked);
    using store = await openStore(dir);
    using logs = openLogs(dir, store);
    assert.deepEqual(messages(await query(logs.app, "a1b2c3d4e5f6")), ["one", "two"]);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
