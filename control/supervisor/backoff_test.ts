import assert from "node:assert/strict";
import { Backoff, DEATHS_WINDOW_MS, FREE_DEATHS } from "./backoff.ts";

const T0 = 1_000_000;

/** Delay after each of the deaths at these times. */
function delaysAfter(deathsAt: number[], backoff = new Backoff()): number[] {
  return deathsAt.map((at) => {
    backoff.died(T0 + at, "TIME_LIMIT");
    return backoff.retryAt - T0 - at;
  });
}

/** Times of deaths, each as soon as it may be after the one before. */
function atOnce(count: number): number[] {
  const backoff = new Backoff();
  let now = T0;
  return Array.from({ length: count }, () => {
    backoff.died(now, "TIME_LIMIT");
    const diedAt = now - T0;
    now = backoff.retryAt;
    return diedAt;
  });
}

Deno.test("five deaths in a minute cost nothing; from then each costs one second, doubling to sixty", () => {
  const delays = delaysAfter(atOnce(14));
  assert.deepEqual(delays, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60].map((s) => s * 1_000));
});

Deno.test("deaths that are far enough apart never cost anything", () => {
  const apart = DEATHS_WINDOW_MS / FREE_DEATHS;
  assert.deepEqual(new Set(delaysAfter(Array.from({ length: 100 }, (_, i) => i * apart))), new Set([0]));
  assert.ok(delaysAfter(Array.from({ length: 6 }, (_, i) => i * (apart - 1))).at(-1)! > 0);
});

Deno.test("once delayed, it stays so until a minute has passed after the last delay without a death", () => {
  const sixth = FREE_DEATHS;
  assert.deepEqual(delaysAfter([0, 0, 0, 0, 0, 0, 1_000 + DEATHS_WINDOW_MS - 1])[sixth + 1], 2_000);
  assert.deepEqual(delaysAfter([0, 0, 0, 0, 0, 0, 1_000 + DEATHS_WINDOW_MS])[sixth + 1], 0);
  assert.deepEqual(delaysAfter([0, 0, 0, 0, 0, 0, 30_000, 60_000, 90_000]).slice(sixth), [
    1_000,
    2_000,
    4_000,
    8_000,
  ]);
});

Deno.test("every boot that fails is delayed, until one succeeds", () => {
  const backoff = new Backoff();
  for (const delayS of [1, 2, 4]) {
    backoff.bootFailed(T0, "BOOT_TIMEOUT");
    assert.equal(backoff.retryAt - T0, delayS * 1_000);
  }
  assert.equal(backoff.code, "BOOT_TIMEOUT");
  backoff.booted();
  backoff.bootFailed(T0, "BOOT_FAILURE");
  assert.equal(backoff.retryAt - T0, 1_000);
});

Deno.test("a boot that succeeds does not forgive deaths", () => {
  const backoff = new Backoff();
  delaysAfter([0, 0, 0, 0, 0, 0], backoff);
  backoff.booted();
  assert.deepEqual(delaysAfter([1_000], backoff), [2_000]);
});
