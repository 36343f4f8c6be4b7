import assert from "node:assert/strict";
import { until } from "../testing/test_runner.ts";
import { DEFAULT_VISITOR_LIMITS, type VisitorLimits } from "../visitor_limits.ts";
import { Admission } from "./admission.ts";

function admissionOf(limits: Partial<VisitorLimits>, evict: () => boolean = () => false): Admission {
  return new Admission({ ...DEFAULT_VISITOR_LIMITS, ...limits }, evict);
}

Deno.test("There are places up to the limit, and a place that becomes free is one again", () => {
  const admission = admissionOf({ maxConnections: 2 });
  const first = admission.admit("192.0.2.1")!;
  assert.ok(admission.admit("192.0.2.2"));
  assert.equal(admission.admit("192.0.2.3"), null);
  first.release();
  first.release();
  assert.equal(admission.connections, 1);
  assert.ok(admission.admit(null));
  assert.equal(admission.admit(null), null);
});

Deno.test("Connections of one address, or one IPv6 network, are counted together and forgotten with the last", () => {
  const admission = admissionOf({ maxConnectionsPerAddress: 2 });
  const addresses = ["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1"];
  const places = addresses.map((address) => admission.admit(address));
  assert.deepEqual(places.map((place) => place !== null), [true, true, false, true]);
  const proxied = admission.admit(null)!;
  assert.ok(!proxied.takeFor("2001:db8::4"));
  assert.ok(proxied.takeFor("2001:db8:0:1::2"));
  assert.equal(admission.networks, 2);
  for (const place of [...places, proxied]) place?.release();
  assert.equal(admission.networks, 0);
  assert.equal(admission.connections, 0);
  assert.ok(!proxied.takeFor("192.0.2.1"), "a place that was given back");
  assert.equal(admission.networks, 0);
});

Deno.test("Nobody loses a place to an address that has too many", () => {
  const admission = admissionOf({ maxConnections: 2, maxConnectionsPerAddress: 1 }, () => assert.fail());
  admission.admit("192.0.2.1");
  admission.admit("192.0.2.2");
  const ready = admission.halfOpen.add(() => assert.fail());
  assert.equal(admission.admit("192.0.2.1"), null);
  ready();
});

Deno.test("When all places are taken the oldest half-open connection goes, then an idle one", () => {
  const went: string[] = [];
  let idle = 1;
  const admission = admissionOf({ maxConnections: 2 }, () => {
    went.push("idle");
    return idle-- > 0;
  });
  for (const name of ["first", "second"]) {
    const place = admission.admit(null)!;
    admission.halfOpen.add(() => {
      went.push(name);
      place.release();
    });
  }
  assert.ok(admission.admit(null));
  assert.deepEqual(went, ["first"]);
  assert.ok(admission.admit(null));
  assert.deepEqual(went, ["first", "second"]);
  assert.ok(admission.admit(null), "in place of an idle one, which is about to end");
  assert.equal(admission.admit(null), null);
  assert.deepEqual(went, ["first", "second", "idle", "idle"]);
});

Deno.test("Half-open connections are cut after their time, each after its own, and not those that are ready", async () => {
  const admission = admissionOf({ handshakeTimeoutMs: 150 });
  const start = performance.now();
  const cutAtMs: number[] = [];
  const add = () => admission.halfOpen.add(() => cutAtMs.push(performance.now() - start));
  add();
  const ready = add();
  await new Promise((resolve) => setTimeout(resolve, 60));
  add();
  ready();
  ready();
  await until(() => cutAtMs.length === 2);
  assert.ok(cutAtMs[0]! >= 149 && cutAtMs[1]! >= 209, `${cutAtMs}`);
  assert.ok(!admission.halfOpen.cutOldest());
});
