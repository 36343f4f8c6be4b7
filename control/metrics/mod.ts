/**
 * What an operator watches, as Prometheus reads it. It refuses to know how anything is measured that has a part of the
 * server of its own.
 */
export { collectMetrics } from "./collect.ts";
export { Durations } from "./durations.ts";
export { Responses } from "./responses.ts";
