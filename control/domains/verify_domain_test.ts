import assert from "node:assert/strict";
import { lookUp } from "./lookup.ts";
import { TestDnsServer } from "./testing/dns_server.ts";
import { verifyDomain } from "./verify_domain.ts";

const DOMAIN = { domain: "shop.example", token: "t0k3n" };

function verify(dns: TestDnsServer, domain = DOMAIN, addresses: string[] = [], baseDomain = "isola.test") {
  return verifyDomain(domain, { dns: { servers: [dns.address], addresses }, baseDomain });
}

Deno.test("a domain is verified by what a name server says now", async () => {
  await using dns = new TestDnsServer();
  assert.match(await verify(dns) ?? "", /there is no TXT record at "_isola\.shop\.example"/);
  dns.records.set("_isola.shop.example", { TXT: ["isola-verification=t0k3n"] });
  assert.equal(await verify(dns), null);
  assert.equal(await verify(dns, { ...DOMAIN, domain: "*.shop.example" }), null);
  assert.match(await verify(dns, { ...DOMAIN, token: "other" }) ?? "", /is "isola-verification=t0k3n"/);
});

Deno.test("a domain is verified by leading to an address that was configured, or to where the default URLs lead", async () => {
  await using dns = new TestDnsServer();
  dns.records.set("shop.example", { A: ["203.0.113.5"], AAAA: ["2001:db8::5"] });
  assert.match(
    await verify(dns, DOMAIN, ["203.0.113.5"]) ?? "",
    /leads to 203\.0\.113\.5, 2001:db8::5, not to/,
  );
  assert.equal(await verify(dns, DOMAIN, ["203.0.113.5", "2001:0db8::0005"]), null);
  assert.match(await verify(dns) ?? "", /which is not known to be this server/);
  dns.records.set("isola.test", { A: ["203.0.113.5"], AAAA: ["2001:db8::5"] });
  assert.equal(await verify(dns), null);
  assert.ok(dns.questions.some((question) => /^isola-[0-9a-f-]{36}\.isola\.test A$/.test(question)));
});

Deno.test("a domain is verified by what the web server that it leads to serves", async () => {
  await using dns = new TestDnsServer();
  dns.records.set("shop.example", { A: ["192.0.2.1", "127.0.0.1"] });
  const asked: string[] = [];
  let text = "isola-verification=other";
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    asked.push(request.url);
    return new Response(text);
  });
  const http = { port: server.addr.port, isAllowed: (address: string) => address === "127.0.0.1" };
  const options = { dns: { servers: [dns.address], addresses: [] }, baseDomain: "isola.test", http };
  const refused = await verifyDomain(DOMAIN, options);
  assert.match(refused ?? "", /or serve it at http:\/\/shop\.example\/\.well-known\/isola-verification$/);
  text = "isola-verification=t0k3n\n";
  assert.equal(await verifyDomain(DOMAIN, options), null);
  assert.deepEqual(asked, Array(2).fill("http://shop.example/.well-known/isola-verification"));
  // By default only the public internet is asked.
  assert.notEqual(await verifyDomain(DOMAIN, { ...options, http: { port: server.addr.port } }), null);
  assert.equal(asked.length, 2);
});

Deno.test("a web server that has an IPv6 address only is asked as well", async () => {
  await using dns = new TestDnsServer();
  dns.records.set("shop.example", { AAAA: ["::1"] });
  await using server = Deno.serve(
    { hostname: "::1", port: 0, onListen() {} },
    () => new Response("isola-verification=t0k3n"),
  );
  const http = { port: server.addr.port, isAllowed: () => true };
  const options = { dns: { servers: [dns.address], addresses: [] }, baseDomain: "isola.test", http };
  assert.equal(await verifyDomain(DOMAIN, options), null);
});

Deno.test("names under localhost are not looked for in the DNS", async () => {
  await using dns = new TestDnsServer();
  await verify(dns, DOMAIN, [], "apps.localhost");
  assert.deepEqual(dns.questions.filter((question) => question.includes("localhost")), []);
});

Deno.test("a name server that does not answer is given up, and the next one asked", async () => {
  await using dns = new TestDnsServer();
  await using other = new TestDnsServer();
  dns.silent.add("shop.example");
  other.records.set("shop.example", { A: ["203.0.113.5"] });
  const [late, answered] = await Promise.all([
    lookUp("shop.example", "A", [dns.address]),
    lookUp("shop.example", "A", [dns.address, other.address]),
  ]);
  assert.deepEqual(late, { values: [], failure: `no answer from name server "${dns.address}"` });
  assert.deepEqual(answered, { values: ["203.0.113.5"], failure: null });
});
