import { SteadyClock } from "../steady_clock.ts";
import type { Database } from "../store/mod.ts";
import { Turn } from "../turn.ts";
import { LOG_TABLES, type LogTableName } from "./log_tables.ts";

/** Rows deleted in one transaction: about 3 ms of the event loop. */
const BATCH = 500;
/** Lines counted in one step, in the index alone: about 2 ms. */
const COUNTED = 20_000;
/** A log is counted when it has so many new lines, of those that are kept of it. */
const COUNTED_EVERY = 1 / 20;
/** Logs whose new lines are known; of more, only those that grow fast are counted. */
const MAX_KNOWN = 10_000;

/** How long, and how much, is kept. */
export interface RetentionOptions {
  /** @default {1_209_600_000} Two weeks, as Deno Deploy did. */
  maxAgeMs?: number;
  /** Of what one deployment printed, and of one project's requests. @default {100_000} */
  maxLinesPerLog?: number;
  /** Of all, as it lies in the file. @default {1_073_741_824} */
  maxBytes?: number;
  /** By which lines are too old. */
  clock?: SteadyClock;
}

const DAY_MS = 24 * 60 * 60_000;
const MIB = 2 ** 20;

/** Keeps the lines of all tables of `logs.db` within their bounds. */
export class LogRetention {
  readonly #database: Database;
  readonly #options: Required<RetentionOptions>;
  /** New lines of each log since it was counted. */
  readonly #added = noLogs();
  #isPruning = false;
  #stopped = false;

  constructor(database: Database, options: RetentionOptions) {
    this.#database = database;
    this.#options = {
      maxAgeMs: 14 * DAY_MS,
      maxLinesPerLog: 100_000,
      maxBytes: 1024 * MIB,
      clock: new SteadyClock(),
      ...options,
    };
  }

  /** What all lines take of the file. */
  get usedBytes(): number {
    return this.#database.get<{ bytes: number }>(
      `SELECT (page_count - freelist_count) * page_size AS bytes
       FROM pragma_page_count, pragma_freelist_count, pragma_page_size`,
    )!.bytes;
  }

  /** Notes that a log has a new line. */
  touched(table: LogTableName, scope: string): void {
    this.#added[table].set(scope, (this.#added[table].get(scope) ?? 0) + 1);
  }

  /** Deletes what is too old or too much, in short steps; nothing while that is under way. */
  async prune(): Promise<void> {
    if (this.#isPruning) return;
    this.#isPruning = true;
    try {
      await this.#prune();
    } finally {
      this.#isPruning = false;
    }
  }

  /** Ends a pruning under way at its next step. */
  stop(): void {
    this.#stopped = true;
  }

  async #prune(): Promise<void> {
    const nowMs = this.#options.clock.steadyMs();
    if (nowMs !== null) {
      for (const table of TABLES) await this.#deleteAll(table, "time < ?", nowMs - this.#options.maxAgeMs);
    }
    for (const table of TABLE_NAMES) {
      for (const [scope, added] of this.#added[table]) {
        if (added < this.#options.maxLinesPerLog * COUNTED_EVERY) continue;
        this.#added[table].delete(scope);
        await this.#pruneLog(table, scope);
      }
      if (this.#added[table].size > MAX_KNOWN) this.#added[table].clear();
    }
    await this.#pruneBytes();
  }

  async #pruneLog(table: LogTableName, scope: string): Promise<void> {
    const { name, scope: column } = LOG_TABLES[table];
    const turn = new Turn();
    let oldest = { time: Number.MAX_SAFE_INTEGER, id: 0 };
    for (let rest = this.#options.maxLinesPerLog; rest > 0; rest -= COUNTED) {
      if (this.#stopped) return;
      const older = this.#database.get<{ time: number; id: number }>(
        `SELECT time, id FROM ${name} WHERE ${column} = ? AND (time, id) < (?, ?)
         ORDER BY time DESC, id DESC LIMIT 1 OFFSET ?`,
        scope,
        oldest.time,
        oldest.id,
        Math.min(rest, COUNTED) - 1,
      );
      if (older === undefined) return;
      oldest = older;
      await turn.next();
    }
    await this.#deleteAll(name, `${column} = ? AND (time, id) < (?, ?)`, scope, oldest.time, oldest.id);
  }

  /** Pages that become free are used again: the file does not grow beyond. */
  async #pruneBytes(): Promise<void> {
    const turn = new Turn();
    while (!this.#stopped && this.usedBytes > this.#options.maxBytes) {
      const oldest = this.#oldestTable();
      if (oldest === undefined || this.#deleteSome(oldest, "TRUE ORDER BY time") === 0) return;
      await turn.next();
    }
  }

  /** The table with the oldest line. */
  #oldestTable(): string | undefined {
    const first = TABLES.flatMap((table) =>
      this.#database.all<{ table: string; time: number }>(
        `SELECT '${table}' AS "table", time FROM ${table} ORDER BY time LIMIT 1`,
      )
    );
    return first.toSorted((a, b) => a.time - b.time)[0]?.table;
  }

  async #deleteAll(table: string, where: string, ...parameters: (string | number)[]): Promise<void> {
    const turn = new Turn();
    while (!this.#stopped && this.#deleteSome(table, where, ...parameters) === BATCH) await turn.next();
  }

  #deleteSome(table: string, where: string, ...parameters: (string | number)[]): number {
    return this.#database.run(
      `DELETE FROM ${table} WHERE id IN (SELECT id FROM ${table} WHERE ${where} LIMIT ${BATCH})`,
      ...parameters,
    );
  }
}

const TABLES = Object.values(LOG_TABLES).map(({ name }) => name);
const TABLE_NAMES = Object.keys(LOG_TABLES) as LogTableName[];

function noLogs(): Record<LogTableName, Map<string, number>> {
  return { app: new Map(), access: new Map() };
}
