import assert from "node:assert/strict";
import { ATTEMPT, OutboundTrial } from "./testing/outbound_trial.ts";

Deno.test("names are resolved by the proxy", async () => {
  await using trial = await OutboundTrial.start({ allowPrivate: ["localhost"] });
  const program = `${ATTEMPT}
    const dns = (await import("node:dns")).default;
    const { lookup } = await import("node:dns/promises");
    const resolver = new dns.promises.Resolver();
    resolver.setServers(["10.0.0.1"]);
    const byCallback = (name, ...args) => new Promise((resolve, reject) =>
      dns[name](...args, (error, ...results) => error ? reject(error) : resolve(results)));
    return {
      lookup: await byCallback("lookup", "localhost", { family: 4 }),
      lookupAll: await lookup("localhost", { all: true, family: 4 }),
      lookupAddress: await lookup("192.0.2.1"),
      resolve4: await byCallback("resolve4", "localhost", { ttl: true }),
      resolver: await resolver.resolve4("localhost"),
      deno: await Deno.resolveDns("localhost", "A"),
      deno4: await attempt(Deno.resolveDns("name.invalid", "A")),
      unknown: await attempt(lookup("name.invalid")),
      unknown4: await attempt(dns.promises.resolve4("name.invalid")),
      unanswered: await attempt(dns.promises.resolveAny("localhost")),
      badType: await attempt(Deno.resolveDns("localhost", "XX")).then((text) => text.split(" ")[0]),
      aborted: await attempt(Deno.resolveDns("localhost", "A", { signal: AbortSignal.abort(new Error("aborted")) })),
    };
  `;
  const localhost = [{ address: "127.0.0.1", family: 4 }];
  assert.deepEqual(await trial.run(program), {
    lookup: ["127.0.0.1", 4],
    lookupAll: localhost,
    lookupAddress: { address: "192.0.2.1", family: 4 },
    resolve4: [[{ address: "127.0.0.1", ttl: 0 }]],
    resolver: ["127.0.0.1"],
    deno: ["127.0.0.1"],
    deno4: 'NotFound Cannot resolve "name.invalid"',
    unknown: "Error ENOTFOUND getaddrinfo ENOTFOUND name.invalid",
    unknown4: "Error ENOTFOUND queryA ENOTFOUND name.invalid",
    unanswered: "Error ENOTIMP queryAny ENOTIMP localhost",
    badType: "TypeError",
    aborted: "Error aborted",
  });
});
