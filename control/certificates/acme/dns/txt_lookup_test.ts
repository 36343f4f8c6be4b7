import assert from "node:assert/strict";
import { Pebble } from "../testing/pebble.ts";
import { recordNameOf, untilVisible } from "./txt_lookup.ts";

const signal = new AbortController().signal;
const NAME = "_acme-challenge.a.example";

Deno.test("a record is waited for until every name server has it, and no longer than is allowed", async () => {
  await using one = await Pebble.start();
  await using other = await Pebble.start();
  const options = { servers: [one.dnsServer, other.dnsServer], timeoutMs: 30_000, signal };
  await one.setTxt(NAME, "x");
  await other.setTxt(NAME, "y");
  assert.equal(await untilVisible({ name: NAME, value: "x" }, { ...options, timeoutMs: 0 }), false);
  const visible = untilVisible({ name: NAME, value: "x" }, options);
  await other.setTxt(NAME, "x");
  assert.equal(await visible, true);
  const stop = AbortSignal.abort(new Error("stopped"));
  await assert.rejects(untilVisible({ name: NAME, value: "z" }, { ...options, signal: stop }), /stopped/);
});

Deno.test("a challenge that is delegated by CNAME is found, also where that goes in circles", async () => {
  await using pebble = await Pebble.start();
  const servers = [pebble.dnsServer];
  assert.equal(await recordNameOf(NAME, servers, signal), NAME);
  await pebble.setCname(NAME, "a.example.dns.test");
  assert.equal(await recordNameOf(NAME, servers, signal), "a.example.dns.test");
  await pebble.setCname("a.example.dns.test", NAME);
  await recordNameOf(NAME, servers, signal);
});

Deno.test("a delegation to what is no name of a record is not followed", async () => {
  await using pebble = await Pebble.start();
  for (const target of ["$(reboot).dns.test", "a b.dns.test", "-x.dns.test", "a\\.b.dns.test"]) {
    await pebble.setCname(NAME, target);
    assert.equal(await recordNameOf(NAME, [pebble.dnsServer], signal), NAME, target);
  }
  await pebble.setCname(NAME, "_Shop.DNS.test");
  assert.equal(await recordNameOf(NAME, [pebble.dnsServer], signal), "_shop.dns.test");
});
