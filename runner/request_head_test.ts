import assert from "node:assert/strict";
import { GatewayError } from "./errors.ts";
import { requestHead } from "./request_head.ts";

const AUTHORITY = { hostname: "shop.example", host: "Shop.example:80", target: "/a/../b%2Fc?q" };
const PEER = { hostname: "192.0.2.7", port: 4711 };

/** The fields of the head for these visitor's headers. */
function fields(headers: HeadersInit, peer = PEER): Record<string, string> {
  const head = requestHead("GET", AUTHORITY, new Headers(headers), peer);
  const lines = head.slice(0, -4).split("\r\n").slice(1);
  const entries = lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]);
  assert.equal(new Set(entries.map(([name]) => name)).size, entries.length, "a field was sent twice");
  return Object.fromEntries(entries);
}

Deno.test("the request line is in absolute form with the visitor's own host and path", () => {
  const head = requestHead("PROPFIND", AUTHORITY, new Headers({ host: "elsewhere" }), PEER);
  assert.equal(head.split("\r\n")[0], "PROPFIND http://Shop.example:80/a/../b%2Fc?q HTTP/1.1");
  assert.equal(fields({ host: "elsewhere" })["host"], "Shop.example:80");
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
    "transfer-encoding": "chunked",
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
    "traceparent",
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
  delete got["traceparent"];
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

Deno.test("a valid trace goes on and any other is replaced together with its state", () => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const kept = fields({ traceparent, "tracestate": "a=1" });
  assert.equal(kept["traceparent"], traceparent);
  assert.equal(kept["tracestate"], "a=1");
  for (
    const bad of [
      "",
      "x",
      `${traceparent}-00`,
      traceparent.toUpperCase(),
      `ff${traceparent.slice(2)}`,
      `00-${"0".repeat(32)}-b7ad6b7169203331-01`,
      `00-0af7651916cd43dd8448eb211c80319c-${"0".repeat(16)}-01`,
      `${traceparent}, ${traceparent}`,
    ]
  ) {
    const made = fields({ "traceparent": bad, "tracestate": "a=1" });
    assert.match(made["traceparent"]!, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    assert.notEqual(made["traceparent"], bad);
    assert.equal(made["tracestate"], undefined);
  }
  assert.equal(
    fields({ "traceparent": `01${traceparent.slice(2)}-x` })["traceparent"],
    `01${traceparent.slice(2)}-x`,
  );
  assert.notEqual(fields({})["traceparent"], fields({})["traceparent"]);
});

Deno.test("a target that is not ASCII is sent in UTF-8 and the hop's own lines come last", () => {
  const head = requestHead(
    "GET",
    { ...AUTHORITY, target: "/é" },
    new Headers(),
    PEER,
    "content-length: 3\r\n",
  );
  assert.ok(head.startsWith("GET http://Shop.example:80/\xc3\xa9 HTTP/1.1\r\n"));
  assert.ok(head.endsWith("\r\ncontent-length: 3\r\n\r\n"));
});
