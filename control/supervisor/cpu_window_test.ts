import assert from "node:assert/strict";
import { CPU_WINDOW_MS, CpuWindow, MIN_REQUESTS } from "./cpu_window.ts";

/** `[seconds, CPU ms, requests]`, all in all. */
type Row = [s: number, cpuMs: number, requests: number];

function meanAfter(rows: Row[]): number | undefined {
  const window = new CpuWindow();
  for (const [s, cpuMs, requests] of rows) window.add(s * 1_000, cpuMs, requests);
  return window.meanMs;
}

const steady = (seconds: number, cpuMsPerS: number, requestsPerS: number): Row[] =>
  Array.from({ length: seconds + 1 }, (_, s) => [s, s * cpuMsPerS, s * requestsPerS]);

const TABLE: Record<string, { rows: Row[]; meanMs: number | undefined }> = {
  "nothing yet": { rows: [], meanMs: undefined },
  "one sample has no duration": { rows: [[0, 5_000, 100]], meanMs: undefined },
  "what was used before it was watched does not count": {
    rows: [[0, 5_000, 0], [1, 5_100, 20]],
    meanMs: 5,
  },
  "19 requests say nothing, however much they used": {
    rows: [[0, 0, 0], [10, 60_000, MIN_REQUESTS - 1]],
    meanMs: undefined,
  },
  "20 requests do": { rows: [[0, 0, 0], [10, 4_020, MIN_REQUESTS]], meanMs: 201 },
  "CPU time without requests does not count against it": {
    rows: [[0, 0, 0], [30, 30_000, 0], [59, 59_000, 5]],
    meanMs: undefined,
  },
  "what is older than a minute does not count": {
    rows: [...steady(60, 1_000, 1), [120, 60_200, 100], [121, 60_400, 140]],
    meanMs: 5,
  },
  "a steady load has its mean, also after a long time": { rows: steady(600, 900, 3), meanMs: 300 },
  "requests that were long ago are too few now": {
    rows: [[0, 0, 0], [1, 10_000, 100], [62, 11_000, 101], [63, 12_000, 102]],
    meanMs: undefined,
  },
};

for (const [name, { rows, meanMs }] of Object.entries(TABLE)) {
  Deno.test(`CPU per request: ${name}`, () => assert.equal(meanAfter(rows), meanMs));
}

Deno.test("any number of samples in a second are kept as one, and the newest counts", () => {
  const window = new CpuWindow();
  for (let ms = 0; ms <= 3 * CPU_WINDOW_MS; ms += 7) window.add(ms, ms, ms / 10);
  assert.equal(Math.round(window.meanMs!), 10);
  assert.ok(window.requests >= 6_000 && window.requests <= 6_100, `${window.requests}`);
});
