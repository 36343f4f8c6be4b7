import assert from "node:assert/strict";
import { Turns } from "./turns.ts";

Deno.test("a sandbox with many streams does not slow another's one", async () => {
  const turns = new Turns();
  let over = false;
  let greedySteps = 0;
  const greedy = async () => {
    for (; !over; greedySteps++) await turns.pass("greedy");
  };
  const streams = Array.from({ length: 200 }, greedy);
  const modestSteps = 50;
  for (let i = 0; i < modestSteps; i++) await turns.pass("modest");
  over = true;
  await Promise.all(streams);
  // First come, first served would be 200 steps of theirs for each.
  assert.ok(greedySteps < 200 + 64 * modestSteps, `${greedySteps}`);
});

Deno.test("few steps are not delayed", () => {
  const turns = new Turns();
  for (let i = 0; i < 20; i++) assert.equal(turns.pass("s1"), undefined);
});
