import assert from "node:assert/strict";
import { type LeaseUsage, UsageMeter } from "./usage_meter.ts";
import { SeededRandom } from "../../tests/seeded_random.ts";

const counted = (requests: number, bytes = 0, inFlight = 0): LeaseUsage => ({
  requests,
  inFlight,
  lastActiveAt: requests,
  ingressBytes: bytes,
  egressBytes: 2 * bytes,
});

Deno.test("what is taken is what was used since the last time", () => {
  const meter = new UsageMeter(1_000);
  meter.measure({ cpuMs: 30, memoryBytes: 7 });
  meter.lease("r");
  meter.report("r", counted(3, 10));
  meter.transfer({ ingressBytes: 5, egressBytes: 6 });
  assert.deepEqual(meter.take(1_500), {
    requests: 3,
    cpuMs: 30,
    uptimeMs: 500,
    ingressBytes: 15,
    egressBytes: 26,
    memoryBytes: 7,
  });
  meter.report("r", counted(5, 10));
  meter.measure({ cpuMs: 31, memoryBytes: 6 });
  assert.deepEqual(meter.take(2_000), {
    requests: 2,
    cpuMs: 1,
    uptimeMs: 500,
    ingressBytes: 0,
    egressBytes: 0,
    memoryBytes: 7,
  });
  assert.deepEqual(meter.used(2_500), { cpuMs: 31, memoryBytes: 6, uptimeMs: 1_500, requests: 5 });
});

Deno.test("memory is the greatest of a period", () => {
  const meter = new UsageMeter(0);
  for (const memoryBytes of [5, 9, 4]) meter.measure({ cpuMs: 0, memoryBytes });
  assert.equal(meter.take(1).memoryBytes, 9);
  assert.equal(meter.take(2).memoryBytes, 4);
});

Deno.test("a lease counts once: what was reported of it, then what it ended with", () => {
  const meter = new UsageMeter(0);
  meter.lease("r");
  meter.lease("s");
  meter.report("r", counted(2, 0, 1));
  meter.report("s", counted(10, 0, 1));
  assert.deepEqual([meter.leased.requests, meter.leased.inFlight], [12, 2]);
  meter.giveBack("r", counted(4, 0, 1));
  assert.deepEqual([meter.leased.requests, meter.leased.inFlight], [14, 1]);
  meter.report("r", counted(4));
  meter.giveBack("r", counted(4));
  assert.equal(meter.leased.requests, 14);
  meter.lease("r");
  meter.report("r", counted(1));
  assert.equal(meter.leased.requests, 15);
  assert.ok(meter.isLeased);
  meter.giveBack("r", counted(1));
  meter.giveBack("s", counted(10));
  assert.deepEqual([meter.leased.requests, meter.isLeased], [15, false]);
});

Deno.test("figures that go back count as no change", () => {
  const meter = new UsageMeter(0);
  meter.measure({ cpuMs: 50, memoryBytes: 1 });
  meter.transfer({ ingressBytes: 9, egressBytes: 9 });
  meter.take(1);
  meter.measure({ cpuMs: 0, memoryBytes: 0 });
  meter.transfer({ ingressBytes: 0, egressBytes: 0 });
  const { cpuMs, ingressBytes, egressBytes } = meter.take(2);
  assert.deepEqual([cpuMs, ingressBytes, egressBytes], [0, 0, 0]);
});

Deno.test("whatever happens to leases, what is taken adds up to what was counted", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = new SeededRandom(seed);
    const meter = new UsageMeter(0);
    const open = new Map<string, number>();
    let [counts, taken] = [0, 0];
    for (let step = 0; step < 200; step++) {
      const lessee = random.pick(["r", "s", "t"]);
      const count = open.get(lessee);
      if (count === undefined) {
        meter.lease(lessee);
        open.set(lessee, 0);
      } else if (random.chance(0.2)) {
        meter.giveBack(lessee, counted(count));
        open.delete(lessee);
      } else {
        const more = random.below(5);
        counts += more;
        open.set(lessee, count + more);
        if (random.chance(0.5)) meter.report(lessee, counted(count + more));
      }
      if (random.chance(0.2)) taken += meter.take(step).requests;
    }
    for (const [lessee, count] of open) meter.giveBack(lessee, counted(count));
    assert.equal(taken + meter.take(200).requests, counts, `seed ${seed}`);
  }
});
