import type { SandboxLayers } from "../isolate/mod.ts";
import type { IsolatePhase } from "./supervisor/lifecycle_events.ts";
import type { DeploymentUsage } from "./usage/mod.ts";

/** Deployments with a line of their own in a metric; the others have one together. */
const MAX_SERIES = 1000;

/** What `/metrics` shows. */
export interface Metrics {
  version: string;
  region: string;
  /** The layers around isolates. */
  sandbox: Pick<SandboxLayers, "level" | "cgroup">;
  /** Isolates and blank sandboxes by phase. */
  phases: Readonly<Record<IsolatePhase, number>>;
  /** Isolates that ended since the start, by why. */
  ended: Readonly<Record<string, number>>;
  /** The live isolates that have a deployment. */
  isolates: readonly { deploymentId: string; memoryBytes: number }[];
  /** What deployments have used: `UsageLedger.totals()`. */
  usage: readonly DeploymentUsage[];
  /** Requests that wait for an isolate. */
  waiting: number;
  hostnames: number;
}

interface Metric {
  name: string;
  type: "gauge" | "counter";
  help: string;
  samples: [labels: Readonly<Record<string, string>>, value: number][];
}

/** The text format of Prometheus, version 0.0.4. */
export function metricsText(metrics: Metrics): string {
  return [...serverMetrics(metrics), ...isolateMetrics(metrics), ...usageMetrics(metrics.usage)]
    .map(metricText).join("");
}

function serverMetrics({ version, region, sandbox, waiting, hostnames }: Metrics): Metric[] {
  const { level, cgroup } = sandbox;
  const gauge = (name: string, help: string, value: number, labels = {}): Metric => ({
    name,
    type: "gauge",
    help,
    samples: [[labels, value]],
  });
  return [
    gauge("isola_info", "This server.", 1, { version, region }),
    gauge(
      "isola_sandbox_info",
      "Layers around isolates: the level, and the version of control groups (0 = none).",
      1,
      { level, cgroup: String(cgroup) },
    ),
    gauge("isola_acquires_waiting", "Acquires that wait for an isolate.", waiting),
    gauge("isola_hostnames", "Hostnames that are routed.", hostnames),
    gauge(
      "process_resident_memory_bytes",
      "Resident memory of the server process.",
      Deno.memoryUsage().rss,
    ),
  ];
}

function isolateMetrics({ phases, ended, isolates }: Metrics): Metric[] {
  return [
    {
      name: "isola_sandboxes",
      type: "gauge",
      help: "Sandbox processes by phase.",
      samples: Object.entries(phases).map(([phase, count]) => [{ phase }, count]),
    },
    {
      name: "isola_isolates_ended_total",
      type: "counter",
      help: "Isolates that ended, by reason.",
      samples: Object.entries(ended).map(([reason, count]) => [{ reason }, count]),
    },
    {
      name: "isola_isolate_memory_bytes",
      type: "gauge",
      help: "Resident memory of live isolates.",
      samples: [...memoryByDeployment(isolates)].map(([deployment, bytes]) => [{ deployment }, bytes]),
    },
  ];
}

function usageMetrics(usage: readonly DeploymentUsage[]): Metric[] {
  const counter = (name: string, help: string, value: (one: DeploymentUsage) => number): Metric => ({
    name,
    type: "counter",
    help,
    samples: usage.map((one) => [{ deployment: one.deploymentId }, value(one)]),
  });
  return [
    counter("isola_requests_total", "Requests that isolates were given.", (one) => one.requests),
    counter("isola_cpu_seconds_total", "CPU time of isolates.", (one) => one.cpuMs / 1000),
    counter("isola_ingress_bytes_total", "Bytes that isolates received.", (one) => one.ingressBytes),
    counter("isola_egress_bytes_total", "Bytes that isolates sent.", (one) => one.egressBytes),
    counter(
      "isola_isolate_uptime_seconds_total",
      "Time that isolates were up.",
      (one) => one.uptimeMs / 1000,
    ),
  ];
}

/** A deployment may have two isolates for a while: one that ends and one that begins. */
function memoryByDeployment(isolates: Metrics["isolates"]): Map<string, number> {
  const bytes = new Map<string, number>();
  for (const { deploymentId, memoryBytes } of isolates) {
    const hasRoom = bytes.has(deploymentId) || bytes.size < MAX_SERIES - 1;
    const deployment = hasRoom ? deploymentId : "other";
    bytes.set(deployment, (bytes.get(deployment) ?? 0) + memoryBytes);
  }
  return bytes;
}

function metricText({ name, type, help, samples }: Metric): string {
  const lines = samples.map(([labels, value]) => `${name}${labelsText(labels)} ${value}\n`).join("");
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines}`;
}

function labelsText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

/** In a label value, the format escapes these three. */
function escaped(value: string): string {
  return value.replace(/[\\"\n]/g, (character) => character === "\n" ? "\\n" : `\\${character}`);
}
