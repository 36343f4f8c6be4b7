import assert from "node:assert/strict";
import { Bind, hasBind, KEYS, ZONE } from "../testing/bind.ts";
import { DnsProviderError } from "./dns_provider.ts";
import { Rfc2136Provider } from "./rfc2136_provider.ts";

const signal = new AbortController().signal;
const NAME = `_acme-challenge.${ZONE}`;

if (!hasBind) console.warn("Tests of dynamic DNS updates are left out: apt-get install bind9");

function bindTest(name: string, run: (bind: Bind) => Promise<void>): void {
  Deno.test({
    name,
    ignore: !hasBind,
    fn: async () => {
      await using bind = await Bind.start();
      await run(bind);
    },
  });
}

function says(words: RegExp) {
  return (error: unknown) => {
    assert(error instanceof DnsProviderError);
    assert.match(error.message, words);
    return true;
  };
}

bindTest("records are added and removed one by one by dynamic updates", async (bind) => {
  const dns = new Rfc2136Provider({ server: bind.server, zone: ZONE, ...KEYS.allowed });
  await dns.present(NAME, "one", signal);
  await dns.present(NAME, "two", signal);
  assert.deepEqual((await bind.txt(NAME)).toSorted(), ["one", "two"]);
  await dns.cleanup(NAME, "one", signal);
  assert.deepEqual(await bind.txt(NAME), ["two"]);
  await dns.cleanup(NAME, "two", signal);
  await dns.cleanup(NAME, "two", signal);
  assert.deepEqual(await bind.txt(NAME), []);
});

bindTest("a name server that refuses says why", async (bind) => {
  const config = { server: bind.server, zone: ZONE, ...KEYS.allowed };
  const present = (change: Partial<typeof config>, name = NAME) =>
    new Rfc2136Provider({ ...config, ...change as typeof config }).present(name, "x", signal);
  await assert.rejects(
    present({ keySecret: "AAAA" as never }),
    says(/another secret for this key \(BADSIG\)/),
  );
  await assert.rejects(present({ keyName: "nobody" as never }), says(/does not know this key \(BADKEY\)/));
  await assert.rejects(present(KEYS.other as never), says(/refuses this key to do that \(REFUSED\)/));
  await assert.rejects(present({ zone: "elsewhere.test" as never }), says(/does not serve this zone/));
  await assert.rejects(present({}, "_acme-challenge.elsewhere.test"), says(/is not in the zone \(NOTZONE\)/));
});

Deno.test("a name server that is not there is told", async () => {
  const dns = new Rfc2136Provider({ server: "127.0.0.1:2", zone: ZONE, ...KEYS.allowed });
  await assert.rejects(
    dns.present(NAME, "x", signal),
    says(
      /^Cannot set the TXT record "_acme-challenge\.example\.test": the name server "127\.0\.0\.1:2": .*refused/,
    ),
  );
  await assert.rejects(dns.cleanup(NAME, "x", AbortSignal.abort(new Error("stopped"))), /stopped/);
});

Deno.test("an answer that is cut off or signed by nobody is not believed", async () => {
  const answers = [
    [Uint8Array.of(0, 3, 1, 2, 3), /it is cut off/],
    [Uint8Array.of(0, 12, 0, 0, 0xa8, 0, 0, 0, 0, 0, 0, 0, 0, 0), /its answer is not signed/],
    [Uint8Array.of(0, 12, 0, 0, 0xa8, 0, 0, 0, 0, 0, 0, 0, 0, 1), /it is cut off/],
    [Uint8Array.of(0, 12), /it closed the connection/],
  ] as const;
  for (const [answer, words] of answers) {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const served = listener.accept().then(async (conn) => {
      await conn.read(new Uint8Array(1024));
      await conn.write(answer);
      conn.close();
    });
    const dns = new Rfc2136Provider({
      server: `127.0.0.1:${listener.addr.port}`,
      zone: ZONE,
      ...KEYS.allowed,
    });
    await assert.rejects(dns.present(NAME, "x", signal), says(words));
    await served;
  }
});
