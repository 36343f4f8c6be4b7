import assert from "node:assert/strict";
import {
  type Circuit,
  type CircuitEvent,
  CLOSED,
  MAX_FAILURES,
  MAX_PAUSE_MS,
  nextCircuit,
  pauseLeftMs,
} from "./circuit.ts";

const FAILING: Circuit = { state: "closed", failures: MAX_FAILURES - 1 };
const OPEN: Circuit = { state: "open", untilMs: 11_000, pauseMs: 1_000 };
const HALF_OPEN: Circuit = { state: "half-open", pauseMs: 4_000 };

const NOW_MS = 10_000;
const CASES: [name: string, circuit: Circuit, event: CircuitEvent, next: Circuit][] = [
  ["calls begin", CLOSED, "begun", CLOSED],
  ["a failure is counted", CLOSED, "failed", { state: "closed", failures: 1 }],
  ["an answer forgets failures", FAILING, "answered", CLOSED],
  ["what nobody waits for says nothing", FAILING, "abandoned", FAILING],
  ["too many failures in a row open it", FAILING, "failed", OPEN],
  ["a call from before fails", OPEN, "failed", OPEN],
  ["a call from before is abandoned", OPEN, "abandoned", OPEN],
  ["a call from before is answered", OPEN, "answered", CLOSED],
  ["one call tries", OPEN, "begun", { state: "half-open", pauseMs: 1_000 }],
  ["its answer closes it", HALF_OPEN, "answered", CLOSED],
  ["its failure doubles the pause", HALF_OPEN, "failed", { state: "open", untilMs: 18_000, pauseMs: 8_000 }],
  ["another may try when it is abandoned", HALF_OPEN, "abandoned", {
    state: "open",
    untilMs: NOW_MS,
    pauseMs: 4_000,
  }],
];

for (const [name, circuit, event, next] of CASES) {
  Deno.test(`A circuit that is ${circuit.state}: ${name}`, () => {
    assert.deepEqual(nextCircuit(circuit, event, NOW_MS), next);
  });
}

Deno.test("A circuit lets no call begin while it is open, and one when it is half-open", () => {
  assert.equal(pauseLeftMs(FAILING, NOW_MS), 0);
  assert.equal(pauseLeftMs(OPEN, NOW_MS), 1_000);
  assert.equal(pauseLeftMs(OPEN, 11_000), 0);
  assert.ok(pauseLeftMs(nextCircuit(OPEN, "begun", 11_000), 11_000) > 0);
});

Deno.test("The pauses of an origin that stays away double up to a bound", () => {
  let circuit: Circuit = FAILING;
  let nowMs = 0;
  const pausesMs: number[] = [];
  for (let i = 0; i < 7; i++) {
    circuit = nextCircuit(circuit, "failed", nowMs);
    const pauseMs = pauseLeftMs(circuit, nowMs);
    pausesMs.push(pauseMs);
    nowMs += pauseMs;
    circuit = nextCircuit(circuit, "begun", nowMs);
  }
  assert.deepEqual(pausesMs, [1_000, 2_000, 4_000, 8_000, 16_000, MAX_PAUSE_MS, MAX_PAUSE_MS]);
});
