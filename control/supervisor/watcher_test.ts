import assert from "node:assert/strict";
import type { Lessee } from "./lessee.ts";
import type { Breach, WatchedLimits } from "./watch.ts";
import { type WatchedSandbox, Watcher } from "./watcher.ts";

const LIMITS: WatchedLimits = { memoryMb: 100, cpuBlockMs: 200, cpuMsPerRequest: 200 };
const MIB = 1024 ** 2;

/** A sandbox whose event loop answers unless it is held, and which counts what is asked of it. */
function sandbox(memoryMb: number, held = false): WatchedSandbox & { asked: number } {
  return {
    asked: 0,
    measure: () => ({ cpuMs: 0, memoryBytes: memoryMb * MIB }),
    runDelayMs: () => 0,
    alive() {
      this.asked++;
      return held ? new Promise(() => {}) : Promise.resolve(true);
    },
  };
}

function lessee(id: string, inFlight: () => Promise<string[]>): [string, Lessee] {
  return [id, { id, recall() {}, ended() {}, usage: () => Promise.resolve([]), inFlight }];
}

/** Watches until the isolate "i" is to be ended. */
async function ended(i: WatchedSandbox, lessees: [string, Lessee][]): Promise<Breach> {
  const { promise, resolve } = Promise.withResolvers<Breach>();
  using watcher = new Watcher({
    lessees: new Map(lessees),
    isLeased: () => true,
    measured() {},
    exceeded: (isolateId, breach) => {
      assert.equal(isolateId, "i");
      resolve(breach);
    },
    count: () => Promise.resolve(),
  });
  watcher.add("i", i, LIMITS);
  watcher.serving("i");
  return await promise;
}

Deno.test("what uses too much memory is to be ended", async () => {
  assert.deepEqual(await ended(sandbox(101), []), { limit: "memoryMb", used: 101, allowed: 100 });
});

Deno.test("what does not answer, with requests in flight, is to be ended, however slow another lessee is", async () => {
  const lessees = [lessee("stuck", () => new Promise(() => {})), lessee("r", () => Promise.resolve(["i"]))];
  const held = sandbox(1, true);
  const { limit } = await ended(held, lessees);
  assert.deepEqual([limit, held.asked], ["cpuBlockMs", 1]);
});

Deno.test("counting goes on every second, and never twice at one time", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let [running, calls] = [0, 0];
  using watcher = new Watcher({
    lessees: new Map(),
    isLeased: () => false,
    measured() {},
    exceeded() {},
    async count() {
      assert.equal(++running, 1);
      await new Promise((done) => setTimeout(done, 300));
      running--;
      if (++calls === 2) resolve();
    },
  });
  watcher.add("i", sandbox(1), LIMITS);
  await promise;
});

Deno.test("nothing is left running when there is nothing to be watched", () => {
  const watcher = new Watcher({
    lessees: new Map(),
    isLeased: () => false,
    measured() {},
    exceeded() {},
    count: () => Promise.resolve(),
  });
  watcher[Symbol.dispose]();
});
