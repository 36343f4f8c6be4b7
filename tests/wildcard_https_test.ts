/** Wildcard certificates, which take a hook that sets DNS records (RFC 8555 §8.4). */
import assert from "node:assert/strict";
import { Pebble } from "../control/certificates/acme/testing/pebble.ts";
import { environmentOf, isola } from "./isola_command.ts";
import { servedLeaf } from "./served_leaf.ts";
import { startTestServer, until } from "./server.ts";
import { TlsClient } from "./tls_client.ts";

const hasPebble = await Deno.stat("/usr/bin/pebble").then(() => true, () => false);

/** The hook: sets and removes at the DNS server of the test what it is told to. */
function serveHook(pebble: Pebble): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { action, name, value } = await request.json();
    if (action === "present") await pebble.setTxt(name, value);
    else await pebble.clearTxt(name);
    return new Response();
  });
}

Deno.test({
  name:
    "With a DNS hook all names of the platform share a certificate, and a wildcard domain has its own and leads somewhere",
  ignore: !hasPebble,
  async fn() {
    await using pebble = await Pebble.start();
    await using hook = serveHook(pebble);
    const acme = {
      terms: true,
      directory: pebble.directory,
      caFile: pebble.caFile,
      dns: { webhook: { url: `http://127.0.0.1:${hook.addr.port}/` } },
    };
    await using server = await startTestServer({
      env: { ISOLA_HTTPS_ADDR: "127.0.0.1:0" },
      config: { baseDomain: "apps.test", dns: { servers: [pebble.dnsServer] }, tls: { acme } },
    });
    const served = (name: string) => servedLeaf(server.httpsPort, name);
    await until("the platform has its certificate", async () => await served("any.apps.test") !== null);
    assert.equal(await served("other.apps.test"), await served("any.apps.test"));
    await server.deploy("shop", `Deno.serve(() => new Response("hello"));`);
    const ca = await pebble.root();
    const visit = async (name: string) => {
      using client = await TlsClient.open(server.httpsPort, { serverName: name, ca });
      await client.write(`GET / HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`);
      return await client.receiveAll();
    };
    assert.match(await visit("shop.apps.test"), /^HTTP\/1\.1 200 OK\r\n[^]*hello$/);

    const env = environmentOf(server);
    const added = await isola(["domains", "add", "*.wild.test", "--no-wait", "--json"], env);
    assert.equal(added.code, 0, added.err);
    const { dnsRecords } = JSON.parse(added.out);
    for (const { type, name, content } of dnsRecords) if (type === "TXT") await pebble.setTxt(name, content);
    const { code, err } = await isola(["domains", "add", "*.wild.test"], env);
    assert.equal(code, 0, err);
    assert.notEqual(await served("any.wild.test"), null);
    for (const name of ["wild.test", "a.b.wild.test", "a.b.apps.test"]) {
      assert.equal(await served(name), null);
    }

    assert.match(await visit("any.wild.test"), /^HTTP\/1\.1 404 /);
    const attached = await isola(["domains", "attach", "*.wild.test", "--project", "shop"], env);
    assert.equal(attached.code, 0, attached.err);
    assert.match(await visit("any.wild.test"), /^HTTP\/1\.1 200 OK\r\n[^]*hello$/);
  },
});
