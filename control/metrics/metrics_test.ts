import assert from "node:assert/strict";
import { PLAIN_SUBHOSTER } from "../api/testing/plain_subhoster.ts";
import { Durations } from "./durations.ts";
import { type Metrics, metricsText } from "./metrics.ts";
import { processMetrics } from "./process_metrics.ts";
import { Responses } from "./responses.ts";

const durations = new Durations();
durations.coldStarts.observe(0.02);
durations.coldStarts.observe(0.5);
durations.coldStarts.observe(11);
durations.builds.failed.observe(3);
const responses = new Responses();
const [forged, unknown] = [
  { subhosterId: "acme", problem: "signature" as const, count: 2 },
  { subhosterId: null, problem: "unknown_subhoster" as const, count: 1 },
];
responses.add({
  byClass: [0, 0, 5, 0, 0, 1],
  errors: { OVERLOADED: 1 },
  refusedTokens: [forged, unknown],
});
responses.add({ byClass: [0, 0, 1, 0, 2, 0], errors: {}, refusedTokens: [forged] });

const METRICS: Metrics = {
  version: "1.2.3",
  region: "local",
  sandbox: { level: "full", cgroup: 2 },
  phases: { starting: 0, blank: 2, booting: 0, ready: 1, ending: 0 },
  ended: { idle: 3, memory_limit: 1 },
  isolates: [
    { deploymentId: "abcdefghijkl", memoryBytes: 1024 },
    { deploymentId: "acme/d-1", memoryBytes: 100 },
    { deploymentId: "acme/d/2", memoryBytes: 20 },
  ],
  subhosters: [
    {
      ...PLAIN_SUBHOSTER,
      origins: (["closed", "half-open", "open"] as const).map((circuit, failures) => ({
        ...PLAIN_SUBHOSTER.origins[0]!,
        circuit,
        failures,
      })),
      events: { pending: 5, pendingBytes: 600, delivered: 30, dropped: 4, lastError: null },
    },
    { ...PLAIN_SUBHOSTER, id: "other" },
  ],
  refusedTokens: responses.refusedTokens,
  usage: [
    {
      deploymentId: "abcdefghijkl",
      requests: 7,
      cpuMs: 1234.5,
      uptimeMs: 60_500,
      ingressBytes: 10,
      egressBytes: 20,
    },
    { deploymentId: "other", requests: 0, cpuMs: 0, uptimeMs: 0, ingressBytes: 0, egressBytes: 0 },
  ],
  waiting: 4,
  hostnames: 5,
  authFailures: 6,
  durations,
  responses,
  logs: { bytes: 4096, dropped: { app: 1, access: 2 }, exported: { sent: 3, dropped: 4 } },
  certificateExpiryMs: 1_900_000_000_500,
  process: await processMetrics(),
};

/** The samples of a metric, without those of others. */
function samples(name: string, changes: Partial<Metrics> = {}): string[] {
  const lines = metricsText({ ...METRICS, ...changes }).trimEnd().split("\n");
  return lines.filter((line) => line.startsWith(name)).map((line) => line.slice(name.length));
}

const SAMPLES: [name: string, samples: string[]][] = [
  ["isola_info", ['{version="1.2.3",region="local"} 1']],
  ["isola_sandbox_info", ['{level="full",cgroup="2"} 1']],
  ["isola_auth_failures_total", [" 6"]],
  ["isola_sandboxes", [
    '{phase="starting"} 0',
    '{phase="blank"} 2',
    '{phase="booting"} 0',
    '{phase="ready"} 1',
    '{phase="ending"} 0',
  ]],
  ["isola_isolates_ended_total", ['{reason="idle"} 3', '{reason="memory_limit"} 1']],
  ["isola_isolate_memory_bytes", ['{deployment="abcdefghijkl"} 1024']],
  ["isola_requests_total", ['{deployment="abcdefghijkl"} 7', '{deployment="other"} 0']],
  ["isola_cpu_seconds_total", ['{deployment="abcdefghijkl"} 1.2345', '{deployment="other"} 0']],
  ["isola_ingress_bytes_total", ['{deployment="abcdefghijkl"} 10', '{deployment="other"} 0']],
  ["isola_egress_bytes_total", ['{deployment="abcdefghijkl"} 20', '{deployment="other"} 0']],
  ["isola_isolate_uptime_seconds_total", ['{deployment="abcdefghijkl"} 60.5', '{deployment="other"} 0']],
  ["isola_acquires_waiting", [" 4"]],
  ["isola_hostnames", [" 5"]],
  ["isola_cold_start_seconds_bucket", [
    ...["0.005", "0.01"].map((le) => `{le="${le}"} 0`),
    ...["0.025", "0.05", "0.1", "0.25"].map((le) => `{le="${le}"} 1`),
    ...["0.5", "1", "2.5", "5", "10"].map((le) => `{le="${le}"} 2`),
    '{le="+Inf"} 3',
  ]],
  ["isola_cold_start_seconds_sum", [" 11.52"]],
  ["isola_cold_start_seconds_count", [" 3"]],
  ["isola_build_duration_seconds_count", ['{status="success"} 0', '{status="failed"} 1']],
  ["isola_responses_total", ['{class="2xx"} 6', '{class="5xx"} 1', '{class="4xx"} 2']],
  ["isola_error_pages_total", ['{code="OVERLOADED"} 1']],
  ["isola_log_store_bytes", [" 4096"]],
  ["isola_log_lines_dropped_total", ['{log="app"} 1', '{log="access"} 2']],
  ["isola_otlp_records_sent_total", [" 3"]],
  ["isola_otlp_records_dropped_total", [" 4"]],
  ["isola_certificate_expiry_timestamp_seconds", [" 1900000000.5"]],
  ["isola_subhoster_requests_total", ['{subhoster="acme"} 7', '{subhoster="other"} 7']],
  ["isola_subhoster_cpu_seconds_total", ['{subhoster="acme"} 1.5', '{subhoster="other"} 1.5']],
  ["isola_subhoster_ingress_bytes_total", ['{subhoster="acme"} 10', '{subhoster="other"} 10']],
  ["isola_subhoster_egress_bytes_total", ['{subhoster="acme"} 2048', '{subhoster="other"} 2048']],
  ["isola_subhoster_isolates", ['{subhoster="acme"} 2', '{subhoster="other"} 2']],
  ["isola_subhoster_memory_bytes", ['{subhoster="acme"} 120', '{subhoster="other"} 0']],
  ["isola_subhoster_cached_deployments", ['{subhoster="acme"} 12', '{subhoster="other"} 12']],
  ["isola_subhoster_cached_bytes", ['{subhoster="acme"} 4096', '{subhoster="other"} 4096']],
  ["isola_subhoster_origin_calls_total", ['{subhoster="acme"} 60', '{subhoster="other"} 20']],
  ["isola_subhoster_origin_failures_total", ['{subhoster="acme"} 3', '{subhoster="other"} 0']],
  ["isola_subhoster_origins_avoided", ['{subhoster="acme"} 2', '{subhoster="other"} 0']],
  ["isola_subhoster_events_pending{", ['subhoster="acme"} 5', 'subhoster="other"} 0']],
  ["isola_subhoster_events_pending_bytes", ['{subhoster="acme"} 600', '{subhoster="other"} 0']],
  ["isola_subhoster_events_delivered_total", ['{subhoster="acme"} 30', '{subhoster="other"} 30']],
  ["isola_subhoster_events_dropped_total", ['{subhoster="acme"} 4', '{subhoster="other"} 0']],
  ["isola_subhoster_refused_tokens_total", [
    '{subhoster="acme",reason="signature"} 4',
    '{subhoster="",reason="unknown_subhoster"} 1',
  ]],
];

for (const [name, expected] of SAMPLES) {
  Deno.test(`metrics: ${name}`, () => assert.deepEqual(samples(name), expected));
}

Deno.test("metrics: every line is a comment or a sample, and every metric is described before its samples", () => {
  const described = new Set<string>();
  for (const line of metricsText(METRICS).trimEnd().split("\n")) {
    const [, type] = /^# TYPE (\w+) (?:gauge|counter|histogram)$/.exec(line) ?? [];
    if (type !== undefined) described.add(type);
    if (line.startsWith("#")) continue;
    const [, name] = /^([a-z_]+)(?:\{\w+="[^"]*"(?:,\w+="[^"]*")*\})? \d+(?:\.\d+)?$/.exec(line) ?? [];
    assert.ok(name !== undefined && described.has(name.replace(/_(?:bucket|sum|count)$/, "")), line);
  }
});

Deno.test("metrics: label values are escaped", () => {
  const [info] = samples("isola_info", { region: 'a"b\\c\nd' });
  assert.equal(info, '{version="1.2.3",region="a\\"b\\\\c\\nd"} 1');
});

Deno.test("metrics: the memory of a deployment's isolates is added up, for at most 1,000 series", () => {
  const two = [1, 2].map((memoryBytes) => ({ deploymentId: "a", memoryBytes }));
  assert.deepEqual(samples("isola_isolate_memory_bytes", { isolates: two }), ['{deployment="a"} 3']);
  const many = Array.from({ length: 1100 }, (_, index) => ({ deploymentId: `d${index}`, memoryBytes: 1 }));
  const lines = samples("isola_isolate_memory_bytes", { isolates: many });
  assert.deepEqual([lines.length, lines.at(-1)], [1000, '{deployment="other"} 101']);
});
