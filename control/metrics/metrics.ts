import type { SandboxLayers } from "../../isolate/mod.ts";
import { subhosterOf } from "../subhosting/subhoster_of.ts";
import type { IsolatePhase } from "../supervisor/lifecycle_events.ts";
import type { DeploymentUsage } from "../usage/mod.ts";
import type { Durations } from "./durations.ts";
import { counter, exposition, gauge, type Labels, type Metric } from "./exposition.ts";
import { subhosterMetrics, type SubhosterSources } from "./subhoster_metrics.ts";

/** Deployments with a line of their own in a metric; the others have one together. */
const MAX_SERIES = 1000;

/** What `/metrics` shows. */
export interface Metrics extends SubhosterSources {
  version: string;
  region: string;
  /** The layers around isolates. */
  sandbox: Pick<SandboxLayers, "level" | "cgroup">;
  /** Isolates and blank sandboxes by phase. */
  phases: Readonly<Record<IsolatePhase, number>>;
  /** Isolates that ended since the start, by why. */
  ended: Readonly<Record<string, number>>;
  /** What deployments have used: `UsageLedger.totals()`. */
  usage: readonly DeploymentUsage[];
  /** Requests that wait for an isolate. */
  waiting: number;
  hostnames: number;
  /** Access tokens that were not known, since the start. */
  authFailures: number;
  durations: Durations;
  /** To visitors, since the start. */
  responses: { classes: Readonly<Record<string, number>>; errors: Readonly<Record<string, number>> };
  logs: {
    /** Of all logs, as they lie on disk. */
    bytes: number;
    /** Lines that were not kept since the start, by log. */
    dropped: Readonly<Record<string, number>>;
    /** Records for a collector since the start; `null` = there is none. */
    exported: { sent: number; dropped: number } | null;
  };
  /** When the first of the certificates in use expires, Unix ms; `null` = there is none. */
  certificateExpiryMs: number | null;
  /** Of the server process. */
  process: readonly Metric[];
}

/** The text of `/metrics`: names and units as Prometheus' conventions ask for. */
export function metricsText(metrics: Metrics): string {
  return exposition([
    ...serverMetrics(metrics),
    ...isolateMetrics(metrics),
    ...responseMetrics(metrics.responses),
    ...durationMetrics(metrics.durations),
    ...usageMetrics(metrics.usage),
    ...subhosterMetrics(metrics),
    ...logMetrics(metrics.logs),
    ...metrics.process,
  ]);
}

function serverMetrics(metrics: Metrics): Metric[] {
  const { version, region, sandbox: { level, cgroup }, certificateExpiryMs, hostnames, authFailures } =
    metrics;
  return [
    gauge("isola_info", "This server.", 1, { version, region }),
    gauge(
      "isola_sandbox_info",
      "Layers around isolates: the level, and the version of control groups (0 = none).",
      1,
      { level, cgroup: String(cgroup) },
    ),
    gauge("isola_hostnames", "Hostnames that are routed.", hostnames),
    counter("isola_auth_failures_total", "Access tokens that were not known.", authFailures),
    ...(certificateExpiryMs === null ? [] : [
      gauge(
        "isola_certificate_expiry_timestamp_seconds",
        "When the first of the certificates in use expires, in Unix time.",
        certificateExpiryMs / 1000,
      ),
    ]),
  ];
}

function isolateMetrics({ phases, ended, isolates, waiting }: Metrics): Metric[] {
  return [
    {
      name: "isola_sandboxes",
      type: "gauge",
      help: "Sandbox processes by phase.",
      samples: samples(phases, "phase"),
    },
    {
      name: "isola_isolates_ended_total",
      type: "counter",
      help: "Isolates that ended, by reason.",
      samples: samples(ended, "reason"),
    },
    {
      name: "isola_isolate_memory_bytes",
      type: "gauge",
      help: "Resident memory of live isolates, those of subhosters apart.",
      samples: [...memoryByDeployment(isolates)].map(([deployment, bytes]) => [{ deployment }, bytes]),
    },
    gauge("isola_acquires_waiting", "Acquires that wait for an isolate.", waiting),
  ];
}

function responseMetrics({ classes, errors }: Metrics["responses"]): Metric[] {
  return [
    {
      name: "isola_responses_total",
      type: "counter",
      help: "Responses to visitors, by the class of their status.",
      samples: samples(classes, "class"),
    },
    {
      name: "isola_error_pages_total",
      type: "counter",
      help: "Error pages in place of a deployment's response, by code.",
      samples: samples(errors, "code"),
    },
  ];
}

function durationMetrics({ coldStarts, builds }: Durations): Metric[] {
  return [
    {
      name: "isola_cold_start_seconds",
      type: "histogram",
      help: "Time that requests waited for an isolate to start.",
      samples: [[{}, coldStarts]],
    },
    {
      name: "isola_build_duration_seconds",
      type: "histogram",
      help: "Duration of builds, the first start included, by how they ended.",
      samples: Object.entries(builds).map(([status, histogram]) => [{ status }, histogram]),
    },
  ];
}

function usageMetrics(usage: readonly DeploymentUsage[]): Metric[] {
  const ofDeployments = (name: string, help: string, value: (one: DeploymentUsage) => number): Metric => ({
    name,
    type: "counter",
    help,
    samples: usage.map((one) => [{ deployment: one.deploymentId }, value(one)]),
  });
  return [
    ofDeployments("isola_requests_total", "Requests that isolates were given.", (one) => one.requests),
    ofDeployments("isola_cpu_seconds_total", "CPU time of isolates.", (one) => one.cpuMs / 1000),
    ofDeployments("isola_ingress_bytes_total", "Bytes that isolates received.", (one) => one.ingressBytes),
    ofDeployments("isola_egress_bytes_total", "Bytes that isolates sent.", (one) => one.egressBytes),
    ofDeployments(
      "isola_isolate_uptime_seconds_total",
      "Time that isolates were up.",
      (one) => one.uptimeMs / 1000,
    ),
  ];
}

function logMetrics({ bytes, dropped, exported }: Metrics["logs"]): Metric[] {
  return [
    gauge("isola_log_store_bytes", "Logs as they lie on disk.", bytes),
    {
      name: "isola_log_lines_dropped_total",
      type: "counter",
      help: "Log lines that were not kept because too many came at once, by log.",
      samples: samples(dropped, "log"),
    },
    ...(exported === null ? [] : [
      counter("isola_otlp_records_sent_total", "Log records that a collector has taken.", exported.sent),
      counter("isola_otlp_records_dropped_total", "Log records that no collector took.", exported.dropped),
    ]),
  ];
}

function samples(values: Readonly<Record<string, number>>, label: string): [Labels, number][] {
  return Object.entries(values).map(([name, value]) => [{ [label]: name }, value]);
}

/** A deployment may have two isolates for a while: one that ends and one that begins. */
function memoryByDeployment(isolates: Metrics["isolates"]): Map<string, number> {
  const bytes = new Map<string, number>();
  for (const { deploymentId, memoryBytes } of isolates) {
    if (subhosterOf(deploymentId) !== null) continue;
    const hasRoom = bytes.has(deploymentId) || bytes.size < MAX_SERIES - 1;
    const deployment = hasRoom ? deploymentId : "other";
    bytes.set(deployment, (bytes.get(deployment) ?? 0) + memoryBytes);
  }
  return bytes;
}
