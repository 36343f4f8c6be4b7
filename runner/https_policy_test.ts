import assert from "node:assert/strict";
import { ByteBuffer } from "./http1/byte_buffer.ts";
import { HttpsPolicy, isDirected } from "./https_policy.ts";
import { type Peer, type RequestHead, RequestReader } from "./http1/request_head.ts";

const SECURED = new Set(["shop.example"]);
const CHALLENGE = { hostname: "new.example", token: "t0ken", keyAuthorization: "t0ken.thumbprint" };

function policy({ redirect = true, port = 443 } = {}) {
  const wanted: string[] = [];
  const want = (hostname: string) => void wanted.push(hostname);
  const policy = new HttpsPolicy({ secured: SECURED, port: () => port, redirect, want });
  policy.setChallenges([CHALLENGE]);
  return { policy, wanted };
}

function head(host: string, path = "/p?q", peer: Peer = { hostname: "192.0.2.7", port: 1 }, method = "GET") {
  const bytes = new TextEncoder().encode(`${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
  return new RequestReader(peer).read(bytes, 0, bytes.length, new ByteBuffer());
}

function answer(host: string, path = "/p?q", options: Parameters<typeof policy>[0] = {}) {
  const target = `http://${host}${path}`;
  return policy(options).policy.answer(head(host, path), target, true);
}

Deno.test("a name with a certificate is redirected to its canonical form, path and query included", () => {
  const rows: [host: string, location: string, port?: number][] = [
    ["shop.example", "https://shop.example/p?q"],
    ["SHOP.example.", "https://shop.example/p?q"],
    ["shop.example:80", "https://shop.example/p?q"],
    // Whoever named no port came by the usual one.
    ["shop.example", "https://shop.example/p?q", 8443],
    ["shop.example:8000", "https://shop.example:8443/p?q", 8443],
  ];
  for (const [host, location, port = 443] of rows) {
    const response = answer(host, "/p?q", { port });
    assert.equal(response?.status, 308);
    assert.equal(response.fields.location, location);
  }
  assert.equal(
    answer("shop.example", "//evil.example/x")?.fields.location,
    "https://shop.example//evil.example/x",
  );
});

Deno.test("a name without one is served as it is, and wanted if it leads somewhere", () => {
  const { policy: some, wanted } = policy();
  assert.equal(some.answer(head("other.example"), "http://other.example/p", true), null);
  assert.equal(some.answer(head("nobody.example"), "http://nobody.example/p", false), null);
  assert.deepEqual(wanted, ["other.example"]);
});

Deno.test("a challenge is answered for its own name, before any redirect, and for nothing else", () => {
  const path = "/.well-known/acme-challenge/t0ken";
  assert.equal(answer("new.example", path)?.body, "t0ken.thumbprint");
  assert.equal(answer("new.example:80", path, { redirect: false })?.body, "t0ken.thumbprint");
  assert.equal(answer("shop.example", path)?.status, 308);
  assert.equal(answer("new.example", `${path}x`), null);
  assert.equal(answer("new.example", "/.well-known/acme-challenge/"), null);
  const post = head("new.example", path, undefined, "POST");
  assert.equal(policy().policy.answer(post, `http://new.example${path}`, true), null);
});

Deno.test("nobody is redirected where that is off, nor who came by HTTPS to a trusted proxy", () => {
  assert.equal(answer("shop.example", "/", { redirect: false }), null);
  const secure = { ...head("shop.example"), isSecure: true };
  assert.equal(policy().policy.answer(secure, "http://shop.example/", true), null);
});

Deno.test("strict transport is for names that are redirected, and not for local ones", () => {
  const overTls = (host: string): RequestHead =>
    head(host, "/", { hostname: "192.0.2.7", port: 1, certificate: { covers: () => true } });
  const { policy: some } = policy();
  assert(some.isStrict(overTls("shop.example")));
  assert(!some.isStrict(head("shop.example")));
  assert(!some.isStrict(overTls("shop.localhost")) && !some.isStrict(overTls("localhost")));
  assert(!policy({ redirect: false }).policy.isStrict(overTls("shop.example")));
});

Deno.test("a request is only for names of the certificate that its connection was opened with", () => {
  const certificate = { covers: (hostname: string) => hostname === "shop.example" };
  const peer = { hostname: "192.0.2.7", port: 1, certificate };
  assert(isDirected(head("shop.example", "/", peer)));
  assert(!isDirected(head("other.example", "/", peer)));
  assert(isDirected(head("other.example")));
});
