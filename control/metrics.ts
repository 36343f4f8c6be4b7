import type { IsolatePhase } from "./supervisor/lifecycle_events.ts";

/** What `/metrics` shows. */
export interface Metrics {
  version: string;
  region: string;
  /** Isolates and blank sandboxes by phase. */
  phases: Readonly<Record<IsolatePhase, number>>;
  /** Requests that wait for an isolate. */
  waiting: number;
  hostnames: number;
}

/** The text format of Prometheus, version 0.0.4. */
export function metricsText({ version, region, phases, waiting, hostnames }: Metrics): string {
  const { rss } = Deno.memoryUsage();
  return [
    metric("isola_info", "gauge", "This server.", [[`{version="${version}",region="${region}"}`, 1]]),
    metric(
      "isola_sandboxes",
      "gauge",
      "Sandbox processes by phase.",
      Object.entries(phases).map(([phase, count]) => [`{phase="${phase}"}`, count]),
    ),
    metric("isola_acquires_waiting", "gauge", "Acquires that wait for an isolate.", [["", waiting]]),
    metric("isola_hostnames", "gauge", "Hostnames that are routed.", [["", hostnames]]),
    metric("process_resident_memory_bytes", "gauge", "Resident memory of the server process.", [["", rss]]),
  ].join("");
}

function metric(
  name: string,
  type: string,
  help: string,
  samples: [labels: string, value: number][],
): string {
  const lines = samples.map(([labels, value]) => `${name}${labels} ${value}\n`).join("");
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines}`;
}
