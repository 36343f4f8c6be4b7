import assert from "node:assert/strict";
import { Durations } from "./durations.ts";
import { metricsText } from "./metrics.ts";
import { processMetrics } from "./process_metrics.ts";

const DIR = new URL("../../examples/grafana/", import.meta.url);
const METRIC = /\b(?:isola|process)_[a-z_]+\b/g;

Deno.test("every metric that the example for Grafana names is told", async () => {
  const text = metricsText({
    version: "1",
    region: "local",
    sandbox: { level: "full", cgroup: 2 },
    phases: { starting: 0, blank: 0, booting: 0, ready: 0, ending: 0 },
    ended: {},
    isolates: [],
    subhosters: [],
    refusedTokens: [],
    usage: [],
    waiting: 0,
    hostnames: 0,
    authFailures: 0,
    durations: new Durations(),
    responses: { classes: {}, errors: {} },
    logs: { bytes: 0, dropped: {}, exported: { sent: 0, dropped: 0 } },
    certificateExpiryMs: 0,
    process: await processMetrics(),
  });
  const told = new Set(
    [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].flatMap(([, name, type]) =>
      type === "histogram" ? ["bucket", "sum", "count"].map((suffix) => `${name}_${suffix}`) : [name]
    ),
  );
  const dashboard = JSON.parse(await Deno.readTextFile(new URL("dashboard.json", DIR)));
  const expressions = dashboard.panels.flatMap(({ targets }: { targets: { expr: string }[] }) =>
    targets.map(({ expr }) => expr)
  );
  assert.ok(expressions.length > 20);
  const named = [...expressions, await Deno.readTextFile(new URL("README.md", DIR))].flatMap((source) =>
    source.match(METRIC) ?? []
  );
  assert.deepEqual(named.filter((name) => !told.has(name)), []);
});
