import assert from "node:assert/strict";
import { deployFindings } from "./deploy_report.ts";

Deno.test("each app is judged by its medians", () => {
  const { markdown, verdicts } = deployFindings([{ name: "hono", deployMs: [900, 1200, 950], devMs: [310] }]);
  assert.ok(markdown.includes("| hono | 950 (900–1,200) | 310 (310–310) |"));
  assert.deepEqual(verdicts.map(({ met }) => met), [true, false]);
});
