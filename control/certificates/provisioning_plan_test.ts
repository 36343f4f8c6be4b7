import assert from "node:assert/strict";
import { type CertificateState, dueAt, isSignable, jitterOf, retryDelayMs } from "./provisioning_plan.ts";

const HOUR = 3600_000;
const DAY = 24 * HOUR;

Deno.test("a certificate is due at two thirds of its lifetime or a little earlier, or when its authority says", () => {
  const validity = { notBefore: 0, expiresAt: 90 * DAY, orderedAt: HOUR };
  const cases: [string, Partial<CertificateState>, number][] = [
    ["none yet", { validity: null }, 0],
    ["none yet, failed", { validity: null, retryAt: 5 }, 5],
    ["without jitter", {}, 60 * DAY],
    ["with all jitter", { jitter: 1 }, 57 * DAY],
    ["suggested earlier", { suggestedAt: 10 * DAY }, 10 * DAY],
    ["suggested later", { suggestedAt: 70 * DAY }, 70 * DAY],
    ["suggested too late", { suggestedAt: 100 * DAY }, 81 * DAY],
    ["suggested at once", { suggestedAt: 0 }, 25 * HOUR],
    ["failed since", { retryAt: 61 * DAY }, 61 * DAY],
    ["failed earlier", { retryAt: 59 * DAY }, 60 * DAY],
    ["made when it was old", { validity: { ...validity, orderedAt: 88 * DAY } }, 89 * DAY],
    ["of three minutes", { validity: { notBefore: 0, expiresAt: 180_000, orderedAt: 0 } }, 120_000],
    ["of three minutes, due at once", {
      validity: { notBefore: 0, expiresAt: 180_000, orderedAt: 0 },
      suggestedAt: 0,
    }, 60_000],
  ];
  for (const [name, state, expected] of cases) {
    const at = dueAt({ validity, suggestedAt: null, retryAt: null, jitter: 0, ...state });
    assert.equal(Math.round(at), expected, name);
  }
});

Deno.test("failed orders are tried again after a minute, doubling to 12 hours, and not before the server wants", () => {
  const delays = [1, 2, 3, 10, 11, 100].map((failures) => retryDelayMs(failures, null, 0.5));
  assert.deepEqual(delays, [60_000, 120_000, 240_000, 512 * 60_000, 12 * HOUR, 12 * HOUR]);
  assert.deepEqual([0, 1].map((random) => Math.round(retryDelayMs(1, null, random))), [48_000, 72_000]);
  assert.equal(retryDelayMs(1, DAY, 0.5), DAY);
  assert.equal(retryDelayMs(2, 1000, 0.5), 120_000);
});

Deno.test("jitter is spread evenly and is always the same for an id", () => {
  const ids = Array.from({ length: 1000 }, (_, i) => `certificate-${i}`);
  const below = ids.filter((id) => jitterOf(id) < 0.5).length;
  assert(below > 400 && below < 600, `${below}`);
  assert(ids.every((id) => jitterOf(id) === jitterOf(id) && jitterOf(id) >= 0 && jitterOf(id) < 1));
});

Deno.test("names that no authority signs are told", () => {
  for (const base of ["apps.example.com", "example.com", "cloud.internal"]) assert(isSignable(base), base);
  for (const base of ["localhost", "isola.localhost", "intranet", "10.0.0.1", "[::1]", ""]) {
    assert(!isSignable(base), base);
  }
});
