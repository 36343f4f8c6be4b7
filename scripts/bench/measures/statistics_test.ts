import assert from "node:assert/strict";
import { quantile, spread } from "./statistics.ts";

Deno.test("a quantile is one of the values, whatever their order", () => {
  const values = [5, 1, 4, 2, 3];
  assert.deepEqual([0, 0.5, 0.99, 1].map((q) => quantile(values, q)), [1, 3, 5, 5]);
  assert.ok(Number.isNaN(quantile([], 0.5)));
});

Deno.test("a spread shows the median between the least and the greatest", () => {
  assert.equal(spread([30_000, 10_000.4, 20_000], 0), "20,000 (10,000–30,000)");
});
