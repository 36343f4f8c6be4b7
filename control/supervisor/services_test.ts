import assert from "node:assert/strict";
import { Lifecycle } from "./lifecycle.ts";
import type { LifecycleEffect, LifecycleEvent } from "./lifecycle_events.ts";
import { MAX_FAILED_SERVICES, Services } from "./services.ts";

const DEPLOYMENTS = 5_000;

Deno.test("thousands of deployments pass through a few isolates and leave nothing behind", () => {
  let lastId = 0;
  let now = 1_000_000;
  const lifecycle = new Lifecycle({
    maxIsolates: 4,
    warmPool: 0,
    maxStarting: 4,
    queueTimeoutMs: 5_000,
    maxWaiters: 100,
    maxBackgroundMs: 1_000,
  }, () => String(++lastId));
  let granted = 0;
  const answer = (effect: LifecycleEffect): LifecycleEvent[] => {
    switch (effect.type) {
      case "start":
        return [{ type: "started", isolateId: effect.isolateId }];
      case "assign": {
        const { isolateId } = effect;
        // One in ten never boots.
        return Number(isolateId) % 10 === 0
          ? [{ type: "ended", isolateId, code: "BOOT_FAILURE" }]
          : [{ type: "booted", isolateId }];
      }
      case "grant":
        granted++;
        return [{ type: "released", isolateId: effect.isolateId, lessee: "r" }];
      case "askPending":
        return [{ type: "pending", isolateId: effect.isolateId, count: 0 }];
      case "end":
        return [{ type: "ended", isolateId: effect.isolateId }];
    }
    return [];
  };
  for (let i = 0; i < DEPLOYMENTS; i++) {
    const events: LifecycleEvent[] = [
      { type: "acquire", waiter: `w${i}`, lessee: "r", deploymentId: `acme/${i}`, tree: false },
    ];
    for (let event; (event = events.shift()) !== undefined;) {
      events.push(...lifecycle.handle(event, now++).flatMap(answer));
    }
  }
  assert.equal(granted, DEPLOYMENTS * 9 / 10);
  assert.equal(lifecycle.isolates.size, 0);
  assert.ok(lifecycle.nextTickAt() < Infinity, "boots that failed are not remembered");
  for (let at; (at = lifecycle.nextTickAt()) !== Infinity;) lifecycle.handle({ type: "tick" }, at);
  assert.equal(lifecycle.waiting, 0);
});

Deno.test("of deployments that nobody waits for only the last that failed are remembered", () => {
  const services = new Services();
  for (let i = 0; i < 3 * MAX_FAILED_SERVICES; i++) {
    services.of(`d${i}`).backoff.bootFailed(0, "BOOT_FAILURE");
    services.forget(0, (id) => id === "d0");
  }
  assert.equal([...services.unserved()].length, MAX_FAILED_SERVICES + 1);
  assert.ok(services.get("d0") !== undefined && services.get("d1") === undefined);
  services.of("served").isolateId = "i";
  services.forget(Infinity, () => false);
  assert.deepEqual([[...services.unserved()], services.get("served")?.isolateId], [[], "i"]);
});
