import assert from "node:assert/strict";
import { bodiesFindings, type BodiesRound } from "./bodies_report.ts";

function findings(base: BodiesRound[], ours: BodiesRound[]) {
  const subjects = [{ name: "nginx", rounds: base }, { name: "Isola", rounds: ours }];
  const names = { base: "nginx", ours: "Isola" };
  return bodiesFindings({ subjects, names, connections: 8, rounds: 2, seconds: 1, failures: [] });
}

Deno.test("throughput is compared each way", () => {
  const { markdown, verdicts } = findings(
    [{ downloadMiBPerSecond: 1000, uploadMiBPerSecond: 500, peakMiB: 1 }],
    [{ downloadMiBPerSecond: 700, uploadMiBPerSecond: 250, peakMiB: 200 }],
  );
  assert.ok(markdown.includes("| Isola | 700 (700–700) | 0.70 | 250 (250–250) | 0.50 | 200 (200–200) |"));
  assert.deepEqual(verdicts.map(({ met }) => met), [true, false, true]);
});

Deno.test("memory that grows from the first round to the last is not flat", () => {
  const rounds = [100, 300, 120].map((peakMiB) => ({
    downloadMiBPerSecond: 1,
    uploadMiBPerSecond: 1,
    peakMiB,
  }));
  assert.equal(findings(rounds, rounds).verdicts[2]!.met, false);
  assert.equal(findings(rounds, rounds.slice(0, 1)).verdicts[2]!.met, true);
});
