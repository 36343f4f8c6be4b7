import assert from "node:assert/strict";
import { DeliveryTurn, MAX_BATCH_EVENTS } from "./delivery_turn.ts";

/** Without jitter. */
const turn = () => new DeliveryTurn(() => 0.5);

Deno.test("an origin that is away is tried again after 1 s, doubling to 60 s, and at once when it is back", () => {
  const it = turn();
  const waits = Array.from({ length: 9 }, () => {
    it.failed(1_000, 10, {});
    return it.dueAt - 1_000;
  });
  assert.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  it.delivered(2_000, true);
  assert.equal(it.dueAt, 2_000);
  it.delivered(2_000, false);
  assert.equal(it.dueAt, 2_250);
  it.failed(3_000, 10, { status: 503 });
  assert.equal(it.dueAt, 4_000);
});

Deno.test("an origin that refuses events is tried again each minute, one that names a time not before", () => {
  for (const status of [302, 400, 401, 403, 404]) {
    const it = turn();
    it.failed(0, 10, { status });
    assert.equal(it.dueAt, 60_000, String(status));
  }
  const it = turn();
  it.failed(0, 10, { status: 429, retryAfterMs: 30_000 });
  assert.equal(it.dueAt, 30_000);
});

Deno.test("waits differ by a fifth at most", () => {
  for (const [random, wait] of [[0, 800], [1, 1_200]] as const) {
    const it = new DeliveryTurn(() => random);
    it.failed(0, 10, {});
    assert.equal(it.dueAt, wait);
  }
});

Deno.test("batches that are too large are halved until one event is too large, and grow again", () => {
  const it = turn();
  const sizes: number[] = [];
  let isHopeless = false;
  while (!isHopeless) {
    sizes.push(it.maxEvents);
    isHopeless = it.failed(0, it.maxEvents, { status: 413 });
    assert.equal(it.dueAt, 0);
  }
  assert.deepEqual(sizes, [1000, 500, 250, 125, 62, 31, 15, 7, 3, 1]);
  it.delivered(0, true);
  assert.equal(it.maxEvents, 2);
  for (let i = 0; i < 20; i++) it.delivered(0, true);
  assert.equal(it.maxEvents, MAX_BATCH_EVENTS);
});
