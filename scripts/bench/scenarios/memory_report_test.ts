import assert from "node:assert/strict";
import { memoryFindings } from "./memory_report.ts";

Deno.test("each kind of isolate has a limit of its own", () => {
  const conditions = { isolates: 20, requests: 10, restMs: 10_000 };
  const { markdown, verdicts } = memoryFindings({ process: [15, 17, 16], shared: [8] }, conditions);
  assert.ok(markdown.includes("| a process of its own | 16.0 (15.0–17.0) |"));
  assert.deepEqual(verdicts.map(({ met }) => met), [true, false]);
});
