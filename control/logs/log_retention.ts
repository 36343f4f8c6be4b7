import { SteadyClock } from "../scheduling/steady_clock.ts";
import { type Database, OldRows } from "../store/mod.ts";
import { nextTurn } from "../scheduling/turn.ts";
import { LOG_TABLES, type LogTableName } from "./log_tables.ts";

/** A log is counted when it has so many new lines, of those that are kept of it. */
const COUNTED_EVERY = 1 / 20;
/** Logs whose new lines are known; of more, only those that grow fast are counted. */
const MAX_KNOWN = 10_000;

/** How long, and how much, is kept. */
export interface RetentionOptions {
  /** @default {1_209_600_000} Two weeks, as Deno Deploy did. */
  maxAgeMs?: number;
  /** Of what one deployment printed, of one project's requests, of one subhoster's deployments. @default {100_000} */
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
  readonly #oldRows: OldRows;

  constructor(database: Database, options: RetentionOptions) {
    this.#database = database;
    this.#oldRows = new OldRows(database);
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
    this.#oldRows.stop();
  }

  async #prune(): Promise<void> {
    const nowMs = this.#options.clock.steadyMs();
    if (nowMs !== null) {
      for (const table of TABLES) {
        await this.#oldRows.deleteBefore({ table }, nowMs - this.#options.maxAgeMs);
      }
    }
    for (const table of TABLE_NAMES) {
      const { name, scope: column } = LOG_TABLES[table];
      for (const [scope, added] of this.#added[table]) {
        if (added < this.#options.maxLinesPerLog * COUNTED_EVERY) continue;
        this.#added[table].delete(scope);
        await this.#oldRows.deleteBeyond(
          { table: name, where: `${column} = ?`, parameters: [scope] },
          this.#options.maxLinesPerLog,
        );
      }
      if (this.#added[table].size > MAX_KNOWN) this.#added[table].clear();
    }
    await this.#pruneBytes();
  }

  /** Pages that become free are used again: the file does not grow beyond. */
  async #pruneBytes(): Promise<void> {
    while (!this.#oldRows.isStopped && this.usedBytes > this.#options.maxBytes) {
      const oldest = this.#oldestTable();
      if (oldest === undefined || this.#oldRows.deleteOldest(oldest) === 0) return;
      await nextTurn();
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
}

const TABLES = Object.values(LOG_TABLES).map(({ name }) => name);
const TABLE_NAMES = Object.keys(LOG_TABLES) as LogTableName[];

function noLogs(): Record<LogTableName, Map<string, number>> {
  return { app: new Map(), access: new Map(), subhosted: new Map() };
}
