/**
 * Logs of deployments: what they print (batched, bounded by age and rows, searched, followed live) and what their builds
 * print. It refuses to know who may read them and where they come from.
 */
export { type AppLogPage, type AppLogQuery, AppLogs, type LogCursor } from "./app_logs.ts";
export { BuildLogs } from "./build_logs.ts";
export type { LogFilter } from "./follower.ts";
export type { RetentionOptions } from "./log_retention.ts";
export { type LogStore, openLogs } from "./log_store.ts";
