import type { SubhostedLog } from "../model.ts";
import type { Database } from "../store/mod.ts";
import { LineLog, type LineLogOptions } from "./line_log.ts";
import type { LogPage, LogQuery } from "./log_query.ts";
import { isWanted, MISSING_LINES, type PrintedFilter } from "./printed_lines.ts";

/** Which lines of a subhoster's deployments are wanted. `null` = all. */
export interface SubhostedLogFilter extends PrintedFilter {
  subhosterId: string;
  /** As the subhoster calls it. */
  deploymentId: string | null;
}

/** Which past lines are wanted. */
export type SubhostedLogQuery = SubhostedLogFilter & Omit<LogQuery, "table" | "scope" | "q" | "filters">;

/** What the deployments of subhosters printed: kept for a while, searched, followed live. */
export class SubhostedLogs {
  /** By their subhosters. */
  readonly lines: LineLog<SubhostedLog>;

  constructor(options: LineLogOptions) {
    this.lines = new LineLog<SubhostedLog>(options, {
      table: "subhosted",
      insert,
      ...MISSING_LINES,
      record: (subhosterId, { message: body, deploymentId, ...line }) => ({
        deploymentId: `${subhosterId}/${deploymentId}`,
        body,
        ...line,
      }),
    });
  }

  /** Takes lines in. Live readers get them at once; they are on disk within 100 ms. */
  append(subhosterId: string, lines: readonly SubhostedLog[]): void {
    this.lines.append(subhosterId, lines);
  }

  /**
   * A page of past lines, those not yet on disk included.
   *
   * @throws as {@linkcode LineLog.query} does
   */
  async query(
    { subhosterId, q, levels, deploymentId, ...page }: SubhostedLogQuery,
    signal: AbortSignal,
  ): Promise<LogPage> {
    const filters = { level: levels, deployment: deploymentId === null ? null : [deploymentId] };
    return await this.lines.query({ scope: subhosterId, q, filters, ...page }, signal);
  }

  /**
   * Follows new lines from now on, until `signal` aborts, the iterator is returned, or the log is closed.
   *
   * @returns `null` when there are too many readers.
   */
  follow(filter: SubhostedLogFilter, signal: AbortSignal): AsyncIterableIterator<SubhostedLog> | null {
    return this.lines.follow(filter.subhosterId, (line) => matches(filter, line), signal);
  }
}

function insert(database: Database, subhosterId: string, line: SubhostedLog): void {
  database.run(
    `INSERT INTO subhosted_logs (subhoster_id, time, level, deployment_id, message, region)
     VALUES (?, ?, ?, ?, ?, ?)`,
    subhosterId,
    Date.parse(line.time) || Date.now(),
    line.level,
    line.deploymentId,
    line.message,
    line.region,
  );
}

function matches(filter: SubhostedLogFilter, line: SubhostedLog): boolean {
  return (filter.deploymentId === null || filter.deploymentId === line.deploymentId) &&
    isWanted(filter, line);
}
