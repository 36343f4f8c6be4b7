import type { AppLog } from "../model.ts";
import type { Database } from "../store/mod.ts";
import { LineLog, type LineLogOptions } from "./line_log.ts";
import type { LogPage, LogQuery } from "./log_query.ts";
import { isWanted, MISSING_LINES, type PrintedFilter } from "./printed_lines.ts";

/** Which lines of a deployment are wanted. `null` = all. */
export interface AppLogFilter extends PrintedFilter {
  deploymentId: string;
  regions: readonly string[] | null;
}

/** Which past lines are wanted. */
export type AppLogQuery = AppLogFilter & Omit<LogQuery, "table" | "scope" | "q" | "filters">;

/** What deployments printed: kept for a while, searched, followed live. */
export class AppLogs {
  /** By their deployments. */
  readonly lines: LineLog<AppLog>;

  constructor(options: LineLogOptions) {
    this.lines = new LineLog(options, {
      table: "app",
      insert,
      ...MISSING_LINES,
      record: (deploymentId, { message: body, ...line }) => ({ deploymentId, body, ...line }),
    });
  }

  /** Takes lines in. Live readers get them at once; they are on disk within 100 ms. */
  append(deploymentId: string, lines: readonly AppLog[]): void {
    this.lines.append(deploymentId, lines);
  }

  /**
   * A page of past lines, those not yet on disk included.
   *
   * @throws as {@linkcode LineLog.query} does
   */
  async query(
    { deploymentId, q, levels, regions, ...page }: AppLogQuery,
    signal: AbortSignal,
  ): Promise<LogPage> {
    const filters = { level: levels, region: regions };
    return await this.lines.query({ scope: deploymentId, q, filters, ...page }, signal);
  }

  /**
   * Follows new lines from now on, until `signal` aborts, the iterator is returned, or the log is closed.
   *
   * @returns `null` when there are too many readers.
   */
  follow(filter: AppLogFilter, signal: AbortSignal): AsyncIterableIterator<AppLog> | null {
    return this.lines.follow(filter.deploymentId, (line) => matches(filter, line), signal);
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

function matches(filter: AppLogFilter, line: AppLog): boolean {
  return (filter.regions === null || filter.regions.includes(line.region)) && isWanted(filter, line);
}
