import type { Sandbox } from "../../isolate/mod.ts";
import type { IsolateInfo } from "../model.ts";
import type { IsolatePhase } from "./lifecycle_events.ts";
import type { UsageMeter } from "./usage_meter.ts";

/** An isolate as the API shows it, measured now. */
export function isolateInfo(
  deploymentId: string,
  phase: IsolatePhase,
  sandbox: Sandbox,
  meter: UsageMeter,
): IsolateInfo {
  meter.measure(sandbox.measure());
  const { lastActiveAt, requests, inFlight } = meter.leased;
  return {
    deploymentId,
    state: phase === "starting" ? "booting" : phase,
    pid: sandbox.pid,
    startedAt: new Date(sandbox.startedAt).toISOString(),
    lastRequestAt: lastActiveAt > 0 ? new Date(lastActiveAt).toISOString() : null,
    requests,
    inFlight,
    ...meter.measured,
  };
}
