import assert from "node:assert/strict";
import { ByteBuffer } from "./byte_buffer.ts";
import { GatewayError } from "../errors.ts";
import { type Peer, type RequestHead, RequestReader } from "./request_head.ts";
import { TrustedProxies } from "../front/trusted_proxies.ts";
import { SeededRandom } from "../../tests/seeded_random.ts";

const PEER = { hostname: "192.0.2.7", port: 4711 };
const HOST = ["Host", "Shop.example:80"] as const;
type Field = readonly [name: string, value: string];

const latin1 = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));

/** What is read of a head, and what the isolate gets. */
function read(text: string, peer: Peer = PEER): { head: RequestHead; sent: string } {
  const bytes = latin1(text);
  const out = new ByteBuffer();
  const head = new RequestReader(peer).read(bytes, 0, bytes.length, out);
  return { head, sent: String.fromCharCode(...out.view) };
}

function text(fields: readonly Field[], line = "GET /a/../b%2Fc?q HTTP/1.1"): string {
  return `${line}\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
}

/** The fields of the head that an isolate gets for these, besides `Host`. */
function fields(visitors: Record<string, string> | readonly Field[], peer = PEER): Record<string, string> {
  const list = Array.isArray(visitors) ? visitors : Object.entries(visitors as Record<string, string>);
  const { sent } = read(text([HOST, ...list]), peer);
  const lines = sent.slice(0, -2).split("\r\n").slice(1);
  const entries = lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]);
  assert.equal(new Set(entries.map(([name]) => name)).size, entries.length, "a field was sent twice");
  return Object.fromEntries(entries);
}

const isBadRequest = (error: unknown) => error instanceof GatewayError && error.code === "BAD_REQUEST";

Deno.test("the request line is in absolute form with the visitor's own host and path", () => {
  const rows: [line: string, sent: string][] = [
    ["PROPFIND /a/../b%2Fc?q HTTP/1.1", "PROPFIND http://Shop.example:80/a/../b%2Fc?q HTTP/1.1"],
    ["GET / HTTP/1.0", "GET http://Shop.example:80/ HTTP/1.1"],
    ["GET /a#b?c#d HTTP/1.1", "GET http://Shop.example:80/a#b?c#d HTTP/1.1"],
    ["GET http://shop.example HTTP/1.1", "GET http://shop.example/ HTTP/1.1"],
    ["GET https://shop.example:1?q HTTP/1.1", "GET http://shop.example:1/?q HTTP/1.1"],
    ["GET HTTP://shop.example/p?q=[]{}|^`~ HTTP/1.1", "GET http://shop.example/p?q=[]{}|^`~ HTTP/1.1"],
    [`GET /<a>\\"\`?{"a":"<b>"} HTTP/1.1`, `GET http://Shop.example:80/<a>\\"\`?{"a":"<b>"} HTTP/1.1`],
    ["GET /\xc3\xa9?\xe2\x82\xac HTTP/1.1", "GET http://Shop.example:80/\xc3\xa9?\xe2\x82\xac HTTP/1.1"],
  ];
  for (const [line, sent] of rows) assert.equal(read(text([HOST], line)).sent.split("\r\n")[0], sent);
  const { head, sent } = read(text([HOST]));
  assert.deepEqual(head.authority, { hostname: "shop.example", host: "Shop.example:80" });
  assert.match(sent, /\r\nhost: Shop\.example:80\r\n/);
});

Deno.test("whatever is not exactly RFC 9112 is refused", () => {
  const ok = "GET / HTTP/1.1\r\nhost: shop.example\r\n";
  const lines = [
    "GET /",
    "GET  / HTTP/1.1",
    "GET / HTTP/1.1 ",
    "GET / HTTP/1.2",
    "GET / HTTP/2.0",
    "GET / http/1.1",
    "GET\t/ HTTP/1.1",
    " GET / HTTP/1.1",
    "G(T / HTTP/1.1",
    `${"A".repeat(33)} / HTTP/1.1`,
    "GET * HTTP/1.1",
    "GET x HTTP/1.1",
    "GET shop.example:80 HTTP/1.1",
    "GET ftp://shop.example/ HTTP/1.1",
    "GET /a b HTTP/1.1",
    "GET /\x00 HTTP/1.1",
    "GET /\x7f HTTP/1.1",
    "GET /\xff HTTP/1.1",
    "GET http://user@shop.example/ HTTP/1.1",
    "GET http:///x HTTP/1.1",
    "GET http://other.example/ HTTP/1.1",
  ];
  const heads = [
    ...lines.map((line) => `${line}\r\nhost: shop.example\r\n\r\n`),
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",
    "GET http://shop.example/ HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\nhost: shop.example\r\n\r\n",
    ...[
      "host: shop.example",
      "no colon",
      ": no name",
      "a : b",
      "a b: c",
      " folded: b",
      "a: b\r\n folded",
      "a: b\nc: d",
      "a: b\rc: d",
      "a: \x00",
      "a: \x7f",
      "\xe4: b",
      "content-length: 5\r\ncontent-length: 5",
      "content-length: 5, 5",
      "content-length: +5",
      "content-length:",
      "content-length: 0x5",
      "content-length: 9999999999999999",
      "content-length: 5\r\ntransfer-encoding: chunked",
      "transfer-encoding: gzip, chunked",
      "transfer-encoding: identity",
      "transfer-encoding: chunked, chunked",
      "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
      "transfer-encoding: \x0bchunked",
      Array.from({ length: 90 }, (_, i) => `a${i}: b`).join("\r\n"),
    ].map((field) => `${ok}${field}\r\n\r\n`),
    "GET / HTTP/1.0\r\nhost: shop.example\r\ntransfer-encoding: chunked\r\n\r\n",
  ];
  for (const head of heads) assert.throws(() => read(head), isBadRequest, JSON.stringify(head.slice(0, 99)));
});

Deno.test("framing, persistence and expectations are the visitor's connection's", () => {
  const rows: [line: string, fields: Field[], facts: Partial<RequestHead>][] = [
    ["GET / HTTP/1.1", [], { keepAlive: true, contentLength: 0, framed: false, isOld: false }],
    ["GET / HTTP/1.1", [["connection", "x, Close"]], { keepAlive: false }],
    ["GET / HTTP/1.0", [], { keepAlive: false, isOld: true }],
    ["GET / HTTP/1.0", [["Connection", "Keep-Alive"]], { keepAlive: true, isOld: true }],
    ["POST / HTTP/1.1", [["content-length", "0"]], { contentLength: 0, framed: true }],
    ["POST / HTTP/1.1", [["content-length", "5"]], { contentLength: 5, framed: true }],
    ["POST / HTTP/1.1", [["transfer-encoding", "Chunked"]], { contentLength: Infinity, framed: true }],
    ["POST / HTTP/1.1", [["expect", "100-Continue"]], { expectsContinue: true }],
    ["POST / HTTP/1.0", [["expect", "100-continue"]], { expectsContinue: false }],
  ];
  for (const [line, sent, facts] of rows) {
    const { head } = read(text([HOST, ...sent], line));
    for (const [name, value] of Object.entries(facts)) {
      assert.equal(head[name as keyof RequestHead], value, name);
    }
  }
});

Deno.test("only an opening handshake without a body asks for a WebSocket", () => {
  const handshake: Field[] = [
    HOST,
    ["Connection", "Upgrade"],
    ["Upgrade", "websocket"],
    ["Sec-WebSocket-Version", "13"],
    ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="],
  ];
  assert.notEqual(read(text(handshake)).head.webSocket, null);
  assert.notEqual(read(text([...handshake, ["content-length", "0"]])).head.webSocket, null);
  for (const field of [["content-length", "1"], ["transfer-encoding", "chunked"]] as const) {
    assert.equal(read(text([...handshake, field])).head.webSocket, null);
  }
});

Deno.test("each request of a connection says by itself which host it is for", () => {
  const reader = new RequestReader(PEER);
  const ask = (text: string) =>
    reader.read(latin1(text), 0, text.length, new ByteBuffer()).authority.hostname;
  const absolute = "GET http://shop.example/ HTTP/1.1\r\nhost: shop.example\r\n\r\n";
  const empty = "GET / HTTP/1.1\r\nhost:\r\n\r\n";
  for (let i = 0; i < 2; i++) {
    assert.equal(ask("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n"), "a.example");
    assert.throws(() => ask(empty), isBadRequest);
    assert.equal(ask(absolute), "shop.example");
    assert.throws(() => ask(empty), isBadRequest);
    assert.throws(() => ask(absolute.replace("host: shop", "host: a")), isBadRequest);
  }
});

Deno.test("a mutated head is either understood or refused as a bad request", () => {
  const seeds = [
    text([HOST, ["accept", "*/*"], ["connection", "keep-alive"], ["cookie", "a=b"]]),
    text([HOST, ["content-length", "12"], ["x-a", "b"]], "POST http://shop.example/p?q HTTP/1.1"),
    text(
      [HOST, ["transfer-encoding", "chunked"], ["connection", "close, x-a"], ["x-a", "b"]],
      "PUT /x HTTP/1.1",
    ),
  ].map(latin1);
  const random = new SeededRandom(7);
  let understood = 0;
  for (let i = 0; i < 30_000; i++) {
    const mutated = String.fromCharCode(...random.mutate(random.pick(seeds)));
    try {
      const { head, sent } = read(mutated);
      understood++;
      assert.ok(head.contentLength >= 0);
      assert.match(sent, /^[!-~]+ http:\/\/[!-~\x80-\xff]+ HTTP\/1\.1\r\nhost: /);
      assert.doesNotMatch(sent.slice(0, -2), /\r\n\r\n|[^\r]\n|\r[^\n]/);
      assert.equal(sent.match(/\r\n(?:content-length|transfer-encoding|connection):/i), null);
    } catch (error) {
      if (!isBadRequest(error)) throw error;
    }
  }
  assert.ok(understood > 1000, "the fuzzer never gets through");
});

Deno.test("end-to-end headers pass as they are, byte for byte", () => {
  const sent = {
    "accept-encoding": "gzip, br;q=0.5",
    "authorization": "Basic abc",
    "cookie": "a=1; b=2",
    "if-none-match": '"x"',
    "range": "bytes=0-1",
    "x-latin": "\xe9\xff",
    "x-empty": "",
    "x-real-ips": "kept",
    "date": "Sun, 22 Nov 2026 00:00:00 GMT",
  };
  const got = fields(sent);
  for (const [name, value] of Object.entries(sent)) assert.equal(got[name], value, name);
});

Deno.test("headers of the visitor's connection stay on it", () => {
  const got = fields({
    "connection": "keep-alive, X-Secret , upgrade",
    "keep-alive": "timeout=5",
    "proxy-authorization": "Basic abc",
    "proxy-connection": "keep-alive",
    "te": "trailers",
    "trailer": "x-t",
    "upgrade": "h2c",
    "http2-settings": "AAAA",
    "expect": "100-continue",
    "content-length": "5",
    "x-secret": "1",
    "x-kept": "1",
  });
  assert.deepEqual(Object.keys(got).sort(), [
    "cdn-loop",
    "forwarded",
    "host",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-kept",
  ]);
});

Deno.test("nothing that a visitor sends poses as ours", () => {
  const got = fields({
    "forwarded": "for=10.0.0.1",
    "x-forwarded-for": "10.0.0.1",
    "x-forwarded-host": "evil.example",
    "x-forwarded-port": "1",
    "x-forwarded-proto": "https",
    "x-real-ip": "10.0.0.1",
    "x-deno-subhost": "1",
    "x-isola-error": "1",
    "x-isola-anything": "1",
    "connection": "host, x-forwarded-for, forwarded, cdn-loop",
  });
  assert.deepEqual(got, {
    "cdn-loop": "isola",
    "forwarded": 'for="192.0.2.7:4711";host="Shop.example:80";proto=http',
    "host": "Shop.example:80",
    "x-forwarded-for": "192.0.2.7",
    "x-forwarded-host": "Shop.example:80",
    "x-forwarded-proto": "http",
  });
});

Deno.test("an IPv6 peer is bracketed where RFC 7239 says so, and a mapped IPv4 one is IPv4", () => {
  const six = fields({}, { hostname: "2001:db8::1", port: 1 });
  assert.equal(six["x-forwarded-for"], "2001:db8::1");
  assert.match(six["forwarded"]!, /^for="\[2001:db8::1\]:1";/);
  const mapped = fields({}, { hostname: "::ffff:192.0.2.7", port: 1 });
  assert.equal(mapped["x-forwarded-for"], "192.0.2.7");
  assert.match(mapped["forwarded"]!, /^for="192\.0\.2\.7:1";/);
});

Deno.test("CDN-Loop grows by one and the ninth pass is refused", () => {
  assert.equal(fields({ "cdn-loop": "other; a=1" })["cdn-loop"], "other; a=1, isola");
  const seven = Array(7).fill("isola").join(", ");
  assert.equal(fields({ "cdn-loop": `other, ${seven}` })["cdn-loop"], `other, ${seven}, isola`);
  assert.throws(
    () => fields({ "cdn-loop": `Isola;x=1,other,${seven}` }),
    (error: unknown) => error instanceof GatewayError && error.code === "LOOP_DETECTED",
  );
});

Deno.test("fields that come twice stay two, and lists of ours become one", () => {
  const { sent } = read(text([HOST, ["x-a", "1"], ["X-A", "2"], ["cdn-loop", "a"], ["cdn-loop", "b"]]));
  assert.match(sent, /\r\nx-a: 1\r\nX-A: 2\r\n/);
  assert.match(sent, /\r\ncdn-loop: a, b, isola\r\n/);
  const traceparent = ["traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"] as const;
  const doubled = read(text([HOST, traceparent, traceparent]));
  assert.equal(doubled.head.traceparent, `${traceparent[1]}, ${traceparent[1]}`);
  assert.ok(!doubled.sent.includes("traceparent"));
});

Deno.test("over TLS, and behind a trusted proxy, the app is told who asks and how", () => {
  const head = text([["Host", "shop.example"], ["X-Forwarded-For", "6.6.6.6, 198.51.100.7"], [
    "X-Forwarded-Proto",
    "https",
  ]]);
  const proxies = new TrustedProxies([{ addresses: ["192.0.2.7"], by: "x-forwarded-for" }]);
  const trusted = read(head, { ...PEER, proxies });
  assert(trusted.head.isSecure);
  assert.match(trusted.sent, /^GET https:\/\/shop\.example\//);
  assert.match(trusted.sent, /\r\nx-forwarded-for: 198\.51\.100\.7\r\nx-forwarded-proto: https\r\n/);
  assert.match(trusted.sent, /\r\nforwarded: for="198\.51\.100\.7:0";host="shop\.example";proto=https\r\n/);
  const stranger = read(head, { ...PEER, hostname: "192.0.2.8", proxies });
  assert(!stranger.head.isSecure);
  assert.match(stranger.sent, /\r\nx-forwarded-for: 192\.0\.2\.8\r\nx-forwarded-proto: http\r\n/);
  const certificate = { covers: () => true };
  const secured = read(head, { ...PEER, certificate });
  assert(secured.head.isSecure && secured.head.certificate === certificate);
  assert.match(secured.sent, /^GET https:\/\/shop\.example\//);
});

Deno.test("requests of several visitors on one connection of a trusted proxy are told apart", () => {
  const proxies = new TrustedProxies([{ addresses: ["192.0.2.7"], by: "x-forwarded-for" }]);
  const reader = new RequestReader({ ...PEER, proxies });
  for (const visitor of ["198.51.100.7", "198.51.100.8", "198.51.100.7"]) {
    const bytes = latin1(text([["Host", "shop.example"], ["X-Forwarded-For", visitor]]));
    const out = new ByteBuffer();
    reader.read(bytes, 0, bytes.length, out);
    assert.match(String.fromCharCode(...out.view), new RegExp(`x-forwarded-for: ${visitor}\r\n`));
  }
});

Deno.test("a target that is too long is refused by its own code", () => {
  const bytes = latin1(text([["Host", "shop.example"]], `GET /${"a".repeat(100)} HTTP/1.1`));
  const readWithin = (maxUriBytes: number) =>
    new RequestReader(PEER, { maxUriBytes }).read(bytes, 0, bytes.length, new ByteBuffer());
  assert.equal(readWithin(101).method, "GET");
  assert.throws(() => readWithin(100), { code: "URI_TOO_LONG" });
});
