import assert from "node:assert/strict";
import { type Sample, statsOf } from "./stats.ts";

function sample(second: number, changes: Partial<Sample> = {}): Sample {
  return {
    atMs: second * 1000,
    requests: 0,
    cpuMs: 0,
    ingressBytes: 0,
    egressBytes: 0,
    memoryBytes: 1000,
    ...changes,
  };
}

Deno.test("one sample is no rate yet", () => {
  const { requestsPerMinute, cpuTimePerRequest, maxRss5Minutes } = statsOf([sample(0, { requests: 1000 })]);
  assert.deepEqual([requestsPerMinute, cpuTimePerRequest, maxRss5Minutes], [0, 0, 1000]);
});

Deno.test("rates are of the last minute, memory is the most of all samples", () => {
  const samples = Array.from({ length: 25 }, (_, index) =>
    sample(index * 5, {
      requests: index * 10,
      cpuMs: index * 50,
      ingressBytes: index * 100,
      egressBytes: index * 1000,
      memoryBytes: index === 2 ? 5000 : 1000,
    }));
  const stats = statsOf(samples);
  assert.equal(stats.requestsPerMinute, 120);
  assert.equal(stats.cpuTimePerSecond, 10);
  assert.equal(stats.cpuTimePerRequest, 5);
  assert.equal(stats.ingressBytesPerMinute, 1200);
  assert.equal(stats.egressBytesPerMinute, 12_000);
  assert.equal(stats.maxRss5Minutes, 5000);
});
