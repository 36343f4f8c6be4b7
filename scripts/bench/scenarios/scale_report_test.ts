import assert from "node:assert/strict";
import { scaleFindings } from "./scale_report.ts";

Deno.test("a lookup is flat when a request costs as much with all deployments as with one", () => {
  const start = { readyMs: 500, servedMs: 700, rssMiB: 150, peakRssMiB: 160 };
  const { markdown, verdicts } = scaleFindings({
    starts: [start],
    cpuMicros: { one: [20, 22, 21], registered: [24, 23, 25], live: [26] },
    updates: [{ visibleMs: 40, visitorsMs: 12, callersMs: 60 }, {
      visibleMs: 49,
      visitorsMs: 51,
      callersMs: 9,
    }],
    rssMiB: 301,
    peakRssMiB: 310,
  }, { registered: 10_000, live: 100 });
  assert.ok(markdown.includes("| CPU µs/request, 10,000 registered, 1 live | 24.0 (23.0–25.0) |"));
  assert.deepEqual(verdicts.map(({ met }) => met), [true, false, false, true, true]);
});
