import assert from "node:assert/strict";
import { largeFindings } from "./large_report.ts";

Deno.test("a large app's cold start is judged by runs with a cache and without", () => {
  const results = { isolaMs: [500, 520, 510], runMs: [100], firstRunMs: [600] };
  const { markdown, verdicts } = largeFindings(results, { modules: 2041, bytes: 20.5e6 });
  assert.ok(markdown.includes("| Isola, a warm sandbox | 510 (500–520) | 5.10 |"));
  assert.deepEqual(verdicts.map(({ met }) => met), [true, false]);
});
