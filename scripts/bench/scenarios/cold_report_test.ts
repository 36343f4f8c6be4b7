import assert from "node:assert/strict";
import { coldFindings } from "./cold_report.ts";

Deno.test("cold starts are compared with workerd's loader by the same quantile", () => {
  const { markdown, verdicts } = coldFindings(
    { hello: [4, 4, 12], hono: [8.2, 8, 9], workerd: [4, 4, 6] },
    "full",
  );
  assert.ok(
    markdown.includes("| Isola, a warm sandbox, hello | 4.00 | 1.00 | 12.00 | 12.00 | 2.00 | 12.00 |"),
  );
  assert.deepEqual(verdicts.map(({ met }) => met), [true, true, false]);
});
