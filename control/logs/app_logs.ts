import type { AppLog, LogLevel } from "../model.ts";
import type { Database } from "../store/mod.ts";
import { Follower, type LogFilter } from "./follower.ts";
import { LogRetention, type RetentionOptions } from "./log_retention.ts";

/** Lines that wait to be written; more are dropped and counted. */
export const MAX_QUEUE = 20_000;
/** Lines written in one transaction: about 5 ms of the event loop. */
const BATCH = 1000;
/** How long a line waits for others before it is written. */
const FLUSH_DELAY_MS = 100;
/** Live readers at once. */
const MAX_FOLLOWERS = 1000;

/** Which past lines are wanted. */
export interface AppLogQuery extends LogFilter {
  /** Unix ms, inclusive. @default {0} */
  sinceMs: number | null;
  /** Unix ms, inclusive. @default {now and later} */
  untilMs: number | null;
  limit: number;
  order: "asc" | "desc";
  /** Where the page before ended, as it was returned; `null` = the first page. */
  cursor: LogCursor | null;
}

/** The position of a line: its time and, among those of the same time, its order of arrival. */
export interface LogCursor {
  timeMs: number;
  id: number;
}

/** One page of past lines. */
export interface AppLogPage {
  entries: AppLog[];
  /** Where the next page begins; `null` if this is the last. */
  next: LogCursor | null;
}

interface Row {
  id: number;
  time: number;
  level: LogLevel;
  region: string;
  message: string;
}

/** What deployments printed: batched into SQLite, kept for a while, searched, followed live. */
export class AppLogs {
  readonly #database: Database;
  readonly #retention: LogRetention;
  readonly #followers = new Map<string, Set<Follower>>();
  #followerCount = 0;
  #queue: { deploymentId: string; entry: AppLog }[] = [];
  #dropped = new Map<string, { count: number; last: AppLog }>();
  #flushTimer: ReturnType<typeof setTimeout> | null = null;
  #closed = false;

  constructor(database: Database, retention: RetentionOptions) {
    this.#database = database;
    this.#retention = new LogRetention(database, retention);
  }

  /** Takes lines in. Live readers get them at once; they are on disk within 100 ms. */
  append(deploymentId: string, entries: readonly AppLog[]): void {
    if (this.#closed) return;
    const followers = this.#followers.get(deploymentId);
    for (const entry of entries) {
      if (followers !== undefined) { for (const follower of followers) follower.push(entry); }
      if (this.#queue.length < MAX_QUEUE) this.#queue.push({ deploymentId, entry });
      else this.#drop(deploymentId, entry);
    }
    this.#flushTimer ??= setTimeout(() => this.#flushBatch(), FLUSH_DELAY_MS);
  }

  /** Past lines, those not yet on disk included. */
  query(query: AppLogQuery): AppLogPage {
    this.flush();
    const [low, high] = bounds(query);
    const ascending = query.order === "asc";
    const rows = this.#database.all<Row>(
      `SELECT id, time, level, region, message FROM app_logs
       WHERE deployment_id = ?1 AND (time, id) > (?2, ?3) AND (time, id) < (?4, ?5)
         AND (?6 IS NULL OR instr(lower(message), lower(?6)) > 0)
         AND (?7 IS NULL OR level IN (SELECT value FROM json_each(?7)))
         AND (?8 IS NULL OR region IN (SELECT value FROM json_each(?8)))
       ORDER BY time ${ascending ? "ASC" : "DESC"}, id ${ascending ? "ASC" : "DESC"} LIMIT ?9`,
      query.deploymentId,
      low.timeMs,
      low.id,
      high.timeMs,
      high.id,
      query.q,
      jsonOrNull(query.levels),
      jsonOrNull(query.regions),
      query.limit + 1,
    );
    const page = rows.slice(0, query.limit);
    const last = page.at(-1);
    return {
      entries: page.map(toEntry),
      next: rows.length > page.length && last !== undefined ? { timeMs: last.time, id: last.id } : null,
    };
  }

  /**
   * Follows new lines from now on, until `signal` aborts, the iterator is returned, or the log is closed.
   *
   * @returns `null` when there are too many readers.
   */
  follow(filter: LogFilter, signal: AbortSignal): AsyncIterableIterator<AppLog> | null {
    if (this.#closed || this.#followerCount >= MAX_FOLLOWERS) return null;
    const abort = () => follower.close();
    const follower: Follower = new Follower(filter, () => {
      signal.removeEventListener("abort", abort);
      this.#removeFollower(follower);
    });
    const { deploymentId } = filter;
    const followers = this.#followers.get(deploymentId) ?? new Set();
    this.#followers.set(deploymentId, followers.add(follower));
    this.#followerCount++;
    signal.addEventListener("abort", abort);
    if (signal.aborted) follower.close();
    return follower;
  }

  /** Ends the live readers of a deployment that was deleted. Its lines go with age. */
  endFollowers(deploymentId: string): void {
    for (const follower of this.#followers.get(deploymentId) ?? []) follower.close();
  }

  /** Ends all live readers. */
  endAllFollowers(): void {
    for (const deploymentId of [...this.#followers.keys()]) this.endFollowers(deploymentId);
  }

  /** Writes everything that waits. */
  flush(): void {
    while (this.#queue.length > 0 || this.#dropped.size > 0) this.#writeBatch();
  }

  /** Deletes what is too old or too much. */
  prune(): Promise<void> {
    return this.#retention.prune();
  }

  /** Ends all readers and writes everything that waits. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.endAllFollowers();
    if (this.#flushTimer !== null) clearTimeout(this.#flushTimer);
    this.#retention.stop();
    this.flush();
  }

  #flushBatch(): void {
    try {
      this.#writeBatch();
    } catch (error) {
      console.error("Cannot write a batch of log lines, which are lost:", error);
    }
    const more = this.#queue.length > 0 || this.#dropped.size > 0;
    this.#flushTimer = more ? setTimeout(() => this.#flushBatch(), 0) : null;
  }

  #writeBatch(): void {
    const batch = this.#queue.splice(0, BATCH);
    if (this.#queue.length === 0) {
      for (const [deploymentId, { count, last }] of this.#dropped) {
        const message = `${count} log lines were dropped: too many were waiting to be written`;
        batch.push({ deploymentId, entry: { ...last, level: "warning", message } });
      }
      this.#dropped.clear();
    }
    this.#database.transaction(() => {
      for (const { deploymentId, entry } of batch) this.#insert(deploymentId, entry);
    });
  }

  #insert(deploymentId: string, entry: AppLog): void {
    this.#retention.touched(deploymentId);
    this.#database.run(
      "INSERT INTO app_logs (deployment_id, time, level, region, message) VALUES (?, ?, ?, ?, ?)",
      deploymentId,
      Date.parse(entry.time) || Date.now(),
      entry.level,
      entry.region,
      entry.message,
    );
  }

  #drop(deploymentId: string, entry: AppLog): void {
    const count = (this.#dropped.get(deploymentId)?.count ?? 0) + 1;
    this.#dropped.set(deploymentId, { count, last: entry });
  }

  #removeFollower(follower: Follower): void {
    const { deploymentId } = follower.filter;
    const followers = this.#followers.get(deploymentId);
    if (followers?.delete(follower)) this.#followerCount--;
    if (followers?.size === 0) this.#followers.delete(deploymentId);
  }
}

/** The open interval of positions that a query is about. */
function bounds(query: AppLogQuery): [low: LogCursor, high: LogCursor] {
  const low = { timeMs: query.sinceMs ?? 0, id: -1 };
  const high = { timeMs: query.untilMs ?? Number.MAX_SAFE_INTEGER, id: Number.MAX_SAFE_INTEGER };
  if (query.cursor === null) return [low, high];
  return query.order === "asc" ? [query.cursor, high] : [low, query.cursor];
}

function toEntry({ time, level, region, message }: Row): AppLog {
  return { time: new Date(time).toISOString(), level, message, region };
}

function jsonOrNull(values: readonly string[] | null): string | null {
  return values === null ? null : JSON.stringify(values);
}
