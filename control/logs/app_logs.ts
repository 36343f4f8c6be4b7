import type { AppLog, LogLevel } from "../model.ts";
import type { Database } from "../store/mod.ts";
import { Followers } from "./followers.ts";
import { LineWriter } from "./line_writer.ts";
import type { LogPage, LogQuery } from "./log_query.ts";
import type { LogReader } from "./log_reader.ts";
import type { OtlpLogs } from "./otlp_logs.ts";

/** Which lines of a deployment are wanted. `null` = all. */
export interface AppLogFilter {
  deploymentId: string;
  /** Text that the message contains, in any case. */
  q: string | null;
  levels: readonly LogLevel[] | null;
  regions: readonly string[] | null;
}

/** Which past lines are wanted. */
export type AppLogQuery = AppLogFilter & Omit<LogQuery, "table" | "scope" | "q" | "filters">;

/** What app logs work with. */
export interface AppLogsOptions {
  database: Database;
  reader: LogReader;
  /** Gets every line, too; `null` = nobody does. */
  exporter: Pick<OtlpLogs, "add"> | null;
  /** Told of each line that goes to the database, by its deployment. */
  written(deploymentId: string): void;
}

/** What deployments printed: batched into SQLite, kept for a while, searched, followed live. */
export class AppLogs {
  readonly #options: AppLogsOptions;
  readonly #writer: LineWriter<AppLog>;
  readonly #followers = new Followers<AppLog>();
  #closed = false;

  constructor(options: AppLogsOptions) {
    this.#options = options;
    this.#writer = new LineWriter(options.database, {
      insert(deploymentId, line) {
        options.written(deploymentId);
        insert(options.database, deploymentId, line);
      },
      dropped: (count, last) =>
        note(last, `${count} log lines were dropped: too many were waiting to be written`),
    });
  }

  /** Lines that found no room since the start. Each log says itself how many of its own. */
  get droppedCount(): number {
    return this.#writer.droppedCount;
  }

  /** Takes lines in. Live readers get them at once; they are on disk within 100 ms. */
  append(deploymentId: string, lines: readonly AppLog[]): void {
    if (this.#closed) return;
    this.#followers.push(deploymentId, lines);
    this.#writer.add(deploymentId, lines);
    this.#options.exporter?.add(lines.map(({ message: body, ...line }) => ({ deploymentId, body, ...line })));
  }

  /**
   * A page of past lines, those not yet on disk included.
   *
   * @throws as {@linkcode LogReader.read} does
   */
  async query(
    { deploymentId, q, levels, regions, ...page }: AppLogQuery,
    signal: AbortSignal,
  ): Promise<LogPage> {
    await this.#writer.settle();
    const filters = {
      ...(levels === null ? {} : { level: levels }),
      ...(regions === null ? {} : { region: regions }),
    };
    return await this.#options.reader.read(
      { table: "app", scope: deploymentId, q, filters, ...page },
      signal,
    );
  }

  /**
   * Follows new lines from now on, until `signal` aborts, the iterator is returned, or the log is closed.
   *
   * @returns `null` when there are too many readers.
   */
  follow(filter: AppLogFilter, signal: AbortSignal): AsyncIterableIterator<AppLog> | null {
    return this.#followers.follow(filter.deploymentId, {
      accepts: (line) => matches(filter, line),
      skipped: (count, last) => note(last, `${count} log lines were skipped: this reader is too slow`),
    }, signal);
  }

  /** Ends the live readers of a deployment that was deleted. Its lines go with age. */
  endFollowers(deploymentId: string): void {
    this.#followers.end(deploymentId);
  }

  /** Ends all live readers. */
  endAllFollowers(): void {
    this.#followers.endAll();
  }

  /** Ends all readers and writes everything that waits. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#followers.close();
    this.#writer.close();
  }
}

function insert(database: Database, deploymentId: string, { time, level, region, message }: AppLog): void {
  database.run(
    "INSERT INTO app_logs (deployment_id, time, level, region, message) VALUES (?, ?, ?, ?, ?)",
    deploymentId,
    Date.parse(time) || Date.now(),
    level,
    region,
    message,
  );
}

function matches({ q, levels, regions }: AppLogFilter, { message, level, region }: AppLog): boolean {
  return (levels === null || levels.includes(level)) && (regions === null || regions.includes(region)) &&
    (q === null || message.toLowerCase().includes(q.toLowerCase()));
}

function note(last: AppLog, message: string): AppLog {
  return { ...last, level: "warning", message };
}
