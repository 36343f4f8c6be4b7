import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { AcmeError } from "./acme_error.ts";
import { TestAuthority } from "./testing/test_authority.ts";

const signal = new AbortController().signal;
const ORDER = { signal, replaces: null };

Deno.test("a certificate is ordered for several names and leads to the authority's root", async () => {
  await using authority = await TestAuthority.start();
  const client = await authority.client({ email: "me@example.com" });
  const names = ["shop.example", "www.shop.example"];
  const material = await client.order(names, ORDER);
  assert.deepEqual(material.names.toSorted(), names);
  assert.equal(material.cipher, "ec");
  const [leaf, intermediate] = material.chain.match(/-----BEGIN[^]*?-----END CERTIFICATE-----/g)!
    .map((pem) => new X509Certificate(pem));
  assert(leaf!.verify(intermediate!.publicKey));
  assert(intermediate!.verify(new X509Certificate(await authority.pebble.root()).publicKey));
  assert.deepEqual([...new Set(authority.answers.asked)].toSorted(), names);
  assert.equal(authority.answers.size, 0);
  assert.equal(await client.renewalInfo(material.chain, signal), null);
});

Deno.test("orders succeed while half of all good nonces are rejected, many at once", async () => {
  await using authority = await TestAuthority.start({ nonceRejectPercent: 50 });
  const client = await authority.client();
  const orders = [1, 2, 3, 4].map((i) => client.order([`shop${i}.example`], ORDER));
  for (const material of await Promise.all(orders)) assert.equal(material.names.length, 1);
  assert.equal(authority.accounts.kept.size, 1);
});

Deno.test("an account is made once, used after a restart, and made again when the server forgot it", async () => {
  await using authority = await TestAuthority.start({ authorizationReusePercent: 100 });
  const first = await authority.client();
  await first.order(["shop.example"], ORDER);
  const { directory } = authority.pebble;
  const kept = authority.accounts.get(directory);
  assert(kept);
  const second = await authority.client();
  await second.order(["shop.example"], ORDER);
  assert.equal(authority.accounts.get(directory), kept);

  authority.accounts.put({ ...kept, url: kept.url.replace(/[^/]+$/, "forgotten") });
  const third = await authority.client();
  await third.order(["shop.example"], ORDER);
  assert.deepEqual(authority.accounts.get(directory), kept);
});

Deno.test("an external account is bound, and its absence is told", async () => {
  const hmacKey = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
  await using authority = await TestAuthority.start({ externalAccounts: { "kid-1": hmacKey } });
  const bound = await authority.client({ eab: { keyId: "kid-1", hmacKey } });
  assert.deepEqual((await bound.order(["shop.example"], ORDER)).names, ["shop.example"]);

  authority.accounts.kept.clear();
  const unbound = await authority.client();
  await assert.rejects(unbound.order(["shop.example"], ORDER), {
    type: "externalAccountRequired",
    message: / set tls.acme.eab in isola.yaml/,
  });
  const wrong = await authority.client({ eab: { keyId: "kid-1", hmacKey: "AAAA" } });
  await assert.rejects(wrong.order(["shop.example"], ORDER), AcmeError);
});

Deno.test("a name that fails validation fails the order, with what helps", async () => {
  await using authority = await TestAuthority.start();
  const client = await authority.client();
  await authority.pebble.setA("elsewhere.example", ["127.0.0.9"]);
  await assert.rejects(client.order(["elsewhere.example"], ORDER), (error: AcmeError) => {
    assert.equal(error.type, "connection");
    assert.match(
      error.message,
      /^The ACME server could not reach http:\/\/elsewhere\.example\/\.well-known\/acme-challenge\/…: .*refused.* Does an A record lead here, and is port 80 open\?$/,
    );
    return true;
  });
  authority.answers.override = "another server";
  await assert.rejects(client.order(["shop.example"], ORDER), (error: AcmeError) => {
    assert.equal(error.type, "unauthorized");
    assert.match(error.message, /got a wrong answer from http:\/\/shop\.example/);
    return true;
  });
  assert.equal(authority.answers.size, 0);
});

Deno.test("a name that does not resolve fails the order, with what helps", async () => {
  await using authority = await TestAuthority.start();
  const client = await authority.client();
  await authority.pebble.setServFail("broken.example");
  await assert.rejects(client.order(["broken.example"], ORDER), /broken\.example/);
});

Deno.test("a wildcard without a DNS provider fails, with what to do", async () => {
  await using authority = await TestAuthority.start();
  const client = await authority.client();
  await assert.rejects(client.order(["*.shop.example"], ORDER), /set tls\.acme\.dns in isola\.yaml/);
});

Deno.test("an order that is aborted ends at once and takes its challenges back", async () => {
  await using authority = await TestAuthority.start();
  const client = await authority.client();
  const stop = new AbortController();
  const reason = new Error("stopped");
  const order = client.order(["shop.example"], { signal: stop.signal, replaces: null });
  stop.abort(reason);
  await assert.rejects(order, (error) => error === reason);
  assert.equal(authority.answers.size, 0);
});

Deno.test("a server that is not trusted is told from one that is not there", async () => {
  await using authority = await TestAuthority.start();
  const stranger = await authority.client({ caFile: null });
  await assert.rejects(stranger.order(["shop.example"], ORDER), /Is tls\.acme\.caFile the authority/);
  const nowhere = await authority.client({ directory: "https://127.0.0.1:2/dir" });
  await assert.rejects(nowhere.order(["shop.example"], ORDER), {
    type: "unreachable",
    message: /Cannot reach the ACME server at "https:\/\/127\.0\.0\.1:2\/dir": .*refused/,
  });
  await assert.rejects(authority.client({ caFile: "/nowhere.pem" }), /"\/nowhere\.pem"/);
});
