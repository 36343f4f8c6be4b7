/**
 * The control plane: what should run (projects, deployments, domains), and what does (the supervisor). It knows tenants,
 * storage and the API. It refuses to know requests: it hands route tables out and grants isolates.
 */
export { type CliDeps, runCli, type RunningServer } from "./cli/run_cli.ts";
export type { Config } from "./config.ts";
export { type Control, openControl } from "./control.ts";
export type { Lessee } from "./supervisor/lessee.ts";
export type { Supervisor } from "./supervisor/supervisor.ts";
