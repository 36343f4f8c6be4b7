import assert from "node:assert/strict";
import type { IsolateUsage } from "../../runner/mod.ts";
import type { UsageDelta } from "../usage/mod.ts";
import { Accounts } from "./accounts.ts";
import type { Lessee } from "./lessee.ts";

/** One account of deployment "a" and isolate "i", opened at 0, with what was told of it. */
function opened() {
  const told: UsageDelta[] = [];
  const ends: string[] = [];
  const accounts = new Accounts((isolate, delta) => {
    assert.deepEqual(isolate, { isolateId: "i", deploymentId: "a" });
    told.push(delta);
  });
  const traffic = { ingressBytes: 0, egressBytes: 0 };
  accounts.open({ isolateId: "i", deploymentId: "a" }, { traffic: () => traffic }, 0);
  return { accounts, told, ends, traffic, done: () => void ends.push("done") };
}

const usage = (requests: number): IsolateUsage => ({
  isolateId: "i",
  requests,
  inFlight: 0,
  lastActiveAt: 0,
  ingressBytes: 0,
  egressBytes: 0,
});

const lessee = (id: string, answer: () => Promise<IsolateUsage[]>): Lessee => ({
  id,
  recall() {},
  ended() {},
  usage: answer,
  inFlight: () => Promise.resolve([]),
});

const requests = (told: UsageDelta[]) => told.map((delta) => delta.requests);

Deno.test("the rest is told at the end, up to the end", () => {
  const { accounts, told, ends, traffic, done } = opened();
  accounts.meter("i")!.measure({ cpuMs: 10, memoryBytes: 1 });
  accounts.tell(1_000);
  accounts.meter("i")!.measure({ cpuMs: 12, memoryBytes: 1 });
  traffic.egressBytes = 7;
  accounts.end("i", 1_200, done);
  assert.deepEqual(told.map(({ cpuMs, uptimeMs, egressBytes }) => [cpuMs, uptimeMs, egressBytes]), [
    [10, 1_000, 0],
    [2, 200, 7],
  ]);
  assert.deepEqual(ends, ["done"]);
  assert.equal(accounts.meter("i"), undefined);
});

Deno.test("what lessees counted until they heard of the end is told, too", () => {
  const { accounts, told, ends, done } = opened();
  accounts.meter("i")!.lease("r");
  accounts.meter("i")!.lease("s");
  assert.ok(accounts.isLeased);
  accounts.end("i", 100, done);
  accounts.tell(1_000);
  accounts.giveBack("i", "r", usage(3));
  assert.deepEqual([told.length, ends.length], [0, 0]);
  accounts.giveBack("i", "s", usage(4));
  assert.deepEqual([requests(told), told[0]!.uptimeMs, ends], [[7], 100, ["done"]]);
  accounts.giveBack("i", "s", usage(4));
  assert.equal(told.length, 1);
});

Deno.test("lessees that never give back are not waited for when all is closed", () => {
  const { accounts, told, ends, done } = opened();
  accounts.meter("i")!.lease("r");
  accounts.meter("i")!.report("r", usage(2));
  accounts.end("i", 100, done);
  accounts[Symbol.dispose]();
  assert.deepEqual([requests(told), ends], [[2], ["done"]]);
});

Deno.test("a report that arrives before the end of a lease counts before it, also when another lessee is slow", async () => {
  const { accounts, told } = opened();
  accounts.meter("i")!.lease("fast");
  const slow = Promise.withResolvers<IsolateUsage[]>();
  const fast = lessee("fast", () => Promise.resolve([usage(5)]));
  const refreshed = accounts.refresh([lessee("slow", () => slow.promise), fast]);
  await Promise.resolve();
  await Promise.resolve();
  accounts.giveBack("i", "fast", usage(6));
  slow.resolve([]);
  await refreshed;
  accounts.tell(1_000);
  assert.deepEqual(requests(told), [6]);
});

Deno.test("an end of what has no account is done at once", () => {
  const { accounts, told, ends, done } = opened();
  accounts.end("x", 1, done);
  accounts.giveBack("x", "r", usage(1));
  assert.deepEqual([told, ends], [[], ["done"]]);
});
