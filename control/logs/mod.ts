/**
 * Logs of deployments: what they print, what is asked of them, and what their builds print; batched, bounded by age and
 * size, searched on a thread of its own, followed live, sent to a collector. It refuses to know who may read them and
 * where they come from.
 */
export { type AccessLogFilter, type AccessLogQuery, AccessLogs } from "./access_logs.ts";
export { type AppLogFilter, type AppLogQuery, AppLogs } from "./app_logs.ts";
export { BuildLogs } from "./build_logs.ts";
export { deploymentResource } from "./deployment_resource.ts";
export type { LogCursor, LogPage, LogQuery } from "./log_query.ts";
export { LogsBusyError } from "./log_reader.ts";
export type { RetentionOptions } from "./log_retention.ts";
export { type LogStore, type LogStoreOptions, openLogs } from "./log_store.ts";
export { OtlpLogs, type OtlpRecord } from "./otlp_logs.ts";
export { type OtlpConfig, type OtlpTarget, otlpTarget } from "./otlp_target.ts";
