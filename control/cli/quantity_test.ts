import assert from "node:assert/strict";
import { formatAge, formatBytes, formatElapsed, parseDurationMs } from "./quantity.ts";

Deno.test("quantities are shown in the unit that suits them", () => {
  const ages: [number, string][] = [[-5, "0s"], [999, "0s"], [59_999, "59s"], [185_000, "3m"], [
    7_200_000,
    "2h",
  ], [9e7, "1d"]];
  for (const [ms, text] of ages) assert.equal(formatAge(ms), text);
  const sizes: [number, string][] = [[0, "0 B"], [1023, "1023 B"], [1536, "1.5 KiB"], [
    5 * 1024 ** 2,
    "5.0 MiB",
  ], [2 ** 41, "2048.0 GiB"]];
  for (const [bytes, text] of sizes) assert.equal(formatBytes(bytes), text);
  assert.deepEqual([12.4, 999.4, 2345].map(formatElapsed), ["12 ms", "999 ms", "2.3 s"]);
});

Deno.test("durations are read with their unit, and nothing else", () => {
  const cases: [string, number | undefined][] = [
    ["500ms", 500],
    ["10s", 10_000],
    ["2h", 7_200_000],
    ["0m", 0],
    ["1d", 86_400_000],
    ["10", undefined],
    ["-1m", undefined],
    ["1.5h", undefined],
    ["1w", undefined],
  ];
  for (const [text, ms] of cases) assert.equal(parseDurationMs(text), ms, text);
});
