import assert from "node:assert/strict";
import { report } from "./report.ts";

Deno.test("the report compares every subject with the first", () => {
  const text = report({
    subjects: [
      {
        name: "A",
        throughput: [1000, 3000, 2000].map((n) => ({ requestsPerSecond: n, cpuMicrosPerRequest: 10 })),
        latenciesMs: [1, 2, 3],
      },
      { name: "B", throughput: [{ requestsPerSecond: 1000, cpuMicrosPerRequest: 25 }], latenciesMs: [4] },
    ],
    latencyRate: 500,
    coldStartsMs: { "C": [7, 5, 6] },
  });
  const rows = text.split("\n");
  assert.ok(rows.includes("| A | 2,000 (1,000–3,000) | 1.00 | 10.0 (10.0–10.0) | 1.00 | 2.00 | 3.00 |"));
  assert.ok(rows.includes("| B | 1,000 (1,000–1,000) | 0.50 | 25.0 (25.0–25.0) | 2.50 | 4.00 | 4.00 |"));
  assert.ok(rows.includes("| C | 3 | 6.0 | 7.0 | 7.0 | 7.0 |"));
});
