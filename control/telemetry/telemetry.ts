import type { IsolatePhase } from "../supervisor/lifecycle_events.ts";
import type { StartObserver } from "../supervisor/start_observer.ts";
import { isExporting } from "./is_exporting.ts";
import { StartTraces } from "./start_traces.ts";

const SCOPE = "isola.control";

/** What the control plane exports through `@opentelemetry/api`. */
export interface Telemetry {
  readonly starts: StartObserver;
  /** Exports how many isolates there are, from now on. */
  gauge(isolates: () => Readonly<Record<IsolatePhase, number>>): void;
}

/** Loads the library, but only if Deno exports what it is told; else `null`. */
export async function loadTelemetry(): Promise<Telemetry | null> {
  if (!isExporting()) return null;
  const api = await import("@opentelemetry/api");
  return {
    starts: new StartTraces(api, SCOPE),
    gauge(isolates) {
      api.metrics.getMeter(SCOPE).createObservableGauge("isola.isolates", {
        description: "Sandboxes by phase; blank ones have no deployment yet.",
        unit: "{isolate}",
      }).addCallback((result) => {
        for (const [phase, count] of Object.entries(isolates())) {
          result.observe(count, { "isola.isolate.phase": phase });
        }
      });
    },
  };
}
