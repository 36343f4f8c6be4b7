import assert from "node:assert/strict";
import { FairSlots } from "./fair_slots.ts";

const never = new AbortController().signal;

Deno.test("keys that wait for a slot take turns", async () => {
  const slots = new FairSlots({ perKey: 2, total: 2, waitingPerKey: 10 });
  const order: string[] = [];
  const use = async (name: string) => {
    using slot = await slots.acquire(name[0]!, never);
    assert.ok(slot);
    order.push(name);
    await Promise.resolve();
  };
  await Promise.all(["a1", "a2", "a3", "a4", "a5", "b1", "b2", "c1"].map(use));
  assert.deepEqual(order, ["a1", "a2", "a3", "b1", "c1", "a4", "b2", "a5"]);
});

Deno.test("a key at its own bound leaves free slots to others", async () => {
  const slots = new FairSlots({ perKey: 1, total: 3, waitingPerKey: 1 });
  const first = await slots.acquire("a", never);
  const second = slots.acquire("a", never);
  assert.equal(await slots.acquire("a", never), null, "one more waits than may");
  const other = await slots.acquire("b", never);
  assert.ok(other);
  other[Symbol.dispose]();
  first![Symbol.dispose]();
  (await second)![Symbol.dispose]();
});

Deno.test("who gives up waiting gets none, and its place goes to the next", async () => {
  const slots = new FairSlots({ perKey: 1, total: 1, waitingPerKey: 2 });
  const first = await slots.acquire("a", never);
  const impatient = new AbortController();
  const second = slots.acquire("b", impatient.signal);
  const third = slots.acquire("b", never);
  impatient.abort();
  assert.equal(await second, null);
  assert.equal(await slots.acquire("b", impatient.signal), null);
  first![Symbol.dispose]();
  (await third)![Symbol.dispose]();
});
