import assert from "node:assert/strict";
import { loadX509 } from "../x509.ts";
import type { AcmeError } from "./acme_error.ts";
import { FakeAcme, problem } from "./testing/fake_acme.ts";

const ORDER = { signal: new AbortController().signal, replaces: null };

Deno.test("a server that answers garbage is understood to be one", async () => {
  const answers = ["<html>", "[]", "{}", '{"newNonce": 1}'];
  for (const answer of answers) {
    await using server = new FakeAcme(() => new Response(answer));
    const client = await server.client();
    await assert.rejects(client.order(["shop.example"], ORDER), {
      type: "badAnswer",
      message: /^Cannot understand the answer of the ACME server: /,
    });
  }
});

Deno.test("an answer without end is not read to the end", async () => {
  const cancelled = Promise.withResolvers<void>();
  const endless = new ReadableStream({
    pull: (controller) => controller.enqueue(new Uint8Array(65536)),
    cancel: () => cancelled.resolve(),
  });
  await using server = new FakeAcme(() => new Response(endless));
  const client = await server.client();
  await assert.rejects(client.order(["shop.example"], ORDER), /longer than 262144 bytes/);
  await cancelled.promise;
});

Deno.test("a server that wants to be left alone is, and says for how long", async () => {
  await using server = new FakeAcme(() =>
    new Response("down", { status: 503, headers: { "retry-after": "120" } })
  );
  const client = await server.client();
  await assert.rejects(client.order(["shop.example"], ORDER), (error: AcmeError) => {
    assert.equal(error.status, 503);
    assert.equal(error.retryAfterMs, 120_000);
    return true;
  });
  assert.deepEqual(server.asked, ["/dir"]);
});

Deno.test("a server in trouble is asked twice more", async () => {
  let failures = 2;
  await using server = new FakeAcme((path) => {
    if (path === "/dir" && failures-- > 0) return new Response("down", { status: 502 });
    return path === "/newOrder" ? problem("unsupportedIdentifier", 400) : undefined;
  });
  const client = await server.client();
  await assert.rejects(client.order(["shop.example"], ORDER), { type: "unsupportedIdentifier" });
  assert.equal(server.asked.filter((path) => path === "/dir").length, 3);
});

Deno.test("a rate limit is told with its time and what it is about", async () => {
  await using server = new FakeAcme((path) => {
    if (path !== "/newOrder") return undefined;
    const identifier = { type: "dns", value: "shop.example" };
    const response = problem("rateLimited", 429, {
      subproblems: [{ type: "urn:ietf:params:acme:error:rateLimited", detail: "too many", identifier }],
    });
    response.headers.set("retry-after", "3600");
    return response;
  });
  const client = await server.client();
  await assert.rejects(client.order(["shop.example"], ORDER), (error: AcmeError) => {
    assert.equal(error.type, "rateLimited");
    assert.equal(error.retryAfterMs, 3_600_000);
    assert.deepEqual(error.subproblems, [{
      type: "rateLimited",
      detail: "too many",
      hostname: "shop.example",
    }]);
    assert.match(error.message, /signs no more for now: because of rateLimited; shop.example: too many$/);
    return true;
  });
});

Deno.test("nonces that are always rejected end an order", async () => {
  await using server = new FakeAcme((path) => path === "/newOrder" ? problem("badNonce", 400) : undefined);
  const client = await server.client();
  await assert.rejects(client.order(["shop.example"], ORDER), { type: "badNonce" });
  assert.equal(server.asked.filter((path) => path === "/newOrder").length, 20);
});

Deno.test("only names that are ordered are proven, and only with tokens of its grammar", async () => {
  let hostname = "bank.example";
  let token = "abc";
  await using server = new FakeAcme((path, request) => {
    const { origin } = new URL(request.url);
    const headers = { "replay-nonce": crypto.randomUUID(), location: `${origin}/order` };
    if (path === "/newOrder") {
      return Response.json({ authorizations: [`${origin}/authorization`], finalize: `${origin}/finalize` }, {
        headers,
      });
    }
    if (path !== "/authorization") return undefined;
    const challenges = [{ type: "http-01", url: `${origin}/challenge`, token }];
    const identifier = { type: "dns", value: hostname };
    return Response.json({ status: "pending", identifier, challenges }, { headers });
  });
  const client = await server.client();
  await assert.rejects(client.order(["shop.example"], ORDER), /it asks for "bank.example"/);
  [hostname, token] = ["shop.example", "../../x"];
  await assert.rejects(
    client.order(["shop.example"], ORDER),
    /its token for "shop.example" is not base64url/,
  );
});

/** A server that signs at once for whatever names it wants, with a key of its own that nobody checks. */
function signingFor(names: readonly string[]): FakeAcme {
  let chain = "";
  return new FakeAcme(async (path, request) => {
    const { origin } = new URL(request.url);
    const headers = { "replay-nonce": crypto.randomUUID(), location: `${origin}/order` };
    if (path === "/certificate") return new Response(chain, { headers });
    if (path === "/finalize") chain = await signRequest(await request.json(), names);
    else if (path !== "/newOrder" && path !== "/order") return undefined;
    return Response.json({
      status: chain === "" ? "ready" : "valid",
      authorizations: [],
      finalize: `${origin}/finalize`,
      certificate: `${origin}/certificate`,
    }, { headers });
  });
}

async function signRequest({ payload }: { payload: string }, names: readonly string[]): Promise<string> {
  const { Pkcs10CertificateRequest, SubjectAlternativeNameExtension, X509CertificateGenerator } =
    await loadX509();
  const { csr } = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
  const { publicKey } = new Pkcs10CertificateRequest(Uint8Array.fromBase64(csr, { alphabet: "base64url" }));
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const { privateKey } = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const alternatives = names.map((value) => ({ type: "dns" as const, value }));
  const certificate = await X509CertificateGenerator.create({
    subject: "CN=test",
    issuer: "CN=authority",
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 3_600_000),
    publicKey,
    signingKey: privateKey,
    signingAlgorithm: algorithm,
    extensions: [new SubjectAlternativeNameExtension(alternatives)],
  });
  return certificate.toString("pem");
}

Deno.test("a certificate is used for the names that were ordered, whatever else it is for", async () => {
  await using server = signingFor(["apps.example", "bank.example", "shop.apps.example"]);
  const client = await server.client();
  assert.deepEqual((await client.order(["shop.apps.example"], ORDER)).names, ["shop.apps.example"]);
});
