import assert from "node:assert/strict";
import { endedSince, type NeighbourRound, report } from "./report.ts";

function round(p99: number, failures = {}, ended = {}): NeighbourRound {
  return { p50: p99 / 10, p99, max: p99 * 2, sentLateP99: 0.5, failures, badOutcomes: {}, ended };
}

Deno.test("the report compares the medians of every scenario with the first, and adds up what went wrong", () => {
  const text = report({
    results: [
      { name: "is not there", rounds: [round(4), round(2), round(3)] },
      {
        name: "loops",
        rounds: [round(9, { TIME_LIMIT: 1 }, { time_limit: 3 }), round(6, {}, { time_limit: 2, exited: 1 })],
      },
    ],
    level: "full",
    requestsPerSecond: 500,
    seconds: 3,
  });
  const rows = text.split("\n");
  assert.match(rows[0]!, /500\/s, rounds of 3 s, sandbox level `full`$/);
  assert.equal(rows[4], "| is not there | 0.30 | 1.00 | 3.00 (2.00–4.00) | 1.00 | 6.0 | 0.50 | 0 |  |  |");
  assert.equal(
    rows[5],
    "| loops | 0.60 | 2.00 | 6.00 (6.00–9.00) | 2.00 | 12.0 | 0.50 | 1 × TIME_LIMIT | 5 × time_limit, 1 × exited |  |",
  );
});

Deno.test("isolates that ended are counted by reason, but for those that were in order", () => {
  const metrics = (ended: Record<string, number>) =>
    Object.entries(ended).map(([reason, count]) => `isola_isolates_ended_total{reason="${reason}"} ${count}`)
      .join("\n");
  const before = metrics({ time_limit: 2, retired: 1 });
  const after = metrics({ time_limit: 5, retired: 4, idle: 1, crashed: 1 });
  assert.deepEqual(endedSince(before, after), { time_limit: 3, crashed: 1 });
});
