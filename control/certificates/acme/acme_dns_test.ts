import assert from "node:assert/strict";
import { Bind, hasBind, KEYS, ZONE } from "./testing/bind.ts";
import type { Pebble } from "./testing/pebble.ts";
import { TestAuthority } from "./testing/test_authority.ts";

const ORDER = { signal: new AbortController().signal, replaces: null };

/** A webhook which sets what it is told to at the DNS server of an ACME test server. */
class Webhook implements AsyncDisposable {
  readonly calls: string[] = [];
  status = 204;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(pebble: Pebble) {
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
      const { action, name, value } = await request.json();
      this.calls.push(`${action} ${name}`);
      if (action === "present") await pebble.setTxt(name, value);
      else await pebble.clearTxt(name);
      return new Response(null, { status: this.status });
    });
  }

  get config() {
    return { webhook: { url: `http://127.0.0.1:${this.#server.addr.port}/`, secret: null } };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

Deno.test("a wildcard is proven by a record that is removed afterwards, beside a name that is proven by HTTP", async () => {
  await using authority = await TestAuthority.start();
  await using webhook = new Webhook(authority.pebble);
  const client = await authority.client({ dns: webhook.config });
  const names = ["*.shop.example", "shop.example"];
  assert.deepEqual((await client.order(names, ORDER)).names.toSorted(), names);
  const record = "_acme-challenge.shop.example";
  assert.deepEqual(webhook.calls, [`present ${record}`, `cleanup ${record}`]);
  assert(authority.answers.asked.includes("shop.example"));
});

Deno.test("a challenge that is delegated by CNAME is answered where it leads", async () => {
  await using authority = await TestAuthority.start({ authorizationReusePercent: 0 });
  await using webhook = new Webhook(authority.pebble);
  await authority.pebble.setCname("_acme-challenge.shop.example", "shop.dns.test");
  const client = await authority.client({ dns: webhook.config });
  await client.order(["*.shop.example"], ORDER);
  assert.deepEqual(webhook.calls, ["present shop.dns.test", "cleanup shop.dns.test"]);
});

Deno.test("a DNS provider that fails fails the order in its words, and is told to clean up", async () => {
  await using authority = await TestAuthority.start();
  await using webhook = new Webhook(authority.pebble);
  webhook.status = 500;
  const client = await authority.client({ dns: webhook.config });
  const { error } = console;
  const lines: unknown[] = [];
  console.error = (line) => lines.push(line);
  await assert.rejects(client.order(["*.shop.example"], ORDER), {
    type: "dnsProvider",
    message: /^Cannot set the TXT record "_acme-challenge\.shop\.example": the webhook of ".*" answered 500$/,
  }).finally(() => console.error = error);
  assert.equal(webhook.calls.length, 2);
  assert.match(`${lines}`, /^Cannot remove the TXT record/);
});

Deno.test({
  name: "a wildcard is proven by dynamic updates of a real name server",
  ignore: !hasBind,
  fn: async () => {
    await using bind = await Bind.start();
    await using authority = await TestAuthority.start({ dnsServer: bind.server });
    const client = await authority.client({
      dns: { rfc2136: { server: bind.server, zone: ZONE, ...KEYS.allowed } },
    });
    assert.deepEqual((await client.order([`*.${ZONE}`], ORDER)).names, [`*.${ZONE}`]);
    assert.deepEqual(await bind.txt(`_acme-challenge.${ZONE}`), []);
  },
});
