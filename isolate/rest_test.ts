import assert from "node:assert/strict";
import { GROWTH_BYTES, MAX_COLLECTED_BYTES, Rest, REST_MS, RESTING_CPU_MS } from "./rest.ts";
import type { SandboxUsage } from "./carrier.ts";
import { Trial } from "./testing/trial.ts";

const STEP_MS = 100;
const BYTES = 20 * 1024 ** 2;

/** At which times it is signalled, until `untilMs`. */
function signals(untilMs: number, usage: (ms: number) => Partial<SandboxUsage>, programs?: number): number[] {
  const rest = new Rest();
  const at: number[] = [];
  for (let ms = 0; ms <= untilMs; ms += STEP_MS) {
    if (rest.look(ms, { cpuMs: 0, memoryBytes: BYTES, ...usage(ms) }, programs)) at.push(ms);
  }
  return at;
}

Deno.test("a process that rests is told twice: to collect, and to return what that has freed", () => {
  assert.deepEqual(signals(60_000, () => ({})), [REST_MS, REST_MS + 1_000]);
});

Deno.test("what a collection costs does not count as work", () => {
  const told = signals(60_000, (ms) => ({ cpuMs: ms > REST_MS ? 10 * RESTING_CPU_MS : 0 }));
  assert.equal(told.length, 2);
});

Deno.test("a process that works is not told", () => {
  assert.deepEqual(signals(60_000, (ms) => ({ cpuMs: ms / REST_MS * RESTING_CPU_MS * 1.1 })), []);
});

Deno.test("one that has rested is told again when it has grown and rests", () => {
  const grown = (bytes: number) => (ms: number) => ({ memoryBytes: BYTES + (ms < 20_000 ? 0 : bytes) });
  const [, , third, ...others] = signals(60_000, grown(GROWTH_BYTES));
  assert.equal(third, 20_000 + REST_MS);
  assert.equal(others.length, 1);
  assert.equal(signals(60_000, grown(GROWTH_BYTES - 1)).length, 2);
});

Deno.test("a large program is left alone, many small ones in one process are not", () => {
  const large = () => ({ memoryBytes: MAX_COLLECTED_BYTES + 1 });
  assert.deepEqual(signals(60_000, large), []);
  assert.equal(signals(60_000, large, 2).length, 2);
});

Deno.test({
  name: "a program at rest gives back memory and hears nothing of it",
  ignore: Deno.build.os !== "linux",
}, async () => {
  await using trial = await Trial.serve(`
    import process from "node:process";
    let heard = 0;
    Deno.addSignalListener("SIGUSR2", () => heard++);
    process.on("SIGUSR2", () => heard++);
    let garbage = Array.from({ length: 1e6 }, (_, i) => ({ i }));
    garbage = undefined;
    Deno.serve(() => Response.json({ heard }));
  `);
  const { memoryBytes: before } = trial.sandbox.measure();
  const deadlineMs = performance.now() + 60_000;
  while (trial.sandbox.measure().memoryBytes > before / 2) {
    assert.ok(performance.now() < deadlineMs, "it keeps all that it had");
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
  }
  assert.deepEqual(await trial.json(), { heard: 0 });
});
