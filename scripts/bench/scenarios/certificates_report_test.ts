import assert from "node:assert/strict";
import { certificateFindings } from "./certificates_report.ts";

Deno.test("certificates cost what a server has more than one with a single certificate", () => {
  const { markdown, verdicts } = certificateFindings({
    one: [{ readyMs: 400, rssMiB: 150, usedRssMiB: 180 }],
    many: [{ readyMs: 2001, rssMiB: 190, usedRssMiB: 244 }],
  }, 1000);
  assert.ok(markdown.includes("| start to `/healthz`, ms | 400 (400–400) | 2,001 (2,001–2,001) |"));
  assert.deepEqual(verdicts.map(({ met }) => met), [false, true]);
});
