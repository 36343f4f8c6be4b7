import assert from "node:assert/strict";
import { LIFETIME_MS } from "./acme/testing/fake_authority.ts";
import { BASE, captureLog, HOUR, refusal, World } from "./acme/testing/world.ts";

Deno.test("the platform's wildcard is ordered at the start and waited for", async () => {
  await using world = await World.make();
  world.names.add(`hello.${BASE}`);
  world.authority.hold();
  const provisioning = world.start({ wildcard: true });
  let isThere = false;
  const wanted = provisioning.want(`hello.${BASE}`).then(() => isThere = true);
  await provisioning.want(`random.${BASE}`);
  assert(!isThere);
  world.authority.release();
  await wanted;
  assert.deepEqual(world.authority.orders.map(({ name }) => name), [`*.${BASE}`]);
  assert.deepEqual(world.store.certificates.all().map(({ names }) => names), [[`*.${BASE}`]]);
  await provisioning.want(`hello.${BASE}`);
  provisioning.wake();
  assert.equal(world.authority.orders.length, 1);
});

Deno.test("without a wildcard, names of projects are ordered for when visitors ask, once", async () => {
  using _log = captureLog();
  await using world = await World.make();
  world.names.add(`hello.${BASE}`).add(`broken.${BASE}`);
  const provisioning = world.start();
  await provisioning.want(`nobody.${BASE}`);
  await Promise.all([provisioning.want(`hello.${BASE}`), provisioning.want(`hello.${BASE}`)]);
  assert.deepEqual(world.authority.orders.map(({ name }) => name), [`hello.${BASE}`]);
  await provisioning.want(`hello.${BASE}`);
  assert.equal(world.authority.orders.length, 1);

  world.authority.failure = refusal("no");
  await provisioning.want(`broken.${BASE}`);
  await provisioning.want(`broken.${BASE}`);
  assert.equal(world.authority.orders.length, 2);
});

Deno.test("visitors have at most ten names ordered an hour", async () => {
  await using world = await World.make();
  const names = Array.from({ length: 12 }, (_, i) => `p${i}.${BASE}`);
  for (const name of names) world.names.add(name);
  const provisioning = world.start();
  await Promise.all(names.map((name) => provisioning.want(name)));
  await provisioning.want(names[11]!);
  assert.equal(world.authority.orders.length, 10);
  world.now += 2 * HOUR;
  await provisioning.want(names[11]!);
  assert.equal(world.authority.orders.length, 11);
});

Deno.test("certificates of names that are gone are not renewed, and removed when they have expired", async () => {
  await using world = await World.make();
  world.names.add(`hello.${BASE}`);
  const provisioning = world.start();
  await provisioning.want(`hello.${BASE}`);
  world.names.clear();
  world.now += LIFETIME_MS * 0.9;
  provisioning.wake();
  assert.equal(world.store.certificates.all().length, 1);
  world.now += LIFETIME_MS * 0.2;
  provisioning.wake();
  assert.deepEqual(world.store.certificates.all(), []);
  assert.equal(world.authority.orders.length, 1);
});

Deno.test("for names that no authority signs none is asked", async () => {
  await using world = await World.make();
  world.names.add("hello.localhost");
  for (const wildcard of [true, false]) {
    const provisioning = world.start({ baseDomain: "localhost", wildcard });
    await provisioning.want("hello.localhost");
  }
  assert.deepEqual(world.authority.orders, []);
});
