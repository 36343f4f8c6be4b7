import assert from "node:assert/strict";
import { ShiftedClock } from "./testing/shifted_clock.ts";
import { TokenBucket } from "./token_bucket.ts";

Deno.test("a token bucket permits its burst at once and then its rate", () => {
  using clock = new ShiftedClock();
  const bucket = new TokenBucket(1, 5);
  const taken = () => Array.from({ length: 10 }, () => bucket.take()).filter(Boolean).length;
  assert.equal(taken(), 5);
  clock.advance(2000);
  assert.equal(taken(), 2);
  clock.advance(3_600_000);
  assert.equal(taken(), 5);
});
