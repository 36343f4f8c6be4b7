import assert from "node:assert/strict";
import { Turns } from "./turns.ts";

Deno.test("a sandbox with many streams does not slow another's one", async () => {
  const turns = new Turns();
  const steps = new Map<string, number>();
  let over = false;
  const stream = async (id: string) => {
    while (!over) {
      steps.set(id, (steps.get(id) ?? 0) + 1);
      await turns.pass(id);
    }
  };
  const streams = [...Array.from({ length: 200 }, () => stream("greedy")), stream("modest")];
  // The modest one's tenth step is at most at the hundredth of all the greedy ones' together, after their first.
  while (steps.get("modest")! < 100) await turns.pass("watch");
  over = true;
  await Promise.all(streams);
  assert.ok(steps.get("greedy")! < 200 + 64 * 100, `${steps.get("greedy")}`);
});

Deno.test("steps that are few are not delayed", async () => {
  const turns = new Turns();
  for (let i = 0; i < 20; i++) assert.equal(turns.pass("s1"), undefined);
  await Promise.resolve();
});
