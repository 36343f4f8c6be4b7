import assert from "node:assert/strict";
import { Places } from "./places.ts";

Deno.test("one owner leaves places to others, and room to wait for them", async () => {
  const places = new Places(4, 4, 0.5);
  const order: string[] = [];
  const take = async (owner: string) => {
    const place = await places.take(owner);
    order.push(owner);
    return place;
  };
  const greedy = [take("greedy"), take("greedy"), take("greedy"), take("greedy")];
  await assert.rejects(take("greedy"), { code: "overloaded" });
  const modest = [take("modest"), take("modest")];
  await Promise.all([greedy[0], greedy[1], ...modest]);
  assert.deepEqual(order, ["greedy", "greedy", "modest", "modest"]);
  const next = take("modest");
  (await modest[0]!)[Symbol.dispose]();
  await next;
  (await greedy[0]!)[Symbol.dispose]();
  await greedy[2];
  for (const place of [greedy[1], greedy[2], greedy[3], modest[1], next]) (await place!)[Symbol.dispose]();
  assert.ok(places.isIdle);
});
