/** How the lines of one table are read. All of it is SQL of ours, nothing is a client's. */
export interface LogTable {
  name: string;
  /** The column that lines belong together by. */
  scope: string;
  /** What a line shows beside its time. */
  columns: string;
  /** The text that is searched in. */
  text: string;
  /** Expressions of which a query may name the allowed values. */
  filters: Readonly<Record<string, string>>;
}

/**
 * The tables of `logs.db`. Each has `id INTEGER PRIMARY KEY`, the order of arrival, and `time` in Unix ms, and an index on
 * (scope, time, id) and one on time.
 */
export const LOG_TABLES = {
  app: {
    name: "app_logs",
    scope: "deployment_id",
    columns: "level, message, region",
    text: "message",
    filters: { level: "level", region: "region" },
  },
  access: {
    name: "access_logs",
    scope: "project_id",
    columns: `method, host, path, protocol, status, duration_ms AS durationMs, request_bytes AS requestBytes,
      response_bytes AS responseBytes, deployment_id AS deploymentId, isolate_id AS isolateId,
      error_code AS errorCode, request_id AS requestId, address, trace_id AS traceId, outcome, start, region, missing`,
    text: "method || ' ' || host || path",
    filters: { status: "CAST(status AS TEXT)", deployment: "deployment_id", region: "region" },
  },
  subhosted: {
    name: "subhosted_logs",
    scope: "subhoster_id",
    columns: "level, deployment_id AS deploymentId, message, region",
    text: "message",
    filters: { level: "level", deployment: "deployment_id" },
  },
} as const satisfies Record<string, LogTable>;

/** The tables by what a query calls them. */
export type LogTableName = keyof typeof LOG_TABLES;
