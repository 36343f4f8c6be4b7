import type { AccessLog } from "../model.ts";
import type { AccessBatch, AccessEntry } from "../../runner/mod.ts";
import type { Database } from "../store/mod.ts";
import { accessRecord } from "./access_record.ts";
import { LineLog, type LineLogOptions } from "./line_log.ts";
import type { LogPage, LogQuery } from "./log_query.ts";

/** Which requests of a project are wanted. `null` = all. */
export interface AccessLogFilter {
  projectId: string;
  /** Text that `METHOD host/path` contains, in any case. */
  q: string | null;
  /** A request without a response has none of them. */
  statuses: readonly number[] | null;
  deploymentIds: readonly string[] | null;
  regions: readonly string[] | null;
}

/** Which past requests are wanted. */
export type AccessLogQuery = AccessLogFilter & Omit<LogQuery, "table" | "scope" | "q" | "filters">;

/** What access logs work with. */
export interface AccessLogsOptions extends LineLogOptions {
  /** The project of a deployment; `undefined` = it is gone. */
  projectOf(deploymentId: string): string | undefined;
}

/** The requests of projects that want to know of them: kept for a while, searched, followed live. */
export class AccessLogs {
  /** By their projects. */
  readonly lines: LineLog<AccessLog>;
  readonly #projectOf: AccessLogsOptions["projectOf"];
  #missedByRunners = 0;

  constructor({ projectOf, ...options }: AccessLogsOptions) {
    this.#projectOf = projectOf;
    this.lines = new LineLog(options, {
      table: "access",
      insert,
      dropped: withMissing,
      skipped: withMissing,
      record: (_, line) => accessRecord(line),
    });
  }

  /** Requests that found no room since the start, here or in a runner. Each log says itself how many of its own. */
  get droppedCount(): number {
    return this.#missedByRunners + this.lines.droppedCount;
  }

  /**
   * Takes in what a runner says of requests; live readers get them at once. Resolves when they are on disk, or the disk takes
   * nothing: a runner that waits for it overwhelms nobody.
   */
  async append({ entries, dropped }: AccessBatch, region: string): Promise<void> {
    if (this.lines.isClosed) return;
    const lines = entries.map((entry) => accessLine(entry, region));
    for (const { count, last } of dropped.values()) {
      this.#missedByRunners += count;
      lines.push(withMissing(count, accessLine(last, region)));
    }
    for (const [deploymentId, ofDeployment] of Map.groupBy(lines, (line) => line.deploymentId)) {
      const projectId = this.#projectOf(deploymentId);
      if (projectId !== undefined) this.lines.append(projectId, ofDeployment);
    }
    await this.lines.settle();
  }

  /**
   * A page of past requests, those not yet on disk included.
   *
   * @throws as {@linkcode LineLog.query} does
   */
  async query(
    { projectId, q, statuses, deploymentIds, regions, ...page }: AccessLogQuery,
    signal: AbortSignal,
  ): Promise<LogPage> {
    const filters = { status: statuses?.map(String) ?? null, deployment: deploymentIds, region: regions };
    return await this.lines.query({ scope: projectId, q, filters, ...page }, signal);
  }

  /**
   * Follows requests from now on as they end, until `signal` aborts, the iterator is returned, or the log is closed.
   *
   * @returns `null` when there are too many readers.
   */
  follow(filter: AccessLogFilter, signal: AbortSignal): AsyncIterableIterator<AccessLog> | null {
    return this.lines.follow(filter.projectId, (line) => matches(filter, line), signal);
  }
}

function accessLine(entry: AccessEntry, region: string): AccessLog {
  const { timeMs, complete, cold, ...rest } = entry;
  return {
    time: new Date(timeMs).toISOString(),
    ...rest,
    outcome: complete ? "complete" : "aborted",
    start: cold ? "cold" : "warm",
    region,
    missing: null,
  };
}

function withMissing(missing: number, last: AccessLog): AccessLog {
  return { ...last, missing };
}

function insert(database: Database, projectId: string, line: AccessLog): void {
  database.run(
    `INSERT INTO access_logs (project_id, time, method, host, path, protocol, status, outcome, start, duration_ms,
       request_bytes, response_bytes, deployment_id, isolate_id, error_code, request_id, address, trace_id, region, missing)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    projectId,
    Date.parse(line.time),
    line.method,
    line.host,
    line.path,
    line.protocol,
    line.status,
    line.outcome,
    line.start,
    line.durationMs,
    line.requestBytes,
    line.responseBytes,
    line.deploymentId,
    line.isolateId,
    line.errorCode,
    line.requestId,
    line.address,
    line.traceId,
    line.region,
    line.missing,
  );
}

function matches({ q, statuses, deploymentIds, regions }: AccessLogFilter, line: AccessLog): boolean {
  return (statuses === null || (line.status !== null && statuses.includes(line.status))) &&
    (deploymentIds === null || deploymentIds.includes(line.deploymentId)) &&
    (regions === null || regions.includes(line.region)) &&
    (q === null || `${line.method} ${line.host}${line.path}`.toLowerCase().includes(q.toLowerCase()));
}
