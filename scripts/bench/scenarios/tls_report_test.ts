import assert from "node:assert/strict";
import type { LoadResults } from "./load_table.ts";
import { tlsFindings, type TlsLoadResults } from "./tls_report.ts";

function subject(name: string, cpuMicrosPerRequest: number): LoadResults {
  const latencies = [{ latenciesMs: [1, 1, 2], requestsPerSecond: 500 }];
  return { name, throughput: [{ requestsPerSecond: 1000, cpuMicrosPerRequest }], latencies };
}

function findings(loads: TlsLoadResults[]) {
  const names = { base: "nginx", ours: "Isola" };
  return tlsFindings({ loads, names, rounds: 1, seconds: 1, level: "full", failures: [] });
}

Deno.test("each load has its table, with response times where there was a rate", () => {
  const subjects = [subject("nginx", 10), subject("Isola", 20)];
  const lines = findings([
    { title: "One", subjects, isJudged: true, rate: 500 },
    { title: "Two", subjects, isJudged: false },
  ]).markdown.split("\n");
  const isola = "| Isola | 1,000 (1,000–1,000) | 1.00 | 20.0 (20.0–20.0) | 2.00 |";
  assert.deepEqual(lines.filter((line) => line.startsWith("| Isola")), [
    `${isola} 1.00 (1.00–1.00) | 2.00 (2.00–2.00) |`,
    isola,
  ]);
  assert.ok(lines.indexOf("One:") < lines.indexOf("Two:"));
});

Deno.test("CPU is judged load by load, and met by nothing that was not measured", () => {
  const verdicts = findings([
    { title: "good", subjects: [subject("nginx", 10), subject("Isola", 22)], isJudged: true },
    { title: "bad", subjects: [subject("nginx", 10), subject("Isola", 23)], isJudged: true },
    { title: "lost", subjects: [subject("nginx", 10)], isJudged: true },
    { title: "other", subjects: [], isJudged: false },
  ]).verdicts;
  assert.deepEqual(verdicts.map(({ measured, met }) => [measured, met]), [
    ["2.20 × nginx", true],
    ["2.30 × nginx", false],
    ["–", false],
  ]);
});
