import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import assert from "node:assert/strict";
import { certificateIdOf } from "./renewal_info.ts";
import { FakeAcme } from "./testing/fake_acme.ts";

const signal = new AbortController().signal;

async function certificate(serialNumber: string, keyId: string): Promise<string> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const extensions = keyId === "" ? [] : [new x509.AuthorityKeyIdentifierExtension(keyId)];
  const made = await x509.X509CertificateGenerator.createSelfSigned({ serialNumber, keys, extensions });
  return made.toString("pem");
}

Deno.test("a certificate is identified as in the example of RFC 9773 section 4.1", async () => {
  const keyId = "69885B6B87464041E1B37B847BA0AE2CDE01C8D4";
  const chain = await certificate("0087654321", keyId);
  assert.equal(await certificateIdOf(`${chain}\n${chain}`), "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
  assert.equal(
    await certificateIdOf(await certificate("87654321", keyId)),
    "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE",
  );
  assert.equal(await certificateIdOf(await certificate("01", "")), null);
});

Deno.test("the server's window to renew in is read", async () => {
  const window = { start: "2026-01-02T04:00:00Z", end: "2026-01-03T04:00:00Z" };
  await using server = new FakeAcme((path) =>
    path === "/renewalInfo/aYhb.AQ"
      ? Response.json({ suggestedWindow: window }, { headers: { "retry-after": "21600" } })
      : undefined
  );
  const client = await server.client();
  const chain = await certificate("01", "69885b");
  assert.deepEqual(await client.renewalInfo(chain, signal), {
    start: Date.parse(window.start),
    end: Date.parse(window.end),
    retryAfterMs: 21_600_000,
  });
  [window.start, window.end] = [window.end, window.start];
  await assert.rejects(client.renewalInfo(chain, signal), { type: "badAnswer" });
});

Deno.test("an order says which certificate it replaces, unless another has done so", async () => {
  const orders: unknown[] = [];
  await using server = new FakeAcme(async (path, request) => {
    if (path !== "/newOrder") return undefined;
    const { payload } = await request.json();
    orders.push(
      JSON.parse(new TextDecoder().decode(Uint8Array.fromBase64(payload, { alphabet: "base64url" }))),
    );
    const type = `urn:ietf:params:acme:error:${orders.length === 1 ? "alreadyReplaced" : "caa"}`;
    return Response.json({ type }, { status: 409, headers: { "replay-nonce": "abc" } });
  });
  const client = await server.client();
  const replaces = await certificate("01", "69885b");
  await assert.rejects(client.order(["shop.example"], { signal, replaces }), { type: "caa" });
  const identifiers = [{ type: "dns", value: "shop.example" }];
  assert.deepEqual(orders, [{ identifiers, replaces: "aYhb.AQ" }, { identifiers }]);
});
