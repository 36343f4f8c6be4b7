import assert from "node:assert/strict";
import type { ErrorCode } from "../../../runner/mod.ts";
import { Lifecycle, type LifecycleOptions } from "../lifecycle.ts";
import type { EndReason, LifecycleEffect, LifecycleEvent } from "../lifecycle_events.ts";

/** When, what happens, what is to be done about it. */
export type Step = [now: number, event: LifecycleEvent, effects: LifecycleEffect[]];

const OPTIONS: LifecycleOptions = {
  maxIsolates: 10,
  warmPool: 0,
  maxStarting: 2,
  queueTimeoutMs: 5_000,
  maxWaiters: 100,
  maxBackgroundMs: 30_000,
};
/** When everything begins, on the clock of the lifecycle. */
export const T0 = 1_000_000;

/** Isolates are called 1, 2, 3, … in the order in which they are started. */
export function rule(name: string, options: Partial<LifecycleOptions>, ...steps: Step[]) {
  Deno.test(name, () => {
    play(options, steps);
  });
}

export function play(options: Partial<LifecycleOptions>, steps: Step[]): Lifecycle {
  let lastId = 0;
  const lifecycle = new Lifecycle({ ...OPTIONS, ...options }, () => String(++lastId));
  for (const [index, [now, event, effects]] of steps.entries()) {
    assert.deepEqual(lifecycle.handle(event, T0 + now), effects, `step ${index}: ${event.type} at ${now}`);
    assert.ok(lifecycle.nextTickAt() > T0 + now, `step ${index} leaves nothing due`);
  }
  return lifecycle;
}

export const acquire = (
  waiter: string,
  deploymentId: string,
  lessee = "r",
  tree = false,
): LifecycleEvent => ({
  type: "acquire",
  waiter,
  lessee,
  deploymentId,
  tree,
});
export const started = (isolateId: string): LifecycleEvent => ({ type: "started", isolateId });
export const booted = (isolateId: string): LifecycleEvent => ({ type: "booted", isolateId });
export const ended = (isolateId: string): LifecycleEvent => ({ type: "ended", isolateId });
export const bootFailed = (isolateId: string): LifecycleEvent => ({
  type: "ended",
  isolateId,
  code: "BOOT_FAILURE",
});
export const died = (isolateId: string, code: ErrorCode): LifecycleEvent => ({
  type: "ended",
  isolateId,
  code,
});
export const exceeded = (isolateId: string, code: "MEMORY_LIMIT" | "TIME_LIMIT"): LifecycleEvent => ({
  type: "exceeded",
  isolateId,
  code,
});
export const released = (isolateId: string, lessee = "r"): LifecycleEvent => ({
  type: "released",
  isolateId,
  lessee,
});
export const busy = (isolateId: string, lessee = "r"): LifecycleEvent => ({
  type: "busy",
  isolateId,
  lessee,
});
export const broken = (isolateId: string, lessee = "r"): LifecycleEvent => ({
  type: "broken",
  isolateId,
  lessee,
  code: "BAD_RESPONSE",
});
export const pending = (isolateId: string, count: number): LifecycleEvent => ({
  type: "pending",
  isolateId,
  count,
});
export const retire = (deploymentId: string): LifecycleEvent => ({ type: "retire", deploymentId });
export const tick: LifecycleEvent = { type: "tick" };
export const surveyed = (times: Record<string, number>): LifecycleEvent => ({
  type: "surveyed",
  lastActiveAt: new Map(Object.entries(times).map(([id, at]) => [id, T0 + at])),
});

export const start = (isolateId: string, deploymentId?: string): LifecycleEffect =>
  deploymentId === undefined ? { type: "start", isolateId } : { type: "start", isolateId, deploymentId };
export const assign = (isolateId: string, deploymentId: string): LifecycleEffect => ({
  type: "assign",
  isolateId,
  deploymentId,
});
export const grant = (waiter: string, isolateId: string): LifecycleEffect => ({
  type: "grant",
  waiter,
  isolateId,
});
export const end = (isolateId: string, reason: EndReason): LifecycleEffect => ({
  type: "end",
  isolateId,
  reason,
});
export const recall = (isolateId: string, lessee = "r"): LifecycleEffect => ({
  type: "recall",
  isolateId,
  lessee,
});
export const askPending = (isolateId: string): LifecycleEffect => ({ type: "askPending", isolateId });
export const survey: LifecycleEffect = { type: "survey" };
export const refuse = (
  waiter: string,
  code: ErrorCode,
  retryAfterMs?: number,
): LifecycleEffect => ({ type: "refuse", waiter, code, retryAfterMs });

/** Isolate `id` is started for `deploymentId` and leased to `r`. */
export const run = (id: string, deploymentId: string, now = 0): Step[] => [
  [now, acquire(`first ${deploymentId}`, deploymentId), [start(id)]],
  [now, started(id), [assign(id, deploymentId)]],
  [now, booted(id), [grant(`first ${deploymentId}`, id)]],
];
