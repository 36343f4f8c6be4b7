import type { AccessLog } from "../model.ts";
import type { AccessBatch, AccessEntry } from "../../runner/mod.ts";
import type { Database } from "../store/mod.ts";
import { accessRecord } from "./access_record.ts";
import { Followers } from "./followers.ts";
import { LineWriter } from "./line_writer.ts";
import type { LogPage, LogQuery } from "./log_query.ts";
import type { LogReader } from "./log_reader.ts";
import type { OtlpLogs } from "./otlp_logs.ts";

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
export interface AccessLogsOptions {
  database: Database;
  reader: LogReader;
  /** The project of a deployment; `undefined` = it is gone. */
  projectOf(deploymentId: string): string | undefined;
  /** Gets every request, too; `null` = nobody does. */
  exporter: Pick<OtlpLogs, "add"> | null;
  /** Told of each line that goes to the database, by its project. */
  written(projectId: string): void;
}

/** The requests of projects that want to know of them: kept for a while, searched, followed live. */
export class AccessLogs {
  readonly #options: AccessLogsOptions;
  readonly #writer: LineWriter<AccessLog>;
  readonly #followers = new Followers<AccessLog>();
  #missedByRunners = 0;
  #closed = false;

  constructor(options: AccessLogsOptions) {
    this.#options = options;
    this.#writer = new LineWriter(options.database, {
      insert: (projectId, line) => {
        options.written(projectId);
        insert(options.database, projectId, line);
      },
      dropped: withMissing,
    });
  }

  /** Requests that found no room since the start, here or in a runner. Each log says itself how many of its own. */
  get droppedCount(): number {
    return this.#missedByRunners + this.#writer.droppedCount;
  }

  /**
   * Takes in what a runner says of requests; live readers get them at once. Resolves when they are on disk, or the disk takes
   * nothing: a runner that waits for it overwhelms nobody.
   */
  async append({ entries, dropped }: AccessBatch, region: string): Promise<void> {
    if (this.#closed) return;
    const lines = entries.map((entry) => accessLine(entry, region));
    for (const { count, last } of dropped.values()) {
      this.#missedByRunners += count;
      lines.push(withMissing(count, accessLine(last, region)));
    }
    for (const [deploymentId, ofDeployment] of Map.groupBy(lines, (line) => line.deploymentId)) {
      const projectId = this.#options.projectOf(deploymentId);
      if (projectId === undefined) continue;
      this.#followers.push(projectId, ofDeployment);
      this.#writer.add(projectId, ofDeployment);
      this.#options.exporter?.add(ofDeployment.map(accessRecord));
    }
    await this.#writer.settle();
  }

  /**
   * A page of past requests, those not yet on disk included.
   *
   * @throws as {@linkcode LogReader.read} does
   */
  async query(
    { projectId, q, statuses, deploymentIds, regions, ...page }: AccessLogQuery,
    signal: AbortSignal,
  ): Promise<LogPage> {
    await this.#writer.settle();
    const filters = {
      ...(statuses === null ? {} : { status: statuses.map(String) }),
      ...(deploymentIds === null ? {} : { deployment: deploymentIds }),
      ...(regions === null ? {} : { region: regions }),
    };
    return await this.#options.reader.read(
      { table: "access", scope: projectId, q, filters, ...page },
      signal,
    );
  }

  /**
   * Follows requests from now on as they end, until `signal` aborts, the iterator is returned, or the log is closed.
   *
   * @returns `null` when there are too many readers.
   */
  follow(filter: AccessLogFilter, signal: AbortSignal): AsyncIterableIterator<AccessLog> | null {
    return this.#followers.follow(filter.projectId, {
      accepts: (line) => matches(filter, line),
      skipped: withMissing,
    }, signal);
  }

  /** Ends the live readers of a project that was deleted. Its lines go with age. */
  endFollowers(projectId: string): void {
    this.#followers.end(projectId);
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
