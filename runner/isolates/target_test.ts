import assert from "node:assert/strict";
import type { AcquireContext, Acquired } from "../contract.ts";
import { Target } from "./target.ts";
import type { Upstream } from "./upstream.ts";

const { signal } = new AbortController();

/** A target, what it asked for, and how that is answered. */
function made() {
  const asked: AcquireContext[] = [];
  const answers: ((acquired: Acquired) => void)[] = [];
  const leased: Upstream[] = [];
  const target = new Target("acme/d1", {
    queueTimeoutMs: 5000,
    acquire: (_deploymentId, context) => {
      asked.push(context);
      return new Promise((resolve) => answers.push(resolve));
    },
    onLeased: (upstream) => void leased.push(upstream),
    onBroken() {},
  });
  return { target, asked, answers, leased };
}

Deno.test("an isolate is asked for with what the latest request's relay said", async () => {
  const { target, asked, answers, leased } = made();
  const waiting = ["old", "new"].map((name) => {
    const subhosted = { subhosterId: "acme", deploymentId: "d1", rpcRoot: `https://${name}.example/` };
    return target.wait({ maxConcurrency: 1, signal, subhosted });
  });
  answers[0]!({ isolateId: "i1", socketPath: "/" });
  (await waiting[0]!).retire();
  target.drop(leased[0]!);
  answers[1]!({ isolateId: "i2", socketPath: "/" });
  await waiting[1];
  assert.deepEqual(
    asked.map(({ subhosted }) => subhosted?.rpcRoot),
    ["https://old.example/", "https://new.example/"],
  );
});

Deno.test("who wants no place waits for the isolate alone, and is not counted in it", async () => {
  const { target, answers, leased } = made();
  const warm = target.wait({ maxConcurrency: null, signal });
  const inside = target.wait({ maxConcurrency: 1, signal });
  answers[0]!({ isolateId: "i1", socketPath: "/" });
  assert.equal(await warm, leased[0]);
  await inside;
  await target.wait({ maxConcurrency: null, signal });
  const { requests, inFlight } = leased[0]!.usage;
  assert.deepEqual([requests, inFlight], [1, 1]);
});
