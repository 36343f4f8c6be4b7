import assert from "node:assert/strict";
import { ResolvedNames } from "./resolved_names.ts";
import { ShiftedClock } from "./testing/shifted_clock.ts";

Deno.test("an address stands for the names it was resolved from, for five minutes", () => {
  using clock = new ShiftedClock();
  const resolved = new ResolvedNames();
  resolved.add("a.example", "1.1.1.1");
  resolved.add("b.example", "1.1.1.1");
  clock.advance(299_000);
  assert.deepEqual(resolved.namesOf("1.1.1.1"), ["a.example", "b.example"]);
  resolved.add("a.example", "1.1.1.1");
  clock.advance(2000);
  assert.deepEqual(resolved.namesOf("1.1.1.1"), ["a.example"]);
  assert.deepEqual(resolved.namesOf("1.1.1.2"), []);
});

Deno.test("past 1,000 the oldest resolution is forgotten", () => {
  const resolved = new ResolvedNames();
  resolved.add("kept.example", "1.1.1.1");
  resolved.add("gone.example", "1.1.1.1");
  resolved.add("kept.example", "1.1.1.1");
  for (let i = 0; i < 999; i++) resolved.add(`${i}.example`, "1.1.1.2");
  assert.deepEqual(resolved.namesOf("1.1.1.1"), ["kept.example"]);
  assert.equal(resolved.namesOf("1.1.1.2").length, 999);
});
