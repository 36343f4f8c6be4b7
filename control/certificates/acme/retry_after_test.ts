import assert from "node:assert/strict";
import { MAX_RETRY_AFTER_MS, readRetryAfter } from "./retry_after.ts";

Deno.test("Retry-After is seconds or a date, within bounds", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  const cases: [string | null, number | null][] = [
    [null, null],
    ["", null],
    ["soon", null],
    ["-5", null],
    ["1.5", null],
    ["0", 0],
    ["120", 120_000],
    ["99999999999", MAX_RETRY_AFTER_MS],
    ["Thu, 01 Jan 2026 00:01:00 GMT", 60_000],
    ["Wed, 31 Dec 2025 00:00:00 GMT", 0],
  ];
  for (const [value, expected] of cases) assert.equal(readRetryAfter(value, now), expected, `${value}`);
});
