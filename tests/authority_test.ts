import assert from "node:assert/strict";
import { CODE, type Ending, type Fields, Http2Wire } from "./http2_wire.ts";
import { serverForTests } from "./server.ts";
import { TestCa } from "./test_ca.ts";
import { TlsClient, type TlsOptions } from "./tls_client.ts";

/** Answers with what it was asked for; `/seen` = the requests since the last `/seen`. */
const APP = `
  const seen = [];
  Deno.serve(async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/seen") return Response.json(seen.splice(0));
    seen.push(request.method + " " + pathname);
    if (pathname !== "/unread") await request.bytes();
    const { method, url, headers } = request;
    const [host, forwardedHost] = ["host", "x-forwarded-host"].map((name) => headers.get(name));
    return Response.json({ method, url, host, forwardedHost });
  });
`;
const ONE = "one.apps.test";
const TWO = "two.apps.test";

let ca: TestCa;
const suite = serverForTests(async () => {
  ca = await TestCa.make();
  const certificates = [await ca.write([ONE]), await ca.write([TWO])];
  return {
    config: { tls: { certificates }, httpRedirect: "off", baseDomain: "apps.test" },
    env: { ISOLA_HTTPS_ADDR: "127.0.0.1:0" },
  };
});

Deno.test.beforeAll(async () => {
  await suite.server.deploy("one", APP);
  await suite.server.deploy("two", APP);
});
Deno.test.afterAll(() => ca[Symbol.dispose]());

/** A way in: all that is asked comes on connections of the certificate for {@linkcode ONE}. */
interface Way {
  name: string;
  scheme: "http" | "https";
  open(protocol?: string): Promise<TlsClient>;
}

const WAYS: readonly Way[] = [
  { name: "plain", scheme: "http", open: () => TlsClient.open(suite.server.httpPort, null) },
  { name: "TLS", scheme: "https", open: (protocol) => TlsClient.open(suite.server.httpsPort, tls(protocol)) },
];

function tls(protocol = "http/1.1"): TlsOptions {
  return { serverName: ONE, ca: ca.certificate, protocols: [protocol] };
}

/** What the app says that it got, or the status in place of the app's. */
type Said = number | Record<string, string | null>;

/** What has to come of it: a URL in the app, without its scheme; or a status; or what the certificate decides. */
type Expected = string | number;

/** 404, unless the certificate is not for it: 421. */
const NO_ROUTE = "no route";
/** {@linkcode TWO}, unless the certificate is not for it: 421. */
const ANOTHER = "another";
const BAD = 400;

function assertSaid(said: Said, expected: Expected, way: Way, name: string): void {
  const { scheme } = way;
  if (expected === ANOTHER) return assertSaid(said, scheme === "https" ? 421 : `${TWO}/p`, way, name);
  if (expected === NO_ROUTE) return assert.equal(said, scheme === "https" ? 421 : 404, name);
  if (typeof expected === "number") return assert.equal(said, expected, name);
  assert.ok(typeof said === "object", `${name}: ${said}`);
  assert.equal(said.url, `${scheme}://${expected}`, name);
}

/** One request of raw lines on a connection of its own. 400 = it was refused, or the connection ended without a word. */
async function http1(way: Way, lines: readonly string[]): Promise<Said> {
  using client = await way.open();
  await client.write([...lines, "Connection: close", "", ""].join("\r\n"));
  const received = await client.receiveAll();
  if (received === "") return BAD;
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(received)?.[1]);
  return status === 200 ? JSON.parse(/\{.*\}/.exec(received)![0]) : status;
}

const HOSTS: [name: string, lines: string[], expected: Expected][] = [
  ["as it is", [`Host: ${ONE}`], `${ONE}/p`],
  ["a port", [`Host: ${ONE}:8443`], `${ONE}:8443/p`],
  ["upper case", ["Host: OnE.Apps.TEST"], "OnE.Apps.TEST/p"],
  ["a trailing dot", [`Host: ${ONE}.`], `${ONE}./p`],
  ["white space around", [`Host: \t${ONE}\t`], `${ONE}/p`],
  ["a port with zeros in front", [`Host: ${ONE}:0080`], `${ONE}:0080/p`],
  ["another host field that proxies set", [`Host: ${ONE}`, `X-Forwarded-Host: ${TWO}`], `${ONE}/p`],
  ["another name's", [`Host: ${TWO}`], ANOTHER],
  ["a name without a deployment", ["Host: none.apps.test"], NO_ROUTE],
  ["an underscore", ["Host: one_two.apps.test"], NO_ROUTE],
  ["an IPv6 address", ["Host: [::1]:80"], NO_ROUTE],
  ["an IPv4 address", ["Host: 127.0.0.1"], NO_ROUTE],
  ["a decimal IPv4 address", ["Host: 2130706433"], NO_ROUTE],
  ["a hexadecimal IPv4 address", ["Host: 0x7f.1"], NO_ROUTE],
  ["missing", [], BAD],
  ["empty", ["Host: "], BAD],
  ["twice the same", [`Host: ${ONE}`, `Host: ${ONE}`], BAD],
  ["two", [`Host: ${ONE}`, `Host: ${TWO}`], BAD],
  ["userinfo", [`Host: ${TWO}@${ONE}`], BAD],
  ["a path", [`Host: ${ONE}/x`], BAD],
  ["a path with an at sign", [`Host: ${ONE}/@${TWO}`], BAD],
  ["a query", [`Host: ${ONE}?x`], BAD],
  ["a fragment", [`Host: ${ONE}#x`], BAD],
  ["a backslash", [`Host: ${ONE}\\${TWO}`], BAD],
  ["a space", [`Host: ${ONE} ${TWO}`], BAD],
  ["a comma", [`Host: ${ONE},${TWO}`], BAD],
  ["a percent", ["Host: one%2eapps.test"], BAD],
  ["a percent-encoded NUL", [`Host: ${ONE}%00.${TWO}`], BAD],
  ["a letter beyond ASCII", ["Host: \xc3\xbc.apps.test"], BAD],
  ["a full-width dot", ["Host: one\xe3\x80\x82apps.test"], BAD],
  ["a port too large", [`Host: ${ONE}:99999`], BAD],
  ["a port of letters", [`Host: ${ONE}:abc`], BAD],
  ["an empty port", [`Host: ${ONE}:`], BAD],
  ["5000 letters", [`Host: ${"a".repeat(5000)}.test`], BAD],
  ["a space before the colon", [`Host : ${ONE}`], BAD],
  ["a folded line", [`Host: ${ONE}`, ` ${TWO}`], BAD],
  ["a control character", [`Host: ${ONE}\x01`], BAD],
  ["two dots", ["Host: one..apps.test"], BAD],
  ["a dot in front", [`Host: .${ONE}`], BAD],
];

const REQUEST_LINES: [name: string, lines: string[], expected: Expected][] = [
  ["absolute", [`GET http://${ONE}/p HTTP/1.1`, `Host: ${ONE}`], `${ONE}/p`],
  ["absolute, another scheme", [`GET https://${ONE}/p HTTP/1.1`, `Host: ${ONE}`], `${ONE}/p`],
  ["absolute without a path", [`GET http://${ONE} HTTP/1.1`, `Host: ${ONE}`], `${ONE}/`],
  ["absolute, another name", [`GET http://${TWO}/p HTTP/1.1`, `Host: ${ONE}`], BAD],
  ["absolute, another name and port", [`GET https://${TWO}:444/p HTTP/1.1`, `Host: ${ONE}`], BAD],
  ["absolute, another name, no path", [`GET http://${TWO} HTTP/1.1`, `Host: ${ONE}`], BAD],
  ["absolute without Host", [`GET http://${ONE}/p HTTP/1.1`], BAD],
  ["absolute with userinfo", [`GET http://u:p@${ONE}/p HTTP/1.1`, `Host: ${ONE}`], BAD],
  ["absolute, FTP", [`GET ftp://${ONE}/p HTTP/1.1`, `Host: ${ONE}`], BAD],
  ["two slashes", [`GET //${TWO}/p HTTP/1.1`, `Host: ${ONE}`], `${ONE}//${TWO}/p`],
  ["a backslash", [`GET /\\${TWO}/p HTTP/1.1`, `Host: ${ONE}`], `${ONE}/\\${TWO}/p`],
  ["dots", ["GET /x/../../y HTTP/1.1", `Host: ${ONE}`], `${ONE}/x/../../y`],
  ["an at sign in front", [`GET @${TWO}/p HTTP/1.1`, `Host: ${ONE}`], BAD],
  ["no slash in front", ["GET p HTTP/1.1", `Host: ${ONE}`], BAD],
  ["a dot in front", [`GET .${TWO}/ HTTP/1.1`, `Host: ${ONE}`], BAD],
  ["asterisk", ["OPTIONS * HTTP/1.1", `Host: ${ONE}`], BAD],
  ["asterisk of GET", ["GET * HTTP/1.1", `Host: ${ONE}`], BAD],
  ["CONNECT", [`CONNECT ${TWO}:443 HTTP/1.1`, `Host: ${ONE}`], BAD],
  ["TRACE", ["TRACE /p HTTP/1.1", `Host: ${ONE}`], BAD],
  ["a fragment", ["GET /p#x HTTP/1.1", `Host: ${ONE}`], `${ONE}/p#x`],
  ["UTF-8", ["GET /\xc3\xbc HTTP/1.1", `Host: ${ONE}`], `${ONE}/\xc3\xbc`],
  ["no UTF-8", ["GET /\xfc HTTP/1.1", `Host: ${ONE}`], BAD],
  ["HTTP/1.0 without Host", ["GET /p HTTP/1.0"], BAD],
  ["HTTP/1.0", ["GET /p HTTP/1.0", `Host: ${ONE}`], `${ONE}/p`],
  ["HTTP/0.9", ["GET /p"], BAD],
  ["a method of its own", ["PURGE /p HTTP/1.1", `Host: ${ONE}`], `${ONE}/p`],
  ["LF alone", [`GET /p HTTP/1.1\nHost: ${ONE}`], BAD],
];

for (const way of WAYS) {
  Deno.test(`HTTP/1.1, ${way.name}: what is in Host names the deployment or is refused`, async () => {
    for (const [name, lines, expected] of HOSTS) {
      assertSaid(await http1(way, ["GET /p HTTP/1.1", ...lines]), expected, way, `Host: ${name}`);
    }
  });

  Deno.test(`HTTP/1.1, ${way.name}: a request line asks for a path of that deployment or is refused`, async () => {
    for (const [name, lines, expected] of REQUEST_LINES) {
      assertSaid(await http1(way, lines), expected, way, name);
    }
  });
}

Deno.test("X-Forwarded-Host is ours, whoever sent one", async () => {
  const said = await http1(WAYS[1]!, ["GET /p HTTP/1.1", `Host: ${ONE}`, `X-Forwarded-Host: ${TWO}`]);
  assert.ok(typeof said === "object");
  assert.deepEqual([said.host, said.forwardedHost], [ONE, ONE]);
});

/** Of HTTP/2: the whole request but for what is usual. */
function h2(fields: Fields, { method = "GET", path = "/p", scheme = "https" } = {}): Fields {
  return [[":method", method], [":scheme", scheme], [":path", path], ...fields];
}

const A: Fields = [[":authority", ONE]];
const MALFORMED = "malformed";
const HTTP2: [name: string, fields: Fields, expected: Expected][] = [
  [":authority", h2(A), `${ONE}/p`],
  [":authority and the same host", h2([...A, ["host", ONE]]), `${ONE}/p`],
  ["host alone", h2([["host", ONE]]), `${ONE}/p`],
  ["a port", h2([[":authority", `${ONE}:8443`]]), `${ONE}:8443/p`],
  ["upper case", h2([[":authority", "OnE.Apps.TEST"]]), "OnE.Apps.TEST/p"],
  ["a trailing dot", h2([[":authority", `${ONE}.`]]), `${ONE}./p`],
  ["two slashes", h2(A, { path: `//${TWO}/p` }), `${ONE}//${TWO}/p`],
  ["the scheme of the other port", h2(A, { scheme: "http" }), `${ONE}/p`],
  ["another name's", h2([[":authority", TWO]]), ANOTHER],
  ["a name without a deployment", h2([[":authority", "none.apps.test"]]), NO_ROUTE],
  ["an IPv6 address", h2([[":authority", "[::1]:80"]]), NO_ROUTE],
  ["an IPv4 address", h2([[":authority", "127.0.0.1"]]), NO_ROUTE],
  [":authority and another host", h2([...A, ["host", TWO]]), BAD],
  [":authority and two hosts", h2([...A, ["host", ONE], ["host", TWO]]), MALFORMED],
  ["two hosts alone", h2([["host", ONE], ["host", TWO]]), MALFORMED],
  ["two :authority", h2([...A, [":authority", TWO]]), MALFORMED],
  ["neither", h2([]), BAD],
  ["an empty :authority", h2([[":authority", ""], ["host", ONE]]), MALFORMED],
  ["userinfo", h2([[":authority", `${TWO}@${ONE}`]]), MALFORMED],
  ["a path", h2([[":authority", `${ONE}/x`]]), MALFORMED],
  ["a query", h2([[":authority", `${ONE}?x`]]), MALFORMED],
  ["a fragment", h2([[":authority", `${ONE}#x`]]), MALFORMED],
  ["a backslash", h2([[":authority", `${ONE}\\x`]]), MALFORMED],
  ["a space", h2([[":authority", `${ONE} x`]]), MALFORMED],
  ["a comma", h2([[":authority", `${ONE},${TWO}`]]), MALFORMED],
  ["a percent", h2([[":authority", "one%2eapps.test"]]), MALFORMED],
  ["a port too large", h2([[":authority", `${ONE}:99999`]]), MALFORMED],
  ["an empty port", h2([[":authority", `${ONE}:`]]), MALFORMED],
  ["an absolute path", h2(A, { path: `http://${TWO}/p` }), MALFORMED],
  ["no slash in front", h2(A, { path: "p" }), MALFORMED],
  ["an empty path", h2(A, { path: "" }), MALFORMED],
  ["an at sign in front", h2(A, { path: `@${TWO}/` }), MALFORMED],
  ["asterisk", h2(A, { path: "*", method: "OPTIONS" }), MALFORMED],
  ["the scheme of FTP", h2(A, { scheme: "ftp" }), MALFORMED],
  ["CONNECT", [[":method", "CONNECT"], [":authority", `${TWO}:443`]], MALFORMED],
  ["extended CONNECT", h2([[":protocol", "websocket"], ...A], { method: "CONNECT" }), MALFORMED],
  ["TRACE", h2(A, { method: "TRACE" }), MALFORMED],
  ["te", h2([...A, ["te", "gzip"]]), MALFORMED],
  ["connection", h2([...A, ["connection", "close"]]), MALFORMED],
  ["transfer-encoding", h2([...A, ["transfer-encoding", "chunked"]]), MALFORMED],
  ["upper case in a field's name", h2([...A, ["X-A", "1"]]), MALFORMED],
  ["a late pseudo-header", [[":method", "GET"], ["x", "y"], ...h2(A).slice(1)], MALFORMED],
  ["an unknown pseudo-header", h2([...A, [":status", "200"]]), MALFORMED],
  ["CR and LF in a value", h2([...A, ["x", `a\r\nhost: ${TWO}`]]), MALFORMED],
  ["CR and LF in a name", h2([...A, [`x: a\r\nhost`, TWO]]), MALFORMED],
  ["CR and LF in the path", h2(A, { path: `/p HTTP/1.1\r\nhost: ${TWO}\r\n\r\n` }), MALFORMED],
  ["CR and LF in the method", h2(A, { method: "GET /p HTTP/1.1\r\nx: y" }), MALFORMED],
  ["NUL in a value", h2([...A, ["x", "a\0b"]]), MALFORMED],
];

for (const way of WAYS) {
  Deno.test(`HTTP/2, ${way.name}: :authority names the deployment or is refused`, async () => {
    for (const [name, fields, expected] of HTTP2) {
      using client = await way.open("h2");
      const wire = await Http2Wire.open(client);
      const ending = await wire.request(fields);
      if (expected !== MALFORMED) assertSaid(saidIn(ending), expected, way, name);
      else assert.ok(isRefused(ending), `${name}: ${JSON.stringify(ending)}`);
    }
  });
}

function saidIn(ending: Ending): Said {
  if (ending === "closed" || !("status" in ending)) return 0;
  return ending.status === 200 ? JSON.parse(ending.body) : ending.status;
}

/** As RFC 9113 §8.1.1 has it: a stream error, in place of which some say 400. */
function isRefused(ending: Ending): boolean {
  if (ending === "closed") return true;
  if ("status" in ending) return ending.status === BAD;
  return ("resetWith" in ending ? ending.resetWith : ending.goneWith) === CODE.protocolError;
}

const HEAD = `HTTP/1.1\r\nHost: ${ONE}\r\n`;
const SMUGGLED = `GET /smuggled ${HEAD}\r\n`;
const NEXT = `GET /next ${HEAD}\r\n`;
const END = `GET /end ${HEAD}Connection: close\r\n\r\n`;
const READ = `POST /read ${HEAD}`;
const CHUNKED = "Transfer-Encoding: chunked\r\n\r\n";

/** `seen`: what the app may see of it, in this order, if it goes so far. Refused: nothing in it is answered but by 400. */
const SMUGGLING: { name: string; bytes: string; seen: string[]; refused?: true }[] = [
  {
    name: "GET with a length",
    bytes: `GET / ${HEAD}Content-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
    seen: ["GET /"],
  },
  {
    name: "GET with chunks",
    bytes: `GET / ${HEAD}${CHUNKED}${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`,
    seen: ["GET /"],
  },
  {
    name: "a body that is not read",
    bytes: `POST /unread ${HEAD}Content-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
    seen: ["POST /unread", "GET /end"],
  },
  {
    name: "a body that is not read, and another request",
    bytes: `POST /unread ${HEAD}Content-Length: 3\r\n\r\nabc${NEXT}`,
    seen: ["POST /unread", "GET /next", "GET /end"],
  },
  {
    name: "a body, and another request",
    bytes: `${READ}Content-Length: 3\r\n\r\nabc${NEXT}`,
    seen: ["POST /read", "GET /next", "GET /end"],
  },
  {
    name: "HEAD with a body",
    bytes: `HEAD / ${HEAD}Content-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
    seen: ["HEAD /"],
  },
  refused("a length and chunks", `${READ}Content-Length: 5\r\n${CHUNKED}0\r\n\r\n${SMUGGLED}`),
  refused("identity", `${READ}Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc${SMUGGLED}`),
  refused("identity at the end", `${READ}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${SMUGGLED}`),
  {
    name: "chunked in upper case",
    bytes: `${READ}Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n${NEXT}`,
    seen: ["POST /read", "GET /next", "GET /end"],
  },
  refused("a vertical tab", `${READ}Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n${SMUGGLED}`),
  refused("two codings", `${READ}Transfer-Encoding: identity\r\n${CHUNKED}0\r\n\r\n${SMUGGLED}`),
  refused("chunks in HTTP/1.0", `POST /read HTTP/1.0\r\nHost: ${ONE}\r\n${CHUNKED}0\r\n\r\n${SMUGGLED}`),
  {
    name: "an extension of a chunk",
    bytes: `${READ}${CHUNKED}3;x=y\r\nabc\r\n0\r\n\r\n${NEXT}`,
    seen: ["POST /read", "GET /next", "GET /end"],
  },
  refused("LF after a chunk", `${READ}${CHUNKED}3\nabc\n0\n\n${SMUGGLED}`, ["POST /read"]),
  refused("a chunk too large", `${READ}${CHUNKED}fffffffffffffffff\r\nabc\r\n0\r\n\r\n`, ["POST /read"]),
  refused("0x before a chunk", `${READ}${CHUNKED}0x3\r\nabc\r\n0\r\n\r\n${SMUGGLED}`, ["POST /read"]),
  refused("a list of lengths", `${READ}Content-Length: 3, 3\r\n\r\nabc${SMUGGLED}`),
  refused("two lengths", `${READ}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc${SMUGGLED}`),
  refused("a hexadecimal length", `${READ}Content-Length: 0x3\r\n\r\nabc${SMUGGLED}`),
  refused("a negative length", `${READ}Content-Length: -1\r\n\r\n${SMUGGLED}`),
  refused("a space before the colon", `${READ}Content-Length : 3\r\n\r\nabc${SMUGGLED}`),
  { name: "empty lines in front", bytes: `\r\n\r\nGET / ${HEAD}\r\n`, seen: ["GET /", "GET /end"] },
  refused("CR in a value", `GET / ${HEAD}X: a\rb\r\n\r\n`),
  refused("NUL in a value", `GET / ${HEAD}X: a\0b\r\n\r\n`),
  refused("HTTP/1.2", `GET / HTTP/1.2\r\nHost: ${ONE}\r\n\r\n`),
  refused("HTTP/2.0", `GET / HTTP/2.0\r\nHost: ${ONE}\r\n\r\n`),
  {
    name: "an upgrade to HTTP/2",
    bytes: `GET / ${HEAD}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n` +
      "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n",
    seen: ["GET /", "GET /end"],
  },
  {
    name: "three requests at once",
    bytes: NEXT.repeat(3),
    seen: ["GET /next", "GET /next", "GET /next", "GET /end"],
  },
  refused("CONNECT with a body", `CONNECT ${TWO}:1 ${HEAD}\r\n${SMUGGLED}`),
  {
    name: "a body after 100",
    bytes: `${READ}Content-Length: 3\r\nExpect: 100-continue\r\n\r\nabc`,
    seen: ["POST /read", "GET /end"],
  },
];

function refused(name: string, bytes: string, seen: string[] = []) {
  return { name, bytes, seen, refused: true } as const;
}

for (const way of WAYS) {
  Deno.test(`HTTP/1.1, ${way.name}: no request is smuggled past another`, async () => {
    await suite.server.text(ONE, "/seen");
    for (const { name, bytes, seen, refused } of SMUGGLING) {
      using client = await way.open();
      await client.write(bytes + END);
      const received = await client.receiveAll();
      const statuses = [...received.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map((match) => match[1]);
      if (refused) assert.match(statuses.join(" "), /^(400)?$/, name);
      else assert.match(statuses.join(" "), /^(100 )?200( 200)*( 400)?$/, name);
      const reached: string[] = JSON.parse(await suite.server.text(ONE, "/seen"));
      assert.deepEqual(reached, seen.slice(0, reached.length), name);
    }
  });
}
