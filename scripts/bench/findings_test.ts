import assert from "node:assert/strict";
import { atLeast, atMost, verdictTable } from "./findings.ts";

Deno.test("a figure may be at its limit, and one that was not measured is not met", () => {
  const target = { limit: 2, unit: "ms", decimals: 1 };
  assert.deepEqual([1.9, 2, 2.1, NaN].map((value) => atMost("f", value, target).met), [
    true,
    true,
    false,
    false,
  ]);
  assert.deepEqual([1.9, 2, 2.1, NaN].map((value) => atLeast("f", value, target).met), [
    false,
    true,
    true,
    false,
  ]);
});

Deno.test("the table of verdicts shows what was promised beside what was measured", () => {
  const target = { limit: 2, unit: "× nginx", decimals: 2 };
  const rows = verdictTable([atMost("CPU", 1.234, target), atLeast("requests/s", NaN, target)]).split("\n");
  assert.equal(rows[2], "| CPU | ≤ 2.00 × nginx | 1.23 × nginx | met |");
  assert.equal(rows[3], "| requests/s | ≥ 2.00 × nginx | – | **not met** |");
});
