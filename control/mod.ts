/**
 * The control plane: what should run (projects, deployments, domains), and what does (the supervisor). It knows tenants,
 * storage and the API. It refuses to know requests: it hands route tables out and grants isolates.
 */
import type { Config } from "./config/config.ts";
import type { Control, ControlOptions } from "./control.ts";

export { type CliDeps, runCli, type RunningServer } from "./cli/run_cli.ts";
export type { Config, Control };
export type { Predecessor } from "./handover/handover_request.ts";
export type { Lessee } from "./supervisor/lessee.ts";
export type { Supervisor } from "./supervisor/supervisor.ts";
export { isExporting } from "./telemetry/is_exporting.ts";

/**
 * Opens the state and starts the supervisor. What a server is made of is loaded now: most commands talk to one that runs.
 *
 * @throws {StoreError} when another server has the data directory open
 */
export async function openControl(config: Config, options: ControlOptions): Promise<Control> {
  const control = await import("./control.ts");
  return await control.openControl(config, options);
}
