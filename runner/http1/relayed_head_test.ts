import assert from "node:assert/strict";
import { ByteBuffer } from "./byte_buffer.ts";
import { type Peer, type RequestHead, RequestReader } from "./request_head.ts";
import { GatewayError } from "../errors.ts";
import { TrustedProxies } from "../front/trusted_proxies.ts";
import { SeededRandom } from "../../tests/seeded_random.ts";

const PEER: Peer = { hostname: "203.0.113.9", port: 4711, hasRelays: true };
const VISITOR =
  "x-forwarded-for: 198.51.100.7\r\nx-forwarded-proto: https\r\nx-forwarded-host: App.example:8443\r\n";

/** What is read of a head with these fields, and what the isolate gets. */
function read(fields: string, peer = PEER): { head: RequestHead; sent: string } {
  const text = `GET /p?q HTTP/1.1\r\nhost: Ingress.example:80\r\n${fields}\r\n`;
  const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
  const out = new ByteBuffer();
  const head = new RequestReader(peer).read(bytes, 0, bytes.length, out);
  return { head, sent: String.fromCharCode(...out.view) };
}

Deno.test("of a relay's request the app is told what its visitor asked for, and nothing of the relay", () => {
  const { head, sent } = read(`x-a: b\r\nX-Deno-Subhost: t.o.ken\r\nx-deno-other: 1\r\n${VISITOR}x-c: d\r\n`);
  assert.equal(
    sent,
    "GET https://App.example:8443/p?q HTTP/1.1\r\nhost: App.example:8443\r\nx-a: b\r\nx-c: d\r\n" +
      "x-forwarded-for: 198.51.100.7\r\nx-forwarded-proto: https\r\nx-forwarded-host: App.example:8443\r\n" +
      'forwarded: for="198.51.100.7:0";host="App.example:8443";proto=https\r\ncdn-loop: isola\r\n',
  );
  const authority = { hostname: "app.example", host: "App.example:8443" };
  assert.deepEqual(head.relayed, { token: "t.o.ken", prewarm: false, authority });
  // Which connection it may come on is decided by what the relay asked for.
  assert.equal(head.authority.hostname, "ingress.example");
});

Deno.test("a relay's request without its visitor's address and scheme has the connection's", () => {
  const { sent } = read("x-deno-subhost: t\r\nx-forwarded-host: app.example\r\n");
  assert.match(sent, /^GET http:\/\/app\.example\/p\?q HTTP/);
  assert.match(sent, /\r\nx-forwarded-for: 203\.0\.113\.9\r\nx-forwarded-proto: http\r\n/);
  const certificate = { covers: () => true };
  const fields = "x-deno-subhost: t\r\nx-forwarded-host: app.example\r\nx-forwarded-proto: ftp\r\n";
  assert.match(read(fields, { ...PEER, certificate }).sent, /^GET https:\/\/app\.example\//);
  const behindProxy = read(
    `x-deno-subhost: t\r\n${VISITOR}x-forwarded-for: 203.0.113.9\r\n`,
    {
      ...PEER,
      hostname: "10.0.0.1",
      proxies: new TrustedProxies([{ addresses: ["10.0.0.1"], by: "x-forwarded-for" }]),
    },
  );
  assert.match(behindProxy.sent, /\r\nx-forwarded-for: 198\.51\.100\.7\r\n/);
});

Deno.test("where there are no relays their fields say nothing", () => {
  const { head, sent } = read(`x-deno-subhost: t\r\nx-deno-prewarm: 1\r\n${VISITOR}`, {
    ...PEER,
    hasRelays: false,
  });
  assert.equal(head.relayed, null);
  assert.match(sent, /^GET http:\/\/Ingress\.example:80\/p\?q HTTP/);
  assert.ok(!sent.includes("App.example") && !sent.includes("x-deno") && !sent.includes("198.51.100.7"));
  assert.equal(read(`x-deno-prewarm: 1\r\n${VISITOR}`).head.relayed, null);
});

Deno.test("what is wrong with a relay's fields is for whoever has verified its token to say", () => {
  const rows: [fields: string, relayed: Partial<RequestHead["relayed"]>][] = [
    ["", { token: "t", prewarm: false, authority: null }],
    ["x-forwarded-host:\r\n", { authority: null }],
    ["x-forwarded-host: a.example, b.example\r\n", { authority: null }],
    ["x-forwarded-host: a.example\r\nx-forwarded-host: a.example\r\n", { authority: null }],
    ["x-forwarded-host: user@a.example\r\n", { authority: null }],
    ["x-forwarded-host: http://a.example\r\n", { authority: null }],
    ["x-forwarded-host: a.example/path\r\n", { authority: null }],
    ["x-forwarded-host: a.example:99999\r\n", { authority: null }],
    ["x-forwarded-host: a\xff.example\r\n", { authority: null }],
    ["X-DENO-SUBHOST: u\r\n", { token: "t, u" }],
    ["x-deno-prewarm: 1\r\n", { prewarm: true, authority: null }],
    ["x-deno-prewarm: 0\r\n", { prewarm: false }],
    ["x-deno-prewarm: 1\r\nx-deno-prewarm: 1\r\n", { prewarm: false }],
  ];
  for (const [fields, expected] of rows) {
    const { head, sent } = read(`x-deno-subhost: t\r\n${fields}`);
    assert.deepEqual({ ...head.relayed, ...expected }, head.relayed, fields);
    assert.ok(!sent.includes("x-deno"), fields);
  }
  assert.equal(read("x-deno-subhost:\r\n").head.relayed?.token, "");
});

Deno.test("a mutated head of a relay is either understood or refused as a bad request", () => {
  const random = new SeededRandom(11);
  const fields = new TextEncoder().encode(`x-deno-subhost: t.o.ken\r\nx-deno-prewarm: 1\r\n${VISITOR}`);
  let understood = 0;
  for (let i = 0; i < 5000; i++) {
    try {
      const { sent } = read(`${String.fromCharCode(...random.mutate(fields))}\r\n`);
      understood++;
      assert.match(sent, /^GET https?:\/\/[\w.:[\]-]+\/p\?q HTTP\/1\.1\r\nhost: /);
      assert.doesNotMatch(sent, /\r\nx-deno-/i);
    } catch (error) {
      if (!(error instanceof GatewayError) || error.code !== "BAD_REQUEST") throw error;
    }
  }
  assert.ok(understood > 1000, "the fuzzer never gets through");
});
