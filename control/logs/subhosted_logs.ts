import type { LogLevel, SubhostedLog } from "../model.ts";
import type { Database } from "../store/mod.ts";
import { LineLog, type LineLogOptions } from "./line_log.ts";
import type { LogPage, LogQuery } from "./log_query.ts";

/** Which lines of a subhoster's deployments are wanted. `null` = all. */
export interface SubhostedLogFilter {
  subhosterId: string;
  /** Text that the message contains, in any case. */
  q: string | null;
  levels: readonly LogLevel[] | null;
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
    this.lines = new LineLog(options, {
      table: "subhosted",
      insert,
      dropped: (count, last) =>
        note(last, `${count} log lines were dropped: too many were waiting to be written`),
      skipped: (count, last) => note(last, `${count} log lines were skipped: this reader is too slow`),
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

function matches({ q, levels, deploymentId }: SubhostedLogFilter, line: SubhostedLog): boolean {
  return (levels === null || levels.includes(line.level)) &&
    (deploymentId === null || deploymentId === line.deploymentId) &&
    (q === null || line.message.toLowerCase().includes(q.toLowerCase()));
}

function note(last: SubhostedLog, message: string): SubhostedLog {
  return { ...last, level: "warning", message };
}
