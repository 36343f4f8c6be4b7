import assert from "node:assert/strict";
import { logFindings } from "./logs_report.ts";

Deno.test("readers of logs are judged by the cold starts beside them", () => {
  const times = (reading: "none" | "export" | "search", coldMs: number[]) => ({
    reading,
    elapsedMs: 5000,
    coldMs,
    healthMs: [1, 2],
  });
  const { markdown, verdicts } = logFindings([
    times("none", [10]),
    times("export", [12]),
    times("search", [30]),
  ]);
  assert.ok(markdown.includes("| one exports them | 5.0 | 12.0 (12.0–12.0) |"));
  assert.deepEqual(verdicts.map(({ met }) => met), [true, false]);
});
