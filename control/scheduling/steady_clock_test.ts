import assert from "node:assert/strict";
import { STEADY_AFTER_MS, SteadyClock } from "./steady_clock.ts";

Deno.test("a clock is believed when it has gone evenly for an hour, and no more once it was set", () => {
  let wallMs = 1e12;
  let monotonicMs = 5;
  const clock = new SteadyClock(() => wallMs, () => monotonicMs);
  const pass = (ms: number) => {
    wallMs += ms;
    monotonicMs += ms;
    return clock.steadyMs();
  };
  assert.equal(pass(STEADY_AFTER_MS - 1), null);
  assert.equal(pass(1), wallMs);
  wallMs += 3000; // Slewed.
  assert.equal(pass(1), wallMs);
  for (const stepMs of [400 * 24 * 60 * 60_000, -400 * 24 * 60 * 60_000]) {
    wallMs += stepMs;
    assert.equal(pass(1), null);
    assert.equal(pass(STEADY_AFTER_MS - 2), null);
    assert.equal(pass(2), wallMs);
  }
});
