import type { RefusedTokenStatus, SubhosterStatus } from "../api/mod.ts";
import { subhosterOf } from "../subhosting/subhoster_of.ts";
import type { Labels, Metric } from "./exposition.ts";

/** What is told of subhosters. */
export interface SubhosterSources {
  subhosters: readonly SubhosterStatus[];
  refusedTokens: readonly RefusedTokenStatus[];
  /** All live isolates that have a deployment. */
  isolates: readonly { deploymentId: string; memoryBytes: number }[];
}

type Sample = (subhoster: SubhosterStatus) => number;

/** Metrics of subhosters, whose deployments are too many for a line each. */
export function subhosterMetrics({ subhosters, refusedTokens, isolates }: SubhosterSources): Metric[] {
  const metric = (type: "gauge" | "counter", name: string, help: string, value: Sample): Metric => ({
    name: `isola_subhoster_${name}`,
    type,
    help,
    samples: subhosters.map((subhoster) => [{ subhoster: subhoster.id }, value(subhoster)]),
  });
  const counter = metric.bind(null, "counter");
  const gauge = metric.bind(null, "gauge");
  const memory = Map.groupBy(isolates, ({ deploymentId }) => subhosterOf(deploymentId));
  return [
    counter("requests_total", "Requests that isolates were given.", ({ usage }) => usage.requests),
    counter("cpu_seconds_total", "CPU time of isolates.", ({ usage }) => usage.cpuMs / 1000),
    counter("ingress_bytes_total", "Bytes that isolates received.", ({ usage }) => usage.ingressBytes),
    counter("egress_bytes_total", "Bytes that isolates sent.", ({ usage }) => usage.egressBytes),
    gauge("isolates", "Live isolates.", (subhoster) => subhoster.isolates),
    gauge(
      "memory_bytes",
      "Resident memory of live isolates.",
      ({ id }) => sum(memory.get(id) ?? [], ({ memoryBytes }) => memoryBytes),
    ),
    gauge("cached_deployments", "Deployments that are kept.", ({ cached }) => cached.deployments),
    gauge("cached_bytes", "What is kept of deployments, on disk.", ({ cached }) => cached.bytes),
    counter("origin_calls_total", "Calls to origins.", ({ origins }) => sum(origins, ({ calls }) => calls)),
    counter(
      "origin_failures_total",
      "Calls to origins that failed.",
      ({ origins }) => sum(origins, ({ failures }) => failures),
    ),
    gauge("origins_avoided", "Origins that are left alone for a while, since calls to them failed.", (
      { origins },
    ) => origins.filter(({ circuit }) => circuit !== "closed").length),
    gauge("events_pending", "Events that wait for their origin.", ({ events }) => events.pending),
    gauge("events_pending_bytes", "What waiting events take.", ({ events }) => events.pendingBytes),
    counter("events_delivered_total", "Events that an origin took.", ({ events }) => events.delivered),
    counter(
      "events_dropped_total",
      "Events that found no room or got too old.",
      ({ events }) => events.dropped,
    ),
    {
      name: "isola_subhoster_refused_tokens_total",
      type: "counter",
      help: 'Tokens of relays that were refused, by reason; subhoster="" is nobody known.',
      samples: refusedTokens.map(({ subhosterId, reason, count }): [Labels, number] => [
        { subhoster: subhosterId ?? "", reason },
        count,
      ]),
    },
  ];
}

function sum<Item>(items: readonly Item[], value: (item: Item) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
