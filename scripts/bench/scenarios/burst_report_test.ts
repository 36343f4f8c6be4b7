import assert from "node:assert/strict";
import { burstFindings } from "./burst_report.ts";

Deno.test("starts at once are judged by what as many single ones take on all cores", () => {
  const { markdown, verdicts } = burstFindings({
    emptyMs: [100, 90, 110],
    bareMs: [80],
    burstMs: [40, 120, 200, 241],
    cores: 2,
  });
  assert.ok(markdown.endsWith("4 starts of 100.0 ms on 2 cores: 200 ms."));
  assert.deepEqual(verdicts.map(({ measured, met }) => [measured.split(" ", 1)[0], met]), [
    ["1.25", true],
    ["1.21", false],
  ]);
});
