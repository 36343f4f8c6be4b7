/**
 * Logs of deployments: what they print, what is asked of them, and what their builds print; batched, bounded by age and
 * size, searched on a thread of its own, followed live, sent to a collector. It refuses to know who may read them and
 * where they come from.
 */
export { deploymentResource } from "./deployment_resource.ts";
export type { LogCursor, LogPage, LogQuery } from "./log_query.ts";
export { LogsBusyError } from "./log_reader.ts";
export type { RetentionOptions } from "./log_retention.ts";
export { type LogStore, openLogs } from "./log_store.ts";
export { OtlpLogs } from "./otlp_logs.ts";
export { type OtlpConfig, otlpTarget } from "./otlp_target.ts";
export type { SubhostedLogs } from "./subhosted_logs.ts";
