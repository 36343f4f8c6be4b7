import assert from "node:assert/strict";
import type { LoadResults } from "./load_table.ts";
import { peersFindings } from "./peers_report.ts";

const NAMES = { base: "nginx", ours: "Isola", oursTwice: "Isola, 2 runners", router: "router" };

function subject(
  name: string,
  requestsPerSecond: number[],
  cpuMicrosPerRequest: number,
  p99?: number,
): LoadResults {
  return {
    name,
    throughput: requestsPerSecond.map((n) => ({ requestsPerSecond: n, cpuMicrosPerRequest })),
    latencies: p99 === undefined ? [] : [{ latenciesMs: [1, 1, p99], requestsPerSecond: 1000 }],
  };
}

function findings(subjects: LoadResults[], rate = 1000) {
  const failures = ["workerd: Cannot start"];
  return peersFindings({ subjects, names: NAMES, rate, rounds: 3, seconds: 1, level: "full", failures });
}

Deno.test("every subject is compared with the same one, and every promise judged", () => {
  const { markdown, verdicts } = findings([
    subject("nginx", [1000, 3000, 2000], 10, 2),
    subject("Isola", [1000], 25, 4),
    subject("Isola, 2 runners", [1100], 25),
    subject("router", [200], 100),
  ]);
  const rows = markdown.split("\n");
  assert.ok(rows.includes(
    "| nginx | 2,000 (1,000–3,000) | 1.00 | 10.0 (10.0–10.0) | 1.00 | 1.00 (1.00–1.00) | 2.00 (2.00–2.00) |",
  ));
  assert.ok(rows.includes("| router | 200 (200–200) | 0.10 | 100.0 (100.0–100.0) | 10.00 | – | – |"));
  assert.ok(rows.includes("Not measured: workerd: Cannot start"));
  assert.deepEqual(verdicts.map(({ met }) => met), [false, false, true, true, true]);
});

Deno.test("latencies at a rate that a subject did not keep up with are not shown", () => {
  const subjects = [subject("nginx", [2000], 10, 2), subject("Isola", [2000], 10, 2)];
  assert.ok(findings(subjects, 1010).markdown.includes("| 2.00 (2.00–2.00) |"));
  const { markdown, verdicts } = findings(subjects, 1100);
  assert.ok(!markdown.includes("2.00 (2.00–2.00)"));
  assert.equal(verdicts[3]!.measured, "–");
});

Deno.test("nothing is met by a subject that could not be measured", () => {
  assert.ok(findings([]).verdicts.every(({ met }) => !met));
});
