import assert from "node:assert/strict";
import { subhostingFindings, type SubhostingResults } from "./subhosting_report.ts";

const STARTS = { ordinary: [5, 5, 6], kept: [6, 6, 7], first: [10, 11, 12], rpc: [1, 1, 1] };
const RESULTS: SubhostingResults = {
  hello: STARTS,
  hono: { ...STARTS, kept: [20, 20, 20] },
  ordinary: [{ requestsPerSecond: 100, cpuMicrosPerRequest: 20 }],
  relayed: [{ requestsPerSecond: 50, cpuMicrosPerRequest: 30 }],
};

Deno.test("starts and requests have a row each, beside ordinary ones", () => {
  const lines = subhostingFindings(RESULTS, "full").markdown.split("\n");
  assert.ok(lines.includes("| hello | 5.00 | 6.00 | 1.20 | 7.00 | 10.00 | 1.00 |"), lines.join("\n"));
  assert.ok(lines.includes("| through a relay's token | 50 | 0.50 | 30.0 | 1.50 |"), lines.join("\n"));
});

Deno.test("what takes longer than is promised is told", () => {
  assert.deepEqual(subhostingFindings(RESULTS, "full").verdicts.map(({ met }) => met), [true, false, false]);
});
