import assert from "node:assert/strict";
import { LIFETIME_MS } from "./acme/testing/fake_authority.ts";
import { BASE, captureLog, HOUR, refusal, turn, until, World } from "./acme/testing/world.ts";

Deno.test("concurrent provisions of one domain are one order, and the domain tells how it stands", async () => {
  await using world = await World.make();
  const domain = world.domain("shop.example");
  world.authority.hold();
  const provisioning = world.start();
  const provisions = [1, 2, 3].map(() => provisioning.provision(domain.id));
  assert.equal(world.status(domain), "pending");
  world.authority.release();
  await Promise.all(provisions);
  assert.deepEqual(world.authority.orders, [{ name: "shop.example", replaces: null }]);
  assert.equal(world.status(domain), "success");
  assert.deepEqual(world.certificateOf(domain)?.names, ["shop.example"]);
  // One that is new is not ordered again.
  world.now += 47 * HOUR;
  await provisioning.provision(domain.id);
  assert.equal(world.authority.orders.length, 1);
  world.now += 2 * HOUR;
  await provisioning.provision(domain.id);
  assert.equal(world.authority.orders.length, 2);
});

Deno.test("only domains that are registered and verified are ordered for", async () => {
  await using world = await World.make();
  const provisioning = world.start();
  const { id } = world.store.domains.create({
    organizationId: world.store.organizations.first().id,
    domain: "a.example",
  });
  await assert.rejects(provisioning.provision(id), {
    code: "notVerified",
    message: "It is not verified that the domain is yours",
  });
  await assert.rejects(provisioning.provision("nobody"), { code: "notFound" });
  provisioning.wake();
  assert.deepEqual(world.authority.orders, []);
});

Deno.test("a failure is on the domain in words, and a later order makes it good", async () => {
  using log = captureLog();
  await using world = await World.make();
  const domain = world.domain("shop.example");
  world.authority.failure = refusal("Does an A record lead here?");
  const provisioning = world.start();
  await assert.rejects(provisioning.provision(domain.id), world.authority.failure);
  assert.equal(world.status(domain), "failed: Does an A record lead here?");
  assert.match(
    log.lines.join(),
    /^Cannot get a certificate for "shop.example", tried again at \d{4}-.*Z: Does an A record lead here\?$/,
  );
  world.authority.failure = null;
  await provisioning.provision(domain.id);
  assert.equal(world.status(domain), "success");
});

Deno.test("what fails is tried again later and later, also when nobody asks", async () => {
  using _log = captureLog();
  await using world = await World.make();
  world.domain("shop.example");
  world.authority.failure = refusal("no");
  const { orders } = world.authority;
  const provisioning = world.start();
  await until(() => orders.length === 1 && world.authority.running === 0);
  for (const minutes of [1, 2, 4, 8]) {
    const before = orders.length;
    world.now += minutes * 60_000 - 1000;
    provisioning.wake();
    assert.equal(orders.length, before);
    world.now += 2000;
    provisioning.wake();
    await until(() => orders.length === before + 1 && world.authority.running === 0);
  }
});

Deno.test("a certificate that cannot be kept is not ordered again and again", async () => {
  using _log = captureLog();
  await using world = await World.make();
  const domain = world.domain("shop.example");
  world.store.database.execute(
    "CREATE TRIGGER full BEFORE INSERT ON certificates BEGIN SELECT RAISE(ABORT, 'disk full'); END",
  );
  const { orders } = world.authority;
  const provisioning = world.start();
  await until(() => world.status(domain) === "failed: disk full");
  for (const minutes of [1, 2, 4, 8]) {
    const before = orders.length;
    world.now += minutes * 60_000 - 1000;
    provisioning.wake();
    assert.equal(orders.length, before);
    world.now += 2000;
    provisioning.wake();
    await until(() => orders.length === before + 1 && world.authority.running === 0);
    await turn();
  }
});

Deno.test("a domain that is registered anew does not make a failed order new", async () => {
  using _log = captureLog();
  await using world = await World.make();
  const domain = world.domain("shop.example");
  world.authority.failure = refusal("too many", 24 * HOUR);
  const provisioning = world.start();
  await assert.rejects(provisioning.provision(domain.id), /too many/);
  world.store.domains.delete(domain.id);
  const again = world.domain("shop.example");
  provisioning.wake();
  await assert.rejects(provisioning.provision(again.id), { code: "tooEarly" });
  assert.equal(world.authority.orders.length, 1);
});

Deno.test("who asks again and again for what fails waits as the server does itself", async () => {
  using _log = captureLog();
  await using world = await World.make();
  const domain = world.domain("shop.example");
  world.authority.failure = refusal("Does an A record lead here?");
  const provisioning = world.start();
  for (let tries = 0; tries < 4; tries++) {
    await assert.rejects(provisioning.provision(domain.id), world.authority.failure);
  }
  await assert.rejects(provisioning.provision(domain.id), {
    code: "tooEarly",
    message: /^Does an A record lead here\?\. Not before 2/,
  });
  assert.equal(world.authority.orders.length, 4);
  world.now += HOUR;
  await assert.rejects(provisioning.provision(domain.id), world.authority.failure);
});

Deno.test("while the server wants to be left alone, it is, and who asks is told", async () => {
  using _log = captureLog();
  await using world = await World.make();
  const domain = world.domain("shop.example");
  world.authority.failure = refusal("too many", 24 * HOUR);
  const provisioning = world.start();
  await assert.rejects(provisioning.provision(domain.id), /too many/);
  world.authority.failure = null;
  world.now += 23 * HOUR;
  provisioning.wake();
  await assert.rejects(provisioning.provision(domain.id), {
    code: "tooEarly",
    message: /^too many. Not before 2/,
  });
  assert.equal(world.authority.orders.length, 1);
  world.now += 2 * HOUR;
  await provisioning.provision(domain.id);
  assert.equal(world.status(domain), "success");
});

Deno.test("a certificate is renewed in time, as a replacement of the old one", async () => {
  await using world = await World.make();
  const domain = world.domain("shop.example");
  world.putOld(domain, LIFETIME_MS * 0.5);
  const { id, chain } = world.certificateOf(domain)!;
  const provisioning = world.start();
  await turn();
  assert.deepEqual(world.authority.orders, []);
  world.now += LIFETIME_MS * 0.17;
  provisioning.wake();
  await until(() => world.certificateOf(domain)!.id !== id);
  assert.deepEqual(world.authority.orders, [{ name: "shop.example", replaces: chain }]);
  assert.equal(world.status(domain), "success");
});

Deno.test("a renewal that fails keeps the old certificate, and is on the domain once that has expired", async () => {
  using log = captureLog();
  await using world = await World.make();
  const domain = world.domain("shop.example");
  world.putOld(domain, LIFETIME_MS * 0.7);
  const { id } = world.certificateOf(domain)!;
  world.authority.failure = refusal("no");
  const provisioning = world.start();
  const { orders } = world.authority;
  await until(() => log.lines.length === 1);
  assert.equal(world.status(domain), "success");
  assert.equal(world.certificateOf(domain)!.id, id);
  world.now += LIFETIME_MS;
  provisioning.wake();
  await until(() => log.lines.length === 2);
  assert.equal(world.status(domain), "failed: no");
  // The second attempt does not insist on being a replacement.
  assert.deepEqual(orders.map(({ replaces }) => replaces === null), [false, true]);
});

Deno.test("a restart goes on with what was pending, and does not hurry with what had failed", async () => {
  using _log = captureLog();
  await using world = await World.make();
  const domain = world.domain("shop.example");
  const broken = world.domain("broken.example");
  world.store.domains.setProvisioning(broken.id, { code: "failed", message: "no" });
  world.authority.hold();
  const first = world.start();
  const provision = first.provision(domain.id);
  await first.stop();
  await assert.rejects(provision, { code: "stopped" });
  await assert.rejects(first.provision(domain.id), { code: "stopped" });
  assert.equal(world.status(domain), "pending");
  world.authority.release();

  const second = world.start();
  await until(() => world.status(domain) === "success");
  assert.deepEqual(world.authority.orders.map(({ name }) => name), ["shop.example", "shop.example"]);
  world.now += 13 * HOUR;
  second.wake();
  await until(() => world.status(broken) === "success");
});

Deno.test("nothing is ordered while another server does", async () => {
  await using world = await World.make();
  const domain = world.domain("shop.example");
  world.names.add(`hello.${BASE}`);
  world.authority.hold();
  const provisioning = world.start();
  await provisioning.stop();
  provisioning.wake();
  await provisioning.want(`hello.${BASE}`);
  await assert.rejects(provisioning.provision(domain.id), { code: "stopped" });
  assert.equal(world.authority.orders.length, 1);
  world.authority.release();
  provisioning.start();
  await until(() => world.status(domain) === "success");
  await provisioning.want(`hello.${BASE}`);
  assert.equal(world.store.certificates.all().length, 2);
});

Deno.test("a certificate of the owner's own is left alone, unless one is asked for", async () => {
  await using world = await World.make();
  const domain = world.domain("shop.example");
  const putOwn = () => {
    const material = world.authority.sign("shop.example", LIFETIME_MS * 0.9);
    world.store.certificates.put({ material, domainId: domain.id, source: "manual" });
    world.store.domains.setProvisioning(domain.id, { code: "manual" });
  };
  putOwn();
  const provisioning = world.start();
  assert.deepEqual(world.authority.orders, []);
  await provisioning.provision(domain.id);
  assert.deepEqual([world.status(domain), world.certificateOf(domain)?.source], ["success", "acme"]);

  // One that is given while an order is in progress stays.
  world.now += 2 * HOUR;
  world.authority.hold();
  const provision = provisioning.provision(domain.id);
  putOwn();
  world.authority.release();
  await provision;
  assert.deepEqual([world.status(domain), world.certificateOf(domain)?.source], ["manual", "manual"]);
});

Deno.test("a domain that is removed during its order stays removed", async () => {
  await using world = await World.make();
  const domain = world.domain("shop.example");
  world.authority.hold();
  const provision = world.start().provision(domain.id);
  world.store.domains.delete(domain.id);
  world.authority.release();
  await provision;
  assert.deepEqual(world.store.certificates.all(), []);
});

Deno.test("at most four orders are in progress", async () => {
  await using world = await World.make();
  const domains = Array.from({ length: 12 }, (_, i) => world.domain(`shop${i}.example`));
  world.authority.hold();
  const provisioning = world.start();
  const provision = provisioning.provision(domains[11]!.id);
  assert.equal(world.authority.orders.length, 4);
  world.authority.release();
  await provision;
  await until(() => domains.every((domain) => world.status(domain) === "success"));
  assert.equal(world.authority.mostRunning, 4);
});

Deno.test("more than a hundred orders do not wait", async () => {
  await using world = await World.make();
  const domains = Array.from({ length: 105 }, (_, i) => world.domain(`shop${i}.example`));
  world.authority.hold();
  const provisioning = world.start();
  const provisions = domains.map((domain) => provisioning.provision(domain.id));
  await assert.rejects(provisions[104]!, { code: "busy" });
  world.authority.release();
  await Promise.all(provisions.slice(0, 104));
});

Deno.test("a certificate is renewed when its authority suggests it, and that is asked every six hours", async () => {
  await using world = await World.make();
  const domain = world.domain("shop.example");
  world.putOld(domain, 0);
  const { id } = world.certificateOf(domain)!;
  const { authority } = world;
  authority.info = { start: world.now + 30 * HOUR, end: world.now + 50 * HOUR, retryAfterMs: null };
  const provisioning = world.start();
  await turn();
  assert.equal(authority.infosAsked, 1);
  world.now += 5 * HOUR;
  provisioning.wake();
  await turn();
  assert.equal(authority.infosAsked, 1);
  world.now += 2 * HOUR;
  // Its keys have leaked: it is to be replaced at once.
  authority.info = { start: world.now - 2 * HOUR, end: world.now - HOUR, retryAfterMs: null };
  authority.hold();
  provisioning.wake();
  await until(() => authority.orders.length === 1);
  authority.info = null;
  authority.release();
  await until(() => world.certificateOf(domain)!.id !== id);
  assert.equal(authority.orders.length, 1);
});

Deno.test("an authority that cannot say when to renew is asked again after an hour", async () => {
  using log = captureLog();
  await using world = await World.make();
  world.putOld(world.domain("a.example"), 0);
  world.putOld(world.domain("b.example"), 0);
  world.authority.info = refusal("down");
  const provisioning = world.start();
  await until(() => log.lines.length === 1);
  assert.match(log.lines[0]!, /^Cannot ask when to renew the certificate of "a.example"/);
  await turn();
  provisioning.wake();
  assert.equal(world.authority.infosAsked, 1);
  world.now += HOUR + 1;
  provisioning.wake();
  assert.equal(world.authority.infosAsked, 2);
});
