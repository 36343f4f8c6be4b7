import assert from "node:assert/strict";
import { streamedFindings, type StreamedTimes } from "./streamed_report.ts";
import type { Transport } from "../subjects/subject.ts";

function times(transport: Transport, shortMs: number, longMs: number): StreamedTimes[] {
  return [
    { transport, kilobytes: 1, hasLength: false, latenciesMs: [shortMs, shortMs, shortMs * 2] },
    { transport, kilobytes: 20, hasLength: true, latenciesMs: [longMs] },
  ];
}

function findings(subjects: { name: string; times: StreamedTimes[] }[]) {
  return streamedFindings({
    subjects,
    ours: "Isola",
    rounds: 1,
    requests: 3,
    failures: ["nginx: no binary"],
  });
}

Deno.test("each subject has a row for each transport", () => {
  const all = [...times("http", 1, 2), ...times("https", 1, 2), ...times("h2", 1, 44)];
  const lines = findings([{ name: "Isola", times: all }]).markdown.split("\n");
  assert.ok(lines.includes("|  | 1 KB | 20 KB, length |"));
  assert.ok(lines.includes("| Isola: HTTP/1.1, TLS | 1.00 / 2.00 | 2.00 / 2.00 |"));
  assert.ok(lines.includes("| Isola: HTTP/2, TLS | 1.00 / 2.00 | 44.00 / 44.00 |"));
  assert.ok(lines.includes("Not measured: nginx: no binary"));
});

Deno.test("one size that waits is enough for a transport to be told", () => {
  const all = [...times("http", 1, 2), ...times("https", 44, 2), ...times("h2", 1, 44)];
  const { verdicts } = findings([{ name: "Isola", times: all }]);
  assert.deepEqual(verdicts.map(({ met }) => met), [true, false, false]);
});

Deno.test("rounds are taken together", () => {
  const all = [...times("http", 1, 1), ...times("http", 3, 44), ...times("http", 1, 3)];
  const { verdicts } = findings([{ name: "Isola", times: all }]);
  assert.equal(verdicts[0]!.measured, "3.00 ms");
});

Deno.test("what was not measured is not prompt", () => {
  assert.ok(findings([]).verdicts.every(({ met }) => !met));
  const { verdicts } = findings([{ name: "Isola", times: times("http", 1, 2) }]);
  assert.deepEqual(verdicts.map(({ met }) => met), [true, false, false]);
});
