import assert from "node:assert/strict";
import { ParallelWork } from "./parallel_work.ts";

Deno.test("so much work goes on at once, and the first failure is told", async () => {
  const work = new ParallelWork(2);
  const steps = [1, 2, 3].map(() => Promise.withResolvers<void>());
  const [first, second, third] = steps.map(({ promise }) => () => promise);
  await work.add(first!);
  let isTaken = false;
  const taken = work.add(second!).then(() => isTaken = true);
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.equal(isTaken, false, "both places are taken");
  steps[0]!.resolve();
  await taken;
  const refused = assert.rejects(work.add(third!), { message: "second" });
  steps[1]!.reject(new Error("second"));
  await refused;
  steps[2]!.reject(new Error("third"));
  await assert.rejects(work.finish(), { message: "second" });
});
